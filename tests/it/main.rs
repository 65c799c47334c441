//! The inner ring: the real binary through its public faces.

mod deployments;
mod operations;
mod sql;
mod support;
