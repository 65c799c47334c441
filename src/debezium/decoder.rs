//! One stream's decoder: records in, a [`Delivery`] out.

use super::bronze::{BronzeBuilder, Kept};
use super::event::{self, Cells, Operation, Origin, Scanned, member};
use super::form::{Block, read_block};
use super::rows::{self, Layout, Meta, Rows, Source, Trouble};
use super::scan::{Cell, Fault, Kind, Scan, Value};
use super::sink::{Connector, Habits};
use super::{Record, Route, StreamKind, values};
use crate::change::{
    DeadLetter, Delivery, KeyMove, MoveHalf, Op, Position, SchemaBlock, Schemas, TransactionId, TransactionKind,
    TransactionMark,
};
use crate::types::TableSchema;
use std::collections::HashSet;
use std::sync::Arc;

/// Longest message that is looked into.
const MAX_MESSAGE_BYTES: usize = 1 << 29;
/// Bytes after which a batch of silver rows is closed: Arrow's offsets of strings end at 2 GiB.
const MAX_ROWS_BYTES: usize = 1 << 29;
/// Schema blocks that a stream alternates between and that are recognised without parsing.
const MAX_REMEMBERED: usize = 4;
/// Distinct schema blocks of one stream that are kept.
const MAX_SEEN: usize = 10_000;

/// Decodes the records of one stream, batch by batch, in order.
pub struct Decoder {
    route: Arc<Route>,
    schemas: Arc<Schemas>,
    habits: Habits,
    key_blocks: Blocks,
    value_blocks: Blocks,
    header_blocks: Blocks,
    /// The schema block of the newest change, where it had one.
    block: Option<Arc<Block>>,
    key_block: Option<Arc<Block>>,
    /// The silver table as the engine last said.
    known: Option<Arc<TableSchema>>,
    /// Columns learnt from values.
    inferred: Vec<Source>,
    /// The table's key columns, once decided; empty: append only.
    key: Option<Vec<String>>,
    layout: Option<Arc<Layout>>,
    flattened: bool,
    /// Key and transaction of the delete directly before: its tombstone says nothing new.
    deleted: Option<(Vec<u8>, TransactionId)>,
    next: Position,
    value_cells: Cells,
    key_cells: Cells,
    position_text: String,
    /// The longest payload without its schema block in the last batch: room for the next one.
    longest_payload: usize,
}

/// Schema blocks by the bytes of a message up to its payload.
#[derive(Default)]
struct Blocks {
    known: Vec<(Vec<u8>, Arc<Block>)>,
    /// Digests of all that were seen: a stream that alternates among many brings them again and again.
    seen: HashSet<u128>,
    /// The text of one that was not seen before.
    new: Option<String>,
}

/// A message (key or value) whose JSON is right.
struct Opened<'a> {
    /// What the cells point into.
    text: &'a str,
    scanned: Scanned,
    block: Option<Arc<Block>>,
}

impl<'a> Opened<'a> {
    fn payload(&self) -> &'a str {
        &self.text[self.scanned.start..self.scanned.end]
    }

    fn kept(&self, all: &'a [u8]) -> Kept<'a> {
        if self.scanned.storable { Kept::Json(self.payload()) } else { Kept::Raw(all) }
    }
}

enum Unreadable {
    TooLarge,
    Utf8(usize),
    Json(Fault),
}

impl Unreadable {
    fn letter(&self, what: &str, bytes: &[u8]) -> (&'static str, String) {
        let seen = || match std::str::from_utf8(bytes) {
            Ok(text) => values::cut(text).into_owned(),
            Err(e) => values::cut(std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or("")).into_owned(),
        };
        match self {
            Self::TooLarge => ("too-large", format!("the {what} has {} bytes", bytes.len())),
            Self::Utf8(at) => ("not-json", format!("the {what} is not UTF-8 at byte {at}: {}", seen())),
            Self::Json(Fault::Syntax(at)) => ("not-json", format!("the {what} is not JSON at byte {at}: {}", seen())),
            Self::Json(Fault::TooDeep(at)) => {
                let limit = super::scan::MAX_DEPTH;
                ("too-deep", format!("the {what} nests deeper than {limit} levels at byte {at}"))
            }
        }
    }
}

