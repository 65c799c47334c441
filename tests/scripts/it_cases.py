#!/usr/bin/env python3
"""Asks a running PostgreSQL 15 for the answers to the statements in tests/it/cases/*.sql and writes them below each.

    tests/scripts/it_cases.py 127.0.0.1:5432:postgres [file …]

Below a statement stand the columns (name:type, with the modifier where there is one) and the rows, ∅ for NULL; or the
error with its position, detail and hint. Statements end with a semicolon at the end of a line.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from conformance import Wire, address


def escaped(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def answer(wire, names, sql):
    columns, rows, error = wire.ask(sql)
    lines = []
    if columns is not None:
        shown = [f"{n}:{names[t]}" + (f"({m})" if m != -1 else "") for (n, t), m in zip(columns, wire.modifiers)]
        lines.append(" | ".join(shown))
        lines += [" | ".join("∅" if cell is None else escaped(cell) for cell in row) for row in rows]
    elif not error:
        lines.append(wire.tag)
    if error:
        lines = []
        notes = wire.notes
        lines.append(f"ERROR {error[0]} @{notes.get(b'P', '')} {escaped(error[1])}")
        lines += [f"{word} {escaped(notes[key])}" for key, word in ((b"D", "DETAIL"), (b"H", "HINT")) if key in notes]
    return lines


def main():
    server, user = address(sys.argv[1])
    folder = pathlib.Path(__file__).resolve().parents[1] / "it/cases"
    files = [folder / f"{name}.sql" for name in sys.argv[2:]] or sorted(folder.glob("*.sql"))
    for path in files:
        wire = Wire(server, user, "postgres")
        wire.ask("SET TimeZone TO 'UTC'")
        _, rows, _ = wire.ask("SELECT oid, typname FROM pg_type")
        names = {int(oid): name for oid, name in rows}
        out, statement = [], []
        for line in path.read_text().splitlines():
            if line.startswith("--") or not line:
                continue
            statement.append(line)
            if line.endswith(";"):
                sql = "\n".join(statement)
                out += [sql] + [f"-- {a}".rstrip() for a in answer(wire, names, sql)] + [""]
                statement = []
        path.write_text("\n".join(out))


if __name__ == "__main__":
    main()
