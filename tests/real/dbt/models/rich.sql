{{ config(materialized='view') }}
SELECT c.name, coalesce(t.amount, 0) AS amount FROM {{ ref('customers') }} AS c LEFT JOIN {{ ref('totals') }} AS t ON t.customer_id = c.id
