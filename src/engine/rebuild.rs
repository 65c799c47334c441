//! Silver out of bronze: a table made anew from the records as they arrived, also when their source has long forgotten them.
//!
//! Bronze holds every record in the order in which it was applied. A [`Replay`] decodes them again, as the sources are
//! declared now, and applies them to a table of its own by the very means of the tick loop: an [`Engine`] that nobody sees, with
//! no lake. So key changes, deletes, truncations and moving columns come out as they did. It runs beside the loop in passes, each over
//! what came since the one before; the last, short one is a part of the tick that puts the new table in the place of
//! the old. That is one flush: after a kill the lake has the one or the other.
//!
//! ```text
//! bronze.t, rows 0 … n ─► decode ─► apply ─┐   passes, on a thread of its own
//!          rows n … now ───────────────────┴─► tick: the table in place of silver.t, its views are filled anew
//! ```
//!
//! Nothing is written again to `sluice.dead_letters`: what is none is counted.

use super::align::Released;
use super::snapshot::{LakeAndTail, RelationData, Snapshot};
use super::tables::{Rows, Slot};
use super::tick::Engine;
use super::write::lost_race;
use super::{Command, EngineHandle, EngineOptions, evolve, now_us};
use crate::catalog::{Catalog, RelationKind};
use crate::change::{Delivery, MoveHalf, MoveId, Position, RowId, Schemas, Tick};
use crate::debezium::Record;
use crate::lake::{LakeOptions, LakeResult};
use crate::memory;
use crate::source::declare::{Routes, StreamDecoder};
use crate::store::Table;
use crate::types::{Column, Oid, PgError, PgResult, SqlState, TableSchema};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// So many rows may be left for the tick that ends it.
const LAST_ROWS: u64 = 4096;
const MOST_PASSES: usize = 20;
/// Rows that wait for the other half of a key change, at most.
const MOST_HELD: usize = 65_536;
/// Row versions that the table which is there may get meanwhile.
const MEANWHILE: u64 = 1 << 32;
/// Rows between two looks whether there is memory left and somebody waits.
const LOOK_ROWS: usize = 65_536;

/// What a table was made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records in bronze.
    pub records: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Records that could not be applied.
    pub dead_letters: u64,
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, rows, dead_letters } = self;
        write!(f, "{rows} rows from {records} records, {dead_letters} dead letters")
    }
}

/// A schema block that messages of a stream came with, of which bronze has the payloads only.
struct Block {
    stream: String,
    position: i64,
    is_key: bool,
    /// The `name` of the schema: `<topic>.Envelope`.
    name: String,
    columns: BTreeSet<String>,
    text: String,
}

/// A stream's decoder, and the blocks that its records may have come with.
struct Feed {
    decoder: StreamDecoder,
    keys: Vec<Arc<Block>>,
    values: Vec<Arc<Block>>,
    /// A partition, whose positions say which block was there first.
    is_ordered: bool,
    /// The position after its newest record.
    next: i64,
}

/// See the module.
pub(super) struct Replay {
    shadow: Engine,
    silver: Arc<str>,
    bronze: Arc<str>,
    routes: Arc<Routes>,
    /// By topic and partition; of files, whose number is all that bronze has of them, one for each.
    feeds: HashMap<(String, i32), Vec<Feed>>,
    blocks: Vec<Arc<Block>>,
    /// Rows of bronze, and of the blocks' table, that were taken.
    taken: u64,
    blocks_taken: u64,
    /// Decoded and not applied: one of them waits for the other half of its key change.
    held: Vec<Released>,
    held_rows: usize,
    /// The first row id of the new table.
    base: RowId,
    done: Arc<Mutex<Rebuilt>>,
    /// Nobody waits for it any more.
    abandoned: Arc<AtomicBool>,
}

