//! PostgreSQL's interval: months, days and µs, three counts that do not carry into each other.

use super::datetime::{MICROS_PER_DAY, MICROS_PER_SECOND, two, write_fraction};
use super::interval_iso::Fault;
use super::{PgError, PgResult, SqlState};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

/// `IntervalStyle`, of which these are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntervalStyle {
    #[default]
    Postgres,
    /// `postgres_verbose`
    Verbose,
    Iso8601,
}

/// Bits of the fields in an interval's typmod.
mod field {
    pub const MONTH: i32 = 1 << 1;
    pub const YEAR: i32 = 1 << 2;
    pub const DAY: i32 = 1 << 3;
    pub const HOUR: i32 = 1 << 10;
    pub const MINUTE: i32 = 1 << 11;
    pub const SECOND: i32 = 1 << 12;
    pub const ALL: i32 = 0x7fff;
}

const HOUR: i64 = 3600 * MICROS_PER_SECOND;
const MINUTE: i64 = 60 * MICROS_PER_SECOND;

/// Sums before they are known to fit.
#[derive(Default)]
pub(super) struct Sum {
    years: i128,
    months: i128,
    days: i128,
    micros: i128,
}

pub(super) enum Unit {
    Months(i64),
    Days(i64),
    Micros(i64),
}

fn unit(word: &str) -> Option<Unit> {
    // Ten letters count.
    let word = match word.get(..10) {
        Some("millennium") => "mil",
        Some("millisecon") => "ms",
        Some("microsecon") => "us",
        _ => word,
    };
    Some(match word {
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Months(12),
        "mon" | "mons" | "month" | "months" => Unit::Months(1),
        "decade" | "decades" | "dec" | "decs" => Unit::Months(120),
        "century" | "centuries" | "c" | "cent" => Unit::Months(1200),
        "millennium" | "millennia" | "mil" | "mils" => Unit::Months(12_000),
        "w" | "week" | "weeks" => Unit::Days(7),
        "d" | "day" | "days" => Unit::Days(1),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(HOUR),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(MINUTE),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(MICROS_PER_SECOND),
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" | "msecond" | "mseconds" => Unit::Micros(1000),
        "us" | "usec" | "usecs" | "microsecond" | "microseconds" | "usecond" | "useconds" => Unit::Micros(1),
        _ => return None,
    })
}

/// A bit for each unit that an interval may name once.
fn mask(word: &str) -> u32 {
    match unit(word) {
        Some(Unit::Months(12)) => 1,
        Some(Unit::Months(1)) => 2,
        Some(Unit::Months(120)) => 4,
        Some(Unit::Months(1200)) => 8,
        Some(Unit::Months(_)) => 16,
        Some(Unit::Days(1)) => 32,
        Some(Unit::Days(_)) => 64,
        Some(Unit::Micros(HOUR)) => 128,
        Some(Unit::Micros(MINUTE)) => 256,
        Some(Unit::Micros(MICROS_PER_SECOND)) => 512,
        Some(Unit::Micros(1000)) => 1024,
        Some(Unit::Micros(_)) => 2048,
        None => 0,
    }
}

enum Token<'a> {
    /// With its sign; a clock has colons, years and months a `-` within.
    Number(std::borrow::Cow<'a, str>),
    Word(&'a str),
}

/// The numbers and words of an interval's text.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('@') {
            rest = after.trim_start();
            continue;
        }
        let word = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        if word > 0 {
            tokens.push(Token::Word(&rest[..word]));
            rest = rest[word..].trim_start();
            continue;
        }
        // A sign may stand apart from its number.
        let sign = usize::from(rest.starts_with(['-', '+']));
        let digits = rest[sign..].trim_start();
        let spaced = sign == 1 && digits.len() < rest.len() - 1;
        let part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ':');
        let mut end = digits.find(|c: char| !part(c)).unwrap_or(digits.len());
        // Years and months: `1-2`.
        if digits[end..].starts_with('-') && digits[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
            let months = &digits[end + 1..];
            end += 1 + months.find(|c: char| !part(c)).unwrap_or(months.len());
        }
        if end == 0 {
            return None;
        }
        let number = match spaced {
            true => std::borrow::Cow::Owned(format!("{}{}", &rest[..1], &digits[..end])),
            false => std::borrow::Cow::Borrowed(&rest[..sign + end]),
        };
        tokens.push(Token::Number(number));
        rest = digits[end..].trim_start();
    }
    Some(tokens)
}

