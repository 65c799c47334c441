//! Nexmark's queries that make sense on tables, as materialized views.
//!
//! After the benchmark's auctions (<https://datalab.cs.pdx.edu/niagara/NEXMark/>), with tumbling minutes where it has
//! windows, and sessions by the gaps between bids. Here bids are also taken back and auctions prolonged.
//!
//! Not here: q10 writes a file for each hour, which is what a flush does and no query; q12 counts in windows of processing time,
//! which is the clock's and no column's: `now()` is refused in a view.

use super::benchmark::{follow, queries, row};
use super::tables::{Change, Table, Ty};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const QUERIES: [(&str, &str); 21] = queries!("nexmark":
    "q00", "q01", "q02", "q03", "q04", "q05", "q06", "q07", "q08", "q09", "q11", "q13", "q14", "q15", "q16", "q17", "q18",
    "q19", "q20", "q21", "q22");

const PERSON: usize = 0;
const AUCTION: usize = 1;
const BID: usize = 2;
/// A table that does not move.
const SIDE: usize = 3;

fn tables() -> Vec<Table> {
    use Ty::{Int4, Int8, Text, Timestamp};
    let table = |name: &str, columns: &[(&str, Ty)]| {
        let columns = columns.iter().map(|(name, ty)| (name.to_string(), *ty)).collect();
        Table::new(name.to_string(), columns, vec![0])
    };
    vec![
        table(
            "person",
            &[("person_id", Int4), ("name", Text), ("city", Text), ("state", Text), ("joined_at", Timestamp)],
        ),
        table(
            "auction",
            &[
                ("auction_id", Int4),
                ("item", Text),
                ("seller", Int4),
                ("category", Int4),
                ("opened_at", Timestamp),
                ("expires_at", Timestamp),
            ],
        ),
        table(
            "bid",
            &[
                ("bid_id", Int4),
                ("auction", Int4),
                ("bidder", Int4),
                ("price", Int8),
                ("made_at", Timestamp),
                ("channel", Text),
                ("url", Text),
                ("extra", Text),
            ],
        ),
        table("side_input", &[("key", Int4), ("value", Text)]),
    ]
}

struct House {
    random: ChaCha8Rng,
}

impl House {
    fn below(&mut self, n: usize) -> usize {
        self.random.random_range(0..n)
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from.choose(&mut self.random).expect("a list of words is not empty")
    }

    fn person(&mut self, key: usize) -> Change {
        let state = self.pick(&["OR", "ID", "CA", "WA"]);
        row!(PERSON: key, format!("person {key}"), self.pick(&["Portland", "Boise"]), state, time(key * 20))
    }

    fn auction(&mut self, key: usize) -> Change {
        let (opened, seller) = (key * 15, self.below(20));
        let expires = opened + 60 + self.below(400);
        let item = format!("{}/{key}", self.pick(&["lamp", "chair"]));
        row!(AUCTION: key, item, seller, 10 + self.below(3), time(opened), time(expires))
    }

    fn bid(&mut self, key: usize) -> Change {
        let price = 10 * (1 + self.below(80));
        let (auction, bidder, made_at) = (self.below(30), self.below(20), time(key * 3 + self.below(60)));
        let channel = self.pick(&["Google", "Apple", "Baidu", "other"]);
        let url = match self.below(3) {
            0 => format!("https://auctions/{auction}/item.htm?query=1"),
            _ => format!("https://auctions/{auction}/item.htm?query=1&channel_id={}", self.below(4)),
        };
        let extra = self.pick(&["", "accc", "cabinet", "xyz"]);
        row!(BID: key, auction, bidder, price, made_at, channel, url, extra)
    }
}

/// Seconds from the opening of the house.
fn time(seconds: usize) -> String {
    format!("2024-05-01 {:02}:{:02}:{:02}", 9 + seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[tokio::test]
async fn nexmark_queries_as_views_follow_an_auction() {
    let tables = tables();
    let mut house = House { random: ChaCha8Rng::seed_from_u64(1) };
    let mut rows: Vec<Change> = (0..20).map(|i| house.person(i)).collect();
    rows.extend((0..30).map(|i| house.auction(i)));
    rows.extend((0..200).map(|i| house.bid(i)));
    rows.extend((0..7).map(|i| row!(SIDE: i, format!("side {i}"))));
    let mut ticks = Vec::new();
    for tick in 0..6 {
        let mut changes: Vec<Change> = (0..12).map(|i| house.bid(200 + tick * 12 + i)).collect();
        // Bids that were changed or taken back, an auction that is prolonged, a person who moves.
        changes.extend((0..3).map(|i| house.bid(tick * 20 + i)));
        for key in [tick * 20 + 5, tick * 20 + 6] {
            let cells = std::iter::once(Some(key.to_string())).chain(vec![None; 7]);
            changes.push(Change::Delete { table: BID, cells: cells.collect() });
        }
        changes.push(house.auction(tick * 4));
        changes.push(house.person(tick * 3));
        ticks.push(changes);
    }
    ticks.push(vec![Change::Truncate { table: PERSON }, house.person(3)]);
    follow(&tables, &QUERIES, &rows, &ticks).await;
}
