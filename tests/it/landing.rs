//! A folder of landing files as a source: events as Debezium writes them, one a line.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// The source in a configuration.
pub const SOURCE: &str = "[jsonl.landing]\npath = \"landing\"\nrefresh = \"20ms\"\n";

/// Appends lines to the landing file of a topic.
pub fn land(folder: &Path, topic: &str, lines: &str) {
    let landing = folder.join("landing");
    std::fs::create_dir_all(&landing).expect("the test's folder can be written");
    let path = landing.join(format!("{topic}.jsonl"));
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a landing file can be written");
    file.write_all(lines.as_bytes()).expect("a landing file can be written");
}

/// An insert or update of the row `after` (JSON), keyed by `id`.
pub fn upsert(id: i64, after: &str) -> String {
    format!(
        "{{\"key\":{{\"id\":{id}}},\"value\":{{\"op\":\"u\",\"before\":null,\"after\":{after},\
         \"source\":{{\"ts_ms\":1}},\"ts_ms\":1}}}}\n"
    )
}

pub fn delete(id: i64) -> String {
    format!(
        "{{\"key\":{{\"id\":{id}}},\"value\":{{\"op\":\"d\",\"before\":{{\"id\":{id}}},\"after\":null,\
         \"source\":{{\"ts_ms\":1}},\"ts_ms\":1}}}}\n"
    )
}
