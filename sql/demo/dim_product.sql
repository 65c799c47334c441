-- One row for each product: stock over all warehouses, original numbers, and the products that may stand in for it.
CREATE MATERIALIZED VIEW gold.dim_product AS
SELECT p.product_id,
       p.name,
       p.vendor_code,
       p.description,
       p.weight,
       p.length,
       p.width,
       p.height,
       p.volume,
       p.price,
       p.is_active,
       p.category_id,
       p.manufacturer_id,
       p.created_at,
       p.updated_at,
       coalesce(a.quantity, 0) AS quantity,
       coalesce(a.warehouses, 0) AS warehouses,
       n.original_numbers,
       s.analogue_product_ids
FROM silver.product AS p
LEFT JOIN (
    SELECT product_id,
           sum(quantity) AS quantity,
           count(*) FILTER (WHERE quantity > 0) AS warehouses
    FROM silver.product_availability
    GROUP BY product_id
) AS a ON a.product_id = p.product_id
LEFT JOIN (
    SELECT product_id,
           array_agg(original_number ORDER BY original_number) AS original_numbers
    FROM silver.product_original_number
    GROUP BY product_id
) AS n ON n.product_id = p.product_id
LEFT JOIN (
    SELECT product_id,
           array_agg(analogue_product_id ORDER BY analogue_product_id) AS analogue_product_ids
    FROM silver.product_analogue
    GROUP BY product_id
) AS s ON s.product_id = p.product_id
