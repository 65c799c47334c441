//! The binary under test, started on free loopback ports in a folder of its own, and ended with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// How long a condition may take on a busy machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `sluice`.
pub struct Sluice {
    child: Child,
    pub postgres: u16,
    pub http: u16,
    log: PathBuf,
}

/// Starts `sluice` with these arguments and waits until it says where it listens.
///
/// Panics with its output when it ends first: use [`run`] for what is to fail.
pub fn start(folder: &Path, args: &[&str]) -> Sluice {
    start_with(folder, args, &[])
}

/// The same, with more in its environment.
pub fn start_with(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Sluice {
    static STARTS: AtomicU64 = AtomicU64::new(0);
    let log = folder.join(format!("sluice-{}.log", STARTS.fetch_add(1, Ordering::Relaxed)));
    let file = std::fs::File::options().create(true).append(true).open(&log).expect("the test's folder can be written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(file)
        .spawn()
        .expect("the binary can be started");
    let stdout = child.stdout.take().expect("stdout is piped");
    let (lines, said) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The test may have stopped listening; the pipe must be drained all the same.
            let _ = lines.send(line);
        }
    });
    let mut sluice = Sluice { child, postgres: 0, http: 0, log };
    let deadline = Instant::now() + PATIENCE;
    let mut output = String::new();
    while sluice.postgres == 0 || sluice.http == 0 {
        match said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(port) = port_after(&line, "postgresql") {
                    sluice.postgres = port;
                }
                if let Some(port) = port_after(&line, "http") {
                    sluice.http = port;
                }
                output.push_str(&line);
                output.push('\n');
            }
            Err(_) => panic!("sluice did not come up; stdout:\n{output}\nstderr:\n{}", sluice.log()),
        }
    }
    sluice
}

/// The port in a line `listening: <what> on 127.0.0.1:<port>`.
fn port_after(line: &str, what: &str) -> Option<u16> {
    line.strip_prefix("listening: ")?.strip_prefix(what)?.strip_prefix(" on ")?.rsplit(':').next()?.parse().ok()
}

/// Writes a configuration and starts `sluice serve` with it.
pub fn serve(folder: &Path, config: &str) -> Sluice {
    let path = folder.join("sluice.toml");
    let text = format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{config}");
    std::fs::write(&path, text).expect("the test's folder can be written");
    start(folder, &["serve", "--config", "sluice.toml"])
}

/// Runs `sluice` to its end: status, stdout and stderr.
pub fn run(folder: &Path, args: &[&str]) -> (ExitStatus, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status, text(&output.stdout), text(&output.stderr))
}

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

impl Sluice {
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("the process is there");
        self.child.wait().expect("a killed process ends");
    }

    /// Ctrl-C, and its exit status.
    pub fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().expect("kill is there");
        self.wait_for_end()
    }

    pub fn wait_for_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process is ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "sluice does not end; its log:\n{}", self.log());
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    pub async fn connect(&self) -> Client {
        let config = format!("host=127.0.0.1 port={} user=sluice dbname=sluice", self.postgres);
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.expect("sluice takes connections");
        tokio::spawn(connection);
        client
    }

    /// What psql prints, unaligned and without headers; panics on an error.
    pub fn psql(&self, sql: &str) -> String {
        let (ok, out, err) = self.psql_with(&["-At", "-c", sql]);
        assert!(ok, "psql failed on {sql}\n{err}");
        out
    }

    pub fn psql_with(&self, args: &[&str]) -> (bool, String, String) {
        let output = Command::new("psql")
            .args(["-X", "-h", "127.0.0.1", "-U", "sluice", "-d", "sluice", "-v", "ON_ERROR_STOP=1"])
            .args(["-p", &self.postgres.to_string()])
            .args(args)
            .output()
            .expect("psql is installed (Debian's postgresql-client)");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// A page of the HTTP side.
    pub fn get(&self, path: &str) -> String {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", self.http)).expect("http listens");
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("http reads");
        let mut text = String::new();
        socket.read_to_string(&mut text).expect("http answers");
        text
    }
}

impl Drop for Sluice {
    fn drop(&mut self) {
        // Ended already, or ended now: no test leaves a server behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of sluice ---\n{}", self.log());
        }
    }
}

/// Asks until the answer is as wanted; panics with the last answer at the deadline.
pub async fn eventually(client: &Client, sql: &str, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let got = ask(client, sql).await;
        if got.as_deref() == Ok(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}\nwanted: {wanted}\nlast answer: {got:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Rows as text, cells by `|`, rows by line breaks; NULL as `∅`.
pub async fn ask(client: &Client, sql: &str) -> Result<String, String> {
    let messages = client.simple_query(sql).await.map_err(|e| match e.as_db_error() {
        Some(db) => format!("{}: {}", db.code().code(), db.message()),
        None => e.to_string(),
    })?;
    let mut rows = Vec::new();
    for message in messages {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let cells: Vec<&str> = (0..row.len()).map(|i| row.get(i).unwrap_or("∅")).collect();
            rows.push(cells.join("|"));
        }
    }
    Ok(rows.join("\n"))
}
