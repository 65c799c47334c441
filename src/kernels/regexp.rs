//! POSIX regular expressions: `~`, `regexp_replace`, `regexp_match` and their kin.
//!
//! PostgreSQL's "advanced" expressions are translated to the crate `regex`. Two things it has not, back-references and
//! look-around: such an expression is run by `regexp_backtrack`. Alternation takes the first branch that matches, where PostgreSQL takes the
//! longest; the difference shows only where one branch is a prefix of another and the text that matched is used.

use super::adapt::*;
use super::kernel::{Body, Call};
use super::regexp_backtrack::{Program, Spans};
use super::regexp_choice::is_ambiguous;
use super::registry::Registry;
use super::text::invalid;
use crate::types::{PgError, PgResult, SqlState};
use arrow::array::{ArrayRef, StringArray};
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// What a function's flags say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    pub global: bool,
    pub case_insensitive: bool,
    /// `^` and `$` also match at line ends.
    pub anchors_at_lines: bool,
    /// `.` and negated brackets do not match a newline.
    pub dot_excludes_newline: bool,
    pub expanded: bool,
    literal: bool,
}

impl Flags {
    pub fn parse(text: &str) -> PgResult<Self> {
        let mut flags = Self::default();
        for c in text.chars() {
            match c {
                'g' => flags.global = true,
                'i' => flags.case_insensitive = true,
                'c' => flags.case_insensitive = false,
                'n' | 'm' => (flags.anchors_at_lines, flags.dot_excludes_newline) = (true, true),
                's' => (flags.anchors_at_lines, flags.dot_excludes_newline) = (false, false),
                'p' => (flags.anchors_at_lines, flags.dot_excludes_newline) = (false, true),
                'w' => (flags.anchors_at_lines, flags.dot_excludes_newline) = (true, false),
                'x' => flags.expanded = true,
                't' => flags.expanded = false,
                'q' => flags.literal = true,
                'e' | 'b' => {}
                c => return Err(invalid(format!("invalid regular expression option: \"{c}\""))),
            }
        }
        Ok(flags)
    }

    fn insensitive() -> Self {
        Self { case_insensitive: true, ..Self::default() }
    }

    pub fn no_global(self, function: &str) -> PgResult<Self> {
        match self.global {
            true => Err(invalid(format!("{function} does not support the \"global\" option"))),
            false => Ok(self),
        }
    }
}

pub fn wrong(detail: impl std::fmt::Display) -> PgError {
    PgError::new(SqlState(*b"2201B"), format!("invalid regular expression: {detail}"))
}

/// The expression in the syntax of the crate `regex`.
/// `None` where that has no word for a part of it.
fn translate(pattern: &str) -> PgResult<Option<String>> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.strip_prefix("***:").unwrap_or(pattern);
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let Some((_, escaped)) = chars.next() else { return Err(wrong("invalid escape \\ sequence")) };
                match escaped {
                    'y' => out.push_str("\\b"),
                    'Y' => out.push_str("\\B"),
                    'm' => out.push_str("\\b{start}"),
                    'M' => out.push_str("\\b{end}"),
                    'A' => out.push_str("\\A"),
                    'Z' => out.push_str("\\z"),
                    'e' => out.push_str("\\x1B"),
                    'b' => out.push_str("\\x08"),
                    'B' => out.push_str("\\\\"),
                    '1'..='9' => return Ok(None),
                    'x' => {
                        let digits = rest[at + 2..].chars().take_while(char::is_ascii_hexdigit).count();
                        let code = u32::from_str_radix(&rest[at + 2..at + 2 + digits], 16).ok();
                        let c = code.and_then(char::from_u32).ok_or_else(|| wrong("invalid escape \\ sequence"))?;
                        out.push_str(&regex::escape(&c.to_string()));
                        for _ in 0..digits {
                            chars.next();
                        }
                    }
                    'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 't' | 'r' | 'f' | 'v' | 'a' | 'u' | 'U' => {
                        out.push('\\');
                        out.push(escaped);
                    }
                    c if c.is_alphanumeric() => return Err(wrong("invalid escape \\ sequence")),
                    c => out.push_str(&regex::escape(&c.to_string())),
                }
            }
            '[' => {
                rest = &pattern[pattern.len() - rest.len()..];
                let length = bracket(&rest[at..], &mut out)?;
                chars = rest.char_indices();
                while chars.clone().next().is_some_and(|(next, _)| next < at + length) {
                    chars.next();
                }
            }
            '(' if rest[at..].starts_with("(?=") || rest[at..].starts_with("(?!") || rest[at..].starts_with("(?<") => {
                return Ok(None);
            }
            c => out.push(c),
        }
    }
    Ok(Some(out))
}

