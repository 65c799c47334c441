//! Date and time input: PostgreSQL's reading of free text, in two steps. The text is split into fields by what they begin with ([`super::fields`]); then
//! each field is given a meaning by its kind and by what is known already: `1/2/3`, `J2451187`, `20011225T040506.789-07` and `Jan 8, 99 BC` need no pattern.

use super::fields::{Field, Kind, Label, Special, Word, split, word};
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

pub(super) enum Bad {
    Syntax,
    /// `hint`: another DateStyle may be what is meant.
    Range {
        hint: bool,
    },
    Displacement,
    Zone(String),
}

const RANGE: Bad = Bad::Range { hint: false };

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

/// Parts of a date and time, as bits: which have been said.
mod part {
    pub const YEAR: u32 = 1;
    pub const MONTH: u32 = 2;
    pub const DAY: u32 = 4;
    pub const HOUR: u32 = 8;
    pub const MINUTE: u32 = 16;
    pub const SECOND: u32 = 32;
    pub const ZONE: u32 = 64;
    pub const DAY_OF_YEAR: u32 = 128;
    pub const HALF: u32 = 256;
    pub const ERA: u32 = 512;
    pub const WEEKDAY: u32 = 1024;
    pub const SPECIAL: u32 = 2048;
    pub const SUMMER: u32 = 4096;
    pub const DATE: u32 = YEAR | MONTH | DAY;
    pub const TIME: u32 = HOUR | MINUTE | SECOND;
}

/// What a text has said so far.
struct Reader<'a> {
    input: &'a Input<'a>,
    /// Parts that were said.
    said: u32,
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    zone: Option<Zone>,
    /// Seconds that a zone's summer time adds.
    summer: i32,
    pm: Option<bool>,
    bc: bool,
    julian: bool,
    two_digits: bool,
    named_month: bool,
    /// What the number that follows a letter is.
    label: Option<Label>,
    special: Option<Special>,
}

type Done<T> = Result<T, Bad>;

/// A whole number with a sign, and what follows it.
fn leading(text: &str) -> Done<(i64, &str)> {
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(Bad::Syntax);
    }
    let (number, rest) = text.split_at(sign + digits);
    match number.parse::<i32>() {
        Ok(value) => Ok((value.into(), rest)),
        Err(_) => Err(RANGE),
    }
}

/// µs of `.ffff`.
fn fraction(text: &str) -> Done<i64> {
    let digits = text.strip_prefix('.').ok_or(Bad::Syntax)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Bad::Syntax);
    }
    let value: f64 = if digits.is_empty() { 0.0 } else { format!("0.{digits}").parse().map_err(|_| Bad::Syntax)? };
    Ok((value * 1e6).round_ties_even() as i64)
}

/// `+HH`, `+HHMM`, `+HH:MM` or `+HH:MM:SS`.
fn displacement(text: &str) -> Done<Zone> {
    if !text.starts_with(['+', '-']) {
        return Err(Bad::Syntax);
    }
    let west = text.starts_with('-');
    let overflow = |_| Bad::Displacement;
    let (mut hours, mut rest) = leading(&text[1..]).map_err(overflow)?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        (minutes, rest) = leading(after)?;
        if let Some(after) = rest.strip_prefix(':') {
            (seconds, rest) = leading(after)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hours, minutes) = (hours / 100, hours % 100);
    }
    if !(0..=15).contains(&hours) || !(0..60).contains(&minutes) || !(0..60).contains(&seconds) {
        return Err(Bad::Displacement);
    }
    if !rest.is_empty() {
        return Err(Bad::Syntax);
    }
    let east = (hours * 3600 + minutes * 60 + seconds) as i32;
    Ok(if east == 0 { Zone::Utc } else { Zone::Fixed(if west { -east } else { east }) })
}

impl<'a> Reader<'a> {
    fn new(input: &'a Input<'a>) -> Self {
        Self {
            input,
            said: 0,
            year: 0,
            month: 0,
            day: 0,
            day_of_year: 0,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
            zone: None,
            summer: 0,
            pm: None,
            bc: false,
            julian: false,
            two_digits: false,
            named_month: false,
            label: None,
            special: None,
        }
    }

