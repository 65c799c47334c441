//! Dates and times within SQL/JSON paths: what `.datetime()` makes of a string, how such values compare, and what they are outside.
//!
//! Within a path such a value is a jsonb string that begins with NUL, which no other string does: then a letter for its type, µs (or days), and its
//! offset. It never leaves the path: [`released`] makes ISO text of it.

use super::fromchar;
use crate::types::datetime::{
    MICROS_PER_SECOND, Zone, round_micros, round_timestamp, timestamp_of, timestamp_out_of_range, write_date,
    write_time, write_timestamp,
};
use crate::types::{PgError, PgResult, SqlState};
use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Datetime {
    /// Days since 1970.
    Date(i64),
    /// µs of the day.
    Time(i64),
    /// µs of the day, seconds east of UTC.
    TimeTz(i64, i64),
    /// µs since 1970.
    Timestamp(i64),
    /// µs since 1970 in UTC, and the offset that it was given with.
    TimestampTz(i64, i64),
}

/// What a string is read as where no template is given, in this order.
const FORMATS: &[&str] = &[
    "yyyy-mm-dd",
    "HH24:MI:SS.USTZH:TZM",
    "HH24:MI:SS.USTZH",
    "HH24:MI:SSTZH:TZM",
    "HH24:MI:SSTZH",
    "HH24:MI:SS.US",
    "HH24:MI:SS",
    "yyyy-mm-dd HH24:MI:SS.USTZH:TZM",
    "yyyy-mm-dd HH24:MI:SS.USTZH",
    "yyyy-mm-dd HH24:MI:SSTZH:TZM",
    "yyyy-mm-dd HH24:MI:SSTZH",
    "yyyy-mm-dd\"T\"HH24:MI:SS.USTZH:TZM",
    "yyyy-mm-dd\"T\"HH24:MI:SS.USTZH",
    "yyyy-mm-dd\"T\"HH24:MI:SSTZH:TZM",
    "yyyy-mm-dd\"T\"HH24:MI:SSTZH",
    "yyyy-mm-dd HH24:MI:SS.US",
    "yyyy-mm-dd HH24:MI:SS",
    "yyyy-mm-dd\"T\"HH24:MI:SS.US",
    "yyyy-mm-dd\"T\"HH24:MI:SS",
];

impl Datetime {
    /// `.datetime()` and `.datetime(template)`.
    pub fn read(text: &str, template: Option<&str>) -> PgResult<Self> {
        if let Some(template) = template {
            return Self::by(text, template);
        }
        FORMATS.iter().find_map(|format| Self::by(text, format).ok()).ok_or_else(|| {
            PgError::new(SqlState(*b"22031"), format!("datetime format is not recognized: \"{text}\""))
                .hint("Use a datetime template argument to specify the input data format.")
        })
    }

    fn by(text: &str, template: &str) -> PgResult<Self> {
        let (m, shape) = fromchar::strict_moment(text, template)?;
        let wrong = |message: &str| Err(PgError::new(SqlState::INVALID_DATETIME_FORMAT, message));
        let places = |micros: i64| if m.places > 0 { round_micros(micros, m.places) } else { micros };
        let stamp = || timestamp_of(m.days, m.time).ok_or_else(timestamp_out_of_range);
        let moment = |micros: i64| if m.places > 0 { round_timestamp(micros, m.places) } else { micros };
        let east = m.east.unwrap_or(0);
        Ok(match (shape.dated, shape.timed, shape.zoned) {
            (true, true, true) => Self::TimestampTz(moment(stamp()? - east * MICROS_PER_SECOND), east),
            (true, true, false) => Self::Timestamp(moment(stamp()?)),
            (true, false, false) => Self::Date(m.days),
            (false, true, true) => Self::TimeTz(places(m.time), east),
            (false, true, false) => Self::Time(places(m.time)),
            (_, false, true) => return wrong("datetime format is zoned but not timed"),
            (false, false, false) => return wrong("datetime format is not dated and not timed"),
        })
    }

    /// The string that stands for it within a path.
    pub fn marked(self) -> String {
        let (letter, value, east) = match self {
            Self::Date(days) => ('d', days, 0),
            Self::Time(micros) => ('t', micros, 0),
            Self::TimeTz(micros, east) => ('z', micros, east),
            Self::Timestamp(micros) => ('s', micros, 0),
            Self::TimestampTz(micros, east) => ('m', micros, east),
        };
        format!("\0{letter}{value} {east}")
    }

