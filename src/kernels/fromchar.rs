//! `to_date` and `to_timestamp` by PostgreSQL's template patterns.

use super::adapt::*;
use super::dates::zone_of;
use super::registry::Registry;
use crate::types::datetime::{
    DAYS, MICROS_PER_SECOND, MONTHS, Zone, civil_from_days, date_of, days_from_civil, days_in_month, round_timestamp,
    timestamp_of, timestamp_out_of_range,
};
use crate::types::{PgError, PgResult, SqlState};

/// Patterns of numbers, longer ones before those they begin with, and how many digits each has.
const NUMBERS: &[(&str, usize)] = &[
    ("YYYY", 4),
    ("YYY", 3),
    ("YY", 2),
    ("Y", 1),
    ("IYYY", 4),
    ("IYY", 3),
    ("IY", 2),
    ("IDDD", 3),
    ("ID", 1),
    ("IW", 2),
    ("I", 1),
    ("HH24", 2),
    ("HH12", 2),
    ("HH", 2),
    ("MM", 2),
    ("MI", 2),
    ("MS", 3),
    ("DDD", 3),
    ("DD", 2),
    ("D", 1),
    ("SSSSS", 5),
    ("SSSS", 4),
    ("SS", 2),
    ("US", 6),
    ("FF1", 1),
    ("FF2", 2),
    ("FF3", 3),
    ("FF4", 4),
    ("FF5", 5),
    ("FF6", 6),
    ("WW", 2),
    ("W", 1),
    ("CC", 2),
    ("J", 1),
    ("Q", 1),
];
const WORDS: &[&str] = &[
    "A.M.", "P.M.", "AM", "PM", "A.D.", "B.C.", "AD", "BC", "MONTH", "MON", "DAY", "DY", "RM", "FX", "TZH", "TZM",
    "TZ", "OF",
];
const ROMAN: [&str; 12] = ["xii", "xi", "x", "ix", "viii", "vii", "vi", "v", "iv", "iii", "ii", "i"];

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Field {
        /// In capitals.
        name: &'static str,
        /// As the template has it.
        shown: String,
        digits: usize,
        fill: bool,
        ordinal: bool,
    },
    Separator(char),
    Space(char),
    /// And whether it stands in quotes.
    Literal(char, bool),
}