    fn has(&self, parts: u32) -> bool {
        self.said & parts == parts
    }

    fn set_date(&mut self, days: i64) {
        let (year, month, day) = civil_from_days(days);
        (self.year, self.month, self.day) = (year, month.into(), day.into());
    }

    fn set_time(&mut self, micros: i64) {
        let seconds = micros / MICROS_PER_SECOND;
        (self.hour, self.minute, self.second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        self.micros = micros % MICROS_PER_SECOND;
    }

    /// A text that says a date, and perhaps a time.
    fn moment(mut self, text: &str) -> Done<Read> {
        let fields = split(text).ok_or(Bad::Syntax)?;
        for (nth, field) in fields.iter().enumerate() {
            let parts = match field.kind {
                Kind::Date => self.date_field(&field.text)?,
                Kind::Time => {
                    self.expect_time_label()?;
                    let parts = self.clock(&field.text)?;
                    self.check_clock()?;
                    parts
                }
                Kind::Zone => {
                    self.zone = Some(displacement(&field.text)?);
                    part::ZONE
                }
                Kind::Number => match self.label.take() {
                    Some(label) => self.labelled(label, &field.text)?,
                    None => self.number_field(&field.text)?,
                },
                Kind::Word | Kind::SignedWord => match self.word_field(&field.text, fields.get(nth + 1), false)? {
                    Some(parts) => parts,
                    None => continue,
                },
            };
            self.say(parts)?;
        }
        self.validate()?;
        self.half_day()?;
        if self.special.is_none() && !self.has(part::DATE) {
            return Err(Bad::Syntax);
        }
        Ok(self.read())
    }

    /// A text that says a time of day.
    fn time_of_day(mut self, text: &str) -> Done<Read> {
        let fields = split(text).ok_or(Bad::Syntax)?;
        let last_is_date = fields.len() >= 2 && fields[fields.len() - 1].kind == Kind::Date;
        for (nth, field) in fields.iter().enumerate() {
            let parts = match field.kind {
                Kind::Date if nth == 0 && (last_is_date || fields.get(1).is_some_and(|f| f.kind == Kind::Time)) => {
                    self.date(&field.text)?
                }
                Kind::Date if field.text.starts_with(|c: char| c.is_ascii_digit()) => {
                    if self.has(part::TIME) {
                        return Err(Bad::Syntax);
                    }
                    self.label = None;
                    self.number_with_zone(&field.text, part::DATE)?
                }
                Kind::Date => self.named_zone(&field.text)?,
                Kind::Time => {
                    self.expect_time_label()?;
                    self.clock(&field.text)?
                }
                Kind::Zone => {
                    self.zone = Some(displacement(&field.text)?);
                    part::ZONE
                }
                Kind::Number => match (self.label.take(), field.text.find('.')) {
                    (Some(label), _) => self.labelled(label, &field.text)?,
                    (None, Some(_)) if nth == 0 && last_is_date => self.date(&field.text)?,
                    (None, Some(at)) if at > 2 => self.run_together(&field.text, self.said | part::DATE)?,
                    (None, Some(_)) => return Err(Bad::Syntax),
                    (None, None) if field.text.len() > 4 => self.run_together(&field.text, self.said | part::DATE)?,
                    (None, None) => self.number(&field.text, self.said | part::DATE)?,
                },
                Kind::Word | Kind::SignedWord => match self.word_field(&field.text, fields.get(nth + 1), true)? {
                    Some(parts) => parts,
                    None => continue,
                },
            };
            self.say(parts)?;
        }
        self.validate()?;
        self.half_day()?;
        self.check_clock()?;
        if !self.has(part::TIME) {
            return Err(Bad::Syntax);
        }
        let dated = self.said & part::DATE;
        if dated != 0 && dated != part::DATE {
            return Err(Bad::Syntax);
        }
        if matches!(self.zone, Some(Zone::Named(_))) && dated == 0 {
            return Err(Bad::Syntax);
        }
        Ok(self.read())
    }

    fn say(&mut self, parts: u32) -> Done<()> {
        if self.said & parts != 0 {
            return Err(Bad::Syntax);
        }
        self.said |= parts;
        Ok(())
    }

    /// After a label only `T` lets a time follow.
    fn expect_time_label(&mut self) -> Done<()> {
        match self.label.take() {
            None | Some(Label::Time) => Ok(()),
            Some(_) => Err(Bad::Syntax),
        }
    }

    fn date_field(&mut self, text: &str) -> Done<u32> {
        match self.label.take() {
            Some(Label::Julian) => {
                let (days, zone) = leading(text)?;
                self.julian_day(days)?;
                self.zone = Some(displacement(zone)?);
                Ok(part::DATE | part::TIME | part::ZONE)
            }
            label if label.is_some() || self.has(part::MONTH | part::DAY) => {
                if label.is_none() && !text.starts_with(|c: char| c.is_ascii_digit()) {
                    return self.named_zone(text);
                }
                if label.is_some_and(|label| label != Label::Time) || self.has(part::TIME) {
                    return Err(Bad::Syntax);
                }
                self.number_with_zone(text, 0)
            }
            _ => self.date(text),
        }
    }

    fn named_zone(&mut self, text: &str) -> Done<u32> {
        self.zone = Some(Zone::by_name(text).ok_or_else(|| Bad::Zone(text.to_owned()))?);
        Ok(part::ZONE)
    }

    /// `hhmmss-zz`
    fn number_with_zone(&mut self, text: &str, more: u32) -> Done<u32> {
        let at = text.find('-').ok_or(Bad::Syntax)?;
        self.zone = Some(displacement(&text[at..])?);
        Ok(self.run_together(&text[..at], self.said | more)? | part::ZONE)
    }

    fn julian_day(&mut self, days: i64) -> Done<()> {
        if days < 0 {
            return Err(RANGE);
        }
        self.set_date(days - 2_440_588);
        self.julian = true;
        Ok(())
    }

    /// A number after the letter that says what it is: `Y2001M02D03`, `J2451187.5`, `T040506`.
    fn labelled(&mut self, label: Label, text: &str) -> Done<u32> {
        if label == Label::Time {
            let parts = self.run_together(text, self.said | part::DATE)?;
            return if parts == part::TIME { Ok(parts) } else { Err(Bad::Syntax) };
        }
        let (value, rest) = leading(text)?;
        let with_fraction = matches!(label, Label::Julian | Label::Second);
        let is_fraction = rest.starts_with('.') && with_fraction;
        if !rest.is_empty() && !is_fraction {
            return Err(Bad::Syntax);
        }
        Ok(match label {
            Label::Year => {
                self.year = value;
                part::YEAR
            }
            Label::Month if self.has(part::MONTH | part::HOUR) => {
                self.minute = value;
                part::MINUTE
            }
            Label::Month => {
                self.month = value;
                part::MONTH
            }
            Label::Day => {
                self.day = value;
                part::DAY
            }
            Label::Hour => {
                self.hour = value;
                part::HOUR
            }
            Label::Minute => {
                self.minute = value;
                part::MINUTE
            }
            Label::Second => {
                self.second = value;
                self.micros = if rest.is_empty() { 0 } else { fraction(rest)? };
                part::SECOND
            }
            Label::Julian => {
                self.julian_day(value)?;
                match rest.is_empty() {
                    true => part::DATE,
                    false => {
                        let part_of_day: f64 = format!("0{rest}").parse().map_err(|_| Bad::Syntax)?;
                        self.set_time((part_of_day * MICROS_PER_DAY as f64) as i64);
                        part::DATE | part::TIME
                    }
                }
            }
            Label::Time | Label::Other => return Err(Bad::Syntax),
        })
    }

    fn number_field(&mut self, text: &str) -> Done<u32> {
        match text.find('.') {
            Some(_) if self.said & part::DATE == 0 => self.date(text),
            Some(at) if at > 2 => self.run_together(text, self.said),
            None if text.len() >= 6 && !(self.has(part::DATE) && self.has(part::TIME)) => {
                self.run_together(text, self.said)
            }
            _ => self.number(text, self.said),
        }
    }

    /// `None`: a word that says nothing.
    fn word_field(&mut self, text: &str, next: Option<&Field>, time_only: bool) -> Done<Option<u32>> {
        if let Some(zone) = Zone::by_abbreviation(text) {
            self.zone = Some(zone);
            return Ok(Some(part::ZONE));
        }
        Ok(Some(match word(text) {
            Some(Word::Nothing) => return Ok(None),
            Some(Word::Special(Special::Now)) => {
                let now = now_micros();
                let east = self.input.zone.offset_at(now);
                let (days, time) = split_micros(now + i64::from(east) * MICROS_PER_SECOND);
                self.set_date(days);
                self.set_time(time);
                self.zone = Some(Zone::Fixed(east));
                if time_only { part::TIME } else { part::DATE | part::TIME | part::ZONE }
            }
            Some(Word::Special(Special::Zulu)) => {
                self.set_time(0);
                self.zone = Some(Zone::Utc);
                part::TIME | part::ZONE
            }
            Some(Word::HalfDay(pm)) => {
                self.pm = Some(pm);
                part::HALF
            }
            Some(Word::Era(bc)) => {
                self.bc = bc;
                part::ERA
            }
            Some(Word::Summer) => {
                self.summer += 3600;
                part::SUMMER
            }
            Some(Word::Label(Label::Time)) => {
                let follows = next.is_some_and(|f| matches!(f.kind, Kind::Number | Kind::Time | Kind::Date));
                if !follows || !(time_only || self.has(part::DATE)) {
                    return Err(Bad::Syntax);
                }
                self.label = Some(Label::Time);
                0
            }
            Some(Word::Label(label)) => {
                self.label = Some(label);
                0
            }
            None => {
                self.zone = Some(Zone::by_name(text).ok_or(Bad::Syntax)?);
                part::ZONE
            }
            Some(_) if time_only => return Err(Bad::Syntax),
            Some(Word::Special(Special::Day(from_today))) => {
                self.set_date(split_micros(self.input.zone.to_local(now_micros())).0 + from_today);
                part::DATE
            }
            Some(Word::Special(special)) => {
                self.special = Some(special);
                part::SPECIAL
            }
            Some(Word::Month(month)) => {
                // What was taken for the month was the day.
                let was_day = self.has(part::MONTH)
                    && !self.named_month
                    && !self.has(part::DAY)
                    && (1..=31).contains(&self.month);
                let parts = if was_day {
                    self.day = self.month;
                    part::DAY
                } else {
                    part::MONTH
                };
                (self.named_month, self.month) = (true, month);
                parts
            }
            Some(Word::Weekday) => part::WEEKDAY,
        }))
    }

    /// Parts of a date with marks between them.
    fn date(&mut self, text: &str) -> Done<u32> {
        let mut pieces: Vec<&str> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            let Some(first) = rest.bytes().next() else { return Err(Bad::Syntax) };
            let digit = first.is_ascii_digit();
            let same = |b: u8| if digit { b.is_ascii_digit() } else { b.is_ascii_alphabetic() };
            let length = rest.bytes().take_while(|b| same(*b)).count();
            pieces.push(&rest[..length]);
            rest = &rest[length..];
            // What separates it from the next one, whatever it is.
            if let Some(mark) = rest.chars().next().filter(|c| !c.is_ascii_alphanumeric()) {
                rest = &rest[mark.len_utf8()..];
                if rest.is_empty() {
                    return Err(Bad::Syntax);
                }
            }
        }
        let (mut found, before) = (0, self.said);
        let said = |found: u32| before | found;
        let mut named = false;
        for piece in pieces.iter().filter(|p| p.starts_with(|c: char| c.is_ascii_alphabetic())) {
            match word(piece) {
                Some(Word::Nothing) => {}
                Some(Word::Month(month)) if said(found) & part::MONTH == 0 => {
                    self.month = month;
                    named = true;
                    found |= part::MONTH;
                }
                _ => return Err(Bad::Syntax),
            }
        }
        let named_before = std::mem::replace(&mut self.named_month, named);
        for piece in pieces.iter().filter(|p| p.starts_with(|c: char| c.is_ascii_digit())) {
            let parts = self.number(piece, said(found))?;
            if said(found) & parts != 0 {
                return Err(Bad::Syntax);
            }
            found |= parts;
        }
        self.named_month = named_before || named;
        match said(found) & !(part::DAY_OF_YEAR | part::ZONE) == part::DATE {
            true => Ok(found),
            false => Err(Bad::Syntax),
        }
    }