impl Sum {
    /// Adds `whole + fraction` (of one sign) of a unit; a fraction flows down at 30 days a month, 24 hours a day.
    pub(super) fn add(&mut self, whole: i128, fraction: f64, unit: &Unit) {
        match unit {
            Unit::Months(months) if *months >= 12 => {
                self.years += whole * i128::from(*months / 12);
                self.months += (fraction * *months as f64).round_ties_even() as i128;
            }
            Unit::Months(_) => {
                self.months += whole;
                self.add_days(fraction * 30.0);
            }
            Unit::Days(days) => {
                self.days += whole * i128::from(*days);
                self.add_days(fraction * *days as f64);
            }
            Unit::Micros(micros) => {
                self.micros += whole * i128::from(*micros) + (fraction * *micros as f64).round_ties_even() as i128;
            }
        }
    }

    fn add_days(&mut self, days: f64) {
        self.days += days.trunc() as i128;
        self.micros += (days.fract() * MICROS_PER_DAY as f64).round_ties_even() as i128;
    }

    fn negated(self) -> Self {
        Self { years: -self.years, months: -self.months, days: -self.days, micros: -self.micros }
    }

    /// `22015` where a field is too large, `22008` where years and months are together.
    fn finish(self, text: &str) -> PgResult<Interval> {
        let fields = i32::try_from(self.years)
            .and_then(|years| Ok((years, i32::try_from(self.months)?, i32::try_from(self.days)?)))
            .ok()
            .zip(i64::try_from(self.micros).ok());
        let ((years, months, days), micros) = fields.ok_or_else(|| too_large(text))?;
        let months = i32::try_from(i64::from(years) * 12 + i64::from(months)).ok();
        Interval::checked(months, Some(days), Some(micros))
    }
}

fn too_large(text: &str) -> PgError {
    PgError::new(SqlState::INTERVAL_OVERFLOW, format!("interval field value out of range: \"{text}\""))
}

/// The most digits of a number that are read; more are too many for any field.
const MOST_DIGITS: usize = 30;

/// A signed decimal as whole and fraction, both with its sign.
fn decimal(text: &str) -> Option<(i128, f64)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    if whole.len() > MOST_DIGITS {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    Some(if negative { (-whole, -fraction) } else { (whole, fraction) })
}

impl Interval {
    pub const ZERO: Interval = Interval { months: 0, days: 0, micros: 0 };

    pub const fn new(months: i32, days: i32, micros: i64) -> Self {
        Self { months, days, micros }
    }

