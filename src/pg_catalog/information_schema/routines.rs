//! `routines`: the built-in functions.

use crate::kernels::facts;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::sql_type;
use crate::pg_catalog::rows::{Rows, row, yes_or_no};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["specific_schema", "routine_schema", "type_udt_schema"], "pg_catalog");
    rows.constant("routine_body", "EXTERNAL").constant("external_language", "INTERNAL");
    rows.constant("parameter_style", "GENERAL").constant("sql_data_access", "MODIFIES");
    rows.constant("schema_level_routine", "YES").constant("max_dynamic_result_sets", 0i32);
    rows.constant("security_type", "INVOKER").constant("as_locator", "NO").constant("dtd_identifier", "0");
    rows.constant("is_udt_dependent", "NO");
    rows.columns(&[
        "specific_catalog",
        "specific_name",
        "routine_catalog",
        "routine_name",
        "routine_type",
        "data_type",
        "type_udt_catalog",
        "type_udt_name",
        "routine_definition",
        "is_deterministic",
        "is_null_call",
    ]);
    let database = cx.session().database.as_str();
    for function in &facts().procs {
        let kind = match function.kind {
            'f' => Some("FUNCTION"),
            'p' => Some("PROCEDURE"),
            _ => None,
        };
        let ty = sql_type(function.result, -1);
        rows.push(row![
            database,
            format!("{}_{}", function.name, function.oid),
            database,
            function.name,
            kind,
            &ty.data_type,
            database,
            ty.udt_name,
            function.name,
            yes_or_no(function.volatility == 'i'),
            yes_or_no(function.strict),
        ]);
    }
}
