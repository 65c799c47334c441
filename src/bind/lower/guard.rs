//! What may fail over a row is computed only where PostgreSQL computes it.
//!
//! `b <> 0 AND a / b > 1` and `CASE WHEN b <> 0 THEN a / b > 1 END` are how a query keeps away from a division by zero. DataFusion
//! computes the operands of AND and OR over whole batches, unless most rows are decided already, and turns a CASE of
//! booleans into AND and OR: whether such a query fails would depend on how its rows come in batches, and a gold view, which
//! sees changed rows only, would fail where its query does not. So an operand that may fail goes into a CASE over those before it
//! that look at the same columns, and a CASE of booleans that may fail is one of numbers.
//!
//! Operands over other columns are no guard: in PostgreSQL too, conditions of different relations are computed apart. Nor has an
//! equality of columns one: joins find their rows by it.

use crate::kernels::facts;
use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::{BinaryExpr, Case, Cast};
use datafusion::logical_expr::{Expr, Operator, lit};
use std::collections::HashSet;
use std::sync::LazyLock;

/// The conjunction of the operands, in their order.
pub fn all(operands: Vec<Expr>) -> Expr {
    connected(operands, Expr::and, Expr::is_false, 0).unwrap_or_else(|| lit(true))
}

/// The disjunction of the operands, in their order.
pub fn any(operands: Vec<Expr>) -> Expr {
    connected(operands, Expr::or, Expr::is_true, 1).unwrap_or_else(|| lit(false))
}

/// A CASE with values of this storage.
pub fn case(case: Case, storage: &DataType) -> Expr {
    let branches = |case: &Case| case.when_then_expr.iter().any(|(when, then)| may_fail(when) || may_fail(then));
    let fails = |case: &Case| branches(case) || case.else_expr.as_deref().is_some_and(may_fail);
    if *storage != DataType::Boolean || !fails(&case) {
        return Expr::Case(case);
    }
    let branches = case.when_then_expr.into_iter().map(|(when, then)| (when, Box::new(number(*then)))).collect();
    truth(Case::new(None, branches, case.else_expr.map(|value| Box::new(number(*value)))))
}

/// The conditions of a join, one for each operand.
pub fn each(operands: Vec<Expr>) -> Vec<Expr> {
    guarded(operands, &Expr::and, Expr::is_false, 0)
}

fn connected(
    operands: Vec<Expr>,
    join: impl Fn(Expr, Expr) -> Expr,
    decided: impl Fn(Expr) -> Expr,
    result: i16,
) -> Option<Expr> {
    guarded(operands, &join, decided, result).into_iter().reduce(join)
}

/// `decided`: whether an operand has settled the result, which is `result` then.
fn guarded(
    operands: Vec<Expr>,
    join: &impl Fn(Expr, Expr) -> Expr,
    decided: impl Fn(Expr) -> Expr,
    result: i16,
) -> Vec<Expr> {
    let mut before: Vec<Expr> = Vec::with_capacity(operands.len());
    for operand in operands {
        let guards = match before.is_empty() || may_be_key(&operand) || !may_fail(&operand) {
            true => None,
            false => {
                let columns = operand.column_refs();
                let shared = |guard: &&Expr| !guard.column_refs().is_disjoint(&columns);
                before.iter().filter(shared).cloned().reduce(join)
            }
        };
        before.push(match guards {
            None => operand,
            Some(guards) => {
                let branch = (Box::new(decided(guards)), Box::new(lit(result)));
                truth(Case::new(None, vec![branch], Some(Box::new(number(operand)))))
            }
        });
    }
    before
}

/// An equality of columns may be what a join finds its rows by, and stays one.
fn may_be_key(expr: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return false };
    !left.column_refs().is_empty() && !right.column_refs().is_empty()
}

fn number(truth: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(truth), DataType::Int16))
}

fn truth(numbers: Case) -> Expr {
    Expr::Cast(Cast::new(Box::new(Expr::Case(numbers)), DataType::Boolean))
}

/// Functions without an operator that fail over some values.
const FAILING: [&str; 20] = [
    "sqrt",
    "cbrt",
    "ln",
    "log",
    "log10",
    "exp",
    "power",
    "pow",
    "factorial",
    "gcd",
    "lcm",
    "div",
    "mod",
    "acos",
    "asin",
    "to_date",
    "to_timestamp",
    "to_number",
    "chr",
    "width_bucket",
];

/// Whether an expression over columns can fail over some of their values: arithmetic, casts of what was text or is wider.
fn may_fail(expr: &Expr) -> bool {
    let fails = |expr: &Expr| {
        let Expr::ScalarFunction(call) = expr else { return Ok(false) };
        let Some((name, oid)) = call.func.name().rsplit_once('_') else { return Ok(false) };
        let Ok(oid) = oid.parse::<u32>() else { return Ok(false) };
        let fails = match name.starts_with("cast_") {
            true => !TEXTS.contains(&oid),
            false => ARITHMETIC.contains(&oid) || FAILING.contains(&name),
        };
        Ok(fails && !expr.column_refs().is_empty())
    };
    datafusion::common::tree_node::TreeNode::exists(expr, fails).unwrap_or(true)
}

/// Types that take the text of anything.
const TEXTS: [u32; 2] = [25, 1043];

/// The functions of arithmetic operators.
static ARITHMETIC: LazyLock<HashSet<u32>> = LazyLock::new(|| {
    let arithmetic = |name: &str| matches!(name, "+" | "-" | "*" | "/" | "%" | "^");
    facts().operators.iter().filter(|operator| arithmetic(operator.name)).map(|operator| operator.code.0).collect()
});
