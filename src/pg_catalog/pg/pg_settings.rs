//! `pg_settings`: parameters as this session sees them.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("pending_restart", false);
    rows.columns(&[
        "name",
        "setting",
        "unit",
        "category",
        "short_desc",
        "context",
        "vartype",
        "source",
        "min_val",
        "max_val",
        "enumvals",
        "boot_val",
        "reset_val",
    ]);
    for setting in cx.settings() {
        rows.push(row![
            &setting.name,
            &setting.value,
            setting.unit.as_deref(),
            &setting.category,
            &setting.description,
            &setting.context,
            &setting.kind,
            &setting.source,
            setting.minimum.as_deref(),
            setting.maximum.as_deref(),
            setting.allowed.clone(),
            &setting.boot,
            &setting.reset,
        ]);
    }
}
