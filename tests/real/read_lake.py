"""Prints the rows of a lake table, sorted, as an independent reader sees them: one JSON array a line.

    python3 read_lake.py <lake folder> <schema.table> [deltalake|polars|duckdb] [version]

Needs `pip install deltalake polars duckdb duckdb-extension-delta` (only the reader that is asked for). The readers must
agree with each other and with what SQL says over the wire.
"""

import datetime
import decimal
import json
import sys
from pathlib import Path


def rows_of(frame):
    """A polars frame as rows; dates and times as numbers, because Python cannot hold those that stand for infinity."""
    import polars

    types = frame.schema
    frame = frame.with_columns(
        polars.col(name).cast(polars.Int64) for name, kind in types.items() if kind.is_temporal()
    )
    kinds = ["date" if kind == polars.Date else "timestamp" if kind.is_temporal() else None for kind in types.values()]
    return frame.columns, [[moment(*pair) for pair in zip(kinds, row)] for row in frame.rows()]


def moment(kind, value):
    """Days or microseconds since 1970 as ISO text; what is outside of Python's calendar is named infinity."""
    if kind is None or value is None:
        return value
    start = datetime.datetime(1970, 1, 1)
    try:
        step = datetime.timedelta(days=value) if kind == "date" else datetime.timedelta(microseconds=value)
        return (start + step).date().isoformat() if kind == "date" else (start + step).isoformat()
    except OverflowError:
        return "infinity" if value > 0 else "-infinity"


def read(reader, path, version):
    if reader == "deltalake":
        import polars
        from deltalake import DeltaTable, QueryBuilder

        # Not to_pyarrow_*: it refuses deletion vectors. QueryBuilder applies them.
        table = DeltaTable(path, version=version)
        return rows_of(polars.DataFrame(QueryBuilder().register("t", table).execute("SELECT * FROM t")))
    if reader == "polars":
        import polars

        return rows_of(polars.scan_delta(path, version=version).collect())
    import duckdb
    import duckdb_extension_delta

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    extensions = list(Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension*"))
    connection.execute(f"LOAD '{extensions[0]}'" if extensions else "LOAD delta")
    at = "" if version is None else f", version => {version}"
    scan = f"delta_scan('{path}'{at})"
    columns = [(row[0], row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()]
    kinds = ["date" if kind == "DATE" else "timestamp" if kind.startswith("TIMESTAMP") else None for _, kind in columns]
    # DuckDB's own infinities are not those of PostgreSQL's storage: numbers tell them all.
    wanted = [
        f"datediff('day', DATE '1970-01-01', \"{name}\")" if kind == "date"
        else f"epoch_us(\"{name}\")" if kind == "timestamp"
        else f'"{name}"'
        for kind, (name, _) in zip(kinds, columns)
    ]
    wanted = [
        f"CASE WHEN isinf(\"{name}\") THEN CASE WHEN \"{name}\" > '2000-01-01' THEN 9223372036854775807 "
        f"ELSE -9223372036854775807 END ELSE {expression} END" if kind else expression
        for kind, (name, _), expression in zip(kinds, columns, wanted)
    ]
    rows = connection.execute(f"SELECT {', '.join(wanted)} FROM {scan}").fetchall()
    return [name for name, _ in columns], [[moment(*pair) for pair in zip(kinds, row)] for row in rows]


def plain(value):
    """A value as JSON that is the same whichever reader it came from."""
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    return value


def main():
    lake, name = sys.argv[1], sys.argv[2]
    reader = sys.argv[3] if len(sys.argv) > 3 else "duckdb"
    version = int(sys.argv[4]) if len(sys.argv) > 4 else None
    if version is None:
        # What counts is what the newest manifest names.
        manifests = sorted(Path(lake, "_sluice", "manifests").glob("*.json"))
        tables = json.loads(manifests[-1].read_text())["tables"] if manifests else {}
        version = tables.get(name, {}).get("version")
    schema, table = name.split(".", 1)
    columns, rows = read(reader, str(Path(lake, schema, table).resolve()), version)
    print(json.dumps(columns))
    for line in sorted(json.dumps([plain(value) for value in row], ensure_ascii=False) for row in rows):
        print(line)


if __name__ == "__main__":
    main()
