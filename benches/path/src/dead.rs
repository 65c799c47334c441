//! What dead rows cost the queries of a table.

use crate::broker::Broker;
use crate::client::Client;
use crate::load;
use crate::restart::filled;
use std::path::Path;

/// What is asked. A number is put in so that no answer is one that was kept.
const QUERIES: &[(&str, &str)] = &[
    ("sum", "SELECT sum(amount) + {} FROM shop.orders"),
    ("five aggregates", "SELECT count(*) + {}, sum(amount), avg(amount), min(placed_at), max(id) FROM shop.orders"),
    ("one group in a hundred", "SELECT customer % 100, count(*) + {}, sum(amount) FROM shop.orders GROUP BY 1"),
];
/// The clock counts hundredths of a second: so many queries are timed together, and that so often.
const TOGETHER: u32 = 20;
const RUNS: u32 = 5;

/// The CPU of a few aggregates over a table of which no row, then one in ten is dead.
pub fn measure(binary: &Path, rows: u64) {
    let broker = Broker::start(false);
    broker.acknowledge(1);
    let (server, mut client) = filled(binary, &broker, rows);
    let mut salt = 0;
    let mut ask = |client: &mut Client| -> Vec<f64> {
        let mut least = |sql: &str| {
            let mut once = || {
                let before = server.cpu();
                for _ in 0..TOGETHER {
                    salt += 1;
                    client.query(&sql.replace("{}", &salt.to_string())).expect("an answer");
                }
                (server.cpu() - before) / f64::from(TOGETHER)
            };
            (0..RUNS).map(|_| once()).fold(f64::MAX, f64::min)
        };
        QUERIES.iter().map(|(_, sql)| least(sql)).collect()
    };
    let whole = ask(&mut client);
    client.query("DELETE FROM shop.orders WHERE id * 7919 % 10007 < 1000").expect("rows go");
    let holed = ask(&mut client);
    for (((name, _), whole), holed) in QUERIES.iter().zip(whole).zip(holed) {
        let ms = |seconds: f64| seconds * 1e3;
        println!(
            "  {name}: {:.0} ms of CPU, with a tenth dead {:.0} ms = {:.2} x; load {}",
            ms(whole),
            ms(holed),
            ms(holed) / ms(whole),
            load(),
        );
    }
}
