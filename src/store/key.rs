//! Keys: hashed and compared in the columns, without a copy of the rows.

use super::prefetch::prefetch;
use crate::types::{PgError, PgResult, PgType, TableSchema, oid};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray, LargeBinaryArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, Int32Type, Int64Type};
use arrow_row::{RowConverter, SortField};
use foldhash::fast::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

/// When two stored values are the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Equality {
    /// The storage says it all; a NaN is any NaN.
    Exact,
    /// PostgreSQL's `=` where it differs from [`Equality::Exact`] on floats: -0 equals 0.
    Float,
    /// bpchar: trailing blanks do not count.
    Trimmed,
    /// numeric without a Decimal128 form: the display scale does not count.
    Numeric,
    /// interval: a month is 30 days, a day 24 hours.
    Interval,
}

/// One column by which rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyPart {
    pub column: usize,
    pub equality: Equality,
}

/// The key of a keyed table, with PostgreSQL's equality.
pub(super) fn key_parts(schema: &TableSchema) -> Vec<KeyPart> {
    parts_of(&schema.key, schema)
}

/// Any columns, with PostgreSQL's equality. Inside jsonb and arrays it is the storage's.
pub(super) fn parts_of(columns: &[usize], schema: &TableSchema) -> Vec<KeyPart> {
    columns.iter().map(|&column| KeyPart { column, equality: equality(schema.columns[column].ty) }).collect()
}

/// Every column, compared exactly: how a bag finds the row to delete.
pub(super) fn whole_row(schema: &TableSchema) -> Vec<KeyPart> {
    (0..schema.columns.len()).map(|column| KeyPart { column, equality: Equality::Exact }).collect()
}

fn equality(ty: PgType) -> Equality {
    match ty.oid {
        oid::BPCHAR => Equality::Trimmed,
        oid::NUMERIC => Equality::Numeric,
        oid::INTERVAL => Equality::Interval,
        oid::FLOAT4 | oid::FLOAT8 => Equality::Float,
        _ => Equality::Exact,
    }
}

/// A column of keys, ready to be hashed and compared. NULL equals NULL.
#[derive(Debug)]
pub(super) struct KeyColumn {
    nulls: Option<NullBuffer>,
    values: Values,
    equality: Equality,
}

#[derive(Debug)]
enum Values {
    Bool(BooleanBuffer),
    W16(ScalarBuffer<i16>),
    W32(ScalarBuffer<i32>),
    W64(ScalarBuffer<i64>),
    W128(ScalarBuffer<i128>),
    F32(ScalarBuffer<f32>),
    F64(ScalarBuffer<f64>),
    Text(StringArray),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    Fixed(FixedSizeBinaryArray),
}

impl KeyColumn {
    pub fn new(array: &ArrayRef, equality: Equality) -> PgResult<Self> {
        let values = match array.data_type() {
            DataType::Int64 => Values::W64(array.as_primitive::<Int64Type>().values().clone()),
            DataType::Int32 => Values::W32(array.as_primitive::<Int32Type>().values().clone()),
            DataType::Boolean => Values::Bool(array.as_boolean().values().clone()),
            DataType::Int16 => Values::W16(scalars(array)),
            DataType::UInt32 | DataType::Date32 => Values::W32(scalars(array)),
            DataType::Timestamp(..) | DataType::Time64(_) => Values::W64(scalars(array)),
            DataType::Decimal128(..) => Values::W128(scalars(array)),
            DataType::Float32 => Values::F32(scalars(array)),
            DataType::Float64 => Values::F64(scalars(array)),
            DataType::Utf8 => Values::Text(array.as_string::<i32>().clone()),
            DataType::Binary => Values::Binary(array.as_binary::<i32>().clone()),
            DataType::LargeBinary => Values::LargeBinary(array.as_binary::<i64>().clone()),
            DataType::FixedSizeBinary(16) if equality == Equality::Interval => {
                Values::W128(array.as_fixed_size_binary().iter().map(|v| v.map_or(0, interval_span)).collect())
            }
            DataType::FixedSizeBinary(_) => Values::Fixed(array.as_fixed_size_binary().clone()),
            other => {
                let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
                Values::Binary(converter.convert_columns(std::slice::from_ref(array))?.try_into_binary()?)
            }
        };
        Ok(Self { nulls: array.nulls().filter(|n| n.null_count() > 0).cloned(), values, equality })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }

