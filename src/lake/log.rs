//! The Delta log of one table: commits are written here, action by action; older states are read through deltalake.
//!
//! A commit is one put-if-absent of exactly the next version. Nothing is retried: whoever finds the version taken is
//! not alone, and stops ([`LakeError::Fenced`]).

use super::cold::ColdFiles;
use super::convert;
use super::durable::Unsynced;
use super::error::{LakeError, LakeResult};
use super::file::{self, LiveFile};
use super::store::Trouble;
use super::vector::{Descriptor, Vector};
use super::{LakeTableKind, store};
use crate::change::{Position, StreamId, Tick};
use crate::fault::{self, Step};
use crate::types::TableSchema;
use bytes::Bytes;
use deltalake::{DeltaTable, DeltaTableBuilder};
use object_store::ObjectStore;
use object_store::path::Path;
use roaring::RoaringBitmap;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use url::Url;

/// The format of a table's folder as Sluice uses it, in the table's configuration.
pub(super) const TABLE_FORMAT: u64 = 1;

/// Where a table lies.
#[derive(Debug)]
pub(super) struct Place {
    /// `schema.table`
    pub name: String,
    /// The folder, from the root of the store.
    pub prefix: Path,
    pub url: Url,
    pub store: Arc<dyn ObjectStore>,
    pub storage_options: HashMap<String, String>,
    pub is_local: bool,
    pub unsynced: Option<Arc<Unsynced>>,
    pub trouble: Arc<Trouble>,
    pub cold: Arc<ColdFiles>,
}

impl Place {
    pub(super) fn path(&self, relative: &str) -> Path {
        relative.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    pub(super) fn commit_path(&self, version: i64) -> Path {
        self.prefix.clone().join("_delta_log").join(format!("{version:020}.json"))
    }

    pub(super) fn shown(&self, path: &Path) -> String {
        format!("{path} of table {}", self.name)
    }

    /// The table as deltalake sees it at a version.
    pub(super) async fn delta_table(&self, version: i64) -> LakeResult<DeltaTable> {
        let read = |error| LakeError::store("read the Delta log of", &self.name, Box::new(error));
        DeltaTableBuilder::from_url(self.url.clone())
            .map_err(read)?
            .with_storage_options(self.storage_options.clone())
            .with_version(version as u64)
            .load()
            .await
            .map_err(read)
    }
}

/// A table at one version.
#[derive(Debug)]
pub(super) struct State {
    /// In the order of their rows.
    pub files: Vec<LiveFile>,
    pub metadata: Metadata,
    pub protocol: Value,
}

/// The `metaData` action.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metadata(pub Value);

impl Metadata {
    pub(super) fn new(name: &str, schema: &TableSchema, kind: LakeTableKind, layout: Layout) -> Self {
        let mut configuration = BTreeMap::from([
            ("sluice.table", name.to_owned()),
            ("sluice.format", TABLE_FORMAT.to_string()),
            ("sluice.kind", kind.name().to_owned()),
            ("delta.deletedFileRetentionDuration", "interval 1 hours".to_owned()),
            // Sluice's own maintenance cleans up: it knows which versions manifests name.
            ("delta.enableExpiredLogCleanup", "false".to_owned()),
        ]);
        if layout.copy_on_write {
            configuration.insert(COPY_ON_WRITE, "true".to_owned());
        } else if kind == LakeTableKind::Upsert {
            configuration.insert("delta.enableDeletionVectors", "true".to_owned());
        }
        let partitions: &[&str] = if layout.by_day { &[file::DAY] } else { &[] };
        Self(json!({
            "id": uuid::Uuid::new_v4().to_string(),
            "format": { "provider": "parquet", "options": {} },
            "schemaString": schema_string(schema, layout.by_day),
            "partitionColumns": partitions,
            "configuration": configuration,
            "createdTime": now_ms(),
        }))
    }

    pub(super) fn schema_string(&self) -> &str {
        self.0.get("schemaString").and_then(Value::as_str).unwrap_or("")
    }

    pub(super) fn with_schema(&self, schema: &TableSchema) -> Self {
        let mut changed = self.clone();
        changed.0["schemaString"] = schema_string(schema, self.layout().by_day).into();
        changed
    }

