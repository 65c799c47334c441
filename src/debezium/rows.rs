//! Rows of a silver table in the making: the table's columns as this stream knows them, and builders for one batch.

use super::form::{Block, Form};
use super::scan::{Cell, Kind, Value};
use super::sink::{Habits, Sink};
use super::{Route, values};
use crate::change::{Op, TableChanges};
use crate::types::{Column, PgType, TableSchema, oid};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use std::sync::Arc;

pub const SOURCE_DB: &str = "_source_db";
const META: [&str; 5] = ["_op", "_source_ts", "_lsn", "_ingested_at", "_deleted"];

/// Whether a name belongs to Sluice's own columns.
pub fn is_meta(name: &str) -> bool {
    name.starts_with('_') && (META.contains(&name) || name == SOURCE_DB)
}

/// A column of the source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub name: String,
    pub ty: PgType,
    pub nullable: bool,
    pub form: Form,
    /// The type was not declared, nor given by a schema block: values may widen it.
    pub widens: bool,
}

/// The columns of a table: `[_source_db]`, the source's, then the metadata.
#[derive(Debug)]
pub struct Layout {
    pub table: Arc<str>,
    pub schema: Arc<TableSchema>,
    pub columns: Vec<Source>,
    /// 1 where `_source_db` comes first.
    first: usize,
    is_key: Vec<bool>,
    /// Names of the key columns, whether they are known yet or not.
    key: Vec<String>,
    /// The columns are those of a schema block: it names all that may occur.
    complete: bool,
    missing_key: Option<String>,
}

impl Layout {
    /// `columns` in the source's order. A key column that is not in `columns` yet is learnt from the first key.
    pub fn new(table: Arc<str>, route: &Route, columns: Vec<Source>, key: &[String], complete: bool) -> Self {
        let mut all = Vec::with_capacity(columns.len() + 6);
        let first = route.source_db_in_key as usize;
        if route.source_db_in_key {
            all.push(Column::new(SOURCE_DB, PgType::new(oid::TEXT), true));
        }
        let is_key: Vec<bool> = columns.iter().map(|c| key.contains(&c.name)).collect();
        all.extend(columns.iter().map(|c| Column::new(&c.name, c.ty, c.nullable)));
        let types = [oid::TEXT, oid::TIMESTAMPTZ, oid::TEXT, oid::TIMESTAMPTZ, oid::BOOL];
        let meta = META.iter().zip(types).take(4 + route.soft_delete as usize);
        all.extend(meta.map(|(name, oid)| Column::new(*name, PgType::new(oid), true)));
        let position = |name: &String| columns.iter().position(|c| c.name == *name).map(|n| n + first);
        let mut indexes: Vec<usize> = key.iter().filter_map(position).collect();
        if !indexes.is_empty() && route.source_db_in_key {
            indexes.insert(0, 0);
        }
        let schema = Arc::new(TableSchema::new(all, indexes));
        let missing_key = key.iter().find(|name| columns.iter().all(|c| c.name != **name)).cloned();
        Self { table, schema, columns, first, is_key, key: key.to_vec(), complete, missing_key }
    }

    /// A key column of which nothing is known.
    pub fn missing_key(&self) -> Option<&str> {
        self.missing_key.as_deref()
    }
}

/// What is the same for all columns of a row.
pub struct Meta<'a> {
    pub event: u32,
    pub op: Op,
    pub source_db: &'a str,
    pub micros: Option<i64>,
    pub position: &'a str,
    pub ingested_at_us: i64,
}

/// Why a row could not be appended.
#[derive(Debug, PartialEq)]
pub enum Trouble {
    /// The columns must change first: at least one member has none, or one too narrow. Then the row is to be tried again.
    Columns(Vec<Source>),
    Dead {
        reason: &'static str,
        message: String,
    },
}

fn twice(name: &str) -> Trouble {
    dead("bad-envelope", format!("column \"{name}\" occurs twice"))
}

fn missing_key(name: &str) -> Trouble {
    dead("missing-key", format!("the record has no value for the key column \"{name}\""))
}

fn dead(reason: &'static str, message: String) -> Trouble {
    Trouble::Dead { reason, message }
}

/// Builders of one batch of rows of one layout.
pub struct Rows {
    pub layout: Arc<Layout>,
    sinks: Vec<Sink>,
    /// For each source column the number of the row that it was last written in, from 1.
    stamps: Vec<u32>,
    unchanged: Vec<Vec<u32>>,
    source_db: Option<Sink>,
    meta: Vec<Sink>,
    ops: Vec<Op>,
    events: Vec<u32>,
    dropped: Vec<u32>,
    pub bytes: usize,
}

