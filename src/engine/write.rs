//! Transactions that write: what one has done to a table's rows before COMMIT, and what COMMIT does.
//!
//! A transaction keeps for each table that it touches the rows of its snapshot that it ended (by row id) and, in a table of
//! its own, those that it added; its scans read the one without the other. COMMIT hands all of it to the tick loop as one
//! [`Commit`]. The loop looks whether the rows that end still live and whether keys are still free, then applies rows and
//! catalog in one tick, or nothing: the first of two writers of one row wins, the other hears `40001`.
//!
//! ```text
//! statement ─► TableWrites ─► Overlay (scans of this transaction)
//!                   └ COMMIT ─► TableCommit ─► Engine::commit ─► tick ─► flush ─► acknowledged
//! ```

use super::scan::RelationScan;
use super::snapshot::RelationData;
use super::tables::{Rows, Slot};
use super::tick::Engine;
use super::{BuiltIndexes, CatalogChange, Commit};
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::change::RowId;
use crate::memory;
use crate::store::{MOST_ROWS, Table, TableSnapshot};
use crate::types::codec::{TextSettings, text_of};
use crate::types::{Oid, PgError, PgResult, SqlState, TableSchema};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{concat_batches, interleave_record_batch};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use roaring::RoaringTreemap;
use std::collections::HashSet;
use std::sync::Arc;

/// Row ids from here on are a transaction's own: half of those that a table can have.
const OWN: RowId = RowId(MOST_ROWS / 2);

/// What a transaction did to one table's rows.
pub struct TableWrites {
    /// What its scans read.
    shown: Overlay,
    own: Table,
    uniques: Vec<Vec<usize>>,
    /// The rows of the snapshot do not count any more.
    truncated: bool,
    /// The table has another form than in the snapshot.
    replaced: bool,
    /// An INSERT has looked for conflicts itself: one that it could not see is for the client to try again.
    looked: bool,
}

/// A table as a transaction that wrote to it sees it. Cheap to clone; also what a savepoint keeps.
#[derive(Clone)]
pub struct Overlay {
    base: Option<TableSnapshot>,
    deleted: Arc<RoaringTreemap>,
    own: TableSnapshot,
}

/// A state to go back to.
#[derive(Clone)]
pub struct SavedWrites {
    shown: Overlay,
    truncated: bool,
    replaced: bool,
    looked: bool,
}

impl TableWrites {
    /// `base`: the table in the transaction's snapshot; `None` for one that the transaction made. `uniques`: the columns
    /// that must be unique, the key aside.
    pub fn new(base: Option<TableSnapshot>, schema: &Arc<TableSchema>, uniques: Vec<Vec<usize>>) -> PgResult<Self> {
        let (own, snapshot) = own_table(schema, &uniques)?;
        let shown = Overlay { base, deleted: Arc::default(), own: snapshot };
        Ok(Self { shown, own, uniques, truncated: false, replaced: false, looked: false })
    }

    pub fn schema(&self) -> &Arc<TableSchema> {
        self.own.schema()
    }

    pub fn overlay(&self) -> &Overlay {
        &self.shown
    }

    /// Ends rows and adds others, which the caller has found to be unique.
    pub fn write(&mut self, dead: &[RowId], rows: &RecordBatch) -> PgResult<()> {
        let (own, base): (Vec<RowId>, Vec<RowId>) = dead.iter().partition(|id| **id >= OWN);
        if !base.is_empty() {
            Arc::make_mut(&mut self.shown.deleted).extend(base.iter().map(|id| id.0));
        }
        if !own.is_empty() || rows.num_rows() > 0 {
            self.own.write(&own, rows)?;
            self.shown.own = self.own.publish(self.shown.own.tick());
        }
        Ok(())
    }

    /// An INSERT … ON CONFLICT has written.
    pub fn looked_for_conflicts(&mut self) {
        self.looked = true;
    }

    pub fn truncate(&mut self) -> PgResult<()> {
        self.truncated = true;
        self.shown.base = None;
        self.shown.deleted = Arc::default();
        self.own.truncate()?;
        self.shown.own = self.own.publish(self.shown.own.tick());
        Ok(())
    }

