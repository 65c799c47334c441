//! Floor 7: the PostgreSQL protocol, version 3.0.
//!
//! ```text
//! accept ─► startup ─► connection loop ─► sql::Session ─► batches ─► rows ─► socket
//!            │             ▲  one task for each connection                  │
//!            └ cancel ─► CancelHandle of another connection                  └ back-pressure
//! ```
//!
//! The loop is our own, so that one Sync is one flush, a result is never in memory as a whole (a slow reader stops the
//! query through a bounded channel), and a cancel or a client that vanishes stops what runs at once. Queries do not run
//! here but on the database's own runtime.
//!
//! There is no authentication yet: [`serve`] refuses any listener that is not on loopback.

mod cancel;
mod channel;
mod connection;
mod copy;
mod message;
mod portal;
mod reply;
mod rows;
mod startup;

#[cfg(test)]
mod tests;

use crate::sql::Database;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a client may ask of the server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// More are answered `53300`.
    pub max_connections: usize,
    /// Longest Query, Parse, Bind or CopyData.
    pub max_message_bytes: usize,
    /// From accept to the end of the startup.
    pub authentication_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_connections: 100, max_message_bytes: 64 << 20, authentication_timeout: Duration::from_secs(60) }
    }
}

/// Connections above the limit that may still be in their startup (to be told so, or to carry a cancel request).
const STARTUP_SURPLUS: usize = 32;

/// Counters since start; `connections_open` goes up and down.
#[derive(Debug, Default)]
pub struct WireMetrics {
    pub connections_open: AtomicUsize,
    pub connections: AtomicU64,
    pub connections_refused: AtomicU64,
    /// Statements that were executed.
    pub queries: AtomicU64,
    /// ErrorResponses that were sent.
    pub errors: AtomicU64,
    pub cancel_requests: AtomicU64,
    pub rows_sent: AtomicU64,
    pub bytes_sent: AtomicU64,
    pub bytes_received: AtomicU64,
}

impl WireMetrics {
    fn count(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

/// What all connections of a listener share.
pub(crate) struct Shared {
    database: Arc<Database>,
    limits: Limits,
    metrics: Arc<WireMetrics>,
    cancels: cancel::Registry,
    shutdown: CancellationToken,
    /// Connections past their startup.
    sessions: AtomicUsize,
}

/// Serves connections until `shutdown`, then ends them (`57P01`) and returns when all are gone.
pub async fn serve(
    listener: TcpListener,
    database: Arc<Database>,
    limits: Limits,
    metrics: Arc<WireMetrics>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!(
            "refusing to listen on {address}: there is no authentication yet, so only loopback addresses are served"
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let shared = Arc::new(Shared {
        database,
        limits,
        metrics,
        cancels: cancel::Registry::default(),
        shutdown: shutdown.clone(),
        sessions: AtomicUsize::new(0),
    });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task panicked");
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a connection that was gone before it was taken: neither ends the server.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if connections.len() >= shared.limits.max_connections + STARTUP_SURPLUS {
            WireMetrics::count(&shared.metrics.connections_refused, 1);
            continue;
        }
        WireMetrics::count(&shared.metrics.connections, 1);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            shared.metrics.connections_open.fetch_add(1, Ordering::Relaxed);
            let open = OpenConnection(Arc::clone(&shared.metrics));
            let _ = socket.set_nodelay(true);
            let local = socket.local_addr().ok();
            startup::serve_connection(socket, peer, local, shared).await;
            drop(open);
        });
    }
    drop(listener);
    shared.cancels.cancel_all();
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Counts itself out, whatever way the task ends.
struct OpenConnection(Arc<WireMetrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections_open.fetch_sub(1, Ordering::Relaxed);
    }
}
