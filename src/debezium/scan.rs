//! One pass over a JSON text: checks it and notes where its members are.
//!
//! No tree is built and nothing is copied: a [`Cell`] is a name and the place and kind of a value. Nesting is limited to
//! [`MAX_DEPTH`], so that no text can exhaust the stack. Beside validity the pass notes whether PostgreSQL could keep the
//! text as jsonb ([`Scan::storable`]): jsonb has no `\u0000`, no lone surrogates and no numbers beyond numeric's range.

use std::borrow::Cow;

/// Deepest nesting of objects and arrays.
pub const MAX_DEPTH: u32 = 128;

/// Largest decimal exponent of a number that jsonb can hold with any digits a person would write.
const MAX_EXPONENT: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    True,
    False,
    Number,
    /// A string without escapes: the span is its text.
    Text,
    /// A string with escapes: the span is what stands between the quotes.
    Escaped,
    Object,
    Array,
}

/// A value: what it is and where it stands in the text.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub name_start: u32,
    pub name_end: u32,
    pub value: Span,
}

impl Cell {
    /// The name as it stands in the text, escapes and all.
    pub fn name<'a>(&self, text: &'a str) -> &'a str {
        &text[self.name_start as usize..self.name_end as usize]
    }

    /// The name it means.
    pub fn plain_name<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.name(text) {
            raw if raw.contains('\\') => unescape(raw),
            raw => Cow::Borrowed(raw),
        }
    }

    pub fn value<'a>(&self, text: &'a str) -> Value<'a> {
        Value { kind: self.value.kind, raw: &text[self.value.start as usize..self.value.end as usize] }
    }
}

/// A value with its text: of a string what stands between the quotes, of anything else all of it.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    pub kind: Kind,
    pub raw: &'a str,
}

impl<'a> Value<'a> {
    pub const NULL: Value<'static> = Value { kind: Kind::Null, raw: "null" };

    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The text of a string.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self.kind {
            Kind::Text => Some(Cow::Borrowed(self.raw)),
            Kind::Escaped => Some(unescape(self.raw)),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        (self.kind == Kind::Number).then(|| super::values::parse_int(self.raw)).flatten()
    }

    /// The value as JSON text.
    pub fn json(&self) -> Cow<'a, str> {
        match self.kind {
            Kind::Text | Kind::Escaped => Cow::Owned(format!("\"{}\"", self.raw)),
            _ => Cow::Borrowed(self.raw),
        }
    }
}

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Syntax(usize),
    TooDeep(usize),
}

type Scanned<T> = Result<T, Fault>;

pub struct Scan<'a> {
    bytes: &'a [u8],
    pos: usize,
    /// Whether the text could be a jsonb value of PostgreSQL.
    pub storable: bool,
}

impl<'a> Scan<'a> {
    /// `text` must be shorter than 4 GiB.
    pub fn new(text: &'a str, pos: usize) -> Self {
        Self { bytes: text.as_bytes(), pos, storable: true }
    }

    pub fn pos(&self) -> usize {
        self.pos
    }

    fn fault<T>(&self) -> Scanned<T> {
        Err(Fault::Syntax(self.pos))
    }