/// Translates a bracket expression that `text` begins with; how many bytes it has.
pub fn bracket(text: &str, out: &mut String) -> PgResult<usize> {
    let unbalanced = || wrong("brackets [] not balanced");
    // PostgreSQL's word boundaries.
    for (word, means) in [("[[:<:]]", "\\b{start}"), ("[[:>:]]", "\\b{end}")] {
        if text.starts_with(word) {
            out.push_str(means);
            return Ok(word.len());
        }
    }
    out.push('[');
    let mut at = 1;
    if text[at..].starts_with('^') {
        out.push('^');
        at += 1;
    }
    let mut first = true;
    loop {
        let c = text[at..].chars().next().ok_or_else(unbalanced)?;
        if c == ']' && !first {
            out.push(']');
            return Ok(at + 1);
        }
        first = false;
        if text[at..].starts_with("[:") {
            let end = text[at..].find(":]").ok_or_else(unbalanced)? + 2;
            out.push_str(&text[at..at + end]);
            at += end;
            continue;
        }
        at += c.len_utf8();
        match c {
            '\\' => {
                let escaped = text[at..].chars().next().ok_or_else(unbalanced)?;
                at += escaped.len_utf8();
                out.push('\\');
                out.push(escaped);
            }
            '[' | '&' | '~' | ']' => {
                out.push('\\');
                out.push(c);
            }
            '-' => {
                // A range inside; literal at the ends and where another operator could be read from two of them.
                let last = text[at..].starts_with(']');
                out.push_str(if last || out.ends_with('[') || out.ends_with('^') { "\\-" } else { "-" });
            }
            c => out.push(c),
        }
    }
}

/// The error of the crate `regex` in PostgreSQL's words.
fn rejected(error: &regex::Error) -> PgError {
    let text = error.to_string();
    let known = [
        ("unclosed group", "parentheses () not balanced"),
        ("unopened group", "parentheses () not balanced"),
        ("unclosed character class", "brackets [] not balanced"),
        ("repetition operator missing expression", "quantifier operand invalid"),
        ("invalid repetition count range", "invalid repetition count(s)"),
        ("unclosed counted repetition", "braces {} not balanced"),
        ("invalid character class range", "invalid character range"),
    ];
    match known.iter().find(|(theirs, _)| text.contains(theirs)) {
        Some((_, message)) => wrong(message),
        None => wrong(text.lines().last().unwrap_or_default().trim_start_matches("error: ")),
    }
}

/// A compiled expression.
#[derive(Debug)]
pub enum Expression {
    Plain(Regex),
    Backtracking(Program),
}

/// One match: begin and end of it and of its groups.
pub struct Found<'s> {
    text: &'s str,
    spans: Spans,
}

/// A part of a text that matched.
#[derive(Clone, Copy)]
struct Part<'s> {
    text: &'s str,
    start: usize,
    end: usize,
}

impl<'s> Found<'s> {
    fn get(&self, group: usize) -> Option<Part<'s>> {
        let (start, end) = (*self.spans.get(group)?)?;
        Some(Part { text: self.text, start, end })
    }

    fn len(&self) -> usize {
        self.spans.len()
    }
}

