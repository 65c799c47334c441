//! float4 and float8: arithmetic and mathematics, with PostgreSQL's range checks (22003) and domain errors.

use super::adapt::*;
use super::integers::{division_by_zero, out_of_range};
use super::kernel::Body;
use super::registry::Registry;
use crate::types::{PgError, PgResult, SqlState};

fn overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "value out of range: overflow")
}

fn underflow() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "value out of range: underflow")
}

fn domain(code: &[u8; 5], message: &str) -> PgError {
    PgError::new(SqlState(*code), message)
}

fn negative_root() -> PgError {
    domain(b"2201F", "cannot take square root of a negative number")
}

fn input_out_of_range() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "input is out of range")
}

/// A result that became infinite from finite operands is an overflow.
fn finite(value: f64, operands_finite: bool) -> PgResult<f64> {
    if value.is_infinite() && operands_finite { Err(overflow()) } else { Ok(value) }
}

macro_rules! arithmetic {
    ($r:ident, $prefix:literal, $left:literal $l:ty, $right:literal $q:ty => $out:ty, $n:ty) => {
        type N = $n;
        let of = |op: &str| format!("{}{}({},{})", $prefix, op, $left, $right);
        $r.fun(&of("pl"), attempt2::<$l, $q, $out>(|a, b| sum(N::from(a), N::from(b), N::from(a) + N::from(b))));
        $r.fun(&of("mi"), attempt2::<$l, $q, $out>(|a, b| sum(N::from(a), N::from(b), N::from(a) - N::from(b))));
        $r.fun(
            &of("mul"),
            attempt2::<$l, $q, $out>(|a, b| {
                let (a, b) = (N::from(a), N::from(b));
                let value = a * b;
                if value.is_infinite() && a.is_finite() && b.is_finite() {
                    return Err(overflow());
                }
                if value == 0.0 && a != 0.0 && b != 0.0 {
                    return Err(underflow());
                }
                Ok(value)
            }),
        );
        $r.fun(
            &of("div"),
            attempt2::<$l, $q, $out>(|a, b| {
                let (a, b) = (N::from(a), N::from(b));
                if b == 0.0 && !a.is_nan() {
                    return Err(division_by_zero());
                }
                let value = a / b;
                if value.is_infinite() && a.is_finite() {
                    return Err(overflow());
                }
                if value == 0.0 && a != 0.0 && b.is_finite() {
                    return Err(underflow());
                }
                Ok(value)
            }),
        );
    };
}

fn sum<N: num_traits::Float>(a: N, b: N, value: N) -> PgResult<N> {
    if value.is_infinite() && a.is_finite() && b.is_finite() { Err(overflow()) } else { Ok(value) }
}

/// `rint`: half to even, as the casts from float to integer round.
pub fn round_to<T>(value: f64, low: f64, high: f64, name: &'static str, to: impl Fn(f64) -> T) -> PgResult<T> {
    let rounded = value.round_ties_even();
    // `high` is one above the largest, so that it is exact in f64.
    if rounded >= low && rounded < high { Ok(to(rounded)) } else { Err(out_of_range(name)) }
}

fn plain(f: fn(f64) -> f64) -> Body {
    map1::<Float8, Float8>(f)
}

/// PostgreSQL's total order of floats: NaN is the greatest and equal to itself.
pub fn order(a: f64, b: f64) -> std::cmp::Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn power(a: f64, b: f64) -> PgResult<f64> {
    if a == 0.0 && b < 0.0 {
        return Err(domain(b"2201F", "zero raised to a negative power is undefined"));
    }
    if a < 0.0 && b.is_finite() && b.floor() != b {
        return Err(domain(b"2201F", "a negative number raised to a non-integer power yields a complex result"));
    }
    let value = a.powf(b);
    if value == 0.0 && a != 0.0 && a.is_finite() && b.is_finite() {
        return Err(underflow());
    }
    finite(value, a.is_finite() && b.is_finite())
}

fn logarithm(f: fn(f64) -> f64) -> Body {
    attempt1::<Float8, Float8>(move |v| {
        if v == 0.0 {
            return Err(domain(b"2201E", "cannot take logarithm of zero"));
        }
        if v < 0.0 {
            return Err(domain(b"2201E", "cannot take logarithm of a negative number"));
        }
        Ok(f(v))
    })
}