    /// Gives the table another form with these rows, which are all that it has.
    pub fn replace(&mut self, schema: &Arc<TableSchema>, uniques: Vec<Vec<usize>>, rows: &RecordBatch) -> PgResult<()> {
        let (mut own, _) = own_table(schema, &uniques)?;
        own.write(&[], rows)?;
        let snapshot = own.publish(self.shown.own.tick());
        self.shown = Overlay { base: None, deleted: Arc::default(), own: snapshot };
        (self.own, self.uniques) = (own, uniques);
        (self.truncated, self.replaced) = (true, true);
        Ok(())
    }

    pub fn save(&self) -> SavedWrites {
        let (shown, truncated, replaced, looked) = (self.shown.clone(), self.truncated, self.replaced, self.looked);
        SavedWrites { shown, truncated, replaced, looked }
    }

    /// The state of then.
    pub fn restored(saved: SavedWrites, uniques: Vec<Vec<usize>>) -> PgResult<Self> {
        let SavedWrites { shown, truncated, replaced, looked } = saved;
        let (mut own, _) = own_table(shown.own.schema(), &uniques)?;
        for i in 0..shown.own.chunks() {
            let (rows, ids) = shown.own.chunk_with_ids(i, None)?;
            own.load(&rows, &ids)?;
        }
        let snapshot = own.publish(shown.own.tick());
        Ok(Self { shown: Overlay { own: snapshot, ..shown }, own, uniques, truncated, replaced, looked })
    }

    /// Is nothing written since?
    pub fn is_at(&self, saved: &SavedWrites) -> bool {
        self.shown.own.same_rows(&saved.shown.own) && self.shown.deleted == saved.shown.deleted
    }

    pub fn uniques(&self) -> &[Vec<usize>] {
        &self.uniques
    }

    /// All rows that it has added.
    pub fn added(&self) -> PgResult<RecordBatch> {
        let own = &self.shown.own;
        let chunks = (0..own.chunks()).map(|i| own.chunk(i, None)).collect::<PgResult<Vec<_>>>()?;
        Ok(concat_batches(own.schema().arrow(), &chunks)?)
    }

    /// The rows of the snapshot that it has ended, truncation aside.
    pub fn ended(&self) -> PgResult<RecordBatch> {
        let ids: Vec<RowId> = self.shown.deleted.iter().map(RowId).collect();
        self.shown.rows_by_id(&ids)
    }

    /// Has anything been written?
    pub fn is_clean(&self) -> bool {
        !self.truncated && self.shown.deleted.is_empty() && self.shown.own.is_empty()
    }

    /// What COMMIT has to do. `known`: the relation as the snapshot's catalog has it; `base`: the table in the snapshot.
    pub fn commit(&self, oid: Oid, known: Option<Arc<Relation>>, base: Option<TableSnapshot>) -> PgResult<TableCommit> {
        Ok(TableCommit {
            oid,
            known,
            base,
            truncated: self.truncated,
            replaced: self.replaced,
            looked: self.looked,
            dead: self.shown.deleted.iter().map(RowId).collect(),
            rows: self.added()?,
        })
    }
}

pub(super) fn own_table(schema: &Arc<TableSchema>, uniques: &[Vec<usize>]) -> PgResult<(Table, TableSnapshot)> {
    let mut own = Table::new(Arc::clone(schema));
    own.set_retractions(false);
    own.set_next_row_id(OWN);
    for columns in uniques {
        own.ensure_index(columns)?;
    }
    let snapshot = own.publish(crate::change::Tick(0));
    Ok((own, snapshot))
}

impl Overlay {
    pub fn schema(&self) -> &Arc<TableSchema> {
        self.own.schema()
    }

    pub fn rows(&self) -> u64 {
        let base = self.base.as_ref().map_or(0, |base| base.len() as u64 - self.deleted.len());
        base + self.own.len() as u64
    }

