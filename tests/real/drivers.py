"""The drivers and tools that people come with, each against a running sluice: names, types and values of one table.

Every check takes the port. The table holds one row of each kind of value, one of NULLs, and a key; it is made anew for each.
What is missing fails and says how to get it.
"""

import asyncio
import datetime as dt
import decimal
import json
import shutil
import subprocess
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
UTC = dt.timezone.utc
TOKEN = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
COLUMNS = {
    "id": "integer", "small": "smallint", "big": "bigint", "real4": "real", "real8": "double precision", "price": "numeric(12,2)",
    "name": "character varying(20)", "note": "text", "on_off": "boolean", "born": "date", "at": "timestamp without time zone",
    "seen": "timestamp with time zone", "span": "interval", "raw": "bytea", "doc": "jsonb", "token": "uuid", "tags": "text[]",
    "numbers": "integer[]",
}
ROW = {
    "id": 1, "small": -7, "big": 2**40, "real4": 1.5, "real8": -2.25, "price": decimal.Decimal("1234.50"), "name": "Zoë", "note": "a 'b' \\",
    "on_off": True, "born": dt.date(2026, 2, 28), "at": dt.datetime(2026, 2, 28, 1, 2, 3, 4000),
    "seen": dt.datetime(2026, 2, 28, 1, 2, 3, tzinfo=UTC), "span": dt.timedelta(days=3, seconds=5), "raw": b"\x00\xff",
    "doc": {"a": [1, "é", None]}, "token": TOKEN, "tags": ["a", None, 'b"c'], "numbers": [1, 2, 3],
}
MAKE = "DROP TABLE IF EXISTS public.kinds CASCADE; CREATE TABLE public.kinds (" + ", ".join(
    f"{name} {kind}{' PRIMARY KEY' if name == 'id' else ''}" for name, kind in COLUMNS.items()) + """);
INSERT INTO public.kinds VALUES (1, -7, 1099511627776, 1.5, -2.25, 1234.50, 'Zoë', E'a ''b'' \\\\', true, '2026-02-28', '2026-02-28 01:02:03.004',
  '2026-02-28 01:02:03+00', '3 days 5 seconds', '\\x00ff', '{"a": [1, "é", null]}', '00112233-4455-6677-8899-aabbccddeeff',
  ARRAY['a', NULL, 'b"c'], ARRAY[1, 2, 3]);
INSERT INTO public.kinds (id) VALUES (2);
COMMENT ON COLUMN public.kinds.note IS 'free text';"""
QUERY = f"SELECT {', '.join(COLUMNS)} FROM public.kinds ORDER BY id"


def same(what, seen, wanted):
    assert seen == wanted, f"{what}: {seen!r}, wanted {wanted!r}"


def psql(port, *commands):
    arguments = [part for command in commands for part in ("-c", command)]
    done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "sluice", "-d", "sluice",
                           *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tool(name, package):
    found = shutil.which(name) or shutil.which(f"/usr/lib/postgresql/15/bin/{name}")
    assert found, f"{name} is missing: apt-get install {package}"
    return found


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{command[0]}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def rows_of_dbapi(port, module, connection, style):
    """What every driver of Python's DB-API must do; `style` is its placeholder."""
    cursor = connection.cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute(QUERY)
    same("names", [column[0] for column in cursor.description], list(COLUMNS))
    first, second = cursor.fetchall()
    for (name, wanted), seen in zip(ROW.items(), first):
        if isinstance(seen, memoryview):
            seen = bytes(seen)
        same(f"{module}: {name}", seen, wanted)
    same("NULLs", list(second), [2] + [None] * (len(COLUMNS) - 1))
    cursor.execute(f"SELECT name FROM public.kinds WHERE id = {style} AND price > {style}", (1, decimal.Decimal("3.5")))
    same("parameters", list(cursor.fetchone()), ["Zoë"])
    cursor.execute(f"INSERT INTO public.kinds (id, note) VALUES ({style}, {style})", (3, "new"))
    connection.rollback()
    cursor.execute("SELECT count(*) FROM public.kinds")
    same("after a rollback", cursor.fetchone()[0], 2)
    connection.close()


def psycopg2(port):
    import psycopg2
    import psycopg2.extras
    psycopg2.extras.register_uuid()
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="sluice", dbname="sluice")
    rows_of_dbapi(port, "psycopg2", connection, "%s")


