use super::line::Line;
use super::*;
use crate::source::Gap;
use crate::source::testing::{Running, start};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use tempfile::TempDir;

fn value(id: u32) -> String {
    format!("{{\"before\":null,\"after\":{{\"id\":{id}}},\"op\":\"c\",\"ts_ms\":1}}")
}

fn lines(ids: std::ops::Range<u32>) -> String {
    ids.map(|id| value(id) + "\n").collect()
}

fn write(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn append(folder: &TempDir, name: &str, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(folder.path().join(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// `settle_seconds`: so long that only a test that wants it sees it, or no time.
fn source(folder: &TempDir, settle_seconds: f64) -> JsonlSource {
    let config = JsonlConfig {
        path: folder.path().to_path_buf(),
        topic: None,
        undeclared: Undeclared::Auto,
        refresh_seconds: 0.01,
        settle_seconds,
    };
    JsonlSource::new("j".into(), config, vec![]).unwrap()
}

fn run(folder: &TempDir) -> Running {
    start(Box::new(source(folder, 1e6)), HashMap::new())
}

fn state_of(running: &Running, stream: &str) -> Option<SourceState> {
    running.status.streams().iter().find(|s| &*s.id.0 == stream).map(|s| s.state())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_followed_picked_up_and_resumed() {
    let folder = TempDir::new().unwrap();
    write(&folder, "a.t/1.jsonl", &lines(0..3));
    let mut running = run(&folder);
    running.until("the first file", |r| r.count() == 3);
    append(&folder, "a.t/1.jsonl", &lines(3..5));
    running.until("what it grew by", |r| r.count() == 5);
    write(&folder, "a.t/2.jsonl", &lines(5..6));
    running.until("the second file", |r| r.count() == 6);
    let (positions, seen, _) = running.stop().await;
    assert_eq!(seen["j/a.t/1.jsonl"], [0, 1, 2, 3, 4]);
    assert_eq!(seen["j/a.t/2.jsonl"], [0]);

    append(&folder, "a.t/1.jsonl", &lines(6..7));
    let mut running = start(Box::new(source(&folder, 1e6)), positions);
    running.until("the new line", |r| r.count() == 1);
    let (_, seen, _) = running.stop().await;
    assert_eq!(seen["j/a.t/1.jsonl"], [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_its_end_waits_for_it() {
    let folder = TempDir::new().unwrap();
    let (start, end) = ("{\"before\":null,", "\"after\":{\"id\":1},\"op\":\"c\",\"ts_ms\":1}\n");
    write(&folder, "t.jsonl", &format!("{}{start}", lines(0..1)));
    let mut running = run(&folder);
    running.until("the whole line", |r| r.count() == 1);
    write(&folder, "u.jsonl", &lines(0..1));
    running.until("a later file, so that the open line was looked at", |r| r.count() == 2);
    append(&folder, "t.jsonl", end);
    running.until("the line", |r| r.count() == 3);
    let (_, seen, deliveries) = running.stop().await;
    assert_eq!(seen["j/t.jsonl"], [0, 1]);
    let whole = deliveries.iter().rfind(|d| &*d.stream.0 == "j/t.jsonl").unwrap();
    assert_eq!(whole.bytes, start.len() + end.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_file_needs_no_line_end_and_may_still_get_one() {
    let folder = TempDir::new().unwrap();
    write(&folder, "t.jsonl", lines(0..2).trim_end());
    let mut running = start(Box::new(source(&folder, 0.001)), HashMap::new());
    running.until("both lines", |r| r.count() == 2);
    append(&folder, "t.jsonl", &format!("\n{}", lines(2..3)));
    running.until("the third", |r| r.count() == 3);
    let (positions, seen, _) = running.stop().await;
    assert_eq!(seen["j/t.jsonl"], [0, 1, 2]);

    // The same with a restart between line and line end.
    write(&folder, "t.jsonl", lines(0..3).trim_end());
    let mut running = start(Box::new(source(&folder, 0.001)), positions);
    append(&folder, "t.jsonl", &format!("\n{}", lines(3..4)));
    running.until("the fourth", |r| r.count() == 1);
    let (_, seen, _) = running.stop().await;
    assert_eq!(seen["j/t.jsonl"], [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_lost_lines_is_stopped_and_named() {
    let folder = TempDir::new().unwrap();
    write(&folder, "t.jsonl", &lines(0..2));
    write(&folder, "u.jsonl", &lines(0..2));
    let resume = HashMap::from([(crate::change::StreamId("j/t.jsonl".into()), Position(5))]);
    let mut running = start(Box::new(source(&folder, 1e6)), resume);
    running.until("the error", |r| state_of(r, "j/t.jsonl") == Some(SourceState::Error));
    running.until("the other file", |r| r.count() == 2);
    assert_eq!(running.status.state(), SourceState::Error);
    let status = running.status.streams().into_iter().find(|s| &*s.id.0 == "j/t.jsonl").unwrap();
    assert_eq!(status.gaps(), [Gap { from: Position(2), to: Position(5) }]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_folder_is_waited_for_and_a_compressed_file_refused() {
    let folder = TempDir::new().unwrap();
    let mut missing = source(&folder, 1e6);
    missing.config.path = folder.path().join("later");
    let mut running = start(Box::new(missing), HashMap::new());
    running.until("waiting", |r| r.status.state() == SourceState::Waiting);
    assert!(running.status.message().contains("later"), "{}", running.status.message());
    write(&folder, "later/t.jsonl.gz", "x");
    write(&folder, "later/u.jsonl", &lines(0..1));
    running.until("the line", |r| r.count() == 1);
    assert_eq!(state_of(&running, "j/t.jsonl.gz"), Some(SourceState::Error));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_several_topics_in_one_file_stay_in_order() {
    let folder = TempDir::new().unwrap();
    let wrapped = |topic: &str, id: u32| {
        let value = value(id).replace('"', "\\\"");
        format!("{{\"topic\":\"{topic}\",\"key\":\"{{\\\"id\\\":{id}}}\",\"value\":\"{value}\",\"headers\":[]}}\n")
    };
    let text: String = [("a.x", 0), ("a.x", 1), ("a.y", 2), ("a.x", 3)].map(|(t, id)| wrapped(t, id)).concat();
    write(&folder, "all.jsonl", &format!("{text}\n"));
    let mut running = run(&folder);
    running.until("all lines", |r| r.count() == 4);
    let (positions, seen, deliveries) = running.stop().await;
    assert_eq!(seen["j/all.jsonl"], [0, 1, 2, 3]);
    let nexts: Vec<i64> = deliveries.iter().map(|d| d.next.0).collect();
    assert_eq!(nexts, [2, 3, 5]);
    assert_eq!(positions.values().next(), Some(&Position(5)));
}

#[test]
fn a_line_is_what_it_looks_like() {
    let text = |bytes: &Option<Cow<'_, [u8]>>| bytes.as_ref().map(|b| String::from_utf8(b.to_vec()).unwrap());
    let cases = [
        (r#"{"before":null,"after":{"value":1}}"#, None, Some(r#"{"before":null,"after":{"value":1}}"#)),
        (r#"{"schema":{},"payload":{"op":"c"}}"#, None, Some(r#"{"schema":{},"payload":{"op":"c"}}"#)),
        (r#"{"op":"c","key":1,"x":2}"#, None, Some(r#"{"op":"c","key":1,"x":2}"#)),
        (r#"{"key":{"id":1},"payload":{"op":"c"}}"#, Some(r#"{"id":1}"#), Some(r#"{"op":"c"}"#)),
        (r#"{"topic":"t","key":"{\"id\":1}","value":null}"#, Some(r#"{"id":1}"#), None),
        (r#"{"topic":"t","value":{"a": "ü\n"}}"#, None, Some(r#"{"a": "ü\n"}"#)),
        ("not json", None, Some("not json")),
        ("{\"topic\":\"t\",\"value\":{}", None, Some("{\"topic\":\"t\",\"value\":{}")),
    ];
    for (line, key, value) in cases {
        let parsed = Line::parse(line.as_bytes());
        assert_eq!((text(&parsed.key).as_deref(), text(&parsed.value).as_deref()), (key, value), "{line}");
    }
    let headers =
        Line::parse(br#"{"topic":"t","value":1,"timestamp":5,"headers":[{"key":"a","value":"b"},{"key":"c"}]}"#);
    assert_eq!(headers.headers, [("a".to_string(), Some(b"b".to_vec())), ("c".to_string(), None)]);
    assert_eq!((headers.topic.as_deref(), headers.timestamp_ms), (Some("t"), Some(5)));
}

#[test]
fn a_topic_comes_from_the_path() {
    let folder = TempDir::new().unwrap();
    let mut source = source(&folder, 1.0);
    for (path, topic) in [
        ("shop.ShopDB.dbo.orders.jsonl", "shop.ShopDB.dbo.orders"),
        ("orders+0+0000000017.json", "orders"),
        ("a.orders/2026/11/x.jsonl", "a.orders"),
        ("topics/a.orders/partition=0/x.jsonl", "a.orders"),
    ] {
        assert_eq!(source.topic_of(path), topic, "{path}");
    }
    source.topic = Some(Regex::new("^landing-(?<topic>[a-z]+)/").unwrap());
    assert_eq!(source.topic_of("landing-abc/x.jsonl"), "abc");
    assert_eq!(source.topic_of("other/x.jsonl"), "other");
}

proptest::proptest! {
    #[test]
    fn no_line_makes_the_parser_panic(bytes: Vec<u8>, cut in 0usize..200) {
        Line::parse(&bytes);
        let record = br#"{"topic":"t","key":{"id":1},"value":{"a":[1,"\u00e9"]},"headers":{"h":null,"i":"x"},"offset":1}"#;
        let mut damaged = record.to_vec();
        if let (Some(byte), Some(at)) = (bytes.first(), damaged.get_mut(cut % record.len())) {
            *at = *byte;
        }
        Line::parse(&damaged);
        Line::parse(&record[..cut.min(record.len())]);
    }
}
