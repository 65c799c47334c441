//! Arrow columns to wire fields.

use super::*;
use crate::types::array::{Arrays, Dimension, Shape, element_field};
use crate::types::datetime::{
    MICROS_PER_DAY, PG_EPOCH_DAYS, PG_EPOCH_MICROS, is_finite_timestamp, timetz_parts, write_date, write_offset,
    write_time, write_timestamp,
};
use crate::types::interval::Interval;
use crate::types::jsonb::JsonbRef;
use crate::types::money;
use crate::types::numeric::{Numeric, wire, write_decimal};
use crate::types::oid::{self, Oid};
use crate::types::range::{Range, RangeType};
use arrow::array::*;
use arrow::buffer::NullBuffer;
use arrow::datatypes::TimeUnit;
use bytes::BufMut;

/// How to write the values of one result column.
#[derive(Debug, Clone)]
pub struct ColumnEncoder {
    kind: Kind,
    format: Format,
    settings: TextSettings,
}

#[derive(Debug, Clone)]
enum Kind {
    Null,
    Bool,
    Int2,
    Int4,
    Int8,
    Oid(Oid),
    Float4,
    Float8,
    Text,
    Char,
    Bytea,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Decimal(i32),
    Numeric,
    Money,
    /// A multirange where the flag is set.
    Range(RangeType, bool),
    Jsonb,
    Uuid,
    Interval,
    List(Oid, Box<ColumnEncoder>, bool),
    Record(Vec<(Oid, ColumnEncoder)>),
}

/// A column of one batch, ready to be written row by row.
pub struct BoundColumn<'a> {
    encoder: &'a ColumnEncoder,
    cells: Cells<'a>,
    nulls: Option<&'a NullBuffer>,
}

