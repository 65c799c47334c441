//! One column in the making: JSON values in, an Arrow array of the type's storage form out.

use super::form::Form;
use super::scan::{Kind, Scan, Value};
use super::values::{self, Decimal, Unit};
use crate::types::codec::write_f64;
use crate::types::{PgType, oid};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, LargeBinaryBuilder, ListArray, NullBufferBuilder,
    StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};
use num_traits::ToPrimitive;
use std::borrow::Cow;
use std::sync::Arc;

/// The value has no meaning for the column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

type Put<T = ()> = Result<T, Misfit>;

/// Which database a stream comes from, as far as encodings depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connector {
    #[default]
    Unknown,
    Postgres,
    SqlServer,
    MySql,
    Oracle,
}

impl Connector {
    pub fn named(name: &str) -> Self {
        match name {
            "postgresql" => Self::Postgres,
            "sqlserver" => Self::SqlServer,
            "mysql" | "mariadb" => Self::MySql,
            "oracle" => Self::Oracle,
            _ => Self::Unknown,
        }
    }
}

/// Which of two ways a connector has to write values as strings, once a value has shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Habit {
    #[default]
    Unknown,
    Base64,
    /// Decimal digits of numbers, hex of bytes.
    Digits,
}

/// What a stream has shown of its connector's settings.
#[derive(Debug, Default)]
pub struct Habits {
    pub connector: Connector,
    pub decimals: Habit,
    pub binary: Habit,
    scratch: Vec<u8>,
}

impl Habits {
    fn unit(&self, precision: i32) -> Unit {
        match precision {
            0..=3 => Unit::Millis,
            4..=6 => Unit::Micros,
            _ if self.connector == Connector::Postgres => Unit::Micros,
            _ => Unit::Millis,
        }
    }

    fn base64(&mut self, text: &str) -> Put<&[u8]> {
        self.scratch.clear();
        values::base64_into(text, &mut self.scratch).ok_or(Misfit)?;
        Ok(&self.scratch)
    }

    /// Bytes of a string that may be base64, base64 for URLs, hex or PostgreSQL's `\x`.
    fn bytes(&mut self, text: &str) -> Put<&[u8]> {
        self.scratch.clear();
        if let Some(hex) = text.strip_prefix("\\x") {
            values::hex_into(hex, &mut self.scratch).ok_or(Misfit)?;
            return Ok(&self.scratch);
        }
        let hex = text.len().is_multiple_of(2) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !hex {
            self.binary = Habit::Base64;
        } else if !text.len().is_multiple_of(4) {
            self.binary = Habit::Digits;
        }
        // Until a value has shown it: random base64 looks like hex of this length once in 65536 times.
        let presumed = self.binary == Habit::Unknown && text.len() >= 8;
        match (hex, self.binary) {
            (true, Habit::Digits) => values::hex_into(text, &mut self.scratch),
            (true, _) if presumed => values::hex_into(text, &mut self.scratch),
            _ => values::base64_into(text, &mut self.scratch),
        }
        .ok_or(Misfit)?;
        Ok(&self.scratch)
    }

    /// Whether a string that stands for a numeric of `scale` fraction digits is base64.
    fn is_base64_decimal(&mut self, text: &str, scale: Option<i32>) -> bool {
        let bytes = text.as_bytes();
        if bytes.iter().any(|b| matches!(b, b'.' | b'-')) || matches!(text, "NaN" | "Infinity") {
            self.decimals = Habit::Digits;
            return false;
        }
        let digits = bytes.iter().all(u8::is_ascii_digit);
        if !bytes.len().is_multiple_of(4) {
            // `1E+5`, and blanks around a number: for the decimal parser to judge.
            self.decimals = if digits && !bytes.is_empty() { Habit::Digits } else { self.decimals };
            return bytes.is_empty();
        }
        if !digits {
            self.decimals = Habit::Base64;
            return true;
        }
        match self.decimals {
            Habit::Base64 => true,
            Habit::Digits => false,
            Habit::Unknown => scale.is_some_and(|scale| scale > 0),
        }
    }
}

