//! A chunk: immutable rows, their ids, and when each of them died.

use super::RowId;
use super::key::{KeyColumn, KeyPart, key_columns};
use crate::types::PgResult;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{self, FilterBuilder};
use arrow::datatypes::{ArrowPrimitiveType, DataType};
use arrow::util::bit_util;
use datafusion::common::ScalarValue;
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The ids of a chunk's rows, ascending.
#[derive(Debug, Clone)]
pub(super) enum Ids {
    /// As they came.
    Contiguous { first: u64, len: usize },
    /// With gaps: distance from `first`.
    Near { first: u64, offsets: Vec<u32> },
    /// With gaps that 32 bits cannot hold.
    Far(Vec<u64>),
}

impl Ids {
    /// `ids`: ascending, not empty.
    pub fn from_ascending(ids: Vec<u64>) -> Self {
        let (first, last) = (ids[0], ids[ids.len() - 1]);
        if last - first == ids.len() as u64 - 1 {
            Ids::Contiguous { first, len: ids.len() }
        } else if u32::try_from(last - first).is_ok() {
            Ids::Near { first, offsets: ids.iter().map(|id| (id - first) as u32).collect() }
        } else {
            Ids::Far(ids)
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Ids::Contiguous { len, .. } => *len,
            Ids::Near { offsets, .. } => offsets.len(),
            Ids::Far(ids) => ids.len(),
        }
    }

    pub fn get(&self, row: usize) -> u64 {
        match self {
            Ids::Contiguous { first, .. } => first + row as u64,
            Ids::Near { first, offsets } => first + u64::from(offsets[row]),
            Ids::Far(ids) => ids[row],
        }
    }

    pub fn first(&self) -> u64 {
        self.get(0)
    }

    pub fn last(&self) -> u64 {
        self.get(self.len() - 1)
    }

    /// The row with this id.
    pub fn find(&self, id: u64) -> Option<usize> {
        let row = self.rank(id);
        (row < self.len() && self.get(row) == id).then_some(row)
    }

    /// How many ids are below `id`.
    pub fn rank(&self, id: u64) -> usize {
        match self {
            Ids::Contiguous { first, len } => (id.saturating_sub(*first) as usize).min(*len),
            Ids::Near { first, offsets } => match u32::try_from(id.saturating_sub(*first)) {
                Ok(offset) => rank_near(offsets, offset),
                Err(_) => offsets.len(),
            },
            Ids::Far(ids) => ids.partition_point(|other| *other < id),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Ids::Contiguous { .. } => 0,
            Ids::Near { offsets, .. } => offsets.capacity() * 4,
            Ids::Far(ids) => ids.capacity() * 8,
        }
    }
}

/// The rank of `offset`, from a guess by proportion and a search in growing steps around it: the gaps are spread over
/// the chunk, so the guess is near and the search stays in a few cache lines.
fn rank_near(offsets: &[u32], offset: u32) -> usize {
    let last = offsets[offsets.len() - 1];
    if offset > last {
        return offsets.len();
    }
    let guess = (u64::from(offset) * (offsets.len() as u64 - 1) / u64::from(last.max(1))) as usize;
    let (mut low, mut high) = (guess, guess);
    let mut step = 8;
    while low > 0 && offsets[low] >= offset {
        low = low.saturating_sub(step);
        step *= 2;
    }
    step = 8;
    while high < offsets.len() && offsets[high] < offset {
        high = (high + step).min(offsets.len());
        step *= 2;
    }
    low + offsets[low..high].partition_point(|other| *other < offset)
}

/// The stamp of a row that lives.
const ALIVE: u32 = u32::MAX;

/// For each row the epoch from which it is dead, relative to `base`. Written by the table's one writer; a snapshot of
/// epoch *e* may read while that happens: what it can miss are stamps above *e*, and they say "alive" to it like
/// [`ALIVE`] does.
#[derive(Debug)]
struct Deaths {
    /// Stamp 0: the epoch of the first death.
    base: u64,
    stamps: Box<[AtomicU32]>,
    count: AtomicU32,
    /// The newest epoch in `stamps`.
    last: AtomicU64,
    /// The mask of the newest scan: scans of one tick, and of the next ones while nothing dies here, share it.
    mask: Mutex<Option<(u64, BooleanBuffer)>>,
}

