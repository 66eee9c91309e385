"""SELECT statements over the tables of a SQLite file: every statement that the masks allow prepares without an error.

    python examples/sql_over_a_database.py                       # a shop in memory, random statements along the masks
    python examples/sql_over_a_database.py shop.db               # a file of yours
    python examples/sql_over_a_database.py shop.db --model M "How many orders did Ada place?"

The grammar is made from the database: its tables, columns and foreign keys. SQL names columns before it names their
tables, so there is one rule for each FROM clause: a table, or tables that foreign keys join. A column in the SELECT list
rules the FROM clauses out that do not have it, and the masks know at once.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import random
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import penstock

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, "order" INTEGER);
CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer(id), placed TEXT, total REAL);
CREATE TABLE line (purchase_id INTEGER REFERENCES purchase(id), item TEXT REFERENCES item(code), amount INTEGER);
CREATE TABLE item (code TEXT PRIMARY KEY, "unit price" REAL, replaces TEXT REFERENCES item(code));
"""
MAX_TABLES = 3  # joined in one statement
NUMERIC = re.compile("INT|REAL|NUM|DEC|FLOA|DOUB")
PLAIN_NAME = re.compile("[a-z_][a-z0-9_]*")
MAX_BYTES = 300  # of a random walk, before it is led to an end


@dataclass(frozen=True)
class Table:
    """A table: its columns with whether they are numbers, and its foreign keys as (column, table, column there)."""

    name: str
    columns: tuple[tuple[str, bool], ...]
    keys: tuple[tuple[str, str, str], ...]


def tables_of(database: sqlite3.Connection) -> dict[str, Table]:
    """Read the tables of a database."""
    names = [
        row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ]
    found = {}
    for name in names:
        columns = database.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
        keys = database.execute(f"PRAGMA foreign_key_list({quoted(name)})").fetchall()
        found[name] = Table(
            name,
            tuple((column[1], bool(NUMERIC.search(column[2].upper()))) for column in columns),
            tuple((key[3], key[2], key[4] or "rowid") for key in keys),
        )
    return found


def from_clauses(tables: dict[str, Table]) -> Iterator[tuple[str, list[tuple[str, Table]]]]:
    """Every FROM clause: its text, and the tables that it brings into scope under their aliases."""
    rest = []
    for name, table in tables.items():
        yield quoted(name), [(quoted(name), table)]
        rest.append((f"{quoted(name)} AS t1", [("t1", table)]))
    while rest:
        text, scope = rest.pop()
        if len(scope) > 1:
            yield text, scope
        if len(scope) < MAX_TABLES:
            rest += [(text + join, [*scope, added]) for join, added in joins(tables, scope)]


def joins(tables: dict[str, Table], scope: list[tuple[str, Table]]) -> Iterator[tuple[str, tuple[str, Table]]]:
    """The tables that foreign keys of the last table lead to, and those whose keys lead to it."""
    (alias, table), other = scope[-1], f"t{len(scope) + 1}"
    for column, target, there in table.keys:
        if target in tables:
            yield join(target, other, f"{alias}.{quoted(column)}", f"{other}.{quoted(there)}"), (other, tables[target])
    for name, child in tables.items():
        for column, target, there in child.keys:
            if target == table.name and name != table.name:
                yield join(name, other, f"{other}.{quoted(column)}", f"{alias}.{quoted(there)}"), (other, child)


def join(table: str, alias: str, left: str, right: str) -> str:
    return f" JOIN {quoted(table)} AS {alias} ON {left} = {right}"


@functools.cache
def quoted(name: str) -> str:
    """A name as SQL writes it; in quotes unless it is plain and SQLite, asked, takes it for no keyword."""
    if PLAIN_NAME.fullmatch(name):
        with contextlib.closing(sqlite3.connect(":memory:")) as scratch, contextlib.suppress(sqlite3.OperationalError):
            scratch.execute(f"SELECT {name}.{name} FROM (SELECT 1 AS {name}) AS {name}")
            return name
    return '"' + name.replace('"', '""') + '"'


def grammar_of(tables: dict[str, Table]) -> penstock.Grammar:
    """Return the grammar of SELECT statements over these tables."""
    rules = [COMMON]
    names = []
    for number, (text, scope) in enumerate(from_clauses(tables)):
        names.append(f"query-{number}")
        rules.append(query_rules(names[-1], text, scope))
    return penstock.Grammar.from_ebnf("\n".join([f"root ::= {' | '.join(names)}", *rules]))


