//! `pg_extension`: what this server has beyond PostgreSQL, schema `sluice`. Built in, so that `pg_dump` leaves it out.

use crate::catalog::{BOOTSTRAP_ROLE, SLUICE};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

/// Below the OIDs of users' objects.
pub const EXTENSION: u32 = 13989;

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("extrelocatable", false);
    rows.columns(&["oid", "extname", "extowner", "extnamespace", "extversion"]);
    rows.push(row![EXTENSION, "sluice", BOOTSTRAP_ROLE, SLUICE, env!("CARGO_PKG_VERSION")]);
}