    /// The storage form.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.months.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.days.to_be_bytes());
        bytes[8..].copy_from_slice(&self.micros.to_be_bytes());
        bytes
    }

    /// From the storage form; zero where `bytes` is not sixteen long.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let Ok(b) = <&[u8; 16]>::try_from(bytes) else { return Self::ZERO };
        Self {
            months: i32::from_be_bytes([b[0], b[1], b[2], b[3]]),
            days: i32::from_be_bytes([b[4], b[5], b[6], b[7]]),
            micros: i64::from_be_bytes([b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]),
        }
    }

    /// What PostgreSQL compares: µs, a month being 30 days and a day 24 hours.
    pub fn cmp_value(&self) -> i128 {
        (self.months as i128 * 30 + self.days as i128) * MICROS_PER_DAY as i128 + self.micros as i128
    }

    fn checked(months: Option<i32>, days: Option<i32>, micros: Option<i64>) -> PgResult<Self> {
        match (months, days, micros) {
            (Some(months), Some(days), Some(micros)) => Ok(Self { months, days, micros }),
            _ => Err(PgError::new(SqlState::DATETIME_OVERFLOW, "interval out of range")),
        }
    }

    pub fn neg(&self) -> PgResult<Self> {
        Self::checked(self.months.checked_neg(), self.days.checked_neg(), self.micros.checked_neg())
    }

    pub fn add(&self, other: &Self) -> PgResult<Self> {
        Self::checked(
            self.months.checked_add(other.months),
            self.days.checked_add(other.days),
            self.micros.checked_add(other.micros),
        )
    }

    pub fn sub(&self, other: &Self) -> PgResult<Self> {
        self.add(&other.neg()?)
    }

    /// Parses interval input; `typmod` is the type's (-1 for none): its fields name a bare number's unit and cut off
    /// what is finer, its precision rounds the seconds.
    pub fn parse(text: &str, typmod: i32) -> PgResult<Self> {
        let range = if typmod < 0 { field::ALL } else { typmod >> 16 & field::ALL };
        let invalid = || {
            PgError::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type interval: \"{text}\""),
            )
        };
        let lower = text.trim().to_ascii_lowercase();
        let sum = match lower.strip_prefix('p') {
            Some(iso) => super::interval_iso::parse(iso).map_err(|fault| match fault {
                Fault::Syntax => invalid(),
                Fault::Range => too_large(text),
            })?,
            None => Self::parse_words(&lower, range).ok_or_else(invalid)?,
        };
        let value = sum.finish(text)?;
        Ok(if typmod < 0 { value } else { value.fit(range, typmod & 0xffff) })
    }

    fn parse_words(text: &str, range: i32) -> Option<Sum> {
        let tokens = tokens(text)?;
        let mut sum = Sum::default();
        let mut seen = 0u32;
        // From the right, as PostgreSQL does: a unit stands behind its number, and says what a bare number before is.
        let mut rest = tokens.as_slice();
        let ago = matches!(rest.last(), Some(Token::Word("ago")));
        if ago {
            rest = &rest[..rest.len() - 1];
        }
        let mut pending: Option<&str> = None;
        let mut fresh = false;
        let mut any = false;
        for token in rest.iter().rev() {
            let bits = match token {
                Token::Word(word) => {
                    if fresh {
                        return None;
                    }
                    unit(word)?;
                    (pending, fresh) = (Some(*word), true);
                    continue;
                }
                Token::Number(number) if number.contains(':') => {
                    if fresh {
                        return None;
                    }
                    sum.micros += clock(number, range)?;
                    pending = Some("day");
                    mask("h") | mask("m") | mask("s") | mask("ms") | mask("us")
                }
                Token::Number(number) => match year_month(number).filter(|_| !fresh) {
                    Some((years, months)) => {
                        sum.years += i128::from(years);
                        sum.months += i128::from(months);
                        mask("y") | mask("mon")
                    }
                    None => {
                        let (whole, fraction) = decimal(number)?;
                        let word = pending.unwrap_or_else(|| default_unit(range));
                        sum.add(whole, fraction, &unit(word)?);
                        let bits = mask(word);
                        if bits == mask("h") {
                            pending = Some("day");
                        } else {
                            pending = Some(word);
                        }
                        // A fraction of a second fills the finer units.
                        match bits == mask("s") && fraction != 0.0 {
                            true => bits | mask("ms") | mask("us"),
                            false => bits,
                        }
                    }
                },
            };
            if seen & bits != 0 {
                return None;
            }
            seen |= bits;
            (fresh, any) = (false, true);
        }
        if ago {
            sum = sum.negated();
        }
        (any && !fresh).then_some(sum)
    }

    /// Cuts off fields finer than `range` has and rounds seconds to `precision` digits.
    fn fit(mut self, range: i32, precision: i32) -> Self {
        use field::*;
        if range != ALL {
            let finest = |bits: i32| range & bits != 0;
            if !finest(SECOND | MINUTE | HOUR) {
                self.micros = 0;
            } else if !finest(SECOND | MINUTE) {
                self.micros -= self.micros % super::interval::HOUR;
            } else if !finest(SECOND) {
                self.micros -= self.micros % super::interval::MINUTE;
            }
            if !finest(SECOND | MINUTE | HOUR | DAY) {
                self.days = 0;
                if !finest(MONTH) {
                    self.months -= self.months % 12;
                }
            }
        }
        if precision < 6 {
            self.micros = super::datetime::round_micros(self.micros, precision);
        }
        self
    }

    /// Appends the text form.
    pub fn write_text(&self, style: IntervalStyle, put: &mut impl FnMut(&[u8])) {
        match style {
            IntervalStyle::Postgres => self.write_postgres(put),
            IntervalStyle::Iso8601 => self.write_iso(put),
            IntervalStyle::Verbose => self.write_verbose(put),
        }
    }

    fn write_postgres(&self, put: &mut impl FnMut(&[u8])) {
        let (mut first, mut before) = (true, false);
        for (value, unit) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if value == 0 {
                continue;
            }
            if !first {
                put(b" ");
            }
            if before && value > 0 {
                put(b"+");
            }
            put(itoa::Buffer::new().format(value).as_bytes());
            put(b" ");
            put(unit.as_bytes());
            if value != 1 {
                put(b"s");
            }
            (first, before) = (false, value < 0);
        }
        if !first && self.micros == 0 {
            return;
        }
        if !first {
            put(b" ");
        }
        put(if self.micros < 0 {
            b"-"
        } else if before {
            b"+"
        } else {
            b""
        });
        let micros = self.micros.unsigned_abs();
        let seconds = micros / MICROS_PER_SECOND as u64;
        let hours = seconds / 3600;
        if hours < 100 {
            put(&two(hours as u32));
        } else {
            put(itoa::Buffer::new().format(hours).as_bytes());
        }
        let (m, s) = (two((seconds / 60 % 60) as u32), two((seconds % 60) as u32));
        put(&[b':', m[0], m[1], b':', s[0], s[1]]);
        write_fraction((micros % MICROS_PER_SECOND as u64) as u32, put);
    }

    /// `@ 1 year 2 mons -3 days`, `@ 3 hours ago`
    fn write_verbose(&self, put: &mut impl FnMut(&[u8])) {
        put(b"@");
        let (hours, minutes) = (self.micros / HOUR, self.micros / MINUTE % 60);
        let seconds = self.micros % MINUTE;
        let parts = [
            ((self.months / 12) as i64, "year"),
            ((self.months % 12) as i64, "mon"),
            (self.days as i64, "day"),
            (hours, "hour"),
            (minutes, "min"),
        ];
        // The first part says whether the whole is shown turned round, with "ago".
        let mut ago: Option<bool> = None;
        for (value, unit) in parts {
            if value == 0 {
                continue;
            }
            let turned = *ago.get_or_insert(value < 0);
            let value = if turned { -value } else { value };
            put(b" ");
            put(itoa::Buffer::new().format(value).as_bytes());
            put(b" ");
            put(unit.as_bytes());
            if value != 1 {
                put(b"s");
            }
        }
        if seconds != 0 {
            let turned = *ago.get_or_insert(seconds < 0);
            put(if (seconds < 0) != turned { b" -" } else { b" " });
            let (whole, micro) = (seconds.abs() / MICROS_PER_SECOND, seconds.abs() % MICROS_PER_SECOND);
            put(itoa::Buffer::new().format(whole).as_bytes());
            write_fraction(micro as u32, put);
            put(if whole != 1 || micro != 0 { b" secs" } else { b" sec" });
        }
        match ago {
            None => put(b" 0"),
            Some(true) => put(b" ago"),
            Some(false) => {}
        }
    }

    fn write_iso(&self, put: &mut impl FnMut(&[u8])) {
        if *self == Self::ZERO {
            return put(b"PT0S");
        }
        put(b"P");
        let (hours, minutes) = (self.micros / HOUR, self.micros / MINUTE % 60);
        let seconds = self.micros % MINUTE;
        let part = |value: i64, unit: &[u8], put: &mut dyn FnMut(&[u8])| {
            if value != 0 {
                put(itoa::Buffer::new().format(value).as_bytes());
                put(unit);
            }
        };
        part((self.months / 12) as i64, b"Y", put);
        part((self.months % 12) as i64, b"M", put);
        part(self.days as i64, b"D", put);
        if self.micros != 0 {
            put(b"T");
        }
        part(hours, b"H", put);
        part(minutes, b"M", put);
        if seconds != 0 {
            if seconds < 0 {
                put(b"-");
            }
            put(itoa::Buffer::new().format(seconds.abs() / MICROS_PER_SECOND).as_bytes());
            write_fraction((seconds.abs() % MICROS_PER_SECOND) as u32, put);
            put(b"S");
        }
    }
}

