//! `sluice.lake_commits`: the commits of each table's Delta log that are still there, up to the statement's snapshot.

use super::{Own, always, perhaps};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Cell, Rows, row};
use crate::types::oid;

pub const LAKE_COMMITS: Own = Own {
    oid: 13916,
    name: "lake_commits",
    comment: "the commits of each table in the lake that its log still holds",
    columns: &[
        always("schema_name", oid::TEXT),
        always("table_name", oid::TEXT),
        always("version", oid::INT8),
        always("committed_at", oid::TIMESTAMPTZ),
        // WRITE, OPTIMIZE, RESTORE, CREATE TABLE
        always("operation", oid::TEXT),
        // Of a flush: the tick up to which the table is written.
        perhaps("tick", oid::INT8),
        always("files_added", oid::INT8),
        always("files_removed", oid::INT8),
        perhaps("rows_added", oid::INT8),
        perhaps("rows_deleted", oid::INT8),
        always("bytes_added", oid::INT8),
    ],
    fill,
};

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for row in &cx.state().lake_commits {
        let Some(relation) = cx.catalog.relation(row.oid) else { continue };
        let commit = &row.commit;
        rows.push(row![
            cx.schema_of(relation),
            &relation.name,
            commit.version,
            Cell::At(commit.at_ms * 1000),
            &commit.operation,
            commit.tick,
            commit.files_added,
            commit.files_removed,
            commit.rows_added,
            commit.rows_deleted,
            commit.bytes_added,
        ]);
    }
}
