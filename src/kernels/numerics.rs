//! numeric: arithmetic and mathematics over both of its storage forms.
//!
//! Sums, differences and products of decimals stay decimal where every possible result fits 38 digits; all else is
//! computed exactly and stored in the sortable form. Result scales are PostgreSQL's.

use super::adapt::*;
use super::facts::ProcRow;
use super::integers::division_by_zero;
use super::kernel::{Body, Call, ScalarKernel, kernel};
use super::registry::{Registry, nature_of, unique_name};
use crate::types::numeric::{Numeric, decimal_to_sortable};
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::*;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// numeric in either storage form.
pub struct Num;

pub enum NumColumn<'a> {
    Decimal(&'a Decimal128Array, i32),
    Sortable(&'a BinaryArray),
}

pub enum NumBuilder {
    Decimal(Decimal128Builder, u8, i8),
    Sortable(BinaryBuilder, Vec<u8>),
}

impl Kind for Num {
    type Item<'a> = Numeric;
    type Column<'a> = NumColumn<'a>;
    fn column(array: &ArrayRef) -> PgResult<NumColumn<'_>> {
        match array.data_type() {
            DataType::Decimal128(_, scale) => Ok(NumColumn::Decimal(downcast(array)?, i32::from(*scale))),
            _ => downcast(array).map(NumColumn::Sortable),
        }
    }
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<Self::Item<'a>> {
        match column {
            NumColumn::Decimal(values, scale) => Ok(Numeric::new(values.value(row), *scale)),
            NumColumn::Sortable(values) => Numeric::from_sortable(values.value(row)),
        }
    }
    type Value = Numeric;
    type Builder = NumBuilder;
    fn builder(rows: usize, storage: &DataType) -> NumBuilder {
        match storage {
            DataType::Decimal128(p, s) => {
                let builder = Decimal128Builder::with_capacity(rows).with_data_type(storage.clone());
                NumBuilder::Decimal(builder, *p, *s)
            }
            _ => NumBuilder::Sortable(BinaryBuilder::with_capacity(rows, rows * 12), Vec::new()),
        }
    }
    fn push(builder: &mut NumBuilder, value: Option<Numeric>) -> PgResult<()> {
        match (builder, value) {
            (NumBuilder::Decimal(b, p, s), Some(v)) => b.append_value(v.to_decimal128(*p, *s)?),
            (NumBuilder::Decimal(b, ..), None) => b.append_null(),
            (NumBuilder::Sortable(b, buffer), Some(v)) => {
                buffer.clear();
                v.to_sortable(buffer);
                b.append_value(&buffer);
            }
            (NumBuilder::Sortable(b, _), None) => b.append_null(),
        }
        Ok(())
    }
    fn finish(builder: NumBuilder) -> ArrayRef {
        match builder {
            NumBuilder::Decimal(mut b, ..) => Arc::new(b.finish()),
            NumBuilder::Sortable(mut b, _) => Arc::new(b.finish()),
        }
    }
}

/// The sortable form of one value.
pub fn sortable(value: &Numeric) -> Vec<u8> {
    let mut out = Vec::new();
    value.to_sortable(&mut out);
    out
}

/// A numeric in the storage that holds any value of `from` exactly: what an integer may be cast to before it meets a
/// decimal, so that arithmetic stays on decimals.
pub fn natural_numeric(from: &ExprType) -> Option<ExprType> {
    let digits = match from.pg.oid {
        oid::INT2 => 5,
        oid::INT4 => 10,
        oid::INT8 => 19,
        oid::NUMERIC => return Some(from.clone()),
        _ => return None,
    };
    Some(ExprType { pg: PgType::new(oid::NUMERIC), storage: DataType::Decimal128(digits, 0) })
}

