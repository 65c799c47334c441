//! Keys that are equal, and sort bytewise, as PostgreSQL's values are equal and sort.
//!
//! | type | key |
//! |---|---|
//! | numeric | `types::numeric`'s form without the display scale |
//! | interval | months as 30 days, days as 24 hours, in µs |
//! | bpchar | without its padding |
//! | timetz | the instant, then the zone |
//! | jsonb | `types::jsonb`'s order |
//! | ranges of numeric | `types::range`'s form without display scales |
//! | pg_lsn | its number |
//! | tsvector, tsquery | `types::search`'s order |
//! | inet, cidr | family, network, its bits, address |
//! | arrays of those | the list of their elements' keys |
//! | arrays in the shaped form | their elements, then their shape |

use super::adapt::{Fixed, Kind, downcast};
use crate::types::array::{Arrays, element_field, is_shaped};
use crate::types::range::RangeType;
use crate::types::{ExprType, PgError, PgResult, PgType, oid, search};
use arrow::array::*;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// Makes the keys of an array of one type.
pub type KeyOf = fn(&ArrayRef) -> PgResult<ArrayRef>;

/// The function to a key and the key's storage; `None` where storage is its own key.
fn scalar_key(ty: &ExprType) -> Option<(KeyOf, DataType)> {
    match (ty.pg.oid, &ty.storage) {
        (oid::INTERVAL, _) => Some((interval_keys, DataType::FixedSizeBinary(16))),
        (oid::BPCHAR, _) => Some((bpchar_keys, DataType::Utf8)),
        (oid::TIMETZ, _) => Some((timetz_keys, DataType::FixedSizeBinary(12))),
        (oid::NUMERIC, DataType::Binary) => Some((numeric_keys, DataType::Binary)),
        (oid::JSONB, _) => Some((jsonb_keys, DataType::Binary)),
        (oid::INET | oid::CIDR, _) => Some((network_keys, DataType::Binary)),
        (oid::PG_LSN, _) => Some((lsn_keys, DataType::Binary)),
        (oid::TSVECTOR, _) => Some((vector_keys, DataType::Binary)),
        (oid::TSQUERY, _) => Some((query_keys, DataType::Binary)),
        (oid::NUMRANGE | oid::NUMMULTIRANGE, _) => Some((range_keys, DataType::Binary)),
        _ => None,
    }
}

/// The type of an array's elements, in the storage that the array has.
pub fn element_type(ty: &ExprType) -> Option<ExprType> {
    let field = element_field(&ty.storage)?;
    let element = match ty.pg.oid {
        oid::OIDVECTOR => oid::OID,
        oid::INT2VECTOR => oid::INT2,
        array => oid::array_element(array)?,
    };
    Some(ExprType { pg: PgType { oid: element, typmod: ty.pg.typmod }, storage: field.data_type().clone() })
}

