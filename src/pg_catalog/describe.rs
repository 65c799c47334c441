//! What several relations say of the same object: its indexes, its types, its definition as SQL.

use super::relkind;
use crate::bind::{self, BindContext};
use crate::catalog::{self, Catalog, CatalogColumn, Relation};
use crate::kernels::facts;
use crate::types::{Oid, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::Token;
use std::collections::HashMap;
use std::sync::LazyLock;

const DEFAULT_COLLATION: Oid = Oid(100);
const C_COLLATION: Oid = Oid(950);

/// The primary key of a relation, which is a constraint and an index of one name.
pub struct Key<'a> {
    pub relation: &'a Relation,
    pub index: Oid,
    pub constraint: Oid,
}

impl<'a> Key<'a> {
    pub fn of(relation: &'a Relation) -> Option<Self> {
        let has = !relation.key.is_empty() && relation.key_index_oid != 0;
        has.then_some(Self {
            relation,
            index: Oid(relation.key_index_oid),
            constraint: Oid(relation.key_constraint_oid),
        })
    }

    /// Of the index and of the constraint.
    pub fn name(&self) -> String {
        self.relation.primary_key_name()
    }

    pub fn columns(&self) -> impl Iterator<Item = &'a CatalogColumn> {
        let relation = self.relation;
        relation.key.iter().filter_map(move |&i| relation.columns.get(i))
    }
}

/// What `pg_attribute` repeats of a column's type.
pub struct Physical {
    pub len: i16,
    pub by_value: bool,
    pub align: char,
    pub storage: char,
    pub collation: Oid,
    pub dimensions: i32,
}

pub fn physical(ty: Oid) -> Physical {
    match facts().type_row(ty) {
        Some(row) => Physical {
            len: row.len,
            by_value: row.by_value,
            align: row.align,
            storage: row.storage,
            collation: row.collation,
            dimensions: i32::from(is_array(ty) || is_vector(ty)),
        },
        None => Physical { len: -1, by_value: false, align: 'd', storage: 'x', collation: oid::INVALID, dimensions: 0 },
    }
}

/// The collation of a column: system tables and `information_schema` compare text by its bytes, as in PostgreSQL.
pub fn collation(relation: &Relation, ty: Oid) -> Oid {
    let default = physical(ty).collation;
    let by_bytes = match relation.schema {
        catalog::PG_CATALOG => relkind(relation) == 'r',
        schema => schema == catalog::INFORMATION_SCHEMA,
    };
    if by_bytes && default == DEFAULT_COLLATION { C_COLLATION } else { default }
}

/// What `pg_get_viewdef` gives of a definition: the text as the user wrote it, in PostgreSQL's frame of a leading blank and
/// a closing semicolon. What is not `visible` has its schema before its name, so that the text means the same to whoever asks.
pub fn view_definition(relation: &Relation, catalog: &Catalog, visible: &dyn Fn(Oid) -> bool) -> Option<String> {
    let definition = relation.definition.as_deref()?;
    let qualified = qualified(definition, relation, catalog, visible);
    let definition = qualified.as_deref().unwrap_or(definition);
    Some(format!(" {};", definition.trim().trim_end_matches(';').trim_end()))
}

/// `None` where nothing is to be changed, or the view cannot be bound any more.
fn qualified(text: &str, view: &Relation, catalog: &Catalog, visible: &dyn Fn(Oid) -> bool) -> Option<String> {
    let statements = bind::parse(text).ok()?;
    let NodeEnum::SelectStmt(select) = &statements.first()?.node else { return None };
    let mut named = bind::references(select, &mut BindContext::new(catalog, &view.search_path)).ok()?;
    named.retain(|reference| !visible(reference.oid));
    named.sort_by_key(|reference| reference.at);
    let scanned = if named.is_empty() { return None } else { pg_query::scan(text).ok()? };
    let mut out = String::with_capacity(text.len() + 64);
    let mut copied = 0;
    for reference in named {
        let place = scanned.tokens.iter().position(|token| usize::try_from(token.start) == Ok(reference.at))?;
        // A name with a schema stays as it is.
        if scanned.tokens.get(place + 1).is_some_and(|token| token.token == Token::Ascii46 as i32) {
            continue;
        }
        let schema = catalog.namespace(catalog.relation(reference.oid)?.schema)?;
        out.push_str(text.get(copied..reference.at)?);
        out.push_str(&crate::kernels::quote_identifier(&schema.name));
        out.push('.');
        copied = reference.at;
    }
    out.push_str(text.get(copied..)?);
    Some(out)
}