    /// Reads the rows; a projection may name the row id, as the column after the last.
    pub fn scan(
        &self,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let own = RelationScan::plan(&RelationData::Hot(self.own.clone()), projection, filters, partitions)?;
        let Some(base) = &self.base else { return Ok(Arc::new(own)) };
        let base = RelationScan::plan(&RelationData::Hot(base.clone()), projection, filters, partitions)?;
        let base = Arc::new(base.without(Arc::clone(&self.deleted)));
        match self.own.is_empty() {
            true => Ok(base),
            false => UnionExec::try_new(vec![base, Arc::new(own)]),
        }
    }

    /// See [`TableSnapshot::find_ids`].
    pub fn find(&self, columns: &[usize], keys: &[ArrayRef]) -> PgResult<Vec<(u32, RowId)>> {
        let mut found = match &self.base {
            Some(base) => base.find_ids(columns, keys)?,
            None => Vec::new(),
        };
        found.retain(|(_, id)| !self.deleted.contains(id.0));
        if !self.own.is_empty() {
            found.extend(self.own.find_ids(columns, keys)?);
        }
        Ok(found)
    }

    /// The rows with these ids, in this order.
    pub fn rows_by_id(&self, ids: &[RowId]) -> PgResult<RecordBatch> {
        let (own, base): (Vec<RowId>, Vec<RowId>) = ids.iter().partition(|id| **id >= OWN);
        let own_rows = self.own.rows_by_id(&own, None)?;
        let Some(snapshot) = self.base.as_ref().filter(|_| !base.is_empty()) else { return Ok(own_rows) };
        let base_rows = snapshot.rows_by_id(&base, None)?;
        let mut next = [0, 0];
        let picks: Vec<(usize, usize)> = ids
            .iter()
            .map(|id| {
                let side = usize::from(*id >= OWN);
                next[side] += 1;
                (side, next[side] - 1)
            })
            .collect();
        Ok(interleave_record_batch(&[&base_rows, &own_rows], &picks)?)
    }
}

/// What a COMMIT does to one table.
pub struct TableCommit {
    pub oid: Oid,
    /// The relation in the transaction's snapshot; `None` for one that the transaction made.
    pub known: Option<Arc<Relation>>,
    pub base: Option<TableSnapshot>,
    pub truncated: bool,
    pub replaced: bool,
    pub looked: bool,
    pub dead: Vec<RowId>,
    pub rows: RecordBatch,
}

/// `40001`: another transaction was first.
pub fn lost_race(what: &str) -> PgError {
    let message = format!("could not serialize access due to concurrent {what}");
    PgError::new(SqlState::SERIALIZATION_FAILURE, message).hint("The transaction might succeed if retried.")
}

/// `23505`, with the key of `row` in the detail.
pub fn duplicate_key(
    catalog: &Catalog,
    relation: &Relation,
    constraint: &str,
    columns: &[usize],
    rows: &RecordBatch,
    row: usize,
) -> PgError {
    let message = format!("duplicate key value violates unique constraint \"{constraint}\"");
    let schema = catalog.namespace(relation.schema).map_or("", |n| n.name.as_str());
    let error = PgError::new(SqlState::UNIQUE_VIOLATION, message).table(schema, &relation.name).constraint(constraint);
    match key_text(relation, columns, rows, row) {
        Some(key) => error.detail(format!("Key {key} already exists.")),
        None => error,
    }
}

/// `(a, b)=(1, x)`.
pub fn key_text(relation: &Relation, columns: &[usize], rows: &RecordBatch, row: usize) -> Option<String> {
    let names: Vec<&str> = columns.iter().filter_map(|c| relation.columns.get(*c)).map(|c| c.name.as_str()).collect();
    let values = columns.iter().map(|c| value_text(relation, *c, rows, row)).collect::<Option<Vec<_>>>()?;
    Some(format!("({})=({})", names.join(", "), values.join(", ")))
}

/// One value as PostgreSQL writes it; `null` for NULL.
pub fn value_text(relation: &Relation, column: usize, rows: &RecordBatch, row: usize) -> Option<String> {
    let ty = relation.columns.get(column)?.ty();
    let array = rows.column(column);
    if array.is_null(row) {
        return Some("null".into());
    }
    text_of(ty, array.data_type(), array.as_ref(), row, &TextSettings::default()).ok()?
}

