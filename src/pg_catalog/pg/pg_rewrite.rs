//! `pg_rewrite`: the rule that makes a view a view. Its OID is that of the view's row type, in a catalog of its own.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("rulename", "_RETURN").constant("ev_type", "1").constant("ev_enabled", "O");
    // PostgreSQL's node trees do not exist here: the definition itself is what pg_get_viewdef gives.
    rows.constant("is_instead", true).constants(&["ev_qual", "ev_action"], "<>");
    rows.columns(&["oid", "ev_class"]);
    for relation in cx.catalog.user_relations().filter(|r| r.definition.is_some()) {
        rows.push(row![relation.row_type_oid, relation.oid]);
    }
}
