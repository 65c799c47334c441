//! `pg_attribute`: the columns of all relations, indexes too. There are no system columns (`ctid`, `xmin`).

use crate::catalog::{CatalogColumn, Identity, Relation};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::{collation, physical};
use crate::pg_catalog::objects::indexes_of;
use crate::pg_catalog::relkind;
use crate::pg_catalog::roles::acl_text;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["attstattarget", "attcacheoff"], -1i32).constant("attinhcount", 0i32);
    rows.constant("attcompression", "");
    rows.constants(&["atthasmissing", "attisdropped"], false).constant("attislocal", true);
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
        "attidentity",
        "attgenerated",
        "atthasdef",
        "attacl",
    ]);
    for relation in cx.catalog.relations() {
        for column in &relation.columns {
            let acl = acl_text(cx.catalog, relation.column_acls.get(&column.attnum));
            push(rows, relation, relation.oid, column, column.attnum, column.not_null, acl);
        }
        for index in indexes_of(relation) {
            for ((attnum, name), of) in (1..).zip(index.column_names()).zip(&index.attnums) {
                let column = match relation.column_numbered(*of) {
                    Some((_, column)) => {
                        CatalogColumn { identity: None, default: None, generated: false, ..column.clone() }
                    }
                    None => CatalogColumn::new(name, crate::types::PgType::new(crate::types::oid::TEXT), false, 0),
                };
                push(rows, relation, index.oid, &column, attnum, false, None);
            }
        }
    }
}

/// `of`: the relation itself, or its index.
fn push(
    rows: &mut Rows<'_>,
    relation: &Relation,
    of: Oid,
    column: &CatalogColumn,
    attnum: i16,
    not_null: bool,
    acl: Option<Vec<String>>,
) {
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
        match column.identity {
            Some(Identity::Always) => "a",
            Some(Identity::ByDefault) => "d",
            None => "",
        },
        if column.generated { "s" } else { "" },
        column.default.is_some() && column.identity.is_none(),
        acl,
    ]);
}