impl<'s> Part<'s> {
    fn as_str(&self) -> &'s str {
        &self.text[self.start..self.end]
    }

    fn start(&self) -> usize {
        self.start
    }

    fn end(&self) -> usize {
        self.end
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

impl Expression {
    pub fn is_match(&self, text: &str) -> PgResult<bool> {
        match self {
            Expression::Plain(regex) => Ok(regex.is_match(text)),
            Expression::Backtracking(program) => Ok(program.find(text, 0)?.is_some()),
        }
    }

    /// The groups and the match itself.
    fn captures_len(&self) -> usize {
        match self {
            Expression::Plain(regex) => regex.captures_len(),
            Expression::Backtracking(program) => program.groups() + 1,
        }
    }

    /// The first match from byte `from` on.
    fn captures_at<'s>(&self, text: &'s str, from: usize) -> PgResult<Option<Found<'s>>> {
        let spans = match self {
            Expression::Plain(regex) => regex
                .captures_at(text, from)
                .map(|found| found.iter().map(|m| m.map(|m| (m.start(), m.end()))).collect::<Spans>()),
            Expression::Backtracking(program) => program.find(text, from)?,
        };
        Ok(spans.map(|spans| Found { text, spans }))
    }

    fn captures<'s>(&self, text: &'s str) -> PgResult<Option<Found<'s>>> {
        self.captures_at(text, 0)
    }
}

pub fn compile(pattern: &str, flags: Flags) -> PgResult<Expression> {
    let literal = flags.literal || pattern.starts_with("***=");
    let mut flags = flags;
    let mut body = pattern.strip_prefix("***=").unwrap_or(pattern);
    // Options embedded at the start: (?i).
    if let Some(end) = body.strip_prefix("(?").and_then(|b| b.find(')')) {
        let letters = &body[2..2 + end];
        if !literal && !letters.is_empty() && letters.chars().all(|c| c.is_ascii_lowercase()) {
            let embedded = Flags::parse(letters)?;
            flags = Flags { global: flags.global, ..embedded };
            body = &body[end + 3..];
        }
    }
    let translated = if literal { Some(regex::escape(body)) } else { translate(body)? };
    let Some(translated) = translated else {
        let body = body.strip_prefix("***:").unwrap_or(body);
        return Program::new(body, flags).map(Expression::Backtracking);
    };
    RegexBuilder::new(&translated)
        .case_insensitive(flags.case_insensitive)
        .multi_line(flags.anchors_at_lines)
        .dot_matches_new_line(!flags.dot_excludes_newline)
        .ignore_whitespace(flags.expanded)
        .build()
        .map(Expression::Plain)
        .map_err(|e| rejected(&e))
}

thread_local! {
    /// Patterns that differ row by row mostly repeat: the last few compiled ones of this thread.
    static COMPILED: RefCell<HashMap<(String, Flags), Rc<Expression>>> = RefCell::new(HashMap::new());
}

pub fn compiled(pattern: &str, flags: Flags) -> PgResult<Rc<Expression>> {
    COMPILED.with_borrow_mut(|cache| {
        let key = (pattern.to_string(), Flags { global: false, ..flags });
        if let Some(found) = cache.get(&key) {
            return Ok(Rc::clone(found));
        }
        if cache.len() >= 64 {
            cache.clear();
        }
        let regex = Rc::new(compile(pattern, flags)?);
        cache.insert(key, Rc::clone(&regex));
        Ok(regex)
    })
}

fn matches(flags: Flags, negated: bool) -> Body {
    Arc::new(move |call| {
        if matches!(Valid::of(call), Valid::None) {
            return Ok(all_null(call));
        }
        let (values, patterns) = (Text::column(&call.args[0].array)?, Text::column(&call.args[1].array)?);
        let constant = if call.args[1].constant { Some(compile(patterns.value(0), flags)?) } else { None };
        strict_rows::<Bool>(call, |i| {
            let value = values.value(call.args[0].at(i));
            let found = match &constant {
                Some(regex) => regex.is_match(value)?,
                None => compiled(patterns.value(i), flags)?.is_match(value)?,
            };
            Ok(Some(found != negated))
        })
    })
}

/// As [`compiled`], where the extent of a match counts; `0A000` where PostgreSQL could choose another one.
fn exact(pattern: &str, flags: Flags) -> PgResult<Rc<Expression>> {
    if !flags.literal && is_ambiguous(pattern) {
        return Err(PgError::unsupported("a regular expression whose longest match is not its first"));
    }
    compiled(pattern, flags)
}

