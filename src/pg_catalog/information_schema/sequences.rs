//! `sequences`.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::sql_type;
use crate::pg_catalog::pg::sequences;
use crate::pg_catalog::rows::{Rows, row, yes_or_no};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    // A sequence that is a column's own is no object of the standard's.
    for (relation, sequence) in sequences(cx).filter(|(_, s)| !s.internal) {
        let ty = sql_type(Oid(sequence.type_oid), -1);
        rows.push(row![
            &cx.session().database,
            cx.schema_of(relation),
            &relation.name,
            &ty.data_type,
            ty.numeric_precision,
            ty.numeric_precision_radix,
            ty.numeric_scale,
            sequence.start.to_string(),
            sequence.min.to_string(),
            sequence.max.to_string(),
            sequence.increment.to_string(),
            yes_or_no(sequence.cycle),
        ]);
    }
}