enum Builder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt32(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Numeric(BinaryBuilder),
    Jsonb(LargeBinaryBuilder),
    Decimal(Decimal128Builder, u32, i32),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Fixed(FixedSizeBinaryBuilder),
    List { offsets: Vec<i32>, nulls: NullBufferBuilder, element: Box<Sink> },
}

/// A column's type and the values that it has so far.
pub struct Sink {
    ty: PgType,
    builder: Builder,
    len: usize,
}

impl Sink {
    pub fn new(ty: PgType, rows: usize) -> Self {
        let builder = match ty.storage() {
            DataType::Boolean => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            DataType::Int16 => Builder::Int16(Int16Builder::with_capacity(rows)),
            DataType::Int32 => Builder::Int32(Int32Builder::with_capacity(rows)),
            DataType::Int64 => Builder::Int64(Int64Builder::with_capacity(rows)),
            DataType::UInt32 => Builder::UInt32(UInt32Builder::with_capacity(rows)),
            DataType::Float32 => Builder::Float32(Float32Builder::with_capacity(rows)),
            DataType::Float64 => Builder::Float64(Float64Builder::with_capacity(rows)),
            DataType::Binary if ty.oid == oid::NUMERIC => {
                Builder::Numeric(BinaryBuilder::with_capacity(rows, rows * 8))
            }
            DataType::Binary => Builder::Bytes(BinaryBuilder::with_capacity(rows, rows * 8)),
            DataType::LargeBinary => Builder::Jsonb(LargeBinaryBuilder::with_capacity(rows, rows * 16)),
            DataType::Decimal128(precision, scale) => {
                let builder = Decimal128Builder::with_capacity(rows)
                    .with_precision_and_scale(precision, scale)
                    .expect("PgType::storage gives valid precisions and scales");
                Builder::Decimal(builder, precision as u32, scale as i32)
            }
            DataType::Date32 => Builder::Date(Date32Builder::with_capacity(rows)),
            DataType::Time64(_) => Builder::Time(Time64MicrosecondBuilder::with_capacity(rows)),
            DataType::Timestamp(_, zone) => {
                Builder::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone_opt(zone))
            }
            DataType::FixedSizeBinary(width) => Builder::Fixed(FixedSizeBinaryBuilder::with_capacity(rows, width)),
            DataType::List(_) => {
                let element = match ty.oid {
                    oid::OIDVECTOR => oid::OID,
                    oid::INT2VECTOR => oid::INT2,
                    array => oid::array_element(array).unwrap_or(oid::TEXT),
                };
                let element = Box::new(Sink::new(PgType { oid: element, typmod: ty.typmod }, rows));
                Builder::List { offsets: vec![0], nulls: NullBufferBuilder::new(rows), element }
            }
            _ => Builder::Text(StringBuilder::with_capacity(rows, rows * 16)),
        };
        Self { ty, builder, len: 0 }
    }

    pub fn append_null(&mut self) {
        self.len += 1;
        match &mut self.builder {
            Builder::Bool(b) => b.append_null(),
            Builder::Int16(b) => b.append_null(),
            Builder::Int32(b) => b.append_null(),
            Builder::Int64(b) => b.append_null(),
            Builder::UInt32(b) => b.append_null(),
            Builder::Float32(b) => b.append_null(),
            Builder::Float64(b) => b.append_null(),
            Builder::Text(b) => b.append_null(),
            Builder::Bytes(b) | Builder::Numeric(b) => b.append_null(),
            Builder::Jsonb(b) => b.append_null(),
            Builder::Decimal(b, ..) => b.append_null(),
            Builder::Date(b) => b.append_null(),
            Builder::Time(b) => b.append_null(),
            Builder::Timestamp(b) => b.append_null(),
            Builder::Fixed(b) => b.append_null(),
            Builder::List { offsets, nulls, element } => {
                // After a misfit inside the list its first elements are left over: they lie under this NULL.
                offsets.push(element.len as i32);
                nulls.append_null();
            }
        }
    }

    /// Appends one value. On [`Misfit`] nothing counts as appended: the caller appends NULL and drops the row.
    #[inline]
    pub fn put(&mut self, value: Value<'_>, form: &Form, habits: &mut Habits) -> Put {
        if value.is_null() {
            self.append_null();
            return Ok(());
        }
        match &mut self.builder {
            Builder::Int32(b) => b.append_value(int(value, form, habits)?.try_into().map_err(|_| Misfit)?),
            Builder::Int64(b) => b.append_value(int(value, form, habits)?),
            Builder::Int16(b) => b.append_value(int(value, form, habits)?.try_into().map_err(|_| Misfit)?),
            Builder::UInt32(b) => b.append_value(int(value, form, habits)?.try_into().map_err(|_| Misfit)?),
            Builder::Text(b) => put_text(b, self.ty, value, form, habits)?,
            Builder::Bool(b) => b.append_value(boolean(value)?),
            Builder::Float32(b) => b.append_value(float32(value, form, habits)?),
            Builder::Float64(b) => b.append_value(float64(value, form, habits)?),
            Builder::Decimal(b, precision, scale) => {
                b.append_value(decimal128(value, form, habits, *precision, *scale)?);
            }
            Builder::Timestamp(b) => b.append_value(timestamp(value, form, habits, self.ty.typmod)?),
            Builder::Date(b) => b.append_value(date(value)?),
            Builder::Time(b) => b.append_value(time(value, form, habits, self.ty.typmod)?),
            Builder::Bytes(b) => b.append_value(bytes(value, form, habits)?),
            Builder::Numeric(b) => {
                let decimal = decimal(value, form, habits, None)?;
                b.append_value(values::sortable_numeric(&decimal, self.ty).ok_or(Misfit)?);
            }
            Builder::Jsonb(b) => {
                let text = json_text(value, form)?;
                b.append_value(values::jsonb(&text).ok_or(Misfit)?);
            }
            Builder::Fixed(b) => {
                let appended = match self.ty.oid {
                    oid::UUID => b.append_value(uuid(value)?),
                    oid::TIMETZ => b.append_value(timetz(value)?),
                    _ => b.append_value(interval(value, form)?),
                };
                appended.map_err(|_| Misfit)?;
            }
            Builder::List { offsets, nulls, element } => {
                put_elements(element, value, form, habits)?;
                offsets.push(element.len as i32);
                nulls.append_non_null();
            }
        }
        self.len += 1;
        Ok(())
    }

    /// Appends text that is known to be right: metadata columns.
    pub fn put_plain(&mut self, text: &str) {
        match &mut self.builder {
            Builder::Text(b) => {
                b.append_value(text);
                self.len += 1;
            }
            _ => self.append_null(),
        }
    }

    pub fn put_micros(&mut self, micros: Option<i64>) {
        match &mut self.builder {
            Builder::Timestamp(b) => {
                b.append_option(micros);
                self.len += 1;
            }
            _ => self.append_null(),
        }
    }

    pub fn put_bool(&mut self, value: bool) {
        match &mut self.builder {
            Builder::Bool(b) => {
                b.append_value(value);
                self.len += 1;
            }
            _ => self.append_null(),
        }
    }

    pub fn finish(self) -> ArrayRef {
        match self.builder {
            Builder::Bool(mut b) => Arc::new(b.finish()),
            Builder::Int16(mut b) => Arc::new(b.finish()),
            Builder::Int32(mut b) => Arc::new(b.finish()),
            Builder::Int64(mut b) => Arc::new(b.finish()),
            Builder::UInt32(mut b) => Arc::new(b.finish()),
            Builder::Float32(mut b) => Arc::new(b.finish()),
            Builder::Float64(mut b) => Arc::new(b.finish()),
            Builder::Text(mut b) => Arc::new(b.finish()),
            Builder::Bytes(mut b) | Builder::Numeric(mut b) => Arc::new(b.finish()),
            Builder::Jsonb(mut b) => Arc::new(b.finish()),
            Builder::Decimal(mut b, ..) => Arc::new(b.finish()),
            Builder::Date(mut b) => Arc::new(b.finish()),
            Builder::Time(mut b) => Arc::new(b.finish()),
            Builder::Timestamp(mut b) => Arc::new(b.finish()),
            Builder::Fixed(mut b) => Arc::new(b.finish()),
            Builder::List { offsets, mut nulls, element } => {
                let elements = element.finish();
                let field = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::new(field, offsets, elements, nulls.finish()))
            }
        }
    }
}

