//! `cargo xtask <word>`: the project's commands, each doing the set-up that it needs.
//!
//! Without dependencies, so that it builds on a fresh machine, where it finds out what is missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Something that must be on the machine, how to see that it is, and the Debian package that brings it.
struct Need {
    what: &'static str,
    package: &'static str,
    there: fn() -> bool,
}

const BUILD: &[Need] = &[
    Need { what: "a C compiler", package: "gcc", there: || runs("cc", "--version") },
    Need { what: "a C++ compiler", package: "g++", there: || runs("c++", "--version") },
    Need { what: "make", package: "make", there: || runs("make", "--version") },
    Need { what: "perl", package: "perl", there: || runs("perl", "--version") },
    Need { what: "pkg-config", package: "pkg-config", there: || runs("pkg-config", "--version") },
    Need { what: "OpenSSL headers", package: "libssl-dev", there: || known_to_pkg_config("libssl") },
    Need { what: "libclang", package: "libclang-dev", there: has_libclang },
];

const TEST: &[Need] = &[
    Need { what: "psql", package: "postgresql-client", there: || runs("psql", "--version") },
    Need { what: "openssl", package: "openssl", there: || runs("openssl", "version") },
];

const REAL: &[Need] = &[
    Need { what: "a Java development kit", package: "openjdk-17-jdk-headless", there: || runs("javac", "-version") },
    Need { what: "Maven", package: "maven", there: || runs("mvn", "--version") },
    Need { what: "PostgreSQL's server", package: "postgresql", there: has_postgres },
    Need { what: "Python", package: "python3", there: || runs("python3", "--version") },
    Need {
        what: "Python's venv",
        package: "python3-venv",
        there: || runs_with("python3", &["-c", "import ensurepip"]),
    },
    Need { what: "Node.js", package: "nodejs", there: || runs("node", "--version") },
    Need { what: "npm", package: "npm", there: || runs("npm", "--version") },
    Need {
        what: "Go",
        package: "golang-go",
        there: || runs("go", "version") || Path::new("/usr/local/go/bin/go").exists(),
    },
    Need { what: "the ODBC driver manager", package: "unixodbc", there: || runs("odbcinst", "--version") },
    Need { what: "PostgreSQL's ODBC driver", package: "odbc-postgresql", there: has_odbc_driver },
];

const BENCH: &[Need] = &[Need { what: "PostgreSQL's server", package: "postgresql", there: has_postgres }];

const HELP: &str = "\
cargo xtask <word>

  demo [options]   build the release binary and run the embedded demo (no broker, no configuration)
  test [filter]    the inner ring of tests: needs Cargo's registry and Debian's packages only
  real             the outer ring: Apache Kafka, Debezium, PostgreSQL, Delta readers in Python
  bench [words]    the whole path's CPU, freshness and memory; `store`: the hot store's; `view`: a gold view's;
                   `lake`: flushes; `wire`: beside PostgreSQL: see docs/PERFORMANCE.md
  lint             format and clippy, as CI runs them
  setup            only install or name what building needs

Missing system packages are installed with apt-get where this runs as root; else it says what to type.";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let word = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match word.as_str() {
        "demo" => set_up(&[BUILD]).and_then(|()| demo(&rest)),
        "test" => set_up(&[BUILD, TEST]).and_then(|()| test(&rest)),
        "real" => set_up(&[BUILD, TEST, REAL]).and_then(|()| real(&rest)),
        "bench" => set_up(&[BUILD]).and_then(|()| bench(&rest)),
        "lint" => set_up(&[BUILD]).and_then(|()| lint()),
        "setup" => set_up(&[BUILD, TEST]),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no \"{other}\"\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project").to_path_buf()
}

fn runs(tool: &str, flag: &str) -> bool {
    runs_with(tool, &[flag])
}

fn runs_with(tool: &str, args: &[&str]) -> bool {
    Command::new(tool).args(args).output().is_ok_and(|o| o.status.success())
}

fn known_to_pkg_config(library: &str) -> bool {
    runs_with("pkg-config", &["--exists", library])
}

fn has_libclang() -> bool {
    let mut places = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/local/lib")];
    for base in ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"] {
        let Ok(entries) = std::fs::read_dir(base) else { continue };
        places.push(base.into());
        let llvm = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("llvm-"));
        places.extend(llvm.map(|e| e.path().join("lib")));
    }
    places.extend(env::var_os("LIBCLANG_PATH").map(PathBuf::from));
    let has = |place: &PathBuf| {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).any(|n| {
            n == "libclang.so" || (n.starts_with("libclang-") && n.contains(".so") && !n.starts_with("libclang-cpp"))
        })
    };
    // The library alone is not enough: bindgen reads the compiler's own headers, which the -dev package brings.
    places.iter().any(has)
}

