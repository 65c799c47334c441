//! What one record says: operation, row, position and transaction, by the shape of its JSON.

use super::scan::{Cell, Fault, Kind, Scan, Value};
use super::values;
use crate::change::{MoveId, Op, TransactionId};

/// Members of the objects of one message, reused from record to record.
#[derive(Default)]
pub struct Cells {
    /// Members of the message's payload.
    pub top: Vec<Cell>,
    /// Members of `after`, where it is an object.
    pub after: Vec<Cell>,
    pub source: Vec<Cell>,
    pub transaction: Vec<Cell>,
}

/// A scanned message value.
pub struct Scanned {
    pub root: Kind,
    pub storable: bool,
    /// Where the payload starts and ends in the text.
    pub start: usize,
    pub end: usize,
}

impl Cells {
    /// Scans the value that starts at `at`; its members, and those of the objects of an envelope, are noted.
    pub fn scan(&mut self, text: &str, at: usize) -> Result<(Scanned, usize), Fault> {
        self.top.clear();
        self.after.clear();
        self.source.clear();
        self.transaction.clear();
        let mut scan = Scan::new(text, at);
        scan.skip_space();
        let start = scan.pos();
        let root = if scan.peek() == Some(b'{') {
            scan.members_by(0, |scan, name_start, name_end| {
                scan.skip_space();
                let nested = match &text[name_start as usize..name_end as usize] {
                    "after" => Some(&mut self.after),
                    "source" => Some(&mut self.source),
                    "transaction" => Some(&mut self.transaction),
                    _ => None,
                };
                let value = match nested {
                    Some(cells) if scan.peek() == Some(b'{') => {
                        cells.clear();
                        let start = scan.pos() as u32;
                        scan.members(1, |cell| cells.push(cell))?;
                        super::scan::Span { kind: Kind::Object, start, end: scan.pos() as u32 }
                    }
                    _ => scan.value(1)?,
                };
                self.top.push(Cell { name_start, name_end, value });
                Ok(())
            })?;
            Kind::Object
        } else {
            scan.value(0)?.kind
        };
        let end = scan.pos();
        Ok((Scanned { root, storable: scan.storable, start, end }, end))
    }
}

/// The value of a member, by its name.
pub fn member<'a>(cells: &[Cell], text: &'a str, name: &str) -> Option<Value<'a>> {
    cells.iter().find(|c| c.name(text) == name).map(|c| c.value(text))
}

/// `op`, with the rest of its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Row(Op),
    /// `m`: a logical message; nothing of a table.
    Message,
}

pub fn operation(op: &str) -> Option<Operation> {
    Some(match op {
        "r" => Operation::Row(Op::Snapshot),
        "c" => Operation::Row(Op::Create),
        "u" => Operation::Row(Op::Update),
        "d" => Operation::Row(Op::Delete),
        "t" => Operation::Row(Op::Truncate),
        "m" => Operation::Message,
        _ => return None,
    })
}

pub fn letter(op: Op) -> &'static str {
    match op {
        Op::Snapshot => "r",
        Op::Create => "c",
        Op::Update => "u",
        Op::Delete => "d",
        Op::Truncate => "t",
    }
}

/// The source block, or what a flattened event repeats of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct Origin<'a> {
    pub micros: Option<i64>,
    pub snapshot: bool,
    pub db: Option<Value<'a>>,
    pub connector: Option<&'a str>,
    commit_lsn: Option<&'a str>,
    change_lsn: Option<&'a str>,
    event_serial_no: Option<i64>,
    sequence: Option<Value<'a>>,
    lsn: Option<i64>,
    file: Option<&'a str>,
    pos: Option<i64>,
    row: Option<i64>,
    scn: Option<&'a str>,
    commit_scn: Option<&'a str>,
    precision: u8,
}

impl<'a> Origin<'a> {
    pub fn read(cells: &[Cell], text: &'a str) -> Self {
        let mut origin = Self::default();
        for cell in cells {
            origin.note(cell.name(text), cell.value(text));
        }
        origin
    }

    /// Of a flattened event: `__source_ts_ms`, `__lsn`, …
    pub fn read_flattened(cells: &[Cell], text: &'a str) -> Self {
        let mut origin = Self::default();
        for cell in cells {
            let Some(name) = cell.name(text).strip_prefix("__") else { continue };
            match name.strip_prefix("source_") {
                Some(name) => origin.note(name, cell.value(text)),
                // Without `source_` a ts is the time when Debezium saw the change.
                None if !name.starts_with("ts_") => origin.note(name, cell.value(text)),
                None => (),
            }
        }
        origin
    }

    #[inline]
    fn note(&mut self, name: &str, value: Value<'a>) {
        let text = || (value.kind == Kind::Text).then_some(value.raw);
        match name {
            "ts_ms" => self.time(1, value, |v| v.checked_mul(1000)),
            "ts_us" => self.time(3, value, Some),
            "ts_ns" => self.time(2, value, |v| Some(v.div_euclid(1000))),
            // Strings in all newer versions, a boolean in old ones.
            "snapshot" => {
                self.snapshot = value.kind == Kind::True || text().is_some_and(|t| !matches!(t, "false" | ""));
            }
            "db" => self.db = Some(value).filter(|v| !v.is_null()),
            "connector" => self.connector = text(),
            "commit_lsn" => self.commit_lsn = text(),
            "change_lsn" => self.change_lsn = text(),
            "event_serial_no" => self.event_serial_no = value.int(),
            "sequence" => self.sequence = Some(value).filter(|v| !v.is_null()),
            "lsn" => self.lsn = value.int(),
            "file" => self.file = text(),
            "pos" => self.pos = value.int(),
            "row" => self.row = value.int(),
            "scn" => self.scn = text(),
            "commit_scn" => self.commit_scn = text(),
            _ => (),
        }
    }

