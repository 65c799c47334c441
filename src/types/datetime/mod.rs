//! Dates and times as PostgreSQL 15 has them: the proleptic Gregorian calendar, ISO output, zones.
//!
//! Values are those of the storage forms: days since 1970-01-01 (`i32`), µs since 1970-01-01 00:00 (`i64`, of UTC for
//! timestamptz, of no zone for timestamp), µs since midnight. `MAX`/`MIN` of date and timestamp are ±infinity. Years
//! are astronomical: 0 is 1 BC.

mod fields;
mod input;
mod zone;

#[cfg(test)]
mod tests;

pub use input::{DAYS, DateOrder, Input, MONTHS};
pub use zone::Zone;

use super::interval::Interval;
use super::{PgError, PgResult, SqlState};

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Days from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
pub const PG_EPOCH_DAYS: i32 = 10_957;
pub const PG_EPOCH_MICROS: i64 = PG_EPOCH_DAYS as i64 * MICROS_PER_DAY;
pub const DATE_INFINITY: i32 = i32::MAX;
pub const DATE_NEG_INFINITY: i32 = i32::MIN;
pub const TIMESTAMP_INFINITY: i64 = i64::MAX;
pub const TIMESTAMP_NEG_INFINITY: i64 = i64::MIN;
/// 4713-11-24 BC, the first day of PostgreSQL.
const FIRST_DAY: i64 = -2_440_588;
/// 5874897-12-31.
const LAST_DATE: i64 = 2_145_042_905;

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month as i64 + 9) % 12) + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

pub fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + is_leap_year(year) as u32,
        _ => 31,
    }
}

/// Day since 1970 and µs of that day.
pub fn split_micros(micros: i64) -> (i64, i64) {
    (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY))
}

/// Fields of a timestamp without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micro: u32,
}

impl Fields {
    pub fn of(micros: i64) -> Self {
        let (days, time) = split_micros(micros);
        let (year, month, day) = civil_from_days(days);
        let seconds = (time / MICROS_PER_SECOND) as u32;
        Self {
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micro: (time % MICROS_PER_SECOND) as u32,
        }
    }

    /// µs since 1970; `None` outside PostgreSQL's range.
    pub fn micros(&self) -> Option<i64> {
        let days = days_from_civil(self.year, self.month, self.day);
        let seconds = (self.hour * 3600 + self.minute * 60 + self.second) as i64;
        timestamp_of(days, seconds * MICROS_PER_SECOND + self.micro as i64)
    }
}

/// µs since 1970 of a day and a time; `None` outside PostgreSQL's range.
pub fn timestamp_of(days: i64, time: i64) -> Option<i64> {
    let micros = days.checked_mul(MICROS_PER_DAY)?.checked_add(time)?;
    (days >= FIRST_DAY && micros != TIMESTAMP_INFINITY).then_some(micros)
}

/// A finite date; `None` outside PostgreSQL's range.
pub fn date_of(days: i64) -> Option<i32> {
    (FIRST_DAY..=LAST_DATE).contains(&days).then_some(days as i32)
}

pub fn timestamp_out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_OVERFLOW, "timestamp out of range")
}

pub fn is_finite_timestamp(micros: i64) -> bool {
    micros != TIMESTAMP_INFINITY && micros != TIMESTAMP_NEG_INFINITY
}

/// Rounds µs to `precision` fraction digits, half away from PostgreSQL's epoch.
pub fn round_timestamp(micros: i64, precision: i32) -> i64 {
    if !(0..6).contains(&precision) || !is_finite_timestamp(micros) {
        return micros;
    }
    match micros.checked_sub(PG_EPOCH_MICROS) {
        Some(v) => round_micros(v, precision) + PG_EPOCH_MICROS,
        None => micros,
    }
}

/// Rounds µs to `precision` fraction digits, half away from zero.
pub fn round_micros(micros: i64, precision: i32) -> i64 {
    if !(0..6).contains(&precision) {
        return micros;
    }
    let unit = 10i64.pow(6 - precision as u32);
    let half = if micros < 0 { -unit / 2 } else { unit / 2 };
    micros.saturating_add(half) / unit * unit
}

/// `timestamp + interval`: months first (the day clamped to the month), then days, then time.
pub fn add_interval(micros: i64, interval: &Interval) -> PgResult<i64> {
    if !is_finite_timestamp(micros) {
        return Ok(micros);
    }
    let shifted = add_months_and_days(micros, interval)?;
    let sum = shifted.checked_add(interval.micros).ok_or_else(timestamp_out_of_range)?;
    let (days, time) = split_micros(sum);
    timestamp_of(days, time).ok_or_else(timestamp_out_of_range)
}

fn add_months_and_days(micros: i64, interval: &Interval) -> PgResult<i64> {
    let (mut days, time) = split_micros(micros);
    if interval.months != 0 {
        let (year, month, day) = civil_from_days(days);
        let months = year * 12 + month as i64 - 1 + interval.months as i64;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        days = days_from_civil(year, month, day.min(days_in_month(year, month)));
    }
    timestamp_of(days + interval.days as i64, time).ok_or_else(timestamp_out_of_range)
}