/// The matches from byte `from` on. The next one is looked for where the last ended, a character further on where that was
/// empty: so an empty match may follow directly behind another, as in PostgreSQL and not in the crate's own iterators.
fn matches_from<'r, 's>(
    regex: &'r Expression,
    s: &'s str,
    from: usize,
) -> impl Iterator<Item = PgResult<Found<'s>>> + 'r
where
    's: 'r,
{
    let mut at = Some(from);
    std::iter::from_fn(move || {
        let found = match regex.captures_at(s, at?) {
            Ok(found) => found?,
            Err(error) => {
                at = None;
                return Some(Err(error));
            }
        };
        let whole = found.get(0)?;
        at = match whole.is_empty() {
            false => Some(whole.end()),
            true => s[whole.end()..].chars().next().map(|c| whole.end() + c.len_utf8()),
        };
        Some(Ok(found))
    })
}

/// Replaces the `nth` match (0: all) from character `start` on; `\1`…`\9`, `\&` and `\\` in the replacement.
fn replace(s: &str, regex: &Expression, replacement: &str, start: usize, nth: usize) -> PgResult<String> {
    let from = s.char_indices().nth(start).map_or(s.len(), |(at, _)| at);
    let mut out = String::with_capacity(s.len());
    out.push_str(&s[..from]);
    let mut last = from;
    for (i, found) in matches_from(regex, s, from).enumerate() {
        let found = found?;
        if nth > 0 && i + 1 < nth {
            continue;
        }
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&s[last..whole.start()]);
        let mut chars = replacement.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('&') => out.push_str(whole.as_str()),
                Some(d @ '1'..='9') => {
                    out.push_str(found.get(d as usize - '0' as usize).map_or("", |m| m.as_str()));
                }
                Some('\\') => out.push('\\'),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            }
        }
        last = whole.end();
        if nth > 0 {
            break;
        }
    }
    out.push_str(&s[last..]);
    Ok(out)
}

/// The groups of one match, or all of it where there are none.
fn groups(found: &Found<'_>) -> ArrayRef {
    let first = usize::from(found.len() > 1);
    let texts: Vec<Option<&str>> = (first..found.len()).map(|g| found.get(g).map(|m| m.as_str())).collect();
    Arc::new(StringArray::from(texts))
}

fn first_groups(s: &str, pattern: &str, flags: Flags) -> PgResult<Option<ArrayRef>> {
    Ok(exact(pattern, flags)?.captures(s)?.map(|found| groups(&found)))
}

/// The groups of all matches (or the first), for `regexp_matches`.
pub fn all_groups(s: &str, pattern: &str, flags: Flags) -> PgResult<Vec<ArrayRef>> {
    let regex = exact(pattern, flags)?;
    let take = if flags.global { usize::MAX } else { 1 };
    matches_from(&regex, s, 0).take(take).map(|found| found.map(|f| groups(&f))).collect()
}

/// The pieces between matches. An empty match at the start or right after another separates nothing.
pub fn split<'a>(s: &'a str, pattern: &str, flags: Flags) -> PgResult<Vec<&'a str>> {
    let regex = exact(pattern, flags)?;
    let mut pieces = Vec::new();
    let mut last = 0;
    for found in matches_from(&regex, s, 0) {
        let Some(found) = found?.get(0) else { continue };
        if found.is_empty() && (found.start() == last || found.start() >= s.len()) {
            continue;
        }
        pieces.push(&s[last..found.start()]);
        last = found.end();
    }
    pieces.push(&s[last..]);
    Ok(pieces)
}

fn text_array(pieces: Vec<&str>) -> ArrayRef {
    Arc::new(StringArray::from(pieces))
}

/// `substring(s FROM pattern)`: the first group, or all of the match.
fn substring(s: &str, pattern: &str) -> PgResult<Option<String>> {
    let regex = exact(pattern, Flags::default())?;
    let Some(found) = regex.captures(s)? else { return Ok(None) };
    Ok(found.get(usize::from(found.len() > 1)).map(|m| m.as_str().to_string()))
}

/// The arguments of `regexp_instr` and `regexp_substr` after the pattern.
struct Search {
    start: usize,
    nth: usize,
    group: usize,
    flags: Flags,
}

