//! Values of text search: `tsvector` and `tsquery`, which are stored as their text in PostgreSQL's normal form.

mod query;
mod vector;

pub use query::{Node, Operator, Pieces, Query, QueryWord};
pub use vector::{Lexeme, MAX_POSITION, Place, Vector};

use super::{PgError, SqlState};

/// Longest lexeme in bytes.
pub const MAX_WORD: usize = 2046;

pub(crate) fn syntax(message: String) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, message)
}

/// Appends a lexeme in quotes.
fn quoted(word: &str, out: &mut String) {
    out.push('\'');
    for c in word.chars() {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
}

/// Reads words, in quotes or not, from the text of a vector or query.
pub(crate) struct Words<'t> {
    /// The whole text, for messages.
    pub text: &'t str,
    /// What is still to be read.
    pub rest: &'t str,
    /// Of a query: its operators end a word, and a word has no places.
    pub query: bool,
    /// Of a web search: a double quote ends a word, quotes and backslashes are plain.
    pub web: bool,
}

/// The characters that are operators of a query.
pub(crate) fn is_operator(c: char) -> bool {
    matches!(c, '!' | '&' | '|' | '(' | ')' | '<')
}

pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

impl Words<'_> {
    fn failed(&self) -> PgError {
        let what = if self.query { "tsquery" } else { "tsvector" };
        syntax(format!("syntax error in {what}: \"{}\"", self.text))
    }

    /// The next word; `None` at the end of the text.
    pub fn word(&mut self) -> Result<Option<String>, PgError> {
        self.rest = self.rest.trim_start_matches(is_space);
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else { return Ok(None) };
        let mut word = String::new();
        if first == '\'' && !self.web {
            loop {
                match chars.next() {
                    None => return Err(self.failed()),
                    Some('\'') if chars.clone().next() == Some('\'') => {
                        chars.next();
                        word.push('\'');
                    }
                    Some('\'') => break,
                    Some('\\') => word.push(self.escaped(chars.next())?),
                    Some(c) => word.push(c),
                }
            }
            self.rest = chars.as_str();
        } else {
            let ends = |c: char| (self.query && is_operator(c)) || (self.web && c == '"');
            if ends(first) {
                return Err(self.failed());
            }
            let mut chars = self.rest.chars();
            let mut begun = false;
            loop {
                let before = chars.as_str();
                match chars.next() {
                    Some('\\') if !self.web => word.push(self.escaped(chars.next())?),
                    Some(c) if begun && (is_space(c) || ends(c) || c == ':') => {
                        self.rest = before;
                        break;
                    }
                    None => {
                        self.rest = before;
                        break;
                    }
                    Some(c) => word.push(c),
                }
                begun = true;
            }
        }
        if word.is_empty() { Err(self.failed()) } else { Ok(Some(word)) }
    }

    fn escaped(&self, c: Option<char>) -> Result<char, PgError> {
        c.ok_or_else(|| syntax(format!("there is no escaped character: \"{}\"", self.text)))
    }

    /// The places behind a word of a vector: `:1A,7`.
    fn places(&mut self) -> Result<Vec<Place>, PgError> {
        let mut places = Vec::new();
        let Some(mut rest) = self.rest.strip_prefix(':') else { return Ok(places) };
        loop {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits == 0 {
                return Err(self.failed());
            }
            // What is above the largest position counts as it; 2^31 is where PostgreSQL's counting ends.
            let at = rest[..digits].parse::<u32>().unwrap_or(u32::MAX).min(u32::from(MAX_POSITION)) as u16;
            if at == 0 {
                return Err(syntax(format!("wrong position info in tsvector: \"{}\"", self.text)));
            }
            let mut place = Place { at, weight: 0 };
            rest = &rest[digits..];
            let more = loop {
                let mut chars = rest.chars();
                match chars.next() {
                    None => break false,
                    Some(c) if is_space(c) => break false,
                    Some(',') => {
                        rest = chars.as_str();
                        break true;
                    }
                    Some(c) if c.is_ascii_digit() => {}
                    Some(c) => {
                        let weight = match c {
                            '*' => 3,
                            _ => Vector::weight(c).ok_or_else(|| self.failed())?,
                        };
                        if place.weight != 0 {
                            return Err(self.failed());
                        }
                        place.weight = weight;
                    }
                }
                rest = chars.as_str();
            };
            places.push(place);
            if !more {
                self.rest = rest;
                return Ok(places);
            }
        }
    }
}
