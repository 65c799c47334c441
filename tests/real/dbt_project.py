"""dbt-postgres as it comes from PyPI, over the parts that `sluice demo` makes: the project in sql/dbt. Then the rest of dbt, over tables that this
check writes itself: the project beside it (tests/real/dbt).

A check of `cargo xtask real`; alone: `cargo xtask real dbt`, which starts neither Kafka nor PostgreSQL.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stack import ROOT, Part, free_port, psql, wait_for

PROJECT = ROOT / "sql" / "dbt"
FEATURES = ROOT / "tests" / "real" / "dbt"


class Demo(Part):
    """`sluice demo --workload products`, slow enough that dbt's own tests see rows that stay what they were."""

    def __init__(self, folder):
        super().__init__("demo", folder)
        self.port, self.http = free_port(), free_port()
        profile = "release" if os.environ.get("SLUICE_TEST_RELEASE") else "debug"
        self.binary = ROOT / "target" / profile / "sluice"
        if not self.binary.exists():
            raise AssertionError(f"{self.binary} is missing: cargo build --bin sluice")

    def start(self):
        self.spawn([self.binary, "demo", "--workload", "products", "--rows", "200", "--rate", "2",
                    "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}"])
        wait_for("the demo's rows", lambda: int(self.sql("SELECT count(*) FROM silver.product_availability")) >= 400, self.log)

    def sql(self, text):
        return psql(self.port, text, "sluice", "sluice")


def run(folder):
    """Every dbt command that a project uses, on a first and a second run."""
    project = folder / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    demo = Demo(folder / "demo")
    try:
        demo.start()
        steps(demo, project)
        rest = folder / "features"
        shutil.copytree(FEATURES, rest, ignore=shutil.ignore_patterns("target", "logs"))
        features(demo, rest)
    finally:
        demo.end()


