//! Reading jsonb in place.

use super::*;
use crate::types::PgResult;
use crate::types::numeric::{Numeric, equality_prefix};
use bytes::BufMut;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A borrowed jsonb value. Reads of bytes that are not jsonb's form give null or nothing, never a panic.
#[derive(Debug, Clone, Copy)]
pub struct JsonbRef<'a> {
    tag: u8,
    bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    Null,
    String,
    Number,
    Bool,
    Array,
    Object,
}

impl JsonKind {
    /// The name that `jsonb_typeof` gives.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

impl<'a> JsonbRef<'a> {
    /// A view of a whole stored value.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { tag: bytes.first().copied().unwrap_or(NULL), bytes: if bytes.is_empty() { &[NULL] } else { bytes } }
    }

    /// The value's own stored form.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn body(&self) -> &'a [u8] {
        &self.bytes[1..]
    }

    pub fn kind(&self) -> JsonKind {
        match self.tag & !WIDE {
            FALSE | TRUE => JsonKind::Bool,
            NUMBER => JsonKind::Number,
            STRING => JsonKind::String,
            ARRAY => JsonKind::Array,
            OBJECT => JsonKind::Object,
            _ => JsonKind::Null,
        }
    }

    pub fn is_null(&self) -> bool {
        self.kind() == JsonKind::Null
    }

    fn width(&self) -> usize {
        if self.tag & WIDE != 0 { 4 } else { 2 }
    }

    /// The offset word at `at` of the body.
    fn word(&self, at: usize) -> usize {
        let body = self.body();
        if self.tag & WIDE != 0 {
            body.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
        } else {
            body.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]) as usize)
        }
    }

    /// Elements of an array, pairs of an object; 0 for a scalar.
    pub fn len(&self) -> usize {
        match self.kind() {
            JsonKind::Array | JsonKind::Object => {
                let count = self.word(self.body().len().saturating_sub(self.width()));
                // A count that its table cannot hold is not ours.
                if (count + 1) * self.width() <= self.body().len() { count } else { 0 }
            }
            _ => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn part(&self, from: usize, to: usize) -> &'a [u8] {
        self.body().get(from..to).unwrap_or(&[])
    }

    /// Where the table of a container with `count` entries of `words` words begins.
    fn table(&self, count: usize, words: usize) -> usize {
        self.body().len().saturating_sub((count * words + 1) * self.width())
    }

    /// The element at `i`; a negative index counts from the end.
    pub fn index(&self, i: i64) -> Option<JsonbRef<'a>> {
        if self.kind() != JsonKind::Array {
            return None;
        }
        let count = self.len();
        let i = if i < 0 { i + count as i64 } else { i };
        (0..count as i64).contains(&i).then(|| self.element(i as usize, count))
    }

    fn element(&self, i: usize, count: usize) -> JsonbRef<'a> {
        let table = self.table(count, 1);
        let from = if i == 0 { 0 } else { self.word(table + (i - 1) * self.width()) };
        Self::new(self.part(from, self.word(table + i * self.width())))
    }

    fn pair(&self, i: usize, count: usize) -> (&'a [u8], JsonbRef<'a>) {
        let at = self.table(count, 3) + i * 3 * self.width();
        let value = self.word(at + self.width());
        (self.part(self.word(at), value), Self::new(self.part(value, self.word(at + 2 * self.width()))))
    }

    /// The value under `key` of an object.
    pub fn get(&self, key: &str) -> Option<JsonbRef<'a>> {
        if self.kind() != JsonKind::Object {
            return None;
        }
        let count = self.len();
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = (low + high) / 2;
            let (found, value) = self.pair(middle, count);
            match found.len().cmp(&key.len()).then_with(|| found.cmp(key.as_bytes())) {
                Ordering::Equal => return Some(value),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The elements of an array; nothing for other kinds.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = JsonbRef<'a>> + use<'a> {
        let this = *self;
        let count = if self.kind() == JsonKind::Array { self.len() } else { 0 };
        (0..count).map(move |i| this.element(i, count))
    }

    /// The pairs of an object in key order; nothing for other kinds.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&'a str, JsonbRef<'a>)> + use<'a> {
        let this = *self;
        let count = if self.kind() == JsonKind::Object { self.len() } else { 0 };
        (0..count).map(move |i| {
            let (key, value) = this.pair(i, count);
            (std::str::from_utf8(key).unwrap_or(""), value)
        })
    }

    pub fn as_bool(&self) -> Option<bool> {
        (self.kind() == JsonKind::Bool).then_some(self.tag == TRUE)
    }

    pub fn as_str(&self) -> Option<&'a str> {
        (self.kind() == JsonKind::String).then(|| std::str::from_utf8(self.body()).unwrap_or(""))
    }

    /// A number's text, as numeric's output shows it.
    pub fn number_text(&self) -> Option<&'a str> {
        (self.kind() == JsonKind::Number).then(|| std::str::from_utf8(self.body()).unwrap_or("0"))
    }

    pub fn as_numeric(&self) -> Option<PgResult<Numeric>> {
        self.number_text().map(Numeric::parse)
    }

    /// What `->>` gives: a string's content, other values as JSON text, NULL for null.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self.kind() {
            JsonKind::Null => None,
            JsonKind::String => self.as_str().map(Cow::Borrowed),
            JsonKind::Number => self.number_text().map(Cow::Borrowed),
            JsonKind::Bool => Some(Cow::Borrowed(if self.tag == TRUE { "true" } else { "false" })),
            _ => {
                let mut out = Vec::new();
                self.write_text(&mut out);
                Some(Cow::Owned(String::from_utf8(out).unwrap_or_default()))
            }
        }
    }

    /// Appends the JSON text.
    pub fn write_text(&self, out: &mut impl BufMut) {
        match self.kind() {
            JsonKind::Null => out.put_slice(b"null"),
            JsonKind::Bool => out.put_slice(if self.tag == TRUE { b"true" } else { b"false" }),
            JsonKind::Number => out.put_slice(self.body()),
            JsonKind::String => write_json_string(self.body(), out),
            JsonKind::Array => {
                out.put_u8(b'[');
                for (i, element) in self.elements().enumerate() {
                    if i > 0 {
                        out.put_slice(b", ");
                    }
                    element.write_text(out);
                }
                out.put_u8(b']');
            }
            JsonKind::Object => {
                out.put_u8(b'{');
                let count = self.len();
                for i in 0..count {
                    let (key, value) = self.pair(i, count);
                    if i > 0 {
                        out.put_slice(b", ");
                    }
                    write_json_string(key, out);
                    out.put_slice(b": ");
                    value.write_text(out);
                }
                out.put_u8(b'}');
            }
        }
    }

    /// Appends a key whose `memcmp` order is PostgreSQL's btree order of jsonb (strings by bytes), and which is the
    /// same for equal values (`1.0` and `1.00`).
    pub fn sort_key(&self, out: &mut Vec<u8>) {
        // PostgreSQL holds a top-level scalar as an array of one, so the empty array is below every scalar.
        if self.kind() == JsonKind::Array && self.is_empty() {
            return out.push(0);
        }
        self.nested_key(out);
    }

    fn nested_key(&self, out: &mut Vec<u8>) {
        match self.kind() {
            JsonKind::Null => out.push(1),
            JsonKind::String => {
                out.push(2);
                out.extend_from_slice(self.body());
                // JSON strings hold no NUL.
                out.push(0);
            }
            JsonKind::Number => {
                out.push(3);
                let number = self.as_numeric().and_then(Result::ok).unwrap_or(Numeric::ZERO);
                let from = out.len();
                number.to_sortable(out);
                let end = from + equality_prefix(&out[from..]).len();
                out.truncate(end);
            }
            JsonKind::Bool => out.push(if self.tag == TRUE { 5 } else { 4 }),
            JsonKind::Array => {
                out.push(6);
                out.extend_from_slice(&(self.len() as u32).to_be_bytes());
                for element in self.elements() {
                    element.nested_key(out);
                }
            }
            JsonKind::Object => {
                out.push(7);
                let count = self.len();
                out.extend_from_slice(&(count as u32).to_be_bytes());
                for i in 0..count {
                    let (key, value) = self.pair(i, count);
                    out.extend_from_slice(key);
                    out.push(0);
                    value.nested_key(out);
                }
            }
        }
    }

    /// PostgreSQL's btree order, strings by bytes.
    pub fn compare(&self, other: &JsonbRef<'_>) -> Ordering {
        if self.bytes == other.bytes {
            return Ordering::Equal;
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        self.sort_key(&mut a);
        other.sort_key(&mut b);
        a.cmp(&b)
    }

    fn equals(&self, other: &JsonbRef<'_>) -> bool {
        self.kind() == other.kind()
            && match self.kind() {
                JsonKind::String => self.body() == other.body(),
                _ => self.compare(other).is_eq(),
            }
    }

    fn is_container(&self) -> bool {
        matches!(self.kind(), JsonKind::Array | JsonKind::Object)
    }

    /// `self @> other`.
    pub fn contains(&self, other: &JsonbRef<'_>) -> bool {
        // An array may contain a bare scalar; only at the top.
        if self.kind() == JsonKind::Array && !other.is_container() {
            return self.elements().any(|e| e.equals(other));
        }
        self.contains_nested(other)
    }

    fn contains_nested(&self, other: &JsonbRef<'_>) -> bool {
        match (self.kind(), other.kind()) {
            (JsonKind::Object, JsonKind::Object) => {
                other.pairs().all(|(key, value)| self.get(key).is_some_and(|mine| mine.contains_nested(&value)))
            }
            (JsonKind::Array, JsonKind::Array) => other.elements().all(|wanted| {
                self.elements().any(|mine| {
                    if wanted.is_container() { mine.contains_nested(&wanted) } else { mine.equals(&wanted) }
                })
            }),
            (JsonKind::Object | JsonKind::Array, _) | (_, JsonKind::Object | JsonKind::Array) => false,
            _ => self.equals(other),
        }
    }
}
