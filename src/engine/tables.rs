//! The engine's own, mutable tables: what a tick changes and what a flush has still to write.

use super::evict::Away;
use super::evolve;
use super::scan::AddedRows;
use super::snapshot::{LakeAndTail, RelationData};
use super::status::{MemoryPart, MemoryPurpose};
use crate::catalog::RelationKind;
use crate::change::{Op, RowId, StreamId, TableChanges, Tick};
use crate::lake::LakeFiles;
use crate::store::{BuiltIndex, RowOp, Table, TableDelta};
use crate::types::{Oid, PgError, PgResult, TableSchema};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat_batches;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How old the bytes that a table says of itself may be.
pub const COUNTING: Duration = Duration::from_secs(1);

/// Rows appended since the last flush.
#[derive(Clone)]
pub struct TailBatch {
    pub rows: RecordBatch,
    pub first: RowId,
    pub bytes: u64,
}

/// The newest so many batches of a tail become one where they hold no more than `MERGED_ROWS` rows together: tiny ticks
/// leave few batches, and each row is copied about once.
const MERGED_BATCHES: usize = 16;
const MERGED_ROWS: usize = 1024;

/// The rows of one relation.
pub enum Rows {
    /// Silver, managed tables and gold: all of it in memory, or old rows in the lake alone ([`super::evict`]).
    Hot(Box<Table>),
    /// Bronze and other append-only tables: the lake's files and the tail.
    Appended {
        schema: Arc<TableSchema>,
        files: Option<Arc<LakeFiles>>,
        tail: Vec<TailBatch>,
        /// So many batches at the tail's beginning are being written: they stay as they are.
        frozen: usize,
        next: RowId,
    },
}

/// One relation that holds rows.
pub struct Slot {
    pub oid: Oid,
    pub kind: RelationKind,
    /// Its folder in the lake, `schema/table` at creation.
    pub folder: Arc<str>,
    pub rows: Rows,
    /// Bytes in memory as of about a second ago: data, index and tombstones, or the tail.
    pub bytes: u64,
    /// What they are for.
    pub memory: Arc<[MemoryPart]>,
    /// When they were counted, and the next row id then.
    counted: Option<(Instant, u64)>,
    /// Ids that died and that a flush has written or is writing; the lake passes over one that it does not hold.
    pub dead: Vec<RowId>,
    /// Ids below this are in the lake.
    pub flushed: RowId,
    /// Ids below this may be in the lake: a flush up to here has begun.
    pub written: RowId,
    /// Streams that fed it: their positions go into its commits.
    pub streams: BTreeSet<StreamId>,
    pub delta_version: Option<i64>,
    pub durable_tick: Tick,
    pub changed_tick: Tick,
    /// The columns changed since the last flush.
    pub reshaped: bool,
    /// Changed since the last publish.
    pub dirty: bool,
    /// The indexes that the catalog asked for, by columns.
    pub indexes: Vec<Vec<usize>>,
    /// A view reads it.
    watched: bool,
    /// Of a hot table that is watched: the ids that died in this tick.
    pub died: Arc<Vec<RowId>>,
    /// Of an append-only table that is watched: the rows of this tick, as they are stored.
    added: Vec<RecordBatch>,
    /// Of a hot table: where rows lie that are not in memory.
    pub away: Away,
    /// How many those are, and about how many bytes they would take more.
    pub evicted: (u64, u64),
}

impl Slot {
    pub fn new(oid: Oid, kind: RelationKind, folder: Arc<str>, rows: Rows) -> Self {
        Self {
            oid,
            kind,
            folder,
            rows: without_retractions(rows),
            bytes: 0,
            memory: Arc::default(),
            counted: None,
            dead: vec![],
            flushed: RowId(0),
            written: RowId(0),
            streams: BTreeSet::new(),
            delta_version: None,
            durable_tick: Tick(0),
            changed_tick: Tick(0),
            reshaped: false,
            dirty: true,
            indexes: Vec::new(),
            watched: false,
            died: Arc::default(),
            added: vec![],
            away: Away::default(),
            evicted: (0, 0),
        }
    }

