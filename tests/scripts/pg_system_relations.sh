#!/usr/bin/env bash
# Reads the shape of PostgreSQL 15's system relations from a running server into src/pg_catalog/layout.tsv, and the fixed
# rows of the small fact relations into src/pg_catalog/facts/*.tsv. Usage: pg_system_relations.sh -h HOST -p PORT -U USER
#
# layout.tsv: a line `=`, schema, name, OID, relkind, row type's OID; then a line for each column: name, type's OID,
# typmod, NOT NULL. A column of one of information_schema's domains is shown with the type under the domain.
set -euo pipefail
cd "$(dirname "$0")/../../src/pg_catalog"
sql() { psql "$@" -X -q -At -F $'\t' -v ON_ERROR_STOP=1 -c "$query"; }

query="
SELECT line FROM (
  SELECT c.oid::int8 AS relation, 0 AS attnum,
         concat_ws(E'\t', '=', n.nspname, c.relname, c.oid::int8, c.relkind, c.reltype::int8) AS line
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  UNION ALL
  SELECT a.attrelid::int8, a.attnum,
         concat_ws(E'\t', a.attname, CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN t.typname = '_pg_statistic' THEN 2277 ELSE t.oid END::int8,
                   CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, a.attnotnull)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attnum > 0
) lines JOIN pg_class c ON c.oid = relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid < 16384 AND c.relkind IN ('r', 'v') AND n.nspname IN ('pg_catalog', 'information_schema') AND c.relname NOT LIKE '\_pg%'
ORDER BY relation, attnum" sql "$@" > layout.tsv

copy() { psql "$@" -X -q -v ON_ERROR_STOP=1 -c "COPY ($query) TO STDOUT" ; }
for table in pg_am pg_opfamily pg_opclass pg_amop pg_amproc; do
  column="$(case $table in pg_am) echo oid;; pg_opfamily) echo opfmethod;; pg_opclass) echo opcmethod;; pg_amop) echo amopmethod;; pg_amproc) echo "(SELECT opfmethod FROM pg_opfamily f WHERE f.oid = amprocfamily)";; esac)"
  # heap, btree and hash: keys are unique btrees to a client; the others would promise indexes that cannot be made.
  # Functions are written as OIDs: a name may have several.
  query="SELECT string_agg(CASE atttypid WHEN 'regproc'::regtype THEN format('%I::oid', attname) ELSE quote_ident(attname) END, ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0"
  columns="$(sql "$@")"
  query="SELECT $columns FROM $table WHERE $column IN (2, 403, 405) AND oid < 16384 ORDER BY oid" copy "$@" > facts/$table.tsv
done
query="SELECT abbrev, extract(epoch FROM utc_offset)::int8, is_dst FROM pg_timezone_abbrevs ORDER BY 1" copy "$@" > facts/pg_timezone_abbrevs.tsv
query="SELECT rngtypid::int8, rngsubtype::int8, rngmultitypid::int8, rngcollation::int8, rngsubopc::int8, rngcanonical::oid::int8, rngsubdiff::oid::int8 FROM pg_range WHERE rngtypid < 16384 ORDER BY 1" copy "$@" > facts/pg_range.tsv
wc -l layout.tsv facts/*.tsv
