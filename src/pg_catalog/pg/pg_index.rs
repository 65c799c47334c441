//! `pg_index`: the unique index of each primary key.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::{keys, operator_class, physical};
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["indisunique", "indisprimary", "indimmediate", "indisvalid", "indisready", "indislive"], true);
    rows.constants(&["indnullsnotdistinct", "indisexclusion", "indisclustered"], false);
    rows.constants(&["indcheckxmin", "indisreplident"], false);
    rows.columns(&[
        "indexrelid",
        "indrelid",
        "indnatts",
        "indnkeyatts",
        "indkey",
        "indcollation",
        "indclass",
        "indoption",
    ]);
    for key in keys(cx.catalog) {
        let types: Vec<Oid> = key.columns().map(|c| Oid(c.type_oid)).collect();
        rows.push(row![
            key.index,
            key.relation.oid,
            types.len(),
            types.len(),
            key.attnums(),
            types.iter().map(|ty| physical(*ty).collation.0).collect::<Vec<u32>>(),
            types.iter().map(|ty| operator_class(*ty)).collect::<Vec<u32>>(),
            vec![0i64; types.len()],
        ]);
    }
}
