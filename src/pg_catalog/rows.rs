//! Rows of a system relation on their way into a `RecordBatch`.
//!
//! A relation's file names the columns that it fills once, then pushes rows in that order; a column that has the same value in
//! every row is a constant; a column that is neither is NULL. A mistake in such a file (an unknown column, a value of
//! the wrong kind, a NULL in a NOT NULL column) is an internal error of that relation alone.

use crate::types::{Oid, PgError, PgResult, TableSchema, oid};
use arrow::array::*;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt32Type};
use std::borrow::Cow;
use std::sync::Arc;

/// A value of a system relation.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Oid(u32),
    Float(f64),
    Text(Cow<'a, str>),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Oids(Vec<u32>),
    /// timestamptz, µs since 1970-01-01 00:00 UTC
    At(i64),
    /// interval, µs
    Span(i64),
}

macro_rules! cells {
    ($($from:ty => |$v:ident| $cell:expr;)*) => {
        $(impl<'a> From<$from> for Cell<'a> { fn from($v: $from) -> Self { $cell } })*
    };
}

cells! {
    bool => |v| Cell::Bool(v);
    i16 => |v| Cell::Int(v.into());
    i32 => |v| Cell::Int(v.into());
    i64 => |v| Cell::Int(v);
    u64 => |v| Cell::Int(i64::try_from(v).unwrap_or(i64::MAX));
    usize => |v| Cell::Int(i64::try_from(v).unwrap_or(i64::MAX));
    u32 => |v| Cell::Oid(v);
    Oid => |v| Cell::Oid(v.0);
    f64 => |v| Cell::Float(v);
    &'a str => |v| Cell::Text(v.into());
    &'a String => |v| Cell::Text(v.as_str().into());
    String => |v| Cell::Text(v.into());
    char => |v| Cell::Text(v.to_string().into());
    Vec<String> => |v| Cell::Texts(v);
    Vec<i64> => |v| Cell::Ints(v);
    Vec<u32> => |v| Cell::Oids(v);
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// `information_schema`'s `yes_or_no`.
pub fn yes_or_no(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

/// A row: each expression becomes a [`Cell`].
macro_rules! row {
    ($($value:expr),* $(,)?) => { &[$($crate::pg_catalog::rows::Cell::from($value)),*] };
}
pub(super) use row;

enum Builder {
    Bool(BooleanBuilder),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Oid(PrimitiveBuilder<UInt32Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Ints(ListBuilder<PrimitiveBuilder<Int16Type>>),
    Oids(ListBuilder<PrimitiveBuilder<UInt32Type>>),
    At(TimestampMicrosecondBuilder),
    Span(FixedSizeBinaryBuilder),
}

impl Builder {
    fn new(storage: &DataType) -> PgResult<Self> {
        Ok(match storage {
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Int16 => Self::Int16(PrimitiveBuilder::new()),
            DataType::Int32 => Self::Int32(PrimitiveBuilder::new()),
            DataType::Int64 => Self::Int64(PrimitiveBuilder::new()),
            DataType::UInt32 => Self::Oid(PrimitiveBuilder::new()),
            DataType::Float32 => Self::Float32(PrimitiveBuilder::new()),
            DataType::Float64 => Self::Float64(PrimitiveBuilder::new()),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::List(field) if *field.data_type() == DataType::Utf8 => {
                Self::Texts(ListBuilder::new(StringBuilder::new()))
            }
            DataType::List(field) if *field.data_type() == DataType::Int16 => {
                Self::Ints(ListBuilder::new(PrimitiveBuilder::new()))
            }
            DataType::List(field) if *field.data_type() == DataType::UInt32 => {
                Self::Oids(ListBuilder::new(PrimitiveBuilder::new()))
            }
            DataType::Timestamp(..) => Self::At(TimestampMicrosecondBuilder::new().with_data_type(storage.clone())),
            DataType::FixedSizeBinary(16) => Self::Span(FixedSizeBinaryBuilder::new(16)),
            other => return Err(PgError::internal(format!("system relations have no values of storage {other}"))),
        })
    }

    /// Whether the cell is of this column's kind; it is appended if so.
    fn push(&mut self, cell: &Cell<'_>) -> bool {
        match (self, cell) {
            (Self::Bool(b), Cell::Bool(v)) => b.append_value(*v),
            (Self::Bool(b), Cell::Null) => b.append_null(),
            (Self::Int16(b), Cell::Int(v)) => match i16::try_from(*v) {
                Ok(v) => b.append_value(v),
                Err(_) => return false,
            },
            (Self::Int16(b), Cell::Null) => b.append_null(),
            (Self::Int32(b), Cell::Int(v)) => match i32::try_from(*v) {
                Ok(v) => b.append_value(v),
                Err(_) => return false,
            },
            (Self::Int32(b), Cell::Null) => b.append_null(),
            (Self::Int64(b), Cell::Int(v)) => b.append_value(*v),
            (Self::Int64(b), Cell::Null) => b.append_null(),
            (Self::Oid(b), Cell::Oid(v)) => b.append_value(*v),
            (Self::Oid(b), Cell::Null) => b.append_null(),
            (Self::Float32(b), Cell::Float(v)) => b.append_value(*v as f32),
            (Self::Float32(b), Cell::Null) => b.append_null(),
            (Self::Float64(b), Cell::Float(v)) => b.append_value(*v),
            (Self::Float64(b), Cell::Null) => b.append_null(),
            (Self::Text(b), Cell::Text(v)) => b.append_value(v),
            (Self::Text(b), Cell::Null) => b.append_null(),
            (Self::Texts(b), Cell::Texts(v)) => b.append_value(v.iter().map(Some)),
            (Self::Texts(b), Cell::Null) => b.append_null(),
            (Self::Ints(b), Cell::Ints(v)) => b.append_value(v.iter().map(|n| Some(*n as i16))),
            (Self::Ints(b), Cell::Null) => b.append_null(),
            (Self::Oids(b), Cell::Oids(v)) => b.append_value(v.iter().map(|n| Some(*n))),
            (Self::Oids(b), Cell::Null) => b.append_null(),
            (Self::At(b), Cell::At(v)) => b.append_value(*v),
            (Self::At(b), Cell::Null) => b.append_null(),
            (Self::Span(b), Cell::Span(us)) => {
                let mut interval = [0u8; 16];
                interval[8..].copy_from_slice(&us.to_be_bytes());
                return b.append_value(interval).is_ok();
            }
            (Self::Span(b), Cell::Null) => b.append_null(),
            _ => return false,
        }
        true
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut b) => Arc::new(b.finish()),
            Self::Int16(mut b) => Arc::new(b.finish()),
            Self::Int32(mut b) => Arc::new(b.finish()),
            Self::Int64(mut b) => Arc::new(b.finish()),
            Self::Oid(mut b) => Arc::new(b.finish()),
            Self::Float32(mut b) => Arc::new(b.finish()),
            Self::Float64(mut b) => Arc::new(b.finish()),
            Self::Text(mut b) => Arc::new(b.finish()),
            Self::Texts(mut b) => Arc::new(b.finish()),
            Self::Ints(mut b) => Arc::new(b.finish()),
            Self::Oids(mut b) => Arc::new(b.finish()),
            Self::At(mut b) => Arc::new(b.finish()),
            Self::Span(mut b) => Arc::new(b.finish()),
        }
    }
}

/// The rows of one relation while they are made. See the module.
pub struct Rows<'a> {
    schema: &'a TableSchema,
    constants: Vec<(usize, Cell<'static>)>,
    filled: Vec<(usize, Builder)>,
    len: usize,
    fault: Option<String>,
}

impl<'a> Rows<'a> {
    pub fn new(schema: &'a TableSchema) -> Self {
        Self { schema, constants: Vec::new(), filled: Vec::new(), len: 0, fault: None }
    }

    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    fn index(&mut self, name: &str) -> Option<usize> {
        let index = self.schema.index_of(name);
        if index.is_none() {
            self.fail(format!("no column \"{name}\""));
        }
        index
    }

    /// The column has this value in every row.
    pub fn constant(&mut self, name: &str, value: impl Into<Cell<'static>>) -> &mut Self {
        if let Some(index) = self.index(name) {
            self.constants.push((index, value.into()));
        }
        self
    }

    /// [`Rows::constant`] for several columns.
    pub fn constants(&mut self, names: &[&str], value: impl Into<Cell<'static>>) -> &mut Self {
        let value = value.into();
        for name in names {
            self.constant(name, value.clone());
        }
        self
    }

    /// The columns that each pushed row has, in its order.
    pub fn columns(&mut self, names: &[&str]) -> &mut Self {
        for name in names {
            let Some(index) = self.index(name) else { continue };
            match Builder::new(&self.schema.columns[index].ty.storage()) {
                Ok(builder) => self.filled.push((index, builder)),
                Err(error) => self.fail(error.message),
            }
        }
        self
    }

    /// All columns of the relation, in its order.
    pub fn all_columns(&mut self) -> &mut Self {
        let schema = self.schema;
        let names: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        self.columns(&names)
    }

    pub fn push(&mut self, row: &[Cell<'_>]) {
        if self.fault.is_some() {
            return;
        }
        if row.len() != self.filled.len() {
            return self.fail(format!("a row of {} values for {} columns", row.len(), self.filled.len()));
        }
        self.len += 1;
        for ((index, builder), cell) in self.filled.iter_mut().zip(row) {
            let column = &self.schema.columns[*index];
            if !builder.push(cell) {
                return self.fail(format!("column \"{}\" cannot hold {cell:?}", column.name));
            }
            if !column.nullable && *cell == Cell::Null {
                return self.fail(format!("column \"{}\" is NULL", column.name));
            }
        }
    }

    /// A row in PostgreSQL's text form.
    pub fn push_text(&mut self, cells: impl Iterator<Item = &'static str>) {
        let schema = self.schema;
        let cells = cells.zip(&schema.columns).map(|(text, column)| cell_of_text(column.ty.oid, text));
        match cells.collect::<PgResult<Vec<_>>>() {
            Ok(row) => self.push(&row),
            Err(error) => self.fail(error.message),
        }
    }

    pub fn finish(self, relation: &str) -> PgResult<RecordBatch> {
        let broken = |fault: &str| PgError::internal(format!("system relation \"{relation}\": {fault}"));
        if let Some(fault) = &self.fault {
            return Err(broken(fault));
        }
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.schema.columns.len()];
        for (index, builder) in self.filled {
            arrays[index] = Some(builder.finish());
        }
        for (index, cell) in self.constants {
            let column = &self.schema.columns[index];
            let mut builder = Builder::new(&column.ty.storage())?;
            for _ in 0..self.len {
                if !builder.push(&cell) {
                    return Err(broken(&format!("column \"{}\" cannot hold {cell:?}", column.name)));
                }
            }
            arrays[index] = Some(builder.finish());
        }
        let arrays = arrays.into_iter().zip(&self.schema.columns).map(|(array, column)| match array {
            Some(array) => Ok(array),
            None if column.nullable || self.len == 0 => Ok(new_null_array(&column.ty.storage(), self.len)),
            None => Err(broken(&format!("column \"{}\" is not filled", column.name))),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(self.len));
        let arrays = arrays.collect::<PgResult<Vec<_>>>()?;
        Ok(RecordBatch::try_new_with_options(Arc::clone(self.schema.arrow()), arrays, &options)?)
    }
}

/// A cell from the text that COPY gives for it; functions are OIDs and intervals seconds.
fn cell_of_text(ty: Oid, text: &'static str) -> PgResult<Cell<'static>> {
    let wrong = || PgError::internal(format!("\"{text}\" is no value of type {ty}"));
    Ok(match ty {
        _ if text == "\\N" => Cell::Null,
        oid::BOOL => Cell::Bool(text == "t"),
        oid::INT2 | oid::INT4 | oid::INT8 => Cell::Int(text.parse().map_err(|_| wrong())?),
        oid::OID | oid::REGPROC => Cell::Oid(text.parse().map_err(|_| wrong())?),
        oid::INTERVAL => Cell::Span(text.parse::<i64>().map_err(|_| wrong())? * 1_000_000),
        _ => Cell::Text(text.into()),
    })
}
