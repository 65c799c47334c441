{% macro note(step) -%}
INSERT INTO features_audit (run, step) VALUES ('{{ invocation_id }}', '{{ step }}')
{%- endmacro %}

{# For run-operation: an argument in, a result set out, and a statement that stays. #}
{% macro keep_totals(name) %}
    {% set totals = run_query("SELECT status, count(*) AS n FROM " ~ ref('orders') ~ " GROUP BY status ORDER BY status") %}
    {% do run_query("CREATE TABLE " ~ target.schema ~ "." ~ name ~ " (status text PRIMARY KEY, n bigint)") %}
    {% for row in totals.rows %}
        {% do run_query("INSERT INTO " ~ target.schema ~ "." ~ name ~ " VALUES ('" ~ row['status'] ~ "', " ~ row['n'] ~ ")") %}
    {% endfor %}
    {{ log("totals: " ~ totals.rows | length, info=true) }}
{% endmacro %}
