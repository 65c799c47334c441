//! Floor 2: where changes come from.
//!
//! A [`Source`] fetches records, decodes them (`debezium`) and hands over [`Delivery`]s; it knows no tables and no
//! views. It promises:
//!
//! - each stream is delivered in order, from the position in [`SourceContext::resume`] (or its beginning) on, without
//!   a hole: what a source cannot read is a `gap` or an `error` in its [`SourceStatus`], never skipped in silence;
//! - a full engine pushes back: what a stream has in flight is bounded ([`DeliverySender`]), and one slow stream does
//!   not hold up another;
//! - what comes to an idle source is delivered at once, and in batches that grow with the load;
//! - an outage is a state (`waiting`), not an end: [`Source::run`] returns when it is told to, or when going on would
//!   be wrong.
//!
//! ```text
//! kafka ─┐
//! jsonl ─┼─ records ─► debezium::Decoder ─► StreamSender ─► DeliveryReceiver (engine)
//! demo  ─┘                                   └► SourceStatus (sluice.sources, sluice.streams, metrics)
//! ```

pub mod declare;
mod delivery;
pub mod demo;
pub mod jsonl;
pub mod kafka;
mod status;
#[cfg(test)]
mod testing;

use crate::change::{Delivery, Position, Schemas, StreamId};
use async_trait::async_trait;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub use delivery::{
    Closed, DeliveryLimits, DeliveryReceiver, DeliverySender, Hold, Received, StreamSender, deliveries,
};
pub use status::{Gap, SourceState, SourceStatus, StreamStatus};

/// One source; runs until shutdown, hands over bounded batches, never skips in silence.
#[async_trait]
pub trait Source: Send + 'static {
    fn name(&self) -> &Arc<str>;

    /// `kafka`, `jsonl`, `demo`: for `sluice.sources`.
    fn kind(&self) -> &'static str;

    /// Whose table is whose is settled among all sources of a deployment. `read`: what this one has read before.
    fn share_tables(&mut self, owners: &Arc<declare::TableOwners>, read: &[StreamId]);

    /// The way of its records, to go it again.
    fn router(&self) -> declare::Router;

    /// Reads until `cx.shutdown`. An `Err` means that going on would be wrong; outages are waited for.
    async fn run(self: Box<Self>, cx: SourceContext) -> Result<(), SourceError>;

    /// For `sluice check`: connects, and says in one line each what it sees.
    async fn check(&self) -> Result<Vec<String>, SourceError>;
}

/// What the engine gives to a running source.
pub struct SourceContext {
    /// Where reading goes on; a stream that is not in it starts at its beginning.
    pub resume: HashMap<StreamId, Position>,
    pub out: DeliverySender,
    pub status: Arc<SourceStatus>,
    pub schemas: Arc<Schemas>,
    pub shutdown: CancellationToken,
}

/// Why a source cannot go on. `Display` says what is wrong; the caller adds the source's name.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The configuration cannot work, whatever the world does.
    #[error("{0}")]
    Config(String),
    #[error("cannot reach {what}: {reason}")]
    Unreachable { what: String, reason: String },
    #[error("{path}: {error}")]
    Io { path: String, error: std::io::Error },
    /// The source's thread panicked; its streams stand still.
    #[error("the source's thread ended unexpectedly: {0}")]
    Crashed(String),
}

/// Runs a source's loop on a thread of its own, so that decoding does not delay the runtime's other tasks. Timers and
/// wake-ups are those of the calling runtime.
async fn on_own_thread<F>(name: &str, body: F) -> Result<(), SourceError>
where
    F: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    let (done, finished) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(format!("source {name}"))
        // The decoder follows nested JSON by recursion, up to its limit.
        .stack_size(16 << 20)
        .spawn(move || drop(done.send(runtime.block_on(body))))
        .map_err(|e| SourceError::Crashed(e.to_string()))?;
    match finished.await {
        Ok(result) => result,
        Err(_) => Err(SourceError::Crashed(panic_message(thread.join()))),
    }
}

fn panic_message(outcome: std::thread::Result<()>) -> String {
    match outcome {
        Ok(()) => "it was dropped".to_string(),
        Err(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map_or("a panic".to_string(), |text| text.to_string()),
        },
    }
}

/// The wall clock, µs since 1970.
fn now_us() -> i64 {
    crate::fault::now_us()
}
