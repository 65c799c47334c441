//! `pg_aggregate`: which functions are aggregates, and of what kind. How PostgreSQL computes them (transition functions and
//! states) is not how Sluice does: those columns are 0.

use crate::kernels::facts;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let functions =
        ["aggtransfn", "aggfinalfn", "aggcombinefn", "aggserialfn", "aggdeserialfn", "aggmtransfn", "aggminvtransfn"];
    rows.constants(&functions, 0u32).constants(&["aggmfinalfn", "aggsortop", "aggtranstype", "aggmtranstype"], 0u32);
    rows.constants(&["aggfinalextra", "aggmfinalextra"], false);
    rows.constants(&["aggfinalmodify", "aggmfinalmodify"], "r").constants(&["aggtransspace", "aggmtransspace"], 0i32);
    rows.columns(&["aggfnoid", "aggkind", "aggnumdirectargs"]);
    for aggregate in &facts().aggregates {
        rows.push(row![aggregate.function, aggregate.kind, aggregate.direct_args]);
    }
}
