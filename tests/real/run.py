"""The outer ring: the real stack, from PostgreSQL's log to psql, and the lake as other engines read it.

    cargo xtask real [name of a check …]

WAL → Debezium → Kafka → sluice → psql. Each check changes the source and waits until sluice gives the same answer as
PostgreSQL itself. Two connectors read the source: `shop` writes schema blocks, `bare` does not, and its tables are declared.
Missing tools fail the run and say how to get them.
"""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import clients
import dbt_project
import drivers
import dump
import stores
import wide
from stack import ROOT, Connect, Kafka, ObjectStore, Postgres, Sluice, postgres_bin, wait_for

HERE = Path(__file__).resolve().parent
WORK = ROOT / "target" / "real"
LARGE = 5_000


def missing_tools():
    """What is not on this machine, and how to get it."""
    def says(*command):
        done = subprocess.run(command, capture_output=True, text=True) if shutil.which(command[0]) else None
        return done.stdout if done and done.returncode == 0 else ""

    needed = [
        ("PostgreSQL's server", "postgresql", postgres_bin()),
        ("psql", "postgresql-client", shutil.which("psql")),
        ("a Java development kit", "openjdk-17-jdk-headless", "jdk.compiler" in says("java", "--list-modules")),
        ("Maven", "maven", shutil.which("mvn")),
        ("Node.js and npm", "nodejs npm", shutil.which("node") and shutil.which("npm")),
        ("Go", "golang-go", shutil.which("go") or os.path.exists("/usr/local/go/bin/go")),
        ("the ODBC driver", "odbc-postgresql unixodbc", any(Path("/usr/lib").glob("*/odbc/psqlodbcw.so"))),
        ("Python's venv", "python3-venv", says(sys.executable, "-c", "import ensurepip, venv; print('yes')")),
    ]
    return [f"{what} is missing: apt-get install {package}" for what, package, found in needed if not found]


def stamped(folder, text):
    """Whether a folder was filled for exactly this text; else it is empty now."""
    stamp = folder / ".complete"
    if stamp.exists() and stamp.read_text() == text:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return False


def prepare():
    """Kafka's and Debezium's jars from Maven Central, and Python's packages in an environment of their own."""
    jars, pom = WORK / "jars", (HERE / "pom.xml").read_text()
    if not stamped(jars, pom):
        print("fetching Kafka and Debezium", flush=True)
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
                       check=True)
        (jars / ".complete").write_text(pom)
    venv, requirements = WORK / "venv", (HERE / "requirements.txt").read_text()
    if not stamped(venv, requirements):
        print("fetching deltalake, duckdb and psycopg", flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check",
                        "-r", HERE / "requirements.txt"], check=True)
        (venv / ".complete").write_text(requirements)
    if Path(sys.prefix) != venv:
        os.execv(venv / "bin" / "python", [str(venv / "bin" / "python"), *sys.argv])
    return jars


TABLES = f"""
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, segment varchar(20), balance numeric(12,2), born date,
  active boolean, seen timestamptz, note jsonb, token uuid);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL, amount numeric(10,2) NOT NULL, placed timestamp);
CREATE TABLE payments (order_id bigint, seq int, amount numeric(10,2) NOT NULL, PRIMARY KEY (order_id, seq));
CREATE TABLE scratch (id int PRIMARY KEY, v text);
CREATE TABLE large (id int PRIMARY KEY, v text);
CREATE TABLE documents (id int PRIMARY KEY, body text, version int);
CREATE TABLE keyless (a int, b text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO customers SELECT i, 'customer ' || i, CASE WHEN i % 3 = 0 THEN 'gold' ELSE 'plain' END, i * 1.25, date '1970-01-01' + i,
  i % 2 = 0, timestamptz '2026-01-02 03:04:05.678901+02' + i * interval '1 hour', jsonb_build_object('i', i, 'tags', jsonb_build_array('a', i)),
  md5(i::text)::uuid FROM generate_series(1, 50) i;
INSERT INTO orders SELECT i, 1 + i % 50, i * 3.5, timestamp '2026-02-03 04:05:06.789' + i * interval '1 minute' FROM generate_series(1, 200) i;
INSERT INTO payments SELECT i, 1, i * 3.5 FROM generate_series(1, 200) i;
INSERT INTO scratch SELECT i, 'v' || i FROM generate_series(1, 10) i;
INSERT INTO large SELECT i, 'v' || i FROM generate_series(1, {LARGE}) i;
INSERT INTO keyless VALUES (1, 'a'), (1, 'a');
{wide.CREATE};
{wide.rows(1)}
"""