fn format_error(message: String) -> PgError {
    PgError::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

/// The field at the head of `rest`: all capitals, all small, or capitalised where it is a name.
fn field_at(rest: &str) -> Option<(&'static str, usize, usize)> {
    let all = NUMBERS.iter().copied().chain(WORDS.iter().map(|w| (*w, 0)));
    let mut found: Option<(&'static str, usize, usize)> = None;
    for (name, digits) in std::iter::once(("Y,YYY", 0)).chain(all) {
        let Some(head) = rest.get(..name.len()) else { continue };
        let capitalised = || {
            matches!(name, "MONTH" | "MON" | "DAY" | "DY")
                && head.eq_ignore_ascii_case(name)
                && head.starts_with(|c: char| c.is_ascii_uppercase())
                && head[1..].bytes().all(|b| b.is_ascii_lowercase())
        };
        let fits = head == name || head == name.to_ascii_lowercase() || capitalised();
        if fits && found.is_none_or(|(f, _, _)| name.len() > f.len()) {
            found = Some((name, digits, name.len()));
        }
    }
    found
}

fn is_separator(c: char) -> bool {
    c.is_ascii_graphic() && !c.is_ascii_alphanumeric()
}

fn template(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut fill = false;
        loop {
            let prefix = rest.get(..2).unwrap_or("");
            match prefix {
                "FM" | "fm" => fill = true,
                "TM" | "tm" => {}
                _ => break,
            }
            rest = &rest[2..];
        }
        if let Some((name, digits, length)) = field_at(rest) {
            let shown = rest[..length].to_string();
            rest = &rest[length..];
            let mut ordinal = false;
            if let Some(after) = rest.strip_prefix("TH").or_else(|| rest.strip_prefix("th")) {
                (ordinal, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("SP") {
                rest = after;
            }
            items.push(Item::Field { name, shown, digits, fill, ordinal });
            continue;
        }
        let Some(c) = rest.chars().next() else { break };
        rest = &rest[c.len_utf8()..];
        if c == '"' {
            let mut chars = rest.char_indices();
            let mut end = rest.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    '\\' => items.extend(chars.next().map(|(_, c)| Item::Literal(c, true))),
                    c => items.push(Item::Literal(c, true)),
                }
            }
            rest = &rest[end..];
            continue;
        }
        if c == '\\' && rest.starts_with('"') {
            rest = &rest[1..];
            items.push(Item::Separator('\\'));
            continue;
        }
        items.push(match c {
            c if is_separator(c) => Item::Separator(c),
            c if c.is_ascii_whitespace() => Item::Space(c),
            c => Item::Literal(c, false),
        });
    }
    items
}

/// Whether a number before this item may have as many digits as there are.
fn ends_number(next: Option<&Item>) -> bool {
    match next {
        None | Some(Item::Separator(_) | Item::Space(_)) => true,
        Some(Item::Literal(c, _)) => !c.is_ascii_digit(),
        Some(Item::Field { name, digits, .. }) => *digits == 0 && *name != "TZM" && *name != "Y,YYY",
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Calendar {
    Gregorian,
    Iso,
}

#[derive(Default)]
struct Found {
    calendar: Option<Calendar>,
    hour: i64,
    pm: i64,
    minute: i64,
    second: i64,
    seconds_of_day: i64,
    /// 1 is Sunday.
    weekday: i64,
    day: i64,
    day_of_year: i64,
    month: i64,
    ms: i64,
    us: i64,
    /// Fraction digits that FF1 to FF6 ask for; 0 where there was none.
    places: i32,
    year: i64,
    bc: i64,
    week: i64,
    week_of_month: i64,
    century: i64,
    julian: i64,
    year_digits: usize,
    half_day_clock: bool,
    zone_sign: i64,
    zone_hour: i64,
    zone_minute: i64,
}

struct Scan<'a> {
    rest: &'a str,
    /// What was skipped beyond the template before here.
    extra: i64,
    before: Option<char>,
    fixed: bool,
}

impl Scan<'_> {
    fn skip(&mut self) {
        let mut chars = self.rest.chars();
        self.before = chars.next();
        self.rest = chars.as_str();
    }

    fn skip_spaces(&mut self) {
        while self.rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.skip();
            self.extra += 1;
        }
    }

    /// A number as strtol reads it: value and length; `None` if it does not fit.
    fn long(text: &str) -> (Option<i64>, usize) {
        let trimmed = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let spaces = text.len() - trimmed.len();
        let sign = usize::from(trimmed.starts_with(['-', '+']));
        let digits = trimmed[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return (Some(0), 0);
        }
        (trimmed[..sign + digits].parse().ok(), spaces + sign + digits)
    }

    /// Reads the number of a field; gives the value and how many characters it took.
    fn number(&mut self, shown: &str, digits: usize, open: bool) -> PgResult<(i64, usize)> {
        let begin = self.rest;
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let available = self.rest.char_indices().nth(digits).map_or(self.rest.len(), |(at, _)| at);
        let copy = &self.rest[..available];
        let hint = "If your source string is not fixed-width, try using the \"FM\" modifier.";
        let value = if open {
            let (value, length) = Self::long(self.rest);
            self.rest = &self.rest[length..];
            value
        } else {
            if copy.chars().count() < digits {
                let detail = format!("Field requires {digits} characters, but only {} remain.", copy.chars().count());
                let message = format!("source string too short for \"{shown}\" formatting field");
                return Err(format_error(message).detail(detail).hint(hint));
            }
            let (value, length) = Self::long(copy);
            if length > 0 && length < copy.len() {
                let detail = format!("Field requires {digits} characters, but only {length} could be parsed.");
                let message = format!("invalid value \"{copy}\" for \"{shown}\"");
                return Err(format_error(message).detail(detail).hint(hint));
            }
            self.rest = &self.rest[length..];
            value
        };
        if self.rest.len() == begin.len() {
            let message = format!("invalid value \"{copy}\" for \"{shown}\"");
            return Err(format_error(message).detail("Value must be an integer."));
        }
        self.before = begin[..begin.len() - self.rest.len()].chars().last();
        let in_range = value.filter(|v| i32::try_from(*v).is_ok()).ok_or_else(|| {
            let message = format!("value for \"{shown}\" in source string is out of range");
            PgError::new(SqlState::DATETIME_OVERFLOW, message)
                .detail("Value must be in the range -2147483648 to 2147483647.")
        })?;
        Ok((in_range, begin.len() - self.rest.len()))
    }

    /// Which of these words is next.
    fn word(&mut self, words: &[&str], shown: &str) -> PgResult<usize> {
        let fits = |w: &&str| self.rest.get(..w.len()).is_some_and(|r| r.eq_ignore_ascii_case(w));
        let Some(at) = words.iter().position(fits) else {
            let given = self.rest.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or("");
            let detail = "The given value did not match any of the allowed values for this field.";
            return Err(format_error(format!("invalid value \"{given}\" for \"{shown}\"")).detail(detail));
        };
        self.rest = &self.rest[words[at].len()..];
        self.before = words[at].chars().last();
        Ok(at)
    }
}

