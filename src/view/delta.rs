//! Z-sets: rows and how often each comes (above 0) or goes (below 0).

use crate::store::TableSnapshot;
use crate::types::{PgError, PgResult};
use arrow::array::{
    ArrayRef, BooleanArray, DynComparator, RecordBatch, RecordBatchOptions, UInt32Array, make_comparator,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{SortOptions, concat_batches, filter_record_batch, interleave_record_batch, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::hash_utils::create_hashes;
use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;
use std::sync::Arc;

/// What changed in a multiset of rows. A row may be there several times; what counts is the sum of its weights.
#[derive(Debug, Clone)]
pub struct Delta {
    pub rows: RecordBatch,
    /// One for each row.
    pub weights: Vec<i64>,
}

impl Delta {
    pub fn none(schema: &SchemaRef) -> Self {
        Self { rows: RecordBatch::new_empty(Arc::clone(schema)), weights: Vec::new() }
    }

    /// All rows with one weight.
    pub fn all(rows: RecordBatch, weight: i64) -> Self {
        let weights = vec![weight; rows.num_rows()];
        Self { rows, weights }
    }

    pub fn len(&self) -> usize {
        self.weights.len()
    }

    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Several deltas of one schema as one.
    pub fn concat(schema: &SchemaRef, mut parts: Vec<Delta>) -> PgResult<Delta> {
        parts.retain(|part| !part.is_empty());
        if parts.len() <= 1 {
            return Ok(parts.pop().unwrap_or_else(|| Self::none(schema)));
        }
        let rows = concat_rows(schema, parts.iter().map(|part| &part.rows))?;
        let weights: Vec<&[i64]> = parts.iter().map(|part| &part.weights[..]).collect();
        Ok(Self { rows, weights: weights.concat() })
    }

    /// The rows at `picks`, with other weights.
    pub fn take(rows: &RecordBatch, picks: Vec<u32>, weights: Vec<i64>) -> PgResult<Delta> {
        Ok(Self { rows: take_rows(rows, picks)?, weights })
    }

    /// Both signs occur: rows may cancel.
    pub fn is_mixed(&self) -> bool {
        self.weights.iter().any(|w| *w < 0) && self.weights.iter().any(|w| *w > 0)
    }
}

/// Rows that come and go in one delta cancel; others stay as they are, also where they are there several times. Rows are told
/// apart by their storage, as in [`RowBytes::consolidate`].
pub fn cancel(mut delta: Delta) -> PgResult<Delta> {
    if !delta.is_mixed() {
        return Ok(delta);
    }
    let columns = delta.rows.columns();
    let compare = |column: &ArrayRef| make_comparator(column, column, SortOptions::default());
    let comparators = columns.iter().map(compare).collect::<Result<Vec<DynComparator>, _>>()?;
    let mut hashes = vec![0; delta.len()];
    create_hashes(columns, &FixedState::default(), &mut hashes)?;
    // The rows that go, in a chain for each hash.
    const END: u32 = u32::MAX;
    let mut first: HashMap<u64, u32, RandomState> =
        HashMap::with_capacity_and_hasher(delta.weights.iter().filter(|w| **w < 0).count(), RandomState::default());
    let mut next = vec![END; delta.len()];
    for (row, hash) in hashes.iter().enumerate().filter(|(row, _)| delta.weights[*row] < 0) {
        next[row] = first.insert(*hash, row as u32).unwrap_or(END);
    }
    let mut cancelled = false;
    for (row, hash) in hashes.iter().enumerate() {
        if delta.weights[row] <= 0 {
            continue;
        }
        let Some(start) = first.get_mut(hash) else { continue };
        // What is used up at the chain's beginning leaves it: many equal rows cost no more than few.
        while *start != END && delta.weights[*start as usize] == 0 {
            *start = next[*start as usize];
        }
        let mut gone = *start as usize;
        while gone != END as usize && delta.weights[row] > 0 {
            if delta.weights[gone] < 0 && comparators.iter().all(|compare| compare(row, gone).is_eq()) {
                let both = delta.weights[row].min(-delta.weights[gone]);
                delta.weights[row] -= both;
                delta.weights[gone] += both;
                cancelled = true;
            }
            gone = next[gone] as usize;
        }
    }
    if !cancelled {
        return Ok(delta);
    }
    let left: Vec<u32> = (0..delta.len() as u32).filter(|row| delta.weights[*row as usize] != 0).collect();
    let weights = left.iter().map(|row| delta.weights[*row as usize]).collect();
    Delta::take(&delta.rows, left, weights)
}

/// Leaves out rows that go and come again as they were. The first `went` rows go, the others come; row `by[i]` of those that come
/// took the place of the `i`-th that went, and `differs[i]` says whether it is another.
pub fn drop_unchanged(delta: Delta, went: usize, by: &[u32], differs: &BooleanBuffer) -> PgResult<Delta> {
    let mut stays = vec![true; delta.len()];
    for (nth, row) in by.iter().enumerate().filter(|(nth, _)| !differs.value(*nth)) {
        (stays[nth], stays[went + *row as usize]) = (false, false);
    }
    let left: Vec<u32> = (0..delta.len() as u32).filter(|row| stays[*row as usize]).collect();
    let weights = left.iter().map(|row| delta.weights[*row as usize]).collect();
    Delta::take(&delta.rows, left, weights)
}

/// In which rows some column differs, by its storage.
pub fn differing(old: &[ArrayRef], new: &[ArrayRef], rows: usize) -> PgResult<Vec<bool>> {
    let mut differs = vec![false; rows];
    for (old, new) in old.iter().zip(new) {
        if old.data_type().is_nested() {
            (0..rows).for_each(|row| differs[row] |= old.slice(row, 1).to_data() != new.slice(row, 1).to_data());
            continue;
        }
        let same = not_distinct(old, new)?;
        (0..rows).for_each(|row| differs[row] |= !same.value(row));
    }
    Ok(differs)
}

/// The rows at `picks`.
pub fn take_rows(rows: &RecordBatch, picks: Vec<u32>) -> PgResult<RecordBatch> {
    if rows.num_columns() == 0 {
        return with_count(rows.schema_ref(), vec![], picks.len());
    }
    Ok(take_record_batch(rows, &UInt32Array::from(picks))?)
}

/// A batch of `columns`, whose count must be said where there are none.
pub fn with_count(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> PgResult<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

pub fn filter_rows(rows: &RecordBatch, mask: &BooleanArray) -> PgResult<RecordBatch> {
    match rows.num_columns() {
        0 => with_count(rows.schema_ref(), vec![], mask.true_count()),
        _ => Ok(filter_record_batch(rows, mask)?),
    }
}

pub fn concat_rows<'a>(
    schema: &SchemaRef,
    parts: impl IntoIterator<Item = &'a RecordBatch> + Clone,
) -> PgResult<RecordBatch> {
    if schema.fields().is_empty() {
        return with_count(schema, vec![], parts.into_iter().map(RecordBatch::num_rows).sum());
    }
    Ok(concat_batches(schema, parts)?)
}

/// A schema of the same names and storage in which everything may be NULL: what operators exchange.
pub fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Encodes whole rows of one schema as bytes that are equal where the rows are stored alike. Made once for an operator.
pub struct RowBytes {
    converter: RowConverter,
}

impl RowBytes {
    pub fn new(schema: &Schema) -> PgResult<Self> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        Ok(Self { converter: RowConverter::new(fields.collect())? })
    }

    pub fn encode(&self, columns: &[ArrayRef]) -> PgResult<Rows> {
        Ok(self.converter.convert_columns(columns)?)
    }

    /// The columns of rows that were encoded here.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> PgResult<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        Ok(self.converter.convert_rows(rows.into_iter().map(|bytes| parser.parse(bytes)))?)
    }

    /// Each row once, with its weight; rows whose weights cancel are gone.
    pub fn consolidate(&self, delta: Delta) -> PgResult<Delta> {
        if delta.len() <= 1 {
            return Ok(match delta.weights.as_slice() {
                [0] => Delta::none(delta.rows.schema_ref()),
                _ => delta,
            });
        }
        if delta.rows.num_columns() == 0 {
            let weight: i64 = delta.weights.iter().sum();
            let count = usize::from(weight != 0);
            let rows = with_count(delta.rows.schema_ref(), vec![], count)?;
            return Ok(Delta { rows, weights: vec![weight; count] });
        }
        let rows = self.encode(delta.rows.columns())?;
        let mut sums: HashMap<&[u8], (u32, i64), RandomState> =
            HashMap::with_capacity_and_hasher(delta.len(), RandomState::default());
        for (row, weight) in delta.weights.iter().enumerate() {
            sums.entry(rows.row(row).data()).or_insert((row as u32, 0)).1 += weight;
        }
        if sums.len() == delta.len() && sums.values().all(|(_, weight)| *weight != 0) {
            drop(sums);
            return Ok(delta);
        }
        let mut left: Vec<(u32, i64)> = sums.into_values().filter(|(_, weight)| *weight != 0).collect();
        left.sort_unstable_by_key(|(row, _)| *row);
        let (picks, weights) = left.into_iter().unzip();
        Delta::take(&delta.rows, picks, weights)
    }
}

