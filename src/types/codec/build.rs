//! PostgreSQL values, text or binary, into an Arrow array.

use super::array_input::{array_binary, array_literal};
use super::text_input::trimmed;
use super::*;
use crate::types::array::{Shape, Shapes, is_shaped, shape_lists};
use crate::types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, PG_EPOCH_DAYS, PG_EPOCH_MICROS, is_finite_timestamp, timetz_bytes,
};
use crate::types::interval::Interval;
use crate::types::network::{Network, colons, lsn_text, parse_lsn, parse_macaddr, parse_macaddr8};
use crate::types::numeric::Numeric;
use crate::types::oid::{self, Oid};
use crate::types::range::RangeType;
use crate::types::search::{Query, Vector};
use crate::types::{SqlState, jsonb, money};
use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, TimeUnit};
use std::borrow::Cow;
use std::sync::Arc;

/// Builds a column of one PostgreSQL type in its storage form. A value that fails leaves the column as it was.
pub struct ColumnBuilder {
    ty: PgType,
    settings: TextSettings,
    cells: Cells,
    scratch: Vec<u8>,
}

enum Cells {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Oid(UInt32Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Jsonb(LargeBinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder, DataType),
    Fixed(FixedSizeBinaryBuilder),
    Decimal(Decimal128Builder, u8, i8),
    /// With shapes in the shaped form.
    List {
        offsets: Vec<i32>,
        nulls: Vec<bool>,
        elements: Box<ColumnBuilder>,
        shapes: Option<Shapes>,
    },
}

fn malformed() -> PgError {
    PgError::new(SqlState::INVALID_BINARY, "incorrect binary data format")
}

fn fixed<const N: usize>(bytes: &[u8]) -> PgResult<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

impl ColumnBuilder {
    /// With the default settings.
    pub fn new(ty: PgType) -> Self {
        Self::with_settings(ty, TextSettings::default())
    }

    pub fn with_settings(ty: PgType, settings: TextSettings) -> Self {
        Self::with_storage(ty, &ty.storage(), settings)
    }

    /// In this storage form of the type: of arrays there are two.
    pub fn with_storage(ty: PgType, storage: &DataType, settings: TextSettings) -> Self {
        let cells = match storage.clone() {
            DataType::Boolean => Cells::Bool(BooleanBuilder::new()),
            DataType::Int16 => Cells::Int2(Int16Builder::new()),
            DataType::Int32 => Cells::Int4(Int32Builder::new()),
            DataType::Int64 => Cells::Int8(Int64Builder::new()),
            DataType::UInt32 => Cells::Oid(UInt32Builder::new()),
            DataType::Float32 => Cells::Float4(Float32Builder::new()),
            DataType::Float64 => Cells::Float8(Float64Builder::new()),
            DataType::Binary => Cells::Binary(BinaryBuilder::new()),
            DataType::LargeBinary => Cells::Jsonb(LargeBinaryBuilder::new()),
            DataType::Date32 => Cells::Date(Date32Builder::new()),
            DataType::Time64(TimeUnit::Microsecond) => Cells::Time(Time64MicrosecondBuilder::new()),
            storage @ DataType::Timestamp(..) => {
                Cells::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(storage.clone()), storage)
            }
            DataType::FixedSizeBinary(width) => Cells::Fixed(FixedSizeBinaryBuilder::new(width)),
            DataType::Decimal128(precision, scale) => Cells::Decimal(Decimal128Builder::new(), precision, scale),
            DataType::List(_) | DataType::Struct(_) => {
                let element = match ty.oid {
                    oid::OIDVECTOR => oid::OID,
                    oid::INT2VECTOR => oid::INT2,
                    array => oid::array_element(array).unwrap_or(oid::TEXT),
                };
                let elements = Self::with_settings(PgType { oid: element, typmod: ty.typmod }, settings);
                let shapes = is_shaped(storage).then(Shapes::default);
                Cells::List { offsets: vec![0], nulls: Vec::new(), elements: Box::new(elements), shapes }
            }
            _ => Cells::Text(StringBuilder::new()),
        };
        Self { ty, settings, cells, scratch: Vec::new() }
    }

    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Bool(b) => b.len(),
            Cells::Int2(b) => b.len(),
            Cells::Int4(b) => b.len(),
            Cells::Int8(b) => b.len(),
            Cells::Oid(b) => b.len(),
            Cells::Float4(b) => b.len(),
            Cells::Float8(b) => b.len(),
            Cells::Text(b) => b.len(),
            Cells::Binary(b) => b.len(),
            Cells::Jsonb(b) => b.len(),
            Cells::Date(b) => b.len(),
            Cells::Time(b) => b.len(),
            Cells::Timestamp(b, _) => b.len(),
            Cells::Fixed(b) => b.len(),
            Cells::Decimal(b, ..) => b.len(),
            Cells::List { nulls, .. } => nulls.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn push_null(&mut self) {
        match &mut self.cells {
            Cells::Bool(b) => b.append_null(),
            Cells::Int2(b) => b.append_null(),
            Cells::Int4(b) => b.append_null(),
            Cells::Int8(b) => b.append_null(),
            Cells::Oid(b) => b.append_null(),
            Cells::Float4(b) => b.append_null(),
            Cells::Float8(b) => b.append_null(),
            Cells::Text(b) => b.append_null(),
            Cells::Binary(b) => b.append_null(),
            Cells::Jsonb(b) => b.append_null(),
            Cells::Date(b) => b.append_null(),
            Cells::Time(b) => b.append_null(),
            Cells::Timestamp(b, _) => b.append_null(),
            Cells::Fixed(b) => b.append_null(),
            Cells::Decimal(b, ..) => b.append_null(),
            Cells::List { offsets, nulls, elements, shapes } => {
                offsets.push(elements.len() as i32);
                nulls.push(false);
                shapes.iter_mut().for_each(|s| s.push(None));
            }
        }
    }

