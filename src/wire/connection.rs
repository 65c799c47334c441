//! The loop of one session: messages in, replies out.
//!
//! Everything is written to the output buffer and sent at Sync, Flush, the end of a simple query, an error, or when the
//! buffer is full. After an error in the extended protocol everything up to the next Sync is skipped.

use super::add;
use super::channel::{Channel, End, shutting_down};
use super::copy;
use super::message::{Bind, Frame, Message, Target};
use super::portal::{Portal, State, no_portal, no_statement};
use super::reply::{self, Severity};
use super::rows::{Framing, Rows, describe};
use crate::sql::{
    CopyFormat, CopyIn, CopyOptions, CopyReader, Notice, Operation, Outcome, OutputColumn, Prepared, Ready, Session,
};
use crate::types::{Oid, PgError, PgResult, SqlState};
use datafusion::execution::SendableRecordBatchStream;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedReceiver;

pub struct Connection<'a, S> {
    channel: &'a mut Channel<S>,
    session: Session,
    /// What the session says while a statement runs.
    told: UnboundedReceiver<Notice>,
    statements: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
    /// After an error: skip until Sync.
    skipping: bool,
}

/// Why a message could not be answered.
enum Failure {
    Statement(PgError),
    Connection(End),
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Self::Statement(error)
    }
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        Self::Connection(end)
    }
}

type Handled<T = ()> = Result<T, Failure>;

/// How far a portal ran.
enum Progress {
    Suspended,
    Finished(String),
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    pub fn new(channel: &'a mut Channel<S>, mut session: Session) -> Self {
        let told = session.live_notices();
        Self { channel, session, told, statements: HashMap::new(), portals: HashMap::new(), skipping: false }
    }

    pub async fn run(&mut self, pid: i32, secret: i32) -> End {
        let out = &mut self.channel.output;
        reply::authentication_ok(out);
        self.parameter_changes();
        reply::backend_key(&mut self.channel.output, pid, secret);
        match self.serve().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        self.ready().await?;
        loop {
            // What has come already needs no waiting.
            if let Some(frame) = self.channel.next_frame()? {
                self.frame(frame).await?;
                continue;
            }
            let mailbox = Arc::clone(self.session.mailbox());
            let received = self.channel.receive_or(self.session.idle_limit(), mailbox.wake.notified()).await?;
            if self.session.is_terminated() {
                return Err(End::Fatal(shutting_down()));
            }
            let Some(frame) = received else {
                self.notifications();
                self.channel.flush().await?;
                continue;
            };
            self.frame(frame).await?;
        }
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), End> {
        if self.session.is_terminated() {
            return Err(End::Fatal(shutting_down()));
        }
        match self.skipping && !matches!(frame.tag, b'S' | b'X') {
            true => Ok(()),
            false => self.message(frame).await,
        }
    }

    async fn message(&mut self, frame: Frame) -> Result<(), End> {
        let extended = frame.is_extended();
        let tag = frame.tag;
        let handled = match frame.decode() {
            Ok(Message::Query(sql)) => return self.simple_query(&sql).await,
            Ok(Message::Sync) => return self.sync().await,
            Ok(Message::Terminate) => return Err(End::Closed),
            Ok(Message::Copy) => Ok(()),
            Ok(Message::Flush) => self.channel.flush().await.map_err(Failure::from),
            Ok(Message::FunctionCall) => Err(PgError::unsupported("the function call protocol").into()),
            Ok(Message::Parse { name, sql, types }) => self.parse(name, &sql, &types).await,
            Ok(Message::Bind(bind)) => self.bind(&bind),
            Ok(Message::Describe(target)) => self.describe(&target),
            Ok(Message::Execute { portal, max_rows }) => self.execute(&portal, max_rows).await,
            Ok(Message::Close(target)) => {
                self.close(target);
                Ok(())
            }
            Err(error) => Err(error.into()),
        };
        match handled {
            Ok(()) => self.channel.send_if_full().await,
            Err(Failure::Connection(end)) => Err(end),
            Err(Failure::Statement(error)) => {
                self.check_terminated()?;
                self.fail(&error, None);
                if extended {
                    self.skipping = true;
                    self.channel.flush().await
                } else if matches!(tag, b'Q' | b'F') {
                    self.ready().await
                } else {
                    self.channel.flush().await
                }
            }
        }
    }

