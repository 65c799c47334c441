//! Random tables, the changes of their rows, and those of their columns.

use super::tape::Tape;
pub use super::values::{STORED, Ty, quoted};
use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use sluice::change::{BronzeRows, Op, TableChanges};
use sluice::debezium::bronze_schema;
use sluice::types::codec::ColumnBuilder;
use sluice::types::{Column, TableSchema};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

/// Who writes a table, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A source, by key.
    Silver,
    /// A source that only appends.
    Bronze,
    /// Statements.
    Managed,
}

/// The columns of a bronze table that views read, by the names that they have in SQL.
const BRONZE: [(&str, Ty); 5] = [
    ("partition", Ty::Int4),
    ("topic", Ty::Text),
    ("\"offset\"", Ty::Int8),
    ("key", Ty::Jsonb),
    ("payload", Ty::Jsonb),
];

#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub kind: Kind,
    pub columns: Vec<(String, Ty)>,
    pub key: Vec<usize>,
    /// Columns that the source has taken away: they stay, and new rows have NULL there.
    unsent: BTreeSet<usize>,
    /// Columns that were added.
    added: usize,
    /// The columns that are sent.
    schema: Arc<TableSchema>,
}

/// A change, with all cells of the row after it.
#[derive(Debug, Clone)]
pub enum Change {
    Upsert {
        table: usize,
        cells: Vec<Option<String>>,
    },
    Delete {
        table: usize,
        cells: Vec<Option<String>>,
    },
    Truncate {
        table: usize,
    },
    /// Of a managed table: one column of the rows whose first column is at most this gets this value.
    Update {
        table: usize,
        column: usize,
        value: Option<String>,
        most: u8,
    },
}

/// A change before its table is known: table, what it does, key, cells.
pub type RawChange = (u8, u8, u8, Vec<u16>);

/// A change of a table's columns before its table is known: step, table, what it does, column.
pub type RawAlteration = (u8, u8, u8, u8);

/// What happens to a table's columns, by number.
#[derive(Debug, Clone)]
pub enum Alteration {
    Add(Ty),
    Widen(usize, Ty),
    /// The source no longer sends it.
    Unsend(usize),
    /// Statements on a managed table. Where a view reads the column, PostgreSQL refuses the first two.
    Drop(usize),
    Retype(usize, Ty),
    RenameColumn(usize),
    Rename,
}

impl Alteration {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "column added",
            Self::Widen(..) => "column widened",
            Self::Unsend(_) => "column no longer sent",
            Self::Drop(_) => "column dropped",
            Self::Retype(..) => "column retyped",
            Self::RenameColumn(_) => "column renamed",
            Self::Rename => "table renamed",
        }
    }
}

impl Table {
    /// Two to four of them.
    pub fn some(numbers: &[u16]) -> Vec<Self> {
        let mut tape = Tape::new(numbers);
        let count = 2 + tape.pick(3);
        (0..count).map(|i| Self::one(&mut tape, i)).collect()
    }

