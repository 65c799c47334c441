//! `sluice`: see `sluice --help`.

use clap::Parser;
use sluice::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    tune_allocator();
    // Two providers are in the dependency tree; whoever speaks TLS must find this one.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("sluice: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    sluice::cli::run(Cli::parse())
}

/// Settings of glibc's allocator, which it reads when a process starts. Left alone it gives large buffers back to the kernel
/// as soon as they are free, and the kernel clears each page that it hands out again: half of a flush's CPU. And the tables are
/// gigabytes that are read here and there, which pages of 4 KB make dear (docs/PERFORMANCE.md). A small batch is dozens of
/// little buffers, more of a size than a thread keeps at hand by default.
const ALLOCATOR: &str = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864:\
                         glibc.malloc.top_pad=4194304:glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=127";

/// Starts this very process anew with [`ALLOCATOR`], unless somebody has set such things already. Where that fails, or for
/// another C library, the process goes on as it is.
fn tune_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt;
        const TUNABLES: &str = "GLIBC_TUNABLES";
        let mut arguments = std::env::args_os();
        let (Ok(binary), Some(name)) = (std::env::current_exe(), arguments.next()) else { return };
        if std::env::var_os(TUNABLES).is_none() {
            let error = std::process::Command::new(binary).arg0(name).args(arguments).env(TUNABLES, ALLOCATOR).exec();
            eprintln!("sluice: goes on without its allocator settings: {error}");
        }
    }
}