    /// One number whose place says what it is.
    fn number(&mut self, text: &str, said: u32) -> Done<u32> {
        let (value, rest) = leading(text)?;
        if rest.starts_with('.') {
            if text.len() - rest.len() > 2 {
                return self.run_together(text, said | part::DATE);
            }
            self.micros = fraction(rest)?;
        } else if !rest.is_empty() {
            return Err(Bad::Syntax);
        }
        let length = text.len();
        let date = said & part::DATE;
        if length == 3 && date == part::YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(part::DAY_OF_YEAR | part::MONTH | part::DAY);
        }
        const YEAR_MONTH: u32 = part::YEAR | part::MONTH;
        const MONTH_DAY: u32 = part::MONTH | part::DAY;
        let order = self.input.order;
        let long = length >= 3 || order == DateOrder::Ymd;
        let is = match date {
            0 if long => part::YEAR,
            0 if order == DateOrder::Dmy => part::DAY,
            0 => part::MONTH,
            part::YEAR => part::MONTH,
            part::MONTH if self.named_month && long => part::YEAR,
            part::MONTH => part::DAY,
            YEAR_MONTH if self.named_month && length >= 3 && self.two_digits => {
                // What was taken for the year was the day.
                self.day = self.year;
                self.year = value;
                self.two_digits = false;
                return Ok(part::DAY);
            }
            YEAR_MONTH => part::DAY,
            part::DAY => part::MONTH,
            MONTH_DAY => part::YEAR,
            part::DATE => return self.run_together(text, said),
            _ => return Err(Bad::Syntax),
        };
        match is {
            part::YEAR => {
                self.year = value;
                self.two_digits = length <= 2;
            }
            part::MONTH => self.month = value,
            _ => self.day = value,
        }
        Ok(is)
    }

    /// `20011225`, `990108`, `040506.789`, `0405`.
    fn run_together(&mut self, text: &str, said: u32) -> Done<u32> {
        let (digits, point) = text.find('.').map_or((text, None), |at| (&text[..at], Some(&text[at..])));
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Bad::Syntax);
        }
        let value = |from: usize, to: usize| digits[from..to].parse::<i64>().map_err(|_| RANGE);
        let length = digits.len();
        if let Some(point) = point {
            self.micros = fraction(point)?;
        } else if said & part::DATE != part::DATE && length >= 6 {
            self.year = value(0, length - 4)?;
            self.month = value(length - 4, length - 2)?;
            self.day = value(length - 2, length)?;
            if length == 6 {
                self.two_digits = true;
            }
            if self.year > i64::from(i32::MAX) {
                return Err(RANGE);
            }
            return Ok(part::DATE);
        }
        if said & part::TIME != part::TIME && (length == 6 || length == 4) {
            (self.hour, self.minute) = (value(0, 2)?, value(2, 4)?);
            self.second = if length == 6 { value(4, 6)? } else { 0 };
            return Ok(part::TIME);
        }
        Err(Bad::Syntax)
    }

    fn clock(&mut self, text: &str) -> Done<u32> {
        let (hour, rest) = leading(text)?;
        let (minute, rest) = leading(rest.strip_prefix(':').ok_or(Bad::Syntax)?)?;
        (self.hour, self.minute, self.second, self.micros) = (hour, minute, 0, 0);
        if rest.starts_with('.') {
            // Minutes and seconds.
            (self.hour, self.minute, self.second, self.micros) = (0, hour, minute, fraction(rest)?);
        } else if let Some(rest) = rest.strip_prefix(':') {
            let (second, rest) = leading(rest)?;
            self.second = second;
            self.micros = if rest.is_empty() { 0 } else { fraction(rest)? };
        } else if !rest.is_empty() {
            return Err(Bad::Syntax);
        }
        if self.minute > 59 || self.second > 60 {
            return Err(RANGE);
        }
        Ok(part::TIME)
    }

    fn micros_of_day(&self) -> i64 {
        (self.hour * 3600 + self.minute * 60 + self.second) * MICROS_PER_SECOND + self.micros
    }

    fn check_clock(&self) -> Done<()> {
        let fits = (0..=24).contains(&self.hour) && (0..60).contains(&self.minute) && (0..=60).contains(&self.second);
        if fits && self.micros_of_day() <= MICROS_PER_DAY { Ok(()) } else { Err(RANGE) }
    }

    /// Settles the year, and looks whether there is such a day.
    fn validate(&mut self) -> Done<()> {
        if self.has(part::YEAR) && !self.julian {
            if self.bc {
                if self.year <= 0 {
                    return Err(RANGE);
                }
                self.year = 1 - self.year;
            } else if self.two_digits {
                if self.year < 0 {
                    return Err(RANGE);
                }
                self.year += match self.year {
                    ..70 => 2000,
                    70..100 => 1900,
                    _ => 0,
                };
            } else if self.year <= 0 {
                return Err(RANGE);
            }
        }
        if self.has(part::DAY_OF_YEAR) {
            self.set_date(days_from_civil(self.year, 1, 1) + self.day_of_year - 1);
        }
        if self.has(part::MONTH) && !(1..=12).contains(&self.month) {
            return Err(Bad::Range { hint: true });
        }
        if self.has(part::DAY) && !(1..=31).contains(&self.day) {
            return Err(Bad::Range { hint: true });
        }
        if self.has(part::DATE) && self.day > i64::from(days_in_month(self.year, self.month as u32)) {
            return Err(RANGE);
        }
        Ok(())
    }

    fn half_day(&mut self) -> Done<()> {
        match self.pm {
            Some(_) if self.hour > 12 => return Err(RANGE),
            Some(false) if self.hour == 12 => self.hour = 0,
            Some(true) if self.hour != 12 => self.hour += 12,
            _ => {}
        }
        Ok(())
    }

    fn read(self) -> Read {
        let dated = self.has(part::DATE).then_some((self.year, self.month as u32, self.day as u32));
        let zone = match (self.zone, self.summer) {
            (Some(Zone::Fixed(east)), summer) => Some(Zone::Fixed(east + summer)),
            (Some(Zone::Utc), summer) if summer != 0 => Some(Zone::Fixed(summer)),
            (zone, _) => zone,
        };
        Read { special: self.special, date: dated, time: self.micros_of_day(), zone }
    }
}

