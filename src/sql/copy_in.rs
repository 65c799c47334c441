//! `COPY … FROM STDIN`: what the client sends becomes rows of the columns that the statement names.

use super::OutputColumn;
use super::copy::{CopyFormat, CopyOptions};
use super::interrupt::Operation;
use super::session::Session;
use super::transaction::Phase;
use super::write::WritePlan;
use crate::types::codec::{ColumnBuilder, TextSettings};
use crate::types::{PgError, PgResult, SqlState};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use std::sync::Arc;

/// A statement that waits for its rows.
pub struct CopyIn {
    pub(super) plan: Arc<WritePlan>,
    pub columns: Arc<[OutputColumn]>,
    pub options: CopyOptions,
}

/// The signature of the binary format.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

fn bad_format(message: impl Into<String>) -> PgError {
    PgError::new(SqlState(*b"22P04"), message)
}

/// Takes the data apart as it comes.
pub struct CopyReader {
    columns: Arc<[OutputColumn]>,
    options: CopyOptions,
    builders: Vec<ColumnBuilder>,
    /// What has come and is not a whole row yet.
    pending: Vec<u8>,
    /// Up to here `pending` has no end of a row; whether that is inside quotes.
    looked: usize,
    quoted: bool,
    rows: usize,
    line: u64,
    skip_header: bool,
    ended: bool,
    started: bool,
}

impl CopyReader {
    pub fn new(copy: &CopyIn, settings: &TextSettings) -> Self {
        let builder = |c: &OutputColumn| ColumnBuilder::with_storage(c.ty.pg, &c.ty.storage, *settings);
        let builders = copy.columns.iter().map(builder).collect();
        Self {
            columns: Arc::clone(&copy.columns),
            options: copy.options.clone(),
            builders,
            pending: Vec::new(),
            looked: 0,
            quoted: false,
            rows: 0,
            line: 0,
            skip_header: copy.options.header,
            ended: false,
            started: false,
        }
    }

