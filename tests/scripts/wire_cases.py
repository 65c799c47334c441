"""Writes PostgreSQL's answers behind the statements of tests/it/cases/*.sql.

    python3 tests/scripts/wire_cases.py --port 5432 tests/it/cases/tables.sql …

A file is run in one session of an empty database (`--database`, made anew for each file), statement by statement, as the test
does it: names and types of the columns, rows (∅ for NULL), or SQLSTATE, position and message of the error.
"""

import argparse
import socket
import struct
import sys


class Wire:
    def __init__(self, host, port, user, database):
        self.socket = socket.create_connection((host, port))
        self.file = self.socket.makefile("rb")
        settings = [("user", user), ("database", database), ("TimeZone", "UTC")]
        body = struct.pack("!i", 3 << 16)
        body += b"".join(f"{k}\0{v}\0".encode() for k, v in settings) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        while self.message()[0] != b"Z":
            pass

    def message(self):
        tag, length = struct.unpack("!ci", self.file.read(5))
        return tag, self.file.read(length - 4)

    def ask(self, sql, types):
        data = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", len(data) + 4) + data)
        lines, rows = [], False
        while True:
            tag, body = self.message()
            if tag == b"T":
                rows = True
                lines.append(" | ".join(columns(body, types)))
            elif tag == b"D":
                lines.append(" | ".join(cells(body)))
            elif tag == b"C" and not rows:
                lines.append(body[:-1].decode())
            elif tag == b"E":
                lines += error(body)
            elif tag == b"Z":
                return [line.rstrip() for line in lines]


def escaped(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def columns(body, types):
    (count,), at, out = struct.unpack("!h", body[:2]), 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        name = body[at:end].decode()
        _, _, oid, _, modifier, _ = struct.unpack("!IhIhih", body[end + 1 : end + 19])
        at = end + 19
        kind = types.get(oid, str(oid))
        out.append(f"{name}:{kind}" + ("" if modifier == -1 else f"({modifier})"))
    return out


def cells(body):
    (count,), at, out = struct.unpack("!h", body[:2]), 2, []
    for _ in range(count):
        (length,) = struct.unpack("!i", body[at : at + 4])
        at += 4
        if length < 0:
            out.append("∅")
            continue
        out.append(escaped(body[at : at + length].decode()))
        at += length
    return out


def error(body):
    fields = {}
    for part in body.rstrip(b"\0").split(b"\0"):
        fields[chr(part[0])] = part[1:].decode()
    lines = [f"ERROR {fields['C']} @{fields.get('P', '')} {escaped(fields['M'])}"]
    for code, word in (("D", "DETAIL"), ("H", "HINT")):
        if code in fields:
            lines.append(f"{word} {escaped(fields[code])}")
    return lines


def statements(text):
    statement = ""
    for line in text.splitlines():
        if line.startswith("--"):
            continue
        statement += line
        if line.endswith(";"):
            yield statement
            statement = ""
        elif statement:
            statement += "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--user", default="postgres")
    parser.add_argument("--database", default="cases")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    for path in options.files:
        admin = Wire(options.host, options.port, options.user, "postgres")
        admin.ask(f"DROP DATABASE IF EXISTS {options.database}", {})
        admin.ask(f"CREATE DATABASE {options.database} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'", {})
        wire = Wire(options.host, options.port, options.user, options.database)
        listed = wire.ask("SELECT oid, typname FROM pg_type", {})
        types = {int(oid): name for oid, name in (row.split(" | ") for row in listed[1:])}
        with open(path) as file:
            cases = list(statements(file.read()))
        out = []
        for statement in cases:
            answer = "".join(f"-- {line}".rstrip() + "\n" for line in wire.ask(statement, types))
            out.append(f"{statement}\n{answer}")
        with open(path, "w") as file:
            file.write("\n".join(out))
        print(f"{path}: {len(cases)} statements", file=sys.stderr)


if __name__ == "__main__":
    main()