/// `[-]Y-M` of the SQL standard.
fn year_month(text: &str) -> Option<(i64, i64)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (years, months) = digits.split_once('-')?;
    let (years, months): (i64, i64) = (years.parse().ok()?, months.parse().ok()?);
    if !(0..12).contains(&months) {
        return None;
    }
    Some(if negative { (-years, -months) } else { (years, months) })
}

/// µs of `[-]HH:MM[:SS[.f]]`.
fn clock(text: &str, range: i32) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let parts: Vec<&str> = digits.split(':').collect();
    let whole = |p: &str| p.parse::<u64>().ok().filter(|_| p.bytes().all(|b| b.is_ascii_digit()));
    let minutes_first = range == (field::MINUTE | field::SECOND);
    let (hours, minutes, seconds) = match parts[..] {
        [m, s] if minutes_first || s.contains('.') => (0, whole(m)?, s),
        [h, m] => (whole(h)?, whole(m)?, "0"),
        [h, m, s] => (whole(h)?, whole(m)?, s),
        _ => return None,
    };
    let (second, fraction) = decimal(seconds)?;
    if minutes > 59 || !(0..=60).contains(&second) || seconds.starts_with(['-', '+']) {
        return None;
    }
    let micros = hours as i128 * HOUR as i128
        + minutes as i128 * MINUTE as i128
        + second * i128::from(MICROS_PER_SECOND)
        + (fraction * 1e6).round_ties_even() as i128;
    Some(if negative { -micros } else { micros })
}

