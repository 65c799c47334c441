//! int2, int4, int8 and oid: arithmetic, bits, conversions. Everything is overflow-checked.

use super::adapt::*;
use super::kernel::Body;
use super::registry::Registry;
use crate::types::{PgError, SqlState};
use arrow::datatypes::*;

pub fn out_of_range(ty: &str) -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("{ty} out of range"))
}

pub fn division_by_zero() -> PgError {
    PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

macro_rules! arithmetic {
    ($r:ident, $prefix:literal, $left:ident $l:ty, $right:ident $q:ty => $wide:ident $w:ty, $arrow:ty, $name:literal) => {
        let signature = |op: &str| {
            format!("{}{}({},{})", $prefix, op, stringify!($left).to_lowercase(), stringify!($right).to_lowercase())
        };
        type W = $w;
        let error = |_, _| out_of_range($name);
        $r.fun(&signature("pl"), checked2::<$l, $q, $arrow>(|a, b| W::from(a).overflowing_add(W::from(b)), error));
        $r.fun(&signature("mi"), checked2::<$l, $q, $arrow>(|a, b| W::from(a).overflowing_sub(W::from(b)), error));
        $r.fun(&signature("mul"), checked2::<$l, $q, $arrow>(|a, b| W::from(a).overflowing_mul(W::from(b)), error));
        $r.fun(
            &signature("div"),
            checked2::<$l, $q, $arrow>(
                |a, b| match W::from(b) {
                    0 => (0, true),
                    b => W::from(a).overflowing_div(b),
                },
                |_, b| if b == 0 { division_by_zero() } else { out_of_range($name) },
            ),
        );
    };
}

macro_rules! one_width {
    ($r:ident, $ty:literal, $n:ty, $arrow:ty, $name:literal) => {
        let of = |name: &str, args: usize| format!("{name}({})", vec![$ty; args].join(","));
        let error = |_| out_of_range($name);
        $r.fun(&of(concat!($ty, "um"), 1), checked1::<$arrow, $arrow>(|a| a.overflowing_neg(), error));
        $r.fun(&of(concat!($ty, "up"), 1), checked1::<$arrow, $arrow>(|a| (a, false), error));
        let absolute = || checked1::<$arrow, $arrow>(|a| (a.wrapping_abs(), a == <$n>::MIN), error);
        $r.fun(&of("abs", 1), absolute());
        $r.fun(&of(concat!($ty, "abs"), 1), absolute());
        let modulo = || {
            checked2::<$arrow, $arrow, $arrow>(
                |a, b| if b == 0 { (0, true) } else { (a.wrapping_rem(b), false) },
                |_, _| division_by_zero(),
            )
        };
        $r.fun(&of("mod", 2), modulo());
        $r.fun(&of(concat!($ty, "mod"), 2), modulo());
        let never = |_, _| out_of_range($name);
        $r.fun(&of(concat!($ty, "and"), 2), checked2::<$arrow, $arrow, $arrow>(|a, b| (a & b, false), never));
        $r.fun(&of(concat!($ty, "or"), 2), checked2::<$arrow, $arrow, $arrow>(|a, b| (a | b, false), never));
        $r.fun(&of(concat!($ty, "xor"), 2), checked2::<$arrow, $arrow, $arrow>(|a, b| (a ^ b, false), never));
        $r.fun(&of(concat!($ty, "not"), 1), checked1::<$arrow, $arrow>(|a| (!a, false), error));
        // C's shifts as the hardware does them: the count is taken modulo the width that the operand is promoted to.
        $r.fun(
            &format!("{}shl({},int4)", $ty, $ty),
            checked2::<$arrow, Int32Type, $arrow>(
                |a, n| ((i64::from(a) << (n as u32 & (<$n>::BITS.max(32) - 1))) as $n, false),
                |_, _| out_of_range($name),
            ),
        );
        $r.fun(
            &format!("{}shr({},int4)", $ty, $ty),
            checked2::<$arrow, Int32Type, $arrow>(
                |a, n| ((i64::from(a) >> (n as u32 & (<$n>::BITS.max(32) - 1))) as $n, false),
                |_, _| out_of_range($name),
            ),
        );
        $r.fun(&of(concat!($ty, "larger"), 2), checked2::<$arrow, $arrow, $arrow>(|a, b| (a.max(b), false), never));
        $r.fun(&of(concat!($ty, "smaller"), 2), checked2::<$arrow, $arrow, $arrow>(|a, b| (a.min(b), false), never));
    };
}

fn narrow<A: ArrowPrimitiveType, R: ArrowPrimitiveType>(
    to: impl Fn(A::Native) -> Option<R::Native> + Send + Sync + 'static,
    name: &'static str,
) -> Body {
    checked1::<A, R>(
        move |a| match to(a) {
            Some(v) => (v, false),
            None => (R::Native::default(), true),
        },
        move |_| out_of_range(name),
    )
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

pub fn declare(r: &mut Registry) {
    {
        arithmetic!(r, "int2", INT2 Int16Type, INT2 Int16Type => INT2 i16, Int16Type, "smallint");
    }
    {
        arithmetic!(r, "int4", INT4 Int32Type, INT4 Int32Type => INT4 i32, Int32Type, "integer");
    }
    {
        arithmetic!(r, "int8", INT8 Int64Type, INT8 Int64Type => INT8 i64, Int64Type, "bigint");
    }
    {
        arithmetic!(r, "int24", INT2 Int16Type, INT4 Int32Type => INT4 i32, Int32Type, "integer");
    }
    {
        arithmetic!(r, "int42", INT4 Int32Type, INT2 Int16Type => INT4 i32, Int32Type, "integer");
    }
    {
        arithmetic!(r, "int28", INT2 Int16Type, INT8 Int64Type => INT8 i64, Int64Type, "bigint");
    }
    {
        arithmetic!(r, "int82", INT8 Int64Type, INT2 Int16Type => INT8 i64, Int64Type, "bigint");
    }
    {
        arithmetic!(r, "int48", INT4 Int32Type, INT8 Int64Type => INT8 i64, Int64Type, "bigint");
    }
    {
        arithmetic!(r, "int84", INT8 Int64Type, INT4 Int32Type => INT8 i64, Int64Type, "bigint");
    }
    {
        one_width!(r, "int2", i16, Int16Type, "smallint");
    }
    {
        one_width!(r, "int4", i32, Int32Type, "integer");
    }
    {
        one_width!(r, "int8", i64, Int64Type, "bigint");
    }

    r.fun("int4(int2)", map1::<Int2, Int4>(i32::from));
    r.fun("int8(int2)", map1::<Int2, Int8>(i64::from));
    r.fun("int8(int4)", map1::<Int4, Int8>(i64::from));
    r.fun("int2(int4)", narrow::<Int32Type, Int16Type>(|v| v.try_into().ok(), "smallint"));
    r.fun("int2(int8)", narrow::<Int64Type, Int16Type>(|v| v.try_into().ok(), "smallint"));
    r.fun("int4(int8)", narrow::<Int64Type, Int32Type>(|v| v.try_into().ok(), "integer"));
    r.fun("float4(int2)", map1::<Int2, Float4>(f32::from));
    r.fun("float4(int4)", map1::<Int4, Float4>(|v| v as f32));
    r.fun("float4(int8)", map1::<Int8, Float4>(|v| v as f32));
    r.fun("float8(int2)", map1::<Int2, Float8>(f64::from));
    r.fun("float8(int4)", map1::<Int4, Float8>(f64::from));
    r.fun("float8(int8)", map1::<Int8, Float8>(|v| v as f64));
    r.fun("bool(int4)", map1::<Int4, Bool>(|v| v != 0));
    r.fun("int4(bool)", map1::<Bool, Int4>(i32::from));
    r.fun("oid(int8)", narrow::<Int64Type, UInt32Type>(|v| v.try_into().ok(), "OID"));
    r.fun("int8(oid)", map1::<OidKind, Int8>(i64::from));

    r.fun(
        "gcd(int4,int4)",
        attempt2::<Int4, Int4, Int4>(|a, b| {
            i32::try_from(gcd(a.into(), b.into())).map_err(|_| out_of_range("integer"))
        }),
    );
    r.fun(
        "gcd(int8,int8)",
        attempt2::<Int8, Int8, Int8>(|a, b| i64::try_from(gcd(a.into(), b.into())).map_err(|_| out_of_range("bigint"))),
    );
    r.fun(
        "lcm(int4,int4)",
        attempt2::<Int4, Int4, Int4>(|a, b| {
            i32::try_from(lcm(a.into(), b.into())).map_err(|_| out_of_range("integer"))
        }),
    );
    r.fun(
        "lcm(int8,int8)",
        attempt2::<Int8, Int8, Int8>(|a, b| i64::try_from(lcm(a.into(), b.into())).map_err(|_| out_of_range("bigint"))),
    );
    r.fun("to_hex(int4)", write1::<Int4>(|v, out| write(out, format_args!("{v:x}"))));
    r.fun("to_hex(int8)", write1::<Int8>(|v, out| write(out, format_args!("{v:x}"))));
}

fn lcm(a: i128, b: i128) -> i128 {
    if a == 0 || b == 0 { 0 } else { (a / gcd(a, b) * b).abs() }
}

fn write(out: &mut String, args: std::fmt::Arguments<'_>) -> crate::types::PgResult<()> {
    std::fmt::Write::write_fmt(out, args).map_err(|e| PgError::internal(e.to_string()))
}
