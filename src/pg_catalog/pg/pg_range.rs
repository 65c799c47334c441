//! `pg_range`: range types.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::fill_from_text;
use crate::pg_catalog::rows::Rows;

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill_from_text(rows, include_str!("../facts/pg_range.tsv"));
}