impl Deaths {
    fn new(rows: usize, base: u64) -> Self {
        let stamps = (0..rows).map(|_| AtomicU32::new(ALIVE)).collect();
        Self { base, stamps, count: AtomicU32::new(0), last: AtomicU64::new(base), mask: Mutex::new(None) }
    }

    fn alive_at(&self, row: usize, epoch: u64) -> bool {
        match self.stamps[row].load(Ordering::Relaxed) {
            ALIVE => true,
            stamp => self.base + u64::from(stamp) > epoch,
        }
    }

    fn mask(&self, epoch: u64) -> BooleanBuffer {
        if epoch == NOW {
            // The writer's view changes without a publish: never remembered.
            return self.collect(epoch);
        }
        let last = self.last.load(Ordering::Acquire);
        if let Some((built, mask)) = &*self.mask.lock() {
            // Every stamp up to `epoch` was there when `epoch` was published. So where none is above `built`, the
            // masks of the two are one.
            if *built == epoch || (*built < epoch && last <= *built) {
                return mask.clone();
            }
        }
        let mask = self.collect(epoch);
        let mut cached = self.mask.lock();
        if cached.as_ref().is_none_or(|(built, _)| *built < epoch) {
            *cached = Some((epoch, mask.clone()));
        }
        mask
    }

    fn collect(&self, epoch: u64) -> BooleanBuffer {
        // Alive is a stamp above `limit`; ALIVE is above all that a stamp can be.
        let limit = (epoch - self.base).min(u64::from(ALIVE) - 1) as u32;
        BooleanBuffer::collect_bool(self.stamps.len(), |row| self.stamps[row].load(Ordering::Relaxed) > limit)
    }
}

/// The epoch of the writer's own view: every death counts.
pub(super) const NOW: u64 = u64::MAX;

type Bounds = Option<(ScalarValue, ScalarValue)>;

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

/// Immutable rows in ascending id order; only death stamps are added.
#[derive(Debug)]
pub(super) struct Chunk {
    pub batch: RecordBatch,
    pub ids: Ids,
    /// The columns by which rows are found, sharing the batch's buffers.
    pub keys: Vec<KeyColumn>,
    /// The same for secondary indexes, by column, made when an index first needs them.
    indexed: PerColumn<KeyColumn>,
    deaths: OnceLock<Deaths>,
    /// Min and max of each column, computed when first asked for.
    bounds: PerColumn<Bounds>,
    bytes: OnceLock<usize>,
}

impl Chunk {
    /// `batch` is not empty and has a row for each id.
    pub fn new(batch: RecordBatch, ids: Ids, parts: &[KeyPart]) -> PgResult<Self> {
        let keys = key_columns(batch.columns(), parts)?;
        debug_assert_eq!(batch.num_rows(), ids.len());
        Ok(Self {
            batch,
            ids,
            keys,
            indexed: PerColumn::default(),
            deaths: OnceLock::new(),
            bounds: PerColumn::default(),
            bytes: OnceLock::new(),
        })
    }

    /// The columns of a secondary index, which [`Chunk::prepare`] has made.
    pub fn indexed<'a>(&'a self, parts: &'a [KeyPart]) -> impl Iterator<Item = &'a KeyColumn> {
        parts.iter().filter_map(|part| self.indexed.0.get()?[part.column].get())
    }

