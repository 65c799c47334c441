//! Manifests: what the lake holds at one tick. `_sluice/manifests/<number>.json`, written with put-if-absent.

use super::error::{LakeError, LakeResult};
use super::{Shared, store};
use crate::change::Tick;
use crate::fault::{self, Step};
use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this version writes.
pub const MANIFEST_FORMAT: u32 = 1;

/// One consistent state of the whole lake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`] of its writer; set when it is written.
    pub format: u32,
    /// Ascending without gaps; set when it is written.
    pub number: u64,
    #[serde(with = "tick_as_number")]
    pub tick: Tick,
    pub written_at_us: i64,
    /// By `schema.table`.
    pub tables: BTreeMap<String, ManifestTable>,
    /// By stream: where reading goes on.
    pub positions: BTreeMap<String, i64>,
    /// `Catalog::to_json`; null in a lake that nobody has written to.
    pub catalog: serde_json::Value,
    #[serde(default)]
    pub extra: serde_json::Value,
    /// Where the lake lay that it was written to; set when it is written. A copy lies elsewhere.
    #[serde(default)]
    pub place: String,
}

/// A table in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestTable {
    /// Its Delta version.
    pub version: i64,
    pub next_row_id: u64,
}

impl Manifest {
    /// A manifest that only says who owns the lake.
    pub(super) fn claim() -> Self {
        Self {
            format: MANIFEST_FORMAT,
            number: 0,
            tick: Tick(0),
            written_at_us: chrono::Utc::now().timestamp_micros(),
            tables: BTreeMap::new(),
            positions: BTreeMap::new(),
            catalog: serde_json::Value::Null,
            extra: serde_json::Value::Null,
            place: String::new(),
        }
    }

    pub(super) fn is_claim(&self) -> bool {
        self.catalog.is_null() && self.tables.is_empty()
    }
}

pub(super) fn folder() -> Path {
    Path::from("_sluice/manifests")
}

fn path(number: u64) -> Path {
    folder().join(format!("{number:020}.json"))
}

/// The numbers of the manifests that there are, ascending.
pub(super) async fn numbers(store: &dyn ObjectStore) -> LakeResult<Vec<u64>> {
    let mut numbers: Vec<u64> = store::list(store, &folder())
        .await?
        .iter()
        .filter_map(|object| object.location.filename()?.strip_suffix(".json")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) async fn read(store: &dyn ObjectStore, number: u64) -> LakeResult<Manifest> {
    let path = path(number);
    let bytes = store::get(store, &path).await?;
    let damaged = |error: serde_json::Error| LakeError::damaged(path.to_string(), error.to_string());
    // The format comes first: a newer one need not look like ours otherwise.
    let json: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    let format = json
        .get("format")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| LakeError::damaged(path.to_string(), "it names no format"))?;
    if format > u64::from(MANIFEST_FORMAT) {
        return Err(LakeError::NewerFormat { place: path.to_string(), found: format, known: MANIFEST_FORMAT.into() });
    }
    if format < u64::from(MANIFEST_FORMAT) {
        // There is none yet that could be migrated.
        return Err(LakeError::OlderFormat { place: path.to_string(), found: format, known: MANIFEST_FORMAT.into() });
    }
    serde_json::from_value(json).map_err(damaged)
}

pub(super) async fn write(shared: &Shared, manifest: &Manifest) -> LakeResult<()> {
    let path = path(manifest.number);
    fault::at(Step::Manifest).await.map_err(|error| LakeError::store("write", path.to_string(), error))?;
    let bytes = serde_json::to_vec(manifest).map_err(|error| LakeError::internal(error.to_string()))?;
    if store::put_new(&*shared.store, &path, bytes.into(), "write", shared.certainty()).await? {
        Ok(())
    } else {
        Err(LakeError::Fenced { place: path.to_string() })
    }
}

pub(super) async fn delete(store: &dyn ObjectStore, number: u64) -> LakeResult<()> {
    store::delete(store, &path(number)).await
}

mod tick_as_number {
    use crate::change::Tick;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(tick: &Tick, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(tick.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tick, D::Error> {
        u64::deserialize(deserializer).map(Tick)
    }
}
