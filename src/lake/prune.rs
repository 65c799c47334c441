//! What a reader need not read: files by the log's statistics, row groups by Parquet's.
//!
//! Both say of a column only that all its values lie between two bounds; whatever is not known for certain is read.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use parquet::basic::LogicalType;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use serde_json::Value;
use std::cmp::Ordering;

/// How a column compares with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Rows in which a column compares so with a value, which has the column's storage form.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub column: String,
    pub comparison: Comparison,
    pub value: ScalarValue,
}

impl Wanted {
    /// Whether a value between two bounds can be wanted; `compare` orders a bound against the value.
    fn fits(&self, low: Option<Ordering>, high: Option<Ordering>) -> bool {
        let (Some(low), Some(high)) = (low, high) else { return true };
        match self.comparison {
            Comparison::Equal => low != Ordering::Greater && high != Ordering::Less,
            Comparison::Less => low == Ordering::Less,
            Comparison::LessOrEqual => low != Ordering::Greater,
            Comparison::Greater => high == Ordering::Greater,
            Comparison::GreaterOrEqual => high != Ordering::Less,
        }
    }
}

/// Whole numbers, days and µs as one.
fn whole(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int16(value) => value.map(i64::from),
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int64(value) => *value,
        ScalarValue::Date32(value) => value.map(i64::from),
        ScalarValue::TimestampMicrosecond(value, _) => *value,
        _ => None,
    }
}

/// Whether a file may hold wanted rows; `stats`: Delta's statistics, JSON.
pub(super) fn may_have(stats: &str, wanted: &[Wanted]) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let Ok(stats) = serde_json::from_str::<Value>(stats) else { return true };
    let bound = |of: &str, wanted: &Wanted| compare_bound(stats.get(of)?.get(&wanted.column)?, &wanted.value, of);
    wanted.iter().all(|wanted| wanted.fits(bound("minValues", wanted), bound("maxValues", wanted)))
}

fn compare_bound(bound: &Value, value: &ScalarValue, of: &str) -> Option<Ordering> {
    match (bound, value) {
        (Value::Number(bound), ScalarValue::Int16(_) | ScalarValue::Int32(_) | ScalarValue::Int64(_)) => {
            Some(bound.as_i64()?.cmp(&whole(value)?))
        }
        (Value::String(bound), ScalarValue::Utf8(Some(value))) => Some(bound.as_bytes().cmp(value.as_bytes())),
        (Value::String(bound), ScalarValue::Date32(Some(days))) => {
            let bound = chrono::NaiveDate::parse_from_str(bound, "%Y-%m-%d").ok()?;
            let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1)?;
            Some((bound - epoch).num_days().cmp(&i64::from(*days)))
        }
        (Value::String(bound), ScalarValue::TimestampMicrosecond(Some(us), _)) => {
            let text = bound.trim_end_matches('Z');
            let bound = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
            let bound = bound.and_utc().timestamp_micros();
            // Some writers cut to milliseconds: the least value may then be less than its bound says, never more.
            let slack = if of == "maxValues" { 999 } else { 0 };
            Some((bound + slack).cmp(us))
        }
        _ => None,
    }
}

/// Whether a row group may hold wanted rows.
pub(super) fn group_may_have(group: &RowGroupMetaData, wanted: &[Wanted]) -> bool {
    wanted.iter().all(|wanted| {
        let column = group.columns().iter().find(|column| {
            let path = column.column_path().parts();
            path.len() == 1 && path[0] == wanted.column
        });
        let Some((column, statistics)) = column.and_then(|column| Some((column, column.statistics()?))) else {
            return true;
        };
        // An older file may have the column in a narrower type, whose numbers mean something else.
        let is_alike = match (column.column_descr().logical_type_ref(), &wanted.value) {
            (Some(LogicalType::Date), value) => matches!(value, ScalarValue::Date32(_)),
            (Some(LogicalType::Timestamp { .. }), value) => matches!(value, ScalarValue::TimestampMicrosecond(..)),
            (_, value) => !matches!(value, ScalarValue::Date32(_) | ScalarValue::TimestampMicrosecond(..)),
        };
        if !is_alike {
            return true;
        }
        let (low, high) = match (statistics, whole(&wanted.value), &wanted.value) {
            (Statistics::Int32(bounds), Some(value), _) => {
                let order = |bound: Option<&i32>| bound.map(|bound| i64::from(*bound).cmp(&value));
                (order(bounds.min_opt()), order(bounds.max_opt()))
            }
            (Statistics::Int64(bounds), Some(value), _) => {
                let order = |bound: Option<&i64>| bound.map(|bound| bound.cmp(&value));
                (order(bounds.min_opt()), order(bounds.max_opt()))
            }
            (Statistics::ByteArray(bounds), _, ScalarValue::Utf8(Some(value))) => {
                let order = |bound: Option<&parquet::data_type::ByteArray>| {
                    bound.map(|bound| bound.data().cmp(value.as_bytes()))
                };
                (order(bounds.min_opt()), order(bounds.max_opt()))
            }
            _ => (None, None),
        };
        wanted.fits(low, high)
    })
}

/// Whether bounds say anything of columns stored so.
pub fn is_prunable(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _)
            | DataType::Utf8
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(column: &str, comparison: Comparison, value: ScalarValue) -> Wanted {
        Wanted { column: column.to_owned(), comparison, value }
    }

    #[test]
    fn bounds_decide_only_what_is_certain() {
        let stats = r#"{"numRecords":3,"minValues":{"n":5,"t":"b","d":"2024-01-02","at":"2024-01-02T00:00:00.000001Z"},
            "maxValues":{"n":9,"t":"d","d":"2024-02-01","at":"2024-01-03T00:00:00.000001Z"}}"#;
        let n = |comparison, value| may_have(stats, &[wanted("n", comparison, ScalarValue::Int32(Some(value)))]);
        assert!(
            n(Comparison::Equal, 5) && n(Comparison::Equal, 9) && !n(Comparison::Equal, 4) && !n(Comparison::Equal, 10)
        );
        assert!(!n(Comparison::Less, 5) && n(Comparison::LessOrEqual, 5) && !n(Comparison::Greater, 9));
        assert!(n(Comparison::GreaterOrEqual, 9) && !n(Comparison::GreaterOrEqual, 10));
        let text = |value: &str| may_have(stats, &[wanted("t", Comparison::Equal, ScalarValue::from(value))]);
        assert!(text("c") && !text("a") && !text("e"));
        let day = |days| may_have(stats, &[wanted("d", Comparison::Equal, ScalarValue::Date32(Some(days)))]);
        assert!(day(19_724) && !day(19_723));
        let at = |us| {
            let value = ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
            may_have(stats, &[wanted("at", Comparison::GreaterOrEqual, value)])
        };
        assert!(at(1_704_240_000_000_001) && !at(1_704_240_000_100_000));
        assert!(may_have(stats, &[wanted("unknown", Comparison::Equal, ScalarValue::Int32(Some(1)))]));
        assert!(may_have(stats, &[wanted("n", Comparison::Equal, ScalarValue::Float64(Some(1.0)))]));
    }
}
