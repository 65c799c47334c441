//! Comparisons where storage is not compared as PostgreSQL compares: through keys, or by bringing both sides to one
//! type first.

use super::facts::OperatorRow;
use super::kernel::{Body, Call, Column, Nature, ScalarKernel, kernel};
use super::keys::{self, KeyRows};
use crate::types::{ExprType, PgError, PgResult, PgType, oid};
use arrow::array::{Array, ArrayRef, BooleanArray, Datum, Scalar};
use arrow::compute::kernels::cmp;
use datafusion::logical_expr::Operator;
use std::cmp::Ordering;
use std::sync::Arc;

/// A kernel for a comparison between these types, if there is one.
pub fn comparison(
    comparison: Operator,
    op: &OperatorRow,
    left: &ExprType,
    right: &ExprType,
) -> PgResult<Option<ScalarKernel>> {
    let body: Body = match (op.left, op.right) {
        (oid::NUMERIC, oid::NUMERIC) | (oid::INTERVAL, oid::INTERVAL) | (oid::TIMETZ, oid::TIMETZ) => {
            by_key(comparison)
        }
        (oid::BPCHAR, oid::BPCHAR) | (oid::JSONB, oid::JSONB) | (oid::INET, oid::INET) => by_key(comparison),
        (oid::PG_LSN, oid::PG_LSN) => by_key(comparison),
        (oid::TSVECTOR, oid::TSVECTOR) | (oid::TSQUERY, oid::TSQUERY) => by_key(comparison),
        (oid::ANYRANGE, oid::ANYRANGE) | (oid::ANYMULTIRANGE, oid::ANYMULTIRANGE) => by_key(comparison),
        (oid::ANYARRAY, oid::ANYARRAY) => by_rows(comparison),
        _ => return Ok(None),
    };
    let declared = |given: &ExprType, declared| match declared {
        // Two decimals of scales without a common one meet as sortable forms.
        oid::NUMERIC => ExprType::of(PgType::new(oid::NUMERIC)),
        oid::ANYARRAY | oid::ANYRANGE | oid::ANYMULTIRANGE | oid::BPCHAR => given.clone(),
        other => ExprType::of(PgType::new(other)),
    };
    let args = vec![declared(left, op.left), declared(right, op.right)];
    if op.left == oid::ANYARRAY && args[0].storage != args[1].storage {
        return Err(PgError::internal("arrays are compared in one storage form"));
    }
    let name = format!("compare_{}_{}", op.name, op.oid);
    Ok(Some(kernel(&name, Nature::STRICT, args, ExprType::of(PgType::new(oid::BOOL)), body)))
}

/// Compares columns of equal storage.
pub fn compare_columns(op: Operator, left: &Column, right: &Column, rows: usize) -> PgResult<ArrayRef> {
    let compare = |l: &dyn Datum, r: &dyn Datum| match op {
        Operator::Eq => cmp::eq(l, r),
        Operator::NotEq => cmp::neq(l, r),
        Operator::Lt => cmp::lt(l, r),
        Operator::LtEq => cmp::lt_eq(l, r),
        Operator::Gt => cmp::gt(l, r),
        _ => cmp::gt_eq(l, r),
    };
    let scalar = |c: &Column| Scalar::new(Arc::clone(&c.array));
    let result = match (left.constant, right.constant) {
        (false, false) => compare(&left.array, &right.array)?,
        (true, false) => compare(&scalar(left), &right.array)?,
        (false, true) => compare(&left.array, &scalar(right))?,
        (true, true) => {
            let one = compare(&left.array, &right.array)?;
            let value = (!one.is_null(0)).then(|| one.value(0));
            BooleanArray::from(vec![value; rows])
        }
    };
    Ok(Arc::new(result))
}

/// One side's keys.
fn key_column(call: &Call<'_>, arg: usize) -> PgResult<Column> {
    let column = &call.args[arg];
    Ok(Column { array: keys::keys(&call.arg_types[arg], &column.array)?, constant: column.constant })
}

fn by_key(op: Operator) -> Body {
    Arc::new(move |call| compare_columns(op, &key_column(call, 0)?, &key_column(call, 1)?, call.rows))
}

/// Whether an order satisfies a comparison.
pub fn satisfies(op: Operator, order: Ordering) -> bool {
    match op {
        Operator::Eq => order.is_eq(),
        Operator::NotEq => order.is_ne(),
        Operator::Lt => order.is_lt(),
        Operator::LtEq => order.is_le(),
        Operator::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// Arrays: element by element, then by length; NULL elements are equal and the greatest.
fn by_rows(op: Operator) -> Body {
    Arc::new(move |call| {
        let converter = KeyRows::new(&call.arg_types[0])?;
        let (left, right) = (&call.args[0], &call.args[1]);
        let (l, r) = (converter.rows(&left.array)?, converter.rows(&right.array)?);
        super::adapt::strict_rows::<super::adapt::Bool>(call, |i| {
            Ok(Some(satisfies(op, l.row(left.at(i)).cmp(&r.row(right.at(i))))))
        })
    })
}
