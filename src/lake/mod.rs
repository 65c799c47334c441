//! Floor 1: the lake. Delta tables at `<lake>/<schema>/<table>`, manifests at `<lake>/_sluice/manifests/`.
//!
//! ```text
//!   flush of table a ──► Parquet, vectors ──► commit a/_delta_log/8.json ─┐
//!   flush of table b ──► Parquet, vectors ──► commit b/_delta_log/3.json ─┴─► manifest 42: {a: 8, b: 3, positions}
//! ```
//!
//! Promises: a table's commit is atomic, and carries data and positions together. The manifest makes the commits of
//! all tables one: [`open`] brings the lake back to the newest manifest, whatever was written after it. At every
//! instant of a kill a table is either as before the flush or as after it, and files that no commit names are
//! garbage that maintenance removes.
//!
//! There is one writer. In a folder a file lock says so; on object stores every commit and every manifest is a
//! put-if-absent of the next number, and whoever finds it taken stops with [`LakeError::Fenced`].
//!
//! The caller brings rows in the order of their [`RowId`]s, calls each table from one task at a time, and writes a
//! manifest with [`LakeTable::version`] of *every* table after flushes and maintenance.

#[cfg(test)]
mod chaos;
mod cold;
mod convert;
mod copies;
mod durable;
mod error;
mod file;
mod history;
mod inspect;
mod log;
mod maintain;
mod manifest;
mod past;
mod prune;
mod scan;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(test)]
mod world;

pub use cold::{ColdCache, ColdFiles, Evictable, Loaded, OpenFiles};
pub use error::{LakeError, LakeResult};
pub use history::Moment;
pub use inspect::{Inspected, InspectedTable, inspect};
pub use maintain::{Cleaned, Cleaning, Compacted, Compaction, Maintained, Maintenance};
pub use manifest::{MANIFEST_FORMAT, Manifest, ManifestTable};
pub use past::{LakeCommit, LakeReader, PastFile};
pub use scan::{Comparison, LakeFile, LakeFiles, Wanted, is_prunable};
pub use store::Trouble;
pub use table::{Flush, LakeTable};

use crate::types::TableSchema;
use deltalake::DeltaTableBuilder;
use durable::{Folder, Unsynced};
use futures::{StreamExt, TryStreamExt};
use history::{History, Kept};
use log::{Layout, Place};
use object_store::ObjectStore;
use object_store::path::Path;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How many manifests stay: a copy of the lake that was taken while it was written to opens at one of them.
const KEPT_MANIFESTS: usize = 20;
/// Requests on the way at once while the lake opens.
const OPEN_REQUESTS: usize = 16;

/// Where the lake lies and how it is written.
#[derive(Debug, Clone)]
pub struct LakeOptions {
    /// A path, or a URL: `file:`, `s3:`, `az:`.
    pub url: String,
    /// Options of the object store, as deltalake names them; beside them the environment counts (`AWS_…`, `AZURE_…`).
    pub storage_options: HashMap<String, String>,
    /// zstd level of data files; 0: Snappy.
    pub zstd_level: i32,
    /// How far back the lake can be read as it was, and how long files stay that are no longer live.
    pub history: Duration,
    /// A flush counts when the disk has it, not when the file system does. Of a lake in a folder; stores promise it anyway.
    pub fsync: bool,
    /// New tables of appended rows that say when they came have a folder for each day.
    pub by_day: bool,
    /// New tables of these names are written without deletion vectors: `schema.table`, or `schema.*`.
    pub copy_on_write: Vec<String>,
}

impl LakeOptions {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            storage_options: HashMap::new(),
            zstd_level: 1,
            history: Duration::from_secs(3600),
            fsync: true,
            by_day: true,
            copy_on_write: Vec::new(),
        }
    }
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LakeTableKind {
    /// Rows die: deletion vectors.
    Upsert,
    /// Rows are only added: plain Parquet, which every reader of Delta understands.
    Append,
}

impl LakeTableKind {
    pub(self) fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Append => "append",
        }
    }
}