/// The next rows of a file.
type Next<'a> = BoxFuture<'a, Option<LakeResult<RecordBatch>>>;
/// Waits for them.
type Wait<'a> = &'a dyn Fn(Next<'_>) -> Option<LakeResult<RecordBatch>>;

const SCHEMA_BLOCKS: &str = "sluice.schema_blocks";

fn appended<'a>(relations: &'a HashMap<Oid, RelationData>, catalog: &Catalog, name: &str) -> Option<&'a LakeAndTail> {
    let relation = catalog.user_relations().find(|relation| catalog.qualified_name(relation) == name)?;
    match relations.get(&relation.oid) {
        Some(RelationData::Appended(appended)) => Some(appended),
        _ => None,
    }
}

fn rows_in(appended: &LakeAndTail) -> u64 {
    let tail: usize = appended.tail.iter().map(RecordBatch::num_rows).sum();
    appended.files.as_ref().map_or(0, |files| files.rows()) + tail as u64
}

impl Replay {
    fn new(silver: Arc<str>, routes: Arc<Routes>) -> PgResult<Self> {
        let bronze = format!("bronze.{}", silver.split_once('.').map_or("", |(_, table)| table)).into();
        let options = EngineOptions::new(LakeOptions::new(""));
        Ok(Self {
            shadow: Engine::bare(options, Catalog::new([]), Arc::new(Schemas::new()))?,
            silver,
            bronze,
            routes,
            feeds: HashMap::new(),
            blocks: vec![],
            taken: 0,
            blocks_taken: 0,
            held: vec![],
            held_rows: 0,
            base: RowId(0),
            done: Arc::default(),
            abandoned: Arc::default(),
        })
    }

    /// Takes what has come to bronze; `last`: nothing more will come before the table is used.
    fn catch_up(
        &mut self,
        relations: &HashMap<Oid, RelationData>,
        catalog: &Catalog,
        last: bool,
        wait: Wait<'_>,
    ) -> PgResult<()> {
        if let Some(blocks) = appended(relations, catalog, SCHEMA_BLOCKS) {
            let from = std::mem::replace(&mut self.blocks_taken, rows_in(blocks));
            self.each_batch(blocks, from, wait, Self::take_blocks)?;
        }
        let missing = || {
            let message = format!("there is no table \"{}\" to make \"{}\" from", self.bronze, self.silver);
            PgError::new(SqlState::OBJECT_NOT_IN_STATE, message)
        };
        let bronze = appended(relations, catalog, &self.bronze).ok_or_else(missing)?;
        let from = std::mem::replace(&mut self.taken, rows_in(bronze));
        self.each_batch(bronze, from, wait, Self::take)?;
        if last {
            self.apply()?;
        }
        self.done.lock().records = self.taken;
        Ok(())
    }

    /// Rows of bronze that were not taken yet.
    fn behind(&self, snapshot: &Snapshot) -> u64 {
        let now = appended(&snapshot.relations, &snapshot.catalog, &self.bronze).map_or(0, rows_in);
        now.saturating_sub(self.taken)
    }

