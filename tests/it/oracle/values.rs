//! The types of the oracle's columns and the values that they take.

use sluice::types::{PgType, oid};

/// The types that columns and expressions have. `Fixed` is numeric(10,2), `Char` char(3), `Ints` int4[]; `Other` is anything
/// that is shown and not computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Int4,
    Text,
    Int8,
    Fixed,
    Float,
    Bool,
    Timestamp,
    Numeric,
    Date,
    Interval,
    Jsonb,
    Int2,
    Real,
    Timestamptz,
    Uuid,
    Char,
    Ints,
    Bytes,
    Other,
}

/// What columns are made of; the first ones are there twice, so that tables have something to join on.
pub const STORED: [Ty; 21] = [
    Ty::Int4,
    Ty::Text,
    Ty::Int8,
    Ty::Fixed,
    Ty::Float,
    Ty::Bool,
    Ty::Timestamp,
    Ty::Numeric,
    Ty::Date,
    Ty::Interval,
    Ty::Jsonb,
    Ty::Int2,
    Ty::Real,
    Ty::Timestamptz,
    Ty::Uuid,
    Ty::Char,
    Ty::Ints,
    Ty::Bytes,
    Ty::Int4,
    Ty::Text,
    Ty::Fixed,
];

impl Ty {
    pub fn pg(self) -> PgType {
        match self {
            Self::Int2 => PgType::new(oid::INT2),
            Self::Int4 => PgType::new(oid::INT4),
            Self::Int8 => PgType::new(oid::INT8),
            Self::Text | Self::Other => PgType::new(oid::TEXT),
            Self::Char => PgType { oid: oid::BPCHAR, typmod: 3 + 4 },
            Self::Fixed => PgType::numeric(10, 2),
            Self::Numeric => PgType::new(oid::NUMERIC),
            Self::Real => PgType::new(oid::FLOAT4),
            Self::Float => PgType::new(oid::FLOAT8),
            Self::Bool => PgType::new(oid::BOOL),
            Self::Timestamp => PgType::new(oid::TIMESTAMP),
            Self::Timestamptz => PgType::new(oid::TIMESTAMPTZ),
            Self::Date => PgType::new(oid::DATE),
            Self::Interval => PgType::new(oid::INTERVAL),
            Self::Jsonb => PgType::new(oid::JSONB),
            Self::Uuid => PgType::new(oid::UUID),
            Self::Ints => PgType::new(oid::array_of(oid::INT4).expect("every type has an array")),
            Self::Bytes => PgType::new(oid::BYTEA),
        }
    }

