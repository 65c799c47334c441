"""What the lake costs, through the binary's own face; needs psql. `cargo xtask bench lake [--rows N] [--flushes N] [--no-fsync]`.

flush     10,000 of a table's rows are changed, a transaction each time; the time is that of its COMMIT, which is a tick
          and a flush, for a small table and a large one
flushes   many flushes of ten rows each, as a day has seconds: how long the start takes then, and how fast the table is
          scanned in the lake, against the same table when it has just been compacted
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Behind each answer.
END = "end-of-answer"


class Server:
    def __init__(self, folder, fsync, binary):
        self.folder, self.binary = Path(folder), binary
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "landing").mkdir(exist_ok=True)
        (self.folder / "sluice.toml").write_text(
            'listen = "127.0.0.1:0"\nhttp = "127.0.0.1:0"\n[lake]\nurl = "lake"\nflush_interval = "5ms"\n'
            + ("" if fsync else "fsync = false\n") + '[jsonl.none]\npath = "landing"\n')

    def start(self):
        """Seconds until it listens."""
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "serve", "--config", self.folder / "sluice.toml"], stdout=subprocess.PIPE, text=True,
            stderr=open(self.folder / "log", "a"))
        for line in self.process.stdout:
            if found := re.match(r"listening: postgresql on .*:(\d+)", line):
                took = time.monotonic() - begun
                self.port = int(found.group(1))
                break
        else:
            sys.exit("sluice did not start: " + (self.folder / "log").read_text())
        self.psql = subprocess.Popen(
            ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "sluice", "sluice"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return took

    def ask(self, sql):
        self.psql.stdin.write(f"{sql};\n\\echo {END}\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line == f"{END}\n":
                return "".join(lines).rstrip("\n")
            lines.append(line)
        sys.exit(f"psql has ended at: {sql}")

    def end(self, how=signal.SIGINT):
        self.psql.stdin.close()
        self.psql.wait()
        self.process.send_signal(how)
        self.process.wait()


def timed(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def fill(server, table, rows):
    server.ask(f"CREATE TABLE {table} (id int8 PRIMARY KEY, v int8, name text)")
    step = 1_000_000
    for first in range(0, rows, step):
        last = min(first + step, rows) - 1
        server.ask(f"INSERT INTO {table} SELECT i, i, 'name ' || i FROM generate_series({first}, {last}) i")


def flushes_of_changes(server, rows, changed=10_000, times=9):
    table = f"t{rows}"
    fill(server, table, rows)
    took = []
    for nth in range(times):
        # Spread over all of the table, and in every file of it.
        every = rows // changed
        server.ask(f"BEGIN; UPDATE {table} SET v = v + 1 WHERE id % {every} = {nth % every}")
        took.append(timed(lambda: server.ask("COMMIT")) * 1000)
    print(f"COMMIT of {changed} changed rows, table of {rows:>10}: median {statistics.median(took):6.1f} ms"
          f"  ({', '.join(f'{t:.1f}' for t in took)})", flush=True)
    return statistics.median(took)


def scan(server, table):
    """Rows a second that the lake's files give."""
    tick = server.ask("SELECT durable_tick FROM sluice.ticks")
    rows = int(server.ask(f"SELECT count(*) FROM {table}"))
    query = f"SELECT sum(v), max(name) FROM sluice.table_at('{table}', {tick})"
    server.ask(query)
    return rows / statistics.median(timed(lambda: server.ask(query)) for _ in range(5))


def many_flushes(server, rows, flushes):
    fill(server, "many", rows)
    begun = time.monotonic()
    for nth in range(flushes):
        keys = ",".join(str((nth * 7919 + i * 104_729) % rows) for i in range(10))
        server.ask(f"UPDATE many SET v = v + 1 WHERE id IN ({keys})")
    spent = time.monotonic() - begun
    print(f"{flushes} flushes of 10 rows in {spent:.0f} s, {spent / flushes * 1000:.2f} ms each", flush=True)
    files = server.ask("SELECT count(*), sum(bytes), sum(dead_rows) FROM sluice.lake_files WHERE table_name = 'many'")
    server.end(signal.SIGKILL)
    print(f"start after them, from a kill: {server.start():.2f} s; files, bytes, dead rows: {files}", flush=True)
    before = scan(server, "many")
    server.ask("VACUUM FULL many")
    after = scan(server, "many")
    print(f"scan of the lake: {before / 1e6:.2f}M rows/s, compacted {after / 1e6:.2f}M rows/s: {before / after:.0%}", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--flushes", type=int, default=86_400)
    arguments.add_argument("--no-fsync", action="store_true")
    arguments.add_argument("--binary", default=str(ROOT / "target/release/sluice"))
    arguments.add_argument("--only", choices=["flush", "flushes"])
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=os.environ.get("SLUICE_BENCH_FOLDER")))
    try:
        if given.only != "flushes":
            server = Server(folder / "flush", not given.no_fsync, given.binary)
            server.start()
            small = flushes_of_changes(server, min(100_000, given.rows))
            large = flushes_of_changes(server, given.rows)
            print(f"the large one takes {large / small:.2f} × the small one", flush=True)
            server.end()
        if given.only != "flush":
            server = Server(folder / "flushes", not given.no_fsync, given.binary)
            server.start()
            many_flushes(server, 1_000_000, given.flushes)
            server.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
