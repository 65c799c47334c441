//! Debezium's envelope bytes, as the SQL Server and PostgreSQL connectors of Debezium 3.6 write them with
//! `schemas.enable=false`: field order, encodings (decimals as base64 of the unscaled integer), the source block, and a
//! tombstone after each delete.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// Events in the order of production; keys and values lie in one buffer.
#[derive(Default)]
pub struct Events {
    pub bytes: Vec<u8>,
    pub items: Vec<Event>,
}

/// One record of a topic.
pub struct Event {
    /// Index of the stream in its workload.
    pub stream: usize,
    pub timestamp_ms: i64,
    pub key: Range<usize>,
    /// `None`: a tombstone.
    pub value: Option<Range<usize>>,
}

impl Events {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    pub fn key(&self, event: &Event) -> &[u8] {
        &self.bytes[event.key.clone()]
    }

    pub fn value(&self, event: &Event) -> Option<&[u8]> {
        event.value.clone().map(|range| &self.bytes[range])
    }
}

/// Writes one flat JSON object, field by field.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn name(&mut self, name: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub fn int(mut self, name: &str, value: i64) -> Self {
        self.name(name);
        push_int(self.out, value);
        self
    }

    pub fn bool(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    pub fn null(mut self, name: &str) -> Self {
        self.name(name);
        self.out.extend_from_slice(b"null");
        self
    }

    /// `value` holds nothing that JSON escapes but quotes, backslashes and control characters.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.out.push(b'"');
        for &byte in value.as_bytes() {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                0..0x20 => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
        self
    }

    /// A decimal as base64 of its unscaled value: big-endian two's complement, as few bytes as it takes.
    pub fn decimal(mut self, name: &str, unscaled: i64) -> Self {
        self.name(name);
        let bytes = unscaled.to_be_bytes();
        let spare = bytes.windows(2).take_while(|w| matches!(w, [0, 0..=0x7f] | [0xff, 0x80..=0xff])).count();
        let mut text = [0u8; 12];
        let length = STANDARD.encode_slice(&bytes[spare..], &mut text).expect("8 bytes are 12 in base64");
        self.out.push(b'"');
        self.out.extend_from_slice(&text[..length]);
        self.out.push(b'"');
        self
    }

    /// A time stamp with zone, as the PostgreSQL connector writes it; `us` since 1970.
    pub fn zoned(mut self, name: &str, us: i64) -> Self {
        self.name(name);
        self.out.push(b'"');
        push_iso(self.out, us);
        self.out.push(b'"');
        self
    }

    pub fn uuid(mut self, name: &str, value: uuid::Uuid) -> Self {
        self.name(name);
        self.out.push(b'"');
        let mut text = [0u8; 36];
        self.out.extend_from_slice(value.hyphenated().encode_lower(&mut text).as_bytes());
        self.out.push(b'"');
        self
    }

    pub fn end(self) {
        self.out.push(b'}');
    }
}

fn push_int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// `2026-11-21T12:00:00.123456Z`
fn push_iso(out: &mut Vec<u8>, us: i64) {
    use std::io::Write;
    let time = chrono::DateTime::from_timestamp_micros(us).unwrap_or_default();
    write!(out, "{}", time.format("%Y-%m-%dT%H:%M:%S%.6fZ")).expect("a Vec takes all that is written");
}

/// What a change does, and with which rows.
pub enum Change<'a> {
    /// `snapshot`: the source block's field of that name.
    Snapshot {
        snapshot: &'static str,
        after: &'a dyn Fn(Object<'_>),
    },
    Create {
        after: &'a dyn Fn(Object<'_>),
    },
    Update {
        before: Option<&'a dyn Fn(Object<'_>)>,
        after: &'a dyn Fn(Object<'_>),
    },
    Delete {
        before: &'a dyn Fn(Object<'_>),
    },
}

impl<'a> Change<'a> {
    fn op(&self) -> &'static str {
        match self {
            Self::Snapshot { .. } => "r",
            Self::Create { .. } => "c",
            Self::Update { .. } => "u",
            Self::Delete { .. } => "d",
        }
    }

    fn snapshot(&self) -> &'static str {
        match self {
            Self::Snapshot { snapshot, .. } => snapshot,
            _ => "false",
        }
    }

    fn before(&self) -> Option<&'a dyn Fn(Object<'_>)> {
        match self {
            Self::Update { before, .. } => *before,
            Self::Delete { before } => Some(*before),
            _ => None,
        }
    }

    fn after(&self) -> Option<&'a dyn Fn(Object<'_>)> {
        match self {
            Self::Snapshot { after, .. } | Self::Create { after } | Self::Update { after, .. } => Some(*after),
            Self::Delete { .. } => None,
        }
    }
}

/// Connector version in the source blocks.
const VERSION: &str = "3.6.3.Final";

/// A place in a source transaction: `step` numbers the transactions, `change` the changes within one.
#[derive(Clone, Copy)]
pub struct At {
    pub step: u64,
    pub change: u64,
    /// Wall clock, µs since 1970.
    pub now_us: i64,
}

/// A SQL Server database behind Debezium.
pub struct SqlServer {
    /// `topic.prefix` of the connector.
    pub prefix: &'static str,
    pub db: &'static str,
}

/// `VLF:block:slot`. Snapshots lie before all transactions; those ascend with the step.
fn lsn(step: Option<u64>, slot: u64) -> String {
    let (vlf, block) = step.map_or((0x26, 0x758), |step| (0x27 + (step >> 24), 0x10 + ((step & 0xff_ffff) << 3)));
    format!("{vlf:08x}:{block:08x}:{slot:04x}")
}

