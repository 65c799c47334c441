#!/usr/bin/env python3
"""Writes src/kernels/facts/text_parser.tsv: how PostgreSQL's default text search parser goes from state to state.

    tests/scripts/pg_text_parser.py postgresql-15.18/src/backend/tsearch/wparser_def.c > src/kernels/facts/text_parser.tsv

A line is a rule: state, class of the next character, the character of class `eqC`, what to do (letters: B token ends,
P try the next state and come back to the rule after this one if it fails, O fail, R again without moving on, C forget
the last try, A forget all tries, M take over the place of the last try), next state, token, special action. The first
rule of a state whose class fits is taken. `-` is none.
"""
import re, sys

FLAGS = {"A_NEXT": "", "A_BINGO": "B", "A_PUSH": "P", "A_POP": "O", "A_RERUN": "R", "A_CLEAR": "C", "A_CLRALL": "A", "A_MERGE": "M"}
source = open(sys.argv[1], encoding="utf-8").read()
numbers = dict(re.findall(r"#define (\w+)\s+(\d+)\n", source[:source.index("#define LASTNUM")]))
aliases = re.findall(r'"(\w*)"', source[source.index("tok_alias[] = {"):source.index("lex_descr")])
for state, rules in re.findall(r"actionTPS_(\w+)\[\] = \{(.*?)\n\};", source, re.S):
    for kind, char, flags, to, token, special in re.findall(
            r"\{(\w+), ('\\?.'|0), ([A-Z_ |]+), TPS_(\w+), (\w+), (\w+)\}", rules):
        none = lambda text: "-" if text in ("NULL", "0", "Null") else text
        done = "".join(FLAGS[flag.strip()] for flag in flags.split("|")) or "-"
        char = char[1:-1].replace("\\'", "'").replace("\\\\", "\\") if char != "0" else "-"
        kind = none(kind).removeprefix("p_is").removeprefix("p_")
        print(state, kind, char if kind == "eqC" else "-", done, none(to), aliases[int(numbers[token])] if token in numbers else "-", none(special).removeprefix("Special"), sep="\t")
