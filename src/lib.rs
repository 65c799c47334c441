//! Sluice: a PostgreSQL-wire query server over live change data.
//!
//! `docs/ARCHITECTURE.md` has the rooms, from the ground up, and what each may use.

pub mod bind;
pub mod catalog;
pub mod change;
pub mod debezium;
pub mod engine;
pub mod kernels;
pub mod lake;
pub mod source;
pub mod store;
pub mod types;
pub mod view;
pub mod sql;
pub mod wire;
