//! Floor 0: how much memory the process has allocated, and how much it may.
//!
//! [`Counting`] is the process's allocator: the system's own, and a sum of what was asked for and not given back. The sum, not the
//! resident size: what is freed counts as free at once, while the C library keeps its pages, so that whoever makes room sees
//! that there is room. What C code allocates (librdkafka, the SQL parser), thread stacks and what the allocator wastes
//! are not in it: a limit needs some air below what the machine or container has.
//!
//! Each thread gathers small steps before it adds them to the shared sum, which is therefore inexact by up to [`STEP`] bytes a
//! thread.

use crate::types::{PgError, PgResult, SqlState};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// What a thread may keep to itself.
const STEP: i64 = 4096;

static USED: AtomicI64 = AtomicI64::new(0);
/// 0: none.
static LIMIT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Bytes that are not in the sum yet. Nothing to drop and nothing to allocate: an allocator may use it at any time.
    static PENDING: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counted.
pub struct Counting;

fn count(bytes: i64) {
    // At the very end of a thread its own sum is gone.
    let counted = PENDING.try_with(|pending| {
        let sum = pending.get() + bytes;
        if sum.abs() < STEP {
            pending.set(sum);
            return;
        }
        pending.set(0);
        USED.fetch_add(sum, Ordering::Relaxed);
    });
    if counted.is_err() {
        USED.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came, and its answer back; counting touches no memory of callers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the system's.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            count(layout.size() as i64);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            count(layout.size() as i64);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
        count(-(layout.size() as i64));
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            count(size as i64 - layout.size() as i64);
        }
        moved
    }
}

/// Bytes that are allocated now.
pub fn used() -> u64 {
    USED.load(Ordering::Relaxed).max(0) as u64
}

/// What the process may allocate; `None`: as much as there is.
pub fn limit() -> Option<u64> {
    Some(LIMIT.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
}

/// Sets the limit of this process, in bytes.
pub fn set_limit(bytes: Option<u64>) {
    LIMIT.store(bytes.unwrap_or(0), Ordering::Relaxed);
}

/// `53200` where more is allocated than may be: before something new is begun.
pub fn check() -> PgResult<()> {
    match limit() {
        Some(limit) if used() > limit => Err(exhausted(limit)),
        _ => Ok(()),
    }
}

/// `53200` where the limit is passed by a sixteenth: for work under way, which would otherwise be given up in an order that
/// somebody else decides.
pub fn check_far() -> PgResult<()> {
    match limit() {
        Some(limit) if used() > limit + limit / 16 => Err(exhausted(limit)),
        _ => Ok(()),
    }
}

/// What whoever is over the limit hears.
pub fn exhausted(limit: u64) -> PgError {
    PgError::new(SqlState::OUT_OF_MEMORY, "the memory limit of the server is reached")
        .detail(format!("{} MiB are allocated, {} MiB may be.", used() >> 20, limit >> 20))
        .hint("See sluice.memory for what takes it, and [limits] memory in the configuration.")
}

/// What the machine, or the container, has: the smaller of both. `None` where it does not say.
pub fn available() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
    });
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    [machine, container].into_iter().flatten().min()
}

/// Held by tests that allocate much, or look how much is allocated.
#[cfg(test)]
pub(crate) static ALONE: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_on_one_thread_and_freed_on_another_leaves_nothing() {
        let _alone = ALONE.lock();
        const BLOCKS: usize = 512;
        // Other tests allocate and free meanwhile, but not so much.
        const OTHERS: u64 = 256 << 20;
        let before = used();
        let blocks: Vec<Vec<u8>> = std::thread::spawn(|| (0..BLOCKS).map(|_| vec![0u8; 1 << 20]).collect::<Vec<_>>())
            .join()
            .expect("a thread that allocates");
        assert!(used() + OTHERS >= before + (BLOCKS << 20) as u64, "{before} {}", used());
        std::thread::spawn(move || drop(blocks)).join().expect("a thread that frees");
        assert!(used() < before + OTHERS, "{before} {}", used());
    }
}