/// The keys of `array`, a column of type `ty`, and their storage.
pub fn keys(ty: &ExprType, array: &ArrayRef) -> PgResult<ArrayRef> {
    if let Some((key, _)) = scalar_key(ty) {
        return key(array);
    }
    if is_shaped(&ty.storage) {
        return shaped_keys(ty, array);
    }
    let Some(element) = element_type(ty).filter(|e| key_storage(e).is_some()) else { return Ok(Arc::clone(array)) };
    let list = downcast::<ListArray>(array)?;
    let values = keys(&element, list.values())?;
    let field = Arc::new(arrow::datatypes::Field::new_list_field(values.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
}

/// The storage of a type's key, where it needs one.
pub fn key_storage(ty: &ExprType) -> Option<DataType> {
    if let Some((_, storage)) = scalar_key(ty) {
        return Some(storage);
    }
    if is_shaped(&ty.storage) {
        return Some(DataType::Binary);
    }
    key_storage(&element_type(ty)?).map(crate::types::list_of)
}

/// Elements first, then how many dimensions, their lengths, their first subscripts: PostgreSQL's order of arrays.
fn shaped_keys(ty: &ExprType, array: &ArrayRef) -> PgResult<ArrayRef> {
    let element = element_type(ty).ok_or_else(|| PgError::internal("an array has a type of its elements"))?;
    let plain = ExprType { pg: ty.pg, storage: crate::types::list_of(element.storage) };
    let arrays = Arrays::new(array.as_ref())?;
    let lists: ArrayRef = Arc::new(arrays.lists()?);
    let rows = KeyRows::new(&plain)?.rows(&lists)?;
    let mut out = BinaryBuilder::new();
    let mut key = Vec::new();
    for row in 0..arrays.len() {
        if arrays.is_null(row) {
            out.append_null();
            continue;
        }
        key.clear();
        key.extend_from_slice(rows.row(row).as_ref());
        arrays.shape(row).sort_key(&mut key);
        out.append_value(&key);
    }
    Ok(Arc::new(out.finish()))
}

/// Rows of keys to compare: NULLs are equal to each other and come last.
pub struct KeyRows {
    converter: arrow_row::RowConverter,
    ty: ExprType,
}

impl KeyRows {
    pub fn new(ty: &ExprType) -> PgResult<Self> {
        let storage = key_storage(ty).unwrap_or_else(|| ty.storage.clone());
        let options = arrow::compute::SortOptions { descending: false, nulls_first: false };
        let field = arrow_row::SortField::new_with_options(storage, options);
        Ok(Self { converter: arrow_row::RowConverter::new(vec![field])?, ty: ty.clone() })
    }

    pub fn rows(&self, array: &ArrayRef) -> PgResult<arrow_row::Rows> {
        Ok(self.converter.convert_columns(&[keys(&self.ty, array)?])?)
    }
}

pub struct IntervalParts {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl IntervalParts {
    pub fn read(bytes: [u8; 16]) -> Self {
        let [m0, m1, m2, m3, d0, d1, d2, d3, rest @ ..] = bytes;
        Self {
            months: i32::from_be_bytes([m0, m1, m2, m3]),
            days: i32::from_be_bytes([d0, d1, d2, d3]),
            micros: i64::from_be_bytes(rest),
        }
    }

    pub fn write(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..4].copy_from_slice(&self.months.to_be_bytes());
        out[4..8].copy_from_slice(&self.days.to_be_bytes());
        out[8..].copy_from_slice(&self.micros.to_be_bytes());
        out
    }

    /// What PostgreSQL compares.
    pub fn total_micros(&self) -> i128 {
        let days = i128::from(self.months) * 30 + i128::from(self.days);
        days * 86_400_000_000 + i128::from(self.micros)
    }
}

fn map_bytes<const N: usize>(array: &ArrayRef, key: impl Fn([u8; N]) -> [u8; N]) -> PgResult<ArrayRef> {
    let input = downcast::<FixedSizeBinaryArray>(array)?;
    let mut out = FixedSizeBinaryBuilder::with_capacity(input.len(), N as i32);
    for i in 0..input.len() {
        match input.is_null(i) {
            true => out.append_null(),
            false => out.append_value(key(Fixed::<N>::item(&input, i)?))?,
        }
    }
    Ok(Arc::new(out.finish()))
}

fn interval_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    map_bytes::<16>(array, |bytes| {
        let total = IntervalParts::read(bytes).total_micros();
        ((total as u128) ^ (1 << 127)).to_be_bytes()
    })
}

fn timetz_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    map_bytes::<12>(array, |bytes| {
        let [t @ .., z0, z1, z2, z3] = bytes;
        let (time, zone) = (i64::from_be_bytes(t), i32::from_be_bytes([z0, z1, z2, z3]));
        let instant = time + i64::from(zone) * 1_000_000;
        let mut out = [0; 12];
        out[..8].copy_from_slice(&((instant as u64) ^ (1 << 63)).to_be_bytes());
        out[8..].copy_from_slice(&((zone as u32) ^ (1 << 31)).to_be_bytes());
        out
    })
}

fn bpchar_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    let input = downcast::<StringArray>(array)?;
    Ok(Arc::new(input.iter().map(|s| s.map(|s| s.trim_end_matches(' '))).collect::<StringArray>()))
}

fn numeric_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    let input = downcast::<BinaryArray>(array)?;
    Ok(Arc::new(input.iter().map(|n| n.map(crate::types::numeric::equality_prefix)).collect::<BinaryArray>()))
}

