//! Types as SQL spells them: `format_type`.

use super::facts::facts;
use crate::types::{Oid, oid};

/// `format_type(oid, typmod)` for built-in types: `None` is "no modifier asked for", `Some(-1)` "none set". Types of
/// users are the catalog's; here an unknown OID gives `???`.
pub fn format_type(ty: Oid, typmod: Option<i32>) -> String {
    if ty == oid::INVALID {
        return "-".to_string();
    }
    let row = facts().type_row(ty);
    let element = row.filter(|r| r.category == 'A' && r.element != oid::INVALID && r.len == -1);
    // The vectors of the catalog go by their own names.
    let element = element.filter(|_| !matches!(ty, oid::INT2VECTOR | oid::OIDVECTOR)).map(|r| r.element);
    match element {
        Some(element) => format!("{}[]", scalar_name(element, typmod)),
        None => scalar_name(ty, typmod),
    }
}

fn scalar_name(ty: Oid, typmod: Option<i32>) -> String {
    let set = typmod.filter(|&m| m >= 0);
    let precision = |base: &str, rest: &str| match set {
        Some(p) => format!("{base}({p}){rest}"),
        None => format!("{base}{rest}"),
    };
    match ty {
        oid::BOOL => "boolean".into(),
        oid::INT2 => "smallint".into(),
        oid::INT4 => "integer".into(),
        oid::INT8 => "bigint".into(),
        oid::FLOAT4 => "real".into(),
        oid::FLOAT8 => "double precision".into(),
        oid::CHAR => "\"char\"".into(),
        oid::BPCHAR => match typmod {
            Some(m) if m > 4 => format!("character({})", m - 4),
            // Without a modifier, "character" would mean one character.
            Some(m) if m < 0 => "bpchar".into(),
            _ => "character".into(),
        },
        oid::VARCHAR => match set {
            Some(m) if m > 4 => format!("character varying({})", m - 4),
            _ => "character varying".into(),
        },
        oid::BIT => match typmod {
            Some(m) if m > 0 => format!("bit({m})"),
            Some(_) => "\"bit\"".into(),
            None => "bit".into(),
        },
        oid::VARBIT => match set {
            Some(m) if m > 0 => format!("bit varying({m})"),
            _ => "bit varying".into(),
        },
        oid::NUMERIC => {
            let ty = crate::types::PgType { oid: ty, typmod: typmod.unwrap_or(-1) };
            match ty.numeric_typmod() {
                Some((p, s)) => format!("numeric({p},{s})"),
                None => "numeric".into(),
            }
        }
        oid::TIME => precision("time", " without time zone"),
        oid::TIMETZ => precision("time", " with time zone"),
        oid::TIMESTAMP => precision("timestamp", " without time zone"),
        oid::TIMESTAMPTZ => precision("timestamp", " with time zone"),
        oid::INTERVAL => interval_name(set),
        other => match facts().type_row(other) {
            Some(row) => quoted(row.name),
            None => "???".into(),
        },
    }
}

/// The fields and the precision that an interval's modifier packs.
fn interval_name(typmod: Option<i32>) -> String {
    let Some(typmod) = typmod else { return "interval".into() };
    let (range, precision) = ((typmod >> 16) & 0x7fff, typmod & 0xffff);
    let (year, month, day, hour, minute, second) = (1 << 2, 1 << 1, 1 << 3, 1 << 10, 1 << 11, 1 << 12);
    let fields = match range {
        r if r == year => " year",
        r if r == month => " month",
        r if r == day => " day",
        r if r == hour => " hour",
        r if r == minute => " minute",
        r if r == second => " second",
        r if r == year | month => " year to month",
        r if r == day | hour => " day to hour",
        r if r == day | hour | minute => " day to minute",
        r if r == day | hour | minute | second => " day to second",
        r if r == hour | minute => " hour to minute",
        r if r == hour | minute | second => " hour to second",
        r if r == minute | second => " minute to second",
        _ => "",
    };
    match precision {
        0xffff => format!("interval{fields}"),
        p => format!("interval{fields}({p})"),
    }
}

fn quoted(name: &str) -> String {
    super::text::quote_identifier(name)
}
