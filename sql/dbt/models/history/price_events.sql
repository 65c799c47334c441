{{ config(incremental_strategy='append') }}
-- Every price that a product ever had.
SELECT "offset" AS event,
       (key ->> 'product_id')::integer AS product_id,
       {{ decimal('price', 12, 2) }} AS price,
       at
FROM (
    SELECT "offset", key, payload -> 'after' AS row, "timestamp" AS at
    FROM {{ source('bronze', 'product') }}
    WHERE payload ->> 'op' IN ('r', 'c', 'u')
    {% if is_incremental() %}
      AND "offset" > (SELECT coalesce(max(event), -1) FROM {{ this }})
    {% endif %}
) AS events
