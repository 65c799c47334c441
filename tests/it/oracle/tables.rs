//! Random tables and the changes of their rows.

use super::tape::Tape;
use arrow::array::RecordBatch;
use sluice::change::{Op, TableChanges};
use sluice::types::codec::ColumnBuilder;
use sluice::types::{Column, PgType, TableSchema, oid};
use std::fmt::Write;
use std::sync::Arc;

/// The types that columns and expressions have. `Fixed` is numeric(10,2); `Other` is anything that is shown and not
/// computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Int4,
    Text,
    Int8,
    Fixed,
    Float,
    Bool,
    Timestamp,
    Numeric,
    Date,
    Interval,
    Jsonb,
    Other,
}

pub const STORED: [Ty; 11] = [
    Ty::Int4,
    Ty::Text,
    Ty::Int8,
    Ty::Fixed,
    Ty::Float,
    Ty::Bool,
    Ty::Timestamp,
    Ty::Numeric,
    Ty::Date,
    Ty::Interval,
    Ty::Jsonb,
];

impl Ty {
    pub fn pg(self) -> PgType {
        match self {
            Self::Int4 => PgType::new(oid::INT4),
            Self::Int8 => PgType::new(oid::INT8),
            Self::Text | Self::Other => PgType::new(oid::TEXT),
            Self::Fixed => PgType::numeric(10, 2),
            Self::Numeric => PgType::new(oid::NUMERIC),
            Self::Float => PgType::new(oid::FLOAT8),
            Self::Bool => PgType::new(oid::BOOL),
            Self::Timestamp => PgType::new(oid::TIMESTAMP),
            Self::Date => PgType::new(oid::DATE),
            Self::Interval => PgType::new(oid::INTERVAL),
            Self::Jsonb => PgType::new(oid::JSONB),
        }
    }

    pub fn sql(self) -> &'static str {
        match self {
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Text | Self::Other => "text",
            Self::Fixed => "numeric(10,2)",
            Self::Numeric => "numeric",
            Self::Float => "float8",
            Self::Bool => "bool",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Interval => "interval",
            Self::Jsonb => "jsonb",
        }
    }

    /// Few values, so that they meet, and some rare ones from the edges. Sums of the floats are exact in any order.
    fn values(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Int4 => (&["0", "1", "2", "3", "-1", "7"], &["2147483647", "-2147483648"]),
            Self::Int8 => (&["0", "1", "2", "5", "-3"], &["9223372036854775807", "4294967296"]),
            Self::Text | Self::Other => (&["a", "b", "ab", "", "B", "1"], &["a ", "ä", "%", "NULL", "it's"]),
            Self::Fixed => (&["0.00", "1.00", "1.50", "2.25", "-1.00"], &["99999999.99", "-99999999.99"]),
            Self::Numeric => (&["0", "1", "1.0", "1.50", "2.25", "-1"], &["NaN", "100000000000000000000.001", "1e-12"]),
            Self::Float => (&["0", "1", "0.25", "-0", "-1", "2"], &["NaN", "1.5", "Infinity", "1e300"]),
            Self::Bool => (&["t", "f"], &[]),
            Self::Timestamp => (
                &["2024-01-01 00:00:00", "2024-01-01 00:00:30", "2024-01-01 01:00:00", "2024-01-02 00:00:00"],
                &["infinity", "1969-12-31 23:59:59.999999"],
            ),
            Self::Date => (&["2024-01-01", "2024-01-02", "2024-02-29"], &["infinity", "0044-03-15 BC"]),
            // None that are equal and look different: which one stands for both is open.
            Self::Interval => (&["1 day", "02:00:00", "00:30:00", "1 mon", "-1 day"], &["1 year -3 days"]),
            Self::Jsonb => (
                &["1", "{\"a\": 1}", "{\"a\": 2, \"b\": [1, 2]}", "[]", "\"x\"", "null"],
                &["1.0", "[1, {\"a\": null}]", "{\"a\": {\"b\": true}}"],
            ),
        }
    }

    /// A value's text; NULL now and then.
    pub fn value(self, number: u16) -> Option<String> {
        let (common, rare) = self.values();
        let number = usize::from(number);
        if number % 8 == 7 {
            return None;
        }
        if number % 37 == 36 && !rare.is_empty() {
            return Some(rare[number / 37 % rare.len()].to_string());
        }
        Some(common[number % common.len()].to_string())
    }

    /// A value as an expression of exactly this type.
    pub fn literal(self, number: u16) -> String {
        match self.value(number) {
            Some(text) => format!("{}::{}", quoted(&text), self.sql()),
            None => format!("NULL::{}", self.sql()),
        }
    }
}

pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub columns: Vec<(String, Ty)>,
    pub key: Vec<usize>,
    schema: Arc<TableSchema>,
}

/// A change, with all cells of the row after it.
#[derive(Debug, Clone)]
pub enum Change {
    Upsert { table: usize, cells: Vec<Option<String>> },
    Delete { table: usize, cells: Vec<Option<String>> },
    Truncate { table: usize },
}

/// A change before its table is known: table, what it does, key, cells.
pub type RawChange = (u8, u8, u8, Vec<u16>);

impl Table {
    /// Two to four of them.
    pub fn some(numbers: &[u16]) -> Vec<Self> {
        let mut tape = Tape::new(numbers);
        let count = 2 + tape.pick(3);
        (0..count).map(|i| Self::one(&mut tape, i)).collect()
    }

    fn one(tape: &mut Tape, number: usize) -> Self {
        let mut columns = vec![("id".to_string(), Ty::Int4)];
        let key = match tape.pick(5) {
            0..3 => vec![0],
            3 => {
                columns.push(("part".to_string(), Ty::Text));
                vec![0, 1]
            }
            _ => vec![],
        };
        for i in 0..1 + tape.pick(5) {
            let ty = *tape.choose(&STORED);
            let letter = match ty {
                Ty::Int4 => 'i',
                Ty::Int8 => 'l',
                Ty::Text | Ty::Other => 's',
                Ty::Fixed => 'n',
                Ty::Numeric => 'm',
                Ty::Float => 'f',
                Ty::Bool => 'b',
                Ty::Timestamp => 't',
                Ty::Date => 'd',
                Ty::Interval => 'v',
                Ty::Jsonb => 'j',
            };
            columns.push((format!("{letter}{i}"), ty));
        }
        Self::new(format!("t{number}"), columns, key)
    }

    pub fn new(name: String, columns: Vec<(String, Ty)>, key: Vec<usize>) -> Self {
        let column = |(i, (name, ty)): (usize, &(String, Ty))| Column::new(name, ty.pg(), !key.contains(&i));
        let schema = Arc::new(TableSchema::new(columns.iter().enumerate().map(column).collect(), key.clone()));
        Self { name, columns, key, schema }
    }

    pub fn qualified(&self) -> String {
        format!("silver.{}", self.name)
    }

    /// The table after its source has changed it, and the statement that says so.
    pub fn altered(&self, widened: bool) -> (Self, String) {
        let name = self.qualified();
        let mut columns = self.columns.clone();
        let narrow = (0..columns.len()).find(|i| columns[*i].1 == Ty::Int4 && !self.key.contains(i));
        let sql = match narrow.filter(|_| widened) {
            Some(at) => {
                columns[at].1 = Ty::Int8;
                format!("ALTER TABLE {name} ALTER {} TYPE int8;", columns[at].0)
            }
            None => {
                columns.push((format!("later{}", columns.len()), Ty::Int4));
                format!("ALTER TABLE {name} ADD {} int4;", columns[columns.len() - 1].0)
            }
        };
        (Self::new(self.name.clone(), columns, self.key.clone()), sql)
    }

