//! `money`: hundredths of a unit in an i64, written as PostgreSQL writes them under the locale C (`-$1,234.50`).

use super::{PgError, PgResult, SqlState};

fn out_of_range(text: &str) -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type money"))
}

/// Reads an amount: a sign or parentheses, `$`, digits in groups or not, a fraction that is rounded to hundredths.
pub fn parse(text: &str) -> PgResult<i64> {
    let skip = |rest: &str| rest.trim_start().to_string();
    let mut rest = skip(text);
    rest = skip(rest.strip_prefix('$').unwrap_or(&rest));
    let mut negative = false;
    if let Some(after) = rest.strip_prefix(['-', '(']) {
        (negative, rest) = (true, skip(after));
    } else if let Some(after) = rest.strip_prefix('+') {
        rest = skip(after);
    }
    rest = skip(rest.strip_prefix('$').unwrap_or(&rest));
    // Counted below zero, which reaches further.
    let mut value: i64 = 0;
    let mut fraction: Option<u32> = None;
    let mut at = 0;
    let bytes = rest.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' if fraction.is_none_or(|f| f < 2) => {
                let next = value.checked_mul(10).and_then(|v| v.checked_sub(i64::from(byte - b'0')));
                value = next.ok_or_else(|| out_of_range(text))?;
                fraction = fraction.map(|f| f + 1);
            }
            b'.' if fraction.is_none() => fraction = Some(0),
            b',' => {}
            _ => break,
        }
        at += 1;
    }
    if bytes.get(at).is_some_and(|b| (b'5'..=b'9').contains(b)) {
        value = value.checked_sub(1).ok_or_else(|| out_of_range(text))?;
    }
    for _ in fraction.unwrap_or(0)..2 {
        value = value.checked_mul(10).ok_or_else(|| out_of_range(text))?;
    }
    let tail = rest[at..].trim_start_matches(|c: char| c.is_ascii_digit());
    for c in tail.chars() {
        match c {
            c if c.is_ascii_whitespace() => {}
            ')' | '+' | '$' => {}
            '-' => negative = true,
            _ => {
                let message = format!("invalid input syntax for type money: \"{text}\"");
                return Err(PgError::new(SqlState::INVALID_TEXT, message));
            }
        }
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or_else(|| out_of_range(text)) }
}

/// `$1,234.50`
pub fn to_text(value: i64) -> String {
    let amount = value.unsigned_abs();
    let whole = (amount / 100).to_string();
    let mut out = String::from(if value < 0 { "-$" } else { "$" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&format!(".{:02}", amount % 100));
    out
}

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A number below 1,000 in words.
fn hundreds(value: u64) -> String {
    let (hundred, rest) = (value / 100, value % 100);
    let small = match rest {
        0..20 => ONES[rest as usize].to_string(),
        _ if rest % 10 == 0 => TENS[rest as usize / 10].to_string(),
        _ => format!("{} {}", TENS[rest as usize / 10], ONES[rest as usize % 10]),
    };
    match (hundred, rest) {
        (0, _) => small,
        (_, 0) => format!("{} hundred", ONES[hundred as usize]),
        // PostgreSQL says "and" only before what is below twenty.
        (_, 1..20) => format!("{} hundred and {small}", ONES[hundred as usize]),
        _ => format!("{} hundred {small}", ONES[hundred as usize]),
    }
}

/// `cash_words`: an amount in English words.
pub fn in_words(value: i64) -> String {
    let amount = value.unsigned_abs();
    let (whole, cents) = (amount / 100, amount % 100);
    let mut words = String::from(if value < 0 { "minus " } else { "" });
    let scales = [
        (1_000_000_000_000_000, "quadrillion"),
        (1_000_000_000_000, "trillion"),
        (1_000_000_000, "billion"),
        (1_000_000, "million"),
        (1_000, "thousand"),
    ];
    for (unit, name) in scales {
        let part = whole / unit % 1000;
        if part > 0 {
            words.push_str(&format!("{} {name} ", hundreds(part)));
        }
    }
    if whole == 0 {
        words.push_str("zero");
    } else if whole % 1000 > 0 {
        words.push_str(&hundreds(whole % 1000));
    }
    let words = words.trim_end();
    let dollars = if whole == 1 { "dollar" } else { "dollars" };
    let text = format!("{words} {dollars} and {} {}", hundreds(cents), if cents == 1 { "cent" } else { "cents" });
    text[..1].to_ascii_uppercase() + &text[1..]
}
