//! Promise 4 at the lake's own face, in many small runs: whatever the store does to it and wherever the process ends, the
//! lake opens at a state that was flushed, none before the newest one that was acknowledged.
//!
//! `SLUICE_CHAOS_LAKE_RUNS` says how many runs (20), `SLUICE_CHAOS_SEED` the first one's seed (any); with
//! `SLUICE_CHAOS_DOUBTFUL=1` every second run takes the folder for a store over a network, whose answers may be lost. A run
//! that fails says its seed, and follows from it.

use super::tests::{flush_rows, manifest, options, pair_batch, pairs};
use super::world::{Weather, World};
use super::*;
use crate::change::{RowId, Tick};
use crate::fault::TEST_CLOCK_OFF_US;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const TABLES: [(&str, LakeTableKind); 3] = [
    ("silver.one", LakeTableKind::Upsert),
    ("silver.two", LakeTableKind::Upsert),
    ("bronze.one", LakeTableKind::Append),
];
/// Of a history that is longer nothing goes while a run lasts.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);
const PROCESSES: usize = 4;
const FLUSHES: usize = 10;

/// The rows of the three tables, sorted.
type Content = Vec<Vec<(i32, String)>>;

struct Tab {
    lake: LakeTable,
    /// Rows that live: id, key and note, in the order of their ids.
    rows: BTreeMap<u64, (i32, String)>,
    next: u64,
    /// Ids below this are in the lake.
    flushed: u64,
    dead: Vec<RowId>,
}

impl Tab {
    fn change(&mut self, rng: &mut StdRng) {
        let is_upsert = self.lake.kind == LakeTableKind::Upsert;
        for _ in 0..rng.random_range(1..8) {
            let key = rng.random_range(0..12);
            if is_upsert && let Some(id) = self.rows.iter().find(|(_, row)| row.0 == key).map(|(id, _)| *id) {
                self.rows.remove(&id);
                if id < self.flushed {
                    self.dead.push(RowId(id));
                }
                if rng.random_bool(0.3) {
                    continue;
                }
            }
            self.rows.insert(self.next, (key, format!("note {}", self.next)));
            self.next += 1;
        }
    }

    async fn flush(&mut self, tick: u64) -> LakeResult<()> {
        let new: Vec<(&u64, &(i32, String))> = self.rows.range(self.flushed..).collect();
        let rows: Vec<(i32, String)> = new.iter().map(|(_, row)| (*row).clone()).collect();
        let ids = new.iter().map(|(id, _)| RowId(**id)).collect();
        let schema = Arc::clone(self.lake.schema());
        let batches = [(pair_batch(&schema, &rows), ids)];
        flush_rows(&mut self.lake, tick, &batches, &self.dead, self.next).await?;
        self.flushed = self.next;
        self.dead.clear();
        Ok(())
    }

    fn content(&self) -> Vec<(i32, String)> {
        let mut rows: Vec<_> = self.rows.values().cloned().collect();
        rows.sort();
        rows
    }
}

fn rows_of(batches: &[RecordBatch]) -> Vec<(i32, String)> {
    let mut rows = Vec::new();
    for batch in batches {
        let (keys, notes) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_string::<i32>());
        rows.extend(keys.values().iter().zip(notes).map(|(key, note)| (*key, note.unwrap_or("").to_owned())));
    }
    rows.sort();
    rows
}

/// A process that has the lake.
struct Process {
    lake: Lake,
    tabs: Vec<Tab>,
}

struct Run {
    seed: u64,
    rng: StdRng,
    world: Arc<World>,
    options: LakeOptions,
    /// Answers may be lost, as those of a store over a network.
    doubtful: bool,
    tick: u64,
    /// What was flushed or begun to be flushed.
    states: BTreeMap<u64, Content>,
    acknowledged: u64,
}