def pg8000(port):
    import pg8000.dbapi
    rows_of_dbapi(port, "pg8000", pg8000.dbapi.connect(host="127.0.0.1", port=port, user="sluice", database="sluice"), "%s")


def asyncpg(port):
    import asyncpg

    async def check():
        connection = await asyncpg.connect(host="127.0.0.1", port=port, user="sluice", database="sluice")
        await connection.execute("SET TimeZone = 'UTC'")
        first, second = await connection.fetch(QUERY)
        wanted = {**ROW, "doc": json.dumps(ROW["doc"], ensure_ascii=False)}
        for name in COLUMNS:
            same(f"asyncpg: {name}", first[name], wanted[name])
        same("NULLs", list(second.values()), [2] + [None] * (len(COLUMNS) - 1))
        same("arrays as parameters", await connection.fetchval("SELECT array_length($1::int[], 1) + cardinality($2::text[])", [1, 2], ["x"]), 3)
        # A type that asyncpg must ask the catalog for.
        record = await connection.fetchval("SELECT k FROM (SELECT id, note FROM public.kinds WHERE id = 1) k")
        same("a record", tuple(record), (1, ROW["note"]))
        async with connection.transaction():
            seen = [row["id"] async for row in connection.cursor("SELECT id FROM generate_series(1, 500) AS g(id)", prefetch=50)]
        same("a cursor", seen, list(range(1, 501)))
        await connection.execute("CREATE TEMP TABLE copied (a int, b text, c numeric, d timestamptz)")
        rows = [(i, f"t{i}", decimal.Decimal(i) / 4, ROW["seen"]) for i in range(100)] + [(None, None, None, None)]
        await connection.copy_records_to_table("copied", records=rows)
        same("COPY in binary", [tuple(r) for r in await connection.fetch("SELECT * FROM copied ORDER BY a NULLS LAST")], rows)
        heard = asyncio.Queue()
        await connection.add_listener("news", lambda *args: heard.put_nowait(args[2:]))
        await connection.execute("NOTIFY news, 'hello'")
        same("a notification", await asyncio.wait_for(heard.get(), 30), ("news", "hello"))
        await connection.reset()
        await connection.close()

    asyncio.run(check())


def sqlalchemy_reflects(port):
    import sqlalchemy as sa

    psql(port, "DROP TABLE IF EXISTS public.parts", "CREATE TABLE public.parts (kind int REFERENCES public.kinds, nr int, v text DEFAULT 'x', "
         "PRIMARY KEY (kind, nr), UNIQUE (v), CHECK (nr > 0))", "CREATE VIEW public.names AS SELECT id, name FROM public.kinds")
    engine = sa.create_engine(f"postgresql+psycopg2://sluice@127.0.0.1:{port}/sluice")
    inspector = sa.inspect(engine)
    assert {"kinds", "parts"} <= set(inspector.get_table_names()), inspector.get_table_names()
    assert "names" in inspector.get_view_names()
    columns = {column["name"]: column for column in inspector.get_columns("kinds")}
    same("names", list(columns), list(COLUMNS))
    same("types", [str(columns[name]["type"]) for name in ("id", "price", "name", "tags", "doc")],
         ["INTEGER", "NUMERIC(12, 2)", "VARCHAR(20)", "TEXT[]" if "[]" in str(columns["tags"]["type"]) else "ARRAY", "JSONB"])
    same("comment", columns["note"]["comment"], "free text")
    same("key", inspector.get_pk_constraint("parts")["constrained_columns"], ["kind", "nr"])
    foreign = inspector.get_foreign_keys("parts")
    same("foreign key", [(key["constrained_columns"], key["referred_table"]) for key in foreign], [(["kind"], "kinds")])
    same("unique", [u["column_names"] for u in inspector.get_unique_constraints("parts")], [["v"]])
    same("checks", [c["sqltext"].strip("()") for c in inspector.get_check_constraints("parts")], ["nr > 0"])
    table = sa.Table("kinds", sa.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table.c.id, table.c.price).where(table.c.name == "Zoë")).all()
    same("a query", [tuple(row) for row in rows], [(1, ROW["price"])])
    psql(port, "DROP TABLE public.parts")


