"""The outer ring: the real stack, from PostgreSQL's log to psql, and the lake as other engines read it.

    cargo xtask real [name of a check …]

WAL → Debezium → Kafka → sluice → psql. Each check changes the source and waits until sluice gives the same answer as
PostgreSQL itself. Missing tools fail the run and say how to get them.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from stack import ROOT, Connect, Kafka, Postgres, Sluice, wait_for

HERE = Path(__file__).resolve().parent
WORK = ROOT / "target" / "real"


def prepare():
    """Kafka's and Debezium's jars, and Python's readers in an environment of their own."""
    jars = WORK / "jars"
    stamp = jars / ".complete"
    pom = (HERE / "pom.xml").read_text()
    if not stamp.exists() or stamp.read_text() != pom:
        shutil.rmtree(jars, ignore_errors=True)
        jars.mkdir(parents=True)
        if shutil.which("mvn") is None:
            sys.exit("Maven is missing: apt-get install maven")
        subprocess.run(["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies",
                        f"-DoutputDirectory={jars}"], check=True)
        stamp.write_text(pom)
    if importlib.util.find_spec("deltalake") is None or importlib.util.find_spec("duckdb") is None:
        python = WORK / "venv" / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(WORK / "venv")], check=True)
        if Path(sys.executable).resolve() == python.resolve() and sys.prefix == str(WORK / "venv"):
            sys.exit("deltalake and duckdb were installed and cannot be imported")
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "requirements.txt")], check=True)
        os.execv(python, [str(python), *sys.argv])
    return jars


TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, segment varchar(20), balance numeric(12,2), born date,
  active boolean, seen timestamptz, note jsonb, token uuid);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL, amount numeric(10,2) NOT NULL, placed timestamp);
CREATE TABLE payments (order_id bigint, seq int, amount numeric(10,2) NOT NULL, PRIMARY KEY (order_id, seq));
CREATE TABLE scratch (id int PRIMARY KEY, v text);
INSERT INTO customers SELECT i, 'customer ' || i, CASE WHEN i % 3 = 0 THEN 'gold' ELSE 'plain' END, i * 1.25, date '1970-01-01' + i,
  i % 2 = 0, timestamptz '2026-01-02 03:04:05.678901+02' + i * interval '1 hour', jsonb_build_object('i', i, 'tags', jsonb_build_array('a', i)),
  md5(i::text)::uuid FROM generate_series(1, 50) i;
INSERT INTO orders SELECT i, 1 + i % 50, i * 3.5, timestamp '2026-02-03 04:05:06.789' + i * interval '1 minute' FROM generate_series(1, 200) i;
INSERT INTO payments SELECT i, 1, i * 3.5 FROM generate_series(1, 200) i;
INSERT INTO scratch SELECT i, 'v' || i FROM generate_series(1, 10) i;
"""

CUSTOMERS = """SELECT id, name, segment, balance, born, active, seen AT TIME ZONE 'UTC', note, token FROM {}customers ORDER BY id"""
ORDERS = "SELECT id, customer_id, amount, placed FROM {}orders ORDER BY id"
PAYMENTS = "SELECT order_id, seq, amount FROM {}payments ORDER BY order_id, seq"
SCRATCH = "SELECT id, v FROM {}scratch ORDER BY id"

VIEW = """SELECT c.segment, count(*) AS orders, sum(o.amount) AS revenue FROM {0}orders o JOIN {0}customers c ON c.id = o.customer_id
GROUP BY c.segment"""


class World:
    def __init__(self, folder, jars):
        self.postgres = Postgres(folder / "postgres")
        self.kafka = Kafka(folder / "kafka", jars)
        self.jars, self.folder = jars, folder

    def start(self):
        self.postgres.start()
        self.postgres.sql(TABLES)
        self.kafka.format()
        self.kafka.start()
        self.connect = Connect(self.folder / "connect", self.jars, self.kafka, self.postgres, {"schemas": "true"})
        self.connect.start()
        self.sluice = Sluice(self.folder / "sluice", f"""