fn set(slot: &mut i64, value: i64, shown: &str) -> PgResult<()> {
    if *slot != 0 && *slot != value {
        let message = format!("conflicting values for \"{shown}\" field in formatting string");
        let detail = "This value contradicts a previous setting for the same field type.";
        return Err(format_error(message).detail(detail));
    }
    *slot = value;
    Ok(())
}

/// A year of fewer than four digits is the one that is nearest to 2020.
fn near_2020(year: i64) -> i64 {
    match year {
        y if y < 70 => y + 2000,
        y if y < 100 => y + 1900,
        y if y < 520 => y + 2000,
        y if y < 1000 => y + 1000,
        y => y,
    }
}

/// `strict`: as the SQL standard reads, every character of the template must be there, and nothing else.
fn scan(text: &str, items: &[Item], strict: bool) -> PgResult<Found> {
    let mut f = Found::default();
    let mut s = Scan { rest: text, extra: 0, before: None, fixed: strict };
    let mut short = false;
    for (n, item) in items.iter().enumerate() {
        if s.rest.is_empty() {
            short = true;
            break;
        }
        let is_fixed = matches!(item, Item::Field { name: "FX", .. });
        if !s.fixed && !is_fixed && (matches!(item, Item::Field { .. }) || n == 0) {
            s.skip_spaces();
        }
        let Item::Field { name, shown, digits, fill, ordinal } = item else {
            match (item, s.fixed) {
                (Item::Separator(c) | Item::Space(c), _) if strict && !s.rest.starts_with(*c) => {
                    return Err(format_error(format!("unmatched format separator \"{c}\"")));
                }
                (Item::Literal(c, _), _) if strict && !s.rest.starts_with(*c) => {
                    return Err(format_error(format!("unmatched format character \"{c}\"")));
                }
                (_, true) => s.skip(),
                (Item::Literal(..), false) if s.extra > 0 => s.extra -= 1,
                (Item::Literal(..), false) => s.skip(),
                (_, false) => {
                    s.extra -= 1;
                    if s.rest.starts_with(|c: char| c.is_ascii_whitespace() || is_separator(c)) {
                        s.skip();
                        s.extra += 1;
                    }
                }
            }
            continue;
        };
        let calendar = match *name {
            "ID" | "IDDD" | "IW" | "I" | "IY" | "IYY" | "IYYY" => Some(Calendar::Iso),
            "D" | "DD" | "DDD" | "MM" | "MON" | "MONTH" | "RM" | "W" | "WW" | "Y" | "YY" | "YYY" | "YYYY" | "Y,YYY" => {
                Some(Calendar::Gregorian)
            }
            _ => None,
        };
        if let Some(calendar) = calendar {
            if f.calendar.is_some_and(|c| c != calendar) {
                let hint = "Do not mix Gregorian and ISO week date conventions in a formatting template.";
                return Err(format_error("invalid combination of date conventions".into()).hint(hint));
            }
            f.calendar = Some(calendar);
        }
        let open = *fill || *ordinal || ends_number(items.get(n + 1));
        take_field(&mut s, &mut f, name, shown, *digits, open)?;
        if *ordinal && *digits > 0 {
            (0..2).for_each(|_| s.skip());
        }
        if !s.fixed {
            s.extra = 0;
            s.skip_spaces();
        }
    }
    if strict && short {
        return Err(format_error("input string is too short for datetime format".into()));
    }
    if strict && !s.rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).is_empty() {
        return Err(format_error("trailing characters remain in input string after datetime format".into()));
    }
    Ok(f)
}

