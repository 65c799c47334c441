//! TPC-H's 22 queries as materialized views under a stream of refreshes.
//!
//! The schema and the queries are those of the specification (<https://www.tpc.org/tpch/>), in PostgreSQL's dialect, with an
//! order made total where a LIMIT needs one. The rows are made here: few, and drawn from the values that the queries ask for,
//! so that every query has an answer to lose.

use super::benchmark::{follow, queries, row};
use super::tables::{Change, Table, Ty};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const QUERIES: [(&str, &str); 22] = queries!("tpch":
    "q01", "q02", "q03", "q04", "q05", "q06", "q07", "q08", "q09", "q10", "q11", "q12", "q13", "q14", "q15", "q16",
    "q17", "q18", "q19", "q20", "q21", "q22");

const REGIONS: [&str; 5] = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"];
/// Those that the queries name, and two of Asia; with their regions.
const NATIONS: [(&str, usize); 7] =
    [("BRAZIL", 1), ("CANADA", 1), ("CHINA", 2), ("FRANCE", 3), ("GERMANY", 3), ("INDIA", 2), ("SAUDI ARABIA", 4)];
const SUPPLIERS: usize = 14;
const CUSTOMERS: usize = 45;
const PARTS: usize = 48;
const ORDERS: usize = 150;

const SCHEMA: [(&str, usize, &str); 8] = [
    ("region", 1, "r_regionkey int, r_name text, r_comment text"),
    ("nation", 1, "n_nationkey int, n_name text, n_regionkey int, n_comment text"),
    (
        "supplier",
        1,
        "s_suppkey int, s_name text, s_address text, s_nationkey int, s_phone text, s_acctbal decimal, s_comment text",
    ),
    (
        "customer",
        1,
        "c_custkey int, c_name text, c_address text, c_nationkey int, c_phone text, c_acctbal decimal, \
         c_mktsegment text, c_comment text",
    ),
    (
        "part",
        1,
        "p_partkey int, p_name text, p_mfgr text, p_brand text, p_type text, p_size int, p_container text, \
         p_retailprice decimal, p_comment text",
    ),
    ("partsupp", 2, "ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost decimal, ps_comment text"),
    (
        "orders",
        1,
        "o_orderkey int, o_custkey int, o_orderstatus text, o_totalprice decimal, o_orderdate date, \
         o_orderpriority text, o_clerk text, o_shippriority int, o_comment text",
    ),
    (
        "lineitem",
        2,
        "l_orderkey int, l_linenumber int, l_partkey int, l_suppkey int, l_quantity decimal, l_extendedprice decimal, \
         l_discount decimal, l_tax decimal, l_returnflag text, l_linestatus text, l_shipdate date, l_commitdate date, \
         l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text",
    ),
];

// Places in `SCHEMA`.
const REGION: usize = 0;
const NATION: usize = 1;
const SUPPLIER: usize = 2;
const CUSTOMER: usize = 3;
const PART: usize = 4;
const PARTSUPP: usize = 5;
const ORDER: usize = 6;
const LINEITEM: usize = 7;

fn tables() -> Vec<Table> {
    let column = |text: &str| {
        let (name, ty) = text.trim().split_once(' ').expect("a name and a type");
        let ty = match ty {
            "int" => Ty::Int4,
            "decimal" => Ty::Fixed,
            "date" => Ty::Date,
            _ => Ty::Text,
        };
        (name.to_string(), ty)
    };
    let table = |(name, key, columns): &(&str, usize, &str)| {
        Table::new(name.to_string(), columns.split(',').map(column).collect(), (0..*key).collect())
    };
    SCHEMA.iter().map(table).collect()
}

/// The business that the rows come from.
struct Business {
    random: ChaCha8Rng,
    next_order: usize,
}

