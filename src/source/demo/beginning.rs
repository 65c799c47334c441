//! How a folder's demo began: `<data>/_sluice/demo.json`, written once.
//!
//! Positions in the lake count events that follow from `rows` and `seed`. With others, the same positions would mean other
//! events: rows would be lost and doubled. So a demo that is started again goes on with those of its beginning.

use super::DemoOptions;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What the positions of a demo's streams depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    pub rows: u64,
    pub seed: u64,
}

impl Beginning {
    pub fn of(options: &DemoOptions) -> Self {
        Self { rows: options.rows, seed: options.seed }
    }

    /// Reads what the folder's first demo noted; `None`: there was none.
    pub fn read(data: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path(data)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes it, whole or not at all.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let path = path(data);
        let draft = path.with_extension("json.new");
        std::fs::write(&draft, serde_json::to_vec(self)?)?;
        std::fs::rename(draft, path)
    }
}

/// Where a folder's demo notes its beginning.
pub fn path(data: &Path) -> PathBuf {
    data.join("_sluice/demo.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again_and_damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Beginning::read(folder.path()).unwrap(), None);
        std::fs::create_dir(folder.path().join("_sluice")).unwrap();
        let noted = Beginning { rows: 7, seed: u64::MAX };
        noted.write(folder.path()).unwrap();
        assert_eq!(Beginning::read(folder.path()).unwrap(), Some(noted));
        std::fs::write(path(folder.path()), "{").unwrap();
        assert!(Beginning::read(folder.path()).is_err());
    }
}