    /// The rows from a number on, in their order.
    fn each_batch(
        &mut self,
        appended: &LakeAndTail,
        from: u64,
        wait: Wait<'_>,
        each: impl Fn(&mut Self, &RecordBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let mut at = 0;
        let rest = |batch: &RecordBatch, at: &mut u64| {
            let rows = batch.num_rows();
            let passed = from.saturating_sub(*at).min(rows as u64) as usize;
            *at += rows as u64;
            batch.slice(passed, rows - passed)
        };
        for (files, i) in appended.files.iter().flat_map(|files| (0..files.len()).map(move |i| (files, i))) {
            let rows = files.file(i).rows;
            if at + rows <= from {
                at += rows;
                continue;
            }
            let mut batches = files.read(i, None, Arc::default());
            while let Some(batch) = wait(FutureExt::boxed(batches.next())) {
                each(self, &rest(&batch?, &mut at))?;
            }
        }
        for batch in appended.tail.iter() {
            each(self, &rest(batch, &mut at))?;
        }
        Ok(())
    }

    fn take_blocks(&mut self, batch: &RecordBatch) -> PgResult<()> {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let positions = batch.column_by_name("position").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let (Some(streams), Some(parts), Some(schemas), Some(positions)) =
            (text("stream"), text("part"), text("schema"), positions)
        else {
            return Err(PgError::internal("the table of schema blocks has other columns"));
        };
        for row in 0..batch.num_rows() {
            let Some(block) =
                Block::read(streams.value(row), positions.value(row), parts.value(row), schemas.value(row))
            else {
                continue;
            };
            self.blocks.push(Arc::new(block));
        }
        if batch.num_rows() > 0 {
            let blocks = &self.blocks;
            for ((topic, partition), feeds) in &mut self.feeds {
                for feed in feeds {
                    (feed.keys, feed.values) = blocks_of(blocks, topic, *partition);
                }
            }
        }
        Ok(())
    }

    /// Decodes and applies rows of bronze.
    fn take(&mut self, batch: &RecordBatch) -> PgResult<()> {
        let wrong = || PgError::internal(format!("\"{}\" has other columns than bronze", self.bronze));
        let rows = BronzeBatch::of(batch).ok_or_else(wrong)?;
        let mut from = 0;
        while from < rows.len {
            let same = |row: usize| {
                rows.topic.value(row) == rows.topic.value(from)
                    && rows.partition.value(row) == rows.partition.value(from)
                    && rows.ingested_at.value(row) == rows.ingested_at.value(from)
                    && (rows.partition.value(row) >= 0 || rows.offset.value(row) == rows.offset.value(row - 1) + 1)
            };
            let to = (from + 1..rows.len).find(|row| !same(*row)).unwrap_or(rows.len);
            let (topic, partition) = (rows.topic.value(from), rows.partition.value(from));
            let (first, last) = (rows.offset.value(from), rows.offset.value(to - 1));
            let feeds = self.feeds.entry((topic.to_owned(), partition)).or_default();
            // The file that may go on here: the one that was read furthest, but not beyond.
            let known = match partition >= 0 {
                true => (!feeds.is_empty()).then_some(0),
                false => (0..feeds.len()).filter(|nth| feeds[*nth].next <= first).max_by_key(|nth| feeds[*nth].next),
            };
            let nth = match known.filter(|nth| partition >= 0 || first > 0 || feeds[*nth].next == 0) {
                Some(nth) => nth,
                None => {
                    let nth = feeds.len();
                    let decoder = self.routes.decoder(topic, partition, nth, &self.silver, &self.shadow.schemas);
                    let nobody = || {
                        let message = format!("records of topic \"{topic}\" are not for table \"{}\"", self.silver);
                        PgError::new(SqlState::OBJECT_NOT_IN_STATE, message)
                            .detail("They are in bronze, and no source that is configured now would bring them there.")
                            .hint("Rebuild with the declarations that were there when they were read.")
                    };
                    let decoder = decoder.ok_or_else(nobody)?;
                    let (keys, values) = blocks_of(&self.blocks, topic, partition);
                    feeds.push(Feed { decoder, keys, values, is_ordered: partition >= 0, next: 0 });
                    nth
                }
            };
            let feed = &mut feeds[nth];
            feed.next = last + 1;
            let delivery = feed.decode(&rows, from..to);
            let events = 0..delivery.positions.len() as u32;
            self.held.push(Released { delivery: Arc::new(delivery), events });
            self.held_rows += to - from;
            from = to;
        }
        if !self.waits() || self.held_rows > MOST_HELD {
            self.apply()?;
        }
        Ok(())
    }

    /// Whether the row that somebody needs who arrives under a new key may still come.
    fn waits(&self) -> bool {
        let mut leaving: HashSet<MoveId> = HashSet::new();
        let mut arriving: Vec<MoveId> = vec![];
        for half in self.held.iter().flat_map(Released::moves) {
            match half.half {
                MoveHalf::Leaves => drop(leaving.insert(half.id)),
                MoveHalf::Arrives { whole: false } => arriving.push(half.id),
                MoveHalf::Arrives { whole: true } => {}
            }
        }
        arriving.iter().any(|id| !leaving.contains(id) && !self.shadow.departed.holds(*id))
    }

    fn apply(&mut self) -> PgResult<()> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"));
        }
        let released = std::mem::take(&mut self.held);
        self.held_rows = 0;
        self.shadow.tick.0 += 1;
        let tick = self.shadow.tick;
        self.shadow.apply_all(&released, now_us());
        let mut rows = 0;
        for slot in self.shadow.slots.values_mut() {
            match &mut slot.rows {
                Rows::Hot(table) => {
                    drop(table.publish(tick));
                    table.maintain(LOOK_ROWS);
                    rows = table.len() as u64;
                }
                // Dead letters: the table of them has these already.
                Rows::Appended { tail, .. } => tail.clear(),
            }
        }
        let mut done = self.done.lock();
        (done.rows, done.dead_letters) = (rows, self.shadow.dead_letters);
        drop(done);
        memory::check()
    }

    fn table(&mut self) -> Option<&mut Slot> {
        let oid = *self.shadow.names.get(&self.silver)?;
        self.shadow.slots.get_mut(&oid)
    }

    /// Gives the rows that live ids from `base` on, without gaps: none of them is an id of the table that is there.
    fn number(&mut self, base: RowId) -> PgResult<()> {
        self.base = base;
        let Some(slot) = self.table() else { return Ok(()) };
        let Rows::Hot(table) = &mut slot.rows else { return Ok(()) };
        let snapshot = table.publish(Tick(0));
        let mut numbered = Table::new(Arc::clone(snapshot.schema()));
        numbered.set_retractions(false);
        numbered.set_next_row_id(base);
        for chunk in 0..snapshot.chunks() {
            let rows = snapshot.chunk(chunk, None)?;
            let first = numbered.next_row_id().0;
            let ids: Vec<RowId> = (first..first + rows.num_rows() as u64).map(RowId).collect();
            numbered.load(&rows, &ids)?;
        }
        slot.rows = Rows::Hot(Box::new(numbered));
        Ok(())
    }
}