    fn one(tape: &mut Tape, number: usize) -> Self {
        let name = format!("t{number}");
        let kind = match tape.pick(8) {
            6 => Kind::Bronze,
            7 => Kind::Managed,
            _ => Kind::Silver,
        };
        if kind == Kind::Bronze {
            let columns = BRONZE.map(|(name, ty)| (name.to_string(), ty)).to_vec();
            return Self::of_kind(kind, name, columns, vec![]);
        }
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
            columns.push((format!("{}{i}", ty.letter()), ty));
        }
        Self::of_kind(kind, name, columns, key)
    }

    pub fn new(name: String, columns: Vec<(String, Ty)>, key: Vec<usize>) -> Self {
        Self::of_kind(Kind::Silver, name, columns, key)
    }

    fn of_kind(kind: Kind, name: String, columns: Vec<(String, Ty)>, key: Vec<usize>) -> Self {
        let schema = Arc::new(TableSchema::new(vec![], vec![]));
        let mut table = Self { name, kind, columns, key, unsent: BTreeSet::new(), added: 0, schema };
        table.settle();
        table
    }

    fn settle(&mut self) {
        let sent = (0..self.columns.len()).filter(|i| !self.unsent.contains(i)).collect::<Vec<_>>();
        let column = |i: &usize| Column::new(&self.columns[*i].0, self.columns[*i].1.pg(), !self.key.contains(i));
        let key = self.key.iter().filter_map(|k| sent.iter().position(|i| i == k)).collect();
        self.schema = Arc::new(TableSchema::new(sent.iter().map(column).collect(), key));
    }

    pub fn qualified(&self) -> String {
        let schema = match self.kind {
            Kind::Silver => "silver",
            Kind::Bronze => "bronze",
            Kind::Managed => "managed",
        };
        format!("{schema}.{}", self.name)
    }

    /// What a number does to the table's columns; `None` where it does nothing.
    pub fn alteration(&self, what: u8, nth: u8) -> Option<Alteration> {
        let nth = usize::from(nth);
        let at = nth % self.columns.len();
        let value = |at: usize| !self.key.contains(&at) && !self.unsent.contains(&at);
        let added = || Alteration::Add(STORED[nth % STORED.len()]);
        let widened = || self.columns[at].1.widened(what).filter(|ty| *ty != Ty::Text || !self.key.contains(&at));
        Some(match (self.kind, what % 8) {
            (Kind::Bronze, _) => return None,
            (_, 0 | 1) => added(),
            (Kind::Silver, 2..=5) => {
                widened().filter(|_| !self.unsent.contains(&at)).map_or_else(added, |ty| Alteration::Widen(at, ty))
            }
            (Kind::Silver, _) => Alteration::Unsend(Some(at).filter(|at| value(*at))?),
            (_, 2) => Alteration::Drop(Some(at).filter(|at| *at > 0 && value(*at))?),
            (_, 3 | 4) => Alteration::Retype(at, widened().filter(|_| value(at))?),
            (_, 5 | 6) => Alteration::RenameColumn(at),
            _ => Alteration::Rename,
        })
    }

    /// The table after an alteration, and the statement that says so.
    pub fn altered(&self, alteration: &Alteration) -> (Self, String) {
        let mut after = self.clone();
        let name = self.qualified();
        let sql = match alteration {
            Alteration::Add(ty) => {
                after.added += 1;
                after.columns.push((format!("later{}", after.added), *ty));
                format!("ALTER TABLE {name} ADD later{} {};", after.added, ty.sql())
            }
            Alteration::Widen(at, ty) | Alteration::Retype(at, ty) => {
                after.columns[*at].1 = *ty;
                format!("ALTER TABLE {name} ALTER {} TYPE {};", self.columns[*at].0, ty.sql())
            }
            Alteration::Unsend(at) => {
                after.unsent.insert(*at);
                format!("-- {name} no longer gets {}", self.columns[*at].0)
            }
            Alteration::Drop(at) => {
                after.columns.remove(*at);
                after.key.iter_mut().filter(|k| **k > *at).for_each(|k| *k -= 1);
                format!("ALTER TABLE {name} DROP {};", self.columns[*at].0)
            }
            Alteration::RenameColumn(at) => {
                after.columns[*at].0 += "_new";
                format!("ALTER TABLE {name} RENAME {} TO {};", self.columns[*at].0, after.columns[*at].0)
            }
            Alteration::Rename => {
                after.name += "_new";
                format!("ALTER TABLE {name} RENAME TO {};", after.name)
            }
        };
        after.settle();
        (after, sql)
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
            _ if self.unsent.contains(&i) => None,
            Some(_) if *ty != Ty::Text => Some((key % 12).to_string()),
            Some(_) => Some(["a", "b"][usize::from(key / 12 % 2)].to_string()),
            None if self.kind == Kind::Bronze && i < 3 => ty.value(numbers(i) % 6),
            // Without a key of its own, the first column is a number like others.
            None => ty.value(numbers(i)),
        };
        self.columns.iter().enumerate().map(cell).collect()
    }

    /// The change that makes a source's table known before a view can name it; a silver table is empty after it.
    pub fn announcement(&self, table: usize) -> Vec<Change> {
        let row = Change::Upsert { table, cells: self.row(0, &[]) };
        match self.kind {
            Kind::Silver => vec![row, Change::Truncate { table }],
            Kind::Bronze => vec![row],
            Kind::Managed => vec![],
        }
    }

    fn arrays(&self, rows: &[Vec<Option<String>>]) -> Vec<ArrayRef> {
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
        self.columns.iter().enumerate().filter(|(i, _)| !self.unsent.contains(i)).map(column).collect()
    }

    fn changes(&self, rows: &[Vec<Option<String>>], ops: Vec<Op>, events: Vec<u32>) -> TableChanges {
        let schema = Arc::clone(&self.schema);
        let rows =
            RecordBatch::try_new(Arc::clone(schema.arrow()), self.arrays(rows)).expect("columns as in the schema");
        TableChanges { table: self.qualified().into(), schema, rows, ops, events, unchanged: vec![] }
    }

    /// Rows of a bronze table.
    fn bronze(&self, rows: &[Vec<Option<String>>], events: Vec<u32>) -> BronzeRows {
        let arrays = self.arrays(rows);
        // Bronze keeps JSON as text.
        let text = |at: usize| -> ArrayRef {
            Arc::new(rows.iter().map(|row| row.get(at).cloned().flatten()).collect::<StringArray>())
        };
        let schema = bronze_schema();
        let columns = schema.arrow().fields().iter().map(|field| -> ArrayRef {
            let named = |(name, _): &(&str, Ty)| name.trim_matches('"') == field.name();
            match (BRONZE.iter().position(named), field.name().as_str()) {
                (Some(at @ 3..), _) => text(at),
                (Some(at), _) => Arc::clone(&arrays[at]),
                (None, "ingested_at") => {
                    Arc::new(TimestampMicrosecondArray::from(vec![0; rows.len()]).with_timezone("UTC"))
                }
                (None, "payload_raw") => Arc::new(BinaryArray::new_null(rows.len())),
                (None, _) => new_null_array(field.data_type(), rows.len()),
            }
        });
        let rows = RecordBatch::try_new(Arc::clone(schema.arrow()), columns.collect());
        BronzeRows { table: self.qualified().into(), rows: rows.expect("the columns of bronze"), events }
    }
}