    /// The next piece, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) -> PgResult<()> {
        if self.ended {
            return Ok(());
        }
        self.pending.extend_from_slice(bytes);
        match self.options.format {
            CopyFormat::Binary => self.take_tuples(),
            _ => self.take_lines(),
        }
    }

    /// All rows.
    pub fn finish(mut self) -> PgResult<RecordBatch> {
        if !self.ended && !self.pending.is_empty() {
            if self.options.format == CopyFormat::Binary {
                return Err(bad_format("unexpected EOF in COPY data"));
            }
            if self.quoted {
                return Err(bad_format("unterminated CSV quoted field"));
            }
            let last = std::mem::take(&mut self.pending);
            self.take_line(&last)?;
        }
        let arrays = self.builders.iter_mut().map(ColumnBuilder::finish).collect::<PgResult<Vec<ArrayRef>>>()?;
        let field = |(i, array): (usize, &ArrayRef)| Field::new(format!("s{i}"), array.data_type().clone(), true);
        let schema = Arc::new(Schema::new(arrays.iter().enumerate().map(field).collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }

    fn take_lines(&mut self) -> PgResult<()> {
        let pending = std::mem::take(&mut self.pending);
        let csv = self.options.format == CopyFormat::Csv;
        let (mut start, mut at) = (0, self.looked);
        while at < pending.len() {
            let byte = pending[at];
            if csv && self.quoted && byte == self.options.escape && self.options.escape != self.options.quote {
                // The next byte says whether it escapes; it may not be here yet.
                if at + 1 == pending.len() {
                    break;
                }
                at += 2;
                continue;
            }
            if csv && byte == self.options.quote {
                self.quoted = !self.quoted;
            } else if !csv && byte == b'\\' {
                if at + 1 == pending.len() {
                    break;
                }
                at += 2;
                continue;
            } else if byte == b'\n' && !self.quoted {
                self.take_line(&pending[start..at])?;
                start = at + 1;
                if self.ended {
                    return Ok(());
                }
            }
            at += 1;
        }
        self.looked = at - start;
        self.pending = pending[start..].to_vec();
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) -> PgResult<()> {
        self.line += 1;
        if std::mem::take(&mut self.skip_header) {
            return Ok(());
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == b"\\." {
            self.ended = true;
            return Ok(());
        }
        let fields = match self.options.format {
            CopyFormat::Csv => csv_fields(line, &self.options),
            _ => text_fields(line, &self.options),
        };
        let fields = fields.map_err(|error| self.located(error))?;
        // A line without anything is a row of a table without columns, or of one empty value.
        if fields.len() > self.columns.len() {
            return Err(self.located(bad_format("extra data after last expected column")));
        }
        if let Some(missing) = self.columns.get(fields.len()) {
            return Err(self.located(bad_format(format!("missing data for column \"{}\"", missing.name))));
        }
        for (builder, field) in self.builders.iter_mut().zip(fields) {
            match field {
                None => builder.push_null(),
                Some(bytes) => {
                    let text = std::str::from_utf8(&bytes).map_err(|_| {
                        PgError::new(SqlState(*b"22021"), "invalid byte sequence for encoding \"UTF8\"")
                    })?;
                    builder.push_text(text)?;
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn located(&self, error: PgError) -> PgError {
        let line = self.line;
        error.detail(format!("At line {line} of the data."))
    }

    fn take_tuples(&mut self) -> PgResult<()> {
        let pending = std::mem::take(&mut self.pending);
        let mut at = 0;
        if !self.started {
            if pending.len() < SIGNATURE.len() + 8 {
                self.pending = pending;
                return Ok(());
            }
            if !pending.starts_with(SIGNATURE) {
                return Err(bad_format("COPY file signature not recognized"));
            }
            let extension = be_u32(&pending, SIGNATURE.len() + 4) as usize;
            if pending.len() < SIGNATURE.len() + 8 + extension {
                self.pending = pending;
                return Ok(());
            }
            at = SIGNATURE.len() + 8 + extension;
            self.started = true;
        }
        while let Some(end) = tuple_end(&pending, at) {
            let count = i16::from_be_bytes([pending[at], pending[at + 1]]);
            if count < 0 {
                self.ended = true;
                return Ok(());
            }
            if count as usize != self.columns.len() {
                let message = format!("row field count is {count}, expected {}", self.columns.len());
                return Err(bad_format(message));
            }
            let mut from = at + 2;
            for builder in &mut self.builders {
                let length = be_u32(&pending, from) as i32;
                from += 4;
                match usize::try_from(length) {
                    Err(_) => builder.push_null(),
                    Ok(length) => {
                        builder.push_binary(&pending[from..from + length])?;
                        from += length;
                    }
                }
            }
            self.rows += 1;
            at = end;
        }
        self.pending = pending[at..].to_vec();
        Ok(())
    }
}

fn be_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

/// Where the tuple that begins at `at` ends, if all of it is there.
fn tuple_end(bytes: &[u8], at: usize) -> Option<usize> {
    let head = bytes.get(at..at + 2)?;
    let count = i16::from_be_bytes([head[0], head[1]]);
    let mut end = at + 2;
    for _ in 0..count.max(0) {
        bytes.get(end..end + 4)?;
        end += 4 + usize::try_from(be_u32(bytes, end) as i32).unwrap_or(0);
    }
    (end <= bytes.len()).then_some(end)
}

type Fields = Vec<Option<Vec<u8>>>;

fn text_fields(line: &[u8], options: &CopyOptions) -> PgResult<Fields> {
    let mut fields = Vec::new();
    let (mut raw_start, mut at) = (0, 0);
    let mut value: Vec<u8> = Vec::new();
    loop {
        if at >= line.len() || line[at] == options.delimiter {
            // NULL is looked for before escapes are undone.
            let is_null = &line[raw_start..at] == options.null.as_bytes();
            fields.push((!is_null).then(|| std::mem::take(&mut value)));
            value.clear();
            if at >= line.len() {
                return Ok(fields);
            }
            at += 1;
            raw_start = at;
            continue;
        }
        if line[at] != b'\\' || at + 1 >= line.len() {
            value.push(line[at]);
            at += 1;
            continue;
        }
        at += 1;
        let escaped = line[at];
        at += 1;
        match escaped {
            b'b' => value.push(0x08),
            b'f' => value.push(0x0c),
            b'n' => value.push(b'\n'),
            b'r' => value.push(b'\r'),
            b't' => value.push(b'\t'),
            b'v' => value.push(0x0b),
            b'0'..=b'7' => {
                let mut code = u32::from(escaped - b'0');
                for _ in 0..2 {
                    match line.get(at) {
                        Some(digit @ b'0'..=b'7') => {
                            code = code * 8 + u32::from(digit - b'0');
                            at += 1;
                        }
                        _ => break,
                    }
                }
                value.push(code as u8);
            }
            b'x' if line.get(at).is_some_and(u8::is_ascii_hexdigit) => {
                let mut code = 0;
                for _ in 0..2 {
                    match line.get(at).and_then(|digit| (*digit as char).to_digit(16)) {
                        Some(digit) => {
                            code = code * 16 + digit;
                            at += 1;
                        }
                        None => break,
                    }
                }
                value.push(code as u8);
            }
            other => value.push(other),
        }
    }
}

fn csv_fields(line: &[u8], options: &CopyOptions) -> PgResult<Fields> {
    let mut fields = Vec::new();
    let mut value: Vec<u8> = Vec::new();
    let (mut quoted, mut was_quoted, mut at) = (false, false, 0);
    loop {
        let Some(byte) = line.get(at).copied() else {
            if quoted {
                return Err(bad_format("unterminated CSV quoted field"));
            }
            let is_null = !was_quoted && value == options.null.as_bytes();
            fields.push((!is_null).then_some(value));
            return Ok(fields);
        };
        at += 1;
        if quoted {
            let next = line.get(at).copied();
            if byte == options.escape && next.is_some_and(|n| n == options.quote || n == options.escape) {
                value.extend(next);
                at += 1;
            } else if byte == options.quote {
                quoted = false;
            } else {
                value.push(byte);
            }
        } else if byte == options.quote {
            (quoted, was_quoted) = (true, true);
        } else if byte == options.delimiter {
            let is_null = !was_quoted && value == options.null.as_bytes();
            let taken = std::mem::take(&mut value);
            fields.push((!is_null).then_some(taken));
            was_quoted = false;
        } else {
            value.push(byte);
        }
    }
}

impl Session {
    /// Writes what COPY has brought; gives how many rows.
    pub async fn copy_in(&mut self, copy: &CopyIn, rows: RecordBatch, operation: &Operation) -> PgResult<u64> {
        let own = self.transaction.phase == Phase::Idle;
        if own {
            self.begin(Phase::Implicit);
        }
        let count = self.write_staged(&copy.plan, rows, operation).await?;
        if own {
            self.commit().await?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(fields: Fields) -> Vec<String> {
        fields.into_iter().map(|f| f.map_or("∅".into(), |b| String::from_utf8(b).unwrap())).collect()
    }

    #[test]
    fn lines_are_taken_apart_as_postgresql_writes_them() {
        let text = CopyOptions::new(CopyFormat::Text);
        assert_eq!(shown(text_fields(b"a\\tb\t\\N\t\t\\x41\\101\\\\", &text).unwrap()), ["a\tb", "∅", "", "AA\\"]);
        let csv = CopyOptions::new(CopyFormat::Csv);
        assert_eq!(shown(csv_fields(b"a,\"b,\"\"c\"\"\",,\"\"", &csv).unwrap()), ["a", "b,\"c\"", "∅", ""]);
        assert!(csv_fields(b"\"a", &csv).is_err());
    }
}