def converters(schemas):
    lines = [f"{part}.converter=org.apache.kafka.connect.json.JsonConverter\n{part}.converter.schemas.enable={schemas}"
             for part in ("key", "value")]
    # Intervals as text: by default Debezium makes microseconds of them, and months are lost.
    return "\n".join([*lines, "interval.handling.mode=string\n"])


CONNECTORS = {
    "shop": converters("true"),
    "bare": converters("false") + "table.include.list=public.customers,public.wide,public.scratch\n",
}

DECLARED = {
    "customers": ["id int not null", "name text not null", "segment varchar(20)", "balance numeric(12,2)", "born date", "active boolean",
                  "seen timestamptz", "note jsonb", "token uuid"],
    "wide": ["id int not null", *wide.DECLARED],
    "scratch": ["id int not null", "v text"],
}

# `{}` is the schema and what stands before the name: nothing in PostgreSQL, `silver.` or `silver.bare_` in sluice.
CUSTOMERS = "SELECT id, name, segment, balance, born, active, seen AT TIME ZONE 'UTC', note, token FROM {}customers ORDER BY id"
ORDERS = "SELECT id, customer_id, amount, placed FROM {}orders ORDER BY id"
PAYMENTS = "SELECT order_id, seq, amount FROM {}payments ORDER BY order_id, seq"
SCRATCH = "SELECT id, v FROM {}scratch ORDER BY id"

VIEW = """SELECT c.segment, count(*) AS orders, sum(o.amount) AS revenue FROM {0}orders o JOIN {0}customers c ON c.id = o.customer_id
GROUP BY c.segment"""


class World:
    def __init__(self, folder, jars):
        self.folder, self.jars = folder, jars
        self.parts = []

    def part(self, part):
        self.parts.append(part)
        return part

    def start(self):
        self.postgres = self.part(Postgres(self.folder / "postgres"))
        self.kafka = self.part(Kafka(self.folder / "kafka", self.jars))
        self.postgres.start()
        self.postgres.sql(TABLES)
        self.kafka.format()
        self.kafka.start()
        self.connect = self.part(Connect(self.folder / "connect", self.jars, self.kafka, self.postgres, CONNECTORS))
        self.sluice = self.part(Sluice(self.folder / "sluice", f"""
[kafka.shop]
brokers = "127.0.0.1:{self.kafka.port}"
topics = ['^shop\\..*']
refresh = "500ms"

[kafka.bare]
brokers = "127.0.0.1:{self.kafka.port}"
topics = ['^bare\\..*']
tables = ["bare.toml"]
refresh = "500ms"
"""))
        (self.sluice.folder / "bare.toml").write_text("\n".join(
            f'[[table]]\nname = "bare_{name}"\ntopics = ["bare.public.{name}"]\ncolumns = {json.dumps(columns)}\n'
            for name, columns in DECLARED.items()))
        self.sluice.start()
        self.connect.start()

    def end(self):
        for part in reversed(self.parts):
            part.end()

    def same(self, query, prefix="silver."):
        """Waits until sluice answers as PostgreSQL does."""
        wanted = self.postgres.sql(query.format(""))
        seen = []

        def equal():
            seen[:] = [self.sluice.sql(query.format(prefix))]
            return seen[0] == wanted
        try:
            wait_for(f"{query.format(prefix)} as in PostgreSQL", equal, self.sluice.log)
        except AssertionError as error:
            letters = self.sluice.sql("SELECT stream, position, reason, message FROM sluice.dead_letters ORDER BY position DESC LIMIT 5")
            raise AssertionError(f"{differences(wanted, seen)}\ndead letters: {letters}\n{error}") from None

    def all_same(self):
        for query in (CUSTOMERS, ORDERS, PAYMENTS, SCRATCH):
            self.same(query)
        for query in (CUSTOMERS, SCRATCH):
            self.same(query, "silver.bare_")
        wanted = self.postgres.sql(VIEW.format("") + " ORDER BY 1")
        wait_for(f"gold.by_segment, wanted {wanted}",
                 lambda: self.sluice.sql("SELECT * FROM gold.by_segment ORDER BY 1") == wanted, self.sluice.log)

    def no_dead_letters(self):
        letters = self.sluice.sql("SELECT stream, position, reason, message FROM sluice.dead_letters ORDER BY 1, 2 LIMIT 10")
        assert letters == "", f"dead letters:\n{letters}"


