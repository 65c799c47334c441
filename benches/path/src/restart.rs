//! From the start of the process to right answers.

use crate::broker::Broker;
use crate::client::Client;
use crate::server::Server;
use crate::{load, number};
use std::path::Path;
use std::time::{Duration, Instant};

/// Rows of one INSERT.
const PIECE: u64 = 500_000;
const VIEW: &str = "SELECT customer % 100 AS region, count(*) AS n, sum(amount) AS total, max(placed_at) AS newest \
     FROM shop.orders GROUP BY 1";

/// Asks until the answer is `wanted`, and fails after ten minutes.
fn until(client: &mut Client, sql: &str, wanted: &str) {
    let begun = Instant::now();
    loop {
        let answer = client.query(sql);
        if matches!(&answer, Ok(Some(text)) if text == wanted) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(600), "{sql} did not give {wanted} but {answer:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server with a table of `rows` orders, ids from 0 on.
pub fn filled(binary: &Path, broker: &Broker, rows: u64) -> (Server, Client) {
    let server = Server::start(binary, broker.port);
    let mut client = Client::connect(server.port).expect("sluice takes connections");
    client.query("CREATE SCHEMA shop").expect("a schema");
    let columns =
        "id bigint PRIMARY KEY, customer bigint, status text, amount numeric(12,2), placed_at timestamp, note text";
    client.query(&format!("CREATE TABLE shop.orders ({columns})")).expect("a table");
    for from in (0..rows).step_by(PIECE as usize) {
        let to = rows.min(from + PIECE) - 1;
        let insert = format!(
            "INSERT INTO shop.orders SELECT i, i * 7919 % 100000, 'paid', (i % 100000)::numeric / 100, \
             timestamp '2026-01-01' + i * interval '1 second', 'order ' || i FROM generate_series({from}::bigint, {to}::bigint) AS i"
        );
        client.query(&insert).expect("rows");
    }
    (server, client)
}

/// Fills a table, kills the server, starts it, and says how long everything took to be right.
pub fn measure(binary: &Path, rows: u64) {
    let broker = Broker::start(false);
    broker.acknowledge(1);
    let (server, mut client) = filled(binary, &broker, rows);
    let begun = Instant::now();
    client.query(&format!("CREATE MATERIALIZED VIEW gold.by_region AS {VIEW}")).expect("a view");
    let created = begun.elapsed();
    let sum = "SELECT sum(total) FROM gold.by_region";
    let total = client.query(sum).expect("gold answers").expect("a sum");
    until(&mut client, "SELECT durable_tick >= tick FROM sluice.ticks", "t");
    drop(client);

    let begun = Instant::now();
    let server = server.restart(binary);
    let mut client = Client::connect(server.port).expect("sluice takes connections");
    let listening = begun.elapsed();
    until(&mut client, "SELECT count(*) FROM shop.orders", &rows.to_string());
    let silver = begun.elapsed();
    until(&mut client, sum, &total);
    let gold = begun.elapsed();
    until(&mut client, "SELECT count(*) FROM sluice.views WHERE state = 'live'", "1");
    let live = begun.elapsed();
    assert_eq!(number(&mut client, "SELECT count(DISTINCT status) FROM shop.orders"), 1, "the rows' content");
    println!(
        "  {rows} rows: the view made in {:.2} s; after a kill takes connections after {:.2} s, the table is right after {:.2}, gold after {:.2}, maintained after {:.2}; {} MiB; load {}",
        created.as_secs_f64(),
        listening.as_secs_f64(),
        silver.as_secs_f64(),
        gold.as_secs_f64(),
        live.as_secs_f64(),
        server.resident_mib(),
        load(),
    );
}
