-- A materialized view equals its query at the tick that reads both.
SELECT product_id FROM (
    (SELECT * FROM {{ ref('live_dim_product') }} EXCEPT SELECT * FROM ({{ dim_product() }}) AS query)
    UNION ALL
    (SELECT * FROM ({{ dim_product() }}) AS query EXCEPT SELECT * FROM {{ ref('live_dim_product') }})
) AS difference
