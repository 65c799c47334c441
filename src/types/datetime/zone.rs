//! Time zones: UTC, a fixed offset, or a named zone with its history.

use super::*;
use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// A session's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    #[default]
    Utc,
    /// Seconds east of UTC.
    Fixed(i32),
    Named(Tz),
    /// An abbreviation whose meaning in a zone has changed.
    Abbreviated(&'static str, Tz),
}

impl Zone {
    /// A zone as `SET TimeZone` takes it: an IANA name in any case, an abbreviation, or hours east of UTC. 22023 else.
    pub fn parse(name: &str) -> PgResult<Self> {
        let trimmed = name.trim();
        let unknown = || PgError::new(SqlState::INVALID_PARAMETER, format!("time zone \"{name}\" not recognized"));
        if let Ok(hours) = trimmed.parse::<f64>() {
            return if hours.abs() <= 167.0 { Ok(Self::Fixed((hours * 3600.0) as i32)) } else { Err(unknown()) };
        }
        if let Some((sign, rest)) =
            trimmed.strip_prefix('+').map(|r| (1, r)).or(trimmed.strip_prefix('-').map(|r| (-1, r)))
        {
            let mut parts = rest.split(':').map(|p| p.parse::<i32>().ok());
            let hours = parts.next().flatten().ok_or_else(unknown)?;
            let minutes = parts.next().unwrap_or(Some(0)).ok_or_else(unknown)?;
            return Ok(Self::Fixed(sign * (hours * 3600 + minutes * 60)));
        }
        Self::by_name(trimmed).ok_or_else(unknown)
    }

    /// A zone by IANA name or by abbreviation, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        if ["utc", "gmt", "z", "zulu", "etc/utc", "uct", "universal"].iter().any(|u| name.eq_ignore_ascii_case(u)) {
            return Some(Self::Utc);
        }
        if let Some(zone) = Self::by_abbreviation(name) {
            return Some(zone);
        }
        if let Ok(tz) = name.parse() {
            return Some(Self::Named(tz));
        }
        chrono_tz::TZ_VARIANTS.iter().find(|tz| tz.name().eq_ignore_ascii_case(name)).map(|tz| Self::Named(*tz))
    }

    /// A zone by abbreviation, in any case.
    pub fn by_abbreviation(name: &str) -> Option<Self> {
        ABBREVIATIONS.get(name.to_ascii_lowercase().as_str()).copied()
    }

    /// Seconds east of UTC at a moment.
    pub fn offset_at(&self, utc_micros: i64) -> i32 {
        match self {
            Self::Utc => 0,
            Self::Fixed(east) => *east,
            Self::Abbreviated(name, tz) => abbreviated(name, *tz, utc_micros),
            Self::Named(tz) => {
                // Before chrono's years the first rule it knows stands.
                let limit = 8_000_000_000_000_000_000 / MICROS_PER_SECOND;
                let seconds = alike(utc_micros.div_euclid(MICROS_PER_SECOND)).max(-limit);
                DateTime::from_timestamp(seconds, 0)
                    .map_or(0, |at| tz.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc())
            }
        }
    }

    pub fn to_local(&self, utc_micros: i64) -> i64 {
        if !is_finite_timestamp(utc_micros) {
            return utc_micros;
        }
        utc_micros.saturating_add(self.offset_at(utc_micros) as i64 * MICROS_PER_SECOND)
    }

    /// The offset that a local time has: in a gap the one before it, of two the later one, as PostgreSQL chooses.
    pub fn offset_of_local(&self, local_micros: i64) -> i32 {
        if let Self::Utc | Self::Fixed(_) = self {
            return self.offset_at(0);
        }
        if let Self::Abbreviated(name, tz) = self {
            return abbreviated(name, *tz, Self::Named(*tz).to_utc(local_micros));
        }
        let before = self.offset_at(local_micros.saturating_sub(MICROS_PER_DAY));
        let after = self.offset_at(local_micros.saturating_add(MICROS_PER_DAY));
        let holds = |east: i32| self.offset_at(local_micros.saturating_sub(east as i64 * MICROS_PER_SECOND)) == east;
        if before == after || !holds(after) { before } else { after }
    }

    pub fn to_utc(&self, local_micros: i64) -> i64 {
        if !is_finite_timestamp(local_micros) {
            return local_micros;
        }
        local_micros.saturating_sub(self.offset_of_local(local_micros) as i64 * MICROS_PER_SECOND)
    }
}