    /// Asks for the value of a row; of texts for where it is.
    #[inline]
    pub fn prefetch(&self, row: usize) {
        match &self.values {
            Values::Bool(v) => prefetch(v.values(), row / 8),
            Values::W16(v) => prefetch(v, row),
            Values::W32(v) => prefetch(v, row),
            Values::W64(v) => prefetch(v, row),
            Values::W128(v) => prefetch(v, row),
            Values::F32(v) => prefetch(v, row),
            Values::F64(v) => prefetch(v, row),
            Values::Text(v) => prefetch(v.value_offsets(), row),
            Values::Binary(v) => prefetch(v.value_offsets(), row),
            Values::LargeBinary(v) => prefetch(v.value_offsets(), row),
            Values::Fixed(v) => prefetch(v.value_data(), row * v.value_length() as usize),
        }
    }

    /// Asks for the bytes of a text, once it is known where they are.
    #[inline]
    pub fn prefetch_bytes(&self, row: usize) {
        match &self.values {
            Values::Text(v) => prefetch(v.value_data(), v.value_offsets()[row] as usize),
            Values::Binary(v) => prefetch(v.value_data(), v.value_offsets()[row] as usize),
            Values::LargeBinary(v) => prefetch(v.value_data(), v.value_offsets()[row] as usize),
            _ => {}
        }
    }

    /// The bytes of a value that count.
    fn trim<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match self.equality {
            Equality::Trimmed => {
                let end = bytes.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
                &bytes[..end]
            }
            // The sortable form ends with the display scale in two bytes; equal numbers share what is before.
            Equality::Numeric => &bytes[..bytes.len().saturating_sub(2)],
            _ => bytes,
        }
    }

    fn equals(&self, row: usize, other: &Self, other_row: usize) -> bool {
        match (self.is_null(row), other.is_null(other_row)) {
            (false, false) => {}
            (mine, theirs) => return mine && theirs,
        }
        match (&self.values, &other.values) {
            (Values::W64(a), Values::W64(b)) => a[row] == b[other_row],
            (Values::W32(a), Values::W32(b)) => a[row] == b[other_row],
            (Values::Fixed(a), Values::Fixed(b)) => a.value(row) == b.value(other_row),
            (Values::Text(a), Values::Text(b)) => {
                self.trim(a.value(row).as_bytes()) == self.trim(b.value(other_row).as_bytes())
            }
            (Values::W16(a), Values::W16(b)) => a[row] == b[other_row],
            (Values::W128(a), Values::W128(b)) => a[row] == b[other_row],
            (Values::Bool(a), Values::Bool(b)) => a.value(row) == b.value(other_row),
            (Values::F32(a), Values::F32(b)) => {
                float_bits(a[row] as f64, self.equality) == float_bits(b[other_row] as f64, self.equality)
            }
            (Values::F64(a), Values::F64(b)) => {
                float_bits(a[row], self.equality) == float_bits(b[other_row], self.equality)
            }
            (Values::Binary(a), Values::Binary(b)) => self.trim(a.value(row)) == self.trim(b.value(other_row)),
            (Values::LargeBinary(a), Values::LargeBinary(b)) => a.value(row) == b.value(other_row),
            _ => false,
        }
    }

    fn hash_into(&self, hashes: &mut [u64]) {
        // The common types have loops of their own; both ways give the same hashes.
        match &self.values {
            Values::W32(v) => self.fold(hashes, |i| mix(v[i] as u64)),
            Values::W64(v) => self.fold(hashes, |i| mix(v[i] as u64)),
            _ => self.fold(hashes, |i| self.value_hash(i)),
        }
    }

    fn value_hash(&self, i: usize) -> u64 {
        match &self.values {
            Values::Bool(v) => mix(v.value(i) as u64),
            Values::W16(v) => mix(v[i] as u64),
            Values::W32(v) => mix(v[i] as u64),
            Values::W64(v) => mix(v[i] as u64),
            Values::W128(v) => mix(v[i] as u64 ^ mix((v[i] >> 64) as u64)),
            Values::F32(v) => mix(float_bits(v[i] as f64, self.equality)),
            Values::F64(v) => mix(float_bits(v[i], self.equality)),
            Values::Text(v) => hash_bytes(self.trim(v.value(i).as_bytes())),
            Values::Binary(v) => hash_bytes(self.trim(v.value(i))),
            Values::LargeBinary(v) => hash_bytes(v.value(i)),
            Values::Fixed(v) => hash_bytes(v.value(i)),
        }
    }

    fn fold(&self, hashes: &mut [u64], hash: impl Fn(usize) -> u64) {
        match &self.nulls {
            None => hashes.iter_mut().enumerate().for_each(|(i, h)| *h = mix(*h ^ hash(i))),
            Some(nulls) => hashes.iter_mut().enumerate().for_each(|(i, h)| {
                *h = mix(*h ^ if nulls.is_null(i) { NULL_HASH } else { hash(i) });
            }),
        }
    }
}