/// Digits before the point, and scale, of a decimal storage.
fn decimal(ty: &ExprType) -> Option<(i32, i32)> {
    match ty.storage {
        DataType::Decimal128(p, s) => Some((i32::from(p) - i32::from(s), i32::from(s))),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Add,
    Sub,
    Mul,
}

fn arithmetic(row: &'static ProcRow, args: &[ExprType], operation: Operation) -> PgResult<ScalarKernel> {
    let numeric = |storage| ExprType { pg: PgType::new(oid::NUMERIC), storage };
    let stored = args.iter().map(|a| if a.pg.oid == oid::NUMERIC { a.clone() } else { numeric(DataType::Binary) });
    let args: Vec<ExprType> = stored.collect();
    let small = args.first().and_then(decimal).zip(args.get(1).and_then(decimal)).and_then(|((w1, s1), (w2, s2))| {
        let (whole, scale) = match operation {
            Operation::Add | Operation::Sub => (w1.max(w2) + 1, s1.max(s2)),
            Operation::Mul => (w1 + w2, s1 + s2),
        };
        (whole + scale <= 38).then_some((whole + scale, scale, s1, s2))
    });
    let Some((precision, scale, s1, s2)) = small else {
        let body = attempt2::<Num, Num, Num>(move |a, b| match operation {
            Operation::Add => a.add(&b),
            Operation::Sub => a.sub(&b),
            Operation::Mul => a.mul(&b),
        });
        return Ok(kernel(&unique_name(row), nature_of(row), args, numeric(DataType::Binary), body));
    };
    let ten = |n: i32| 10i128.pow(n as u32);
    let body = match operation {
        Operation::Mul => decimals(|a, b| a.wrapping_mul(b)),
        Operation::Add | Operation::Sub => {
            let (up1, up2) = (ten(scale - s1), ten(scale - s2));
            let sign = if matches!(operation, Operation::Add) { up2 } else { -up2 };
            if up1 == 1 && up2 == 1 && sign == 1 {
                decimals(|a, b| a.wrapping_add(b))
            } else {
                decimals(move |a, b| a.wrapping_mul(up1).wrapping_add(b.wrapping_mul(sign)))
            }
        }
    };
    let result = numeric(DataType::Decimal128(precision.max(1) as u8, scale as i8));
    Ok(kernel(&unique_name(row), nature_of(row), args, result, body))
}

/// Decimal arithmetic that the result's precision keeps from overflowing.
fn decimals(op: impl Fn(i128, i128) -> i128 + Send + Sync + 'static) -> Body {
    use arrow::datatypes::Decimal128Type;
    checked2::<Decimal128Type, Decimal128Type, Decimal128Type>(move |a, b| (op(a, b), false), |_, _| division_by_zero())
}

/// A function of one numeric whose result keeps a decimal storage.
fn keeping(
    row: &'static ProcRow,
    args: &[ExprType],
    f: fn(i128) -> i128,
    big: fn(&Numeric) -> Numeric,
) -> PgResult<ScalarKernel> {
    use arrow::datatypes::Decimal128Type;
    let arg = args.first().filter(|a| a.pg.oid == oid::NUMERIC).cloned();
    let arg = arg.unwrap_or_else(|| ExprType::of(PgType::new(oid::NUMERIC)));
    let result = ExprType { pg: PgType::new(oid::NUMERIC), storage: arg.storage.clone() };
    let body = match arg.storage {
        DataType::Decimal128(..) => {
            checked1::<Decimal128Type, Decimal128Type>(move |a| (f(a), false), |_| division_by_zero())
        }
        _ => map1::<Num, Num>(move |a| big(&a)),
    };
    Ok(kernel(&unique_name(row), nature_of(row), vec![arg], result, body))
}

fn trimmed(n: &Numeric) -> Numeric {
    match n.scale() {
        Some(_) => n.round(min_scale(n)),
        None => n.clone(),
    }
}

/// The smallest scale that shows the value exactly.
fn min_scale(n: &Numeric) -> i32 {
    let text = n.to_string();
    text.split_once('.').map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len() as i32)
}

fn greatest_divisor(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    let (mut a, mut b) = (a.abs(), b.abs());
    if !a.is_finite() || !b.is_finite() {
        return Ok(Numeric::NAN);
    }
    let scale = a.scale().max(b.scale()).unwrap_or(0);
    while !b.is_zero() {
        (a, b) = (b.clone(), a.rem(&b)?);
    }
    Ok(a.round(scale))
}

fn least_multiple(a: &Numeric, b: &Numeric) -> PgResult<Numeric> {
    let divisor = greatest_divisor(a, b)?;
    if divisor.is_nan() || divisor.is_zero() {
        return Ok(divisor);
    }
    let multiple = a.div_trunc(&divisor)?.mul(b)?.abs();
    Ok(multiple.round(a.scale().max(b.scale()).unwrap_or(0)))
}

