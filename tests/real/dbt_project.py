"""dbt-postgres as it comes from PyPI, over the parts that `sluice demo` makes: the project in sql/dbt.

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
    finally:
        demo.end()


def steps(demo, project):
    def dbt(*command, fails=False):
        environment = dict(os.environ, SLUICE_PORT=str(demo.port), DBT_SEND_ANONYMOUS_USAGE_STATS="false")
        tool = Path(sys.executable).parent / "dbt"
        done = subprocess.run([tool, "--no-use-colors", *command, "--profiles-dir", "."],
                              cwd=project, env=environment, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, f"dbt {' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

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
