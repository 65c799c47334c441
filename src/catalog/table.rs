//! What a table has besides its columns: constraints and indexes.

use super::{CatalogColumn, Relation};
use serde::{Deserialize, Serialize};

/// Who gives an identity column its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    Always,
    ByDefault,
}

/// A constraint that is not the primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    pub oid: u32,
    pub name: String,
    /// `attnum`s: the unique or referring columns, or those that a check names.
    pub columns: Vec<i16>,
    pub kind: ConstraintKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// By the index of this OID.
    Unique(u32),
    /// The condition, as SQL.
    Check(String),
    Foreign(Foreign),
}

/// What a foreign key refers to; its actions are PostgreSQL's letters: `a` for NO ACTION, `r` RESTRICT, `c` CASCADE, `n` SET NULL,
/// `d` SET DEFAULT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    pub table: u32,
    pub columns: Vec<i16>,
    pub on_update: char,
    pub on_delete: char,
    /// The `attnum`s that ON DELETE SET NULL or SET DEFAULT sets; none: all of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_delete_set: Vec<i16>,
    /// MATCH FULL: all columns are NULL, or none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
    /// Transactions may put its check off to COMMIT.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// Transactions begin with the check put off.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deferred: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// An index that is not the primary key's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    pub oid: u32,
    pub name: String,
    pub unique: bool,
    /// `btree`, `hash`, `gin`, …, as the user said it.
    pub method: String,
    /// `attnum`s; 0 where an expression stands.
    pub columns: Vec<i16>,
    /// Each key as SQL: a column or an expression, with its options.
    pub keys: Vec<String>,
    /// The condition of a partial index, as SQL.
    pub predicate: Option<String>,
}

/// PostgreSQL's limit of a name, in bytes.
const NAME_BYTES: usize = 63;

/// A name as PostgreSQL makes it: `<table>_<columns>_<suffix><nth>`, the longer part cut until the whole fits.
pub(super) fn object_name(table: &str, columns: &str, suffix: &str, nth: usize) -> String {
    let tail = if nth == 0 { suffix.to_owned() } else { format!("{suffix}{nth}") };
    let fixed = tail.len() + 1 + usize::from(!columns.is_empty());
    let room = NAME_BYTES.saturating_sub(fixed);
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > room {
        if first > second { first -= 1 } else { second -= 1 }
    }
    let cut = |text: &str, mut end: usize| {
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    match columns.is_empty() {
        true => format!("{}_{tail}", cut(table, first)),
        false => format!("{}_{}_{tail}", cut(table, first), cut(columns, second)),
    }
}

impl Relation {
    /// The name of the primary key and of its index.
    pub fn primary_key_name(&self) -> String {
        self.key_name.clone().unwrap_or_else(|| object_name(&self.name, "", "pkey", 0))
    }

    /// The names of all its indexes.
    pub fn index_names(&self) -> impl Iterator<Item = String> {
        let key = (!self.key.is_empty() && self.key_index_oid != 0).then(|| self.primary_key_name());
        key.into_iter().chain(self.indexes.iter().map(|index| index.name.clone()))
    }

    pub fn column_numbered(&self, attnum: i16) -> Option<(usize, &CatalogColumn)> {
        self.columns.iter().enumerate().find(|(_, c)| c.attnum == attnum)
    }

    /// Indexes into `columns` of these `attnum`s.
    pub fn positions(&self, attnums: &[i16]) -> Vec<usize> {
        attnums.iter().filter_map(|n| self.column_numbered(*n)).map(|(i, _)| i).collect()
    }

    /// What must be unique: columns (indexes into `columns`) and the constraint's or index's name; the primary key first.
    pub fn uniques(&self) -> Vec<(Vec<usize>, String)> {
        let key = (!self.key.is_empty()).then(|| (self.key.clone(), self.primary_key_name()));
        let others = self.indexes.iter().filter(|i| i.unique).map(|i| (self.positions(&i.columns), i.name.clone()));
        key.into_iter().chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::object_name;

    #[test]
    fn names_are_cut_as_postgresql_cuts_them() {
        assert_eq!(object_name("t", "a", "key", 0), "t_a_key");
        assert_eq!(object_name("t", "", "pkey", 2), "t_pkey2");
        let long = "x".repeat(60);
        let name = object_name(&long, "column_name", "seq", 0);
        assert_eq!(name.len(), 63);
        assert!(name.ends_with("_column_name_seq"), "{name}");
    }
}
