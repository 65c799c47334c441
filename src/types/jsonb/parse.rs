//! JSON text to the binary form, as strict as PostgreSQL and with its messages.

use super::*;
use crate::types::numeric::Numeric;
use crate::types::{PgError, PgResult, SqlState};

/// Nesting beyond this is refused: reading a value back recurses.
const MAX_DEPTH: usize = 1000;

/// Parses JSON text into jsonb's form.
pub fn from_text(text: &[u8]) -> PgResult<Vec<u8>> {
    check_utf8(text)?;
    let mut parser = Parser { text, at: 0 };
    let mut out = JsonbBuilder::with_capacity(text.len() + text.len() / 4 + 16);
    parser.document(&mut out)?;
    Ok(out.finish())
}

/// Checks JSON text as the `json` type does (which lets `\u0000` pass).
pub fn validate_json(text: &[u8]) -> PgResult<()> {
    check_utf8(text)?;
    Parser { text, at: 0 }.document(&mut Validator::default())
}

fn check_utf8(text: &[u8]) -> PgResult<()> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(e) => Err(PgError::new(
            SqlState(*b"22021"),
            format!("invalid byte sequence for encoding \"UTF8\": 0x{:02x}", text[e.valid_up_to()]),
        )),
    }
}

/// What the parser reports to.
trait Sink {
    fn depth(&self) -> usize;
    fn in_object(&self) -> Option<bool>;
    fn begin(&mut self, object: bool);
    fn end(&mut self);
    fn literal(&mut self, tag: u8);
    fn number(&mut self, text: &[u8]) -> PgResult<()>;
    fn string(&mut self, parser: &mut Parser<'_>) -> PgResult<()>;
    fn key(&mut self, parser: &mut Parser<'_>) -> PgResult<()>;
}

impl Sink for JsonbBuilder {
    fn depth(&self) -> usize {
        JsonbBuilder::depth(self)
    }
    fn in_object(&self) -> Option<bool> {
        JsonbBuilder::in_object(self)
    }
    fn begin(&mut self, object: bool) {
        if object { self.begin_object() } else { self.begin_array() }
    }
    fn end(&mut self) {
        JsonbBuilder::end(self);
    }
    fn literal(&mut self, tag: u8) {
        match tag {
            NULL => self.null(),
            tag => self.bool(tag == TRUE),
        }
    }
    fn number(&mut self, text: &[u8]) -> PgResult<()> {
        let plain = text[0] != b'-' && !text.iter().any(|b| matches!(b, b'e' | b'E')) && text.len() < 1000;
        let negative_nonzero = text[0] == b'-' && text[1] != b'0' && !text.iter().any(|b| matches!(b, b'e' | b'E'));
        if plain || (negative_nonzero && text.len() < 1000) {
            self.number_text(text);
        } else {
            let text = std::str::from_utf8(text).map_err(|_| PgError::internal("number is not ASCII"))?;
            JsonbBuilder::number(self, &Numeric::parse(text)?);
        }
        Ok(())
    }
    fn string(&mut self, parser: &mut Parser<'_>) -> PgResult<()> {
        self.string_with(|out| parser.string(Some(out)))
    }
    fn key(&mut self, parser: &mut Parser<'_>) -> PgResult<()> {
        self.key_with(|out| parser.string(Some(out)))
    }
}

/// Knows only what is open.
#[derive(Default)]
struct Validator {
    open: Vec<bool>,
}

impl Sink for Validator {
    fn depth(&self) -> usize {
        self.open.len()
    }
    fn in_object(&self) -> Option<bool> {
        self.open.last().copied()
    }
    fn begin(&mut self, object: bool) {
        self.open.push(object);
    }
    fn end(&mut self) {
        self.open.pop();
    }
    fn literal(&mut self, _: u8) {}
    fn number(&mut self, _: &[u8]) -> PgResult<()> {
        Ok(())
    }
    fn string(&mut self, parser: &mut Parser<'_>) -> PgResult<()> {
        parser.string(None)
    }
    fn key(&mut self, parser: &mut Parser<'_>) -> PgResult<()> {
        parser.string(None)
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

fn invalid(detail: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_TEXT, "invalid input syntax for type json").detail(detail)
}

/// A byte that PostgreSQL's lexer takes as part of a word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Whether any of eight bytes is `"`, `\` or a control character.
fn has_special(chunk: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |v: u64| v.wrapping_sub(ONES) & !v & HIGH;
    let control = chunk.wrapping_sub(ONES * 0x20) & !chunk & HIGH;
    (zero(chunk ^ (ONES * b'"' as u64)) | zero(chunk ^ (ONES * b'\\' as u64)) | control) != 0
}

impl<'a> Parser<'a> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// The error for the token here, where `expected` should have been.
    fn unexpected(&mut self, expected: &str) -> PgError {
        let Some(first) = self.peek() else { return invalid("The input string ended unexpectedly.") };
        let start = self.at;
        let token = match first {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => &self.text[start..start + 1],
            b'"' => match self.string(None) {
                Ok(()) => &self.text[start..self.at],
                Err(error) => return error,
            },
            b'-' | b'0'..=b'9' => match self.number() {
                Ok(text) => text,
                Err(error) => return error,
            },
            _ => {
                let word = self.word();
                if !matches!(word, b"true" | b"false" | b"null") {
                    return invalid(format!("Token \"{}\" is invalid.", String::from_utf8_lossy(word)));
                }
                word
            }
        };
        invalid(format!("Expected {expected}, but found \"{}\".", String::from_utf8_lossy(token)))
    }

    /// The word here, or the one character that is none.
    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        let length = self.text[start..].iter().take_while(|b| is_word(**b)).count().max(1);
        self.at = start + length;
        let text = self.text;
        &text[start..self.at]
    }

    fn document(&mut self, out: &mut impl Sink) -> PgResult<()> {
        self.value(out, "JSON value")?;
        while let Some(object) = out.in_object() {
            // Between the values of a container.
            match (self.peek(), object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.pair(out, "string")?;
                }
                (Some(b','), false) => {
                    self.at += 1;
                    self.value(out, "JSON value")?;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    out.end();
                }
                (_, true) => return Err(self.unexpected("\",\" or \"}\"")),
                (_, false) => return Err(self.unexpected("\",\" or \"]\"")),
            }
        }
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("end of input")),
        }
    }

    fn pair(&mut self, out: &mut impl Sink, expected: &str) -> PgResult<()> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(expected));
        }
        out.key(self)?;
        if self.peek() != Some(b':') {
            return Err(self.unexpected("\":\""));
        }
        self.at += 1;
        self.value(out, "JSON value")
    }

    /// One value; of a container its beginning, up to and with its first value.
    fn value(&mut self, out: &mut impl Sink, expected: &str) -> PgResult<()> {
        // A loop and not recursion, for `[[[[…` costs a turn for each level.
        loop {
            match self.peek() {
                Some(b'"') => return out.string(self),
                Some(open @ (b'{' | b'[')) => {
                    if out.depth() >= MAX_DEPTH {
                        return Err(PgError::new(SqlState(*b"54001"), "stack depth limit exceeded")
                            .detail(format!("JSON may be nested {MAX_DEPTH} levels deep.")));
                    }
                    self.at += 1;
                    let object = open == b'{';
                    out.begin(object);
                    match (self.peek(), object) {
                        (Some(b'}'), true) | (Some(b']'), false) => {
                            self.at += 1;
                            out.end();
                            return Ok(());
                        }
                        (Some(b'"'), true) => {
                            out.key(self)?;
                            if self.peek() != Some(b':') {
                                return Err(self.unexpected("\":\""));
                            }
                            self.at += 1;
                        }
                        (_, true) => return Err(self.unexpected("string or \"}\"")),
                        (_, false) => {}
                    }
                }
                Some(b'-' | b'0'..=b'9') => {
                    let text = self.number()?;
                    return out.number(text);
                }
                Some(b't' | b'f' | b'n') => {
                    let start = self.at;
                    let tag = match self.word() {
                        b"true" => TRUE,
                        b"false" => FALSE,
                        b"null" => NULL,
                        _ => {
                            self.at = start;
                            return Err(self.unexpected(expected));
                        }
                    };
                    out.literal(tag);
                    return Ok(());
                }
                _ => return Err(self.unexpected(expected)),
            }
        }
    }

    fn number(&mut self) -> PgResult<&'a [u8]> {
        let text = self.text;
        let start = self.at;
        let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut at = start + (text[start] == b'-') as usize;
        let whole = digits(at);
        let mut ok = whole > 0 && (whole == 1 || text[at] != b'0');
        at += whole;
        if text.get(at) == Some(&b'.') {
            let fraction = digits(at + 1);
            ok &= fraction > 0;
            at += 1 + fraction;
        }
        if let Some(b'e' | b'E') = text.get(at) {
            at += 1 + matches!(text.get(at + 1), Some(b'+' | b'-')) as usize;
            let exponent = digits(at);
            ok &= exponent > 0;
            at += exponent;
        }
        let rest = text[at..].iter().take_while(|b| is_word(**b)).count();
        if !ok || rest > 0 {
            let token = String::from_utf8_lossy(&text[start..at + rest]).into_owned();
            return Err(invalid(format!("Token \"{token}\" is invalid.")));
        }
        self.at = at;
        Ok(&text[start..at])
    }

    /// The string here, its content appended to `out`. Without `out` escapes are only checked for their form.
    fn string(&mut self, mut out: Option<&mut Vec<u8>>) -> PgResult<()> {
        let text = self.text;
        let open = self.at;
        let mut at = open + 1;
        loop {
            let from = at;
            while let Some(chunk) = text.get(at..).and_then(|t| t.first_chunk::<8>()) {
                if has_special(u64::from_le_bytes(*chunk)) {
                    break;
                }
                at += 8;
            }
            while text.get(at).is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..0x20)) {
                at += 1;
            }
            if let Some(out) = out.as_deref_mut() {
                out.extend_from_slice(&text[from..at]);
            }
            match text.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(());
                }
                Some(b'\\') => at = self.escape(at, out.as_deref_mut())?,
                Some(control) => {
                    return Err(invalid(format!("Character with value 0x{control:02x} must be escaped.")));
                }
                None => {
                    let token = String::from_utf8_lossy(&text[open..]);
                    return Err(invalid(format!("Token \"{token}\" is invalid.")));
                }
            }
        }
    }

    /// The escape whose backslash is at `at`; returns where it ends.
    fn escape(&self, at: usize, out: Option<&mut Vec<u8>>) -> PgResult<usize> {
        let Some(&kind) = self.text.get(at + 1) else {
            return Err(invalid(format!("Token \"{}\" is invalid.", String::from_utf8_lossy(&self.text[..at + 1]))));
        };
        let plain = match kind {
            b'"' | b'\\' | b'/' => kind,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(at, out),
            _ => {
                let rest = String::from_utf8_lossy(&self.text[at + 1..]).chars().next().unwrap_or('?');
                return Err(invalid(format!("Escape sequence \"\\{rest}\" is invalid.")));
            }
        };
        if let Some(out) = out {
            out.push(plain);
        }
        Ok(at + 2)
    }

    fn hex(&self, at: usize) -> PgResult<u32> {
        let digits = self.text.get(at + 2..at + 6).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        digits
            .map(|d| d.iter().fold(0, |v, b| v * 16 + (*b as char).to_digit(16).unwrap_or(0)))
            .ok_or_else(|| invalid("\"\\u\" must be followed by four hexadecimal digits."))
    }

    fn unicode_escape(&self, at: usize, out: Option<&mut Vec<u8>>) -> PgResult<usize> {
        let mut code = self.hex(at)?;
        let mut end = at + 6;
        let Some(out) = out else { return Ok(end) };
        if code == 0 {
            return Err(PgError::new(SqlState(*b"22P05"), "unsupported Unicode escape sequence")
                .detail("\\u0000 cannot be converted to text."));
        }
        let low_needed = || invalid("Unicode low surrogate must follow a high surrogate.");
        if (0xd800..0xdc00).contains(&code) {
            if self.text.get(end..end + 2) != Some(b"\\u") {
                return Err(low_needed());
            }
            let low = self.hex(end)?;
            match low {
                0xdc00..0xe000 => code = 0x1_0000 + ((code & 0x3ff) << 10) + (low & 0x3ff),
                0xd800..0xdc00 => {
                    return Err(invalid("Unicode high surrogate must not follow a high surrogate."));
                }
                _ => return Err(low_needed()),
            }
            end += 6;
        }
        let character = char::from_u32(code).ok_or_else(low_needed)?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(end)
    }
}