/// An open lake, and the right to write to it.
#[derive(Debug)]
pub struct Lake {
    number: u64,
    shared: Arc<Shared>,
    /// Held as long as the lake is open.
    _lock: Option<File>,
}

/// What the lake and its tables share.
#[derive(Debug)]
struct Shared {
    url: Url,
    folder: Option<PathBuf>,
    store: Arc<dyn ObjectStore>,
    storage_options: HashMap<String, String>,
    /// What a power cut could take; `None` where nobody asks, or where the store promises that nothing can.
    unsynced: Option<Arc<Unsynced>>,
    /// A folder that is to be taken as a store whose answers may be lost; for tests.
    is_doubtful: bool,
    zstd_level: i32,
    by_day: bool,
    copy_on_write: Vec<String>,
    history_length: Duration,
    /// Tells this lake from a copy of it: [`Manifest::place`].
    place: String,
    /// The manifests that lie as they were written, oldest first.
    kept: Mutex<VecDeque<Kept>>,
    /// Older ones.
    history: Mutex<History>,
    /// Tables of which there is a [`LakeTable`].
    opened: Mutex<HashSet<String>>,
    trouble: Arc<Trouble>,
    cold: Arc<ColdFiles>,
}

impl Shared {
    /// Returns when a power cut can take nothing of what was put before.
    async fn sync(&self) -> LakeResult<()> {
        match &self.unsynced {
            Some(unsynced) => unsynced.sync().await,
            None => Ok(()),
        }
    }

    /// The version of a table in the newest manifest.
    fn manifest_version(&self, name: &str) -> Option<i64> {
        self.kept.lock().back()?.tables.get(name).map(|table| table.version)
    }

    /// The oldest version of a table that a manifest names which is still there. Versions only grow.
    fn oldest_version(&self, name: &str) -> Option<i64> {
        let version = |tables: &BTreeMap<String, ManifestTable>| tables.get(name).map(|table| table.version);
        {
            let history = self.history.lock();
            if !history.segments.is_empty() {
                // A table that is younger than the oldest manifest: some manifest may name its first version.
                return Some(version(&history.oldest).unwrap_or(0));
            }
        }
        self.kept.lock().iter().filter_map(|kept| version(&kept.tables)).min()
    }

    /// How [`store::put_new`] becomes certain.
    fn certainty(&self) -> (bool, &Trouble) {
        (self.is_local(), &self.trouble)
    }

