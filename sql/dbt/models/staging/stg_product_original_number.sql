SELECT (row ->> 'number_id')::integer AS number_id,
       (row ->> 'product_id')::integer AS product_id,
       row ->> 'original_number' AS original_number,
       row ->> 'brand' AS brand,
       {{ moment('created_at') }} AS created_at
FROM ({{ newest_rows('product_original_number', 'number_id') }}) AS newest
