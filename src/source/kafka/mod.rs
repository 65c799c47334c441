//! Kafka, and whatever speaks its protocol.
//!
//! Each partition is a stream, its position the offset. No consumer group: partitions are assigned with explicit offsets,
//! and where reading goes on is the engine's to say.
//!
//! ```text
//! librdkafka ─► a queue for each partition ─► reader (one thread): batch ─► decode ─► StreamSender
//!      ▲                                         ▲ │ found, lost
//!      └── metadata, watermarks ── discovery (one thread)
//! ```
//!
//! The discovery asks for metadata every `refresh_seconds` and says where each new partition begins; it alone makes
//! requests that wait for an answer, so that the reader never stands still. It also is who notices that the broker has
//! gone (`waiting`) and that what comes next has gone (`gap`).

mod client;
mod discovery;
mod queue;
mod reader;
#[cfg(test)]
mod tests;

use super::declare::{Router, TableDeclaration, TableOwners, TopicPattern, Undeclared, connector_prefix};
use super::{Source, SourceContext, SourceError, SourceState, on_own_thread};
use crate::change::StreamId;
use async_trait::async_trait;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer as _;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What a deployment says about a cluster.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`, comma-separated.
    pub brokers: String,
    /// Names, and regular expressions that begin with `^`. What `[[table]]`s name by name need not be repeated.
    #[serde(default)]
    pub topics: Vec<TopicPattern>,
    #[serde(default)]
    pub undeclared: Undeclared,
    #[serde(default)]
    pub on_gap: OnGap,
    /// How often new topics and partitions are looked for.
    #[serde(default = "five_seconds")]
    pub refresh_seconds: f64,
    /// Settings of librdkafka as they are: `security.protocol`, `sasl.password`…
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl KafkaConfig {
    fn does_not_answer(&self, reason: &str) -> String {
        format!("{} does not answer: {reason}", self.brokers)
    }

    /// Whether a topic is to be read. A pattern never means Kafka's own topics.
    fn wants(&self, topic: &str) -> bool {
        let is_kafkas = matches!(topic, "__consumer_offsets" | "__transaction_state" | "__cluster_metadata");
        self.topics.iter().any(|p| p.matches(topic) && (!is_kafkas || matches!(p, TopicPattern::Name(_))))
    }
}

fn five_seconds() -> f64 {
    5.0
}

/// Names the options, never their values: there are passwords among them.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&String> = self.options.keys().collect();
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("topics", &self.topics)
            .field("options", &options)
            .finish_non_exhaustive()
    }
}

/// What to do where the broker no longer has the records at a stream's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnGap {
    /// The stream stays where it is, in state `gap`; the others go on.
    #[default]
    Stop,
    /// It goes on with the oldest record there is; the gap is named in `sluice.streams`.
    Continue,
}

/// A Kafka cluster as a source.
pub struct KafkaSource {
    name: Arc<str>,
    config: KafkaConfig,
    client: ClientConfig,
    router: Router,
}

impl KafkaSource {
    /// Checks the configuration; connects to nothing.
    pub fn new(name: Arc<str>, mut config: KafkaConfig, tables: Vec<TableDeclaration>) -> Result<Self, SourceError> {
        for pattern in tables.iter().flat_map(|t| &t.topics) {
            if matches!(pattern, TopicPattern::Name(_)) || config.topics.is_empty() {
                config.topics.push(pattern.clone());
            }
        }
        if config.topics.is_empty() {
            let message = "no topics: name some in `topics`, or a regular expression as '^shop\\.'";
            return Err(SourceError::Config(message.to_string()));
        }
        if !(config.refresh_seconds > 0.0 && config.refresh_seconds.is_finite()) {
            return Err(SourceError::Config("`refresh_seconds` must be above 0".to_string()));
        }
        let client = client::client_config(&config)?;
        let router = Router::new(Arc::clone(&name), tables, config.undeclared).map_err(SourceError::Config)?;
        Ok(Self { name, config, client, router })
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "kafka"
    }

    fn share_tables(&mut self, owners: &Arc<TableOwners>, read: &[StreamId]) {
        self.router.share(owners);
        let topic =
            |id: &StreamId| Some(id.0.strip_prefix(&*self.name)?.strip_prefix('/')?.rsplit_once('/')?.0.to_string());
        let topics: BTreeSet<String> = read.iter().filter_map(topic).collect();
        self.router.claim_read(topics.iter().map(String::as_str));
    }

    fn router(&self) -> Router {
        self.router.again()
    }

    async fn run(self: Box<Self>, cx: SourceContext) -> Result<(), SourceError> {
        let status = Arc::clone(&cx.status);
        status.set(SourceState::Connecting, format!("connecting to {}", self.config.brokers));
        let name = Arc::clone(&self.name);
        let result = on_own_thread(&name, reader::run(*self, cx)).await;
        match &result {
            Ok(()) => status.set(SourceState::Stopped, ""),
            Err(e) => status.set(SourceState::Error, e.to_string()),
        }
        result
    }

    async fn check(&self) -> Result<Vec<String>, SourceError> {
        let listener = client::Listener::new(Arc::clone(&self.name), Arc::new(Notify::new()));
        let consumer = client::consumer(&self.client, listener)?;
        let brokers = self.config.brokers.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(10));
            // Serves the events that carry the reason: a wrong password, a certificate that is not trusted.
            let deadline = Instant::now() + Duration::from_secs(2);
            while metadata.is_err() && consumer.context().complaint().is_none() && Instant::now() < deadline {
                drop(consumer.poll(Duration::from_millis(50)));
            }
            metadata.map_err(|e| {
                let reason = consumer.context().complaint().unwrap_or_else(|| e.to_string());
                SourceError::Unreachable { what: brokers, reason }
            })
        });
        let metadata = asked.await.map_err(|e| SourceError::Crashed(e.to_string()))??;
        let all: Vec<String> = metadata.topics().iter().map(|t| t.name().to_string()).collect();
        let mut problems = Vec::new();
        let mut lines = vec![format!("{} brokers, {} topics", metadata.brokers().len(), all.len())];
        for topic in metadata.topics().iter().filter(|t| self.config.wants(t.name())) {
            let goes_to = match self.router.route(topic.name(), 0, connector_prefix(topic.name(), &all)) {
                Ok(routed) => match (&routed.route.silver, &routed.route.bronze) {
                    (Some(silver), _) => silver.to_string(),
                    (None, Some(bronze)) => format!("{bronze} only"),
                    (None, None) => "no table of its own".to_string(),
                },
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            lines.push(format!("topic {} ({} partitions) → {goes_to}", topic.name(), topic.partitions().len()));
        }
        for pattern in &self.config.topics {
            if !all.iter().any(|topic| pattern.matches(topic)) {
                lines.push(format!("topic {pattern}: not there yet"));
            }
        }
        if !problems.is_empty() {
            return Err(SourceError::Config(problems.join("; ")));
        }
        Ok(lines)
    }
}
