//! The way from sources to the engine: a queue that is bounded per stream.
//!
//! Every stream may have a share of the budget in flight (sent and not yet released by the engine), and at least one
//! delivery whatever its size. The bound is per stream and not for all together, because the engine may hold a
//! stream's changes until another stream has caught up (a source transaction over several tables): with one bound for
//! all, the first could fill it and keep the second out for ever.

use super::Delivery;
use crate::change::StreamId;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How much may be in flight.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryLimits {
    /// Bytes of all streams together, divided evenly among them.
    pub bytes: usize,
    /// What a stream may always have, however many there are.
    pub min_stream_bytes: usize,
    /// Deliveries of one stream.
    pub batches: usize,
}

impl Default for DeliveryLimits {
    fn default() -> Self {
        Self { bytes: 128 << 20, min_stream_bytes: 1 << 20, batches: 64 }
    }
}

struct Shared {
    limits: DeliveryLimits,
    streams: AtomicUsize,
    bytes_in_flight: AtomicUsize,
}

/// The sources' end; cheap to clone. Each stream gets its own [`StreamSender`].
#[derive(Clone)]
pub struct DeliverySender {
    queue: Sender<Received>,
    shared: Arc<Shared>,
}

/// The engine's end; made for a plain thread.
pub struct DeliveryReceiver {
    queue: Receiver<Received>,
    shared: Arc<Shared>,
}

/// The engine is gone; a source that sees this ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine takes no more deliveries")]
pub struct Closed;

/// A delivery, and its claim on the stream's budget: dropping `hold` lets the stream send more.
#[derive(Debug)]
pub struct Received {
    pub delivery: Delivery,
    pub hold: Hold,
}

/// A claim on a stream's budget, given back when dropped.
pub struct Hold {
    bytes: usize,
    flight: Arc<Flight>,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hold({} bytes)", self.bytes)
    }
}

/// What one stream has in flight.
struct Flight {
    bytes: AtomicUsize,
    batches: AtomicUsize,
    released: Arc<Notify>,
    shared: Arc<Shared>,
}

/// A queue from sources to the engine.
pub fn deliveries(limits: DeliveryLimits) -> (DeliverySender, DeliveryReceiver) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let shared = Arc::new(Shared { limits, streams: AtomicUsize::new(0), bytes_in_flight: AtomicUsize::new(0) });
    (DeliverySender { queue: sender, shared: Arc::clone(&shared) }, DeliveryReceiver { queue: receiver, shared })
}

impl DeliverySender {
    /// The sender of one stream. Its share counts until it is dropped.
    pub fn stream(&self, id: StreamId) -> StreamSender {
        self.stream_waking(id, Arc::new(Notify::new()))
    }

    /// As [`Self::stream`], for one loop over many streams: `released` is notified whenever one of them gets room.
    pub fn stream_waking(&self, id: StreamId, released: Arc<Notify>) -> StreamSender {
        self.shared.streams.fetch_add(1, Ordering::Relaxed);
        let flight = Flight {
            bytes: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            released,
            shared: Arc::clone(&self.shared),
        };
        StreamSender { id, queue: self.queue.clone(), flight: Arc::new(flight) }
    }
}

/// Sends the deliveries of one stream.
pub struct StreamSender {
    id: StreamId,
    queue: Sender<Received>,
    flight: Arc<Flight>,
}

impl StreamSender {
    pub fn id(&self) -> &StreamId {
        &self.id
    }

    /// Whether [`Self::send_now`] would stay within the stream's share.
    pub fn has_room(&self) -> bool {
        let batches = self.flight.batches.load(Ordering::Acquire);
        if batches == 0 {
            return true;
        }
        let shared = &self.flight.shared;
        let streams = shared.streams.load(Ordering::Relaxed).max(1);
        let share = (shared.limits.bytes / streams).max(shared.limits.min_stream_bytes);
        batches < shared.limits.batches && self.flight.bytes.load(Ordering::Acquire) < share
    }

    /// Completes when there is room.
    pub async fn room(&self) {
        loop {
            let released = self.flight.released.notified();
            if self.has_room() {
                return;
            }
            released.await;
        }
    }

    /// Sends without waiting; who cares for the bound asks [`Self::has_room`] first.
    pub fn send_now(&self, delivery: Delivery) -> Result<(), Closed> {
        let bytes = delivery.bytes;
        self.flight.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.flight.batches.fetch_add(1, Ordering::AcqRel);
        self.flight.shared.bytes_in_flight.fetch_add(bytes, Ordering::Relaxed);
        let hold = Hold { bytes, flight: Arc::clone(&self.flight) };
        self.queue.send(Received { delivery, hold }).map_err(|_| Closed)
    }

