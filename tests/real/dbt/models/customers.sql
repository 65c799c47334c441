{{ config(
    materialized='table',
    pre_hook=[note('before customers'), {'sql': note('outside before customers'), 'transaction': false}],
    post_hook=[note('after customers'), 'ANALYZE {{ this }}', {'sql': 'VACUUM ANALYZE {{ this }}', 'transaction': false}],
    indexes=[{'columns': ['name'], 'unique': true}, {'columns': ['balance', 'at'], 'type': 'btree'}]
) }}
SELECT id, name, balance, tags, at FROM {{ ref('named') }}