/// The same moment in a year whose days fall on the same weekdays, among the last 28 of which the database has the rules:
/// they stay as they are, as in PostgreSQL.
fn alike(seconds: i64) -> i64 {
    /// 2088-01-01.
    const BEYOND: i64 = 3_723_753_600;
    /// The calendar begins anew after 400 years.
    const CYCLE: i64 = 146_097 * 86_400;
    if seconds < BEYOND {
        return seconds;
    }
    let within = (seconds - BEYOND) % CYCLE + BEYOND;
    let first = |year| NaiveDate::from_ymd_opt(year, 1, 1);
    let year = DateTime::from_timestamp(within, 0).map_or(2088, |at| at.year());
    let kind = |day: NaiveDate| (day.weekday(), day.leap_year());
    let like = (2060..2088).filter_map(first).find(|day| Some(kind(*day)) == first(year).map(kind));
    match (first(year), like) {
        (Some(this), Some(like)) => within - (this - like).num_seconds(),
        _ => within,
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Named(tz) => f.write_str(tz.name()),
            Self::Abbreviated(name, _) => f.write_str(&name.to_ascii_uppercase()),
            Self::Fixed(east) => {
                // PostgreSQL shows a fixed offset as a POSIX zone, whose sign is the other way round.
                let show = |east: i32, f: &mut fmt::Formatter<'_>| {
                    let (sign, v) = (if east < 0 { '-' } else { '+' }, east.unsigned_abs());
                    write!(f, "{sign}{:02}", v / 3600)?;
                    if v % 3600 != 0 { write!(f, ":{:02}", v / 60 % 60) } else { Ok(()) }
                };
                f.write_str("<")?;
                show(*east, f)?;
                f.write_str(">")?;
                show(-*east, f)
            }
        }
    }
}

/// PostgreSQL's default set: what each stands for, by its name in lower case.
static ABBREVIATIONS: LazyLock<HashMap<&'static str, Zone>> = LazyLock::new(|| {
    let rows = include_str!("abbreviations.tsv").lines().filter_map(|line| line.split_once('\t'));
    let zone = |(name, means): (&'static str, &'static str)| {
        let zone = match means.parse::<i32>() {
            Ok(0) => Zone::Utc,
            Ok(east) => Zone::Fixed(east),
            Err(_) => Zone::Abbreviated(name, means.parse().ok()?),
        };
        Some((name, zone))
    };
    rows.filter_map(zone).collect()
});

/// The offset of an abbreviation in its zone at a moment: the newest that it has had by then, or the first that it got.
fn abbreviated(name: &str, tz: Tz, utc_micros: i64) -> i32 {
    /// Rules change at most twice a year.
    const STEP: i64 = 30 * 86_400;
    let seconds = alike(utc_micros.div_euclid(MICROS_PER_SECOND));
    let at = |seconds: i64| {
        let offset = tz.offset_from_utc_datetime(&DateTime::from_timestamp(seconds, 0)?.naive_utc());
        let east = offset.fix().local_minus_utc();
        offset.abbreviation().is_some_and(|own| own.eq_ignore_ascii_case(name)).then_some(east)
    };
    let from_1880 = -2_840_140_800;
    let before = (from_1880..=seconds).rev().step_by(STEP as usize).take(2400).find_map(at);
    let after = || (seconds.max(from_1880)..=seconds.saturating_add(2400 * STEP)).step_by(STEP as usize).find_map(at);
    before.or_else(after).unwrap_or_else(|| Zone::Named(tz).offset_at(utc_micros))
}