impl Blocks {
    /// Scans a message and takes off a schema block, where there is one.
    fn open<'a>(&mut self, bytes: &'a [u8], cells: &mut Cells) -> Result<Opened<'a>, Unreadable> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(Unreadable::TooLarge);
        }
        if let Some(at) = self.known.iter().position(|(prefix, _)| bytes.starts_with(prefix)) {
            self.known[..=at].rotate_right(1);
            let (prefix, block) = &self.known[0];
            let skipped = prefix.len();
            let text = utf8(&bytes[skipped..], skipped)?;
            let shift = |fault| Unreadable::Json(shifted(fault, skipped));
            let (scanned, end) = cells.scan(text, 0).map_err(shift)?;
            let mut rest = Scan::new(text, end);
            rest.skip_space();
            // Another member may follow the payload: then the message is not what it seemed.
            if rest.peek() != Some(b',') {
                rest.expect(b'}').and_then(|()| rest.end()).map_err(shift)?;
                return Ok(Opened { text, scanned, block: Some(Arc::clone(block)) });
            }
        }
        let text = utf8(bytes, 0)?;
        let (scanned, end) = cells.scan(text, 0).map_err(Unreadable::Json)?;
        Scan::new(text, end).end().map_err(Unreadable::Json)?;
        let Some((schema, payload)) = wrapped(&cells.top, text) else {
            return Ok(Opened { text, scanned, block: None });
        };
        let block = schema.and_then(|schema| Some((schema, Arc::new(read_block(schema.value(text).raw)?))));
        // What stands between the quotes is the span of a string: the payload begins one before it.
        let quoted = matches!(payload.value.kind, Kind::Text | Kind::Escaped) as usize;
        let start = payload.value.start as usize - quoted;
        if let Some((schema, block)) = &block {
            if schema.value.end < payload.value.start {
                self.known.truncate(MAX_REMEMBERED - 1);
                self.known.insert(0, (bytes[..start].to_vec(), Arc::clone(block)));
            }
            let text = schema.value(text).raw;
            // What jsonb cannot hold is part of the payload that is kept as bytes.
            if scanned.storable && self.seen.len() < MAX_SEEN && self.seen.insert(event::digest(text.as_bytes())) {
                self.new = Some(text.to_string());
            }
        }
        let storable = scanned.storable;
        let (mut scanned, _) = cells.scan(text, start).map_err(Unreadable::Json)?;
        scanned.storable &= storable;
        Ok(Opened { text, scanned, block: block.map(|(_, block)| block) })
    }
}

fn utf8(bytes: &[u8], skipped: usize) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|e| Unreadable::Utf8(skipped + e.valid_up_to()))
}

fn shifted(fault: Fault, by: usize) -> Fault {
    match fault {
        Fault::Syntax(at) => Fault::Syntax(at + by),
        Fault::TooDeep(at) => Fault::TooDeep(at + by),
    }
}

/// `schema` and `payload` of an object that has nothing else.
fn wrapped(top: &[Cell], text: &str) -> Option<(Option<Cell>, Cell)> {
    match top {
        [only] if only.name(text) == "payload" => Some((None, *only)),
        [a, b] => match (a.name(text), b.name(text)) {
            ("schema", "payload") => Some((Some(*a), *b)),
            ("payload", "schema") => Some((Some(*b), *a)),
            _ => None,
        },
        _ => None,
    }
}

/// What is being delivered.
struct Batch {
    rows: Option<Rows>,
    capacity: usize,
    ingested_at_us: i64,
    delivery: Delivery,
    has_transactions: bool,
}

impl Batch {
    fn close_rows(&mut self) {
        if let Some(changes) = self.rows.take().and_then(Rows::finish) {
            self.delivery.changes.push(changes);
        }
    }

    fn saw_source_time(&mut self, micros: Option<i64>) {
        self.delivery.newest_source_ts = self.delivery.newest_source_ts.max(micros);
    }

    fn belongs_to(&mut self, id: TransactionId, kind: TransactionKind) {
        self.has_transactions = true;
        self.delivery.transaction_kind = Some(kind);
        if let Some(last) = self.delivery.transactions.last_mut() {
            *last = id;
        }
    }
}