    /// Appends a value from its text, with the typmod applied as input does.
    pub fn push_text(&mut self, text: &str) -> PgResult<()> {
        let typmod = self.ty.typmod;
        let input = self.settings.input();
        match &mut self.cells {
            Cells::Bool(b) => b.append_value(parse_bool(text)?),
            Cells::Int2(b) => b.append_value(parse_integer(text, "smallint")?),
            Cells::Int4(b) => b.append_value(parse_integer(text, "integer")?),
            Cells::Int8(b) if self.ty.oid == oid::MONEY => b.append_value(money::parse(text)?),
            Cells::Int8(b) => b.append_value(parse_integer(text, "bigint")?),
            Cells::Oid(b) => b.append_value(parse_oid(self.ty.oid, text)?),
            Cells::Float4(b) => b.append_value(parse_f32(text)?),
            Cells::Float8(b) => b.append_value(parse_f64(text)?),
            Cells::Text(b) => b.append_value(fit_text(self.ty, text)?),
            Cells::Jsonb(b) => b.append_value(jsonb::from_text(text.as_bytes())?),
            Cells::Binary(b) if self.ty.oid == oid::BYTEA => b.append_value(parse_bytea(text)?),
            Cells::Binary(b) if let Some(ranges) = RangeType::of(self.ty.oid) => {
                self.scratch.clear();
                match ranges.range == self.ty.oid {
                    true => ranges.write(&ranges.parse(text, &self.settings)?, &mut self.scratch),
                    false => ranges.write_many(&ranges.parse_many(text, &self.settings)?, &mut self.scratch),
                }
                b.append_value(&self.scratch);
            }
            Cells::Binary(b) => append_numeric(self.ty, Numeric::parse(text)?, b, &mut self.scratch)?,
            Cells::Decimal(b, precision, scale) => {
                b.append_value(Numeric::parse(text)?.to_decimal128(*precision, *scale)?);
            }
            Cells::Date(b) => b.append_value(input.date(text)?),
            Cells::Time(b) => b.append_value(input.time(text, typmod)?),
            Cells::Timestamp(b, _) if self.ty.oid == oid::TIMESTAMPTZ => {
                b.append_value(input.timestamptz(text, typmod)?)
            }
            Cells::Timestamp(b, _) => b.append_value(input.timestamp(text, typmod)?),
            Cells::Fixed(b) => match self.ty.oid {
                oid::UUID => b.append_value(parse_uuid(text)?)?,
                oid::INTERVAL => b.append_value(Interval::parse(text, typmod)?.to_bytes())?,
                _ => {
                    let (micros, west) = input.timetz(text, typmod)?;
                    b.append_value(timetz_bytes(micros, west))?;
                }
            },
            Cells::List { offsets, nulls, elements, shapes } => {
                let (items, shape) = if matches!(self.ty.oid, oid::OIDVECTOR | oid::INT2VECTOR) {
                    let items: Vec<Option<String>> = text.split_whitespace().map(|t| Some(t.to_string())).collect();
                    let shape = Shape::plain(items.len());
                    (items, shape)
                } else {
                    array_literal(text)?
                };
                fits_plain(&shape, shapes)?;
                // All or nothing: a failure among the elements must not leave the first of them behind.
                let mut fresh = Self::with_settings(elements.ty, self.settings);
                for item in &items {
                    match item {
                        Some(item) => fresh.push_text(item)?,
                        None => fresh.push_null(),
                    }
                }
                for item in &items {
                    match item {
                        Some(item) => elements.push_text(item)?,
                        None => elements.push_null(),
                    }
                }
                offsets.push(elements.len() as i32);
                nulls.push(true);
                shapes.iter_mut().for_each(|s| s.push(Some(&shape)));
            }
        }
        Ok(())
    }

