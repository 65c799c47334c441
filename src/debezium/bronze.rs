//! Rows of a bronze table, built record by record.

use super::{Record, Route, bronze_schema};
use crate::change::BronzeRows;
use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, Int64Builder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use base64::Engine;
use std::sync::Arc;

/// Largest sum of keys and payloads of one batch: Arrow's offsets of strings end at 2 GiB.
const MAX_BATCH_BYTES: usize = 1 << 29;

/// What bronze keeps of a key or payload.
pub enum Kept<'a> {
    Absent,
    /// JSON that jsonb can hold.
    Json(&'a str),
    /// Anything else.
    Raw(&'a [u8]),
}

impl Kept<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Json(text) => text.len(),
            Self::Raw(bytes) => bytes.len(),
        }
    }
}

pub struct BronzeBuilder {
    table: Arc<str>,
    topic: Arc<str>,
    partition: i32,
    ingested_at_us: i64,
    offsets: Int64Builder,
    timestamps: TimestampMicrosecondBuilder,
    keys: StringBuilder,
    payloads: StringBuilder,
    headers: StringBuilder,
    raw: BinaryBuilder,
    first_event: u32,
    rows: usize,
    bytes: usize,
    header_text: String,
    done: Vec<BronzeRows>,
}

impl BronzeBuilder {
    pub fn new(table: Arc<str>, route: &Route, ingested_at_us: i64, rows: usize, bytes: usize) -> Self {
        Self {
            table,
            topic: Arc::clone(&route.topic),
            partition: route.partition,
            ingested_at_us,
            offsets: Int64Builder::with_capacity(rows),
            timestamps: TimestampMicrosecondBuilder::with_capacity(rows),
            keys: StringBuilder::with_capacity(rows, rows * 16),
            payloads: StringBuilder::with_capacity(rows, bytes.min(MAX_BATCH_BYTES)),
            headers: StringBuilder::with_capacity(rows, 0),
            raw: BinaryBuilder::with_capacity(rows, 0),
            first_event: 0,
            rows: 0,
            bytes: 0,
            header_text: String::new(),
            done: Vec::new(),
        }
    }

    pub fn append(&mut self, record: &Record<'_>, key: Kept<'_>, payload: Kept<'_>) {
        let header_bytes: usize =
            record.headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + header_bytes;
        if self.rows > 0 && self.bytes + bytes > MAX_BATCH_BYTES {
            self.close();
        }
        self.bytes += bytes;
        self.rows += 1;
        self.offsets.append_value(record.position.0);
        self.timestamps.append_option(record.timestamp_ms.and_then(|ms| ms.checked_mul(1000)));
        match key {
            Kept::Absent => self.keys.append_null(),
            Kept::Json(text) => self.keys.append_value(text),
            Kept::Raw(bytes) => {
                let mut text = String::new();
                push_text_or_base64(&mut text, bytes);
                self.keys.append_value(text);
            }
        }
        match payload {
            Kept::Absent => {
                self.payloads.append_null();
                self.raw.append_null();
            }
            Kept::Json(text) => {
                self.payloads.append_value(text);
                self.raw.append_null();
            }
            Kept::Raw(bytes) => {
                self.payloads.append_null();
                self.raw.append_value(bytes);
            }
        }
        if record.headers.is_empty() {
            self.headers.append_null();
        } else {
            self.header_text.clear();
            push_headers(&mut self.header_text, record.headers);
            self.headers.append_value(&self.header_text);
        }
    }

    fn close(&mut self) {
        let rows = self.rows;
        let ingested = vec![self.ingested_at_us; rows];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&*self.topic, rows))),
            Arc::new(Int32Array::from(vec![self.partition; rows])),
            Arc::new(self.offsets.finish()),
            Arc::new(self.timestamps.finish().with_timezone("UTC")),
            Arc::new(self.keys.finish()),
            Arc::new(self.payloads.finish()),
            Arc::new(self.headers.finish()),
            Arc::new(TimestampMicrosecondArray::from(ingested).with_timezone("UTC")),
            Arc::new(self.raw.finish()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(bronze_schema().arrow()), columns)
            .expect("columns are built in the order and types of bronze_schema");
        let last_event = self.first_event + rows as u32;
        let events = (self.first_event..last_event).collect();
        self.done.push(BronzeRows { table: Arc::clone(&self.table), rows: batch, events });
        self.first_event = last_event;
        self.rows = 0;
        self.bytes = 0;
    }

    pub fn finish(mut self) -> Vec<BronzeRows> {
        if self.rows > 0 {
            self.close();
        }
        self.done
    }
}

/// `[{"key":…,"value":…}, …]`; a value that is not text is `{"base64":…}`.
fn push_headers(out: &mut String, headers: &[(&str, Option<&[u8]>)]) {
    out.push('[');
    for (n, (name, value)) in headers.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str("{\"key\":");
        push_text_or_base64(out, name.as_bytes());
        out.push_str(",\"value\":");
        match value {
            Some(bytes) => push_text_or_base64(out, bytes),
            None => out.push_str("null"),
        }
        out.push('}');
    }
    out.push(']');
}

fn push_text_or_base64(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0) => push_json_string(out, text),
        _ => {
            out.push_str("{\"base64\":\"");
            base64::engine::general_purpose::STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
    }
}

fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !matches!(byte, b'"' | b'\\' | 0..0x20) {
            continue;
        }
        out.push_str(&text[clean..at]);
        clean = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
    }
    out.push_str(&text[clean..]);
    out.push('"');
}