    /// A new tick, in which nothing has changed yet.
    pub fn begin_tick(&mut self, watched: bool) {
        self.watched = watched;
        match Arc::get_mut(&mut self.died) {
            Some(died) => died.clear(),
            None => self.died = Arc::default(),
        }
        self.added.clear();
    }

    /// The rows of this tick of an append-only table, in the columns that queries see.
    pub fn added(&self) -> Arc<AddedRows> {
        self.as_added(self.added.clone())
    }

    pub fn added_rows(&self) -> &[RecordBatch] {
        &self.added
    }

    /// Rows of an append-only table, as they are stored, as views read them.
    pub fn as_added(&self, rows: Vec<RecordBatch>) -> Arc<AddedRows> {
        Arc::new(AddedRows::new(rows, Arc::clone(self.schema())))
    }

    pub fn schema(&self) -> &Arc<TableSchema> {
        match &self.rows {
            Rows::Hot(table) => table.schema(),
            Rows::Appended { schema, .. } => schema,
        }
    }

    pub fn next_row_id(&self) -> RowId {
        match &self.rows {
            Rows::Hot(table) => table.next_row_id(),
            Rows::Appended { next, .. } => *next,
        }
    }

    /// Rows that no flush has written yet (row versions; some may be dead again).
    pub fn unflushed(&self) -> u64 {
        self.next_row_id().0.saturating_sub(self.flushed.0) + self.dead.len() as u64
    }

    /// The memory that only a flush gives back: what was appended and not written yet.
    pub fn unflushed_bytes(&self) -> u64 {
        match &self.rows {
            Rows::Appended { tail, .. } => tail.iter().map(|t| t.bytes).sum(),
            Rows::Hot(_) => 0,
        }
    }

    pub fn needs_flush(&self) -> bool {
        self.unflushed() > 0 || self.reshaped || self.delta_version.is_none()
    }

    fn note(&mut self, delta: TableDelta) {
        let written = self.written;
        if self.watched {
            Arc::make_mut(&mut self.died).extend(&delta.dead);
        }
        self.dead.extend(delta.dead.into_iter().filter(|id| *id < written));
        self.dirty = true;
    }

    /// Appends to an append-only table.
    pub fn append(&mut self, batch: RecordBatch) -> PgResult<()> {
        match &mut self.rows {
            Rows::Appended { tail, frozen, next, .. } => {
                let first = *next;
                next.0 += batch.num_rows() as u64;
                let bytes = bytes_of(&batch);
                if self.watched {
                    self.added.push(batch.clone());
                }
                tail.push(TailBatch { rows: batch, first, bytes });
                merge_newest(tail, *frozen)?;
                self.dirty = true;
            }
            Rows::Hot(table) => {
                let delta = table.append(&batch)?;
                self.note(delta);
            }
        }
        Ok(())
    }

    /// A Z-set into a gold view's rows; how many rows went.
    pub fn apply_weighted(&mut self, rows: &RecordBatch, weights: &[i64]) -> PgResult<usize> {
        let Rows::Hot(table) = &mut self.rows else { return Ok(0) };
        let delta = table.apply_weighted(rows, weights)?;
        let gone = delta.dead.len();
        self.note(delta);
        Ok(gone)
    }

    /// Gives a gold view's rows other columns.
    pub fn reshape(&mut self, schema: TableSchema) -> PgResult<()> {
        let Rows::Hot(table) = &mut self.rows else { return Ok(()) };
        table.alter(Arc::new(schema), evolve::convert)?;
        self.reshaped = true;
        self.dirty = true;
        Ok(())
    }

    /// Makes room for columns; `true` where something changed.
    pub fn widen(&mut self, incoming: &TableSchema) -> PgResult<bool> {
        let Some(merged) = evolve::merge(self.schema(), incoming)? else { return Ok(false) };
        self.reshape(merged).map(|()| true)
    }