impl Run {
    async fn try_open(&mut self) -> LakeResult<Process> {
        let (url, folder) = locate(&self.options.url, true)?;
        let store: Arc<dyn ObjectStore> = Arc::clone(&self.world) as _;
        let mut shared = connected(self.options.clone(), url, folder, store);
        Arc::get_mut(&mut shared).expect("nobody else has it yet").is_doubtful = self.doubtful;
        self.world.serves(&shared.trouble);
        let (lake, found) = open_connected(shared, None).await?;
        let tick = found.as_ref().map_or(0, |manifest| manifest.tick.0);
        assert!(
            tick >= self.acknowledged,
            "seed {}: opened at {tick}, {} was acknowledged",
            self.seed,
            self.acknowledged
        );
        let mut tabs = Vec::new();
        for (name, kind) in TABLES {
            let mut table = lake.table(name, pairs(), kind).await?;
            let (batches, next) = load_table(&mut table).await?;
            let mut rows = BTreeMap::new();
            for (batch, ids) in &batches {
                let (keys, notes) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_string::<i32>());
                for ((id, key), note) in ids.iter().zip(keys.values()).zip(notes) {
                    rows.insert(id.0, (*key, note.unwrap_or("").to_owned()));
                }
            }
            tabs.push(Tab { lake: table, rows, next: next.0, flushed: next.0, dead: vec![] });
        }
        let content: Content = tabs.iter().map(Tab::content).collect();
        let nothing: Content = vec![vec![]; TABLES.len()];
        let wanted = self.states.get(&tick).unwrap_or(&nothing);
        assert_eq!(&content, wanted, "seed {}: the lake at tick {tick}", self.seed);
        self.tick = self.tick.max(tick);
        Ok(Process { lake, tabs })
    }

    /// Opens the lake, as often as it takes; faults may hit that, too.
    async fn open(&mut self, weather: Weather) -> Process {
        for tried in 0..200 {
            // The end of a process while it opens is one of the things to be tried.
            let ends_in = (tried < 3).then(|| self.rng.random_range(0..25));
            self.world.begin(if tried < 20 { weather } else { Weather::default() }, ends_in);
            match self.try_open().await {
                Ok(process) => return process,
                Err(error @ (LakeError::Damaged { .. } | LakeError::Internal(_) | LakeError::Foreign { .. })) => {
                    panic!("seed {}: {error}", self.seed);
                }
                Err(_) => {}
            }
        }
        panic!("seed {}: the lake does not open", self.seed);
    }

    /// One flush as the engine does it: tried again while the store fails.
    async fn flush(&mut self, process: &mut Process) -> LakeResult<()> {
        let changed: Vec<bool> = TABLES.iter().map(|_| self.rng.random_bool(0.7)).collect();
        for (tab, _) in process.tabs.iter_mut().zip(&changed).filter(|(_, changed)| **changed) {
            tab.change(&mut self.rng);
        }
        self.tick += 1;
        let tick = self.tick;
        self.states.insert(tick, process.tabs.iter().map(Tab::content).collect());
        loop {
            match self.try_flush(process, tick).await {
                Ok(()) => break,
                Err(error @ (LakeError::Fenced { .. } | LakeError::Internal(_) | LakeError::Damaged { .. })) => {
                    return Err(error);
                }
                Err(error) if self.world.has_ended() => return Err(error),
                Err(_) => {}
            }
        }
        self.acknowledged = tick;
        Ok(())
    }

    async fn try_flush(&mut self, process: &mut Process, tick: u64) -> LakeResult<()> {
        for tab in &mut process.tabs {
            tab.flush(tick).await?;
        }
        let tables: Vec<(&str, &LakeTable)> =
            TABLES.iter().map(|(name, _)| *name).zip(process.tabs.iter().map(|tab| &tab.lake)).collect();
        let mut manifest = manifest(tick, &tables);
        manifest.written_at_us = crate::fault::now_us();
        process.lake.write_manifest(manifest).await
    }

    /// A turn of maintenance, in the midst of which there is a flush.
    async fn maintain(&mut self, process: &mut Process) -> LakeResult<()> {
        let how = Maintenance {
            compact_every: 2,
            merge_files: 2,
            dead_share: 0.2,
            checkpoint_every: 4,
            // As the engine does.
            retention: self.options.history,
            ..Maintenance::default()
        };
        let nth = self.rng.random_range(0..TABLES.len());
        let compaction = process.tabs[nth].lake.due_compaction(&how);
        let cleaning = process.tabs[nth].lake.due_cleaning(&how).await?;
        let compacted = match compaction {
            Some(compaction) => Some(compaction.run().await?),
            None => None,
        };
        if self.rng.random_bool(0.5) {
            self.flush(process).await?;
        }
        if let Some(compacted) = compacted {
            process.tabs[nth].lake.replace(compacted, &mut Maintained::default()).await?;
        }
        if let Some(cleaning) = cleaning {
            let cleaned = cleaning.run().await?;
            process.tabs[nth].lake.cleaned(&cleaned);
        }
        if process.lake.has_to_fold() {
            process.lake.fold().await?;
        }
        Ok(())
    }

    /// The past, where the lake still holds it.
    async fn look_back(&mut self, process: &Process) {
        if self.states.is_empty() {
            return;
        }
        let asked = self.rng.random_range(0..=self.acknowledged);
        let reader = process.lake.reader();
        let Ok(then) = reader.at(Moment::Tick(Tick(asked))).await else { return };
        for (nth, (name, _)) in TABLES.iter().enumerate() {
            let Some(table) = then.tables.get(*name) else { continue };
            let Ok(files) = reader.files(name, table.version, pairs()).await else { continue };
            let mut batches = Vec::new();
            for file in 0..files.len() {
                // A fault of this moment is none of the past.
                match files.read(file, None, Arc::default()).try_collect::<Vec<_>>().await {
                    Ok(read) => batches.extend(read),
                    Err(error) if error.is_not_found() && self.options.history > LONG => {
                        panic!("seed {}: {error} of tick {asked}", self.seed)
                    }
                    Err(_) => return,
                }
            }
            let wanted = &self.states[&then.tick.0][nth];
            assert_eq!(&rows_of(&batches), wanted, "seed {}: {name} at tick {}", self.seed, then.tick);
        }
    }

    /// The power goes: of what the disk was not made to take, anything may be gone or torn.
    fn power_cut(&mut self, process: &Process) {
        let Some(unsynced) = &process.lake.shared.unsynced else { return };
        let folder = process.lake.shared.folder.clone().expect("it lies in a folder");
        for path in unsynced.paths() {
            let file = folder.join(path.as_ref());
            let Ok(bytes) = std::fs::read(&file) else { continue };
            match self.rng.random_range(0..4) {
                0 => drop(std::fs::remove_file(&file)),
                1 => {
                    std::fs::write(&file, &bytes[..self.rng.random_range(0..=bytes.len())]).expect("it can be written")
                }
                2 => std::fs::write(&file, vec![0; bytes.len()]).expect("it can be written"),
                _ => {}
            }
        }
    }

    async fn go(&mut self) {
        let chance = |rng: &mut StdRng, most: f64| if rng.random_bool(0.5) { rng.random_range(0.0..most) } else { 0.0 };
        let weather = Weather {
            fails: chance(&mut self.rng, 0.15),
            late: chance(&mut self.rng, 0.15),
            twice: if self.doubtful { chance(&mut self.rng, 0.15) } else { 0.0 },
            delayed: if self.doubtful { chance(&mut self.rng, 0.15) } else { 0.0 },
            read_fails: chance(&mut self.rng, 0.05),
        };
        for _ in 0..PROCESSES {
            if self.rng.random_bool(0.4) {
                TEST_CLOCK_OFF_US.set(self.rng.random_range(-86_400_000_000..86_400_000_000));
            }
            let mut process = self.open(weather).await;
            let ends_in = self.rng.random_bool(0.7).then(|| self.rng.random_range(0..120));
            self.world.begin(weather, ends_in);
            self.world.serves(&process.lake.shared.trouble);
            let mut before: Option<Process> = None;
            for _ in 0..FLUSHES {
                let done = match self.rng.random_range(0..4) {
                    0 => self.maintain(&mut process).await,
                    _ => self.flush(&mut process).await,
                };
                match done {
                    Ok(()) => {}
                    Err(error @ (LakeError::Internal(_) | LakeError::Damaged { .. })) => {
                        panic!("seed {}: {error}", self.seed);
                    }
                    Err(LakeError::Fenced { place }) => {
                        assert!(self.doubtful, "seed {}: alone, and fenced at {place}", self.seed);
                        break;
                    }
                    // Maintenance that fails is tried again another time.
                    Err(_) if !self.world.has_ended() => {}
                    Err(_) => break,
                }
                self.look_back(&process).await;
                // Another process takes the lake over, and this one does not know.
                if self.doubtful && before.is_none() && self.rng.random_bool(0.05) {
                    let Ok(second) = self.try_open().await else { break };
                    before = Some(std::mem::replace(&mut process, second));
                }
                if let Some(first) = before.as_mut().filter(|_| self.rng.random_bool(0.5)) {
                    let (tick, states, acknowledged) = (self.tick, self.states.clone(), self.acknowledged);
                    let flushed = self.flush(first).await;
                    assert!(flushed.is_err(), "seed {}: two processes write to one lake", self.seed);
                    (self.tick, self.states, self.acknowledged) = (tick, states, acknowledged);
                    // Where it was the first to write a table's next version, the second one ends, too.
                }
            }
            self.world.begin(Weather::default(), None);
            if self.options.fsync && self.rng.random_bool(0.5) {
                self.power_cut(&process);
            }
        }
        let process = self.open(Weather::default()).await;
        self.look_back(&process).await;
    }
}

