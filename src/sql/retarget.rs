//! Renaming what views read: their definitions, which are kept as they were written, get the new name.

use crate::bind::{self, BindContext};
use crate::catalog::{Catalog, Relation};
use crate::kernels::quote_identifier;
use crate::types::{Oid, PgError, PgResult};
use pg_query::NodeEnum;
use pg_query::protobuf::Token;

/// Changes a relation's name or schema, in the catalog and in the definitions that name it.
pub fn move_relation(catalog: &mut Catalog, oid: Oid, change: impl FnOnce(&mut Relation)) -> PgResult<()> {
    let gone = || PgError::internal(format!("no relation with OID {oid}"));
    let old_name = catalog.relation(oid).ok_or_else(gone)?.name.clone();
    let mut found = Vec::new();
    for dependent in catalog.dependents(oid).filter(|r| r.definition.is_some()) {
        found.push((dependent.oid, mentions(catalog, dependent, oid)?));
    }
    catalog.change(oid, change)?;
    let relation = catalog.relation(oid).ok_or_else(gone)?;
    let schema = catalog.namespace(relation.schema).map_or("", |n| n.name.as_str());
    let new_name = format!("{}.{}", quote_identifier(schema), quote_identifier(&relation.name));
    for (dependent, mentions) in found {
        let text = catalog.relation(dependent).and_then(|r| r.definition.clone()).unwrap_or_default();
        let text = renamed(&text, &mentions, &new_name, &old_name)?;
        catalog.change(dependent, |relation| relation.definition = Some(text))?;
    }
    Ok(())
}

/// Where a view's definition names the relation, and whether it is called otherwise there.
fn mentions(catalog: &Catalog, view: &Relation, of: Oid) -> PgResult<Vec<(usize, bool)>> {
    let text = view.definition.as_deref().unwrap_or_default();
    let broken = || PgError::internal(format!("the definition of view \"{}\" is not one query", view.name));
    let statement = bind::parse(text)?.into_iter().next().ok_or_else(broken)?;
    let NodeEnum::SelectStmt(select) = &statement.node else { return Err(broken()) };
    let mut cx = BindContext::new(catalog, &view.search_path);
    let mut found: Vec<(usize, bool)> = bind::bind_mentions(select, &mut cx)?
        .into_iter()
        .filter(|mention| mention.relation == of)
        .map(|mention| (mention.at, mention.aliased))
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn renamed(text: &str, mentions: &[(usize, bool)], new_name: &str, old_name: &str) -> PgResult<String> {
    let scanned =
        pg_query::scan(text).map_err(|e| PgError::internal(format!("a definition cannot be scanned: {e}")))?;
    let tokens: Vec<(Token, usize, usize)> = scanned
        .tokens
        .iter()
        .filter_map(|t| Some((Token::try_from(t.token).ok()?, t.start as usize, t.end as usize)))
        .filter(|(token, ..)| !matches!(token, Token::SqlComment | Token::CComment))
        .collect();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, aliased) in mentions {
        let lost = || PgError::internal("a definition does not name what it reads where it should");
        let first = tokens.iter().position(|(_, start, _)| start == at).ok_or_else(lost)?;
        let mut last = first;
        // `schema.table`, with or without the database before it.
        while tokens.get(last + 1).is_some_and(|(token, ..)| *token == Token::Ascii46) && last + 2 < tokens.len() {
            last += 2;
        }
        out.push_str(&text[copied..*at]);
        out.push_str(new_name);
        let bare = first > 0 && tokens[first - 1].0 == Token::Table;
        if !aliased && !bare {
            out.push_str(" AS ");
            out.push_str(&quote_identifier(old_name));
        }
        copied = tokens[last].2;
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn a_definition_keeps_its_columns_under_the_old_name() {
        let text = "SELECT dim.a FROM \"db\".public.dim JOIN x.dim AS d ON true WHERE EXISTS (TABLE dim)";
        let at = |nth: usize, name: &str| text.match_indices(name).nth(nth).map(|(at, _)| at).unwrap();
        let mentions = [(at(0, "\"db\""), false), (at(0, "x.dim"), true), (at(0, "TABLE dim") + 6, false)];
        assert_eq!(
            renamed(text, &mentions, "public.new", "dim").unwrap(),
            "SELECT dim.a FROM public.new AS dim JOIN public.new AS d ON true WHERE EXISTS (TABLE public.new)"
        );
    }
}