impl SqlServer {
    /// Appends one change, and after a delete its tombstone.
    pub fn change(
        &self,
        out: &mut Events,
        (stream, table): (usize, &str),
        at: At,
        key: &dyn Fn(Object<'_>),
        change: &Change<'_>,
    ) {
        let is_snapshot = matches!(change, Change::Snapshot { .. });
        let step = (!is_snapshot).then_some(at.step);
        push_record(out, stream, at.now_us / 1000, key, |bytes| {
            push_rows(bytes, change);
            let source = push_source_start(bytes, "sqlserver", self.prefix, at.now_us, change.snapshot());
            let source = push_source_times(source.text("db", self.db).null("sequence"), at.now_us);
            let source = source.text("schema", "dbo").text("table", table);
            let source = match is_snapshot {
                true => source.null("change_lsn"),
                false => source.text("change_lsn", &lsn(step, 2 + at.change)),
            };
            // All changes of a transaction lie before its commit record.
            let source = source.text("commit_lsn", &lsn(step, 0x100));
            match change {
                Change::Snapshot { .. } => source.null("event_serial_no").end(),
                Change::Update { .. } => source.int("event_serial_no", 2).end(),
                _ => source.int("event_serial_no", 1).end(),
            }
            push_envelope_end(bytes, change, at.now_us);
        });
        push_tombstone(out, stream, at.now_us / 1000, key, change);
    }
}

/// A PostgreSQL database behind Debezium (pgoutput, replica identity DEFAULT).
pub struct Postgres {
    pub prefix: &'static str,
    pub db: &'static str,
}

impl Postgres {
    /// Appends one change, and after a delete its tombstone.
    pub fn change(
        &self,
        out: &mut Events,
        (stream, table): (usize, &str),
        at: At,
        key: &dyn Fn(Object<'_>),
        change: &Change<'_>,
    ) {
        const LSN: u64 = 0x1_8000_0000;
        let is_snapshot = matches!(change, Change::Snapshot { .. });
        let lsn = if is_snapshot { LSN } else { LSN + 0x200 + at.step * 0x200 + at.change * 0x40 };
        let last_commit = if is_snapshot { LSN } else { LSN + at.step * 0x200 };
        push_record(out, stream, at.now_us / 1000, key, |bytes| {
            push_rows(bytes, change);
            let source = push_source_start(bytes, "postgresql", self.prefix, at.now_us, change.snapshot());
            let source = source.text("db", self.db);
            let source = match is_snapshot {
                true => source.text("sequence", &format!("[null,\"{lsn}\"]")),
                false => source.text("sequence", &format!("[\"{last_commit}\",\"{lsn}\"]")),
            };
            let source = push_source_times(source, at.now_us).text("schema", "public").text("table", table);
            let transaction = if is_snapshot { 700 } else { 701 + at.step as i64 };
            let source = source.int("txId", transaction).int("lsn", lsn as i64);
            source.null("xmin").null("origin").null("origin_lsn").end();
            push_envelope_end(bytes, change, at.now_us);
        });
        push_tombstone(out, stream, at.now_us / 1000, key, change);
    }
}

fn push_record(
    out: &mut Events,
    stream: usize,
    timestamp_ms: i64,
    key: &dyn Fn(Object<'_>),
    value: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.bytes.len();
    key(Object::new(&mut out.bytes));
    let middle = out.bytes.len();
    value(&mut out.bytes);
    let end = out.bytes.len();
    out.items.push(Event { stream, timestamp_ms, key: start..middle, value: Some(middle..end) });
}

fn push_tombstone(out: &mut Events, stream: usize, timestamp_ms: i64, key: &dyn Fn(Object<'_>), change: &Change<'_>) {
    if !matches!(change, Change::Delete { .. }) {
        return;
    }
    let start = out.bytes.len();
    key(Object::new(&mut out.bytes));
    out.items.push(Event { stream, timestamp_ms, key: start..out.bytes.len(), value: None });
}

fn push_rows(bytes: &mut Vec<u8>, change: &Change<'_>) {
    for (name, row) in [("{\"before\":", change.before()), (",\"after\":", change.after())] {
        bytes.extend_from_slice(name.as_bytes());
        match row {
            Some(row) => row(Object::new(bytes)),
            None => bytes.extend_from_slice(b"null"),
        }
    }
}

fn push_source_start<'a>(
    bytes: &'a mut Vec<u8>,
    connector: &str,
    prefix: &str,
    now_us: i64,
    snapshot: &str,
) -> Object<'a> {
    bytes.extend_from_slice(b",\"source\":");
    let source = Object::new(bytes).text("version", VERSION).text("connector", connector).text("name", prefix);
    source.int("ts_ms", now_us / 1000).text("snapshot", snapshot)
}

fn push_source_times(source: Object<'_>, now_us: i64) -> Object<'_> {
    source.int("ts_us", now_us).int("ts_ns", now_us * 1000)
}

fn push_envelope_end(bytes: &mut Vec<u8>, change: &Change<'_>, now_us: i64) {
    bytes.extend_from_slice(b",\"transaction\":null,\"op\":\"");
    bytes.extend_from_slice(change.op().as_bytes());
    bytes.extend_from_slice(b"\",\"ts_ms\":");
    push_int(bytes, now_us / 1000);
    bytes.extend_from_slice(b",\"ts_us\":");
    push_int(bytes, now_us);
    bytes.extend_from_slice(b",\"ts_ns\":");
    push_int(bytes, now_us * 1000);
    bytes.push(b'}');
}
