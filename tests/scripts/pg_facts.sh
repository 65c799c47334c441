#!/usr/bin/env bash
# Reads the facts of the built-in types, functions, operators, casts and aggregates from a running PostgreSQL 15
# into src/kernels/facts/*.tsv (no comments, no texts of PostgreSQL's own). Usage: pg_facts.sh -h HOST -p PORT -U USER
set -euo pipefail
cd "$(dirname "$0")/../../src/kernels/facts"
copy() { psql "$@" -X -q -v ON_ERROR_STOP=1 -c "COPY ($query) TO STDOUT" ; }
system="< 16384"

query="SELECT oid::int8, typname, typlen, typbyval, typtype, typcategory, typispreferred, typdelim, typrelid::int8, typelem::int8, typarray::int8,
  typinput::oid::int8, typoutput::oid::int8, typreceive::oid::int8, typsend::oid::int8, typalign, typstorage, typbasetype::int8, typcollation::int8
  FROM pg_type WHERE oid $system AND typnamespace = 'pg_catalog'::regnamespace AND (typtype <> 'c') AND NOT EXISTS
  (SELECT 1 FROM pg_type e WHERE e.oid = pg_type.typelem AND e.typtype = 'c') ORDER BY oid" copy "$@" > pg_type.tsv

query="SELECT oid::int8, proname, prokind, provariadic::int8, proisstrict, proretset, provolatile, pronargs, pronargdefaults, prorettype::int8,
  array_to_string(proargtypes::int8[], ' '), array_to_string(proallargtypes::int8[], ' '), array_to_string(proargmodes, ' '), array_to_string(proargnames, ' ', '-')
  FROM pg_proc WHERE oid $system AND pronamespace = 'pg_catalog'::regnamespace ORDER BY oid" copy "$@" > pg_proc.tsv

query="SELECT oid::int8, oprname, oprkind, oprcanmerge, oprcanhash, oprleft::int8, oprright::int8, oprresult::int8, oprcom::int8, oprnegate::int8, oprcode::oid::int8
  FROM pg_operator WHERE oid $system ORDER BY oid" copy "$@" > pg_operator.tsv

query="SELECT oid::int8, castsource::int8, casttarget::int8, castfunc::int8, castcontext, castmethod FROM pg_cast WHERE oid $system ORDER BY oid" copy "$@" > pg_cast.tsv

query="SELECT aggfnoid::oid::int8, aggkind, aggnumdirectargs FROM pg_aggregate WHERE aggfnoid $system ORDER BY 1" copy "$@" > pg_aggregate.tsv
wc -l ./*.tsv
