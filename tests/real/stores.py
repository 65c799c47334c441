"""The lake in Azure's blob storage, as Azurite (from npm) has it: killed, paused, recovered from, taken over, and read by deltalake.

Credentials are in the environment of the process, as they are in a container.
"""

import base64
import contextlib
import datetime
import hashlib
import hmac
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from stack import ROOT, PATIENCE, Part, Sluice, connects, free_port, wait_for

WORK = ROOT / "target" / "real"
AZURITE = "azurite@3"


def same(what, seen, wanted):
    assert seen == wanted, f"{what}: {seen!r}, not {wanted!r}"


class Azurite(Part):
    """Azure's blob storage with one container, `lake`, on a disk."""

    url = "az://lake/db"
    ACCOUNT = "devstoreaccount1"
    # The emulator's own, the same everywhere.
    KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def __init__(self, folder):
        super().__init__("azurite", folder)
        self.port = free_port()
        self.environment = {
            "AZURE_STORAGE_USE_EMULATOR": "true",
            "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{self.port}",
            "AZURE_STORAGE_ACCOUNT_NAME": self.ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": self.KEY,
        }

    def start(self):
        home = WORK / "azurite"
        program = home / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
        if not program.exists():
            home.mkdir(parents=True, exist_ok=True)
            print("fetching Azurite", flush=True)
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", AZURITE], check=True, cwd=home)
        self.spawn(["node", program, "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1",
                    "--blobPort", self.port, "--location", self.folder / "data"])
        wait_for("Azurite", lambda: connects(self.port), self.log)
        wait_for("the container", self.made, self.log)

    def made(self):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": now, "x-ms-version": "2021-08-06"}
        said = "PUT" + "\n" * 12 + "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        said += f"/{self.ACCOUNT}/{self.ACCOUNT}/lake\nrestype:container"
        key = hmac.new(base64.b64decode(self.KEY), said.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {self.ACCOUNT}:{base64.b64encode(key).decode()}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{self.ACCOUNT}/lake?restype=container", method="PUT", headers=headers)
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
        return True


@contextlib.contextmanager
def environment(store):
    kept = dict(os.environ)
    os.environ.update(store.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


class InStore(Sluice):
    """Sluice with landing files and its lake in a store that the environment tells of."""

    def __init__(self, folder, store, landing):
        source = f'unflushed_limit = 2000\n[jsonl.landing]\npath = "{landing}"\nrefresh = "20ms"\n'
        super().__init__(folder, source, f'url = "{store.url}"\n')
        self.store = store

    def start(self):
        with environment(self.store):
            super().start()


def land(landing, numbers):
    landing.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"key": {"id": n % 40}, "value": {
        "op": "u", "before": None, "after": {"id": n % 40, "n": n}, "source": {"ts_ms": 1}, "ts_ms": 1}}) for n in numbers)
    with open(landing / "a.t.jsonl", "a") as file:
        file.write("".join(line + "\n" for line in lines))


def lake_in(store, w):
    store = w.part(store)
    store.start()
    landing = store.folder / "landing"
    land(landing, range(100))
    sluice = w.part(InStore(store.folder / "sluice", store, landing))
    sluice.start()

    def has(count):
        wait_for(f"{count} events", lambda: sluice.sql("SELECT count(*) FROM bronze.t") == str(count), sluice.log)
    has(100)
    sluice.sql("CREATE MATERIALIZED VIEW gold.sums AS SELECT id % 3 AS g, count(*) AS c, sum(n) AS s FROM silver.t GROUP BY 1")
    for nth in range(3):
        land(landing, range(100 + nth * 10, 110 + nth * 10))
        sluice.end(signal.SIGKILL)
        sluice.start()
    has(130)

    def durable():
        wait_for("the flush", lambda: sluice.sql("SELECT durable_tick = tick FROM sluice.ticks") == "t", sluice.log)
    durable()

    # The store does not answer: events are taken in memory up to the limit, then their source waits; nothing ends.
    os.killpg(store.process.pid, signal.SIGSTOP)
    try:
        # What is in memory is answered; bronze lies in the store.
        newest = lambda: int(sluice.sql("SELECT max(n) FROM silver.t"))
        land(landing, range(130, 1130))
        wait_for("what came meanwhile", lambda: newest() == 1129, sluice.log)
        late = "SELECT extract(epoch FROM now() - flushed_at) > 2 FROM sluice.ticks"
        wait_for("the age of what is durable", lambda: sluice.sql(late) == "t", sluice.log)
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{sluice.http}/metrics", timeout=10).read().decode()
        age = next(line for line in metrics.splitlines() if line.startswith("sluice_not_durable_seconds"))
        assert float(age.split()[1]) > 1, age
        # In pieces, or one delivery would pass the limit by itself.
        for first in range(1130, 9130, 500):
            land(landing, range(first, first + 500))
            time.sleep(0.05)
        seen = -1
        while seen != newest():
            seen = newest()
            time.sleep(1)
        assert 1129 < seen < 9129, seen
        print(f"        the store was away: {seen + 1} events taken, {9129 - seen} waited", flush=True)
    finally:
        os.killpg(store.process.pid, signal.SIGCONT)
    has(9130)
    durable()
    same("rows", sluice.sql("SELECT count(*), sum(n) FROM silver.t"), f"40|{sum(range(9090, 9130))}")

    import deltalake
    import pyarrow
    for table, columns, by in (("silver/t", "id, n", "id"), ("gold/sums", "g, c, s", "g")):
        with environment(store):
            query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(f"{store.url}/{table}"))
            rows = pyarrow.table(query.execute(f"SELECT {columns} FROM t ORDER BY {by}")).to_pylist()
        got = "\n".join("|".join(str(value) for value in row.values()) for row in rows)
        same(f"deltalake, {table}", got, sluice.sql(f"SELECT {columns} FROM {table.replace('/', '.')} ORDER BY {by}"))

    # A second process takes the lake over, and the first one ends.
    second = w.part(InStore(store.folder / "second", store, landing))
    second.start()
    numbers = iter(range(9130, 100000))

    def taken_over():
        if not second.alive():
            second.start()
        land(landing, [next(numbers)])
        return not sluice.alive() and second.alive()
    wait_for("the end of the first process", taken_over, sluice.log, PATIENCE)

    def goes_on():
        if not second.alive():
            second.start()
        landed = sum(1 for _ in open(landing / "a.t.jsonl"))
        return second.sql("SELECT count(*) FROM bronze.t") == str(landed)
    wait_for("the second process with all events", goes_on, second.log)
    second.end()
    store.end()


def lake_on_azurite(w):
    lake_in(Azurite(w.folder / "azurite"), w)
