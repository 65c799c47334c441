//! Against librdkafka's mock cluster: a broker on loopback that can be taken down and forgets old records.

use super::{KafkaConfig, KafkaSource, OnGap};
use crate::change::{Position, StreamId};
use crate::source::declare::{TableFile, TopicPattern, Undeclared};
use crate::source::testing::{Running, start};
use crate::source::{Gap, Source, SourceState};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::collections::HashMap;
use std::time::Duration;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> (Cluster, BaseProducer) {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap_servers()).set("message.max.bytes", "33554432");
    config.set("reconnect.backoff.max.ms", "200");
    (cluster, config.create().expect("a producer"))
}

fn produce(producer: &BaseProducer, topic: &str, partition: i32, ids: std::ops::Range<i64>) {
    for id in ids {
        let key = format!("{{\"id\":{id}}}");
        let value = format!("{{\"before\":null,\"after\":{{\"id\":{id},\"v\":\"x\"}},\"op\":\"c\",\"ts_ms\":1}}");
        let headers = OwnedHeaders::new().insert(Header { key: "h", value: Some("1") });
        let record = BaseRecord::to(topic).partition(partition).key(&key).payload(&value).headers(headers);
        producer.send(record).expect("the queue has room");
    }
    producer.flush(Duration::from_secs(30)).expect("the broker takes it");
}

fn config(servers: &str, topics: &[&str]) -> KafkaConfig {
    KafkaConfig {
        brokers: servers.to_string(),
        topics: topics.iter().map(|t| TopicPattern::try_from(t.to_string()).expect("a pattern")).collect(),
        undeclared: Undeclared::Auto,
        on_gap: OnGap::Stop,
        refresh_seconds: 0.2,
        options: [("reconnect.backoff.max.ms".to_string(), "200".to_string())].into(),
    }
}

fn source(config: KafkaConfig) -> Box<dyn Source> {
    Box::new(KafkaSource::new("k".into(), config, vec![]).expect("a good configuration"))
}

fn stream(topic: &str, partition: i32) -> StreamId {
    StreamId(format!("k/{topic}/{partition}").into())
}

