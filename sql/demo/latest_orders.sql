-- The fifty newest orders with who ordered and whether they are paid.
CREATE MATERIALIZED VIEW gold.latest_orders AS
SELECT o.order_id,
       o.created_at,
       c.name AS customer,
       c.segment,
       o.status,
       o.total,
       p.method,
       p.paid_at
FROM silver.orders AS o
JOIN silver.customers AS c ON c.customer_id = o.customer_id
LEFT JOIN silver.payments AS p ON p.order_id = o.order_id
ORDER BY o.created_at DESC, o.order_id DESC
LIMIT 50
