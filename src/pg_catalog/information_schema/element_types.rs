//! `element_types`: what the array columns are arrays of.

use super::listed;
use crate::kernels::facts;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::{collation_name, is_array, sql_type};
use crate::pg_catalog::relkind;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("udt_schema", "pg_catalog");
    rows.columns(&[
        "object_catalog",
        "object_schema",
        "object_name",
        "object_type",
        "collection_type_identifier",
        "data_type",
        "collation_catalog",
        "collation_schema",
        "collation_name",
        "udt_catalog",
        "udt_name",
        "dtd_identifier",
    ]);
    let database = cx.session().database.as_str();
    for relation in listed(cx) {
        let kind = if relkind(relation) == 'r' { "TABLE" } else { "VIEW" };
        for column in relation.columns.iter().filter(|c| is_array(Oid(c.type_oid))) {
            let Some(array) = facts().type_row(Oid(column.type_oid)) else { continue };
            let element = sql_type(array.element, -1);
            let collation = collation_name(relation, array.element);
            let number = column.attnum.to_string();
            rows.push(row![
                database,
                cx.schema_of(relation),
                &relation.name,
                kind,
                &number,
                &element.data_type,
                collation.map(|_| database),
                collation.map(|_| "pg_catalog"),
                collation,
                database,
                element.udt_name,
                format!("a{number}"),
            ]);
        }
    }
}
