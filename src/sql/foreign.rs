//! Foreign keys: after a statement, what it wrote still has what it refers to, and nothing refers to what it took away.
//! When a deferred key is looked at is in [`super::deferred`], what actions do to other tables in [`super::cascade`].

use super::transaction::View;
use crate::catalog::{Constraint, ConstraintKind, Foreign, Relation};
use crate::change::RowId;
use crate::engine::key_text;
use crate::types::{Oid, PgError, PgResult, SqlState};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use std::collections::HashSet;
use std::sync::Arc;

/// A foreign key of a table: its name, its columns' `attnum`s, what it refers to.
pub type Key<'a> = (&'a str, &'a [i16], &'a Foreign);

pub fn foreign_keys(relation: &Relation) -> impl Iterator<Item = Key<'_>> {
    relation.constraints.iter().filter_map(|c| match &c.kind {
        ConstraintKind::Foreign(foreign) => Some((c.name.as_str(), &c.columns[..], foreign)),
        _ => None,
    })
}

/// Which foreign keys a check looks at.
pub type Wanted<'a> = &'a dyn Fn(&Constraint) -> bool;

fn wanted_keys<'a>(relation: &'a Relation, wanted: Wanted<'a>) -> impl Iterator<Item = Key<'a>> {
    let wanted = relation.constraints.iter().filter(move |c| wanted(c));
    wanted.filter_map(|c| match &c.kind {
        ConstraintKind::Foreign(foreign) => Some((c.name.as_str(), &c.columns[..], foreign)),
        _ => None,
    })
}

/// Tables that refer to this one.
pub fn referring(view: &View, table: Oid) -> Vec<Arc<Relation>> {
    let refers = |r: &&Arc<Relation>| foreign_keys(r).any(|(.., foreign)| foreign.table == table.0);
    view.catalog.user_relations().filter(refers).cloned().collect()
}

/// Does any foreign key have to do with the table?
pub fn concerns(view: &View, relation: &Relation) -> bool {
    foreign_keys(relation).next().is_some() || !referring(view, relation.oid).is_empty()
}

/// The rows of a table with these values, as the transaction sees it.
pub fn find(view: &View, oid: Oid, columns: &[usize], keys: &[ArrayRef]) -> PgResult<Vec<(u32, RowId)>> {
    if let Some(written) = view.written.get(&oid) {
        return written.find(columns, keys);
    }
    match view.snapshot.table(oid) {
        Some(table) => table.find_ids(columns, keys),
        None => Ok(Vec::new()),
    }
}

pub fn keys_of(rows: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|c| Arc::clone(rows.column(*c))).collect()
}

pub fn schema_name<'a>(view: &'a View, relation: &Relation) -> &'a str {
    view.catalog.namespace(relation.schema).map_or("", |n| n.name.as_str())
}

/// `23503` where a written row refers to nothing. `view`: after the statement.
pub fn check_written(view: &View, relation: &Relation, rows: &RecordBatch, wanted: Wanted<'_>) -> PgResult<()> {
    if rows.num_rows() == 0 {
        return Ok(());
    }
    for (name, columns, foreign) in wanted_keys(relation, wanted) {
        let Some(referred) = view.catalog.relation(Oid(foreign.table)) else { continue };
        let (own, theirs) = (relation.positions(columns), referred.positions(&foreign.columns));
        let keys = keys_of(rows, &own);
        let found: HashSet<u32> = find(view, referred.oid, &theirs, &keys)?.into_iter().map(|(row, _)| row).collect();
        let violation = |detail: String| {
            let message =
                format!("insert or update on table \"{}\" violates foreign key constraint \"{name}\"", relation.name);
            let error = PgError::new(SqlState::FOREIGN_KEY_VIOLATION, message).detail(detail);
            error.table(schema_name(view, relation), &relation.name).constraint(name)
        };
        for row in (0..rows.num_rows()).filter(|row| !found.contains(&(*row as u32))) {
            let nulls = keys.iter().filter(|key| key.is_null(row)).count();
            if foreign.full && nulls > 0 && nulls < keys.len() {
                return Err(violation("MATCH FULL does not allow mixing of null and nonnull key values.".into()));
            }
            // A NULL refers to nothing, and may.
            if nulls == 0 {
                let key = key_text(relation, &own, rows, row).unwrap_or_default();
                return Err(violation(format!("Key {key} is not present in table \"{}\".", referred.name)));
            }
        }
    }
    Ok(())
}

