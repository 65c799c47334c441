//! `inet`, `cidr`, `macaddr`, `macaddr8` and `pg_lsn`: stored as their text in PostgreSQL's normal form.

use super::{PgError, PgResult, SqlState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address and how many bits of it are the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub v6: bool,
    /// The address as a number.
    pub value: u128,
    pub bits: u32,
}

fn syntax(ty: &str, text: &str) -> PgError {
    PgError::new(SqlState::INVALID_TEXT, format!("invalid input syntax for type {ty}: \"{text}\""))
}

impl Network {
    /// Reads an address, with its bits where they are not all; `None` for PostgreSQL's short forms (`10.1/16`) and what is
    /// no address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|b| b.is_ascii_digit()) => (address, Some(bits.parse().ok()?)),
            Some(_) => return None,
            None => (text, None),
        };
        let (v6, value) = match address.parse().ok()? {
            IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
            IpAddr::V6(v6) => (true, u128::from(v6)),
        };
        let width = if v6 { 128 } else { 32 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { v6, value, bits })
    }

    pub fn width(&self) -> u32 {
        if self.v6 { 128 } else { 32 }
    }

    /// All ones of an address of this family.
    pub fn ones(&self) -> u128 {
        if self.v6 { u128::MAX } else { u128::from(u32::MAX) }
    }

    /// Ones where the host's bits are.
    pub fn host_mask(&self) -> u128 {
        let host = self.width() - self.bits;
        if host == 0 { 0 } else { u128::MAX >> (128 - host) }
    }

    pub fn network(&self) -> Self {
        Self { value: self.value & !self.host_mask() & self.ones(), ..*self }
    }

    /// The address alone.
    pub fn host(&self) -> String {
        if !self.v6 {
            return Ipv4Addr::from(self.value as u32).to_string();
        }
        let v6 = Ipv6Addr::from(self.value);
        match v6.segments() {
            // An IPv4 address in the last two words shows as one.
            [0, 0, 0, 0, 0, 0, a, b] if a != 0 => {
                let [a, c] = a.to_be_bytes();
                let [d, e] = b.to_be_bytes();
                format!("::{a}.{c}.{d}.{e}")
            }
            _ => v6.to_string(),
        }
    }

    /// As inet: the bits only where they are not all.
    pub fn inet(&self) -> String {
        if self.bits == self.width() { self.host() } else { self.cidr() }
    }

    pub fn cidr(&self) -> String {
        format!("{}/{}", self.host(), self.bits)
    }

    /// Whether the other network is this one or a part of it.
    pub fn contains(&self, other: &Self) -> bool {
        self.v6 == other.v6
            && self.bits <= other.bits
            && (self.value ^ other.value) & !self.host_mask() & self.ones() == 0
    }

    /// How many leading bits two addresses of one family share, at most `limit`.
    pub fn common_bits(&self, other: &Self, limit: u32) -> u32 {
        let differ = self.value ^ other.value;
        let same = differ.leading_zeros() - (128 - self.width());
        same.min(limit)
    }
}

/// `08:00:2b:01:02:03` from any of the ways that PostgreSQL reads.
pub fn parse_macaddr(text: &str) -> PgResult<[u8; 6]> {
    let failed = || syntax("macaddr", text);
    let body = text.trim();
    for separator in [':', '-'] {
        let parts: Vec<&str> = body.split(separator).collect();
        if parts.len() == 6 {
            let mut out = [0; 6];
            for (byte, part) in out.iter_mut().zip(parts) {
                if part.is_empty() || part.len() > 8 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(failed());
                }
                *byte = u32::from_str_radix(part, 16).ok().and_then(|v| u8::try_from(v).ok()).ok_or_else(|| {
                    let message = format!("invalid octet value in \"macaddr\" value: \"{text}\"");
                    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, message)
                })?;
            }
            return Ok(out);
        }
    }
    let shapes: [(&[usize], &[char]); 3] = [(&[6, 6], &[':', '-']), (&[4, 4, 4], &['.', '-']), (&[12], &[])];
    for (lengths, separators) in shapes {
        let found = separators.iter().copied().map(Some).chain(separators.is_empty().then_some(None));
        for separator in found {
            let parts: Vec<&str> = match separator {
                Some(separator) => body.split(separator).collect(),
                None => vec![body],
            };
            let hex = |p: &&str| p.bytes().all(|b| b.is_ascii_hexdigit());
            if parts.iter().map(|p| p.len()).eq(lengths.iter().copied()) && parts.iter().all(hex) {
                let digits = parts.concat();
                let mut out = [0; 6];
                for (i, byte) in out.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).map_err(|_| failed())?;
                }
                return Ok(out);
            }
        }
    }
    Err(failed())
}

/// Eight bytes; six get `ff:fe` in their middle.
pub fn parse_macaddr8(text: &str) -> PgResult<[u8; 8]> {
    let failed = || syntax("macaddr8", text);
    let mut bytes: Vec<u8> = Vec::with_capacity(8);
    let mut separator = None;
    let mut rest = text.trim_start();
    while let Some(pair) = rest.get(..2).filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit())) {
        bytes.push(u8::from_str_radix(pair, 16).map_err(|_| failed())?);
        rest = &rest[2..];
        if bytes.len() > 8 {
            return Err(failed());
        }
        if let Some(c) = rest.chars().next().filter(|c| matches!(c, ':' | '-' | '.')) {
            if separator.is_some_and(|s| s != c) {
                return Err(failed());
            }
            separator = Some(c);
            rest = &rest[1..];
        }
        if bytes.len() == 6 && rest.trim().is_empty() || bytes.len() == 8 {
            break;
        }
    }
    if !rest.trim().is_empty() {
        return Err(failed());
    }
    match bytes.as_slice() {
        [a, b, c, d, e, f] => Ok([*a, *b, *c, 0xff, 0xfe, *d, *e, *f]),
        eight => eight.try_into().map_err(|_| failed()),
    }
}

/// Bytes in hexadecimal with colons between them.
pub fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

/// A position in the write-ahead log: `16/B374D848`.
pub fn parse_lsn(text: &str) -> PgResult<u64> {
    let half = |part: &str| {
        let fits = (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| u64::from_str_radix(part, 16).ok()).flatten()
    };
    let halves = text.split_once('/').and_then(|(high, low)| Some((half(high)?, half(low)?)));
    halves.map(|(high, low)| high << 32 | low).ok_or_else(|| syntax("pg_lsn", text))
}

pub fn lsn_text(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn as u32)
}
