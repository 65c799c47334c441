//! The server under test: its own process, measured from outside.

use crate::broker::TOPIC;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub struct Server {
    child: Child,
    pub port: u16,
    pub folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already; the folder is the system's to clean up then.
        drop(self.child.kill());
        drop(self.child.wait());
        if !self.folder.as_os_str().is_empty() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

impl Server {
    pub fn start(binary: &Path, broker: u16) -> Self {
        let number = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let folder = std::env::temp_dir().join(format!("sluice-bench-{number}"));
        std::fs::create_dir_all(&folder).expect("a folder for the lake");
        let more = std::env::var("BENCH_SOURCE").unwrap_or_default();
        let config = format!(
            "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n[lake]\nurl = \"lake\"\n[kafka.bench]\n\
             brokers = \"127.0.0.1:{broker}\"\ntopics = [\"{TOPIC}\"]\nrefresh = \"1s\"\n{more}\n[[kafka.bench.table]]\nname = \"orders\"\n\
             topics = [\"{TOPIC}\"]\ncolumns = [\"id bigint not null\", \"seq bigint\", \"segment text\", \"status text\", \
             \"amount numeric(12,2)\", \"created_at timestamp(3)\", \"note text\"]\n"
        );
        std::fs::write(folder.join("sluice.toml"), config).expect("the folder can be written");
        Self::serve(binary, folder)
    }

    /// Kills the process and starts one over the same folder.
    pub fn restart(mut self, binary: &Path) -> Self {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        // The folder goes on to the next.
        Self::serve(binary, std::mem::take(&mut self.folder))
    }

    fn serve(binary: &Path, folder: PathBuf) -> Self {
        let mut child = Command::new(binary)
            .args(["serve", "--config", "sluice.toml"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let out = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut lines = out.lines().map_while(Result::ok);
        let line = lines.find(|l| l.starts_with("listening: postgresql on ")).expect("sluice comes up");
        std::thread::spawn(move || lines.for_each(drop));
        let port = line.rsplit(':').next().and_then(|p| p.trim().parse().ok()).expect("a port");
        Self { child, port, folder }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system CPU seconds so far, of the whole process (in steps of 10 ms).
    pub fn cpu(&self) -> f64 {
        cpu_of(&format!("/proc/{}/stat", self.id()))
    }

    /// The same of the threads that are alive, by name.
    pub fn cpu_by_thread(&self) -> BTreeMap<String, f64> {
        let mut by_name = BTreeMap::new();
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).into_iter().flatten().flatten();
        for thread in threads {
            let path = thread.path();
            let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
            *by_name.entry(name.trim().to_string()).or_default() += cpu_of(&path.join("stat").to_string_lossy());
        }
        by_name
    }

    pub fn resident_mib(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.id())).unwrap_or_default();
        statm.split(' ').nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) / 256
    }

    /// The bytes of the data files of a table.
    pub fn parquet_bytes(&self, table: &str) -> u64 {
        fn size(folder: &Path) -> u64 {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries
                .map(|entry| match entry.path() {
                    path if path.is_dir() => size(&path),
                    path if path.extension().is_some_and(|e| e == "parquet") => entry.metadata().map_or(0, |m| m.len()),
                    _ => 0,
                })
                .sum()
        }
        size(&self.folder.join("lake").join(table))
    }
}

/// Fields 14 and 15 of a `stat` file: ticks of 10 ms in user and system mode.
fn cpu_of(path: &str) -> f64 {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    (ticks(11) + ticks(12)) as f64 / 100.0
}
