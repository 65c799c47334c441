//! Statements and what PostgreSQL 15 answers: `cases/*.sql`, over the wire.
//!
//! After each statement stand PostgreSQL's own words: names and types of the columns (with the modifier where there is
//! one), then the rows, `∅` for NULL; or SQLSTATE, position and message of the error.

use crate::support::{folder, serve};
use bytes::{Buf, BufMut, BytesMut};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The protocol itself: what a driver would hide (type modifiers, positions, texts as they came) is what is compared.
struct Wire(TcpStream);

impl Wire {
    fn connect(port: u16) -> Self {
        let mut wire = Self(TcpStream::connect(("127.0.0.1", port)).expect("sluice takes connections"));
        let mut body = BytesMut::new();
        body.put_u32(3 << 16);
        body.put_slice(b"user\0sluice\0database\0sluice\0TimeZone\0UTC\0\0");
        wire.0.write_all(&(body.len() as u32 + 4).to_be_bytes()).expect("sluice reads");
        wire.0.write_all(&body).expect("sluice reads");
        while wire.message().0 != b'Z' {}
        wire
    }

    fn message(&mut self) -> (u8, BytesMut) {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).expect("sluice answers");
        let length = u32::from_be_bytes(head[1..].try_into().expect("four bytes")) as usize - 4;
        let mut body = BytesMut::zeroed(length);
        self.0.read_exact(&mut body).expect("sluice answers");
        (head[0], body)
    }

    /// The answer to a simple query, in the form of the case files.
    fn ask(&mut self, sql: &str, types: &dyn Fn(u32) -> String) -> Vec<String> {
        self.0.write_all(b"Q").expect("sluice reads");
        self.0.write_all(&(sql.len() as u32 + 5).to_be_bytes()).expect("sluice reads");
        self.0.write_all(sql.as_bytes()).expect("sluice reads");
        self.0.write_all(b"\0").expect("sluice reads");
        let (mut lines, mut rows) = (Vec::new(), false);
        loop {
            let (tag, mut body) = self.message();
            match tag {
                b'T' => {
                    rows = true;
                    let columns: Vec<String> = (0..body.get_u16()).map(|_| column(&mut body, types)).collect();
                    lines.push(columns.join(" | "));
                }
                b'D' => {
                    let cells: Vec<String> = (0..body.get_u16()).map(|_| cell(&mut body)).collect();
                    lines.push(cells.join(" | "));
                }
                b'C' if !rows => lines.push(text(&mut body)),
                b'E' => lines.extend(error(&mut body)),
                b'Z' => return lines.iter().map(|line| line.trim_end().to_owned()).collect(),
                _ => {}
            }
        }
    }
}

fn text(body: &mut BytesMut) -> String {
    let end = body.iter().position(|byte| *byte == 0).expect("strings end");
    let text = String::from_utf8(body.split_to(end).to_vec()).expect("UTF-8");
    body.advance(1);
    text
}