    /// How a new table is to lie.
    fn layout(&self, name: &str, schema: &TableSchema, kind: LakeTableKind) -> Layout {
        // A table that was made anew lies in `schema.table-<OID>`, perhaps with another number.
        let is_meant = |pattern: &String| match pattern.strip_suffix('*') {
            Some(before) => name.starts_with(before),
            None => name.strip_prefix(pattern.as_str()).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('-') && rest.chars().all(|c| c == '-' || c.is_ascii_digit())
            }),
        };
        Layout {
            by_day: self.by_day && kind == LakeTableKind::Append && schema.index_of(file::INGESTED_AT).is_some(),
            copy_on_write: kind == LakeTableKind::Upsert && self.copy_on_write.iter().any(is_meant),
        }
    }

    /// Whether the store says how a write has ended.
    fn is_local(&self) -> bool {
        self.folder.is_some() && !self.is_doubtful
    }

    fn place(&self, name: &str) -> LakeResult<Place> {
        let (schema, table) = name
            .split_once('.')
            .ok_or_else(|| LakeError::internal(format!("\"{name}\" is not of the form schema.table")))?;
        let (schema, table) = (folder_name(schema), folder_name(table));
        let url =
            self.url.join(&format!("{schema}/{table}/")).map_err(|error| LakeError::internal(error.to_string()))?;
        Ok(Place {
            name: name.to_owned(),
            prefix: Path::from_iter([schema, table]),
            url,
            store: Arc::clone(&self.store),
            storage_options: self.storage_options.clone(),
            is_local: self.is_local(),
            unsynced: self.unsynced.clone(),
            trouble: Arc::clone(&self.trouble),
            cold: Arc::clone(&self.cold),
        })
    }

    /// Removes a table's folder with all that is in it.
    async fn remove_table(&self, place: &Place) -> LakeResult<()> {
        // The log goes last: without it the rest is nobody's.
        let objects = store::list(&*self.store, &place.prefix).await?;
        let (log, data): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| object.location.as_ref().contains("/_delta_log/"));
        for object in data.iter().chain(&log) {
            store::delete(&*self.store, &object.location).await?;
        }
        if let Some(folder) = &self.folder {
            let folder = folder.join(place.prefix.as_ref());
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LakeError::store("remove", folder.display().to_string(), error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Names as folders: letters, digits, `_`, `-` and inner dots stay, the rest becomes `_x<hex>_`. Different names stay
/// different.
fn folder_name(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let is_escape_like = c == '_' && name[at + 1..].starts_with('x');
        let is_first = at == 0;
        match c {
            // Folders that begin with _ or . are hidden from readers of lakes.
            '_' | '.' if is_first => folder.push_str(&format!("_x{:x}_", u32::from(c))),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => folder.push(c),
            '_' if !is_escape_like => folder.push(c),
            _ => folder.push_str(&format!("_x{:x}_", u32::from(c))),
        }
    }
    folder
}

/// The store of a lake, of which nothing has been read yet.
fn connect(options: LakeOptions, url: Url, folder: Option<PathBuf>) -> LakeResult<Arc<Shared>> {
    let location = |error: deltalake::DeltaTableError| LakeError::Location {
        url: options.url.clone(),
        problem: error::chain(&error),
    };
    let store = DeltaTableBuilder::from_url(url.clone())
        .map_err(location)?
        .with_storage_options(options.storage_options.clone())
        .build_storage()
        .map_err(location)?
        .object_store(None);
    Ok(connected(options, url, folder, store))
}

/// The same, where the store is known.
fn connected(options: LakeOptions, url: Url, folder: Option<PathBuf>, store: Arc<dyn ObjectStore>) -> Arc<Shared> {
    let place = place_of(&url, folder.as_deref());
    let unsynced = folder.clone().filter(|_| options.fsync).map(|folder| Arc::new(Unsynced::new(folder)));
    let store = match &unsynced {
        Some(unsynced) => Arc::new(Folder { inner: store, unsynced: Arc::clone(unsynced) }),
        None => store,
    };
    Arc::new(Shared {
        url,
        folder,
        store,
        storage_options: options.storage_options,
        unsynced,
        is_doubtful: false,
        zstd_level: options.zstd_level,
        by_day: options.by_day,
        copy_on_write: options.copy_on_write,
        history_length: options.history,
        place,
        kept: Mutex::default(),
        history: Mutex::default(),
        opened: Mutex::default(),
        trouble: Arc::default(),
        cold: Arc::new(ColdFiles::new()),
    })
}

/// Opens the lake, creating it where there is none: takes the lock, reads the newest manifest, and sets back the
/// tables that are ahead of it. The manifest that is returned is the one that now counts; `None`: the lake is new.
pub async fn open(options: LakeOptions) -> LakeResult<(Lake, Option<Manifest>)> {
    let (url, folder) = locate(&options.url, true)?;
    let lock = match &folder {
        Some(folder) => Some(lock_folder(folder)?),
        None => None,
    };
    open_connected(connect(options, url, folder)?, lock).await
}

async fn open_connected(shared: Arc<Shared>, lock: Option<File>) -> LakeResult<(Lake, Option<Manifest>)> {
    let numbers = manifest::numbers(&*shared.store).await?;
    let newest = numbers.last().copied().unwrap_or(0);
    let mut lake = Lake { number: newest, shared, _lock: lock };
    let Some(mut found) = newest_whole_manifest(&lake.shared, &numbers).await? else {
        refuse_orphans(&lake.shared).await?;
        // From now on a table without a manifest's mention is known to be a leftover of this lake's own.
        lake.write_manifest(Manifest::claim()).await?;
        return Ok((lake, None));
    };
    let history = history::open(&lake.shared).await?;
    *lake.shared.history.lock() = history;
    remember_manifests(&lake.shared, &numbers, found.number).await?;
    let is_set_back = set_back_tables(&lake.shared, &mut found).await?;
    if is_set_back || found.number != newest || !lake.shared.is_local() {
        // On object stores this is also the fence: the writer before us finds its next number taken.
        lake.write_manifest(found.clone()).await?;
        found.number = lake.number;
    } else {
        lake.shared.kept.lock().push_back(Kept::of(&found));
    }
    tracing::info!(manifest = found.number, tick = found.tick.0, tables = found.tables.len(), "opened the lake");
    let is_claim = found.is_claim();
    Ok((lake, (!is_claim).then_some(found)))
}

/// The newest manifest all of whose table versions are there, whole. That is the newest of all, but for copies that were
/// taken while the lake was written to, and for disks that lost what was written last.
async fn newest_whole_manifest(shared: &Shared, numbers: &[u64]) -> LakeResult<Option<Manifest>> {
    let mut seen = copies::Seen::default();
    let mut lacks: Option<String> = None;
    for number in numbers.iter().rev() {
        let manifest = match manifest::read(&*shared.store, *number).await {
            Ok(manifest) => manifest,
            Err(error @ LakeError::Damaged { .. }) => {
                tracing::warn!(%error, "a manifest cannot be read");
                lacks.get_or_insert_with(|| error.to_string());
                continue;
            }
            Err(error) => return Err(error),
        };
        // Of a copy nobody has looked at the data files yet.
        let is_copy = manifest.place != shared.place;
        let missing = seen.missing(shared, &manifest, is_copy).await?;
        if missing.is_empty() {
            return Ok(Some(manifest));
        }
        tracing::warn!(manifest = number, ?missing, "the manifest names table versions that are not there");
        lacks.get_or_insert_with(|| {
            let tables = missing.join(", ");
            format!("manifest {number} of {} names versions of {tables} that are not there", shared.url)
        });
    }
    let Some(lacks) = lacks else { return Ok(None) };
    for segment in history::segments(shared).await?.iter().rev() {
        for manifest in history::manifests(shared, segment).await?.into_iter().rev() {
            if seen.missing(shared, &manifest, true).await?.is_empty() {
                return Ok(Some(manifest));
            }
        }
    }
    Err(LakeError::damaged(shared.url.to_string(), lacks))
}

/// What tells a lake from its copies: a folder that is copied is another one, wherever it lies; of a bucket it is the URL.
fn place_of(url: &Url, folder: Option<&std::path::Path>) -> String {
    #[cfg(unix)]
    if let Some(metadata) = folder.and_then(|folder| std::fs::metadata(folder.join("_sluice")).ok()) {
        use std::os::unix::fs::MetadataExt;
        return format!("{}:{}", metadata.dev(), metadata.ino());
    }
    url.to_string()
}

/// Refuses a lake that has tables but no manifest: it is not new, and beginning anew would destroy it.
async fn refuse_orphans(shared: &Shared) -> LakeResult<()> {
    let folders = |folder: Option<Path>| async move {
        let found = shared.store.list_with_delimiter(folder.as_ref()).await;
        let place = || folder.as_ref().map_or_else(|| shared.url.to_string(), Path::to_string);
        found.map(|found| found.common_prefixes).map_err(|error| LakeError::store("list", place(), error))
    };
    for schema in folders(None).await?.into_iter().filter(|schema| schema.as_ref() != "_sluice") {
        for table in folders(Some(schema)).await? {
            let log = store::list(&*shared.store, &table.clone().join("_delta_log")).await?;
            let Some(commit) = log.iter().find(|object| object.location.as_ref().ends_with(".json")) else { continue };
            let commit = store::get(&*shared.store, &commit.location).await?;
            if memchr::memmem::find(&commit, b"\"engineInfo\":\"sluice/").is_some() {
                return Err(LakeError::damaged(
                    shared.url.to_string(),
                    format!("it holds table {table}, but no manifest that says at which version"),
                ));
            }
        }
    }
    Ok(())
}

/// Keeps in mind which versions the manifests before the one that counts name, and removes those that are too old.
async fn remember_manifests(shared: &Shared, numbers: &[u64], found: u64) -> LakeResult<()> {
    let older: Vec<u64> = numbers.iter().copied().filter(|number| *number < found).collect();
    let beyond = match shared.history_length.is_zero() {
        true => older.len().saturating_sub(KEPT_MANIFESTS - 1),
        // Those that a kill left between their folding and their end.
        false => {
            let folded = shared.history.lock().segments.back().map_or(0, |segment| segment.last);
            older.partition_point(|number| *number <= folded)
        }
    };
    let (beyond, kept) = older.split_at(beyond);
    for number in beyond {
        manifest::delete(&*shared.store, *number).await?;
    }
    for number in kept {
        // One that cannot be read is of no use to anybody.
        if let Ok(manifest) = manifest::read(&*shared.store, *number).await {
            shared.kept.lock().push_back(Kept::of(&manifest));
        }
    }
    Ok(())
}

/// Sets back what is ahead of the manifest, and puts the versions that count now into it.
async fn set_back_tables(shared: &Shared, manifest: &mut Manifest) -> LakeResult<bool> {
    let versions: Vec<(String, i64, i64)> = futures::stream::iter(&manifest.tables)
        .map(|(name, table)| async move {
            let place = shared.place(name)?;
            let mut latest = table.version;
            while store::exists(&*shared.store, &place.commit_path(latest + 1)).await? {
                latest += 1;
            }
            // A disk may have lost the end of what was written last; nobody can read that, and no manifest names it.
            while latest > table.version && !log::is_whole(&place, latest).await? {
                tracing::warn!(table = name, version = latest, "a torn entry of a Delta log is removed");
                store::delete(&*shared.store, &place.commit_path(latest)).await?;
                latest -= 1;
            }
            LakeResult::Ok((name.clone(), table.version, latest))
        })
        .buffer_unordered(OPEN_REQUESTS)
        .try_collect()
        .await?;
    let mut is_changed = false;
    for (name, version, latest) in versions.into_iter().filter(|(_, version, latest)| latest > version) {
        let place = shared.place(&name)?;
        let now = log::set_back(&place, version, latest, manifest.tick, &manifest.positions).await?;
        tracing::info!(table = name, from = latest, to = version, "set a table back to the manifest");
        if let Some(table) = manifest.tables.get_mut(&name) {
            table.version = now;
        }
        is_changed = true;
    }
    Ok(is_changed)
}

/// The URL of the lake with a slash at its end, and its folder where it is on a disk; `create`: made where it is not there.
fn locate(text: &str, create: bool) -> LakeResult<(Url, Option<PathBuf>)> {
    let wrong = |problem: String| LakeError::Location { url: text.to_owned(), problem };
    let is_url = text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.len() > 1
            && scheme.chars().all(|c| c.is_ascii_alphanumeric())
            && (rest.starts_with('/') || rest.is_empty())
    });
    let folder = if is_url {
        let mut url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
        if url.scheme() != "file" {
            if !url.path().ends_with('/') {
                url.set_path(&format!("{}/", url.path()));
            }
            return Ok((url, None));
        }
        url.to_file_path().map_err(|()| wrong("it is no path of this machine".into()))?
    } else if text.is_empty() {
        return Err(wrong("it is empty".into()));
    } else {
        std::path::absolute(text).map_err(|error| wrong(error.to_string()))?
    };
    if !create && !folder.join("_sluice").is_dir() {
        return Err(wrong("there is no lake".into()));
    }
    std::fs::create_dir_all(&folder)
        .map_err(|error| LakeError::store("create the lake folder", folder.display().to_string(), error))?;
    let folder = folder
        .canonicalize()
        .map_err(|error| LakeError::store("open the lake folder", folder.display().to_string(), error))?;
    let url = Url::from_directory_path(&folder).map_err(|()| wrong("it is no absolute path".into()))?;
    Ok((url, Some(folder)))
}