    /// Applies rows `range` of a delivery's changes, in order. The table has room for their columns.
    pub fn apply(&mut self, changes: &TableChanges, range: Range<usize>) -> PgResult<()> {
        let rows = changes.rows.slice(range.start, range.len());
        let schema = Arc::clone(self.schema());
        let same = *schema == *changes.schema;
        let rows = if same { rows } else { evolve::conform(&rows, &changes.schema, &schema)? };
        let ops = &changes.ops[range.clone()];
        let mut unchanged: Vec<(usize, BooleanBuffer)> = changes
            .unchanged
            .iter()
            .filter_map(|(column, mask)| {
                let column = schema.index_of(&changes.schema.columns[*column].name)?;
                let mask = mask.slice(range.start, range.len());
                (mask.count_set_bits() > 0).then_some((column, mask))
            })
            .collect();
        let soft = schema.index_of(DELETED).is_some() && ops.contains(&Op::Delete);
        if soft {
            keep_deleted_rows(&schema, ops, &mut unchanged);
        }
        let mut from = 0;
        while from < ops.len() {
            let truncate = ops[from..].iter().position(|op| *op == Op::Truncate).map_or(ops.len(), |at| from + at);
            if truncate > from {
                self.apply_run(&rows, ops, &unchanged, from..truncate, soft)?;
            }
            if truncate < ops.len() {
                self.truncate()?;
            }
            from = truncate + 1;
        }
        Ok(())
    }

    /// Ends rows by their ids and adds others.
    pub fn write(&mut self, dead: &[RowId], rows: &RecordBatch) -> PgResult<()> {
        let Rows::Hot(table) = &mut self.rows else {
            return Err(PgError::internal("rows written to an append-only table"));
        };
        let delta = table.write(dead, rows)?;
        self.note(delta);
        Ok(())
    }

    /// Keeps these indexes, and of those that it made before no others. `built`: those that were made beforehand.
    pub fn index(&mut self, wanted: Vec<Vec<usize>>, mut built: Vec<BuiltIndex>) -> PgResult<()> {
        let Rows::Hot(table) = &mut self.rows else { return Ok(()) };
        for columns in wanted.iter().filter(|c| !self.indexes.contains(c)) {
            let made = built.iter().position(|index| index.is_over(columns)).map(|at| built.swap_remove(at));
            let taken = made.map_or(Ok(false), |index| table.adopt_index(index))?;
            if !taken {
                table.ensure_index(columns)?;
            }
            self.dirty = true;
        }
        for columns in self.indexes.iter().filter(|c| !wanted.contains(c)) {
            table.release_index(columns);
            self.dirty = true;
        }
        self.indexes = wanted;
        Ok(())
    }

    /// Takes the place of a table that was made anew: to the views that read it, all its rows went.
    pub fn succeed(&mut self, old: &Slot) -> PgResult<()> {
        if let (Rows::Hot(table), Rows::Hot(before)) = (&mut self.rows, &old.rows) {
            table.set_next_row_id(before.next_row_id());
            table.adopt_indexes(before)?;
        }
        // No row of the new table has an id that the old one gave.
        (self.flushed, self.written) = (self.next_row_id(), self.next_row_id());
        (self.watched, self.indexes) = (old.watched, old.indexes.clone());
        Ok(())
    }

    /// The row that has the key of row `row` of these changes now; `None` also where it was deleted and is kept.
    pub fn row_of(&self, changes: &TableChanges, row: usize) -> PgResult<Option<RecordBatch>> {
        let Rows::Hot(table) = &self.rows else { return Ok(None) };
        let schema = self.schema();
        let asked = evolve::conform(&changes.rows.slice(row, 1), &changes.schema, schema)?;
        let key: Vec<ArrayRef> = schema.key.iter().map(|at| Arc::clone(asked.column(*at))).collect();
        let found = super::evict::patiently(|| table.row_of_key(&key))?;
        let deleted = |row: &RecordBatch| {
            let flag = row.column_by_name(DELETED).and_then(|flags| flags.as_boolean_opt());
            flag.is_some_and(|flag| flag.is_valid(0) && flag.value(0))
        };
        Ok(found.filter(|row| !deleted(row)))
    }

