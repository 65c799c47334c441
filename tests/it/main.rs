//! The inner ring: the real binary through its public faces.

mod bad_events;
mod deployments;
mod exactly_once;
mod landing;
mod operations;
mod schema_moves;
mod support;