impl Engine {
    /// Applies a transaction, rows and names in one, or nothing of it. One that writes has a tick of its own, so that its
    /// rows go through the views once and by themselves. Gives what [`Engine::change_catalog`] gives.
    pub(super) fn commit(&mut self, commit: Commit) -> PgResult<HashSet<Oid>> {
        // While there is a view to give up, there is room for rows.
        if self.starved && commit.tables.iter().any(|table| table.rows.num_rows() > 0) {
            memory::check()?;
        }
        for table in &commit.tables {
            self.verify(table)?;
        }
        if !commit.tables.is_empty() {
            self.end_tick();
            self.tick.0 += 1;
        }
        let mut changed = HashSet::new();
        let before = Arc::clone(&self.catalog);
        let Some(change) = commit.change else {
            self.verify_references(&commit.tables, commit.tick, &before)?;
            for table in commit.tables {
                self.write(&table, &mut changed)?;
            }
            self.run_views(&mut changed);
            return Ok(HashSet::new());
        };
        let mut next = Catalog::clone(&before);
        change(&mut next)?;
        self.verify_references(&commit.tables, commit.tick, &next)?;
        let tables: Vec<TableCommit> =
            commit.tables.into_iter().filter(|table| next.relation(table.oid).is_some()).collect();
        let mut undo = Vec::new();
        let mut made_anew = Vec::new();
        for relation in next.user_relations().filter(|r| r.kind == RelationKind::Managed) {
            let replaced = tables.iter().any(|t| t.oid == relation.oid && t.replaced && t.known.is_some());
            if replaced || before.relation(relation.oid).is_none() {
                undo.push(self.fresh_slot(relation, &next)?);
            }
            if replaced {
                made_anew.push(relation.oid);
            }
        }
        // Names first: what is written below is looked up by them.
        self.catalog = Arc::new(next.clone());
        let written = self
            .write_all(&tables, &mut undo, &mut changed)
            .and_then(|()| self.index_all(Some(&before), commit.built))
            .map(|()| self.show_written(&made_anew, &mut changed));
        self.catalog = Arc::clone(&before);
        let whole: CatalogChange = Box::new(move |catalog| {
            *catalog = next;
            Ok(())
        });
        match written.and_then(|()| self.change_catalog(whole)) {
            Ok(unfilled) => {
                for step in undo {
                    if let Undo::Slot { old: Some(old), .. } = step {
                        self.dropped
                            .push(super::flush::Dropped { folder: Arc::clone(&old.folder), at_us: super::now_us() });
                    }
                }
                Ok(unfilled)
            }
            Err(error) => {
                // Nobody has seen what the views made of it: it is taken back in a tick of its own, like it was done.
                self.end_tick();
                self.tick.0 += 1;
                for step in undo.into_iter().rev() {
                    self.undo(step, &mut changed);
                }
                // Those of tables that are as they were cost nothing.
                if let Err(error) = self.index_all(None, vec![]) {
                    tracing::error!(%error, "indexes of a transaction that failed cannot be taken back");
                }
                self.show_written(&made_anew, &mut changed);
                Err(error)
            }
        }
    }

    /// The rows of a transaction. `undo` gets what was done, also where it ends with an error.
    fn write_all(&mut self, tables: &[TableCommit], undo: &mut Vec<Undo>, changed: &mut HashSet<Oid>) -> PgResult<()> {
        for table in tables {
            undo.extend(self.write(table, changed)?);
        }
        Ok(())
    }

    /// Shows what was written, and what the views that are there make of it: they move before new ones are filled from
    /// them.
    fn show_written(&mut self, made_anew: &[Oid], changed: &mut HashSet<Oid>) {
        self.publish_new_slots(changed);
        for oid in made_anew {
            self.rebind_views(*oid);
        }
        self.run_views(changed);
    }

