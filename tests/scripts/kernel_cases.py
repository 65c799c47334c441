#!/usr/bin/env python3
"""Asks a running PostgreSQL what the calls in src/kernels/cases.tsv give, and writes the answers beside them.

    PSQL='psql -h 127.0.0.1 -U postgres' tests/scripts/kernel_cases.py

Lines are `func: name(types) | value::type | …`, `op: value::type | operator | value::type` or
`cast: value::type | type`, then a tab and the answer, which is (re)written.
"""
import os, re, subprocess, pathlib

path = pathlib.Path(__file__).resolve().parents[2] / "src/kernels/cases.tsv"
psql = os.environ.get("PSQL", "psql").split()


def literal(spelled):
    text, ty = spelled.rsplit("::", 1)
    if text == "NULL":
        return f"NULL::{ty}"
    text = text.replace("\\n", "\n").replace("'", "''")
    return f"'{text}'::{ty}"


def sql(case):
    kind, rest = case.split(": ", 1)
    parts = rest.split(" | ")
    if kind == "func":
        name, types = parts[0].rstrip(")").split("(")
        args = [literal(p) for p in parts[1:]]
        variadic = types.endswith("_text") and name.startswith("jsonb_extract_path")
        if variadic:
            args[-1] = "VARIADIC " + args[-1]
        expression = f"pg_catalog.\"{name}\"({', '.join(args)})"
    elif kind == "op":
        expression = f"{literal(parts[0])} {parts[1]} {literal(parts[2])}"
    else:
        expression = f"CAST({literal(parts[0])} AS {parts[1]})"
    return expression


lines = path.read_text().splitlines()
script = ["SET TimeZone = 'Europe/Berlin';", "\\pset format unaligned", "\\pset tuples_only on", "\\pset null NULL",
          "\\set VERBOSITY verbose"]
for n, line in enumerate(lines):
    if line and not line.startswith("#"):
        script += [f"\\echo @@{n}", f"SELECT {sql(line.split(chr(9))[0])};"]
run = subprocess.run(psql + ["-q", "-X"], input="\n".join(script), text=True, stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT)
answers = {}
for block in run.stdout.split("@@")[1:]:
    number, _, answer = block.partition("\n")
    answer = answer[:-1] if answer.endswith("\n") else answer
    error = re.match(r"ERROR:  (\w{5}): (.*)", answer)
    answers[int(number)] = f"ERROR {error[1]}: {error[2]}" if error else answer.replace("\n", "\\n")
out = [f"{line.split(chr(9))[0]}\t{answers[n]}" if n in answers else line for n, line in enumerate(lines)]
path.write_text("\n".join(out) + "\n")
