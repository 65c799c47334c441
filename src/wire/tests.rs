//! A server in the process, over fixed tables, with real clients and raw bytes.

use super::*;
use crate::sql::tests::{FixedStorage, MANY_BATCH, MANY_BATCHES, database};
use bytes::{Buf, BufMut, BytesMut};
use futures::TryStreamExt;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::error::SqlState as Code;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

struct Server {
    address: SocketAddr,
    storage: Arc<FixedStorage>,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

async fn server_with(limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (storage, counters, shutdown) = (FixedStorage::new(), Arc::<Counters>::default(), CancellationToken::new());
    let serving = serve(listener, database(&storage), limits, Arc::clone(&counters), shutdown.clone());
    Server { address, storage, counters, shutdown, task: tokio::spawn(serving) }
}

async fn server() -> Server {
    server_with(Limits::default()).await
}

impl Server {
    async fn client(&self) -> Client {
        self.connect("").await.unwrap()
    }

    async fn connect(&self, more: &str) -> Result<Client, tokio_postgres::Error> {
        let config = format!("host=127.0.0.1 port={} user=me dbname=sluice {more}", self.address.port());
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn raw(&self) -> Raw {
        let socket = TcpStream::connect(self.address).await.unwrap();
        Raw { socket, input: BytesMut::new() }
    }
}

/// A client that says exactly what a test wants.
struct Raw {
    socket: TcpStream,
    input: BytesMut,
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.put_u32(body.len() as u32 + 4);
    out.put_slice(body);
    out
}

impl Raw {
    async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    async fn start(&mut self) {
        let body = b"\x00\x03\x00\x00user\0me\0\0";
        let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
        packet.extend(body);
        self.send(&packet).await;
        assert!(self.until_ready().await.starts_with('R'));
    }

