//! What the lake was: old manifests, folded into segments, each one object of JSON lines at
//! `_sluice/history/<first>-<last>-<tick of the first>-<tick of the last>-<oldest µs>-<newest µs>.jsonl`.
//!
//! ```text
//!   manifests 1 … 64 ──fold──► history/1-64-….jsonl      manifests 65 … 148: as they were written
//! ```
//!
//! A segment's first line is a whole manifest; a later line has what is different from the line before, so that a flush
//! of few tables costs few bytes. Segments whose manifests are all older than the lake's history go, but for the one
//! that says what the lake was at the beginning of that time. What the oldest manifest names bounds what maintenance may
//! remove ([`Shared::oldest_version`]).

use super::error::{LakeError, LakeResult};
use super::manifest::{self, Manifest, ManifestTable};
use super::{KEPT_MANIFESTS, Shared, store};
use crate::change::Tick;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Manifests of one segment.
pub(super) const SEGMENT: usize = 64;
/// Manifests that are read at once.
const READS: usize = 8;

/// What is known of a manifest without reading it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub number: u64,
    pub tick: Tick,
    pub written_at_us: i64,
    pub tables: BTreeMap<String, ManifestTable>,
    /// It says nothing but whose the lake is.
    pub is_claim: bool,
}

impl Kept {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            number: manifest.number,
            tick: manifest.tick,
            written_at_us: manifest.written_at_us,
            tables: manifest.tables.clone(),
            is_claim: manifest.is_claim(),
        }
    }
}

/// A segment by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub first: u64,
    pub last: u64,
    pub first_tick: u64,
    pub last_tick: u64,
    pub oldest_us: i64,
    pub newest_us: i64,
}

/// The segments that there are, oldest first, and which versions the oldest manifest in them names.
#[derive(Debug, Default)]
pub(super) struct History {
    pub segments: VecDeque<Segment>,
    pub oldest: BTreeMap<String, ManifestTable>,
}

/// A moment in the past that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Tick(Tick),
    /// µs since 1970.
    At(i64),
}

impl Moment {
    fn is_at_or_after(self, tick: u64, us: i64) -> bool {
        match self {
            Self::Tick(asked) => tick <= asked.0,
            Self::At(asked) => us <= asked,
        }
    }
}

/// What a line has that the line before has not.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Line {
    number: u64,
    tick: u64,
    written_at_us: i64,
    /// `None`: gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<String, Option<ManifestTable>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    positions: BTreeMap<String, Option<i64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalog: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extra: Option<Value>,
}

fn folder() -> Path {
    Path::from("_sluice/history")
}

impl Segment {
    fn path(&self) -> Path {
        let Self { first, last, first_tick, last_tick, oldest_us, newest_us } = self;
        folder().join(format!("{first:020}-{last:020}-{first_tick}-{last_tick}-{oldest_us}-{newest_us}.jsonl"))
    }

    fn named(name: &str) -> Option<Self> {
        let numbers: Vec<i64> = name.strip_suffix(".jsonl")?.split('-').map_while(|part| part.parse().ok()).collect();
        let [first, last, first_tick, last_tick, oldest_us, newest_us] = numbers[..] else { return None };
        let whole = |number: i64| u64::try_from(number).ok();
        Some(Self {
            first: whole(first)?,
            last: whole(last)?,
            first_tick: whole(first_tick)?,
            last_tick: whole(last_tick)?,
            oldest_us,
            newest_us,
        })
    }
}

fn changes<V: PartialEq + Copy>(
    before: &BTreeMap<String, V>,
    now: &BTreeMap<String, V>,
) -> BTreeMap<String, Option<V>> {
    let changed = now.iter().filter(|(name, value)| before.get(*name) != Some(*value));
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changed.map(|(name, value)| (name.clone(), Some(*value))).chain(gone.map(|name| (name.clone(), None))).collect()
}

fn apply<V: Copy>(to: &mut BTreeMap<String, V>, changes: BTreeMap<String, Option<V>>) {
    for (name, value) in changes {
        match value {
            Some(value) => to.insert(name, value),
            None => to.remove(&name),
        };
    }
}

fn encode(manifests: &[Manifest]) -> LakeResult<Vec<u8>> {
    let nothing = Manifest::claim();
    let mut bytes = Vec::new();
    let mut before = &nothing;
    for (nth, manifest) in manifests.iter().enumerate() {
        let line = Line {
            number: manifest.number,
            tick: manifest.tick.0,
            written_at_us: manifest.written_at_us,
            tables: changes(&before.tables, &manifest.tables),
            positions: changes(&before.positions, &manifest.positions),
            catalog: (nth == 0 || manifest.catalog != before.catalog).then(|| manifest.catalog.clone()),
            extra: (nth == 0 || manifest.extra != before.extra).then(|| manifest.extra.clone()),
        };
        serde_json::to_writer(&mut bytes, &line).map_err(|error| LakeError::internal(error.to_string()))?;
        bytes.push(b'\n');
        before = manifest;
    }
    Ok(bytes)
}

