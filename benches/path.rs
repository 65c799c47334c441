//! The whole path: a broker, the release binary, a client.
//!
//! `cargo bench --bench path [-- events]`. A Kafka-protocol broker (librdkafka's mock cluster) and the producer run in this process,
//! `sluice` in its own, so that its CPU time is its own too. Prints, for events without and with a schema block:
//!
//! - CPU per event from the broker to silver queryable and everything flushed to Delta, and as a ratio to a baseline in the
//!   same run: the same payloads parsed into Arrow by arrow's own JSON reader, on one thread, nothing stored;
//! - freshness at a fixed rate: from the broker's acknowledgement to visible in a gold view by a polling client;
//! - resident memory under a sustained overload.

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

const KEYS: u64 = 100_000;
/// The mock broker keeps about 5 MB of a partition; the producer stays this far ahead at most.
const AHEAD_BYTES: u64 = 3_500_000;
/// How often the producer asks how far sluice is: each question costs sluice some CPU, too, and counts.
const ASK_EVERY: Duration = Duration::from_millis(10);
const SEGMENTS: [&str; 4] = ["retail", "wholesale", "online", "partner"];

fn now_us() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
}

/// An event of about 550 bytes as Debezium's SQL Server connector writes them.
fn event(n: u64, schema: bool) -> (String, String) {
    let id = n.wrapping_mul(7919) % KEYS;
    let op = if n < KEYS { "c" } else { "u" };
    let ms = now_us() / 1000;
    let payload = format!(
        "{{\"before\":null,\"after\":{{\"id\":{id},\"seq\":{n},\"segment\":\"{}\",\"status\":\"paid\",\"amount\":\"{}.{:02}\",\
         \"customer_id\":{},\"created_at\":{ms},\"note\":\"an order of the benchmark, number {n}\"}},\
         \"source\":{{\"version\":\"3.0.7.Final\",\"connector\":\"sqlserver\",\"name\":\"bench\",\"ts_ms\":{ms},\"snapshot\":\"false\",\
         \"db\":\"Bench\",\"sequence\":null,\"ts_us\":{ms}000,\"ts_ns\":{ms}000000,\"schema\":\"dbo\",\"table\":\"orders\",\
         \"change_lsn\":\"{:08x}:{:08x}:0003\",\"commit_lsn\":\"{:08x}:{:08x}:0005\",\"event_serial_no\":1}},\
         \"transaction\":null,\"op\":\"{op}\",\"ts_ms\":{ms},\"ts_us\":{ms}123,\"ts_ns\":{ms}123456}}",
        SEGMENTS[(id % 4) as usize],
        n % 1000,
        n % 100,
        id % 1000,
        n >> 32,
        n & 0xffff_ffff,
        n >> 32,
        n & 0xffff_ffff,
    );
    let key = format!("{{\"id\":{id}}}");
    match schema {
        false => (key, payload),
        true => (
            format!("{{\"schema\":{KEY_SCHEMA},\"payload\":{key}}}"),
            format!("{{\"schema\":{},\"payload\":{payload}}}", value_schema()),
        ),
    }
}

const KEY_SCHEMA: &str = r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false,"name":"bench.Bench.dbo.orders.Key"}"#;

