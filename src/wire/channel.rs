//! A socket with its two buffers.

use super::message::{self, Frame};
use super::{Shared, add};
use crate::types::{PgError, PgResult, SqlState};
use bytes::BytesMut;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedReceiver;

/// Output is sent when there is this much of it, or when the client waits for it.
pub const SEND_AT: usize = 64 << 10;
/// While a statement runs, this much is read ahead: enough to see that the client is gone, or a pipeline.
const READ_AHEAD: usize = 64 << 10;
const READ_CHUNK: usize = 8 << 10;

/// Why a connection ends.
#[derive(Debug)]
pub enum End {
    /// Terminate, or the client hung up.
    Closed,
    Io(io::Error),
    /// To be told to the client.
    Fatal(PgError),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Io(error)
    }
}

pub struct Channel<S> {
    pub socket: S,
    pub input: BytesMut,
    pub output: Vec<u8>,
    /// Bytes of `output` that are sent.
    pub sent: usize,
    pub shared: Arc<Shared>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    pub fn new(socket: S, shared: Arc<Shared>) -> Self {
        Self { socket, input: BytesMut::new(), output: Vec::new(), sent: 0, shared }
    }

    async fn read_more(&mut self) -> Result<(), End> {
        self.input.reserve(READ_CHUNK);
        match self.socket.read_buf(&mut self.input).await? {
            0 => Err(End::Closed),
            n => {
                add(&self.shared.counters.bytes_received, n as u64);
                Ok(())
            }
        }
    }

    /// Reads until `take` finds something whole in the input.
    pub async fn read_until<T>(
        &mut self,
        mut take: impl FnMut(&mut BytesMut) -> PgResult<Option<T>>,
    ) -> Result<T, End> {
        loop {
            if let Some(taken) = take(&mut self.input).map_err(End::Fatal)? {
                return Ok(taken);
            }
            self.read_more().await?;
        }
    }

    /// The next message. `idle`: how long to wait for it to begin, and the error after that.
    pub async fn receive(&mut self, idle: Option<(Duration, PgError)>) -> Result<Frame, End> {
        let frame = self.receive_or(idle, std::future::pending()).await?;
        Ok(frame.expect("what is pending for ever does not come first"))
    }

    /// The next message, where it has come.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, End> {
        message::take_frame(&mut self.input, self.shared.limits.message).map_err(End::Fatal)
    }

    /// The next message, or nothing once `woken` completes while there is none.
    pub async fn receive_or(
        &mut self,
        idle: Option<(Duration, PgError)>,
        woken: impl Future<Output = ()>,
    ) -> Result<Option<Frame>, End> {
        if let Some(frame) = self.next_frame()? {
            return Ok(Some(frame));
        }
        let shared = Arc::clone(&self.shared);
        let (limit, shutdown) = (shared.limits.message, &shared.shutdown);
        let too_idle = async {
            match idle {
                Some((limit, error)) => {
                    tokio::time::sleep(limit).await;
                    error
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            frame = self.read_until(|input| message::take_frame(input, limit)) => frame.map(Some),
            () = woken => Ok(None),
            () = shutdown.cancelled() => Err(End::Fatal(shutting_down())),
            error = too_idle => Err(End::Fatal(error)),
        }
    }

    /// Awaits `work` and watches the client meanwhile: when it hangs up, `work` is dropped.
    pub async fn watch<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        let mut work = std::pin::pin!(work);
        loop {
            let room = self.input.len() < READ_AHEAD;
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                read = self.read_more(), if room => read?,
            }
        }
    }

    /// [`Channel::watch`]; what `told` brings meanwhile is written by `write` and sent at once. A client that does not
    /// read holds up neither `work` nor its end.
    pub async fn watch_and_tell<T, N>(
        &mut self,
        told: &mut UnboundedReceiver<N>,
        write: impl Fn(&mut Vec<u8>, N),
        work: impl Future<Output = T>,
    ) -> Result<T, End> {
        // What was left behind by the statement before is no news.
        while told.try_recv().is_ok() {}
        let mut work = std::pin::pin!(work);
        let mut sending = false;
        loop {
            if sending {
                tokio::select! {
                    biased;
                    done = &mut work => return Ok(done),
                    sent = self.flush() => {
                        sent?;
                        sending = false;
                    }
                }
                continue;
            }
            let room = self.input.len() < READ_AHEAD;
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                Some(news) = told.recv() => {
                    write(&mut self.output, news);
                    sending = true;
                }
                read = self.read_more(), if room => read?,
            }
        }
    }

    /// Whether what has been written is a good piece to send.
    pub fn is_full(&self) -> bool {
        self.output.len() >= SEND_AT
    }

    /// Sends what has been written, if it is a good piece.
    pub async fn send_if_full(&mut self) -> Result<(), End> {
        match self.is_full() {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Sends what has been written. A client that does not read keeps this waiting; a shutdown ends it. Dropping this
    /// future loses nothing: what was not sent is still in `output`.
    pub async fn flush(&mut self) -> Result<(), End> {
        while self.sent < self.output.len() {
            tokio::select! {
                biased;
                written = self.socket.write(&self.output[self.sent..]) => match written? {
                    0 => return Err(End::Closed),
                    written => self.sent += written,
                },
                () = self.shared.shutdown.cancelled() => return Err(End::Closed),
            }
        }
        let length = std::mem::take(&mut self.sent) as u64;
        self.output.clear();
        // One huge row must not keep its memory for the life of the connection.
        if self.output.capacity() > 8 * SEND_AT {
            self.output = Vec::with_capacity(SEND_AT);
        }
        add(&self.shared.counters.bytes_sent, length);
        Ok(())
    }
}

pub fn shutting_down() -> PgError {
    PgError::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}