impl Rows {
    pub fn new(layout: Arc<Layout>, rows: usize) -> Self {
        let text = PgType::new(oid::TEXT);
        let meta_at = layout.first + layout.columns.len();
        Self {
            sinks: layout.columns.iter().map(|c| Sink::new(c.ty, rows)).collect(),
            stamps: vec![0; layout.columns.len()],
            unchanged: vec![Vec::new(); layout.columns.len()],
            source_db: (layout.first == 1).then(|| Sink::new(text, rows)),
            meta: layout.schema.columns[meta_at..].iter().map(|c| Sink::new(c.ty, rows)).collect(),
            ops: Vec::with_capacity(rows),
            events: Vec::with_capacity(rows),
            dropped: Vec::new(),
            layout,
            bytes: 0,
        }
    }

    /// Appends the row of a change: key columns from `key`, the others from `after`. A row that meets trouble leaves no
    /// trace.
    pub fn append(
        &mut self,
        (key, key_text): (&[Cell], &str),
        (after, after_text): (&[Cell], &str),
        meta: &Meta<'_>,
        route: &Route,
        habits: &mut Habits,
    ) -> Result<(), Trouble> {
        let row = self.ops.len() as u32 + 1;
        let done = self.values(row, (key, key_text), (after, after_text), meta.op, route, habits);
        for (sink, stamp) in self.sinks.iter_mut().zip(&mut self.stamps) {
            if *stamp != row {
                *stamp = row;
                sink.append_null();
            }
        }
        if let Some(sink) = &mut self.source_db {
            sink.put_plain(meta.source_db);
        }
        if let [op, source_ts, lsn, ingested_at, rest @ ..] = &mut self.meta[..] {
            op.put_plain(super::event::letter(meta.op));
            source_ts.put_micros(meta.micros);
            match meta.position {
                "" => lsn.append_null(),
                position => lsn.put_plain(position),
            }
            ingested_at.put_micros(Some(meta.ingested_at_us));
            rest.iter_mut().for_each(|deleted| deleted.put_bool(meta.op == Op::Delete));
        }
        self.ops.push(meta.op);
        self.events.push(meta.event);
        self.bytes += key_text.len() + after_text.len();
        if done.is_err() {
            self.dropped.push(row - 1);
        }
        done
    }

    /// Whether the newest row, if it is this record's, has all of its values.
    pub fn is_whole(&self, event: u32) -> Option<bool> {
        let row = self.ops.len().checked_sub(1)? as u32;
        let is_it = self.events.last() == Some(&event) && self.dropped.last() != Some(&row);
        is_it.then(|| self.unchanged.iter().all(|rows| rows.last() != Some(&row)))
    }

    fn values(
        &mut self,
        row: u32,
        (key, key_text): (&[Cell], &str),
        (after, after_text): (&[Cell], &str),
        op: Op,
        route: &Route,
        habits: &mut Habits,
    ) -> Result<(), Trouble> {
        if op == Op::Truncate {
            return Ok(());
        }
        let layout = Arc::clone(&self.layout);
        let mut strangers = Vec::new();
        let mut guess = 0;
        let appends = layout.key.is_empty();
        for cell in key {
            // Fields of the message key that are not in the table's key say nothing that `after` does not say.
            if appends && op != Op::Delete {
                break;
            }
            match self.find(cell, key_text, &mut guess) {
                Some(at) if self.stamps[at] == row => return Err(twice(&layout.columns[at].name)),
                Some(at) if layout.is_key[at] || appends => self.put(at, row, cell.value(key_text), habits)?,
                Some(_) => (),
                None if layout.key.contains(&cell.plain_name(key_text).into_owned()) => {
                    stranger(cell, key_text, route, &mut strangers)?;
                }
                None => (),
            }
        }
        guess = 0;
        for cell in after {
            let Some(at) = self.find(cell, after_text, &mut guess) else {
                let before = strangers.len();
                stranger(cell, after_text, route, &mut strangers)?;
                if layout.complete && strangers.len() > before {
                    let name = cell.plain_name(after_text);
                    return Err(dead("bad-envelope", format!("column \"{name}\" is not in the record's schema")));
                }
                continue;
            };
            if self.stamps[at] != row {
                self.put(at, row, cell.value(after_text), habits)?;
            } else if !layout.is_key[at] {
                return Err(twice(&layout.columns[at].name));
            }
        }
        if !strangers.is_empty() {
            return Err(Trouble::Columns(strangers));
        }
        let mut key_columns = layout.is_key.iter().zip(&self.stamps).zip(&layout.columns);
        if let Some((_, column)) = key_columns.find(|((is_key, stamp), _)| **is_key && **stamp != row) {
            return Err(missing_key(&column.name));
        }
        layout.missing_key().map_or(Ok(()), |name| Err(missing_key(name)))
    }

