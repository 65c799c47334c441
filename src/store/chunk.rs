//! A chunk: immutable rows, their ids, and when each of them died.

use super::RowId;
use super::cold::Cold;
use super::deaths::Deaths;
use super::filter::keep_rows;
use super::ids::Ids;
use super::key::{KeyColumn, KeyPart, key_columns};
use super::prefetch::prefetch_lines;
use crate::types::PgResult;
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use arrow::datatypes::{ArrowPrimitiveType, DataType};
use datafusion::common::ScalarValue;
use std::sync::{Arc, OnceLock};

pub(super) type Bounds = Option<(ScalarValue, ScalarValue)>;

/// The values of a chunk's rows.
#[derive(Debug)]
pub(super) enum Content {
    Resident(RecordBatch),
    /// In the lake, but for some columns.
    Cold(Box<Cold>),
}

/// A value for each column, each computed when first needed, and no memory before: the chunks of tiny ticks are many.
#[derive(Debug)]
struct PerColumn<T>(OnceLock<Box<[OnceLock<T>]>>);

impl<T> Default for PerColumn<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> PerColumn<T> {
    fn of(&self, columns: usize) -> &[OnceLock<T>] {
        self.0.get_or_init(|| (0..columns).map(|_| OnceLock::new()).collect())
    }
}

/// Immutable rows in ascending id order; only deaths are added. What a look-up reads stands together.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Chunk {
    pub ids: Ids,
    /// The columns by which rows are found, sharing the batch's buffers.
    pub keys: Vec<KeyColumn>,
    deaths: OnceLock<Deaths>,
    pub content: Content,
    /// The same as `keys` for secondary indexes, by column, made when an index first needs them.
    indexed: PerColumn<KeyColumn>,
    /// Min and max of each column, computed when first asked for.
    bounds: PerColumn<Bounds>,
    bytes: OnceLock<usize>,
}

impl Chunk {
    /// `batch` is not empty and has a row for each id.
    pub fn new(batch: RecordBatch, ids: Ids, parts: &[KeyPart]) -> PgResult<Self> {
        let keys = key_columns(batch.columns(), parts)?;
        Ok(Self::with_keys(batch, ids, keys))
    }

    /// The same with its key columns, which the caller has made.
    pub fn with_keys(batch: RecordBatch, ids: Ids, keys: Vec<KeyColumn>) -> Self {
        debug_assert_eq!(batch.num_rows(), ids.len());
        Self::with_content(Content::Resident(batch), ids, keys)
    }

    pub fn with_content(content: Content, ids: Ids, keys: Vec<KeyColumn>) -> Self {
        Self {
            content,
            ids,
            keys,
            indexed: PerColumn::default(),
            deaths: OnceLock::new(),
            bounds: PerColumn::default(),
            bytes: OnceLock::new(),
        }
    }

    /// The columns of a secondary index, which [`Chunk::prepare`] has made.
    pub fn indexed<'a>(&'a self, parts: &'a [KeyPart]) -> impl Iterator<Item = &'a KeyColumn> {
        parts.iter().filter_map(|part| self.indexed.0.get()?[part.column].get())
    }