/// The columns of bronze rows.
struct BronzeBatch<'a> {
    len: usize,
    topic: &'a arrow::array::StringArray,
    partition: &'a arrow::array::PrimitiveArray<Int32Type>,
    offset: &'a arrow::array::PrimitiveArray<Int64Type>,
    timestamp: &'a arrow::array::PrimitiveArray<TimestampMicrosecondType>,
    key: &'a arrow::array::StringArray,
    payload: &'a arrow::array::StringArray,
    headers: &'a arrow::array::StringArray,
    ingested_at: &'a arrow::array::PrimitiveArray<TimestampMicrosecondType>,
    payload_raw: &'a arrow::array::BinaryArray,
}

impl<'a> BronzeBatch<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            len: batch.num_rows(),
            topic: batch.column_by_name("topic")?.as_string_opt()?,
            partition: batch.column_by_name("partition")?.as_primitive_opt()?,
            offset: batch.column_by_name("offset")?.as_primitive_opt()?,
            timestamp: batch.column_by_name("timestamp")?.as_primitive_opt()?,
            key: batch.column_by_name("key")?.as_string_opt()?,
            payload: batch.column_by_name("payload")?.as_string_opt()?,
            headers: batch.column_by_name("headers")?.as_string_opt()?,
            ingested_at: batch.column_by_name("ingested_at")?.as_primitive_opt()?,
            payload_raw: batch.column_by_name("payload_raw")?.as_binary_opt()?,
        })
    }
}

/// A record as it was, but for spaces around what bronze keeps.
struct Remade<'a> {
    position: i64,
    timestamp_ms: Option<i64>,
    key: Option<Cow<'a, [u8]>>,
    value: Option<Cow<'a, [u8]>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Name and value.
type Header<'a> = (&'a str, Option<&'a [u8]>);

impl Feed {
    fn decode(&mut self, rows: &BronzeBatch<'_>, range: std::ops::Range<usize>) -> Delivery {
        let ingested_at_us = rows.ingested_at.value(range.start);
        let remade: Vec<Remade<'_>> = range.map(|row| self.remake(rows, row)).collect();
        let headers: Vec<Vec<Header<'_>>> = remade
            .iter()
            .map(|record| record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect())
            .collect();
        let records: Vec<Record<'_>> = remade
            .iter()
            .zip(&headers)
            .map(|(record, headers)| Record {
                position: Position(record.position),
                timestamp_ms: record.timestamp_ms,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers,
            })
            .collect();
        self.decoder.decode(&records, ingested_at_us)
    }

