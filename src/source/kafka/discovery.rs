//! What there is to read, and from where on.

use super::client::{self, Consumer};
use super::{KafkaConfig, OnGap};
use crate::change::{Position, StreamId};
use crate::source::declare::{Routed, Router, connector_prefix};
use crate::source::{Gap, SourceState, SourceStatus};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// A partition to read.
pub struct Found {
    pub topic: Arc<str>,
    pub partition: i32,
    /// The first offset to read.
    pub start: Position,
    pub routed: Routed,
}

/// The reader could not go on with a partition: the broker does not have its next offset.
pub struct Lost {
    pub topic: Arc<str>,
    pub partition: i32,
    pub next: Position,
}

/// How long a question to the broker may take.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Discovery {
    pub consumer: Arc<Consumer>,
    pub config: KafkaConfig,
    pub router: Router,
    pub status: Arc<SourceStatus>,
    /// Where the engine wants to go on.
    pub resume: HashMap<StreamId, Position>,
    pub found: mpsc::UnboundedSender<Found>,
    pub lost: mpsc::UnboundedReceiver<Lost>,
    /// librdkafka has complained: look at once.
    pub complained: Arc<Notify>,
    /// Partitions that were found, or given up.
    pub known: HashSet<StreamId>,
}

impl Discovery {
    /// Goes on until it is dropped or the reader has gone.
    pub async fn run(mut self) {
        const SHORTEST: Duration = Duration::from_millis(200);
        let refresh = Duration::from_secs_f64(self.config.refresh_seconds);
        let mut backoff = SHORTEST;
        let mut failures = 0u32;
        while !self.found.is_closed() {
            let pause = match self.look() {
                Ok(true) => {
                    backoff = SHORTEST;
                    failures = 0;
                    refresh
                }
                // Some partition has no answer yet.
                Ok(false) => SHORTEST,
                Err(e) => {
                    let reason = self.consumer.context().complaint().unwrap_or_else(|| e.to_string());
                    self.status.set(SourceState::Waiting, self.config.does_not_answer(&reason));
                    backoff = (backoff * 2).min(PATIENCE);
                    failures += 1;
                    // Not each time: librdkafka keeps every list that it is told.
                    if failures.is_power_of_two() || failures.is_multiple_of(32) {
                        client::add_brokers(&self.consumer, &self.config.brokers);
                    }
                    backoff
                }
            };
            tokio::select! {
                () = self.found.closed() => return,
                lost = self.lost.recv() => match lost {
                    Some(lost) => {
                        self.forget(lost);
                        // Once in a while at most, should the broker contradict itself.
                        tokio::time::sleep(SHORTEST).await;
                    }
                    None => return,
                },
                // A complaint cuts the refresh short, not the backoff.
                () = async {
                    tokio::time::sleep(SHORTEST.min(pause)).await;
                    tokio::select! {
                        () = self.complained.notified() => {}
                        () = tokio::time::sleep(pause.saturating_sub(SHORTEST)) => {}
                    }
                } => {}
            }
        }
    }

    fn forget(&mut self, lost: Lost) {
        let id = self.router.stream_id(&lost.topic, lost.partition);
        self.known.remove(&id);
        self.resume.insert(id, lost.next);
    }

    /// One look at the cluster. `Ok(false)`: there is something to ask again soon.
    fn look(&mut self) -> Result<bool, KafkaError> {
        let metadata = self.consumer.fetch_metadata(None, PATIENCE)?;
        self.consumer.context().forget_complaint();
        let mut all: Vec<String> = metadata.topics().iter().map(|t| t.name().to_string()).collect();
        // The same order always: who comes first gets an undeclared table's name.
        all.sort();
        let mut complete = true;
        let wanted: Vec<&String> = all.iter().filter(|name| self.config.wants(name)).collect();
        for name in wanted {
            let Some(topic) = metadata.topics().iter().find(|t| t.name() == name) else { continue };
            for partition in topic.partitions() {
                complete &= self.partition(name, partition.id(), connector_prefix(name, &all));
            }
        }
        let missing: Vec<String> = self
            .config
            .topics
            .iter()
            .filter(|pattern| !all.iter().any(|topic| pattern.matches(topic)))
            .map(ToString::to_string)
            .collect();
        match (missing.is_empty(), self.known.is_empty()) {
            (true, false) => self.status.set(SourceState::Streaming, ""),
            (false, false) => {
                self.status.set(SourceState::Streaming, format!("no topic yet for {}", missing.join(", ")));
            }
            (false, true) => {
                self.status.set(SourceState::Waiting, format!("no topic yet for {}", missing.join(", ")));
            }
            (true, true) => {}
        }
        Ok(complete)
    }

    /// Takes up a partition that is new; false: ask again soon.
    fn partition(&mut self, topic: &str, partition: i32, prefix: Option<&str>) -> bool {
        let id = self.router.stream_id(topic, partition);
        if self.known.contains(&id) {
            return true;
        }
        let resume = self.resume.get(&id).copied();
        let stream = self.status.stream(&id, topic, partition, resume.unwrap_or_default());
        let routed = match self.router.route(topic, partition, prefix) {
            Ok(routed) => routed,
            Err(problem) => {
                tracing::error!(source = %self.status.name, topic, partition, problem, "a partition is not read");
                stream.set(SourceState::Error, problem);
                self.known.insert(id);
                return true;
            }
        };
        let (low, high) = match self.consumer.fetch_watermarks(topic, partition, PATIENCE) {
            Ok(watermarks) => watermarks,
            Err(e) => {
                let forbidden = e.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
                let state = if forbidden { SourceState::Error } else { SourceState::Waiting };
                stream.set(state, format!("its offsets cannot be asked for: {e}"));
                return forbidden;
            }
        };
        stream.set_high(Position(high));
        self.known.insert(id);
        let start = match resume {
            None => low,
            Some(next) if (low..=high).contains(&next.0) => next.0,
            Some(next) => {
                let message = match next.0 < low {
                    true => format!("the broker no longer has offsets {next} up to {low}: they were not read"),
                    false => format!(
                        "the topic ends at {high}, before the position {next}: it was deleted and made anew, or restored"
                    ),
                };
                tracing::warn!(source = %self.status.name, topic, partition, message, "gap");
                stream.add_gap(Gap { from: next, to: Position(low) });
                if self.config.on_gap == OnGap::Stop {
                    let hint = "`on_gap = \"continue\"` goes on with the oldest record there is";
                    stream.set(SourceState::Gap, format!("{message}; {hint}"));
                    return true;
                }
                stream.set(SourceState::Gap, message);
                low
            }
        };
        stream.set_next(Position(start));
        let found = Found { topic: topic.into(), partition, start: Position(start), routed };
        // A reader that has gone is noticed by the loop.
        drop(self.found.send(found));
        true
    }
}