    /// The column of a member; members come in the order of the columns almost always.
    #[inline]
    fn find(&self, cell: &Cell, text: &str, guess: &mut usize) -> Option<usize> {
        let name = cell.name(text);
        let columns = &self.layout.columns;
        if columns.get(*guess).is_some_and(|c| c.name == name) {
            *guess += 1;
            return Some(*guess - 1);
        }
        let name = cell.plain_name(text);
        let at = columns.iter().position(|c| c.name == *name)?;
        *guess = at + 1;
        Some(at)
    }

    #[inline]
    fn put(&mut self, at: usize, row: u32, value: Value<'_>, habits: &mut Habits) -> Result<(), Trouble> {
        let column = &self.layout.columns[at];
        if is_unavailable(value) {
            self.sinks[at].append_null();
            self.stamps[at] = row;
            self.unchanged[at].push(row - 1);
            return Ok(());
        }
        if self.sinks[at].put(value, &column.form, habits).is_ok() {
            self.stamps[at] = row;
            return Ok(());
        }
        if column.widens
            && let Some(ty) = widened(column.ty, value)
        {
            return Err(Trouble::Columns(vec![Source { ty, form: form_of_inferred(ty), ..column.clone() }]));
        }
        Err(dead(
            "bad-value",
            format!("column \"{}\" of type {} cannot hold {}", column.name, type_name(column.ty), cut(value)),
        ))
    }

    pub fn finish(self) -> Option<TableChanges> {
        let rows = self.ops.len();
        if rows == self.dropped.len() {
            return None;
        }
        let arrays = self.source_db.into_iter().chain(self.sinks).chain(self.meta);
        let arrays: Vec<ArrayRef> = arrays.map(Sink::finish).collect();
        let schema = Arc::clone(&self.layout.schema);
        let batch = RecordBatch::try_new(Arc::clone(schema.arrow()), arrays)
            .expect("each column is built in its storage form, each row in all columns");
        let first = self.layout.first;
        let marked = self.unchanged.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
        let unchanged: Vec<(usize, Vec<u32>)> = marked.map(|(at, rows)| (at + first, rows)).collect();
        let mut kept = vec![true; rows];
        self.dropped.iter().for_each(|row| kept[*row as usize] = false);
        let keep = |row: &usize| kept[*row];
        let bits = |set: &[u32]| {
            let mut all = vec![false; rows];
            set.iter().for_each(|row| all[*row as usize] = true);
            BooleanBuffer::from_iter((0..rows).filter(keep).map(|row| all[row]))
        };
        let unchanged: Vec<(usize, BooleanBuffer)> =
            unchanged.iter().map(|(at, set)| (*at, bits(set))).filter(|(_, b)| b.count_set_bits() > 0).collect();
        let table = Arc::clone(&self.layout.table);
        if self.dropped.is_empty() {
            return Some(TableChanges { table, schema, rows: batch, ops: self.ops, events: self.events, unchanged });
        }
        let ops = (0..rows).filter(keep).map(|row| self.ops[row]).collect();
        let events = (0..rows).filter(keep).map(|row| self.events[row]).collect();
        let rows = filter_record_batch(&batch, &BooleanArray::from(kept)).expect("one flag for each row");
        Some(TableChanges { table, schema, rows, ops, events, unchanged })
    }
}

fn cut(value: Value<'_>) -> String {
    match value.text() {
        Some(text) => format!("\"{}\"", values::cut(&text)),
        None => values::cut(value.raw).into_owned(),
    }
}

