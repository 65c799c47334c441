//! The living rows of a column, as a column.

use crate::types::PgResult;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, downcast_primitive_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::{FilterBuilder, FilterPredicate};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// The rows of `batch` whose bit is set; the bits are as many as the rows.
pub(super) fn keep_rows(batch: &RecordBatch, alive: BooleanBuffer) -> PgResult<RecordBatch> {
    let mut keep = Keep { count: alive.count_set_bits(), alive, general: None };
    let columns = batch.columns().iter().map(|column| keep.column(column)).collect::<PgResult<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(keep.count));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

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
    fn values<T: Copy + Default>(&self, values: &[T]) -> Vec<T> {
        let mut kept = Vec::with_capacity(self.count);
        let mut some = [T::default(); 64];
        let chunks = self.alive.bit_chunks();
        let (words, rest) = values.as_chunks::<64>();
        for (word, bits) in words.iter().zip(chunks.iter()) {
            if bits == u64::MAX {
                kept.extend_from_slice(word);
                continue;
            }
            let mut to = 0;
            for (nth, value) in word.iter().enumerate() {
                some[to & 63] = *value;
                to += (bits >> nth & 1) as usize;
            }
            kept.extend_from_slice(&some[..to]);
        }
        let bits = chunks.remainder_bits();
        kept.extend(rest.iter().enumerate().filter(|(nth, _)| bits >> nth & 1 == 1).map(|(_, value)| *value));
        kept
    }

    fn nulls(&self, array: &dyn Array) -> Option<NullBuffer> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
        let predicate = FilterBuilder::new(&BooleanArray::new(self.alive.clone(), None)).build();
        let kept = predicate.filter(&BooleanArray::new(nulls.inner().clone(), None)).ok()?;
        Some(NullBuffer::new(kept.as_boolean().values().clone()))
    }
}