fn take_field(
    s: &mut Scan<'_>,
    f: &mut Found,
    name: &'static str,
    shown: &str,
    digits: usize,
    open: bool,
) -> PgResult<()> {
    let fraction = |value: i64, length: usize, places: u32| value * 10i64.pow(places.saturating_sub(length as u32));
    match name {
        "FX" => s.fixed = true,
        "A.M." | "P.M." => {
            let at = s.word(&["a.m.", "p.m."], shown)?;
            set(&mut f.pm, at as i64, shown)?;
            f.half_day_clock = true;
        }
        "AM" | "PM" => {
            let at = s.word(&["am", "pm"], shown)?;
            set(&mut f.pm, at as i64, shown)?;
            f.half_day_clock = true;
        }
        "A.D." | "B.C." => {
            let at = s.word(&["a.d.", "b.c."], shown)?;
            set(&mut f.bc, at as i64, shown)?;
        }
        "AD" | "BC" => {
            let at = s.word(&["ad", "bc"], shown)?;
            set(&mut f.bc, at as i64, shown)?;
        }
        "MONTH" => {
            let at = s.word(&MONTHS, shown)?;
            set(&mut f.month, at as i64 + 1, shown)?;
        }
        "MON" => {
            let at = s.word(&MONTHS.map(|m| &m[..3]), shown)?;
            set(&mut f.month, at as i64 + 1, shown)?;
        }
        "DAY" | "DY" => {
            let at = match name {
                "DAY" => s.word(&DAYS, shown)?,
                _ => s.word(&DAYS.map(|d| &d[..3]), shown)?,
            };
            set(&mut f.weekday, at as i64, shown)?;
            f.weekday += 1;
        }
        "RM" => {
            let at = s.word(&ROMAN, shown)?;
            set(&mut f.month, 12 - at as i64, shown)?;
        }
        "TZ" | "OF" => {
            let message = format!("formatting field \"{shown}\" is only supported in to_char");
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        "TZH" => {
            f.zone_sign = match s.rest.chars().next() {
                Some('-') => -1,
                Some('+' | ' ') => 1,
                _ if s.extra > 0 && s.before == Some('-') => -1,
                _ => 1,
            };
            if s.rest.starts_with(['+', '-', ' ']) {
                s.skip();
            }
            let (value, _) = s.number(shown, 2, open)?;
            set(&mut f.zone_hour, value, shown)?;
        }
        "TZM" => {
            f.zone_sign = if f.zone_sign == 0 { 1 } else { f.zone_sign };
            let (value, _) = s.number(shown, 2, open)?;
            set(&mut f.zone_minute, value, shown)?;
        }
        "Y,YYY" => {
            let wrong = || format_error("invalid input string for \"Y,YYY\"".into());
            let (thousands, length) = Scan::long(s.rest);
            let rest = s.rest[length..].strip_prefix(',').filter(|_| length > 0).ok_or_else(wrong)?;
            let count = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
            let years: i64 = rest[..count].parse().map_err(|_| wrong())?;
            set(&mut f.year, thousands.ok_or_else(wrong)? * 1000 + years, shown)?;
            f.year_digits = 4;
            s.rest = &rest[count..];
        }
        _ => {
            let (value, length) = s.number(shown, digits, open)?;
            let slot = match name {
                "HH" | "HH12" => {
                    f.half_day_clock = true;
                    &mut f.hour
                }
                "HH24" => &mut f.hour,
                "MI" => &mut f.minute,
                "SS" => &mut f.second,
                "SSSS" | "SSSSS" => &mut f.seconds_of_day,
                "MS" => {
                    set(&mut f.ms, value, shown)?;
                    f.ms = fraction(value, length, 3);
                    return Ok(());
                }
                "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                    if name != "US" {
                        f.places = digits as i32;
                    }
                    set(&mut f.us, value, shown)?;
                    f.us = fraction(value, length, 6);
                    return Ok(());
                }
                "MM" => &mut f.month,
                "DD" => &mut f.day,
                "DDD" | "IDDD" => &mut f.day_of_year,
                "D" => &mut f.weekday,
                "ID" => {
                    set(&mut f.weekday, value, shown)?;
                    f.weekday = if value + 1 > 7 { 1 } else { value + 1 };
                    return Ok(());
                }
                "WW" | "IW" => &mut f.week,
                "W" => &mut f.week_of_month,
                "CC" => &mut f.century,
                "J" => &mut f.julian,
                "Q" => return Ok(()),
                _ => {
                    f.year_digits = digits;
                    let year = if digits < 4 && length < 4 { near_2020(value) } else { value };
                    set(&mut f.year, value, shown)?;
                    f.year = year;
                    return Ok(());
                }
            };
            set(slot, value, shown)?;
        }
    }
    Ok(())
}

