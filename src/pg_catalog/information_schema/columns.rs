//! `columns`: the columns of tables and views.

use super::listed;
use crate::catalog::Identity;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::{collation_name, sql_type};
use crate::pg_catalog::objects::{name_of, shown};
use crate::pg_catalog::relkind;
use crate::pg_catalog::rows::{Rows, row, yes_or_no};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["is_self_referencing", "identity_cycle"], "NO").constant("udt_schema", "pg_catalog");
    rows.columns(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "column_default",
        "is_identity",
        "identity_generation",
        "is_generated",
        "generation_expression",
        "ordinal_position",
        "is_nullable",
        "data_type",
        "character_maximum_length",
        "character_octet_length",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "datetime_precision",
        "collation_catalog",
        "collation_schema",
        "collation_name",
        "udt_catalog",
        "udt_name",
        "dtd_identifier",
        "is_updatable",
    ]);
    let database = cx.session().database.as_str();
    for relation in listed(cx) {
        let is_table = relkind(relation) == 'r';
        for column in relation.columns.iter().filter(|c| cx.sees_column(relation, c.attnum)) {
            let collation = collation_name(relation, Oid(column.type_oid));
            let default = column.default.as_deref().filter(|_| column.identity.is_none());
            let default = default.map(|text| shown(cx.catalog, text, &|r| name_of(cx.catalog, r)));
            let ty = sql_type(Oid(column.type_oid), column.typmod);
            rows.push(row![
                database,
                cx.schema_of(relation),
                &relation.name,
                &column.name,
                default.as_deref().filter(|_| !column.generated),
                yes_or_no(column.identity.is_some()),
                column.identity.map(|identity| if identity == Identity::Always { "ALWAYS" } else { "BY DEFAULT" }),
                if column.generated { "ALWAYS" } else { "NEVER" },
                default.as_deref().filter(|_| column.generated),
                column.attnum,
                yes_or_no(!column.not_null),
                &ty.data_type,
                ty.character_maximum_length,
                ty.character_octet_length,
                ty.numeric_precision,
                ty.numeric_precision_radix,
                ty.numeric_scale,
                ty.datetime_precision,
                collation.map(|_| database),
                collation.map(|_| "pg_catalog"),
                collation,
                database,
                ty.udt_name,
                column.attnum.to_string(),
                yes_or_no(is_table),
            ]);
        }
    }
}