fn plain(value: Value<'_>) -> Put<Cow<'_, str>> {
    value.text().ok_or(Misfit)
}

#[inline]
fn int(value: Value<'_>, form: &Form, habits: &mut Habits) -> Put<i64> {
    if value.kind == Kind::Number
        && let Some(int) = values::parse_int(value.raw)
    {
        return Ok(int);
    }
    whole(value, form, habits)
}

/// Integers that are not written as one: `5.0`, `"5"`, a decimal of scale 0.
#[cold]
fn whole(value: Value<'_>, form: &Form, habits: &mut Habits) -> Put<i64> {
    let digits = match (value.kind, form) {
        (Kind::Number, _) | (_, Form::Decimal { .. } | Form::VariableDecimal) => {
            decimal128(value, form, habits, 38, 0)?
        }
        _ => {
            let text = plain(value)?;
            let (digits, scale) = values::parse_small_decimal(&text).ok_or(Misfit)?;
            values::rescale(digits, scale, 0, 38).ok_or(Misfit)?
        }
    };
    i64::try_from(digits).map_err(|_| Misfit)
}

fn boolean(value: Value<'_>) -> Put<bool> {
    match (value.kind, value.raw) {
        (Kind::True, _) | (Kind::Number, "1") | (Kind::Text, "true" | "t") => Ok(true),
        (Kind::False, _) | (Kind::Number, "0") | (Kind::Text, "false" | "f") => Ok(false),
        _ => Err(Misfit),
    }
}

fn float32(value: Value<'_>, form: &Form, habits: &mut Habits) -> Put<f32> {
    if value.kind == Kind::Number {
        // Not through f64: that would round twice.
        return value.raw.parse().ok().filter(|f: &f32| f.is_finite()).ok_or(Misfit);
    }
    let wide = float64(value, form, habits)?;
    let narrow = wide as f32;
    if narrow.is_infinite() && wide.is_finite() { Err(Misfit) } else { Ok(narrow) }
}

fn float64(value: Value<'_>, form: &Form, habits: &mut Habits) -> Put<f64> {
    match (value.kind, form) {
        (Kind::Number, _) => values::parse_float(value.raw).ok_or(Misfit),
        (_, Form::Decimal { .. } | Form::VariableDecimal) => match decimal(value, form, habits, None)? {
            Decimal::NaN => Ok(f64::NAN),
            Decimal::Infinity => Ok(f64::INFINITY),
            Decimal::NegativeInfinity => Ok(f64::NEG_INFINITY),
            Decimal::Finite { digits, scale: 0 } => digits.to_f64().ok_or(Misfit),
            Decimal::Finite { digits, scale } => {
                values::parse_float(&format!("{digits}e{}", -(scale as i64))).ok_or(Misfit)
            }
        },
        _ => values::parse_float(&plain(value)?).ok_or(Misfit),
    }
}

/// Scale and base64 of `{"scale": …, "value": …}`.
fn variable_scale(value: Value<'_>) -> Put<(i32, Cow<'_, str>)> {
    let (mut scale, mut unscaled) = (None, None);
    let text = value.raw;
    Scan::new(text, 0)
        .members(0, |cell| match cell.name(text) {
            "scale" => scale = cell.value(text).int(),
            "value" => unscaled = cell.value(text).text(),
            _ => (),
        })
        .map_err(|_| Misfit)?;
    let scale = scale.and_then(|s| i32::try_from(s).ok()).ok_or(Misfit)?;
    Ok((scale, unscaled.ok_or(Misfit)?))
}

/// The integer of a Decimal128 of `scale` fraction digits.
fn decimal128(value: Value<'_>, form: &Form, habits: &mut Habits, precision: u32, scale: i32) -> Put<i128> {
    let fit = |(digits, from)| values::rescale(digits, from, scale, precision).ok_or(Misfit);
    match (value.kind, form) {
        (Kind::Number, _) => {
            if let Some(parsed) = values::parse_small_decimal(value.raw) {
                return fit(parsed);
            }
        }
        (Kind::Text, Form::Decimal { scale: from }) => {
            if let Some(unscaled) = values::unscaled(habits.base64(value.raw)?) {
                return fit((unscaled, *from));
            }
        }
        (Kind::Text, Form::Any) => {
            if habits.is_base64_decimal(value.raw, Some(scale)) {
                let unscaled = values::unscaled(habits.base64(value.raw)?).ok_or(Misfit)?;
                return fit((unscaled, scale));
            }
            if let Some(parsed) = values::parse_small_decimal(value.raw) {
                return fit(parsed);
            }
        }
        _ => (),
    }
    // More digits than fit on the way, though perhaps not at the end: `1.000…0`, scale 40.
    let Decimal::Finite { digits, scale: from } = decimal(value, form, habits, Some(scale))? else {
        return Err(Misfit);
    };
    let digits = match from.checked_sub(scale).ok_or(Misfit)? {
        ..=0 => digits,
        excess @ 1..=10_000 => {
            let power = num_bigint::BigInt::from(10).pow(excess as u32);
            let (whole, lost) = num_integer::Integer::div_rem(&digits, &power);
            if lost != num_bigint::BigInt::ZERO {
                return Err(Misfit);
            }
            return fit((whole.to_i128().ok_or(Misfit)?, scale));
        }
        _ => return Err(Misfit),
    };
    fit((digits.to_i128().ok_or(Misfit)?, from))
}

/// A decimal of any size.
fn decimal(value: Value<'_>, form: &Form, habits: &mut Habits, declared_scale: Option<i32>) -> Put<Decimal> {
    match (value.kind, form) {
        (Kind::Number, _) => values::parse_decimal(value.raw).ok_or(Misfit),
        (Kind::Object, Form::VariableDecimal | Form::Any | Form::Json) => {
            let (scale, unscaled) = variable_scale(value)?;
            values::unscaled_big(habits.base64(&unscaled)?, scale).ok_or(Misfit)
        }
        (Kind::Text | Kind::Escaped, Form::Decimal { scale }) => {
            let text = plain(value)?;
            values::unscaled_big(habits.base64(&text)?, *scale).ok_or(Misfit)
        }
        (Kind::Text, Form::Any) if habits.is_base64_decimal(value.raw, declared_scale) => {
            // Without a scale nobody can say where the point is.
            let scale = declared_scale.ok_or(Misfit)?;
            values::unscaled_big(habits.base64(value.raw)?, scale).ok_or(Misfit)
        }
        _ => values::parse_decimal(&plain(value)?).ok_or(Misfit),
    }
}

fn timestamp(value: Value<'_>, form: &Form, habits: &Habits, typmod: i32) -> Put<i64> {
    let timestamp = match (value.kind, form) {
        (Kind::Number, Form::Timestamp(unit)) => values::timestamp_from_int(value.int().ok_or(Misfit)?, *unit),
        (Kind::Number, Form::Date) => {
            values::date_from_int(value.int().ok_or(Misfit)?).and_then(|d| (d as i64).checked_mul(values::DAY_MICROS))
        }
        (Kind::Number, _) => values::timestamp_from_presumed(value.int().ok_or(Misfit)?, habits.unit(typmod)),
        // A zone that is `Z`, or none, leaves the wall clock; any other names the instant.
        _ => values::parse_timestamp(&plain(value)?),
    };
    timestamp.ok_or(Misfit)
}

fn date(value: Value<'_>) -> Put<i32> {
    match value.kind {
        Kind::Number => values::date_from_int(value.int().ok_or(Misfit)?),
        _ => values::parse_date(&plain(value)?),
    }
    .ok_or(Misfit)
}

fn time(value: Value<'_>, form: &Form, habits: &Habits, typmod: i32) -> Put<i64> {
    match (value.kind, form) {
        (Kind::Number, Form::Time(unit)) => values::time_from_int(value.int().ok_or(Misfit)?, *unit),
        (Kind::Number, _) => values::time_from_presumed(value.int().ok_or(Misfit)?, habits.unit(typmod)),
        _ => values::parse_time(&plain(value)?),
    }
    .ok_or(Misfit)
}

fn timetz(value: Value<'_>) -> Put<[u8; 12]> {
    values::parse_timetz(&plain(value)?).ok_or(Misfit)
}

fn interval(value: Value<'_>, form: &Form) -> Put<[u8; 16]> {
    match (value.kind, form) {
        // MySQL's TIME is a span: it may be negative or longer than a day.
        (Kind::Number, Form::Time(unit)) => unit.micros(value.int().ok_or(Misfit)?),
        (Kind::Number, _) => value.int(),
        _ => return values::parse_duration(&plain(value)?).ok_or(Misfit),
    }
    .map(|us| values::interval_bytes(0, 0, us))
    .ok_or(Misfit)
}

fn uuid(value: Value<'_>) -> Put<[u8; 16]> {
    values::parse_uuid(&plain(value)?).ok_or(Misfit)
}

fn bytes<'h>(value: Value<'_>, form: &Form, habits: &'h mut Habits) -> Put<&'h [u8]> {
    match (value.kind, form) {
        (Kind::Text | Kind::Escaped, Form::Bytes) => habits.base64(&plain(value)?),
        (Kind::Text | Kind::Escaped, _) => habits.bytes(&plain(value)?),
        (Kind::Object, _) => {
            let mut wkb = None;
            Scan::new(value.raw, 0)
                .members(0, |cell| {
                    if cell.name(value.raw) == "wkb" {
                        wkb = cell.value(value.raw).text();
                    }
                })
                .map_err(|_| Misfit)?;
            habits.base64(&wkb.ok_or(Misfit)?)
        }
        _ => Err(Misfit),
    }
}

/// The JSON of a json or jsonb column.
fn json_text<'a>(value: Value<'a>, form: &Form) -> Put<Cow<'a, str>> {
    if *form == Form::Json {
        return Ok(value.json());
    }
    // Debezium sends JSON as text in a string; other producers may send it as it is.
    let Some(text) = value.text() else { return Ok(Cow::Borrowed(value.raw)) };
    let mut scan = Scan::new(&text, 0);
    let valid = scan.value(0).and_then(|_| scan.end()).is_ok();
    if valid { Ok(text) } else { Err(Misfit) }
}

