//! `to_char` of numbers and `to_number`, by PostgreSQL's template patterns, with the C locale's signs and separators.

use super::adapt::*;
use super::numerics::Num;
use super::registry::Registry;
use super::tochar::ordinal;
use crate::types::numeric::Numeric;
use crate::types::{PgError, PgResult, SqlState};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Comma,
    Point,
    Group,
    Decimal,
    Nine,
    Zero,
    Currency,
    Minus,
    Plus,
    Sign,
    Roman,
    RomanLower,
    Ordinal,
    OrdinalLower,
    /// Patterns that change the whole (`FM`, `B`, `PR`, `S`, `V`, `EEEE`) and print nothing where they stand.
    Silent,
}

enum Item {
    Key(Key),
    Literal(char),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Anchor {
    None,
    Before,
    After,
}

/// A template, read.
struct Template {
    items: Vec<Item>,
    /// Digits before and after the point.
    pre: usize,
    post: usize,
    anchor: Anchor,
    before_sign: usize,
    zero: bool,
    zero_start: usize,
    zero_end: usize,
    /// Digits after `V`.
    multiply: usize,
    decimal: bool,
    fill: bool,
    sign: bool,
    bracket: bool,
    minus: bool,
    plus: bool,
    roman: bool,
    shift: bool,
    blank: bool,
    exponent: bool,
}

const KEYS: &[&str] = &[
    ",", ".", "B", "C", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN", "SG", "SP", "S", "TH", "V", "b", "c", "d",
    "eeee", "fm", "g", "l", "mi", "pl", "pr", "rn", "sg", "sp", "s", "th", "v", "0", "9",
];

fn syntax(message: &str) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, message)
}

