//! Arithmetic and casts of money, in hundredths.

use super::adapt::*;
use super::integers::division_by_zero;
use super::numerics::Num;
use super::registry::Registry;
use crate::types::numeric::Numeric;
use crate::types::{PgError, PgResult, SqlState, money};

fn out_of_range() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "money out of range")
}

fn rounded(value: f64) -> PgResult<i64> {
    let value = value.round_ties_even();
    // From -2^63 up to, and without, 2^63.
    let fits = (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&value);
    if fits { Ok(value as i64) } else { Err(out_of_range()) }
}

fn times(a: i64, b: i64) -> PgResult<i64> {
    a.checked_mul(b).ok_or_else(out_of_range)
}

fn over(a: i64, b: i64) -> PgResult<i64> {
    match b {
        0 => Err(division_by_zero()),
        _ => a.checked_div(b).ok_or_else(out_of_range),
    }
}

fn over_float(a: i64, b: f64) -> PgResult<i64> {
    if b == 0.0 { Err(division_by_zero()) } else { rounded(a as f64 / b) }
}

/// Of a whole number of units.
fn of_units(units: i64) -> PgResult<i64> {
    units.checked_mul(100).ok_or_else(|| PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "bigint out of range"))
}

pub fn declare(r: &mut Registry) {
    r.fun("cash_pl(money,money)", attempt2::<Int8, Int8, Int8>(|a, b| a.checked_add(b).ok_or_else(out_of_range)));
    r.fun("cash_mi(money,money)", attempt2::<Int8, Int8, Int8>(|a, b| a.checked_sub(b).ok_or_else(out_of_range)));
    r.fun("cash_mul_int2(money,int2)", attempt2::<Int8, Int2, Int8>(|a, b| times(a, b.into())));
    r.fun("cash_mul_int4(money,int4)", attempt2::<Int8, Int4, Int8>(|a, b| times(a, b.into())));
    r.fun("cash_mul_int8(money,int8)", attempt2::<Int8, Int8, Int8>(times));
    r.fun("int2_mul_cash(int2,money)", attempt2::<Int2, Int8, Int8>(|a, b| times(a.into(), b)));
    r.fun("int4_mul_cash(int4,money)", attempt2::<Int4, Int8, Int8>(|a, b| times(a.into(), b)));
    r.fun("int8_mul_cash(int8,money)", attempt2::<Int8, Int8, Int8>(times));
    r.fun("cash_div_int2(money,int2)", attempt2::<Int8, Int2, Int8>(|a, b| over(a, b.into())));
    r.fun("cash_div_int4(money,int4)", attempt2::<Int8, Int4, Int8>(|a, b| over(a, b.into())));
    r.fun("cash_div_int8(money,int8)", attempt2::<Int8, Int8, Int8>(over));
    r.fun("cash_mul_flt4(money,float4)", attempt2::<Int8, Float4, Int8>(|a, b| rounded(a as f64 * f64::from(b))));
    r.fun("cash_mul_flt8(money,float8)", attempt2::<Int8, Float8, Int8>(|a, b| rounded(a as f64 * b)));
    r.fun("flt4_mul_cash(float4,money)", attempt2::<Float4, Int8, Int8>(|a, b| rounded(f64::from(a) * b as f64)));
    r.fun("flt8_mul_cash(float8,money)", attempt2::<Float8, Int8, Int8>(|a, b| rounded(a * b as f64)));
    r.fun("cash_div_flt4(money,float4)", attempt2::<Int8, Float4, Int8>(|a, b| over_float(a, b.into())));
    r.fun("cash_div_flt8(money,float8)", attempt2::<Int8, Float8, Int8>(over_float));
    r.fun(
        "cash_div_cash(money,money)",
        attempt2::<Int8, Int8, Float8>(|a, b| if b == 0 { Err(division_by_zero()) } else { Ok(a as f64 / b as f64) }),
    );
    r.fun("cashlarger(money,money)", map2::<Int8, Int8, Int8>(|a, b| a.max(b)));
    r.fun("cashsmaller(money,money)", map2::<Int8, Int8, Int8>(|a, b| a.min(b)));
    r.fun("cash_cmp(money,money)", map2::<Int8, Int8, Int4>(|a, b| a.cmp(&b) as i32));
    r.fun("cash_words(money)", map1::<Int8, Text>(money::in_words));
    r.fun("money(int4)", attempt1::<Int4, Int8>(|v| of_units(v.into())));
    r.fun("money(int8)", attempt1::<Int8, Int8>(of_units));
    r.fun(
        "money(numeric)",
        attempt1::<Num, Int8>(|n| {
            let hundredths = n.mul(&Numeric::from(100))?.round(0);
            hundredths.to_i64()
        }),
    );
    r.fun("numeric(money)", map1::<Int8, Num>(|v| Numeric::new(v.into(), 2)));
}

/// `sum(money)`: NULL of no rows.
pub fn sum(rows: &[arrow::array::ArrayRef]) -> PgResult<Option<i64>> {
    let values = downcast::<arrow::array::Int64Array>(&rows[0])?;
    let mut sum: Option<i64> = None;
    for value in values.iter().flatten() {
        sum = Some(sum.unwrap_or(0).checked_add(value).ok_or_else(out_of_range)?);
    }
    Ok(sum)
}