def differences(wanted, seen):
    """The first lines that differ."""
    pairs = zip(wanted.splitlines(), "".join(seen).splitlines())
    lines = [f"wanted {a[:300]}\nseen   {b[:300]}" for a, b in pairs if a != b][:3]
    counts = f"{len(wanted.splitlines())} lines wanted, {len(''.join(seen).splitlines())} seen"
    return "\n".join([counts, *lines])


def snapshot(w):
    w.same(CUSTOMERS)
    wait_for("the view", lambda: w.sluice.sql("CREATE MATERIALIZED VIEW gold.by_segment AS " + VIEW.format("silver.")) is not None,
             w.sluice.log)
    w.all_same()
    w.same("SELECT count(*), sum(id), min(v), max(v) FROM {}large")
    w.same("SELECT a, b FROM {}keyless")


def insert_update_delete(w):
    w.postgres.sql("INSERT INTO customers (id, name, balance) VALUES (1001, 'Zoë ''quote'' \\ 東京', -0.01), (1002, '', NULL)")
    w.postgres.sql("UPDATE customers SET balance = balance + 1, seen = '0001-01-01 00:00:00+00' WHERE id < 10")
    w.postgres.sql("DELETE FROM customers WHERE id = 1002; DELETE FROM payments WHERE order_id % 7 = 0")
    w.all_same()


def key_change(w):
    w.postgres.sql("UPDATE orders SET id = id + 100000 WHERE id <= 5; UPDATE payments SET seq = 2 WHERE order_id = 11")
    # Away and back, and two rows that change places, each in one transaction.
    w.postgres.sql("BEGIN; UPDATE orders SET id = -1 WHERE id = 20; UPDATE orders SET id = 20 WHERE id = -1; COMMIT;"
                   "BEGIN; UPDATE orders SET id = -1 WHERE id = 21; UPDATE orders SET id = 21 WHERE id = 22;"
                   "UPDATE orders SET id = 22 WHERE id = -1; COMMIT")
    w.all_same()


def schema_change(w):
    w.postgres.sql("ALTER TABLE scratch ADD COLUMN added int DEFAULT 7; INSERT INTO scratch VALUES (100, 'new', 42)")
    for prefix in ("silver.", "silver.bare_"):
        w.same("SELECT id, v, added FROM {}scratch WHERE id = 100", prefix)
    w.postgres.sql("ALTER TABLE scratch ALTER COLUMN added TYPE bigint; INSERT INTO scratch VALUES (102, 'wide', 5000000000)")
    for prefix in ("silver.", "silver.bare_"):
        w.same("SELECT id, v, added FROM {}scratch WHERE id >= 100 ORDER BY id", prefix)
    w.postgres.sql("ALTER TABLE scratch DROP COLUMN added; INSERT INTO scratch VALUES (101, 'after the drop')")
    w.all_same()
    w.postgres.sql("CREATE TABLE later (k text PRIMARY KEY, at timestamptz); INSERT INTO later VALUES ('new table', '2026-01-01 00:00+00')")
    w.same("SELECT k, at AT TIME ZONE 'UTC' FROM {}later")


def truncate(w):
    w.postgres.sql("TRUNCATE scratch; INSERT INTO scratch VALUES (7, 'only')")
    w.all_same()
    w.postgres.sql("BEGIN; INSERT INTO scratch VALUES (8, 'gone'); TRUNCATE scratch, keyless; INSERT INTO scratch VALUES (9, 'stays'); COMMIT")
    w.all_same()
    w.same("SELECT count(*) FROM {}keyless")


