//! Promises 3 and 4 over a Kafka broker: librdkafka's mock cluster in this process, the binary beside it.

use crate::support::{self, PATIENCE, Sluice, ask, eventually};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_postgres::Client;

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Broker {
    fn new(topics: &[(&str, i32)]) -> Self {
        let cluster = MockCluster::new(1).expect("a mock cluster");
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("linger.ms", "0");
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1).expect("a topic");
        }
        Self { cluster, producer: config.create().expect("a producer") }
    }

    /// Hands a record over; [`Self::flush`] waits until the broker has it.
    fn send(&self, topic: &str, partition: i32, key: &str, value: Option<&str>, header: Option<(&str, &str)>) {
        let mut record = BaseRecord::to(topic).partition(partition).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        if let Some((name, value)) = header {
            record = record.headers(OwnedHeaders::new().insert(Header { key: name, value: Some(value) }));
        }
        self.producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
    }

    fn flush(&self) {
        self.producer.flush(PATIENCE).expect("the broker takes it");
    }

    fn source(&self, topics: &str) -> String {
        let servers = self.cluster.bootstrap_servers();
        format!("[kafka.k]\nbrokers = \"{servers}\"\ntopics = ['{topics}']\nrefresh = \"200ms\"\n")
    }
}

/// Reads until all `whole` transactions are there; no answer may show a part of one.
async fn never_torn(client: &Client, whole: usize, mut next: impl FnMut() -> bool) {
    let torn = "SELECT count(*) FILTER (WHERE n <> 3), count(*) FROM (SELECT tx, count(*) AS n FROM \
                (SELECT tx FROM silver.orders UNION ALL SELECT tx FROM silver.payments) AS rows GROUP BY tx) AS transactions";
    let deadline = Instant::now() + PATIENCE;
    let mut answers = std::collections::BTreeSet::new();
    loop {
        let more = next();
        let seen = ask(client, torn).await.expect("the tables are there");
        let (parts, shown) = seen.split_once('|').expect("two columns");
        assert_eq!(parts, "0", "{parts} of {shown} transactions are shown in part");
        answers.insert(shown.to_string());
        if !more && shown == whole.to_string() {
            break;
        }
        assert!(Instant::now() < deadline, "{seen} of {whole}");
    }
    assert!(answers.len() > 2, "all was shown at once, nothing could be torn: {answers:?}");
}

/// Each stream's records in order, the streams in any order against each other; `send` sends the `n`th of stream `s`.
fn shuffled(random: &mut StdRng, lengths: &[usize]) -> Vec<(usize, usize)> {
    let mut sent = vec![0; lengths.len()];
    let mut order = vec![];
    let progress = |sent: &[usize], stream: usize| sent[stream] * TRANSACTIONS / lengths[stream];
    for _ in 0..lengths.iter().sum() {
        // No stream is many transactions ahead of another: a reader's memory is bounded.
        let slowest = (0..lengths.len()).map(|stream| progress(&sent, stream)).min().unwrap_or(0);
        let stream = loop {
            let stream = random.random_range(0..lengths.len());
            if progress(&sent, stream) < slowest + 15 && sent[stream] < lengths[stream] {
                break stream;
            }
        };
        order.push((stream, sent[stream]));
        sent[stream] += 1;
    }
    order
}

