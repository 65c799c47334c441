//! As much of PostgreSQL's protocol as the bench needs, over a blocking socket. Rows are counted, not decoded, so that
//! the client costs little and the same for both servers.

use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;
use std::time::Instant;

/// What is read at once.
const CHUNK: usize = 256 << 10;

pub struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    /// What of `input` is filled, and what of that is read.
    filled: usize,
    at: usize,
    output: Vec<u8>,
}

/// One reply, up to ReadyForQuery.
#[derive(Debug, Default, Clone)]
pub struct Answer {
    pub rows: u64,
    /// Bytes of the rows' messages.
    pub bytes: u64,
    /// When the first row was there.
    pub first: Option<Instant>,
    /// Sum over the bytes of the rows: the same rows in another order have the same.
    pub sum: u64,
}

impl Client {
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, input: vec![0; CHUNK], filled: 0, at: 0, output: Vec::new() };
        let start = b"\0\x03\0\0user\0bench\0database\0bench\0client_encoding\0UTF8\0DateStyle\0ISO\0TimeZone\0UTC\0\0";
        client.output.extend(((start.len() + 4) as u32).to_be_bytes());
        client.output.extend(start);
        client.send()?;
        client.answer(false)?;
        Ok(client)
    }

    pub fn query(&mut self, sql: &str) -> Result<Answer> {
        self.query_summed(sql, false)
    }

    /// `sum`: add up the bytes of the rows, too, which costs the client time.
    pub fn query_summed(&mut self, sql: &str, sum: bool) -> Result<Answer> {
        message(&mut self.output, b'Q', &[sql.as_bytes(), b"\0"]);
        self.send()?;
        self.answer(sum)
    }

    /// Parses `sql` as the statement `q`.
    pub fn prepare(&mut self, sql: &str) -> Result<()> {
        message(&mut self.output, b'P', &[b"q\0", sql.as_bytes(), b"\0", &[0, 0]]);
        message(&mut self.output, b'S', &[]);
        self.send()?;
        self.answer(false).map(drop)
    }

    /// Runs the prepared statement as libpq does: Bind, Describe, Execute, Sync.
    pub fn ask(&mut self, parameters: &[&str], binary: bool) -> Result<Answer> {
        let mut values = (parameters.len() as u16).to_be_bytes().to_vec();
        for parameter in parameters {
            values.extend((parameter.len() as u32).to_be_bytes());
            values.extend(parameter.as_bytes());
        }
        message(&mut self.output, b'B', &[b"\0q\0\0\0", &values, &[0, 1, 0, binary.into()]]);
        message(&mut self.output, b'D', &[b"P\0"]);
        message(&mut self.output, b'E', &[b"\0", &[0, 0, 0, 0]]);
        message(&mut self.output, b'S', &[]);
        self.send()?;
        self.answer(false)
    }

    fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// Makes sure that `wanted` bytes are there to read; a message longer than the buffer is not.
    fn need(&mut self, wanted: usize) -> Result<()> {
        while self.filled - self.at < wanted {
            if self.at > 0 && self.at + wanted > self.input.len() {
                self.input.copy_within(self.at..self.filled, 0);
                (self.filled, self.at) = (self.filled - self.at, 0);
            }
            if wanted > self.input.len() {
                self.input.resize(wanted, 0);
            }
            if self.at == self.filled {
                (self.at, self.filled) = (0, 0);
            }
            match self.stream.read(&mut self.input[self.filled..])? {
                0 => return Err(Error::other("the server hung up")),
                read => self.filled += read,
            }
        }
        Ok(())
    }

    fn answer(&mut self, sum: bool) -> Result<Answer> {
        let mut answer = Answer::default();
        let mut failure = None;
        loop {
            self.need(5)?;
            let head = &self.input[self.at..self.at + 5];
            let (tag, length) = (head[0], u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize + 1);
            self.need(length)?;
            let body = &self.input[self.at + 5..self.at + length];
            self.at += length;
            match tag {
                b'D' => {
                    answer.rows += 1;
                    answer.bytes += length as u64;
                    if answer.first.is_none() {
                        answer.first = Some(Instant::now());
                    }
                    if sum {
                        answer.sum += body.iter().enumerate().map(|(i, b)| (i as u64 + 1) * u64::from(*b)).sum::<u64>();
                    }
                }
                b'E' => failure = Some(String::from_utf8_lossy(body).replace('\0', " ")),
                b'Z' => break,
                _ => {}
            }
        }
        match failure {
            Some(message) => Err(Error::other(message)),
            None => Ok(answer),
        }
    }
}

fn message(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 4;
    out.push(kind);
    out.extend((length as u32).to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}
