//! A secondary index over many rows, built on another thread while the table goes on changing.
//!
//! [`TableSnapshot::build_index`] makes it over the rows of a snapshot; [`Table::adopt_index`] brings it up to date with what
//! came and went since, in proportion to that and to what was compacted, and takes it as one that was asked for.

use super::chunk::Chunk;
use super::key::{hash_row, parts_of};
use super::list::ChunkList;
use super::postings::PostingIndex;
use super::secondary::Secondary;
use super::snapshot::TableSnapshot;
use super::table::Table;
use crate::types::{PgResult, TableSchema};
use std::sync::Arc;

/// An index over the rows of one snapshot.
pub struct BuiltIndex {
    secondary: Secondary,
    schema: Arc<TableSchema>,
    chunks: ChunkList,
    epoch: u64,
    next_id: u64,
}

impl BuiltIndex {
    pub fn is_over(&self, columns: &[usize]) -> bool {
        self.secondary.is_over(columns)
    }
}

impl TableSnapshot {
    /// An index over these columns. `each` is told of every chunk's rows; an error of its ends the work.
    pub fn build_index(&self, columns: &[usize], mut each: impl FnMut(usize) -> PgResult<()>) -> PgResult<BuiltIndex> {
        let state = self.state();
        let parts = parts_of(columns, &state.schema);
        let secondary = Secondary::empty(parts);
        for chunk in state.chunks.iter() {
            chunk.prepare(&secondary.parts)?;
            secondary.insert(chunk, state.epoch);
            each(chunk.rows())?;
        }
        let (schema, chunks) = (Arc::clone(&state.schema), state.chunks.clone());
        Ok(BuiltIndex { secondary, schema, chunks, epoch: state.epoch, next_id: state.next_id })
    }
}

impl Table {
    /// Takes an index that was built over a snapshot of this table, as [`Table::ensure_index`] makes one: `false` where the
    /// table has other columns by now.
    pub fn adopt_index(&mut self, built: BuiltIndex) -> PgResult<bool> {
        if *built.schema != *self.schema {
            return Ok(false);
        }
        let columns: Vec<usize> = built.secondary.parts.iter().map(|part| part.column).collect();
        if self.secondaries.iter().any(|index| index.is_over(&columns)) {
            return self.ensure_index(&columns).map(|()| true);
        }
        let BuiltIndex { secondary, chunks, epoch, next_id, .. } = built;
        let postings: &PostingIndex = &secondary.postings;
        let mut known: Vec<*const Chunk> = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks.iter() {
            chunk.prepare(&secondary.parts)?;
            known.push(Arc::as_ptr(chunk));
            // What came since.
            let new = chunk.ids.rank(next_id);
            for (row, id) in (new..chunk.rows()).zip(chunk.ids.tail_from(new)) {
                if chunk.is_alive(row) {
                    postings.insert(secondary.hash_of(chunk, row), id);
                }
            }
        }
        known.sort_unstable();
        // What went since: marked in the chunk, where that is still the table's own, or gone with it.
        for chunk in chunks.iter() {
            let same = known.binary_search(&Arc::as_ptr(chunk)).is_ok();
            if same && chunk.dead() == 0 {
                continue;
            }
            let ids = chunk.ids.tail_from(0);
            let seen = chunk.mask_at(epoch);
            let was_seen = |row: &usize| seen.as_ref().is_none_or(|seen| seen.value(*row));
            for (row, id) in ids.into_iter().enumerate().filter(|(row, _)| was_seen(row)) {
                let lives = match same {
                    true => chunk.is_alive(row),
                    false => self.chunks.locate(id).is_some_and(|at| self.chunks.chunk(at).is_alive(at.row as usize)),
                };
                if !lives {
                    postings.remove(hash_row(chunk.indexed(&secondary.parts), row), id);
                }
            }
        }
        self.secondaries.push(secondary.used_once());
        self.dirty = true;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use crate::change::{RowId, Tick};
    use crate::store::Table;
    use crate::types::{Column, PgType, TableSchema, oid};
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use std::sync::Arc;

    fn rows(table: &Table, ids: std::ops::Range<i32>, turn: i32) -> RecordBatch {
        let id: ArrayRef = Arc::new(Int32Array::from_iter_values(ids.clone()));
        let group: ArrayRef = Arc::new(Int32Array::from_iter_values(ids.map(|id| (id + turn) % 10)));
        RecordBatch::try_new(Arc::clone(table.schema().arrow()), vec![id, group]).expect("two columns")
    }

    #[test]
    fn an_index_built_beside_finds_what_one_built_inside_finds() {
        let int = |name| Column::new(name, PgType::new(oid::INT4), true);
        let schema = Arc::new(TableSchema::new(vec![int("id"), int("g")], vec![0]));
        let mut table = Table::new(schema);
        let upsert = |table: &mut Table, ids: std::ops::Range<i32>, turn| {
            let rows = rows(table, ids, turn);
            let ops = vec![crate::store::RowOp::Upsert; rows.num_rows()];
            table.apply(&rows, &ops, &[]).expect("rows of the table");
        };
        upsert(&mut table, 0..5_000, 0);
        let snapshot = table.publish(Tick(1));
        let built = snapshot.build_index(&[1], |_| Ok(())).expect("an index");
        // Rows come, go, change and are compacted meanwhile, and some come and go at once.
        upsert(&mut table, 4_000..7_000, 3);
        table.publish(Tick(2));
        upsert(&mut table, 6_000..6_500, 4);
        let dead: Vec<RowId> = (100..3_000).map(RowId).collect();
        let none = rows(&table, 0..0, 0);
        table.write(&dead, &none).expect("rows that live");
        drop(snapshot);
        table.publish(Tick(3));
        while table.maintain(usize::MAX) {}
        upsert(&mut table, 10..60, 1);
        assert!(table.adopt_index(built).expect("an index of this table"));
        let beside = table.publish(Tick(4));
        let groups: Vec<ArrayRef> = vec![Arc::new(Int32Array::from_iter_values(0..10))];
        let mut found: Vec<_> = beside.find_ids(&[1], &groups).expect("there is an index");
        found.sort_unstable();
        let entries = table.secondaries[0].postings.len();
        table.release_index(&[1]);
        table.ensure_index(&[1]).expect("an index");
        let inside = table.publish(Tick(5));
        let mut wanted: Vec<_> = inside.find_ids(&[1], &groups).expect("there is an index");
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert_eq!(entries, table.secondaries[0].postings.len());
    }
}
