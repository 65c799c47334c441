//! Messages out, deliveries in: the one thread that reads all partitions of a cluster.

use super::client::{self, Consumer, Listener};
use super::discovery::{Discovery, Found, Lost};
use super::queue::{self, Item, Message, PartitionQueue};
use super::{KafkaConfig, KafkaSource};
use crate::change::{Delivery, Position, Schemas};
use crate::source::declare::StreamDecoder;
use crate::source::{
    Closed, SourceContext, SourceError, SourceState, SourceStatus, StreamSender, StreamStatus, now_us,
};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::ffi::CString;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// A delivery has about so many records and bytes at most. With schema blocks most of the bytes are gone after decoding:
/// fewer would make small deliveries of them, and a tick for each.
const BATCH_RECORDS: usize = 2048;
const BATCH_BYTES: usize = 1 << 22;

/// After a round that brought fewer records than this the reader rests for a moment: what comes meanwhile is one batch,
/// and a trickle of messages does not cost a decode, a delivery and a tick for each few of them.
const SMALL_ROUND: usize = 512;
const REST: Duration = Duration::from_millis(1);

/// How often an idle reader serves librdkafka's events and refreshes the watermarks.
const TICK: Duration = Duration::from_millis(50);

/// Runs the source until shutdown.
pub async fn run(source: KafkaSource, cx: SourceContext) -> Result<(), SourceError> {
    let complained = Arc::new(Notify::new());
    let listener = Listener::new(Arc::clone(&source.name), Arc::clone(&complained));
    let consumer = Arc::new(client::consumer(&source.client, listener)?);
    let (found_sender, mut found) = mpsc::unbounded_channel();
    let (lost_sender, lost) = mpsc::unbounded_channel();
    let discovery = Discovery {
        consumer: Arc::clone(&consumer),
        config: source.config.clone(),
        router: source.router,
        status: Arc::clone(&cx.status),
        resume: cx.resume.clone(),
        found: found_sender,
        lost,
        complained,
        known: Default::default(),
    };
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name(format!("discovery {}", source.name))
        .spawn(move || runtime.block_on(discovery.run()))
        .map_err(|e| SourceError::Crashed(e.to_string()))?;

    let mut reader = Reader {
        consumer,
        wake: Arc::new(Notify::new()),
        partitions: vec![],
        lost: lost_sender,
        status: Arc::clone(&cx.status),
        config: source.config,
        // A test takes the parallel way whatever machine it runs on.
        cores: if cfg!(test) { 4 } else { std::thread::available_parallelism().map_or(1, usize::from) },
        full: 0,
    };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let wake = Arc::clone(&reader.wake);
    loop {
        tokio::select! {
            biased;
            () = cx.shutdown.cancelled() => return Ok(()),
            partition = found.recv() => match partition {
                Some(partition) => reader.take_up(partition, &cx),
                None => return Err(SourceError::Crashed("the discovery has ended".to_string())),
            },
            () = wake.notified() => {}
            _ = tick.tick() => reader.serve_events(),
        }
        match reader.read_all() {
            Ok(0) => {}
            // More may be there already; the select lets a shutdown and new partitions in between.
            Ok(records) => {
                if records < SMALL_ROUND {
                    // The thread is the reader's own; a timer of the runtime would cost more and come later.
                    std::thread::sleep(REST);
                }
                wake.notify_one();
            }
            Err(Closed) => return Ok(()),
        }
    }
}

struct Reader {
    consumer: Arc<Consumer>,
    /// Notified when a partition has messages, or room for them.
    wake: Arc<Notify>,
    partitions: Vec<Partition>,
    lost: mpsc::UnboundedSender<Lost>,
    status: Arc<SourceStatus>,
    config: KafkaConfig,
    cores: usize,
    /// Partitions that had a full batch in the last round.
    full: usize,
}

/// A partition being read.
struct Partition {
    topic: Arc<str>,
    topic_c: CString,
    partition: i32,
    queue: PartitionQueue,
    decoder: StreamDecoder,
    sender: StreamSender,
    status: Arc<StreamStatus>,
    next: Position,
}