/// Takes the lock of a folder; it falls when the process ends, however it ends.
fn lock_folder(folder: &std::path::Path) -> LakeResult<File> {
    use std::io::Write;
    let own = folder.join("_sluice");
    let failed = |path: &std::path::Path, error: std::io::Error| {
        LakeError::store("write to the lake folder", path.display().to_string(), error)
    };
    std::fs::create_dir_all(&own).map_err(|error| failed(&own, error))?;
    let path = own.join("lock");
    let file = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| failed(&path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            return Err(LakeError::Locked { folder: folder.display().to_string() });
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(failed(&path, error)),
    }
    // Whom to look for; nothing reads it.
    let written = file.set_len(0).and_then(|()| (&file).write_all(std::process::id().to_string().as_bytes()));
    written.map_err(|error| failed(&path, error))?;
    Ok(file)
}

impl Lake {
    /// Opens a table at the newest manifest's version, or creates it. What lies there without being in the newest
    /// manifest is what a kill has left, and is removed first.
    ///
    /// A table has one [`LakeTable`] at a time. `schema` may differ from the one it was written with: rows are read
    /// in `schema`, and the next flush with it changes the table.
    pub async fn table(&self, name: &str, schema: Arc<TableSchema>, kind: LakeTableKind) -> LakeResult<LakeTable> {
        if !self.shared.opened.lock().insert(name.to_owned()) {
            return Err(LakeError::internal(format!("lake table {name} is open already")));
        }
        let opened = table::open(Arc::clone(&self.shared), name, schema, kind).await;
        if opened.is_err() {
            self.shared.opened.lock().remove(name);
        }
        opened
    }

