SELECT (row ->> 'availability_id')::integer AS availability_id,
       (row ->> 'product_id')::integer AS product_id,
       row ->> 'warehouse' AS warehouse,
       (row ->> 'quantity')::integer AS quantity,
       {{ moment('updated_at') }} AS updated_at
FROM ({{ newest_rows('product_availability', 'availability_id') }}) AS newest
