//! `sluice.explain_view`: what is kept for a view and how, in words that its author knows, and what has no rule and why.
//!
//! The plans are in `explained/plans.txt`, to be read by people. `SLUICE_BLESS=1` writes what they are now.

use super::rig::Rig;
use super::tables::{Table, Ty, announced};
use std::fmt::Write;
use std::path::Path;

const QUERIES: [&str; 34] = [
    "SELECT id, amount * 2 AS twice FROM orders WHERE status = 'open' AND amount > 10",
    "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer",
    "SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON c.id = o.customer AND c.since < o.placed",
    "SELECT o.id, c.name FROM orders o FULL JOIN customers c ON c.id = o.customer",
    "SELECT a.id, b.id AS other FROM customers a CROSS JOIN customers b",
    "SELECT a.id, b.id AS other FROM orders a JOIN orders b ON a.amount < b.amount",
    "SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = o.customer AND c.name LIKE 'A%')",
    "SELECT id FROM orders WHERE customer NOT IN (SELECT id FROM customers)",
    "SELECT id, customer IN (SELECT id FROM customers WHERE name = 'A') AS known FROM orders",
    "SELECT id, (SELECT max(amount) FROM orders o WHERE o.customer = c.id) AS most FROM customers c",
    "SELECT c.name, count(*) AS n, sum(o.amount) AS total, avg(o.amount) AS mean \
     FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.name",
    "SELECT count(*) AS n, min(placed) AS first, max(placed) AS last FROM orders",
    "SELECT date_trunc('hour', placed) AS hour, sum(rate) AS rates, bool_and(amount > 0) AS all_paid FROM orders GROUP BY 1",
    "SELECT status, count(DISTINCT customer) AS buyers, sum(amount) FILTER (WHERE amount > 5) AS large FROM orders GROUP BY status",
    "SELECT status, customer, count(*) AS n FROM orders GROUP BY GROUPING SETS ((status, customer), (status), ())",
    "SELECT status, stddev(amount) AS spread FROM orders GROUP BY status",
    "SELECT customer, array_agg(id ORDER BY placed DESC) AS ids FROM orders GROUP BY customer",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) AS median FROM orders",
    "SELECT DISTINCT status FROM orders",
    "SELECT DISTINCT ON (customer) customer, id, placed FROM orders ORDER BY customer, placed DESC, id",
    "SELECT id FROM customers UNION SELECT customer FROM orders",
    "SELECT id FROM customers UNION ALL SELECT customer FROM orders",
    "SELECT id FROM customers INTERSECT SELECT customer FROM orders",
    "SELECT id FROM customers EXCEPT ALL SELECT customer FROM orders",
    "SELECT id, amount FROM orders ORDER BY amount DESC, id LIMIT 10",
    "SELECT id, amount FROM orders ORDER BY amount DESC, id OFFSET 10",
    "SELECT id, row_number() OVER (PARTITION BY customer ORDER BY placed DESC, id) AS nth FROM orders",
    "SELECT * FROM (SELECT id, rank() OVER (PARTITION BY status ORDER BY amount DESC) AS place FROM orders) r WHERE place <= 3",
    "SELECT id, sum(amount) OVER (ORDER BY placed, id) AS running FROM orders",
    "WITH paid AS (SELECT * FROM orders WHERE status = 'paid') \
     SELECT c.name, sum(p.amount) AS total FROM paid p JOIN customers c ON c.id = p.customer GROUP BY c.name HAVING sum(p.amount) > 100",
    "SELECT o.id, w.word FROM orders o CROSS JOIN LATERAL string_to_table(o.status, 'e') AS w(word)",
    "SELECT c.id, l.id AS newest FROM customers c \
     LEFT JOIN LATERAL (SELECT o.id FROM orders o WHERE o.customer = c.id ORDER BY o.placed DESC, o.id LIMIT 1) l ON true",
    "WITH RECURSIVE up AS (SELECT id, parent FROM customers WHERE id = 1 \
     UNION SELECT c.id, c.parent FROM customers c JOIN up ON c.id = up.parent) SELECT count(*) AS n FROM up",
    "VALUES (1, 'a'), (2, 'b')",
];

#[tokio::test]
async fn a_maintenance_plan_says_what_is_kept_and_how() {
    let columns = |columns: &[(&str, Ty)]| columns.iter().map(|(name, ty)| (name.to_string(), *ty)).collect::<Vec<_>>();
    let customers = columns(&[("id", Ty::Int8), ("name", Ty::Text), ("since", Ty::Timestamp), ("parent", Ty::Int8)]);
    let orders = columns(&[
        ("id", Ty::Int8),
        ("customer", Ty::Int8),
        ("amount", Ty::Fixed),
        ("rate", Ty::Float),
        ("status", Ty::Text),
        ("placed", Ty::Timestamp),
    ]);
    let tables =
        [Table::new("customers".to_string(), customers, vec![0]), Table::new("orders".to_string(), orders, vec![0])];
    let mut rig = Rig::start().await;
    rig.feed(announced(&tables)).await;
    rig.must("SET search_path = silver").await;
    rig.must("BEGIN").await;
    for (i, query) in QUERIES.iter().enumerate() {
        rig.must(&format!("CREATE MATERIALIZED VIEW gold.v{i} AS {query}")).await;
    }
    rig.must("COMMIT").await;
    let mut text = String::new();
    for (i, query) in QUERIES.iter().enumerate() {
        let plan = rig.must(&format!("SELECT sluice.explain_view('gold.v{i}')")).await;
        let plan = plan.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
        let row = rig.must(&format!("SELECT maintenance, reason FROM sluice.views WHERE view_name = 'v{i}'")).await;
        let said: Vec<&str> = row.iter().flatten().flatten().map(String::as_str).collect();
        // A plan speaks of columns by their own names, and of functions as SQL does.
        let internal = plan.split(|c: char| !c.is_alphanumeric() && c != '@' && c != '_').find(|word| {
            let id = word.strip_prefix('c').is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
            id || word.contains('@') || word.starts_with("__")
        });
        assert_eq!(internal, None, "{query}\n{plan}");
        write!(text, "> {query}\n= {}\n{plan}\n\n", said.join(": ")).expect("a String takes text");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle/explained/plans.txt");
    if std::env::var_os("SLUICE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the plans can be written");
    }
    // Until somebody has written them there is nothing to compare with.
    let Ok(expected) = std::fs::read_to_string(&path) else { return rig.stop().await };
    let differ = text.lines().zip(expected.lines()).find(|(now, then)| now != then);
    assert!(text == expected, "the first line that differs, now and then: {differ:?}\n\n{text}");
    rig.stop().await;
}
