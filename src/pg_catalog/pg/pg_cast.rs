//! `pg_cast`: casts between types.

use crate::kernels::facts;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["oid", "castsource", "casttarget", "castfunc", "castcontext", "castmethod"]);
    for cast in &facts().casts {
        rows.push(row![cast.oid, cast.source, cast.target, cast.function, cast.context, cast.method]);
    }
}
