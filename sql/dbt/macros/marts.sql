{# The marts, as tables and as materialized views: the same query. #}
{% macro dim_product() %}
WITH availability AS (
    SELECT product_id,
           sum(quantity) AS quantity,
           count(*) FILTER (WHERE quantity > 0) AS warehouses,
           max(updated_at) AS counted_at
    FROM {{ ref('stg_product_availability') }}
    GROUP BY product_id
),

numbers AS (
    SELECT product_id,
           array_agg(original_number ORDER BY original_number) AS original_numbers
    FROM {{ ref('stg_product_original_number') }}
    GROUP BY product_id
),

analogues AS (
    SELECT product_id,
           array_agg(analogue_product_id ORDER BY similarity DESC, analogue_product_id) AS analogue_product_ids
    FROM {{ ref('stg_product_analogue') }}
    GROUP BY product_id
)

SELECT p.product_id,
       p.name,
       p.vendor_code,
       p.description,
       p.price,
       p.is_active,
       p.category_id,
       p.manufacturer_id,
       p.country_of_origin,
       coalesce(a.quantity, 0) AS quantity,
       coalesce(a.warehouses, 0) AS warehouses,
       coalesce(n.original_numbers, '{}') AS original_numbers,
       coalesce(s.analogue_product_ids, '{}') AS analogue_product_ids,
       greatest(p.updated_at, a.counted_at) AS changed_at
FROM {{ ref('stg_product') }} AS p
LEFT JOIN availability AS a ON a.product_id = p.product_id
LEFT JOIN numbers AS n ON n.product_id = p.product_id
LEFT JOIN analogues AS s ON s.product_id = p.product_id
{% endmacro %}

{% macro dim_product_search(products) %}
SELECT product_id,
       lower(
           name || ' ' || vendor_code || ' ' || coalesce(description, '') || ' ' || array_to_string(original_numbers, ' ')
       ) AS search_text,
       is_active AND quantity > 0 AS can_be_sold,
       least(quantity, 100) + 10 * warehouses + 5 * coalesce(array_length(original_numbers, 1), 0) AS stock_rank,
       coalesce(array_length(analogue_product_ids, 1), 0) AS analogues,
       price,
       changed_at
FROM {{ products }}
{% endmacro %}
