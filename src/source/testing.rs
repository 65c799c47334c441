//! Runs a source as the engine would, for tests: collects deliveries until a condition holds, with a deadline.

use super::{DeliveryLimits, DeliveryReceiver, Source, SourceContext, SourceError, SourceStatus, deliveries};
use crate::change::{Delivery, Position, Schemas, StreamId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Far beyond what anything here takes; only a broken promise reaches it.
const DEADLINE: Duration = Duration::from_secs(30);

pub struct Running {
    pub status: Arc<SourceStatus>,
    receiver: DeliveryReceiver,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), SourceError>>,
    /// All positions delivered, by stream.
    pub seen: BTreeMap<String, Vec<i64>>,
    /// Where each stream goes on, as the engine would note it.
    pub positions: HashMap<StreamId, Position>,
    pub deliveries: Vec<Delivery>,
}

pub fn start(source: Box<dyn Source>, resume: HashMap<StreamId, Position>) -> Running {
    let (out, receiver) = deliveries(DeliveryLimits::default());
    let status = SourceStatus::new(Arc::clone(source.name()), source.kind());
    let shutdown = CancellationToken::new();
    let cx = SourceContext {
        resume: resume.clone(),
        out,
        status: Arc::clone(&status),
        schemas: Arc::new(Schemas::default()),
        shutdown: shutdown.clone(),
    };
    let task = tokio::spawn(source.run(cx));
    Running { status, receiver, shutdown, task, seen: BTreeMap::new(), positions: resume, deliveries: vec![] }
}

impl Running {
    /// Takes deliveries until the condition holds.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(
                start.elapsed() < DEADLINE,
                "{what} did not happen; state {} ({}), streams {:?}, seen {:?}",
                self.status.state(),
                self.status.message(),
                self.status.streams().iter().map(|s| (s.id.to_string(), s.state(), s.message())).collect::<Vec<_>>(),
                self.seen.iter().map(|(s, p)| (s, p.len(), p.last())).collect::<Vec<_>>(),
            );
            match self.receiver.recv_timeout(Duration::from_millis(10)) {
                Ok(Some(received)) => self.take(received.delivery),
                Ok(None) => {}
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    fn take(&mut self, delivery: Delivery) {
        let seen = self.seen.entry(delivery.stream.to_string()).or_default();
        seen.extend(delivery.positions.iter().map(|p| p.0));
        let before = self.positions.insert(delivery.stream.clone(), delivery.next);
        assert!(before.is_none_or(|b| b <= delivery.next), "{} went back from {before:?}", delivery.stream);
        self.deliveries.push(delivery);
    }

    pub fn count(&self) -> usize {
        self.seen.values().map(Vec::len).sum()
    }

    /// Stops the source; the positions are what a restart would resume from.
    pub async fn stop(self) -> (HashMap<StreamId, Position>, BTreeMap<String, Vec<i64>>, Vec<Delivery>) {
        let Self { shutdown, task, receiver, positions, seen, deliveries, .. } = self;
        shutdown.cancel();
        let result = tokio::time::timeout(DEADLINE, task).await.expect("a source ends when it is told to");
        result.expect("no panic").expect("no error");
        drop(receiver);
        (positions, seen, deliveries)
    }
}
