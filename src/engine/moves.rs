//! Key changes at the source, and the values that only the row under the old key has.
//!
//! Debezium sends a key change as a delete of the old key and a create of the new one, and leaves a large value out of the
//! create where the change did not touch it. So a row that leaves its key is kept until the create has come: usually
//! within the tick (the aligner sees to it); where the create was not there in time, with the manifest.
//!
//! The value is that of the old row directly before its delete, whatever else of the tick came before or after. A create whose
//! row is there already is one that was read before (a connector that repeats itself after a crash): what is stored stays.

use super::align::Released;
use super::evolve;
use super::tick::Engine;
use crate::change::{DeadLetter, KeyMove, MoveHalf, MoveId, StreamId, TableChanges};
use crate::types::{Column, Oid, PgType, TableSchema};
use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// Rows that left their key and have not arrived under the new one, oldest first.
#[derive(Default)]
pub struct Departed {
    rows: HashMap<MoveId, Row>,
    order: VecDeque<MoveId>,
    bytes: usize,
    /// Creates that came with all their values, before their deletes: nobody asks for those rows.
    whole: VecDeque<MoveId>,
}

struct Row {
    schema: Arc<TableSchema>,
    row: RecordBatch,
    bytes: usize,
}

/// A departed row in a manifest: its columns, and the row as an Arrow stream in base64.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    /// Name, type OID, modifier.
    columns: Vec<(String, u32, i32)>,
    row: String,
}

impl Departed {
    /// Each manifest repeats them. What is more is forgotten, the oldest first: its create will be a dead letter.
    const MAX_BYTES: usize = 4 << 20;
    const MAX_WHOLE: usize = 4096;

    fn keep(&mut self, id: MoveId, schema: Arc<TableSchema>, row: RecordBatch) {
        self.take(id);
        let bytes = sliced_bytes(&row);
        self.bytes += bytes;
        self.rows.insert(id, Row { schema, row, bytes });
        self.order.push_back(id);
    }

    fn take(&mut self, id: MoveId) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        self.bytes -= row.bytes;
        Some(row)
    }

    /// Whether the row that left its key by this change is kept.
    pub fn holds(&self, id: MoveId) -> bool {
        self.rows.contains_key(&id)
    }

    fn trim(&mut self) {
        self.whole.drain(..self.whole.len().saturating_sub(Self::MAX_WHOLE));
        while self.bytes > Self::MAX_BYTES
            && self.rows.len() > 1
            && let Some(oldest) = self.order.pop_front()
        {
            if self.take(oldest).is_some() {
                tracing::warn!("a row that left its key is forgotten before it arrived under the new one");
            }
        }
        if self.rows.is_empty() {
            self.order.clear();
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        let kept = |id: &MoveId| {
            let Row { schema, row, .. } = self.rows.get(id)?;
            let mut bytes = Vec::new();
            let mut writer = StreamWriter::try_new(&mut bytes, row.schema_ref()).ok()?;
            writer.write(row).and_then(|()| writer.finish()).ok()?;
            drop(writer);
            let columns = schema.columns.iter().map(|c| (c.name.clone(), c.ty.oid.0, c.ty.typmod)).collect();
            Some(Kept { id: format!("{:032x}", id.0), columns, row: STANDARD.encode(bytes) })
        };
        let all: Vec<Kept> = self.order.iter().filter_map(kept).collect();
        serde_json::to_value(all).unwrap_or_default()
    }

    /// What a manifest says; what cannot be read is not there.
    pub fn from_json(json: &serde_json::Value) -> Self {
        let mut departed = Self::default();
        let all: Vec<Kept> = serde_json::from_value(json.clone()).unwrap_or_default();
        for kept in all {
            let column = |(name, oid, typmod): &(String, u32, i32)| {
                Column::new(name, PgType { oid: Oid(*oid), typmod: *typmod }, true)
            };
            let schema = TableSchema::new(kept.columns.iter().map(column).collect(), vec![]);
            let row = || {
                let bytes = STANDARD.decode(&kept.row).ok()?;
                StreamReader::try_new(bytes.as_slice(), None).ok()?.next()?.ok()
            };
            if let (Ok(id), Some(row)) = (u128::from_str_radix(&kept.id, 16), row()) {
                departed.keep(MoveId(id), Arc::new(schema), row);
            }
        }
        departed
    }
}

