//! `information_schema_catalog_name`: the database.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns().push(row![&cx.session().database]);
}