def commands(demo, project):
    """A function that runs a dbt command in the project and gives what it said."""
    def dbt(*command, fails=False):
        environment = dict(os.environ, SLUICE_PORT=str(demo.port), DBT_SEND_ANONYMOUS_USAGE_STATS="false")
        tool = Path(sys.executable).parent / "dbt"
        done = subprocess.run([tool, "--no-use-colors", *command, "--profiles-dir", "."],
                              cwd=project, env=environment, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, f"dbt {' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout
    return dbt


def steps(demo, project):
    dbt = commands(demo, project)
    dbt("debug")
    dbt("seed")
    dbt("run", "--threads", "4")
    dbt("test")
    dbt("snapshot")
    dbt("source", "freshness")
    dbt("docs", "generate")
    catalog = json.loads((project / "target" / "catalog.json").read_text())["nodes"]
    product = catalog["model.parts.dim_product"]
    assert product["metadata"]["comment"].startswith("One row for each product"), product["metadata"]
    assert product["columns"]["original_numbers"]["type"] == "text[]", product["columns"]
    before = int(demo.sql("SELECT count(*) FROM parts.price_events"))
    wait_for("more prices", lambda: int(demo.sql("SELECT count(*) FROM bronze.product")) > before + 2, demo.log)
    # Everything once more, over what is there: incremental models add, tables are swapped, snapshots close rows.
    dbt("build", "--threads", "4")
    after = int(demo.sql("SELECT count(*) FROM parts.price_events"))
    assert after > before, f"the incremental model stayed at {after} rows"
    closed = int(demo.sql("SELECT count(*) FROM parts.product_prices WHERE dbt_valid_to IS NOT NULL"))
    assert closed > 0, "no snapshot row was closed"
    dbt("run", "--full-refresh", "--select", "history", "marts")
    assert "live" in demo.sql("SELECT state FROM sluice.views WHERE view_name = 'live_dim_product'")
    # An index keeps the name that it got with its table, in PostgreSQL too.
    left = demo.sql("SELECT relname, relkind FROM pg_class WHERE relname ~ '__dbt_(tmp|backup)' AND relkind <> 'i'")
    assert left == "", f"dbt left relations behind: {left}"
    (project / "tests" / "fails.sql").write_text("SELECT product_id FROM {{ ref('dim_product') }}")
    dbt("test", "--select", "fails", fails=True)


RAW = """
CREATE ROLE reporter;
CREATE ROLE reader;
CREATE SCHEMA raw;
CREATE TABLE raw.customers (id int, name text, balance numeric(12, 2), tags text[], updated_at timestamp);
INSERT INTO raw.customers VALUES
    (1, 'Ada', 10.50, '{a,b}', now()::timestamp - interval '3 days'),
    (2, 'Bob', -2, NULL, now()::timestamp - interval '2 days'),
    (3, 'Cid', NULL, '{}', now()::timestamp - interval '1 day');
CREATE TABLE raw.events (id bigint, customer_id int, status text, amount numeric(12, 2), at timestamptz);
INSERT INTO raw.events
SELECT i, 1 + i % 3, CASE WHEN i % 2 = 0 THEN 'paid' ELSE 'open' END, i * 1.5, now() - i * interval '7 hours'
FROM generate_series(1, 12) AS i;
CREATE TABLE raw.old_events AS SELECT id, now() - interval '3 days' AS at FROM raw.events;
"""

CHANGES = """
INSERT INTO raw.events VALUES (100, 1, 'paid', 3, now());
UPDATE raw.events SET status = 'paid', amount = 99, at = now() WHERE id = 3;
UPDATE raw.customers SET balance = 77, updated_at = now() WHERE id = 2;
"""


def features(demo, project):
    """What sql/dbt does not use, each with what must be there afterwards."""
    dbt = commands(demo, project)

    def check(sql, wanted):
        found = demo.sql(sql)
        assert found == wanted, f"{sql}\nfound:  {found!r}\nwanted: {wanted!r}"

    demo.sql(RAW)
    dbt("build", "--threads", "4")
    # Hooks, within and outside of transactions, and those of the run.
    check("SELECT string_agg(step || ' ' || n, ', ' ORDER BY step) FROM (SELECT step, count(*) AS n FROM features_audit WHERE step !~ 'results' GROUP BY step) x",
          "after customers 1, before customers 1, end 1, outside before customers 1, start 1")
    # Contracts: keys, checks and foreign keys are the server's own.
    check("SELECT string_agg(contype::text, '' ORDER BY contype) FROM pg_constraint WHERE conrelid = 'features.customers'::regclass", "cpu")
    check("SELECT count(*) FROM pg_constraint WHERE conrelid = 'features.orders'::regclass AND contype = 'f' AND confrelid = 'features.customers'::regclass", "1")
    check("SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'features' AND table_name = 'customers'",
          "id integer, name text, balance numeric, tags ARRAY, at timestamp without time zone")
    # persist_docs, of relations and columns.
    check("SELECT obj_description('features.customers'::regclass)", "One row for each customer; it's the contract that counts.")
    check("SELECT obj_description('features.totals'::regclass) || ' ' || col_description('features.customers'::regclass, 1)", "Live. The customer's number.")
    # Grants on tables, views and materialized views.
    granted = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'features' AND relkind IN ('r', 'v', 'm') AND has_table_privilege('{}', c.oid, 'SELECT')"
    check(granted.format("reporter"), "changing customers events_by_day orders rich totals")
    check("SELECT count(*) FROM features_scratch.notes WHERE question ~ '[?]$'", "3")
    check("SELECT population || ' ' || \"Founded On\" FROM features.countries WHERE code = 'PL'", "38000000 966-04-14")
    check("SELECT count(*) FROM features.events_by_day", "12")
    live = "SELECT count(*) FROM (SELECT * FROM features.totals EXCEPT SELECT customer_id, sum(amount), count(*) FROM features.orders WHERE status = 'paid' GROUP BY 1) x"
    check(live, "0")

    dbt("source", "freshness", fails=True)
    states = json.loads((project / "target" / "sources.json").read_text())["results"]
    states = {state["unique_id"].rsplit(".", 1)[1]: state["status"] for state in states}
    assert states == {"events": "warn", "old_events": "error"}, states

    dbt("compile")
    shutil.copytree(project / "target", project / "state")
    dbt("run-operation", "keep_totals", "--args", "{name: kept}")
    check("SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM features.kept", "open 6, paid 6")
    dbt("clone", "--state", "state", "--target", "copy")
    check("SELECT (SELECT count(*) FROM features_copy.orders) || ' ' || (SELECT count(*) FROM features_copy.totals)", "12 3")

    # Another run over changed sources: merged but for `at`, snapshots closed and opened, materialized views already there.
    demo.sql(CHANGES)
    dbt("build")
    check("SELECT status || ' ' || amount || ' ' || (at < now() - interval '1 hour') FROM features.orders WHERE id = 3", "paid 99.00 true")
    check("SELECT count(*) FROM features.orders", "13")
    check(live, "0")
    check("SELECT string_agg(balance::text || CASE WHEN dbt_valid_to < '9999-01-01' THEN '-' ELSE '+' END, ' ' ORDER BY dbt_valid_from) FROM features.customers_by_time WHERE id = 2", "-2.00- 77.00+")
    check("SELECT string_agg(balance::text || CASE WHEN valid_to IS NULL THEN '+' ELSE '-' END, ' ' ORDER BY valid_from) FROM features.customers_by_value WHERE id = 2", "-2.00- 77.00+")
    demo.sql("DELETE FROM raw.events WHERE customer_id = 3; DELETE FROM raw.customers WHERE id = 3")
    dbt("snapshot")
    check("SELECT string_agg(dbt_is_deleted, ' ' ORDER BY dbt_valid_from) FROM features.customers_by_time WHERE id = 3", "False True")
    check("SELECT count(*) FROM features.customers_by_value WHERE id = 3 AND valid_to IS NULL", "0")

    # A full refresh with other grants and another index.
    dbt("build", "--full-refresh", "--vars", "{reader: reader, indexed: amount}")
    check(granted.format("reader"), "changing customers events_by_day orders rich totals")
    check(granted.format("reporter"), "")
    check("SELECT count(*) FROM features.orders WHERE customer_id = 3", "0")
    # Columns that come, go and change their type.
    dbt("run", "--select", "changing", "--vars", "{wider: true}")
    check("SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY column_name) FROM information_schema.columns WHERE table_schema = 'features' AND table_name = 'changing'",
          "balance text, id integer, kind text, seen timestamp with time zone")

    # A row that the contract does not take leaves the table as it was; what failed is run again when it is mended.
    demo.sql("INSERT INTO raw.customers VALUES (4, '', 1, NULL, now())")
    said = dbt("run", "--select", "customers", fails=True)
    assert 'violates check constraint' in said, said
    check("SELECT count(*) FROM features.customers", "2")
    demo.sql("UPDATE raw.customers SET name = 'Dee' WHERE id = 4")
    dbt("retry")
    check("SELECT count(*) FROM features.customers", "3")
    # A model that is not what its contract says is not built.
    model = project / "models" / "customers.sql"
    text = model.read_text()
    model.write_text(text.replace("balance, tags", "balance::text AS balance, tags"))
    assert "enforced contract that failed" in dbt("run", "--select", "customers", fails=True)
    model.write_text(text)
    # A test that fails, with the rows that it failed over.
    demo.sql("UPDATE features.orders SET amount = -1 WHERE id = 1")
    (project / "tests" / "amounts_are_positive.sql").write_text(
        "{{ config(store_failures=true) }} SELECT id, amount FROM {{ ref('orders') }} WHERE amount <= 0")
    dbt("test", "--select", "amounts_are_positive", fails=True)
    check("SELECT id || ' ' || amount FROM features_dbt_test__audit.amounts_are_positive", "1 -1.00")
    dbt("run", "--empty", "--select", "scratch")
    check("SELECT count(*) FROM features_scratch.notes", "0")
