//! Floor 5: the tick loop, the one writer of the database.
//!
//! An [`Engine`] owns every table and view on its own thread. It takes what sources deliver, holds source transactions
//! together ([`align`]), applies everything of a tick to bronze and silver, brings the gold views up to date over that very
//! state, and publishes one immutable [`Snapshot`]. Readers take the newest snapshot and never wait; a flush thread
//! follows behind with its own copy. A tick starts at once when there is something to do; under load what has arrived
//! meanwhile is the batch.
//!
//! ```text
//! DeliveryReceiver ─► Aligner ─► tick: bronze, silver ─► views ─► Snapshot (ArcSwap) ─► sql, pg_catalog, http
//! EngineHandle ─ catalog changes ─┘                                  └► flush thread ─► lake
//! ```
//!
//! Promises 1 (one tick a query), 2 (gold equals its query), 3 (whole transactions), 4 (nothing lost) and 5 (a bad event
//! stops nobody) are kept here.

pub mod align;
mod beside;
mod evict;
mod evolve;
mod flush;
mod hydrate;
mod memory;
mod moves;
mod own_tables;
mod past;
mod rebuild;
mod recover;
mod references;
mod scan;
mod snapshot;
mod status;
mod tables;
mod tick;
mod upkeep;
mod views;
mod write;

pub use align::AlignOptions;
pub use beside::give_way;
pub use past::{Past, PastSnapshot};
pub use rebuild::Rebuilt;
pub use snapshot::{RelationData, Snapshot, SnapshotRelations, bronze_columns};
pub use status::{LakeState, MemoryPart, MemoryPurpose, Status, StreamState, TableState, ViewPhase, ViewState};
pub use upkeep::{Work, Worked};
pub use write::{
    Overlay, SavedWrites, TableCommit, TableWrites, duplicate_key, indexed_columns, key_text, lost_race, value_text,
};

use crate::catalog::{Catalog, Relation};
use crate::change::{Position, Schemas, StreamId, Tick};
use crate::lake::{LakeError, LakeOptions, Moment};
use crate::source::declare::Routes;
use crate::source::{DeliveryReceiver, SourceStatus};
use crate::store::BuiltIndex;
use crate::types::{Oid, PgError, PgResult, SqlState};
use arc_swap::ArcSwap;
use crossbeam_channel::Sender;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How the engine works.
pub struct EngineOptions {
    pub lake: LakeOptions,
    pub align: AlignOptions,
    /// A flush starts when this has passed since the last one, or when this many row versions wait, whichever is first.
    pub flush_interval: Duration,
    pub flush_rows: u64,
    /// Unflushed row versions at which sources are paused until a flush succeeds.
    pub unflushed_limit: u64,
    /// The same for the bytes of records that were appended to bronze: a few large ones weigh as much as many small.
    pub unflushed_bytes: u64,
    /// Records that one tick takes at most.
    pub tick_events: usize,
    /// Gold views whose inputs have more rows are filled beside the tick loop, and so are indexes.
    pub fill_beside_rows: u64,
    /// Bytes that silver and managed tables may take in memory; beyond it rows stay in the lake alone. `None`: all are in memory.
    pub table_memory: Option<u64>,
    /// Where records of topics go: for those that bronze holds.
    pub routes: Arc<Routes>,
    /// So long sources wait after a start for views that are filled beside the loop, so that these can be read meanwhile.
    pub start_patience: Duration,
}

impl EngineOptions {
    pub fn new(lake: LakeOptions) -> Self {
        Self {
            lake,
            align: AlignOptions::default(),
            flush_interval: Duration::from_secs(1),
            flush_rows: 100_000,
            unflushed_limit: 2_000_000,
            unflushed_bytes: 512 << 20,
            tick_events: 65_536,
            fill_beside_rows: 100_000,
            table_memory: None,
            routes: Arc::default(),
            start_patience: Duration::from_secs(5),
        }
    }
}

/// A change of the catalog, applied to a copy inside a tick.
pub type CatalogChange = Box<dyn FnOnce(&mut Catalog) -> PgResult<()> + Send>;

/// A transaction: what it does to the catalog and to tables' rows.
#[derive(Default)]
pub struct Commit {
    pub change: Option<CatalogChange>,
    pub tables: Vec<TableCommit>,
    /// Indexes of large tables that its change names: see [`EngineHandle::build_indexes`].
    pub built: BuiltIndexes,
    /// The tick that the transaction has read.
    pub tick: Tick,
}

/// Indexes made beforehand, by table.
pub type BuiltIndexes = Vec<(Oid, BuiltIndex)>;

enum Command {
    Commit {
        commit: Commit,
        reply: oneshot::Sender<PgResult<()>>,
    },
    /// A table that was made anew out of bronze takes the place of the one that is there.
    Replace {
        replay: Box<rebuild::Replay>,
        reply: oneshot::Sender<PgResult<()>>,
    },
    Shutdown {
        reply: oneshot::Sender<PgResult<()>>,
    },
}