    /// Removes a table that the newest manifest does not name (any more).
    pub async fn drop_table(&self, name: &str) -> LakeResult<()> {
        if self.shared.manifest_version(name).is_some() {
            return Err(LakeError::internal(format!("the newest manifest still names table {name}")));
        }
        self.shared.remove_table(&self.shared.place(name)?).await?;
        self.shared.opened.lock().remove(name);
        Ok(())
    }

    /// Writes the next manifest; its `number`, `format` and `place` are set here. Where the lake has no history, old
    /// manifests beyond the newest twenty go; else see [`Lake::fold`].
    pub async fn write_manifest(&mut self, mut manifest: Manifest) -> LakeResult<()> {
        manifest.number = self.number + 1;
        manifest.format = MANIFEST_FORMAT;
        manifest.place.clone_from(&self.shared.place);
        self.shared.sync().await?;
        manifest::write(&self.shared, &manifest).await?;
        self.shared.sync().await?;
        self.number = manifest.number;
        let beyond: Vec<u64> = {
            let mut kept = self.shared.kept.lock();
            kept.push_back(Kept::of(&manifest));
            let extra = match self.shared.history_length.is_zero() {
                true => kept.len().saturating_sub(KEPT_MANIFESTS),
                false => 0,
            };
            kept.drain(..extra).map(|kept| kept.number).collect()
        };
        for number in beyond {
            manifest::delete(&*self.shared.store, number).await?;
        }
        Ok(())
    }