/// The columns of `parts` out of whole rows.
pub(super) fn key_columns(columns: &[ArrayRef], parts: &[KeyPart]) -> PgResult<Vec<KeyColumn>> {
    parts.iter().map(|part| KeyColumn::new(&columns[part.column], part.equality)).collect()
}

/// Key columns that a caller brings, one for each part, checked against the table's types.
pub(super) fn probe_columns(keys: &[ArrayRef], parts: &[KeyPart], schema: &TableSchema) -> PgResult<Vec<KeyColumn>> {
    if keys.len() != parts.len() || parts.is_empty() {
        return Err(PgError::internal(format!("look-up with {} columns in a key of {}", keys.len(), parts.len())));
    }
    let fields = schema.arrow().fields();
    keys.iter()
        .zip(parts)
        .map(|(array, part)| match fields[part.column].data_type() {
            expected if expected == array.data_type() => KeyColumn::new(array, part.equality),
            expected => Err(PgError::internal(format!(
                "look-up of {} in key column \"{}\" of {expected}",
                array.data_type(),
                fields[part.column].name()
            ))),
        })
        .collect()
}

pub(super) fn hash_rows<'a>(columns: impl IntoIterator<Item = &'a KeyColumn>, rows: usize) -> Vec<u64> {
    let mut hashes = vec![0; rows];
    for column in columns {
        column.hash_into(&mut hashes);
    }
    hashes
}

/// What [`hash_rows`] gives for one row.
pub(super) fn hash_row<'a>(columns: impl Iterator<Item = &'a KeyColumn>, row: usize) -> u64 {
    columns.fold(0, |hash, column| mix(hash ^ if column.is_null(row) { NULL_HASH } else { column.value_hash(row) }))
}

pub(super) fn rows_equal<'a>(
    a: &[KeyColumn],
    row: usize,
    b: impl IntoIterator<Item = &'a KeyColumn>,
    other_row: usize,
) -> bool {
    a.iter().zip(b).all(|(a, b)| a.equals(row, b, other_row))
}

fn scalars<T: ArrowNativeType>(array: &ArrayRef) -> ScalarBuffer<T> {
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

const NULL_HASH: u64 = 0x9e37_79b9;

/// Seeded for each process: keys come from outside.
static HASHER: LazyLock<(RandomState, u64)> = LazyLock::new(|| {
    let state = RandomState::default();
    let seed = state.hash_one(0u64);
    (state, seed)
});

fn hash_bytes(bytes: &[u8]) -> u64 {
    HASHER.0.hash_one(bytes)
}

/// A folded multiply: high and low bits are both good, which [`super::hash`] needs.
fn mix(value: u64) -> u64 {
    let product = u128::from(value ^ HASHER.1) * 0x9e37_79b9_7f4a_7c15_u128;
    let folded = (product as u64) ^ (product >> 64) as u64;
    (folded ^ (folded >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// A float's bits, the same for all NaNs and, for a key, for both zeros.
fn float_bits(value: f64, equality: Equality) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 && equality == Equality::Float {
        0
    } else {
        value.to_bits()
    }
}

/// The length by which PostgreSQL compares intervals, in µs.
fn interval_span(bytes: &[u8]) -> i128 {
    let months = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let days = i32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let micros =
        i64::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]);
    (i128::from(months) * 30 + i128::from(days)) * 86_400_000_000 + i128::from(micros)
}