/// What came of reading a partition.
enum Outcome {
    /// Nothing there, or no room.
    Idle,
    Delivered {
        records: usize,
        /// There is likely more.
        full: bool,
    },
    /// The broker does not have the next offset.
    Lost,
    /// Reading on would skip something.
    Failed(String),
}

impl Reader {
    fn take_up(&mut self, found: Found, cx: &SourceContext) {
        let Found { topic, partition, start, routed } = found;
        let id = routed.route.stream.clone();
        let status = cx.status.stream(&id, &topic, partition, start);
        let queue = PartitionQueue::new(&self.consumer, &topic, partition, &self.wake);
        let (Some(queue), Ok(topic_c)) = (queue, CString::new(&*topic)) else {
            status.set(SourceState::Error, "librdkafka gives no queue for the partition");
            return;
        };
        if let Err(e) = self.consumer.incremental_assign(&one(&topic, partition, Offset::Offset(start.0))) {
            status.set(SourceState::Error, format!("the partition cannot be assigned: {e}"));
            return;
        }
        // A gap stays in sight until records flow again.
        if status.state() != SourceState::Gap {
            status.set(SourceState::Streaming, "");
        }
        let sender = cx.out.stream_waking(id, Arc::clone(&self.wake));
        let decoder = routed.decoder(Arc::<Schemas>::clone(&cx.schemas));
        self.partitions.push(Partition { topic, topic_c, partition, queue, decoder, sender, status, next: start });
    }

    fn serve_events(&mut self) {
        // Messages have queues of their own; what comes here is events, which the listener hears, and errors that it
        // has heard as well.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        // The discovery may be in the middle of a question to a broker that has gone; it also says when one answers again.
        let listener = self.consumer.context();
        if listener.take_all_down() {
            let reason = listener.complaint().unwrap_or_else(|| "all brokers are down".to_string());
            self.status.set(SourceState::Waiting, self.config.does_not_answer(&reason));
        }
        // While the broker does not answer, what is known of its end is old.
        if self.status.state() != SourceState::Waiting {
            self.partitions.iter().for_each(Partition::refresh_high);
        }
    }

    /// One batch of each partition. Gives the number of records, errors counted as one.
    fn read_all(&mut self) -> Result<usize, Closed> {
        let outcomes = self.read_each();
        let mut read = 0;
        self.full = 0;
        // From the end, so that taking one out moves none that is still to come.
        for (index, outcome) in outcomes.into_iter().enumerate().rev() {
            match outcome? {
                Outcome::Idle => {}
                Outcome::Delivered { records, full } => {
                    read += records;
                    self.full += usize::from(full);
                }
                Outcome::Lost => self.put_down(index),
                Outcome::Failed(message) => {
                    let partition = self.partitions.swap_remove(index);
                    tracing::error!(topic = %partition.topic, partition = partition.partition, message, "stopped");
                    partition.status.set(SourceState::Error, message);
                    // It is not read any more in any case.
                    drop(self.consumer.incremental_unassign(&partition.assignment()));
                }
            }
        }
        Ok(read)
    }

    /// With a backlog in several partitions, and cores beside the engine's and librdkafka's, in parallel.
    fn read_each(&mut self) -> Vec<Result<Outcome, Closed>> {
        let threads = self.full.min(self.cores.saturating_sub(2));
        if threads < 2 {
            return self.partitions.iter_mut().map(Partition::read).collect();
        }
        let share = self.partitions.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let read = |part: &mut [Partition]| part.iter_mut().map(Partition::read).collect::<Vec<_>>();
            let threads: Vec<_> =
                self.partitions.chunks_mut(share).map(|part| scope.spawn(move || read(part))).collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|e| resume_unwind(e)));
            joined.flatten().collect()
        })
    }

    /// Gives a partition back to the discovery, which finds out why and where to go on.
    fn put_down(&mut self, index: usize) {
        let partition = self.partitions.swap_remove(index);
        if let Err(e) = self.consumer.incremental_unassign(&partition.assignment()) {
            partition.status.set(SourceState::Error, format!("the partition cannot be unassigned: {e}"));
            return;
        }
        let Partition { topic, partition, next, .. } = partition;
        // A discovery that has gone is noticed by the loop.
        drop(self.lost.send(Lost { topic, partition, next }));
    }
}

