//! The threads that connections live on.
//!
//! A connection stays on one thread, whose runtime waits for its own sockets only: a message that comes wakes no other thread,
//! and no thread takes another's work. Nothing here runs for long (queries have their own runtime), so that an even number
//! of connections is an even load.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

struct Worker {
    runtime: Handle,
    /// Each of its connections holds one.
    connections: Arc<()>,
}

/// See the module. Dropped, the threads end, and what was left on them.
pub struct Workers {
    all: Vec<Worker>,
    stop: CancellationToken,
}

/// Where a connection goes.
pub struct Place {
    pub runtime: Handle,
    /// Counts until it is dropped.
    pub connection: Arc<()>,
}

impl Workers {
    /// A thread for each core.
    pub fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, |n| n.get());
        let stop = CancellationToken::new();
        let all = (0..count).map(|_| Worker::start(stop.clone())).collect::<io::Result<_>>()?;
        Ok(Self { all, stop })
    }

    /// The thread with the fewest connections.
    pub fn idlest(&self) -> Place {
        let idlest = self.all.iter().min_by_key(|worker| Arc::strong_count(&worker.connections));
        let idlest = idlest.expect("there is a thread for each core");
        Place { runtime: idlest.runtime.clone(), connection: Arc::clone(&idlest.connections) }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Worker {
    fn start(stop: CancellationToken) -> io::Result<Self> {
        let (sender, receiver): (_, Receiver<io::Result<Handle>>) = sync_channel(1);
        let work = move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let told = sender.send(Ok(runtime.handle().clone()));
                if told.is_ok() {
                    runtime.block_on(stop.cancelled());
                }
            }
            Err(error) => drop(sender.send(Err(error))),
        };
        std::thread::Builder::new().name("wire".into()).spawn(work)?;
        let runtime = receiver.recv().map_err(io::Error::other)??;
        Ok(Self { runtime, connections: Arc::default() })
    }
}