    /// Waits for room and sends.
    pub async fn send(&self, delivery: Delivery) -> Result<(), Closed> {
        // Only an end or a pause: what a source has read it must hand over.
        let _ = crate::fault::at(crate::fault::Step::Fetch).await;
        self.room().await;
        self.send_now(delivery)
    }
}

impl Drop for StreamSender {
    fn drop(&mut self) {
        self.flight.shared.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.flight.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.flight.batches.fetch_sub(1, Ordering::AcqRel);
        self.flight.shared.bytes_in_flight.fetch_sub(self.bytes, Ordering::Relaxed);
        // `notify_one` keeps a permit when nobody waits yet; a stream has one sender.
        self.flight.released.notify_one();
    }
}

impl DeliveryReceiver {
    /// The next delivery, waiting up to `timeout`. `Err(Closed)`: all senders are gone and the queue is empty.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Received>, Closed> {
        match self.queue.recv_timeout(timeout) {
            Ok(received) => Ok(Some(received)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Closed),
        }
    }

    /// The next delivery if one is there.
    pub fn try_recv(&self) -> Result<Option<Received>, Closed> {
        match self.queue.try_recv() {
            Ok(received) => Ok(Some(received)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Closed),
        }
    }

    /// The channel itself, for `crossbeam_channel::select!` together with the engine's commands.
    pub fn channel(&self) -> &Receiver<Received> {
        &self.queue
    }

    /// Bytes sent and not yet released, over all streams.
    pub fn bytes_in_flight(&self) -> usize {
        self.shared.bytes_in_flight.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Position;
    use futures::FutureExt;

    fn delivery(bytes: usize) -> Delivery {
        Delivery {
            source: "s".into(),
            stream: StreamId("s/a".into()),
            positions: vec![],
            next: Position(0),
            bronze: vec![],
            changes: vec![],
            dead: vec![],
            blocks: vec![],
            transactions: vec![],
            transaction_kind: None,
            marks: vec![],
            moves: vec![],
            newest_source_ts: None,
            bytes,
        }
    }

    fn limits() -> DeliveryLimits {
        DeliveryLimits { bytes: 200, min_stream_bytes: 10, batches: 3 }
    }

    #[test]
    fn a_full_stream_waits_until_the_engine_has_released() {
        let (sender, receiver) = deliveries(limits());
        let stream = sender.stream(StreamId("s/a".into()));
        assert!(stream.send(delivery(500)).now_or_never().is_some(), "one delivery always fits");
        let mut second = Box::pin(stream.send(delivery(1)));
        assert!(second.as_mut().now_or_never().is_none());
        let held = receiver.try_recv().unwrap().unwrap();
        assert!(second.as_mut().now_or_never().is_none(), "received is not yet released");
        assert_eq!(receiver.bytes_in_flight(), 500);
        drop(held);
        assert!(second.as_mut().now_or_never().is_some());
        assert_eq!(receiver.try_recv().unwrap().unwrap().delivery.bytes, 1);
        assert_eq!(receiver.bytes_in_flight(), 0);
    }

    #[test]
    fn a_held_stream_does_not_keep_another_out() {
        let (sender, receiver) = deliveries(limits());
        let (a, b) = (sender.stream(StreamId("s/a".into())), sender.stream(StreamId("s/b".into())));
        a.send_now(delivery(1000)).unwrap();
        let held = receiver.try_recv().unwrap().unwrap();
        assert!(!a.has_room());
        assert!(b.has_room());
        drop(held);
        assert!(a.has_room());
    }

    #[test]
    fn the_number_of_batches_is_bounded_too() {
        let (sender, _receiver) = deliveries(limits());
        let stream = sender.stream(StreamId("s/a".into()));
        for _ in 0..3 {
            assert!(stream.has_room());
            stream.send_now(delivery(0)).unwrap();
        }
        assert!(!stream.has_room());
    }

    #[test]
    fn a_sender_learns_that_the_engine_is_gone() {
        let (sender, receiver) = deliveries(limits());
        let stream = sender.stream(StreamId("s/a".into()));
        drop(receiver);
        assert_eq!(stream.send_now(delivery(1)), Err(Closed));
    }
}
