//! `pg_timezone_names`: time zones, and what is in force there now.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Cell, Rows, row};
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["name", "abbrev", "utc_offset", "is_dst"]);
    let now = DateTime::from_timestamp_micros(cx.now_us()).unwrap_or_default().naive_utc();
    for zone in TZ_VARIANTS {
        let offset = zone.offset_from_utc_datetime(&now);
        let seconds = i64::from(offset.fix().local_minus_utc());
        let summer = !offset.dst_offset().is_zero();
        rows.push(row![zone.name(), offset.abbreviation(), Cell::Span(seconds * 1_000_000), summer]);
    }
}
