//! What can go wrong in the lake, where, and what to do about it.

use crate::types::{PgError, SqlState};
use std::error::Error;

pub type LakeResult<T> = Result<T, LakeError>;

/// An error of the lake. `Display` says what and where; the cause is its `source`, the way out its [`LakeError::hint`].
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// Another process holds the lake.
    #[error("lake folder \"{folder}\" is in use by another process")]
    Locked { folder: String },

    /// Somebody else wrote what only this process may write. Whatever is in memory is no longer the truth.
    #[error("another writer has written \"{place}\"")]
    Fenced { place: String },

    #[error("\"{place}\" has format {found}, newer than format {known} that this version knows")]
    NewerFormat { place: String, found: u64, known: u64 },

    #[error("\"{place}\" has format {found}, older than format {known}, and there is no way from one to the other")]
    OlderFormat { place: String, found: u64, known: u64 },

    /// The store refused or failed.
    #[error("could not {action} \"{place}\"")]
    Store {
        action: &'static str,
        place: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },

    /// The disk did not take what was written, and what it has of it nobody knows. What the last manifest names is there.
    #[error("the disk did not take \"{place}\"")]
    Lost {
        place: String,
        #[source]
        source: std::io::Error,
    },

    /// What lies there is not what was written.
    #[error("\"{place}\" is damaged: {problem}")]
    Damaged { place: String, problem: String },

    /// A Delta table that Sluice did not make.
    #[error("\"{place}\" holds a Delta table that is not of this lake")]
    Foreign { place: String },

    /// A moment of which the lake holds nothing any more, or nothing yet.
    #[error("the lake holds nothing of {asked} any more")]
    Forgotten { asked: String, oldest: String },

    #[error("lake location \"{url}\" is not understood: {problem}")]
    Location { url: String, problem: String },

    /// A value or a type that the lake cannot hold.
    #[error(transparent)]
    Value(#[from] PgError),

    /// An invariant between the lake and its callers is broken.
    #[error("{0}")]
    Internal(String),
}

impl LakeError {
    pub(super) fn store(
        action: &'static str,
        place: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Store { action, place: place.into(), source: source.into() }
    }

    pub(super) fn damaged(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Damaged { place: place.into(), problem: problem.into() }
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// Whether an object is not there.
    pub(super) fn is_not_found(&self) -> bool {
        let mut at: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = at {
            if let Some(object_store::Error::NotFound { .. }) = error.downcast_ref() {
                return true;
            }
            at = error.source();
        }
        false
    }

    /// What the person in front of it can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Locked { .. } => Some("Stop the other sluice process, or give this one another folder.".into()),
            Self::Fenced { .. } => Some(
                "Only one sluice may write to a lake. Stop the others; a restart goes on from what is there.".into(),
            ),
            Self::NewerFormat { .. } => Some("Use the version of sluice that wrote it, or a newer one.".into()),
            Self::OlderFormat { .. } => Some("Use the version of sluice that wrote it.".into()),
            Self::Store { source, .. } if is_permission(source.as_ref()) => {
                Some("Give this user the right to write there, or choose another folder.".into())
            }
            Self::Store { .. } => Some("Check that the lake's folder or bucket can be reached and has room.".into()),
            Self::Lost { .. } => Some("Look after the disk; a restart goes on from what it has.".into()),
            Self::Damaged { .. } => Some("Restore it from a copy of the lake.".into()),
            Self::Forgotten { oldest, .. } => {
                Some(format!("The oldest that it holds is {oldest}; see [lake] history."))
            }
            Self::Foreign { .. } => Some("Move it away, or choose another lake folder.".into()),
            Self::Location { .. } => Some("Give a folder, or a URL that begins with file:, s3: or az:.".into()),
            Self::Value(_) | Self::Internal(_) => None,
        }
    }
}

/// Whether a permission or a read-only file system is at the bottom of an error.
fn is_permission(error: &(dyn Error + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem);
        }
        at = error.source();
    }
    false
}

/// An error with all its causes in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        at = cause.source();
    }
    text
}

impl From<LakeError> for PgError {
    fn from(error: LakeError) -> Self {
        let hint = error.hint();
        let state = match &error {
            LakeError::Value(error) => return error.clone(),
            LakeError::Locked { .. }
            | LakeError::NewerFormat { .. }
            | LakeError::OlderFormat { .. }
            | LakeError::Foreign { .. } => SqlState::OBJECT_NOT_IN_STATE,
            LakeError::Fenced { .. } => SqlState::SERIALIZATION_FAILURE,
            LakeError::Store { .. } | LakeError::Lost { .. } => SqlState::IO_ERROR,
            LakeError::Damaged { .. } => SqlState::DATA_CORRUPTED,
            // snapshot_too_old
            LakeError::Forgotten { .. } => SqlState(*b"72000"),
            LakeError::Location { .. } => SqlState::INVALID_PARAMETER,
            LakeError::Internal(_) => SqlState::INTERNAL_ERROR,
        };
        let mut pg = PgError::new(state, error.to_string());
        if let Some(cause) = error.source() {
            pg = pg.detail(chain(cause));
        }
        match hint {
            Some(hint) => pg.hint(hint),
            None => pg,
        }
    }
}
