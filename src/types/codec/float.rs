//! float4 and float8 as text: the shortest digits that read back the same, laid out as PostgreSQL does.

/// Appends a float8; `extra_digits` is `extra_float_digits`.
pub fn write_f64(value: f64, extra_digits: i32, put: &mut impl FnMut(&[u8])) {
    if special(value, put) {
        return;
    }
    if extra_digits > 0 {
        layout(ryu::Buffer::new().format_finite(value), 15, put);
    } else {
        let digits = (15 + extra_digits).max(1);
        layout(&format!("{value:.*e}", digits as usize - 1), digits, put);
    }
}

/// Appends a float4.
pub fn write_f32(value: f32, extra_digits: i32, put: &mut impl FnMut(&[u8])) {
    if special(value as f64, put) {
        return;
    }
    if extra_digits > 0 {
        layout(ryu::Buffer::new().format_finite(value), 6, put);
    } else {
        let digits = (6 + extra_digits).max(1);
        layout(&format!("{value:.*e}", digits as usize - 1), digits, put);
    }
}

fn special(value: f64, put: &mut impl FnMut(&[u8])) -> bool {
    if value.is_nan() {
        put(b"NaN");
    } else if value.is_infinite() {
        put(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        return false;
    }
    true
}

/// Lays the digits of a decimal or scientific text out as `%g` does: scientific below 1e-4 and from `10^limit` on.
fn layout(text: &str, limit: i32, put: &mut impl FnMut(&[u8])) {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if negative {
        put(b"-");
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let mut digits = [0u8; 32];
    let (mut count, mut point) = (0, None);
    for byte in mantissa.bytes() {
        match byte {
            b'.' => point = Some(count as i32),
            _ if count < digits.len() => {
                digits[count] = byte;
                count += 1;
            }
            _ => {}
        }
    }
    let mut point = point.unwrap_or(count as i32) + exponent.parse::<i32>().unwrap_or(0);
    let leading = digits[..count].iter().take_while(|b| **b == b'0').count();
    point -= leading as i32;
    let trailing = digits[leading..count].iter().rev().take_while(|b| **b == b'0').count();
    let digits = &digits[leading..count - trailing];
    if digits.is_empty() {
        return put(b"0");
    }
    let exponent = point - 1;
    if exponent < -4 || exponent >= limit {
        put(&digits[..1]);
        if digits.len() > 1 {
            put(b".");
            put(&digits[1..]);
        }
        put(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.unsigned_abs() < 10 {
            put(b"0");
        }
        return put(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    }
    const ZEROS: &[u8] = &[b'0'; 24];
    if point <= 0 {
        put(b"0.");
        put(&ZEROS[..point.unsigned_abs() as usize]);
        put(digits);
    } else if digits.len() <= point as usize {
        put(digits);
        put(&ZEROS[..point as usize - digits.len()]);
    } else {
        put(&digits[..point as usize]);
        put(b".");
        put(&digits[point as usize..]);
    }
}
