//! What the server sends, written straight into the output buffer.

use crate::sql::Notification;
use crate::types::{PgError, PgType, SqlState, oid};
use bytes::BufMut;

/// How bad an error is for its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// The connection ends with it.
    Fatal,
}

/// A column as RowDescription shows it.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    pub name: &'a str,
    /// OID of the table and number of the column where the value is a plain column, else zeros.
    pub table: u32,
    pub attnum: i16,
    pub ty: PgType,
    pub length: i16,
    pub format: i16,
}

/// Writes one message: the tag, a length that is filled in afterwards, and what `body` writes.
pub fn message(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.put_u8(tag);
    let start = out.len();
    out.put_u32(0);
    body(out);
    finish(out, start);
}

/// Fills in the length field at `start`.
pub fn finish(out: &mut [u8], start: usize) {
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A zero-terminated string; a zero byte inside would break the message, so the text ends there.
fn text(out: &mut Vec<u8>, text: &str) {
    let end = memchr::memchr(0, text.as_bytes()).unwrap_or(text.len());
    out.put_slice(&text.as_bytes()[..end]);
    out.put_u8(0);
}

pub fn notification(out: &mut Vec<u8>, notification: &Notification) {
    message(out, b'A', |out| {
        out.put_i32(notification.pid);
        text(out, &notification.channel);
        text(out, &notification.payload);
    });
}

pub fn authentication_ok(out: &mut Vec<u8>) {
    message(out, b'R', |out| out.put_u32(0));
}

/// Asks for a SASL exchange by one of these mechanisms.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.put_u32(10);
        mechanisms.iter().for_each(|mechanism| text(out, mechanism));
        out.put_u8(0);
    });
}

pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &str) {
    message(out, b'R', |out| {
        out.put_u32(11);
        out.put_slice(data.as_bytes());
    });
}

pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &str) {
    message(out, b'R', |out| {
        out.put_u32(12);
        out.put_slice(data.as_bytes());
    });
}

pub fn backend_key(out: &mut Vec<u8>, pid: i32, secret: i32) {
    message(out, b'K', |out| {
        out.put_i32(pid);
        out.put_i32(secret);
    });
}

/// The newest protocol is 3.0; `unknown` are the `_pq_.` options that the client asked for in vain.
pub fn negotiate_version(out: &mut Vec<u8>, unknown: &[&str]) {
    message(out, b'v', |out| {
        out.put_u32(3 << 16);
        out.put_u32(unknown.len() as u32);
        unknown.iter().for_each(|option| text(out, option));
    });
}

pub fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

pub fn ready(out: &mut Vec<u8>, status: u8) {
    message(out, b'Z', |out| out.put_u8(status));
}

pub fn parse_complete(out: &mut Vec<u8>) {
    message(out, b'1', |_| ());
}

pub fn bind_complete(out: &mut Vec<u8>) {
    message(out, b'2', |_| ());
}

pub fn close_complete(out: &mut Vec<u8>) {
    message(out, b'3', |_| ());
}

pub fn no_data(out: &mut Vec<u8>) {
    message(out, b'n', |_| ());
}

pub fn portal_suspended(out: &mut Vec<u8>) {
    message(out, b's', |_| ());
}

pub fn empty_query(out: &mut Vec<u8>) {
    message(out, b'I', |_| ());
}

pub fn command_complete(out: &mut Vec<u8>, tag: &str) {
    message(out, b'C', |out| text(out, tag));
}

pub fn parameter_description(out: &mut Vec<u8>, types: &[PgType]) {
    message(out, b't', |out| {
        out.put_u16(types.len() as u16);
        types.iter().for_each(|ty| out.put_u32(ty.oid.0));
    });
}

pub fn row_description<'a>(out: &mut Vec<u8>, fields: impl ExactSizeIterator<Item = Field<'a>>) {
    message(out, b'T', |out| {
        out.put_u16(fields.len() as u16);
        for field in fields {
            text(out, field.name);
            out.put_u32(field.table);
            out.put_i16(field.attnum);
            // A value whose type was never decided goes out as text, as in PostgreSQL.
            let ty = if field.ty.oid == oid::UNKNOWN { oid::TEXT } else { field.ty.oid };
            out.put_u32(ty.0);
            out.put_i16(field.length);
            out.put_i32(field.ty.typmod);
            out.put_i16(field.format);
        }
    });
}

/// CopyOutResponse.
pub fn copy_out(out: &mut Vec<u8>, binary: bool, columns: usize) {
    message(out, b'H', |out| {
        out.put_u8(binary.into());
        out.put_u16(columns as u16);
        (0..columns).for_each(|_| out.put_i16(binary.into()));
    });
}

/// CopyInResponse.
pub fn copy_in(out: &mut Vec<u8>, binary: bool, columns: usize) {
    message(out, b'G', |out| {
        out.put_u8(binary.into());
        out.put_u16(columns as u16);
        (0..columns).for_each(|_| out.put_i16(binary.into()));
    });
}

pub fn copy_done(out: &mut Vec<u8>) {
    message(out, b'c', |_| ());
}

/// ErrorResponse. `sql` is the statement that the error's position points into.
pub fn error(out: &mut Vec<u8>, severity: Severity, error: &PgError, sql: Option<&str>) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    fields(out, b'E', severity, error, sql);
}

/// NoticeResponse; `severity` is `NOTICE`, `WARNING`, `INFO`…
pub fn notice(out: &mut Vec<u8>, severity: &str, notice: &PgError) {
    fields(out, b'N', severity, notice, None);
}

fn fields(out: &mut Vec<u8>, tag: u8, severity: &str, error: &PgError, sql: Option<&str>) {
    message(out, tag, |out| {
        let mut field = |code: u8, value: &str| {
            out.put_u8(code);
            text(out, value);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', sqlstate(&error.state));
        field(b'M', &error.message);
        if let Some(rest) = &error.rest {
            let position = rest.position.zip(sql).map(|(offset, sql)| character_position(sql, offset).to_string());
            for (code, value) in [
                (b'D', &rest.detail),
                (b'H', &rest.hint),
                (b'P', &position),
                (b's', &rest.schema),
                (b't', &rest.table),
                (b'c', &rest.column),
                (b'n', &rest.constraint),
            ] {
                if let Some(value) = value {
                    field(code, value);
                }
            }
        }
        out.put_u8(0);
    });
}

fn sqlstate(state: &SqlState) -> &str {
    state.as_str()
}

/// PostgreSQL's position: characters, from 1.
fn character_position(sql: &str, offset: usize) -> usize {
    let before = sql.as_bytes().get(..offset).unwrap_or(sql.as_bytes());
    // Every byte that does not continue a character begins one.
    before.iter().filter(|byte| (**byte as i8) >= -0x40).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_from_one() {
        assert_eq!(character_position("äß x", 0), 1);
        assert_eq!(character_position("äß x", 5), 4);
        assert_eq!(character_position("ab", 99), 3);
    }

    #[test]
    fn an_error_carries_its_fields() {
        let mut out = Vec::new();
        let failed = PgError::new(SqlState::UNDEFINED_COLUMN, "no").hint("Look.").at(7);
        error(&mut out, Severity::Error, &failed, Some("SELECT x"));
        assert_eq!(&out[5..], b"SERROR\0VERROR\0C42703\0Mno\0HLook.\0P8\0\0");
        assert_eq!(out[0], b'E');
        assert_eq!(u32::from_be_bytes(out[1..5].try_into().unwrap()) as usize, out.len() - 1);
    }
}