def unsent_values_stay(w):
    """PostgreSQL does not log a large value that an update leaves alone; Debezium sends a placeholder."""
    w.postgres.sql("INSERT INTO documents SELECT 1, string_agg(md5(i::text), ' '), 1 FROM generate_series(1, 2000) i")
    w.postgres.sql("UPDATE documents SET version = 2")
    w.same("SELECT id, md5(body), version FROM {}documents")
    # The value comes with the row's old key only.
    w.postgres.sql("UPDATE documents SET id = 2, version = 3")
    w.same("SELECT id, md5(body), version FROM {}documents")
    w.postgres.sql("BEGIN; UPDATE documents SET version = 4; UPDATE documents SET id = 3; UPDATE documents SET id = 4, version = 5; COMMIT;"
                   "INSERT INTO documents SELECT 2, md5('2'), 1")
    w.same("SELECT id, md5(body), version FROM {}documents ORDER BY id")


def transactions_are_whole(w):
    """An order and its payment are written in one transaction; no query may see one without the other."""
    torn = ("SELECT count(*) FROM silver.orders o FULL JOIN silver.payments p ON p.order_id = o.id "
            "WHERE (o.id >= 500000 OR p.order_id >= 500000) AND (o.id IS NULL OR p.order_id IS NULL)")
    for i in range(60):
        key = 500000 + i
        w.postgres.sql(f"BEGIN; INSERT INTO orders VALUES ({key}, 1, 1, NULL); INSERT INTO payments VALUES ({key}, 1, 1); COMMIT")
        seen = w.sluice.sql(torn)
        assert seen == "0", f"{seen} torn transactions after {i}"
    deadline = time.monotonic() + 60
    while w.sluice.sql("SELECT count(*) FROM silver.payments WHERE order_id >= 500000") != "60":
        seen = w.sluice.sql(torn)
        assert seen == "0", f"{seen} torn transactions"
        assert time.monotonic() < deadline, "the transactions do not arrive"
    w.all_same()


def every_type(w):
    """Each column as PostgreSQL itself prints it, from the snapshot and from the log, with and without schema blocks."""
    w.postgres.sql(wide.rows(11))
    wrong = []
    for prefix, instead in (("silver.", wide.IN_SOURCE_BY_SCHEMA), ("silver.bare_", wide.IN_SOURCE)):
        w.same("SELECT id FROM {}wide ORDER BY id", prefix)
        for name, *_ in wide.COLUMNS:
            wanted = w.postgres.sql(f"SELECT id, {instead.get(name, name)} FROM wide ORDER BY id")
            seen = tried(w.sluice, f"SELECT id, {name} FROM {prefix}wide ORDER BY id")
            if seen != wanted:
                wrong.append(f"{prefix}wide.{name}: {seen!r}, wanted {wanted!r}")
    assert not wrong, "\n".join(wrong)


def tried(sluice, query):
    try:
        return sluice.sql(query)
    except RuntimeError as error:
        return str(error)


def pg_dump(w):
    w.all_same()
    dump.restores_in_postgres(w.sluice, w.postgres, w.postgres.bin, ["silver.customers", "silver.orders", "gold.by_segment"])


SHOP = """
DROP SCHEMA IF EXISTS superset_shop CASCADE; CREATE SCHEMA superset_shop;
CREATE TABLE superset_shop.orders (id bigint PRIMARY KEY, status varchar(20) NOT NULL, amount numeric(12,2), placed timestamp, vip boolean);
COMMENT ON TABLE superset_shop.orders IS 'what was bought';
INSERT INTO superset_shop.orders VALUES (1, 'paid', 10, '2026-01-05 10:15', true), (2, 'paid', 20, '2026-01-05 10:45', false),
  (3, 'sent', 50, '2026-01-05 12:00', NULL), (4, 'paid', 70, '2026-02-07 01:00', true), (5, 'new', 1000, '2026-02-01', false);
CREATE VIEW superset_shop.paid AS SELECT * FROM superset_shop.orders WHERE status = 'paid';
CREATE MATERIALIZED VIEW superset_shop.per_day AS
  SELECT date_trunc('day', placed) AS day, sum(amount) AS total FROM superset_shop.orders GROUP BY 1;
"""


