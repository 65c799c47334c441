//! `sluice.lake_files`: the data files of each table in the lake, as of the statement's snapshot.

use super::{Own, always, perhaps};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Cell, Rows, row};
use crate::types::oid;

pub const LAKE_FILES: Own = Own {
    oid: 13914,
    name: "lake_files",
    comment: "the data files of each table in the lake",
    columns: &[
        always("schema_name", oid::TEXT),
        always("table_name", oid::TEXT),
        // Of the Delta table.
        always("version", oid::INT8),
        // Relative to the table's folder.
        always("path", oid::TEXT),
        perhaps("partition", oid::TEXT),
        always("bytes", oid::INT8),
        always("rows", oid::INT8),
        // In the deletion vector.
        always("dead_rows", oid::INT8),
        always("written_at", oid::TIMESTAMPTZ),
        // Delta's: least and greatest values by column.
        perhaps("statistics", oid::TEXT),
    ],
    fill,
};

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for row in &cx.state().lake_files {
        let Some(relation) = cx.catalog.relation(row.oid) else { continue };
        let file = &row.file;
        rows.push(row![
            cx.schema_of(relation),
            &relation.name,
            row.version,
            &file.path,
            file.partition.as_deref(),
            file.size,
            file.rows,
            file.dead,
            Cell::At(file.modified_ms * 1000),
            // They have values of the table.
            Some(file.stats.as_str()).filter(|_| cx.sees(relation)),
        ]);
    }
}
