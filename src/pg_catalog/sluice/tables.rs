//! `sluice.tables`: what each table and gold view holds, and how much of it is durable.

use super::{Own, always, perhaps};
use crate::catalog::RelationKind;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::oid;

pub const TABLES: Own = Own {
    oid: 13906,
    name: "tables",
    comment: "what each table and materialized view holds, and how much of it is durable",
    columns: &[
        always("schema_name", oid::TEXT),
        always("table_name", oid::TEXT),
        always("kind", oid::TEXT),
        always("rows", oid::INT8),
        always("memory_bytes", oid::INT8),
        always("unflushed_rows", oid::INT8),
        always("durable_tick", oid::INT8),
        always("changed_tick", oid::INT8),
        perhaps("delta_version", oid::INT8),
        // Rows that are in the lake alone but for their keys, and about how many bytes more they would take in memory.
        always("evicted_rows", oid::INT8),
        always("evicted_bytes", oid::INT8),
    ],
    fill,
};

fn kind_name(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Bronze => "bronze",
        RelationKind::Silver => "silver",
        RelationKind::Managed => "managed",
        RelationKind::Gold => "gold",
        RelationKind::View => "view",
        RelationKind::Sequence => "sequence",
        RelationKind::System => "system",
    }
}

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for table in &cx.state().tables {
        let Some(relation) = cx.catalog.relation(table.oid) else { continue };
        rows.push(row![
            cx.schema_of(relation),
            &relation.name,
            kind_name(relation.kind),
            table.rows,
            table.bytes,
            table.unflushed_rows,
            table.durable_tick,
            table.changed_tick,
            table.delta_version,
            table.evicted_rows,
            table.evicted_bytes,
        ]);
    }
}