    /// Whether enough manifests lie there for [`Lake::fold`].
    pub fn has_to_fold(&self) -> bool {
        !self.shared.history_length.is_zero() && self.shared.kept.lock().len() >= KEPT_MANIFESTS + history::SEGMENT
    }

    /// Folds old manifests into the lake's history and forgets what is older than that is long. It may run beside
    /// everything else, once at a time.
    pub fn fold(&self) -> impl Future<Output = LakeResult<()>> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { history::fold(&shared).await }
    }

    /// What keeps writes waiting.
    pub fn trouble(&self) -> Arc<Trouble> {
        Arc::clone(&self.shared.trouble)
    }

    /// The files that are open for reading.
    pub fn cold(&self) -> Arc<ColdFiles> {
        Arc::clone(&self.shared.cold)
    }

    /// Whether somebody may still read rows of a table out of its files.
    pub fn is_read(&self, name: &str) -> LakeResult<bool> {
        Ok(self.shared.cold.is_any_open(&self.shared.place(name)?.prefix))
    }

    /// Reads the lake as it is and as it was.
    pub fn reader(&self) -> LakeReader {
        LakeReader::new(Arc::clone(&self.shared))
    }

    /// The number of the newest manifest; 0: there is none.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the lake lies, for people.
    pub fn url(&self) -> &str {
        self.shared.url.as_str()
    }
}