enum Cells<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int2(&'a Int16Array),
    Int4(&'a Int32Array),
    Int8(&'a Int64Array),
    Oid(&'a UInt32Array),
    Float4(&'a Float32Array),
    Float8(&'a Float64Array),
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray),
    Timestamp(&'a TimestampMicrosecondArray),
    Decimal(&'a Decimal128Array),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
    Fixed(&'a FixedSizeBinaryArray),
    List(Arrays<'a>, Box<BoundColumn<'a>>),
    Record(Vec<BoundColumn<'a>>),
}

impl ColumnEncoder {
    /// 0A000 where the type has no such format here, XX000 where the storage form does not belong to the type.
    pub fn new(ty: PgType, storage: &DataType, format: Format, settings: &TextSettings) -> PgResult<Self> {
        let kind = match (ty.oid, storage) {
            (_, DataType::Null) => Kind::Null,
            (oid::TIMETZ, DataType::FixedSizeBinary(12)) => Kind::TimeTz,
            (oid::UUID, DataType::FixedSizeBinary(16)) => Kind::Uuid,
            (oid::INTERVAL, DataType::FixedSizeBinary(16)) => Kind::Interval,
            (oid::BYTEA, DataType::Binary | DataType::LargeBinary | DataType::BinaryView) => Kind::Bytea,
            (oid::JSONB, DataType::LargeBinary | DataType::Binary | DataType::BinaryView) => Kind::Jsonb,
            (oid::NUMERIC, DataType::Binary | DataType::LargeBinary | DataType::BinaryView) => Kind::Numeric,
            (oid::NUMERIC, DataType::Decimal128(_, scale)) if *scale >= 0 => Kind::Decimal(*scale as i32),
            (ty, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
                if let Some(ranges) = RangeType::of(ty) =>
            {
                Kind::Range(ranges, ranges.multirange == ty)
            }
            (oid::MONEY, DataType::Int64) => Kind::Money,
            (_, DataType::Boolean) => Kind::Bool,
            (_, DataType::Int16) => Kind::Int2,
            (_, DataType::Int32) => Kind::Int4,
            (_, DataType::Int64) => Kind::Int8,
            (reg, DataType::UInt32) => Kind::Oid(reg),
            (_, DataType::Float32) => Kind::Float4,
            (_, DataType::Float64) => Kind::Float8,
            (_, DataType::Date32) => Kind::Date,
            (_, DataType::Time64(TimeUnit::Microsecond)) => Kind::Time,
            (oid::TIMESTAMPTZ, DataType::Timestamp(TimeUnit::Microsecond, _)) => Kind::TimestampTz,
            (_, DataType::Timestamp(TimeUnit::Microsecond, _)) => Kind::Timestamp,
            (oid::CHAR, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Kind::Char,
            (other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                if format == Format::Binary && !binary_is_text(other) {
                    return Err(PgError::unsupported(format!("the binary format of type {}", format_type(ty))));
                }
                Kind::Text
            }
            (array, _) if element_field(storage).is_some() => {
                let field = element_field(storage).ok_or_else(|| PgError::internal("an array has elements"))?;
                let vector = matches!(array, oid::OIDVECTOR | oid::INT2VECTOR);
                let element = match array {
                    oid::OIDVECTOR => oid::OID,
                    oid::INT2VECTOR => oid::INT2,
                    _ => oid::array_element(array).unwrap_or(oid::TEXT),
                };
                let inner = Self::new(PgType { oid: element, typmod: ty.typmod }, field.data_type(), format, settings)?;
                Kind::List(element, Box::new(inner), vector)
            }
            (oid::RECORD, DataType::Struct(fields)) => {
                let encoders = fields.iter().map(|field| {
                    let ty = crate::types::record_field_type(field)
                        .ok_or_else(|| PgError::internal("a record's field does not say its type"))?;
                    Ok((ty.pg.oid, Self::new(ty.pg, &ty.storage, format, settings)?))
                });
                Kind::Record(encoders.collect::<PgResult<_>>()?)
            }
            (_, storage) => {
                return Err(PgError::internal(format!("type {} is not stored as {storage}", format_type(ty))));
            }
        };
        Ok(Self { kind, format, settings: *settings })
    }

    /// Binds a batch's column.
    pub fn column<'a>(&'a self, array: &'a dyn Array) -> PgResult<BoundColumn<'a>> {
        let cells = match array.data_type() {
            DataType::Null => Cells::Null,
            DataType::Boolean => Cells::Bool(array.as_boolean()),
            DataType::Int16 => Cells::Int2(array.as_primitive()),
            DataType::Int32 => Cells::Int4(array.as_primitive()),
            DataType::Int64 => Cells::Int8(array.as_primitive()),
            DataType::UInt32 => Cells::Oid(array.as_primitive()),
            DataType::Float32 => Cells::Float4(array.as_primitive()),
            DataType::Float64 => Cells::Float8(array.as_primitive()),
            DataType::Date32 => Cells::Date(array.as_primitive()),
            DataType::Time64(TimeUnit::Microsecond) => Cells::Time(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Cells::Timestamp(array.as_primitive()),
            DataType::Decimal128(..) => Cells::Decimal(array.as_primitive()),
            DataType::Utf8 => Cells::Utf8(array.as_string()),
            DataType::LargeUtf8 => Cells::LargeUtf8(array.as_string()),
            DataType::Utf8View => Cells::Utf8View(array.as_string_view()),
            DataType::Binary => Cells::Binary(array.as_binary()),
            DataType::LargeBinary => Cells::LargeBinary(array.as_binary()),
            DataType::BinaryView => Cells::BinaryView(array.as_binary_view()),
            DataType::FixedSizeBinary(_) => Cells::Fixed(array.as_fixed_size_binary()),
            list if element_field(list).is_some() => match &self.kind {
                Kind::List(_, element, _) => {
                    let arrays = Arrays::new(array)?;
                    let elements = element.column(arrays.list.values().as_ref())?;
                    Cells::List(arrays, Box::new(elements))
                }
                _ => return Err(self.mismatch(array)),
            },
            DataType::Struct(_) => match &self.kind {
                Kind::Record(encoders) if encoders.len() == array.as_struct().num_columns() => {
                    let columns = encoders.iter().zip(array.as_struct().columns());
                    Cells::Record(columns.map(|((_, e), c)| e.column(c.as_ref())).collect::<PgResult<_>>()?)
                }
                _ => return Err(self.mismatch(array)),
            },
            _ => return Err(self.mismatch(array)),
        };
        let fits = match (&self.kind, &cells) {
            (_, Cells::Null)
            | (Kind::Bool, Cells::Bool(_))
            | (Kind::Int2, Cells::Int2(_))
            | (Kind::Int4, Cells::Int4(_))
            | (Kind::Int8 | Kind::Money, Cells::Int8(_))
            | (Kind::Oid(_), Cells::Oid(_))
            | (Kind::Float4, Cells::Float4(_))
            | (Kind::Float8, Cells::Float8(_))
            | (Kind::Date, Cells::Date(_))
            | (Kind::Time, Cells::Time(_))
            | (Kind::Timestamp | Kind::TimestampTz, Cells::Timestamp(_))
            | (Kind::Text | Kind::Char, Cells::Utf8(_) | Cells::LargeUtf8(_) | Cells::Utf8View(_))
            | (
                Kind::Bytea | Kind::Jsonb | Kind::Numeric | Kind::Range(..),
                Cells::Binary(_) | Cells::LargeBinary(_) | Cells::BinaryView(_),
            )
            | (Kind::List(..), Cells::List(..))
            | (Kind::Record(_), Cells::Record(_)) => true,
            (Kind::Decimal(scale), Cells::Decimal(a)) => a.scale() as i32 == *scale,
            (Kind::Uuid | Kind::Interval, Cells::Fixed(a)) => a.value_length() == 16,
            (Kind::TimeTz, Cells::Fixed(a)) => a.value_length() == 12,
            _ => false,
        };
        if !fits {
            return Err(self.mismatch(array));
        }
        Ok(BoundColumn { encoder: self, cells, nulls: array.nulls() })
    }

    fn mismatch(&self, array: &dyn Array) -> PgError {
        PgError::internal(format!("a result column of {} arrived for {:?}", array.data_type(), self.kind))
    }
}

/// Types stored as text whose binary format is that text.
fn binary_is_text(ty: Oid) -> bool {
    matches!(
        ty,
        oid::TEXT
            | oid::VARCHAR
            | oid::BPCHAR
            | oid::NAME
            | oid::JSON
            | oid::XML
            | oid::UNKNOWN
            | oid::CSTRING
            | oid::REFCURSOR
            | oid::INVALID
    ) || ty.0 >= 16_384
}

/// `(1,"a b",)`
fn write_record_text(fields: &[BoundColumn<'_>], row: usize, out: &mut Vec<u8>) {
    out.put_u8(b'(');
    let mut text = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.put_u8(b',');
        }
        if field.is_null(row) {
            continue;
        }
        text.clear();
        field.write_value(row, &mut text);
        let special = |b: &u8| matches!(b, b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t'..=b'\r');
        if !text.is_empty() && !text.iter().any(special) {
            out.put_slice(&text);
            continue;
        }
        out.put_u8(b'"');
        for byte in &text {
            if matches!(byte, b'"' | b'\\') {
                out.put_u8(*byte);
            }
            out.put_u8(*byte);
        }
        out.put_u8(b'"');
    }
    out.put_u8(b')');
}

impl BoundColumn<'_> {
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.cells, Cells::Null) || self.nulls.is_some_and(|n| n.is_null(row))
    }

    /// Appends the wire field: an i32 length (-1 for NULL), then the value.
    #[inline]
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.put_i32(-1);
        }
        if self.encoder.format == Format::Binary {
            // A length and a value of fixed size at once.
            match &self.cells {
                Cells::Int4(a) => return put_fixed::<4, 8>(a.value(row).to_be_bytes(), out),
                Cells::Int8(a) => return put_fixed::<8, 12>(a.value(row).to_be_bytes(), out),
                Cells::Float8(a) => return put_fixed::<8, 12>(a.value(row).to_be_bytes(), out),
                Cells::Timestamp(a) => return put_fixed::<8, 12>(wire_timestamp(a.value(row)).to_be_bytes(), out),
                _ => {}
            }
        }
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        self.write_value(row, out);
        let length = (out.len() - at - 4) as i32;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn bytes(&self, row: usize) -> &[u8] {
        match &self.cells {
            Cells::Utf8(a) => a.value(row).as_bytes(),
            Cells::LargeUtf8(a) => a.value(row).as_bytes(),
            Cells::Utf8View(a) => a.value(row).as_bytes(),
            Cells::Binary(a) => a.value(row),
            Cells::LargeBinary(a) => a.value(row),
            Cells::BinaryView(a) => a.value(row),
            Cells::Fixed(a) => a.value(row),
            _ => &[],
        }
    }

    /// Appends the value of a row that is not NULL, without a length.
    pub fn write_value(&self, row: usize, out: &mut Vec<u8>) {
        match self.encoder.format {
            Format::Text => self.write_as_text(row, out),
            Format::Binary => self.write_as_binary(row, out),
        }
    }

    fn write_as_text(&self, row: usize, out: &mut Vec<u8>) {
        let settings = &self.encoder.settings;
        match (&self.cells, &self.encoder.kind) {
            (Cells::Null, _) => {}
            (Cells::Bool(a), _) => out.put_u8(if a.value(row) { b't' } else { b'f' }),
            (Cells::Int2(a), _) => out.put_slice(itoa::Buffer::new().format(a.value(row)).as_bytes()),
            (Cells::Int4(a), _) => out.put_slice(itoa::Buffer::new().format(a.value(row)).as_bytes()),
            (Cells::Int8(a), Kind::Money) => out.put_slice(money::to_text(a.value(row)).as_bytes()),
            (Cells::Int8(a), _) => out.put_slice(itoa::Buffer::new().format(a.value(row)).as_bytes()),
            (Cells::Oid(a), kind) => match (kind, a.value(row)) {
                (Kind::Oid(reg), 0) if oid::is_reg_type(*reg) => out.put_u8(b'-'),
                (Kind::Oid(oid::REGTYPE), ty) => out.put_slice(format_type(PgType::new(Oid(ty))).as_bytes()),
                (_, value) => out.put_slice(itoa::Buffer::new().format(value).as_bytes()),
            },
            (Cells::Float4(a), _) => {
                write_f32(a.value(row), settings.extra_float_digits, &mut |part| out.put_slice(part));
            }
            (Cells::Float8(a), _) => {
                write_f64(a.value(row), settings.extra_float_digits, &mut |part| out.put_slice(part));
            }
            (Cells::Date(a), _) => write_date(a.value(row), &mut |part| out.put_slice(part)),
            (Cells::Time(a), _) => write_time(a.value(row), &mut |part| out.put_slice(part)),
            (Cells::Timestamp(a), Kind::TimestampTz) => {
                write_timestamp(a.value(row), Some(&settings.timezone), &mut |part| out.put_slice(part));
            }
            (Cells::Timestamp(a), _) => write_timestamp(a.value(row), None, &mut |part| out.put_slice(part)),
            (Cells::Decimal(a), Kind::Decimal(scale)) => {
                write_decimal(a.value(row), *scale, |part| out.put_slice(part))
            }
            (Cells::Decimal(_), _) => {}
            (Cells::List(list, elements), Kind::List(_, _, vector)) => {
                write_list_text(list, elements, *vector, row, out)
            }
            (Cells::List(..), _) => {}
            (Cells::Record(fields), _) => write_record_text(fields, row, out),
            (_, Kind::Bytea) => write_bytea(self.bytes(row), settings.bytea_output, out),
            (_, Kind::Jsonb) => JsonbRef::new(self.bytes(row)).write_text(out),
            (_, Kind::Numeric) => Numeric::from_sortable(self.bytes(row)).unwrap_or(Numeric::NAN).write_text(out),
            (_, Kind::Range(ranges, false)) => {
                let range = ranges.read(self.bytes(row)).unwrap_or(Range::EMPTY);
                ranges.write_text(&range, settings, out);
            }
            (_, Kind::Range(ranges, true)) => {
                let many = ranges.read_many(self.bytes(row)).unwrap_or_default();
                ranges.write_many_text(&many, settings, out);
            }
            (_, Kind::Uuid) => write_uuid(self.bytes(row), out),
            (_, Kind::Interval) => Interval::from_bytes(self.bytes(row))
                .write_text(settings.interval_style, &mut |part| out.put_slice(part)),
            (_, Kind::TimeTz) => {
                let (micros, west) = timetz_parts(self.bytes(row));
                write_time(micros, &mut |part| out.put_slice(part));
                write_offset(-west, &mut |part| out.put_slice(part));
            }
            _ => out.put_slice(self.bytes(row)),
        }
    }

    fn write_as_binary(&self, row: usize, out: &mut Vec<u8>) {
        match (&self.cells, &self.encoder.kind) {
            (Cells::Null, _) => {}
            (Cells::Bool(a), _) => out.put_u8(a.value(row) as u8),
            (Cells::Int2(a), _) => out.put_i16(a.value(row)),
            (Cells::Int4(a), _) => out.put_i32(a.value(row)),
            (Cells::Int8(a), _) => out.put_i64(a.value(row)),
            (Cells::Oid(a), _) => out.put_u32(a.value(row)),
            (Cells::Float4(a), _) => out.put_f32(a.value(row)),
            (Cells::Float8(a), _) => out.put_f64(a.value(row)),
            (Cells::Date(a), _) => out.put_i32(match a.value(row) {
                infinite @ (i32::MAX | i32::MIN) => infinite,
                days => days.saturating_sub(PG_EPOCH_DAYS),
            }),
            (Cells::Time(a), _) => out.put_i64(a.value(row).clamp(0, MICROS_PER_DAY)),
            (Cells::Timestamp(a), _) => out.put_i64(wire_timestamp(a.value(row))),
            (Cells::Decimal(a), Kind::Decimal(scale)) => wire::send_decimal(a.value(row), *scale, out),
            (Cells::Decimal(_), _) => {}
            (Cells::List(list, elements), Kind::List(element, _, vector)) => {
                write_list_binary(list, elements, *element, *vector, row, out);
            }
            (Cells::List(..), _) => {}
            (Cells::Record(fields), Kind::Record(types)) => {
                out.put_i32(fields.len() as i32);
                for (field, (ty, _)) in fields.iter().zip(types) {
                    out.put_u32(ty.0);
                    field.write(row, out);
                }
            }
            (Cells::Record(_), _) => {}
            (_, Kind::Jsonb) => {
                out.put_u8(1);
                JsonbRef::new(self.bytes(row)).write_text(out);
            }
            (_, Kind::Numeric) => Numeric::from_sortable(self.bytes(row)).unwrap_or(Numeric::NAN).send(out),
            (_, Kind::Range(ranges, false)) => {
                ranges.send(&ranges.read(self.bytes(row)).unwrap_or(Range::EMPTY), out);
            }
            (_, Kind::Range(ranges, true)) => {
                ranges.send_many(&ranges.read_many(self.bytes(row)).unwrap_or_default(), out);
            }
            (_, Kind::Interval) => {
                let interval = Interval::from_bytes(self.bytes(row));
                out.put_i64(interval.micros);
                out.put_i32(interval.days);
                out.put_i32(interval.months);
            }
            (_, Kind::Char) => out.put_u8(self.bytes(row).first().copied().unwrap_or(0)),
            _ => out.put_slice(self.bytes(row)),
        }
    }
}

/// A field of `N` bytes with its length in front: `M` together.
fn put_fixed<const N: usize, const M: usize>(value: [u8; N], out: &mut Vec<u8>) {
    let mut field = [0; M];
    field[..4].copy_from_slice(&(N as i32).to_be_bytes());
    field[4..].copy_from_slice(&value);
    out.extend_from_slice(&field);
}

/// µs since 2000, as the protocol counts them.
fn wire_timestamp(micros: i64) -> i64 {
    if is_finite_timestamp(micros) { micros.saturating_sub(PG_EPOCH_MICROS) } else { micros }
}

fn write_bytea(bytes: &[u8], style: ByteaOutput, out: &mut Vec<u8>) {
    match style {
        ByteaOutput::Hex => {
            out.put_slice(b"\\x");
            put_hex(bytes, out);
        }
        ByteaOutput::Escape => {
            for &byte in bytes {
                match byte {
                    b'\\' => out.put_slice(b"\\\\"),
                    0x20..0x7f => out.put_u8(byte),
                    _ => out.put_slice(&[b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]),
                }
            }
        }
    }
}

fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for &byte in bytes {
        out.put_slice(&[HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
    }
}

fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    for (i, part) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if i > 0 {
            out.put_u8(b'-');
        }
        put_hex(&bytes[part], out);
    }
}

fn write_list_text(arrays: &Arrays<'_>, elements: &BoundColumn<'_>, vector: bool, row: usize, out: &mut Vec<u8>) {
    let range = arrays.range(row);
    let write = |i: usize, out: &mut Vec<u8>| {
        if elements.is_null(i) {
            return out.put_slice(b"NULL");
        }
        let at = out.len();
        elements.write_value(i, out);
        quote_element(at, out);
    };
    if vector || arrays.is_plain(row) {
        if !vector {
            out.put_u8(b'{');
        }
        for i in range.clone() {
            if i > range.start {
                out.put_u8(if vector { b' ' } else { b',' });
            }
            write(i, out);
        }
        if !vector {
            out.put_u8(b'}');
        }
        return;
    }
    let shape = arrays.shape(row);
    if shape.0.iter().any(|d| d.lower != 1) {
        out.put_slice(shape.bounds().as_bytes());
        out.put_u8(b'=');
    }
    // How many elements a part of each level holds.
    let mut sizes: Vec<usize> = shape.0.iter().map(|d| d.length as usize).collect();
    for level in (1..sizes.len()).rev() {
        sizes[level - 1] *= sizes[level];
    }
    for (n, i) in range.clone().enumerate() {
        if n > 0 {
            out.put_u8(b',');
        }
        sizes.iter().filter(|size| n % **size == 0).for_each(|_| out.put_u8(b'{'));
        write(i, out);
        sizes.iter().filter(|size| (n + 1) % **size == 0).for_each(|_| out.put_u8(b'}'));
    }
}

/// Quotes what was written from `at` on where an array's text needs it.
fn quote_element(at: usize, out: &mut Vec<u8>) {
    let text = &out[at..];
    let special = |b: &u8| matches!(b, b'{' | b'}' | b'"' | b'\\' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    if !text.is_empty() && !text.eq_ignore_ascii_case(b"null") && !text.iter().any(special) {
        return;
    }
    let text = out.split_off(at);
    out.put_u8(b'"');
    for &byte in &text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}

fn write_list_binary(
    arrays: &Arrays<'_>,
    elements: &BoundColumn<'_>,
    element: Oid,
    vector: bool,
    row: usize,
    out: &mut Vec<u8>,
) {
    let range = arrays.range(row);
    let shape = match vector {
        true => Shape(vec![Dimension { length: range.len() as i32, lower: 0 }]),
        false => arrays.shape(row),
    };
    out.put_i32(shape.dimensions() as i32);
    out.put_i32(range.clone().any(|i| elements.is_null(i)) as i32);
    out.put_u32(element.0);
    for d in &shape.0 {
        out.put_i32(d.length);
        out.put_i32(d.lower);
    }
    for i in range {
        elements.write(i, out);
    }
}
