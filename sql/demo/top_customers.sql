-- The twenty customers with the highest captured payments; equal ones by id, so that the answer is one answer.
CREATE MATERIALIZED VIEW gold.top_customers AS
SELECT c.customer_id,
       c.name,
       c.segment,
       count(*) AS orders,
       sum(p.amount) AS revenue,
       max(o.created_at) AS last_order_at
FROM silver.customers AS c
JOIN silver.orders AS o ON o.customer_id = c.customer_id
JOIN silver.payments AS p ON p.order_id = o.order_id
WHERE p.paid_at IS NOT NULL
GROUP BY c.customer_id, c.name, c.segment
ORDER BY revenue DESC, c.customer_id
LIMIT 20
