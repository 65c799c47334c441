//! `sluice inspect`: what a lake holds, for people and as JSON.

use crate::catalog::{Catalog, RelationKind};
use crate::lake::{self, Inspected, LakeError, LakeOptions};
use crate::pg_catalog;
use crate::server::ServerError;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A lake, and the names that its tables have.
pub struct Shown {
    lake: Inspected,
    /// By folder: name and kind.
    names: BTreeMap<String, (String, &'static str)>,
    views: usize,
}

/// Reads a lake. Errors: those of [`lake::inspect`], and of a catalog of another format.
pub fn read(options: LakeOptions) -> Result<Shown, ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let lake = runtime.map_err(ServerError::Runtime)?.block_on(lake::inspect(options))?;
    let mut names = BTreeMap::new();
    let mut views = 0;
    if !lake.manifest.catalog.is_null() {
        let catalog = Catalog::from_json(&lake.manifest.catalog, pg_catalog::system_relations());
        let catalog = catalog.map_err(|error| ServerError::Lake(LakeError::Value(error)))?;
        for relation in catalog.user_relations() {
            let kind = match relation.kind {
                RelationKind::Bronze => "bronze",
                RelationKind::Silver => "silver",
                RelationKind::Managed => "managed",
                RelationKind::Gold => "gold",
                RelationKind::View => {
                    views += 1;
                    continue;
                }
                RelationKind::Sequence | RelationKind::System => continue,
            };
            let name = catalog.qualified_name(relation);
            let known = lake.manifest.extra["folders"][relation.oid.0.to_string()].as_str();
            names.insert(known.unwrap_or(&name).to_owned(), (name.clone(), kind));
        }
    }
    Ok(Shown { lake, names, views })
}

fn time(us: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(us);
    time.map_or_else(|| us.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S%.3f+00").to_string())
}

fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

impl Shown {
    fn name<'a>(&'a self, folder: &'a str) -> (&'a str, &'a str) {
        self.names.get(folder).map_or((folder, "unknown"), |(name, kind)| (name, kind))
    }

    pub fn json(&self) -> String {
        let Inspected { url, manifest, oldest, tables } = &self.lake;
        let table = |table: &lake::InspectedTable| {
            let (name, kind) = self.name(&table.folder);
            json!({
                "name": name,
                "kind": kind,
                "folder": table.folder,
                "version": table.version,
                "rows": table.rows,
                "dead_rows": table.dead,
                "files": table.files,
                "bytes": table.bytes,
                "bytes_kept": table.bytes_kept,
            })
        };
        let shown = json!({
            "lake": url,
            "manifest": manifest.number,
            "format": manifest.format,
            "tick": manifest.tick.0,
            "written_at": time(manifest.written_at_us),
            "oldest_tick": oldest.0.0,
            "oldest_at": time(oldest.1),
            "views": self.views,
            "tables": tables.iter().map(table).collect::<Vec<_>>(),
            "positions": manifest.positions,
        });
        format!("{shown:#}\n")
    }

    pub fn text(&self) -> String {
        let Inspected { url, manifest, oldest, tables } = &self.lake;
        let mut lines = vec![["table", "kind", "version", "rows", "dead", "files", "size", "kept"].map(str::to_owned)];
        lines.extend(tables.iter().map(|table| {
            let (name, kind) = self.name(&table.folder);
            [
                name.to_owned(),
                kind.to_owned(),
                table.version.to_string(),
                table.rows.to_string(),
                table.dead.to_string(),
                table.files.to_string(),
                size(table.bytes),
                size(table.bytes_kept),
            ]
        }));
        let widths: [usize; 8] =
            std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "lake      {url}");
        let _ = writeln!(
            text,
            "manifest  {} (format {}), tick {} of {}",
            manifest.number,
            manifest.format,
            manifest.tick,
            time(manifest.written_at_us)
        );
        let _ = writeln!(text, "history   from tick {} of {}\n", oldest.0, time(oldest.1));
        for line in &lines {
            let cell = |(column, cell): (usize, &String)| match column {
                0 | 1 => format!("{cell:<width$}", width = widths[column]),
                _ => format!("{cell:>width$}", width = widths[column]),
            };
            let cells: Vec<String> = line.iter().enumerate().map(cell).collect();
            let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        }
        if !manifest.positions.is_empty() {
            text.push_str("\nstreams, and where reading goes on\n");
            let width = manifest.positions.keys().map(|stream| stream.chars().count()).max().unwrap_or(0);
            for (stream, position) in &manifest.positions {
                let _ = writeln!(text, "{stream:<width$}  {position}");
            }
        }
        text
    }
}
