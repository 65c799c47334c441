//! `(start, end) OVERLAPS (start, end)` and the functions of timetz.

use super::adapt::*;
use super::dates::{add_days_and_time, extract_timetz, zone_named, zone_of, zone_of_interval};
use super::kernel::{Body, Call};
use super::registry::Registry;
use crate::types::PgResult;
use crate::types::datetime::{
    MICROS_PER_DAY, MICROS_PER_SECOND, Zone, add_interval, add_interval_tz, is_finite_timestamp, split_micros,
    timetz_bytes, timetz_parts,
};
use crate::types::interval::Interval;
use std::sync::Arc;

/// Whether two periods have a moment in common; an end may be unknown.
fn overlaps(mut a: (Option<i64>, Option<i64>), mut b: (Option<i64>, Option<i64>)) -> Option<bool> {
    for period in [&mut a, &mut b] {
        let turned = match *period {
            (None, Some(end)) => (Some(end), None),
            (Some(start), Some(end)) if start > end => (Some(end), Some(start)),
            other => other,
        };
        *period = turned;
    }
    let (first, second) = (a.0?, b.0?);
    let (earlier, later) = match first.cmp(&second) {
        std::cmp::Ordering::Equal => return a.1.and(b.1).map(|_| true),
        std::cmp::Ordering::Less => (a, b),
        std::cmp::Ordering::Greater => (b, a),
    };
    // The later start lies within the earlier period, or behind its end.
    let end = earlier.1?;
    if later.0? < end {
        return Some(true);
    }
    later.1.map(|_| false)
}

type Add = fn(&Call<'_>, i64, &Interval) -> PgResult<i64>;

/// Ends given as moments, or with `lengths` as intervals from the start.
fn body<K>(lengths: (bool, bool), add: Add) -> Body
where
    K: for<'a> Kind<Item<'a> = i64>,
{
    Arc::new(move |call| {
        let moment = |arg: usize, row: usize| -> PgResult<Option<i64>> {
            let column = &call.args[arg];
            if column.is_null(row) {
                return Ok(None);
            }
            Ok(Some(K::item(&K::column(&column.array)?, column.at(row))?))
        };
        let end = |arg: usize, row: usize, length: bool, start: Option<i64>| -> PgResult<Option<i64>> {
            if !length {
                return moment(arg, row);
            }
            let column = &call.args[arg];
            let (Some(start), false) = (start, column.is_null(row)) else { return Ok(None) };
            let bytes = Fixed::<16>::item(&Fixed::<16>::column(&column.array)?, column.at(row))?;
            add(call, start, &Interval::from_bytes(&bytes)).map(Some)
        };
        all_rows::<Bool>(call, |row| {
            let (a, b) = (moment(0, row)?, moment(2, row)?);
            Ok(overlaps((a, end(1, row, lengths.0, a)?), (b, end(3, row, lengths.1, b)?)))
        })
    })
}

/// µs of the day in the zone, and its offset, after µs are added.
fn timetz_plus(bytes: [u8; 12], micros: i64) -> [u8; 12] {
    let (time, west) = timetz_parts(&bytes);
    timetz_bytes((time + micros).rem_euclid(MICROS_PER_DAY), west)
}

/// The same moment of day at another offset.
fn timetz_at(bytes: [u8; 12], east: i32) -> [u8; 12] {
    let (time, west) = timetz_parts(&bytes);
    let utc = time + i64::from(west) * MICROS_PER_SECOND;
    timetz_bytes((utc + i64::from(east) * MICROS_PER_SECOND).rem_euclid(MICROS_PER_DAY), -east)
}

fn micros(bytes: [u8; 16]) -> i64 {
    Interval::from_bytes(&bytes).micros
}

pub fn declare(r: &mut Registry) {
    let time: Add = |_, t, i| Ok((t + i.micros).rem_euclid(MICROS_PER_DAY));
    let stamp: Add = |_, t, i| add_interval(t, i);
    let zoned: Add = |call, t, i| add_interval_tz(t, i, &zone_of(call));
    for (name, add, is_time) in [("time", time, true), ("timestamp", stamp, false), ("timestamptz", zoned, false)] {
        for lengths in [(false, false), (true, true), (false, true), (true, false)] {
            let end = |length: bool| if length { "interval" } else { name };
            let signature = format!("overlaps({name},{},{name},{})", end(lengths.0), end(lengths.1));
            r.fun(&signature, if is_time { body::<Time>(lengths, add) } else { body::<Stamp>(lengths, add) });
        }
    }
    type TimeTz = Fixed<12>;
    type Bytes = Fixed<16>;
    r.fun("timetz_pl_interval(timetz,interval)", map2::<TimeTz, Bytes, TimeTz>(|t, i| timetz_plus(t, micros(i))));
    r.fun("timetz_mi_interval(timetz,interval)", map2::<TimeTz, Bytes, TimeTz>(|t, i| timetz_plus(t, -micros(i))));
    r.fun(
        "timezone(interval,timetz)",
        attempt2::<Bytes, TimeTz, TimeTz>(|z, t| Ok(timetz_at(t, zone_of_interval(z)?.offset_at(0)))),
    );
    r.fun(
        "timezone(text,timetz)",
        session2::<Text, TimeTz, TimeTz>(|call, z, t| {
            let zone: Zone = zone_named(z)?;
            Ok(Some(timetz_at(t, zone.offset_at(call.context()?.transaction_us()))))
        }),
    );
    r.fun("extract(text,timetz)", maybe2::<Text, TimeTz, super::numerics::Num>(extract_timetz));
    r.fun(
        "date_part(text,timetz)",
        maybe2::<Text, TimeTz, Float8>(|u, t| extract_timetz(u, t)?.map(|n| n.to_f64()).transpose()),
    );
    for signature in ["datetimetz_pl(date,timetz)", "timestamptz(date,timetz)"] {
        r.fun(
            signature,
            attempt2::<Date, TimeTz, Stamp>(|d, t| {
                let (time, west) = timetz_parts(&t);
                add_days_and_time(d, time, i64::from(west) * MICROS_PER_SECOND)
            }),
        );
    }
    r.fun(
        "timetz(timestamptz)",
        session1::<Stamp, TimeTz>(|call, t| {
            if !is_finite_timestamp(t) {
                return Ok(None);
            }
            let zone = zone_of(call);
            Ok(Some(timetz_bytes(split_micros(zone.to_local(t)).1, -zone.offset_at(t))))
        }),
    );
    r.fun("time(timetz)", map1::<TimeTz, Time>(|t| timetz_parts(&t).0));
    r.fun(
        "timestamptz(date,time)",
        session2::<Date, Time, Stamp>(|call, d, t| Ok(Some(zone_of(call).to_utc(add_days_and_time(d, t, 0)?)))),
    );
}
