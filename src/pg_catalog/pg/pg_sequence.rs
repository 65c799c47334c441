//! `pg_sequence` and `pg_sequences`: sequences and where they stand.

use crate::catalog::{Relation, Sequence};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::role_name;
use crate::pg_catalog::rows::{Cell, Rows, row};

/// All sequences.
pub fn sequences<'a>(cx: &'a SystemContext<'_>) -> impl Iterator<Item = (&'a Relation, &'a Sequence)> {
    cx.catalog.user_relations().filter_map(|r| Some((&**r, r.sequence.as_ref()?)))
}

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for (relation, s) in sequences(cx) {
        rows.push(row![relation.oid, s.type_oid, s.start, s.increment, s.max, s.min, s.cache, s.cycle]);
    }
}

pub fn view(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for (relation, s) in sequences(cx) {
        let (last, called) = cx.sequence_state(s);
        rows.push(row![
            cx.schema_of(relation),
            &relation.name,
            role_name(cx.catalog, relation.owner()),
            s.type_oid,
            s.start,
            s.min,
            s.max,
            s.increment,
            s.cycle,
            s.cache,
            if called { Cell::from(last) } else { Cell::Null },
        ]);
    }
}