/// The bytes of a row that may be a slice of something larger.
fn sliced_bytes(row: &RecordBatch) -> usize {
    row.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

/// The key changes of one tick.
struct Moves {
    /// Rows whose delete is still to be applied in this tick.
    leaving: HashMap<MoveId, usize>,
    /// Creates that have all their values: nobody asks for the row that leaves.
    whole: HashSet<MoveId>,
}

impl Moves {
    fn of(released: &[Released], departed: &mut Departed) -> Self {
        let mut moves = Self { leaving: HashMap::new(), whole: HashSet::new() };
        for half in released.iter().flat_map(Released::moves) {
            match half.half {
                MoveHalf::Leaves => *moves.leaving.entry(half.id).or_default() += 1,
                MoveHalf::Arrives { whole: true } => drop(moves.whole.insert(half.id)),
                MoveHalf::Arrives { whole: false } => {}
            }
        }
        let alone: Vec<MoveId> = moves.whole.iter().filter(|id| !moves.leaving.contains_key(id)).copied().collect();
        if !moves.leaving.is_empty() {
            moves.whole.extend(departed.whole.iter().copied());
        }
        departed.whole.extend(alone);
        for id in &moves.whole {
            departed.take(*id);
        }
        moves
    }
}

/// What of a piece is still to be applied.
struct Work<'a> {
    piece: &'a Released,
    rest: VecDeque<(&'a TableChanges, Range<usize>)>,
    dead: Vec<DeadLetter>,
}

impl Engine {
    /// Applies the pieces of a tick. Each goes in its own order; one that needs a row whose delete another piece has waits for it.
    pub(super) fn apply_all(&mut self, released: &[Released], now: i64) {
        let mut moves = Moves::of(released, &mut self.departed);
        let work = |piece| Work {
            piece,
            rest: Released::changes(piece).collect(),
            dead: Released::dead(piece).cloned().collect(),
        };
        let mut works: Vec<Work<'_>> = released.iter().map(work).collect();
        for work in &works {
            self.take_in(work.piece, now);
        }
        while !works.is_empty() {
            let before = left(&works);
            // The pieces of one stream go one after the other.
            let mut waiting: Vec<StreamId> = Vec::new();
            works.retain_mut(|work| {
                if waiting.contains(&work.piece.delivery.stream) {
                    return true;
                }
                self.advance(work, &mut moves);
                let done = work.rest.is_empty();
                if done && !work.dead.is_empty() {
                    self.bury(work.piece, std::mem::take(&mut work.dead), now);
                }
                if !done {
                    waiting.push(work.piece.delivery.stream.clone());
                }
                !done
            });
            if left(&works) == before {
                // Pieces that wait for each other: no connector writes so. What is not known then is a dead letter.
                moves.leaving.clear();
            }
        }
        self.departed.trim();
    }

    /// Applies what can be applied of a piece now.
    fn advance(&mut self, work: &mut Work<'_>, moves: &mut Moves) {
        while let Some((changes, range)) = work.rest.front_mut() {
            let changes: &TableChanges = changes;
            let delivery = &work.piece.delivery;
            let special = |row: &usize| {
                let half = delivery.key_move(changes.events[*row])?;
                let plain = match half.half {
                    MoveHalf::Leaves => moves.whole.contains(&half.id),
                    MoveHalf::Arrives { whole } => whole,
                };
                (!plain).then_some((*row, *half))
            };
            let found = if delivery.moves.is_empty() { None } else { range.clone().find_map(|row| special(&row)) };
            let end = found.map_or(range.end, |(row, _)| row);
            if end > range.start {
                self.apply_changes(work.piece, changes, range.start..end, &mut work.dead);
                range.start = end;
            }
            if let Some((row, half)) = found {
                if half.half != MoveHalf::Leaves && moves.leaving.contains_key(&half.id) {
                    return;
                }
                range.start = row + 1;
                self.apply_half(work.piece, changes, row, half, &mut work.dead);
                if let Some(count) = moves.leaving.get_mut(&half.id) {
                    *count -= 1;
                    if *count == 0 {
                        moves.leaving.remove(&half.id);
                    }
                }
            }
            if range.start == range.end {
                work.rest.pop_front();
            }
        }
    }

    fn apply_half(
        &mut self,
        piece: &Released,
        changes: &TableChanges,
        row: usize,
        half: KeyMove,
        dead: &mut Vec<DeadLetter>,
    ) {
        let slot = self.names.get(&changes.table).and_then(|oid| self.slots.get(oid));
        // A key that the table's columns cannot take is not there.
        let stored = slot.and_then(|slot| Some((Arc::clone(slot.schema()), slot.row_of(changes, row).ok()??)));
        if half.half == MoveHalf::Leaves {
            if let Some((schema, row)) = stored {
                self.departed.keep(half.id, schema, row);
            }
            return self.apply_changes(piece, changes, row..row + 1, dead);
        }
        let departed = self.departed.take(half.id);
        if stored.is_some() {
            return self.apply_changes(piece, changes, row..row + 1, dead);
        }
        if let Some(whole) = departed.and_then(|departed| completed(changes, row, &departed)) {
            return self.apply_changes(piece, &whole, 0..1, dead);
        }
        let event = changes.events[row];
        dead.push(DeadLetter {
            event,
            position: piece.delivery.positions[event as usize],
            table: Some(Arc::clone(&changes.table)),
            reason: "unsent-value",
            message: "the row's key changed, a value of it was not sent, and the row under its old key is not known"
                .to_string(),
        });
    }
}

fn left(works: &[Work<'_>]) -> usize {
    works.iter().flat_map(|work| &work.rest).map(|(_, range)| range.len()).sum()
}

/// One row of the changes, with the values that it lacks from the row that left.
fn completed(changes: &TableChanges, row: usize, departed: &Row) -> Option<TableChanges> {
    let old = evolve::conform(&departed.row, &departed.schema, &changes.schema).ok()?;
    let new = changes.rows.slice(row, 1);
    let mut columns = new.columns().to_vec();
    for (at, _) in changes.unchanged.iter().filter(|(_, mask)| mask.value(row)) {
        departed.schema.index_of(&changes.schema.columns[*at].name)?;
        columns[*at] = Arc::clone(old.column(*at));
    }
    Some(TableChanges {
        table: Arc::clone(&changes.table),
        schema: Arc::clone(&changes.schema),
        rows: RecordBatch::try_new(new.schema(), columns).ok()?,
        ops: vec![changes.ops[row]],
        events: vec![changes.events[row]],
        unchanged: vec![],
    })
}
