//! What ships beside the binary: the deployments of `catalog/`, the SQL of `sql/`, docker-compose.yml, the Dockerfile.

use crate::support;
use sluice::config::{self, Config};
use sluice::source::declare::{Router, TableFile, Undeclared};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the project that end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (vec![], vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.to_string_lossy().ends_with(ending) => found.push(path),
                _ => {}
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no {ending}");
    found
}

#[test]
fn every_table_file_of_the_catalog_is_right() {
    for path in files("catalog", ".toml").into_iter().filter(|p| !p.ends_with("sluice.toml")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = TableFile::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(!file.table.is_empty(), "{} declares nothing", path.display());
        let router = Router::new("s".into(), file.table, Undeclared::Auto);
        assert_eq!(router.err(), None, "{}", path.display());
    }
}

/// The binary itself reads them, with the environment that docker-compose.yml gives it.
#[test]
fn every_configuration_of_the_catalog_is_right() {
    for path in files("catalog", "sluice.toml") {
        let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["check", "--config"])
            .arg(&path)
            .env("LAKE_ACCESS_KEY", "sluice")
            .env("LAKE_SECRET_KEY", "sluice-secret")
            .current_dir(support::folder().path())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // Its broker and its bucket are not here; reading it is what is tried.
        assert!(said.contains("source ") && said.contains("ok: view "), "{}\n{said}", path.display());
        assert!(!said.contains("wrong: view"), "{said}");
    }
}

#[test]
fn a_configuration_names_files_beside_it() {
    let path = root().join("catalog/compose/sluice.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("${env:LAKE_ACCESS_KEY}", "a").replace("${env:LAKE_SECRET_KEY}", "b");
    let folder = support::folder();
    let copy = folder.path().join("catalog/compose/sluice.toml");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::write(&copy, text).unwrap();
    let config = Config::read(&copy).unwrap();
    assert_eq!(config.view_files(&path).unwrap().len(), 1);
    let section = &config.kafka["shori"];
    let tables = config::tables(&path, &section.tables, &section.table).unwrap();
    assert_eq!(tables.len(), 1);
    for database in 1..=2 {
        let topic = format!("shori{database}.ShoriDB_{database}.dbo.tickets");
        assert!(tables[0].topics.iter().any(|p| p.matches(&topic)), "{topic} has no table");
        assert!(section.topics.iter().any(|p| p.matches(&topic)), "{topic} is not read");
        assert!(section.topics.iter().any(|p| p.matches(&format!("shori{database}.transaction"))));
    }
}

#[test]
fn every_view_is_in_postgresqls_grammar() {
    let views: Vec<PathBuf> = [files("sql/demo", ".sql"), files("sql/compose", ".sql")].concat();
    for path in views {
        let sql = std::fs::read_to_string(&path).unwrap();
        let parsed = sluice::bind::parse(&sql).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(parsed.len(), 1, "{}: one view a file", path.display());
    }
}

#[test]
fn docker_compose_has_the_whole_stack() {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let services = [
        "sqlserver-1",
        "sqlserver-2",
        "bootstrap",
        "load",
        "debezium-1",
        "debezium-2",
        "redpanda",
        "minio",
        "bucket",
        "sluice",
        "metabase",
        "superset",
        "prometheus",
    ];
    for service in services {
        assert!(text.lines().any(|line| line == format!("  {service}:")), "no service {service}");
    }
    // Every port is for this machine only.
    for line in text.lines().filter(|l| l.trim_start().starts_with("ports:")) {
        for port in line.split('"').skip(1).step_by(2) {
            assert!(port.starts_with("127.0.0.1:"), "{line}");
        }
    }
    // What is mounted or included must be there.
    for line in text.lines() {
        let mounted = line.trim().trim_start_matches("- ").strip_prefix("./");
        let Some(path) = mounted.and_then(|m| m.split(':').next()) else { continue };
        assert!(root().join(path).exists(), "{path} is not there");
    }
}

/// The image is built from what the Dockerfile copies: everything that the build reads must be among it.
#[test]
fn the_dockerfile_copies_what_the_build_reads() {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let copied: Vec<&str> = dockerfile
        .lines()
        .filter_map(|l| l.strip_prefix("COPY "))
        .filter(|l| !l.starts_with("--"))
        .flat_map(|l| l.split_whitespace())
        .collect();
    for needed in ["Cargo.toml", "Cargo.lock", "build.rs", "src", "sql", "catalog", "benches"] {
        assert!(copied.contains(&needed), "the Dockerfile does not copy {needed}");
    }
    for source in files("src", ".rs") {
        let text = std::fs::read_to_string(&source).unwrap();
        for included in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let path = source.parent().unwrap().join(included).canonicalize();
            let path = path.unwrap_or_else(|e| panic!("{}: {included}: {e}", source.display()));
            let inside = path.strip_prefix(root().canonicalize().unwrap()).unwrap().to_path_buf();
            let top = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
            assert!(copied.contains(&top.as_str()), "{} is included and not copied", inside.display());
        }
    }
}