    /// An error of a session that somebody has ended is its end.
    fn check_terminated(&self) -> Result<(), End> {
        match self.session.is_terminated() {
            true => Err(End::Fatal(shutting_down())),
            false => Ok(()),
        }
    }

    /// Tells of an error and aborts the transaction.
    fn fail(&mut self, error: &PgError, sql: Option<&str>) {
        add(&self.channel.shared.counters.errors, 1);
        self.notices();
        reply::error(&mut self.channel.output, Severity::Error, error, sql);
        self.session.fail();
    }

    async fn ready(&mut self) -> Result<(), End> {
        self.notices();
        self.parameter_changes();
        self.notifications();
        reply::ready(&mut self.channel.output, self.session.transaction_status());
        self.channel.flush().await
    }

    fn notices(&mut self) {
        for notice in self.session.take_notices() {
            reply::notice(&mut self.channel.output, notice.severity, &notice.error);
        }
    }

    /// What has come on the channels that the session listens to; not within a transaction.
    fn notifications(&mut self) {
        if self.session.transaction_status() != b'I' || self.session.mailbox().is_empty() {
            return;
        }
        for notification in self.session.mailbox().take() {
            reply::notification(&mut self.channel.output, &notification);
        }
    }

    fn parameter_changes(&mut self) {
        for (name, value) in self.session.take_parameter_changes() {
            reply::parameter_status(&mut self.channel.output, name, &value);
        }
    }

    /// Portals end with the transaction that they were made in.
    fn drop_ended_portals(&mut self) {
        let transaction = self.session.transaction_number();
        self.portals.retain(|_, portal| portal.transaction == transaction);
    }

    // The simple protocol.

    async fn simple_query(&mut self, sql: &str) -> Result<(), End> {
        self.statements.remove("");
        self.portals.remove("");
        // Where the error points into: the statement that failed is one of several.
        let mut offset = 0;
        match self.simple_statements(sql, &mut offset).await {
            Ok(()) => {}
            Err(Failure::Connection(end)) => return Err(end),
            Err(Failure::Statement(mut error)) => {
                if let Some(position) = error.rest.as_mut().and_then(|rest| rest.position.as_mut()) {
                    *position += offset;
                }
                self.check_terminated()?;
                self.fail(&error, Some(sql));
            }
        }
        self.end_implicit().await;
        self.ready().await
    }

    async fn simple_statements(&mut self, sql: &str, offset: &mut usize) -> Handled {
        self.session.set_pipelined(false);
        let operation = self.session.begin_statement();
        if let Some(ready) = self.session.answer(sql)? {
            return self.simple_answer(ready).await;
        }
        let statements = self.channel.watch(self.session.split(sql)).await??;
        if statements.is_empty() {
            reply::empty_query(&mut self.channel.output);
            return Ok(());
        }
        if statements.len() > 1 {
            self.session.begin_implicit();
        }
        let mut operation = Some(operation);
        let last = statements.len() - 1;
        for (nth, range) in statements.into_iter().enumerate() {
            *offset = range.start;
            let operation = match operation.take() {
                Some(operation) => operation,
                None => self.session.begin_statement(),
            };
            add(&self.channel.shared.counters.queries, 1);
            let prepared = self.channel.watch(self.session.parse(&sql[range], &[])).await??;
            let format = self.session.fetches_binary(&prepared).into();
            let execution = self.session.execute(&prepared, Vec::new());
            let outcome = self.channel.watch_and_tell(&mut self.told, notice, execution).await??;
            if nth == last && last > 0 && matches!(outcome, Outcome::Done { .. }) {
                // What cannot be committed was not done.
                let end = self.session.end_implicit();
                self.channel.watch_and_tell(&mut self.told, notice, end).await??;
            }
            self.simple_outcome(outcome, format, &operation).await?;
            *offset = 0;
        }
        Ok(())
    }

    /// Sends a result that was there already.
    async fn simple_answer(&mut self, ready: Ready) -> Handled {
        add(&self.channel.shared.counters.queries, 1);
        let Ready { columns, batches, tag } = ready;
        let formats = vec![0; columns.len()];
        describe(&mut self.channel.output, &columns, &formats);
        let (settings, names) = (self.session.text_settings(), self.session.object_names(&columns));
        let mut rows = Rows::ready(&columns, batches, &formats, &settings, names)?;
        let mut sent = 0;
        while rows.at_once()? == Some(true) {
            sent += rows.write(&mut self.channel.output, usize::MAX, Framing::DataRow)? as u64;
            self.channel.send_if_full().await?;
        }
        add(&self.channel.shared.counters.rows, sent);
        self.notices();
        reply::command_complete(&mut self.channel.output, &tag.with_count(sent));
        self.drop_ended_portals();
        Ok(())
    }

