//! What a power cut could still take from a lake in a folder, and how that ends.
//!
//! A file system keeps what is written in memory for a while. [`Folder`] notes each object that is put; [`Unsynced::sync`]
//! has the disk take them, and the folders that name them. A manifest is written when all that it names is on the disk,
//! and counts when it is there itself; so one round of syncing comes before it and one after, and nothing else waits.

use super::error::{LakeError, LakeResult};
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Files that are synced at once: a file system takes them into one turn of its journal.
const AT_ONCE: usize = 8;

/// The objects of a folder that the disk may not have yet.
#[derive(Debug)]
pub(super) struct Unsynced {
    root: PathBuf,
    paths: Mutex<BTreeSet<Path>>,
    /// Folders whose own names are on the disk.
    known: Mutex<HashSet<PathBuf>>,
    /// One round at a time: whoever finds nothing left to sync must not be done before the one who took it.
    round: tokio::sync::Mutex<()>,
    /// The disk has not taken something; nothing counts any more.
    has_lost: AtomicBool,
}

impl Unsynced {
    pub(super) fn new(root: PathBuf) -> Self {
        let known = Mutex::new(HashSet::from([root.clone()]));
        Self {
            root,
            paths: Mutex::default(),
            known,
            round: tokio::sync::Mutex::default(),
            has_lost: AtomicBool::new(false),
        }
    }

    pub(super) fn note(&self, path: &Path) {
        self.paths.lock().insert(path.clone());
    }

    /// What a power cut could take now.
    #[cfg(test)]
    pub(super) fn paths(&self) -> Vec<Path> {
        self.paths.lock().iter().cloned().collect()
    }

    /// Returns when the disk has all that was put before. Objects that are gone again are no error.
    ///
    /// Errors: [`LakeError::Lost`]. The file system may have given up what it could not write, and says so only once: trying
    /// again would succeed and prove nothing.
    pub(super) async fn sync(&self) -> LakeResult<()> {
        let _round = self.round.lock().await;
        let paths = std::mem::take(&mut *self.paths.lock());
        self.sync_these(paths.iter()).await
    }

    /// The same for some objects that nothing names yet, beside other rounds.
    pub(super) async fn sync_new(&self, paths: &[Path]) -> LakeResult<()> {
        self.paths.lock().retain(|path| !paths.contains(path));
        self.sync_these(paths.iter()).await
    }

    async fn sync_these(&self, paths: impl Iterator<Item = &Path>) -> LakeResult<()> {
        let files: Vec<PathBuf> = paths.map(|path| self.root.join(path.as_ref())).collect();
        if self.has_lost.load(Ordering::Relaxed) {
            let source = std::io::Error::other("an earlier write was lost");
            return Err(LakeError::Lost { place: self.root.display().to_string(), source });
        }
        // The folder that names a file, and those above it that are new.
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        let mut new = Vec::new();
        for file in &files {
            let mut at = file.as_path();
            while let Some(folder) = at.parent() {
                let is_known = self.known.lock().contains(folder);
                if !folders.insert(folder.to_owned()) || is_known {
                    break;
                }
                new.push(folder.to_owned());
                at = folder;
            }
        }
        let synced = match sync_all(files).await {
            Ok(()) => sync_all(folders.into_iter().collect()).await,
            failed => failed,
        };
        match &synced {
            Ok(()) => self.known.lock().extend(new),
            Err(_) => self.has_lost.store(true, Ordering::Relaxed),
        }
        synced
    }
}

/// Syncs files or folders; one that is not there is none.
async fn sync_all(paths: Vec<PathBuf>) -> LakeResult<()> {
    let share = paths.len().div_ceil(AT_ONCE).max(1);
    let tasks: Vec<_> = paths
        .chunks(share)
        .map(|some| {
            let some = some.to_vec();
            tokio::task::spawn_blocking(move || some.iter().try_for_each(|path| sync_one(path)))
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| LakeError::internal(format!("syncing files: {error}")))??;
    }
    Ok(())
}

fn sync_one(path: &std::path::Path) -> LakeResult<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    match synced {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LakeError::Lost { place: path.display().to_string(), source: error })
        }
        _ => Ok(()),
    }
}

/// The store of a folder, which notes what is put.
#[derive(Debug)]
pub(super) struct Folder {
    pub inner: Arc<dyn ObjectStore>,
    pub unsynced: Arc<Unsynced>,
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> StoreResult<PutResult> {
        // Also where the put fails: it may be there all the same.
        self.unsynced.note(location);
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.unsynced.note(location);
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.unsynced.note(to);
        self.inner.copy_opts(from, to, options).await
    }
}
