{{ config(severity='warn', store_failures=true) }}
SELECT id, amount FROM {{ ref('orders') }} WHERE amount <= 0
