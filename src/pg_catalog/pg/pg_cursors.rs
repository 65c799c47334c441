//! `pg_cursors`: open cursors of this session.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::Cell;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for cursor in cx.cursors() {
        rows.push(row![
            &cursor.name,
            &cursor.statement,
            cursor.holdable,
            cursor.binary,
            cursor.scrollable,
            Cell::At(cursor.created_us),
        ]);
    }
}