def frames(port):
    import adbc_driver_postgresql.dbapi
    import pandas
    import polars
    import sqlalchemy as sa

    url = f"postgresql://sluice@127.0.0.1:{port}/sluice"
    columns = ["id", "big", "real8", "name", "on_off", "born", "at"]
    query = f"SELECT {', '.join(columns)} FROM public.kinds ORDER BY id"
    frame = pandas.read_sql(query, sa.create_engine(url.replace("postgresql:", "postgresql+psycopg2:")))
    same("pandas", list(frame.columns), columns)
    same("pandas", (int(frame.id[0]), float(frame.real8[0]), frame.name[0], frame.born[0]), (1, -2.25, "Zoë", ROW["born"]))
    written = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
    written.to_sql("from_pandas", sa.create_engine(url.replace("postgresql:", "postgresql+psycopg2:")), index=False, if_exists="replace")
    same("pandas writes", psql(port, "SELECT a, b FROM from_pandas ORDER BY a", "DROP TABLE from_pandas"), "1|x\n2|\n")
    with adbc_driver_postgresql.dbapi.connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute(query)
            table = cursor.fetch_arrow_table()
            same("ADBC", table.column_names, columns)
            same("ADBC", table.to_pylist()[0], {name: ROW[name] for name in columns})
            cursor.execute("SELECT id FROM public.kinds WHERE name = $1", ("Zoë",))
            same("ADBC, a parameter", cursor.fetchall(), [(1,)])
        polar = polars.read_database(query, connection)
    same("polars", polar.row(0), tuple(ROW[name] for name in columns))


def duckdb_attaches(port):
    import duckdb
    import duckdb_extension_postgres_scanner as extension

    duck = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    file = next(Path(extension.__file__).parent.rglob("postgres_scanner.duckdb_extension*"))
    duck.execute(f"LOAD '{file}'")
    duck.execute(f"ATTACH 'host=127.0.0.1 port={port} user=sluice dbname=sluice' AS s (TYPE postgres, READ_ONLY)")
    seen = duck.execute('SELECT id, big, price, name, on_off, born, "at" FROM s.public.kinds ORDER BY id').fetchall()
    same("DuckDB", seen[0], tuple(ROW[name] for name in ("id", "big", "price", "name", "on_off", "born", "at")))
    same("DuckDB, filtered", duck.execute("SELECT count(*) FROM s.public.kinds WHERE id = 2").fetchone(), (1,))


NODE = """
const port = Number(process.argv[2]);
const assert = require('assert');
const { Client } = require('pg');
const Cursor = require('pg-cursor');
const postgres = require('postgres');
(async () => {
  const client = new Client({ host: '127.0.0.1', port, user: 'sluice', database: 'sluice' });
  await client.connect();
  await client.query("SET TimeZone = 'UTC'");
  const result = await client.query({ name: 'by-id', text: 'SELECT * FROM public.kinds WHERE id = $1', values: [1] });
  const row = result.rows[0];
  assert.deepStrictEqual(result.fields.map(f => f.name), JSON.parse(process.argv[3]));
  assert.deepStrictEqual([row.id, row.big, row.price, row.name, row.on_off, row.doc, row.tags, row.numbers, row.token],
    [1, '1099511627776', '1234.50', 'Zoë', true, { a: [1, 'é', null] }, ['a', null, 'b"c'], [1, 2, 3], '00112233-4455-6677-8899-aabbccddeeff']);
  assert.strictEqual(row.seen.toISOString(), '2026-02-28T01:02:03.000Z');
  assert.ok(row.raw.equals(Buffer.from([0, 255])));
  const cursor = client.query(new Cursor('SELECT g FROM generate_series(1, 250) g'));
  let seen = 0;
  for (let rows = await cursor.read(100); rows.length; rows = await cursor.read(100)) seen += rows.length;
  assert.strictEqual(seen, 250);
  await cursor.close();
  await assert.rejects(client.query('SELECT 1 / 0'), e => e.code === '22012');
  await client.end();
  const sql = postgres({ host: '127.0.0.1', port, user: 'sluice', database: 'sluice', max: 1 });
  const [first] = await sql`SELECT id, name, price, doc, numbers FROM public.kinds WHERE id = ${1} AND name = ANY(${['Zoë', 'x']})`;
  assert.deepStrictEqual({ ...first }, { id: 1, name: 'Zoë', price: '1234.50', doc: { a: [1, 'é', null] }, numbers: [1, 2, 3] });
  const heard = new Promise(resolve => sql.listen('news', resolve).then(() => sql.notify('news', 'hello')));
  assert.strictEqual(await heard, 'hello');
  await sql.begin(async t => { await t`INSERT INTO public.kinds (id) VALUES (9)`; throw new Error('back'); }).catch(() => 0);
  assert.strictEqual(Number((await sql`SELECT count(*) AS n FROM public.kinds`)[0].n), 2);
  await sql.end();
})().catch(error => { console.error(error); process.exit(1); });
"""


