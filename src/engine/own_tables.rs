//! The tables that the engine writes by itself: dead letters and schema blocks. Both are append-only, like bronze.

use super::align::Released;
use super::tick::Engine;
use crate::catalog::SLUICE;
use crate::change::{DeadLetter, StreamId};
use crate::types::{Column, Oid, PgResult, PgType, TableSchema, oid};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use std::sync::Arc;

/// The table of what could not be applied, kept like bronze.
const DEAD_LETTERS: &str = "sluice.dead_letters";

fn dead_letter_schema() -> Arc<TableSchema> {
    of_records(&[
        ("table_name", oid::TEXT),
        ("reason", oid::TEXT),
        ("message", oid::TEXT),
        ("buried_at", oid::TIMESTAMPTZ),
    ])
}

/// The schema blocks of messages, each once for a stream and a start; kept like bronze.
const SCHEMA_BLOCKS: &str = "sluice.schema_blocks";

fn schema_block_schema() -> Arc<TableSchema> {
    of_records(&[("part", oid::TEXT), ("schema", oid::JSON), ("seen_at", oid::TIMESTAMPTZ)])
}

/// The columns that name a record, then these.
fn of_records(columns: &[(&str, Oid)]) -> Arc<TableSchema> {
    let named = [("source", oid::TEXT), ("stream", oid::TEXT), ("position", oid::INT8)];
    let column = |(name, oid): &(&str, Oid)| Column::new(*name, PgType::new(*oid), true);
    Arc::new(TableSchema::new(named.iter().chain(columns).map(column).collect(), vec![]))
}

fn dead_letter_rows(source: &str, stream: &StreamId, dead: &[DeadLetter], now: i64) -> PgResult<RecordBatch> {
    let text = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let same = |value| text(vec![Some(value); dead.len()]);
    let columns: Vec<ArrayRef> = vec![
        same(source),
        same(&stream.0),
        Arc::new(Int64Array::from_iter_values(dead.iter().map(|d| d.position.0))),
        text(dead.iter().map(|d| d.table.as_deref()).collect()),
        text(dead.iter().map(|d| Some(d.reason)).collect()),
        text(dead.iter().map(|d| Some(d.message.as_str())).collect()),
        Arc::new(TimestampMicrosecondArray::from(vec![now; dead.len()]).with_timezone("UTC")),
    ];
    Ok(RecordBatch::try_new(Arc::clone(dead_letter_schema().arrow()), columns)?)
}

/// The relations that the engine fills itself are there from the first start, so that they can be queried before.
pub(super) fn ensure_own_tables(engine: &mut Engine) -> PgResult<()> {
    debug_assert_eq!(engine.catalog.namespace(SLUICE).map(|n| n.name.as_str()), Some("sluice"));
    engine.appended_slot(&Arc::from(DEAD_LETTERS), dead_letter_schema())?;
    engine.appended_slot(&Arc::from(SCHEMA_BLOCKS), schema_block_schema()).map(|_| ())
}

impl Engine {
    pub(super) fn bury(&mut self, piece: &Released, dead: Vec<DeadLetter>, now: i64) {
        let count = dead.len();
        self.dead_letters += count as u64;
        if let Some(state) = self.positions.get_mut(&piece.delivery.stream) {
            state.dead_letters += count as u64;
        }
        let rows = dead_letter_rows(&piece.delivery.source, &piece.delivery.stream, &dead, now);
        let stream = piece.delivery.stream.clone();
        let slot = self.appended_slot(&Arc::from(DEAD_LETTERS), dead_letter_schema());
        let fed = slot.and_then(|slot| {
            slot.streams.insert(stream);
            slot.append(rows?)
        });
        if let Err(error) = fed {
            tracing::error!(%error, "cannot keep dead letters");
        }
    }

    pub(super) fn keep_blocks(&mut self, piece: &Released, now: i64) -> PgResult<()> {
        let delivery = &piece.delivery;
        let blocks: Vec<_> = piece.blocks().collect();
        if blocks.is_empty() {
            return Ok(());
        }
        let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let columns: Vec<ArrayRef> = vec![
            text(vec![&*delivery.source; blocks.len()]),
            text(vec![&*delivery.stream.0; blocks.len()]),
            Arc::new(Int64Array::from_iter_values(blocks.iter().map(|b| delivery.positions[b.event as usize].0))),
            text(blocks.iter().map(|b| b.part).collect()),
            text(blocks.iter().map(|b| b.schema.as_str()).collect()),
            Arc::new(TimestampMicrosecondArray::from(vec![now; blocks.len()]).with_timezone("UTC")),
        ];
        let rows = RecordBatch::try_new(Arc::clone(schema_block_schema().arrow()), columns)?;
        let slot = self.appended_slot(&Arc::from(SCHEMA_BLOCKS), schema_block_schema())?;
        slot.streams.insert(delivery.stream.clone());
        slot.append(rows)
    }
}
