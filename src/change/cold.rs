//! Rows that lie outside of memory: what the hot store asks of whoever has them.

use crate::types::PgResult;
use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Rows read from a file, piece by piece.
pub type ColdPieces = Box<dyn Iterator<Item = PgResult<RecordBatch>> + Send>;

/// Rows that lie in a file and stay there as long as this is held. Reading blocks the calling thread.
pub trait ColdRows: fmt::Debug + Send + Sync {
    /// How many there are.
    fn rows(&self) -> usize;

    /// These columns of the table, in storage form and this order; `rows`: only those with these numbers, which ascend.
    fn read(&self, columns: &[usize], rows: Option<&[u32]>) -> PgResult<ColdPieces>;

    /// Least and greatest value of a column, where they are known; they may be wider than the values.
    fn bounds(&self, column: usize) -> Option<(ScalarValue, ScalarValue)>;

    /// Bytes that they would take in memory, about.
    fn bytes(&self) -> usize;

    /// The name of the file.
    fn file(&self) -> &str;
}

/// `len` rows with ids from `id` on, at the rows of a [`ColdRows`] from `row` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRun {
    pub id: u64,
    pub row: u32,
    pub len: u32,
}

/// Rows in a file, and which rows of the table they are: ids and rows both ascend. Some may have none.
#[derive(Debug, Clone)]
pub struct ColdGroup {
    pub rows: Arc<dyn ColdRows>,
    pub ids: Vec<IdRun>,
}

impl ColdGroup {
    /// The least and the greatest id; `None`: there are none.
    pub fn span(&self) -> Option<RangeInclusive<u64>> {
        let (first, last) = (self.ids.first()?, self.ids.last()?);
        Some(first.id..=last.id + u64::from(last.len) - 1)
    }

    /// Of ascending ids the rows; `None` where one is not here.
    pub fn places(&self, ids: &[u64]) -> Option<Vec<u32>> {
        let mut runs = self.ids.iter();
        let mut run = *runs.next()?;
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            while run.id + u64::from(run.len) <= *id {
                run = *runs.next()?;
            }
            places.push(run.row + u32::try_from(id.checked_sub(run.id)?).ok()?);
        }
        Some(places)
    }
}
