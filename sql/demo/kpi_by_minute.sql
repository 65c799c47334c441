-- Orders, how many of them are paid, and what they bring, by minute and customer segment.
CREATE MATERIALIZED VIEW gold.kpi_by_minute AS
SELECT date_trunc('minute', o.created_at) AS minute,
       c.segment,
       count(*) AS orders,
       count(p.paid_at) AS paid,
       coalesce(sum(p.amount) FILTER (WHERE p.paid_at IS NOT NULL), 0) AS revenue,
       round(avg(o.total), 2) AS average_total
FROM silver.orders AS o
JOIN silver.customers AS c ON c.customer_id = o.customer_id
LEFT JOIN silver.payments AS p ON p.order_id = o.order_id
GROUP BY date_trunc('minute', o.created_at), c.segment