async fn load_table(table: &mut LakeTable) -> LakeResult<(Vec<(RecordBatch, Vec<RowId>)>, RowId)> {
    let mut batches = Vec::new();
    let next = table
        .load(|batch, ids| {
            batches.push((batch, ids));
            Ok(())
        })
        .await?;
    Ok((batches, next))
}

/// A folder in memory where there is one: what is tried here is the lake, not the disk.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn whatever_the_store_does_the_lake_opens_at_what_was_flushed_last() {
    let first = number("SLUICE_CHAOS_SEED").unwrap_or_else(rand::random::<u64>);
    let runs = number("SLUICE_CHAOS_LAKE_RUNS").unwrap_or(20);
    println!("{runs} runs from seed {first}");
    for seed in (0..runs).map(|run| first.wrapping_add(run)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = folder();
        let mut rng = StdRng::seed_from_u64(seed);
        let doubtful = rng.random_bool(0.5) && number("SLUICE_CHAOS_DOUBTFUL") == Some(1);
        let mut options = options(folder.path());
        options.fsync = !doubtful && rng.random_bool(0.5);
        options.history = std::time::Duration::from_millis([0, 20, 3_600_000][rng.random_range(0..3)]);
        let world = World::new(&folder.path().canonicalize().expect("it is there"), seed);
        let mut run = Run { seed, rng, world, options, doubtful, tick: 0, states: BTreeMap::new(), acknowledged: 0 };
        runtime.block_on(run.go());
        TEST_CLOCK_OFF_US.set(0);
    }
}
