//! `sluice`: see `sluice --help`.

use clap::Parser;
use sluice::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::allocator::tune();
    // Two providers are in the dependency tree; whoever speaks TLS must find this one.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("sluice: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    sluice::cli::run(Cli::parse())
}
