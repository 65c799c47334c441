//! SQL cursors: DECLARE, FETCH, MOVE, CLOSE. They go forward only.

use super::OutputColumn;
use super::database::now_us;
use super::session::{Outcome, RowsTag};
use crate::pg_catalog::CursorRow;
use crate::types::{PgError, PgResult, SqlState};
use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use pg_query::protobuf::{DeclareCursorStmt, FetchDirection, FetchStmt};
use std::sync::Arc;

/// Bits of `DeclareCursorStmt.options`.
const BINARY: i32 = 0x1;
const SCROLL: i32 = 0x2;
const HOLD: i32 = 0x20;

/// Whether the cursor outlives its transaction.
pub fn options(statement: &DeclareCursorStmt) -> PgResult<bool> {
    if statement.options & BINARY != 0 {
        return Err(PgError::unsupported("DECLARE BINARY CURSOR"));
    }
    if statement.options & SCROLL != 0 {
        return Err(PgError::unsupported("DECLARE SCROLL CURSOR"));
    }
    Ok(statement.options & HOLD != 0)
}

pub struct Cursor {
    pub columns: Arc<[OutputColumn]>,
    stream: SendableRecordBatchStream,
    /// What was taken from the stream and not yet fetched.
    rest: Option<RecordBatch>,
    pub hold: bool,
    statement: String,
    created_us: i64,
}

impl Cursor {
    pub fn new(columns: Arc<[OutputColumn]>, stream: SendableRecordBatchStream, hold: bool, statement: &str) -> Self {
        let (statement, created_us) = (statement.to_owned(), now_us());
        Self { columns, stream, rest: None, hold, statement, created_us }
    }

    /// Its row of `pg_cursors`.
    pub fn row(&self, name: &str) -> CursorRow {
        CursorRow {
            name: name.to_owned(),
            statement: self.statement.clone(),
            holdable: self.hold,
            binary: false,
            scrollable: false,
            created_us: self.created_us,
        }
    }

    /// Up to `count` rows. They are held in memory until they are sent, so a FETCH ALL of a large result is not as
    /// good as the query itself.
    async fn take(&mut self, mut count: usize) -> PgResult<Vec<RecordBatch>> {
        let mut taken = Vec::new();
        while count > 0 {
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => match self.stream.next().await {
                    Some(batch) => batch?,
                    None => break,
                },
            };
            let rows = batch.num_rows().min(count);
            count -= rows;
            if rows < batch.num_rows() {
                self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
            }
            taken.push(batch.slice(0, rows));
        }
        Ok(taken)
    }

    pub async fn fetch(&mut self, statement: &FetchStmt) -> PgResult<Outcome> {
        let count = match (statement.direction(), statement.how_many) {
            (FetchDirection::FetchForward, count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
            (FetchDirection::FetchRelative, 1) => 1,
            (direction, count) => {
                let what = if count == 0 { "Fetching the row before again" } else { "Going back" };
                let error = PgError::new(SqlState::OBJECT_NOT_IN_STATE, "cursor can only scan forward");
                return Err(error.detail(format!("{what} is not supported ({direction:?} {count}).")));
            }
        };
        if count == 0 {
            return Err(PgError::unsupported("FETCH 0"));
        }
        let schema = self.stream.schema();
        let batches = self.take(count).await?;
        if statement.ismove {
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            return Ok(Outcome::Done { tag: format!("MOVE {rows}") });
        }
        let stream = RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches.into_iter().map(Ok)));
        let columns = Arc::clone(&self.columns);
        Ok(Outcome::Rows { columns, stream: Box::pin(stream), tag: RowsTag::counted("FETCH") })
    }
}

pub fn no_cursor(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
