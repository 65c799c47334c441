//! Indexes and constraints of all tables in one form, and as SQL.

use super::describe::Key;
use crate::catalog::{Catalog, ConstraintKind, Foreign, Relation};
use crate::kernels::quote_identifier;
use crate::types::Oid;

/// An index, the primary key's among them.
pub struct TableIndex<'a> {
    pub relation: &'a Relation,
    pub oid: Oid,
    pub name: String,
    pub unique: bool,
    pub primary: bool,
    pub method: &'a str,
    /// 0 where an expression stands.
    pub attnums: Vec<i16>,
    /// Each key as SQL.
    pub keys: Vec<String>,
    pub predicate: Option<&'a str>,
}

pub fn indexes_of(relation: &Relation) -> Vec<TableIndex<'_>> {
    let key = Key::of(relation).map(|key| TableIndex {
        relation,
        oid: key.index,
        name: key.name(),
        unique: true,
        primary: true,
        method: "btree",
        attnums: key.columns().map(|c| c.attnum).collect(),
        keys: key.columns().map(|c| quote_identifier(&c.name)).collect(),
        predicate: None,
    });
    let others = relation.indexes.iter().map(|index| TableIndex {
        relation,
        oid: Oid(index.oid),
        name: index.name.clone(),
        unique: index.unique,
        primary: false,
        method: &index.method,
        attnums: index.columns.clone(),
        keys: index.keys.clone(),
        predicate: index.predicate.as_deref(),
    });
    key.into_iter().chain(others).collect()
}

pub fn indexes(catalog: &Catalog) -> impl Iterator<Item = TableIndex<'_>> {
    catalog.relations().flat_map(|relation| indexes_of(relation))
}

impl TableIndex<'_> {
    /// `CREATE INDEX …`
    pub fn definition(&self, schema: &str) -> String {
        let predicate = self.predicate.map_or(String::new(), |p| format!(" WHERE ({p})"));
        format!(
            "CREATE {}INDEX {} ON {}.{} USING {} ({}){predicate}",
            if self.unique { "UNIQUE " } else { "" },
            quote_identifier(&self.name),
            quote_identifier(schema),
            quote_identifier(&self.relation.name),
            self.method,
            self.keys.join(", ")
        )
    }

    /// Types of the keys, text for expressions.
    pub fn types(&self) -> Vec<Oid> {
        let ty =
            |attnum: &i16| self.relation.column_numbered(*attnum).map_or(crate::types::oid::TEXT, |(_, c)| c.ty().oid);
        self.attnums.iter().map(ty).collect()
    }

    /// Names of its columns, as `pg_attribute` has them.
    pub fn column_names(&self) -> Vec<String> {
        let name = |(nth, attnum): (usize, &i16)| match self.relation.column_numbered(*attnum) {
            Some((_, column)) => column.name.clone(),
            None if nth == 0 => "expr".to_owned(),
            None => format!("expr{nth}"),
        };
        self.attnums.iter().enumerate().map(name).collect()
    }
}

/// A constraint, the primary key among them.
pub struct TableConstraint<'a> {
    pub relation: &'a Relation,
    pub oid: Oid,
    pub name: String,
    /// `pg_constraint.contype`.
    pub kind: char,
    pub columns: Vec<i16>,
    /// The index by which it holds, or 0.
    pub index: u32,
    pub foreign: Option<&'a Foreign>,
    pub check: Option<&'a str>,
}

pub fn constraints_of(relation: &Relation) -> Vec<TableConstraint<'_>> {
    let key = Key::of(relation).map(|key| TableConstraint {
        relation,
        oid: key.constraint,
        name: key.name(),
        kind: 'p',
        columns: key.columns().map(|c| c.attnum).collect(),
        index: key.index.0,
        foreign: None,
        check: None,
    });
    let others = relation.constraints.iter().map(|constraint| {
        let (kind, index, foreign, check) = match &constraint.kind {
            ConstraintKind::Unique(index) => ('u', *index, None, None),
            ConstraintKind::Check(condition) => ('c', 0, None, Some(condition.as_str())),
            ConstraintKind::Foreign(foreign) => ('f', 0, Some(foreign), None),
        };
        let (oid, name, columns) = (Oid(constraint.oid), constraint.name.clone(), constraint.columns.clone());
        TableConstraint { relation, oid, name, kind, columns, index, foreign, check }
    });
    key.into_iter().chain(others).collect()
}

