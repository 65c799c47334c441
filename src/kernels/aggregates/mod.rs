//! Aggregates: DataFusion's own where they give PostgreSQL's value, ours otherwise.
//!
//! Ours are [`udaf`]s around a [`fold::Fold`] (one running state), a `GroupsAccumulator` where groups are many and rows
//! are hot ([`totals`]), or a function of all rows at once ([`gather`]), which also serves DISTINCT and ORDER BY. Sums
//! never wrap. Folds retract where they can, for sliding frames and for views.

mod collect;
mod exact;
mod extremes;
mod fold;
mod gather;
mod hypothetical;
mod moments;
mod numeric_sum;
mod regression;
#[cfg(test)]
mod tests;
mod totals;
mod udaf;

pub use exact::{ExactSum, FloatResult};
pub use fold::Fold;
pub use hypothetical::hypothetical;
pub use udaf::{MakeFold, retracting, steady, takes_rows_in_order};

use super::facts::{ProcRow, facts};
use super::kernel::no_kernel;
use super::operators::orders_natively;
use crate::types::{ExprType, Oid, PgResult, PgType, oid};
use arrow::datatypes::DataType;
use datafusion::functions_aggregate as native;
use datafusion::logical_expr::AggregateUDF;
use std::sync::Arc;

/// An aggregate, ready to be put into a plan.
#[derive(Debug, Clone)]
pub struct AggregateKernel {
    pub udf: Arc<AggregateUDF>,
    /// The storage that each argument must have.
    pub args: Vec<DataType>,
    pub result: ExprType,
}

/// The kernel of an aggregate by its `pg_proc` OID.
///
/// `count(*)` comes without argument types; its function takes a literal 1. Ordered-set aggregates take their direct
/// arguments first and then the ordered values, which the caller also gives as the ORDER BY of the call.
pub fn aggregate(proc: Oid, args: &[ExprType]) -> PgResult<AggregateKernel> {
    let Some(row) = facts().proc_row(proc).filter(|r| r.kind == 'a') else {
        return Err(no_kernel(&proc.to_string(), args));
    };
    let own = ExprType::of(PgType::new(row.result));
    let native = |udf: Arc<AggregateUDF>, result: ExprType| {
        Ok(AggregateKernel { udf, args: args.iter().map(|a| a.storage.clone()).collect(), result })
    };
    match (row.name, args) {
        ("count", []) => {
            Ok(AggregateKernel { udf: native::count::count_udaf(), args: vec![DataType::Int64], result: own })
        }
        ("count", _) => native(native::count::count_udaf(), own),
        ("bool_and" | "every", _) => native(native::bool_and_or::bool_and_udaf(), own),
        ("bool_or", _) => native(native::bool_and_or::bool_or_udaf(), own),
        ("bit_and", [arg]) if is_integer(arg) => native(native::bit_and_or_xor::bit_and_udaf(), arg.clone()),
        ("bit_or", [arg]) if is_integer(arg) => native(native::bit_and_or_xor::bit_or_udaf(), arg.clone()),
        ("bit_xor", [arg]) if is_integer(arg) => native(native::bit_and_or_xor::bit_xor_udaf(), arg.clone()),
        ("min" | "max", [arg]) => {
            let result = extreme_result(row, arg);
            if natively_ordered(arg) {
                let udf = if row.name == "min" { native::min_max::min_udaf() } else { native::min_max::max_udaf() };
                return native(udf, result);
            }
            extremes::extreme(row, arg, result)
        }
        ("sum", [arg]) if arg.pg.oid == oid::MONEY => collect::collect(row, args),
        ("sum" | "avg", [arg]) => totals::total(row, arg),
        ("stddev" | "stddev_samp" | "stddev_pop" | "variance" | "var_samp" | "var_pop", [arg]) => {
            moments::moment(row, arg)
        }
        ("corr" | "covar_pop" | "covar_samp", _) => regression::regression(row, args),
        (name, _) if name.starts_with("regr_") => regression::regression(row, args),
        _ => collect::collect(row, args),
    }
}

fn is_integer(ty: &ExprType) -> bool {
    matches!(ty.pg.oid, oid::INT2 | oid::INT4 | oid::INT8)
}

/// Where DataFusion's minimum and maximum are PostgreSQL's. Floats are not: NaN is PostgreSQL's greatest.
fn natively_ordered(arg: &ExprType) -> bool {
    match arg.pg.oid {
        oid::FLOAT4 | oid::FLOAT8 | oid::BOOL | oid::UUID => false,
        // The sortable form is made to be compared by its bytes.
        oid::NUMERIC => true,
        other => orders_natively(other),
    }
}

/// Polymorphic extremes and those of a numeric keep the argument's type.
fn extreme_result(row: &ProcRow, arg: &ExprType) -> ExprType {
    match row.result {
        oid::NUMERIC => ExprType { pg: PgType::new(oid::NUMERIC), storage: arg.storage.clone() },
        oid::ANYARRAY | oid::ANYENUM | oid::ANYELEMENT => arg.clone(),
        other => ExprType::of(PgType::new(other)),
    }
}
