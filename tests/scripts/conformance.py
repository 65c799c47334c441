#!/usr/bin/env python3
"""Runs the SELECT statements of PostgreSQL's regression scripts on a PostgreSQL 15 and on a Sluice, and compares.

    tests/scripts/conformance.py --regress postgresql-15.18/src/test/regress \\
        --postgres 127.0.0.1:5432:postgres --sluice 127.0.0.1:5433:sluice [--out report.txt] [--markdown docs/CONFORMANCE.md] [file …]

The scripts come from PostgreSQL's source package (`apt-get source postgresql-15`); nothing of them is committed.
A fresh database is made on the PostgreSQL for each script. What is no query (CREATE, INSERT, SET, …) runs there; SET runs on
both. A query that reads tables is given to Sluice with a WITH list that holds their rows as they are at that moment.
A query that needs what only DDL can make (user functions, types, operators) or a big table is left out.

Verdicts: `equal` names, types and rows, or the same SQLSTATE; `refused` Sluice says 0A000; `error` another error where
PostgreSQL answers; `state` both fail, otherwise; `accepted` Sluice answers where PostgreSQL fails; `wrong` another answer.
The last two are the faults that matter.
"""
import argparse, collections, pathlib, re, socket, struct, sys, time

AREAS = {
    "numbers": "int2 int4 int8 float4 float8 numeric numeric_big numerology money oid",
    "text": "text strings char varchar name regex collate unicode bit uuid",
    "dates": "date time timetz timestamp timestamptz interval horology",
    "json": "json jsonb jsonpath jsonb_jsonpath json_encoding jsonpath_encoding",
    "arrays and rows": "arrays rowtypes rangetypes multirangetypes enum domain polymorphism",
    "queries": "select select_implicit select_having select_distinct select_distinct_on subselect union case join limit with "
               "groupingsets window aggregates tsrf rangefuncs boolean expressions random functional_deps "
               "incremental_sort memoize equivclass portals select_parallel tablesample",
    "text search": "tsearch tsdicts tstypes",
    "net and geometry": "inet macaddr macaddr8 point lseg line box path polygon circle geometry pg_lsn xid txid tid hash_func",
    "system": "misc misc_functions sysviews regproc privileges guc errors create_view rules dbsize xml xmlmap stats",
}
ROW_LIMIT = 1100
# Answers that are one server's own.
OWN = re.compile(
    r"\b(random|clock_timestamp|now|current_timestamp|current_date|current_time|localtime\w*|timeofday|pg_backend_pid|version|txid_\w+|"
    r"pg_current_\w+|pg_sleep|gen_random_uuid|current_user|session_user|user|current_database|current_catalog|inet_server_\w+|"
    r"pg_(?:ls|read|stat)_\w+|pg_relation_\w+|pg_size_bytes_of|ctid|xmin|xmax|cmin|cmax|tableoid|currval|nextval|setval|lastval|"
    r"pg_notify|has_\w+_privilege|pg_get_\w+|pg_describe_object|pg_identify_object\w*|getdatabaseencoding)\b"
    r"|'(?:now|today|tomorrow|yesterday)\b|\bfrom\s+(?:pg_|information_schema)|\bjoin\s+pg_", re.I)


