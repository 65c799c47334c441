//! date, time, timestamp, timestamptz and interval: arithmetic, fields, truncation, conversion.

use super::adapt::*;
use super::compare::satisfies;
use super::facts::facts;
use super::floats;
use super::integers::out_of_range;
use super::kernel::{Body, Call};
use super::keys::IntervalParts;
use super::numerics::Num;
use super::registry::Registry;
use super::text::invalid;
use crate::types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, Fields, MICROS_PER_DAY, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    TIMESTAMP_NEG_INFINITY, Zone, add_interval, add_interval_tz, date_of, days_from_civil, days_in_month,
    is_finite_timestamp, split_micros, timestamp_of, timestamp_out_of_range,
};
use crate::types::interval::Interval;
use crate::types::numeric::Numeric;
use crate::types::{PgError, PgResult, SqlState, oid};
use datafusion::logical_expr::Operator;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

type Bytes = Fixed<16>;

/// Lets the statement rest; what is below zero is no time.
fn sleep(call: &Call<'_>, seconds: f64) -> PgResult<Option<String>> {
    // Not a number is no time either. A century is for ever.
    let time = Duration::from_secs_f64(if seconds > 0.0 { seconds.min(3.2e9) } else { 0.0 });
    call.context()?.sleep(time).map(|()| Some(String::new()))
}

fn read(bytes: [u8; 16]) -> Interval {
    Interval::from_bytes(&bytes)
}

pub fn zone_of(call: &Call<'_>) -> Zone {
    super::text_io::settings(call).timezone
}

fn date_out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_OVERFLOW, "date out of range")
}

/// Midnight of a date.
fn midnight(date: i32) -> PgResult<i64> {
    match date {
        DATE_INFINITY => Ok(TIMESTAMP_INFINITY),
        DATE_NEG_INFINITY => Ok(TIMESTAMP_NEG_INFINITY),
        days => timestamp_of(days.into(), 0)
            .ok_or_else(|| PgError::new(SqlState::DATETIME_OVERFLOW, "date out of range for timestamp")),
    }
}

fn date_of_stamp(micros: i64) -> PgResult<i32> {
    match micros {
        TIMESTAMP_INFINITY => Ok(DATE_INFINITY),
        TIMESTAMP_NEG_INFINITY => Ok(DATE_NEG_INFINITY),
        micros => date_of(split_micros(micros).0).ok_or_else(date_out_of_range),
    }
}

fn add_days(date: i32, days: i64) -> PgResult<i32> {
    if matches!(date, DATE_INFINITY | DATE_NEG_INFINITY) {
        return Ok(date);
    }
    date_of(i64::from(date) + days).ok_or_else(date_out_of_range)
}

/// `timestamp - timestamp`: whole days and the time.
fn difference(a: i64, b: i64) -> PgResult<[u8; 16]> {
    if !is_finite_timestamp(a) || !is_finite_timestamp(b) {
        return Err(PgError::new(SqlState::DATETIME_OVERFLOW, "cannot subtract infinite timestamps"));
    }
    let micros = a.checked_sub(b).ok_or_else(|| PgError::new(SqlState::DATETIME_OVERFLOW, "interval out of range"))?;
    Ok(Interval::new(0, (micros / MICROS_PER_DAY) as i32, micros % MICROS_PER_DAY).to_bytes())
}

fn scaled(interval: [u8; 16], by: impl Fn(&IntervalParts) -> PgResult<IntervalParts>) -> PgResult<[u8; 16]> {
    by(&IntervalParts::read(interval)).map(|i| i.write())
}

/// Carries whole days out of the time (`justify_hours`), whole months out of the days (`justify_days`), so that all
/// parts have one sign (`justify_interval`).
fn justify_hours(i: Interval) -> PgResult<Interval> {
    let (mut days, mut micros) = (i64::from(i.days) + i.micros / MICROS_PER_DAY, i.micros % MICROS_PER_DAY);
    if days > 0 && micros < 0 {
        (days, micros) = (days - 1, micros + MICROS_PER_DAY);
    } else if days < 0 && micros > 0 {
        (days, micros) = (days + 1, micros - MICROS_PER_DAY);
    }
    fitted(i.months.into(), days, micros)
}

fn justify_days(i: Interval) -> PgResult<Interval> {
    let (mut months, mut days) = (i64::from(i.months) + i64::from(i.days / 30), i64::from(i.days % 30));
    if months > 0 && days < 0 {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && days > 0 {
        (months, days) = (months + 1, days - 30);
    }
    fitted(months, days, i.micros)
}

fn justify_interval(i: Interval) -> PgResult<Interval> {
    let (mut months, mut days, mut micros) = (i64::from(i.months), i64::from(i.days), i.micros);
    days += micros / MICROS_PER_DAY;
    micros %= MICROS_PER_DAY;
    months += days / 30;
    days %= 30;
    if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
        (days, months) = (days + 30, months - 1);
    } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
        (days, months) = (days - 30, months + 1);
    }
    if days > 0 && micros < 0 {
        (micros, days) = (micros + MICROS_PER_DAY, days - 1);
    } else if days < 0 && micros > 0 {
        (micros, days) = (micros - MICROS_PER_DAY, days + 1);
    }
    fitted(months, days, micros)
}