    pub fn create(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(n, t)| format!("{n} {}", t.sql())).collect();
        let key: Vec<&str> = self.key.iter().map(|k| self.columns[*k].0.as_str()).collect();
        let key = if key.is_empty() { String::new() } else { format!(", PRIMARY KEY ({})", key.join(", ")) };
        format!("CREATE TABLE {} ({}{key});", self.qualified(), columns.join(", "))
    }

    fn row(&self, key: u8, numbers: &[u16]) -> Vec<Option<String>> {
        let numbers = |i: usize| numbers.get(i).copied().unwrap_or(0);
        let cell = |(i, (_, ty)): (usize, &(String, Ty))| match self.key.iter().position(|k| *k == i) {
            Some(_) if *ty == Ty::Int4 => Some((key % 12).to_string()),
            Some(_) => Some(["a", "b"][usize::from(key / 12 % 2)].to_string()),
            // Without a key of its own, the first column is a number like others.
            None => ty.value(numbers(i)),
        };
        self.columns.iter().enumerate().map(cell).collect()
    }

    /// The schema must be known before a view can name the table: a row that comes and goes.
    fn announced(&self) -> TableChanges {
        let rows = [self.row(0, &[]), vec![None; self.columns.len()]];
        self.changes(&rows, vec![Op::Create, Op::Truncate], vec![0, 1])
    }

    fn changes(&self, rows: &[Vec<Option<String>>], ops: Vec<Op>, events: Vec<u32>) -> TableChanges {
        let column = |(i, (_, ty)): (usize, &(String, Ty))| {
            let mut builder = ColumnBuilder::new(ty.pg());
            for row in rows {
                match row.get(i).and_then(Option::as_ref) {
                    Some(text) => builder.push_text(text).expect("the oracle's values belong to their types"),
                    None => builder.push_null(),
                }
            }
            builder.finish().expect("a column of the oracle's values")
        };
        let columns = self.columns.iter().enumerate().map(column).collect();
        let rows = RecordBatch::try_new(Arc::clone(self.schema.arrow()), columns).expect("columns as in the schema");
        let (table, schema) = (self.qualified().into(), Arc::clone(&self.schema));
        TableChanges { table, schema, rows, ops, events, unchanged: vec![] }
    }
}

/// The deliveries' first changes: tables without rows.
pub fn announced(tables: &[Table]) -> Vec<TableChanges> {
    tables.iter().map(Table::announced).collect()
}

impl Change {
    pub fn from_raw(raw: &RawChange, tables: &[Table]) -> Self {
        let (table, op, key, numbers) = raw;
        let table = usize::from(*table) % tables.len();
        let row = |numbers: &[u16]| tables[table].row(*key, numbers);
        match op {
            // A table without a key only grows, but for a truncate.
            170..=247 if !tables[table].key.is_empty() => Self::Delete { table, cells: row(&[]) },
            248..=255 => Self::Truncate { table },
            _ => Self::Upsert { table, cells: row(numbers) },
        }
    }

    fn table(&self) -> usize {
        match self {
            Self::Upsert { table, .. } | Self::Delete { table, .. } | Self::Truncate { table } => *table,
        }
    }

    /// One tick's changes as a delivery has them.
    pub fn together(changes: &[Self], tables: &[Table]) -> Vec<TableChanges> {
        let mut all = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            let (mut rows, mut ops, mut events) = (vec![], vec![], vec![]);
            for (event, change) in changes.iter().enumerate().filter(|(_, c)| c.table() == i) {
                let none = || vec![None; table.columns.len()];
                let (op, row) = match change {
                    Self::Upsert { cells, .. } => (Op::Create, cells.clone()),
                    Self::Delete { cells, .. } => {
                        let mut row = none();
                        table.key.iter().for_each(|k| row[*k] = cells[*k].clone());
                        (Op::Delete, row)
                    }
                    Self::Truncate { .. } => (Op::Truncate, none()),
                };
                rows.push(row);
                ops.push(op);
                events.push(event as u32);
            }
            if !rows.is_empty() {
                all.push(table.changes(&rows, ops, events));
            }
        }
        all
    }

    /// The change as a statement that a person can run.
    pub fn sql(&self, tables: &[Table]) -> String {
        let table = &tables[self.table()];
        let name = table.qualified();
        let cell = |i: usize, cells: &[Option<String>]| match &cells[i] {
            Some(text) => quoted(text),
            None => "NULL".to_string(),
        };
        match self {
            Self::Truncate { .. } => format!("TRUNCATE {name};"),
            Self::Delete { cells, .. } => {
                let key = |k: &usize| format!("{} = {}", table.columns[*k].0, cell(*k, cells));
                let wanted: Vec<String> = table.key.iter().map(key).collect();
                format!("DELETE FROM {name} WHERE {};", wanted.join(" AND "))
            }
            Self::Upsert { cells, .. } => {
                let values: Vec<String> = (0..cells.len()).map(|i| cell(i, cells)).collect();
                let mut sql = format!("INSERT INTO {name} VALUES ({})", values.join(", "));
                if !table.key.is_empty() {
                    let column = |i: &usize| table.columns[*i].0.as_str();
                    let key: Vec<&str> = table.key.iter().map(column).collect();
                    let rest = (0..cells.len()).filter(|i| !table.key.contains(i));
                    let set: Vec<String> = rest.map(|i| format!("{0} = excluded.{0}", column(&i))).collect();
                    write!(sql, " ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), set.join(", "))
                        .expect("a String takes text");
                }
                sql + ";"
            }
        }
    }
}
