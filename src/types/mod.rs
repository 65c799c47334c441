//! Floor 0: PostgreSQL's types over Arrow.
//!
//! A value's type is a [`PgType`] (OID and typmod, what PostgreSQL says of it) and its *storage form* is an Arrow
//! [`DataType`] (how it lies in memory). One PostgreSQL type has one storage form, numeric alone has two
//! (see [`PgType::storage`]); an expression carries both, as [`ExprType`].
//!
//! Called by every other room; knows none of them.

pub mod array;
pub mod codec;
pub mod datetime;
pub mod error;
pub mod interval;
mod interval_iso;
pub mod jsonb;
pub mod jsonpath;
pub mod money;
pub mod network;
pub mod numeric;
pub mod oid;
pub mod range;
pub mod schema;
pub mod search;

use arrow::datatypes::{DataType, Field, TimeUnit};
use std::sync::Arc;

pub use error::{PgError, PgResult, SqlState};
pub use oid::Oid;
pub use schema::{Column, TableSchema};

/// A PostgreSQL type with its modifier: `numeric(12,2)` is `{ oid: NUMERIC, typmod: (12 << 16 | 2) + 4 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PgType {
    pub oid: Oid,
    /// PostgreSQL's `atttypmod`; -1 where there is none.
    pub typmod: i32,
}

/// The type of an expression: what PostgreSQL says of it, and how its values lie in Arrow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExprType {
    pub pg: PgType,
    pub storage: DataType,
}

/// The byte width of the storage form of uuid and interval.
pub const FIXED_16: DataType = DataType::FixedSizeBinary(16);

impl PgType {
    pub const fn new(oid: Oid) -> Self {
        Self { oid, typmod: -1 }
    }

    /// `numeric(precision, scale)`.
    pub const fn numeric(precision: u8, scale: i8) -> Self {
        Self { oid: oid::NUMERIC, typmod: (((precision as i32) << 16) | (scale as i32 & 0x7ff)) + 4 }
    }

    /// Precision and scale of a constrained numeric.
    pub fn numeric_typmod(&self) -> Option<(i32, i32)> {
        if self.oid != oid::NUMERIC || self.typmod < 4 {
            return None;
        }
        let packed = self.typmod - 4;
        let scale = packed & 0x7ff;
        // Scale is an 11-bit two's complement number since PostgreSQL 15.
        let scale = (scale ^ 0x400) - 0x400;
        Some(((packed >> 16) & 0xffff, scale))
    }

    /// The storage form of a column of this type.
    ///
    /// | PostgreSQL | Arrow |
    /// |---|---|
    /// | bool, int2/4/8, float4/8 | Boolean, Int16/32/64, Float32/64 |
    /// | text, varchar, bpchar (padded), name, "char", json, xml, bit, varbit, enums, inet… (as their text) | Utf8 |
    /// | bytea | Binary |
    /// | date (`i32::MAX`/`MIN` = ±infinity) | Date32 |
    /// | time | Time64(µs) |
    /// | timetz | FixedSizeBinary(12): µs as big-endian i64, then seconds west of UTC as big-endian i32 |
    /// | timestamp, timestamptz (`i64::MAX`/`MIN` = ±infinity) | Timestamp(µs), Timestamp(µs, "UTC") |
    /// | numeric(p,s), p ≤ 38 and 0 ≤ s ≤ p | Decimal128(p,s) |
    /// | other numeric | Binary, `types::numeric`'s sortable form |
    /// | ranges, multiranges | Binary, `types::range`'s form |
    /// | money | Int64: hundredths |
    /// | jsonb | LargeBinary, `types::jsonb`'s form |
    /// | uuid | FixedSizeBinary(16) |
    /// | interval | FixedSizeBinary(16): months i32, days i32, µs i64, all big-endian |
    /// | oid, xid, cid and the reg types | UInt32 |
    /// | arrays, oidvector, int2vector | List(element); any shape: see [`array`] |
    ///
    /// The storage form tells bytea (Binary) from jsonb (LargeBinary), but not text from json: only the OID says
    /// what a value means.
    pub fn storage(&self) -> DataType {
        if let Some((precision, scale)) = self.numeric_typmod()
            && (1..=38).contains(&precision)
            && (0..=precision).contains(&scale)
        {
            return DataType::Decimal128(precision as u8, scale as i8);
        }
        match self.oid {
            oid::BOOL => DataType::Boolean,
            oid::INT2 => DataType::Int16,
            oid::INT4 => DataType::Int32,
            oid::INT8 => DataType::Int64,
            oid::FLOAT4 => DataType::Float32,
            oid::FLOAT8 => DataType::Float64,
            oid::BYTEA => DataType::Binary,
            oid::DATE => DataType::Date32,
            oid::TIME => DataType::Time64(TimeUnit::Microsecond),
            oid::TIMETZ => DataType::FixedSizeBinary(12),
            oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
            oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            oid::NUMERIC => DataType::Binary,
            oid::MONEY => DataType::Int64,
            oid::JSONB => DataType::LargeBinary,
            oid::UUID | oid::INTERVAL => FIXED_16,
            oid::OID | oid::XID | oid::CID => DataType::UInt32,
            other if oid::is_reg_type(other) => DataType::UInt32,
            oid::OIDVECTOR => list_of(PgType::new(oid::OID).storage()),
            oid::INT2VECTOR => list_of(PgType::new(oid::INT2).storage()),
            other => match oid::array_element(other) {
                Some(element) => list_of(PgType { oid: element, typmod: self.typmod }.storage()),
                None if range::RangeType::of(other).is_some() => DataType::Binary,
                None => DataType::Utf8,
            },
        }
    }
}

impl ExprType {
    /// A type in its natural storage form.
    pub fn of(pg: PgType) -> Self {
        Self { storage: pg.storage(), pg }
    }

    /// A type in the form that holds whatever a client sends: arrays of any shape.
    pub fn of_parameter(pg: PgType) -> Self {
        Self { storage: schema::column_storage(pg, schema::takes_shapes(pg)), pg }
    }
}

/// Where a record's field keeps the OID of its type.
const FIELD_TYPE: &str = "pg_type";

/// The storage of a record: a struct whose fields say their types in their metadata.
pub fn record_of<'t>(fields: impl IntoIterator<Item = (&'t str, &'t ExprType)>) -> DataType {
    let field = |(name, ty): (&str, &ExprType)| {
        // Literals whose type is still open are text.
        let oid = if ty.pg.oid == oid::UNKNOWN { oid::TEXT } else { ty.pg.oid };
        let told = [(FIELD_TYPE.to_string(), oid.0.to_string())];
        Field::new(name, ty.storage.clone(), true).with_metadata(told.into())
    };
    DataType::Struct(fields.into_iter().map(field).collect::<Vec<_>>().into())
}

/// The type of a record's field, where the field says one.
pub fn record_field_type(field: &Field) -> Option<ExprType> {
    let pg = field.metadata().get(FIELD_TYPE)?.parse().ok().map(|oid| PgType::new(Oid(oid)))?;
    Some(ExprType { pg, storage: field.data_type().clone() })
}

/// `List` with the one field name and nullability that all of Sluice uses.
pub fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}
