{{ config(materialized='table', unlogged=true, schema='scratch', alias='notes', tags=['scratch']) }}
SELECT id, name || '?' AS question FROM {{ ref('customers') }}
