//! `pg_operator`: operators.

use crate::catalog::{BOOTSTRAP_ROLE, PG_CATALOG};
use crate::kernels::facts;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("oprnamespace", PG_CATALOG).constant("oprowner", BOOTSTRAP_ROLE);
    // Selectivity is estimated by other means than PostgreSQL's functions.
    rows.constants(&["oprrest", "oprjoin"], 0u32);
    rows.columns(&[
        "oid",
        "oprname",
        "oprkind",
        "oprcanmerge",
        "oprcanhash",
        "oprleft",
        "oprright",
        "oprresult",
        "oprcom",
        "oprnegate",
        "oprcode",
    ]);
    for op in &facts().operators {
        rows.push(row![
            op.oid,
            op.name,
            op.kind,
            op.can_merge,
            op.can_hash,
            op.left,
            op.right,
            op.result,
            op.commutator,
            op.negator,
            op.code,
        ]);
    }
}
