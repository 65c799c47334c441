//! `to_char` of timestamps, dates and intervals' civil parts, by PostgreSQL's template patterns.

use super::adapt::*;
use super::dates::{day_of_week, iso_week, zone_of};
use super::registry::Registry;
use crate::types::datetime::{Fields, Zone, days_from_civil, is_finite_timestamp, split_micros};
use crate::types::interval::Interval;
use crate::types::{PgError, PgResult, SqlState};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Patterns, longer ones before those they begin with. Numeric ones are found in any case, words keep theirs.
const PATTERNS: &[&str] = &[
    "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "IDDD", "ID", "IW", "I", "MONTH", "Month", "month", "MON",
    "Mon", "mon", "MM", "MI", "MS", "DAY", "Day", "day", "DDD", "DD", "DY", "Dy", "dy", "D", "HH24", "HH12", "HH",
    "SSSSS", "SSSS", "SS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "A.M.", "a.m.", "P.M.", "p.m.", "AM", "am",
    "PM", "pm", "B.C.", "b.c.", "A.D.", "a.d.", "BC", "bc", "AD", "ad", "CC", "J", "Q", "RM", "rm", "TZH", "TZM", "TZ",
    "tz", "OF", "WW", "W",
];

/// A moment as templates see it.
struct Moment<'a> {
    fields: Fields,
    days: i64,
    /// µs since midnight.
    time: i64,
    zone: Option<(&'a Zone, i32)>,
}

/// Fractions of a second and halves of a day, and whether they are numbers: the same for moments and intervals.
fn of_clock(pattern: &str, micro: i64, afternoon: bool) -> Option<(String, bool)> {
    let half = |am: &str, pm: &str| Some((if afternoon { pm } else { am }.to_string(), false));
    let digits = match pattern {
        "AM" | "PM" => return half("AM", "PM"),
        "am" | "pm" => return half("am", "pm"),
        "A.M." | "P.M." => return half("A.M.", "P.M."),
        "a.m." | "p.m." => return half("a.m.", "p.m."),
        "MS" => 3,
        "US" => 6,
        _ => pattern.strip_prefix("FF")?.parse::<usize>().ok()?,
    };
    let fraction = micro / 10i64.pow(6 - digits as u32);
    Some((format!("{fraction:0digits$}"), true))
}

/// An interval as a template sees it: its own months, days and hours, which no calendar bounds.
fn expand_interval(i: Interval, pattern: &str, fill: bool) -> PgResult<(String, bool)> {
    let number = |v: i64, width: usize| -> (String, bool) {
        let width = width + usize::from(v < 0);
        (if fill { format!("{v:0width$}") } else { v.to_string() }, true)
    };
    let (years, months, days) = (i64::from(i.months / 12), i64::from(i.months % 12), i64::from(i.days));
    let hours = i.micros / 3_600_000_000;
    let (minute, second) = (i.micros / 60_000_000 % 60, i.micros / 1_000_000 % 60);
    let micro = i.micros % 1_000_000;
    let of_year = i64::from(i.months) * 30 + days;
    if let Some(part) = of_clock(pattern, micro, hours % 24 >= 12) {
        return Ok(part);
    }
    Ok(match pattern {
        "Y,YYY" => (format!("{},{:03}", years / 1000, years % 1000), true),
        "YYYY" | "IYYY" => number(years, 4),
        "YYY" | "IYY" => number(years % 1000, 3),
        "YY" | "IY" => number(years % 100, 2),
        "Y" | "I" => number(years % 10, 1),
        "MM" => number(months, 2),
        "DD" => number(days, 2),
        "DDD" => number(of_year, 3),
        "HH24" => number(hours, 2),
        "HH12" | "HH" => number(if hours % 12 == 0 { 12 } else { hours % 12 }, 2),
        "MI" => number(minute, 2),
        "SS" => number(second, 2),
        "SSSS" | "SSSSS" => ((i.micros / 1_000_000).to_string(), true),
        "CC" | "Q" | "W" | "WW" | "IW" | "IDDD" | "RM" | "rm" => {
            return Err(PgError::unsupported(format!("to_char's pattern \"{pattern}\" of an interval")));
        }
        _ => {
            let message = "invalid format specification for an interval value";
            return Err(PgError::new(SqlState::INVALID_DATETIME_FORMAT, message)
                .hint("Intervals are not tied to specific calendar dates."));
        }
    })
}

