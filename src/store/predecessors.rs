//! Whose place each version took, for the snapshots that still see the one before.
//!
//! Written in the order of ids, so that an update costs a few bytes at the end of a block. A snapshot that meets a version from
//! after its time in the key index goes back from there.

use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Links in a block: at least, and at most while there are few.
const SMALLEST: usize = 64;
const USUAL: usize = 4_096;
/// How far back a writer looks for versions that nobody sees any more, and in how many of the last blocks.
const STEPS: usize = 16;
const RECENT: usize = 2;

/// What came before one version. Zero: nothing that anybody saw.
#[derive(Debug, Default)]
struct Link {
    /// The id, and 1.
    before: AtomicU64,
    /// Of the key.
    hash: AtomicU64,
}

/// The links of the ids from `first` on.
#[derive(Debug)]
struct Block {
    first: u64,
    links: Box<[Link]>,
    /// How many there are.
    count: AtomicUsize,
}

impl Block {
    fn new(first: u64, size: usize) -> Arc<Self> {
        let links = (0..size).map(|_| Link::default()).collect();
        Arc::new(Self { first, links, count: AtomicUsize::new(0) })
    }

    fn end(&self) -> u64 {
        self.first + self.links.len() as u64
    }
}

#[derive(Debug, Default, Clone)]
struct Blocks {
    firsts: Vec<u64>,
    blocks: Vec<Arc<Block>>,
}

impl Blocks {
    fn link(&self, id: u64) -> Option<&Link> {
        let at = self.firsts.partition_point(|first| *first <= id).checked_sub(1)?;
        self.blocks[at].links.get((id - self.firsts[at]) as usize)
    }

    fn push(&mut self, block: Arc<Block>) {
        self.firsts.push(block.first);
        self.blocks.push(block);
    }

    /// From which id on links are so new that they lie in a cache.
    fn recent(&self) -> u64 {
        let at = self.firsts.len().saturating_sub(RECENT);
        self.firsts.get(at).copied().unwrap_or(u64::MAX)
    }
}

/// A version, the one whose place it took, and the hash of their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Succession {
    pub id: u64,
    pub before: u64,
    pub hash: u64,
}

/// Blocks in ascending order. One thread changes them, others go back along them without locks: a link is there before its
/// version is found anywhere, and stays until no snapshot is left that could need it or the key index keeps what it led to.
#[derive(Debug, Default)]
pub(super) struct Predecessors {
    blocks: ArcSwap<Blocks>,
    count: AtomicUsize,
}

impl Predecessors {
    /// How many links there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> usize {
        self.blocks.load().blocks.iter().map(|block| size_of::<Block>() + block.links.len() * size_of::<Link>()).sum()
    }

    /// The links as they are now.
    pub fn load(&self) -> Links {
        Links(self.blocks.load())
    }

    /// Adds links, by ascending id. `is_seen(a, b)`: does somebody see what came with id `a` and ended with `b`?
    pub fn add(&self, new: impl ExactSizeIterator<Item = Succession>, is_seen: impl Fn(u64, u64) -> bool) {
        let mut blocks = self.blocks.load_full();
        // Few blocks even where there are many links: each new one copies their list.
        let size = (4 * new.len()).next_power_of_two().clamp(SMALLEST, USUAL.max(self.len() / 32));
        for Succession { id, before: direct, hash } in new {
            let Some(before) = self.compressed(&blocks, id, direct, &is_seen) else { continue };
            if blocks.blocks.last().is_none_or(|block| block.end() <= id) {
                let mut more = Blocks::clone(&blocks);
                more.push(Block::new(id, size));
                blocks = Arc::new(more);
                self.blocks.store(Arc::clone(&blocks));
            }
            let Some(block) = blocks.blocks.last() else { continue };
            let Some(link) = id.checked_sub(block.first).and_then(|at| block.links.get(at as usize)) else { continue };
            link.hash.store(hash, Ordering::Relaxed);
            link.before.store(before + 1, Ordering::Release);
            block.count.store(block.count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            self.count.store(self.len() + 1, Ordering::Relaxed);
        }
    }

    /// What the version `id` is to lead to, `direct` being the one before it; leaves out what nobody sees here and behind, so
    /// that the way back from a key that is changed all the time is as long as there are snapshots that want different versions.
    fn compressed(&self, blocks: &Blocks, id: u64, direct: u64, is_seen: &impl Fn(u64, u64) -> bool) -> Option<u64> {
        let recent = blocks.recent();
        let (mut first, mut until, mut at) = (None, id, direct);
        let mut from: Option<&Link> = None;
        for _ in 0..STEPS {
            let behind = if at < recent { None } else { blocks.link(at) };
            // What lies far back is left as it is.
            if is_seen(at, until) || (at < recent && blocks.link(at).is_some()) {
                if first.is_none() {
                    first = Some(at);
                } else if let Some(from) = from.filter(|from| before(from) != Some(at)) {
                    from.before.store(at + 1, Ordering::Release);
                }
                from = behind;
            }
            if at < recent {
                return first;
            }
            until = at;
            let Some(next) = behind.and_then(before) else { return first };
            at = next;
        }
        // There may be more: nothing is left out here.
        first.or(Some(at))
    }

    /// Forgets the links of versions below `id`, by whole blocks.
    pub fn forget_below(&self, id: u64) {
        let blocks = self.blocks.load();
        let gone = blocks.blocks.iter().take_while(|block| block.end() <= id).count();
        if gone > 0 {
            self.drop_first(gone);
        }
    }

    /// Forgets all links.
    pub fn clear(&self) {
        let blocks = self.blocks.load().blocks.len();
        if blocks > 0 {
            self.drop_first(blocks);
        }
    }

    /// The links of the oldest block.
    pub fn oldest(&self) -> Vec<Succession> {
        let blocks = self.blocks.load();
        let Some(block) = blocks.blocks.first() else { return Vec::new() };
        let of = |(id, link): (u64, &Link)| {
            Some(Succession { id, before: before(link)?, hash: link.hash.load(Ordering::Relaxed) })
        };
        (block.first..).zip(block.links.iter()).filter_map(of).collect()
    }

    pub fn drop_oldest(&self) {
        self.drop_first(1);
    }

    fn drop_first(&self, count: usize) {
        let mut blocks = Blocks::clone(&self.blocks.load());
        blocks.firsts.drain(..count);
        let gone = blocks.blocks.drain(..count).map(|block| block.count.load(Ordering::Relaxed)).sum::<usize>();
        self.count.store(self.len() - gone, Ordering::Relaxed);
        self.blocks.store(Arc::new(blocks));
    }
}

/// The links at one time.
pub(super) struct Links(Guard<Arc<Blocks>>);

impl Links {
    /// The version before `id`, where one is known.
    pub fn before(&self, id: u64) -> Option<u64> {
        self.0.link(id).and_then(before)
    }

    /// `id` or the newest version before it that is below `next_id`, where one is known.
    pub fn go_back(&self, mut id: u64, next_id: u64) -> Option<u64> {
        while id >= next_id {
            id = self.before(id)?;
        }
        Some(id)
    }
}

fn before(link: &Link) -> Option<u64> {
    link.before.load(Ordering::Acquire).checked_sub(1)
}