impl Template {
    fn read(text: &str) -> PgResult<Self> {
        let mut t = Self {
            items: Vec::new(),
            pre: 0,
            post: 0,
            anchor: Anchor::None,
            before_sign: 0,
            zero: false,
            zero_start: 0,
            zero_end: 0,
            multiply: 0,
            decimal: false,
            fill: false,
            sign: false,
            bracket: false,
            minus: false,
            plus: false,
            roman: false,
            shift: false,
            blank: false,
            exponent: false,
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(key) = KEYS.iter().find(|k| rest.starts_with(**k)) {
                let key_item = t.key(key)?;
                t.items.push(Item::Key(key_item));
                rest = &rest[key.len()..];
                continue;
            }
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
                        '\\' => t.items.extend(chars.next().map(|(_, c)| Item::Literal(c))),
                        c => t.items.push(Item::Literal(c)),
                    }
                }
                rest = &rest[end..];
                continue;
            }
            if c == '\\' && rest.starts_with('"') {
                rest = &rest[1..];
                t.items.push(Item::Literal('"'));
                continue;
            }
            t.items.push(Item::Literal(c));
        }
        Ok(t)
    }

    fn key(&mut self, name: &str) -> PgResult<Key> {
        if self.exponent {
            let again = name.eq_ignore_ascii_case("EEEE");
            return Err(syntax(match again {
                true => "cannot use \"EEEE\" twice",
                false => "\"EEEE\" must be the last pattern used",
            }));
        }
        Ok(match name.to_ascii_uppercase().as_str() {
            "," => Key::Comma,
            "G" => Key::Group,
            "L" => Key::Currency,
            "9" => {
                if self.bracket {
                    return Err(syntax("\"9\" must be ahead of \"PR\""));
                }
                match (self.shift, self.decimal) {
                    (true, _) => self.multiply += 1,
                    (_, true) => self.post += 1,
                    _ => self.pre += 1,
                }
                Key::Nine
            }
            "0" => {
                if self.bracket {
                    return Err(syntax("\"0\" must be ahead of \"PR\""));
                }
                if !self.zero && !self.decimal {
                    self.zero = true;
                    self.zero_start = self.pre + 1;
                }
                if self.decimal {
                    self.post += 1
                } else {
                    self.pre += 1
                }
                self.zero_end = self.pre + self.post;
                Key::Zero
            }
            "B" => {
                self.blank |= self.pre == 0 && self.post == 0 && !self.zero;
                Key::Silent
            }
            "." | "D" => {
                if self.decimal {
                    return Err(syntax("multiple decimal points"));
                }
                if self.shift {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                self.decimal = true;
                if name == "." { Key::Point } else { Key::Decimal }
            }
            "FM" => {
                self.fill = true;
                Key::Silent
            }
            "S" => {
                if self.sign {
                    return Err(syntax("cannot use \"S\" twice"));
                }
                if self.plus || self.minus || self.bracket {
                    return Err(syntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
                }
                if !self.decimal {
                    self.anchor = Anchor::Before;
                    self.before_sign = self.pre;
                    self.sign = true;
                } else if self.anchor == Anchor::None {
                    self.anchor = Anchor::After;
                    self.sign = true;
                }
                Key::Silent
            }
            "MI" => {
                if self.sign {
                    return Err(syntax("cannot use \"S\" and \"MI\" together"));
                }
                self.minus = true;
                Key::Minus
            }
            "PL" => {
                if self.sign {
                    return Err(syntax("cannot use \"S\" and \"PL\" together"));
                }
                self.plus = true;
                Key::Plus
            }
            "SG" => {
                if self.sign {
                    return Err(syntax("cannot use \"S\" and \"SG\" together"));
                }
                (self.minus, self.plus) = (true, true);
                Key::Sign
            }
            "PR" => {
                if self.sign || self.plus || self.minus {
                    return Err(syntax("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together"));
                }
                self.bracket = true;
                Key::Silent
            }
            "RN" => {
                self.roman = true;
                if name == "rn" { Key::RomanLower } else { Key::Roman }
            }
            "TH" => {
                if name == "th" {
                    Key::OrdinalLower
                } else {
                    Key::Ordinal
                }
            }
            "V" => {
                if self.decimal {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                self.shift = true;
                Key::Silent
            }
            "EEEE" => {
                let other = self.blank || self.fill || self.sign || self.bracket || self.minus;
                if other || self.plus || self.roman || self.shift {
                    return Err(syntax("\"EEEE\" is incompatible with other formats")
                        .detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
                }
                self.exponent = true;
                Key::Silent
            }
            _ => Key::Silent,
        })
    }
}

/// What is printed: the digits without sign, their sign, and by how many places they are short of the template.
struct Digits {
    text: Vec<u8>,
    negative: bool,
    spaces: usize,
}

impl Digits {
    /// `text` is a decimal number, with its sign.
    fn fitted(text: &str, t: &Template) -> Self {
        let (negative, plain) = match text.strip_prefix('-') {
            Some(plain) => (true, plain),
            None => (false, text),
        };
        let whole = plain.find('.').unwrap_or(plain.len());
        if whole > t.pre {
            let mut hashes = vec![b'#'; t.pre + t.post + 1];
            hashes[t.pre] = b'.';
            return Self { text: hashes, negative, spaces: 0 };
        }
        Self { text: plain.as_bytes().to_vec(), negative, spaces: t.pre - whole }
    }
}

struct Printer<'a> {
    t: &'a Template,
    text: &'a [u8],
    at: usize,
    /// Index of the last digit that `FM` keeps.
    last: Option<usize>,
    negative: bool,
    spaces: usize,
    anchor: Anchor,
    bracket: bool,
    sign_written: bool,
    inside: bool,
    current: usize,
    count: usize,
    out: String,
}

fn print(t: &Template, digits: &Digits) -> String {
    let text = digits.text.as_slice();
    let negative = digits.negative;
    let bracket = t.bracket && (negative || !t.fill);
    let mut anchor = t.anchor;
    let sign_written = if t.plus || t.minus {
        !t.plus || t.minus
    } else {
        if anchor == Anchor::Before && t.pre + t.multiply == t.before_sign {
            anchor = Anchor::After;
        }
        !negative && t.fill && !t.sign
    };
    let mut last = None;
    if t.fill && t.decimal {
        last = text
            .iter()
            .position(|b| *b == b'.')
            .map(|point| text.iter().enumerate().skip(point + 1).rfind(|(_, b)| **b != b'0').map_or(point, |(i, _)| i));
        if let Some(found) = last
            && t.zero_end > digits.spaces
        {
            last = Some(found.max((text.len() - 1).min(t.zero_end - digits.spaces)));
        }
    }
    let count = (t.post + t.pre + t.multiply).saturating_sub(1) + usize::from(!sign_written && digits.spaces == 0);
    let mut p = Printer {
        t,
        text,
        at: 0,
        last,
        negative,
        spaces: digits.spaces,
        anchor,
        bracket,
        sign_written,
        inside: false,
        current: 0,
        count,
        out: String::new(),
    };
    for item in &t.items {
        match item {
            Item::Literal(c) => p.out.push(*c),
            Item::Key(key) => p.item(*key),
        }
    }
    match p.out.find('\0') {
        Some(end) => p.out[..end].to_string(),
        None => p.out,
    }
}

impl Printer<'_> {
    fn pad(&mut self) {
        if !self.t.fill {
            self.out.push(' ');
        }
    }

    fn item(&mut self, key: Key) {
        let sign = if self.negative { '-' } else { '+' };
        match key {
            Key::Nine | Key::Zero | Key::Point | Key::Decimal => self.place(key),
            Key::Comma | Key::Group => match self.inside {
                true => self.out.push(','),
                false => self.pad(),
            },
            Key::Currency => self.out.push(' '),
            Key::Minus => match self.negative {
                true => self.out.push('-'),
                false => self.pad(),
            },
            Key::Plus => match self.negative {
                false => self.out.push('+'),
                true => self.pad(),
            },
            Key::Sign => self.out.push(sign),
            Key::Ordinal | Key::OrdinalLower => {
                if self.text.first() != Some(&b'#') && !self.negative && !self.t.decimal {
                    let text = String::from_utf8_lossy(self.text);
                    self.out.push_str(ordinal(&text, key == Key::Ordinal));
                }
            }
            Key::Roman | Key::RomanLower | Key::Silent => {}
        }
    }

    fn point_is_last(&self) -> bool {
        self.last.is_some_and(|l| self.text.get(l) == Some(&b'.'))
    }

    /// One place of the number.
    fn place(&mut self, key: Key) {
        let t = self.t;
        let zero_start = t.zero_start.saturating_sub(1);
        let leading = !t.zero && self.at == 0 && self.text.first() == Some(&b'0') && t.post != 0;
        let reached = self.current >= self.spaces || (t.zero && zero_start == self.current);
        if !self.sign_written && reached && (!leading || self.point_is_last()) {
            if t.sign {
                if self.anchor == Anchor::Before {
                    self.out.push(if self.negative { '-' } else { '+' });
                    self.sign_written = true;
                }
            } else if self.bracket {
                self.out.push(if self.negative { '<' } else { ' ' });
                self.sign_written = true;
            } else {
                if self.negative {
                    self.out.push('-')
                } else {
                    self.pad()
                }
                self.sign_written = true;
            }
        }
        if self.current < self.spaces && (zero_start > self.current || !t.zero) {
            self.pad();
        } else if t.zero && self.current < self.spaces {
            self.out.push('0');
            self.inside = true;
        } else {
            let digit = self.text.get(self.at).copied().unwrap_or(0);
            if digit == b'.' {
                if !self.point_is_last() || t.fill {
                    self.out.push('.');
                }
            } else if self.last.is_some_and(|l| self.at > l) && key != Key::Zero {
            } else if leading {
                if !t.fill {
                    self.out.push(' ');
                } else if self.point_is_last() {
                    self.out.push('0');
                }
            } else {
                self.out.push(digit as char);
                self.inside = true;
            }
            if digit != 0 {
                self.at += 1;
            }
        }
        let mut end = self.count + usize::from(self.spaces > 0) + usize::from(t.decimal);
        if self.last == Some(self.at) {
            end = self.current;
        }
        if self.current + 1 == end {
            if self.sign_written && self.bracket {
                self.out.push(if self.negative { '>' } else { ' ' });
            } else if t.sign && self.anchor == Anchor::After {
                self.out.push(if self.negative { '-' } else { '+' });
            }
        }
        self.current += 1;
    }
}

fn roman(t: &Template, number: i64) -> String {
    const PARTS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut text = String::new();
    if (1..=3999).contains(&number) {
        let mut left = number;
        for (value, letters) in PARTS {
            while left >= value {
                text.push_str(letters);
                left -= value;
            }
        }
    } else {
        text = "#".repeat(15);
    }
    let mut out = String::new();
    for item in &t.items {
        match item {
            Item::Literal(c) => out.push(*c),
            Item::Key(key @ (Key::Roman | Key::RomanLower)) => {
                let text = if *key == Key::RomanLower { text.to_lowercase() } else { text.clone() };
                out.push_str(&if t.fill { text } else { format!("{text:>15}") });
            }
            Item::Key(_) => {}
        }
    }
    out
}

/// `-1.23e+04`, a space for a positive sign.
fn scientific_float(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    with_exponent(mantissa, exponent.parse().unwrap_or(0))
}

fn with_exponent(mantissa: &str, exponent: i64) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    let space = if mantissa.starts_with('-') { "" } else { " " };
    format!("{space}{mantissa}e{sign}{:02}", exponent.abs())
}