fn interval_to_char(bytes: [u8; 16], template: &str) -> PgResult<Option<String>> {
    if template.is_empty() {
        return Ok(None);
    }
    let interval = Interval::from_bytes(&bytes);
    let mut out = String::new();
    format(&|pattern, fill| expand_interval(interval, pattern, fill), template, &mut out)?;
    Ok(Some(out))
}

fn pattern_at(rest: &str) -> Option<&'static str> {
    let exact = PATTERNS.iter().find(|p| rest.starts_with(**p));
    exact
        .or_else(|| {
            PATTERNS.iter().find(|p| {
                p.chars().all(|c| !c.is_ascii_lowercase())
                    && rest.get(..p.len()).is_some_and(|r| r == p.to_ascii_lowercase())
            })
        })
        .copied()
}

pub fn ordinal(number: &str, upper: bool) -> &'static str {
    let digits = number.as_bytes();
    let teen = digits.len() > 1 && digits[digits.len() - 2] == b'1';
    match (digits.last(), teen, upper) {
        (Some(b'1'), false, true) => "ST",
        (Some(b'1'), false, false) => "st",
        (Some(b'2'), false, true) => "ND",
        (Some(b'2'), false, false) => "nd",
        (Some(b'3'), false, true) => "RD",
        (Some(b'3'), false, false) => "rd",
        (_, _, true) => "TH",
        _ => "th",
    }
}

impl Moment<'_> {
    /// The text of a pattern, and whether it is a number.
    fn expand(&self, pattern: &str, fill: bool) -> PgResult<(String, bool)> {
        let f = &self.fields;
        let number = |v: i64, width: usize| {
            let width = width + usize::from(v < 0);
            (if fill { format!("{v:0width$}") } else { v.to_string() }, true)
        };
        let word = |s: &str, width: usize| (if fill { format!("{s:width$}") } else { s.to_string() }, false);
        let name = |names: &[&str], at: usize, short: bool| -> (String, bool) {
            let whole = names.get(at).copied().unwrap_or_default();
            let text = if short { &whole[..3] } else { whole };
            let text = match pattern.chars().nth(1) {
                Some(c) if c.is_lowercase() && pattern.starts_with(|c: char| c.is_lowercase()) => text.to_lowercase(),
                Some(c) if c.is_uppercase() => text.to_uppercase(),
                _ => text.to_string(),
            };
            word(&text, if short { 0 } else { 9 })
        };
        let year = if f.year > 0 { f.year } else { 1 - f.year };
        let (iso_year, week) = iso_week(self.days);
        let iso_year = if iso_year > 0 { iso_year } else { 1 - iso_year };
        let day_of_year = self.days - days_from_civil(f.year, 1, 1) + 1;
        let last = |v: i64, digits: u32| v.rem_euclid(10i64.pow(digits));
        let second = i64::from(f.second);
        let micro = i64::from(f.micro);
        if let Some(part) = of_clock(pattern, micro, f.hour >= 12) {
            return Ok(part);
        }
        let era = |ad: &str, bc: &str| (if f.year > 0 { ad } else { bc }.to_string(), false);
        Ok(match pattern {
            "Y,YYY" => (format!("{},{:03}", year / 1000, year % 1000), true),
            "YYYY" => number(year, 4),
            "YYY" => number(last(year, 3), 3),
            "YY" => number(last(year, 2), 2),
            "Y" => number(last(year, 1), 1),
            "IYYY" => number(iso_year, 4),
            "IYY" => number(last(iso_year, 3), 3),
            "IY" => number(last(iso_year, 2), 2),
            "I" => number(last(iso_year, 1), 1),
            "IDDD" => number((week - 1) * 7 + (self.days + 3).rem_euclid(7) + 1, 3),
            "ID" => number((self.days + 3).rem_euclid(7) + 1, 1),
            "IW" => number(week, 2),
            "MONTH" | "Month" | "month" => name(&MONTHS, f.month as usize - 1, false),
            "MON" | "Mon" | "mon" => name(&MONTHS, f.month as usize - 1, true),
            "MM" => number(f.month.into(), 2),
            "DAY" | "Day" | "day" => name(&DAYS, day_of_week(self.days) as usize, false),
            "DY" | "Dy" | "dy" => name(&DAYS, day_of_week(self.days) as usize, true),
            "DDD" => number(day_of_year, 3),
            "DD" => number(f.day.into(), 2),
            "D" => number(day_of_week(self.days) + 1, 1),
            "HH24" => number(f.hour.into(), 2),
            "HH12" | "HH" => number(i64::from((f.hour + 11) % 12 + 1), 2),
            "MI" => number(f.minute.into(), 2),
            "SS" => number(second, 2),
            "SSSS" | "SSSSS" => (split_micros(self.time).1.div_euclid(1_000_000).to_string(), true),
            "AD" | "BC" => era("AD", "BC"),
            "ad" | "bc" => era("ad", "bc"),
            "A.D." | "B.C." => era("A.D.", "B.C."),
            "a.d." | "b.c." => era("a.d.", "b.c."),
            "CC" => number(if f.year > 0 { (f.year - 1) / 100 + 1 } else { f.year / 100 - 1 }, 2),
            "J" => ((self.days + 2_440_588).to_string(), true),
            "Q" => (((f.month - 1) / 3 + 1).to_string(), true),
            "RM" => word(ROMAN.get(f.month as usize - 1).copied().unwrap_or_default(), 4),
            "rm" => word(&ROMAN.get(f.month as usize - 1).copied().unwrap_or_default().to_lowercase(), 4),
            "WW" => number((day_of_year - 1) / 7 + 1, 2),
            "W" => (i64::from((f.day - 1) / 7 + 1).to_string(), true),
            "TZH" | "TZM" | "OF" => {
                let east = self.zone.map_or(0, |(_, east)| east);
                let sign = if east < 0 { '-' } else { '+' };
                let (hours, minutes) = (east.abs() / 3600, east.abs() / 60 % 60);
                let text = match pattern {
                    "TZH" => format!("{sign}{hours:02}"),
                    "TZM" => format!("{minutes:02}"),
                    _ if minutes == 0 => format!("{sign}{hours:02}"),
                    _ => format!("{sign}{hours:02}:{minutes:02}"),
                };
                (text, false)
            }
            // The abbreviation of a zone at a moment is not known to `Zone`.
            "TZ" | "tz" => match self.zone {
                None => (String::new(), false),
                Some((Zone::Utc, _)) => (if pattern == "TZ" { "UTC" } else { "utc" }.to_string(), false),
                Some(_) => return Err(PgError::unsupported("to_char's TZ outside UTC")),
            },
            other => return Err(PgError::unsupported(format!("to_char's pattern \"{other}\""))),
        })
    }
}