/// What must be applied to the rows held to make them the rows wanted. `None` where they are equal as multisets.
///
/// Rows are compared by their storage bytes, so that a numeric that only changes its display scale is replaced too.
/// Cost: one encoding of every row on both sides.
pub fn difference(held: &TableSnapshot, wanted: &[RecordBatch]) -> PgResult<Option<Delta>> {
    let schema = held.schema().arrow();
    if schema.fields().is_empty() {
        let count = wanted.iter().map(|b| b.num_rows() as i64).sum::<i64>() - held.len() as i64;
        return match count {
            0 => Ok(None),
            _ => Err(PgError::unsupported("a materialized view without columns")),
        };
    }
    if held.is_empty() {
        let rows = concat_batches(schema, wanted)?;
        return Ok((rows.num_rows() > 0).then(|| Delta::all(rows, 1)));
    }
    let bytes = RowBytes::new(schema)?;
    let mut old = Vec::with_capacity(held.chunks());
    for i in 0..held.chunks() {
        old.push(held.chunk(i, None)?);
    }
    let encode = |batch: &RecordBatch| bytes.encode(batch.columns());
    let old_rows = old.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
    let new_rows = wanted.iter().map(encode).collect::<Result<Vec<_>, _>>()?;

    // Weight of each distinct row, and where it can be copied from (batch number, row).
    let mut weights: HashMap<&[u8], (i64, usize, usize), RandomState> = HashMap::default();
    let old_first = wanted.len();
    for (b, rows) in new_rows.iter().enumerate() {
        for r in 0..rows.num_rows() {
            weights.entry(rows.row(r).data()).or_insert((0, b, r)).0 += 1;
        }
    }
    for (b, rows) in old_rows.iter().enumerate() {
        for r in 0..rows.num_rows() {
            weights.entry(rows.row(r).data()).or_insert((0, old_first + b, r)).0 -= 1;
        }
    }
    let changed: Vec<(i64, usize, usize)> = weights.into_values().filter(|(weight, ..)| *weight != 0).collect();
    if changed.is_empty() {
        return Ok(None);
    }
    let batches: Vec<&RecordBatch> = wanted.iter().chain(&old).collect();
    let picks: Vec<(usize, usize)> = changed.iter().map(|(_, batch, row)| (*batch, *row)).collect();
    let rows = interleave_record_batch(&batches, &picks)?;
    Ok(Some(Delta { rows, weights: changed.into_iter().map(|(weight, ..)| weight).collect() }))
}
