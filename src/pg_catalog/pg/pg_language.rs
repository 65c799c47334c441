//! `pg_language`: the language of the built-in functions.

use crate::catalog::BOOTSTRAP_ROLE;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("lanowner", BOOTSTRAP_ROLE).constants(&["lanispl", "lanpltrusted"], false);
    rows.constants(&["lanplcallfoid", "laninline", "lanvalidator"], 0u32).columns(&["oid", "lanname"]);
    rows.push(row![12u32, "internal"]);
}