def superset(w):
    """Superset itself. Its packages are 800 MB in an environment of their own: run by name only."""
    venv, requirements = WORK / "superset", (HERE / "superset.txt").read_text()
    if not stamped(venv, requirements):
        print("fetching Superset", flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", HERE / "superset.txt"],
                       check=True)
        (venv / ".complete").write_text(requirements)
    home = w.folder / "superset"
    home.mkdir()
    (home / "superset_config.py").write_text(f"""
SECRET_KEY = "a key for this test only, long enough to be taken"
SQLALCHEMY_DATABASE_URI = "sqlite:///{home}/superset.db"
WTF_CSRF_ENABLED = TALISMAN_ENABLED = RATELIMIT_ENABLED = False
CACHE_CONFIG = {{"CACHE_TYPE": "NullCache"}}
""")
    w.sluice.sql(SHOP)
    environment = {**os.environ, "SUPERSET_CONFIG_PATH": str(home / "superset_config.py"), "SUPERSET_HOME": str(home), "FLASK_APP": "superset"}
    for command in ([venv / "bin" / "superset", "db", "upgrade"], [venv / "bin" / "python", HERE / "superset_app.py", str(w.sluice.port)]):
        done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    print(done.stdout, end="")
    w.sluice.sql("DROP SCHEMA superset_shop CASCADE")


def kafka_restart(w):
    w.kafka.end()
    wait_for("the state 'waiting'", lambda: w.sluice.sql("SELECT DISTINCT state FROM sluice.sources") == "waiting", w.sluice.log)
    assert w.sluice.sql("SELECT count(*) FROM silver.customers") != "", "queries go on while the broker is away"
    w.kafka.start()
    w.postgres.sql("INSERT INTO scratch VALUES (200, 'after the restart'); UPDATE customers SET balance = 5 WHERE id = 3")
    w.all_same()
    wait_for("the state 'streaming'", lambda: w.sluice.sql("SELECT DISTINCT state FROM sluice.sources") == "streaming", w.sluice.log)


def sluice_killed(w):
    for i in range(5):
        w.postgres.sql(f"INSERT INTO scratch SELECT i, 'k' FROM generate_series({1000 + i * 100}, {1099 + i * 100}) i;"
                       f"UPDATE orders SET amount = amount + 1 WHERE id % 5 = {i}; DELETE FROM scratch WHERE id % 10 = {i};"
                       f"INSERT INTO keyless VALUES ({i}, 'k')")
        w.sluice.end(signal.SIGKILL)
        w.sluice.start()
    w.all_same()
    w.same("SELECT a, b FROM {}keyless ORDER BY 1, 2")
    for table in ("orders", "scratch", "bare_scratch", "keyless", "customers"):
        doubled = w.sluice.sql(f'SELECT count(*) - count(DISTINCT "offset"), max("offset") + 1 - count(*) FROM bronze.{table}')
        assert doubled == "0|0", f"bronze.{table}: records twice|missing: {doubled}"


def sasl_ssl(w):
    """Over TLS with a password: by SCRAM and PLAIN; what is wrong is named, and the password is not."""
    orders = '[[table]]\nname = "orders"\ntopics = ["shop.public.orders"]\n'
    wanted = w.postgres.sql(ORDERS.format(""))

    def config(mechanism, password="${file:password}", authority=w.kafka.authority):
        return f"""
[kafka.secure]
brokers = "127.0.0.1:{w.kafka.secure_port}"
tables = ["orders.toml"]
[kafka.secure.options]
"security.protocol" = "SASL_SSL"
"sasl.mechanism" = "{mechanism}"
"sasl.username" = "{w.kafka.USER}"
"sasl.password" = "{password}"
"ssl.ca.location" = "{authority}"
"""

    def instance(name, text):
        sluice = Sluice(w.folder / name, text)
        (sluice.folder / "orders.toml").write_text(orders)
        (sluice.folder / "password").write_text(w.kafka.PASSWORD)
        return sluice

    for mechanism in ("SCRAM-SHA-256", "PLAIN"):
        sluice = w.part(instance(f"secure-{mechanism}", config(mechanism)))
        said = sluice.check()
        assert said.returncode == 0 and "shop.public.orders (1 partitions)" in said.stdout, said
        sluice.start()
        wait_for(f"the orders over {mechanism}", lambda: sluice.sql(ORDERS.format("silver.")) == wanted, sluice.log)
        sluice.end()
        assert w.kafka.PASSWORD not in sluice.log.read_text() + said.stdout + said.stderr
    wrong = instance("wrong-password", config("SCRAM-SHA-256", password="a guess")).check()
    assert wrong.returncode != 0 and "uthentication" in wrong.stderr + wrong.stdout and "a guess" not in wrong.stderr + wrong.stdout, wrong
    stranger = instance("wrong-authority", config("PLAIN", authority=w.kafka.certificate("stranger"))).check()
    assert stranger.returncode != 0 and "certificate" in stranger.stderr + stranger.stdout, stranger


