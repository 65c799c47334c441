//! Writing the binary form, from the parser and from the functions that build jsonb.

use super::*;
use crate::types::numeric::Numeric;

/// Writes one jsonb value. Containers are opened and closed; in an object each value follows its key.
///
/// The caller keeps that order; what it left open at [`JsonbBuilder::finish`] is closed there.
#[derive(Debug, Default)]
pub struct JsonbBuilder {
    out: Vec<u8>,
    open: Vec<Open>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Open {
    /// Where the container's tag is.
    start: usize,
    first_entry: usize,
    object: bool,
}

/// Offsets from the byte after the container's tag.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u32,
    value: u32,
    end: u32,
}

impl JsonbBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// How many containers are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    pub(super) fn in_object(&self) -> Option<bool> {
        self.open.last().map(|o| o.object)
    }

    fn value_starts(&mut self) {
        if let Some(open) = self.open.last()
            && !open.object
        {
            let at = (self.out.len() - open.start - 1) as u32;
            self.entries.push(Entry { key: at, value: at, end: at });
        }
    }

    fn value_ended(&mut self) {
        if let (Some(open), Some(entry)) = (self.open.last(), self.entries.last_mut()) {
            entry.end = (self.out.len() - open.start - 1) as u32;
        }
    }

    fn scalar(&mut self, tag: u8, body: &[u8]) {
        self.value_starts();
        self.out.push(tag);
        self.out.extend_from_slice(body);
        self.value_ended();
    }

    pub fn null(&mut self) {
        self.scalar(NULL, b"");
    }

    pub fn bool(&mut self, value: bool) {
        self.scalar(if value { TRUE } else { FALSE }, b"");
    }

    pub fn string(&mut self, value: &str) {
        self.scalar(STRING, value.as_bytes());
    }

    /// NaN and the infinities become strings, as PostgreSQL's to_jsonb has them.
    pub fn number(&mut self, value: &Numeric) {
        self.value_starts();
        self.out.push(if value.is_finite() { NUMBER } else { STRING });
        value.write_text(&mut self.out);
        self.value_ended();
    }

    pub fn integer(&mut self, value: i64) {
        let mut buffer = itoa::Buffer::new();
        self.scalar(NUMBER, buffer.format(value).as_bytes());
    }

    /// `text` must be a finite numeric's output form.
    pub(super) fn number_text(&mut self, text: &[u8]) {
        self.scalar(NUMBER, text);
    }

    /// A copy of a value.
    pub fn value(&mut self, value: JsonbRef<'_>) {
        self.value_starts();
        self.out.extend_from_slice(value.bytes());
        self.value_ended();
    }

    /// A string whose bytes `write` appends; what it appends must be UTF-8.
    pub(super) fn string_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.value_starts();
        self.out.push(STRING);
        write(&mut self.out)?;
        self.value_ended();
        Ok(())
    }

    pub(super) fn key_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let Some(open) = self.open.last() else { return Ok(()) };
        let base = open.start + 1;
        let key = (self.out.len() - base) as u32;
        write(&mut self.out)?;
        let value = (self.out.len() - base) as u32;
        self.entries.push(Entry { key, value, end: value });
        Ok(())
    }

    pub fn key(&mut self, key: &str) {
        let written: Result<(), std::convert::Infallible> = self.key_with(|out| {
            out.extend_from_slice(key.as_bytes());
            Ok(())
        });
        let Ok(()) = written;
    }

    pub fn begin_array(&mut self) {
        self.begin(false);
    }

    pub fn begin_object(&mut self) {
        self.begin(true);
    }

    fn begin(&mut self, object: bool) {
        self.value_starts();
        self.open.push(Open { start: self.out.len(), first_entry: self.entries.len(), object });
        self.out.push(if object { OBJECT } else { ARRAY });
    }

    /// Closes the innermost container.
    pub fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let base = open.start + 1;
        if open.object {
            self.sort_keys(base, open.first_entry);
        }
        let entries = &self.entries[open.first_entry..];
        let wide = self.out.len() - base > u16::MAX as usize || entries.len() > u16::MAX as usize;
        let put = |out: &mut Vec<u8>, offset: u32| {
            if wide {
                out.extend_from_slice(&offset.to_le_bytes());
            } else {
                out.extend_from_slice(&(offset as u16).to_le_bytes());
            }
        };
        for entry in entries {
            if open.object {
                put(&mut self.out, entry.key);
                put(&mut self.out, entry.value);
            }
            put(&mut self.out, entry.end);
        }
        put(&mut self.out, entries.len() as u32);
        if wide {
            self.out[open.start] += WIDE;
        }
        self.entries.truncate(open.first_entry);
        self.value_ended();
    }

    /// Sorts the open object's entries by key; of equal keys the last stays.
    fn sort_keys(&mut self, base: usize, first: usize) {
        let out = &self.out;
        let key = |e: &Entry| &out[base + e.key as usize..base + e.value as usize];
        let order = |a: &Entry, b: &Entry| {
            let (x, y) = (key(a), key(b));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        };
        let entries = &mut self.entries[first..];
        if entries.is_sorted_by(|a, b| order(a, b).is_lt()) {
            return;
        }
        // Stable, so that equal keys keep their order of appearance.
        entries.sort_by(order);
        let mut kept = 0;
        for i in 0..entries.len() {
            if i + 1 < entries.len() && key(&entries[i]) == key(&entries[i + 1]) {
                continue;
            }
            entries[kept] = entries[i];
            kept += 1;
        }
        self.entries.truncate(first + kept);
    }

    /// The finished value; JSON null where nothing was written.
    pub fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.end();
        }
        if self.out.is_empty() {
            self.out.push(NULL);
        }
        self.out
    }
}