    async fn simple_outcome(&mut self, outcome: Outcome, format: i16, operation: &Operation) -> Handled {
        match outcome {
            Outcome::Empty => reply::empty_query(&mut self.channel.output),
            Outcome::Done { tag } => {
                self.notices();
                reply::command_complete(&mut self.channel.output, &tag);
            }
            Outcome::CopyIn(copy) => {
                let count = self.copy_in(&copy, operation).await?;
                self.notices();
                reply::command_complete(&mut self.channel.output, &format!("COPY {count}"));
            }
            Outcome::Rows { columns, stream, tag } => {
                let formats = vec![format; columns.len()];
                describe(&mut self.channel.output, &columns, &formats);
                let (settings, names) = (self.session.text_settings(), self.session.object_names(&columns));
                let mut rows = Rows::new(&columns, stream, &formats, &settings, names)?;
                let sent = send_rows(self.channel, &mut rows, usize::MAX, operation).await?;
                self.notices();
                reply::command_complete(&mut self.channel.output, &tag.with_count(sent));
            }
            Outcome::CopyOut { columns, stream, options } => {
                let count = self.copy_out(columns, stream, &options, operation).await?;
                self.notices();
                reply::command_complete(&mut self.channel.output, &format!("COPY {count}"));
            }
        }
        self.drop_ended_portals();
        self.channel.send_if_full().await?;
        Ok(())
    }

    /// Ends an implicit transaction, which may fail.
    async fn end_implicit(&mut self) {
        // A cancel and the timeout of the last statement mean its commit too.
        let ended = self.session.end_implicit().await;
        self.session.end_statement();
        if let Err(error) = ended {
            self.fail(&error, None);
        }
        self.drop_ended_portals();
    }

    // The extended protocol.

    async fn sync(&mut self) -> Result<(), End> {
        self.skipping = false;
        self.end_implicit().await;
        self.ready().await
    }

