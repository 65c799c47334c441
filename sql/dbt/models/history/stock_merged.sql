{{ config(incremental_strategy='merge', unique_key='availability_id', on_schema_change='append_new_columns') }}
SELECT availability_id, product_id, warehouse, quantity, updated_at
FROM {{ ref('stg_product_availability') }}
{% if is_incremental() %}
WHERE updated_at >= (SELECT max(updated_at) FROM {{ this }})
{% endif %}