    pub fn truncate(&mut self) -> PgResult<()> {
        if let Rows::Hot(table) = &mut self.rows {
            let delta = table.truncate()?;
            self.note(delta);
        }
        Ok(())
    }

    fn apply_run(
        &mut self,
        rows: &RecordBatch,
        ops: &[Op],
        unchanged: &[(usize, BooleanBuffer)],
        run: Range<usize>,
        soft: bool,
    ) -> PgResult<()> {
        let Rows::Hot(table) = &mut self.rows else { return Ok(()) };
        let rows = rows.slice(run.start, run.len());
        let delta = if table.schema().key.is_empty() {
            table.append(&rows)?
        } else {
            let ops: Vec<RowOp> = ops[run.clone()]
                .iter()
                .map(|op| match op {
                    Op::Delete if soft => RowOp::Retire,
                    Op::Delete => RowOp::Delete,
                    _ => RowOp::Upsert,
                })
                .collect();
            let masks: Vec<_> = unchanged.iter().map(|(c, m)| (*c, m.slice(run.start, run.len()))).collect();
            table.apply(&rows, &ops, &masks)?
        };
        self.note(delta);
        Ok(())
    }

    fn account(&self) -> Arc<[MemoryPart]> {
        let part = |purpose, rows: usize, bytes: usize| MemoryPart { purpose, rows: rows as u64, bytes: bytes as u64 };
        match &self.rows {
            Rows::Hot(table) => {
                let (all, rows) = (table.memory(), table.len());
                let secondary = table.index_memory();
                let of_key = all.index.saturating_sub(secondary.iter().map(|index| index.bytes).sum());
                let mut parts = vec![part(MemoryPurpose::Rows, rows, all.data + all.tombstones)];
                if of_key > 0 {
                    parts.push(part(MemoryPurpose::Key, rows, of_key));
                }
                parts.extend(secondary.into_iter().map(|i| part(MemoryPurpose::Index(i.columns), rows, i.bytes)));
                parts.into()
            }
            Rows::Appended { tail, .. } => {
                let rows = tail.iter().map(|batch| batch.rows.num_rows()).sum();
                [part(MemoryPurpose::Tail, rows, self.unflushed_bytes() as usize)].into()
            }
        }
    }

    /// Counts the table's bytes now.
    pub fn count(&mut self) {
        self.counted = Some((Instant::now(), self.next_row_id().0));
        self.memory = self.account();
        self.bytes = self.memory.iter().map(|part| part.bytes).sum();
        if let Rows::Hot(table) = &self.rows {
            let (rows, bytes) = table.evicted();
            self.evicted = (rows as u64, bytes as u64);
        }
    }

    /// The relation's rows as of now, immutable.
    pub fn publish(&mut self, tick: Tick) -> RelationData {
        self.dirty = false;
        // Counting passes over the chunks and the posting lists: not at each tick.
        let next = self.next_row_id().0;
        if self.counted.is_none_or(|(at, rows)| at.elapsed() >= COUNTING || next > rows + rows / 4) {
            self.count();
        }
        match &mut self.rows {
            Rows::Hot(table) => RelationData::Hot(table.publish(tick)),
            Rows::Appended { schema, files, tail, .. } => RelationData::Appended(LakeAndTail {
                schema: Arc::clone(schema),
                files: files.clone(),
                tail: tail.iter().map(|t| t.rows.clone()).collect(),
            }),
        }
    }
}

/// The bytes of the rows themselves, also where a batch is a slice of a larger one.
fn bytes_of(batch: &RecordBatch) -> u64 {
    let of_column = |column: &ArrayRef| {
        let data = column.to_data();
        data.get_slice_memory_size().unwrap_or_else(|_| data.get_array_memory_size()) as u64
    };
    batch.columns().iter().map(of_column).sum()
}

