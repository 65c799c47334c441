//! What a client sends, decoded.
//!
//! Decoding is our own and not pgwire's: frames stay slices of the one input buffer (a parameter is a `Bytes`, never a
//! copy), a length is judged before anything is reserved for it, and the connection loop can tell a message that
//! breaks the session (framing) from one that is merely wrong (content), as PostgreSQL does.
//!
//! Promises: garbage never panics; a frame's announced length allocates nothing, only bytes that arrived do; no frame
//! above the limit is accepted.

use crate::types::{Oid, PgError, PgResult, SqlState};
use bytes::{Buf, Bytes, BytesMut};

/// `invalid byte sequence for encoding`.
const INVALID_ENCODING: SqlState = SqlState(*b"22021");

/// Messages that carry no user data are never longer than this, whatever the limit is (as in PostgreSQL).
const SMALL_MESSAGE: usize = 10_000;
/// The longest packet before the startup is over.
const STARTUP_PACKET: usize = 10_000;

/// The first packet of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Startup {
    Ssl,
    Gss,
    Cancel { pid: i32, secret: Bytes },
    Start { major: u16, minor: u16, options: Vec<(String, String)> },
}

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// What Describe and Close name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Statement(String),
    Portal(String),
}

/// A message after the startup.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<Oid>,
    },
    Bind(Bind),
    Describe(Target),
    /// `max_rows` 0: all.
    Execute {
        portal: String,
        max_rows: usize,
    },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    /// CopyData, CopyDone and CopyFail outside a copy: ignored, as in PostgreSQL.
    Copy,
    FunctionCall,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bind {
    pub portal: String,
    pub statement: String,
    /// Format codes as sent: none (all text), one for all, or one for each.
    pub formats: Vec<i16>,
    pub parameters: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

/// Takes the first packet off the input: `None` while it is not whole.
pub fn take_startup(input: &mut BytesMut) -> PgResult<Option<Startup>> {
    let Some(length) = peek_length(input, 0) else { return Ok(None) };
    if !(8..=STARTUP_PACKET).contains(&length) {
        return Err(violation("invalid length of startup packet"));
    }
    if input.len() < length {
        return Ok(None);
    }
    let mut body = input.split_to(length).freeze();
    body.advance(4);
    let code = body.get_u32();
    match code {
        SSL_REQUEST => Ok(Some(Startup::Ssl)),
        GSS_REQUEST => Ok(Some(Startup::Gss)),
        CANCEL_REQUEST => match body.remaining() {
            // Protocol 3.0 has four bytes; 3.2 allows longer secrets, which this server never gave out.
            8..=260 => Ok(Some(Startup::Cancel { pid: body.get_i32(), secret: body })),
            _ => Err(violation("invalid length of cancel request packet")),
        },
        _ => {
            let mut options = Vec::new();
            let (major, minor) = ((code >> 16) as u16, code as u16);
            if major == 3 {
                let mut reader = Reader(body);
                loop {
                    let name = reader.text().map_err(|_| startup_layout())?;
                    if name.is_empty() {
                        break;
                    }
                    options.push((name, reader.text().map_err(|_| startup_layout())?));
                }
                if !reader.0.is_empty() {
                    return Err(startup_layout());
                }
            }
            Ok(Some(Startup::Start { major, minor, options }))
        }
    }
}

/// Which encryption the beginning of a first packet asks for.
pub fn asks_for(head: &[u8; 8]) -> Option<Startup> {
    let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    match (number(0), number(4)) {
        (8, SSL_REQUEST) => Some(Startup::Ssl),
        (8, GSS_REQUEST) => Some(Startup::Gss),
        _ => None,
    }
}

fn startup_layout() -> PgError {
    violation("invalid startup packet layout: expected terminator as last byte")
}

/// A whole message, not yet decoded.
#[derive(Debug)]
pub struct Frame {
    pub tag: u8,
    pub body: Bytes,
}

/// Takes the next frame off the input: `None` while it is not whole. An error means that the stream cannot be
/// understood any more and the connection must end.
pub fn take_frame(input: &mut BytesMut, limit: usize) -> PgResult<Option<Frame>> {
    let Some(&tag) = input.first() else { return Ok(None) };
    let limit = match tag {
        b'Q' | b'P' | b'B' | b'd' | b'F' => limit,
        b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' | b'p' => limit.min(SMALL_MESSAGE),
        _ => return Err(violation(format!("invalid frontend message type {tag}"))),
    };
    let Some(length) = peek_length(input, 1) else { return Ok(None) };
    if length < 4 {
        return Err(violation("invalid message length"));
    }
    if length > limit {
        return Err(violation("invalid message length")
            .detail(format!("The message has {length} bytes; this server takes up to {limit}.")));
    }
    if input.len() < length + 1 {
        return Ok(None);
    }
    let mut body = input.split_to(length + 1).freeze();
    body.advance(5);
    Ok(Some(Frame { tag, body }))
}

fn peek_length(input: &BytesMut, at: usize) -> Option<usize> {
    let bytes = input.get(at..at + 4)?;
    let length = u32::from_be_bytes(bytes.try_into().ok()?);
    Some(length as usize)
}

impl Frame {
    /// Whether an error while handling this message is skipped over until Sync.
    pub fn is_extended(&self) -> bool {
        matches!(self.tag, b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'F')
    }

    pub fn decode(self) -> PgResult<Message> {
        let mut r = Reader(self.body);
        let message = match self.tag {
            b'Q' => Message::Query(r.text()?),
            b'P' => {
                let (name, sql) = (r.text()?, r.text()?);
                let count = r.count()?;
                let mut types = Vec::with_capacity(count.min(r.0.len() / 4));
                for _ in 0..count {
                    types.push(Oid(r.u32()?));
                }
                Message::Parse { name, sql, types }
            }
            b'B' => {
                let (portal, statement) = (r.text()?, r.text()?);
                let formats = r.formats()?;
                let count = r.count()?;
                let mut parameters = Vec::with_capacity(count.min(r.0.len() / 4));
                for _ in 0..count {
                    parameters.push(r.value()?);
                }
                Message::Bind(Bind { portal, statement, formats, parameters, result_formats: r.formats()? })
            }
            b'D' => Message::Describe(r.target("DESCRIBE")?),
            b'C' => Message::Close(r.target("CLOSE")?),
            b'E' => {
                let portal = r.text()?;
                // Negative means all, as zero does.
                let max_rows = usize::try_from(r.u32()? as i32).unwrap_or(0);
                Message::Execute { portal, max_rows }
            }
            b'H' => Message::Flush,
            b'S' => Message::Sync,
            b'X' => return Ok(Message::Terminate),
            b'd' | b'c' | b'f' | b'p' => return Ok(Message::Copy),
            b'F' => return Ok(Message::FunctionCall),
            tag => return Err(violation(format!("invalid frontend message type {tag}"))),
        };
        if !r.0.is_empty() {
            return Err(violation("invalid message format"));
        }
        Ok(message)
    }
}

pub fn violation(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::PROTOCOL_VIOLATION, message)
}

