//! The events: Debezium envelopes of a table with 100,000 keys, as the SQL Server connector writes them.

/// Distinct keys; from then on every event is an update.
pub const KEYS: u64 = 100_000;

const SEGMENTS: [&str; 4] = ["retail", "wholesale", "online", "partner"];
/// The first event's time; each later one is 100 µs younger.
const START_US: u64 = 1_700_000_000_000_000;

/// Event `n` of a stream: its key and its value, with or without their schema blocks.
pub struct Events {
    key_block: String,
    value_block: String,
}

impl Events {
    pub fn new(with_schema: bool) -> Self {
        match with_schema {
            false => Self { key_block: String::new(), value_block: String::new() },
            true => Self { key_block: key_block(), value_block: value_block() },
        }
    }

    pub fn write(&self, n: u64, key: &mut Vec<u8>, value: &mut Vec<u8>) {
        use std::io::Write;
        let id = n.wrapping_mul(7919) % KEYS;
        let op = if n < KEYS { "c" } else { "u" };
        let us = START_US + n * 100;
        let ms = us / 1000;
        let (high, low) = (n >> 32, n & 0xffff_ffff);
        key.extend_from_slice(self.key_block.as_bytes());
        value.extend_from_slice(self.value_block.as_bytes());
        let written = write!(key, "{{\"id\":{id}}}").and_then(|()| {
            write!(
                value,
                "{{\"before\":null,\"after\":{{\"id\":{id},\"seq\":{n},\"segment\":\"{}\",\"status\":\"paid\",\"amount\":\"{}.{:02}\",\
                 \"created_at\":{ms},\"note\":\"order {n}\"}},\
                 \"source\":{{\"version\":\"3.0.7.Final\",\"connector\":\"sqlserver\",\"name\":\"bench\",\"ts_ms\":{ms},\
                 \"snapshot\":\"false\",\"db\":\"Bench\",\"sequence\":null,\"ts_us\":{us},\"ts_ns\":{us}000,\"schema\":\"dbo\",\
                 \"table\":\"orders\",\"change_lsn\":\"{high:08x}:{low:08x}:0003\",\"commit_lsn\":\"{high:08x}:{low:08x}:0005\",\
                 \"event_serial_no\":1}},\"transaction\":null,\"op\":\"{op}\",\"ts_ms\":{ms},\"ts_us\":{us},\"ts_ns\":{us}456}}",
                SEGMENTS[(id % 4) as usize],
                n % 1000,
                n % 100,
            )
        });
        written.expect("writing to memory does not fail");
        if !self.key_block.is_empty() {
            key.push(b'}');
            value.push(b'}');
        }
    }

    /// The sizes of key and value of one event.
    pub fn sizes(&self, n: u64) -> (usize, usize) {
        let (mut key, mut value) = (vec![], vec![]);
        self.write(n, &mut key, &mut value);
        (key.len(), value.len())
    }
}

fn key_block() -> String {
    "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int64\",\"optional\":false,\"field\":\"id\"}],\
     \"optional\":false,\"name\":\"bench.Bench.dbo.orders.Key\"},\"payload\":"
        .to_string()
}

/// The schema block that Debezium sends with each event.
fn value_block() -> String {
    let field = |ty: &str, name: &str, logical: &str| {
        let logical = if logical.is_empty() { String::new() } else { format!(",\"name\":\"{logical}\",\"version\":1") };
        format!("{{\"type\":\"{ty}\",\"optional\":true{logical},\"field\":\"{name}\"}}")
    };
    let row = [
        field("int64", "id", ""),
        field("int64", "seq", ""),
        field("string", "segment", ""),
        field("string", "status", ""),
        field("string", "amount", ""),
        field("int64", "created_at", "io.debezium.time.Timestamp"),
        field("string", "note", ""),
    ]
    .join(",");
    let texts =
        ["version", "connector", "name", "snapshot", "db", "sequence", "schema", "table", "change_lsn", "commit_lsn"];
    let numbers = ["ts_ms", "ts_us", "ts_ns", "event_serial_no"];
    let texts = texts.iter().map(|name| field("string", name, ""));
    let source: Vec<String> = texts.chain(numbers.iter().map(|name| field("int64", name, ""))).collect();
    let stamps: Vec<String> = ["ts_ms", "ts_us", "ts_ns"].iter().map(|n| field("int64", n, "")).collect();
    format!(
        "{{\"schema\":{{\"type\":\"struct\",\"fields\":[\
         {{\"type\":\"struct\",\"fields\":[{row}],\"optional\":true,\"name\":\"bench.Bench.dbo.orders.Value\",\"field\":\"before\"}},\
         {{\"type\":\"struct\",\"fields\":[{row}],\"optional\":true,\"name\":\"bench.Bench.dbo.orders.Value\",\"field\":\"after\"}},\
         {{\"type\":\"struct\",\"fields\":[{}],\"optional\":false,\"name\":\"io.debezium.connector.sqlserver.Source\",\"field\":\"source\"}},\
         {{\"type\":\"string\",\"optional\":true,\"field\":\"transaction\"}},{{\"type\":\"string\",\"optional\":false,\"field\":\"op\"}},{}],\
         \"optional\":false,\"name\":\"bench.Bench.dbo.orders.Envelope\",\"version\":2}},\"payload\":",
        source.join(","),
        stamps.join(","),
    )
}