fn width_bucket(operand: Numeric, low: Numeric, high: Numeric, count: i32) -> PgResult<i32> {
    let invalid = |message: &str| PgError::new(SqlState(*b"2201G"), message);
    if count <= 0 {
        return Err(invalid("count must be greater than zero"));
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return Err(invalid("operand, lower bound, and upper bound cannot be NaN"));
    }
    if !low.is_finite() || !high.is_finite() {
        return Err(invalid("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(invalid("lower bound cannot equal upper bound"));
    }
    let (operand, low, high) = if low < high { (operand, low, high) } else { (operand.neg(), low.neg(), high.neg()) };
    if operand < low {
        return Ok(0);
    }
    if operand >= high {
        return count.checked_add(1).ok_or_else(|| super::integers::out_of_range("integer"));
    }
    let steps = operand.sub(&low)?.mul(&Numeric::from(count))?.div_trunc(&high.sub(&low)?)?;
    Ok(steps.to_i32()? + 1)
}

fn factorial(n: i64) -> PgResult<Numeric> {
    if n < 0 {
        return Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "factorial of a negative number is undefined"));
    }
    if n > 32177 {
        return Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "value overflows numeric format"));
    }
    let product = (2..=n).fold(num_bigint::BigInt::from(1), |p, k| p * k);
    Ok(Numeric::from_big(product, 0))
}

/// A column of numerics as `Binary`, from decimals.
pub fn decimals_to_sortable(array: &Decimal128Array, scale: i32) -> ArrayRef {
    let mut out = BinaryBuilder::with_capacity(array.len(), array.len() * 12);
    let mut buffer = Vec::new();
    for value in array {
        match value {
            Some(value) => {
                buffer.clear();
                decimal_to_sortable(value, scale, &mut buffer);
                out.append_value(&buffer);
            }
            None => out.append_null(),
        }
    }
    Arc::new(out.finish())
}

fn size_pretty(_call: &Call<'_>, size: Numeric) -> PgResult<Option<String>> {
    match size.trunc(0).to_i64() {
        // Below the first unit the fraction is shown.
        Ok(bytes) if bytes.abs() < 10 * 1024 => {
            let mut text = Vec::new();
            size.write_text(&mut text);
            text.extend_from_slice(b" bytes");
            String::from_utf8(text).map(Some).map_err(|_| PgError::internal("a number is not UTF-8"))
        }
        Ok(bytes) => Ok(Some(super::session::size_pretty(bytes))),
        Err(_) => Err(PgError::unsupported("pg_size_pretty of a size beyond bigint")),
    }
}

