{{ config(
    materialized='incremental',
    unique_key='id',
    incremental_strategy='merge',
    merge_exclude_columns=['at'],
    on_schema_change='append_new_columns',
    incremental_predicates=["DBT_INTERNAL_DEST.id >= 0"],
    indexes=[{'columns': ['customer_id']}]
) }}
SELECT id, customer_id, status, amount, at
FROM {{ source('raw', 'events') }}
{% if is_incremental() %}
WHERE at > (SELECT max(at) FROM {{ this }}) - interval '7 days'
{% endif %}
