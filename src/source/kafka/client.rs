//! The librdkafka client: its settings, and where its log and errors go.

use super::super::SourceError;
use super::KafkaConfig;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

pub type Consumer = BaseConsumer<Listener>;

/// Hears what librdkafka says.
pub struct Listener {
    source: Arc<str>,
    /// The last complaint about a broker, until one has answered.
    complaint: Mutex<Option<String>>,
    /// No broker is connected, and nobody was told yet.
    all_down: AtomicBool,
    /// Notified with each complaint.
    complained: Arc<Notify>,
}

impl Listener {
    pub fn new(source: Arc<str>, complained: Arc<Notify>) -> Self {
        Self { source, complaint: Mutex::default(), all_down: AtomicBool::new(false), complained }
    }

    pub fn complaint(&self) -> Option<String> {
        self.complaint.lock().clone()
    }

    /// A broker has answered.
    pub fn forget_complaint(&self) {
        *self.complaint.lock() = None;
    }

    /// Whether all brokers have gone since this was last asked.
    pub fn take_all_down(&self) -> bool {
        self.all_down.swap(false, Ordering::AcqRel)
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // librdkafka repeats itself while a broker is away; the source's state says it once.
        let level = level as i32;
        tracing::debug!(source = %self.source, level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(source = %self.source, error = %error, reason, "librdkafka error");
        match error.rdkafka_error_code() {
            // The complaints before it say why.
            Some(RDKafkaErrorCode::AllBrokersDown) => self.all_down.store(true, Ordering::Release),
            _ if reason.is_empty() => *self.complaint.lock() = Some(error.to_string()),
            _ => *self.complaint.lock() = Some(reason.to_string()),
        }
        self.complained.notify_one();
    }
}

impl ConsumerContext for Listener {}

/// Settings that promises hang on; a deployment may not set them.
const OURS: [(&str, &str); 6] = [
    // Positions are the lake's; nothing is read from or written to a group.
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // An offset that is gone is an error that we see, never a jump.
    ("auto.offset.reset", "error"),
    // Tells when all is read, transaction markers included.
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    // Only records of transactions that were committed.
    ("isolation.level", "read_committed"),
];

/// Settings that a deployment may change.
const DEFAULTS: [(&str, &str); 12] = [
    // Never joined; librdkafka wants a name.
    ("group.id", "sluice"),
    ("client.id", "sluice"),
    ("message.max.bytes", "67108864"),
    ("fetch.message.max.bytes", "1048576"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.error.backoff.ms", "200"),
    ("queued.max.messages.kbytes", "16384"),
    // How long a full queue rests before the next fetch. We empty it in less than a tenth of librdkafka's second.
    ("fetch.queue.backoff.ms", "5"),
    ("reconnect.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "3000"),
    ("topic.metadata.refresh.interval.ms", "10000"),
    ("socket.keepalive.enable", "true"),
];

/// The settings of a source's client.
pub fn client_config(config: &KafkaConfig) -> Result<ClientConfig, SourceError> {
    let mut client = ClientConfig::new();
    for (key, value) in DEFAULTS {
        client.set(key, value);
    }
    client.set("bootstrap.servers", &config.brokers);
    for (key, value) in &config.options {
        if OURS.iter().any(|(ours, wanted)| ours == key && wanted != value) && key != "isolation.level" {
            return Err(SourceError::Config(format!("option \"{key}\" cannot be set: the source depends on it")));
        }
        client.set(key, value);
    }
    for (key, value) in OURS {
        if key != "isolation.level" || !config.options.contains_key(key) {
            client.set(key, value);
        }
    }
    client.set_log_level(RDKafkaLogLevel::Info);
    // librdkafka's message names the option that it does not know or the value that it does not take.
    client.create_native_config().map_err(|e| SourceError::Config(format!("options: {e}")))?;
    Ok(client)
}

/// Tells a client its brokers again. librdkafka (2.12) drops all of them over an answer that names none, as Kafka gives while its
/// controller has not heard of the broker; it starts anew with those of its configuration, but where the threads meet at the wrong
/// moment it is left with nobody to ask.
pub fn add_brokers(consumer: &Consumer, brokers: &str) {
    let Ok(brokers) = std::ffi::CString::new(brokers) else { return };
    // SAFETY: the client lives as long as `consumer`; librdkafka copies the list.
    unsafe { rdkafka::bindings::rd_kafka_brokers_add(consumer.client().native_ptr(), brokers.as_ptr()) };
}

/// A client; it connects in the background.
pub fn consumer(config: &ClientConfig, listener: Listener) -> Result<Consumer, SourceError> {
    config.create_with_context(listener).map_err(|e| SourceError::Config(format!("options: {e}")))
}