fn state_of(running: &Running, topic: &str) -> Option<SourceState> {
    running.status.find_stream(&stream(topic, 0)).map(|s| s.state())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_comes_once_and_in_order_across_restarts() {
    let (cluster, producer) = cluster();
    cluster.create_topic("a.b.t", 2, 1).unwrap();
    produce(&producer, "a.b.t", 0, 0..9_000);
    produce(&producer, "a.b.t", 1, 0..12_000);
    let config = config(&cluster.bootstrap_servers(), &["a.b.t"]);
    let mut first = start(source(config.clone()), HashMap::new());
    first.until("21000 records", |r| r.count() >= 21_000);
    let status = first.status.find_stream(&stream("a.b.t", 0)).unwrap();
    assert_eq!((status.next(), status.events(), status.lag()), (Position(9_000), 9_000, Some(0)));
    let (positions, seen, _) = first.stop().await;
    assert_eq!(seen["k/a.b.t/0"], (0..9_000).collect::<Vec<_>>());
    assert_eq!(seen["k/a.b.t/1"], (0..12_000).collect::<Vec<_>>());

    produce(&producer, "a.b.t", 1, 12_000..12_005);
    let mut second = start(source(config), positions);
    second.until("5 records", |r| r.count() >= 5);
    let (positions, seen, _) = second.stop().await;
    assert_eq!(seen["k/a.b.t/1"], (12_000..12_005).collect::<Vec<_>>());
    assert_eq!(positions[&stream("a.b.t", 0)], Position(9_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_topic_is_picked_up_while_running() {
    let (cluster, producer) = cluster();
    cluster.create_topic("shop.one", 1, 1).unwrap();
    cluster.create_topic("other.two", 1, 1).unwrap();
    produce(&producer, "other.two", 0, 0..3);
    let mut running = start(source(config(&cluster.bootstrap_servers(), &[r"^shop\."])), HashMap::new());
    running.until("the first topic", |r| state_of(r, "shop.one") == Some(SourceState::Streaming));
    cluster.create_topic("shop.late", 3, 1).unwrap();
    produce(&producer, "shop.late", 2, 0..3);
    running.until("the late topic's records", |r| r.count() >= 3);
    let (_, seen, _) = running.stop().await;
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["k/shop.late/2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_broker_is_waited_for_and_named() {
    let (cluster, producer) = cluster();
    cluster.create_topic("a.t", 1, 1).unwrap();
    produce(&producer, "a.t", 0, 0..2);
    cluster.broker_down(-1).unwrap();
    let servers = cluster.bootstrap_servers();
    let mut running = start(source(config(&servers, &["a.t"])), HashMap::new());
    let waiting = |r: &Running| r.status.state() == SourceState::Waiting;
    running.until("waiting at the start", waiting);
    assert!(running.status.message().starts_with(&servers), "{}", running.status.message());
    cluster.broker_up(-1).unwrap();
    running.until("the records", |r| r.count() >= 2);
    running.until("streaming", |r| r.status.state() == SourceState::Streaming);

    cluster.broker_down(-1).unwrap();
    running.until("waiting again", waiting);
    cluster.broker_up(-1).unwrap();
    produce(&producer, "a.t", 0, 2..4);
    running.until("the new records", |r| r.count() >= 4);
    running.until("streaming again", |r| r.status.state() == SourceState::Streaming);
    let (_, seen, _) = running.stop().await;
    assert_eq!(seen["k/a.t/0"], [0, 1, 2, 3]);
}

/// Fills a partition beyond the 5 MB that the mock keeps; the first offset that is left.
fn overfill(cluster: &Cluster, producer: &BaseProducer, topic: &str) -> i64 {
    cluster.create_topic(topic, 1, 1).unwrap();
    let value = vec![b'x'; 512 << 10];
    for _ in 0..20 {
        producer.send(BaseRecord::<(), _>::to(topic).partition(0).payload(&value)).expect("room");
        producer.flush(Duration::from_secs(30)).expect("taken");
    }
    let (low, high) = producer.client().fetch_watermarks(topic, 0, Duration::from_secs(10)).expect("watermarks");
    assert!(low > 0 && high == 20, "the mock keeps {low}..{high}");
    low
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_named_and_never_skipped() {
    let (cluster, producer) = cluster();
    let low = overfill(&cluster, &producer, "a.gone");
    cluster.create_topic("a.well", 1, 1).unwrap();
    produce(&producer, "a.well", 0, 0..3);
    let resume = HashMap::from([(stream("a.gone", 0), Position(0))]);

    let topics = config(&cluster.bootstrap_servers(), &[r"^a\."]);
    let mut running = start(source(topics.clone()), resume.clone());
    running.until("the gap", |r| r.status.state() == SourceState::Gap);
    running.until("the other topic's records", |r| r.count() >= 3);
    let status = running.status.find_stream(&stream("a.gone", 0)).unwrap();
    let gap = Gap { from: Position(0), to: Position(low) };
    assert_eq!((status.state(), status.gaps(), status.next()), (SourceState::Gap, vec![gap], Position(0)));
    assert!(status.message().contains(&format!("0 up to {low}")), "{}", status.message());
    let (_, seen, _) = running.stop().await;
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["k/a.well/0"]);

    let mut running = start(source(KafkaConfig { on_gap: OnGap::Continue, ..topics }), resume);
    running.until("what is left", |r| r.count() >= 3 + 20 - low as usize);
    let status = running.status.find_stream(&stream("a.gone", 0)).unwrap();
    assert_eq!(status.gaps(), vec![gap]);
    let (_, seen, _) = running.stop().await;
    assert_eq!(seen["k/a.gone/0"], (low..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_beyond_the_end_is_a_gap_too() {
    let (cluster, producer) = cluster();
    cluster.create_topic("a.t", 1, 1).unwrap();
    produce(&producer, "a.t", 0, 0..3);
    let resume = HashMap::from([(stream("a.t", 0), Position(50))]);
    let mut running = start(source(config(&cluster.bootstrap_servers(), &["a.t"])), resume);
    running.until("the gap", |r| r.status.state() == SourceState::Gap);
    assert!(running.status.message().contains("ends at 3"), "{}", running.status.message());
    assert_eq!(running.count(), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_that_a_broker_denies_by_mistake_is_asked_for_again() {
    let (cluster, producer) = cluster();
    cluster.create_topic("a.t", 1, 1).unwrap();
    produce(&producer, "a.t", 0, 0..10);
    let mut running = start(source(config(&cluster.bootstrap_servers(), &["a.t"])), HashMap::new());
    running.until("the first records", |r| r.count() == 10);
    cluster.request_errors(RDKafkaApiKey::Fetch, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE; 3]);
    produce(&producer, "a.t", 0, 10..20);
    running.until("the other records", |r| r.count() >= 20);
    let (_, seen, _) = running.stop().await;
    assert_eq!(seen["k/a.t/0"], (0..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_20_mb_passes() {
    let (cluster, producer) = cluster();
    cluster.create_topic("a.t", 1, 1).unwrap();
    let value = vec![b'x'; 20 << 20];
    producer.send(BaseRecord::<(), _>::to("a.t").partition(0).payload(&value)).expect("room");
    producer.flush(Duration::from_secs(30)).expect("taken");
    let mut running = start(source(config(&cluster.bootstrap_servers(), &["a.t"])), HashMap::new());
    running.until("the message", |r| r.count() == 1);
    assert!(running.deliveries[0].bytes >= 20 << 20);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_it_sees_or_why_it_cannot() {
    let (cluster, _producer) = cluster();
    cluster.create_topic("a.b.t", 2, 1).unwrap();
    let seen = source(config(&cluster.bootstrap_servers(), &["a.b.t", "later"])).check().await.unwrap();
    assert_eq!(seen[1..], ["topic a.b.t (2 partitions) → silver.t", "topic later: not there yet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_whose_table_is_anothers_is_refused_by_name() {
    let (cluster, producer) = cluster();
    for (topic, id) in [("a.t", 1), ("b.t", 2)] {
        cluster.create_topic(topic, 1, 1).unwrap();
        produce(&producer, topic, 0, id..id + 1);
    }
    let owners = std::sync::Arc::default();
    let of = |name: &str, topic: &str| {
        let mut source =
            KafkaSource::new(name.into(), config(&cluster.bootstrap_servers(), &[topic]), vec![]).expect("a source");
        source.share_tables(&owners, &[]);
        source
    };
    let (first, second) = (of("first", "b.t"), of("k", "a.t"));
    first.check().await.expect("nobody else has the table");
    let refused = second.check().await.expect_err("the table is the other's").to_string();
    assert!(refused.contains("topic \"b.t\" of source \"first\"") && refused.contains("[[table]]"), "{refused}");
    let mut running = start(Box::new(second), HashMap::new());
    running.until("the refusal", |r| state_of(r, "a.t") == Some(SourceState::Error));
    let (_, seen, _) = running.stop().await;
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn a_pattern_does_not_mean_kafkas_own_topics() {
    let all = config("localhost:1", &["^"]);
    assert!(all.wants("a.b") && all.wants("__debezium-heartbeat.a") && !all.wants("__consumer_offsets"));
    assert!(config("localhost:1", &["__consumer_offsets"]).wants("__consumer_offsets"));
}

#[test]
fn a_wrong_option_is_named() {
    let mut wrong = config("localhost:1", &["a"]);
    wrong.options.insert("sasl.mechanismus".to_string(), "PLAIN".to_string());
    let error = KafkaSource::new("k".into(), wrong, vec![]).err().expect("refused").to_string();
    assert!(error.contains("sasl.mechanismus"), "{error}");
    let mut ours = config("localhost:1", &["a"]);
    ours.options.insert("auto.offset.reset".to_string(), "latest".to_string());
    let error = KafkaSource::new("k".into(), ours, vec![]).err().expect("refused").to_string();
    assert!(error.contains("auto.offset.reset"), "{error}");
}

#[test]
fn a_password_is_not_shown() {
    let mut config = config("localhost:1", &["a"]);
    config.options.insert("sasl.password".to_string(), "hunter2".to_string());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn topics_come_from_the_tables_where_none_are_named() {
    let tables = TableFile::parse("[[table]]\nname = 't'\ntopics = ['x.y']").unwrap().table;
    let source = KafkaSource::new("k".into(), config("localhost:1", &[]), tables).unwrap();
    assert!(source.config.topics.iter().any(|p| p.matches("x.y")));
}
