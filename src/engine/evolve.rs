//! Promise 6: how a silver table's columns follow the source's.
//!
//! A delivery says which columns and types its rows have. Columns that the table lacks are added at the end, a type that is too
//! narrow is widened, a column that the source no longer sends stays (NULL in new rows). What has no common type is an
//! error, and the rows become dead letters: never a silent NULL.

use crate::kernels::{self, CastKernel};
use crate::types::{Column, ExprType, Oid, PgError, PgResult, PgType, SqlState, TableSchema, oid};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::Field;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use std::sync::Arc;

/// The table's columns with room for the incoming ones; `None` where nothing has to change.
///
/// Errors: `42804` naming the column where two types have no common one, or where the keys differ.
pub fn merge(table: &TableSchema, incoming: &TableSchema) -> PgResult<Option<TableSchema>> {
    let mut columns = table.columns.clone();
    for new in &incoming.columns {
        match columns.iter_mut().find(|c| c.name == new.name) {
            None => columns.push(Column::new(&new.name, new.ty, true)),
            Some(old) => {
                old.ty = widest(old.ty, new.ty).ok_or_else(|| {
                    let message = format!("column \"{}\" cannot change its type", new.name);
                    PgError::new(SqlState::DATATYPE_MISMATCH, message).detail(format!(
                        "The table has {}, the source sends {}.",
                        crate::types::codec::format_type(old.ty),
                        crate::types::codec::format_type(new.ty)
                    ))
                })?;
            }
        }
    }
    let names = |schema: &TableSchema| schema.key.iter().map(|i| schema.columns[*i].name.clone()).collect::<Vec<_>>();
    if !incoming.key.is_empty() && names(table) != names(incoming) {
        let message = "the key of a table cannot change while it has rows";
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).detail(format!(
            "The table's key is ({}), the source sends ({}).",
            names(table).join(", "),
            names(incoming).join(", ")
        )));
    }
    Ok((columns != table.columns).then(|| TableSchema::new(columns, table.key.clone())))
}

/// The type that holds all values of both, where there is one.
pub fn widest(a: PgType, b: PgType) -> Option<PgType> {
    if a == b {
        return Some(a);
    }
    let integer_digits = |oid: Oid| match oid {
        oid::INT2 => Some(5),
        oid::INT4 => Some(10),
        oid::INT8 => Some(19),
        _ => None,
    };
    match (a.oid, b.oid) {
        (x, y) if integer_digits(x).is_some() && integer_digits(y).is_some() => {
            Some(if integer_digits(x) >= integer_digits(y) { a } else { b })
        }
        (oid::NUMERIC, y) if integer_digits(y).is_some() => numeric_with_integer(a, integer_digits(y)?),
        (x, oid::NUMERIC) if integer_digits(x).is_some() => numeric_with_integer(b, integer_digits(x)?),
        (oid::NUMERIC, oid::NUMERIC) => Some(match (a.numeric_typmod(), b.numeric_typmod()) {
            (Some((p1, s1)), Some((p2, s2))) => {
                let scale = s1.max(s2);
                let precision = (p1 - s1).max(p2 - s2) + scale;
                match precision <= 38 && scale >= 0 {
                    true => PgType::numeric(precision as u8, scale as i8),
                    false => PgType::new(oid::NUMERIC),
                }
            }
            _ => PgType::new(oid::NUMERIC),
        }),
        (oid::FLOAT4, oid::FLOAT8) | (oid::FLOAT8, oid::FLOAT4) => Some(PgType::new(oid::FLOAT8)),
        (oid::INT2 | oid::INT4, oid::FLOAT8) => Some(b),
        (oid::FLOAT8, oid::INT2 | oid::INT4) => Some(a),
        (oid::DATE, oid::TIMESTAMP) => Some(b),
        (oid::TIMESTAMP, oid::DATE) => Some(a),
        // Only the modifiers differ: the unconstrained type takes both.
        (x, y) if x == y => Some(PgType::new(x)),
        (x, y) if is_text(x) && is_text(y) => Some(PgType::new(oid::TEXT)),
        // Text holds the text of anything; a source that falls back to text has lost the type anyway.
        (x, _) if is_text(x) => Some(PgType::new(oid::TEXT)),
        (_, y) if is_text(y) => Some(PgType::new(oid::TEXT)),
        _ => None,
    }
}

