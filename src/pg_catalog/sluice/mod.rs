//! `sluice`: how fresh everything is (promise 7): sources, streams, tables, views, memory and ticks at the
//! statement's tick.
//!
//! `sluice.dead_letters` is a table with rows of its own and is not made here.

mod lake_commits;
mod lake_files;
mod memory;
mod sources;
mod streams;
mod tables;
mod ticks;
mod views;

use super::Fill;
use crate::types::Oid;

/// A column of a relation of Sluice's own.
pub(super) struct OwnColumn {
    pub name: &'static str,
    pub ty: Oid,
    pub nullable: bool,
}

/// A relation of Sluice's own. Its row type has the next OID.
pub(super) struct Own {
    pub oid: u32,
    pub name: &'static str,
    pub comment: &'static str,
    pub columns: &'static [OwnColumn],
    pub fill: Fill,
}

const fn always(name: &'static str, ty: Oid) -> OwnColumn {
    OwnColumn { name, ty, nullable: false }
}

const fn perhaps(name: &'static str, ty: Oid) -> OwnColumn {
    OwnColumn { name, ty, nullable: true }
}

const TEXT_ARRAY: Oid = Oid(1009);

/// OIDs are written down and never change: the next is 13918.
pub(super) const RELATIONS: &[Own] = &[
    sources::SOURCES,
    streams::STREAMS,
    tables::TABLES,
    views::VIEWS,
    ticks::TICKS,
    memory::MEMORY,
    lake_files::LAKE_FILES,
    lake_commits::LAKE_COMMITS,
];

/// The relations whose rows are read from the lake.
pub(in crate::pg_catalog) const FILES: Oid = Oid(lake_files::LAKE_FILES.oid);
pub(in crate::pg_catalog) const COMMITS: Oid = Oid(lake_commits::LAKE_COMMITS.oid);

/// PostgreSQL's float seconds of µs.
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
