{{ config(
    materialized='incremental',
    incremental_strategy='microbatch',
    unique_key='id',
    event_time='at',
    batch_size='day',
    begin=modules.datetime.datetime.now(modules.pytz.utc).replace(hour=0, minute=0, second=0, microsecond=0) - modules.datetime.timedelta(days=4),
    lookback=1
) }}
SELECT id, at, date_trunc('day', at AT TIME ZONE 'UTC')::date AS day, amount FROM {{ source('raw', 'events') }}
