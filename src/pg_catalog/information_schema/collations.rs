//! `collations`, and the character set that each applies to.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

const NAMES: [&str; 3] = ["default", "C", "POSIX"];

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("collation_schema", "pg_catalog").constant("pad_attribute", "NO PAD");
    rows.columns(&["collation_catalog", "collation_name"]);
    for name in NAMES {
        rows.push(row![&cx.session().database, name]);
    }
}

pub fn applicability(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("collation_schema", "pg_catalog").constant("character_set_name", "UTF8");
    rows.columns(&["collation_catalog", "collation_name"]);
    for name in NAMES {
        rows.push(row![&cx.session().database, name]);
    }
}
