SELECT * FROM orders WHERE qty > 1;
SELECT id * 2 AS a, amount + qty AS b FROM orders WHERE status = 'open' OR qty IS NULL;
SELECT id, segment FROM customers UNION ALL SELECT id, status FROM orders WHERE qty > 0;
SELECT segment FROM customers UNION ALL SELECT 'none' UNION ALL VALUES ('x'), ('y');
SELECT 1 AS a;
