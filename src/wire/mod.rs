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
//! [`serve`] refuses a listener that is not on loopback where nobody is asked for a password, unless the network is trusted.

mod cancel;
mod channel;
mod connection;
mod copy;
mod message;
mod portal;
mod reply;
mod rows;
mod scram;
mod security;
mod startup;
mod workers;

#[cfg(test)]
mod tests;

pub use security::Security;

use crate::sql::Database;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use workers::Workers;

/// What a client may ask of the server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// More are answered `53300`.
    pub connections: usize,
    /// Longest Query, Parse, Bind or CopyData, in bytes.
    pub message: usize,
    /// From accept to the end of the startup.
    pub startup: Duration,
    /// Serve beyond loopback although nobody is asked who they are.
    pub trust_network: bool,
    pub security: Arc<Security>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100,
            message: 64 << 20,
            startup: Duration::from_secs(60),
            trust_network: false,
            security: Arc::default(),
        }
    }
}

/// Connections above the limit that may still be in their startup (to be told so, or to carry a cancel request).
const STARTUP_SURPLUS: usize = 32;

/// What happened since start, and how many connections are open.
#[derive(Debug, Default)]
pub struct Counters {
    connections: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    queries: AtomicU64,
    errors: AtomicU64,
    cancel_requests: AtomicU64,
    rows: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

/// [`Counters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Open now.
    pub connections: u64,
    /// Connections since start.
    pub accepted: u64,
    /// Of these, turned away because there were too many.
    pub refused: u64,
    /// Statements that were executed.
    pub queries: u64,
    /// ErrorResponses that were sent.
    pub errors: u64,
    pub cancel_requests: u64,
    /// Rows that were sent.
    pub rows: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Counters {
    pub fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: read(&self.connections),
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            queries: read(&self.queries),
            errors: read(&self.errors),
            cancel_requests: read(&self.cancel_requests),
            rows: read(&self.rows),
            bytes_sent: read(&self.bytes_sent),
            bytes_received: read(&self.bytes_received),
        }
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// What all connections of a listener share.
pub(crate) struct Shared {
    database: Arc<Database>,
    limits: Limits,
    counters: Arc<Counters>,
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
    counters: Arc<Counters>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && !limits.trust_network && !limits.security.asks_for_passwords() {
        let message = format!("refusing to listen on {address}: nobody is asked for a password there");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let shared = Arc::new(Shared {
        database,
        limits,
        counters,
        cancels: cancel::Registry::default(),
        shutdown: shutdown.clone(),
        sessions: AtomicUsize::new(0),
    });
    let workers = Workers::start()?;
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
        if connections.len() >= shared.limits.connections + STARTUP_SURPLUS {
            add(&shared.counters.refused, 1);
            continue;
        }
        add(&shared.counters.accepted, 1);
        let shared = Arc::clone(&shared);
        let worker = workers.idlest();
        let socket = match socket.into_std() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be handed on");
                continue;
            }
        };
        connections.spawn_on(
            async move {
                add(&shared.counters.connections, 1);
                let open = OpenConnection(Arc::clone(&shared.counters));
                let _ = socket.set_nodelay(true);
                let local = socket.local_addr().ok();
                // It becomes a socket of the worker's own.
                if let Ok(socket) = TcpStream::from_std(socket) {
                    Box::pin(startup::serve_connection(socket, peer, local, shared)).await;
                }
                drop((open, worker.connection));
            },
            &worker.runtime,
        );
    }
    drop(listener);
    shared.cancels.cancel_all();
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Counts itself out, whatever way the task ends.
struct OpenConnection(Arc<Counters>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