def node(port, work):
    tool("node", "nodejs")
    tool("npm", "npm")
    folder = Path(work) / "node"
    if not (folder / "node_modules" / "postgres").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(["npm", "install", "--silent", "--no-audit", "--no-fund", "pg@8", "pg-cursor@2", "postgres@3"], cwd=folder)
    (folder / "check.js").write_text(NODE)
    run(["node", "check.js", str(port), json.dumps(list(COLUMNS))], cwd=folder)


ORMS = ["pg@8", "pg-query-stream@4", "knex@3", "sequelize@6", "typeorm@0.3", "drizzle-orm@0.44", "reflect-metadata@0.2"]


def node_orms(port, work):
    tool("node", "nodejs")
    tool("npm", "npm")
    folder = Path(work) / "orms"
    if not (folder / "node_modules" / "drizzle-orm").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(["npm", "install", "--silent", "--no-audit", "--no-fund", *ORMS], cwd=folder)
    shutil.copy(HERE / "orm.js", folder / "orm.js")
    run(["node", "orm.js", str(port)], cwd=folder)


GO = """package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/lib/pq"
)

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func same(what string, seen, wanted any) {
	if fmt.Sprint(seen) != fmt.Sprint(wanted) {
		must(fmt.Errorf("%s: %v, wanted %v", what, seen, wanted))
	}
}

func main() {
	url := "postgres://sluice@127.0.0.1:" + os.Args[1] + "/sluice?sslmode=disable"
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	must(err)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		var id int
		var big int64
		var name, price string
		var at time.Time
		var tags []*string
		var numbers []int32
		row := c.QueryRow(ctx, "SELECT id, big, name, price::text, at, tags, numbers FROM public.kinds WHERE id = $1", mode, 1)
		must(row.Scan(&id, &big, &name, &price, &at, &tags, &numbers))
		same("pgx", []any{id, big, name, price, at.UTC(), len(tags), *tags[0], tags[1] == nil, numbers}, []any{1, 1 << 40, "Zoë", "1234.50", time.Date(2026, 2, 28, 1, 2, 3, 4000000, time.UTC), 3, "a", true, []int32{1, 2, 3}})
	}
	_, err = c.Exec(ctx, "CREATE TEMP TABLE copied (a int, b text)")
	must(err)
	n, err := c.CopyFrom(ctx, pgx.Identifier{"copied"}, []string{"a", "b"}, pgx.CopyFromRows([][]any{{1, "x"}, {2, nil}}))
	must(err)
	same("CopyFrom", n, 2)
	batch := &pgx.Batch{}
	batch.Queue("SELECT count(*) FROM copied")
	batch.Queue("SELECT 7")
	results := c.SendBatch(ctx, batch)
	var count, seven int
	must(results.QueryRow().Scan(&count))
	must(results.QueryRow().Scan(&seven))
	must(results.Close())
	same("batch", []int{count, seven}, []int{2, 7})
	must(c.Close(ctx))
	db, err := sql.Open("postgres", url)
	must(err)
	var name string
	var price float64
	must(db.QueryRow("SELECT name, price FROM public.kinds WHERE id = $1", 1).Scan(&name, &price))
	same("lib/pq", []any{name, price}, []any{"Zoë", 1234.5})
	tx, err := db.Begin()
	must(err)
	_, err = tx.Exec("INSERT INTO public.kinds (id) VALUES ($1)", 9)
	must(err)
	must(tx.Rollback())
	must(db.QueryRow("SELECT count(*) FROM public.kinds").Scan(&count))
	same("after a rollback", count, 2)
}
"""


def go(port, work):
    found = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    assert found, "go is missing: apt-get install golang-go"
    folder = Path(work) / "go"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.go").write_text(GO)
    if not (folder / "go.sum").exists():
        (folder / "go.mod").write_text("module clients\n\ngo 1.21\n")
        run([found, "get", "github.com/jackc/pgx/v5@v5.7.2", "github.com/lib/pq@v1.10.9"], cwd=folder)
    run([found, "build", "-o", "clients", "."], cwd=folder)
    run([folder / "clients", str(port)])


