{{ config(
    materialized='incremental', unique_key=['id', 'kind'], incremental_strategy='delete+insert',
    on_schema_change='sync_all_columns'
) }}
SELECT id, 'a' AS kind, {% if var('wider', false) %} balance::text AS balance, now() AS seen {% else %} balance, name {% endif %}
FROM {{ ref('customers') }}
