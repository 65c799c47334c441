//! The shape of PostgreSQL 15's own system relations: names, OIDs, kinds and columns, read from `layout.tsv`.
//!
//! `tests/scripts/pg_system_relations.sh` writes the file from a running server. A column of one of `information_schema`'s
//! domains has the type under the domain: that is what clients see on the wire.

use crate::catalog::CatalogColumn;
use crate::types::{Oid, PgType};
use std::collections::HashMap;
use std::sync::LazyLock;

/// One relation as PostgreSQL has it.
#[derive(Debug)]
pub struct Layout {
    pub schema: &'static str,
    pub name: &'static str,
    pub oid: u32,
    /// `pg_class.relkind`: `r` or `v`.
    pub relkind: char,
    pub row_type_oid: u32,
    pub columns: Vec<CatalogColumn>,
}

/// All layouts by (schema, name).
pub struct Layouts {
    by_name: HashMap<(&'static str, &'static str), Layout>,
}

impl Layouts {
    pub fn get(&self, schema: &'static str, name: &'static str) -> Option<&Layout> {
        self.by_name.get(&(schema, name))
    }
}

static LAYOUTS: LazyLock<Layouts> = LazyLock::new(|| read(include_str!("layout.tsv")));

pub fn layouts() -> &'static Layouts {
    &LAYOUTS
}

fn read(tsv: &'static str) -> Layouts {
    let mut by_name = HashMap::new();
    let mut current: Option<Layout> = None;
    for line in tsv.lines() {
        let cells: Vec<&'static str> = line.split('\t').collect();
        match cells[..] {
            ["=", schema, name, oid, relkind, row_type] => {
                let next = Layout {
                    schema,
                    name,
                    oid: oid.parse().expect("an OID in layout.tsv is a number"),
                    relkind: relkind.chars().next().expect("a relkind in layout.tsv is a letter"),
                    row_type_oid: row_type.parse().expect("an OID in layout.tsv is a number"),
                    columns: Vec::new(),
                };
                if let Some(done) = current.replace(next) {
                    by_name.insert((done.schema, done.name), done);
                }
            }
            [name, type_oid, typmod, not_null] => {
                let relation = current.as_mut().expect("layout.tsv names a relation before its columns");
                let ty = PgType {
                    oid: Oid(type_oid.parse().expect("a type in layout.tsv is a number")),
                    typmod: typmod.parse().expect("a typmod in layout.tsv is a number"),
                };
                let attnum = relation.columns.len() as i16 + 1;
                relation.columns.push(CatalogColumn::new(name, ty, not_null == "t", attnum));
            }
            _ => unreachable!("a line of layout.tsv has six or four cells: {line}"),
        }
    }
    if let Some(done) = current {
        by_name.insert((done.schema, done.name), done);
    }
    Layouts { by_name }
}