#[inline]
fn put_text(b: &mut StringBuilder, ty: PgType, value: Value<'_>, form: &Form, habits: &mut Habits) -> Put {
    if value.kind == Kind::Text && ty.oid == oid::TEXT && matches!(form, Form::Any | Form::Text) {
        b.append_value(value.raw);
        return Ok(());
    }
    let text = text_of(ty, value, form, habits)?;
    if text.contains('\0') {
        return Err(Misfit);
    }
    let limit = (ty.typmod >= 4 && matches!(ty.oid, oid::VARCHAR | oid::BPCHAR)).then(|| (ty.typmod - 4) as usize);
    let Some(limit) = limit else {
        b.append_value(text);
        return Ok(());
    };
    let length = text.chars().count();
    if length > limit {
        // As in PostgreSQL, blanks beyond the limit do not count.
        let trimmed = text.trim_end_matches(' ');
        if trimmed.chars().count() > limit {
            return Err(Misfit);
        }
        let end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
        b.append_value(&text[..end]);
        return Ok(());
    }
    if ty.oid == oid::BPCHAR && length < limit {
        b.append_value(format!("{text}{}", " ".repeat(limit - length)));
        return Ok(());
    }
    b.append_value(text);
    Ok(())
}

/// The text of all types that are stored as their text.
fn text_of<'a>(ty: PgType, value: Value<'a>, form: &Form, habits: &mut Habits) -> Put<Cow<'a, str>> {
    match (ty.oid, form) {
        (oid::JSON, _) => return json_text(value, form),
        (oid::BIT | oid::VARBIT, _) => return bits(ty, value, form, habits).map(Cow::Owned),
        (oid::POINT, _) if value.kind == Kind::Object => return point(value).map(Cow::Owned),
        (_, Form::Decimal { .. } | Form::VariableDecimal) => {
            return match decimal(value, form, habits, None)? {
                Decimal::Finite { digits, scale } => Ok(Cow::Owned(values::decimal_text(&digits, scale))),
                _ => Err(Misfit),
            };
        }
        // Types that Debezium does not know come as the bytes of their text.
        (_, Form::Bytes) => {
            let bytes = habits.base64(&plain(value)?)?;
            return std::str::from_utf8(bytes).map(|t| Cow::Owned(t.to_string())).map_err(|_| Misfit);
        }
        _ => (),
    }
    match value.kind {
        Kind::Text | Kind::Escaped => plain(value),
        _ => Ok(Cow::Borrowed(value.raw)),
    }
}

