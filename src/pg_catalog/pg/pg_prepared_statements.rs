//! `pg_prepared_statements`: prepared statements of this session.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::Cell;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["name", "statement", "prepare_time", "parameter_types", "from_sql"]);
    for prepared in cx.prepared() {
        let types: Vec<u32> = prepared.parameter_types.iter().map(|ty| ty.0).collect();
        rows.push(row![&prepared.name, &prepared.statement, Cell::At(prepared.prepared_us), types, prepared.from_sql,]);
    }
}