    /// The value that a string within a path stands for.
    pub fn of(text: &str) -> Option<Self> {
        let marked = text.strip_prefix('\0')?;
        let (letter, values) = marked.split_at_checked(1)?;
        let (value, east) = values.split_once(' ')?;
        let (value, east) = (value.parse().ok()?, east.parse().ok()?);
        Some(match letter {
            "d" => Self::Date(value),
            "t" => Self::Time(value),
            "z" => Self::TimeTz(value, east),
            "s" => Self::Timestamp(value),
            _ => Self::TimestampTz(value, east),
        })
    }

    pub fn type_name(self) -> &'static str {
        match self {
            Self::Date(_) => "date",
            Self::Time(_) => "time without time zone",
            Self::TimeTz(..) => "time with time zone",
            Self::Timestamp(_) => "timestamp without time zone",
            Self::TimestampTz(..) => "timestamp with time zone",
        }
    }

    fn short_name(self) -> &'static str {
        match self {
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::TimeTz(..) => "timetz",
            Self::Timestamp(_) => "timestamp",
            Self::TimestampTz(..) => "timestamptz",
        }
    }

    /// ISO text, as JSON has it.
    pub fn text(self) -> String {
        let mut out: Vec<u8> = Vec::with_capacity(32);
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        let mut offset = None;
        match self {
            Self::Date(days) => write_date(days as i32, &mut put),
            Self::Time(micros) => write_time(micros, &mut put),
            Self::TimeTz(micros, east) => {
                write_time(micros, &mut put);
                offset = Some(east);
            }
            Self::Timestamp(micros) => write_timestamp(micros, None, &mut put),
            Self::TimestampTz(micros, east) => {
                write_timestamp(micros + east * MICROS_PER_SECOND, None, &mut put);
                offset = Some(east);
            }
        }
        let mut text = String::from_utf8_lossy(&out).replacen(' ', "T", 1);
        if let Some(east) = offset {
            let shown = east.abs();
            let sign = if east < 0 { '-' } else { '+' };
            let zone = format!("{sign}{:02}:{:02}", shown / 3600, shown / 60 % 60);
            // An era comes last.
            let at = text.find("TBC").or_else(|| text.find(" BC")).unwrap_or(text.len());
            text.insert_str(at, &zone);
        }
        text
    }

    /// The order of two; `None` where their types cannot be compared. `zone`: the session's, where the function may use it;
    /// `0A000` where it may not and would have to.
    pub fn compare(self, other: Self, zone: Option<&Zone>) -> PgResult<Option<Ordering>> {
        let lift = |from: Self, to: Self| {
            zone.ok_or_else(|| {
                let message = format!(
                    "cannot convert value from {} to {} without time zone usage",
                    from.short_name(),
                    to.short_name()
                );
                PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .hint("Use *_tz() function for time zone support.")
            })
        };
        let midnight = |days: i64| days.saturating_mul(86_400 * MICROS_PER_SECOND);
        let by_zone = |micros: i64, east: i64| (micros - east * MICROS_PER_SECOND, -east);
        Ok(Some(match (self, other) {
            (Self::Date(a), Self::Date(b)) => a.cmp(&b),
            (Self::Date(a), Self::Timestamp(b)) => midnight(a).cmp(&b),
            (Self::Date(a), Self::TimestampTz(b, _)) => lift(self, other)?.to_utc(midnight(a)).cmp(&b),
            (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(&b),
            (Self::Timestamp(a), Self::TimestampTz(b, _)) => lift(self, other)?.to_utc(a).cmp(&b),
            (Self::TimestampTz(a, _), Self::TimestampTz(b, _)) => a.cmp(&b),
            (Self::Time(a), Self::Time(b)) => a.cmp(&b),
            (Self::Time(a), Self::TimeTz(b, east)) => {
                let zone = lift(self, other)?;
                let own = i64::from(zone.offset_at(chrono::Utc::now().timestamp_micros()));
                by_zone(a, own).cmp(&by_zone(b, east))
            }
            (Self::TimeTz(a, own), Self::TimeTz(b, east)) => by_zone(a, own).cmp(&by_zone(b, east)),
            (Self::Timestamp(_) | Self::TimestampTz(..), Self::Date(_))
            | (Self::TimestampTz(..), Self::Timestamp(_))
            | (Self::TimeTz(..), Self::Time(_)) => return Ok(other.compare(self, zone)?.map(Ordering::reverse)),
            _ => return Ok(None),
        }))
    }
}
