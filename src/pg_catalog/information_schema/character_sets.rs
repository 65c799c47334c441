//! `character_sets`: UTF-8.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["character_set_name", "character_repertoire", "form_of_use", "default_collate_catalog"]);
    rows.columns(&["default_collate_schema", "default_collate_name"]);
    rows.push(row!["UTF8", "UCS", "UTF8", &cx.session().database, "pg_catalog", "C"]);
}