    /// Makes the columns of a secondary index.
    pub fn prepare(&self, parts: &[KeyPart]) -> PgResult<()> {
        let indexed = self.indexed.of(self.columns());
        for part in parts.iter().filter(|part| indexed[part.column].get().is_none()) {
            let column = KeyColumn::new(&self.column(part.column)?, part.equality)?;
            indexed[part.column].get_or_init(|| column);
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    fn columns(&self) -> usize {
        match &self.content {
            Content::Resident(batch) => batch.num_columns(),
            Content::Cold(cold) => cold.columns(),
        }
    }

    /// A column with a value for each row, dead ones too.
    pub fn column(&self, column: usize) -> PgResult<ArrayRef> {
        match &self.content {
            Content::Resident(batch) => Ok(Arc::clone(batch.column(column))),
            Content::Cold(cold) => cold.column(column),
        }
    }

    pub fn cold(&self) -> Option<&Cold> {
        match &self.content {
            Content::Resident(_) => None,
            Content::Cold(cold) => Some(cold),
        }
    }

    /// How many rows are dead for the writer.
    pub fn dead(&self) -> usize {
        self.deaths.get().map_or(0, Deaths::count)
    }

    pub fn live(&self) -> usize {
        self.rows() - self.dead()
    }

    /// Does the row live for the writer?
    pub fn is_alive(&self, row: usize) -> bool {
        self.deaths.get().is_none_or(|deaths| deaths.is_alive(row))
    }

    pub fn alive_at(&self, row: usize, epoch: u64) -> bool {
        self.deaths.get().is_none_or(|deaths| deaths.alive_at(row, epoch))
    }

    /// The same, if few steps tell it.
    pub fn alive_soon(&self, row: usize, epoch: u64) -> Option<bool> {
        self.deaths.get().map_or(Some(true), |deaths| deaths.alive_soon(row, epoch))
    }

    /// Can the list of deaths hold this epoch? Not 2³² epochs after the chunk's first death: then it must be made anew.
    pub fn can_kill(&self, epoch: u64) -> bool {
        self.deaths.get().is_none_or(|deaths| deaths.can_hold(epoch))
    }

    /// Ends a living row from `epoch` on, which [`Chunk::can_kill`] has allowed. By the table's writer only.
    pub fn kill(&self, row: usize, epoch: u64) {
        self.deaths.get_or_init(|| Deaths::new(self.rows(), epoch)).kill(row, epoch);
    }

    /// Asks for what says whether a row lives, and for what says where its key is.
    #[inline]
    pub fn prefetch_state(&self, row: usize) {
        self.keys.iter().for_each(|key| prefetch_lines(key, 2));
        if let Some(deaths) = self.deaths.get() {
            deaths.prefetch(row);
        }
    }

    /// Asks for the key of a row.
    #[inline]
    pub fn prefetch_key(&self, row: usize) {
        self.keys.iter().for_each(|key| key.prefetch(row));
    }

    /// Asks for the bytes of the key, where those are elsewhere.
    #[inline]
    pub fn prefetch_bytes(&self, row: usize) {
        self.keys.iter().for_each(|key| key.prefetch_bytes(row));
    }

    /// The rows alive at `epoch`; `None`: all.
    pub fn mask_at(&self, epoch: u64) -> Option<BooleanBuffer> {
        let deaths = self.deaths.get()?;
        (deaths.base <= epoch).then(|| deaths.mask(epoch))
    }

    /// Rows from `start` on that live at `epoch`, and their ids if wanted; no copy where all live.
    pub fn live_rows(&self, start: usize, epoch: u64, projection: Option<&[usize]>) -> PgResult<RecordBatch> {
        let batch = match &self.content {
            Content::Cold(cold) => return cold.live_rows(start, self.mask_at(epoch), projection),
            Content::Resident(batch) => projected(batch, projection)?,
        };
        let batch = if start == 0 { batch } else { batch.slice(start, batch.num_rows() - start) };
        match self.mask_at(epoch) {
            None => Ok(batch),
            Some(mask) => keep_rows(&batch, mask.slice(start, batch.num_rows())),
        }
    }

    /// The living rows in pieces: those in memory as one, without a copy where none is dead.
    pub fn pieces(&self, epoch: u64, projection: Option<&[usize]>) -> PgResult<Pieces> {
        Ok(match &self.content {
            Content::Cold(cold) => Box::new(cold.live_pieces(0, self.mask_at(epoch), projection)?),
            Content::Resident(_) => Box::new(std::iter::once(self.live_rows(0, epoch, projection))),
        })
    }

    pub fn live_ids(&self, start: usize, epoch: u64) -> Vec<RowId> {
        let ids = self.ids.tail_from(start).into_iter().map(RowId);
        match self.mask_at(epoch) {
            None => ids.collect(),
            Some(mask) => {
                let rest = mask.slice(start, self.rows() - start);
                ids.zip(rest.iter()).filter(|(_, alive)| *alive).map(|(id, _)| id).collect()
            }
        }
    }

    pub fn bounds(&self, column: usize) -> Bounds {
        let known = self.bounds.of(self.columns()).get(column)?;
        let bounds = || match &self.content {
            Content::Resident(batch) => bounds_of(batch.column(column)),
            Content::Cold(cold) => cold.bounds(column),
        };
        known.get_or_init(bounds).clone()
    }

    pub fn data_bytes(&self) -> usize {
        *self.bytes.get_or_init(|| match &self.content {
            Content::Resident(batch) => batch.columns().iter().map(array_bytes).sum(),
            Content::Cold(cold) => cold.resident_bytes(),
        })
    }

    pub fn tombstone_bytes(&self) -> usize {
        self.deaths.get().map_or(0, Deaths::bytes) + self.ids.bytes()
    }
}

/// Living rows, piece by piece.
pub(super) type Pieces = Box<dyn Iterator<Item = PgResult<RecordBatch>> + Send>;

fn projected(batch: &RecordBatch, projection: Option<&[usize]>) -> PgResult<RecordBatch> {
    Ok(match projection {
        Some(columns) => batch.project(columns)?,
        None => batch.clone(),
    })
}

pub(super) fn array_bytes(array: &ArrayRef) -> usize {
    match array.data_type().primitive_width() {
        Some(width) => array.len() * width + array.nulls().map_or(0, |_| array.len().div_ceil(8)),
        None => array.to_data().get_slice_memory_size().unwrap_or(0),
    }
}

/// Longer texts make poor bounds.
const LONGEST_BOUND: usize = 128;

pub(super) fn bounds_of(array: &ArrayRef) -> Bounds {
    use arrow::datatypes as t;
    match array.data_type() {
        DataType::Int16 => primitive_bounds::<t::Int16Type>(array),
        DataType::Int32 => primitive_bounds::<t::Int32Type>(array),
        DataType::Int64 => primitive_bounds::<t::Int64Type>(array),
        DataType::UInt32 => primitive_bounds::<t::UInt32Type>(array),
        DataType::Date32 => primitive_bounds::<t::Date32Type>(array),
        DataType::Time64(t::TimeUnit::Microsecond) => primitive_bounds::<t::Time64MicrosecondType>(array),
        DataType::Timestamp(t::TimeUnit::Microsecond, _) => primitive_bounds::<t::TimestampMicrosecondType>(array),
        DataType::Decimal128(..) => primitive_bounds::<t::Decimal128Type>(array),
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            let (min, max) = (compute::min_string(text)?, compute::max_string(text)?);
            (min.len() <= LONGEST_BOUND && max.len() <= LONGEST_BOUND)
                .then(|| (ScalarValue::Utf8(Some(min.into())), ScalarValue::Utf8(Some(max.into()))))
        }
        _ => None,
    }
}

fn primitive_bounds<T: ArrowPrimitiveType>(array: &ArrayRef) -> Bounds
where
    T::Native: PartialOrd,
{
    let values = array.as_primitive::<T>();
    let pair = [compute::min(values)?, compute::max(values)?];
    let pair = PrimitiveArray::<T>::from_iter_values(pair).with_data_type(array.data_type().clone());
    Some((ScalarValue::try_from_array(&pair, 0).ok()?, ScalarValue::try_from_array(&pair, 1).ok()?))
}
