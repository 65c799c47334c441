//! The few calls on an object store that the lake makes, with errors that say where.

use super::error::{LakeError, LakeResult};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

/// Puts an object that must not be there yet. `false`: it is there.
pub(super) async fn put_new(
    store: &dyn ObjectStore,
    path: &Path,
    bytes: Bytes,
    action: &'static str,
) -> LakeResult<bool> {
    match store.put_opts(path, PutPayload::from(bytes), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
        Err(error) => Err(LakeError::store(action, path.to_string(), error)),
    }
}

pub(super) async fn put(store: &dyn ObjectStore, path: &Path, bytes: Bytes) -> LakeResult<()> {
    store.put(path, bytes.into()).await.map_err(|error| LakeError::store("write", path.to_string(), error))?;
    Ok(())
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
