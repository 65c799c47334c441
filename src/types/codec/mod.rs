//! The text and binary codecs of every storage form (see `PgType::storage`).
//!
//! Out: a [`ColumnEncoder`] is resolved once for a result column, bound once for a batch, and then writes wire fields
//! without allocation. In: a [`ColumnBuilder`] takes PostgreSQL text or binary values into an Arrow array; literals and
//! parameters go the same way, one value at a time.

mod array_input;
mod build;
mod encode;
mod float;
mod names;
mod text_input;

#[cfg(test)]
mod tests;

pub use build::ColumnBuilder;
pub use encode::{BoundColumn, ColumnEncoder};
pub use float::{write_f32, write_f64};
pub use names::{format_type, type_from_sql_name};
pub use text_input::{parse_bool, parse_bytea, parse_f32, parse_f64, parse_integer, parse_uuid};

use super::datetime::{DateOrder, Input, Zone};
use super::interval::IntervalStyle;
use super::{PgError, PgResult, PgType};
use arrow::array::Array;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

/// `bytea_output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ByteaOutput {
    #[default]
    Hex,
    Escape,
}

/// A session's settings that text depends on. Dates are shown in ISO style only; `date_order` is for input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextSettings {
    pub timezone: Zone,
    pub date_order: DateOrder,
    pub interval_style: IntervalStyle,
    pub bytea_output: ByteaOutput,
    /// Above 0: the shortest text that reads back the same; else so many digits fewer than the type's 15 or 6.
    pub extra_float_digits: i32,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            timezone: Zone::Utc,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            bytea_output: ByteaOutput::Hex,
            extra_float_digits: 1,
        }
    }
}

impl TextSettings {
    pub fn input(&self) -> Input<'_> {
        Input { zone: &self.timezone, order: self.date_order }
    }
}

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

/// The text of one value, as a cast to text gives it.
pub fn text_of(
    ty: PgType,
    storage: &DataType,
    array: &dyn Array,
    row: usize,
    settings: &TextSettings,
) -> PgResult<Option<String>> {
    let encoder = ColumnEncoder::new(ty, storage, Format::Text, settings)?;
    let column = encoder.column(array)?;
    if column.is_null(row) {
        return Ok(None);
    }
    let mut out = Vec::new();
    column.write_value(row, &mut out);
    String::from_utf8(out).map(Some).map_err(|_| PgError::internal("a value's text is not UTF-8"))
}

/// One value of `ty` from its text, in the storage form of `ty`; the typmod is applied as for input (not as an explicit
/// cast does: too long a varchar is 22001).
pub fn parse_text(ty: PgType, text: &str, settings: &TextSettings) -> PgResult<ScalarValue> {
    let mut builder = ColumnBuilder::with_settings(ty, *settings);
    builder.push_text(text)?;
    Ok(ScalarValue::try_from_array(&builder.finish()?, 0)?)
}

/// As [`parse_text`], an array that the plain form does not hold in the shaped form.
pub fn parse_literal(ty: PgType, text: &str, settings: &TextSettings) -> PgResult<ScalarValue> {
    let Some(shaped) = super::array::shaped(&ty.storage()) else { return parse_text(ty, text, settings) };
    let mut builder = ColumnBuilder::with_storage(ty, &shaped, *settings);
    builder.push_text(text)?;
    let column = builder.finish()?;
    let arrays = super::array::Arrays::new(column.as_ref())?;
    let column = if arrays.is_plain(0) { arrays.to_plain()? } else { column };
    Ok(ScalarValue::try_from_array(&column, 0)?)
}

/// One value of `ty` from PostgreSQL's binary format.
pub fn parse_binary(ty: PgType, bytes: &[u8]) -> PgResult<ScalarValue> {
    let mut builder = ColumnBuilder::new(ty);
    builder.push_binary(bytes)?;
    Ok(ScalarValue::try_from_array(&builder.finish()?, 0)?)
}