/// The Monday of an ISO week, as a day since 1970.
fn monday_of(year: i64, week: i64) -> i64 {
    let fourth = days_from_civil(year, 1, 4);
    fourth - (fourth + 3).rem_euclid(7) + (week - 1) * 7
}

/// A civil moment: day since 1970, µs of the day, and the offset in seconds east, if there was one.
pub struct Moment {
    pub days: i64,
    pub time: i64,
    pub east: Option<i64>,
    pub places: i32,
}

/// What a template has fields of.
pub struct Shape {
    pub dated: bool,
    pub timed: bool,
    pub zoned: bool,
}

/// Reads as the SQL standard has it (for jsonpath's `.datetime()`), and says what the template is for. Errors: `22007`, `22008`, `22009`.
pub fn strict_moment(text: &str, format: &str) -> PgResult<(Moment, Shape)> {
    let items = template(format);
    let stray = items.iter().find_map(|item| match item {
        Item::Separator(c) | Item::Space(c) | Item::Literal(c, false) if !"-./,':; ".contains(*c) => Some(*c),
        _ => None,
    });
    if let Some(c) = stray {
        return Err(format_error(format!("invalid datetime format separator: \"{c}\"")));
    }
    let mut shape = Shape { dated: false, timed: false, zoned: false };
    for item in &items {
        let Item::Field { name, .. } = item else { continue };
        match *name {
            "FX" => {}
            "TZ" | "OF" | "TZH" | "TZM" => shape.zoned = true,
            "A.M." | "P.M." | "AM" | "PM" | "HH" | "HH12" | "HH24" | "MI" | "SS" | "MS" | "US" | "SSSS" | "SSSSS"
            | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => shape.timed = true,
            _ => shape.dated = true,
        }
    }
    Ok((moment_of(text, &items, true)?, shape))
}

fn moment(text: &str, format: &str) -> PgResult<Moment> {
    moment_of(text, &template(format), false)
}

