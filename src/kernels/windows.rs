//! Window functions. DataFusion's own, where they were found equal to PostgreSQL's; aggregates over windows are
//! [`super::aggregate`]'s.

use super::facts::facts;
use super::kernel::no_kernel;
use crate::types::{ExprType, Oid, PgResult, PgType};
use arrow::datatypes::DataType;
use datafusion::functions_window as native;
use datafusion::logical_expr::WindowUDF;
use std::sync::Arc;

/// A window function, ready to be put into a plan.
#[derive(Debug, Clone)]
pub struct WindowKernel {
    pub udf: Arc<WindowUDF>,
    /// The storage that each argument must have.
    pub args: Vec<DataType>,
    /// The storage that the function gives; where it is not `result`'s, the caller casts (counts come unsigned).
    pub produces: DataType,
    pub result: ExprType,
}

/// The kernel of a window function by its `pg_proc` OID.
///
/// `lag`, `lead`, `ntile` and `nth_value` take their counts as literals only; DataFusion refuses others.
pub fn window(proc: Oid, args: &[ExprType]) -> PgResult<WindowKernel> {
    let Some(row) = facts().proc_row(proc).filter(|r| r.kind == 'w') else {
        return Err(no_kernel(&proc.to_string(), args));
    };
    let value = || args.first().cloned().ok_or_else(|| no_kernel(row.name, args));
    let own = ExprType::of(PgType::new(row.result));
    let udf = match row.name {
        "row_number" => native::row_number::row_number_udwf(),
        "rank" => native::rank::rank_udwf(),
        "dense_rank" => native::rank::dense_rank_udwf(),
        "percent_rank" => native::rank::percent_rank_udwf(),
        "cume_dist" => native::cume_dist::cume_dist_udwf(),
        "ntile" => native::ntile::ntile_udwf(),
        "lag" => native::lead_lag::lag_udwf(),
        "lead" => native::lead_lag::lead_udwf(),
        "first_value" => native::nth_value::first_value_udwf(),
        "last_value" => native::nth_value::last_value_udwf(),
        "nth_value" => native::nth_value::nth_value_udwf(),
        name => return Err(no_kernel(name, args)),
    };
    let (arg_types, produces, result) = match row.name {
        "row_number" | "rank" | "dense_rank" => (vec![], DataType::UInt64, own),
        "percent_rank" | "cume_dist" => (vec![], DataType::Float64, own),
        "ntile" => (vec![DataType::Int64], DataType::UInt64, own),
        _ => {
            let value = value()?;
            let mut types = vec![value.storage.clone()];
            types.extend(args.iter().skip(1).map(|_| DataType::Int64));
            if let Some(default) = types.get_mut(2) {
                *default = value.storage.clone();
            }
            (types, value.storage.clone(), value)
        }
    };
    Ok(WindowKernel { udf, args: arg_types, produces, result })
}