def odbc(port):
    driver = next(iter(Path("/usr/lib").glob("*/odbc/psqlodbcw.so")), None)
    assert driver, "the ODBC driver is missing: apt-get install odbc-postgresql unixodbc"
    import pyodbc

    for declare in (0, 1):
        text = f"DRIVER={driver};SERVER=127.0.0.1;PORT={port};DATABASE=sluice;UID=sluice;PWD=;UseDeclareFetch={declare};Fetch=50"
        connection = pyodbc.connect(text, autocommit=False)
        cursor = connection.cursor()
        tables = {(t.table_schem, t.table_name, t.table_type) for t in cursor.tables(schema="public")}
        assert ("public", "kinds", "TABLE") in tables, tables
        columns = {c.column_name: c.type_name for c in cursor.columns(table="kinds", schema="public")}
        same("SQLColumns", list(columns), list(COLUMNS))
        same("its types", [columns[n] for n in ("id", "big", "price", "name", "born", "at")],
             ["int4", "int8", "numeric", "varchar", "date", "timestamp"])
        same("SQLPrimaryKeys", [k.column_name for k in cursor.primaryKeys("kinds", schema="public")], ["id"])
        assert [s.column_name for s in cursor.statistics("kinds", schema="public") if s.column_name] == ["id"]
        row = cursor.execute("SELECT id, big, price, name, born, at FROM public.kinds WHERE id = ?", 1).fetchone()
        same("a row", tuple(row), tuple(ROW[n] for n in ("id", "big", "price", "name", "born", "at")))
        seen = [r[0] for r in cursor.execute("SELECT g FROM generate_series(1, 230) g").fetchall()]
        same(f"UseDeclareFetch={declare}", seen, list(range(1, 231)))
        connection.rollback()
        connection.close()


def tools(port):
    ready = run([tool("pg_isready", "postgresql-client"), "-h", "127.0.0.1", "-p", str(port)])
    assert "accepting connections" in ready, ready
    at = ["-h", "127.0.0.1", "-p", str(port), "-U", "sluice"]
    bench = tool("pgbench", "postgresql-contrib")
    run([bench, *at, "-i", "-q", "-I", "dtgp", "-s", "1", "sluice"])
    for mode in ("simple", "extended", "prepared"):
        out = run([bench, *at, "-n", "-S", "-M", mode, "-c", "2", "-t", "50", "sluice"])
        assert "number of transactions actually processed: 100/100" in out, out
    out = run([bench, *at, "-n", "-N", "-c", "1", "-t", "5", "sluice"])
    assert "actually processed: 5/5" in out, out
    same("what pgbench wrote", psql(port, "SELECT count(*) FROM pgbench_history"), "5\n")
    psql(port, "DROP TABLE pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers")


