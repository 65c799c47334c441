{{ config(incremental_strategy='delete+insert', unique_key='availability_id') }}
SELECT availability_id, product_id, warehouse, quantity, updated_at
FROM {{ ref('stg_product_availability') }}
{% if is_incremental() %}
WHERE updated_at >= (SELECT max(updated_at) FROM {{ this }})
{% endif %}
