//! The inner ring: the real binary through its public faces.

mod bad_events;
mod chaos;
mod deployments;
mod evicted;
mod exactly_once;
mod freshness;
mod kafka;
mod key_changes;
mod lake_upkeep;
mod landing;
mod large_views;
mod limits;
mod one_tick;
mod operations;
mod oracle;
mod rebuild;
mod restart;
mod roles;
mod schema_moves;
mod security;
mod sql;
mod support;
mod time_travel;
mod view_errors;
mod whole_transactions;
mod writes;
