//! Maintenance of the lake's tables beside the flushes: at most a few tasks at a time, none of which a flush waits for.
//!
//! A task needs nothing of the table that it works on; what it has made is taken in between two flushes, which is a commit
//! of a few lines ([`LakeTable::replace`]). Statements (`VACUUM`, `sluice.compact`) ask for the same and wait.

use crate::lake::{Cleaned, Cleaning, Compacted, Compaction, LakeError, LakeTable, Maintained, Maintenance};
use crate::types::{Oid, PgError, PgResult};
use std::collections::{HashMap, HashSet, VecDeque};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Tasks at a time.
const TASKS: usize = 4;

/// What a statement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// As few files and dead rows as there can be.
    Compact,
    /// A checkpoint, and the end of what nobody can ask for any more.
    Vacuum,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worked {
    pub merged_files: usize,
    pub rewritten_rows: u64,
    pub removed_objects: usize,
}

/// Somebody waits for maintenance of one table.
pub struct Asked {
    pub oid: Oid,
    pub work: Work,
    pub reply: oneshot::Sender<PgResult<Worked>>,
}

enum Outcome {
    Compacted(Compacted),
    Cleaned(Cleaned),
    Folded,
}

struct Task {
    /// The table; none for the history of the lake.
    oid: Option<Oid>,
    handle: JoinHandle<Result<Outcome, LakeError>>,
}

/// What is under way for somebody who waits.
struct Serving {
    asked: Asked,
    done: Worked,
    /// Where the next compaction looks.
    from: usize,
    failed: Option<PgError>,
    cleaned: bool,
}

/// See the module.
#[derive(Default)]
pub struct Background {
    tasks: Vec<Task>,
    serving: VecDeque<Serving>,
    /// Tables that have got another version.
    changed: HashSet<Oid>,
}

impl Background {
    pub fn has_room(&self) -> bool {
        self.tasks.len() < TASKS
    }

    pub fn has(&self, oid: Oid) -> bool {
        self.tasks.iter().any(|task| task.oid == Some(oid))
    }

    pub fn is_folding(&self) -> bool {
        self.tasks.iter().any(|task| task.oid.is_none())
    }

    pub fn is_busy(&self) -> bool {
        !self.tasks.is_empty() || !self.serving.is_empty()
    }

    pub fn take_changed(&mut self) -> HashSet<Oid> {
        std::mem::take(&mut self.changed)
    }

    pub fn ask(&mut self, asked: Asked) {
        self.serving.push_back(Serving { asked, done: Worked::default(), from: 0, failed: None, cleaned: false });
    }

    fn begin(&mut self, oid: Option<Oid>, work: impl Future<Output = Result<Outcome, LakeError>> + Send + 'static) {
        self.tasks.push(Task { oid, handle: tokio::spawn(work) });
    }

    pub fn fold(&mut self, fold: impl Future<Output = Result<(), LakeError>> + Send + 'static) {
        self.begin(None, async move { fold.await.map(|()| Outcome::Folded) });
    }

    pub fn compact(&mut self, oid: Oid, compaction: Compaction) {
        self.begin(Some(oid), async move { compaction.run().await.map(Outcome::Compacted) });
    }

    pub fn clean(&mut self, oid: Oid, cleaning: Cleaning) {
        self.begin(Some(oid), async move { cleaning.run().await.map(Outcome::Cleaned) });
    }

    /// Takes in what is done, and begins what somebody waits for. Errors: those of commits, which concern the flush, too.
    pub async fn tend(
        &mut self,
        tables: &mut HashMap<Oid, LakeTable>,
        maintenance: &Maintenance,
    ) -> Result<(), LakeError> {
        let mut failure = None;
        while let Some(at) = self.tasks.iter().position(|task| task.handle.is_finished()) {
            let task = self.tasks.swap_remove(at);
            let outcome = match task.handle.await {
                Ok(outcome) => outcome,
                Err(error) => Err(LakeError::Value(PgError::internal(format!("maintenance: {error}")))),
            };
            let table = task.oid.and_then(|oid| tables.get_mut(&oid));
            let mut done = Worked::default();
            let taken = match (outcome, table) {
                (Ok(Outcome::Compacted(compacted)), Some(table)) => {
                    let mut maintained = Maintained::default();
                    let replaced = table.replace(compacted, &mut maintained).await;
                    done.merged_files = maintained.merged_files;
                    done.rewritten_rows = maintained.rewritten_rows;
                    self.changed.extend(task.oid.filter(|_| maintained.merged_files > 0));
                    match replaced {
                        Err(LakeError::Fenced { place }) => {
                            failure = Some(LakeError::Fenced { place: place.clone() });
                            Err(LakeError::Fenced { place })
                        }
                        replaced => replaced,
                    }
                }
                (Ok(Outcome::Cleaned(cleaned)), Some(table)) => {
                    table.cleaned(&cleaned);
                    done.removed_objects = cleaned.removed;
                    Ok(())
                }
                // The table was dropped meanwhile, or it was the lake's history.
                (Ok(_), _) => Ok(()),
                (Err(error), _) => Err(error),
            };
            let error = taken.err().map(|error| {
                tracing::warn!(table = ?task.oid, %error, "maintenance of the lake has failed");
                PgError::from(error)
            });
            if let Some(oid) = task.oid
                && let Some(serving) = self.serving.iter_mut().find(|serving| serving.asked.oid == oid)
            {
                serving.done.merged_files += done.merged_files;
                serving.done.rewritten_rows += done.rewritten_rows;
                serving.done.removed_objects += done.removed_objects;
                serving.failed = serving.failed.take().or(error);
            }
        }
        self.serve(tables, maintenance);
        failure.map_or(Ok(()), Err)
    }

    /// Begins the next step of what somebody waits for, or answers.
    fn serve(&mut self, tables: &HashMap<Oid, LakeTable>, maintenance: &Maintenance) {
        for _ in 0..self.serving.len() {
            let Some(mut serving) = self.serving.pop_front() else { return };
            let oid = serving.asked.oid;
            if self.has(oid) || !self.has_room() {
                self.serving.push_back(serving);
                continue;
            }
            let table = tables.get(&oid).filter(|_| serving.failed.is_none());
            let next = match (table, serving.asked.work) {
                (Some(table), Work::Compact) => table.next_compaction(maintenance, &mut serving.from).map(|next| {
                    self.compact(oid, next);
                    Ok(())
                }),
                (Some(table), Work::Vacuum) if !serving.cleaned => {
                    serving.cleaned = true;
                    Some(table.cleaning(maintenance, true).map(|next| self.clean(oid, next)))
                }
                _ => None,
            };
            match next {
                Some(Ok(())) => self.serving.push_back(serving),
                Some(Err(error)) => drop(serving.asked.reply.send(Err(error.into()))),
                None => {
                    let answer = serving.failed.map_or(Ok(serving.done), Err);
                    drop(serving.asked.reply.send(answer));
                }
            }
        }
    }
}