const TRANSACTIONS: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_sql_server_are_whole_over_topics_and_partitions() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let streams = [("srv.db.dbo.orders", 0), ("srv.db.dbo.orders", 1), ("srv.db.dbo.payments", 0)];
    let broker = Broker::new(&[("srv.db.dbo.orders", 2), ("srv.db.dbo.payments", 1)]);
    let event = |stream: usize, tx: usize| {
        let (topic, partition) = streams[stream];
        let id = tx * 2 + partition as usize;
        let value = format!(
            "{{\"op\":\"c\",\"before\":null,\"after\":{{\"id\":{id},\"tx\":{tx}}},\"source\":{{\"connector\":\"sqlserver\",\"db\":\"db\",\
             \"commit_lsn\":\"00000000:{tx:08x}:0001\",\"change_lsn\":\"00000000:{tx:08x}:0001\",\"event_serial_no\":1,\"ts_ms\":1}}}}"
        );
        broker.send(topic, partition, &format!("{{\"id\":{id}}}"), Some(&value), None);
    };
    (0..streams.len()).for_each(|stream| event(stream, 1));
    broker.flush();
    let folder = support::folder();
    // As long as the test may take: it is the newer record of each stream that must say that a transaction is whole.
    let linger = "[transactions]\nlinger = \"10m\"\n";
    let sluice = support::serve(folder.path(), &format!("{}{linger}", broker.source(r"^srv\.")));
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM sluice.streams", "3").await;
    (0..streams.len()).for_each(|stream| event(stream, 2));
    broker.flush();
    eventually(&client, "SELECT count(*) FROM silver.orders", "2").await;
    eventually(&client, "SELECT count(*) FROM silver.payments", "1").await;
    let mut order = shuffled(&mut random, &[TRANSACTIONS; 3]).into_iter();
    let next = || {
        let more = order.by_ref().take(10).map(|(stream, n)| event(stream, n + 3)).count() > 0;
        broker.flush();
        more
    };
    // The newest has nothing newer behind it.
    never_torn(&client, TRANSACTIONS + 1, next).await;
    assert_eq!(ask(&client, "SELECT torn_transactions FROM sluice.ticks").await.as_deref(), Ok("0"), "seed {seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_debeziums_transaction_topic_are_whole_over_topics_and_partitions() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let topics = [("shop.public.orders", 2), ("shop.public.payments", 1), ("shop.transaction", 1)];
    let streams = [topics[0], (topics[0].0, 1), (topics[1].0, 0), (topics[2].0, 0)];
    let broker = Broker::new(&topics);
    let event = |stream: usize, tx: usize| {
        let (topic, partition) = (streams[stream].0, (stream == 1) as i32);
        let id = tx * 2 + partition as usize;
        let value = format!(
            "{{\"op\":\"c\",\"before\":null,\"after\":{{\"id\":{id},\"tx\":{tx}}},\"source\":{{\"connector\":\"postgresql\",\"db\":\"shop\",\
             \"lsn\":{id},\"ts_ms\":1}},\"transaction\":{{\"id\":\"{tx}:{id}\",\"total_order\":1,\"data_collection_order\":1}}}}"
        );
        broker.send(topic, partition, &format!("{{\"id\":{id}}}"), Some(&value), None);
    };
    let mark = |n: usize| {
        let (tx, end) = (n / 2, n % 2 == 1);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
        let value = match end {
            false => format!("{{\"status\":\"BEGIN\",\"id\":\"{tx}:1\",\"ts_ms\":{at}}}"),
            true => format!(
                "{{\"status\":\"END\",\"id\":\"{tx}:2\",\"event_count\":3,\"ts_ms\":{at},\"data_collections\":[\
                 {{\"data_collection\":\"public.orders\",\"event_count\":2}},{{\"data_collection\":\"public.payments\",\"event_count\":1}}]}}"
            ),
        };
        broker.send("shop.transaction", 0, &format!("{{\"id\":\"{tx}\"}}"), Some(&value), None);
    };
    (0..3).for_each(|stream| event(stream, 0));
    (0..2).for_each(mark);
    broker.flush();
    let folder = support::folder();
    let patience = "[transactions]\npatience = \"10m\"\n";
    let sluice = support::serve(folder.path(), &format!("{}{patience}", broker.source(r"^shop\.")));
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM silver.orders", "2").await;
    eventually(&client, "SELECT count(*) FROM silver.payments", "1").await;
    let lengths = [TRANSACTIONS, TRANSACTIONS, TRANSACTIONS, 2 * TRANSACTIONS];
    let mut order = shuffled(&mut random, &lengths).into_iter();
    let next = || {
        let sent = order.by_ref().take(10).map(|(stream, n)| match stream {
            3 => mark(n + 2),
            table => event(table, n + 1),
        });
        let more = sent.count() > 0;
        broker.flush();
        more
    };
    never_torn(&client, TRANSACTIONS + 1, next).await;
    assert_eq!(ask(&client, "SELECT torn_transactions FROM sluice.ticks").await.as_deref(), Ok("0"), "seed {seed}");
}

/// A table of documents as a source has it, and the events of its changes over two partitions.
struct Documents {
    random: StdRng,
    rows: BTreeMap<i64, (String, i64)>,
    lsn: i64,
    sent: [usize; 2],
}

impl Documents {
    /// A large value stays out of events that do not touch it.
    const UNSENT: &str = "__debezium_unavailable_value";