/// Byte range of the group that is searched for.
fn search(s: &str, pattern: &str, how: &Search) -> PgResult<Option<(usize, usize)>> {
    let regex = exact(pattern, how.flags)?;
    if how.group >= regex.captures_len() {
        return Ok(None);
    }
    let from = s.char_indices().nth(how.start - 1).map_or(s.len(), |(at, _)| at);
    if how.start > s.chars().count() + 1 {
        return Ok(None);
    }
    let found = matches_from(&regex, s, from).nth(how.nth - 1).transpose()?;
    Ok(found.and_then(|f| f.get(how.group)).map(|m| (m.start(), m.end())))
}

/// Reads a call of `regexp_instr` or `regexp_substr` in one row; `places` are those of start, n, flags and subexpr.
fn search_of(call: &Call<'_>, row: usize, places: [usize; 4], function: &str) -> PgResult<Search> {
    let int = |arg: usize, default: i32| -> PgResult<i32> {
        match call.args.get(arg) {
            Some(column) => Ok(Int4::column(&column.array)?.value(column.at(row))),
            None => Ok(default),
        }
    };
    let [start, n, flags, subexpr] = places;
    let group = int(subexpr, 0)?;
    let flags = match call.args.len() > flags {
        true => Flags::parse(text_at(call, flags, row)?)?.no_global(function)?,
        false => Flags::default(),
    };
    Ok(Search {
        start: positive("start", int(start, 1)?)?,
        nth: positive("n", int(n, 1)?)?,
        group: usize::try_from(group)
            .map_err(|_| invalid(format!("invalid value for parameter \"subexpr\": {group}")))?,
        flags,
    })
}

fn substr(call: &Call<'_>) -> PgResult<ArrayRef> {
    strict_rows::<Text>(call, |i| {
        let how = search_of(call, i, [2, 3, 4, 5], "regexp_substr()")?;
        let s = text_at(call, 0, i)?;
        Ok(search(s, text_at(call, 1, i)?, &how)?.map(|(from, to)| s[from..to].to_string()))
    })
}

fn instr(call: &Call<'_>) -> PgResult<ArrayRef> {
    strict_rows::<Int4>(call, |i| {
        let how = search_of(call, i, [2, 3, 5, 6], "regexp_instr()")?;
        let end = match call.args.get(4) {
            Some(column) => Int4::column(&column.array)?.value(column.at(i)),
            None => 0,
        };
        if !(0..=1).contains(&end) {
            return Err(invalid(format!("invalid value for parameter \"endoption\": {end}")));
        }
        let s = text_at(call, 0, i)?;
        let found = search(s, text_at(call, 1, i)?, &how)?;
        let position = |at: usize| s[..at].chars().count() as i32 + 1;
        Ok(Some(found.map_or(0, |(from, to)| position(if end == 1 { to } else { from }))))
    })
}

fn positive(name: &str, n: i32) -> PgResult<usize> {
    let error = || invalid(format!("invalid value for parameter \"{name}\": {n}"));
    usize::try_from(n).ok().filter(|n| *n > 0).ok_or_else(error)
}

fn count(s: &str, pattern: &str, start: i32, flags: Flags) -> PgResult<i32> {
    let from = s.char_indices().nth(positive("start", start)? - 1).map_or(s.len(), |(at, _)| at);
    let flags = flags.no_global("regexp_count()")?;
    let regex = exact(pattern, flags)?;
    matches_from(&regex, s, from).try_fold(0, |count, found| found.map(|_| count + 1))
}

/// A column of text arguments that a call of many arguments reads by hand.
fn text_at<'a>(call: &'a Call<'_>, arg: usize, row: usize) -> PgResult<&'a str> {
    Ok(Text::column(&call.args[arg].array)?.value(call.args[arg].at(row)))
}

/// The longest text whose parts are tried one against the other.
const LONGEST_SIMILAR: usize = 10_000;

