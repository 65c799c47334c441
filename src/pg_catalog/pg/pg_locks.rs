//! `pg_locks`: advisory locks. Readers take no locks, and writers one at a time.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::DATABASE;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("locktype", "advisory").constant("database", DATABASE.0).constant("fastpath", false);
    rows.columns(&["classid", "objid", "objsubid", "virtualtransaction", "pid", "mode", "granted", "waitstart"]);
    for lock in cx.locks() {
        let (class, object, sub) = lock.key;
        let mode = if lock.shared { "ShareLock" } else { "ExclusiveLock" };
        let since = lock.waiting_since_us;
        let transaction = format!("{}/0", lock.pid);
        rows.push(row![
            class,
            object,
            sub,
            transaction,
            lock.pid,
            mode,
            since.is_none(),
            since.map(crate::pg_catalog::rows::Cell::At)
        ]);
    }
}
