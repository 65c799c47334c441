//! LIKE, ILIKE and their escapes.
//!
//! A pattern that is one value for all rows is compiled once; patterns with wildcards only at their ends are searched
//! without backtracking.

use super::adapt::*;
use super::kernel::Body;
use super::registry::Registry;
use crate::types::{PgError, PgResult, SqlState};
use std::sync::Arc;

enum Token {
    Literal(char),
    One,
    Many,
}

enum Shape {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
    General(Vec<Token>),
}

/// A compiled pattern.
struct Pattern {
    shape: Shape,
    fold: bool,
}

fn fold(s: &str) -> String {
    s.chars().flat_map(char::to_lowercase).collect()
}

impl Pattern {
    fn new(pattern: &str, case_insensitive: bool) -> PgResult<Self> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '%' => Token::Many,
                '_' => Token::One,
                '\\' => Token::Literal(chars.next().ok_or_else(|| {
                    PgError::new(SqlState(*b"22025"), "LIKE pattern must not end with escape character")
                })?),
                c => Token::Literal(c),
            });
        }
        if case_insensitive {
            tokens = tokens
                .into_iter()
                .flat_map(|t| match t {
                    Token::Literal(c) => c.to_lowercase().map(Token::Literal).collect(),
                    other => vec![other],
                })
                .collect();
        }
        Ok(Self { shape: Shape::of(tokens), fold: case_insensitive })
    }

    fn matches(&self, s: &str) -> bool {
        if self.fold { self.shape.matches(&fold(s)) } else { self.shape.matches(s) }
    }
}

impl Shape {
    fn of(tokens: Vec<Token>) -> Self {
        let starts = matches!(tokens.first(), Some(Token::Many));
        let ends = tokens.len() > 1 && matches!(tokens.last(), Some(Token::Many));
        let inner = &tokens[usize::from(starts)..tokens.len() - usize::from(ends)];
        let literal: Option<String> = inner
            .iter()
            .map(|t| match t {
                Token::Literal(c) => Some(*c),
                _ => None,
            })
            .collect();
        match (literal, starts, ends) {
            (Some(s), false, false) => Self::Exact(s),
            (Some(s), false, true) => Self::Prefix(s),
            (Some(s), true, false) => Self::Suffix(s),
            (Some(s), true, true) => Self::Contains(s),
            (None, ..) => Self::General(tokens),
        }
    }

    fn matches(&self, s: &str) -> bool {
        match self {
            Self::Exact(p) => s == p,
            Self::Prefix(p) => s.starts_with(p.as_str()),
            Self::Suffix(p) => s.ends_with(p.as_str()),
            Self::Contains(p) => memchr::memmem::find(s.as_bytes(), p.as_bytes()).is_some(),
            Self::General(tokens) => general(tokens, s),
        }
    }
}

/// Greedy matching that falls back to the last `%` only: linear in pattern times text.
fn general(tokens: &[Token], s: &str) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut fallback: Option<(usize, usize)> = None;
    loop {
        let next = s[at..].chars().next();
        match (tokens.get(token), next) {
            (Some(Token::Many), _) => {
                fallback = Some((token + 1, at));
                token += 1;
                continue;
            }
            (Some(Token::One), Some(c)) => {
                (token, at) = (token + 1, at + c.len_utf8());
                continue;
            }
            (Some(Token::Literal(l)), Some(c)) if *l == c => {
                (token, at) = (token + 1, at + c.len_utf8());
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, from)) = fallback else { return false };
        let Some(c) = s[from..].chars().next() else { return false };
        (token, at) = (after, from + c.len_utf8());
        fallback = Some((after, at));
    }
}

/// LIKE with these properties; `blank`: the left side is a bpchar, whose padding does not count.
fn like(case_insensitive: bool, negated: bool) -> Body {
    Arc::new(move |call| {
        if matches!(Valid::of(call), Valid::None) {
            return Ok(all_null(call));
        }
        let (values, patterns) = (Text::column(&call.args[0].array)?, Text::column(&call.args[1].array)?);
        if call.args[1].constant {
            let pattern = Pattern::new(patterns.value(0), case_insensitive)?;
            return strict_rows::<Bool>(call, |i| {
                Ok(Some(pattern.matches(values.value(call.args[0].at(i))) != negated))
            });
        }
        strict_rows::<Bool>(call, |i| {
            let pattern = Pattern::new(patterns.value(i), case_insensitive)?;
            Ok(Some(pattern.matches(values.value(call.args[0].at(i))) != negated))
        })
    })
}

/// A pattern with another escape character, in the form with `\`.
fn like_escape(pattern: &str, escape: &str, out: &mut String) -> PgResult<()> {
    let mut characters = escape.chars();
    let escape = characters.next();
    if characters.next().is_some() {
        return Err(PgError::new(SqlState(*b"22019"), "invalid escape string")
            .hint("Escape string must be empty or one character."));
    }
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            out.push('\\');
            // An escape at the very end stays alone, and LIKE complains of it.
            out.extend(chars.next());
        } else if c == '\\' {
            out.push_str("\\\\");
        } else {
            out.push(c);
        }
    }
    Ok(())
}

pub fn declare(r: &mut Registry) {
    let like_names =
        ["textlike(text,text)", "like(text,text)", "namelike(name,text)", "like(name,text)", "bpcharlike(bpchar,text)"];
    r.funs(&like_names, like(false, false));
    let not_names = [
        "textnlike(text,text)",
        "notlike(text,text)",
        "namenlike(name,text)",
        "notlike(name,text)",
        "bpcharnlike(bpchar,text)",
    ];
    r.funs(&not_names, like(false, true));
    r.funs(&["texticlike(text,text)", "nameiclike(name,text)", "bpchariclike(bpchar,text)"], like(true, false));
    r.funs(&["texticnlike(text,text)", "nameicnlike(name,text)", "bpcharicnlike(bpchar,text)"], like(true, true));
    r.fun("like_escape(text,text)", write2::<Text, Text>(like_escape));
}
