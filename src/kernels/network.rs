//! Network addresses: parts of them, networks that hold others, arithmetic; MAC addresses; positions in the log.

use super::adapt::*;
use super::numerics::Num;
use super::registry::Registry;
use super::text::invalid;
use crate::types::network::{Network, colons, lsn_text, parse_lsn, parse_macaddr, parse_macaddr8};
use crate::types::numeric::Numeric;
use crate::types::{PgError, PgResult, SqlState};

fn network(text: &str) -> PgResult<Network> {
    Network::parse(text).ok_or_else(|| PgError::new(SqlState::DATA_CORRUPTED, "stored address is not well formed"))
}

fn out_of_range() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "result is out of range")
}

fn masked(text: &str, bits: i32, cidr: bool) -> PgResult<String> {
    let given = network(text)?;
    let bits = if bits == -1 { given.width() as i32 } else { bits };
    let fits = u32::try_from(bits).ok().filter(|b| *b <= given.width());
    let made = Network { bits: fits.ok_or_else(|| invalid(format!("invalid mask length: {bits}")))?, ..given };
    Ok(if cidr { made.network().cidr() } else { made.inet() })
}

/// Bit by bit; both must be of one family.
fn bitwise(name: &'static str, op: fn(u128, u128) -> u128) -> super::kernel::Body {
    attempt2::<Text, Text, Text>(move |a, b| {
        let (a, b) = (network(a)?, network(b)?);
        if a.v6 != b.v6 {
            return Err(invalid(format!("cannot {name} inet values of different sizes")));
        }
        Ok(Network { value: op(a.value, b.value), bits: a.bits.max(b.bits), v6: a.v6 }.inet())
    })
}

fn moved(text: &str, by: i128) -> PgResult<String> {
    let from = network(text)?;
    let value = match by >= 0 {
        true => from.value.checked_add(by as u128),
        false => from.value.checked_sub(by.unsigned_abs()),
    };
    let value = value.filter(|v| *v <= from.ones()).ok_or_else(out_of_range)?;
    Ok(Network { value, ..from }.inet())
}

fn difference(a: &str, b: &str) -> PgResult<i64> {
    let (a, b) = (network(a)?, network(b)?);
    if a.v6 != b.v6 {
        return Err(invalid("cannot subtract inet values of different sizes"));
    }
    let apart = i64::try_from(a.value.abs_diff(b.value)).map_err(|_| out_of_range())?;
    Ok(if a.value >= b.value { apart } else { -apart })
}

/// The smallest network that has both.
fn merged(a: &str, b: &str) -> PgResult<String> {
    let (a, b) = (network(a)?, network(b)?);
    if a.v6 != b.v6 {
        return Err(invalid("cannot merge addresses from different families"));
    }
    let bits = a.common_bits(&b, a.bits.min(b.bits));
    Ok(Network { bits, ..a }.network().cidr())
}

/// A cidr without the zeros behind its network.
fn shortened(text: &str) -> PgResult<String> {
    let given = network(text)?;
    if given.v6 {
        return Err(PgError::unsupported("abbrev() of an IPv6 network"));
    }
    let octets = (given.value as u32).to_be_bytes();
    let shown = (given.bits.div_ceil(8) as usize).max(1);
    let parts: Vec<String> = octets[..shown].iter().map(u8::to_string).collect();
    Ok(format!("{}/{}", parts.join("."), given.bits))
}

fn relation(test: fn(&Network, &Network) -> bool) -> super::kernel::Body {
    attempt2::<Text, Text, Bool>(move |a, b| Ok(test(&network(a)?, &network(b)?)))
}

fn bytes_of<const N: usize>(a: [u8; N], b: [u8; N], op: fn(u8, u8) -> u8) -> String {
    let mut out = a;
    out.iter_mut().zip(b).for_each(|(x, y)| *x = op(*x, y));
    colons(&out)
}