[kafka.shop]
brokers = "127.0.0.1:{self.kafka.port}"
topics = ['^shop\\..*']
refresh = "500ms"
""")
        self.sluice.start()
        self.same(CUSTOMERS)
        wait_for("the view", lambda: self.sluice.sql(
            "CREATE MATERIALIZED VIEW gold.by_segment AS " + VIEW.format("silver.")) is not None, self.sluice.log)

    def end(self):
        for part in ("sluice", "connect", "kafka", "postgres"):
            if hasattr(self, part):
                getattr(self, part).end(signal.SIGINT if part == "postgres" else signal.SIGTERM)

    def same(self, query):
        """Waits until sluice answers as PostgreSQL does."""
        wanted = self.postgres.sql(query.format(""))
        wait_for(f"{query}\nwanted:\n{wanted[:600]}\n", lambda: self.sluice.sql(query.format("silver.")) == wanted,
                 self.sluice.log)

    def all_same(self):
        for query in (CUSTOMERS, ORDERS, PAYMENTS, SCRATCH):
            self.same(query)
        wanted = self.postgres.sql(VIEW.format("") + " ORDER BY 1")
        wait_for(f"gold.by_segment, wanted {wanted}",
                 lambda: self.sluice.sql("SELECT * FROM gold.by_segment ORDER BY 1") == wanted, self.sluice.log)


def snapshot(w):
    w.all_same()


def insert_update_delete(w):
    w.postgres.sql("INSERT INTO customers (id, name, balance) VALUES (1001, 'Zoë ''quote'' \\ 東京', -0.01), (1002, '', NULL)")
    w.postgres.sql("UPDATE customers SET balance = balance + 1, seen = '0001-01-01 00:00:00+00' WHERE id < 10")
    w.postgres.sql("DELETE FROM customers WHERE id = 1002; DELETE FROM payments WHERE order_id % 7 = 0")
    w.all_same()


def key_change(w):
    w.postgres.sql("UPDATE orders SET id = id + 100000 WHERE id <= 5; UPDATE payments SET seq = 2 WHERE order_id = 11")
    w.all_same()


def schema_change(w):
    w.postgres.sql("ALTER TABLE scratch ADD COLUMN added int DEFAULT 7; INSERT INTO scratch VALUES (100, 'new', 42)")
    wanted = "100|new|42"
    wait_for("the added column", lambda: w.sluice.sql("SELECT id, v, added FROM silver.scratch WHERE id = 100") == wanted,
             w.sluice.log)
    w.postgres.sql("ALTER TABLE scratch DROP COLUMN added; INSERT INTO scratch VALUES (101, 'after the drop')")
    w.all_same()


def truncate(w):
    w.postgres.sql("TRUNCATE scratch; INSERT INTO scratch VALUES (7, 'only')")
    w.all_same()


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


def kafka_restart(w):
    w.kafka.end()
    wait_for("the state 'waiting'", lambda: w.sluice.sql("SELECT state FROM sluice.sources") == "waiting", w.sluice.log)
    assert w.sluice.sql("SELECT count(*) FROM silver.customers") != "", "queries go on while the broker is away"
    w.kafka.start()
    w.postgres.sql("INSERT INTO scratch VALUES (200, 'after the restart')")
    w.all_same()


def sluice_killed(w):
    for i in range(5):
        w.postgres.sql(f"INSERT INTO scratch SELECT i, 'k' FROM generate_series({1000 + i * 100}, {1099 + i * 100}) i;"
                       f"UPDATE orders SET amount = amount + 1 WHERE id % 5 = {i}; DELETE FROM scratch WHERE id % 10 = {i}")
        w.sluice.end(signal.SIGKILL)
        w.sluice.start()
    w.all_same()
    doubled = w.sluice.sql('SELECT count(*) - count(DISTINCT (topic, partition, "offset")) FROM bronze.orders')
    assert doubled == "0", f"{doubled} records are in bronze twice"


def other_engines_read_the_lake(w):
    import deltalake
    import duckdb
    w.all_same()
    wait_for("the flush", lambda: w.sluice.sql("SELECT count(*) FROM sluice.tables WHERE unflushed_rows > 0") == "0",
             w.sluice.log)
    for schema, table, query in (("silver", "orders", ORDERS), ("silver", "payments", PAYMENTS), ("silver", "scratch", SCRATCH)):
        path = str(w.sluice.lake / schema / table)
        wanted = w.postgres.sql(query.format(""))
        columns = query.split("FROM")[0].removeprefix("SELECT ").strip()
        by = query.split("ORDER BY")[1]
        rows = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(path)).execute(
            f"SELECT {columns} FROM t ORDER BY {by}")
        import pyarrow
        got = pyarrow.table(rows.read_all() if hasattr(rows, "read_all") else rows).to_pylist()
        assert text(got) == wanted, f"deltalake reads {table} otherwise:\n{text(got)[:500]}\nwanted:\n{wanted[:500]}"
        connection = duckdb.connect()
        got = duckdb_rows(connection, path, columns, by)
        assert text(got) == wanted, f"DuckDB reads {table} otherwise:\n{text(got)[:500]}\nwanted:\n{wanted[:500]}"


def duckdb_rows(connection, path, columns, by):
    """DuckDB's own Delta reader comes as a package of PyPI."""
    import duckdb_extension_delta
    extension = next(Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension*"))
    connection.execute(f"LOAD '{extension}'")
    cursor = connection.execute(f"SELECT {columns} FROM delta_scan('{path}') ORDER BY {by}")
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def text(rows):
    """Rows as psql prints them unaligned."""
    def cell(value):
        if value is None:
            return ""
        if hasattr(value, "isoformat"):
            return value.isoformat(sep=" ").removesuffix("000") if hasattr(value, "hour") else value.isoformat()
        return str(value)
    return "\n".join("|".join(cell(v) for v in row.values()) for row in rows)


CHECKS = [snapshot, insert_update_delete, key_change, schema_change, truncate, transactions_are_whole, kafka_restart,
          sluice_killed, other_engines_read_the_lake]


def main():
    jars = prepare()
    wanted = set(sys.argv[1:])
    unknown = wanted - {c.__name__ for c in CHECKS}
    if unknown:
        sys.exit(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(c.__name__ for c in CHECKS)}")
    folder = Path(tempfile.mkdtemp(prefix="sluice-real-"))
    folder.chmod(0o755)
    world = World(folder, jars)
    passed, failed = 0, 0
    try:
        world.start()
        for check in CHECKS:
            if wanted and check.__name__ not in wanted:
                continue
            begun = time.monotonic()
            try:
                check(world)
                passed += 1
                print(f"ok      {check.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
            except Exception:
                failed += 1
                print(f"FAILED  {check.__name__}\n{traceback.format_exc()}", flush=True)
    finally:
        world.end()
    if failed:
        print(f"logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"real stack: {passed} passed, {failed} failed")
    sys.exit(1 if failed or passed == 0 else 0)


if __name__ == "__main__":
    main()