    fn remake<'a>(&self, rows: &BronzeBatch<'a>, row: usize) -> Remade<'a> {
        let position = rows.offset.value(row);
        let text = |column: &'a arrow::array::StringArray| column.is_valid(row).then(|| column.value(row));
        let key = text(rows.key).map(|key| match original_key(key) {
            Some(bytes) => Cow::Owned(bytes),
            None => wrapped(self.block(&self.keys, position, key), key),
        });
        let value = match (text(rows.payload), rows.payload_raw.is_valid(row)) {
            (Some(payload), _) => Some(wrapped(self.block(&self.values, position, payload), payload)),
            (None, true) => Some(Cow::Borrowed(rows.payload_raw.value(row))),
            (None, false) => None,
        };
        Remade {
            position,
            timestamp_ms: rows.timestamp.is_valid(row).then(|| rows.timestamp.value(row) / 1000),
            key,
            value,
            headers: text(rows.headers).map_or_else(Vec::new, headers_of),
        }
    }

    /// The block that a record came with: the newest before it that has its columns.
    fn block<'a>(&self, blocks: &'a [Arc<Block>], position: i64, payload: &str) -> Option<&'a Block> {
        let known = match self.is_ordered {
            true => &blocks[..blocks.partition_point(|block| block.position <= position)],
            false => blocks,
        };
        match known {
            [] => None,
            [only] => Some(only),
            _ => {
                let columns = columns_of(payload);
                let fits = |block: &&Arc<Block>| columns.as_ref().is_none_or(|columns| block.columns == *columns);
                known.iter().rev().find(fits).or(known.last()).map(|block| &**block)
            }
        }
    }
}

fn wrapped<'a>(block: Option<&Block>, payload: &'a str) -> Cow<'a, [u8]> {
    match block {
        None => Cow::Borrowed(payload.as_bytes()),
        Some(block) => Cow::Owned(format!("{{\"schema\":{},\"payload\":{payload}}}", block.text).into_bytes()),
    }
}

/// The names of the columns of a payload's row; `None`: it has no row, and any block will do.
fn columns_of(payload: &str) -> Option<BTreeSet<String>> {
    type Names<'a> = HashMap<Cow<'a, str>, serde::de::IgnoredAny>;
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        after: Option<Names<'a>>,
        #[serde(borrow)]
        before: Option<Names<'a>>,
        op: Option<serde::de::IgnoredAny>,
    }
    let names = |names: Names<'_>| names.into_keys().map(Cow::into_owned).collect();
    match serde_json::from_str::<Envelope<'_>>(payload) {
        Ok(Envelope { op: Some(_), after, before }) => after.or(before).map(names),
        _ => serde_json::from_str::<Names<'_>>(payload).ok().map(names),
    }
}

/// The bytes of a key that was no JSON that jsonb could hold: bronze has it as a JSON string, or in base64.
fn original_key(key: &str) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Encoded {
        base64: String,
    }
    if key.starts_with('"') {
        let text: String = serde_json::from_str(key).ok()?;
        return text.trim_start().starts_with('{').then(|| text.into_bytes());
    }
    let Encoded { base64 } = serde_json::from_str(key).ok()?;
    let bytes = STANDARD.decode(base64).ok()?;
    (std::str::from_utf8(&bytes).is_err() || bytes.contains(&0)).then_some(bytes)
}

