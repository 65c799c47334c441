//! Operators: DataFusion's own comparison where storage order is PostgreSQL's order, a kernel otherwise.

use super::facts::{OperatorRow, facts};
use super::kernel::{ScalarKernel, no_kernel};
use super::registry::scalar;
use crate::types::{ExprType, Oid, PgResult, PgType, oid};
use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator;

/// How an operator is computed.
#[derive(Debug, Clone)]
pub enum OperatorKernel {
    /// A DataFusion operator over two operands that the binder has cast to this storage.
    Native(Operator, DataType),
    Scalar(ScalarKernel),
}

/// The kernel of an operator; `left` is `None` for a prefix operator.
pub fn operator(op: &OperatorRow, left: Option<&ExprType>, right: &ExprType) -> PgResult<OperatorKernel> {
    if let (Some(left), Some(comparison)) = (left, comparison(op)) {
        if let Some(storage) = native_storage(op, left, right) {
            return Ok(OperatorKernel::Native(comparison, storage));
        }
        if let Some(kernel) = super::compare::comparison(comparison, op, left, right)? {
            return Ok(OperatorKernel::Scalar(kernel));
        }
    }
    let args: Vec<ExprType> = left.into_iter().chain([right]).cloned().collect();
    match facts().proc_row(op.code) {
        Some(_) => scalar(op.code, &args).map(OperatorKernel::Scalar),
        None => Err(no_kernel(op.name, &args)),
    }
}

/// The comparison that an operator's name means where it gives a boolean.
fn comparison(op: &OperatorRow) -> Option<Operator> {
    if op.result != oid::BOOL {
        return None;
    }
    Some(match op.name {
        "=" => Operator::Eq,
        "<>" => Operator::NotEq,
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        _ => return None,
    })
}

/// The common storage in which Arrow's comparison is PostgreSQL's, if there is one.
fn native_storage(op: &OperatorRow, left: &ExprType, right: &ExprType) -> Option<DataType> {
    use DataType::*;
    let plain = |ty: Oid| PgType::new(ty).storage();
    match (op.left, op.right) {
        (oid::NUMERIC, oid::NUMERIC) => common_decimal(&left.storage, &right.storage),
        (l, r) if is_integer(l) && is_integer(r) => Some(if width(l) >= width(r) { plain(l) } else { plain(r) }),
        (oid::FLOAT4, oid::FLOAT4) => Some(Float32),
        (oid::FLOAT4 | oid::FLOAT8, oid::FLOAT4 | oid::FLOAT8) => Some(Float64),
        (oid::TEXT | oid::NAME, oid::TEXT | oid::NAME) | (oid::CHAR, oid::CHAR) => Some(Utf8),
        (oid::ANYRANGE, oid::ANYRANGE) | (oid::ANYMULTIRANGE, oid::ANYMULTIRANGE) => {
            (super::keys::key_storage(left).is_none() && left.pg.oid == right.pg.oid).then_some(Binary)
        }
        (l, r) if l == r && orders_natively(l) => Some(plain(l)),
        _ => None,
    }
}

fn is_integer(ty: Oid) -> bool {
    matches!(ty, oid::INT2 | oid::INT4 | oid::INT8)
}

fn width(ty: Oid) -> u8 {
    match ty {
        oid::INT2 => 2,
        oid::INT4 => 4,
        _ => 8,
    }
}

/// Types whose storage compares as PostgreSQL compares them.
pub fn orders_natively(ty: Oid) -> bool {
    matches!(
        ty,
        oid::BOOL
            | oid::INT2
            | oid::INT4
            | oid::INT8
            | oid::FLOAT4
            | oid::FLOAT8
            | oid::TEXT
            | oid::VARCHAR
            | oid::NAME
            | oid::CHAR
            | oid::BYTEA
            | oid::BIT
            | oid::VARBIT
            | oid::DATE
            | oid::TIME
            | oid::TIMESTAMP
            | oid::TIMESTAMPTZ
            | oid::UUID
            | oid::OID
            | oid::MONEY
            | oid::MACADDR
            | oid::MACADDR8
    ) || oid::is_reg_type(ty)
}

/// A decimal that holds both without loss.
pub fn common_decimal(left: &DataType, right: &DataType) -> Option<DataType> {
    let (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) = (left, right) else { return None };
    let scale = *s1.max(s2);
    let digits = (i16::from(*p1) - i16::from(*s1)).max(i16::from(*p2) - i16::from(*s2));
    let precision = digits + i16::from(scale);
    u8::try_from(precision).ok().filter(|p| *p <= 38).map(|p| DataType::Decimal128(p, scale))
}