    /// `40001` or `23505` where the table of now does not take what was written over the snapshot.
    fn verify(&self, table: &TableCommit) -> PgResult<()> {
        let Some(known) = &table.known else { return Ok(()) };
        let Some(now) = self.catalog.relation(table.oid) else { return Err(lost_race("delete")) };
        let same_form = now.columns == known.columns
            && now.key == known.key
            && now.constraints == known.constraints
            && now.uniques() == known.uniques();
        let rows = match self.relations.get(&table.oid) {
            Some(RelationData::Hot(rows)) => rows,
            _ => return Err(PgError::internal(format!("table \"{}\" has no rows to write to", known.name))),
        };
        let same_rows = table.base.as_ref().is_none_or(|base| base.same_rows(rows));
        if !same_form || (table.replaced && !same_rows) {
            return Err(lost_race("update"));
        }
        if same_rows {
            return Ok(());
        }
        if table.dead.iter().any(|id| !rows.is_alive(*id)) {
            return Err(lost_race("update"));
        }
        if table.truncated || table.rows.num_rows() == 0 {
            return Ok(());
        }
        let dead: HashSet<RowId> = table.dead.iter().copied().collect();
        for (columns, name) in now.uniques() {
            let keys: Vec<ArrayRef> = columns.iter().map(|c| Arc::clone(table.rows.column(*c))).collect();
            let found = rows.find_ids(&columns, &keys)?;
            if let Some((row, _)) = found.iter().find(|(_, id)| !dead.contains(id)) {
                return Err(match table.looked {
                    true => lost_race("update"),
                    false => duplicate_key(&self.catalog, now, &name, &columns, &table.rows, *row as usize),
                });
            }
        }
        Ok(())
    }

    /// Puts an empty table in the place of what the relation had.
    fn fresh_slot(&mut self, relation: &Relation, catalog: &Catalog) -> PgResult<Undo> {
        let name: Arc<str> = catalog.qualified_name(relation).into();
        let table = Table::new(Arc::new(relation.table_schema()));
        let old = self.slots.remove(&relation.oid);
        let folder = self.free_folder(&name, relation.oid, old.as_ref());
        self.names.insert(name, relation.oid);
        let mut slot = Slot::new(relation.oid, RelationKind::Managed, folder, Rows::Hot(Box::new(table)));
        if let Some(old) = &old {
            slot.succeed(old)?;
        }
        self.slots.insert(relation.oid, slot);
        let data = self.relations.get(&relation.oid).cloned();
        Ok(Undo::Slot { oid: relation.oid, old: old.map(Box::new), data })
    }

    /// A folder for the rows of a relation that is made anew.
    pub(super) fn free_folder(&self, name: &Arc<str>, oid: Oid, old: Option<&Slot>) -> Arc<str> {
        let taken = |folder: &str| {
            self.slots.values().chain(old).any(|s| *s.folder == *folder)
                || self.dropped.iter().any(|d| *d.folder == *folder)
        };
        let mut folder = Arc::clone(name);
        for nth in 0.. {
            if !taken(&folder) {
                break;
            }
            folder = if nth == 0 { format!("{name}-{oid}") } else { format!("{name}-{oid}-{nth}") }.into();
        }
        folder
    }

    /// Applies rows that [`Engine::verify`] has let pass, and shows them.
    fn write(&mut self, table: &TableCommit, changed: &mut HashSet<Oid>) -> PgResult<Option<Undo>> {
        let tick = self.tick;
        let before = self.relations.get(&table.oid).cloned();
        let slot = self.slots.get_mut(&table.oid).ok_or_else(|| PgError::internal("a managed table without rows"))?;
        let first = slot.next_row_id();
        let before = match before {
            Some(RelationData::Hot(rows)) if table.known.is_some() && !table.replaced => Some(rows),
            _ => None,
        };
        if table.truncated && !table.replaced {
            slot.truncate()?;
        }
        let dead: &[RowId] = if table.truncated { &[] } else { &table.dead };
        slot.write(dead, &table.rows)?;
        slot.changed_tick = tick;
        self.publish_slot(table.oid);
        changed.insert(table.oid);
        let added = (first.0..first.0 + table.rows.num_rows() as u64).map(RowId).collect();
        let dead = (!table.truncated).then(|| table.dead.clone());
        Ok(before.map(|before| Undo::Rows { oid: table.oid, added, before, dead }))
    }

