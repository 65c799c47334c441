//! `pg_collation`: text is ordered by its bytes, whichever of these names is used.

use crate::catalog::{BOOTSTRAP_ROLE, PG_CATALOG};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("collnamespace", PG_CATALOG).constant("collowner", BOOTSTRAP_ROLE);
    rows.constant("collisdeterministic", true).constant("collencoding", -1i32);
    rows.columns(&["oid", "collname", "collprovider", "collcollate", "collctype"]);
    rows.push(row![100u32, "default", 'd', None::<&str>, None::<&str>]);
    rows.push(row![950u32, "C", 'c', "C", "C"]);
    rows.push(row![951u32, "POSIX", 'c', "POSIX", "POSIX"]);
}
