//! Hypothetical-set aggregates: the place that a row would have among those of the group.

use super::AggregateKernel;
use super::gather::Whole;
use super::udaf::{Plan, make};
use crate::kernels::facts::{ProcRow, facts};
use crate::kernels::kernel::no_kernel;
use crate::kernels::keys;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType};
use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow_row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use std::sync::Arc;

/// How many rows are before the hypothetical one, equal to it, and how many different ones are before it.
struct Standing {
    before: i64,
    equal: i64,
    distinct_before: i64,
    rows: i64,
}

/// The first half of the columns is the hypothetical row, the same in every row; the others are the group's rows.
fn standing(rows: &[ArrayRef], types: &[ExprType], options: &[SortOptions]) -> PgResult<Standing> {
    let count = rows.first().map_or(0, |r| r.len());
    if count == 0 {
        return Ok(Standing { before: 0, equal: 0, distinct_before: 0, rows: 0 });
    }
    let fields = types.iter().zip(options).map(|(ty, options)| {
        let storage = keys::key_storage(ty).unwrap_or_else(|| ty.storage.clone());
        SortField::new_with_options(storage, *options)
    });
    let converter = RowConverter::new(fields.collect())?;
    let keyed = |columns: &[ArrayRef]| {
        let columns = columns.iter().zip(types).map(|(c, ty)| keys::keys(ty, c)).collect::<PgResult<Vec<_>>>()?;
        Ok::<_, PgError>(converter.convert_columns(&columns)?)
    };
    let (direct, ordered) = rows.split_at(types.len());
    let first: Vec<ArrayRef> = direct.iter().map(|c| c.slice(0, 1)).collect();
    let (given, group) = (keyed(&first)?, keyed(ordered)?);
    let given = given.row(0);
    let mut before: Vec<_> = group.iter().filter(|r| *r < given).collect();
    let equal = group.iter().filter(|r| *r == given).count() as i64;
    let count_before = before.len() as i64;
    before.sort_unstable();
    before.dedup();
    Ok(Standing { before: count_before, equal, distinct_before: before.len() as i64, rows: count as i64 })
}

/// The kernel of `rank`, `dense_rank`, `percent_rank` or `cume_dist` WITHIN GROUP: the direct arguments, then as many
/// ordered ones of the same types, with the directions of the ORDER BY.
pub fn hypothetical(proc: Oid, args: &[ExprType], options: &[SortOptions]) -> PgResult<AggregateKernel> {
    let row: &ProcRow = facts().proc_row(proc).ok_or_else(|| no_kernel(&proc.to_string(), args))?;
    let value: fn(Standing) -> ScalarValue = match row.name {
        "rank" => |s| ScalarValue::Int64(Some(s.before + 1)),
        "dense_rank" => |s| ScalarValue::Int64(Some(s.distinct_before + 1)),
        "percent_rank" => {
            |s| ScalarValue::Float64(Some(if s.rows == 0 { 0.0 } else { s.before as f64 / s.rows as f64 }))
        }
        "cume_dist" => |s| ScalarValue::Float64(Some((s.before + s.equal + 1) as f64 / (s.rows + 1) as f64)),
        _ => return Err(no_kernel(row.name, args)),
    };
    let types = args[args.len() / 2..].to_vec();
    let directions = options.to_vec();
    let finish: Whole = Arc::new(move |rows| Ok(value(standing(rows, &types, &directions)?)));
    // Directions make another aggregate of it.
    let told: String =
        options.iter().map(|o| format!("_{}{}", u8::from(o.descending), u8::from(o.nulls_first))).collect();
    let name = format!("{}_within_group{told}", row.name);
    Ok(make(&name, args.to_vec(), ExprType::of(PgType::new(row.result)), Plan::Whole(finish)))
}