impl Business {
    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from.choose(&mut self.random).expect("a list of words is not empty")
    }

    fn below(&mut self, n: usize) -> usize {
        self.random.random_range(0..n)
    }

    fn money(&mut self, from: i64, to: i64) -> String {
        let cents = self.random.random_range(from * 100..to * 100);
        format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
    }

    fn region(number: usize) -> Change {
        row!(REGION: number, REGIONS[number], "")
    }

    fn supplier(&mut self, key: usize) -> Change {
        let nation = key % NATIONS.len();
        let comment = self.pick(&["", "", "Customer deposits", "Customer slow Complaints"]);
        let (phone, balance) = (format!("{}-555-{key:04}", 10 + nation), self.money(-900, 9000));
        row!(SUPPLIER: key, format!("Supplier#{key:09}"), format!("street {key}"), nation, phone, balance, comment)
    }

    fn customer(&mut self, key: usize) -> Change {
        let nation = self.below(NATIONS.len());
        let phone = format!("{}-555-{key:04}", self.pick(&["13", "31", "23", "10", "29"]));
        let segment = self.pick(&["BUILDING", "AUTOMOBILE", "MACHINERY"]);
        let balance = self.money(-900, 9000);
        row!(CUSTOMER: key, format!("Customer#{key:09}"), format!("street {key}"), nation, phone, balance, segment, "")
    }

    fn part(&mut self, key: usize) -> Change {
        let name = self.pick(&["forest green", "green almond", "forest linen", "ivory"]);
        let brand = self.pick(&["Brand#12", "Brand#23", "Brand#34", "Brand#45"]);
        let kinds = ["ECONOMY ANODIZED STEEL", "PROMO BURNISHED BRASS", "STANDARD PLATED BRASS", "MEDIUM POLISHED TIN"];
        let kind = self.pick(&kinds);
        let size = self.pick(&["15", "3", "9", "14", "5"]);
        let container = self.pick(&["SM CASE", "MED BOX", "LG PACK", "JUMBO JAR"]);
        let price = self.money(900, 1100);
        row!(PART: key, name, "Manufacturer#1", brand, kind, size, container, price, "")
    }

    fn offers(&mut self, part: usize) -> Vec<Change> {
        let offer = |i: usize, business: &mut Self| {
            let (quantity, cost) = (1 + business.below(200), business.money(1, 100));
            row!(PARTSUPP: part, Self::supplier_of(part, i), quantity, cost, "")
        };
        (0..4).map(|i| offer(i, self)).collect()
    }

    fn supplier_of(part: usize, number: usize) -> usize {
        (part + number * 3) % SUPPLIERS
    }

    fn order(&mut self) -> Vec<Change> {
        let key = self.next_order;
        self.next_order += 1;
        self.order_of(key)
    }

    /// An order and its lines. One customer in three never buys.
    fn order_of(&mut self, key: usize) -> Vec<Change> {
        let customer = match self.below(CUSTOMERS) {
            customer if customer % 3 == 0 => customer + 1,
            customer => customer,
        };
        let day = self.below(2400);
        let status = self.pick(&["F", "O", "P"]);
        let priority = self.pick(&["1-URGENT", "2-HIGH", "3-MEDIUM", "5-LOW"]);
        let comment = self.pick(&["", "quick", "special packed requests"]);
        let total = self.money(1000, 300_000);
        let mut changes = vec![row!(ORDER: key, customer, status, total, date(day), priority, "Clerk", 0, comment)];
        for number in 1..=1 + self.below(7) {
            changes.push(self.line(key, number, day));
        }
        changes
    }

    fn line(&mut self, order: usize, number: usize, day: usize) -> Change {
        let part = self.below(PARTS);
        let supplier = Self::supplier_of(part, self.below(4));
        let (quantity, price) = (1 + self.below(50), self.money(900, 50_000));
        let (discount, tax) = (self.pick(&["0.00", "0.05", "0.06", "0.10"]), self.pick(&["0.00", "0.04", "0.08"]));
        let (flag, status) = (self.pick(&["R", "A", "N"]), self.pick(&["O", "F"]));
        let ship = day + 1 + self.below(120);
        let (commit, receipt) = (day + 30 + self.below(60), ship + 1 + self.below(30));
        let instruct = self.pick(&["DELIVER IN PERSON", "NONE"]);
        let mode = self.pick(&["MAIL", "SHIP", "AIR", "AIR REG"]);
        row!(LINEITEM: order, number, part, supplier, quantity, price, discount, tax, flag, status, date(ship),
             date(commit), date(receipt), instruct, mode, "")
    }

    fn all(&mut self) -> Vec<Change> {
        let mut changes: Vec<Change> = (0..REGIONS.len()).map(Self::region).collect();
        changes.extend(NATIONS.iter().enumerate().map(|(i, (name, region))| row!(NATION: i, name, region, "")));
        changes.extend((0..SUPPLIERS).map(|i| self.supplier(i)));
        changes.extend((0..CUSTOMERS).map(|i| self.customer(i)));
        for part in 0..PARTS {
            changes.push(self.part(part));
            changes.extend(self.offers(part));
        }
        for _ in 0..ORDERS {
            changes.extend(self.order());
        }
        changes
    }

    /// Old orders, with all the lines that they may have.
    fn without(first: usize, count: usize) -> Vec<Change> {
        let key = |table: usize, cells: &[usize], columns: usize| {
            let cells = cells.iter().map(|c| Some(c.to_string()));
            Change::Delete { table, cells: cells.chain(std::iter::repeat(None)).take(columns).collect() }
        };
        let gone = |order: usize| {
            let lines = (1..=7).map(move |line| key(LINEITEM, &[order, line], 16));
            std::iter::once(key(ORDER, &[order], 9)).chain(lines)
        };
        (first..first + count).flat_map(gone).collect()
    }

    /// The refreshes, a tick each.
    fn refreshes(&mut self) -> Vec<Vec<Change>> {
        let new = |business: &mut Self| (0..8).flat_map(|_| business.order()).collect::<Vec<_>>();
        let mut moved: Vec<Change> = (0..6).map(|i| self.customer(i * 5)).collect();
        moved.extend((0..4).map(|i| self.supplier(i * 3)));
        for part in [1, 8, 20, 33] {
            moved.push(self.part(part));
            moved.extend(self.offers(part));
        }
        let mut mixed = Self::without(8, 6);
        mixed.extend(new(self));
        // Other lines for orders that stay, and one order that goes and comes back.
        mixed.extend((20..26).flat_map(|order| self.order_of(order)).collect::<Vec<_>>());
        mixed.extend(Self::without(30, 1));
        mixed.extend(self.order_of(30));
        // A table that is emptied and filled again as it was.
        mixed.push(Change::Truncate { table: REGION });
        mixed.extend((0..REGIONS.len()).map(Self::region));
        vec![new(self), Self::without(0, 8), moved, mixed, vec![Change::Truncate { table: LINEITEM }]]
    }
}

/// A day from the beginning of 1992.
fn date(day: usize) -> String {
    let first = chrono::NaiveDate::from_ymd_opt(1992, 1, 1).expect("a day of the calendar");
    (first + chrono::Days::new(day as u64)).to_string()
}

#[tokio::test]
async fn tpch_queries_as_views_follow_refreshes() {
    let mut business = Business { random: ChaCha8Rng::seed_from_u64(1), next_order: 0 };
    let rows = business.all();
    follow(&tables(), &QUERIES, &rows, &business.refreshes()).await;
}