def psycopg(w):
    clients.psycopg_reads_and_binds(w.sluice.port, LARGE)


def pgjdbc(w):
    clients.pgjdbc_reads_and_binds(w.sluice.port, LARGE, w.jars)


def client_drivers(w):
    drivers.check_all(w.sluice.port, WORK)


def other_engines_read_the_lake(w):
    w.all_same()
    wait_for("the flush", lambda: w.sluice.sql("SELECT count(*) FROM sluice.tables WHERE unflushed_rows > 0") == "0", w.sluice.log)
    tables = w.sluice.sql("SELECT schema_name, table_name FROM sluice.tables WHERE schema_name IN ('bronze', 'silver', 'gold') ORDER BY 1, 2")
    names = [tuple(line.split("|")) for line in tables.splitlines()]
    assert len(names) > 15, names
    contents = {
        ("silver", "customers"): ("id, name, segment, balance, born, active, token", "id"),
        ("silver", "orders"): ("id, customer_id, amount, placed", "id"),
        ("silver", "payments"): ("order_id, seq, amount, _op, _lsn", "order_id, seq"),
        ("silver", "scratch"): ("id, v", "id"),
        ("silver", "large"): ("id, v", "id"),
        ("gold", "by_segment"): ("segment, orders, revenue", "segment"),
        ("bronze", "orders"): ('topic, partition, "offset"', '"offset"'),
    }
    for schema, table in names:
        path = str(w.sluice.lake / schema / table)
        columns, by = contents.get((schema, table), ("count(*) AS n", "n"))
        wanted = w.sluice.sql(f"SELECT {columns} FROM {schema}.{table} ORDER BY {by}")
        for reader, rows in (("deltalake", deltalake_rows), ("DuckDB", duckdb_rows)):
            got = text(rows(path, columns, by))
            assert got == wanted, f"{reader} reads {schema}.{table} otherwise:\n{differences(wanted, [got])}"


def lake_on_s3(w):
    """The lake in an object store: killed, recovered, read by others, and taken over by a second process."""
    store = w.part(ObjectStore(w.folder / "s3"))
    store.start()
    options = "".join(f'options.{key} = "{value}"\n' for key, value in store.options.items())
    lake = f'url = "s3://lake/db"\n{options}'
    source = f"""
[kafka.shop]
brokers = "127.0.0.1:{w.kafka.port}"
topics = ['shop.public.orders', 'shop.public.payments', 'shop.transaction']
"""
    first = w.part(Sluice(w.folder / "on-s3", source, lake))
    first.start()

    def equal(sluice):
        for query in (ORDERS, PAYMENTS):
            wait_for(f"{query} from S3", lambda: sluice.sql(query.format("silver.")) == w.postgres.sql(query.format("")), sluice.log)
    equal(first)
    first.sql("CREATE MATERIALIZED VIEW gold.totals AS SELECT customer_id, count(*) AS n, sum(amount) AS amount FROM silver.orders GROUP BY 1")
    for i in range(3):
        w.postgres.sql(f"INSERT INTO orders VALUES ({600000 + i}, 1, 1, NULL); INSERT INTO payments VALUES ({600000 + i}, 1, 1)")
        first.end(signal.SIGKILL)
        first.start()
    equal(first)
    wait_for("the flush", lambda: first.sql("SELECT durable_tick = tick FROM sluice.ticks") == "t", first.log)
    wanted = first.sql("SELECT customer_id, n, amount FROM gold.totals ORDER BY 1")
    got = text(deltalake_rows("s3://lake/db/gold/totals", "customer_id, n, amount", "customer_id", store.options))
    assert got == wanted, differences(wanted, [got])

    second = w.part(Sluice(w.folder / "on-s3-too", source, lake))
    second.start()
    added = itertools.count(600100)

    def taken_over():
        """Where both write at once, either or both may find the other's files and end, as they must; whoever is started again goes on."""
        if not second.alive():
            second.start()
        w.postgres.sql(f"INSERT INTO orders VALUES ({next(added)}, 1, 1, NULL)")
        return not first.alive() and second.alive()
    wait_for("the end of the first process", taken_over, first.log)

    def goes_on():
        """The first one's last commit may have come after the second one's start: then that one ends once more."""
        if not second.alive():
            second.start()
        return all(second.sql(query.format("silver.")) == w.postgres.sql(query.format("")) for query in (ORDERS, PAYMENTS))
    wait_for("the second process with all rows", goes_on, second.log)
    second.end()