/// `SUBSTRING(text SIMILAR pattern ESCAPE escape)`: what is between the pattern's two `escape "`, where what is before it is as short, and it as
/// long, as can be; without them the whole text, if it matches.
fn substring_similar(text: &str, pattern: &str, escape: &str) -> PgResult<Option<String>> {
    let mark = format!("{escape}\"");
    let parts: Vec<&str> = match escape.chars().count() {
        1 => pattern.split(mark.as_str()).collect(),
        _ => vec![pattern],
    };
    if parts.len() > 3 {
        let message = "SQL regular expression may not contain more than two escape-double-quote separators";
        return Err(PgError::new(SqlState(*b"2200C"), message));
    }
    if text.len() > LONGEST_SIMILAR && parts.len() > 1 {
        return Err(PgError::unsupported("SUBSTRING ... SIMILAR of a text beyond 10,000 bytes"));
    }
    let whole = |part: &str| compiled(&similar_escape(part, Some(escape))?, Flags::default());
    let [first, rest @ ..] = parts.as_slice() else { return Ok(None) };
    let before = whole(first)?;
    if rest.is_empty() {
        return Ok(before.is_match(text)?.then(|| text.to_owned()));
    }
    let (wanted, after) = (whole(rest[0])?, whole(rest.get(1).unwrap_or(&""))?);
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut ends = Vec::new();
    for end in places.iter().rev() {
        if after.is_match(&text[*end..])? {
            ends.push(*end);
        }
    }
    for start in &places {
        if !before.is_match(&text[..*start])? {
            continue;
        }
        for end in ends.iter().filter(|end| *end >= start) {
            if wanted.is_match(&text[*start..*end])? {
                return Ok(Some(text[*start..*end].to_owned()));
            }
        }
    }
    Ok(None)
}