/// Reads fields off a message body; every step checks what is left.
struct Reader(Bytes);

impl Reader {
    fn need(&self, bytes: usize) -> PgResult<()> {
        match self.0.len() < bytes {
            true => Err(violation("insufficient data left in message")),
            false => Ok(()),
        }
    }

    fn u32(&mut self) -> PgResult<u32> {
        self.need(4)?;
        Ok(self.0.get_u32())
    }

    fn count(&mut self) -> PgResult<usize> {
        self.need(2)?;
        Ok(self.0.get_u16().into())
    }

    /// A zero-terminated string.
    fn text(&mut self) -> PgResult<String> {
        let end = memchr::memchr(0, &self.0).ok_or_else(|| violation("invalid string in message"))?;
        let bytes = self.0.split_to(end);
        self.0.advance(1);
        utf8(&bytes).map(str::to_owned)
    }

    fn formats(&mut self) -> PgResult<Vec<i16>> {
        let count = self.count()?;
        self.need(count * 2)?;
        (0..count)
            .map(|_| match self.0.get_i16() {
                format @ (0 | 1) => Ok(format),
                other => Err(PgError::new(SqlState::INVALID_PARAMETER, format!("unsupported format code: {other}"))),
            })
            .collect()
    }

    fn value(&mut self) -> PgResult<Option<Bytes>> {
        let length = self.u32()? as i32;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| violation("invalid parameter length in message"))?;
        self.need(length)?;
        Ok(Some(self.0.split_to(length)))
    }

    fn target(&mut self, of: &str) -> PgResult<Target> {
        self.need(1)?;
        match self.0.get_u8() {
            b'S' => self.text().map(Target::Statement),
            b'P' => self.text().map(Target::Portal),
            other => Err(violation(format!("invalid {of} message subtype {other}"))),
        }
    }
}

