WITH RECURSIVE up AS (SELECT id, customer_id FROM orders WHERE qty = 1 UNION SELECT o.id, o.customer_id FROM orders o JOIN up ON o.id = up.customer_id) SELECT c.segment, count(*) AS n FROM up JOIN customers c ON c.id = up.customer_id GROUP BY c.segment;
SELECT id FROM orders ORDER BY amount OFFSET 3;