/// The unit of a bare number.
fn default_unit(range: i32) -> &'static str {
    use field::*;
    match range {
        YEAR => "year",
        r if r == MONTH || r == YEAR | MONTH => "month",
        DAY => "day",
        r if r & !(DAY | HOUR) == 0 => "hour",
        r if r & !(DAY | HOUR | MINUTE) == 0 => "minute",
        _ => "second",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, style: IntervalStyle) -> String {
        let mut out = Vec::new();
        let value = Interval::parse(text, -1).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(Interval::from_bytes(&value.to_bytes()), value);
        value.write_text(style, &mut |part| out.extend_from_slice(part));
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn intervals_are_read_and_shown_as_postgresql_does() {
        for (input, postgres, iso) in [
            ("1 year 2 months 3 days 04:05:06.7", "1 year 2 mons 3 days 04:05:06.7", "P1Y2M3DT4H5M6.7S"),
            ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06", "P1Y2M3DT4H5M6S"),
            ("1 day ago", "-1 days", "P-1D"),
            ("-1 day +02:03", "-1 days +02:03:00", "P-1DT2H3M"),
            ("0", "00:00:00", "PT0S"),
            ("1.5 months", "1 mon 15 days", "P1M15D"),
            ("1.5 days", "1 day 12:00:00", "P1DT12H"),
            ("1-2", "1 year 2 mons", "P1Y2M"),
            ("100 hours", "100:00:00", "PT100H"),
            ("-00:00:01.5", "-00:00:01.5", "PT-1.5S"),
            ("1 week", "7 days", "P7D"),
            ("90", "00:01:30", "PT1M30S"),
            ("2 12:30", "2 days 12:30:00", "P2DT12H30M"),
            ("1.5 years", "1 year 6 mons", "P1Y6M"),
            ("@ 1 minute", "00:01:00", "PT1M"),
            ("3d 4h", "3 days 04:00:00", "P3DT4H"),
        ] {
            assert_eq!(shown(input, IntervalStyle::Postgres), postgres, "{input}");
            assert_eq!(shown(input, IntervalStyle::Iso8601), iso, "{input}");
        }
        for bad in ["", "x", "1 foo", "day", "1 day ago 2"] {
            let error = Interval::parse(bad, -1).expect_err(bad);
            assert_eq!(error.message, format!("invalid input syntax for type interval: \"{bad}\""));
        }
    }

    #[test]
    fn verbose_intervals_turn_round_as_a_whole() {
        for (input, verbose) in [
            ("0", "@ 0"),
            ("1 year 2 mons -3 days 04:05:06.7", "@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs"),
            ("-14 seconds", "@ 14 secs ago"),
            ("-10 mons -3 days +03:55:06.70", "@ 10 mons 3 days -3 hours -55 mins -6.7 secs ago"),
            ("1 second", "@ 1 sec"),
        ] {
            assert_eq!(shown(input, IntervalStyle::Verbose), verbose, "{input}");
        }
    }

    #[test]
    fn a_month_compares_as_thirty_days() {
        let value = |t: &str| Interval::parse(t, -1).expect(t).cmp_value();
        assert_eq!(value("1 month"), value("30 days"));
        assert!(value("1 day") < value("24:00:01"));
    }
}
