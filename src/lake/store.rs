//! The few calls on an object store that the lake makes, with errors that say where.

use super::error::{LakeError, LakeResult};
use crate::fault::{self, Step};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the first look at a put of unknown outcome waits; each further one waits twice as long, up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 100 });
const LAST_LOOK: Duration = Duration::from_millis(if cfg!(test) { 4 } else { 5000 });

/// What is wrong with the store while somebody goes on trying, and whether that has still a point.
#[derive(Debug, Default)]
pub struct Trouble {
    reason: Mutex<Option<String>>,
    ending: AtomicBool,
}

impl Trouble {
    /// Why a write has been waiting, while one is.
    pub fn reason(&self) -> Option<String> {
        self.reason.lock().clone()
    }

    /// The process ends: whoever waits gives up.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    fn set(&self, reason: Option<String>) {
        *self.reason.lock() = reason;
    }
}

/// Puts an object that must not be there yet, and knows afterwards whether it is there. `false`: another one is.
///
/// A store may fail, or say nothing in time, and have the object all the same, or get it later. An answer that leaves this
/// open is not taken: the same bytes are put again until the object is there, ours or another's. A file system says how a
/// write has ended (`is_local`), so that its errors count once it was seen that the file is not there.
///
/// Errors: those of a file system; of other stores when the process ends.
pub(super) async fn put_new(
    store: &dyn ObjectStore,
    path: &Path,
    bytes: Bytes,
    action: &'static str,
    (is_local, trouble): (bool, &Trouble),
) -> LakeResult<bool> {
    let mut wait = FIRST_LOOK;
    let mut asked_before = false;
    loop {
        let put = store.put_opts(path, PutPayload::from(bytes.clone()), PutMode::Create.into()).await;
        let failed = match put {
            Ok(_) => {
                trouble.set(None);
                match fault::after(Step::Commit) {
                    Ok(()) => return Ok(true),
                    Err(late) => LakeError::store(action, path.to_string(), late),
                }
            }
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) if !asked_before => return Ok(false),
            Err(error) => LakeError::store(action, path.to_string(), error),
        };
        asked_before = true;
        match get(store, path).await {
            Ok(there) => {
                trouble.set(None);
                return Ok(there == bytes);
            }
            Err(error) if error.is_not_found() && is_local => return Err(failed),
            Err(error) => {
                let reason = if error.is_not_found() { &failed } else { &error };
                trouble.set(Some(super::error::chain(reason)));
            }
        }
        if trouble.ending.load(Ordering::Relaxed) || (is_local && wait >= LAST_LOOK) {
            return Err(failed);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_LOOK);
    }
}

pub(super) async fn put(store: &dyn ObjectStore, path: &Path, bytes: Bytes) -> LakeResult<()> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| LakeError::store("write", path.to_string(), error);
    fault::at(Step::Upload).await.map_err(|error| failed(error.into()))?;
    store.put(path, bytes.into()).await.map_err(|error| failed(error.into()))?;
    fault::after(Step::Upload).map_err(|error| failed(error.into()))
}

pub(super) async fn get(store: &dyn ObjectStore, path: &Path) -> LakeResult<Bytes> {
    let read = |error| LakeError::store("read", path.to_string(), error);
    store.get(path).await.map_err(read)?.bytes().await.map_err(read)
}

pub(super) async fn exists(store: &dyn ObjectStore, path: &Path) -> LakeResult<bool> {
    match store.head(path).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(LakeError::store("look for", path.to_string(), error)),
    }
}

/// Everything below a folder; a folder that is not there is empty.
pub(super) async fn list(store: &dyn ObjectStore, folder: &Path) -> LakeResult<Vec<ObjectMeta>> {
    match store.list(Some(folder)).try_collect().await {
        Ok(found) => Ok(found),
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(LakeError::store("list", folder.to_string(), error)),
    }
}

/// Deletes an object; one that is gone already is no error.
pub(super) async fn delete(store: &dyn ObjectStore, path: &Path) -> LakeResult<()> {
    match store.delete(path).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(LakeError::store("delete", path.to_string(), error)),
    }
}