fn bits(ty: PgType, value: Value<'_>, form: &Form, habits: &mut Habits) -> Put<String> {
    match value.kind {
        Kind::True => return Ok("1".to_string()),
        Kind::False => return Ok("0".to_string()),
        _ => (),
    }
    let text = plain(value)?;
    let declared = usize::try_from(ty.typmod).ok().filter(|_| ty.oid == oid::BIT);
    let length = match form {
        Form::Bits { length } => declared.or(*length),
        _ => declared,
    };
    let already = text.bytes().all(|b| matches!(b, b'0' | b'1')) && length.is_none_or(|n| n == text.len());
    if already && !matches!(form, Form::Bits { .. }) {
        return Ok(text.into_owned());
    }
    values::bits_text(habits.base64(&text)?, length).ok_or(Misfit)
}

fn point(value: Value<'_>) -> Put<String> {
    let (mut x, mut y) = (None, None);
    let text = value.raw;
    Scan::new(text, 0)
        .members(0, |cell| match cell.name(text) {
            "x" => x = values::parse_float(cell.value(text).raw),
            "y" => y = values::parse_float(cell.value(text).raw),
            _ => (),
        })
        .map_err(|_| Misfit)?;
    let mut out = Vec::with_capacity(24);
    let mut put = |part: &[u8]| out.extend_from_slice(part);
    put(b"(");
    write_f64(x.ok_or(Misfit)?, 1, &mut put);
    put(b",");
    write_f64(y.ok_or(Misfit)?, 1, &mut put);
    put(b")");
    String::from_utf8(out).map_err(|_| Misfit)
}

fn put_elements(element: &mut Sink, value: Value<'_>, form: &Form, habits: &mut Habits) -> Put {
    let form = match form {
        Form::Array(form) => form,
        _ => &Form::Any,
    };
    if value.kind != Kind::Array {
        // MySQL's SET: the names with commas between them.
        let text = plain(value)?;
        for part in text.split(',').filter(|_| !text.is_empty()) {
            element.put(Value { kind: Kind::Text, raw: part }, form, habits)?;
        }
        return Ok(());
    }
    let mut spans = Vec::new();
    Scan::new(value.raw, 0).elements(0, |span| spans.push(span)).map_err(|_| Misfit)?;
    for span in spans {
        let raw = &value.raw[span.start as usize..span.end as usize];
        element.put(Value { kind: span.kind, raw }, form, habits)?;
    }
    Ok(())
}