/// The schema block that Debezium sends with each event.
fn value_schema() -> String {
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
        field("int32", "customer_id", ""),
        field("int64", "created_at", "io.debezium.time.Timestamp"),
        field("string", "note", ""),
    ]
    .join(",");
    let source: Vec<String> =
        ["version", "connector", "name", "snapshot", "db", "sequence", "schema", "table", "change_lsn", "commit_lsn"]
            .iter()
            .map(|n| field("string", n, ""))
            .chain(["ts_ms", "ts_us", "ts_ns", "event_serial_no"].iter().map(|n| field("int64", n, "")))
            .collect();
    let stamps: Vec<String> = ["ts_ms", "ts_us", "ts_ns"].iter().map(|n| field("int64", n, "")).collect();
    format!(
        "{{\"type\":\"struct\",\"fields\":[\
         {{\"type\":\"struct\",\"fields\":[{row}],\"optional\":true,\"name\":\"bench.Bench.dbo.orders.Value\",\"field\":\"before\"}},\
         {{\"type\":\"struct\",\"fields\":[{row}],\"optional\":true,\"name\":\"bench.Bench.dbo.orders.Value\",\"field\":\"after\"}},\
         {{\"type\":\"struct\",\"fields\":[{}],\"optional\":false,\"name\":\"io.debezium.connector.sqlserver.Source\",\"field\":\"source\"}},\
         {{\"type\":\"string\",\"optional\":true,\"field\":\"transaction\"}},{{\"type\":\"string\",\"optional\":false,\"field\":\"op\"}},{}],\
         \"optional\":false,\"name\":\"bench.Bench.dbo.orders.Envelope\",\"version\":2}}",
        source.join(","),
        stamps.join(","),
    )
}

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `[[…]]` and the rest of a deployment over the mock cluster.
fn start(folder: &Path, brokers: &str) -> Server {
    let config = format!(
        "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n[lake]\nurl = \"lake\"\n[kafka.bench]\nbrokers = \"{brokers}\"\n\
         topics = [\"bench.Bench.dbo.orders\"]\nrefresh = \"1s\"\n[[kafka.bench.table]]\nname = \"orders\"\n\
         topics = [\"bench.Bench.dbo.orders\"]\ncolumns = [\"id bigint not null\", \"seq bigint\", \"segment text\", \"status text\", \
         \"amount numeric(12,2)\", \"customer_id int\", \"created_at timestamp(3)\", \"note text\"]\n"
    );
    std::fs::write(folder.join("sluice.toml"), config).expect("the folder can be written");
    // Another build may be measured with the same load.
    let binary = std::env::var("SLUICE_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_sluice").to_string());
    let mut child = Command::new(binary)
        .args(["serve", "--config", "sluice.toml"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let out = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut lines = out.lines().map_while(Result::ok);
    let line = lines.find(|l| l.starts_with("listening: postgresql on ")).expect("sluice comes up");
    std::thread::spawn(move || lines.for_each(drop));
    let port = line.rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port");
    Server { child, port }
}

impl Server {
    /// User and system CPU time so far.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the process is there");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("a name in brackets").split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap_or(0) + fields[12].parse::<u64>().unwrap_or(0);
        Duration::from_millis(ticks * 10)
    }

    fn resident_mib(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap_or_default();
        statm.split(' ').nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) / 256
    }

    async fn connect(&self) -> Client {
        let config = format!("host=127.0.0.1 port={} user=bench dbname=sluice", self.port);
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.expect("sluice takes connections");
        tokio::spawn(connection);
        client
    }
}

/// A number, or `None` while its table is not there.
async fn number(client: &Client, sql: &str) -> Option<i64> {
    client.query_one(sql, &[]).await.ok().and_then(|row| row.try_get::<_, Option<i64>>(0).ok().flatten())
}

async fn until(client: &Client, sql: &str, least: i64) {
    while number(client, sql).await.unwrap_or(i64::MIN) < least {
        tokio::time::sleep(ASK_EVERY).await;
    }
}