fn scientific(value: &Numeric, digits: usize) -> PgResult<String> {
    let negative = value.signum() < 0;
    let text = value.abs().to_string();
    let plain: String = text.chars().filter(|c| *c != '.').collect();
    let Some(first) = plain.find(|c| c != '0') else {
        return Ok(with_exponent(&format!("{:.digits$}", 0.0), 0));
    };
    let point = text.find('.').unwrap_or(text.len()) as i64;
    let mut exponent = point - 1 - first as i64;
    let significant = &plain[first..];
    let scaled: Numeric = format!("{}.{}", &significant[..1], &significant[1..]).trim_end_matches('.').parse()?;
    let mut mantissa = scaled.round(digits as i32).to_string();
    if mantissa.starts_with("10") {
        exponent += 1;
        let one: Numeric = "1".parse()?;
        mantissa = one.round(digits as i32).to_string();
    }
    Ok(with_exponent(&format!("{}{mantissa}", if negative { "-" } else { "" }), exponent))
}

fn not_a_number(t: &Template) -> String {
    let mut text = vec![b'#'; t.pre + t.post + 6];
    text[0] = b' ';
    if let Some(point) = text.get_mut(t.pre + 1) {
        *point = b'.';
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn shifted(value: &Numeric, by: usize) -> PgResult<Numeric> {
    value.mul(&Numeric::from(10).power_int(by as i32)?.round(0))
}

fn numeric_to_char(value: &Numeric, template: &str) -> PgResult<String> {
    let mut t = Template::read(template)?;
    if t.roman {
        return Ok(roman(&t, value.round(0).to_i32()?.into()));
    }
    if t.exponent {
        return if value.is_finite() { scientific(value, t.post) } else { Ok(not_a_number(&t)) };
    }
    let mut value = value.clone();
    if t.shift {
        value = shifted(&value, t.multiply)?;
        t.widen();
    }
    let digits = Digits::fitted(&value.round(t.post as i32).to_string(), &t);
    Ok(print(&t, &digits))
}

impl Template {
    /// The places after `V` are before the point.
    fn widen(&mut self) {
        self.pre += self.multiply;
        self.multiply = 0;
    }
}

fn integer_to_char(value: i64, template: &str, int4: bool) -> PgResult<String> {
    let mut t = Template::read(template)?;
    if t.roman {
        return Ok(roman(&t, value));
    }
    if t.exponent {
        return match int4 {
            true => Ok(scientific_float(value as f64, t.post)),
            false => scientific(&Numeric::from(value), t.post),
        };
    }
    let mut value = value;
    if t.shift {
        let out = || super::integers::out_of_range(if int4 { "integer" } else { "bigint" });
        let by = 10i64.checked_pow(t.multiply as u32).ok_or_else(out)?;
        value = value.checked_mul(by).ok_or_else(out)?;
        if int4 && i32::try_from(value).is_err() {
            return Err(out());
        }
        t.widen();
    }
    let mut text = value.to_string();
    if t.post > 0 {
        text.push('.');
        text.extend(std::iter::repeat_n('0', t.post));
    }
    let digits = Digits::fitted(&text, &t);
    Ok(print(&t, &digits))
}

/// `significant`: how many digits of the type are true.
fn float_to_char(value: f64, template: &str, significant: usize) -> PgResult<String> {
    let mut t = Template::read(template)?;
    if t.roman {
        return Ok(roman(&t, value.round_ties_even() as i64));
    }
    if t.exponent {
        return Ok(if value.is_finite() { scientific_float(value, t.post) } else { not_a_number(&t) });
    }
    let mut value = value;
    if t.shift {
        value *= 10f64.powi(t.multiply as i32);
        t.widen();
    }
    if !value.is_finite() {
        let text = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        let length = text.trim_start_matches('-').len();
        t.post = t.post.min(significant.saturating_sub(length));
        let digits = Digits::fitted(text, &t);
        return Ok(print(&t, &digits));
    }
    let whole = format!("{:.0}", value.abs()).len();
    if whole >= significant {
        t.post = 0;
    } else if whole + t.post > significant {
        t.post = significant - whole;
    }
    let digits = Digits::fitted(&format!("{value:.*}", t.post), &t);
    Ok(print(&t, &digits))
}

/// Reads a number by a template: what `to_number` does before it reads the digits.
struct Reader<'a> {
    t: &'a Template,
    input: &'a [u8],
    at: usize,
    sign: u8,
    number: Vec<u8>,
    pre: usize,
    post: usize,
    decimal: bool,
}

impl Reader<'_> {
    fn over(&self) -> bool {
        self.at >= self.input.len()
    }

    fn here(&self) -> u8 {
        self.input.get(self.at).copied().unwrap_or(0)
    }

    fn skip_character(&mut self) {
        self.at += 1;
        while self.input.get(self.at).is_some_and(|b| (0x80..0xc0).contains(b)) {
            self.at += 1;
        }
    }

    fn skip_non_data(&mut self, count: usize) {
        for _ in 0..count {
            if self.over() || b"0123456789.,+-".contains(&self.here()) {
                break;
            }
            self.skip_character();
        }
    }

    fn sign_here(&mut self) -> bool {
        match self.here() {
            sign @ (b'-' | b'+') => {
                self.sign = sign;
                true
            }
            _ => false,
        }
    }

    fn place(&mut self, key: Key) {
        if self.here() == b' ' {
            self.at += 1;
        }
        if self.over() {
            return;
        }
        if self.sign == b' ' && matches!(key, Key::Nine | Key::Zero) && self.pre + self.post == 0 {
            if self.t.sign && self.t.anchor == Anchor::Before {
                if self.sign_here() {
                    self.at += 1;
                }
            } else if self.here() == b'-' || (self.t.bracket && self.here() == b'<') {
                self.sign = b'-';
                self.at += 1;
            } else if self.here() == b'+' {
                self.sign = b'+';
                self.at += 1;
            }
        }
        if self.over() {
            return;
        }
        let mut read = false;
        if self.here().is_ascii_digit() {
            if self.decimal && self.post == self.t.post {
                return;
            }
            self.number.push(self.here());
            if self.decimal {
                self.post += 1
            } else {
                self.pre += 1
            }
            read = true;
        } else if self.t.decimal && !self.decimal && self.here() == b'.' {
            self.number.push(b'.');
            self.decimal = true;
            read = true;
        }
        if self.over() {
            return;
        }
        if self.sign == b' ' && self.pre + self.post > 0 {
            let next = self.input.get(self.at + 1);
            if self.t.sign && read && next.is_some_and(|b| !b.is_ascii_digit()) {
                self.at += 1;
                if !self.sign_here() {
                    self.at -= 1;
                }
            } else if !read && !self.t.sign && (self.t.plus || self.t.minus) {
                self.sign_here();
            }
        }
    }
}