fn headers_of(json: &str) -> Vec<(String, Option<Vec<u8>>)> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Text {
        Plain(String),
        Encoded { base64: String },
    }
    #[derive(Deserialize)]
    struct Header {
        key: Text,
        value: Option<Text>,
    }
    let bytes = |text: Text| match text {
        Text::Plain(text) => Some(text.into_bytes()),
        Text::Encoded { base64 } => STANDARD.decode(base64).ok(),
    };
    let headers: Vec<Header> = serde_json::from_str(json).unwrap_or_default();
    let header = |Header { key, value }| {
        let name = String::from_utf8_lossy(&bytes(key).unwrap_or_default()).into_owned();
        (name, value.and_then(bytes))
    };
    headers.into_iter().map(header).collect()
}

impl Block {
    fn read(stream: &str, position: i64, part: &str, text: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let fields = |schema: &serde_json::Value| schema["fields"].as_array().cloned().unwrap_or_default();
        let own = fields(&json);
        let row = own.iter().find(|field| field["field"] == "after");
        let columns = row.map_or(own.clone(), fields);
        let name = |field: &serde_json::Value| field["field"].as_str().map(str::to_owned);
        Some(Self {
            stream: stream.to_owned(),
            position,
            is_key: part == "key",
            name: json["name"].as_str().unwrap_or_default().to_owned(),
            columns: columns.iter().filter_map(name).collect(),
            text: text.to_owned(),
        })
    }
}

/// The blocks of keys and of values that a stream's records may have come with, in the order of their positions.
fn blocks_of(blocks: &[Arc<Block>], topic: &str, partition: i32) -> (Vec<Arc<Block>>, Vec<Arc<Block>>) {
    let own = format!("/{topic}/{partition}");
    // A stream that is a file does not say its topic; the names of most schemas do.
    let is_named = |block: &Block| block.name.strip_prefix(topic).is_some_and(|rest| rest.starts_with('.'));
    let is_own = |block: &&Arc<Block>| match partition >= 0 {
        true => block.stream.ends_with(&own),
        false => is_named(block) || !blocks.iter().any(|other| is_named(other)),
    };
    let mut found: Vec<Arc<Block>> = blocks.iter().filter(is_own).cloned().collect();
    found.sort_by_key(|block| block.position);
    found.into_iter().partition(|block| block.is_key)
}

impl Engine {
    /// Puts a table that was made anew in the place of the one that is there, in a tick of its own. An error leaves
    /// everything as it was.
    pub(super) fn replace(&mut self, mut replay: Replay) -> PgResult<()> {
        let name = Arc::clone(&replay.silver);
        let oid = *self.names.get(&name).ok_or_else(|| lost_race("delete"))?;
        let runtime = &self.runtime;
        replay.catch_up(&self.relations, &self.catalog, true, &|next| runtime.block_on(next))?;
        let nothing = || {
            let message = format!("bronze holds nothing that table \"{name}\" could be made from");
            PgError::new(SqlState::OBJECT_NOT_IN_STATE, message)
        };
        let base = replay.base;
        let made = replay.shadow.names.get(&name).copied().and_then(|oid| replay.shadow.slots.remove(&oid));
        let Rows::Hot(mut table) = made.ok_or_else(nothing)?.rows else { return Err(nothing()) };
        let old = self.slots.get(&oid).ok_or_else(|| PgError::internal("a silver table without rows"))?;
        let Rows::Hot(before) = &old.rows else { return Err(nothing()) };
        if before.next_row_id() > base {
            return Err(lost_race("update"));
        }
        let schema = in_place_of(old.schema(), table.schema())?;
        if **table.schema() != schema {
            table.alter(Arc::new(schema), evolve::convert)?;
        }
        table.adopt_indexes(before)?;
        table.set_next_row_id(base);
        // From here on nothing fails.
        self.end_tick();
        self.tick.0 += 1;
        let Some(old) = self.slots.remove(&oid) else { return Err(nothing()) };
        let folder = self.free_folder(&name, oid, Some(&old));
        let mut slot = Slot::new(oid, RelationKind::Silver, folder, Rows::Hot(table));
        (slot.flushed, slot.written) = (base, base);
        (slot.streams, slot.indexes, slot.changed_tick) = (old.streams, old.indexes, self.tick);
        self.dropped.push(super::flush::Dropped { folder: old.folder, at_us: now_us() });
        let schema = Arc::clone(slot.schema());
        self.slots.insert(oid, slot);
        self.schemas.set(name, Arc::clone(&schema));
        self.publish_slot(oid);
        self.reshape(oid, &schema)?;
        let mut changed = HashSet::from([oid]);
        self.run_views(&mut changed);
        Ok(())
    }
}

