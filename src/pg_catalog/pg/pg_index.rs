//! `pg_index`: the indexes of all tables.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::{operator_class, physical};
use crate::pg_catalog::objects::indexes;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["indimmediate", "indisvalid", "indisready", "indislive"], true);
    rows.constants(&["indnullsnotdistinct", "indisexclusion", "indisclustered"], false);
    rows.constants(&["indcheckxmin", "indisreplident"], false);
    rows.columns(&[
        "indexrelid",
        "indrelid",
        "indnatts",
        "indnkeyatts",
        "indisunique",
        "indisprimary",
        "indkey",
        "indcollation",
        "indclass",
        "indoption",
        "indexprs",
        "indpred",
    ]);
    for index in indexes(cx.catalog) {
        let types = index.types();
        let expressions: Vec<&str> =
            index.keys.iter().zip(&index.attnums).filter(|(_, n)| **n == 0).map(|(k, _)| k.as_str()).collect();
        rows.push(row![
            index.oid,
            index.relation.oid,
            types.len(),
            types.len(),
            index.unique,
            index.primary,
            index.attnums.iter().map(|n| i64::from(*n)).collect::<Vec<i64>>(),
            types.iter().map(|ty| physical(*ty).collation.0).collect::<Vec<u32>>(),
            types.iter().map(|ty| operator_class(*ty)).collect::<Vec<u32>>(),
            index.keys.iter().map(|k| option_of(k)).collect::<Vec<i64>>(),
            (!expressions.is_empty()).then(|| expressions.join(", ")),
            index.predicate,
        ]);
    }
}

/// `indoption`: 1 for DESC, 2 for NULLS FIRST.
fn option_of(key: &str) -> i64 {
    let descending = key.contains(" DESC");
    let nulls_first = key.ends_with(" NULLS FIRST") || (descending && !key.ends_with(" NULLS LAST"));
    i64::from(descending) + 2 * i64::from(nulls_first)
}