fn bounded(f: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Body {
    attempt1::<Float8, Float8>(move |v| {
        if (-1.0..=1.0).contains(&v) || v.is_nan() { Ok(f(v)) } else { Err(input_out_of_range()) }
    })
}

fn periodic(f: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Body {
    attempt1::<Float8, Float8>(move |v| if v.is_infinite() { Err(input_out_of_range()) } else { Ok(f(v)) })
}

/// Trigonometry in degrees, exact where the quadrant says so.
fn sind(v: f64) -> f64 {
    let v = v % 360.0;
    match v.abs() {
        0.0 | 180.0 => 0.0,
        30.0 | 150.0 => 0.5f64.copysign(v),
        90.0 => 1f64.copysign(v),
        210.0 | 330.0 => -(0.5f64.copysign(v)),
        270.0 => -(1f64.copysign(v)),
        _ => v.to_radians().sin(),
    }
}

fn cosd(v: f64) -> f64 {
    match (v % 360.0).abs() {
        0.0 => 1.0,
        60.0 | 300.0 => 0.5,
        90.0 | 270.0 => 0.0,
        120.0 | 240.0 => -0.5,
        180.0 => -1.0,
        v => v.to_radians().cos(),
    }
}

/// Of 0 to 1: exact at the halves, as PostgreSQL's.
fn asind(x: f64) -> f64 {
    if x <= 0.5 { x.asin() / 0.5f64.asin() * 30.0 } else { 90.0 - x.acos() / 0.5f64.acos() * 60.0 }
}

/// Of 0 to 1.
fn acosd(x: f64) -> f64 {
    if x <= 0.5 { 90.0 - x.asin() / 0.5f64.asin() * 30.0 } else { x.acos() / 0.5f64.acos() * 60.0 }
}

pub fn declare(r: &mut Registry) {
    {
        arithmetic!(r, "float4", "float4" Float4, "float4" Float4 => Float4, f32);
    }
    {
        arithmetic!(r, "float8", "float8" Float8, "float8" Float8 => Float8, f64);
    }
    {
        arithmetic!(r, "float48", "float4" Float4, "float8" Float8 => Float8, f64);
    }
    {
        arithmetic!(r, "float84", "float8" Float8, "float4" Float4 => Float8, f64);
    }
    r.funs(&["float4um(float4)"], map1::<Float4, Float4>(|v| -v));
    r.funs(&["float4up(float4)"], map1::<Float4, Float4>(|v| v));
    r.funs(&["float4abs(float4)", "abs(float4)"], map1::<Float4, Float4>(f32::abs));
    r.funs(&["float8um(float8)"], plain(|v| -v));
    r.funs(&["float8up(float8)"], plain(|v| v));
    r.funs(&["float8abs(float8)", "abs(float8)"], plain(f64::abs));

    r.fun("float8(float4)", map1::<Float4, Float8>(f64::from));
    r.fun(
        "float4(float8)",
        attempt1::<Float8, Float4>(|v| {
            let narrow = v as f32;
            if narrow.is_infinite() && v.is_finite() {
                return Err(overflow());
            }
            if narrow == 0.0 && v != 0.0 {
                return Err(underflow());
            }
            Ok(narrow)
        }),
    );
    let (two15, two31, two63) = (32768.0, 2147483648.0, 9223372036854775808.0);
    r.fun("int2(float8)", attempt1::<Float8, Int2>(move |v| round_to(v, -two15, two15, "smallint", |v| v as i16)));
    r.fun("int4(float8)", attempt1::<Float8, Int4>(move |v| round_to(v, -two31, two31, "integer", |v| v as i32)));
    r.fun("int8(float8)", attempt1::<Float8, Int8>(move |v| round_to(v, -two63, two63, "bigint", |v| v as i64)));
    r.fun(
        "int2(float4)",
        attempt1::<Float4, Int2>(move |v| round_to(v.into(), -two15, two15, "smallint", |v| v as i16)),
    );
    r.fun(
        "int4(float4)",
        attempt1::<Float4, Int4>(move |v| round_to(v.into(), -two31, two31, "integer", |v| v as i32)),
    );
    r.fun("int8(float4)", attempt1::<Float4, Int8>(move |v| round_to(v.into(), -two63, two63, "bigint", |v| v as i64)));

    r.funs(&["ceil(float8)", "ceiling(float8)"], plain(f64::ceil));
    r.fun("floor(float8)", plain(f64::floor));
    r.funs(&["round(float8)", "dround(float8)"], plain(f64::round_ties_even));
    r.funs(&["trunc(float8)", "dtrunc(float8)"], plain(f64::trunc));
    r.fun(
        "sign(float8)",
        plain(|v| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                0.0
            }
        }),
    );
    let root = || attempt1::<Float8, Float8>(|v| if v < 0.0 { Err(negative_root()) } else { Ok(v.sqrt()) });
    r.fun("sqrt(float8)", root());
    r.fun("dsqrt(float8)", root());
    r.funs(&["cbrt(float8)", "dcbrt(float8)"], plain(f64::cbrt));
    r.funs(
        &["power(float8,float8)", "pow(float8,float8)", "dpow(float8,float8)"],
        attempt2::<Float8, Float8, Float8>(power),
    );
    r.funs(
        &["exp(float8)", "dexp(float8)"],
        attempt1::<Float8, Float8>(|v| {
            let value = v.exp();
            if value == 0.0 && v.is_finite() { Err(underflow()) } else { finite(value, v.is_finite()) }
        }),
    );
    r.funs(&["ln(float8)", "dlog1(float8)"], logarithm(f64::ln));
    r.funs(&["log(float8)", "log10(float8)", "dlog10(float8)"], logarithm(f64::log10));
    r.fun("sin(float8)", periodic(f64::sin));
    r.fun("cos(float8)", periodic(f64::cos));
    r.fun("tan(float8)", periodic(f64::tan));
    r.fun("cot(float8)", periodic(|v| 1.0 / v.tan()));
    r.fun("sind(float8)", periodic(sind));
    r.fun("cosd(float8)", periodic(cosd));
    r.fun("asin(float8)", bounded(f64::asin));
    r.fun("acos(float8)", bounded(f64::acos));
    r.fun("asind(float8)", bounded(|x| asind(x.abs()).copysign(x)));
    r.fun("acosd(float8)", bounded(|x| if x < 0.0 { 90.0 + asind(-x) } else { acosd(x) }));
    r.fun("atan(float8)", plain(f64::atan));
    r.fun("atan2(float8,float8)", map2::<Float8, Float8, Float8>(f64::atan2));
    r.fun("sinh(float8)", plain(f64::sinh));
    r.fun("cosh(float8)", plain(f64::cosh));
    r.fun("tanh(float8)", plain(f64::tanh));
    r.fun("asinh(float8)", plain(f64::asinh));
    r.fun(
        "acosh(float8)",
        attempt1::<Float8, Float8>(|v| if v < 1.0 { Err(input_out_of_range()) } else { Ok(v.acosh()) }),
    );
    r.fun(
        "atanh(float8)",
        attempt1::<Float8, Float8>(|v| if v.abs() > 1.0 { Err(input_out_of_range()) } else { Ok(v.atanh()) }),
    );
    r.fun("float4send(float4)", map1::<Float4, Bytea>(|v| v.to_be_bytes().to_vec()));
    r.fun("float8send(float8)", map1::<Float8, Bytea>(|v| v.to_be_bytes().to_vec()));
    r.fun("degrees(float8)", attempt1::<Float8, Float8>(|v| finite(v.to_degrees(), v.is_finite())));
    r.fun("radians(float8)", plain(f64::to_radians));
    r.fun("pi()", session0::<Float8>(|_| Ok(Some(std::f64::consts::PI))));
    r.fun("random()", session0::<Float8>(|_| Ok(Some(rand::random::<f64>()))));
    r.fun(
        "float8larger(float8,float8)",
        map2::<Float8, Float8, Float8>(|a, b| if order(a, b).is_ge() { a } else { b }),
    );
    r.fun(
        "float8smaller(float8,float8)",
        map2::<Float8, Float8, Float8>(|a, b| if order(a, b).is_le() { a } else { b }),
    );
    r.fun("width_bucket(float8,float8,float8,int4)", attempt4::<Float8, Float8, Float8, Int4, Int4>(width_bucket));
}

fn width_bucket(operand: f64, low: f64, high: f64, count: i32) -> PgResult<i32> {
    let invalid = |message: &str| domain(b"2201G", message);
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
    let (below, above) = if low < high { (operand < low, operand >= high) } else { (operand > low, operand <= high) };
    if below {
        return Ok(0);
    }
    if above {
        return count.checked_add(1).ok_or_else(|| out_of_range("integer"));
    }
    let bucket = (f64::from(count) * ((operand - low) / (high - low))) as i32;
    Ok(bucket.min(count - 1) + 1)
}