fn column(body: &mut BytesMut, types: &dyn Fn(u32) -> String) -> String {
    let name = text(body);
    body.advance(6);
    let ty = types(body.get_u32());
    body.advance(2);
    let modifier = body.get_i32();
    body.advance(2);
    match modifier {
        -1 => format!("{name}:{ty}"),
        modifier => format!("{name}:{ty}({modifier})"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn cell(body: &mut BytesMut) -> String {
    match usize::try_from(body.get_i32()) {
        Err(_) => "∅".to_owned(),
        Ok(length) => escaped(std::str::from_utf8(&body.split_to(length)).expect("UTF-8")),
    }
}

fn error(body: &mut BytesMut) -> Vec<String> {
    let (mut state, mut position, mut message) = (String::new(), String::new(), String::new());
    let mut more = Vec::new();
    while body[0] != 0 {
        let code = body.get_u8();
        let value = text(body);
        match code {
            b'C' => state = value,
            b'P' => position = value,
            b'M' => message = escaped(&value),
            b'D' => more.push(format!("DETAIL {}", escaped(&value))),
            b'H' => more.push(format!("HINT {}", escaped(&value))),
            _ => {}
        }
    }
    more.insert(0, format!("ERROR {state} @{position} {message}"));
    more
}

/// Statements with the lines that follow them.
fn cases(file: &str) -> Vec<(String, Vec<String>)> {
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    let mut statement = String::new();
    for line in file.lines() {
        match line.strip_prefix("--") {
            Some(wanted) => {
                let last = cases.last_mut().expect("a statement comes first");
                last.1.push(wanted.strip_prefix(' ').unwrap_or(wanted).to_owned());
            }
            None => {
                statement.push_str(line);
                if line.ends_with(';') {
                    cases.push((std::mem::take(&mut statement), Vec::new()));
                } else if !statement.is_empty() {
                    statement.push('\n');
                }
            }
        }
    }
    cases
}

const FILES: [(&str, &str); 22] = [
    ("numbers", include_str!("cases/numbers.sql")),
    ("text", include_str!("cases/text.sql")),
    ("dates", include_str!("cases/dates.sql")),
    ("nested", include_str!("cases/nested.sql")),
    ("arrays", include_str!("cases/arrays.sql")),
    ("queries", include_str!("cases/queries.sql")),
    ("templates", include_str!("cases/templates.sql")),
    ("records", include_str!("cases/records.sql")),
    ("jsonpath", include_str!("cases/jsonpath.sql")),
    ("functions", include_str!("cases/functions.sql")),
    ("tables", include_str!("cases/tables.sql")),
    ("foreign_keys", include_str!("cases/foreign_keys.sql")),
    ("tables_catalog", include_str!("cases/tables_catalog.sql")),
    ("star", include_str!("cases/star.sql")),
    ("write_queries", include_str!("cases/write_queries.sql")),
    ("roles", include_str!("cases/roles.sql")),
    ("cursors", include_str!("cases/cursors.sql")),
    ("sessions", include_str!("cases/sessions.sql")),
    ("ranges", include_str!("cases/ranges.sql")),
    ("search", include_str!("cases/search.sql")),
    ("network", include_str!("cases/network.sql")),
    ("ordered_sets", include_str!("cases/ordered_sets.sql")),
];

/// The server of these tests and the names of its types.
fn server() -> (tempfile::TempDir, crate::support::Sluice, Wire, std::collections::HashMap<u32, String>) {
    let folder = folder();
    let sluice = serve(folder.path(), crate::landing::SOURCE);
    let mut wire = Wire::connect(sluice.postgres);
    let rows = wire.ask("SELECT oid, typname FROM pg_type", &|oid| oid.to_string());
    let pairs = rows[1..].iter().filter_map(|row| row.split_once(" | "));
    let names = pairs.map(|(oid, name)| (oid.parse().expect("an OID"), name.to_owned())).collect();
    (folder, sluice, wire, names)
}

#[test]
fn statements_answer_as_postgresql_does() {
    let (_folder, _sluice, mut wire, names) = server();
    let types = |oid: u32| names.get(&oid).cloned().unwrap_or_else(|| oid.to_string());
    let mut differ = Vec::new();
    for (file, content) in FILES {
        for (sql, wanted) in cases(content) {
            let got = wire.ask(&sql, &types);
            // PostgreSQL folds constants before it describes the result; a row that fails later says the same error.
            let failed = |answer: &[String]| {
                let at = answer.iter().position(|line| line.starts_with("ERROR "))?;
                Some(answer[at..].to_vec())
            };
            let same_error = failed(&wanted).is_some() && failed(&wanted) == failed(&got);
            if got != wanted && !same_error {
                differ.push(format!(
                    "{file}: {sql}\n  wanted: {}\n  got:    {}",
                    wanted.join("\n          "),
                    got.join("\n          ")
                ));
            }
        }
    }
    assert!(differ.is_empty(), "{} differ\n{}", differ.len(), differ.join("\n"));
}

/// What is known to be missing says so: it never gives another value.
#[test]
fn what_is_missing_is_an_error() {
    let (_folder, _sluice, mut wire, _) = server();
    for (sql, _) in cases(include_str!("cases/gaps.sql")) {
        let got = wire.ask(&sql, &|oid| oid.to_string());
        // An error of a row comes after the description of the columns.
        let error = got.iter().find(|line| line.starts_with("ERROR "));
        assert!(error.is_some_and(|e| !e.starts_with("ERROR XX")), "{sql}\n{}", got.join("\n"));
    }
}