# Statements of the shape that each tool asks the catalog, and what of the answer must be there.
METADATA = {
    "Metabase: schemas that may be used": (
        "SELECT n.nspname FROM pg_namespace n WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND has_schema_privilege(n.nspname, 'USAGE')",
        ("public",)),
    "Metabase: tables with rights": (
        """SELECT n.nspname, c.relname, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' END,
             d.description, st.n_live_tup FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
             LEFT JOIN pg_stat_user_tables st ON st.schemaname = n.nspname AND st.relname = c.relname
             WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname = 'public'
               AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))""",
        ("public", "kinds", "TABLE")),
    "Metabase: columns": (
        """SELECT c.column_name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name) ELSE format('%I.%I', c.udt_schema, c.udt_name) END,
             c.ordinal_position - 1, col_description(format('%I.%I', c.table_schema, c.table_name)::regclass, c.ordinal_position) IS NULL,
             pk.column_name IS NOT NULL FROM information_schema.columns c
             LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints tc
               JOIN information_schema.key_column_usage kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema
                 AND tc.table_name = kc.table_name WHERE tc.constraint_type = 'PRIMARY KEY') pk
             ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
             WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_name = 'kinds'""",
        ("id", "int4", 0, True, True)),
    "Metabase: privileges": (
        """WITH t AS (SELECT table_schema AS s, table_name AS n FROM information_schema.tables WHERE table_schema = 'public')
           SELECT t.s, t.n, has_table_privilege(current_user, quote_ident(t.s) || '.' || quote_ident(t.n), 'INSERT') FROM t""",
        ("public", "kinds", True)),
    "DBeaver: relations": (
        """SELECT c.relname, c.relkind::text, d.description, pg_get_expr(c.relpartbound, c.oid), pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c
             LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c')""",
        ("kinds", "r", None, None, "sluice")),
    "DBeaver: attributes": (
        """SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true), dep.objid, dsc.description
             FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
             LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
             LEFT OUTER JOIN pg_catalog.pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid
             LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
             WHERE NOT a.attisdropped AND c.oid = 'public.kinds'::regclass ORDER BY a.attnum""",
        ("note", "text", None, None, "free text")),
    "DBeaver: roles": (
        "SELECT a.rolname, a.rolsuper, pg_catalog.shobj_description(a.oid, 'pg_authid') FROM pg_catalog.pg_roles a ORDER BY a.rolname",
        ("sluice", True, None)),
    "DBeaver: grants": (
        "SELECT grantee, table_name, privilege_type, is_grantable FROM information_schema.table_privileges WHERE table_schema = 'public' AND table_name = 'kinds'",
        ("sluice", "kinds", "SELECT", "YES")),
    "Grafana: tables": (
        """SELECT CASE WHEN quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
             FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i,
             string_to_array(current_setting('search_path'), ',') s) THEN quote_ident(table_name)
             ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
           FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') ORDER BY 1""",
        ("kinds",)),
    "Grafana: columns": (
        """SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns
             WHERE quote_ident(table_name) = 'kinds' AND quote_ident(table_schema) = 'public'""",
        ("price", "numeric")),
    "Grafana: version": ("SELECT current_setting('server_version_num')::int / 100 >= 1500", (True,)),
    "Superset: schemas": (
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname NOT LIKE 'pg\\_%' ORDER BY nspname", ("public",)),
    "Superset: a time grain": (
        "SELECT DATE_TRUNC('day', at) AS __timestamp, SUM(big) AS \"SUM(big)\" FROM public.kinds WHERE at IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 10000",
        (dt.datetime(2026, 2, 28), decimal.Decimal(2**40))),
    "pgAdmin: members": (
        """SELECT r.oid::int, r.rolname, r.rolcanlogin, r.rolsuper, ARRAY(SELECT CASE WHEN am.admin_option THEN '1' ELSE '0' END || rm.rolname
             FROM pg_catalog.pg_auth_members am JOIN pg_catalog.pg_roles rm ON rm.oid = am.roleid WHERE am.member = r.oid ORDER BY rm.rolname)
           FROM pg_catalog.pg_roles r ORDER BY r.rolcanlogin, r.rolname""",
        (10, "sluice", True, True, [])),
    "pgAdmin: databases": (
        """SELECT db.datname, has_database_privilege(db.oid, 'CREATE'), pg_encoding_to_char(encoding), array_to_string(datacl, ',')
             FROM pg_catalog.pg_database db WHERE db.datname = current_database()""",
        ("sluice", True, "UTF8", None)),
    "pgAdmin: grants of a table": (
        """SELECT d.grantee::regrole::text, array_agg(d.privilege_type ORDER BY d.privilege_type) FROM pg_class c,
             aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) d WHERE c.oid = 'public.kinds'::regclass GROUP BY 1""",
        ("sluice", ["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"])),
}


def metadata(port):
    import psycopg

    wrong = []
    with psycopg.connect(f"host=127.0.0.1 port={port} user=sluice dbname=sluice", autocommit=True) as connection:
        for what, (query, wanted) in METADATA.items():
            try:
                rows = [tuple(row) for row in connection.execute(query).fetchall()]
            except psycopg.Error as error:
                wrong.append(f"{what}: {error}")
                continue
            if not any(row[:len(wanted)] == wanted for row in rows):
                wrong.append(f"{what}: no {wanted!r} in {rows[:5]!r}")
    assert not wrong, "\n".join(wrong)


CHECKS = [psycopg2, asyncpg, pg8000, sqlalchemy_reflects, frames, duckdb_attaches, node, node_orms, go, odbc, tools, metadata]


def check_all(port, work):
    """Runs each; raises with what failed in all of them."""
    failed = []
    for check in CHECKS:
        psql(port, MAKE)
        try:
            check(port, work) if check in (node, node_orms, go) else check(port)
        except Exception as error:
            failed.append(f"{check.__name__}: {type(error).__name__}: {error}")
    psql(port, "DROP TABLE IF EXISTS public.kinds CASCADE")
    assert not failed, "\n".join(failed)


if __name__ == "__main__":
    import sys
    wanted = [c for c in CHECKS if c.__name__ in sys.argv[3:] or not sys.argv[3:]]
    CHECKS[:] = wanted
    check_all(int(sys.argv[1]), sys.argv[2])
    print("passed:", ", ".join(c.__name__ for c in wanted))