    fn time(&mut self, precision: u8, value: Value<'_>, micros: impl Fn(i64) -> Option<i64>) {
        if precision > self.precision
            && let Some(us) = value.int().and_then(micros)
        {
            self.micros = Some(us);
            self.precision = precision;
        }
    }

    /// SQL Server's commit LSN as a number.
    pub fn commit(&self) -> Option<TransactionId> {
        self.commit_lsn.and_then(commit_lsn)
    }

    /// The position in the source as text that sorts as the positions do; `out` stays empty where there is none.
    pub fn write_position(&self, out: &mut String) {
        if let Some(commit) = self.commit_lsn {
            out.push_str(commit);
            out.push('/');
            out.push_str(self.change_lsn.unwrap_or(""));
            out.push('/');
            if let Some(serial) = self.event_serial_no {
                push_decimal(out, serial as u64, 10);
            }
        } else if let Some(lsn) = self.lsn {
            let (commit, own) = self.sequence.and_then(sequence).unwrap_or((0, lsn as u64));
            push_hex(out, commit);
            out.push('/');
            push_hex(out, own);
        } else if let Some(file) = self.file {
            out.push_str(file);
            out.push(':');
            push_decimal(out, self.pos.unwrap_or(0) as u64, 20);
            out.push(':');
            push_decimal(out, self.row.unwrap_or(0) as u64, 10);
        } else if let Some(scn) = self.scn {
            for (n, scn) in [self.commit_scn.unwrap_or("0"), scn].into_iter().enumerate() {
                if n > 0 {
                    out.push('/');
                }
                (scn.len()..20).for_each(|_| out.push('0'));
                out.push_str(scn);
            }
        }
    }
}

/// PostgreSQL's `["lastCommitLsn","lsn"]`, JSON in a string.
fn sequence(value: Value<'_>) -> Option<(u64, u64)> {
    // The escaped quotes are all that stands between the numbers: read the digits as they are.
    let (first, second) = value.raw.trim_start_matches('[').trim_end_matches(']').split_once(',')?;
    let number = |part: &str| {
        let digits = part.trim_matches(|c: char| matches!(c, '\\' | '"' | ' '));
        if digits == "null" { Some(0) } else { digits.parse().ok() }
    };
    Some((number(first)?, number(second)?))
}

fn push_hex(out: &mut String, value: u64) {
    for shift in (0..16).rev() {
        out.push(b"0123456789abcdef"[(value >> (shift * 4) & 15) as usize] as char);
    }
}

fn push_decimal(out: &mut String, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    (digits.len()..width).for_each(|_| out.push('0'));
    out.push_str(digits);
}

/// `%08x:%08x:%04x` → the 10 bytes as a number.
pub fn commit_lsn(text: &str) -> Option<TransactionId> {
    let bytes = text.as_bytes();
    if bytes.len() != 22 || bytes[8] != b':' || bytes[17] != b':' {
        return None;
    }
    let mut id = 0u128;
    for (at, byte) in bytes.iter().enumerate() {
        if at != 8 && at != 17 {
            id = id << 4 | (*byte as char).to_digit(16)? as u128;
        }
    }
    Some(TransactionId(id))
}

/// The identity of a transaction of Debezium's transaction metadata.
///
/// PostgreSQL's connector writes `<txId>:<lsn>` with another LSN in BEGIN, END and each event: only the first part tells the
/// transaction. A SQL Server id is a commit LSN and is kept as one.
pub fn transaction_id(id: &str) -> TransactionId {
    if let Some(commit) = commit_lsn(id) {
        return commit;
    }
    let own = match id.split_once(':') {
        Some((tx, lsn)) if values::parse_int(tx).is_some() && values::parse_int(lsn).is_some() => tx,
        _ => id,
    };
    // 0 means "no transaction".
    TransactionId(digest(own.as_bytes()).max(1))
}

/// The identity of a key change, the same for both of its halves: its place in the source's log, where that is known, and both keys.
///
/// The other key comes in a header, whose converter may write blanks and escapes otherwise than the key's: names and values
/// count, not the text.
pub fn move_id(table: &str, position: &str, old: (&[Cell], &str), new: (&[Cell], &str)) -> MoveId {
    let mut text = format!("{table}\0{position}");
    for (cells, source) in [old, new] {
        text.push('\0');
        for cell in cells {
            let value = cell.value(source);
            text.push('\u{1}');
            text.push_str(&cell.plain_name(source));
            text.push('\u{2}');
            text.push_str(&value.text().unwrap_or(value.raw.into()));
        }
    }
    MoveId(digest(text.as_bytes()))
}

/// 128 bits that are the same in every process: halves of one thing come through different decoders, or after a restart.
pub fn digest(bytes: &[u8]) -> u128 {
    let half = |seed: u64| {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = foldhash::quality::FixedState::with_seed(seed).build_hasher();
        hasher.write(bytes);
        hasher.finish()
    };
    (half(1) as u128) << 64 | half(2) as u128
}