    fn send(&mut self, broker: &Broker, id: i64, op: &str, after: &str, header: Option<(&str, i64)>) {
        let value = format!(
            "{{\"op\":\"{op}\",\"before\":null,\"after\":{after},\
             \"source\":{{\"connector\":\"postgresql\",\"lsn\":{},\"ts_ms\":1}},\"ts_ms\":1}}",
            self.lsn
        );
        let partition = id.rem_euclid(2);
        let other = header.map(|(name, id)| (name, format!("{{\"id\":{id}}}")));
        let header = other.as_ref().map(|(name, id)| (*name, id.as_str()));
        broker.send("s.public.docs", partition as i32, &format!("{{\"id\":{id}}}"), Some(&value), header);
        self.sent[partition as usize] += 1;
    }

    fn change(&mut self, broker: &Broker) {
        self.lsn += 1;
        let id = self.random.random_range(0..60);
        let row = |id: i64, body: &str, n: i64| format!("{{\"id\":{id},\"body\":\"{body}\",\"n\":{n}}}");
        let Some((body, _)) = self.rows.get(&id).cloned() else {
            let body = format!("body {}", self.lsn);
            self.send(broker, id, "c", &row(id, &body, self.lsn), None);
            self.rows.insert(id, (body, self.lsn));
            return;
        };
        match self.random.random_range(0..10) {
            0 => {
                self.send(broker, id, "d", "null", None);
                self.rows.remove(&id);
            }
            1..4 => {
                let body = format!("body {}", self.lsn);
                self.send(broker, id, "u", &row(id, &body, self.lsn), None);
                self.rows.insert(id, (body, self.lsn));
            }
            4..7 => {
                self.send(broker, id, "u", &row(id, Self::UNSENT, self.lsn), None);
                self.rows.insert(id, (body, self.lsn));
            }
            _ => {
                let to = self.random.random_range(0..60);
                if self.rows.contains_key(&to) {
                    return;
                }
                self.send(broker, id, "d", "null", Some(("__debezium.newkey", to)));
                self.send(broker, to, "c", &row(to, Self::UNSENT, self.lsn), Some(("__debezium.oldkey", id)));
                self.rows.remove(&id);
                self.rows.insert(to, (body, self.lsn));
            }
        }
    }
}

fn serve(folder: &Path, broker: &Broker) -> Sluice {
    support::serve(folder, &format!("{}[lake]\nflush_interval = \"30ms\"\n", broker.source(r"^s\.")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_often_has_what_the_source_has_and_each_record_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let broker = Broker::new(&[("s.public.docs", 2)]);
    let random = StdRng::seed_from_u64(seed);
    let mut documents = Documents { random, rows: BTreeMap::new(), lsn: 0, sent: [0; 2] };
    (0..100).for_each(|_| documents.change(&broker));
    broker.flush();
    let folder = support::folder();
    let mut sluice = serve(folder.path(), &broker);
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) > 0 FROM silver.docs", "t").await;
    client
        .batch_execute("CREATE MATERIALIZED VIEW gold.bodies AS SELECT body, count(*) AS c FROM silver.docs GROUP BY 1")
        .await
        .unwrap();
    for _ in 0..15 {
        let pause = documents.random.random_range(0..150);
        for _ in 0..40 {
            documents.change(&broker);
        }
        broker.flush();
        // The instant is the point: any will do, and none is waited for.
        tokio::time::sleep(Duration::from_millis(pause)).await;
        sluice.kill();
        sluice = serve(folder.path(), &broker);
    }
    let client = sluice.connect().await;
    let wanted: Vec<String> = documents.rows.iter().map(|(id, (body, n))| format!("{id}|{body}|{n}")).collect();
    let read = "SELECT partition, count(*), count(DISTINCT \"offset\"), min(\"offset\"), max(\"offset\") FROM bronze.docs GROUP BY 1 ORDER BY 1";
    let each = documents.sent.iter().zip(0..).map(|(n, partition)| format!("{partition}|{n}|{n}|0|{}", n - 1));
    eventually(&client, read, &each.collect::<Vec<_>>().join("\n")).await;
    let dead = ask(&client, "SELECT stream, position, reason, message FROM sluice.dead_letters").await.unwrap();
    assert_eq!(dead, "", "seed {seed}");
    let rows = ask(&client, "SELECT id, body, n FROM silver.docs ORDER BY id").await.unwrap();
    assert_eq!(rows, wanted.join("\n"), "seed {seed}");
    let gold = "SELECT count(*), sum(c) FROM gold.bodies";
    let bodies: std::collections::BTreeSet<&str> = documents.rows.values().map(|(body, _)| body.as_str()).collect();
    assert_eq!(ask(&client, gold).await, Ok(format!("{}|{}", bodies.len(), documents.rows.len())), "seed {seed}");
}