    pub fn sql(self) -> &'static str {
        match self {
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Text | Self::Other => "text",
            Self::Char => "char(3)",
            Self::Fixed => "numeric(10,2)",
            Self::Numeric => "numeric",
            Self::Real => "float4",
            Self::Float => "float8",
            Self::Bool => "bool",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Date => "date",
            Self::Interval => "interval",
            Self::Jsonb => "jsonb",
            Self::Uuid => "uuid",
            Self::Ints => "int4[]",
            Self::Bytes => "bytea",
        }
    }

    /// The first letter of columns of the type.
    pub fn letter(self) -> char {
        match self {
            Self::Int2 => 'k',
            Self::Int4 => 'i',
            Self::Int8 => 'l',
            Self::Text | Self::Other => 's',
            Self::Char => 'c',
            Self::Fixed => 'n',
            Self::Numeric => 'm',
            Self::Real => 'r',
            Self::Float => 'f',
            Self::Bool => 'b',
            Self::Timestamp => 't',
            Self::Timestamptz => 'z',
            Self::Date => 'd',
            Self::Interval => 'v',
            Self::Jsonb => 'j',
            Self::Uuid => 'u',
            Self::Ints => 'a',
            Self::Bytes => 'x',
        }
    }

    /// Few values, so that they meet, and some rare ones from the edges. Sums of the floats are exact in any order.
    fn values(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Int2 => (&["0", "1", "2", "3", "-1"], &["32767", "-32768"]),
            Self::Int4 => (&["0", "1", "2", "3", "-1", "7"], &["2147483647", "-2147483648"]),
            Self::Int8 => (&["0", "1", "2", "5", "-3"], &["9223372036854775807", "4294967296"]),
            Self::Text | Self::Other => (&["a", "b", "ab", "", "B", "1"], &["a ", "ä", "%", "NULL", "it's"]),
            Self::Char => (&["a", "b", "ab", "", "B"], &["a b", "ä"]),
            Self::Fixed => (&["0.00", "1.00", "1.50", "2.25", "-1.00"], &["99999999.99", "-99999999.99"]),
            Self::Numeric => (
                &["0", "1", "1.0", "1.50", "2.25", "-1"],
                &["NaN", "100000000000000000000.001", "1e-12", "Infinity", "-Infinity"],
            ),
            Self::Real => (&["0", "1", "0.25", "-0", "-1", "2"], &["NaN", "1.5", "-Infinity", "1e30"]),
            Self::Float => (&["0", "1", "0.25", "-0", "-1", "2"], &["NaN", "1.5", "Infinity", "1e300"]),
            Self::Bool => (&["t", "f"], &[]),
            Self::Timestamp => (
                &["2024-01-01 00:00:00", "2024-01-01 00:00:30", "2024-01-01 01:00:00", "2024-01-02 00:00:00"],
                &["infinity", "1969-12-31 23:59:59.999999"],
            ),
            Self::Timestamptz => (
                &[
                    "2024-01-01 00:00:00+00",
                    "2024-01-01 01:00:00+00",
                    "2024-01-01 23:30:00-02",
                    "2024-03-31 02:30:00+01",
                ],
                &["-infinity", "1969-12-31 23:59:59.999999+00"],
            ),
            Self::Date => (&["2024-01-01", "2024-01-02", "2024-02-29"], &["infinity", "0044-03-15 BC"]),
            // None that are equal and look different: which one stands for both is open.
            Self::Interval => (&["1 day", "02:00:00", "00:30:00", "1 mon", "-1 day"], &["1 year -3 days"]),
            Self::Jsonb => (
                &["1", "{\"a\": 1}", "{\"a\": 2, \"b\": [1, 2]}", "[]", "\"x\"", "null"],
                &["1.0", "[1, {\"a\": null}]", "{\"a\": {\"b\": true}}"],
            ),
            Self::Uuid => (
                &[
                    "00000000-0000-0000-0000-000000000001",
                    "00000000-0000-0000-0000-000000000002",
                    "ffffffff-0000-4000-8000-00000000000f",
                ],
                &[],
            ),
            Self::Ints => (&["{}", "{1}", "{1,2}", "{NULL,2}", "{2,1}"], &["{1,1,1}", "{2147483647}"]),
            Self::Bytes => (&["\\x", "\\x61", "\\x6162", "\\x00ff"], &["\\xffffffff"]),
        }
    }

    /// A value's text; NULL now and then.
    pub fn value(self, number: u16) -> Option<String> {
        let (common, rare) = self.values();
        let number = usize::from(number);
        if number % 8 == 7 {
            return None;
        }
        if number % 37 == 36 && !rare.is_empty() {
            return Some(rare[number / 37 % rare.len()].to_string());
        }
        Some(common[number % common.len()].to_string())
    }

    /// A value as an expression of exactly this type.
    pub fn literal(self, number: u16) -> String {
        match self.value(number) {
            Some(text) => format!("{}::{}", quoted(&text), self.sql()),
            None => format!("NULL::{}", self.sql()),
        }
    }

    /// A type that holds all its values, where a source may go over to it.
    pub fn widened(self, number: u8) -> Option<Self> {
        let wider: &[Self] = match self {
            Self::Int2 => &[Self::Int4, Self::Int8, Self::Text],
            Self::Int4 => &[Self::Int8, Self::Text],
            Self::Fixed => &[Self::Numeric],
            Self::Real => &[Self::Float],
            Self::Date => &[Self::Timestamp],
            Self::Char | Self::Bool => &[Self::Text],
            _ => &[],
        };
        (!wider.is_empty()).then(|| wider[usize::from(number) % wider.len()])
    }
}

pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
