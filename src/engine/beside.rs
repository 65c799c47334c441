//! Work beside the tick loop: threads to which the system prefers all others, and indexes that statements ask for.

use super::{BuiltIndexes, EngineHandle, RelationData};
use crate::store::TableSnapshot;
use crate::types::{Oid, PgError, PgResult, SqlState};
use crate::view::Watch;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Lets the system prefer all other threads of the process to this one: about a tenth of a core that both want is left to it.
pub fn give_way() {
    const NICENESS: libc::c_int = 10;
    // SAFETY: a call without pointers. On Linux 0 names the calling thread, not its process.
    let failed = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) } != 0;
    if failed {
        tracing::warn!(error = %std::io::Error::last_os_error(), "long work runs at the priority of all other");
    }
}

/// Runs work on a thread of its own that gives way.
pub(super) fn spawn_beside(name: &str, work: impl FnOnce() + Send + 'static) -> PgResult<()> {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(move || {
        give_way();
        work();
    });
    spawned.map(drop).map_err(|error| PgError::internal(format!("cannot start a thread: {error}")))
}

/// Ends the work when nobody waits for it any more.
struct Wanted(Arc<Watch>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl EngineHandle {
    /// Makes the indexes that a commit is about to ask for, over the newest snapshot, where a table is too large for a pass over
    /// it inside a tick: the commit brings them up to date, in proportion to what changed meanwhile. Ends when it is dropped.
    ///
    /// `wanted`: tables and the positions of columns. Errors: `53200` at the memory limit.
    pub async fn build_indexes(&self, wanted: Vec<(Oid, Vec<usize>)>) -> PgResult<BuiltIndexes> {
        let snapshot = self.snapshot();
        let large = wanted.into_iter().filter_map(|(oid, columns)| match snapshot.relations.get(&oid) {
            Some(RelationData::Hot(table)) if table.len() as u64 > self.beside_rows => {
                Some((oid, columns, table.clone()))
            }
            _ => None,
        });
        let tables: Vec<(Oid, Vec<usize>, TableSnapshot)> = large.collect();
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let (sender, built) = oneshot::channel();
        let wanted = Wanted(Arc::default());
        let watch = Arc::clone(&wanted.0);
        spawn_beside("index", move || {
            let build = |(oid, columns, table): (Oid, Vec<usize>, TableSnapshot)| {
                Ok((oid, table.build_index(&columns, |rows| watch.read(rows))?))
            };
            // Whoever was called off wants no index.
            drop(sender.send(tables.into_iter().map(build).collect::<PgResult<BuiltIndexes>>()));
        })?;
        let gone = |_| PgError::new(SqlState::INTERNAL_ERROR, "the thread that makes an index has ended");
        let built = built.await.map_err(gone)?;
        drop(wanted);
        built
    }
}