/// `timestamptz + interval`: months and days count in `zone`'s local time, the rest in absolute time.
pub fn add_interval_tz(micros: i64, interval: &Interval, zone: &Zone) -> PgResult<i64> {
    if !is_finite_timestamp(micros) {
        return Ok(micros);
    }
    let mut at = micros;
    if interval.months != 0 || interval.days != 0 {
        at = zone.to_utc(add_months_and_days(zone.to_local(at), interval)?);
    }
    let sum = at.checked_add(interval.micros).ok_or_else(timestamp_out_of_range)?;
    let (days, time) = split_micros(sum);
    timestamp_of(days, time).ok_or_else(timestamp_out_of_range)
}

/// Appends a date in ISO style.
pub fn write_date(days: i32, put: &mut impl FnMut(&[u8])) {
    match days {
        DATE_INFINITY => put(b"infinity"),
        DATE_NEG_INFINITY => put(b"-infinity"),
        _ => {
            let (year, month, day) = civil_from_days(days as i64);
            write_ymd(year, month, day, put);
            if year <= 0 {
                put(b" BC");
            }
        }
    }
}

fn write_ymd(year: i64, month: u32, day: u32, put: &mut impl FnMut(&[u8])) {
    let shown = if year <= 0 { 1 - year } else { year } as u32;
    if shown < 10_000 {
        let (y1, y2) = (two(shown / 100), two(shown % 100));
        let (m, d) = (two(month), two(day));
        put(&[y1[0], y1[1], y2[0], y2[1], b'-', m[0], m[1], b'-', d[0], d[1]]);
    } else {
        let (m, d) = (two(month), two(day));
        put(itoa::Buffer::new().format(shown).as_bytes());
        put(&[b'-', m[0], m[1], b'-', d[0], d[1]]);
    }
}

pub(super) fn two(value: u32) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// Appends `HH:MM:SS` and the fraction without trailing zeros.
pub fn write_time(micros: i64, put: &mut impl FnMut(&[u8])) {
    let seconds = (micros / MICROS_PER_SECOND) as u32;
    let (h, m, s) = (two(seconds / 3600), two(seconds / 60 % 60), two(seconds % 60));
    put(&[h[0], h[1], b':', m[0], m[1], b':', s[0], s[1]]);
    write_fraction((micros % MICROS_PER_SECOND) as u32, put);
}

pub(super) fn write_fraction(micro: u32, put: &mut impl FnMut(&[u8])) {
    if micro == 0 {
        return;
    }
    let (a, b, c) = (two(micro / 10_000), two(micro / 100 % 100), two(micro % 100));
    let text = [b'.', a[0], a[1], b[0], b[1], c[0], c[1]];
    let zeros = text.iter().rev().take_while(|b| **b == b'0').count();
    put(&text[..text.len() - zeros]);
}

/// Appends `+HH[:MM[:SS]]`; `east` in seconds.
pub fn write_offset(east: i32, put: &mut impl FnMut(&[u8])) {
    let shown = east.unsigned_abs();
    put(if east < 0 { b"-" } else { b"+" });
    put(&two(shown / 3600));
    if !shown.is_multiple_of(3600) {
        put(b":");
        put(&two(shown / 60 % 60));
        if !shown.is_multiple_of(60) {
            put(b":");
            put(&two(shown % 60));
        }
    }
}

/// Appends a timestamp; with `zone` the value is UTC and is shown in that zone with its offset.
pub fn write_timestamp(micros: i64, zone: Option<&Zone>, put: &mut impl FnMut(&[u8])) {
    match micros {
        TIMESTAMP_INFINITY => return put(b"infinity"),
        TIMESTAMP_NEG_INFINITY => return put(b"-infinity"),
        _ => {}
    }
    let east = zone.map(|z| z.offset_at(micros));
    let (days, time) = split_micros(micros.saturating_add(east.unwrap_or(0) as i64 * MICROS_PER_SECOND));
    let (year, month, day) = civil_from_days(days);
    write_ymd(year, month, day, put);
    put(b" ");
    write_time(time, put);
    if let Some(east) = east {
        write_offset(east, put);
    }
    if year <= 0 {
        put(b" BC");
    }
}

/// A timetz's storage: µs of the day, seconds west of UTC, both big-endian.
pub fn timetz_bytes(micros: i64, west: i32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&micros.to_be_bytes());
    bytes[8..].copy_from_slice(&west.to_be_bytes());
    bytes
}

/// µs of the day and seconds west of UTC; zeros where `bytes` is not twelve long.
pub fn timetz_parts(bytes: &[u8]) -> (i64, i32) {
    let (micros, west) = bytes.split_at(bytes.len().min(8));
    (micros.try_into().map(i64::from_be_bytes).unwrap_or(0), west.try_into().map(i32::from_be_bytes).unwrap_or(0))
}