impl Partition {
    fn assignment(&self) -> TopicPartitionList {
        one(&self.topic, self.partition, Offset::Invalid)
    }

    fn refresh_high(&self) {
        if let Some((_, high)) = self.queue.watermarks(&self.topic_c, self.partition) {
            self.status.set_high(Position(high));
        }
    }

    fn read(&mut self) -> Result<Outcome, Closed> {
        if !self.sender.has_room() {
            return Ok(Outcome::Idle);
        }
        let batch = self.queue.take(BATCH_RECORDS, BATCH_BYTES);
        if batch.is_empty() {
            return Ok(Outcome::Idle);
        }
        let mut messages: Vec<Message<'_>> = vec![];
        let full = batch.len() >= BATCH_RECORDS;
        let (mut next, mut end) = (self.next, Outcome::Delivered { records: batch.len(), full });
        for item in batch.items() {
            match item {
                // What lies before was delivered (a retried fetch).
                Item::Message(message) if message.offset() < next.0 => {}
                Item::Message(message) => {
                    next = Position(message.offset() + 1);
                    messages.push(message);
                }
                // Transaction markers have offsets and no message.
                Item::Error(RDKafkaErrorCode::PartitionEOF, offset, _) => {
                    next = next.max(Position(offset));
                    if self.status.state() == SourceState::Waiting {
                        self.status.set(SourceState::Streaming, "");
                    }
                }
                Item::Error(code, _, text) => match meaning(code) {
                    Meaning::Lost => end = Outcome::Lost,
                    Meaning::Wrong => end = Outcome::Failed(format!("{text} (after offset {})", next.0)),
                    Meaning::Wait => self.status.set(SourceState::Waiting, text),
                },
            }
            if !matches!(end, Outcome::Delivered { .. }) {
                break;
            }
        }
        if !messages.is_empty() {
            let mut headers = vec![];
            let records = queue::records(&messages, &mut headers);
            let mut delivery = self.decoder.decode(&records, now_us());
            delivery.next = next;
            self.send(delivery)?;
            if self.status.state() != SourceState::Streaming {
                self.status.set(SourceState::Streaming, "");
            }
        } else if next > self.next {
            let nothing = self.decoder.decode(&[], now_us());
            self.send(Delivery { next, ..nothing })?;
        }
        self.next = next;
        Ok(end)
    }

    fn send(&self, delivery: Delivery) -> Result<(), Closed> {
        // The watermark first: whoever sees the delivery also sees how much is behind it.
        self.refresh_high();
        self.status.delivered(&delivery);
        self.sender.send_now(delivery)
    }
}

/// What an error on a partition's queue asks for.
enum Meaning {
    Lost,
    Wrong,
    Wait,
}

fn meaning(code: RDKafkaErrorCode) -> Meaning {
    use RDKafkaErrorCode as E;
    match code {
        E::AutoOffsetReset | E::OffsetOutOfRange => Meaning::Lost,
        // librdkafka goes on behind the message that it could not read: we must not.
        E::BadMessage
        | E::BadCompression
        | E::InvalidMessage
        | E::InvalidMessageSize
        | E::MessageSizeTooLarge
        | E::NotImplemented
        | E::UnsupportedFeature
        | E::LogTruncation
        | E::TopicAuthorizationFailed
        | E::Fatal => Meaning::Wrong,
        _ => Meaning::Wait,
    }
}

fn one(topic: &str, partition: i32, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    let mut added = list.add_partition(topic, partition);
    added.set_offset(offset).expect("an offset that is a number or nothing is always taken");
    list
}