/// The type as a person writes it, as far as the room needs it: PostgreSQL's name for the types that Debezium knows.
pub fn type_name(ty: PgType) -> String {
    let name = match ty.oid {
        oid::BOOL => "boolean",
        oid::INT2 => "smallint",
        oid::INT4 => "integer",
        oid::INT8 => "bigint",
        oid::FLOAT4 => "real",
        oid::FLOAT8 => "double precision",
        oid::TEXT => "text",
        oid::VARCHAR => "character varying",
        oid::BPCHAR => "character",
        oid::BYTEA => "bytea",
        oid::DATE => "date",
        oid::TIME => "time",
        oid::TIMETZ => "time with time zone",
        oid::TIMESTAMP => "timestamp",
        oid::TIMESTAMPTZ => "timestamp with time zone",
        oid::INTERVAL => "interval",
        oid::UUID => "uuid",
        oid::JSON => "json",
        oid::JSONB => "jsonb",
        oid::XML => "xml",
        oid::BIT => "bit",
        oid::VARBIT => "bit varying",
        oid::POINT => "point",
        oid::NUMERIC => {
            return match ty.numeric_typmod() {
                Some((precision, scale)) => format!("numeric({precision},{scale})"),
                None => "numeric".to_string(),
            };
        }
        other => {
            return match oid::array_element(other) {
                Some(element) => format!("{}[]", type_name(PgType { oid: element, typmod: ty.typmod })),
                None => format!("with OID {other}"),
            };
        }
    };
    match ty.oid {
        oid::VARCHAR | oid::BPCHAR if ty.typmod >= 4 => format!("{name}({})", ty.typmod - 4),
        oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::BIT if ty.typmod >= 0 => format!("{name}({})", ty.typmod),
        _ => name.to_string(),
    }
}

/// A member that has no column: refused, or a new column as soon as it has a value.
fn stranger(cell: &Cell, text: &str, route: &Route, strangers: &mut Vec<Source>) -> Result<(), Trouble> {
    let name = cell.plain_name(text);
    if is_meta(&name) {
        return Err(dead("bad-envelope", format!("the source's column \"{name}\" has the name of a metadata column")));
    }
    if name.contains('\0') || name.is_empty() {
        return Err(dead("bad-envelope", "a column's name is empty or has a zero byte".to_string()));
    }
    if route.strict_columns && !route.declared.is_empty() {
        return Err(dead("unknown-column", format!("column \"{name}\" is not declared")));
    }
    let value = cell.value(text);
    if !is_unavailable(value)
        && strangers.iter().all(|s| s.name != *name)
        && let Some(ty) = inferred(value)
    {
        let form = form_of_inferred(ty);
        strangers.push(Source { name: name.into_owned(), ty, nullable: true, form, widens: true });
    }
    Ok(())
}

/// `__deleted`, `__op` and what else a flattened event adds; the logical table router's key column is data.
pub fn is_flattened_meta(name: &str) -> bool {
    name.starts_with("__") && name != "__dbz__physicalTableIdentifier"
}

/// The type of a column of which nothing is known but one value.
fn inferred(value: Value<'_>) -> Option<PgType> {
    Some(PgType::new(match value.kind {
        Kind::Null => return None,
        Kind::True | Kind::False => oid::BOOL,
        Kind::Number if values::parse_int(value.raw).is_some() => oid::INT8,
        Kind::Number if value.raw.contains(['.', 'e', 'E']) && values::parse_float(value.raw).is_some() => oid::FLOAT8,
        Kind::Number => oid::NUMERIC,
        Kind::Text | Kind::Escaped => oid::TEXT,
        Kind::Object | Kind::Array => oid::JSONB,
    }))
}

fn form_of_inferred(ty: PgType) -> Form {
    if ty.oid == oid::JSONB { Form::Json } else { Form::Any }
}

/// The narrowest type that holds the column's old values and this one.
fn widened(ty: PgType, value: Value<'_>) -> Option<PgType> {
    let numeric = PgType::new(oid::NUMERIC);
    let to = match (ty.oid, value.kind) {
        (oid::INT2 | oid::INT4, Kind::Number) if values::parse_int(value.raw).is_some() => PgType::new(oid::INT8),
        (oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8, Kind::Number) => numeric,
        (oid::NUMERIC, Kind::Number) if ty.typmod >= 0 => numeric,
        (oid::BOOL | oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC | oid::JSONB, _) => {
            PgType::new(oid::TEXT)
        }
        _ => return None,
    };
    (to != ty).then_some(to)
}

/// The type that holds the values of both: what the silver table has, and what this stream would make of the column.
pub fn joined(a: PgType, b: PgType) -> PgType {
    let rank = |ty: PgType| match ty.oid {
        oid::INT2 => Some(1),
        oid::INT4 => Some(2),
        oid::INT8 => Some(3),
        oid::NUMERIC if ty.typmod < 0 => Some(5),
        _ => None,
    };
    match (rank(a), rank(b)) {
        _ if a == b => a,
        (Some(x), Some(y)) => {
            if x >= y {
                a
            } else {
                b
            }
        }
        (Some(5), None) if matches!(b.oid, oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8) => a,
        (None, Some(5)) if matches!(a.oid, oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8) => b,
        _ if a.oid == oid::FLOAT8 && b.oid == oid::FLOAT4 => a,
        _ if a.oid == oid::TEXT && matches!(b.oid, oid::VARCHAR | oid::BPCHAR) => a,
        _ => match (a.numeric_typmod(), b.numeric_typmod()) {
            (Some((p, s)), Some((q, t))) => {
                let scale = s.max(t);
                match u8::try_from((p - s).max(q - t) + scale) {
                    Ok(precision) if (0..=127).contains(&scale) => PgType::numeric(precision, scale as i8),
                    _ => PgType::new(oid::NUMERIC),
                }
            }
            _ => b,
        },
    }
}

