//! How a column's values are encoded on the wire, read from a message's schema block.

use super::values::Unit;
use crate::types::{PgType, oid};
use serde::Deserialize;
use std::collections::HashMap;

/// An encoding. [`Form::Any`] is all that is known without a schema block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Whatever JSON has a meaning for the column's type.
    Any,
    Bool,
    Int,
    Float,
    Text,
    /// Base64 of the bytes.
    Bytes,
    /// Base64 of the unscaled integer.
    Decimal {
        scale: i32,
    },
    /// `{"scale": …, "value": base64}`
    VariableDecimal,
    Date,
    Time(Unit),
    Timestamp(Unit),
    /// µs, as an interval.
    Duration,
    /// `length` of bit(n); little-endian bytes in base64.
    Bits {
        length: Option<usize>,
    },
    Point,
    /// `{"wkb": base64, "srid": …}`
    Geometry,
    /// JSON text in a string.
    JsonText,
    /// Any JSON.
    Json,
    Array(Box<Form>),
}

/// A column as a schema block describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockColumn {
    pub name: String,
    pub ty: PgType,
    pub nullable: bool,
    pub form: Form,
}

/// What is taken from a schema block: the columns of the row (`after`), or all fields where the message is no envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    pub columns: Vec<BlockColumn>,
}

/// Connect's schema as JSON.
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "type")]
    ty: String,
    #[serde(default)]
    optional: bool,
    name: Option<String>,
    field: Option<String>,
    #[serde(default)]
    fields: Vec<Described>,
    items: Option<Box<Described>>,
    #[serde(default)]
    parameters: HashMap<String, String>,
}

/// Reads the text of a schema block; `None` where it is not one.
pub fn read_block(text: &str) -> Option<Block> {
    let described: Option<Described> = serde_json::from_str(text).ok()?;
    // A tombstone's or primitive's schema may be null.
    let Some(described) = described else { return Some(Block::default()) };
    let has = |name: &str| described.fields.iter().any(|f| f.field.as_deref() == Some(name));
    let row = match described.fields.iter().find(|f| f.field.as_deref() == Some("after")) {
        Some(after) if has("op") && after.ty == "struct" => after,
        _ => &described,
    };
    let columns = row.fields.iter().filter_map(|field| {
        let (ty, form) = meaning(field);
        Some(BlockColumn { name: field.field.clone()?, ty, nullable: field.optional, form })
    });
    Some(Block { columns: columns.collect() })
}

/// Type and encoding of one field: the table of Connect's and Debezium's logical types.
fn meaning(field: &Described) -> (PgType, Form) {
    let parameter = |name: &str| field.parameters.get(name).and_then(|p| p.parse::<i32>().ok());
    let plain = |oid, form| (PgType::new(oid), form);
    let precise = |oid, precision, form| (PgType { oid, typmod: precision }, form);
    let name = field.name.as_deref().unwrap_or("");
    let debezium = name.strip_prefix("io.debezium.").or_else(|| name.strip_prefix("org.apache.kafka.connect."));
    match debezium.unwrap_or("") {
        "data.Decimal" => {
            let scale = parameter("scale").unwrap_or(0);
            let precision = parameter("connect.decimal.precision");
            let ty = match (precision, i8::try_from(scale)) {
                (Some(p @ 1..=255), Ok(s)) => PgType::numeric(p as u8, s),
                _ => PgType::new(oid::NUMERIC),
            };
            return (ty, Form::Decimal { scale });
        }
        "data.VariableScaleDecimal" => return plain(oid::NUMERIC, Form::VariableDecimal),
        // Connect's own Date, Time and Timestamp share the `data.` prefix with Debezium's types.
        "time.Date" | "data.Date" => return plain(oid::DATE, Form::Date),
        "time.IsoDate" => return plain(oid::DATE, Form::Any),
        "time.Time" | "data.Time" => return precise(oid::TIME, 3, Form::Time(Unit::Millis)),
        "time.MicroTime" => return plain(oid::TIME, Form::Time(Unit::Micros)),
        "time.NanoTime" => return plain(oid::TIME, Form::Time(Unit::Nanos)),
        "time.IsoTime" => return plain(oid::TIME, Form::Any),
        "time.ZonedTime" => return plain(oid::TIMETZ, Form::Any),
        "time.Timestamp" | "data.Timestamp" => return precise(oid::TIMESTAMP, 3, Form::Timestamp(Unit::Millis)),
        "time.MicroTimestamp" => return plain(oid::TIMESTAMP, Form::Timestamp(Unit::Micros)),
        "time.NanoTimestamp" => return plain(oid::TIMESTAMP, Form::Timestamp(Unit::Nanos)),
        "time.IsoTimestamp" => return plain(oid::TIMESTAMP, Form::Any),
        "time.ZonedTimestamp" => return plain(oid::TIMESTAMPTZ, Form::Any),
        "time.MicroDuration" => return plain(oid::INTERVAL, Form::Duration),
        "time.NanoDuration" => return plain(oid::INTERVAL, Form::Any),
        "time.Interval" => return plain(oid::INTERVAL, Form::Any),
        "time.Year" => return plain(oid::INT4, Form::Int),
        "data.Uuid" => return plain(oid::UUID, Form::Any),
        "data.Json" => return plain(oid::JSONB, Form::JsonText),
        "data.Xml" => return plain(oid::XML, Form::Text),
        "data.Bits" => {
            let length = parameter("length").and_then(|n| usize::try_from(n).ok());
            // Debezium gives bit varying without a length, or with the largest integer.
            return match length.filter(|n| (1..=83_886_080).contains(n)) {
                Some(n) => (PgType { oid: oid::BIT, typmod: n as i32 }, Form::Bits { length }),
                None => plain(oid::VARBIT, Form::Bits { length: None }),
            };
        }
        "data.geometry.Point" => return plain(oid::POINT, Form::Point),
        "data.geometry.Geometry" | "data.geometry.Geography" => return plain(oid::BYTEA, Form::Geometry),
        _ => (),
    }
    match field.ty.as_str() {
        "boolean" => plain(oid::BOOL, Form::Bool),
        "int8" | "int16" => plain(oid::INT2, Form::Int),
        "int32" => plain(oid::INT4, Form::Int),
        "int64" => plain(oid::INT8, Form::Int),
        "float" | "float32" => plain(oid::FLOAT4, Form::Float),
        "double" | "float64" => plain(oid::FLOAT8, Form::Float),
        "bytes" => plain(oid::BYTEA, Form::Bytes),
        "array" => {
            let element = field.items.as_deref().map(meaning);
            let array = element.as_ref().and_then(|(ty, _)| oid::array_of(ty.oid));
            match (element, array) {
                (Some((ty, form)), Some(oid)) => (PgType { oid, typmod: ty.typmod }, Form::Array(Box::new(form))),
                _ => plain(oid::JSONB, Form::Json),
            }
        }
        "struct" | "map" => plain(oid::JSONB, Form::Json),
        _ => plain(oid::TEXT, Form::Text),
    }
}