    #[inline]
    pub fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.pos) {
            self.pos += 1;
        }
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    #[inline]
    pub fn expect(&mut self, byte: u8) -> Scanned<()> {
        if self.peek() == Some(byte) {
            self.pos += 1;
            return Ok(());
        }
        self.fault()
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Scanned<()> {
        self.skip_space();
        if self.pos == self.bytes.len() { Ok(()) } else { self.fault() }
    }

    /// Any value; on an object or array all that is in it is checked.
    #[inline]
    pub fn value(&mut self, depth: u32) -> Scanned<Span> {
        self.skip_space();
        let start = self.pos;
        // The two that nearly all values are; a call for each would hand its result over in memory.
        match self.peek() {
            Some(b'"') => {
                let (escaped, start, end) = self.string()?;
                let kind = if escaped { Kind::Escaped } else { Kind::Text };
                Ok(Span { kind, start: start as u32, end: end as u32 })
            }
            Some(b'-' | b'0'..=b'9') => {
                let kind = self.number()?;
                Ok(Span { kind, start: start as u32, end: self.pos as u32 })
            }
            _ => self.other_value(depth),
        }
    }

    /// A value that is neither a string nor a number.
    #[inline(never)]
    fn other_value(&mut self, depth: u32) -> Scanned<Span> {
        let start = self.pos;
        let kind = match self.peek() {
            Some(b'n') => self.word(b"null", Kind::Null)?,
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            Some(b'{') => {
                self.members(depth, |_| ())?;
                Kind::Object
            }
            Some(b'[') => {
                self.elements(depth, |_| ())?;
                Kind::Array
            }
            _ => return self.fault(),
        };
        Ok(Span { kind, start: start as u32, end: self.pos as u32 })
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Scanned<Kind> {
        if self.bytes[self.pos..].starts_with(word) {
            self.pos += word.len();
            return Ok(kind);
        }
        self.fault()
    }

    /// An object, whose members go to `cell`.
    #[inline]
    pub fn members(&mut self, depth: u32, mut cell: impl FnMut(Cell)) -> Scanned<()> {
        self.members_by(depth, |scan, name_start, name_end| {
            let value = scan.value(depth + 1)?;
            cell(Cell { name_start, name_end, value });
            Ok(())
        })
    }

    /// An object, of each of whose members `read` takes the value.
    #[inline]
    pub fn members_by(&mut self, depth: u32, mut read: impl FnMut(&mut Self, u32, u32) -> Scanned<()>) -> Scanned<()> {
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(self.pos));
        }
        self.expect(b'{')?;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.pos += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            let (_, start, end) = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            read(self, start as u32, end as u32)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => return self.fault(),
            }
        }
    }

    /// An array, whose elements go to `element`.
    pub fn elements(&mut self, depth: u32, mut element: impl FnMut(Span)) -> Scanned<()> {
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(self.pos));
        }
        self.expect(b'[')?;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.pos += 1;
            return Ok(());
        }
        loop {
            element(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b']') => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => return self.fault(),
            }
        }
    }

    /// A string: whether it has escapes, and the span between its quotes.
    #[inline(always)]
    fn string(&mut self) -> Scanned<(bool, usize, usize)> {
        self.expect(b'"')?;
        let start = self.pos;
        let mut escaped = false;
        loop {
            self.pos += plain_prefix(&self.bytes[self.pos..]);
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok((escaped, start, self.pos - 1));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.fault(),
            }
        }
    }

    #[cold]
    fn escape(&mut self) -> Scanned<()> {
        match self.bytes.get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 2;
                Ok(())
            }
            Some(b'u') => {
                let Some(unit) = hex4(self.bytes, self.pos + 2) else { return self.fault() };
                self.pos += 6;
                match unit {
                    0 => self.storable = false,
                    0xd800..=0xdbff => match low_surrogate(self.bytes, self.pos) {
                        Some(_) => self.pos += 6,
                        None => self.storable = false,
                    },
                    0xdc00..=0xdfff => self.storable = false,
                    _ => (),
                }
                Ok(())
            }
            _ => self.fault(),
        }
    }

    #[inline(always)]
    fn digits(&mut self) -> Scanned<usize> {
        let count = digit_prefix(&self.bytes[self.pos..]);
        self.pos += count;
        if count == 0 { self.fault() } else { Ok(count) }
    }

    #[inline]
    fn number(&mut self) -> Scanned<Kind> {
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            if self.digits()? >= MAX_EXPONENT {
                self.storable = false;
            }
        }
        Ok(Kind::Number)
    }
}

/// How many bytes from the start belong to a string as they are: no quote, backslash or control character.
#[inline(always)]
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut done = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let slash = word ^ (ONES * b'\\' as u64);
        // The classic "has a zero byte" and "has a byte below n" tests; the lowest hit is exact.
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hits = hits & HIGH;
        if hits != 0 {
            return done + (hits.trailing_zeros() / 8) as usize;
        }
        done += 8;
    }
    done + rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// How many bytes from the start are decimal digits.
#[inline(always)]
fn digit_prefix(bytes: &[u8]) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut done = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        // Digits become 0 to 9; adding 0x76 lifts all that is greater to the high bit. Nothing is carried out of a digit, so
        // that the lowest hit is exact.
        let values = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let hits = (values.wrapping_add(0x7676_7676_7676_7676) | values) & HIGH;
        if hits != 0 {
            return done + (hits.trailing_zeros() / 8) as usize;
        }
        done += 8;
    }
    done + rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len())
}

fn hex4(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 4)?;
    let mut unit = 0;
    for digit in digits {
        unit = unit << 4 | (*digit as char).to_digit(16)? as u16;
    }
    Some(unit)
}

fn low_surrogate(bytes: &[u8], at: usize) -> Option<u16> {
    if bytes.get(at..at + 2)? != b"\\u" {
        return None;
    }
    hex4(bytes, at + 2).filter(|unit| (0xdc00..=0xdfff).contains(unit))
}

/// What an escaped string of a scanned text means; a lone surrogate becomes U+FFFD.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = raw.find('\\') else { return Cow::Borrowed(raw) };
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(raw.len());
    out.push_str(&raw[..first]);
    let mut at = first;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            let end = memchr::memchr(b'\\', &bytes[at..]).map_or(bytes.len(), |n| at + n);
            out.push_str(&raw[at..end]);
            at = end;
            continue;
        }
        let escape = bytes.get(at + 1).copied().unwrap_or(b'\\');
        at += 2;
        match escape {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let unit = hex4(bytes, at).unwrap_or(0xfffd);
                at += 4;
                let mut code = unit as u32;
                if let (0xd800..=0xdbff, Some(low)) = (unit, low_surrogate(bytes, at)) {
                    code = 0x10000 + ((code - 0xd800) << 10) + (low as u32 - 0xdc00);
                    at += 6;
                }
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            other => out.push(other as char),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_of_eight_see_what_bytes_say(bytes in proptest::collection::vec(prop_oneof![b'0'..=b'9', any::<u8>()], 0..40)) {
            let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            prop_assert_eq!(digit_prefix(&bytes), digits);
            let plain = bytes.iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..0x20)).count();
            prop_assert_eq!(plain_prefix(&bytes), plain);
        }
    }
}
