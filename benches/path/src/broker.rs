//! A Kafka-protocol broker with one topic of one partition, whose records are made when they are fetched.
//!
//! It keeps nothing: record `n` follows from `n`, and the log's end is a number that the bench moves. So a run may be as
//! long as it likes, a producer costs nothing, and an event is acknowledged at the instant at which the end moves over it.
//! Spoken: ApiVersions 0, Metadata 0–1, ListOffsets 0–1, Fetch 0–4 (uncompressed batches of about 16 KB, Kafka's usual size).

use crate::event::Events;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub const TOPIC: &str = "bench.Bench.dbo.orders";
const BATCH_BYTES: usize = 16_384;
/// How long a fetch that finds nothing sleeps before it looks again.
const LOOK_AGAIN: Duration = Duration::from_micros(250);

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;
/// What is offered, with the versions. Produce is named because clients derive the record format from it.
const OFFERED: [(i16, i16, i16); 5] =
    [(PRODUCE, 0, 3), (FETCH, 0, 4), (LIST_OFFSETS, 0, 1), (METADATA, 0, 1), (API_VERSIONS, 0, 0)];

pub struct Broker {
    pub port: u16,
    log: Arc<Log>,
}

struct Log {
    events: Events,
    /// The offset that the next record will have: everything below it is acknowledged.
    end: AtomicI64,
    served: AtomicU64,
}

impl Broker {
    pub fn start(with_schema: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let events = Events::new(with_schema);
        let log = Arc::new(Log { events, end: AtomicI64::new(0), served: AtomicU64::new(0) });
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let log = Arc::clone(&shared);
                // A client that goes away ends its thread.
                std::thread::spawn(move || drop(serve(stream, port, &log)));
            }
        });
        Self { port, log }
    }

    /// Acknowledges every record below `end`.
    pub fn acknowledge(&self, end: u64) {
        self.log.end.store(end as i64, Ordering::Release);
    }

    /// The offset after the newest record that was handed out.
    pub fn served(&self) -> u64 {
        self.log.served.load(Ordering::Acquire)
    }
}

/// Reads the parts of a request.
struct Request<'a>(&'a [u8]);

impl Request<'_> {
    fn bytes(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn i16(&mut self) -> i16 {
        self.bytes(2).try_into().map_or(0, i16::from_be_bytes)
    }

    fn i32(&mut self) -> i32 {
        self.bytes(4).try_into().map_or(0, i32::from_be_bytes)
    }

    fn i64(&mut self) -> i64 {
        self.bytes(8).try_into().map_or(0, i64::from_be_bytes)
    }

    fn string(&mut self) {
        let length = self.i16().max(0) as usize;
        self.bytes(length);
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn serve(mut stream: TcpStream, port: u16, log: &Log) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    let mut answer = Vec::new();
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        request.resize(u32::from_be_bytes(size) as usize, 0);
        stream.read_exact(&mut request)?;
        let mut request = Request(&request);
        let (api, version, correlation) = (request.i16(), request.i16(), request.i32());
        request.string();
        answer.clear();
        answer.extend([0; 4]);
        answer.extend(correlation.to_be_bytes());
        match api {
            API_VERSIONS => api_versions(version, &mut answer),
            METADATA => metadata(version, port, &mut answer),
            LIST_OFFSETS => list_offsets(version, &mut request, log, &mut answer),
            FETCH => fetch(version, &mut request, log, &mut answer),
            _ => return Ok(()),
        }
        let size = (answer.len() - 4) as u32;
        answer[..4].copy_from_slice(&size.to_be_bytes());
        stream.write_all(&answer)?;
    }
}

fn api_versions(version: i16, out: &mut Vec<u8>) {
    let error = if version == 0 { 0 } else { UNSUPPORTED_VERSION };
    out.extend(error.to_be_bytes());
    out.extend((OFFERED.len() as i32).to_be_bytes());
    for (api, least, greatest) in OFFERED {
        out.extend(api.to_be_bytes());
        out.extend(least.to_be_bytes());
        out.extend(greatest.to_be_bytes());
    }
}

/// One broker, number 1, that leads partition 0 of the topic; whatever was asked for.
fn metadata(version: i16, port: u16, out: &mut Vec<u8>) {
    out.extend(1i32.to_be_bytes());
    out.extend(1i32.to_be_bytes());
    put_string(out, "127.0.0.1");
    out.extend(i32::from(port).to_be_bytes());
    if version >= 1 {
        // No rack; the controller.
        out.extend((-1i16).to_be_bytes());
        out.extend(1i32.to_be_bytes());
    }
    out.extend(1i32.to_be_bytes());
    out.extend(0i16.to_be_bytes());
    put_string(out, TOPIC);
    if version >= 1 {
        out.push(0);
    }
    out.extend(1i32.to_be_bytes());
    out.extend(0i16.to_be_bytes());
    // Partition, leader, replicas, those in sync.
    for number in [0i32, 1, 1, 1, 1, 1] {
        out.extend(number.to_be_bytes());
    }
}

