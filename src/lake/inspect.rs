//! Looking at a lake without opening it: nothing is locked, nothing is written, and whoever writes to it goes on.

use super::error::{LakeError, LakeResult};
use super::log::{self, State};
use super::manifest::Manifest;
use super::{LakeOptions, connect, history, locate, manifest, newest_whole_manifest, store};
use crate::change::Tick;

/// A lake as its newest manifest has it.
#[derive(Debug)]
pub struct Inspected {
    pub url: String,
    pub manifest: Manifest,
    /// Tick and time (µs since 1970) of the oldest manifest that can be read as of.
    pub oldest: (Tick, i64),
    pub tables: Vec<InspectedTable>,
}

/// A table of it.
#[derive(Debug)]
pub struct InspectedTable {
    /// The folder, as the manifest names it.
    pub folder: String,
    pub version: i64,
    pub rows: u64,
    /// In deletion vectors.
    pub dead: u64,
    pub files: usize,
    /// Of the live files.
    pub bytes: u64,
    /// Of everything in the folder: the log, and files that are kept for the past.
    pub bytes_kept: u64,
}

/// Tries again where the lake has moved on while it was looked at.
const TRIES: usize = 3;

/// Reads what a lake holds. Errors: [`LakeError::Location`] where there is none.
pub async fn inspect(options: LakeOptions) -> LakeResult<Inspected> {
    let (url, folder) = locate(&options.url, false)?;
    let location = options.url.clone();
    let shared = connect(options, url, folder)?;
    let mut tried = 0;
    loop {
        tried += 1;
        let numbers = manifest::numbers(&*shared.store).await?;
        let found = match newest_whole_manifest(&shared, &numbers).await {
            Err(error) if error.is_not_found() && tried < TRIES => continue,
            found => found?,
        };
        let Some(manifest) = found else {
            return Err(LakeError::Location { url: location, problem: "there is no lake".into() });
        };
        let segments = history::segments(&shared).await?;
        let mut oldest = (manifest.tick, manifest.written_at_us);
        match segments.first() {
            Some(segment) => oldest = (Tick(segment.first_tick), segment.oldest_us),
            // The first of all only claims the lake.
            None => {
                for number in numbers.iter().take(2) {
                    if let Ok(first) = manifest::read(&*shared.store, *number).await
                        && !first.is_claim()
                    {
                        oldest = (first.tick, first.written_at_us);
                        break;
                    }
                }
            }
        }
        let mut tables = Vec::with_capacity(manifest.tables.len());
        for (folder, table) in &manifest.tables {
            let place = shared.place(folder)?;
            let State { files, .. } = log::read_state(&place, table.version).await?;
            let objects = store::list(&*shared.store, &place.prefix).await?;
            tables.push(InspectedTable {
                folder: folder.clone(),
                version: table.version,
                rows: files.iter().map(|file| file.live()).sum(),
                dead: files.iter().map(|file| file.dead()).sum(),
                files: files.len(),
                bytes: files.iter().map(|file| file.size).sum(),
                bytes_kept: objects.iter().map(|object| object.size).sum(),
            });
        }
        return Ok(Inspected { url: shared.url.to_string(), manifest, oldest, tables });
    }
}