/// The manifests of a segment, oldest first, as `each` wants them: it says whether to go on.
fn decode(bytes: &[u8], path: &Path, mut each: impl FnMut(&Manifest) -> bool) -> LakeResult<()> {
    let mut manifest = Manifest::claim();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line =
            serde_json::from_slice(line).map_err(|error| LakeError::damaged(path.to_string(), error.to_string()))?;
        (manifest.number, manifest.tick, manifest.written_at_us) = (line.number, Tick(line.tick), line.written_at_us);
        apply(&mut manifest.tables, line.tables);
        apply(&mut manifest.positions, line.positions);
        if let Some(catalog) = line.catalog {
            manifest.catalog = catalog;
        }
        if let Some(extra) = line.extra {
            manifest.extra = extra;
        }
        if !each(&manifest) {
            break;
        }
    }
    Ok(())
}

async fn read(shared: &Shared, segment: &Segment) -> LakeResult<(Path, bytes::Bytes)> {
    let path = segment.path();
    let bytes = store::get(&*shared.store, &path).await?;
    Ok((path, bytes))
}

/// All manifests of a segment, oldest first.
pub(super) async fn manifests(shared: &Shared, segment: &Segment) -> LakeResult<Vec<Manifest>> {
    let (path, bytes) = read(shared, segment).await?;
    let mut all = Vec::with_capacity(SEGMENT);
    decode(&bytes, &path, |manifest| {
        all.push(manifest.clone());
        true
    })?;
    Ok(all)
}

async fn first_tables(shared: &Shared, segment: &Segment) -> LakeResult<BTreeMap<String, ManifestTable>> {
    let (path, bytes) = read(shared, segment).await?;
    let mut tables = BTreeMap::new();
    decode(&bytes, &path, |manifest| {
        tables.clone_from(&manifest.tables);
        false
    })?;
    Ok(tables)
}

