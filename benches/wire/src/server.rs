//! The two servers, each with a folder and a port of its own, measured from outside.

use crate::client::Client;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    Sluice,
}

pub struct Server {
    pub kind: Kind,
    pub port: u16,
    /// The process that was started; it may have children.
    child: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: PostgreSQL's "fast" shutdown takes its backends with it.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn folder(of: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("wire-bench-{}-{of}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the server");
    folder
}

fn is_root() -> bool {
    // SAFETY: it only reads the process's own id.
    unsafe { libc::geteuid() == 0 }
}

/// The folder of PostgreSQL's own programs: `PG_BIN`, or the newest of Debian's.
fn postgres_programs() -> PathBuf {
    if let Ok(folder) = std::env::var("PG_BIN") {
        return folder.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let newest =
        versions.max_by_key(|path| path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u32>().ok()));
    newest.expect("PostgreSQL's server: apt-get install postgresql").join("bin")
}

/// A command of PostgreSQL, which does not run as root.
fn postgres_command(program: &Path, folder: &Path) -> Command {
    let mut command = match is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    command.current_dir(folder);
    command
}

impl Server {
    /// A new cluster that trusts loopback, tuned so that nothing but the queries runs.
    pub fn postgres() -> Self {
        let (folder, programs) = (folder("postgres"), postgres_programs());
        if is_root() {
            let owned = Command::new("chown").arg("postgres:postgres").arg(&folder).status();
            assert!(owned.is_ok_and(|status| status.success()), "the folder is given to the user postgres");
        }
        let data = folder.join("data");
        let made = postgres_command(&programs.join("initdb"), &folder)
            .args(["-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "initdb makes a cluster");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let settings = [
            "shared_buffers=512MB",
            "work_mem=64MB",
            "effective_cache_size=4GB",
            "autovacuum=off",
            "max_wal_size=4GB",
            "checkpoint_timeout=1h",
            "synchronous_commit=off",
            "listen_addresses=127.0.0.1",
        ];
        let mut command = postgres_command(&programs.join("postgres"), &folder);
        command.arg("-D").arg(&data).args(["-p", &free.to_string(), "-k"]).arg(&folder);
        settings.iter().for_each(|setting| _ = command.args(["-c", setting]));
        let log = fs::File::create(folder.join("log")).expect("a log file");
        let child = command.stderr(log).stdout(Stdio::null()).spawn().expect("postgres can be started");
        let server = Self { kind: Kind::Postgres, port: free, child, folder };
        let begun = Instant::now();
        let ready = || {
            postgres_command(&programs.join("psql"), &server.folder)
                .args([
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &free.to_string(),
                    "-U",
                    "bench",
                    "-d",
                    "postgres",
                    "-qc",
                    "CREATE DATABASE bench",
                ])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        while !ready() {
            assert!(begun.elapsed() < Duration::from_secs(30), "PostgreSQL comes up");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    pub fn sluice(binary: &Path) -> Self {
        let folder = folder("sluice");
        // A source there must be; this one has nothing.
        fs::create_dir_all(folder.join("landing")).expect("a folder of nothing");
        let config = "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n[lake]\nurl = \"lake\"\n[jsonl.none]\npath = \"landing\"\n";
        fs::write(folder.join("sluice.toml"), config).expect("the folder can be written");
        let mut child = Command::new(binary)
            .args(["serve", "--config", "sluice.toml"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        let out = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut lines = out.lines().map_while(Result::ok);
        let line = lines.find(|l| l.starts_with("listening: postgresql on ")).expect("sluice comes up");
        std::thread::spawn(move || lines.for_each(drop));
        let port = line.rsplit(':').next().and_then(|p| p.trim().parse().ok()).expect("a port");
        Self { kind: Kind::Sluice, port, child, folder }
    }

    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "PostgreSQL",
            Kind::Sluice => "Sluice",
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the server takes a connection")
    }

    /// The process and those that it started.
    fn processes(&self) -> Vec<u32> {
        let own = self.child.id();
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let parent = |id: &u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
        };
        ids.filter(|id| *id == own || parent(id) == Some(own)).collect()
    }

    /// User and system CPU so far of all its processes that are alive, in seconds.
    pub fn cpu(&self) -> f64 {
        let seconds = |id: u32| {
            // Linux's number for the clock that adds up the CPU time of all threads of a process.
            let clock = (!(id as libc::clockid_t) << 3) | 2;
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: `time` is a timespec that lives until the call returns.
            match unsafe { libc::clock_gettime(clock, &mut time) } {
                0 => time.tv_sec as f64 + time.tv_nsec as f64 / 1e9,
                _ => 0.0,
            }
        };
        self.processes().into_iter().map(seconds).sum()
    }

    /// Memory of its own (not shared, not of files) of all its processes, in MiB.
    pub fn memory(&self) -> f64 {
        let kib = |id: u32| {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0)
        };
        self.processes().into_iter().map(kib).sum::<f64>() / 1024.0
    }
}
