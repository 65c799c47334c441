//! As much of PostgreSQL's protocol as the bench asks with: simple queries, and one prepared statement again and again.

use std::io::{BufReader, Read, Result, Write};
use std::net::TcpStream;

pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream: BufReader::new(stream) };
        let mut start = vec![0, 3, 0, 0];
        start.extend(b"user\0bench\0database\0sluice\0\0");
        let mut packet = ((start.len() + 4) as u32).to_be_bytes().to_vec();
        packet.extend(start);
        client.stream.get_mut().write_all(&packet)?;
        client.answer()?;
        Ok(client)
    }

    /// The first value of the last row, as text; `Err` where the server says so.
    pub fn query(&mut self, sql: &str) -> Result<Option<String>> {
        let mut packet = Vec::new();
        message(&mut packet, b'Q', &[sql.as_bytes(), b"\0"]);
        self.stream.get_mut().write_all(&packet)?;
        self.answer()
    }

    /// Parses `sql` once as the statement that [`Self::ask`] runs.
    pub fn prepare(&mut self, sql: &str) -> Result<()> {
        let mut packet = Vec::new();
        message(&mut packet, b'P', &[b"q\0", sql.as_bytes(), b"\0", &[0, 0]]);
        message(&mut packet, b'S', &[]);
        self.stream.get_mut().write_all(&packet)?;
        self.answer().map(drop)
    }

    /// Runs the prepared statement.
    pub fn ask(&mut self) -> Result<Option<String>> {
        let mut packet = Vec::new();
        message(&mut packet, b'B', &[b"\0q\0", &[0, 0, 0, 0, 0, 0]]);
        message(&mut packet, b'E', &[b"\0", &[0, 0, 0, 0]]);
        message(&mut packet, b'S', &[]);
        self.stream.get_mut().write_all(&packet)?;
        self.answer()
    }

    /// Reads up to ReadyForQuery.
    fn answer(&mut self) -> Result<Option<String>> {
        let mut value = None;
        let mut failure = None;
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length - 4];
            self.stream.read_exact(&mut body)?;
            match head[0] {
                b'D' => {
                    let size = i32::from_be_bytes([body[2], body[3], body[4], body[5]]);
                    let text = body.get(6..6 + size.max(0) as usize).unwrap_or_default();
                    value = (size >= 0).then(|| String::from_utf8_lossy(text).into_owned());
                }
                b'E' => failure = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                b'Z' => break,
                _ => {}
            }
        }
        match failure {
            Some(message) => Err(std::io::Error::other(message)),
            None => Ok(value),
        }
    }
}

fn message(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 4;
    out.push(kind);
    out.extend((length as u32).to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}