/// A true array type: `text[]`, not `name` or `oidvector`.
pub fn is_array(ty: Oid) -> bool {
    facts().type_row(ty).is_some_and(|row| row.category == 'A' && row.element != oid::INVALID && row.len == -1)
        && !is_vector(ty)
}

fn is_vector(ty: Oid) -> bool {
    matches!(ty, oid::INT2VECTOR | oid::OIDVECTOR)
}

/// Default btree operator classes by the type they index.
static OPERATOR_CLASSES: LazyLock<HashMap<u32, u32>> = LazyLock::new(|| {
    let mut classes = HashMap::new();
    for line in include_str!("facts/pg_opclass.tsv").lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        if let [class, "403", _, _, _, _, ty, "t", _] = cells[..]
            && let (Ok(class), Ok(ty)) = (class.parse(), ty.parse())
        {
            classes.insert(ty, class);
        }
    }
    classes
});

/// The operator class of a key column.
pub fn operator_class(ty: Oid) -> u32 {
    let indexed = match ty {
        oid::VARCHAR => oid::TEXT,
        ty if is_array(ty) => oid::ANYARRAY,
        ty => ty,
    };
    OPERATOR_CLASSES.get(&indexed.0).copied().unwrap_or(0)
}

/// Name of a column's collation where it is not the default one.
pub fn collation_name(relation: &Relation, ty: Oid) -> Option<&'static str> {
    (collation(relation, ty) == C_COLLATION).then_some("C")
}

/// The type columns that `information_schema` gives of a column, an attribute or an array's element.
pub struct SqlType {
    pub data_type: String,
    pub character_maximum_length: Option<i32>,
    pub character_octet_length: Option<i32>,
    pub numeric_precision: Option<i32>,
    pub numeric_precision_radix: Option<i32>,
    pub numeric_scale: Option<i32>,
    pub datetime_precision: Option<i32>,
    pub udt_name: &'static str,
}

pub fn sql_type(ty: Oid, typmod: i32) -> SqlType {
    let row = facts().type_row(ty);
    let set = (typmod >= 0).then_some(typmod);
    let is_text = matches!(ty, oid::BPCHAR | oid::VARCHAR);
    let numeric = crate::types::PgType { oid: ty, typmod }.numeric_typmod();
    let (precision, radix, scale) = match ty {
        oid::INT2 => (Some(16), Some(2), Some(0)),
        oid::INT4 => (Some(32), Some(2), Some(0)),
        oid::INT8 => (Some(64), Some(2), Some(0)),
        oid::FLOAT4 => (Some(24), Some(2), None),
        oid::FLOAT8 => (Some(53), Some(2), None),
        oid::NUMERIC => (numeric.map(|n| n.0), Some(10), numeric.map(|n| n.1)),
        _ => (None, None, None),
    };
    SqlType {
        data_type: match is_array(ty) || is_vector(ty) {
            true => "ARRAY".to_string(),
            false => crate::kernels::format_type(ty, None),
        },
        character_maximum_length: match ty {
            _ if is_text => set.map(|m| m - 4),
            oid::BIT | oid::VARBIT => set,
            _ => None,
        },
        character_octet_length: match ty {
            // Four bytes is the longest character of UTF-8; unlimited text is what one value can hold.
            _ if is_text && set.is_some() => set.map(|m| (m - 4) * 4),
            oid::TEXT | oid::BPCHAR | oid::VARCHAR => Some(1 << 30),
            _ => None,
        },
        numeric_precision: precision,
        numeric_precision_radix: radix,
        numeric_scale: scale,
        datetime_precision: match ty {
            oid::DATE => Some(0),
            oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => Some(set.unwrap_or(6)),
            oid::INTERVAL => Some(set.map(|m| m & 0xffff).filter(|m| *m != 0xffff).unwrap_or(6)),
            _ => None,
        },
        udt_name: row.map_or("", |r| r.name),
    }
}