pub fn constraints(catalog: &Catalog) -> impl Iterator<Item = TableConstraint<'_>> {
    catalog.relations().flat_map(|relation| constraints_of(relation))
}

fn columns(relation: &Relation, attnums: &[i16]) -> String {
    let names = attnums.iter().filter_map(|n| relation.column_numbered(*n)).map(|(_, c)| quote_identifier(&c.name));
    names.collect::<Vec<_>>().join(", ")
}

impl TableConstraint<'_> {
    /// What stands in CREATE TABLE; `named` is how a relation is called there.
    pub fn definition(&self, catalog: &Catalog, pretty: bool, named: &dyn Fn(&Relation) -> String) -> String {
        let own = columns(self.relation, &self.columns);
        match self.kind {
            'p' => format!("PRIMARY KEY ({own})"),
            'u' => format!("UNIQUE ({own})"),
            'c' if pretty => format!("CHECK ({})", shown(catalog, self.check.unwrap_or_default(), named)),
            'c' => format!("CHECK (({}))", shown(catalog, self.check.unwrap_or_default(), named)),
            _ => {
                let Some(foreign) = self.foreign else { return String::new() };
                let Some(referred) = catalog.relation(Oid(foreign.table)) else { return String::new() };
                let theirs = columns(referred, &foreign.columns);
                let mut text = format!("FOREIGN KEY ({own}) REFERENCES {}({theirs})", named(referred));
                if foreign.full {
                    text.push_str(" MATCH FULL");
                }
                for (event, action) in [("UPDATE", foreign.on_update), ("DELETE", foreign.on_delete)] {
                    if action != 'a' {
                        text.push_str(&format!(" ON {event} {}", action_name(action)));
                    }
                }
                if !foreign.on_delete_set.is_empty() {
                    text.push_str(&format!(" ({})", columns(self.relation, &foreign.on_delete_set)));
                }
                if foreign.deferrable {
                    text.push_str(" DEFERRABLE");
                }
                if foreign.deferred {
                    text.push_str(" INITIALLY DEFERRED");
                }
                text
            }
        }
    }
}

/// The action of a foreign key, by PostgreSQL's letter.
pub fn action_name(letter: char) -> &'static str {
    match letter {
        'r' => "RESTRICT",
        'c' => "CASCADE",
        'n' => "SET NULL",
        'd' => "SET DEFAULT",
        _ => "NO ACTION",
    }
}

/// The OID of a column's default in `pg_attrdef`. A default has no OID of its own; table and column tell it apart as well.
pub fn attrdef_oid(relation: Oid, attnum: i16) -> u32 {
    relation.0.wrapping_mul(1601).wrapping_add(attnum as u32)
}

/// A relation's name, with its schema where that is not `public`.
pub fn name_of(catalog: &Catalog, relation: &Relation) -> String {
    let name = quote_identifier(&relation.name);
    match catalog.namespace(relation.schema) {
        Some(schema) if relation.schema != crate::catalog::PUBLIC => {
            format!("{}.{name}", quote_identifier(&schema.name))
        }
        _ => name,
    }
}

/// How a stored expression names a relation: `'OID'` before this.
const CAST: &str = "'::regclass";

/// A stored expression as a client sees it: sequences are kept by their OIDs. `named` is how a relation is called.
pub fn shown(catalog: &Catalog, text: &str, named: &dyn Fn(&Relation) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find(CAST) {
        let start = rest[..end].rfind('\'').map_or(0, |quote| quote + 1);
        let relation = rest[start..end].parse().ok().and_then(|oid| catalog.relation(Oid(oid)));
        out.push_str(&rest[..start]);
        match relation {
            Some(relation) => out.push_str(&named(relation)),
            None => out.push_str(&rest[start..end]),
        }
        out.push_str(CAST);
        rest = &rest[end + CAST.len()..];
    }
    out.push_str(rest);
    out
}

/// The relations that a stored expression names.
pub fn named_in(text: &str) -> impl Iterator<Item = Oid> {
    text.match_indices(CAST).filter_map(|(end, _)| {
        let start = text[..end].rfind('\'')? + 1;
        text[start..end].parse().ok().map(Oid)
    })
}
