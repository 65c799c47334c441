//! `pg_database`: the one database, under the name by which the client connected.

use crate::catalog::BOOTSTRAP_ROLE;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::{DATABASE, DEFAULT_TABLESPACE, acl_text};
use crate::pg_catalog::rows::{Rows, row};

/// `pg_char_to_encoding('UTF8')`
const UTF8: i32 = 6;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("datdba", BOOTSTRAP_ROLE).constant("encoding", UTF8).constant("datlocprovider", "c");
    rows.constant("datistemplate", false).constant("datallowconn", true).constant("datconnlimit", -1i32);
    rows.constants(&["datfrozenxid", "datminmxid"], 0u32).constant("dattablespace", DEFAULT_TABLESPACE);
    rows.constants(&["datcollate", "datctype"], "C").columns(&["oid", "datname", "datacl"]);
    let acl = acl_text(cx.catalog, cx.catalog.roles().database_acl.as_ref());
    rows.push(row![DATABASE, &cx.session().database, acl]);
}
