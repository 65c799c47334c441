//! `pg_attribute`: the columns of all relations, indexes too. There are no system columns (`ctid`, `xmin`).

use crate::catalog::{CatalogColumn, Relation};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::{Key, collation, physical};
use crate::pg_catalog::relkind;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["attstattarget", "attcacheoff"], -1i32).constant("attinhcount", 0i32);
    rows.constants(&["attcompression", "attidentity", "attgenerated"], "");
    rows.constants(&["atthasdef", "atthasmissing", "attisdropped"], false).constant("attislocal", true);
    rows.columns(&[
        "attrelid",
        "attname",
        "atttypid",
        "attlen",
        "attnum",
        "attndims",
        "atttypmod",
        "attbyval",
        "attalign",
        "attstorage",
        "attnotnull",
        "attcollation",
    ]);
    for relation in cx.catalog.relations() {
        for column in &relation.columns {
            push(rows, relation, relation.oid, column, column.attnum, column.not_null);
        }
        if let Some(key) = Key::of(relation) {
            for (column, attnum) in key.columns().zip(1..) {
                push(rows, relation, key.index, column, attnum, false);
            }
        }
    }
}

/// `of`: the relation itself, or its index.
fn push(rows: &mut Rows<'_>, relation: &Relation, of: Oid, column: &CatalogColumn, attnum: i16, not_null: bool) {
    let physical = physical(Oid(column.type_oid));
    rows.push(row![
        of,
        &column.name,
        column.type_oid,
        physical.len,
        attnum,
        // The columns of a query have no declared dimensions.
        if relkind(relation) == 'r' && of == relation.oid { physical.dimensions } else { 0 },
        column.typmod,
        physical.by_value,
        physical.align,
        physical.storage,
        not_null,
        collation(relation, Oid(column.type_oid)),
    ]);
}