/// UTF-8 or PostgreSQL's error about it.
pub fn utf8(bytes: &[u8]) -> PgResult<&str> {
    std::str::from_utf8(bytes).map_err(|e| {
        let bad = &bytes[e.valid_up_to()..];
        let length = e.error_len().unwrap_or(bad.len()).max(1);
        let hex: Vec<String> = bad.iter().take(length).map(|b| format!("0x{b:02x}")).collect();
        PgError::new(INVALID_ENCODING, format!("invalid byte sequence for encoding \"UTF8\": {}", hex.join(" ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;
    use proptest::prelude::*;

    fn frame(tag: u8, body: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        out.put_u8(tag);
        out.put_u32(body.len() as u32 + 4);
        out.put_slice(body);
        out
    }

    #[test]
    fn a_bind_is_read_to_its_end() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x03abc\xff\xff\xff\xff\0\x01\0\0";
        let taken = take_frame(&mut frame(b'B', body), 1000).unwrap().unwrap();
        let expected = Bind {
            portal: "p".into(),
            statement: "s".into(),
            formats: vec![1],
            parameters: vec![Some(Bytes::from_static(b"abc")), None],
            result_formats: vec![0],
        };
        assert_eq!(taken.decode().unwrap(), Message::Bind(expected));
    }

    #[test]
    fn a_frame_above_the_limit_is_refused_before_its_bytes_arrive() {
        let mut input = BytesMut::from(&b"Q\x7f\xff\xff\xff"[..]);
        let before = input.capacity();
        assert_eq!(take_frame(&mut input, 1 << 20).unwrap_err().state, SqlState::PROTOCOL_VIOLATION);
        assert_eq!(input.capacity(), before);
        // A Sync has no use for a megabyte.
        let mut input = BytesMut::from(&b"S\x00\x10\x00\x00"[..]);
        assert!(take_frame(&mut input, 1 << 30).is_err());
    }

    #[test]
    fn a_startup_packet_gives_its_options() {
        let mut input = BytesMut::new();
        let body = b"\x00\x03\x00\x00user\0me\0database\0db\0\0";
        input.put_u32(body.len() as u32 + 4);
        input.put_slice(body);
        let options = vec![("user".into(), "me".into()), ("database".into(), "db".into())];
        assert_eq!(take_startup(&mut input).unwrap(), Some(Startup::Start { major: 3, minor: 0, options }));
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_never_outgrows_the_input(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = take_startup(&mut BytesMut::from(&bytes[..]));
            let mut input = BytesMut::from(&bytes[..]);
            while let Ok(Some(frame)) = take_frame(&mut input, 256) {
                prop_assert!(frame.body.len() <= 256);
                let _ = frame.decode();
            }
        }

        #[test]
        fn a_damaged_message_is_an_error_or_a_message(
            tag in proptest::sample::select(b"QPBDECHSXdcfpF".to_vec()),
            body in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), Just(255u8), any::<u8>()], 0..200),
        ) {
            let taken = take_frame(&mut frame(tag, &body), 1 << 20).unwrap().unwrap();
            let _ = taken.decode();
        }
    }
}
