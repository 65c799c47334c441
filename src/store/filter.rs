//! Rows out of columns, as columns: the living ones, or one.

use super::prefetch::{prefetch, prefetch_lines};
use crate::types::{PgError, PgResult};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StringArray, UInt32Array, downcast_primitive_array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{FilterBuilder, FilterPredicate, interleave, take};
use arrow::datatypes::{DataType, ToByteSlice};
use std::sync::Arc;

/// The rows of `batch` whose bit is set; the bits are as many as the rows.
pub(super) fn keep_rows(batch: &RecordBatch, alive: BooleanBuffer) -> PgResult<RecordBatch> {
    let mut keep = Keep { count: alive.count_set_bits(), alive, general: None };
    let columns = batch.columns().iter().map(|column| keep.column(column)).collect::<PgResult<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(keep.count));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// Asks for a row of a column; of a text for where it is.
pub(super) fn prefetch_value(array: &ArrayRef, row: usize) {
    fn primitive<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) {
        prefetch(array.values(), row);
    }
    downcast_primitive_array!(
        array => primitive(array, row),
        DataType::Utf8 => prefetch(array.as_string::<i32>().value_offsets(), row),
        _ => {}
    );
}

/// One row of some columns, as columns that share nothing with them: fixed-width values and texts lie in one piece of memory.
pub(super) fn copy_row(columns: &[&ArrayRef], row: usize) -> PgResult<Vec<ArrayRef>> {
    let words = columns.iter().map(|column| words_of(column, row)).sum();
    let mut packed: Vec<i128> = Vec::with_capacity(words);
    columns.iter().for_each(|column| pack(column, row, &mut packed));
    let (packed, mut at) = (Buffer::from_vec(packed), 0);
    let unpacked = columns.iter().map(|column| {
        let column = match words_of(column, row) {
            0 if column.is_null(row) => new_null_array(column.data_type(), 1),
            0 => take(column, &UInt32Array::from_value(row as u32, 1), None)?,
            words => {
                at += words;
                unpack(column, row, &packed, at - words)?
            }
        };
        Ok(column)
    });
    unpacked.collect()
}

/// Rows out of columns of one type: for each of `picks` which column, and which row of it.
pub(super) fn pick_rows(columns: &[&ArrayRef], picks: &[(usize, usize)]) -> PgResult<ArrayRef> {
    fn primitive<T: ArrowPrimitiveType>(
        first: &PrimitiveArray<T>,
        columns: &[&ArrayRef],
        picks: &[(usize, usize)],
    ) -> ArrayRef {
        let values: Vec<&[T::Native]> = columns.iter().map(|column| &column.as_primitive::<T>().values()[..]).collect();
        let picked: Vec<T::Native> = picks.iter().map(|(column, row)| values[*column][*row]).collect();
        Arc::new(PrimitiveArray::<T>::new(picked.into(), None).with_data_type(first.data_type().clone()))
    }
    // There may be as many columns as rows: to come to their heads is half of the work.
    columns.iter().for_each(|column| prefetch_lines(column.as_ref(), 2));
    let [first, ..] = columns else { return Err(PgError::internal("rows picked out of no columns")) };
    if columns.iter().any(|column| column.null_count() > 0) {
        return general(columns, picks);
    }
    downcast_primitive_array!(
        first => Ok(primitive(first, columns, picks)),
        DataType::Utf8 => pick_texts(columns, picks),
        _ => general(columns, picks),
    )
}

fn general(columns: &[&ArrayRef], picks: &[(usize, usize)]) -> PgResult<ArrayRef> {
    let columns: Vec<&dyn Array> = columns.iter().map(|column| column.as_ref()).collect();
    Ok(interleave(&columns, picks)?)
}

fn pick_texts(columns: &[&ArrayRef], picks: &[(usize, usize)]) -> PgResult<ArrayRef> {
    let texts: Vec<(&[i32], &[u8])> = columns
        .iter()
        .map(|column| column.as_string::<i32>())
        .map(|texts| (texts.value_offsets(), texts.value_data()))
        .collect();
    let mut total = 0;
    let mut offsets: Vec<i32> = Vec::with_capacity(picks.len() + 1);
    offsets.push(0);
    for (column, row) in picks {
        let (of, bytes) = texts[*column];
        let (start, end) = (of[*row] as usize, of[*row + 1] as usize);
        (start..end).step_by(LINE).for_each(|line| prefetch(bytes, line));
        total += end - start;
        match i32::try_from(total) {
            Ok(offset) => offsets.push(offset),
            // Arrow says what is wrong.
            Err(_) => return general(columns, picks),
        }
    }
    let mut picked: Vec<u8> = Vec::with_capacity(total);
    for (column, row) in picks {
        let (of, bytes) = texts[*column];
        picked.extend_from_slice(&bytes[of[*row] as usize..of[*row + 1] as usize]);
    }
    Ok(Arc::new(StringArray::try_new(OffsetBuffer::new(offsets.into()), picked.into(), None)?))
}