/// The columns of a table made anew, in the places that they had: what nothing was found for stays, with NULLs.
fn in_place_of(old: &TableSchema, new: &TableSchema) -> PgResult<TableSchema> {
    let mut columns: Vec<Column> = old.columns.clone();
    for column in &mut columns {
        *column = match new.index_of(&column.name) {
            Some(at) => new.columns[at].clone(),
            None => Column::new(&column.name, column.ty, true),
        };
    }
    columns.extend(new.columns.iter().filter(|column| old.index_of(&column.name).is_none()).cloned());
    let names = |schema: &TableSchema| schema.key.iter().map(|at| schema.columns[*at].name.clone()).collect::<Vec<_>>();
    let (had, has) = (names(old), names(new));
    if had != has {
        let message = "the table would get another key";
        return Err(PgError::new(SqlState::OBJECT_NOT_IN_STATE, message).detail(format!(
            "It has ({}); by what is declared now it would be ({}).",
            had.join(", "),
            has.join(", ")
        )));
    }
    let key = has.iter().filter_map(|name| columns.iter().position(|column| column.name == *name)).collect();
    Ok(TableSchema::new(columns, key))
}

/// Held while a table is made anew: one at a time.
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Tells the thread that works that nobody waits any more.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl EngineHandle {
    /// Makes a silver table anew out of bronze; returns when it is in the lake. Queries, ticks and flushes go on meanwhile;
    /// the table is there twice in memory.
    ///
    /// Errors: `42809` for other relations, `55006` while another one is made, `55000` where bronze or the declarations do not
    /// give the table, `53200`, those of the lake. Then the table is what it was.
    pub async fn rebuild(&self, oid: Oid) -> PgResult<Rebuilt> {
        let snapshot = self.snapshot();
        let known = |oid| snapshot.catalog.relation(oid).filter(|relation| relation.kind == RelationKind::Silver);
        let other = || PgError::new(SqlState::WRONG_OBJECT_TYPE, "only silver tables are made from bronze");
        let silver: Arc<str> = snapshot.catalog.qualified_name(known(oid).ok_or_else(other)?).into();
        if self.rebuilding.swap(true, Ordering::AcqRel) {
            let message = "another table is being made anew from bronze";
            return Err(PgError::new(SqlState(*b"55006"), message));
        }
        let turn = Turn(Arc::clone(&self.rebuilding));
        let mut replay = Replay::new(silver, Arc::clone(&self.routes))?;
        let (done, waits) = (Arc::clone(&replay.done), Waits(Arc::clone(&replay.abandoned)));
        let handle = self.clone();
        let worked = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Handle::current();
            let mut snapshot = handle.snapshot();
            for _ in 0..MOST_PASSES {
                replay.catch_up(&snapshot.relations, &snapshot.catalog, false, &|next| runtime.block_on(next))?;
                snapshot = handle.snapshot();
                if replay.behind(&snapshot) <= LAST_ROWS {
                    break;
                }
            }
            let next = snapshot.table(oid).map_or(RowId(0), |table| table.next_row_id());
            replay.number(RowId(next.0 + MEANWHILE))?;
            Ok::<_, PgError>(Box::new(replay))
        });
        let replay = worked.await.map_err(|error| PgError::internal(format!("making a table anew: {error}")))??;
        let (reply, answer) = oneshot::channel();
        let gone = || PgError::new(SqlState::ADMIN_SHUTDOWN, "the engine has ended");
        self.commands.send(Command::Replace { replay, reply }).map_err(|_| gone())?;
        let answered = answer.await.unwrap_or_else(|_| Err(gone()));
        drop((turn, waits));
        answered?;
        let done = *done.lock();
        tracing::info!(%oid, %done, "a silver table was made anew from bronze");
        Ok(done)
    }
}