/// Gives the text of a pattern, padded or not, and whether it is a number.
type Expand<'a> = &'a dyn Fn(&str, bool) -> PgResult<(String, bool)>;

fn format(expand: Expand<'_>, template: &str, out: &mut String) -> PgResult<()> {
    let mut rest = template;
    let mut fill = true;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let body = &rest[1..];
            let mut chars = body.char_indices();
            let mut end = body.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '\\' => out.extend(chars.next().map(|(_, c)| c)),
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    c => out.push(c),
                }
            }
            rest = &body[end..];
            continue;
        }
        if let Some(quoted) = rest.strip_prefix("\\\"") {
            out.push('"');
            rest = quoted;
            continue;
        }
        if let Some(after) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            // Fill mode holds for the pattern that follows.
            fill = false;
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("FX").or_else(|| rest.strip_prefix("TM")) {
            rest = after;
            continue;
        }
        let Some(pattern) = pattern_at(rest) else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (text, is_number) = expand(pattern, fill)?;
        out.push_str(&text);
        rest = &rest[pattern.len()..];
        if let Some(after) = rest.strip_prefix("TH").filter(|_| is_number) {
            out.push_str(ordinal(&text, true));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("th").filter(|_| is_number) {
            out.push_str(ordinal(&text, false));
            rest = after;
        }
        fill = true;
    }
    Ok(())
}

fn to_char(micros: i64, zone: Option<&Zone>, template: &str) -> PgResult<Option<String>> {
    if template.is_empty() || !is_finite_timestamp(micros) {
        return Ok(None);
    }
    let local = zone.map_or(micros, |z| z.to_local(micros));
    let (days, time) = split_micros(local);
    let zone = zone.map(|z| (z, z.offset_at(micros)));
    let moment = Moment { fields: Fields::of(local), days, time, zone };
    let mut out = String::new();
    format(&|pattern, fill| moment.expand(pattern, fill), template, &mut out)?;
    Ok(Some(out))
}

pub fn declare(r: &mut Registry) {
    r.fun("to_char(interval,text)", maybe2::<Fixed<16>, Text, Text>(interval_to_char));
    r.fun("to_char(timestamp,text)", maybe2::<Stamp, Text, Text>(|t, template| to_char(t, None, template)));
    r.fun(
        "to_char(timestamptz,text)",
        session2::<Stamp, Text, Text>(|call, t, template| to_char(t, Some(&zone_of(call)), template)),
    );
}