/// What a delivery brings to the tables of sources.
pub struct Delivered {
    pub changes: Vec<TableChanges>,
    pub bronze: Vec<BronzeRows>,
    pub events: usize,
}

/// The first delivery: tables of sources without rows, but for a row in each bronze table.
pub fn announced(tables: &[Table]) -> Delivered {
    Change::together(&announcements(tables), tables)
}

pub fn announcements(tables: &[Table]) -> Vec<Change> {
    tables.iter().enumerate().flat_map(|(i, table)| table.announcement(i)).collect()
}

impl Change {
    /// One change, or the two of a row that goes under another key.
    pub fn from_raw(raw: &RawChange, tables: &[Table]) -> Vec<Self> {
        let (number, op, key, numbers) = raw;
        let at = usize::from(*number) % tables.len();
        let table = &tables[at];
        if (135..=149).contains(op) && !table.key.is_empty() {
            let old = Self::Delete { table: at, cells: table.row(*key, numbers) };
            return vec![old, Self::Upsert { table: at, cells: table.row(key.wrapping_add(5), numbers) }];
        }
        vec![Self::one_from_raw(raw, tables)]
    }

    fn one_from_raw(raw: &RawChange, tables: &[Table]) -> Self {
        let (number, op, key, numbers) = raw;
        let number = usize::from(*number) % tables.len();
        let table = &tables[number];
        let row = |numbers: &[u16]| table.row(*key, numbers);
        match (op, table.kind) {
            (_, Kind::Bronze) => Self::Upsert { table: number, cells: row(numbers) },
            (150..=169, Kind::Managed) => {
                let free: Vec<usize> = (0..table.columns.len()).filter(|i| !table.key.contains(i)).collect();
                let pick = |nth: usize| usize::from(numbers.get(nth).copied().unwrap_or(0));
                let column = free[pick(0) % free.len()];
                let value = table.columns[column].1.value(pick(1) as u16);
                Self::Update { table: number, column, value, most: *key % 6 }
            }
            // A source's table without a key only grows, but for a truncate.
            (170..=247, kind) if kind == Kind::Managed || !table.key.is_empty() => {
                Self::Delete { table: number, cells: row(numbers) }
            }
            (248..=255, _) => Self::Truncate { table: number },
            _ => Self::Upsert { table: number, cells: row(numbers) },
        }
    }

    pub fn table(&self) -> usize {
        match self {
            Self::Upsert { table, .. }
            | Self::Delete { table, .. }
            | Self::Truncate { table }
            | Self::Update { table, .. } => *table,
        }
    }

    /// What a source delivers in one tick.
    pub fn together(changes: &[Self], tables: &[Table]) -> Delivered {
        let mut all = Delivered { changes: vec![], bronze: vec![], events: changes.len() };
        for (i, table) in tables.iter().enumerate().filter(|(_, table)| table.kind != Kind::Managed) {
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
                    Self::Update { .. } => continue,
                };
                rows.push(row);
                ops.push(op);
                events.push(event as u32);
            }
            match table.kind {
                _ if rows.is_empty() => {}
                Kind::Bronze => all.bronze.push(table.bronze(&rows, events)),
                _ => all.changes.push(table.changes(&rows, ops, events)),
            }
        }
        all
    }

    /// The change as a statement that a person can run.
    pub fn sql(&self, tables: &[Table]) -> String {
        let table = &tables[self.table()];
        let name = table.qualified();
        let text = |cell: &Option<String>| match cell {
            Some(text) => quoted(text),
            None => "NULL".to_string(),
        };
        match self {
            Self::Truncate { .. } => format!("TRUNCATE {name};"),
            Self::Update { column, value, most, .. } => {
                let (first, column) = (&table.columns[0].0, &table.columns[*column].0);
                format!("UPDATE {name} SET {column} = {} WHERE {first} <= {most};", text(value))
            }
            Self::Delete { cells, .. } => {
                // Where there is no key, all rows with this first column.
                let by = if table.key.is_empty() { vec![0] } else { table.key.clone() };
                let wanted = by.iter().map(|k| match &cells[*k] {
                    None => format!("{} IS NULL", table.columns[*k].0),
                    cell => format!("{} = {}", table.columns[*k].0, text(cell)),
                });
                format!("DELETE FROM {name} WHERE {};", wanted.collect::<Vec<_>>().join(" AND "))
            }
            Self::Upsert { cells, .. } => {
                let values: Vec<String> = cells.iter().map(text).collect();
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
