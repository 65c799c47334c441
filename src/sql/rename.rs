//! A relation gets another name, and the views that read it go on reading it.
//!
//! PostgreSQL keeps a view's query with OIDs in it. Here it is kept as it was written, so where it names the relation the
//! text is changed; and whatever a name meant in any view before, it means afterwards, or the change is refused.

use super::context::quoted;
use super::ddl::described;
use crate::bind::{self, BindContext, Reference};
use crate::catalog::{Catalog, Relation};
use crate::types::{Oid, PgError, PgResult, SqlState};
use pg_query::NodeEnum;
use pg_query::protobuf::Token;
use std::sync::Arc;

/// Changes a relation's name or schema.
///
/// Errors: `42P07` where the new name is taken; `0A000` where a view names the relation in a way that cannot follow.
pub fn change_name(catalog: &mut Catalog, oid: Oid, change: impl FnOnce(&mut Relation)) -> PgResult<()> {
    let before = catalog.clone();
    let old_name = before.relation(oid).map(|r| r.name.clone()).unwrap_or_default();
    catalog.change(oid, change)?;
    let new_name = {
        let renamed = catalog.relation(oid).ok_or_else(|| PgError::internal("a renamed relation is gone"))?;
        let schema = catalog.namespace(renamed.schema).map(|n| n.name.clone()).unwrap_or_default();
        format!("{}.{}", quoted(&schema), quoted(&renamed.name))
    };
    // A view that could not be bound before has no meaning to keep.
    let views: Vec<(Arc<Relation>, Vec<Reference>)> =
        before.user_relations().filter_map(|view| Some((Arc::clone(view), named_by(view, &before)?))).collect();
    for (view, named) in &views {
        let own: Vec<&Reference> = named.iter().filter(|reference| reference.oid == oid).collect();
        if !own.is_empty() {
            let old = view.definition.as_deref().unwrap_or_default();
            let text = renamed_in(old, &own, &old_name, &new_name).ok_or_else(|| cannot_follow(&before, oid, view))?;
            catalog.change(view.oid, |view| view.definition = Some(text))?;
        }
    }
    let oids = |named: &[Reference]| named.iter().map(|reference| reference.oid).collect::<Vec<_>>();
    for (view, named) in &views {
        let now = catalog.relation(view.oid).and_then(|view| named_by(view, catalog));
        if now.map(|now| oids(&now)) != Some(oids(named)) {
            return Err(cannot_follow(&before, oid, view));
        }
    }
    Ok(())
}

fn named_by(view: &Relation, catalog: &Catalog) -> Option<Vec<Reference>> {
    let statements = bind::parse(view.definition.as_deref()?).ok()?;
    let NodeEnum::SelectStmt(select) = &statements.first()?.node else { return None };
    bind::references(select, &mut BindContext::new(catalog, &view.search_path)).ok()
}

/// The text with another name at these places. Columns may be called by the relation's name, so it stays as an alias.
fn renamed_in(text: &str, places: &[&Reference], old: &str, new: &str) -> Option<String> {
    let scanned = pg_query::scan(text).ok()?;
    let mut out = String::with_capacity(text.len() + 64);
    let mut copied = 0;
    for place in places {
        let first = scanned.tokens.iter().position(|token| usize::try_from(token.start) == Ok(place.at))?;
        let mut last = first;
        let is_dot = |at: usize| scanned.tokens.get(at).is_some_and(|t| t.token == Token::Ascii46 as i32);
        while is_dot(last + 1) {
            last += 2;
        }
        let end = usize::try_from(scanned.tokens.get(last)?.end).ok()?;
        out.push_str(text.get(copied..place.at)?);
        out.push_str(new);
        if !place.aliased {
            out.push_str(" AS ");
            out.push_str(&quoted(old));
        }
        copied = end;
    }
    out.push_str(text.get(copied..)?);
    Some(out)
}

fn cannot_follow(catalog: &Catalog, oid: Oid, view: &Relation) -> PgError {
    let name = catalog.relation(oid).map(|r| r.name.clone()).unwrap_or_default();
    let message = format!("renaming \"{name}\" would change what a view reads");
    PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .detail(format!("The query of {} cannot be changed to follow it.", described(catalog, view)))
        .hint("Drop the view and create it again over the new name.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_changed_where_they_stand_and_nowhere_else() {
        let text = "SELECT t.a, 't' FROM s.t, \"t\" AS x -- t\n WHERE t.b > 1";
        let place = |at: usize, aliased| Reference { oid: Oid(1), at, aliased };
        let places = [place(text.find("s.t").unwrap(), false), place(text.find("\"t\"").unwrap(), true)];
        let changed = renamed_in(text, &places.iter().collect::<Vec<_>>(), "t", "s.\"New\"");
        let wanted = "SELECT t.a, 't' FROM s.\"New\" AS t, s.\"New\" AS x -- t\n WHERE t.b > 1";
        assert_eq!(changed.as_deref(), Some(wanted));
    }
}