/// The columns of a table as the stream sees them now.
///
/// With a schema block: its columns. Without: the declared ones, those that the table has, those inferred since.
pub fn sources(
    route: &Route,
    block: Option<&Block>,
    known: Option<&TableSchema>,
    inferred: &[Source],
    key_block: Option<&Block>,
    key: &[String],
    flattened: bool,
) -> Vec<Source> {
    let known_columns = || known.iter().flat_map(|k| &k.columns).filter(|c| !is_meta(&c.name));
    let declared = |name: &str| route.declared.iter().find(|c| c.name == name);
    let known_column = |name: &str| known_columns().find(|c| c.name == name);
    let from_block = |c: &super::form::BlockColumn| {
        let (ty, nullable) = match (declared(&c.name), known_column(&c.name)) {
            (Some(d), _) => (d.ty, d.nullable),
            (None, Some(k)) => (joined(k.ty, c.ty), c.nullable),
            (None, None) => (c.ty, c.nullable),
        };
        Source { name: c.name.clone(), ty, nullable, form: c.form.clone(), widens: false }
    };
    let bare =
        |c: &Column, widens| Source { name: c.name.clone(), ty: c.ty, nullable: c.nullable, form: Form::Any, widens };
    let mut columns: Vec<Source> = match block {
        Some(block) => block
            .columns
            .iter()
            .filter(|c| !(is_meta(&c.name) || flattened && is_flattened_meta(&c.name)))
            .filter(|c| !route.strict_columns || route.declared.is_empty() || declared(&c.name).is_some())
            .map(from_block)
            .collect(),
        None => {
            let mut columns: Vec<Source> = route.declared.iter().map(|c| bare(c, false)).collect();
            for column in known_columns().filter(|c| declared(&c.name).is_none()) {
                let own = inferred.iter().find(|i| i.name == column.name);
                let mut source = bare(column, true);
                if let Some(own) = own {
                    source.ty = if own.ty.oid == oid::TEXT { own.ty } else { joined(own.ty, source.ty) };
                    source.form = own.form.clone();
                }
                columns.push(source);
            }
            for own in inferred {
                if columns.iter().all(|c| c.name != own.name) {
                    columns.push(own.clone());
                }
            }
            columns
        }
    };
    for name in key {
        if columns.iter().any(|c| c.name == *name) {
            continue;
        }
        let of_block = key_block.and_then(|b| b.columns.iter().find(|c| c.name == *name)).map(from_block);
        let of_table = || declared(name).or_else(|| known_column(name)).map(|c| bare(c, false));
        let of_stream = || inferred.iter().find(|i| i.name == *name).cloned();
        if let Some(column) = of_block.or_else(of_table).or_else(of_stream) {
            columns.push(column);
        }
    }
    columns
}

/// Whether a value is Debezium's placeholder for one that the source did not send, in any of its written forms.
#[inline]
pub fn is_unavailable(value: Value<'_>) -> bool {
    const TEXT: &str = "__debezium_unavailable_value";
    const BASE64: &str = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";
    const BASE64_BARE: &str = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ";
    const HEX: &str = "5f5f646562657a69756d5f756e617661696c61626c655f76616c7565";
    const MAP_TEXT: &str = r#"{\"__debezium_unavailable_value\":\"__debezium_unavailable_value\"}"#;
    const MAP: &str = r#"{"__debezium_unavailable_value":"__debezium_unavailable_value"}"#;
    const TEXTS: &str = r#"["__debezium_unavailable_value"]"#;
    const BASE64S: &str = r#"["X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="]"#;
    const UUIDS: &str = r#"["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]"#;
    // The placeholder's bytes as numbers.
    const NUMBERS: &str = "[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,\
                           108,117,101]";
    // Any shorter text is a value; most are.
    if value.raw.len() < TEXT.len() {
        return false;
    }
    match value.kind {
        Kind::Text => matches!(value.raw, TEXT | BASE64 | BASE64_BARE | HEX),
        Kind::Escaped => value.raw == MAP_TEXT,
        Kind::Array => matches!(value.raw, TEXTS | BASE64S | UUIDS | NUMBERS),
        Kind::Object => value.raw == MAP,
        _ => false,
    }
}