/// `23503` where rows refer to one of `gone` and no row has its key any more. `view`: after the statement.
pub fn check_removed(view: &View, relation: &Relation, gone: &RecordBatch, wanted: Wanted<'_>) -> PgResult<()> {
    if gone.num_rows() == 0 {
        return Ok(());
    }
    for child in referring(view, relation.oid) {
        for key in wanted_keys(&child, wanted).filter(|(.., f)| f.table == relation.oid.0) {
            let own = relation.positions(&key.2.columns);
            let still: HashSet<u32> =
                find(view, relation.oid, &own, &keys_of(gone, &own))?.into_iter().map(|(row, _)| row).collect();
            let lost: BooleanArray = (0..gone.num_rows()).map(|row| Some(!still.contains(&(row as u32)))).collect();
            check_unreferred(view, relation, &child, key, &filter_record_batch(gone, &lost)?)?;
        }
    }
    Ok(())
}

/// `23503` where a row of `child` refers to one of `gone` by this key.
pub fn check_unreferred(
    view: &View,
    relation: &Relation,
    child: &Relation,
    (name, columns, foreign): Key<'_>,
    gone: &RecordBatch,
) -> PgResult<()> {
    if gone.num_rows() == 0 {
        return Ok(());
    }
    let (theirs, own) = (child.positions(columns), relation.positions(&foreign.columns));
    let Some((row, _)) = find(view, child.oid, &theirs, &keys_of(gone, &own))?.first().copied() else { return Ok(()) };
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{name}\" on table \"{}\"",
        relation.name, child.name
    );
    let key = key_text(relation, &own, gone, row as usize).unwrap_or_default();
    let error = PgError::new(SqlState::FOREIGN_KEY_VIOLATION, message)
        .detail(format!("Key {key} is still referenced from table \"{}\".", child.name));
    Err(error.table(schema_name(view, child), &child.name).constraint(name))
}

/// The tables of a TRUNCATE ... CASCADE: those named, and all that refer to them.
pub fn with_referring(view: &View, mut tables: Vec<Arc<Relation>>) -> Vec<Arc<Relation>> {
    let mut at = 0;
    while at < tables.len() {
        for child in referring(view, tables[at].oid) {
            if !tables.iter().any(|t| t.oid == child.oid) {
                tables.push(child);
            }
        }
        at += 1;
    }
    tables
}

/// `0A000` for TRUNCATE of a table that others refer to, unless they are truncated too.
pub fn check_truncated(view: &View, tables: &[Arc<Relation>]) -> PgResult<()> {
    for relation in tables {
        for child in referring(view, relation.oid) {
            if tables.iter().any(|t| t.oid == child.oid) {
                continue;
            }
            let message = "cannot truncate a table referenced in a foreign key constraint";
            let detail = format!("Table \"{}\" references \"{}\".", child.name, relation.name);
            let hint = format!("Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.", child.name);
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).detail(detail).hint(hint));
        }
    }
    Ok(())
}

/// The tables that refer to `table`, with the names of the foreign keys.
pub fn dependents(catalog: &crate::catalog::Catalog, table: Oid) -> Vec<(Arc<Relation>, String)> {
    let mut found = Vec::new();
    for relation in catalog.user_relations().filter(|r| r.oid != table) {
        for (name, _, foreign) in foreign_keys(relation) {
            if foreign.table == table.0 {
                found.push((Arc::clone(relation), name.to_owned()));
            }
        }
    }
    found
}
