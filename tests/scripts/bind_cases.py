"""Asks a running PostgreSQL, through psql, for the columns, rows or error of every statement in src/bind/cases/*.sql and
writes them beside it as .txt. The tables of tables.txt are made as temporary tables.

    python3 tests/scripts/bind_cases.py "host=127.0.0.1 port=5432 user=postgres"
"""
import pathlib
import subprocess
import sys

folder = pathlib.Path(__file__).parents[2] / "src/bind/cases"
setup = ["\\set QUIET on", "\\pset format unaligned", "\\pset tuples_only on", "\\pset null '\\\\N'", "SET timezone = 'UTC';"]
lines = iter((folder / "tables.txt").read_text().splitlines())
for line in lines:
    if line.startswith("table "):
        _, table, _, key = line.split()
        columns = next(lines).split("|")
        primary = f", PRIMARY KEY ({columns[0].split()[0]})" if key == "1" else ""
        setup.append(f"CREATE TEMP TABLE {table} ({', '.join(columns)}{primary});")
        continue
    cells = ["NULL" if c == "\\N" else f"'{c}'" for c in line.split("|")]
    setup.append(f"INSERT INTO {table} VALUES ({', '.join(cells)});")

for source in sorted(folder.glob("*.sql")):
    script, statements = list(setup), []
    for statement in source.read_text().splitlines():
        if not statement.strip() or statement.startswith("--"):
            continue
        statements.append(statement)
        script += ["\\echo @case", f"{statement} \\gdesc", "\\echo @rows", f"{statement};"]
        script.append("\\echo @state :SQLSTATE :LAST_ERROR_MESSAGE")
    run = subprocess.run(["psql", "-X", sys.argv[1]], input="\n".join(script), text=True, capture_output=True)
    out = []
    for statement, answer in zip(statements, run.stdout.split("@case\n")[1:]):
        description, rest = answer.split("@rows\n")
        rows, state = rest.rsplit("@state ", 1)
        out.append(f"> {statement}")
        code, _, message = state.partition(" ")
        if code != "00000":
            out.append(f"! {code} {message.strip()}")
            continue
        columns = [line.rsplit("|", 1) for line in description.splitlines()]
        out.append("= " + ", ".join(f"{name}:{ty.split('(')[0]}" for name, ty in columns))
        out += [f"| {row}" for row in rows.splitlines()]
    source.with_suffix(".txt").write_text("\n".join(out) + "\n")
