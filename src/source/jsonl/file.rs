//! One landing file being followed.

use super::line::Line;
use crate::change::{Position, Schemas, StreamId};
use crate::debezium::Record;
use crate::source::declare::{Router, StreamDecoder};
use crate::source::{Closed, Gap, SourceContext, SourceState, StreamSender, StreamStatus, now_us};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub const COMPRESSED: &str = "compressed files are not read; decompress it beside";

/// So much is read and delivered at once.
const CHUNK: usize = 2 << 20;

/// A line that is longer is taken for something else than an event.
const LONGEST_LINE: usize = 256 << 20;

pub struct LandingFile {
    path: PathBuf,
    /// Of lines that name none.
    topic: String,
    sender: StreamSender,
    status: Arc<StreamStatus>,
    schemas: Arc<Schemas>,
    decoders: HashMap<String, StreamDecoder>,
    /// Number of the next line.
    next: Position,
    /// Where it begins; `None`: not counted yet.
    offset: Option<u64>,
    /// The last line was taken without its end: a line end that follows belongs to it.
    unended: bool,
    /// Reading on would be wrong; the status says why.
    stopped: bool,
}

/// A header as the decoder takes it.
type Header<'a> = (&'a str, Option<&'a [u8]>);

/// What came of reading on.
pub enum Progress {
    Delivered,
    AtEnd,
    /// The last line has no end and the file changed lately.
    WaitingForLineEnd,
}

