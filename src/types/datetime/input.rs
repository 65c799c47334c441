//! Date and time input: ISO forms, the common written forms, zones, and the special words.

use super::*;

/// How `1/2/3` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    #[default]
    Mdy,
    Dmy,
    Ymd,
}

/// What input depends on besides its text.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub zone: &'a Zone,
    pub order: DateOrder,
}

/// What a text said.
#[derive(Debug, Default)]
struct Read {
    infinity: Option<bool>,
    epoch: bool,
    now: bool,
    /// Days from today.
    relative_day: Option<i64>,
    date: Option<(i64, u32, u32)>,
    time: Option<i64>,
    zone: Option<Zone>,
    bc: bool,
    pm: Option<bool>,
    month: Option<u32>,
    numbers: Vec<String>,
    two_digit_year: bool,
}

enum Bad {
    Syntax,
    Range,
    Zone(String),
}

fn now_micros() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// In lower case, from January.
pub const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// In lower case, from Sunday.
pub const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

fn month_named(word: &str) -> Option<u32> {
    let at = MONTHS.iter().position(|m| {
        *m == word || (word.len() == 3 && m.starts_with(word)) || (word == "sept" && *m == "september")
    })?;
    Some(at as u32 + 1)
}

fn is_day_name(word: &str) -> bool {
    DAYS.iter().any(|d| *d == word || (word.len() == 3 && d.starts_with(word)))
        || matches!(word, "tues" | "thur" | "thurs" | "weds")
}

