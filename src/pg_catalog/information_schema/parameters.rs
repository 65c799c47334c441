//! `parameters`: the arguments of the built-in functions.

use crate::kernels::facts;
use crate::kernels::facts::ProcRow;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::sql_type;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["specific_schema", "udt_schema"], "pg_catalog").constants(&["is_result", "as_locator"], "NO");
    rows.columns(&[
        "specific_catalog",
        "specific_name",
        "ordinal_position",
        "parameter_mode",
        "parameter_name",
        "data_type",
        "udt_catalog",
        "udt_name",
        "dtd_identifier",
    ]);
    let database = cx.session().database.as_str();
    for function in &facts().procs {
        let types = if function.all_args.is_empty() { &function.args } else { &function.all_args };
        for (i, (ty, position)) in types.iter().zip(1i32..).enumerate() {
            let ty = sql_type(*ty, -1);
            rows.push(row![
                database,
                format!("{}_{}", function.name, function.oid),
                position,
                mode(function, i),
                function.arg_names.get(i).copied().filter(|name| !name.is_empty()),
                &ty.data_type,
                database,
                ty.udt_name,
                position.to_string(),
            ]);
        }
    }
}

/// A variadic argument is an IN argument to the standard, a column of the result an OUT one.
fn mode(function: &ProcRow, argument: usize) -> &'static str {
    match function.modes.get(argument) {
        Some('o' | 't') => "OUT",
        Some('b') => "INOUT",
        _ => "IN",
    }
}
