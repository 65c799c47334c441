//! A store that does what stores do on bad days, for tests: everything follows from one seed.
//!
//! It lies between the lake and a folder. A write may fail, be done and fail, be done twice, or be done later, even when
//! the process that asked for it has ended; a read may fail; and at a chosen write the process ends, before it or after it.

use super::store::Trouble;
use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::sync::Arc;

/// A write that is on its way.
type Put = (Path, PutPayload, PutMode);

/// How likely what is, from 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    pub fails: f64,
    /// Done, and failed all the same.
    pub late: f64,
    /// Done twice: the second answer is the one that is heard.
    pub twice: f64,
    /// Failed, and done later.
    pub delayed: f64,
    pub read_fails: f64,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    weather: Weather,
    /// Writes until the process ends.
    ends_in: Option<u64>,
    ended: bool,
    /// Those that go on asking until they hear that the process ends.
    asking: Vec<Arc<Trouble>>,
    writes: u64,
    /// Writes that are still on their way, and when they arrive.
    on_the_way: Vec<(u64, Path, PutPayload, PutMode)>,
}

#[derive(Debug)]
pub(super) struct World {
    inner: LocalFileSystem,
    state: Mutex<State>,
}

fn says(what: &'static str) -> Error {
    Error::Generic { store: "World", source: what.into() }
}

/// What becomes of a write.
enum Fate {
    Done,
    Fails,
    Late,
    Twice,
    Delayed,
}

impl World {
    pub(super) fn new(folder: &std::path::Path, seed: u64) -> Arc<Self> {
        let inner = LocalFileSystem::new_with_prefix(folder).expect("the folder is there");
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            weather: Weather::default(),
            ends_in: None,
            ended: false,
            asking: Vec::new(),
            writes: 0,
            on_the_way: Vec::new(),
        };
        Arc::new(Self { inner, state: Mutex::new(state) })
    }

    /// A new process begins.
    pub(super) fn begin(&self, weather: Weather, ends_in: Option<u64>) {
        let mut state = self.state.lock();
        (state.weather, state.ends_in, state.ended) = (weather, ends_in, false);
        state.asking.clear();
    }

    /// A lake that is open in the process.
    pub(super) fn serves(&self, trouble: &Arc<Trouble>) {
        let mut state = self.state.lock();
        if state.ended {
            trouble.end();
        }
        state.asking.push(Arc::clone(trouble));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Decides about a write; with it what arrives now of those before.
    fn fate(&self, is_put: bool) -> Result<(Fate, Vec<Put>)> {
        let mut state = self.state.lock();
        state.writes += 1;
        let now = state.writes;
        let arrived = state.on_the_way.extract_if(.., |(due, ..)| *due <= now).map(|(_, a, b, c)| (a, b, c)).collect();
        if state.ended {
            return Err(says("the process has ended"));
        }
        if let Some(left) = &mut state.ends_in {
            if *left == 0 {
                state.ended = true;
                state.asking.iter().for_each(|trouble| trouble.end());
                let done = state.rng.random_bool(0.5);
                return Ok((if done { Fate::Late } else { Fate::Fails }, arrived));
            }
            *left -= 1;
        }
        let Weather { fails, late, twice, delayed, .. } = state.weather;
        let mut draw: f64 = state.rng.random();
        let mut is = |chance: f64| {
            draw -= chance;
            draw < 0.0
        };
        let fate = if is(fails) {
            Fate::Fails
        } else if is(late) {
            Fate::Late
        } else if is_put && is(twice) {
            Fate::Twice
        } else if is_put && is(delayed) {
            Fate::Delayed
        } else {
            Fate::Done
        };
        Ok((fate, arrived))
    }

    fn read(&self) -> Result<()> {
        let mut state = self.state.lock();
        let chance = state.weather.read_fails;
        match state.ended || state.rng.random_bool(chance) {
            true => Err(says("no answer")),
            false => Ok(()),
        }
    }

    async fn arrive(&self, arrived: Vec<(Path, PutPayload, PutMode)>) {
        for (path, payload, mode) in arrived {
            drop(self.inner.put_opts(&path, payload, mode.into()).await);
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for World {
    async fn put_opts(&self, path: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let (fate, arrived) = self.fate(true)?;
        self.arrive(arrived).await;
        let put = || self.inner.put_opts(path, payload.clone(), opts.clone());
        match fate {
            Fate::Done => put().await,
            Fate::Fails => Err(says("refused")),
            Fate::Late => put().await.and(Err(says("the answer was lost"))),
            Fate::Twice => {
                put().await?;
                put().await
            }
            Fate::Delayed => {
                let mut state = self.state.lock();
                let due = state.writes + state.rng.random_range(1..30);
                state.on_the_way.push((due, path.clone(), payload, opts.mode));
                Err(says("no answer in time"))
            }
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(says("the lake does not ask for this"))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.read()?;
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let fate = self.fate(false);
        let inner = self.inner.delete_stream(paths);
        match fate {
            Ok((Fate::Fails, _)) | Err(_) => futures::stream::once(async { Err(says("refused")) }).boxed(),
            Ok((Fate::Late, _)) => inner.and_then(|_| async { Err(says("the answer was lost")) }).boxed(),
            Ok(_) => inner,
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.read() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.read()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
