//! Foreign keys at COMMIT. A statement holds its rows against the keys over its own snapshot; what another transaction has changed since is looked at here,
//! and only where it has: a row that refers to one that is gone, or a row that is gone and is referred to, is `40001`.

use super::snapshot::RelationData;
use super::tick::Engine;
use super::write::{TableCommit, lost_race, own_table};
use crate::catalog::{Catalog, ConstraintKind, Foreign, Relation};
use crate::change::{RowId, Tick};
use crate::store::TableSnapshot;
use crate::types::{Oid, PgResult};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use std::collections::HashSet;
use std::sync::Arc;

fn keys_of(rows: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|c| Arc::clone(rows.column(*c))).collect()
}

fn foreign_keys(relation: &Relation) -> impl Iterator<Item = (&[i16], &Foreign)> {
    relation.constraints.iter().filter_map(|c| match &c.kind {
        ConstraintKind::Foreign(foreign) => Some((&c.columns[..], foreign)),
        _ => None,
    })
}

impl Engine {
    /// `40001` where others have changed since `tick` what the rows' foreign keys depend on. `catalog`: with the transaction's names.
    pub(super) fn verify_references(&self, tables: &[TableCommit], tick: Tick, catalog: &Catalog) -> PgResult<()> {
        let changed = |oid: Oid| self.slots.get(&oid).is_some_and(|slot| slot.changed_tick > tick);
        for table in tables {
            let Some(relation) = catalog.relation(table.oid) else { continue };
            for (columns, foreign) in foreign_keys(relation).filter(|(_, f)| changed(Oid(f.table))) {
                let Some(referred) = catalog.relation(Oid(foreign.table)) else { continue };
                let keys = keys_of(&table.rows, &relation.positions(columns));
                let found = self.find_after(tables, referred.oid, &referred.positions(&foreign.columns), &keys)?;
                let refers = |row: &usize| keys.iter().all(|key| key.is_valid(*row));
                if (0..table.rows.num_rows()).filter(refers).any(|row| !found.contains(&(row as u32))) {
                    return Err(lost_race("delete"));
                }
            }
            let Some(base) = table.base.as_ref().filter(|_| !table.dead.is_empty()) else { continue };
            for child in catalog.user_relations().filter(|child| changed(child.oid)) {
                for (columns, foreign) in foreign_keys(child).filter(|(_, f)| f.table == table.oid.0) {
                    let own = relation.positions(&foreign.columns);
                    let gone = base.rows_by_id(&table.dead, None)?;
                    let still = self.find_after(tables, table.oid, &own, &keys_of(&gone, &own))?;
                    let lost: BooleanArray =
                        (0..gone.num_rows()).map(|row| Some(!still.contains(&(row as u32)))).collect();
                    let lost = filter_record_batch(&gone, &lost)?;
                    let theirs = child.positions(columns);
                    if !self.find_after(tables, child.oid, &theirs, &keys_of(&lost, &own))?.is_empty() {
                        return Err(lost_race("update"));
                    }
                }
            }
        }
        Ok(())
    }

    fn rows_now(&self, oid: Oid) -> Option<&TableSnapshot> {
        match self.relations.get(&oid) {
            Some(RelationData::Hot(rows)) => Some(rows),
            _ => None,
        }
    }

    /// The numbers of those keys that a table's rows have when the transaction is applied.
    fn find_after(
        &self,
        tables: &[TableCommit],
        oid: Oid,
        columns: &[usize],
        keys: &[ArrayRef],
    ) -> PgResult<HashSet<u32>> {
        let commit = tables.iter().find(|table| table.oid == oid);
        let mut found = HashSet::new();
        if keys.first().is_none_or(|key| key.is_empty()) {
            return Ok(found);
        }
        if let Some(rows) = self.rows_now(oid).filter(|_| commit.is_none_or(|c| !c.truncated)) {
            let dead: HashSet<RowId> = commit.into_iter().flat_map(|c| c.dead.iter().copied()).collect();
            let living = rows.find_ids(columns, keys)?.into_iter().filter(|(_, id)| !dead.contains(id));
            found.extend(living.map(|(row, _)| row));
        }
        if let Some(commit) = commit.filter(|c| c.rows.num_rows() > 0)
            && let Some(schema) = self.slots.get(&oid).map(|slot| slot.schema())
            && schema.arrow().fields() == commit.rows.schema().fields()
        {
            let (mut own, _) = own_table(schema, &[])?;
            own.write(&[], &commit.rows)?;
            let own = own.publish(Tick(0));
            found.extend(own.find_ids(columns, keys)?.into_iter().map(|(row, _)| row));
        }
        Ok(found)
    }
}