pub fn declare(r: &mut Registry) {
    r.make(&["numeric_add(numeric,numeric)"], |row, args| arithmetic(row, args, Operation::Add));
    r.make(&["numeric_sub(numeric,numeric)"], |row, args| arithmetic(row, args, Operation::Sub));
    r.make(&["numeric_mul(numeric,numeric)"], |row, args| arithmetic(row, args, Operation::Mul));
    r.make(&["numeric_uminus(numeric)"], |row, args| keeping(row, args, |a| -a, Numeric::neg));
    r.make(&["numeric_uplus(numeric)"], |row, args| keeping(row, args, |a| a, Numeric::clone));
    r.make(&["abs(numeric)", "numeric_abs(numeric)"], |row, args| keeping(row, args, i128::abs, Numeric::abs));

    r.fun("numeric_div(numeric,numeric)", attempt2::<Num, Num, Num>(|a, b| a.div(&b)));
    r.funs(&["numeric_mod(numeric,numeric)", "mod(numeric,numeric)"], attempt2::<Num, Num, Num>(|a, b| a.rem(&b)));
    r.funs(
        &["div(numeric,numeric)", "numeric_div_trunc(numeric,numeric)"],
        attempt2::<Num, Num, Num>(|a, b| a.div_trunc(&b)),
    );
    r.fun("numeric_inc(numeric)", attempt1::<Num, Num>(|a| a.add(&Numeric::from(1))));
    r.fun("numeric_larger(numeric,numeric)", map2::<Num, Num, Num>(|a, b| if a >= b { a } else { b }));
    r.fun("numeric_smaller(numeric,numeric)", map2::<Num, Num, Num>(|a, b| if a <= b { a } else { b }));
    r.fun("sign(numeric)", map1::<Num, Num>(|a| a.sign()));
    r.funs(&["ceil(numeric)", "ceiling(numeric)"], map1::<Num, Num>(|a| a.ceil()));
    r.fun("floor(numeric)", map1::<Num, Num>(|a| a.floor()));
    r.fun("round(numeric)", map1::<Num, Num>(|a| a.round(0)));
    r.fun("round(numeric,int4)", map2::<Num, Int4, Num>(|a, n| a.round(n)));
    r.fun("trunc(numeric)", map1::<Num, Num>(|a| a.trunc(0)));
    r.fun("trunc(numeric,int4)", map2::<Num, Int4, Num>(|a, n| a.trunc(n)));
    r.funs(&["sqrt(numeric)", "numeric_sqrt(numeric)"], attempt1::<Num, Num>(|a| a.sqrt()));
    r.funs(
        &["power(numeric,numeric)", "pow(numeric,numeric)", "numeric_power(numeric,numeric)"],
        attempt2::<Num, Num, Num>(|a, b| a.power(&b)),
    );
    r.funs(&["exp(numeric)", "numeric_exp(numeric)"], attempt1::<Num, Num>(|a| a.exp()));
    r.funs(&["ln(numeric)", "numeric_ln(numeric)"], attempt1::<Num, Num>(|a| a.ln()));
    r.funs(&["log(numeric,numeric)", "numeric_log(numeric,numeric)"], attempt2::<Num, Num, Num>(|b, a| a.log(&b)));
    r.funs(&["log(numeric)", "log10(numeric)"], attempt1::<Num, Num>(|a| a.log(&Numeric::from(10))));
    r.fun("lcm(numeric,numeric)", attempt2::<Num, Num, Num>(|a, b| least_multiple(&a, &b)));
    r.fun("gcd(numeric,numeric)", attempt2::<Num, Num, Num>(|a, b| greatest_divisor(&a, &b)));
    r.fun("scale(numeric)", maybe1::<Num, Int4>(|a| Ok(a.scale())));
    r.fun("min_scale(numeric)", maybe1::<Num, Int4>(|a| Ok(a.scale().map(|_| min_scale(&a)))));
    r.fun("trim_scale(numeric)", map1::<Num, Num>(|a| trimmed(&a)));
    r.fun("width_bucket(numeric,numeric,numeric,int4)", attempt4::<Num, Num, Num, Int4, Int4>(width_bucket));
    r.funs(&["factorial(int8)"], attempt1::<Int8, Num>(factorial));

    r.fun("int2(numeric)", attempt1::<Num, Int2>(|a| a.to_i16()));
    r.fun("int4(numeric)", attempt1::<Num, Int4>(|a| a.to_i32()));
    r.fun("int8(numeric)", attempt1::<Num, Int8>(|a| a.to_i64()));
    r.fun("float4(numeric)", attempt1::<Num, Float4>(|a| a.to_f32()));
    r.fun("float8(numeric)", attempt1::<Num, Float8>(|a| a.to_f64()));
    r.fun("numeric(int2)", map1::<Int2, Num>(|v| Numeric::new(v.into(), 0)));
    r.fun("numeric(int4)", map1::<Int4, Num>(|v| Numeric::new(v.into(), 0)));
    r.fun("numeric(int8)", map1::<Int8, Num>(|v| Numeric::new(v.into(), 0)));
    r.fun("numeric(float4)", map1::<Float4, Num>(Numeric::from_f32));
    r.fun("numeric(float8)", map1::<Float8, Num>(Numeric::from_f64));
    r.fun(
        "numeric(numeric,int4)",
        attempt2::<Num, Int4, Num>(|a, typmod| match (PgType { oid: oid::NUMERIC, typmod }).numeric_typmod() {
            Some((precision, scale)) => a.apply_typmod(precision, scale),
            None => Ok(a),
        }),
    );
    r.fun("pg_size_pretty(numeric)", session1::<Num, Text>(size_pretty));
}
