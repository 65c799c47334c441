//! COPY … TO STDOUT: text, CSV and binary.

use super::channel::SEND_AT;
use super::reply;
use super::rows::text_encoder;
use crate::sql::{CopyFormat, CopyOptions, OutputColumn};
use crate::types::PgResult;
use crate::types::codec::{ColumnEncoder, TextSettings};
use arrow::array::RecordBatch;
use bytes::BufMut;

/// The signature, no flags, no header extension.
pub const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

pub fn begin(out: &mut Vec<u8>, columns: &[OutputColumn], options: &CopyOptions) {
    let binary = options.format == CopyFormat::Binary;
    reply::copy_out(out, binary, columns.len());
    if options.header {
        reply::message(out, b'd', |out| {
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    out.put_u8(options.delimiter);
                }
                let name = column.name.as_bytes();
                match options.format {
                    CopyFormat::Csv => put_csv(out, name, options, false, columns.len() == 1),
                    _ => put_text(out, name, options.delimiter),
                }
            }
            out.put_u8(b'\n');
        });
    }
}

/// `header`: what of the header was not sent with a row. PostgreSQL sends it with the first, and clients rely on that.
pub fn end(out: &mut Vec<u8>, options: &CopyOptions, header: &[u8]) {
    if options.format == CopyFormat::Binary {
        reply::message(out, b'd', |out| {
            out.put_slice(header);
            out.put_i16(-1);
        });
    }
    reply::copy_done(out);
}

/// Writes rows of a batch as text or CSV, a CopyData for each.
pub struct LineWriter {
    encoders: Vec<ColumnEncoder>,
    /// One value at a time, before it is escaped.
    value: Vec<u8>,
}

impl LineWriter {
    pub fn new(columns: &[OutputColumn], settings: &TextSettings) -> PgResult<Self> {
        let encoder = |c: &OutputColumn| text_encoder(c, settings);
        Ok(Self { encoders: columns.iter().map(encoder).collect::<PgResult<_>>()?, value: Vec::new() })
    }

    /// Writes from row `from` on until the output is worth sending; gives the row that comes next.
    pub fn write(
        &mut self,
        batch: &RecordBatch,
        from: usize,
        options: &CopyOptions,
        out: &mut Vec<u8>,
    ) -> PgResult<usize> {
        let arrays = batch.columns().iter().map(|array| array.as_ref());
        let bound = self.encoders.iter().zip(arrays).map(|(encoder, array)| encoder.column(array));
        let columns = bound.collect::<PgResult<Vec<_>>>()?;
        let mut row = from;
        while row < batch.num_rows() && out.len() < SEND_AT {
            let start = out.len();
            out.put_u8(b'd');
            out.put_u32(0);
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    out.put_u8(options.delimiter);
                }
                self.value.clear();
                column.write(row, &mut self.value);
                // A length of -1 is NULL.
                if self.value.starts_with(&[0xff; 4]) {
                    out.put_slice(options.null.as_bytes());
                    continue;
                }
                let value = &self.value[4..];
                match options.format {
                    CopyFormat::Csv => {
                        let force = options.force_quote_all || options.force_quote.contains(&i);
                        put_csv(out, value, options, force, columns.len() == 1);
                    }
                    _ => put_text(out, value, options.delimiter),
                }
            }
            out.put_u8(b'\n');
            reply::finish(out, start + 1);
            row += 1;
        }
        Ok(row)
    }
}

fn put_text(out: &mut Vec<u8>, value: &[u8], delimiter: u8) {
    for &byte in value {
        let escaped = match byte {
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            b'\\' => b'\\',
            byte if byte == delimiter => byte,
            byte => {
                out.put_u8(byte);
                continue;
            }
        };
        out.put_u8(b'\\');
        out.put_u8(escaped);
    }
}

fn put_csv(out: &mut Vec<u8>, value: &[u8], options: &CopyOptions, force: bool, alone: bool) {
    let (quote, escape) = (options.quote, options.escape);
    let special = |b: &u8| *b == options.delimiter || *b == quote || matches!(*b, b'\n' | b'\r');
    // What looks like NULL is quoted, and so is a lone end-of-data mark.
    let needs = force || value == options.null.as_bytes() || (alone && value == b"\\.") || value.iter().any(special);
    if !needs {
        return out.put_slice(value);
    }
    out.put_u8(quote);
    for &byte in value {
        if byte == quote || byte == escape {
            out.put_u8(escape);
        }
        out.put_u8(byte);
    }
    out.put_u8(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_csv_quoted_where_needed() {
        let mut out = Vec::new();
        put_text(&mut out, b"a\tb\\c\nd", b'\t');
        assert_eq!(&out[..], br"a\tb\\c\nd");
        let options = CopyOptions::new(CopyFormat::Csv);
        for (value, written) in [(&b"a"[..], &b"a"[..]), (b"a,b", b"\"a,b\""), (b"a\"b", b"\"a\"\"b\""), (b"", b"\"\"")]
        {
            let mut out = Vec::new();
            put_csv(&mut out, value, &options, false, false);
            assert_eq!(&out[..], written);
        }
    }
}