class Wire:
    """The simple query protocol, answers as they come."""

    def __init__(self, address, user, database):
        host, port = address
        self.socket = socket.create_connection((host, port), timeout=60)
        self.buffer = b""
        body = struct.pack("!I", 196608) + b"".join(
            p.encode() + b"\0" for p in ("user", user, "database", database, "client_encoding", "UTF8")) + b"\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        while True:
            tag, body = self.message()
            if tag == b"E":
                raise RuntimeError(body.decode(errors="replace"))
            if tag == b"Z":
                break

    def take(self, count):
        while len(self.buffer) < count:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("the server closed the connection")
            self.buffer += piece
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def message(self):
        head = self.take(5)
        return head[:1], self.take(struct.unpack("!I", head[1:])[0] - 4)

    def ask(self, sql):
        """(columns, rows, error): columns are (name, type oid); error is (state, message)."""
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        columns, rows, error = None, [], None
        self.modifiers, self.notes, self.tag = [], {}, ""
        while True:
            tag, body = self.message()
            if tag == b"T":
                columns, at = [], 2
                for _ in range(struct.unpack("!H", body[:2])[0]):
                    end = body.index(b"\0", at)
                    columns.append((body[at:end].decode(errors="replace"), struct.unpack("!I", body[end + 7:end + 11])[0]))
                    self.modifiers.append(struct.unpack("!i", body[end + 13:end + 17])[0])
                    at = end + 19
            elif tag == b"D":
                row, at = [], 2
                for _ in range(struct.unpack("!H", body[:2])[0]):
                    size, = struct.unpack("!i", body[at:at + 4])
                    at += 4
                    row.append(None if size < 0 else body[at:at + size].decode(errors="replace"))
                    at += max(size, 0)
                rows.append(tuple(row))
            elif tag == b"E":
                fields = {f[:1]: f[1:].decode(errors="replace") for f in body.split(b"\0") if f}
                error = (fields[b"C"], fields[b"M"])
                self.notes = fields
            elif tag == b"C":
                self.tag = body.rstrip(b"\0").decode()
            elif tag == b"G":
                self.socket.sendall(b"f" + struct.pack("!I", 5) + b"\0")
            elif tag == b"Z":
                return columns, rows, error


def statements(text):
    """The statements of a psql script, in order; None for one that depends on psql itself."""
    out, at, start, depth = [], 0, 0, 0
    pieces, copying = [], False
    token = re.compile(
        r"--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(?:[A-Za-z_]\w*)?\$|\\[^\n]*|[;()]"
        r"|[A-Za-z_]\w*|.", re.S)
    begun = ""
    while at < len(text):
        match = token.match(text, at)
        piece = match.group()
        at = match.end()
        if piece.startswith("$") and len(piece) > 1:
            end = text.find(piece, at)
            end = len(text) if end < 0 else end + len(piece)
            begun += piece + text[at:end]
            at = end
        elif piece.startswith("--"):
            begun += " "
        elif piece.startswith("\\"):
            word = piece.split()[0]
            if word in ("\\gset", "\\gexec", "\\gx", "\\g", "\\crosstabview", "\\gdesc", "\\bind"):
                if begun.strip():
                    out.append(begun.strip() if word in ("\\gx", "\\g") else None)
                begun = ""
            elif begun.strip():
                begun += piece
        elif piece == ";" and depth == 0:
            if begun.strip():
                out.append(begun.strip())
            lower = begun.strip().lower()
            begun = ""
            if lower.startswith("copy") and "stdin" in lower:
                end = text.find("\n\\.", at)
                out[-1] = (out[-1], text[text.find("\n", at) + 1:end + 1] if end >= 0 else "")
                at = end + 3 if end >= 0 else len(text)
        else:
            depth = max(0, depth + (piece == "(") - (piece == ")"))
            begun += piece
    if begun.strip():
        out.append(begun.strip())
    return out


QUERY = re.compile(r"^\s*\(*\s*(select|values|with|table)\b", re.I)
HAS_VARIABLE = re.compile(r"(?<![:\w]):(?:'\w+'|\"\w+\"|[a-z_]\w*)(?!:)", re.I)


def names_in(sql):
    bare = re.sub(r"[eE]?'(?:[^'\\]|\\.|'')*'", "''", sql)
    return {n.lower() for n in re.findall(r"[A-Za-z_]\w*", bare)} | set(re.findall(r'"([^"]+)"', bare))