type Bench =
    (MockCluster<'static, DefaultProducerContext>, ThreadedProducer<DefaultProducerContext>, tempfile::TempDir, Server);

fn bench() -> Bench {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    cluster.create_topic("bench.Bench.dbo.orders", 1, 1).expect("a topic");
    let producer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("linger.ms", "1")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer");
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path(), &cluster.bootstrap_servers());
    (cluster, producer, folder, server)
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, key: &str, value: &str) {
    let mut record = BaseRecord::to("bench.Bench.dbo.orders").partition(0).key(key).payload(value);
    while let Err((_, back)) = producer.send(record) {
        record = back;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// CPU µs per event, everything flushed at the end.
async fn ingest(events: u64, schema: bool) -> f64 {
    let (_cluster, producer, _folder, server) = bench();
    let client = server.connect().await;
    let (key, value) = event(0, schema);
    send(&producer, &key, &value);
    let bytes = (key.len() + value.len()) as u64 + 30;
    let seen = "SELECT position FROM sluice.streams";
    until(&client, seen, 1).await;
    let before = server.cpu();
    let begun = Instant::now();
    let mut visible = 1;
    for n in 1..events {
        let (key, value) = event(n, schema);
        send(&producer, &key, &value);
        while (n - visible) * bytes >= AHEAD_BYTES {
            tokio::time::sleep(ASK_EVERY).await;
            visible = number(&client, seen).await.unwrap_or(0) as u64;
        }
    }
    until(&client, seen, events as i64).await;
    until(&client, "SELECT min(checkpoint) FROM sluice.streams", events as i64).await;
    let spent = server.cpu() - before;
    let rows = number(&client, "SELECT count(*) FROM silver.orders").await;
    let bronze = number(&client, "SELECT count(*) FROM bronze.orders").await;
    assert_eq!((rows, bronze), (Some(events.min(KEYS) as i64), Some(events as i64)));
    let per_event = spent.as_secs_f64() * 1e6 / events as f64;
    println!(
        "  {events} events in {:.1} s wall, {:.2} µs of CPU per event, {} MiB resident",
        begun.elapsed().as_secs_f64(),
        per_event,
        server.resident_mib()
    );
    per_event
}

/// CPU µs per event of arrow's own JSON reader over the same payloads.
fn baseline(events: u64, schema: bool) -> f64 {
    use arrow::datatypes::{DataType, Field, Fields, Schema};
    let text: Vec<u8> =
        (0..events.min(50_000)).flat_map(|n| [event(n, schema).1, "\n".to_string()].concat().into_bytes()).collect();
    let field = |name: &str, ty| Field::new(name, ty, true);
    let after = Fields::from(vec![
        field("id", DataType::Int64),
        field("seq", DataType::Int64),
        field("segment", DataType::Utf8),
        field("status", DataType::Utf8),
        field("amount", DataType::Utf8),
        field("customer_id", DataType::Int32),
        field("created_at", DataType::Int64),
        field("note", DataType::Utf8),
    ]);
    let source = Fields::from(vec![field("ts_ms", DataType::Int64), field("commit_lsn", DataType::Utf8)]);
    let envelope = vec![
        field("after", DataType::Struct(after)),
        field("source", DataType::Struct(source)),
        field("op", DataType::Utf8),
    ];
    let fields = match schema {
        false => envelope,
        true => vec![field("payload", DataType::Struct(envelope.into()))],
    };
    let begun = Instant::now();
    let reader = arrow_json::ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_batch_size(8192)
        .build(&text[..])
        .expect("a schema");
    let rows: usize = reader.map(|batch| batch.expect("the events are JSON").num_rows()).sum();
    begun.elapsed().as_secs_f64() * 1e6 / rows as f64
}

/// p50 and p99 in ms, from acknowledged to visible in gold.
async fn freshness(rate: u64, seconds: u64) -> (f64, f64) {
    let (_cluster, producer, _folder, server) = bench();
    let client = server.connect().await;
    let (key, value) = event(0, false);
    send(&producer, &key, &value);
    until(&client, "SELECT count(*) FROM silver.orders", 1).await;
    client
        .batch_execute(
            "CREATE MATERIALIZED VIEW gold.kpi AS SELECT segment, count(*) AS orders, sum(amount) AS revenue, avg(amount) AS mean, \
             max(seq) AS newest FROM silver.orders GROUP BY segment",
        )
        .await
        .expect("the view can be made");
    let done = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(parking_lot::Mutex::new(Vec::<(u64, Instant)>::new()));
    let (stop, log, sender) = (Arc::clone(&done), Arc::clone(&acknowledged), producer.clone());
    let producing = std::thread::spawn(move || {
        let begun = Instant::now();
        let mut n = 1;
        while begun.elapsed() < Duration::from_secs(seconds) {
            let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
            while n <= due {
                let (key, value) = event(n, false);
                send(&sender, &key, &value);
                n += 1;
            }
            // What has left the queue is acknowledged: this producer has nothing else in flight.
            if sender.flush(Duration::from_secs(5)).is_ok() {
                log.lock().push((n - 1, Instant::now()));
            }
        }
        stop.store(true, Ordering::Release);
    });
    let newest = client.prepare("SELECT max(newest) FROM gold.kpi").await.expect("gold can be read");
    let mut seen: Vec<(u64, Instant)> = Vec::new();
    while !done.load(Ordering::Acquire) {
        let row = client.query_one(&newest, &[]).await.expect("gold can be read");
        seen.push((row.get::<_, Option<i64>>(0).unwrap_or(0) as u64, Instant::now()));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    producing.join().expect("the producer ends");
    let mut lags: Vec<f64> = Vec::new();
    for (n, at) in acknowledged.lock().iter() {
        if let Some((_, visible)) = seen.iter().find(|(newest, _)| newest >= n) {
            lags.push(visible.saturating_duration_since(*at).as_secs_f64() * 1e3);
        }
    }
    lags.sort_by(f64::total_cmp);
    let at = |q: f64| lags.get((lags.len() as f64 * q) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "  {rate} events/s: {} samples, {} MiB resident, CPU {:.2} of a core",
        lags.len(),
        server.resident_mib(),
        server.cpu().as_secs_f64() / seconds as f64
    );
    (at(0.50), at(0.99))
}

fn main() {
    let events: u64 = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(400_000);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    println!(
        "an event has {} bytes without and {} with its schema block",
        event(1, false).1.len(),
        event(1, true).1.len()
    );
    println!("broker → silver queryable and flushed:");
    let plain = runtime.block_on(ingest(events, false));
    let base = baseline(events, false);
    println!("  = {:.1} × parsing alone ({base:.2} µs)   target: at most 4 µs", plain / base);
    println!("with schema block:");
    let with_schema = runtime.block_on(ingest(events / 4, true));
    let base = baseline(events, true);
    println!(
        "  = {:.1} × parsing alone ({base:.2} µs), {:.2} × without block   target: at most 1.3 ×",
        with_schema / base,
        with_schema / plain
    );
    println!("acknowledged → visible in gold:");
    for rate in [2_000, 10_000] {
        let (p50, p99) = runtime.block_on(freshness(rate, 20));
        println!("  p50 {p50:.1} ms, p99 {p99:.1} ms   target at 10,000/s: p99 below 100 ms");
    }
}