/// The key of a record: its members, or why there are none.
enum Key<'a> {
    Absent,
    Fields(&'a [Cell], &'a str),
    Unreadable(&'static str),
}

type Outcome = Result<(), (&'static str, String)>;

fn bad_envelope(message: impl Into<String>) -> (&'static str, String) {
    ("bad-envelope", message.into())
}

impl Decoder {
    pub fn new(route: Arc<Route>, schemas: Arc<Schemas>) -> Self {
        Self {
            route,
            schemas,
            habits: Habits::default(),
            key_blocks: Blocks::default(),
            value_blocks: Blocks::default(),
            header_blocks: Blocks::default(),
            block: None,
            key_block: None,
            known: None,
            inferred: Vec::new(),
            key: None,
            layout: None,
            flattened: false,
            deleted: None,
            next: Position(0),
            value_cells: Cells::default(),
            key_cells: Cells::default(),
            position_text: String::new(),
            longest_payload: usize::MAX,
        }
    }

    /// Decodes the next records of the stream, in ascending positions.
    pub fn decode(&mut self, records: &[Record<'_>], ingested_at_us: i64) -> Delivery {
        let bytes = records.iter().map(|r| r.key.map_or(0, <[u8]>::len) + r.value.map_or(0, <[u8]>::len)).sum();
        self.next = records.last().map_or(self.next, |r| Position(r.position.0.saturating_add(1)));
        let mut batch = Batch {
            rows: None,
            capacity: records.len(),
            ingested_at_us,
            delivery: Delivery {
                source: Arc::clone(&self.route.source),
                stream: self.route.stream.clone(),
                positions: records.iter().map(|r| r.position).collect(),
                next: self.next,
                bronze: Vec::new(),
                changes: Vec::new(),
                dead: Vec::new(),
                blocks: Vec::new(),
                transactions: Vec::with_capacity(records.len()),
                transaction_kind: None,
                marks: Vec::new(),
                moves: Vec::new(),
                newest_source_ts: None,
                bytes,
            },
            has_transactions: false,
        };
        self.refresh();
        // Schema blocks are not kept, and room for them would stay empty for as long as the batch is in memory.
        let room = bytes.min(self.longest_payload.saturating_mul(records.len()));
        let mut longest = 0;
        let mut bronze = self
            .route
            .bronze
            .as_ref()
            .map(|table| BronzeBuilder::new(Arc::clone(table), &self.route, ingested_at_us, records.len(), room));
        // Apart from `self` while their texts are borrowed.
        let mut value_cells = std::mem::take(&mut self.value_cells);
        let mut key_cells = std::mem::take(&mut self.key_cells);
        for (event, record) in records.iter().enumerate() {
            batch.delivery.transactions.push(TransactionId(0));
            let key = record.key.map(|bytes| self.key_blocks.open(bytes, &mut key_cells));
            let value = record.value.map(|bytes| self.value_blocks.open(bytes, &mut value_cells));
            for (part, blocks) in [("key", &mut self.key_blocks), ("value", &mut self.value_blocks)] {
                if let Some(schema) = blocks.new.take().filter(|_| bronze.is_some()) {
                    batch.delivery.blocks.push(SchemaBlock { event: event as u32, part, schema });
                }
            }
            if let Some(bronze) = &mut bronze {
                let payload = kept(record.value, &value);
                longest = longest.max(payload.len());
                bronze.append(record, kept(record.key, &key), payload);
            }
            let outcome = self.record(event as u32, record, key, value, &key_cells, &mut value_cells, &mut batch);
            if let Err((reason, message)) = outcome {
                let table = self.route.silver.clone();
                let position = record.position;
                batch.delivery.dead.push(DeadLetter { event: event as u32, position, table, reason, message });
            }
        }
        self.value_cells = value_cells;
        self.key_cells = key_cells;
        if !records.is_empty() {
            self.longest_payload = longest;
        }
        batch.close_rows();
        let mut delivery = batch.delivery;
        delivery.bronze = bronze.map_or(Vec::new(), BronzeBuilder::finish);
        if !batch.has_transactions {
            delivery.transactions.clear();
        }
        delivery
    }

    /// Takes up what the engine has made of the table since the last batch.
    fn refresh(&mut self) {
        let Some(table) = &self.route.silver else { return };
        let known = self.schemas.get(table);
        let same = match (&known, &self.known) {
            (Some(new), Some(old)) => Arc::ptr_eq(new, old),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        if let (Some(known), false, true) = (&known, self.route.append_only, self.route.declared_key.is_empty()) {
            let names = known.key.iter().map(|at| known.columns[*at].name.clone());
            let key: Vec<String> = names.filter(|name| !rows::is_meta(name)).collect();
            if self.key.as_ref() != Some(&key) {
                self.key = Some(key);
                self.layout = None;
            }
        }
        self.known = known;
        // Columns that came out the same keep their layout, so that equal schemas share one `Arc`.
        if let (Some(layout), Some(key)) = (&self.layout, &self.key)
            && layout.columns != self.sources(key)
        {
            self.layout = None;
        }
    }

    fn sources(&self, key: &[String]) -> Vec<Source> {
        rows::sources(
            &self.route,
            self.block.as_deref(),
            self.known.as_deref(),
            &self.inferred,
            self.key_block.as_deref(),
            key,
            self.flattened,
        )
    }

    #[allow(clippy::too_many_arguments)]
    fn record(
        &mut self,
        event: u32,
        record: &Record<'_>,
        key: Option<Result<Opened<'_>, Unreadable>>,
        value: Option<Result<Opened<'_>, Unreadable>>,
        key_cells: &Cells,
        value_cells: &mut Cells,
        batch: &mut Batch,
    ) -> Outcome {
        let value = match value {
            None => None,
            Some(Err(unreadable)) => return Err(unreadable.letter("payload", record.value.unwrap_or_default())),
            Some(Ok(opened)) if opened.scanned.root == Kind::Null => None,
            Some(Ok(opened)) => Some(opened),
        };
        match (self.route.kind, &value) {
            (StreamKind::SchemaChanges, _) => return Ok(()),
            (StreamKind::Heartbeat, Some(value)) => {
                let ms = member(&value_cells.top, value.text, "ts_ms").and_then(|v| v.int());
                batch.saw_source_time(ms.and_then(|ms| ms.checked_mul(1000)));
                return Ok(());
            }
            (StreamKind::TransactionTopic, Some(value)) => return mark(event, &value_cells.top, value.text, batch),
            (StreamKind::Heartbeat | StreamKind::TransactionTopic, None) => return Ok(()),
            (StreamKind::Table, _) => (),
        }
        let key = match &key {
            None => Key::Absent,
            Some(Err(_)) => Key::Unreadable("the record's key is not JSON"),
            Some(Ok(opened)) => {
                if opened.block.is_some() {
                    self.key_block.clone_from(&opened.block);
                }
                match opened.scanned.root {
                    Kind::Object => Key::Fields(&key_cells.top, opened.text),
                    Kind::Null => Key::Absent,
                    _ => Key::Unreadable("the record's key is not a JSON object"),
                }
            }
        };
        let Some(value) = value else { return self.tombstone(event, record, &key, batch) };
        self.deleted = None;
        if value.scanned.root != Kind::Object {
            return Err(bad_envelope("the payload is not a JSON object"));
        }
        let text = value.text;
        let top = &value_cells.top;
        let op = member(top, text, "op");
        let has = |name| member(top, text, name).is_some();
        let envelope = match op {
            Some(op) => op.kind == Kind::Text && (has("after") || has("before") || has("source")),
            None if has("source") && (has("after") || has("before")) => return Err(bad_envelope("there is no \"op\"")),
            None => false,
        };
        if envelope {
            self.enveloped(event, record, &key, &value, value_cells, batch)
        } else {
            self.flattened(event, record, &key, &value, value_cells, batch)
        }
    }

    fn enveloped(
        &mut self,
        event: u32,
        record: &Record<'_>,
        key: &Key<'_>,
        value: &Opened<'_>,
        cells: &Cells,
        batch: &mut Batch,
    ) -> Outcome {
        let text = value.text;
        self.flattened = false;
        let origin = Origin::read(&cells.source, text);
        if let Some(connector) = origin.connector {
            self.habits.connector = Connector::named(connector);
        }
        batch.saw_source_time(origin.micros);
        let op = member(&cells.top, text, "op").map_or("", |v| v.raw);
        let operation = event::operation(op);
        let mut transaction = TransactionId(0);
        if !origin.snapshot && operation != Some(Operation::Row(Op::Snapshot)) {
            let id = member(&cells.transaction, text, "id").and_then(|v| v.text());
            if let Some(commit) = origin.commit() {
                transaction = commit;
                batch.belongs_to(commit, TransactionKind::CommitLsn);
            } else if let Some(id) = id {
                batch.belongs_to(event::transaction_id(&id), TransactionKind::Metadata);
            }
        }
        let op = match operation {
            Some(Operation::Row(op)) => op,
            Some(Operation::Message) => return Ok(()),
            None => return Err(bad_envelope(format!("the operation \"{}\" is unknown", values::cut(op)))),
        };
        let after: &[Cell] = match (op, member(&cells.top, text, "after").map(|v| v.kind)) {
            (Op::Delete | Op::Truncate, _) => &[],
            (_, Some(Kind::Object)) => &cells.after,
            _ => return Err(bad_envelope("\"after\" is not an object")),
        };
        if op == Op::Delete {
            self.deleted = record.key.map(|key| (key.to_vec(), transaction));
        }
        let done = self.change(event, op, key, (after, text), value.block.as_ref(), &origin, batch);
        self.note_move(event, op, key, record, batch);
        done
    }

    /// An event that `ExtractNewRecordState` has made: the row itself, with or without `__` fields.
    fn flattened(
        &mut self,
        event: u32,
        record: &Record<'_>,
        key: &Key<'_>,
        value: &Opened<'_>,
        cells: &mut Cells,
        batch: &mut Batch,
    ) -> Outcome {
        let text = value.text;
        if !self.flattened {
            self.flattened = true;
            self.layout = None;
        }
        let origin = Origin::read_flattened(&cells.top, text);
        batch.saw_source_time(origin.micros);
        let told = member(&cells.top, text, "__op");
        let deleted = member(&cells.top, text, "__deleted");
        let op = match told.and_then(|op| event::operation(op.raw)) {
            _ if deleted.is_some_and(|v| v.raw == "true") => Op::Delete,
            Some(Operation::Row(op)) => op,
            Some(Operation::Message) => return Ok(()),
            None if told.is_some_and(|v| !v.is_null()) => return Err(bad_envelope("\"__op\" is unknown")),
            // Nobody says whether the row is new.
            None => Op::Create,
        };
        let mut transaction = TransactionId(0);
        if op != Op::Snapshot && !origin.snapshot {
            let id = member(&cells.top, text, "__transaction_id").and_then(|v| v.text());
            if let Some(commit) = origin.commit() {
                transaction = commit;
                batch.belongs_to(commit, TransactionKind::CommitLsn);
            } else if let Some(id) = id {
                batch.belongs_to(event::transaction_id(&id), TransactionKind::Metadata);
            }
        }
        cells.top.retain(|cell| !rows::is_flattened_meta(cell.name(text)));
        let after: &[Cell] = if matches!(op, Op::Delete | Op::Truncate) { &[] } else { &cells.top };
        if op == Op::Delete {
            self.deleted = record.key.map(|key| (key.to_vec(), transaction));
        }
        let done = self.change(event, op, key, (after, text), value.block.as_ref(), &origin, batch);
        // The delete may be a tombstone, which has no position: the keys alone must do.
        self.position_text.clear();
        self.note_move(event, op, key, record, batch);
        done
    }

    /// Notes a record that is half of a key change: Debezium names the other key in a header.
    fn note_move(&mut self, event: u32, op: Op, key: &Key<'_>, record: &Record<'_>, batch: &mut Batch) {
        let (header, deletes) = match op {
            Op::Delete => ("__debezium.newkey", true),
            Op::Create | Op::Update => ("__debezium.oldkey", false),
            Op::Snapshot | Op::Truncate => return,
        };
        let named = record.headers.iter().find(|(name, _)| *name == header);
        let (Some((_, Some(other))), Key::Fields(cells, text)) = (named, key) else { return };
        let Some(table) = &self.route.silver else { return };
        // A create that is a dead letter asks for nothing.
        let whole = batch.rows.as_ref().and_then(|rows| rows.is_whole(event)).unwrap_or(true);
        let mut other_cells = Cells::default();
        let Ok(other) = self.header_blocks.open(other, &mut other_cells) else { return };
        let own = (*cells, *text);
        let other = (other_cells.top.as_slice(), other.text);
        let (old, new) = if deletes { (own, other) } else { (other, own) };
        let id = event::move_id(table, &self.position_text, old, new);
        let half = if deletes { MoveHalf::Leaves } else { MoveHalf::Arrives { whole } };
        batch.delivery.moves.push(KeyMove { event, id, half });
    }

    /// No value. Behind a delete of the same key it says nothing new; else it is the delete: of a flattened stream, or one whose
    /// delete event was compacted away.
    fn tombstone(&mut self, event: u32, record: &Record<'_>, key: &Key<'_>, batch: &mut Batch) -> Outcome {
        if let Some((deleted, transaction)) = self.deleted.take()
            && record.key == Some(deleted.as_slice())
        {
            // With its delete into bronze; transaction metadata does not count it.
            if transaction != TransactionId(0) {
                batch.belongs_to(transaction, TransactionKind::CommitLsn);
            }
            return Ok(());
        }
        if self.route.append_only || self.key.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        match key {
            Key::Absent => Err(("missing-key", "a record without a value needs a key".to_string())),
            _ => {
                let done = self.change(event, Op::Delete, key, (&[], ""), None, &Origin::default(), batch);
                self.note_move(event, Op::Delete, key, record, batch);
                done
            }
        }
    }

    /// Decides the table's key, where that is still open.
    fn decide_key(&mut self, op: Op, key: &Key<'_>) -> Result<bool, (&'static str, String)> {
        if self.key.is_some() {
            return Ok(true);
        }
        self.key = Some(match key {
            _ if self.route.append_only => Vec::new(),
            _ if !self.route.declared_key.is_empty() => self.route.declared_key.clone(),
            // A truncate has no key: it says nothing about the table's.
            _ if op == Op::Truncate => return Ok(false),
            Key::Fields(cells, text) => cells.iter().map(|c| c.plain_name(text).into_owned()).collect(),
            Key::Absent => Vec::new(),
            Key::Unreadable(why) => return Err(("missing-key", (*why).to_string())),
        });
        Ok(true)
    }

    /// A change of a row of the silver table.
    #[allow(clippy::too_many_arguments)]
    fn change(
        &mut self,
        event: u32,
        op: Op,
        key: &Key<'_>,
        after: (&[Cell], &str),
        block: Option<&Arc<Block>>,
        origin: &Origin<'_>,
        batch: &mut Batch,
    ) -> Outcome {
        let Some(table) = self.route.silver.clone() else { return Ok(()) };
        if !self.decide_key(op, key)? {
            return Ok(());
        }
        // A tombstone and a bare truncate have no say in the columns.
        if !after.0.is_empty() || block.is_some() {
            self.use_block(block);
        }
        let key = match key {
            Key::Fields(cells, text) => (*cells, *text),
            Key::Absent => (&[][..], ""),
            Key::Unreadable(why) if op == Op::Delete => return Err(("missing-key", (*why).to_string())),
            Key::Unreadable(_) => (&[][..], ""),
        };
        let source_db = origin.db.and_then(|db| db.text());
        if self.route.source_db_in_key && source_db.is_none() && op != Op::Truncate {
            return Err(("missing-key", "the record does not name its database".to_string()));
        }
        self.position_text.clear();
        origin.write_position(&mut self.position_text);
        let meta = Meta {
            event,
            op,
            source_db: source_db.as_deref().unwrap_or(""),
            micros: origin.micros,
            position: &self.position_text,
            ingested_at_us: batch.ingested_at_us,
        };
        // Each round learns a column or a wider type; a record cannot teach more than this.
        let rounds = 8 + 4 * (after.0.len() + key.0.len());
        for _ in 0..rounds {
            let layout = match &self.layout {
                Some(layout) => layout,
                None => {
                    let key = self.key.as_deref().unwrap_or_default();
                    let columns = self.sources(key);
                    let layout = Layout::new(Arc::clone(&table), &self.route, columns, key, self.block.is_some());
                    self.layout.insert(Arc::new(layout))
                }
            };
            if op == Op::Truncate && layout.missing_key().is_some() {
                return Ok(());
            }
            let fits = |rows: &Rows| Arc::ptr_eq(&rows.layout, layout) && rows.bytes < MAX_ROWS_BYTES;
            if !batch.rows.as_ref().is_some_and(fits) {
                batch.close_rows();
            }
            let capacity = batch.capacity;
            let rows = batch.rows.get_or_insert_with(|| Rows::new(Arc::clone(layout), capacity));
            match rows.append(key, after, &meta, &self.route, &mut self.habits) {
                Ok(()) => return Ok(()),
                Err(Trouble::Dead { reason, message }) => return Err((reason, message)),
                Err(Trouble::Columns(columns)) => {
                    columns.into_iter().for_each(|column| learn(&mut self.inferred, column));
                    self.layout = None;
                }
            }
        }
        Err(bad_envelope("the record's columns do not settle"))
    }

    /// Goes over to the columns of another schema block, or of none.
    fn use_block(&mut self, block: Option<&Arc<Block>>) {
        let same = match (block, &self.block) {
            (Some(new), Some(old)) => Arc::ptr_eq(new, old),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        if let Some(old) = &self.block {
            // The engine may not have told yet that the table has these columns.
            for column in &old.columns {
                if self.flattened && rows::is_flattened_meta(&column.name) {
                    continue;
                }
                let (name, ty, form) = (column.name.clone(), column.ty, super::form::Form::Any);
                learn(&mut self.inferred, Source { name, ty, nullable: true, form, widens: true });
            }
        }
        self.block = block.cloned();
        self.layout = None;
    }
}

fn kept<'a>(bytes: Option<&'a [u8]>, opened: &Option<Result<Opened<'a>, Unreadable>>) -> Kept<'a> {
    match (bytes, opened) {
        (Some(bytes), Some(Ok(opened))) => opened.kept(bytes),
        (Some(bytes), _) => Kept::Raw(bytes),
        (None, _) => Kept::Absent,
    }
}

fn learn(inferred: &mut Vec<Source>, column: Source) {
    match inferred.iter_mut().find(|i| i.name == column.name) {
        Some(old) => *old = column,
        None => inferred.push(column),
    }
}

/// How many events of a transaction went to one table.
#[derive(serde::Deserialize)]
struct CollectionCount {
    data_collection: String,
    event_count: u64,
}

/// A record of the transaction topic.
fn mark(event: u32, top: &[Cell], text: &str, batch: &mut Batch) -> Outcome {
    let get = |name| member(top, text, name).unwrap_or(Value::NULL);
    let Some(id) = get("id").text() else { return Err(bad_envelope("\"id\" is not a string")) };
    let end = match get("status").raw {
        "BEGIN" => None,
        "END" => match serde_json::from_str::<Option<Vec<CollectionCount>>>(get("data_collections").raw) {
            Ok(counts) => {
                let counts = counts.unwrap_or_default().into_iter();
                Some(counts.map(|c| (Arc::from(&*c.data_collection), c.event_count)).collect())
            }
            Err(error) => return Err(bad_envelope(format!("\"data_collections\" cannot be read: {error}"))),
        },
        other => return Err(bad_envelope(format!("the status \"{}\" is unknown", values::cut(other)))),
    };
    batch.saw_source_time(get("ts_ms").int().and_then(|ms| ms.checked_mul(1000)));
    let commit = event::commit_lsn(&id).is_some();
    batch.delivery.transaction_kind = Some(if commit { TransactionKind::CommitLsn } else { TransactionKind::Metadata });
    batch.delivery.marks.push(TransactionMark { id: event::transaction_id(&id), event, end });
    Ok(())
}
