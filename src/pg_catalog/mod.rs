//! Floor 6: `pg_catalog`, `information_schema` and `sluice`: system relations as rows over the one [`Catalog`].
//!
//! Every relation is made here from the catalog and the engine's state of one snapshot ([`SystemContext`]), so that it is
//! at the tick of everything else that a statement reads. PostgreSQL's relations have exactly PostgreSQL 15's columns
//! (`layout.tsv`) and OIDs; what PostgreSQL has as a view is shown as a view, though its rows are made like all others.
//! A relation that would have rows in PostgreSQL and is not made here is not declared: asking for it is an error, never
//! an empty answer.
//!
//! Called by `sql` when a plan reads a relation of kind [`RelationKind::System`]. To add one: a file in `pg`,
//! `information_schema` or `sluice`, and its line in that folder's `RELATIONS`.
//!
//! [`Catalog`]: crate::catalog::Catalog

mod cache;
pub mod context;
mod describe;
mod information_schema;
mod layout;
mod lookup;
mod objects;
mod pg;
mod roles;
mod rows;
mod sluice;
#[cfg(test)]
mod tests;

pub use cache::{Asker, Basis, RowCache};
pub use context::{
    CursorRow, Facts, LakeCommitRow, LakeFileRow, LakeRow, LockRow, MemoryRow, PreparedRow, SessionFacts, SessionRow,
    SettingRow, SourceRow, State, StreamRow, SystemContext, TableRow, Uses, ViewRow,
};

/// `sluice.lake_files` and `sluice.lake_commits`: their rows come from the lake, see [`State::lake_files`].
pub const LAKE_FILES: Oid = sluice::FILES;
pub const LAKE_COMMITS: Oid = sluice::COMMITS;
pub use lookup::Lookup;
pub use roles::{DATABASE, OWNER, role_oid};

use crate::catalog::{self, CatalogColumn, Relation, RelationKind};
use crate::types::{Oid, PgError, PgResult, PgType, TableSchema};
use arrow::array::RecordBatch;
use rows::Rows;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

/// Makes the rows of one relation.
type Fill = fn(&SystemContext<'_>, &mut Rows<'_>);

/// A system relation as this binary has it.
struct System {
    relation: Relation,
    table: Arc<TableSchema>,
    relkind: char,
    fill: Fill,
    /// Rows that are the same for everybody and always, once they were asked for.
    fixed: Option<OnceLock<RecordBatch>>,
}

static SYSTEM: LazyLock<BTreeMap<Oid, System>> = LazyLock::new(|| {
    let postgres = [
        ("pg_catalog", catalog::PG_CATALOG, pg::RELATIONS, pg::EMPTY),
        ("information_schema", catalog::INFORMATION_SCHEMA, information_schema::RELATIONS, information_schema::EMPTY),
    ];
    let mut all = BTreeMap::new();
    for (schema, schema_oid, filled, empty) in postgres {
        let nothing: Fill = |_, _| ();
        for (name, fill) in filled.iter().copied().chain(empty.iter().map(|name| (*name, nothing))) {
            let layout = layout::layouts().get(schema, name).expect("every relation here is in layout.tsv");
            let relation = system_relation(layout.oid, schema_oid, name, layout.row_type_oid, layout.columns.clone());
            all.insert(relation.oid, System::new(relation, layout.relkind, fill));
        }
    }
    for own in sluice::RELATIONS {
        let columns =
            own.columns.iter().zip(1..).map(|(column, attnum)| {
                CatalogColumn::new(column.name, PgType::new(column.ty), !column.nullable, attnum)
            });
        let mut relation = system_relation(own.oid, catalog::SLUICE, own.name, own.oid + 1, columns.collect());
        relation.comment = Some(own.comment.to_string());
        all.insert(relation.oid, System::new(relation, 'r', own.fill));
    }
    all
});

impl System {
    fn new(relation: Relation, relkind: char, fill: Fill) -> Self {
        let is_fixed = relation.schema == catalog::PG_CATALOG && pg::FIXED.contains(&relation.name.as_str());
        let fixed = is_fixed.then(OnceLock::new);
        Self { table: Arc::new(relation.table_schema()), relation, relkind, fill, fixed }
    }
}

fn system_relation(oid: u32, schema: Oid, name: &str, row_type_oid: u32, columns: Vec<CatalogColumn>) -> Relation {
    Relation {
        oid: Oid(oid),
        schema,
        name: name.to_string(),
        kind: RelationKind::System,
        columns,
        row_type_oid,
        ..Relation::default()
    }
}

/// The system relations for [`Catalog::new`](crate::catalog::Catalog::new).
pub fn system_relations() -> Vec<Relation> {
    SYSTEM.values().map(|system| system.relation.clone()).collect()
}

/// The columns of a system relation, as [`rows`] gives them.
pub fn schema(oid: Oid) -> Option<Arc<TableSchema>> {
    SYSTEM.get(&oid).map(|system| Arc::clone(&system.table))
}

/// All rows of a system relation: every column, in storage forms.
///
/// Errors: `XX000` for a relation that is none of [`system_relations`], or whose file is at fault.
pub fn rows(oid: Oid, cx: &SystemContext<'_>) -> PgResult<RecordBatch> {
    let system = SYSTEM.get(&oid).ok_or_else(|| PgError::internal(format!("no system relation with OID {oid}")))?;
    if let Some(rows) = system.fixed.as_ref().and_then(OnceLock::get) {
        return Ok(rows.clone());
    }
    let mut rows = Rows::new(&system.table);
    (system.fill)(cx, &mut rows);
    let rows = rows.finish(&system.relation.name)?;
    Ok(match &system.fixed {
        Some(fixed) => fixed.get_or_init(|| rows).clone(),
        None => rows,
    })
}

/// `pg_class.relkind`: what PostgreSQL has it as, or what the user made it as.
fn relkind(relation: &Relation) -> char {
    match relation.kind {
        RelationKind::System => SYSTEM.get(&relation.oid).map_or('r', |system| system.relkind),
        kind => kind.relkind(),
    }
}

/// Fixed rows of a small relation: PostgreSQL's text form, all columns.
fn fill_from_text(rows: &mut Rows<'_>, tsv: &'static str) {
    rows.all_columns();
    for line in tsv.lines() {
        rows.push_text(line.split('\t'));
    }
}