/// Keys of what is stored as text.
fn text_keys(array: &ArrayRef, key: impl Fn(&str, &mut Vec<u8>) -> PgResult<()>) -> PgResult<ArrayRef> {
    let input = downcast::<StringArray>(array)?;
    let mut out = BinaryBuilder::new();
    let mut buffer = Vec::new();
    for text in input {
        match text {
            Some(text) => {
                buffer.clear();
                key(text, &mut buffer)?;
                out.append_value(&buffer);
            }
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn lsn_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    text_keys(array, |text, out| {
        out.extend_from_slice(&crate::types::network::parse_lsn(text)?.to_be_bytes());
        Ok(())
    })
}

fn vector_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    text_keys(array, |text, out| {
        search::Vector::parse(text)?.sort_key(out);
        Ok(())
    })
}

fn query_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    text_keys(array, |text, out| {
        search::Query::parse(text)?.sort_key(out);
        Ok(())
    })
}

fn range_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    let numbers = RangeType::of(oid::NUMRANGE).ok_or_else(|| PgError::internal("numrange is a range"))?;
    let input = downcast::<BinaryArray>(array)?;
    let keys = input.iter().map(|r| r.map(|r| numbers.key(r)).transpose()).collect::<PgResult<Vec<_>>>()?;
    Ok(Arc::new(BinaryArray::from_iter(keys)))
}

fn network_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    let input = downcast::<StringArray>(array)?;
    let key = |text: &str| {
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let address: std::net::IpAddr = address.parse().map_err(|_| PgError::internal("an address is stored"))?;
        let (family, width, value) = match address {
            std::net::IpAddr::V4(v4) => (4, 32, u128::from(u32::from(v4)) << 96),
            std::net::IpAddr::V6(v6) => (6, 128, u128::from(v6)),
        };
        let bits: u32 = bits.parse().unwrap_or(width);
        let network = if bits == 0 { 0 } else { value & (u128::MAX << (128 - bits.min(128))) };
        let mut out = vec![family];
        out.extend_from_slice(&network.to_be_bytes());
        out.push(bits as u8);
        out.extend_from_slice(&value.to_be_bytes());
        Ok::<_, PgError>(out)
    };
    let keys = input.iter().map(|text| text.map(key).transpose()).collect::<PgResult<Vec<_>>>()?;
    Ok(Arc::new(BinaryArray::from_iter(keys)))
}

fn jsonb_keys(array: &ArrayRef) -> PgResult<ArrayRef> {
    let input = downcast::<LargeBinaryArray>(array)?;
    let mut out = BinaryBuilder::with_capacity(input.len(), input.values().len());
    let mut key = Vec::new();
    for value in input {
        match value {
            Some(value) => {
                key.clear();
                crate::types::jsonb::JsonbRef::new(value).sort_key(&mut key);
                out.append_value(&key);
            }
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

impl IntervalParts {
    /// PostgreSQL's `interval / float8`: what does not divide goes down to days, then to time.
    pub fn divide(&self, by: f64) -> PgResult<Self> {
        if by == 0.0 {
            return Err(super::integers::division_by_zero());
        }
        self.scale(|v| v / by)
    }

    /// PostgreSQL's `interval * float8`.
    pub fn multiply(&self, by: f64) -> PgResult<Self> {
        self.scale(|v| v * by)
    }

    fn scale(&self, by: impl Fn(f64) -> f64) -> PgResult<Self> {
        let out = || PgError::new(crate::types::SqlState::DATETIME_OVERFLOW, "interval out of range");
        let rounded = |v: f64| (v * 1e6).round_ties_even() / 1e6;
        let whole = |v: f64| {
            let fits = v.is_finite() && v.abs() < f64::from(i32::MAX);
            if fits { Ok(v.trunc() as i32) } else { Err(out()) }
        };
        let months = by(f64::from(self.months));
        let (whole_months, mut days) = (whole(months)?, by(f64::from(self.days)));
        let whole_days = whole(days)?;
        let month_days = rounded((months - f64::from(whole_months)) * 30.0);
        let mut seconds = rounded((days - f64::from(whole_days) + month_days - month_days.trunc()) * 86_400.0);
        days = f64::from(whole_days);
        if seconds.abs() >= 86_400.0 {
            days += (seconds / 86_400.0).trunc();
            seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
        }
        days += month_days.trunc();
        let micros = (by(self.micros as f64) + seconds * 1e6).round_ties_even();
        if !micros.is_finite() || micros.abs() >= 9.223372036854775e18 {
            return Err(out());
        }
        Ok(Self { months: whole_months, days: whole(days)?, micros: micros as i64 })
    }
}
