{{ config(
    materialized='materialized_view', on_configuration_change='apply',
    indexes=[{'columns': [var('indexed', 'customer_id')]}]
) }}
SELECT customer_id, sum(amount) AS amount, count(*) AS orders
FROM {{ ref('orders') }} WHERE status = 'paid' GROUP BY customer_id