    async fn parse(&mut self, name: String, sql: &str, types: &[Oid]) -> Handled {
        if !name.is_empty() && self.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(PgError::new(SqlState::DUPLICATE_PREPARED, message).into());
        }
        if name.is_empty() {
            self.statements.remove("");
        }
        self.session.begin_statement();
        let parsed = self.channel.watch(self.session.parse(sql, types)).await?;
        let prepared = match parsed {
            Ok(prepared) => prepared,
            Err(error) => return self.fail_in(sql, &error).await,
        };
        self.statements.insert(name, prepared);
        reply::parse_complete(&mut self.channel.output);
        Ok(())
    }

    /// An error whose position points into `sql`.
    async fn fail_in(&mut self, sql: &str, error: &PgError) -> Handled {
        self.check_terminated()?;
        self.fail(error, Some(sql));
        self.skipping = true;
        self.channel.flush().await?;
        Ok(())
    }

    /// PREPARE makes statements for the protocol too, and the other way round.
    fn statement(&self, name: &str) -> PgResult<Arc<Prepared>> {
        let found = self.statements.get(name).cloned().or_else(|| self.session.prepared(name));
        found.ok_or_else(|| no_statement(name))
    }

    fn bind(&mut self, bind: &Bind) -> Handled {
        let prepared = self.statement(&bind.statement)?;
        if !bind.portal.is_empty() && self.portals.contains_key(&bind.portal) {
            let message = format!("cursor \"{}\" already exists", bind.portal);
            return Err(PgError::new(SqlState::DUPLICATE_CURSOR, message).into());
        }
        self.session.may_run(&prepared)?;
        let settings = self.session.text_settings();
        let portal = Portal::new(bind, &prepared, &settings, self.session.transaction_number())?;
        self.portals.insert(bind.portal.clone(), portal);
        reply::bind_complete(&mut self.channel.output);
        Ok(())
    }

    fn describe(&mut self, target: &Target) -> Handled {
        let out = &mut self.channel.output;
        let (prepared, formats) = match target {
            Target::Statement(name) => {
                let found = self.statements.get(name).cloned().or_else(|| self.session.prepared(name));
                let prepared = found.ok_or_else(|| no_statement(name))?;
                reply::parameter_description(out, &prepared.params);
                (prepared, Vec::new())
            }
            Target::Portal(name) => {
                let Some(portal) = self.portals.get(name) else {
                    // A cursor is a portal too: drivers declare one and ask for its columns.
                    let columns = self.session.cursor_columns(name).ok_or_else(|| no_portal(name))?;
                    describe(out, &columns, &vec![0; columns.len()]);
                    return Ok(());
                };
                (Arc::clone(&portal.prepared), portal.formats.clone())
            }
        };
        match &prepared.columns {
            Some(columns) => describe(out, columns, &formats),
            None => reply::no_data(out),
        }
        Ok(())
    }

    fn close(&mut self, target: Target) {
        match target {
            Target::Statement(name) => {
                self.statements.remove(&name);
            }
            Target::Portal(name) => {
                self.portals.remove(&name);
            }
        }
        reply::close_complete(&mut self.channel.output);
    }

    async fn execute(&mut self, name: &str, max_rows: usize) -> Handled {
        // Out of the map while it runs: an error loses it, as PostgreSQL's failed portals are of no use.
        let mut portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        let operation = self.session.begin_statement();
        // With Sync right behind it, the statement is a transaction of its own.
        self.session.set_pipelined(self.channel.input.first() != Some(&b'S'));
        let ran = self.run_portal(&mut portal, max_rows, &operation).await;
        self.session.end_statement();
        let progress = match ran {
            Ok(progress) => progress,
            Err(Failure::Statement(error)) => {
                let sql = portal.prepared.text.clone();
                return self.fail_in(&sql, &error).await;
            }
            Err(end) => return Err(end),
        };
        self.notices();
        match progress {
            Progress::Suspended => reply::portal_suspended(&mut self.channel.output),
            Progress::Finished(tag) if tag.is_empty() => reply::empty_query(&mut self.channel.output),
            Progress::Finished(tag) => reply::command_complete(&mut self.channel.output, &tag),
        }
        self.portals.insert(name.to_owned(), portal);
        self.drop_ended_portals();
        Ok(())
    }

    async fn run_portal(&mut self, portal: &mut Portal, max_rows: usize, operation: &Operation) -> Handled<Progress> {
        let mut parameters = None;
        if matches!(portal.state, State::New) {
            add(&self.channel.shared.counters.queries, 1);
            let given = std::mem::take(&mut portal.parameters);
            portal.state = State::Failed;
            if let Some(ready) = self.session.ready(&portal.prepared, &given)? {
                let Ready { columns, batches, tag } = ready;
                let (settings, names) = (self.session.text_settings(), self.session.object_names(&columns));
                let rows = Rows::ready(&columns, batches, &portal.formats, &settings, names)?;
                portal.state = State::Rows { rows: Box::new(rows), tag };
            } else {
                parameters = Some(given);
            }
        }
        if let Some(parameters) = parameters {
            let execution = self.session.execute(&portal.prepared, parameters);
            match self.channel.watch_and_tell(&mut self.told, notice, execution).await?? {
                Outcome::Empty => {
                    portal.state = State::Done { rows: None };
                    return Ok(Progress::Finished(String::new()));
                }
                Outcome::Done { tag } => {
                    portal.state = State::Done { rows: None };
                    return Ok(Progress::Finished(tag));
                }
                Outcome::CopyOut { columns, stream, options } => {
                    let count = self.copy_out(columns, stream, &options, operation).await?;
                    portal.state = State::Done { rows: None };
                    return Ok(Progress::Finished(format!("COPY {count}")));
                }
                Outcome::CopyIn(copy) => {
                    let count = self.copy_in(&copy, operation).await?;
                    portal.state = State::Done { rows: None };
                    return Ok(Progress::Finished(format!("COPY {count}")));
                }
                Outcome::Rows { columns, stream, tag } => {
                    let (settings, names) = (self.session.text_settings(), self.session.object_names(&columns));
                    let rows = Rows::new(&columns, stream, &portal.formats, &settings, names)?;
                    portal.state = State::Rows { rows: Box::new(rows), tag };
                }
            }
        }
        match &mut portal.state {
            State::Rows { rows, tag } => {
                let most = if max_rows == 0 { usize::MAX } else { max_rows };
                let sent = send_rows(self.channel, rows, most, operation).await?;
                if sent == most as u64 {
                    return Ok(Progress::Suspended);
                }
                let tag = *tag;
                portal.state = State::Done { rows: Some(tag) };
                Ok(Progress::Finished(tag.with_count(sent)))
            }
            State::Done { rows: Some(tag) } => Ok(Progress::Finished(tag.with_count(0))),
            State::New | State::Failed | State::Done { rows: None } => {
                let error = PgError::new(SqlState::OBJECT_NOT_IN_STATE, "portal cannot be run");
                Err(error.into())
            }
        }
    }

    /// Takes rows from the client until it says that they are all.
    async fn copy_in(&mut self, copy: &CopyIn, operation: &Operation) -> Handled<u64> {
        reply::copy_in(&mut self.channel.output, copy.options.format == CopyFormat::Binary, copy.columns.len());
        self.channel.flush().await?;
        let mut reader = CopyReader::new(copy, &self.session.text_settings());
        loop {
            let frame = operation.guard(self.channel.receive(None)).await??;
            match frame.tag {
                b'd' => reader.feed(&frame.body)?,
                b'c' => break,
                b'f' => {
                    let end = frame.body.iter().position(|b| *b == 0).unwrap_or(frame.body.len());
                    let reason = String::from_utf8_lossy(&frame.body[..end]);
                    let message = format!("COPY from stdin failed: {reason}");
                    return Err(PgError::new(SqlState::QUERY_CANCELED, message).into());
                }
                // What the extended protocol sends ahead.
                b'H' | b'S' => {}
                tag => {
                    let message = format!("unexpected message type 0x{tag:02X} during COPY from stdin");
                    return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message).into());
                }
            }
        }
        let rows = reader.finish()?;
        let written = self.session.copy_in(copy, rows, operation);
        Ok(self.channel.watch(written).await??)
    }

    async fn copy_out(
        &mut self,
        columns: Arc<[OutputColumn]>,
        stream: SendableRecordBatchStream,
        options: &CopyOptions,
        operation: &Operation,
    ) -> Handled<u64> {
        let settings = self.session.text_settings();
        let formats = vec![i16::from(options.format == CopyFormat::Binary); columns.len()];
        let mut lines = copy::LineWriter::new(&columns, &settings)?;
        let names = self.session.object_names(&columns);
        let mut rows = Rows::new(&columns, stream, &formats, &settings, names)?;
        copy::begin(&mut self.channel.output, &columns, options);
        let mut count = 0;
        if options.format == CopyFormat::Binary {
            rows.prefix = copy::BINARY_HEADER;
            count = send(self.channel, &mut rows, usize::MAX, Framing::CopyBinary, operation).await?;
        } else {
            while self.channel.watch(operation.guard(rows.advance())).await??? {
                let Some(batch) = rows.take_batch() else { continue };
                let mut row = 0;
                while row < batch.num_rows() {
                    row = lines.write(&batch, row, options, &mut self.channel.output)?;
                    operation.guard(self.channel.send_if_full()).await??;
                }
                count += batch.num_rows() as u64;
            }
        }
        copy::end(&mut self.channel.output, options, rows.prefix);
        add(&self.channel.shared.counters.rows, count);
        Ok(count)
    }
}

fn notice(out: &mut Vec<u8>, notice: Notice) {
    reply::notice(out, notice.severity, &notice.error);
}

async fn send_rows<S: AsyncRead + AsyncWrite + Unpin>(
    channel: &mut Channel<S>,
    rows: &mut Rows,
    most: usize,
    operation: &Operation,
) -> Handled<u64> {
    let sent = send(channel, rows, most, Framing::DataRow, operation).await?;
    add(&channel.shared.counters.rows, sent);
    Ok(sent)
}

/// Sends up to `most` rows, as fast as the client takes them; gives how many.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    channel: &mut Channel<S>,
    rows: &mut Rows,
    most: usize,
    framing: Framing,
    operation: &Operation,
) -> Handled<u64> {
    let mut sent = 0;
    while sent < most {
        let more = match rows.at_once()? {
            Some(known) => known,
            None => channel.watch(operation.guard(rows.advance())).await???,
        };
        if !more {
            break;
        }
        sent += rows.write(&mut channel.output, most - sent, framing)?;
        if channel.is_full() {
            operation.guard(channel.flush()).await??;
        }
    }
    Ok(sent as u64)
}