fn to_number(text: &str, template: &str) -> PgResult<Option<Numeric>> {
    if template.is_empty() {
        return Ok(None);
    }
    let t = Template::read(template)?;
    if t.exponent {
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input"));
    }
    if t.roman {
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "\"RN\" not supported for input"));
    }
    let mut r = Reader {
        t: &t,
        input: text.as_bytes(),
        at: 0,
        sign: b' ',
        number: Vec::new(),
        pre: 0,
        post: 0,
        decimal: false,
    };
    for item in &t.items {
        if r.over() {
            break;
        }
        match item {
            Item::Literal(_) => {
                r.skip_character();
                continue;
            }
            Item::Key(key) => match key {
                Key::Nine | Key::Zero | Key::Point | Key::Decimal => r.place(*key),
                Key::Comma | Key::Group => {
                    // A separator is only skipped within the number, as it is only printed there.
                    if (r.pre + r.post == 0 && t.fill) || r.here() != b',' {
                        continue;
                    }
                }
                Key::Currency => {
                    r.skip_non_data(1);
                    continue;
                }
                Key::Minus if r.here() == b'-' => r.sign = b'-',
                Key::Plus if r.here() == b'+' => r.sign = b'+',
                Key::Sign if matches!(r.here(), b'-' | b'+') => r.sign = r.here(),
                Key::Minus | Key::Plus | Key::Sign => {
                    r.skip_non_data(1);
                    continue;
                }
                Key::Ordinal | Key::OrdinalLower => {
                    r.skip_non_data(2);
                    continue;
                }
                Key::Roman | Key::RomanLower | Key::Silent => continue,
            },
        }
        r.at += 1;
    }
    if r.number.last() == Some(&b'.') {
        r.number.pop();
    }
    let text = format!("{}{}", r.sign as char, String::from_utf8_lossy(&r.number));
    let number = Numeric::parse(&text)?;
    let number = number.apply_typmod((t.pre + t.multiply + r.post).max(1) as i32, r.post as i32)?;
    if t.shift {
        return number.div(&Numeric::from(10).power_int(t.multiply as i32)?).map(Some);
    }
    Ok(Some(number))
}

pub fn declare(r: &mut Registry) {
    r.fun("to_char(numeric,text)", attempt2::<Num, Text, Text>(|n, t| numeric_to_char(&n, t)));
    r.fun("to_char(int4,text)", attempt2::<Int4, Text, Text>(|n, t| integer_to_char(n.into(), t, true)));
    r.fun("to_char(int8,text)", attempt2::<Int8, Text, Text>(|n, t| integer_to_char(n, t, false)));
    r.fun("to_char(float4,text)", attempt2::<Float4, Text, Text>(|n, t| float_to_char(n.into(), t, 6)));
    r.fun("to_char(float8,text)", attempt2::<Float8, Text, Text>(|n, t| float_to_char(n, t, 15)));
    r.fun("to_number(text,text)", maybe2::<Text, Text, Num>(to_number));
}
