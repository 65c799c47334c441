//! Floor 6: statements and sessions, without sockets.
//!
//! ```text
//! text ─► Session::parse ─► Prepared (cached by text, types, path, catalog) ─► Session::execute ─► Outcome
//!          bind, lower, optimize           │                                     │
//!          on the query runtime            └ a query's plan, or a statement      ├ rows, from the query runtime
//!                                                                                └ a change of the catalog, in a tick
//! ```
//!
//! Promises: a statement reads one snapshot, a transaction block one snapshot for all its statements; what a transaction
//! changes is applied by its COMMIT, whole, or not at all; a statement that is cancelled, timed out or dropped stops.
//! Called by `wire` and `http`.

mod access;
mod activity;
mod advisory;
mod alter;
mod cascade;
mod channels;
mod context;
mod copy;
mod copy_in;
mod cursor;
mod database;
mod ddl;
mod deferred;
mod define;
mod direct;
mod effort;
mod engine;
mod explain;
mod fair;
mod foreign;
mod grant;
mod interrupt;
mod kept;
mod lake;
mod lock;
pub mod parameters;
mod past;
mod plan_cache;
mod prepare;
mod query;
mod relations;
mod rename;
mod roles;
mod sequences;
mod session;
mod settings;
mod storage;
mod tables;
mod template;
mod temporary;
mod transaction;
mod utility;
mod write;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::bind::OutputColumn;
pub use crate::kernels::SERVER_VERSION;
pub use channels::{Mailbox, Notification};
pub use copy::{CopyFormat, CopyOptions};
pub use copy_in::{CopyIn, CopyReader};
pub use database::{Database, DatabaseMetrics, DatabaseOptions};
pub use interrupt::{CancelHandle, Operation};
pub use prepare::Prepared;
pub use session::{Notice, ObjectNames, Outcome, Ready, RowsTag, Session, Startup, shown_by_name};
pub use settings::Settings;
pub use storage::{CatalogChange, Storage, StorageSnapshot};

pub const SERVER_VERSION_NUM: &str = "150018";