    /// Makes the columns of a secondary index.
    pub fn prepare(&self, parts: &[KeyPart]) -> PgResult<()> {
        let indexed = self.indexed.of(self.batch.num_columns());
        for part in parts.iter().filter(|part| indexed[part.column].get().is_none()) {
            let column = KeyColumn::new(self.batch.column(part.column), part.equality)?;
            indexed[part.column].get_or_init(|| column);
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// How many rows are dead for the writer.
    pub fn dead(&self) -> usize {
        self.deaths.get().map_or(0, |deaths| deaths.count.load(Ordering::Relaxed) as usize)
    }

    pub fn live(&self) -> usize {
        self.rows() - self.dead()
    }

    /// Does the row live for the writer?
    pub fn is_alive(&self, row: usize) -> bool {
        self.deaths.get().is_none_or(|deaths| deaths.stamps[row].load(Ordering::Relaxed) == ALIVE)
    }

    pub fn alive_at(&self, row: usize, epoch: u64) -> bool {
        self.deaths.get().is_none_or(|deaths| deaths.alive_at(row, epoch))
    }

    /// Can the stamps hold this epoch? Not 2³² epochs after the chunk's first death: then it must be made anew.
    pub fn can_kill(&self, epoch: u64) -> bool {
        self.deaths.get().is_none_or(|deaths| epoch - deaths.base < u64::from(ALIVE))
    }

    /// Ends a living row from `epoch` on, which [`Chunk::can_kill`] has allowed. By the table's writer only.
    pub fn kill(&self, row: usize, epoch: u64) {
        let deaths = self.deaths.get_or_init(|| Deaths::new(self.rows(), epoch));
        deaths.stamps[row].store((epoch - deaths.base) as u32, Ordering::Relaxed);
        deaths.count.store(deaths.count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        deaths.last.store(epoch, Ordering::Release);
    }

    /// The rows alive at `epoch`; `None`: all.
    fn mask_at(&self, epoch: u64) -> Option<BooleanBuffer> {
        let deaths = self.deaths.get()?;
        (deaths.base <= epoch).then(|| deaths.mask(epoch))
    }

    /// Rows from `start` on that live at `epoch`, and their ids if wanted; no copy where all live.
    pub fn live_rows(&self, start: usize, epoch: u64, projection: Option<&[usize]>) -> PgResult<RecordBatch> {
        let batch = match projection {
            Some(columns) => self.batch.project(columns)?,
            None => self.batch.clone(),
        };
        let batch = if start == 0 { batch } else { batch.slice(start, batch.num_rows() - start) };
        match self.mask_at(epoch) {
            None => Ok(batch),
            Some(mask) => {
                let mask = BooleanArray::new(mask.slice(start, batch.num_rows()), None);
                let mut filter = FilterBuilder::new(&mask);
                if batch.num_columns() > 1 {
                    filter = filter.optimize();
                }
                Ok(filter.build().filter_record_batch(&batch)?)
            }
        }
    }

    pub fn live_ids(&self, start: usize, epoch: u64) -> Vec<RowId> {
        match self.mask_at(epoch) {
            None => (start..self.rows()).map(|row| RowId(self.ids.get(row))).collect(),
            Some(mask) => {
                let rest = mask.slice(start, self.rows() - start);
                rest.set_indices().map(|row| RowId(self.ids.get(start + row))).collect()
            }
        }
    }

    pub fn bounds(&self, column: usize) -> Bounds {
        self.bounds
            .of(self.batch.num_columns())
            .get(column)?
            .get_or_init(|| bounds_of(self.batch.column(column)))
            .clone()
    }

    pub fn data_bytes(&self) -> usize {
        *self.bytes.get_or_init(|| {
            let of = |array: &ArrayRef| array.to_data().get_slice_memory_size().unwrap_or(0);
            self.batch.columns().iter().map(of).sum()
        })
    }

    pub fn tombstone_bytes(&self) -> usize {
        let deaths = self.deaths.get().map_or(0, |d| d.stamps.len() * 4 + bit_util::ceil(d.stamps.len(), 8));
        deaths + self.ids.bytes()
    }
}

/// Longer texts make poor bounds.
const LONGEST_BOUND: usize = 128;

fn bounds_of(array: &ArrayRef) -> Bounds {
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
