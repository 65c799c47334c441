//! Copies: which of a lake's manifests has all that it names.

use super::error::LakeResult;
use super::log::{self, Place};
use super::manifest::Manifest;
use super::{OPEN_REQUESTS, Shared, store};
use futures::{StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};

/// Versions of tables that were looked at, and whether they are whole.
#[derive(Default)]
pub(super) struct Seen {
    versions: HashMap<(String, i64), bool>,
    /// What lies in a table's folder, relative to it.
    objects: HashMap<String, HashSet<String>>,
}

impl Seen {
    /// The tables of a manifest that are not there as it says. `files`: look at the data files too.
    pub(super) async fn missing(
        &mut self,
        shared: &Shared,
        manifest: &Manifest,
        files: bool,
    ) -> LakeResult<Vec<String>> {
        let wanted: Vec<(String, i64)> =
            manifest.tables.iter().map(|(name, table)| (name.clone(), table.version)).collect();
        let unknown = wanted.iter().filter(|version| !self.versions.contains_key(*version));
        let found: Vec<((String, i64), Option<Place>)> = futures::stream::iter(unknown)
            .map(|(name, version)| async move {
                let place = shared.place(name)?;
                let there = log::is_whole(&place, *version).await?;
                LakeResult::Ok(((name.clone(), *version), there.then_some(place)))
            })
            .buffer_unordered(OPEN_REQUESTS)
            .try_collect()
            .await?;
        for (version, place) in found {
            let whole = match place {
                None => false,
                Some(_) if !files => true,
                Some(place) => self.has_all_files(&place, version.1).await?,
            };
            self.versions.insert(version, whole);
        }
        let lacking = wanted.into_iter().filter(|version| self.versions.get(version) != Some(&true));
        Ok(lacking.map(|(name, _)| name).collect())
    }

    /// Whether a version's log can be read and all files are there that it names.
    async fn has_all_files(&mut self, place: &Place, version: i64) -> LakeResult<bool> {
        if !self.objects.contains_key(&place.name) {
            let root = format!("{}/", place.prefix);
            let objects = store::list(&*place.store, &place.prefix).await?;
            let names = objects.iter().filter_map(|object| object.location.as_ref().strip_prefix(&root));
            self.objects.insert(place.name.clone(), names.map(str::to_owned).collect());
        }
        let objects = &self.objects[&place.name];
        let Ok(state) = log::read_state_with(place, version, false).await else { return Ok(false) };
        for file in &state.files {
            let vector = file.vector.as_ref().map(|vector| vector.descriptor.file()).transpose()?.flatten();
            if !objects.contains(&*file.path) || vector.is_some_and(|vector| !objects.contains(&vector)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