fn list_offsets(version: i16, request: &mut Request<'_>, log: &Log, out: &mut Vec<u8>) {
    const EARLIEST: i64 = -2;
    request.i32();
    request.i32();
    request.string();
    request.i32();
    request.i32();
    let offset = if request.i64() == EARLIEST { 0 } else { log.end.load(Ordering::Acquire) };
    out.extend(1i32.to_be_bytes());
    put_string(out, TOPIC);
    out.extend(1i32.to_be_bytes());
    out.extend(0i32.to_be_bytes());
    out.extend(0i16.to_be_bytes());
    match version {
        0 => out.extend(1i32.to_be_bytes()),
        _ => out.extend((-1i64).to_be_bytes()),
    }
    out.extend(offset.to_be_bytes());
}

fn fetch(version: i16, request: &mut Request<'_>, log: &Log, out: &mut Vec<u8>) {
    request.i32();
    let longest = Duration::from_millis(request.i32().max(0) as u64);
    request.i32();
    if version >= 3 {
        request.i32();
    }
    if version >= 4 {
        request.bytes(1);
    }
    let topics = request.i32();
    let asked = (topics > 0).then(|| {
        request.string();
        request.i32();
        request.i32();
        (request.i64(), request.i32().max(1) as usize)
    });
    let begun = Instant::now();
    let mut end = log.end.load(Ordering::Acquire);
    while asked.is_none_or(|(offset, _)| offset >= end) && begun.elapsed() < longest {
        std::thread::sleep(LOOK_AGAIN);
        end = log.end.load(Ordering::Acquire);
    }
    if version >= 1 {
        out.extend(0i32.to_be_bytes());
    }
    let Some((offset, most)) = asked else {
        out.extend(0i32.to_be_bytes());
        return;
    };
    out.extend(1i32.to_be_bytes());
    put_string(out, TOPIC);
    out.extend(1i32.to_be_bytes());
    out.extend(0i32.to_be_bytes());
    out.extend(0i16.to_be_bytes());
    out.extend(end.to_be_bytes());
    if version >= 4 {
        // The last stable offset; no aborted transactions.
        out.extend(end.to_be_bytes());
        out.extend((-1i32).to_be_bytes());
    }
    let start = out.len();
    out.extend([0; 4]);
    let mut next = offset;
    while next < end && out.len() - start < most {
        next = batch(log, next, end, out);
    }
    let size = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    log.served.fetch_max(next as u64, Ordering::AcqRel);
}

/// One record batch of format 2; gives the offset after it. Its checksum is 0: consumers do not check it unless told to.
fn batch(log: &Log, first: i64, end: i64, out: &mut Vec<u8>) -> i64 {
    let start = out.len();
    out.extend(first.to_be_bytes());
    out.extend([0; 4]);
    out.extend(0i32.to_be_bytes());
    out.push(2);
    out.extend(0u32.to_be_bytes());
    out.extend(0i16.to_be_bytes());
    let count_at = out.len();
    out.extend([0; 4]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    out.extend(now.to_be_bytes());
    out.extend(now.to_be_bytes());
    // No transactional producer.
    out.extend((-1i64).to_be_bytes());
    out.extend((-1i16).to_be_bytes());
    out.extend((-1i32).to_be_bytes());
    out.extend([0; 4]);
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut next = first;
    while next < end && out.len() - start < BATCH_BYTES {
        key.clear();
        value.clear();
        log.events.write(next as u64, &mut key, &mut value);
        let mut head = Vec::with_capacity(32);
        // Attributes, time delta, offset delta.
        head.push(0);
        varint(&mut head, 0);
        varint(&mut head, next - first);
        varint(&mut head, key.len() as i64);
        let mut middle = Vec::with_capacity(8);
        varint(&mut middle, value.len() as i64);
        varint(out, (head.len() + key.len() + middle.len() + value.len() + 1) as i64);
        out.extend_from_slice(&head);
        out.extend_from_slice(&key);
        out.extend_from_slice(&middle);
        out.extend_from_slice(&value);
        // No headers.
        varint(out, 0);
        next += 1;
    }
    let length = (out.len() - start - 12) as u32;
    out[start + 8..start + 12].copy_from_slice(&length.to_be_bytes());
    let count = (next - first) as u32;
    out[count_at..count_at + 4].copy_from_slice(&(count - 1).to_be_bytes());
    out[count_at + 34..count_at + 38].copy_from_slice(&count.to_be_bytes());
    next
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
