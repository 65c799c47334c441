//! Typed expressions → DataFusion's.

use super::guard;
use crate::bind::tree::{ColId, Expr, ExprKind, Truth};
use crate::types::{PgError, PgResult};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::Expr as Df;
use datafusion::logical_expr::expr::{BinaryExpr, Case, Cast, InList, Placeholder, ScalarFunction};
use std::sync::Arc;

/// The field of a column.
pub fn name(id: ColId) -> String {
    format!("c{}", id.0)
}

pub fn column(id: ColId) -> Df {
    Df::Column(Column::new_unqualified(name(id)))
}

pub fn cast(expr: Df, to: &DataType) -> Df {
    Df::Cast(Cast::new(Box::new(expr), to.clone()))
}

pub fn lower_expr(expr: &Expr) -> PgResult<Df> {
    let boxed = |e: &Expr| Ok::<_, PgError>(Box::new(lower_expr(e)?));
    let many = |list: &[Expr]| list.iter().map(lower_expr).collect::<PgResult<Vec<_>>>();
    Ok(match &expr.kind {
        ExprKind::Column(id) => column(*id),
        ExprKind::Literal(value) => Df::Literal(value.clone(), None),
        ExprKind::Param(n) => {
            let field = Arc::new(Field::new(format!("${n}"), expr.ty.storage.clone(), true));
            Df::Placeholder(Placeholder::new_with_field(format!("${n}"), Some(field)))
        }
        ExprKind::Scalar { udf, args, .. } => Df::ScalarFunction(ScalarFunction::new_udf(Arc::clone(udf), many(args)?)),
        ExprKind::Native { op, left, right } => Df::BinaryExpr(BinaryExpr::new(boxed(left)?, *op, boxed(right)?)),
        ExprKind::And(list) => guard::all(many(list)?),
        ExprKind::Or(list) => guard::any(many(list)?),
        ExprKind::Not(arg) => Df::Not(boxed(arg)?),
        ExprKind::IsNull(arg) => Df::IsNull(boxed(arg)?),
        ExprKind::IsNotNull(arg) => Df::IsNotNull(boxed(arg)?),
        ExprKind::Truth { test, arg } => {
            let arg = boxed(arg)?;
            match test {
                Truth::True => Df::IsTrue(arg),
                Truth::NotTrue => Df::IsNotTrue(arg),
                Truth::False => Df::IsFalse(arg),
                Truth::NotFalse => Df::IsNotFalse(arg),
                Truth::Unknown => Df::IsUnknown(arg),
                Truth::NotUnknown => Df::IsNotUnknown(arg),
            }
        }
        ExprKind::Case { branches, otherwise } => {
            let branches = branches.iter().map(|(w, t)| Ok((boxed(w)?, boxed(t)?))).collect::<PgResult<Vec<_>>>()?;
            let otherwise = otherwise.as_deref().map(boxed).transpose()?;
            guard::case(Case::new(None, branches, otherwise), &expr.ty.storage)
        }
        ExprKind::InList { arg, list } => Df::InList(InList::new(boxed(arg)?, many(list)?, false)),
        ExprKind::Cast(arg) => cast(lower_expr(arg)?, &expr.ty.storage),
        ExprKind::Array(items) if items.is_empty() => {
            let DataType::List(field) = &expr.ty.storage else {
                return Err(PgError::internal("an array is a list"));
            };
            let list = ScalarValue::new_list_nullable(&[], field.data_type());
            Df::Literal(ScalarValue::List(list), None)
        }
        ExprKind::Array(items) => {
            let udf = datafusion::functions_nested::make_array::make_array_udf();
            Df::ScalarFunction(ScalarFunction::new_udf(udf, many(items)?))
        }
        ExprKind::Row(fields) => {
            let udf = crate::bind::expr::lists::make_record(expr.ty.storage.clone());
            Df::ScalarFunction(ScalarFunction::new_udf(udf, many(fields)?))
        }
        ExprKind::Aggregate(_) | ExprKind::Grouping(_) | ExprKind::Window(_) => {
            return Err(PgError::unsupported("an aggregate or GROUPING() of an outer query in this place"));
        }
        ExprKind::Unnest(_) => {
            return Err(PgError::unsupported("a set-returning function in this place"));
        }
        ExprKind::Subquery(_) => return Err(PgError::internal("a subquery was left in an expression")),
    })
}

/// What grouping, sorting and partitioning look at: the value, or its key where storage would mislead.
pub fn key(expr: &Expr) -> PgResult<Df> {
    let value = lower_expr(expr)?;
    Ok(match crate::kernels::equality_key(&expr.ty) {
        Some(kernel) => Df::ScalarFunction(ScalarFunction::new_udf(kernel.udf, vec![value])),
        None => value,
    })
}

/// The storage of [`key`].
pub fn key_storage(expr: &Expr) -> DataType {
    crate::kernels::equality_key(&expr.ty).map_or_else(|| expr.ty.storage.clone(), |k| k.result.storage)
}

/// One row without columns, over which constants are computed.
pub fn one_row() -> PgResult<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?)
}

/// The value of an expression without columns and parameters.
pub fn constant(expr: &Expr) -> PgResult<ScalarValue> {
    use datafusion::logical_expr::ColumnarValue;
    use datafusion::logical_expr::execution_props::ExecutionProps;
    let lowered = lower_expr(expr)?;
    let schema = DFSchema::empty();
    let physical = datafusion::physical_expr::create_physical_expr(
        &lowered,
        &schema,
        &ExecutionProps::new(),
        &Default::default(),
    )?;
    Ok(match physical.evaluate(&one_row()?)? {
        ColumnarValue::Scalar(value) => value,
        ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
    })
}