fn has_odbc_driver() -> bool {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.map(|folder| folder.path().join("odbc/psqlodbcw.so")).any(|driver| driver.exists())
}

fn has_postgres() -> bool {
    // Debian keeps the server's programs out of PATH, each version in a folder of its own.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    runs("postgres", "--version") || versions.map(|v| v.path().join("bin/postgres")).any(|p| p.exists())
}

/// Installs what is missing (as root), or says what to type.
fn set_up(lists: &[&[Need]]) -> Result<(), String> {
    let missing: Vec<&Need> = lists.iter().flat_map(|l| l.iter()).filter(|n| !(n.there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|n| n.package).collect();
    let names: Vec<&str> = missing.iter().map(|n| n.what).collect();
    let by_hand = format!("apt-get install -y {}", packages.join(" "));
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    if !runs("apt-get", "--version") {
        return Err(format!("missing: {}. On Debian they come with `{by_hand}`.", names.join(", ")));
    }
    if !is_root {
        return Err(format!("missing: {}. Type: sudo {by_hand}", names.join(", ")));
    }
    eprintln!("xtask: missing: {}; installing with `{by_hand}`", names.join(", "));
    run(Command::new("apt-get").arg("update").arg("-qq"))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "-qq"]).args(&packages);
    run(&mut install)
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("cannot run {:?}: {e}", command.get_program()))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{:?} ended with {status}", command.get_program())),
    }
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo was started for xtask itself; what it set for that must not leak into the project's own build.
    // Some build scripts look at these, and would run again.
    let own = env::vars().map(|(name, _)| name).filter(|name| name.starts_with("CARGO_") && name != "CARGO_HOME");
    own.for_each(|name| {
        cargo.env_remove(name);
    });
    cargo.current_dir(root());
    cargo
}

fn demo(args: &[String]) -> Result<(), String> {
    run(cargo().args(["build", "--release", "--locked", "--bin", "sluice"]))?;
    let mut sluice = Command::new(root().join("target/release/sluice"));
    sluice.arg("demo").args(args);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // The demo takes over this process, so that Ctrl-C and signals are its own.
        Err(format!("cannot start the demo: {}", sluice.exec()))
    }
    #[cfg(not(unix))]
    run(&mut sluice)
}

fn test(args: &[String]) -> Result<(), String> {
    run(cargo().args(["test", "--locked", "--no-fail-fast"]).args(args))
}

fn real(args: &[String]) -> Result<(), String> {
    run(cargo().args(["build", "--locked", "--bin", "sluice"]))?;
    run(Command::new("python3").current_dir(root()).arg("tests/real/run.py").args(args))
}

/// `store` or `view` alone: the hot store, or a gold view's ticks; `wire` first: beside PostgreSQL, with the words for that; else the path, with
/// its words.
fn bench(args: &[String]) -> Result<(), String> {
    if let [bench, rest @ ..] = args
        && matches!(bench.as_str(), "store" | "view")
    {
        return run(cargo().args(["bench", "--locked", "--bench", bench, "--"]).args(rest));
    }
    run(cargo().args(["build", "--release", "--locked", "--bin", "sluice"]))?;
    if let [bench, rest @ ..] = args
        && bench == "lake"
    {
        return run(Command::new("python3").current_dir(root()).arg("benches/lake.py").args(rest));
    }
    // Packages of their own: nothing of the server is linked into them.
    let (package, words) = match args {
        [word, rest @ ..] if word == "wire" => {
            set_up(&[BENCH])?;
            ("benches/wire/Cargo.toml", rest)
        }
        all => ("benches/path/Cargo.toml", all),
    };
    let own = ["run", "--release", "--locked", "--manifest-path", package, "--target-dir", "target/bench"];
    run(cargo().args(own).arg("--").args(words))
}

fn lint() -> Result<(), String> {
    run(cargo().args(["fmt", "--check"]))?;
    for own in ["xtask/Cargo.toml", "benches/path/Cargo.toml", "benches/wire/Cargo.toml"] {
        run(cargo().args(["fmt", "--check", "--manifest-path", own]))?;
    }
    run(cargo().args(["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]))
}