    /// Appends a value from PostgreSQL's binary format.
    pub fn push_binary(&mut self, bytes: &[u8]) -> PgResult<()> {
        match &mut self.cells {
            Cells::Bool(b) => b.append_value(fixed::<1>(bytes)?[0] != 0),
            Cells::Int2(b) => b.append_value(i16::from_be_bytes(fixed(bytes)?)),
            Cells::Int4(b) => b.append_value(i32::from_be_bytes(fixed(bytes)?)),
            Cells::Int8(b) => b.append_value(i64::from_be_bytes(fixed(bytes)?)),
            Cells::Oid(b) => b.append_value(u32::from_be_bytes(fixed(bytes)?)),
            Cells::Float4(b) => b.append_value(f32::from_be_bytes(fixed(bytes)?)),
            Cells::Float8(b) => b.append_value(f64::from_be_bytes(fixed(bytes)?)),
            Cells::Text(b) => {
                let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
                b.append_value(fit_text(self.ty, text)?);
            }
            Cells::Jsonb(b) => match bytes {
                [1, text @ ..] => b.append_value(jsonb::from_text(text)?),
                [version, ..] => {
                    return Err(PgError::internal(format!("unsupported jsonb version number {version}")));
                }
                [] => return Err(malformed()),
            },
            Cells::Binary(b) if self.ty.oid == oid::BYTEA => b.append_value(bytes),
            Cells::Binary(b) if let Some(ranges) = RangeType::of(self.ty.oid) => {
                self.scratch.clear();
                match ranges.range == self.ty.oid {
                    true => ranges.write(&ranges.receive(bytes)?, &mut self.scratch),
                    false => ranges.write_many(&ranges.receive_many(bytes)?, &mut self.scratch),
                }
                b.append_value(&self.scratch);
            }
            Cells::Binary(b) => append_numeric(self.ty, Numeric::receive(bytes)?, b, &mut self.scratch)?,
            Cells::Decimal(b, precision, scale) => {
                b.append_value(Numeric::receive(bytes)?.to_decimal128(*precision, *scale)?);
            }
            Cells::Date(b) => b.append_value(match i32::from_be_bytes(fixed(bytes)?) {
                infinite @ (DATE_INFINITY | DATE_NEG_INFINITY) => infinite,
                days => days.checked_add(PG_EPOCH_DAYS).ok_or_else(malformed)?,
            }),
            Cells::Time(b) => b.append_value(i64::from_be_bytes(fixed(bytes)?)),
            Cells::Timestamp(b, _) => {
                let micros = i64::from_be_bytes(fixed(bytes)?);
                b.append_value(if is_finite_timestamp(micros) {
                    micros.checked_add(PG_EPOCH_MICROS).ok_or_else(malformed)?
                } else {
                    micros
                });
            }
            Cells::Fixed(b) => match self.ty.oid {
                oid::INTERVAL => {
                    let wire: [u8; 16] = fixed(bytes)?;
                    let mut stored = [0; 16];
                    stored[..4].copy_from_slice(&wire[12..]);
                    stored[4..8].copy_from_slice(&wire[8..12]);
                    stored[8..].copy_from_slice(&wire[..8]);
                    b.append_value(stored)?;
                }
                oid::UUID => b.append_value(fixed::<16>(bytes)?)?,
                _ => b.append_value(fixed::<12>(bytes)?)?,
            },
            Cells::List { offsets, nulls, elements, shapes } => {
                let (items, shape) = match self.ty.oid {
                    // The vectors count from 0.
                    oid::OIDVECTOR | oid::INT2VECTOR => {
                        let items = array_binary(bytes)?.0;
                        let shape = Shape::plain(items.len());
                        (items, shape)
                    }
                    _ => array_binary(bytes)?,
                };
                fits_plain(&shape, shapes)?;
                let mut fresh = Self::with_settings(elements.ty, self.settings);
                for target in [&mut fresh, elements.as_mut()] {
                    for item in &items {
                        match item {
                            Some(item) => target.push_binary(item)?,
                            None => target.push_null(),
                        }
                    }
                }
                offsets.push(elements.len() as i32);
                nulls.push(true);
                shapes.iter_mut().for_each(|s| s.push(Some(&shape)));
            }
        }
        Ok(())
    }