/// Why a file cannot be read on.
enum Trouble {
    Closed,
    /// May be better next time.
    Io(io::Error),
    /// Never.
    Wrong(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl LandingFile {
    pub fn new(path: PathBuf, id: StreamId, topic: String, resume: Position, cx: &SourceContext) -> Self {
        let status = cx.status.stream(&id, &topic, -1, resume);
        let compressed = path.extension().is_some_and(|e| e == "gz");
        match compressed {
            true => status.set(SourceState::Error, COMPRESSED),
            false => status.set(SourceState::Streaming, ""),
        }
        Self {
            path,
            topic,
            sender: cx.out.stream(id),
            status,
            schemas: Arc::clone(&cx.schemas),
            decoders: HashMap::new(),
            next: resume,
            offset: None,
            unended: false,
            stopped: compressed,
        }
    }

    pub async fn room(&self) {
        self.sender.room().await;
    }

    /// Delivers the next lines. Trouble with the file is in the stream's status.
    pub fn read(&mut self, router: &Router, settle: Duration) -> Result<Progress, Closed> {
        if self.stopped {
            return Ok(Progress::AtEnd);
        }
        match self.try_read(router, settle) {
            Ok(progress) => {
                if self.status.state() == SourceState::Waiting {
                    self.status.set(SourceState::Streaming, "");
                }
                Ok(progress)
            }
            Err(Trouble::Closed) => Err(Closed),
            Err(Trouble::Io(error)) => {
                self.status.set(SourceState::Waiting, format!("{}: {error}", self.path.display()));
                Ok(Progress::AtEnd)
            }
            Err(Trouble::Wrong(message)) => {
                self.stopped = true;
                tracing::error!(path = %self.path.display(), message, "stopped");
                self.status.set(SourceState::Error, message);
                Ok(Progress::AtEnd)
            }
        }
    }

    fn try_read(&mut self, router: &Router, settle: Duration) -> Result<Progress, Trouble> {
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let offset = match self.offset {
            Some(offset) => offset,
            None => self.find_position(&file)?,
        };
        if metadata.len() < offset {
            let length = metadata.len();
            return Err(Trouble::Wrong(format!("the file was cut to {length} bytes, of which {offset} were read")));
        }
        if metadata.len() == offset {
            self.status.set_high(self.next);
            return Ok(Progress::AtEnd);
        }
        let settled = metadata.modified()?.elapsed().is_ok_and(|age| age >= settle);
        let (buffer, at_end) = read_lines(&file, offset)?;
        let mut start = 0;
        if std::mem::replace(&mut self.unended, false) {
            start = if buffer.starts_with(b"\r\n") { 2 } else { usize::from(buffer.starts_with(b"\n")) };
        }
        let mut lines: Vec<Range<usize>> = vec![];
        for end in memchr::memchr_iter(b'\n', &buffer[start..]).map(|end| end + start).collect::<Vec<_>>() {
            lines.push(start..end);
            start = end + 1;
        }
        let rest = start..buffer.len();
        let mut waiting = false;
        if at_end && !rest.is_empty() {
            waiting = !settled;
            if settled {
                lines.push(rest.clone());
                start = rest.end;
                self.unended = true;
            }
        }
        self.offset = Some(offset + start as u64);
        let delivered = !lines.is_empty();
        self.deliver(&buffer, &lines, router)?;
        Ok(match (delivered, waiting) {
            (_, true) => Progress::WaitingForLineEnd,
            (true, false) => Progress::Delivered,
            (false, false) => Progress::AtEnd,
        })
    }

    /// Counts lines up to the position that the engine wants to go on from.
    fn find_position(&mut self, file: &File) -> Result<u64, Trouble> {
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let (mut offset, mut lines, mut open) = (0u64, 0i64, false);
        while lines < self.next.0 {
            let block = reader.fill_buf()?;
            if block.is_empty() {
                break;
            }
            let wanted = (self.next.0 - lines) as usize;
            let found = memchr::memchr_iter(b'\n', block).take(wanted);
            let (count, last) = found.fold((0, None), |(count, _), at| (count + 1, Some(at)));
            // All that was wanted: stop behind the last; else the block is used up.
            let used = match last {
                Some(at) if count == wanted => at + 1,
                _ => block.len(),
            };
            open = block[used - 1] != b'\n';
            lines += count as i64;
            offset += used as u64;
            reader.consume(used);
        }
        if open && lines + 1 == self.next.0 {
            // Its last line was taken without an end.
            self.unended = true;
        } else if lines < self.next.0 {
            let (from, to) = (Position(lines), self.next);
            self.status.add_gap(Gap { from, to });
            return Err(Trouble::Wrong(format!("the file has {lines} lines, of which {to} were read: it was changed")));
        }
        self.offset = Some(offset);
        Ok(offset)
    }

    /// Sends the lines; one delivery for each run of lines of the same topic.
    fn deliver(&mut self, buffer: &[u8], lines: &[Range<usize>], router: &Router) -> Result<(), Trouble> {
        let parsed: Vec<(Position, Line<'_>)> = lines
            .iter()
            .zip(self.next.0..)
            .map(|(range, number)| (Position(number), &buffer[range.clone()]))
            .filter(|(_, text)| !text.iter().all(u8::is_ascii_whitespace))
            .map(|(position, text)| (position, Line::parse(text.trim_ascii())))
            .collect();
        let end = Position(self.next.0 + lines.len() as i64);
        self.status.set_high(end);
        let mut runs = parsed.chunk_by(|(_, a), (_, b)| a.topic == b.topic).peekable();
        if runs.peek().is_none() {
            self.next = end;
            self.status.set_next(end);
        }
        while let Some(run) = runs.next() {
            let next = match runs.peek() {
                Some(following) => following[0].0,
                None => end,
            };
            let headers: Vec<Vec<Header<'_>>> = run
                .iter()
                .map(|(_, line)| line.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect())
                .collect();
            let records = run.iter().zip(&headers).map(|((position, line), headers)| Record {
                position: *position,
                timestamp_ms: line.timestamp_ms,
                key: line.key.as_deref(),
                value: line.value.as_deref(),
                headers,
            });
            let records: Vec<Record<'_>> = records.collect();
            let topic = run[0].1.topic.as_deref().unwrap_or(&self.topic).to_string();
            let decoder = match self.decoders.entry(topic) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let id = self.sender.id().clone();
                    let routed = router.route_stream(entry.key(), -1, None, id).map_err(Trouble::Wrong)?;
                    entry.insert(routed.decoder(Arc::clone(&self.schemas)))
                }
            };
            let mut delivery = decoder.decode(&records, now_us());
            delivery.next = next;
            self.status.delivered(&delivery);
            self.sender.send_now(delivery).map_err(|Closed| Trouble::Closed)?;
            self.next = next;
        }
        Ok(())
    }
}

/// Bytes from `offset` on, about a chunk, but at least one whole line; and whether they reach the file's end.
fn read_lines(mut file: &File, offset: u64) -> Result<(Vec<u8>, bool), Trouble> {
    file.seek(SeekFrom::Start(offset))?;
    let mut buffer = Vec::new();
    loop {
        let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
        if read < CHUNK {
            return Ok((buffer, true));
        }
        if memchr::memchr(b'\n', &buffer[buffer.len() - read..]).is_some() {
            return Ok((buffer, false));
        }
        if buffer.len() > LONGEST_LINE {
            return Err(Trouble::Wrong(format!("a line at byte {offset} is longer than {LONGEST_LINE} bytes")));
        }
    }
}