    fn publish_new_slots(&mut self, changed: &mut HashSet<Oid>) {
        let dirty = self.slots.values().filter(|s| s.kind == RelationKind::Managed && s.dirty);
        for oid in dirty.map(|s| s.oid).collect::<Vec<_>>() {
            self.publish_slot(oid);
            if let Some(slot) = self.slots.get_mut(&oid) {
                slot.changed_tick = self.tick;
            }
            changed.insert(oid);
        }
    }

    /// Takes back a step of a commit that failed further on; nobody has seen it.
    fn undo(&mut self, step: Undo, changed: &mut HashSet<Oid>) {
        let undone = match step {
            Undo::Slot { oid, old, data } => {
                changed.insert(oid);
                match old {
                    Some(old) => self.slots.insert(oid, *old),
                    None => self.slots.remove(&oid),
                };
                match data {
                    Some(data) => self.relations.insert(oid, data),
                    None => self.relations.remove(&oid),
                };
                Ok(())
            }
            Undo::Rows { oid, added, before, dead } => {
                changed.insert(oid);
                let retracted = match &dead {
                    Some(dead) => before.rows_by_id(dead, None),
                    None => all_rows(&before),
                };
                match (self.slots.get_mut(&oid), retracted) {
                    (Some(slot), Ok(rows)) => slot.write(&added, &rows).map(|()| self.publish_slot(oid)),
                    (None, _) => Ok(()),
                    (_, Err(error)) => Err(error),
                }
            }
        };
        if let Err(error) = undone {
            tracing::error!(%error, "a transaction that failed cannot be taken back");
        }
    }

    /// Makes the indexes that managed tables and materialized views have in the catalog, and drops those that they have no more: of
    /// those that are not as they were `before`. `built`: those that were made beforehand.
    fn index_all(&mut self, before: Option<&Catalog>, mut built: BuiltIndexes) -> PgResult<()> {
        let catalog = Arc::clone(&self.catalog);
        let indexed = |r: &&Arc<Relation>| matches!(r.kind, RelationKind::Managed | RelationKind::Gold);
        for relation in catalog.user_relations().filter(indexed) {
            let old = before.and_then(|before| before.relation(relation.oid));
            if let (false, Some(slot)) =
                (old.is_some_and(|old| Arc::ptr_eq(old, relation)), self.slots.get_mut(&relation.oid))
            {
                let own = built.extract_if(.., |(oid, _)| *oid == relation.oid).map(|(_, index)| index);
                slot.index(indexed_columns(relation), own.collect())?;
            }
        }
        Ok(())
    }
}

/// The columns of each index that can be looked up.
pub fn indexed_columns(relation: &Relation) -> Vec<Vec<usize>> {
    let plain = |columns: &&Vec<i16>| !columns.contains(&0);
    let mut lists: Vec<Vec<usize>> =
        relation.indexes.iter().map(|i| &i.columns).filter(plain).map(|c| relation.positions(c)).collect();
    lists.retain(|columns| *columns != relation.key);
    lists.sort();
    lists.dedup();
    lists
}

fn all_rows(table: &TableSnapshot) -> PgResult<RecordBatch> {
    let chunks = (0..table.chunks()).map(|i| table.chunk(i, None)).collect::<PgResult<Vec<_>>>()?;
    Ok(concat_batches(table.schema().arrow(), &chunks)?)
}

/// A step of a commit, and what was there before it.
enum Undo {
    Slot {
        oid: Oid,
        old: Option<Box<Slot>>,
        data: Option<RelationData>,
    },
    /// `dead`: what went of the rows before; `None`: all.
    Rows {
        oid: Oid,
        added: Vec<RowId>,
        before: TableSnapshot,
        dead: Option<Vec<RowId>>,
    },
}
