"""psycopg and pgjdbc against a running sluice: parameters, types, large results, catalog."""

import datetime
import decimal
import shutil
import subprocess
import uuid
from pathlib import Path

UTC = datetime.timezone.utc


def same(what, seen, wanted):
    assert seen == wanted and type(seen) is type(wanted), f"{what}: {seen!r}, wanted {wanted!r}"


def psycopg_reads_and_binds(port, rows):
    """`rows`: how many `silver.large` has, with id from 1 and v = 'v' || id."""
    import psycopg
    from psycopg.types.json import Jsonb

    values = [True, 7, -(2**40), 1.5, decimal.Decimal("12.340"), "Zoë 'x' \\", b"\x00\xff", datetime.date(2026, 2, 28),
              datetime.time(1, 2, 3, 4), datetime.datetime(2026, 2, 28, 1, 2, 3, 4),
              datetime.datetime(2026, 2, 28, 1, 2, 3, 4, tzinfo=UTC), datetime.timedelta(days=3, seconds=5, microseconds=7),
              uuid.UUID(int=5), [1, 2, None], ["a", None, 'b"c'], None]
    types = ["bool", "int4", "int8", "float8", "numeric", "text", "bytea", "date", "time", "timestamp", "timestamptz", "interval",
             "uuid", "int4[]", "text[]", "text"]
    with psycopg.connect(f"host=127.0.0.1 port={port} user=sluice dbname=sluice", autocommit=True) as connection:
        connection.prepare_threshold = 0
        connection.execute("SET TimeZone = 'UTC'")
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            for value, name in zip(values, types):
                for form in ("%s", "%b", "%t"):
                    seen = cursor.execute(f"SELECT {form}::{name}", [value]).fetchone()[0]
                    same(f"{name}, parameter {form}, result binary={binary}", seen, value)
            seen = cursor.execute("SELECT %s::jsonb", [Jsonb({"a": [1, "é", None]})]).fetchone()[0]
            same("jsonb", seen, {"a": [1, "é", None]})
            seen = cursor.execute("SELECT v FROM silver.large WHERE id = ANY(%s) ORDER BY id", [[3, 5, -1]]).fetchall()
            same("= ANY(parameter)", seen, [("v3",), ("v5",)])
            seen = cursor.execute("SELECT count(*), min(id), max(id) FROM silver.large WHERE id > %s AND v LIKE %s",
                                  [10, "v%"]).fetchone()
            same("two parameters", seen, (rows - 10, 11, rows))
        with connection.transaction(), connection.cursor(name="streamed") as cursor:
            cursor.itersize = 1000
            cursor.execute("SELECT id, v FROM silver.large ORDER BY id")
            for expected, row in enumerate(cursor, 1):
                same("server-side cursor", row, (expected, f"v{expected}"))
            same("rows of the cursor", expected, rows)
        with connection.cursor() as cursor, cursor.copy("COPY (SELECT id, v FROM silver.large WHERE id <= 3 ORDER BY id) TO STDOUT") as copy:
            same("COPY", b"".join(bytes(part) for part in copy), b"1\tv1\n2\tv2\n3\tv3\n")
        try:
            connection.execute("SELECT 1 / %s", [0])
            raise AssertionError("1 / 0 gave a row")
        except psycopg.errors.DivisionByZero:
            pass
        same("after an error", connection.execute("SELECT 1").fetchone(), (1,))


def pgjdbc_reads_and_binds(port, rows, jars):
    if shutil.which("java") is None:
        raise AssertionError("Java is missing: apt-get install openjdk-17-jdk-headless")
    driver = next(Path(jars).glob("postgresql-*.jar"))
    program = Path(__file__).resolve().parent / "Jdbc.java"
    done = subprocess.run(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", str(driver), str(program),
                           f"jdbc:postgresql://127.0.0.1:{port}/sluice?user=sluice", str(rows)],
                          capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"pgjdbc:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