    pub(super) fn layout(&self) -> Layout {
        let columns = self.0.get("partitionColumns").and_then(Value::as_array);
        Layout {
            by_day: columns.is_some_and(|columns| columns.iter().any(|column| column == file::DAY)),
            copy_on_write: self.configuration(COPY_ON_WRITE).is_some(),
        }
    }

    pub(super) fn configuration(&self, key: &str) -> Option<&str> {
        self.0.get("configuration")?.get(key)?.as_str()
    }

    /// Column name → Delta type.
    pub(super) fn columns(&self) -> Map<String, Value> {
        let schema: Value = serde_json::from_str(self.schema_string()).unwrap_or(Value::Null);
        let fields = schema.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
        fields
            .into_iter()
            .filter_map(|field| Some((field.get("name")?.as_str()?.to_owned(), field.get("type")?.clone())))
            .collect()
    }
}

/// How a table lies in its folder; settled when it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// A folder for each day on which rows came.
    pub by_day: bool,
    /// Files in which rows died are written anew, in the place of deletion vectors.
    pub copy_on_write: bool,
}

/// In the configuration of tables that are written so.
const COPY_ON_WRITE: &str = "sluice.copyOnWrite";

/// Delta's schema of a table; what PostgreSQL says of a column is in the column's metadata.
pub(super) fn schema_string(schema: &TableSchema, by_day: bool) -> String {
    let day = by_day.then(|| json!({ "name": file::DAY, "type": "date", "nullable": true, "metadata": {} }));
    let fields: Vec<Value> = schema
        .columns
        .iter()
        .enumerate()
        .map(|(n, column)| {
            let mut metadata = json!({ "sluice.type_oid": column.ty.oid.0, "sluice.typmod": column.ty.typmod });
            if let Some(rank) = schema.key.iter().position(|key| *key == n) {
                metadata["sluice.key"] = (rank + 1).into();
            }
            json!({
                "name": column.name,
                "type": convert::delta_type(column.ty),
                "nullable": true,
                "metadata": metadata,
            })
        })
        .chain(day)
        .collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

/// The weakest protocol that says what the table uses.
pub(super) fn protocol(schema: &TableSchema, kind: LakeTableKind, layout: Layout) -> Value {
    let mut features = Vec::new();
    if kind == LakeTableKind::Upsert && !layout.copy_on_write {
        features.push("deletionVectors");
    }
    if schema.columns.iter().any(|column| convert::is_timestamp_ntz(column.ty)) {
        features.push("timestampNtz");
    }
    if features.is_empty() {
        return json!({ "minReaderVersion": 1, "minWriterVersion": 2 });
    }
    json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features })
}