impl Read {
    fn of(text: &str, order: DateOrder) -> Result<Self, Bad> {
        let lower = text.trim().to_ascii_lowercase();
        let s = lower.as_bytes();
        let mut read = Self::default();
        let mut at = 0;
        let take = |from: usize, keep: &dyn Fn(u8) -> bool| from + s[from..].iter().take_while(|b| keep(**b)).count();
        while at < s.len() {
            let byte = s[at];
            match byte {
                b' ' | b',' | b'\t' | b'\n' => at += 1,
                b'0'..=b'9' => {
                    let digits_end = take(at, &|b| b.is_ascii_digit());
                    match s.get(digits_end) {
                        Some(b':') => {
                            let end = take(at, &|b| b.is_ascii_digit() || b == b':' || b == b'.');
                            read.clock(&lower[at..end])?;
                            at = end;
                        }
                        Some(&mark @ (b'-' | b'/' | b'.'))
                            if read.date.is_none()
                                && s.get(digits_end + 1).is_some_and(|b| b.is_ascii_alphanumeric())
                                && !(mark == b'.' && digits_end - at > 4) =>
                        {
                            let mut end = digits_end;
                            let mut fields = 1;
                            while fields < 3 && s.get(end) == Some(&mark) {
                                end = take(end + 1, &|b| b.is_ascii_alphanumeric());
                                fields += 1;
                                // `2020-01-01t10:00`: the letter belongs to the time.
                                if let Some(t) = lower[digits_end..end].find('t').map(|t| t + digits_end)
                                    && fields == 3
                                    && s.get(t + 1).is_some_and(u8::is_ascii_digit)
                                    && s[t - 1].is_ascii_digit()
                                {
                                    end = t;
                                }
                            }
                            read.written_date(&lower[at..end], mark as char, order)?;
                            at = end;
                        }
                        _ => {
                            let end = take(digits_end, &|b| b == b'.' || b.is_ascii_digit());
                            read.number(&lower[at..end])?;
                            at = end;
                        }
                    }
                }
                b'+' | b'-' => {
                    if s.get(at + 1).is_some_and(u8::is_ascii_digit) {
                        if read.time.is_none() && read.date.is_none() {
                            return Err(Bad::Syntax);
                        }
                        let end = take(at + 1, &|b| b.is_ascii_digit() || b == b':');
                        read.set_zone(offset(&lower[at + 1..end], byte == b'-')?)?;
                        at = end;
                    } else {
                        let end = take(at + 1, &|b| b.is_ascii_alphabetic());
                        if &lower[at + 1..end] != "infinity" {
                            return Err(Bad::Syntax);
                        }
                        read.infinity = Some(byte == b'+');
                        at = end;
                    }
                }
                b'a'..=b'z' => {
                    let mut end = take(at, &|b| b.is_ascii_alphabetic());
                    let word = &lower[at..end];
                    let next = s.get(end).copied();
                    if word == "t" && next.is_some_and(|b| b.is_ascii_digit()) {
                        at = end;
                        continue;
                    }
                    if let (Some(month), Some(b'-')) = (month_named(word), next) {
                        // Jan-08-1999
                        let from = end + 1;
                        end = take(from, &|b| b.is_ascii_digit() || b == b'-');
                        read.month = Some(month);
                        read.numbers.extend(lower[from..end].split('-').map(str::to_owned));
                        at = end;
                        continue;
                    }
                    if matches!(next, Some(b'/' | b'_')) {
                        end = take(at, &|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
                    }
                    read.word(&lower[at..end])?;
                    at = end;
                    if s.get(at) == Some(&b'.') {
                        at += 1;
                    }
                }
                _ => return Err(Bad::Syntax),
            }
        }
        read.complete()?;
        Ok(read)
    }

    fn set_zone(&mut self, zone: Zone) -> Result<(), Bad> {
        match self.zone.replace(zone) {
            // `GMT+3` and the like are not read.
            Some(_) => Err(Bad::Syntax),
            None => Ok(()),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Bad> {
        match word {
            "infinity" => self.infinity = Some(true),
            "epoch" => self.epoch = true,
            "now" => self.now = true,
            "today" => self.relative_day = Some(0),
            "tomorrow" => self.relative_day = Some(1),
            "yesterday" => self.relative_day = Some(-1),
            "allballs" => {
                self.time = Some(0);
                self.zone = Some(Zone::Utc);
            }
            "am" => self.pm = Some(false),
            "pm" => self.pm = Some(true),
            "bc" => self.bc = true,
            "ad" | "at" | "on" | "dst" => {}
            _ if is_day_name(word) => {}
            _ => match month_named(word) {
                Some(month) if self.month.is_none() => self.month = Some(month),
                Some(_) => return Err(Bad::Syntax),
                None => match Zone::by_name(word) {
                    Some(zone) => self.set_zone(zone)?,
                    None if word.contains('/') => return Err(Bad::Zone(word.to_owned())),
                    None => return Err(Bad::Syntax),
                },
            },
        }
        Ok(())
    }

    fn clock(&mut self, text: &str) -> Result<(), Bad> {
        if self.time.is_some() {
            return Err(Bad::Syntax);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let whole = |p: &str| -> Result<i64, Bad> {
            if p.is_empty() || p.len() > 9 || !p.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Bad::Syntax);
            }
            p.parse().map_err(|_| Bad::Syntax)
        };
        let (hour, minute, second) = match parts[..] {
            // 05:06.7 is minutes and seconds.
            [minute, second] if second.contains('.') => (0, whole(minute)?, seconds(second)?),
            [hour, minute] => (whole(hour)?, whole(minute)?, 0),
            [hour, minute, second] => (whole(hour)?, whole(minute)?, seconds(second)?),
            _ => return Err(Bad::Syntax),
        };
        self.set_clock(hour, minute, second)
    }

    fn set_clock(&mut self, hour: i64, minute: i64, second_micros: i64) -> Result<(), Bad> {
        let time = (hour * 3600 + minute * 60) * MICROS_PER_SECOND + second_micros;
        if minute > 59 || second_micros > 60 * MICROS_PER_SECOND || time > MICROS_PER_DAY {
            return Err(Bad::Range);
        }
        self.time = Some(time);
        Ok(())
    }

    /// A number that stands alone.
    fn number(&mut self, text: &str) -> Result<(), Bad> {
        let (digits, fraction) = text.split_once('.').map_or((text, None), |(d, f)| (d, Some(f)));
        let part = |from: usize, to: usize| digits[from..to].parse::<i64>().map_err(|_| Bad::Syntax);
        let have_date = self.date.is_some() || self.month.is_some() && self.numbers.len() == 2;
        match digits.len() {
            6 if have_date && self.time.is_none() => {
                let second = seconds(&format!("{}.{}", &digits[4..], fraction.unwrap_or("0")))?;
                self.set_clock(part(0, 2)?, part(2, 4)?, second)
            }
            4 if self.date.is_some() && self.time.is_none() && fraction.is_none() => {
                self.set_clock(part(0, 2)?, part(2, 4)?, 0)
            }
            8 if fraction.is_none() && self.date.is_none() => {
                self.date = Some((part(0, 4)?, part(4, 6)? as u32, part(6, 8)? as u32));
                Ok(())
            }
            6 if fraction.is_none() && self.date.is_none() && self.month.is_none() => {
                self.two_digit_year = true;
                self.date = Some((part(0, 2)?, part(2, 4)? as u32, part(4, 6)? as u32));
                Ok(())
            }
            _ if fraction.is_none() && self.date.is_none() => {
                self.numbers.push(digits.to_owned());
                Ok(())
            }
            _ => Err(Bad::Syntax),
        }
    }

    fn written_date(&mut self, text: &str, mark: char, order: DateOrder) -> Result<(), Bad> {
        let parts: Vec<&str> = text.split(mark).collect();
        if let [first, name, third] = parts[..]
            && let Some(month) = month_named(name)
        {
            // 08-Jan-1999, 1999-Jan-08
            self.month = Some(month);
            self.numbers.extend([first.to_owned(), third.to_owned()]);
            return Ok(());
        }
        let number = |p: &str| p.parse::<i64>().map_err(|_| Bad::Syntax);
        let (year, month, day) = match parts[..] {
            [year, day] if mark == '.' && year.len() >= 4 && day.len() == 3 => {
                // Year and day of year.
                let days = days_from_civil(number(year)?, 1, 1) + number(day)? - 1;
                self.date = Some(civil_from_days(days));
                return Ok(());
            }
            [year, month, day] if year.len() >= 3 => (year, month, day),
            [a, b, c] => match order {
                DateOrder::Mdy => (c, a, b),
                DateOrder::Dmy => (c, b, a),
                DateOrder::Ymd => (a, b, c),
            },
            _ => return Err(Bad::Syntax),
        };
        self.two_digit_year = year.len() <= 2;
        let (month, day) = (number(month)?, number(day)?);
        self.date = Some((number(year)?, month.clamp(0, 99) as u32, day.clamp(0, 999) as u32));
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Bad> {
        if let Some(month) = self.month {
            let [a, b] = &self.numbers[..] else { return Err(Bad::Syntax) };
            let (day, year) = if a.len() >= 3 { (b, a) } else { (a, b) };
            self.two_digit_year = year.len() <= 2;
            self.date = Some((year.parse().map_err(|_| Bad::Syntax)?, month, day.parse().map_err(|_| Bad::Syntax)?));
        } else if !self.numbers.is_empty() {
            return Err(Bad::Syntax);
        }
        if let Some((year, month, day)) = &mut self.date {
            if self.bc {
                if *year <= 0 {
                    return Err(Bad::Range);
                }
                *year = 1 - *year;
            } else if self.two_digit_year {
                *year += if *year < 70 { 2000 } else { 1900 };
            } else if *year <= 0 {
                return Err(Bad::Range);
            }
            if *year > 6_000_000 || !(1..=12).contains(month) || !(1..=days_in_month(*year, *month)).contains(day) {
                return Err(Bad::Range);
            }
        } else if self.bc {
            return Err(Bad::Syntax);
        }
        if let (Some(pm), Some(time)) = (self.pm, &mut self.time) {
            let hour = *time / (3600 * MICROS_PER_SECOND);
            if hour > 12 {
                return Err(Bad::Range);
            }
            let half = 12 * 3600 * MICROS_PER_SECOND;
            *time += if pm && hour < 12 {
                half
            } else if !pm && hour == 12 {
                -half
            } else {
                0
            };
        }
        Ok(())
    }

    fn has_special(&self) -> bool {
        self.infinity.is_some() || self.epoch || self.now || self.relative_day.is_some()
    }
}

/// µs of `SS[.ffffff…]`.
fn seconds(text: &str) -> Result<i64, Bad> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || whole.len() > 2 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Bad::Syntax);
    }
    let whole: i64 = whole.parse().map_err(|_| Bad::Syntax)?;
    let fraction: f64 =
        if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().map_err(|_| Bad::Syntax)? };
    Ok(whole * MICROS_PER_SECOND + (fraction * 1e6).round_ties_even() as i64)
}

