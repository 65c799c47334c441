//! SQL cursors: DECLARE, FETCH, MOVE, CLOSE.
//!
//! A cursor takes its rows from the running query as they are fetched. With SCROLL it keeps those that it has taken, up to
//! [`KEPT`] bytes, and goes back over them; without, it goes forward only.

use super::OutputColumn;
use super::database::now_us;
use super::session::{Outcome, RowsTag};
use crate::pg_catalog::CursorRow;
use crate::types::{PgError, PgResult, SqlState};
use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use pg_query::protobuf::{DeclareCursorStmt, FetchDirection, FetchStmt};
use std::sync::Arc;

/// Bits of `DeclareCursorStmt.options`.
const BINARY: i32 = 0x1;
const SCROLL: i32 = 0x2;
const HOLD: i32 = 0x20;

/// Bytes that a cursor with SCROLL keeps at most.
const KEPT: usize = 256 << 20;

/// What DECLARE says besides the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// It outlives its transaction.
    pub hold: bool,
    /// It goes back, too.
    pub scroll: bool,
    /// FETCH gives its rows in binary form where the protocol does not ask for a form.
    pub binary: bool,
}

impl Options {
    pub fn read(statement: &DeclareCursorStmt) -> PgResult<Self> {
        let has = |option: i32| statement.options & option != 0;
        Ok(Self { hold: has(HOLD), scroll: has(SCROLL), binary: has(BINARY) })
    }
}

pub struct Cursor {
    pub columns: Arc<[OutputColumn]>,
    stream: SendableRecordBatchStream,
    /// What was taken from the stream: with SCROLL all of it, else what was not fetched yet.
    kept: Vec<RecordBatch>,
    /// Rows before the first of `kept`.
    gone: usize,
    bytes: usize,
    ended: bool,
    /// The row that it stands on, from 1; 0: before the first; one more than there are: after the last.
    at: usize,
    pub options: Options,
    statement: String,
    created_us: i64,
}

/// Where a FETCH goes: the rows that it gives (from 1; a descending pair goes back), and where it stands then.
struct Step {
    first: usize,
    last: usize,
    back: bool,
    at: usize,
}

impl Cursor {
    pub fn new(
        columns: Arc<[OutputColumn]>,
        stream: SendableRecordBatchStream,
        options: Options,
        statement: &str,
    ) -> Self {
        let (statement, created_us) = (statement.to_owned(), now_us());
        let (kept, gone, bytes, ended, at) = (Vec::new(), 0, 0, false, 0);
        Self { columns, stream, kept, gone, bytes, ended, at, options, statement, created_us }
    }

    /// Its row of `pg_cursors`.
    pub fn row(&self, name: &str) -> CursorRow {
        CursorRow {
            name: name.to_owned(),
            statement: self.statement.clone(),
            holdable: self.options.hold,
            binary: self.options.binary,
            scrollable: self.options.scroll,
            created_us: self.created_us,
        }
    }

    /// Rows that were taken from the query.
    fn taken(&self) -> usize {
        self.gone + self.kept.iter().map(RecordBatch::num_rows).sum::<usize>()
    }

    /// Takes rows until there are `wanted`, or no more; gives how many there are.
    async fn reach(&mut self, wanted: usize) -> PgResult<usize> {
        let mut taken = self.taken();
        while taken < wanted && !self.ended {
            match self.stream.next().await {
                Some(batch) => {
                    let batch = batch?;
                    taken += batch.num_rows();
                    self.bytes += batch.get_array_memory_size();
                    self.kept.push(batch);
                    if self.options.scroll && self.bytes > KEPT {
                        let message = format!("a cursor with SCROLL keeps at most {} MB", KEPT >> 20);
                        return Err(PgError::new(SqlState::OUT_OF_MEMORY, message)
                            .hint("Declare it without SCROLL: then it keeps nothing and goes forward only."));
                    }
                }
                None => self.ended = true,
            }
            if !self.options.scroll && wanted == usize::MAX {
                continue;
            }
        }
        Ok(taken)
    }

    /// Rows `first` to `last`, which have been taken.
    fn slice(&self, first: usize, last: usize) -> Vec<RecordBatch> {
        let mut found = Vec::new();
        let mut before = self.gone;
        for batch in &self.kept {
            let (from, to) = (first.max(before + 1), last.min(before + batch.num_rows()));
            if from <= to {
                found.push(batch.slice(from - before - 1, to - from + 1));
            }
            before += batch.num_rows();
        }
        found
    }

    /// Forgets what a cursor without SCROLL has passed.
    fn pass(&mut self) {
        if self.options.scroll {
            return;
        }
        while let Some(first) = self.kept.first().map(RecordBatch::num_rows) {
            if self.gone + first > self.at {
                return;
            }
            self.gone += first;
            self.bytes -= self.kept.remove(0).get_array_memory_size().min(self.bytes);
        }
    }

