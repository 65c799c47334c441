{# The newest event of each key of a bronze table, deletions left out: columns `row` (the row after the event) and `at`. #}
{% macro newest_rows(table, key) %}
    SELECT payload -> 'after' AS row, "timestamp" AS at
    FROM (
        SELECT payload,
               "timestamp",
               row_number() OVER (PARTITION BY key ->> '{{ key }}' ORDER BY "offset" DESC) AS age
        FROM {{ source('bronze', table) }}
        -- A tombstone follows its deletion and says nothing more.
        WHERE payload IS NOT NULL
    ) AS events
    WHERE age = 1 AND payload ->> 'op' <> 'd'
{% endmacro %}

{# Debezium's precise decimals: base64 of the unscaled number, big-endian, in two's complement. #}
{% macro decimal(field, precision, scale, bytes=8) %}
    {%- set raw = "decode(row ->> '" ~ field ~ "', 'base64')" -%}
    (CASE octet_length({{ raw }})
    {%- for length in range(1, bytes + 1) %}
        WHEN {{ length }} THEN (0
        {%- for i in range(length) %} + get_byte({{ raw }}, {{ i }})::numeric * {{ 256 ** (length - 1 - i) }}{% endfor %}
            - CASE WHEN get_byte({{ raw }}, 0) >= 128 THEN {{ 256 ** length }}::numeric ELSE 0 END)
    {%- endfor %}
    END / {{ 10 ** scale }})::numeric({{ precision }}, {{ scale }})
{%- endmacro %}

{# Milliseconds since 1970. #}
{% macro moment(field) -%}
    (timestamp '1970-01-01' + (row ->> '{{ field }}')::bigint * interval '1 millisecond')::timestamp(3)
{%- endmacro %}
