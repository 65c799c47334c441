//! How much a query reads at most: what is short must not wait behind what is long.

use crate::bind::RelationProvider;
use crate::types::Oid;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{FetchType, Join, LogicalPlan, TableScan};
use std::any::Any;

/// A query that reads, and pairs, no more rows than this is short: a few milliseconds of one core.
const SHORT_ROWS: u64 = 100_000;
/// Pairs of rows that a join with keys may look at, if all keys were equal, in a short query.
const SHORT_PAIRS: u64 = 20_000_000;

/// Which threads run a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    Short,
    /// It may take long, or nobody can say.
    Long,
}

/// The effort of an optimised plan. `rows_of`: how many rows a relation has; `None` for a system relation.
pub fn effort(plan: &LogicalPlan, rows_of: &dyn Fn(Oid) -> Option<u64>) -> Effort {
    let mut read = 0;
    match rows(plan, rows_of, &mut read) {
        Some(_) if read <= SHORT_ROWS => Effort::Short,
        _ => Effort::Long,
    }
}

/// How many rows a plan gives at most, about; `None` where that is long or not known. What it reads is added to `read`.
fn rows(plan: &LogicalPlan, rows_of: &dyn Fn(Oid) -> Option<u64>, read: &mut u64) -> Option<u64> {
    let mut of_subqueries = Some(0);
    let looked = plan.apply_subqueries(|subquery| {
        let found = rows(subquery, rows_of, read);
        of_subqueries = of_subqueries.and(found);
        Ok(if found.is_some() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    looked.ok()?;
    of_subqueries?;
    match plan {
        LogicalPlan::TableScan(scan) => {
            let rows = rows_of_scan(scan, rows_of)?;
            *read = read.saturating_add(rows);
            Some(rows)
        }
        LogicalPlan::Join(join) => rows_of_join(join, rows_of, read),
        LogicalPlan::Aggregate(aggregate) => {
            let rows = rows(&aggregate.input, rows_of, read)?;
            Some(if aggregate.group_expr.is_empty() { 1 } else { rows })
        }
        LogicalPlan::Values(values) => Some(values.values.len() as u64),
        LogicalPlan::EmptyRelation(_) => Some(1),
        LogicalPlan::Limit(limit) => {
            let rows = rows(&limit.input, rows_of, read)?;
            match limit.get_fetch_type() {
                Ok(FetchType::Literal(Some(fetch))) => Some(rows.min(fetch as u64)),
                _ => Some(rows),
            }
        }
        // How many rows these give is in their data.
        LogicalPlan::RecursiveQuery(_) | LogicalPlan::Unnest(_) | LogicalPlan::Extension(_) => None,
        other => {
            let mut sum: u64 = 0;
            for input in other.inputs() {
                sum = sum.saturating_add(rows(input, rows_of, read)?);
            }
            Some(sum)
        }
    }
}

fn rows_of_scan(scan: &TableScan, rows_of: &dyn Fn(Oid) -> Option<u64>) -> Option<u64> {
    /// What the catalog holds of a kind, as a guess.
    const SYSTEM_ROWS: u64 = 1_000;
    let provider = source_as_provider(&scan.source).ok()?;
    let provider = (provider.as_ref() as &dyn Any).downcast_ref::<RelationProvider>()?;
    Some(rows_of(provider.oid).unwrap_or(SYSTEM_ROWS))
}

fn rows_of_join(join: &Join, rows_of: &dyn Fn(Oid) -> Option<u64>, read: &mut u64) -> Option<u64> {
    let left = rows(&join.left, rows_of, read)?;
    let right = rows(&join.right, rows_of, read)?;
    let pairs = left.saturating_mul(right);
    if join.on.is_empty() {
        *read = read.saturating_add(pairs);
        return (pairs <= SHORT_ROWS).then_some(pairs);
    }
    (pairs <= SHORT_PAIRS).then_some(left.max(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    #[test]
    fn what_has_no_bound_is_long() {
        let one = LogicalPlanBuilder::values(vec![vec![lit(1)]]).expect("a row").build().expect("a plan");
        assert_eq!(effort(&one, &|_| None), Effort::Short);
        let crossed = (0..17).fold(two_rows(), |plan, _| {
            LogicalPlanBuilder::from(plan).cross_join(two_rows()).expect("a join").build().expect("a plan")
        });
        assert_eq!(effort(&crossed, &|_| None), Effort::Long, "2 to the 18th rows");
    }

    fn two_rows() -> LogicalPlan {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let values = LogicalPlanBuilder::values(vec![vec![lit(1)], vec![lit(2)]]).expect("rows");
        values.alias(format!("t{number}")).expect("an alias").build().expect("a plan")
    }
}
