//! jsonb in one byte buffer, read in place.
//!
//! ```text
//! null | false | true   tag
//! number                tag, text in PostgreSQL's numeric output form (display scale kept: 1.10 stays 1.10)
//! string                tag, UTF-8
//! array                 tag, elements…, end of each element, count
//! object                tag, key and value…, (key start, value start, value end) in key order, count
//! ```
//!
//! Offsets are little-endian, counted from the byte after the tag, two bytes wide where a container is small and four
//! otherwise (another tag). A table stands behind what it describes, so one pass over the text writes it without moving
//! anything. Keys are in PostgreSQL's order: shorter first, then by bytes; of duplicates the last one counts. A node
//! has no length of its own: its container, or the buffer, bounds it.

mod builder;
mod parse;
mod view;

#[cfg(test)]
mod tests;

use bytes::BufMut;

pub use builder::JsonbBuilder;
pub use parse::{from_text, validate_json};
pub use view::{JsonKind, JsonbRef};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;
/// Added to the tag of a container with four-byte offsets.
const WIDE: u8 = 8;

/// Appends a stored jsonb in PostgreSQL's output style: `{"a": 1, "b": [1, 2]}`.
pub fn write_text(jsonb: &[u8], out: &mut impl BufMut) {
    JsonbRef::new(jsonb).write_text(out);
}

/// Appends `text` as a JSON string, quoted and escaped as PostgreSQL does.
pub fn write_json_string(text: &[u8], out: &mut impl BufMut) {
    out.put_u8(b'"');
    let mut from = 0;
    for (i, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.put_slice(&text[from..i]);
        from = i + 1;
        match byte {
            b'"' => out.put_slice(b"\\\""),
            b'\\' => out.put_slice(b"\\\\"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            0x08 => out.put_slice(b"\\b"),
            0x0c => out.put_slice(b"\\f"),
            control => out.put_slice(format!("\\u{control:04x}").as_bytes()),
        }
    }
    out.put_slice(&text[from..]);
    out.put_u8(b'"');
}