/// Which segments there are.
pub(super) async fn segments(shared: &Shared) -> LakeResult<Vec<Segment>> {
    let mut segments: Vec<Segment> = store::list(&*shared.store, &folder())
        .await?
        .iter()
        .filter_map(|object| Segment::named(object.location.filename()?))
        .collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Reads which segments there are, and what the oldest says. One that cannot be read is of no use to anybody.
pub(super) async fn open(shared: &Shared) -> LakeResult<History> {
    let mut segments: VecDeque<Segment> = segments(shared).await?.into();
    while let Some(oldest) = segments.front() {
        match first_tables(shared, oldest).await {
            Ok(oldest) => return Ok(History { segments, oldest }),
            Err(error) => tracing::warn!(%error, "a segment of the lake's history cannot be read"),
        }
        segments.pop_front();
    }
    Ok(History::default())
}

/// The newest manifest that is not younger than a moment; `None`: the lake holds nothing so old.
pub(super) async fn find(shared: &Shared, moment: Moment) -> LakeResult<Option<Manifest>> {
    // A manifest that is folded meanwhile is in a segment then.
    for _ in 0..3 {
        let kept = {
            let kept = shared.kept.lock();
            let wanted = |kept: &&Kept| moment.is_at_or_after(kept.tick.0, kept.written_at_us);
            kept.iter().rev().find(wanted).map(|kept| (kept.number, kept.is_claim))
        };
        match kept {
            Some((_, true)) => return Ok(None),
            Some((number, false)) => match manifest::read(&*shared.store, number).await {
                Ok(manifest) => return Ok(Some(manifest)),
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            },
            None => {}
        }
        let segment = {
            let history = shared.history.lock();
            let wanted = |s: &&Segment| moment.is_at_or_after(s.first_tick, s.oldest_us);
            history.segments.iter().rev().find(wanted).copied()
        };
        let Some(segment) = segment else { return Ok(None) };
        let (path, bytes) = match read(shared, &segment).await {
            Err(error) if error.is_not_found() => continue,
            read => read?,
        };
        let mut found = None;
        decode(&bytes, &path, |manifest| {
            if moment.is_at_or_after(manifest.tick.0, manifest.written_at_us) {
                found = Some(manifest.clone());
            }
            true
        })?;
        return Ok(found.filter(|manifest: &Manifest| !manifest.is_claim()));
    }
    Ok(None)
}

/// The tick and the time (µs) of the oldest manifest that still says something.
pub(super) fn oldest(shared: &Shared) -> Option<(Tick, i64)> {
    let segment = shared.history.lock().segments.front().map(|s| (Tick(s.first_tick), s.oldest_us));
    segment.or_else(|| {
        let kept = shared.kept.lock();
        kept.iter().find(|kept| !kept.is_claim).map(|kept| (kept.tick, kept.written_at_us))
    })
}

/// Folds old manifests into segments, and removes segments that are too old.
pub(super) async fn fold(shared: &Shared) -> LakeResult<()> {
    loop {
        let numbers: Vec<u64> = {
            let kept = shared.kept.lock();
            if kept.len() < KEPT_MANIFESTS + SEGMENT {
                break;
            }
            kept.iter().take(SEGMENT).map(|kept| kept.number).collect()
        };
        let manifests: Vec<Manifest> = futures::stream::iter(numbers.clone())
            .map(|number| manifest::read(&*shared.store, number))
            .buffered(READS)
            .try_collect()
            .await?;
        // One that only claims the lake has nothing to say.
        let telling: Vec<Manifest> = manifests.into_iter().filter(|manifest| !manifest.is_claim()).collect();
        if let (Some(first), Some(last)) = (telling.first(), telling.last()) {
            let times = || telling.iter().map(|manifest| manifest.written_at_us);
            let segment = Segment {
                first: first.number,
                last: last.number,
                first_tick: first.tick.0,
                last_tick: last.tick.0,
                oldest_us: times().min().unwrap_or(0).max(0),
                newest_us: times().max().unwrap_or(0).max(0),
            };
            store::put(&*shared.store, &segment.path(), encode(&telling)?.into()).await?;
            shared.sync().await?;
            let mut history = shared.history.lock();
            if history.segments.is_empty() {
                history.oldest.clone_from(&first.tables);
            }
            history.segments.push_back(segment);
        }
        shared.kept.lock().drain(..numbers.len());
        for number in numbers {
            manifest::delete(&*shared.store, number).await?;
        }
    }
    expire(shared, shared.history_length).await
}

/// Removes segments that say nothing of the last `length`.
async fn expire(shared: &Shared, length: Duration) -> LakeResult<()> {
    let begin_us = super::log::now_ms() * 1000 - i64::try_from(length.as_micros()).unwrap_or(i64::MAX / 2);
    loop {
        let (oldest, next) = {
            let history = shared.history.lock();
            let Some(oldest) = history.segments.front().copied() else { return Ok(()) };
            let next = history.segments.get(1).copied();
            let begins_us = match next {
                Some(next) => next.oldest_us,
                None => shared.kept.lock().front().map_or(i64::MAX, |kept| kept.written_at_us),
            };
            // The newest manifest before the beginning says what the lake was at the beginning.
            if begins_us > begin_us {
                return Ok(());
            }
            (oldest, next)
        };
        let tables = match next {
            Some(next) => first_tables(shared, &next).await?,
            None => BTreeMap::new(),
        };
        store::delete(&*shared.store, &oldest.path()).await?;
        let mut history = shared.history.lock();
        if history.segments.front() == Some(&oldest) {
            history.segments.pop_front();
            history.oldest = tables;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(number: u64, tables: &[(&str, i64)], catalog: u64) -> Manifest {
        Manifest {
            number,
            tick: Tick(number * 10),
            written_at_us: number as i64 * 1000,
            tables: tables
                .iter()
                .map(|(name, version)| ((*name).to_owned(), ManifestTable { version: *version, next_row_id: 0 }))
                .collect(),
            positions: BTreeMap::from([("s/0".to_owned(), number as i64)]),
            catalog: catalog.into(),
            ..Manifest::claim()
        }
    }

    #[test]
    fn folded_manifests_come_back_as_they_were() {
        let all = [
            manifest(7, &[("a.a", 1), ("a.b", 4)], 1),
            manifest(8, &[("a.a", 2), ("a.b", 4)], 1),
            manifest(9, &[("a.b", 4), ("a.c", 0)], 2),
        ];
        let bytes = encode(&all).expect("plain JSON");
        let mut back = Vec::new();
        decode(&bytes, &Path::from("x"), |manifest| {
            back.push(manifest.clone());
            true
        })
        .expect("what was encoded");
        assert_eq!(back, all);
    }

    #[test]
    fn a_segment_is_named_by_what_it_holds() {
        let segment =
            Segment { first: 1, last: 64, first_tick: 3, last_tick: 900, oldest_us: 17, newest_us: 1_700_000_000 };
        assert_eq!(Segment::named(segment.path().filename().expect("a file")), Some(segment));
        assert_eq!(Segment::named("1-2-3.jsonl"), None);
    }
}
