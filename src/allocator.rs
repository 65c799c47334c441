//! glibc's allocator: its settings, and memory that it keeps for itself.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use glibc::{give_back_unused, tune};

/// Other C libraries have neither these settings nor this habit.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn tune() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back_unused() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::time::Duration;

    /// Settings that glibc reads when a process starts. Left alone it gives large buffers back to the kernel as soon as they are
    /// free, and the kernel clears each page that it hands out again: half of a flush's CPU. And the tables are gigabytes that
    /// are read here and there, which pages of 4 KB make dear (docs/PERFORMANCE.md). A small batch is dozens of little buffers, more
    /// of a size than a thread keeps at hand by default.
    const SETTINGS: &str = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864:\
                            glibc.malloc.top_pad=4194304:glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=127";

    /// Freed memory that the process may keep, in bytes: flushes and batches use it again and again.
    const KEPT: u64 = 512 << 20;
    const LOOK_EVERY: Duration = Duration::from_secs(5);

    /// Starts this very process anew with [`SETTINGS`], unless somebody has set such things already. Where that fails the
    /// process goes on as it is.
    pub fn tune() {
        use std::os::unix::process::CommandExt;
        const TUNABLES: &str = "GLIBC_TUNABLES";
        let mut arguments = std::env::args_os();
        let (Ok(binary), Some(name)) = (std::env::current_exe(), arguments.next()) else { return };
        if std::env::var_os(TUNABLES).is_none() {
            let error = std::process::Command::new(binary).arg0(name).args(arguments).env(TUNABLES, SETTINGS).exec();
            eprintln!("sluice: goes on without its allocator settings: {error}");
        }
    }

    /// Starts a thread that gives freed memory back to the system when there is much of it. What a heavy query had lies
    /// between small pieces that live on, where glibc would keep it for good.
    pub fn give_back_unused() {
        let watch = || {
            loop {
                std::thread::sleep(LOOK_EVERY);
                give_back_beyond(KEPT);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("allocator".to_string()).spawn(watch) {
            tracing::warn!(%error, "memory of ended queries may not be given back");
        }
    }

    fn give_back_beyond(kept: u64) {
        let resident = resident();
        // What Rust has allocated is known at once; to count everything takes a walk over what is free, under the allocator's locks.
        if resident.saturating_sub(crate::memory::used()) <= kept {
            return;
        }
        let unused = resident.saturating_sub(in_use());
        if unused > kept {
            // SAFETY: takes the allocator's own locks, and touches only what is free.
            unsafe { libc::malloc_trim(0) };
            tracing::debug!(unused, resident, "freed memory was given back");
        }
    }

    /// Bytes that were allocated and not freed.
    fn in_use() -> u64 {
        // SAFETY: only reads the allocator's counts, under its locks.
        let info = unsafe { libc::mallinfo2() };
        (info.uordblks + info.hblkhd) as u64
    }

    /// Bytes of memory, files aside, that the process holds; 0 where the system does not say.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<u64>().map_or(0, |kb| kb * 1024)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Every second piece is freed, so that nothing lies free at the end of the heap.
        #[test]
        fn freed_pieces_between_others_are_given_back() {
            let _alone = crate::memory::ALONE.lock();
            const PIECE: usize = 32 << 10;
            let mut pieces: Vec<Option<Vec<u8>>> = (0..32_768).map(|_| Some(vec![1; PIECE])).collect();
            let full = resident();
            pieces.iter_mut().step_by(2).for_each(|piece| *piece = None);
            give_back_beyond(64 << 20);
            let freed = (pieces.len() / 2 * PIECE) as u64;
            assert!(resident() + freed / 2 < full, "{} of {full} bytes are left", resident());
            drop(pieces);
        }
    }
}
