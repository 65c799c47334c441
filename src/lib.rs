//! Sluice: a PostgreSQL-wire query server over live change data.
//!
//! The rooms, from the ground up; a room uses those above it in this list only. `docs/ARCHITECTURE.md` says more.

pub mod catalog;
pub mod change;
pub mod kernels;
pub mod pg_catalog;
pub mod store;
pub mod types;
