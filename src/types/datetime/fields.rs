//! The first step of reading dates and times: the fields of a text, and what words mean.

use super::input::{DAYS, MONTHS};

/// What a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Digits, perhaps with a fraction.
    Number,
    /// Numbers and words with marks between them: a date, a zone's name, or `hhmmss-zz`.
    Date,
    /// Digits and colons.
    Time,
    /// A sign and digits.
    Zone,
    Word,
    /// A sign and a word.
    SignedWord,
}

#[derive(Debug)]
pub struct Field {
    pub kind: Kind,
    /// In lower case where there are letters.
    pub text: String,
}

/// The most fields that a date and time can have.
const MOST_FIELDS: usize = 25;

struct Splitter<'a> {
    rest: &'a [u8],
    text: String,
}

impl Splitter<'_> {
    fn peek(&self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    fn take(&mut self) {
        self.text.push(self.peek().to_ascii_lowercase() as char);
        self.rest = &self.rest[1..];
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) {
        while !self.rest.is_empty() && keep(self.peek()) {
            self.take();
        }
    }
}

fn is_digit(b: u8) -> bool {
    b.is_ascii_digit()
}

/// The fields of a text; `None` where it has none of these forms.
pub fn split(text: &str) -> Option<Vec<Field>> {
    let mut s = Splitter { rest: text.as_bytes(), text: String::new() };
    let mut fields = Vec::new();
    while !s.rest.is_empty() {
        let first = s.peek();
        if first.is_ascii_whitespace() || first == 0x0b {
            s.rest = &s.rest[1..];
            continue;
        }
        if fields.len() >= MOST_FIELDS {
            return None;
        }
        let kind = match first {
            b'0'..=b'9' => digits(&mut s),
            b'.' => {
                s.take();
                s.take_while(is_digit);
                Kind::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' => letters(&mut s),
            b'+' | b'-' => {
                s.take();
                while s.peek().is_ascii_whitespace() {
                    s.rest = &s.rest[1..];
                }
                match s.peek() {
                    b'0'..=b'9' => {
                        s.take_while(|b| is_digit(b) || matches!(b, b':' | b'.' | b'-'));
                        Kind::Zone
                    }
                    b if b.is_ascii_alphabetic() => {
                        s.take_while(|b| b.is_ascii_alphabetic());
                        Kind::SignedWord
                    }
                    _ => return None,
                }
            }
            b if b.is_ascii_punctuation() => {
                s.rest = &s.rest[1..];
                continue;
            }
            _ => return None,
        };
        fields.push(Field { kind, text: std::mem::take(&mut s.text) });
    }
    Some(fields)
}

fn digits(s: &mut Splitter<'_>) -> Kind {
    s.take_while(is_digit);
    let mark = s.peek();
    match mark {
        b':' => {
            s.take_while(|b| is_digit(b) || matches!(b, b':' | b'.'));
            Kind::Time
        }
        b'-' | b'/' | b'.' => {
            s.take();
            if !is_digit(s.peek()) {
                s.take_while(|b| b.is_ascii_alphanumeric() || b == mark);
                return Kind::Date;
            }
            s.take_while(is_digit);
            if s.peek() == mark {
                s.take_while(|b| is_digit(b) || b == mark);
                return Kind::Date;
            }
            if mark == b'.' { Kind::Number } else { Kind::Date }
        }
        _ => Kind::Number,
    }
}

fn letters(s: &mut Splitter<'_>) -> Kind {
    s.take_while(|b| b.is_ascii_alphabetic());
    let next = s.peek();
    // What is a word of its own does not begin the name of a zone.
    let goes_on = match next {
        b'-' | b'/' | b'.' => true,
        b'+' | b'0'..=b'9' => word(&s.text).is_none(),
        _ => false,
    };
    if !goes_on {
        return Kind::Word;
    }
    s.take();
    s.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
    Kind::Date
}

/// What the number after a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Julian,
    Time,
    /// A word that `extract` knows, and no input.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    Now,
    /// Days from today.
    Day(i64),
    /// Midnight in UTC.
    Zulu,
    Epoch,
    Infinity,
    MinusInfinity,
}

/// What a word means by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// From 1.
    Month(i64),
    Weekday,
    /// Whether it is `pm`.
    HalfDay(bool),
    /// Whether it is `bc`.
    Era(bool),
    Summer,
    Label(Label),
    Special(Special),
    Nothing,
}

/// Of a word in lower case.
pub fn word(text: &str) -> Option<Word> {
    let at = |names: &[&str]| names.iter().position(|n| *n == text || (text.len() == 3 && n.starts_with(text)));
    if let Some(month) = at(&MONTHS) {
        return Some(Word::Month(month as i64 + 1));
    }
    if at(&DAYS).is_some() {
        return Some(Word::Weekday);
    }
    Some(match text {
        "sept" => Word::Month(9),
        "tues" | "thur" | "thurs" | "weds" => Word::Weekday,
        "am" => Word::HalfDay(false),
        "pm" => Word::HalfDay(true),
        "ad" => Word::Era(false),
        "bc" => Word::Era(true),
        "at" | "on" => Word::Nothing,
        "dst" => Word::Summer,
        "y" => Word::Label(Label::Year),
        "m" => Word::Label(Label::Month),
        "d" => Word::Label(Label::Day),
        "h" => Word::Label(Label::Hour),
        "mm" => Word::Label(Label::Minute),
        "s" => Word::Label(Label::Second),
        "j" | "jd" | "julian" => Word::Label(Label::Julian),
        "t" => Word::Label(Label::Time),
        "dow" | "doy" | "isodow" | "isoyear" => Word::Label(Label::Other),
        "now" => Word::Special(Special::Now),
        "today" => Word::Special(Special::Day(0)),
        "tomorrow" => Word::Special(Special::Day(1)),
        "yesterday" => Word::Special(Special::Day(-1)),
        "allballs" => Word::Special(Special::Zulu),
        "epoch" => Word::Special(Special::Epoch),
        "infinity" | "+infinity" => Word::Special(Special::Infinity),
        "-infinity" => Word::Special(Special::MinusInfinity),
        _ => return None,
    })
}