/// Keeps the batches of tiny ticks few.
fn merge_newest(tail: &mut Vec<TailBatch>, frozen: usize) -> PgResult<()> {
    let Some(start) = tail.len().checked_sub(MERGED_BATCHES).filter(|start| *start >= frozen) else { return Ok(()) };
    let newest = &tail[start..];
    if newest.iter().map(|t| t.rows.num_rows()).sum::<usize>() > MERGED_ROWS {
        return Ok(());
    }
    let first = newest[0].first;
    let rows = concat_batches(newest[0].rows.schema_ref(), newest.iter().map(|t| &t.rows))?;
    let merged = TailBatch { first, bytes: bytes_of(&rows), rows };
    tail.truncate(start);
    tail.push(merged);
    Ok(())
}

/// Nobody here reads the rows that died, and gathering them costs.
fn without_retractions(mut rows: Rows) -> Rows {
    if let Rows::Hot(table) = &mut rows {
        table.set_retractions(false);
    }
    rows
}

/// The metadata column of tables with soft delete.
const DELETED: &str = "_deleted";

/// A soft delete writes key and metadata and leaves the row's own columns as they were.
fn keep_deleted_rows(schema: &TableSchema, ops: &[Op], unchanged: &mut Vec<(usize, BooleanBuffer)>) {
    let deletes = BooleanBuffer::collect_bool(ops.len(), |i| ops[i] == Op::Delete);
    for (i, column) in schema.columns.iter().enumerate() {
        if schema.key.contains(&i) || column.name.starts_with('_') {
            continue;
        }
        match unchanged.iter_mut().find(|(c, _)| *c == i) {
            Some((_, mask)) => *mask = &*mask | &deletes,
            None => unchanged.push((i, deletes.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Column, PgType, oid};
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    fn slot() -> Slot {
        let schema = Arc::new(TableSchema::new(vec![Column::new("n", PgType::new(oid::INT8), true)], vec![]));
        let rows = Rows::Appended { schema, files: None, tail: vec![], frozen: 0, next: RowId(0) };
        Slot::new(Oid(1), RelationKind::Bronze, "bronze.t".into(), rows)
    }

    fn append(slot: &mut Slot, numbers: Range<i64>) {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
        let rows = RecordBatch::try_new(Arc::clone(slot.schema().arrow()), vec![column]).expect("one column");
        slot.append(rows).expect("bronze takes its own rows");
    }

    fn tail(slot: &Slot) -> &[TailBatch] {
        match &slot.rows {
            Rows::Appended { tail, .. } => tail,
            Rows::Hot(_) => panic!("an append-only table"),
        }
    }

    #[test]
    fn tiny_ticks_leave_few_batches_and_every_row_its_id() {
        let mut slot = slot();
        (0..5_000).for_each(|n| append(&mut slot, n..n + 1));
        let batches = tail(&slot);
        assert!(batches.len() < 5_000 / 64 + 2 * MERGED_BATCHES, "{} batches", batches.len());
        let mut next = 0;
        for batch in batches {
            assert_eq!(batch.first, RowId(next as u64));
            for number in batch.rows.column(0).as_primitive::<Int64Type>().values() {
                assert_eq!(*number, next);
                next += 1;
            }
        }
        assert_eq!(next, 5_000);
        assert_eq!(slot.next_row_id(), RowId(5_000));
    }

    #[test]
    fn what_a_flush_is_writing_is_not_merged() {
        let mut slot = slot();
        (0..10).for_each(|n| append(&mut slot, n..n + 1));
        if let Rows::Appended { tail, frozen, .. } = &mut slot.rows {
            *frozen = tail.len();
        }
        (10..100).for_each(|n| append(&mut slot, n..n + 1));
        let firsts: Vec<u64> = tail(&slot).iter().take(11).map(|t| t.first.0).collect();
        assert_eq!(firsts, (0..11).collect::<Vec<u64>>());
    }

    #[test]
    fn a_slice_counts_its_own_bytes_only() {
        let mut slot = slot();
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let rows = RecordBatch::try_new(Arc::clone(slot.schema().arrow()), vec![column]).expect("one column");
        slot.append(rows.slice(500, 1_000)).expect("bronze takes its own rows");
        assert_eq!(slot.unflushed_bytes(), 8_000);
    }
}