    /// The next message: tag and body; nothing at the end of the connection.
    async fn next(&mut self) -> Option<(u8, BytesMut)> {
        loop {
            if self.input.len() >= 5 {
                let length = u32::from_be_bytes(self.input[1..5].try_into().unwrap()) as usize;
                if self.input.len() > length {
                    let tag = self.input.get_u8();
                    self.input.advance(4);
                    return Some((tag, self.input.split_to(length - 4)));
                }
            }
            if self.socket.read_buf(&mut self.input).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// The tags up to ReadyForQuery, with its status; an error shows its SQLSTATE.
    async fn until_ready(&mut self) -> String {
        let mut seen = String::new();
        while let Some((tag, body)) = self.next().await {
            seen.push(tag as char);
            match tag {
                b'E' => seen.push_str(&error_code(&body)),
                b'Z' => {
                    seen.push(body[0] as char);
                    return seen;
                }
                _ => {}
            }
        }
        seen + "|closed"
    }
}

fn error_code(body: &[u8]) -> String {
    let fields = body.split(|b| *b == 0);
    let code = fields.filter_map(|f| f.strip_prefix(b"C")).next().unwrap_or_default();
    format!("({})", String::from_utf8_lossy(code))
}

fn code_of(error: &tokio_postgres::Error) -> &Code {
    error.code().unwrap_or_else(|| panic!("not an error of the server: {error}"))
}

#[tokio::test]
async fn a_client_queries_in_both_protocols_and_formats() {
    let server = server().await;
    let client = server.client().await;
    let rows = client.query("SELECT * FROM t", &[]).await.unwrap();
    let rows: Vec<(i32, Option<String>)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    assert_eq!(rows, [(1, Some("one".into())), (2, None), (3, Some("drei ä".into()))]);
    let row = client.query_one("SELECT $1::int4, $2::text", &[&42i32, &"x"]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (42, "x"));
    let simple = client.simple_query("SELECT 1 AS one; SELECT 'a'; ").await.unwrap();
    let texts: Vec<_> = simple
        .iter()
        .filter_map(|m| match m {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["1", "a"]);
    assert_eq!(client.simple_query("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_statement_is_described_with_types_and_origin() {
    let server = server().await;
    let client = server.client().await;
    let statement = client.prepare("SELECT * FROM t").await.unwrap();
    let column = &statement.columns()[0];
    assert_eq!((column.name(), column.type_().oid(), column.column_id()), ("a", 23, Some(1)));
    assert!(column.table_oid().is_some_and(|oid| oid >= 16384));
    let statement = client.prepare("SELECT $1::int8").await.unwrap();
    assert_eq!(statement.params()[0].oid(), 20);
}

#[tokio::test]
async fn errors_carry_sqlstate_and_the_position_in_the_whole_query() {
    let server = server().await;
    let client = server.client().await;
    let error = client.simple_query("SELECT 1; SELECT 'ä', nope").await.unwrap_err();
    let failed = error.as_db_error().unwrap();
    assert_eq!(failed.code(), &Code::UNDEFINED_COLUMN);
    let position = tokio_postgres::error::ErrorPosition::Original(23);
    assert_eq!(failed.position(), Some(&position));
    let error = client.query("SELEC", &[]).await.unwrap_err();
    assert_eq!(code_of(&error), &Code::SYNTAX_ERROR);
    // And the session goes on.
    client.query("SELECT 1", &[]).await.unwrap();
    assert!(server.counters.errors.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn after_an_error_everything_up_to_sync_is_skipped() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    let mut pipeline = message(b'P', b"\0SELECT nope\0\0\0");
    pipeline.extend(message(b'B', b"\0\0\0\0\0\0\0\0"));
    pipeline.extend(message(b'E', b"\0\0\0\0\0"));
    pipeline.extend(message(b'Q', b"SELECT 1\0"));
    pipeline.extend(message(b'S', b""));
    pipeline.extend(message(b'P', b"\0SELECT 1\0\0\0"));
    pipeline.extend(message(b'B', b"\0\0\0\0\0\0\0\0"));
    pipeline.extend(message(b'D', b"P\0"));
    pipeline.extend(message(b'E', b"\0\0\0\0\0"));
    pipeline.extend(message(b'S', b""));
    raw.send(&pipeline).await;
    assert_eq!(raw.until_ready().await, "E(42703)ZI");
    assert_eq!(raw.until_ready().await, "12TDCZI");
}

#[tokio::test]
async fn a_flush_is_answered_without_a_sync() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    let mut pipeline = message(b'P', b"p\0SELECT 1\0\0\0");
    pipeline.extend(message(b'D', b"Sp\0"));
    pipeline.extend(message(b'H', b""));
    raw.send(&pipeline).await;
    let mut tags = Vec::new();
    for _ in 0..3 {
        tags.push(raw.next().await.unwrap().0);
    }
    assert_eq!(tags, b"1tT");
}

#[tokio::test]
async fn a_portal_gives_rows_in_pieces() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    let mut pipeline = message(b'Q', b"BEGIN\0");
    pipeline.extend(message(b'P', b"\0SELECT * FROM t\0\0\0"));
    pipeline.extend(message(b'B', b"c\0\0\0\0\0\0\0\0"));
    pipeline.extend(message(b'E', b"c\0\0\0\0\x02"));
    pipeline.extend(message(b'S', b""));
    pipeline.extend(message(b'E', b"c\0\0\0\0\x02"));
    pipeline.extend(message(b'E', b"c\0\0\0\0\x02"));
    pipeline.extend(message(b'S', b""));
    pipeline.extend(message(b'Q', b"COMMIT\0"));
    pipeline.extend(message(b'E', b"c\0\0\0\0\0"));
    pipeline.extend(message(b'S', b""));
    raw.send(&pipeline).await;
    assert_eq!(raw.until_ready().await, "CZT");
    assert_eq!(raw.until_ready().await, "12DDsZT");
    assert_eq!(raw.until_ready().await, "DCCZT");
    assert_eq!(raw.until_ready().await, "CZI");
    // It ended with its transaction.
    assert_eq!(raw.until_ready().await, "E(34000)ZI");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_query() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    raw.send(&message(b'Q', b"SELECT * FROM many\0")).await;
    while raw.next().await.unwrap().0 != b'D' {}
    // What fits into the socket's buffers and the channel, and no more: it stops growing.
    let mut before = usize::MAX;
    loop {
        let made = server.storage.made.load(Ordering::SeqCst);
        if made == before {
            break;
        }
        before = made;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(before < MANY_BATCHES / 2, "{before} of {MANY_BATCHES} batches were made for a client that read one row");
}

#[tokio::test]
async fn a_large_result_arrives_whole() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    raw.send(&message(b'Q', b"SELECT * FROM many\0")).await;
    let mut rows = 0u64;
    loop {
        let (tag, body) = raw.next().await.unwrap();
        match tag {
            b'D' => {
                rows += 1;
                let last: u64 = std::str::from_utf8(&body[6..]).unwrap().parse().unwrap();
                assert_eq!(last + 1, rows);
                if rows == 100_000 {
                    break;
                }
            }
            b'T' => {}
            other => panic!("{}", other as char),
        }
    }
    assert!(rows < (MANY_BATCH * MANY_BATCHES) as u64);
}

#[tokio::test]
async fn a_cancel_request_stops_what_runs_and_the_session_goes_on() {
    let server = server().await;
    let client = server.client().await;
    let cancel = client.cancel_token();
    // More sleepers than there are query threads: the last one's end is not held up by the first.
    for sql in [
        "SELECT * FROM endless",
        "EXPLAIN ANALYZE SELECT * FROM endless",
        "SELECT pg_sleep(1e6)",
        "SELECT pg_sleep('inf')",
    ] {
        let queries = server.counters.queries.load(Ordering::SeqCst);
        let running = client.simple_query(sql);
        let cancelling = async {
            // The statement is counted when it begins.
            while server.counters.queries.load(Ordering::SeqCst) == queries {
                tokio::task::yield_now().await;
            }
            cancel.cancel_query(NoTls).await.unwrap();
        };
        let (result, ()) = tokio::join!(running, cancelling);
        assert_eq!(code_of(&result.unwrap_err()), &Code::QUERY_CANCELED);
        client.simple_query("SELECT 1").await.unwrap();
    }
    assert_eq!(server.counters.cancel_requests.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_fetch_from_a_binary_cursor_gives_binary_rows() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    raw.send(&message(b'Q', b"BEGIN; DECLARE c BINARY CURSOR FOR SELECT 258, 'x'; DECLARE t CURSOR FOR SELECT 258\0"))
        .await;
    assert_eq!(raw.until_ready().await, "CCCZT");
    let mut rows = Vec::new();
    for cursor in ["c", "t"] {
        raw.send(&message(b'Q', format!("FETCH 1 FROM {cursor}\0").as_bytes())).await;
        while let Some((tag, body)) = raw.next().await {
            match tag {
                b'T' => rows.push(body[body.len() - 1]),
                b'D' => rows.extend_from_slice(&body[2..]),
                b'Z' => break,
                _ => {}
            }
        }
    }
    assert_eq!(rows, b"\x01\0\0\0\x04\0\0\x01\x02\0\0\0\x01x\0\0\0\0\x03258");
    raw.send(&message(b'Q', b"SELECT is_binary FROM pg_cursors ORDER BY name\0")).await;
    assert_eq!(raw.until_ready().await, "TDDCZT");
}

#[tokio::test]
async fn a_statement_timeout_ends_a_statement() {
    let server = server().await;
    let client = server.client().await;
    client.simple_query("SET statement_timeout = '20ms'").await.unwrap();
    let error = client.query("SELECT * FROM endless", &[]).await.unwrap_err();
    let failed = error.as_db_error().unwrap();
    assert_eq!(failed.code(), &Code::QUERY_CANCELED);
    assert_eq!(failed.message(), "canceling statement due to statement timeout");
}

#[tokio::test]
async fn a_client_that_vanishes_ends_its_query() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    raw.send(&message(b'Q', b"SELECT * FROM endless\0")).await;
    drop(raw);
    while server.counters.connections.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn settings_are_reported_to_the_client() {
    let server = server().await;
    let mut raw = server.raw().await;
    let body = b"\x00\x03\x00\x00user\0me\0application_name\0test\0options\0-c datestyle=dmy\0\0";
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend(body);
    raw.send(&packet).await;
    let mut reported = Vec::new();
    while let Some((tag, body)) = raw.next().await {
        match tag {
            b'S' => reported.push(String::from_utf8_lossy(&body).trim_end_matches('\0').replace('\0', "=")),
            b'Z' => break,
            _ => {}
        }
    }
    for expected in [
        "server_version=15.18",
        "server_encoding=UTF8",
        "client_encoding=UTF8",
        "DateStyle=ISO, DMY",
        "application_name=test",
        "integer_datetimes=on",
        "standard_conforming_strings=on",
        "session_authorization=me",
        "is_superuser=on",
        "TimeZone=Etc/UTC",
        "IntervalStyle=postgres",
    ] {
        assert!(reported.iter().any(|r| r == expected), "{expected} is not in {reported:?}");
    }
    raw.send(&message(b'Q', b"SET TimeZone = 'Europe/Berlin'\0")).await;
    assert_eq!(raw.until_ready().await, "CSZI");
}

#[tokio::test]
async fn ssl_and_gss_are_declined_and_the_session_starts_in_clear() {
    let server = server().await;
    let mut raw = server.raw().await;
    for code in [80_877_103u32, 80_877_104] {
        raw.send(&[&8u32.to_be_bytes()[..], &code.to_be_bytes()[..]].concat()).await;
        assert_eq!(raw.socket.read_u8().await.unwrap(), b'N');
    }
    raw.start().await;
}

#[tokio::test]
async fn connections_above_the_limit_are_told_so() {
    let server = server_with(Limits { connections: 1, ..Limits::default() }).await;
    let _first = server.client().await;
    let refused = server.connect("").await.err().unwrap();
    assert_eq!(code_of(&refused), &Code::TOO_MANY_CONNECTIONS);
}

#[tokio::test]
async fn a_message_above_the_limit_ends_the_connection() {
    let server = server_with(Limits { message: 1000, ..Limits::default() }).await;
    let mut raw = server.raw().await;
    raw.start().await;
    raw.send(b"Q\x7f\xff\xff\xffSELECT").await;
    assert_eq!(raw.until_ready().await, "E(08P01)|closed");
}

#[tokio::test]
async fn a_wrong_startup_is_answered_and_ended() {
    let server = server().await;
    for (packet, expected) in [
        (&b"\0\0\0\x08\0\x02\0\0"[..], "E(0A000)|closed"),
        (b"\0\0\0\x09\0\x03\0\0\0", "E(28000)|closed"),
        (b"\x7f\xff\xff\xff", "E(08P01)|closed"),
        (b"\0\0\0\x15\0\x03\0\0user\0me\0x\0y\0\0", "E(42704)|closed"),
    ] {
        let mut raw = server.raw().await;
        raw.send(packet).await;
        assert_eq!(raw.until_ready().await, expected, "{packet:?}");
    }
}

#[tokio::test]
async fn a_silent_client_is_not_waited_for() {
    let limits = Limits { startup: Duration::from_millis(10), ..Limits::default() };
    let server = server_with(limits).await;
    assert_eq!(server.raw().await.until_ready().await, "|closed");
}

#[tokio::test]
async fn a_shutdown_tells_the_clients() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    server.shutdown.cancel();
    assert_eq!(raw.until_ready().await, "E(57P01)|closed");
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn beyond_loopback_nothing_is_served_without_authentication() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let database = database(&FixedStorage::new());
    let refused = serve(listener, database, Limits::default(), Arc::default(), CancellationToken::new()).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn copy_to_stdout_writes_text_and_csv() {
    let server = server().await;
    let client = server.client().await;
    for (sql, expected) in [
        ("COPY t TO STDOUT", "1\tone\n2\t\\N\n3\tdrei ä\n"),
        ("COPY (SELECT * FROM t) TO STDOUT (FORMAT csv, HEADER)", "a,b\n1,one\n2,\n3,drei ä\n"),
    ] {
        let stream = client.copy_out(sql).await.unwrap();
        let pieces: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(String::from_utf8(pieces.concat()).unwrap(), expected);
    }
    assert_eq!(code_of(&client.simple_query("COPY t FROM STDIN").await.unwrap_err()), &Code::WRONG_OBJECT_TYPE);
}

#[tokio::test]
async fn a_transaction_status_is_in_every_ready() {
    let server = server().await;
    let mut raw = server.raw().await;
    raw.start().await;
    for (sql, expected) in [
        (&b"BEGIN\0"[..], "CZT"),
        (b"SELECT nope\0", "E(42703)ZE"),
        (b"SELECT 1\0", "E(25P02)ZE"),
        (b"ROLLBACK\0", "CZI"),
        (b"COMMIT\0", "NCZI"),
        (b"CREATE VIEW v AS SELECT 1 AS a; SELECT nope\0", "CE(42703)ZI"),
        (b"SELECT * FROM v\0", "E(42P01)ZI"),
        (b"CREATE VIEW v AS SELECT 1 AS a; SELECT * FROM v\0", "CTDCZI"),
        (b"\0", "IZI"),
        (b" ; -- nothing\n\0", "IZI"),
    ] {
        raw.send(&message(b'Q', sql)).await;
        assert_eq!(raw.until_ready().await, expected, "{}", String::from_utf8_lossy(sql));
    }
}