/// `SIMILAR TO`'s pattern as a POSIX one.
fn similar_escape(pattern: &str, escape: Option<&str>) -> PgResult<String> {
    let escape = match escape {
        None => Some('\\'),
        Some(e) if e.chars().count() > 1 => {
            return Err(PgError::new(SqlState(*b"22025"), "invalid escape string")
                .hint("Escape string must be empty or one character."));
        }
        Some(e) => e.chars().next(),
    };
    let mut out = String::from("^(?:");
    let mut in_bracket = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            if let Some(next) = chars.next() {
                out.push('\\');
                out.push(next);
            }
            continue;
        }
        match c {
            ']' if in_bracket => {
                in_bracket = false;
                out.push(c);
            }
            '\\' => out.push_str("\\\\"),
            c if in_bracket => out.push(c),
            '[' => {
                in_bracket = true;
                out.push(c);
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '.' | '^' | '$' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push_str(")$");
    Ok(out)
}

pub fn declare(r: &mut Registry) {
    let (plain, fold) = (Flags::default(), Flags::insensitive());
    r.funs(&["textregexeq(text,text)", "nameregexeq(name,text)", "bpcharregexeq(bpchar,text)"], matches(plain, false));
    r.funs(&["textregexne(text,text)", "nameregexne(name,text)", "bpcharregexne(bpchar,text)"], matches(plain, true));
    r.funs(
        &["texticregexeq(text,text)", "nameicregexeq(name,text)", "bpcharicregexeq(bpchar,text)"],
        matches(fold, false),
    );
    r.funs(
        &["texticregexne(text,text)", "nameicregexne(name,text)", "bpcharicregexne(bpchar,text)"],
        matches(fold, true),
    );
    r.fun("regexp_like(text,text)", matches(plain, false));
    r.fun(
        "regexp_like(text,text,text)",
        attempt3::<Text, Text, Text, Bool>(|s, p, f| {
            compiled(p, Flags::parse(f)?.no_global("regexp_like()")?)?.is_match(s)
        }),
    );
    r.fun(
        "regexp_replace(text,text,text)",
        attempt3::<Text, Text, Text, Text>(|s, p, to| replace(s, &*exact(p, Flags::default())?, to, 0, 1)),
    );
    r.fun(
        "regexp_replace(text,text,text,text)",
        attempt4::<Text, Text, Text, Text, Text>(|s, p, to, f| {
            let flags = Flags::parse(f)?;
            replace(s, &*exact(p, flags)?, to, 0, usize::from(!flags.global))
        }),
    );
    r.fun(
        "regexp_replace(text,text,text,int4)",
        attempt4::<Text, Text, Text, Int4, Text>(|s, p, to, start| {
            replace(s, &*exact(p, Flags::default())?, to, positive("start", start)? - 1, 1)
        }),
    );
    r.fun(
        "regexp_replace(text,text,text,int4,int4)",
        Arc::new(|call| {
            let (start, nth) = (Int4::column(&call.args[3].array)?, Int4::column(&call.args[4].array)?);
            strict_rows::<Text>(call, |i| {
                let start = positive("start", start.value(call.args[3].at(i)))?;
                let nth = nth.value(call.args[4].at(i));
                let nth =
                    usize::try_from(nth).map_err(|_| invalid(format!("invalid value for parameter \"n\": {nth}")))?;
                let regex = exact(text_at(call, 1, i)?, Flags::default())?;
                replace(text_at(call, 0, i)?, &regex, text_at(call, 2, i)?, start - 1, nth).map(Some)
            })
        }),
    );
    r.fun("regexp_match(text,text)", maybe2::<Text, Text, List>(|s, p| first_groups(s, p, Flags::default())));
    r.fun(
        "regexp_match(text,text,text)",
        maybe3::<Text, Text, Text, List>(|s, p, f| first_groups(s, p, Flags::parse(f)?.no_global("regexp_match()")?)),
    );
    r.fun(
        "regexp_split_to_array(text,text)",
        attempt2::<Text, Text, List>(|s, p| split(s, p, Flags::default()).map(text_array)),
    );
    r.fun(
        "regexp_split_to_array(text,text,text)",
        attempt3::<Text, Text, Text, List>(|s, p, f| {
            split(s, p, Flags::parse(f)?.no_global("regexp_split_to_array()")?).map(text_array)
        }),
    );
    r.fun("regexp_count(text,text)", attempt2::<Text, Text, Int4>(|s, p| count(s, p, 1, Flags::default())));
    r.fun(
        "regexp_count(text,text,int4)",
        attempt3::<Text, Text, Int4, Int4>(|s, p, n| count(s, p, n, Flags::default())),
    );
    r.fun(
        "regexp_count(text,text,int4,text)",
        attempt4::<Text, Text, Int4, Text, Int4>(|s, p, n, f| count(s, p, n, Flags::parse(f)?)),
    );
    for signature in ["text,text", "text,text,int4", "text,text,int4,int4", "text,text,int4,int4,text"] {
        r.fun(&format!("regexp_substr({signature})"), Arc::new(substr));
    }
    r.fun("regexp_substr(text,text,int4,int4,text,int4)", Arc::new(substr));
    for more in ["", ",int4", ",int4,int4", ",int4,int4,int4", ",int4,int4,int4,text", ",int4,int4,int4,text,int4"] {
        r.fun(&format!("regexp_instr(text,text{more})"), Arc::new(instr));
    }
    r.fun(
        "regexp_replace(text,text,text,int4,int4,text)",
        Arc::new(|call| {
            let (start, nth) = (Int4::column(&call.args[3].array)?, Int4::column(&call.args[4].array)?);
            strict_rows::<Text>(call, |i| {
                let start = positive("start", start.value(call.args[3].at(i)))?;
                let nth = nth.value(call.args[4].at(i));
                let nth =
                    usize::try_from(nth).map_err(|_| invalid(format!("invalid value for parameter \"n\": {nth}")))?;
                let regex = exact(text_at(call, 1, i)?, Flags::parse(text_at(call, 5, i)?)?)?;
                replace(text_at(call, 0, i)?, &regex, text_at(call, 2, i)?, start - 1, nth).map(Some)
            })
        }),
    );
    r.fun("substring(text,text)", maybe2::<Text, Text, Text>(substring));
    r.fun("substring(text,text,text)", maybe3::<Text, Text, Text, Text>(substring_similar));
    r.fun("similar_to_escape(text)", attempt1::<Text, Text>(|p| similar_escape(p, None)));
    r.fun("similar_to_escape(text,text)", attempt2::<Text, Text, Text>(|p, e| similar_escape(p, Some(e))));
}