fn moment_of(text: &str, items: &[Item], strict: bool) -> PgResult<Moment> {
    let f = scan(text, items, strict)?;
    let overflow = || {
        let message = format!("date/time field value out of range: \"{text}\"");
        PgError::new(SqlState::DATETIME_OVERFLOW, message)
    };
    let (mut hour, mut minute, mut second) =
        (f.seconds_of_day / 3600, f.seconds_of_day / 60 % 60, f.seconds_of_day % 60);
    for (slot, value) in [(&mut hour, f.hour), (&mut minute, f.minute), (&mut second, f.second)] {
        if value != 0 {
            *slot = value;
        }
    }
    if f.half_day_clock {
        if !(1..=12).contains(&hour) {
            let message = format!("hour \"{hour}\" is invalid for the 12-hour clock");
            return Err(format_error(message).hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        if f.pm != 0 && hour < 12 {
            hour += 12;
        } else if f.pm == 0 && hour == 12 {
            hour = 0;
        }
    }
    let (mut year, mut month, mut day) = (0i64, 1i64, 1i64);
    let (mut has_year, mut has_month, mut has_day) = (false, false, false);
    let century = if f.bc != 0 { -f.century } else { f.century };
    if f.year != 0 {
        if f.century != 0 && f.year_digits <= 2 {
            year = f.year % 100;
            year = match (year, century >= 0) {
                (0, true) => century * 100,
                (0, false) => century * 100 + 1,
                (y, true) => y + (century - 1) * 100,
                (y, false) => (century + 1) * 100 - y + 1,
            };
        } else {
            year = if f.bc != 0 { -f.year } else { f.year };
            if year < 0 {
                year += 1;
            }
        }
        has_year = true;
    } else if f.century != 0 {
        year = if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 };
        has_year = true;
    }
    let civil = |days: i64| {
        let (y, m, d) = civil_from_days(days);
        (y, i64::from(m), i64::from(d))
    };
    if f.julian != 0 {
        (year, month, day) = civil(f.julian - 2_440_588);
        (has_year, has_month, has_day) = (true, true, true);
    }
    let mut day_of_year = f.day_of_year;
    if f.week != 0 {
        if f.calendar == Some(Calendar::Iso) {
            let monday = monday_of(year, f.week);
            let offset = match f.weekday {
                0 => 0,
                1 => 6,
                d => d - 2,
            };
            (year, month, day) = civil(monday + offset);
            (has_year, has_month, has_day) = (true, true, true);
        } else {
            day_of_year = (f.week - 1) * 7 + 1;
        }
    }
    let given_day = if f.week_of_month != 0 { (f.week_of_month - 1) * 7 + 1 } else { f.day };
    if given_day != 0 {
        (day, has_day) = (given_day, true);
    }
    if f.month != 0 {
        (month, has_month) = (f.month, true);
    }
    if day_of_year != 0 && (month <= 1 || day <= 1) {
        if year == 0 && f.bc == 0 {
            return Err(format_error("cannot calculate day of year without year information".into()));
        }
        if f.calendar == Some(Calendar::Iso) {
            (year, month, day) = civil(monday_of(year, 1) - 1 + day_of_year);
            has_year = true;
        } else {
            let mut left = day_of_year;
            let mut of = 1u32;
            while of <= 12 && left > i64::from(days_in_month(year, of)) {
                left -= i64::from(days_in_month(year, of));
                of += 1;
            }
            if month <= 1 {
                month = of.into();
            }
            if day <= 1 {
                day = left;
            }
        }
        (has_month, has_day) = (true, true);
    }
    if (has_month && !(1..=12).contains(&month)) || (has_day && !(1..=31).contains(&day)) {
        return Err(overflow());
    }
    if has_year && has_month && has_day && day > i64::from(days_in_month(year, month as u32)) {
        return Err(overflow());
    }
    let micros = f.ms * 1000 + f.us;
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    if !fits || !(0..MICROS_PER_SECOND).contains(&micros) {
        return Err(overflow());
    }
    let mut east = None;
    if f.zone_sign != 0 {
        if !(0..=15).contains(&f.zone_hour) || !(0..60).contains(&f.zone_minute) {
            let message = format!("time zone displacement out of range: \"{text}\"");
            return Err(PgError::new(SqlState(*b"22009"), message));
        }
        east = Some(f.zone_sign * (f.zone_hour * 3600 + f.zone_minute * 60));
    }
    let time = (hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND + micros;
    Ok(Moment { days: days_from_civil(year, month as u32, day as u32), time, east, places: f.places })
}

fn to_timestamp(text: &str, format: &str, zone: &Zone) -> PgResult<i64> {
    let m = moment(text, format)?;
    let local = timestamp_of(m.days, m.time).ok_or_else(timestamp_out_of_range)?;
    let moment = match m.east {
        Some(east) => local - east * MICROS_PER_SECOND,
        None => zone.to_utc(local),
    };
    Ok(if m.places > 0 { round_timestamp(moment, m.places) } else { moment })
}

fn to_date(text: &str, format: &str) -> PgResult<i32> {
    let m = moment(text, format)?;
    date_of(m.days).ok_or_else(|| PgError::new(SqlState::DATETIME_OVERFLOW, format!("date out of range: \"{text}\"")))
}

pub fn declare(r: &mut Registry) {
    r.fun(
        "to_timestamp(text,text)",
        session2::<Text, Text, Stamp>(|call, text, format| to_timestamp(text, format, &zone_of(call)).map(Some)),
    );
    r.fun("to_date(text,text)", attempt2::<Text, Text, Date>(to_date));
}