fn fitted(months: i64, days: i64, micros: i64) -> PgResult<Interval> {
    match (i32::try_from(months), i32::try_from(days)) {
        (Ok(months), Ok(days)) => Ok(Interval::new(months, days, micros)),
        _ => Err(PgError::new(SqlState::DATETIME_OVERFLOW, "interval out of range")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Dow,
    IsoDow,
    Doy,
    IsoYear,
    Julian,
    Epoch,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

fn unit(name: &str, ty: &str) -> PgResult<Unit> {
    use Unit::*;
    let lower = match name.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    };
    Ok(match &*lower {
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "useconds" => Microseconds,
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "mseconds" => Milliseconds,
        "second" | "seconds" | "s" | "sec" | "secs" => Second,
        "minute" | "minutes" | "m" | "min" | "mins" => Minute,
        "hour" | "hours" | "h" | "hr" | "hrs" => Hour,
        "day" | "days" | "d" => Day,
        "week" | "weeks" | "w" => Week,
        "month" | "months" | "mon" | "mons" => Month,
        "quarter" | "qtr" => Quarter,
        "year" | "years" | "y" | "yr" | "yrs" => Year,
        "decade" | "decades" | "dec" | "decs" => Decade,
        "century" | "centuries" | "c" | "cent" => Century,
        "millennium" | "millennia" | "mil" | "mils" => Millennium,
        "dow" => Dow,
        "isodow" => IsoDow,
        "doy" => Doy,
        "isoyear" => IsoYear,
        "julian" => Julian,
        "epoch" => Epoch,
        "timezone" => Timezone,
        "timezone_hour" | "timezone_h" => TimezoneHour,
        "timezone_minute" | "timezone_m" => TimezoneMinute,
        _ => return Err(invalid(format!("unit \"{name}\" not recognized for type {ty}"))),
    })
}

fn unsupported_unit(name: &str, ty: &str) -> PgError {
    PgError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("unit \"{name}\" not supported for type {ty}"))
}

/// Year and week of ISO 8601.
pub fn iso_week(days: i64) -> (i64, i64) {
    // The week belongs to the year of its Thursday; 1970-01-01 was one.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let year = crate::types::datetime::civil_from_days(thursday).0;
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// 0 is Sunday.
pub fn day_of_week(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

fn century(year: i64) -> i64 {
    if year > 0 { (year + 99) / 100 } else { -((99 - (year - 1)) / 100) }
}

fn millennium(year: i64) -> i64 {
    if year > 0 { (year + 999) / 1000 } else { -((999 - (year - 1)) / 1000) }
}

fn truncate(name: &str, micros: i64, ty: &str) -> PgResult<i64> {
    use Unit::*;
    let unit = unit(name, ty)?;
    if !is_finite_timestamp(micros) {
        return Ok(micros);
    }
    let (days, time) = split_micros(micros);
    let to_time = |step: i64| Some(days * MICROS_PER_DAY + time / step * step);
    let truncated = match unit {
        Microseconds => Some(micros),
        Milliseconds => to_time(1000),
        Second => to_time(MICROS_PER_SECOND),
        Minute => to_time(60 * MICROS_PER_SECOND),
        Hour => to_time(3600 * MICROS_PER_SECOND),
        Day => timestamp_of(days, 0),
        Week => timestamp_of(days - (days + 3).rem_euclid(7), 0),
        _ => return truncate_to_months(unit, &Fields::of(micros)).ok_or_else(|| unsupported_unit(name, ty))?,
    };
    truncated.ok_or_else(timestamp_out_of_range)
}

/// The beginning of a month or of a longer span; `None` for other units.
fn truncate_to_months(unit: Unit, f: &Fields) -> Option<PgResult<i64>> {
    use Unit::*;
    let (year, month) = match unit {
        Month => (f.year, f.month),
        Quarter => (f.year, (f.month - 1) / 3 * 3 + 1),
        Year => (f.year, 1),
        Decade => (if f.year > 0 { f.year / 10 * 10 } else { -((8 - (f.year - 1)) / 10) * 10 }, 1),
        Century => {
            (if f.year > 0 { (f.year + 99) / 100 * 100 - 99 } else { -((99 - (f.year - 1)) / 100) * 100 + 1 }, 1)
        }
        Millennium => {
            (if f.year > 0 { (f.year + 999) / 1000 * 1000 - 999 } else { -((999 - (f.year - 1)) / 1000) * 1000 + 1 }, 1)
        }
        _ => return None,
    };
    Some(timestamp_of(days_from_civil(year, month, 1), 0).ok_or_else(timestamp_out_of_range))
}

fn truncate_in(zone: &Zone, name: &str, micros: i64) -> PgResult<i64> {
    let ty = "timestamp with time zone";
    let local = truncate(name, zone.to_local(micros), ty)?;
    // Below a day the offset in force stays, so that an hour that occurs twice is not mistaken for the other.
    match unit(name, ty)? {
        Unit::Microseconds | Unit::Milliseconds | Unit::Second | Unit::Minute | Unit::Hour
            if is_finite_timestamp(micros) =>
        {
            Ok(local - i64::from(zone.offset_at(micros)) * MICROS_PER_SECOND)
        }
        _ => Ok(zone.to_utc(local)),
    }
}

fn truncate_interval(name: &str, i: Interval) -> PgResult<Interval> {
    use Unit::*;
    let time = |step: i64| Interval::new(i.months, i.days, i.micros / step * step);
    let months = |step: i32| Interval::new(i.months / step * step, 0, 0);
    Ok(match unit(name, "interval")? {
        Microseconds => i,
        Milliseconds => time(1000),
        Second => time(MICROS_PER_SECOND),
        Minute => time(60 * MICROS_PER_SECOND),
        Hour => time(3600 * MICROS_PER_SECOND),
        Day => Interval::new(i.months, i.days, 0),
        Month => months(1),
        Quarter => months(3),
        Year => months(12),
        Decade => months(120),
        Century => months(1200),
        Millennium => months(12000),
        Week => {
            return Err(unsupported_unit(name, "interval").detail("Months usually have fractional weeks."));
        }
        _ => return Err(unsupported_unit(name, "interval")),
    })
}

/// A field of a timestamp. `None`: the field of an infinite timestamp is NULL.
fn field(name: &str, micros: i64, zone: Option<&Zone>, ty: &str) -> PgResult<Option<Numeric>> {
    use Unit::*;
    let unit = unit(name, ty)?;
    let infinite = !is_finite_timestamp(micros);
    if infinite {
        let monotonic = matches!(unit, Year | Decade | Century | Millennium | IsoYear | Julian | Epoch);
        return Ok(monotonic.then_some(if micros > 0 { Numeric::INFINITY } else { Numeric::NEG_INFINITY }));
    }
    let local = zone.map_or(micros, |z| z.to_local(micros));
    let (days, time) = split_micros(local);
    let f = Fields::of(local);
    let whole = |v: i64| Numeric::new(v.into(), 0);
    let below_minute = time % (60 * MICROS_PER_SECOND);
    Ok(Some(match (unit, zone) {
        (Microseconds, _) => whole(below_minute),
        (Milliseconds, _) => Numeric::new(below_minute.into(), 3),
        (Second, _) => Numeric::new(below_minute.into(), 6),
        (Minute, _) => whole(f.minute.into()),
        (Hour, _) => whole(f.hour.into()),
        (Day, _) => whole(f.day.into()),
        (Month, _) => whole(f.month.into()),
        (Quarter, _) => whole(i64::from((f.month - 1) / 3 + 1)),
        (Week, _) => whole(iso_week(days).1),
        (Year, _) => whole(shown_year(f.year)),
        (Decade, _) => whole(if f.year >= 0 { f.year / 10 } else { -((8 - (f.year - 1)) / 10) }),
        (Century, _) => whole(century(f.year)),
        (Millennium, _) => whole(millennium(f.year)),
        (IsoYear, _) => whole(shown_year(iso_week(days).0)),
        (Dow, _) => whole(day_of_week(days)),
        (IsoDow, _) => whole((days + 3).rem_euclid(7) + 1),
        (Doy, _) => whole(days - days_from_civil(f.year, 1, 1) + 1),
        (Julian, _) => julian(days, time),
        (Epoch, _) => Numeric::new(micros.into(), 6),
        (Timezone, Some(zone)) => whole(zone.offset_at(micros).into()),
        (TimezoneHour, Some(zone)) => whole((zone.offset_at(micros) / 3600).into()),
        (TimezoneMinute, Some(zone)) => whole((zone.offset_at(micros) / 60 % 60).into()),
        (Timezone | TimezoneHour | TimezoneMinute, None) => return Err(unsupported_unit(name, ty)),
    }))
}

/// The Julian day of 1970-01-01.
const JULIAN_EPOCH: i64 = 2_440_588;

/// The Julian day with its fraction, to the places that PostgreSQL's division gives it.
fn julian(days: i64, time: i64) -> Numeric {
    let of_day = Numeric::from(time).div(&Numeric::from(MICROS_PER_DAY));
    let whole = Numeric::from(days + JULIAN_EPOCH);
    of_day.and_then(|fraction| whole.add(&fraction)).unwrap_or(whole)
}

/// Years before 1 are shown without a year 0.
fn shown_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn date_field(name: &str, date: i32) -> PgResult<Option<Numeric>> {
    use Unit::*;
    match unit(name, "date")? {
        Microseconds | Milliseconds | Second | Minute | Hour | Timezone | TimezoneHour | TimezoneMinute => {
            Err(unsupported_unit(name, "date"))
        }
        Julian if !matches!(date, DATE_INFINITY | DATE_NEG_INFINITY) => {
            Ok(Some(Numeric::new(i128::from(date) + i128::from(JULIAN_EPOCH), 0)))
        }
        Epoch if !matches!(date, DATE_INFINITY | DATE_NEG_INFINITY) => {
            Ok(Some(Numeric::new(i128::from(date) * 86_400, 0)))
        }
        _ => {
            let micros = match date {
                DATE_INFINITY => TIMESTAMP_INFINITY,
                DATE_NEG_INFINITY => TIMESTAMP_NEG_INFINITY,
                days => i64::from(days).saturating_mul(MICROS_PER_DAY),
            };
            field(name, micros, None, "date")
        }
    }
}

fn time_field(name: &str, time: i64) -> PgResult<Option<Numeric>> {
    use Unit::*;
    let ty = "time without time zone";
    match unit(name, ty)? {
        Microseconds | Milliseconds | Second | Minute | Hour => field(name, time, None, ty),
        Epoch => Ok(Some(Numeric::new(time.into(), 6))),
        _ => Err(unsupported_unit(name, ty)),
    }
}

/// A date and a time of it, `later` µs on.
pub fn add_days_and_time(date: i32, time: i64, later: i64) -> PgResult<i64> {
    let start = midnight(date)?;
    if !is_finite_timestamp(start) {
        return Ok(start);
    }
    let (days, time) = split_micros(start.checked_add(time + later).ok_or_else(timestamp_out_of_range)?);
    timestamp_of(days, time).ok_or_else(timestamp_out_of_range)
}

pub fn extract_timetz(name: &str, bytes: [u8; 12]) -> PgResult<Option<Numeric>> {
    use Unit::*;
    let ty = "time with time zone";
    let (time, west) = crate::types::datetime::timetz_parts(&bytes);
    let whole = |v: i32| Ok(Some(Numeric::new(v.into(), 0)));
    match unit(name, ty)? {
        Microseconds | Milliseconds | Second | Minute | Hour => field(name, time, None, ty),
        Epoch => Ok(Some(Numeric::new(i128::from(time) + i128::from(west) * 1_000_000, 6))),
        Timezone => whole(-west),
        TimezoneHour => whole(-west / 3600),
        TimezoneMinute => whole(-west / 60 % 60),
        _ => Err(unsupported_unit(name, ty)),
    }
}

fn interval_field(name: &str, i: Interval) -> PgResult<Option<Numeric>> {
    use Unit::*;
    let whole = |v: i64| Numeric::new(v.into(), 0);
    let minute = 60 * MICROS_PER_SECOND;
    let (years, months) = (i64::from(i.months / 12), i64::from(i.months % 12));
    Ok(Some(match unit(name, "interval")? {
        Microseconds => whole(i.micros % minute),
        Milliseconds => Numeric::new((i.micros % minute).into(), 3),
        Second => Numeric::new((i.micros % minute).into(), 6),
        Minute => whole(i.micros / minute % 60),
        Hour => whole(i.micros / (60 * minute)),
        Day => whole(i.days.into()),
        Month => whole(months),
        Quarter => whole(months / 3 + 1),
        Year => whole(years),
        Decade => whole(years / 10),
        Century => whole(years / 100),
        Millennium => whole(years / 1000),
        Epoch => {
            // A year counts 365.25 days here, a month 30.
            let days = i128::from(years) * 1461 + i128::from(months) * 120 + i128::from(i.days) * 4;
            Numeric::new(days * 21_600 * 1_000_000 + i128::from(i.micros), 6)
        }
        _ => return Err(unsupported_unit(name, "interval")),
    }))
}

fn to_float(value: PgResult<Option<Numeric>>) -> PgResult<Option<f64>> {
    value?.map(|n| n.to_f64()).transpose()
}

/// `age(a, b)`: years, months, days and time between two civil times.
fn age(a: i64, b: i64) -> PgResult<[u8; 16]> {
    if !is_finite_timestamp(a) || !is_finite_timestamp(b) {
        return Err(timestamp_out_of_range());
    }
    let (later, earlier, sign) = if a < b { (b, a, -1) } else { (a, b, 1) };
    let (l, e) = (Fields::of(later), Fields::of(earlier));
    let mut micros = split_micros(later).1 - split_micros(earlier).1;
    let mut days = i64::from(l.day) - i64::from(e.day);
    let mut months = (l.year - e.year) * 12 + i64::from(l.month) - i64::from(e.month);
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    while days < 0 {
        // The month borrowed is the one that the earlier of the two, as given, is in.
        let base = if sign < 0 { l } else { e };
        days += i64::from(days_in_month(base.year, base.month));
        months -= 1;
    }
    Ok(Interval::new((sign * months) as i32, (sign * days) as i32, sign * micros).to_bytes())
}

fn make_date(year: i32, month: i32, day: i32) -> PgResult<i32> {
    let wrong = || {
        PgError::new(SqlState::DATETIME_OVERFLOW, format!("date field value out of range: {year}-{month:02}-{day:02}"))
    };
    // A negative year is BC, without a year 0.
    let civil = match year {
        0 => return Err(wrong()),
        y if y < 0 => i64::from(y) + 1,
        y => i64::from(y),
    };
    let (month, day) = (u32::try_from(month).map_err(|_| wrong())?, u32::try_from(day).map_err(|_| wrong())?);
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(civil, month) {
        return Err(wrong());
    }
    date_of(days_from_civil(civil, month, day)).ok_or_else(wrong)
}

fn make_time(hour: i32, minute: i32, second: f64) -> PgResult<i64> {
    let micros = (second * 1e6).round_ties_even();
    let fits = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60e6).contains(&micros);
    let total = i64::from(hour) * 3600 * MICROS_PER_SECOND + i64::from(minute) * 60 * MICROS_PER_SECOND + micros as i64;
    if !fits || total > MICROS_PER_DAY {
        let message = format!("time field value out of range: {hour}:{minute:02}:{second:02}");
        return Err(PgError::new(SqlState::DATETIME_OVERFLOW, message));
    }
    Ok(total)
}

fn make_timestamp(call: &Call<'_>, row: usize) -> PgResult<i64> {
    let int = |arg: usize| -> PgResult<i32> { Ok(Int4::column(&call.args[arg].array)?.value(call.args[arg].at(row))) };
    let second = Float8::column(&call.args[5].array)?.value(call.args[5].at(row));
    let (date, time) = (make_date(int(0)?, int(1)?, int(2)?)?, make_time(int(3)?, int(4)?, second)?);
    timestamp_of(date.into(), time).ok_or_else(timestamp_out_of_range)
}

fn make_interval(call: &Call<'_>, row: usize) -> PgResult<[u8; 16]> {
    let out = || PgError::new(SqlState::DATETIME_OVERFLOW, "interval out of range");
    let int =
        |arg: usize| -> PgResult<i64> { Ok(Int4::column(&call.args[arg].array)?.value(call.args[arg].at(row)).into()) };
    let second = Float8::column(&call.args[6].array)?.value(call.args[6].at(row));
    if !second.is_finite() {
        return Err(out());
    }
    let time = int(4)? * 3600 * MICROS_PER_SECOND + int(5)? * 60 * MICROS_PER_SECOND;
    let micros = time.checked_add((second * 1e6).round_ties_even() as i64).ok_or_else(out)?;
    let months = i32::try_from(int(0)? * 12 + int(1)?).map_err(|_| out())?;
    let days = i32::try_from(int(2)? * 7 + int(3)?).map_err(|_| out())?;
    Ok(Interval::new(months, days, micros).to_bytes())
}

fn from_epoch(seconds: f64) -> PgResult<i64> {
    if seconds.is_nan() {
        return Err(PgError::new(SqlState::DATETIME_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { TIMESTAMP_INFINITY } else { TIMESTAMP_NEG_INFINITY });
    }
    let out = || PgError::new(SqlState::DATETIME_OVERFLOW, format!("timestamp out of range: \"{seconds}\""));
    // PostgreSQL rounds from its own epoch.
    let epoch = 946_684_800.0;
    let micros = ((seconds - epoch) * 1e6).round_ties_even();
    let micros = floats::round_to(micros, -9.3e18, 9.2e18, "bigint", |v| v as i64).map_err(|_| out())?;
    let (days, time) = split_micros(micros.checked_add(946_684_800_000_000).ok_or_else(out)?);
    timestamp_of(days, time).ok_or_else(out)
}

fn date_bin(stride: [u8; 16], source: i64, origin: i64) -> PgResult<i64> {
    let stride = read(stride);
    if !is_finite_timestamp(source) {
        return Ok(source);
    }
    if !is_finite_timestamp(origin) {
        return Err(PgError::new(SqlState::DATETIME_OVERFLOW, "origin out of range"));
    }
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let out = || PgError::new(SqlState::DATETIME_OVERFLOW, "interval out of range");
    let days = i64::from(stride.days).checked_mul(MICROS_PER_DAY).ok_or_else(out)?;
    let stride = days.checked_add(stride.micros).ok_or_else(out)?;
    if stride <= 0 {
        return Err(PgError::new(SqlState::DATETIME_OVERFLOW, "stride must be greater than zero"));
    }
    let steps = source.checked_sub(origin).ok_or_else(out)?.div_euclid(stride);
    let binned = steps.checked_mul(stride).and_then(|d| origin.checked_add(d)).ok_or_else(timestamp_out_of_range)?;
    let (days, time) = split_micros(binned);
    timestamp_of(days, time).ok_or_else(timestamp_out_of_range)
}

pub fn zone_named(name: &str) -> PgResult<Zone> {
    Zone::by_name(name)
        .or_else(|| Zone::parse(name).ok())
        .ok_or_else(|| invalid(format!("time zone \"{name}\" not recognized")))
}

/// A zone as `make_timestamptz` takes it: a number needs its sign, and fifteen hours are the most.
fn zone_of_text(name: &str) -> PgResult<Zone> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("invalid input syntax for type numeric time zone: \"{name}\"");
        return Err(invalid(message).hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    if let Some(digits) = name.strip_prefix(['+', '-']) {
        let hours = digits.split(':').next().unwrap_or_default();
        let hours = if hours.len() > 2 && hours.len() == digits.len() { &hours[..hours.len() - 2] } else { hours };
        if hours.parse::<u32>().is_ok_and(|h| h > 15) {
            return Err(invalid(format!("numeric time zone \"{name}\" out of range")));
        }
    }
    zone_named(name)
}

pub fn zone_of_interval(interval: [u8; 16]) -> PgResult<Zone> {
    let interval = read(interval);
    if interval.months != 0 || interval.days != 0 {
        return Err(invalid("interval time zone must not include months or days"));
    }
    Ok(Zone::Fixed((interval.micros / MICROS_PER_SECOND) as i32))
}

fn clock() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| d.as_micros() as i64)
}

/// Adds an interval to a timestamptz in the session's zone.
fn add_tz(sign: i32) -> Body {
    session2::<Stamp, Bytes, Stamp>(move |call, t, i| {
        let interval = if sign < 0 { read(i).neg()? } else { read(i) };
        add_interval_tz(t, &interval, &zone_of(call)).map(Some)
    })
}

fn time_of(micros: i64) -> i64 {
    split_micros(micros).1
}

/// Comparisons of dates and timestamps with each other; the left and right function bring a side to µs.
fn comparisons(r: &mut Registry) {
    for row in &facts().operators {
        let comparison = match row.name {
            "=" => Operator::Eq,
            "<>" => Operator::NotEq,
            "<" => Operator::Lt,
            "<=" => Operator::LtEq,
            ">" => Operator::Gt,
            ">=" => Operator::GtEq,
            _ => continue,
        };
        let body: Body = match (row.left, row.right) {
            (oid::DATE, oid::TIMESTAMP) => {
                map2::<Date, Stamp, Bool>(move |a, b| satisfies(comparison, loose_midnight(a).cmp(&b)))
            }
            (oid::TIMESTAMP, oid::DATE) => {
                map2::<Stamp, Date, Bool>(move |a, b| satisfies(comparison, a.cmp(&loose_midnight(b))))
            }
            (oid::DATE, oid::TIMESTAMPTZ) => session2::<Date, Stamp, Bool>(move |call, a, b| {
                Ok(Some(satisfies(comparison, zone_of(call).to_utc(loose_midnight(a)).cmp(&b))))
            }),
            (oid::TIMESTAMPTZ, oid::DATE) => session2::<Stamp, Date, Bool>(move |call, a, b| {
                Ok(Some(satisfies(comparison, a.cmp(&zone_of(call).to_utc(loose_midnight(b))))))
            }),
            (oid::TIMESTAMP, oid::TIMESTAMPTZ) => session2::<Stamp, Stamp, Bool>(move |call, a, b| {
                Ok(Some(satisfies(comparison, zone_of(call).to_utc(a).cmp(&b))))
            }),
            (oid::TIMESTAMPTZ, oid::TIMESTAMP) => session2::<Stamp, Stamp, Bool>(move |call, a, b| {
                Ok(Some(satisfies(comparison, a.cmp(&zone_of(call).to_utc(b)))))
            }),
            _ => continue,
        };
        let signature = facts().proc_row(row.code).map(|p| {
            let types = p.args.iter().map(|a| facts().type_row(*a).map_or("?", |t| t.name));
            format!("{}({})", p.name, types.collect::<Vec<_>>().join(","))
        });
        if let Some(signature) = signature {
            r.fun(&signature, body);
        }
    }
}

/// Midnight for comparing: a date beyond the timestamps is above or below them all.
fn loose_midnight(date: i32) -> i64 {
    match date {
        DATE_INFINITY => TIMESTAMP_INFINITY,
        DATE_NEG_INFINITY => TIMESTAMP_NEG_INFINITY,
        days => i64::from(days).saturating_mul(MICROS_PER_DAY).min(TIMESTAMP_INFINITY - 1),
    }
}

pub fn declare(r: &mut Registry) {
    comparisons(r);

    r.fun(
        "interval_pl(interval,interval)",
        attempt2::<Bytes, Bytes, Bytes>(|a, b| Ok(read(a).add(&read(b))?.to_bytes())),
    );
    r.fun(
        "interval_mi(interval,interval)",
        attempt2::<Bytes, Bytes, Bytes>(|a, b| Ok(read(a).sub(&read(b))?.to_bytes())),
    );
    r.fun("interval_um(interval)", attempt1::<Bytes, Bytes>(|a| Ok(read(a).neg()?.to_bytes())));
    r.fun("interval_mul(interval,float8)", attempt2::<Bytes, Float8, Bytes>(|i, by| scaled(i, |i| i.multiply(by))));
    r.fun("mul_d_interval(float8,interval)", attempt2::<Float8, Bytes, Bytes>(|by, i| scaled(i, |i| i.multiply(by))));
    r.fun("interval_div(interval,float8)", attempt2::<Bytes, Float8, Bytes>(|i, by| scaled(i, |i| i.divide(by))));
    r.fun("justify_hours(interval)", attempt1::<Bytes, Bytes>(|i| Ok(justify_hours(read(i))?.to_bytes())));
    r.fun("justify_days(interval)", attempt1::<Bytes, Bytes>(|i| Ok(justify_days(read(i))?.to_bytes())));
    r.fun("justify_interval(interval)", attempt1::<Bytes, Bytes>(|i| Ok(justify_interval(read(i))?.to_bytes())));

    r.fun("date_pli(date,int4)", attempt2::<Date, Int4, Date>(|d, n| add_days(d, n.into())));
    r.fun("date_mii(date,int4)", attempt2::<Date, Int4, Date>(|d, n| add_days(d, -i64::from(n))));
    r.fun("integer_pl_date(int4,date)", attempt2::<Int4, Date, Date>(|n, d| add_days(d, n.into())));
    r.fun(
        "date_mi(date,date)",
        attempt2::<Date, Date, Int4>(|a, b| {
            let infinite = |d| matches!(d, DATE_INFINITY | DATE_NEG_INFINITY);
            if infinite(a) || infinite(b) {
                return Err(PgError::new(SqlState::DATETIME_OVERFLOW, "cannot subtract infinite dates"));
            }
            a.checked_sub(b).ok_or_else(|| out_of_range("integer"))
        }),
    );
    r.fun(
        "date_pl_interval(date,interval)",
        attempt2::<Date, Bytes, Stamp>(|d, i| add_interval(midnight(d)?, &read(i))),
    );
    r.fun(
        "date_mi_interval(date,interval)",
        attempt2::<Date, Bytes, Stamp>(|d, i| add_interval(midnight(d)?, &read(i).neg()?)),
    );
    r.fun(
        "interval_pl_date(interval,date)",
        attempt2::<Bytes, Date, Stamp>(|i, d| add_interval(midnight(d)?, &read(i))),
    );
    r.fun(
        "datetime_pl(date,time)",
        attempt2::<Date, Time, Stamp>(|d, t| {
            let day = midnight(d)?;
            if is_finite_timestamp(day) { day.checked_add(t).ok_or_else(timestamp_out_of_range) } else { Ok(day) }
        }),
    );
    r.fun(
        "timedate_pl(time,date)",
        attempt2::<Time, Date, Stamp>(|t, d| {
            let day = midnight(d)?;
            if is_finite_timestamp(day) { day.checked_add(t).ok_or_else(timestamp_out_of_range) } else { Ok(day) }
        }),
    );
    r.fun(
        "timestamp_pl_interval(timestamp,interval)",
        attempt2::<Stamp, Bytes, Stamp>(|t, i| add_interval(t, &read(i))),
    );
    r.fun(
        "timestamp_mi_interval(timestamp,interval)",
        attempt2::<Stamp, Bytes, Stamp>(|t, i| add_interval(t, &read(i).neg()?)),
    );
    r.fun(
        "interval_pl_timestamp(interval,timestamp)",
        attempt2::<Bytes, Stamp, Stamp>(|i, t| add_interval(t, &read(i))),
    );
    r.fun("timestamptz_pl_interval(timestamptz,interval)", add_tz(1));
    r.fun("timestamptz_mi_interval(timestamptz,interval)", add_tz(-1));
    r.fun(
        "interval_pl_timestamptz(interval,timestamptz)",
        session2::<Bytes, Stamp, Stamp>(|call, i, t| add_interval_tz(t, &read(i), &zone_of(call)).map(Some)),
    );
    r.fun("timestamp_mi(timestamp,timestamp)", attempt2::<Stamp, Stamp, Bytes>(difference));
    r.fun("timestamptz_mi(timestamptz,timestamptz)", attempt2::<Stamp, Stamp, Bytes>(difference));
    r.fun(
        "time_pl_interval(time,interval)",
        map2::<Time, Bytes, Time>(|t, i| (t + read(i).micros).rem_euclid(MICROS_PER_DAY)),
    );
    r.fun(
        "time_mi_interval(time,interval)",
        map2::<Time, Bytes, Time>(|t, i| (t - read(i).micros).rem_euclid(MICROS_PER_DAY)),
    );
    r.fun("time_mi_time(time,time)", map2::<Time, Time, Bytes>(|a, b| Interval::new(0, 0, a - b).to_bytes()));

    r.fun("timestamp(date)", attempt1::<Date, Stamp>(midnight));
    r.fun("timestamptz(date)", session1::<Date, Stamp>(|call, d| Ok(Some(zone_of(call).to_utc(midnight(d)?)))));
    r.fun("date(timestamp)", attempt1::<Stamp, Date>(date_of_stamp));
    r.fun("date(timestamptz)", session1::<Stamp, Date>(|call, t| date_of_stamp(zone_of(call).to_local(t)).map(Some)));
    r.fun("timestamptz(timestamp)", session1::<Stamp, Stamp>(|call, t| Ok(Some(zone_of(call).to_utc(t)))));
    r.fun("timestamp(timestamptz)", session1::<Stamp, Stamp>(|call, t| Ok(Some(zone_of(call).to_local(t)))));
    r.fun("time(timestamp)", maybe1::<Stamp, Time>(|t| Ok(is_finite_timestamp(t).then(|| time_of(t)))));
    r.fun(
        "time(timestamptz)",
        session1::<Stamp, Time>(|call, t| Ok(is_finite_timestamp(t).then(|| time_of(zone_of(call).to_local(t))))),
    );
    r.fun("time(interval)", map1::<Bytes, Time>(|i| read(i).micros.rem_euclid(MICROS_PER_DAY)));
    r.fun("interval(time)", map1::<Time, Bytes>(|t| Interval::new(0, 0, t).to_bytes()));

    r.fun(
        "date_trunc(text,timestamp)",
        attempt2::<Text, Stamp, Stamp>(|u, t| truncate(u, t, "timestamp without time zone")),
    );
    r.fun(
        "date_trunc(text,timestamptz)",
        session2::<Text, Stamp, Stamp>(|call, u, t| truncate_in(&zone_of(call), u, t).map(Some)),
    );
    r.fun(
        "date_trunc(text,timestamptz,text)",
        attempt3::<Text, Stamp, Text, Stamp>(|u, t, z| truncate_in(&zone_named(z)?, u, t)),
    );
    r.fun(
        "date_trunc(text,interval)",
        attempt2::<Text, Bytes, Bytes>(|u, i| Ok(truncate_interval(u, read(i))?.to_bytes())),
    );

    let (plain, zoned) = ("timestamp without time zone", "timestamp with time zone");
    r.fun("extract(text,timestamp)", maybe2::<Text, Stamp, Num>(move |u, t| field(u, t, None, plain)));
    r.fun(
        "extract(text,timestamptz)",
        session2::<Text, Stamp, Num>(move |call, u, t| field(u, t, Some(&zone_of(call)), zoned)),
    );
    r.fun("extract(text,date)", maybe2::<Text, Date, Num>(date_field));
    r.fun("extract(text,time)", maybe2::<Text, Time, Num>(time_field));
    r.fun("extract(text,interval)", maybe2::<Text, Bytes, Num>(|u, i| interval_field(u, read(i))));
    r.fun("date_part(text,timestamp)", maybe2::<Text, Stamp, Float8>(move |u, t| to_float(field(u, t, None, plain))));
    r.fun(
        "date_part(text,timestamptz)",
        session2::<Text, Stamp, Float8>(move |call, u, t| to_float(field(u, t, Some(&zone_of(call)), zoned))),
    );
    r.fun(
        "date_part(text,date)",
        maybe2::<Text, Date, Float8>(move |u, d| to_float(field(u, midnight(d)?, None, plain))),
    );
    r.fun("date_part(text,time)", maybe2::<Text, Time, Float8>(|u, t| to_float(time_field(u, t))));
    r.fun("date_part(text,interval)", maybe2::<Text, Bytes, Float8>(|u, i| to_float(interval_field(u, read(i)))));

    r.fun("age(timestamp,timestamp)", attempt2::<Stamp, Stamp, Bytes>(age));
    r.fun(
        "age(timestamptz,timestamptz)",
        session2::<Stamp, Stamp, Bytes>(|call, a, b| {
            let zone = zone_of(call);
            age(zone.to_local(a), zone.to_local(b)).map(Some)
        }),
    );
    let today = |call: &Call<'_>| -> PgResult<i64> {
        let local = zone_of(call).to_local(call.context()?.transaction_us());
        Ok(split_micros(local).0 * MICROS_PER_DAY)
    };
    r.fun("age(timestamp)", session1::<Stamp, Bytes>(move |call, t| age(today(call)?, t).map(Some)));
    r.fun(
        "age(timestamptz)",
        session1::<Stamp, Bytes>(move |call, t| age(today(call)?, zone_of(call).to_local(t)).map(Some)),
    );
    r.fun("make_date(int4,int4,int4)", attempt3::<Int4, Int4, Int4, Date>(make_date));
    r.fun("make_time(int4,int4,float8)", attempt3::<Int4, Int4, Float8, Time>(make_time));
    r.fun(
        "make_timestamp(int4,int4,int4,int4,int4,float8)",
        Arc::new(|call| strict_rows::<Stamp>(call, |row| make_timestamp(call, row).map(Some))),
    );
    r.fun(
        "make_timestamptz(int4,int4,int4,int4,int4,float8)",
        Arc::new(|call| {
            let zone = zone_of(call);
            strict_rows::<Stamp>(call, |row| Ok(Some(zone.to_utc(make_timestamp(call, row)?))))
        }),
    );
    r.fun(
        "make_timestamptz(int4,int4,int4,int4,int4,float8,text)",
        Arc::new(|call| {
            let zones = Text::column(&call.args[6].array)?;
            strict_rows::<Stamp>(call, |row| {
                let zone = zone_of_text(zones.value(call.args[6].at(row)))?;
                Ok(Some(zone.to_utc(make_timestamp(call, row)?)))
            })
        }),
    );
    r.fun(
        "make_interval(int4,int4,int4,int4,int4,int4,float8)",
        Arc::new(|call| strict_rows::<Bytes>(call, |row| make_interval(call, row).map(Some))),
    );
    r.fun("to_timestamp(float8)", attempt1::<Float8, Stamp>(from_epoch));
    r.fun("date_bin(interval,timestamp,timestamp)", attempt3::<Bytes, Stamp, Stamp, Stamp>(date_bin));
    r.fun("date_bin(interval,timestamptz,timestamptz)", attempt3::<Bytes, Stamp, Stamp, Stamp>(date_bin));
    r.fun("isfinite(date)", map1::<Date, Bool>(|d| !matches!(d, DATE_INFINITY | DATE_NEG_INFINITY)));
    r.funs(&["isfinite(timestamp)", "isfinite(timestamptz)"], map1::<Stamp, Bool>(is_finite_timestamp));
    r.fun("isfinite(interval)", map1::<Bytes, Bool>(|_| true));

    r.fun("timezone(text,timestamp)", attempt2::<Text, Stamp, Stamp>(|z, t| Ok(zone_named(z)?.to_utc(t))));
    r.fun("timezone(text,timestamptz)", attempt2::<Text, Stamp, Stamp>(|z, t| Ok(zone_named(z)?.to_local(t))));
    r.fun("timezone(interval,timestamp)", attempt2::<Bytes, Stamp, Stamp>(|z, t| Ok(zone_of_interval(z)?.to_utc(t))));
    r.fun(
        "timezone(interval,timestamptz)",
        attempt2::<Bytes, Stamp, Stamp>(|z, t| Ok(zone_of_interval(z)?.to_local(t))),
    );

    r.funs(&["now()", "transaction_timestamp()"], session0::<Stamp>(|call| Ok(Some(call.context()?.transaction_us()))));
    r.fun("statement_timestamp()", session0::<Stamp>(|call| Ok(Some(call.context()?.statement_us()))));
    r.fun("clock_timestamp()", session0::<Stamp>(|_| Ok(Some(clock()))));
    r.fun("pg_sleep(float8)", session1::<Float8, Text>(sleep));
    r.fun(
        "pg_sleep_for(interval)",
        session1::<Bytes, Text>(|call, time| {
            let time = read(time);
            let days = i64::from(time.months) * 30 + i64::from(time.days);
            sleep(call, days as f64 * 86_400.0 + time.micros as f64 / 1e6)
        }),
    );
    r.fun(
        "pg_sleep_until(timestamptz)",
        session1::<Stamp, Text>(|call, until| sleep(call, until.saturating_sub(clock()) as f64 / 1e6)),
    );
}