def deltalake_rows(path, columns, by, options=None):
    import deltalake
    import pyarrow
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(path, storage_options=options))
    return pyarrow.table(query.execute(f"SELECT {columns} FROM t ORDER BY {by}")).to_pylist()


def duckdb_rows(path, columns, by):
    """DuckDB's own Delta reader comes as a package of PyPI, so that nothing is fetched behind the tool's back."""
    import duckdb
    import duckdb_extension_delta
    extension = next(Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension}'")
        cursor = connection.execute(f"SELECT {columns} FROM delta_scan('{path}') ORDER BY {by}")
        names = [d[0] for d in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def text(rows):
    """Rows as psql prints them unaligned."""
    def cell(value):
        if value is None:
            return ""
        if isinstance(value, bool):
            return "t" if value else "f"
        if hasattr(value, "hour"):
            return re.sub(r"(\.\d*?)0+$", r"\1", value.isoformat(sep=" "))
        return str(value)
    return "\n".join("|".join(cell(v) for v in row.values()) for row in rows)


def dbt(w):
    dbt_project.run(w.folder / "dbt")


CHECKS = [snapshot, insert_update_delete, key_change, schema_change, truncate, unsent_values_stay, transactions_are_whole, every_type,
          sasl_ssl, psycopg, pgjdbc, client_drivers, pg_dump, kafka_restart, sluice_killed, other_engines_read_the_lake, lake_on_s3, stores.lake_on_azurite, dbt, superset]
# What brings all that it needs itself.
ALONE = {"dbt", "lake_on_azurite"}
# What takes too long for every run.
BY_NAME = {"superset"}


def finish(passed, failed):
    print(f"real stack: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or passed == 0 else 0)


def main():
    wanted = set(sys.argv[1:])
    unknown = wanted - {c.__name__ for c in CHECKS}
    if unknown:
        sys.exit(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(c.__name__ for c in CHECKS)}")
    missing = missing_tools()
    if missing:
        print("\n".join(missing))
        finish(0, 1)
    jars = prepare()
    # A run that is told to end still ends its parts.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="sluice-real-"))
    folder.chmod(0o755)
    world = World(folder, jars)
    passed, failed = 0, 0

    def attempt(name, work):
        nonlocal passed, failed
        begun = time.monotonic()
        try:
            work()
            passed += name != "start"
            print(f"ok      {name} ({time.monotonic() - begun:.1f} s)", flush=True)
            return True
        except Exception:
            failed += 1
            print(f"FAILED  {name} ({time.monotonic() - begun:.1f} s)\n{traceback.format_exc()}", flush=True)
            return False

    try:
        if wanted and wanted <= ALONE:
            for check in CHECKS:
                if check.__name__ in wanted:
                    attempt(check.__name__, lambda: check(world))
        elif attempt("start", world.start):
            # What comes later needs the view that the snapshot's check makes.
            for check in CHECKS:
                if check.__name__ in wanted or check is snapshot or not wanted and check.__name__ not in BY_NAME:
                    attempt(check.__name__, lambda: check(world))
            attempt("no dead letters", world.no_dead_letters)
    finally:
        world.end()
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)
    if failed:
        print(f"logs are in {folder}")
    finish(passed, failed)


if __name__ == "__main__":
    main()