    /// The column; the builder is empty afterwards.
    pub fn finish(&mut self) -> PgResult<ArrayRef> {
        Ok(match &mut self.cells {
            Cells::Bool(b) => Arc::new(b.finish()),
            Cells::Int2(b) => Arc::new(b.finish()),
            Cells::Int4(b) => Arc::new(b.finish()),
            Cells::Int8(b) => Arc::new(b.finish()),
            Cells::Oid(b) => Arc::new(b.finish()),
            Cells::Float4(b) => Arc::new(b.finish()),
            Cells::Float8(b) => Arc::new(b.finish()),
            Cells::Text(b) => Arc::new(b.finish()),
            Cells::Binary(b) => Arc::new(b.finish()),
            Cells::Jsonb(b) => Arc::new(b.finish()),
            Cells::Date(b) => Arc::new(b.finish()),
            Cells::Time(b) => Arc::new(b.finish()),
            Cells::Timestamp(b, storage) => {
                let column = b.finish();
                *b = TimestampMicrosecondBuilder::new().with_data_type(storage.clone());
                Arc::new(column)
            }
            Cells::Fixed(b) => Arc::new(b.finish()),
            Cells::Decimal(b, precision, scale) => Arc::new(b.finish().with_precision_and_scale(*precision, *scale)?),
            Cells::List { offsets, nulls, elements, shapes } => {
                let values = elements.finish()?;
                let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                let nulls = std::mem::take(nulls).into();
                let list = ListArray::try_new(field, offsets, values, Some(nulls))?;
                match shapes {
                    Some(shapes) => shape_lists(list, shapes.finish())?,
                    None => Arc::new(list),
                }
            }
        })
    }
}

/// Lists alone have one dimension from 1.
fn fits_plain(shape: &Shape, shapes: &Option<Shapes>) -> PgResult<()> {
    if shapes.is_some() || shape.is_plain() {
        return Ok(());
    }
    Err(PgError::unsupported("an array of several dimensions, or with subscripts not from 1, here"))
}

fn append_numeric(ty: PgType, value: Numeric, out: &mut BinaryBuilder, scratch: &mut Vec<u8>) -> PgResult<()> {
    let value = match ty.numeric_typmod() {
        Some((precision, scale)) => value.apply_typmod(precision, scale)?,
        None => value,
    };
    scratch.clear();
    value.to_sortable(scratch);
    out.append_value(&scratch);
    Ok(())
}

/// An OID in decimal; a regtype by name too. Names of other objects need a catalog, which is not here.
fn parse_oid(ty: Oid, text: &str) -> PgResult<u32> {
    let word = trimmed(text);
    if let Ok(value) = word.parse::<u32>() {
        return Ok(value);
    }
    if oid::is_reg_type(ty) {
        if word == "-" {
            return Ok(0);
        }
        if ty == oid::REGTYPE {
            return type_from_sql_name(word)
                .map(|t| t.oid.0)
                .ok_or_else(|| PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{word}\" does not exist")));
        }
        return Err(PgError::unsupported(format!("a {} by name in this place", format_type(PgType::new(ty)))));
    }
    let name = format_type(PgType::new(ty));
    let value: i64 = parse_integer(text, &name)?;
    // PostgreSQL lets a negative number wrap.
    i32::try_from(value).map(|v| v as u32).map_err(|_| {
        PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type {name}"))
    })
}