/// Whether `now` says less than `needed`.
pub(super) fn is_weaker(now: &Value, needed: &Value) -> bool {
    let features = |protocol: &Value| -> Vec<String> {
        let list = protocol.get("readerFeatures").and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let have = features(now);
    features(needed).iter().any(|feature| !have.contains(feature))
}

/// One commit in the making: actions as lines of JSON.
pub(super) struct Commit {
    lines: Vec<u8>,
    now_ms: i64,
    info: Value,
    /// Rows that are new in the table, and rows that are not in it any more.
    pub rows_added: u64,
    pub rows_deleted: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Add<'a> {
    path: &'a str,
    partition_values: Map<String, Value>,
    size: u64,
    modification_time: i64,
    data_change: bool,
    stats: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_vector: Option<&'a Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Remove<'a> {
    path: &'a str,
    deletion_timestamp: i64,
    data_change: bool,
    extended_file_metadata: bool,
    partition_values: Map<String, Value>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_vector: Option<&'a Descriptor>,
}

impl Commit {
    pub(super) fn new(operation: &str, tick: Option<Tick>, blind_append: bool) -> Self {
        let now_ms = now_ms();
        let mut info = json!({
            "timestamp": now_ms,
            "operation": operation,
            "operationParameters": {},
            "isBlindAppend": blind_append,
            "engineInfo": concat!("sluice/", env!("CARGO_PKG_VERSION")),
        });
        if let Some(tick) = tick {
            info["sluiceTick"] = tick.0.into();
        }
        Self { lines: Vec::with_capacity(4096), now_ms, info, rows_added: 0, rows_deleted: 0 }
    }

    fn line(&mut self, action: &str, body: &impl Serialize) {
        self.lines.extend_from_slice(b"{\"");
        self.lines.extend_from_slice(action.as_bytes());
        self.lines.extend_from_slice(b"\":");
        serde_json::to_writer(&mut self.lines, body).expect("actions have string keys, and memory takes every byte");
        self.lines.extend_from_slice(b"}\n");
    }

    pub(super) fn protocol(&mut self, protocol: &Value) {
        self.line("protocol", protocol);
    }

    pub(super) fn metadata(&mut self, metadata: &Metadata) {
        self.line("metaData", &metadata.0);
    }

    pub(super) fn position(&mut self, stream: &StreamId, position: Position) {
        self.line("txn", &json!({ "appId": &*stream.0, "version": position.0, "lastUpdated": self.now_ms }));
    }

    /// `data_change`: false where the rows were there before, in another file.
    pub(super) fn add(&mut self, file: &LiveFile, data_change: bool) {
        self.line(
            "add",
            &Add {
                path: &file.path,
                partition_values: file.partition_values(),
                size: file.size,
                modification_time: file.modified_ms,
                data_change,
                stats: &file.stats,
                deletion_vector: file.vector.as_ref().map(|vector| &*vector.descriptor),
            },
        );
    }

    /// Removes a file as it is in the log now: the vector belongs to its identity.
    pub(super) fn remove(&mut self, file: &LiveFile, data_change: bool) {
        self.line(
            "remove",
            &Remove {
                path: &file.path,
                deletion_timestamp: self.now_ms,
                data_change,
                extended_file_metadata: true,
                partition_values: file.partition_values(),
                size: file.size,
                deletion_vector: file.vector.as_ref().map(|vector| &*vector.descriptor),
            },
        );
    }

    /// Makes it the given version of the table.
    pub(super) async fn write(mut self, place: &Place, version: i64) -> LakeResult<()> {
        let path = place.commit_path(version);
        self.info["operationMetrics"] = json!({
            "numOutputRows": self.rows_added.to_string(),
            "numDeletedRows": self.rows_deleted.to_string(),
        });
        let (info, actions) = (std::mem::take(&mut self.info), std::mem::take(&mut self.lines));
        self.line("commitInfo", &info);
        self.lines.extend_from_slice(&actions);
        fault::at(Step::Commit).await.map_err(|error| LakeError::store("commit", path.to_string(), error))?;
        if store::put_new(&*place.store, &path, self.lines.into(), "commit", (place.is_local, &place.trouble)).await? {
            Ok(())
        } else {
            Err(LakeError::Fenced { place: place.shown(&path) })
        }
    }
}

/// Whether the commit of a version can be read to its end.
pub(super) async fn is_whole(place: &Place, version: i64) -> LakeResult<bool> {
    let bytes = match store::get(&*place.store, &place.commit_path(version)).await {
        Err(error) if error.is_not_found() => return Ok(false),
        got => got?,
    };
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let are_json = lines.all(|line| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok());
    Ok(!bytes.is_empty() && are_json)
}

/// The state of a table at a version.
pub(super) async fn read_state(place: &Place, version: i64) -> LakeResult<State> {
    read_state_with(place, version, true).await
}

/// The same; without `vectors` nobody asks which rows are dead, and the vectors' own files need not be there.
pub(super) async fn read_state_with(place: &Place, version: i64, vectors: bool) -> LakeResult<State> {
    let table = place.delta_table(version).await?;
    let read = |error| LakeError::store("read the Delta log of", &place.name, Box::new(error));
    let snapshot = table.snapshot().map_err(read)?;
    let json = |what: Result<Value, serde_json::Error>| {
        what.map_err(|error| LakeError::damaged(&place.name, error.to_string()))
    };
    let metadata = Metadata(json(serde_json::to_value(snapshot.metadata()))?);
    let protocol = json(serde_json::to_value(snapshot.protocol()))?;
    if metadata.configuration("sluice.table").is_none() {
        return Err(LakeError::Foreign { place: place.prefix.to_string() });
    }
    match metadata.configuration("sluice.format").and_then(|format| format.parse().ok()) {
        Some(found) if found > TABLE_FORMAT => {
            return Err(LakeError::NewerFormat { place: place.prefix.to_string(), found, known: TABLE_FORMAT });
        }
        Some(_) => {}
        None => return Err(LakeError::damaged(place.prefix.to_string(), "no sluice.format in its configuration")),
    }
    let mut vector_files: HashMap<String, Bytes> = HashMap::new();
    let mut files = Vec::new();
    for view in snapshot.log_data().iter() {
        let path: Arc<str> = view.path().into();
        let damaged = |problem: &str| LakeError::damaged(format!("{path} of table {}", place.name), problem);
        let stats = view.stats().ok_or_else(|| damaged("no statistics in the log"))?;
        let rows = file::rows_in(&stats).ok_or_else(|| damaged("no row count in the log"))?;
        let vector = match view.deletion_vector_descriptor() {
            None => None,
            Some(descriptor) => {
                let descriptor = Descriptor {
                    storage_type: descriptor.storage_type.as_ref().to_owned(),
                    path_or_inline_dv: descriptor.path_or_inline_dv,
                    offset: descriptor.offset,
                    size_in_bytes: descriptor.size_in_bytes,
                    cardinality: descriptor.cardinality,
                };
                let rows = match vectors {
                    true => read_vector(place, &descriptor, &mut vector_files).await?,
                    false => RoaringBitmap::new(),
                };
                Some(Vector { rows: Arc::new(rows), descriptor: Arc::new(descriptor) })
            }
        };
        files.push(LiveFile {
            size: u64::try_from(view.size()).map_err(|_| damaged("a negative size in the log"))?,
            rows,
            modified_ms: view.modification_time(),
            stats: stats.into(),
            vector,
            ids: None,
            partition: day_of(&path),
            path,
        });
    }
    files.sort_by(|a, b| (a.rank(), &a.path).cmp(&(b.rank(), &b.path)));
    Ok(State { files, metadata, protocol })
}

/// The day that a path names.
fn day_of(path: &str) -> Option<Arc<str>> {
    let (folder, _) = path.split_once('/')?;
    folder.strip_prefix(file::DAY)?.strip_prefix('=').map(Arc::from)
}

async fn read_vector(
    place: &Place,
    descriptor: &Descriptor,
    files: &mut HashMap<String, Bytes>,
) -> LakeResult<RoaringBitmap> {
    let Some(name) = descriptor.file()? else { return descriptor.read(None) };
    if !files.contains_key(&name) {
        let bytes = store::get(&*place.store, &place.path(&name)).await?;
        files.insert(name.clone(), bytes);
    }
    descriptor.read(files.get(&name))
}

/// Makes the table what it was at `version`: one commit on top of `latest`. Returns the version that now is the newest.
pub(super) async fn set_back(
    place: &Place,
    version: i64,
    latest: i64,
    tick: Tick,
    positions: &BTreeMap<String, i64>,
) -> LakeResult<i64> {
    let then = read_state_with(place, version, false).await?;
    let now = read_state_with(place, latest, false).await?;
    let mut commit = Commit::new("RESTORE", Some(tick), false);
    let mut is_changed = false;
    if then.metadata != now.metadata {
        commit.metadata(&then.metadata);
        is_changed = true;
    }
    let old: HashMap<&str, &LiveFile> = then.files.iter().map(|file| (&*file.path, file)).collect();
    let mut same: HashMap<&str, ()> = HashMap::new();
    let vector = |file: &LiveFile| file.vector.as_ref().map(|vector| Arc::clone(&vector.descriptor));
    for file in &now.files {
        match old.get(&*file.path) {
            Some(before) if vector(before) == vector(file) => {
                same.insert(&file.path, ());
            }
            _ => commit.remove(file, true),
        }
    }
    for file in then.files.iter().filter(|file| !same.contains_key(&*file.path)) {
        commit.add(file, true);
        is_changed = true;
    }
    if !is_changed && same.len() == now.files.len() {
        return Ok(latest);
    }
    for (stream, position) in positions {
        commit.position(&StreamId(stream.as_str().into()), Position(*position));
    }
    commit.write(place, latest + 1).await?;
    Ok(latest + 1)
}

pub(super) fn now_ms() -> i64 {
    fault::now_us() / 1000
}
