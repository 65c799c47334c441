SELECT (row ->> 'analogue_id')::integer AS analogue_id,
       (row ->> 'product_id')::integer AS product_id,
       (row ->> 'analogue_product_id')::integer AS analogue_product_id,
       {{ decimal('similarity', 4, 3, bytes=4) }} AS similarity,
       {{ moment('created_at') }} AS created_at
FROM ({{ newest_rows('product_analogue', 'analogue_id') }}) AS newest