/// Bytes in a line of a cache.
const LINE: usize = 64;

/// How many words the row of a column takes: none where it is NULL, or of another form.
fn words_of(array: &ArrayRef, row: usize) -> usize {
    fn primitive<T: ArrowPrimitiveType>(_: &PrimitiveArray<T>) -> usize {
        usize::from(size_of::<T::Native>() <= WORD)
    }
    if array.is_null(row) {
        return 0;
    }
    downcast_primitive_array!(
        array => primitive(array),
        DataType::Utf8 => 1 + array.as_string::<i32>().value(row).len().div_ceil(WORD),
        _ => 0,
    )
}

const WORD: usize = size_of::<i128>();

fn pack(array: &ArrayRef, row: usize, words: &mut Vec<i128>) {
    fn word(bytes: &[u8]) -> i128 {
        let mut word = [0; WORD];
        word[..bytes.len()].copy_from_slice(bytes);
        i128::from_ne_bytes(word)
    }
    if words_of(array, row) == 0 {
        return;
    }
    downcast_primitive_array!(
        array => words.push(word(array.value(row).to_byte_slice())),
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(row).as_bytes();
            words.push(word([0, text.len() as i32].to_byte_slice()));
            words.extend(text.chunks(WORD).map(word));
        }
        _ => {}
    );
}

/// The column whose row [`pack`] has put to word `at`.
fn unpack(array: &ArrayRef, row: usize, packed: &Buffer, at: usize) -> PgResult<ArrayRef> {
    fn primitive<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, packed: &Buffer, at: usize) -> ArrayRef {
        let values = ScalarBuffer::new(packed.clone(), at * (WORD / size_of::<T::Native>()), 1);
        Arc::new(PrimitiveArray::<T>::new(values, None).with_data_type(array.data_type().clone()))
    }
    downcast_primitive_array!(
        array => Ok(primitive(array, packed, at)),
        _ => {
            let offsets = OffsetBuffer::new(ScalarBuffer::new(packed.clone(), at * (WORD / size_of::<i32>()), 2));
            let text = packed.slice_with_length((at + 1) * WORD, array.as_string::<i32>().value_length(row) as usize);
            Ok(Arc::new(StringArray::try_new(offsets, text, None)?) as ArrayRef)
        }
    )
}

/// Blocks of 64 values that a copy asks for ahead.
const AHEAD: usize = 6;

struct Keep {
    alive: BooleanBuffer,
    count: usize,
    general: Option<FilterPredicate>,
}

impl Keep {
    fn column(&mut self, array: &ArrayRef) -> PgResult<ArrayRef> {
        downcast_primitive_array!(
            array => return Ok(self.primitive(array)),
            DataType::FixedSizeBinary(16) => {
                let values = array.as_fixed_size_binary();
                let (_, bytes, _) = values.clone().into_parts();
                let wide = ScalarBuffer::<i128>::new(bytes, 0, values.len());
                let kept = Buffer::from_vec(self.values(&wide));
                return Ok(Arc::new(FixedSizeBinaryArray::try_new(16, kept, self.nulls(array))?));
            }
            _ => {}
        );
        let alive = &self.alive;
        let general = self
            .general
            .get_or_insert_with(|| FilterBuilder::new(&BooleanArray::new(alive.clone(), None)).optimize().build());
        Ok(general.filter(array)?)
    }

    fn primitive<T: ArrowPrimitiveType>(&self, array: &PrimitiveArray<T>) -> ArrayRef {
        let values = ScalarBuffer::from(self.values(array.values()));
        let kept = PrimitiveArray::<T>::new(values, self.nulls(array));
        Arc::new(kept.with_data_type(array.data_type().clone()))
    }