/// The way to a running engine. Cheap to clone. With the last one the engine ends as after [`EngineHandle::shutdown`].
#[derive(Clone)]
pub struct EngineHandle {
    snapshot: Arc<ArcSwap<Snapshot>>,
    commands: Sender<Command>,
    ended: watch::Receiver<Option<PgResult<()>>>,
    ticks: watch::Receiver<u64>,
    upkeep: Sender<upkeep::Asked>,
    past: Arc<Past>,
    /// Tables with more rows get their indexes beside the loop.
    beside_rows: u64,
    routes: Arc<Routes>,
    /// Held while a table is made anew out of bronze.
    rebuilding: Arc<std::sync::atomic::AtomicBool>,
}

impl EngineHandle {
    /// The database as the lake holds it of a moment: its newest flush that is not younger.
    ///
    /// What is asked for must not be written yet when others write more: where the newest changes of that moment are in
    /// memory alone, they are flushed first. Errors: `22023` for a moment to come, `72000` for one that the lake no longer
    /// holds.
    pub async fn past(&self, moment: Moment) -> PgResult<Arc<PastSnapshot>> {
        let now = self.snapshot();
        let in_future = match moment {
            Moment::Tick(tick) => (tick > now.tick).then(|| format!("tick {tick} is in the future")),
            Moment::At(us) => (us > now_us()).then(|| "the time is in the future".to_owned()),
        };
        if let Some(message) = in_future {
            let error = PgError::new(SqlState::INVALID_PARAMETER, message);
            return Err(error.detail(format!("The newest tick is {}.", now.tick)));
        }
        let beyond = match (moment, self.past.newest()) {
            (Moment::Tick(tick), Some((newest, _))) => tick > newest,
            (Moment::At(us), Some((_, newest_us))) => us > newest_us,
            (_, None) => true,
        };
        if beyond && now.status.lake.durable_tick != now.tick {
            self.commit(Commit::default()).await?;
        }
        self.past.at(moment).await
    }

    /// The lake as it is and was.
    pub fn lake(&self) -> &Arc<Past> {
        &self.past
    }

    /// Maintenance of one table's files; returns when it is done and in a manifest. Errors: `0A000` for a relation that
    /// has no files; those of the lake.
    pub async fn upkeep(&self, oid: Oid, work: Work) -> PgResult<Worked> {
        let gone = || PgError::new(SqlState::ADMIN_SHUTDOWN, "the engine has ended");
        let (reply, answer) = oneshot::channel();
        match self.upkeep.try_send(upkeep::Asked { oid, work, reply }) {
            Ok(()) => {}
            Err(crossbeam_channel::TrySendError::Full(_)) => {
                return Err(PgError::new(SqlState(*b"53400"), "too many statements wait for maintenance of the lake"));
            }
            Err(crossbeam_channel::TrySendError::Disconnected(_)) => return Err(gone()),
        }
        let worked = answer.await.map_err(|_| gone())??;
        self.commit(Commit::default()).await?;
        Ok(worked)
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Applies a change of the catalog: a [`EngineHandle::commit`] without rows.
    pub async fn change_catalog(&self, change: CatalogChange) -> PgResult<()> {
        self.commit(Commit { change: Some(change), ..Commit::default() }).await
    }

    /// Applies a transaction in one tick, all of it or nothing, and brings tables and views in line with it. When it
    /// returns, the transaction is visible and durable.
    ///
    /// Errors: what its change of the catalog says; `40001` and `23505` where others were first; what binding or running a
    /// new view's query says; `57P01` when the engine ends.
    pub async fn commit(&self, commit: Commit) -> PgResult<()> {
        self.ask(|reply| Command::Commit { commit, reply }).await
    }

    /// Flushes everything visible and ends the engine.
    pub async fn shutdown(&self) -> PgResult<()> {
        self.ask(|reply| Command::Shutdown { reply }).await
    }

    /// Completes when the engine has ended, with the reason if it was not asked to.
    pub async fn ended(&self) -> PgResult<()> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Ok(())),
            Err(_) => Err(PgError::internal("the engine's thread panicked")),
        }
    }

    /// Whether the engine has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Changes with every published tick.
    pub fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.clone()
    }

    async fn ask(&self, command: impl FnOnce(oneshot::Sender<PgResult<()>>) -> Command) -> PgResult<()> {
        let gone = || PgError::new(SqlState::ADMIN_SHUTDOWN, "the engine has ended");
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// What a start found in the lake.
pub struct Recovered {
    pub handle: EngineHandle,
    /// Where each stream goes on.
    pub resume: HashMap<StreamId, Position>,
    pub rows: u64,
    pub took: Duration,
    /// The lake was empty: its first start.
    pub fresh: bool,
}

/// Opens the lake, loads what it holds, brings gold up to date and starts the tick loop on its own thread.
///
/// `system`: the system relations of the catalog. `schemas`: kept at what each silver table has now, for the decoders.
/// Fails when the lake cannot be opened; what a definition in it can no longer do is an error of that view alone.
pub fn start(
    options: EngineOptions,
    system: Vec<Relation>,
    schemas: Arc<Schemas>,
    deliveries: DeliveryReceiver,
    sources: Vec<Arc<SourceStatus>>,
) -> Result<Recovered, LakeError> {
    recover::start(options, system, schemas, deliveries, sources)
}

/// The wall clock, µs since 1970.
fn now_us() -> i64 {
    crate::fault::now_us()
}