/// Applies what a type stored as text asks of its text.
fn fit_text(ty: PgType, text: &str) -> PgResult<Cow<'_, str>> {
    match ty.oid {
        oid::VARCHAR | oid::BPCHAR if ty.typmod >= 4 => fit_length(ty, text),
        oid::NAME if text.len() > 63 => Ok(Cow::Borrowed(&text[..text.floor_char_boundary(63)])),
        oid::CHAR => match text.as_bytes() {
            // `\101`: a byte by its octal digits. Those that are no character of their own have no text.
            [b'\\', digits @ ..] if digits.len() == 3 && digits.iter().all(|d| (b'0'..=b'7').contains(d)) => {
                match u8::from_str_radix(&text[1..], 8) {
                    Ok(0) => Ok(Cow::Borrowed("")),
                    Ok(byte) if byte.is_ascii() => Ok(Cow::Owned((byte as char).to_string())),
                    _ => Err(PgError::unsupported("a \"char\" beyond ASCII")),
                }
            }
            _ => Ok(Cow::Borrowed(&text[..text.chars().next().map_or(0, char::len_utf8)])),
        },
        oid::JSON => jsonb::validate_json(text.as_bytes()).map(|()| Cow::Borrowed(text)),
        oid::JSONPATH => Ok(Cow::Owned(crate::types::jsonpath::JsonPath::parse(text)?.to_text())),
        oid::TSVECTOR => Ok(Cow::Owned(Vector::parse(text)?.to_text())),
        oid::TSQUERY => Ok(Cow::Owned(Query::parse(text)?.to_text())),
        oid::BIT | oid::VARBIT => fit_bits(ty, text).map(Cow::Owned),
        oid::INET | oid::CIDR => parse_network(ty, text).map(Cow::Owned),
        oid::MACADDR => Ok(Cow::Owned(colons(&parse_macaddr(text)?))),
        oid::MACADDR8 => Ok(Cow::Owned(colons(&parse_macaddr8(text)?))),
        oid::PG_LSN => Ok(Cow::Owned(lsn_text(parse_lsn(text)?))),
        // Kept as text, but not checked or brought to their normal form: another text would be another value.
        unread if is_unread(unread) => Err(PgError::unsupported(format!("input of type {}", format_type(ty)))),
        _ => Ok(Cow::Borrowed(text)),
    }
}

/// The digits of a bit string: binary, or hexadecimal after an x.
fn fit_bits(ty: PgType, text: &str) -> PgResult<String> {
    let wrong =
        |c: char, what: &str| PgError::new(SqlState::INVALID_TEXT, format!("\"{c}\" is not a valid {what} digit"));
    let mut bits = String::with_capacity(text.len());
    match text.strip_prefix(['x', 'X']) {
        Some(hex) => {
            for c in hex.chars() {
                let digit = c.to_digit(16).ok_or_else(|| wrong(c, "hexadecimal"))?;
                bits.push_str(&format!("{digit:04b}"));
            }
        }
        None => {
            for c in text.strip_prefix(['b', 'B']).unwrap_or(text).chars() {
                match c {
                    '0' | '1' => bits.push(c),
                    _ => return Err(wrong(c, "binary")),
                }
            }
        }
    }
    let (length, limit) = (bits.len(), ty.typmod.max(0) as usize);
    match ty.oid {
        oid::BIT if limit > 0 && length != limit => {
            let message = format!("bit string length {length} does not match type bit({limit})");
            Err(PgError::new(SqlState(*b"22026"), message))
        }
        oid::VARBIT if limit > 0 && length > limit => {
            Err(PgError::new(SqlState::STRING_TRUNCATION, format!("bit string too long for type bit varying({limit})")))
        }
        _ => Ok(bits),
    }
}

/// An address, and how many bits of it are the network's, in PostgreSQL's normal form. Short forms (`10.1/16`) are not
/// read.
fn parse_network(ty: PgType, text: &str) -> PgResult<String> {
    let unread = || PgError::unsupported(format!("this input of type {}: \"{text}\"", format_type(ty)));
    let network = Network::parse(text).ok_or_else(unread)?;
    if ty.oid == oid::INET {
        return Ok(network.inet());
    }
    if network.network() != network {
        let message = format!("invalid cidr value: \"{text}\"");
        return Err(PgError::new(SqlState::INVALID_TEXT, message).detail("Value has bits set to right of mask."));
    }
    Ok(network.cidr())
}

/// Types whose input has rules that are not known here.
fn is_unread(ty: Oid) -> bool {
    matches!(
        ty,
        oid::ACLITEM
            | oid::POINT
            | oid::LSEG
            | oid::PATH
            | oid::BOX
            | oid::POLYGON
            | oid::LINE
            | oid::CIRCLE
            | oid::XML
            | oid::TID
            | oid::TXID_SNAPSHOT
            | oid::PG_SNAPSHOT
            | oid::XID8
    )
}

fn fit_length(ty: PgType, text: &str) -> PgResult<Cow<'_, str>> {
    let limit = (ty.typmod - 4) as usize;
    let have = if text.len() <= limit && text.is_ascii() { text.len() } else { text.chars().count() };
    if have > limit {
        let cut = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
        if text[cut..].bytes().any(|b| b != b' ') {
            return Err(PgError::new(
                SqlState::STRING_TRUNCATION,
                format!("value too long for type {}", format_type(ty)),
            ));
        }
        return Ok(Cow::Borrowed(&text[..cut]));
    }
    if ty.oid == oid::BPCHAR && have < limit {
        return Ok(Cow::Owned(format!("{text}{}", " ".repeat(limit - have))));
    }
    Ok(Cow::Borrowed(text))
}