    async fn forward(&mut self, count: usize) -> PgResult<Step> {
        let first = self.at + 1;
        let last = self.at.saturating_add(count);
        let there = self.reach(last).await?;
        let at = if last > there { there + 1 } else { last };
        Ok(Step { first, last: last.min(there), back: false, at })
    }

    async fn absolute(&mut self, row: usize) -> PgResult<Step> {
        let there = self.reach(row).await?;
        Ok(match row {
            0 => Step { first: 1, last: 0, back: false, at: 0 },
            row if row > there => Step { first: 1, last: 0, back: false, at: there + 1 },
            row => Step { first: row, last: row, back: false, at: row },
        })
    }

    fn backward(&self, count: usize) -> Step {
        let last = self.at.saturating_sub(1);
        let first = self.at.saturating_sub(count).max(1);
        let at = self.at.saturating_sub(count);
        Step { first, last, back: true, at }
    }

    async fn step(&mut self, direction: FetchDirection, count: i64) -> PgResult<Step> {
        use FetchDirection as D;
        // FETCH ALL says so by the largest number.
        let size = |count: i64| match count.unsigned_abs() {
            size if size >= i64::MAX as u64 => usize::MAX,
            size => usize::try_from(size).unwrap_or(usize::MAX),
        };
        let again = self.at..=self.at;
        match (direction, count) {
            (D::FetchForward, 1..) => self.forward(size(count)).await,
            (D::FetchBackward, ..=-1) => self.forward(size(count)).await,
            (D::FetchForward | D::FetchBackward | D::FetchRelative, 0) => {
                let there = self.taken();
                let on_row = self.at > 0 && self.at <= there;
                let (first, last) = if on_row { (*again.start(), *again.end()) } else { (1, 0) };
                Ok(Step { first, last, back: false, at: self.at })
            }
            (D::FetchForward | D::FetchBackward, _) => Ok(self.backward(size(count))),
            (D::FetchAbsolute, 0..) => self.absolute(size(count)).await,
            (D::FetchAbsolute, _) => {
                let there = self.reach(usize::MAX).await?;
                match (there + 1).checked_sub(size(count)).filter(|row| *row > 0) {
                    Some(row) => self.absolute(row).await,
                    None => self.absolute(0).await,
                }
            }
            (D::FetchRelative, 1..) => self.absolute(self.at.saturating_add(size(count))).await,
            (D::FetchRelative, _) => match self.at.checked_sub(size(count)) {
                Some(row) => self.absolute(row).await,
                None => self.absolute(0).await,
            },
            (D::Undefined, _) => Err(PgError::internal("a FETCH without a direction")),
        }
    }

    /// Whether a cursor that goes forward only can do this.
    fn is_forward(&self, direction: FetchDirection, count: i64) -> bool {
        match direction {
            FetchDirection::FetchForward | FetchDirection::FetchRelative => count > 0,
            FetchDirection::FetchBackward => count < 0,
            FetchDirection::FetchAbsolute => usize::try_from(count).is_ok_and(|row| row > self.at),
            FetchDirection::Undefined => false,
        }
    }

    /// Runs FETCH or MOVE. The rows are held in memory until they are sent, so a FETCH ALL of a large result is not as
    /// good as the query itself.
    pub async fn fetch(&mut self, statement: &FetchStmt) -> PgResult<Outcome> {
        let (direction, count) = (statement.direction(), statement.how_many);
        if !self.options.scroll && !self.is_forward(direction, count) {
            return Err(PgError::new(SqlState::OBJECT_NOT_IN_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan."));
        }
        let schema = self.stream.schema();
        let step = self.step(direction, count).await?;
        let mut batches = match step.first <= step.last {
            true => self.slice(step.first, step.last),
            false => Vec::new(),
        };
        if step.back {
            batches = batches.into_iter().rev().map(|batch| reversed(&batch)).collect::<PgResult<_>>()?;
        }
        self.at = step.at;
        self.pass();
        if statement.ismove {
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            return Ok(Outcome::Done { tag: format!("MOVE {rows}") });
        }
        let stream = RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches.into_iter().map(Ok)));
        let columns = Arc::clone(&self.columns);
        Ok(Outcome::Rows { columns, stream: Box::pin(stream), tag: RowsTag::counted("FETCH") })
    }
}

/// The rows from the last to the first.
fn reversed(batch: &RecordBatch) -> PgResult<RecordBatch> {
    let rows: UInt64Array = (0..batch.num_rows() as u64).rev().collect::<Vec<_>>().into();
    Ok(take_record_batch(batch, &rows)?)
}

pub fn no_cursor(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
