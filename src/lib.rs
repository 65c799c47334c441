//! Sluice: a PostgreSQL-wire query server over live change data.
//!
//! `docs/ARCHITECTURE.md` has the rooms, from the ground up, and what each may use.

pub mod allocator;
pub mod bind;
pub mod catalog;
pub mod change;
pub mod cli;
pub mod config;
pub mod debezium;
pub mod engine;
pub mod fault;
pub mod http;
pub mod inspect;
pub mod kernels;
pub mod lake;
pub mod memory;
pub mod pg_catalog;
pub mod server;
pub mod source;
pub mod sql;
pub mod store;
pub mod types;
pub mod view;
pub mod wire;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
