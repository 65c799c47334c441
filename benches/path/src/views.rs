//! Ten gold views over the bench's table, of ten kinds, and what they cost.

/// What the views need.
pub const TABLES: &[&str] = &[
    "CREATE SCHEMA shop",
    "CREATE TABLE shop.managers (segment text PRIMARY KEY, manager text)",
    "INSERT INTO shop.managers VALUES ('retail', 'Ann'), ('wholesale', 'Bo'), ('online', 'Cy'), ('partner', 'Di')",
];

/// Name and query of each. The first is the one that freshness is read from.
pub const VIEWS: &[(&str, &str)] = &[
    (
        "kpi",
        "SELECT segment, count(*) AS orders, sum(amount) AS revenue, avg(amount) AS mean, max(seq) AS newest \
         FROM silver.orders GROUP BY segment",
    ),
    (
        "by_minute",
        "SELECT date_trunc('minute', created_at) AS minute, segment, count(*) AS n, sum(amount) AS revenue \
         FROM silver.orders GROUP BY 1, 2",
    ),
    ("largest", "SELECT id, amount FROM silver.orders ORDER BY amount DESC, id LIMIT 10"),
    ("dear", "SELECT id, seq, amount FROM silver.orders WHERE amount > 990"),
    ("kinds", "SELECT DISTINCT segment, status FROM silver.orders"),
    (
        "by_manager",
        "SELECT m.manager, count(*) AS n, sum(o.amount) AS revenue FROM silver.orders o \
         JOIN shop.managers m ON m.segment = o.segment GROUP BY 1",
    ),
    ("whole", "SELECT sum(orders) AS orders, sum(revenue) AS revenue, max(newest) AS newest FROM gold.kpi"),
    ("spread", "SELECT segment, count(DISTINCT id % 1000) AS n FROM silver.orders GROUP BY 1"),
    (
        "newest_of_bucket",
        "SELECT bucket, id, seq FROM (SELECT id % 10000 AS bucket, id, seq, \
         row_number() OVER (PARTITION BY id % 10000 ORDER BY seq DESC) AS nth FROM silver.orders) t WHERE nth = 1",
    ),
    ("events", "SELECT count(*) AS n, max(\"offset\") AS newest FROM bronze.orders"),
];

/// A query that keeps a core busy for as long as it runs: no index helps.
pub const HEAVY: &str = "SELECT count(*) FROM silver.orders a JOIN silver.orders b ON a.segment = b.segment \
     WHERE a.id % 50 = 0 AND length(a.note || b.note) % 7 = 3";