/// What a text said.
struct Read {
    special: Option<Special>,
    date: Option<(i64, u32, u32)>,
    /// µs of the day.
    time: i64,
    zone: Option<Zone>,
}

/// The last year that PostgreSQL's calendar can count.
const LAST_YEAR: i64 = 5_874_897;

impl Input<'_> {
    fn moment(&self, type_name: &str, text: &str) -> PgResult<Read> {
        Reader::new(self).moment(text).map_err(|bad| Self::error(bad, type_name, text))
    }

    fn time_of_day(&self, type_name: &str, text: &str) -> PgResult<Read> {
        Reader::new(self).time_of_day(text).map_err(|bad| Self::error(bad, type_name, text))
    }

    fn error(bad: Bad, type_name: &str, text: &str) -> PgError {
        match bad {
            Bad::Syntax => PgError::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type {type_name}: \"{text}\""),
            ),
            Bad::Range { hint } => {
                let message = format!("date/time field value out of range: \"{text}\"");
                let error = PgError::new(SqlState::DATETIME_OVERFLOW, message);
                if hint { error.hint("Perhaps you need a different \"datestyle\" setting.") } else { error }
            }
            Bad::Displacement => {
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
        let read = self.moment("date", text)?;
        let days = match (read.special, read.date) {
            (Some(Special::Infinity), _) => return Ok(DATE_INFINITY),
            (Some(Special::MinusInfinity), _) => return Ok(DATE_NEG_INFINITY),
            (Some(Special::Epoch), _) => 0,
            (_, Some((year, ..))) if year.abs() > LAST_YEAR => return Err(Self::out_of_range("date", text)),
            (_, Some((year, month, day))) => days_from_civil(year, month, day),
            _ => return Err(Self::error(Bad::Syntax, "date", text)),
        };
        date_of(days).ok_or_else(|| Self::out_of_range("date", text))
    }

    /// µs of the day, up to and with 24:00:00.
    pub fn time(&self, text: &str, typmod: i32) -> PgResult<i64> {
        Ok(round_micros(self.time_of_day("time", text)?.time, typmod))
    }

    /// µs of the day and seconds west of UTC.
    pub fn timetz(&self, text: &str, typmod: i32) -> PgResult<(i64, i32)> {
        let read = self.time_of_day("time with time zone", text)?;
        let zone = read.zone.as_ref().unwrap_or(self.zone);
        let day = match read.date {
            Some((year, month, day)) => days_from_civil(year, month, day),
            None => split_micros(self.zone.to_local(now_micros())).0,
        };
        let local = timestamp_of(day, read.time).ok_or_else(|| Self::out_of_range("time", text))?;
        Ok((round_micros(read.time, typmod), -zone.offset_of_local(local)))
    }

    /// µs since 1970 of no zone; a zone in the text is read and dropped.
    pub fn timestamp(&self, text: &str, typmod: i32) -> PgResult<i64> {
        let read = self.moment("timestamp", text)?;
        Ok(round_timestamp(Self::local(&read, "timestamp", text)?, typmod))
    }

    /// µs since 1970 of UTC.
    pub fn timestamptz(&self, text: &str, typmod: i32) -> PgResult<i64> {
        let name = "timestamp with time zone";
        let read = self.moment(name, text)?;
        if read.special.is_some() {
            return Self::local(&read, name, text);
        }
        let (year, month, day) = read.date.ok_or_else(|| Self::error(Bad::Syntax, name, text))?;
        let beyond = || Self::out_of_range("timestamp", text);
        if year.abs() > LAST_YEAR {
            return Err(beyond());
        }
        // Only the moment in UTC must be one that a timestamp can hold.
        let days = days_from_civil(year, month, day);
        let local = days.checked_mul(MICROS_PER_DAY).and_then(|day| day.checked_add(read.time)).ok_or_else(beyond)?;
        let zone = read.zone.as_ref().unwrap_or(self.zone);
        let utc = local.saturating_sub(i64::from(zone.offset_of_local(local)) * MICROS_PER_SECOND);
        let (days, time) = split_micros(utc);
        timestamp_of(days, time).map(|utc| round_timestamp(utc, typmod)).ok_or_else(beyond)
    }

    fn local(read: &Read, type_name: &str, text: &str) -> PgResult<i64> {
        match (read.special, read.date) {
            (Some(Special::Infinity), _) => Ok(TIMESTAMP_INFINITY),
            (Some(Special::MinusInfinity), _) => Ok(TIMESTAMP_NEG_INFINITY),
            (Some(_), _) => Ok(0),
            (None, Some((year, month, day))) if year.abs() <= LAST_YEAR => {
                timestamp_of(days_from_civil(year, month, day), read.time)
                    .ok_or_else(|| Self::out_of_range("timestamp", text))
            }
            (None, Some(_)) => Err(Self::out_of_range("timestamp", text)),
            (None, None) => Err(Self::error(Bad::Syntax, type_name, text)),
        }
    }
}