class Reference:
    """The PostgreSQL, with what Sluice must be given of it."""

    def __init__(self, wire):
        self.wire = wire
        self.tables, self.own_names, self.rows = {}, set(), {}

    def ddl(self):
        """What exists now. Called after each statement that is no query."""
        self.rows = {}
        _, rows, error = self.wire.ask(
            "SELECT c.oid, relname, quote_ident(relname) FROM pg_catalog.pg_class c "
            "WHERE c.relkind IN ('r','v','m','p','f') AND relnamespace NOT IN (11, 99) AND "
            "pg_catalog.pg_table_is_visible(c.oid) AND relnamespace <> "
            "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'information_schema')")
        if error:
            return
        self.tables = {r[1]: (r[0], r[2]) for r in rows}
        _, rows, error = self.wire.ask(
            "SELECT proname FROM pg_catalog.pg_proc WHERE oid >= 16384 UNION "
            "SELECT typname FROM pg_catalog.pg_type t WHERE oid >= 16384 AND typtype <> 'c' AND typcategory <> 'A' UNION "
            "SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class c ON c.oid = t.typrelid "
            "WHERE t.oid >= 16384 AND relkind = 'c' UNION "
            "SELECT relname FROM pg_catalog.pg_class WHERE relkind = 'S' UNION "
            "SELECT nspname FROM pg_catalog.pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'")
        if not error:
            self.own_names = {r[0] for r in rows}

    def as_cte(self, name):
        """`name(columns) AS (VALUES …)`; a string says why there is none."""
        if name in self.rows:
            return self.rows[name]
        oid, quoted = self.tables[name]
        _, columns, error = self.wire.ask(
            "SELECT pg_catalog.quote_ident(attname), pg_catalog.format_type(atttypid, atttypmod), atttypid::int >= 16384 FROM pg_catalog.pg_attribute "
            f"WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
        if error or not columns:
            return "no columns"
        if any(c[2] == "t" for c in columns):
            return "a user type"
        _, rows, error = self.wire.ask(f"SELECT * FROM {quoted} LIMIT {ROW_LIMIT + 1}")
        if error:
            return "unreadable"
        if len(rows) > ROW_LIMIT:
            return "big"
        literal = lambda v: "NULL" if v is None else "'" + v.replace("'", "''") + "'"
        types = [c[1] for c in columns]
        if rows:
            first = ", ".join(f"{literal(v)}::{t}" for v, t in zip(rows[0], types))
            more = [", ".join(literal(v) for v in row) for row in rows[1:]]
            body = "VALUES " + ", ".join(f"({r})" for r in [first] + more)
            if any("(" in t for t in types) and more:
                body = "VALUES " + ", ".join(
                    "(" + ", ".join(f"{literal(v)}::{t}" for v, t in zip(row, types)) + ")" for row in rows)
        else:
            body = "SELECT " + ", ".join(f"NULL::{t}" for t in types) + " WHERE false"
        made = f"{quoted}({', '.join(c[0] for c in columns)}) AS ({body})"
        self.rows[name] = (made,)
        return self.rows[name]


def with_tables(sql, reference):
    """The statement as Sluice can run it, or a reason (in a list) why it cannot."""
    used = names_in(sql)
    own = used & reference.own_names
    if own:
        return ["needs " + ", ".join(sorted(own))]
    needed = [n for n in reference.tables if n in used]
    lower = sql.lower()
    if re.search(r"\b(insert\s+into|update\s+\w+\s+set|delete\s+from|merge\s+into|select\b.*\binto\s+(temp|table|unlogged|\w+\s+from))\b", lower, re.S):
        return ["writes"]
    parts = []
    for name in needed:
        made = reference.as_cte(name)
        if isinstance(made, str):
            return [made]
        parts.append(made[0])
    if not parts:
        return sql
    match = re.match(r"\s*with\s+(recursive\s+)?", sql, re.I)
    if match:
        return f"WITH {match.group(1) or ''}{', '.join(parts)}, {sql[match.end():]}"
    return f"WITH {', '.join(parts)} {sql}"


def verdict(sql, wanted, got):
    (wc, wr, we), (gc, gr, ge) = wanted, got
    if we and ge:
        if we[0] == ge[0]:
            return "equal"
        return "refused" if ge[0] == "0A000" else "state"
    if we:
        return "accepted"
    if ge:
        return "refused" if ge[0] == "0A000" else "error"
    if wc != gc:
        user = lambda cs: [(n, 0 if t >= 16384 else t) for n, t in cs or []]
        if user(wc) != user(gc):
            return "wrong"
    if wr == gr:
        return "equal"
    if sorted(map(repr, wr)) == sorted(map(repr, gr)):
        return "equal" if not re.search(r"\border\s+by\b", sql, re.I) else "order"
    return "wrong"


def run(script, args, out):
    counts = collections.Counter()
    pg = Wire(args.pg[0], args.pg[1], "postgres")
    database = f"conformance_{script.stem}"
    pg.ask(f"DROP DATABASE IF EXISTS {database}")
    pg.ask(f"CREATE DATABASE {database} TEMPLATE conformance_setup")
    wire = Wire(args.pg[0], args.pg[1], database)
    reference = Reference(wire)
    settings = ["SET TimeZone TO 'America/Los_Angeles'", "SET DateStyle TO 'ISO, MDY'", "SET client_min_messages TO error", "SET statement_timeout TO '60s'"]
    connect = lambda: Wire(args.sl[0], args.sl[1], args.sl[1])
    sluice = connect()
    for s in settings:
        wire.ask(s)
        sluice.ask(s)
    kept = list(settings)
    reference.ddl()
    skip_until_reset = set()
    for statement in statements(script.read_text(errors="replace")):
        if statement is None:
            continue
        if isinstance(statement, tuple):
            copy_in(wire, *statement)
            reference.ddl()
            continue
        if HAS_VARIABLE.search(re.sub(r"[eE]?'(?:[^'\\]|\\.|'')*'", "''", statement)):
            continue
        if not QUERY.match(statement):
            if re.match(r"\s*(declare|fetch|move|close|execute|prepare|explain)\b", statement, re.I):
                wire.ask(statement)
                continue
            wire_failed = wire.ask(statement)[2]
            if re.match(r"\s*(set|reset)\b", statement, re.I) and not re.search(r"\b(role|session\s+authorization|enable_\w+)\b", statement, re.I):
                refused = sluice.ask(statement)[2]
                if refused and not wire_failed:
                    skip_until_reset.add(statement.split()[1].lower())
                elif not refused:
                    skip_until_reset.discard(statement.split()[1].lower())
                    kept.append(statement)
            else:
                reference.ddl()
            continue
        if OWN.search(statement):
            counts["left out"] += 1
            wire.ask(statement)
            continue
        given = with_tables(statement, reference)
        wanted = wire.ask(statement)
        if wanted[2] and wanted[2][0] == "25P02":
            wire.ask("ROLLBACK")
            wanted = wire.ask(statement)
        if isinstance(given, list):
            counts["left out"] += 1
            if given[0] == "writes" or "needs" in given[0]:
                reference.rows = {}
            continue
        began = time.time()
        try:
            got = sluice.ask(given)
        except (ConnectionError, socket.timeout, BrokenPipeError, struct.error) as lost:
            got = (None, [], ("LOST", str(lost)))
            for _ in range(50):
                try:
                    sluice = connect()
                    break
                except OSError:
                    time.sleep(0.2)
            for s in kept:
                sluice.ask(s)
        took = time.time() - began
        found = verdict(statement, wanted, got)
        # A setting that Sluice refused to take makes the answers two different questions.
        if found == "wrong" and skip_until_reset:
            found = "refused"
        counts[found] += 1
        if found != "equal" or took > 5:
            show = lambda a: f"{a[2][0]} {a[2][1]}" if a[2] else f"{a[0]}\n      " + "\n      ".join(map(repr, a[1][:8]))
            key = f"{got[2][0]} {got[2][1]}" if got[2] else ""
            print(f"@{found} {script.stem} {took:.1f}s {key}\n    {statement}\n    postgres: {show(wanted)}\n    sluice:   {show(got)}", file=out)
    out.flush()
    return counts


def copy_in(wire, statement, data):
    """COPY … FROM stdin with the script's own rows."""
    body = statement.encode() + b"\0"
    wire.socket.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
    while True:
        tag, _ = wire.message()
        if tag == b"G":
            rows = data.encode()
            wire.socket.sendall(b"d" + struct.pack("!I", len(rows) + 4) + rows + b"c" + struct.pack("!I", 4))
        if tag == b"Z":
            return


def setup(args, out):
    """The tables that all scripts share."""
    pg = Wire(args.pg[0], args.pg[1], "postgres")
    pg.ask("DROP DATABASE IF EXISTS conformance_setup")
    pg.ask("CREATE DATABASE conformance_setup TEMPLATE template0")
    wire = Wire(args.pg[0], args.pg[1], "conformance_setup")
    text = (args.regress / "sql/test_setup.sql").read_text()
    data = (args.regress.resolve() / "data").as_posix()
    for match in re.finditer(r"\\set filename :abs_srcdir '/data/([\w.]+)'\s*COPY (\w+) FROM :'filename'", text):
        text = text.replace(match.group(), f"COPY {match.group(2)} FROM stdin /*{match.group(1)}*/")
    for statement in statements(re.sub(r"(?m)^\\.*$", "", text)):
        if isinstance(statement, tuple):
            statement = statement[0]
        named = re.search(r"COPY (\w+) FROM stdin", statement or "")
        if named:
            continue
        if statement and ":" not in re.sub(r"::|'[^']*'", "", statement):
            wire.ask(statement)
    for match in re.finditer(r"COPY (\w+) FROM stdin /\*([\w.]+)\*/", text):
        copy_in(wire, f"COPY {match.group(1)} FROM stdin", pathlib.Path(data, match.group(2)).read_text())
    wire.ask("INSERT INTO tenk2 SELECT * FROM tenk1")
    wire.ask("INSERT INTO onek2 SELECT * FROM onek")
    wire.ask("CREATE TABLE IF NOT EXISTS onek2 AS SELECT * FROM onek")
    _, rows, _ = wire.ask("SELECT count(*) FROM onek")
    print("onek rows:", rows, file=sys.stderr)
    wire.socket.close()


def address(text):
    host, port, user = text.split(":")
    return (host, int(port)), user


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--regress", type=pathlib.Path, required=True)
    parser.add_argument("--postgres", default="127.0.0.1:5432:postgres")
    parser.add_argument("--sluice", default="127.0.0.1:5433:sluice")
    parser.add_argument("--out", default="-")
    parser.add_argument("--markdown")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    args.pg, args.sl = address(args.postgres), address(args.sluice)
    out = sys.stdout if args.out == "-" else open(args.out, "w")
    setup(args, out)
    verdicts = ["equal", "refused", "error", "state", "order", "accepted", "wrong", "left out"]
    table, all_counts = [], collections.Counter()
    for area, files in AREAS.items():
        area_counts = collections.Counter()
        for name in files.split():
            script = args.regress / "sql" / f"{name}.sql"
            if not script.exists() or (args.files and name not in args.files):
                continue
            counts = run(script, args, out)
            print(f"{name:20}", *(f"{v} {counts[v]}" for v in verdicts if counts[v]), file=sys.stderr, flush=True)
            table.append((area, name, counts))
            area_counts += counts
        all_counts += area_counts
        table.append((area, None, area_counts))
    share = lambda c: 100 * c["equal"] / max(1, sum(c[v] for v in verdicts if v != "left out"))
    print(f"all: {share(all_counts):.1f} % equal", dict(all_counts), file=sys.stderr)
    if args.markdown:
        path = pathlib.Path(args.markdown)
        head = path.read_text().split("<!-- score -->")[0] if path.exists() else ""
        lines = ["<!-- score -->", "", "| area | statements | equal | " + " | ".join(verdicts[1:]) + " |",
                 "|---|---|---|" + "---|" * len(verdicts[1:])]
        for area, name, c in table:
            if name is None and sum(c.values()):
                total = sum(c[v] for v in verdicts if v != "left out")
                lines.append(f"| {area} | {total} | **{share(c):.1f} %** | " + " | ".join(str(c[v]) for v in verdicts[1:]) + " |")
        c = all_counts
        total = sum(c[v] for v in verdicts if v != "left out")
        lines.append(f"| all | {total} | **{share(c):.1f} %** | " + " | ".join(str(c[v]) for v in verdicts[1:]) + " |")
        lines += ["", "By script (equal of all that were compared):", ""]
        lines.append(", ".join(f"{n} {c['equal']}/{sum(c[v] for v in verdicts if v != 'left out')}" for _, n, c in table if n))
        path.write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
