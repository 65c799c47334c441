{{ config(materialized='ephemeral') }}
SELECT id, name, balance, tags, updated_at AS at FROM {{ source('raw', 'customers') }}