/// `HH`, `HHMM`, `HH:MM` or `HH:MM:SS`.
fn offset(text: &str, west: bool) -> Result<Zone, Bad> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [h] if h.len() <= 2 => (h, "0", "0"),
        [h] if h.len() <= 4 => (&h[..h.len() - 2], &h[h.len() - 2..], "0"),
        [h] if h.len() == 6 => (&h[..2], &h[2..4], &h[4..]),
        [h, m] => (h, m, "0"),
        [h, m, s] => (h, m, s),
        _ => return Err(Bad::Syntax),
    };
    let number = |p: &str| p.parse::<i32>().map_err(|_| Bad::Syntax);
    let (h, m, s) = (number(hours)?, number(minutes)?, number(seconds)?);
    if h > 15 || m > 59 || s > 59 {
        return Err(Bad::Zone(String::new()));
    }
    let east = h * 3600 + m * 60 + s;
    Ok(if east == 0 { Zone::Utc } else { Zone::Fixed(if west { -east } else { east }) })
}

impl Input<'_> {
    fn read(&self, type_name: &str, text: &str) -> PgResult<Read> {
        Read::of(text, self.order).map_err(|bad| self.error(bad, type_name, text))
    }

    fn error(&self, bad: Bad, type_name: &str, text: &str) -> PgError {
        match bad {
            Bad::Syntax => PgError::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type {type_name}: \"{text}\""),
            ),
            Bad::Range => {
                PgError::new(SqlState::DATETIME_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
            }
            Bad::Zone(name) if name.is_empty() => {
                PgError::new(SqlState(*b"22009"), format!("time zone displacement out of range: \"{text}\""))
            }
            Bad::Zone(name) => {
                PgError::new(SqlState::INVALID_PARAMETER, format!("time zone \"{name}\" not recognized"))
            }
        }
    }

    fn out_of_range(type_name: &str, text: &str) -> PgError {
        PgError::new(SqlState::DATETIME_OVERFLOW, format!("{type_name} out of range: \"{text}\""))
    }

    /// Days since 1970.
    pub fn date(&self, text: &str) -> PgResult<i32> {
        let read = self.read("date", text)?;
        let today = || split_micros(self.zone.to_local(now_micros())).0;
        let days = match (&read.infinity, read.relative_day, read.date) {
            (Some(up), _, _) => return Ok(if *up { DATE_INFINITY } else { DATE_NEG_INFINITY }),
            (_, Some(day), _) => today() + day,
            _ if read.now => today(),
            _ if read.epoch => 0,
            (_, _, Some((year, month, day))) => days_from_civil(year, month, day),
            _ => return Err(self.error(Bad::Syntax, "date", text)),
        };
        date_of(days).ok_or_else(|| Self::out_of_range("date", text))
    }

    /// µs of the day, up to and with 24:00:00.
    pub fn time(&self, text: &str, typmod: i32) -> PgResult<i64> {
        let read = self.read("time", text)?;
        let time = match read.time {
            Some(time) => time,
            None if read.now => split_micros(self.zone.to_local(now_micros())).1,
            None => return Err(self.error(Bad::Syntax, "time", text)),
        };
        Ok(round_micros(time, typmod))
    }

    /// µs of the day and seconds west of UTC.
    pub fn timetz(&self, text: &str, typmod: i32) -> PgResult<(i64, i32)> {
        let read = self.read("time with time zone", text)?;
        let now = now_micros();
        let time = match read.time {
            Some(time) => time,
            None if read.now => split_micros(self.zone.to_local(now)).1,
            None => return Err(self.error(Bad::Syntax, "time with time zone", text)),
        };
        let zone = read.zone.as_ref().unwrap_or(self.zone);
        let day = match read.date {
            Some((year, month, day)) => days_from_civil(year, month, day),
            None => split_micros(self.zone.to_local(now)).0,
        };
        let local = timestamp_of(day, time).ok_or_else(|| Self::out_of_range("time", text))?;
        Ok((round_micros(time, typmod), -zone.offset_of_local(local)))
    }

    /// µs since 1970 of no zone; a zone in the text is read and dropped.
    pub fn timestamp(&self, text: &str, typmod: i32) -> PgResult<i64> {
        let read = self.read("timestamp", text)?;
        let local = self.local(&read, "timestamp", text)?;
        Ok(round_timestamp(local, typmod))
    }

    /// µs since 1970 of UTC.
    pub fn timestamptz(&self, text: &str, typmod: i32) -> PgResult<i64> {
        let name = "timestamp with time zone";
        let read = self.read(name, text)?;
        if read.now {
            return Ok(round_timestamp(now_micros(), typmod));
        }
        let local = self.local(&read, name, text)?;
        if read.epoch || !is_finite_timestamp(local) {
            return Ok(local);
        }
        let utc = read.zone.as_ref().unwrap_or(self.zone).to_utc(local);
        Ok(round_timestamp(utc, typmod))
    }

    fn local(&self, read: &Read, type_name: &str, text: &str) -> PgResult<i64> {
        let today = || split_micros(self.zone.to_local(now_micros())).0;
        if read.has_special() {
            return Ok(match (read.infinity, read.relative_day) {
                (Some(true), _) => TIMESTAMP_INFINITY,
                (Some(false), _) => TIMESTAMP_NEG_INFINITY,
                (_, Some(day)) => (today() + day) * MICROS_PER_DAY + read.time.unwrap_or(0),
                _ if read.epoch => 0,
                _ => self.zone.to_local(now_micros()),
            });
        }
        let Some((year, month, day)) = read.date else { return Err(self.error(Bad::Syntax, type_name, text)) };
        timestamp_of(days_from_civil(year, month, day), read.time.unwrap_or(0))
            .ok_or_else(|| Self::out_of_range("timestamp", text))
    }
}