    /// Dead rows are scattered, so that jumps over them would be guessed wrong each time: every value is written, and
    /// the next one goes over it where it is dead.
    fn values<T: Copy>(&self, values: &[T]) -> Vec<T> {
        let mut kept: Vec<T> = Vec::with_capacity(self.count + 1);
        let spare = kept.spare_capacity_mut();
        let bits = self.alive.bit_chunks();
        let mut to = 0;
        for (block, (part, word)) in values.chunks(64).zip(bits.iter_padded()).enumerate() {
            // A copy that looks at each value comes to few lines of memory at once by itself.
            let ahead = (block + AHEAD) * 64;
            (0..size_of::<T>()).for_each(|line| prefetch(values, ahead + line * 64 / size_of::<T>()));
            for (nth, value) in part.iter().enumerate() {
                spare[to].write(*value);
                to += (word >> nth & 1) as usize;
            }
        }
        // SAFETY: every place below `to` has been written, and `to` has not gone beyond the capacity.
        unsafe { kept.set_len(to) };
        kept
    }

    fn nulls(&self, array: &dyn Array) -> Option<NullBuffer> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
        let predicate = FilterBuilder::new(&BooleanArray::new(self.alive.clone(), None)).build();
        let kept = predicate.filter(&BooleanArray::new(nulls.inner().clone(), None)).ok()?;
        Some(NullBuffer::new(kept.as_boolean().values().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BooleanArray, Decimal128Array, Int16Array, LargeBinaryArray, TimestampMicrosecondArray};
    use arrow::compute::filter_record_batch;
    use arrow::datatypes::{Field, Schema};
    use proptest::prelude::*;

    fn batch(values: &[Option<i16>]) -> RecordBatch {
        let fixed = values.iter().map(|v| v.map(|v| [v as u8; 16]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int16Array::from_iter(values.iter().copied())),
            Arc::new(Decimal128Array::from_iter(values.iter().map(|v| v.map(i128::from)))),
            Arc::new(
                TimestampMicrosecondArray::from_iter(values.iter().map(|v| v.map(i64::from))).with_timezone("UTC"),
            ),
            Arc::new(StringArray::from_iter(values.iter().map(|v| v.map(|v| v.to_string())))),
            Arc::new(LargeBinaryArray::from_iter(values.iter().map(|v| v.map(|v| v.to_le_bytes())))),
            Arc::new(BooleanArray::from_iter(values.iter().map(|v| v.map(|v| v > 3)))),
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 16).unwrap()),
        ];
        let field = |(nth, column): (usize, &ArrayRef)| Field::new(nth.to_string(), column.data_type().clone(), true);
        let schema = Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn rows_are_kept_and_copied_as_arrow_does_it(
            rows in prop::collection::vec((prop::option::weighted(0.8, any::<i16>()), prop::bool::weighted(0.7)), 1..300),
            start in 0..70usize,
            whole in any::<bool>(),
        ) {
            // Slices: neither values nor bits begin where their buffers do.
            let start = start.min(rows.len() - 1);
            let values: Vec<Option<i16>> = rows.iter().map(|(value, _)| value.or(whole.then_some(7))).collect();
            let alive: BooleanBuffer = rows.iter().map(|(_, alive)| *alive).collect();
            let part = batch(&values).slice(start, rows.len() - start);
            let bits = alive.slice(start, rows.len() - start);
            let kept = keep_rows(&part, bits.clone()).unwrap();
            prop_assert_eq!(kept, filter_record_batch(&part, &BooleanArray::new(bits, None)).unwrap());
            let other = batch(&[None, Some(5)]);
            let picks: Vec<(usize, usize)> =
                (0..part.num_rows()).rev().flat_map(|row| [(0, row), (2, row), (1, row % 2)]).collect();
            for (mine, others) in part.columns().iter().zip(other.columns()) {
                let others = if whole { others.slice(1, 1) } else { Arc::clone(others) };
                let picks: Vec<_> = picks.iter().map(|(c, row)| (*c, if *c == 1 { row % others.len() } else { *row })).collect();
                let dynamic: [&dyn Array; 3] = [mine, &others, mine];
                let expected = arrow::compute::interleave(&dynamic, &picks).unwrap();
                prop_assert_eq!(pick_rows(&[mine, &others, mine], &picks).unwrap().to_data(), expected.to_data());
            }
            let columns: Vec<&ArrayRef> = part.columns().iter().collect();
            for row in 0..part.num_rows() {
                for (copy, column) in copy_row(&columns, row).unwrap().iter().zip(&columns) {
                    prop_assert_eq!(copy.to_data(), column.slice(row, 1).to_data());
                }
            }
        }
    }
}