fn declare_macs(r: &mut Registry) {
    r.fun("macaddr_not(macaddr)", attempt1::<Text, Text>(|a| Ok(colons(&parse_macaddr(a)?.map(|b| !b)))));
    r.fun("macaddr8_not(macaddr8)", attempt1::<Text, Text>(|a| Ok(colons(&parse_macaddr8(a)?.map(|b| !b)))));
    let and: fn(u8, u8) -> u8 = |a, b| a & b;
    let or: fn(u8, u8) -> u8 = |a, b| a | b;
    for (name, op) in [("and", and), ("or", or)] {
        r.fun(
            &format!("macaddr_{name}(macaddr,macaddr)"),
            attempt2::<Text, Text, Text>(move |a, b| Ok(bytes_of(parse_macaddr(a)?, parse_macaddr(b)?, op))),
        );
        r.fun(
            &format!("macaddr8_{name}(macaddr8,macaddr8)"),
            attempt2::<Text, Text, Text>(move |a, b| Ok(bytes_of(parse_macaddr8(a)?, parse_macaddr8(b)?, op))),
        );
    }
    r.fun(
        "trunc(macaddr)",
        attempt1::<Text, Text>(|a| {
            let [a, b, c, ..] = parse_macaddr(a)?;
            Ok(colons(&[a, b, c, 0, 0, 0]))
        }),
    );
    r.fun(
        "trunc(macaddr8)",
        attempt1::<Text, Text>(|a| {
            let [a, b, c, ..] = parse_macaddr8(a)?;
            Ok(colons(&[a, b, c, 0, 0, 0, 0, 0]))
        }),
    );
    r.fun("macaddr8(macaddr)", attempt1::<Text, Text>(|a| Ok(colons(&parse_macaddr8(a)?))));
    r.fun(
        "macaddr(macaddr8)",
        attempt1::<Text, Text>(|m| match parse_macaddr8(m)? {
            [a, b, c, 0xff, 0xfe, d, e, f] => Ok(colons(&[a, b, c, d, e, f])),
            _ => Err(PgError::new(
                SqlState::NUMERIC_OUT_OF_RANGE,
                "macaddr8 data out of range to convert to macaddr",
            )
            .hint("Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, for example xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to macaddr.")),
        }),
    );
    r.fun(
        "macaddr8_set7bit(macaddr8)",
        attempt1::<Text, Text>(|m| {
            let mut bytes = parse_macaddr8(m)?;
            bytes[0] |= 0x02;
            Ok(colons(&bytes))
        }),
    );
}

fn lsn_moved(lsn: &str, by: &Numeric) -> PgResult<String> {
    if by.is_nan() {
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot add NaN to pg_lsn"));
    }
    let sum = Numeric::new(i128::from(parse_lsn(lsn)?), 0).add(by)?;
    lsn_of(&sum)
}

fn lsn_of(value: &Numeric) -> PgResult<String> {
    if value.is_nan() {
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot convert NaN to pg_lsn"));
    }
    let whole = value.round(0);
    let (unscaled, scale) = whole.as_small().unwrap_or((-1, 0));
    let lsn = if scale == 0 { u64::try_from(unscaled).ok() } else { None };
    let error = || PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "pg_lsn out of range");
    lsn.map(lsn_text).ok_or_else(error)
}