fn is_text(oid: Oid) -> bool {
    matches!(oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR)
}

fn numeric_with_integer(numeric: PgType, digits: i32) -> Option<PgType> {
    Some(match numeric.numeric_typmod() {
        Some((precision, scale)) => {
            let precision = (precision - scale).max(digits) + scale;
            match precision <= 38 {
                true => PgType::numeric(precision as u8, scale as i8),
                false => PgType::new(oid::NUMERIC),
            }
        }
        None => numeric,
    })
}

/// Values of one type as another, by the casts that SQL has.
pub fn convert(array: &ArrayRef, from: PgType, to: &Column) -> PgResult<ArrayRef> {
    let from = ExprType { pg: from, storage: array.data_type().clone() };
    let to = ExprType { pg: to.ty, storage: to.storage() };
    match kernels::cast(&from, &to, true)? {
        CastKernel::Nothing => Ok(Arc::clone(array)),
        CastKernel::Native => Ok(arrow::compute::cast(array, &to.storage)?),
        CastKernel::Scalar(kernel) => {
            let field = |storage| Arc::new(Field::new("v", storage, true));
            let mut args = vec![ColumnarValue::Array(Arc::clone(array))];
            let mut arg_fields = vec![field(array.data_type().clone())];
            // Casts that depend on the modifier carry it in the kernel; further arguments would be constants.
            for storage in kernel.args.iter().skip(1) {
                args.push(ColumnarValue::Scalar(ScalarValue::try_from(storage)?));
                arg_fields.push(field(storage.clone()));
            }
            let out = kernel.udf.invoke_with_args(ScalarFunctionArgs {
                args,
                arg_fields,
                number_rows: array.len(),
                return_field: field(to.storage.clone()),
                config_options: Arc::new(ConfigOptions::default()),
            })?;
            Ok(out.into_array(array.len())?)
        }
    }
}

/// Rows of `from`'s columns as rows of `to`'s: by name, converted where the type differs, NULL where missing.
pub fn conform(rows: &RecordBatch, from: &TableSchema, to: &TableSchema) -> PgResult<RecordBatch> {
    let column = |target: &Column| match from.index_of(&target.name) {
        None => Ok(new_null_array(&target.storage(), rows.num_rows())),
        Some(i) if from.columns[i].storage() == target.storage() => Ok(Arc::clone(rows.column(i))),
        Some(i) => convert(rows.column(i), from.columns[i].ty, target),
    };
    let columns = to.columns.iter().map(column).collect::<PgResult<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(to.arrow()), columns, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(columns: &[(&str, PgType)]) -> TableSchema {
        let columns = columns.iter().map(|(name, ty)| Column::new(*name, *ty, true)).collect();
        TableSchema::new(columns, vec![0])
    }

    #[test]
    fn columns_are_added_widened_and_kept() {
        let table = schema(&[("id", PgType::new(oid::INT4)), ("gone", PgType::new(oid::TEXT))]);
        let incoming = schema(&[("id", PgType::new(oid::INT8)), ("new", PgType::numeric(12, 2))]);
        let merged = merge(&table, &incoming).expect("these types have common ones").expect("something changes");
        let names: Vec<_> = merged.columns.iter().map(|c| (c.name.as_str(), c.ty)).collect();
        let expected =
            [("id", PgType::new(oid::INT8)), ("gone", PgType::new(oid::TEXT)), ("new", PgType::numeric(12, 2))];
        assert_eq!(names, expected);
        assert_eq!(merge(&merged, &incoming), Ok(None));
    }

    #[test]
    fn types_without_a_common_one_are_refused_by_name() {
        let table = schema(&[("id", PgType::new(oid::INT4)), ("at", PgType::new(oid::BOOL))]);
        let incoming = schema(&[("id", PgType::new(oid::INT4)), ("at", PgType::new(oid::DATE))]);
        let error = merge(&table, &incoming).expect_err("bool and date have nothing in common");
        assert_eq!(error.message, "column \"at\" cannot change its type");
    }

    #[test]
    fn a_numeric_grows_on_both_sides_of_the_point() {
        assert_eq!(widest(PgType::numeric(10, 2), PgType::numeric(8, 4)), Some(PgType::numeric(12, 4)));
        assert_eq!(widest(PgType::numeric(10, 2), PgType::new(oid::INT8)), Some(PgType::numeric(21, 2)));
    }
}
