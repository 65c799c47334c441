//! `pg_proc`: functions, aggregates and window functions. One without a kernel is listed too, and answers `0A000`.

use crate::catalog::{BOOTSTRAP_ROLE, PG_CATALOG, SLUICE};
use crate::kernels::facts;
use crate::kernels::facts::OWN_PROCS;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

fn numbers(oids: &[Oid]) -> Vec<u32> {
    oids.iter().map(|o| o.0).collect()
}

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("proowner", BOOTSTRAP_ROLE);
    // Language "internal".
    rows.constant("prolang", 12u32).constant("procost", 1.0).constant("prosupport", 0u32);
    rows.constants(&["prosecdef", "proleakproof"], false).constant("proparallel", "s");
    rows.columns(&[
        "oid",
        "pronamespace",
        "proname",
        "prorows",
        "provariadic",
        "prokind",
        "proisstrict",
        "proretset",
        "provolatile",
        "pronargs",
        "pronargdefaults",
        "prorettype",
        "proargtypes",
        "proallargtypes",
        "proargmodes",
        "proargnames",
        "prosrc",
    ]);
    for function in &facts().procs {
        let modes: Vec<String> = function.modes.iter().map(char::to_string).collect();
        let names: Vec<String> = function.arg_names.iter().map(|n| n.to_string()).collect();
        rows.push(row![
            function.oid,
            if function.oid < OWN_PROCS { PG_CATALOG } else { SLUICE },
            function.name,
            if function.returns_set { 1000.0 } else { 0.0 },
            function.variadic,
            function.kind,
            function.strict,
            function.returns_set,
            function.volatility,
            function.args.len(),
            function.defaults,
            function.result,
            numbers(&function.args),
            Some(numbers(&function.all_args)).filter(|a| !a.is_empty()),
            Some(modes).filter(|m| !m.is_empty()),
            Some(names).filter(|n| !n.is_empty()),
            function.name,
        ]);
    }
}