pub fn declare(r: &mut Registry) {
    declare_macs(r);
    r.fun("host(inet)", attempt1::<Text, Text>(|a| Ok(network(a)?.host())));
    r.fun("text(inet)", attempt1::<Text, Text>(|a| Ok(network(a)?.cidr())));
    r.fun("abbrev(inet)", attempt1::<Text, Text>(|a| Ok(network(a)?.inet())));
    r.fun("abbrev(cidr)", attempt1::<Text, Text>(shortened));
    r.fun("family(inet)", attempt1::<Text, Int4>(|a| Ok(if network(a)?.v6 { 6 } else { 4 })));
    r.fun("masklen(inet)", attempt1::<Text, Int4>(|a| Ok(network(a)?.bits as i32)));
    r.fun("set_masklen(inet,int4)", attempt2::<Text, Int4, Text>(|a, bits| masked(a, bits, false)));
    r.fun("set_masklen(cidr,int4)", attempt2::<Text, Int4, Text>(|a, bits| masked(a, bits, true)));
    r.fun("network(inet)", attempt1::<Text, Text>(|a| Ok(network(a)?.network().cidr())));
    r.fun("cidr(inet)", attempt1::<Text, Text>(|a| Ok(network(a)?.network().cidr())));
    let whole = |a: Network, value: u128| Network { value, bits: a.width(), v6: a.v6 }.inet();
    r.fun(
        "netmask(inet)",
        attempt1::<Text, Text>(move |a| {
            let a = network(a)?;
            Ok(whole(a, !a.host_mask() & a.ones()))
        }),
    );
    r.fun(
        "hostmask(inet)",
        attempt1::<Text, Text>(move |a| {
            let a = network(a)?;
            Ok(whole(a, a.host_mask()))
        }),
    );
    r.fun(
        "broadcast(inet)",
        attempt1::<Text, Text>(|a| {
            let a = network(a)?;
            Ok(Network { value: a.value | a.host_mask(), ..a }.inet())
        }),
    );
    r.fun(
        "inetnot(inet)",
        attempt1::<Text, Text>(|a| {
            let a = network(a)?;
            Ok(Network { value: !a.value & a.ones(), ..a }.inet())
        }),
    );
    r.fun("inetand(inet,inet)", bitwise("AND", |a, b| a & b));
    r.fun("inetor(inet,inet)", bitwise("OR", |a, b| a | b));
    r.fun("inetpl(inet,int8)", attempt2::<Text, Int8, Text>(|a, n| moved(a, n.into())));
    r.fun("int8pl_inet(int8,inet)", attempt2::<Int8, Text, Text>(|n, a| moved(a, n.into())));
    r.fun("inetmi_int8(inet,int8)", attempt2::<Text, Int8, Text>(|a, n| moved(a, -i128::from(n))));
    r.fun("inetmi(inet,inet)", attempt2::<Text, Text, Int8>(difference));
    r.fun("network_sub(inet,inet)", relation(|a, b| b.contains(a) && a.bits > b.bits));
    r.fun("network_subeq(inet,inet)", relation(|a, b| b.contains(a)));
    r.fun("network_sup(inet,inet)", relation(|a, b| a.contains(b) && a.bits < b.bits));
    r.fun("network_supeq(inet,inet)", relation(|a, b| a.contains(b)));
    r.fun("network_overlap(inet,inet)", relation(|a, b| a.contains(b) || b.contains(a)));
    r.fun("inet_same_family(inet,inet)", relation(|a, b| a.v6 == b.v6));
    r.fun("inet_merge(inet,inet)", attempt2::<Text, Text, Text>(merged));
    r.fun(
        "pg_lsn_mi(pg_lsn,pg_lsn)",
        attempt2::<Text, Text, Num>(|a, b| Ok(Numeric::new(i128::from(parse_lsn(a)?) - i128::from(parse_lsn(b)?), 0))),
    );
    r.fun("pg_lsn_pli(pg_lsn,numeric)", attempt2::<Text, Num, Text>(|a, n| lsn_moved(a, &n)));
    r.fun("numeric_pl_pg_lsn(numeric,pg_lsn)", attempt2::<Num, Text, Text>(|n, a| lsn_moved(a, &n)));
    r.fun(
        "pg_lsn_mii(pg_lsn,numeric)",
        attempt2::<Text, Num, Text>(|a, n| match n.is_nan() {
            true => Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot subtract NaN from pg_lsn")),
            false => lsn_moved(a, &n.neg()),
        }),
    );
    r.fun("pg_lsn(numeric)", attempt1::<Num, Text>(|n| lsn_of(&n)));
}
