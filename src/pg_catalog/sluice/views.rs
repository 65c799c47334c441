//! `sluice.views`: how each gold view is kept, and whether it is.

use super::{Own, TEXT_ARRAY, always, perhaps, seconds};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::{Oid, oid};

pub const VIEWS: Own = Own {
    oid: 13908,
    name: "views",
    comment: "how each materialized view is kept up to date, and whether it is",
    columns: &[
        always("schema_name", oid::TEXT),
        always("view_name", oid::TEXT),
        always("state", oid::TEXT),
        perhaps("error", oid::TEXT),
        always("maintenance", oid::TEXT),
        perhaps("reason", oid::TEXT),
        always("rows", oid::INT8),
        // The view equals its query at this tick; its rows last changed in that one.
        always("tick", oid::INT8),
        always("changed_tick", oid::INT8),
        always("runs", oid::INT8),
        always("total_seconds", oid::FLOAT8),
        always("last_seconds", oid::FLOAT8),
        always("inputs", TEXT_ARRAY),
        // A line for each operator.
        always("plan", TEXT_ARRAY),
        always("state_bytes", oid::INT8),
        // While it is hydrating: the share of its inputs that has been read.
        perhaps("progress", oid::FLOAT8),
    ],
    fill,
};

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for view in &cx.state().views {
        let Some(relation) = cx.catalog.relation(view.oid) else { continue };
        let inputs = relation.depends_on.iter().filter_map(|oid| cx.catalog.relation(Oid(*oid)));
        rows.push(row![
            cx.schema_of(relation),
            &relation.name,
            view.state,
            view.error.as_deref(),
            view.maintenance,
            view.reason.as_deref(),
            view.rows,
            cx.state().tick,
            view.changed_tick,
            view.runs,
            seconds(view.total_us),
            seconds(view.last_us),
            inputs.map(|input| cx.catalog.qualified_name(input)).collect::<Vec<String>>(),
            view.plan.to_vec(),
            view.state_bytes,
            view.progress,
        ]);
    }
}