# What does not depend on the tables. Literals hold no NUL, at which SQLite would stop to read.
COMMON = r"""
number ::= "-"? [0-9]{1,9} ("." [0-9]{1,4})?
text ::= "'" ([^'\u0000-\u001f] | "''")* "'"
compare ::= " = " | " <> " | " < " | " <= " | " > " | " >= "
function ::= "SUM" | "AVG" | "MIN" | "MAX"
direction ::= "" | " ASC" | " DESC"
limit ::= (" LIMIT " [1-9] [0-9]{0,3})?
"""


def query_rules(name: str, from_text: str, scope: list[tuple[str, Table]]) -> str:
    """The rules of the statements over one FROM clause."""
    columns = [(f"{alias}.{quoted(column)}", is_number) for alias, table in scope for column, is_number in table.columns]
    numbers = [column for column, is_number in columns if is_number]
    texts = [column for column, is_number in columns if not is_number]
    tests = [f'{name}-any " IS " "NOT "? "NULL"']
    tests += [f"{name}-number compare number"] if numbers else []
    tests += [f'{name}-text (compare | " LIKE ") text'] if texts else []
    aggregates = ['"COUNT(*)"', f'"COUNT(DISTINCT " {name}-any ")"']
    aggregates += [f'function "(" {name}-number ")"'] if numbers else []
    out = [
        f'{name} ::= "SELECT " ({name}-plain | {name}-grouped) limit ";"',
        f'{name}-plain ::= ("*" | "DISTINCT "? {name}-any (", " {name}-any){{0,4}}) {name}-from {name}-order',
        f'{name}-grouped ::= ({name}-any ", ")? ({" | ".join(aggregates)}) {name}-from (" GROUP BY " {name}-any)?',
        f"{name}-from ::= {json.dumps(' FROM ' + from_text)} {name}-where",
        f'{name}-where ::= (" WHERE " {name}-test ((" AND " | " OR ") {name}-test){{0,3}})?',
        f"{name}-test ::= {' | '.join(tests)}",
        f'{name}-order ::= (" ORDER BY " {name}-any direction)?',
        f"{name}-any ::= {choice([column for column, _ in columns])}",
    ]
    out += [f"{name}-number ::= {choice(numbers)}"] if numbers else []
    out += [f"{name}-text ::= {choice(texts)}"] if texts else []
    return "\n".join(out)


def choice(texts: list[str]) -> str:
    return " | ".join(json.dumps(text) for text in texts)


def random_statement(compiled: penstock.CompiledGrammar, rng: random.Random) -> str:
    """Walk along the masks of a vocabulary of bytes at random; at MAX_BYTES take the shortest way out."""
    matcher, out = penstock.Matcher(compiled), b""
    bitmask = penstock.allocate_token_bitmask(1, BYTES.vocab_size)
    while len(out) < MAX_BYTES:
        matcher.fill_next_token_bitmask(bitmask)
        allowed = [token for token in range(256) if int(bitmask[0, token // 32]) >> (token % 32) & 1]
        if not allowed:
            return out.decode()
        out += bytes([rng.choice(allowed)])
        matcher.accept_token(out[-1])
    return (out + matcher.shortest_completion_bytes()).decode()


BYTES = penstock.TokenizerInfo([bytes([value]) for value in range(256)] + [b""], stop_token_ids=[256])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", nargs="?", help="a SQLite file; default: a shop in memory")
    parser.add_argument("question", nargs="?", help="what --model shall answer by a statement")
    parser.add_argument("--model", help="a folder or hub name of a model")
    parser.add_argument("--walks", type=int, default=5, help="how many random statements to prepare")
    options = parser.parse_args()
    database = sqlite3.connect(options.database or ":memory:")
    if options.database is None:
        database.executescript(SHOP)
    grammar = grammar_of(tables_of(database))
    if options.model:
        generate = penstock.Generator(penstock.models.load(options.model), grammar)
        statements = [generate(f"Tables:\n{SHOP}\nQuestion: {options.question}\nSQL: ", max_tokens=200)]
    else:
        compiled, rng = penstock.GrammarCompiler(BYTES).compile(grammar), random.Random(0)
        statements = [random_statement(compiled, rng) for _ in range(options.walks)]
    for statement in statements:
        rows = database.execute(statement).fetchall()
        print(f"{len(rows)} rows: {statement}")


if __name__ == "__main__":
    main()
