"""The examples that make grammars: SQL over a database prepares, programs of function calls run."""

from __future__ import annotations

import functools
import importlib.util
import random
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Literal

import penstock
import pytest
from helpers.engine import accepts

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

ODD = """
CREATE TABLE "select" ("from" INTEGER PRIMARY KEY, "we""ird" TEXT, "größe" REAL, "a b" BLOB);
CREATE TABLE plain (id INTEGER, "select" INTEGER REFERENCES "select"("from"), self INTEGER REFERENCES plain(id));
CREATE TABLE lonely (t1 TEXT);
CREATE TABLE implied (child INTEGER REFERENCES "select");
"""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sql, calls = load("sql_over_a_database"), load("function_calls")


def compiled_for(script: str) -> tuple[sqlite3.Connection, penstock.CompiledGrammar]:
    database = sqlite3.connect(":memory:")
    database.executescript(script)
    return database, penstock.GrammarCompiler(sql.BYTES).compile(sql.grammar_of(sql.tables_of(database)))


@pytest.mark.parametrize("script", [sql.SHOP, ODD], ids=["shop", "odd names"])
def test_every_random_statement_prepares(script: str) -> None:
    database, compiled = compiled_for(script)
    rng, seen = random.Random(1), set()
    for _ in range(150):
        statement = sql.random_statement(compiled, rng)
        database.execute(f"EXPLAIN {statement}")
        seen |= {
            word
            for word in ("JOIN", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "LIKE", "COUNT", "DISTINCT")
            if word in statement
        }
    assert len(seen) >= 6, seen


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM customer;",
        "SELECT customer.name, customer.city FROM customer WHERE customer.id = 3 ORDER BY customer.name DESC LIMIT 5;",
        "SELECT item.\"unit price\" FROM item WHERE item.code LIKE 'O''Hara%';",
        "SELECT t2.name, SUM(t1.total) FROM purchase AS t1 JOIN customer AS t2 ON t1.customer_id = t2.id GROUP BY t2.name;",
        "SELECT t3.name FROM line AS t1 JOIN purchase AS t2 ON t1.purchase_id = t2.id"
        " JOIN customer AS t3 ON t2.customer_id = t3.id;",
        "SELECT t1.code FROM item AS t1 JOIN item AS t2 ON t1.replaces = t2.code WHERE t2.replaces IS NULL;",
        "SELECT COUNT(*) FROM line;",
    ],
)
def test_ordinary_statements_are_in_the_language(statement: str) -> None:
    database, compiled = compiled_for(sql.SHOP)
    database.execute(f"EXPLAIN {statement}")
    assert accepts(compiled, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT customer.total FROM customer;",
        "SELECT customer.name FROM purchase;",
        "SELECT t2.name FROM purchase AS t1 JOIN line AS t2 ON t2.purchase_id = t1.id;",
        "SELECT * FROM nowhere;",
        "SELECT t1.id FROM purchase AS t1 JOIN customer AS t2 ON t1.id = t2.id;",
        "SELECT customer.name FROM customer WHERE customer.name > 3;",
        "DELETE FROM customer;",
    ],
)
def test_names_out_of_scope_are_refused(statement: str) -> None:
    assert not accepts(compiled_for(sql.SHOP)[1], statement)


# Function calls.


def test_random_programs_run() -> None:
    taken: list[tuple[str, dict]] = []

    def recorded(function):
        @functools.wraps(function)
        def wrapper(**arguments):
            taken.append((function.__name__, arguments))
            return function(**arguments)

        return wrapper

    compiled = penstock.GrammarCompiler(calls.BYTES).compile(calls.grammar_of(calls.ROBOT))
    rng = random.Random(2)
    named = {function.__name__: function for function in calls.ROBOT}
    for _ in range(100):
        program = calls.random_program(compiled, rng)
        calls.evaluate(program, [recorded(function) for function in named.values()])
    assert {name for name, _ in taken} == set(named)
    for name, arguments in taken:
        assert all(fits(name, key, value) for key, value in arguments.items()), (name, arguments)


def fits(name: str, key: str, value: object) -> bool:
    kinds = {
        "steps": lambda v: type(v) is int,
        "speed": lambda v: v in ("slow", "fast"),
        "side": lambda v: isinstance(v, calls.Side) or (v is None and name == "look"),
        "degrees": lambda v: type(v) is float,
        "distances": lambda v: type(v) is list and all(type(item) is int for item in v),
        "words": lambda v: type(v) is str,
        "loud": lambda v: type(v) is bool,
    }
    return kinds[key](value)


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        ("look()", True),
        ('say(words="hi")', True),
        ('say(words="hi \\"you\\"", loud=True)\nlook(side=Side.LEFT)', True),
        ("move(steps=nearest(distances=[1, move(steps=2)]), speed='fast')", True),
        ("turn(side=Side.LEFT, degrees=-1.5)", True),
        ("say()", False),
        ("say(loud=True)", False),
        ('say(loud=True, words="x")', False),
        ("move(steps=1.5)", False),
        ("move(steps=say(words='x'))", False),
        ("turn(side=Side.UP)", False),
        ("look(side=None, )", False),
        ("__import__(name='os')", False),
    ],
)
def test_programs_have_the_types_of_the_functions(program: str, verdict: bool) -> None:
    compiled = penstock.GrammarCompiler(calls.BYTES).compile(calls.grammar_of(calls.ROBOT))
    assert accepts(compiled, program) is verdict
    if verdict:
        calls.evaluate(program, calls.ROBOT)


def test_arguments_of_every_kind_may_be_left_out() -> None:
    def first(a: int = 1, b: Literal["x"] = "x", c: bool = False) -> None:
        """All have a default."""

    compiled = penstock.GrammarCompiler(calls.BYTES).compile(calls.grammar_of([first]))
    written = {"a": "a=1", "b": "b='x'", "c": "c=True"}
    for kept in ("", "a", "b", "c", "ab", "ac", "bc", "abc"):
        assert accepts(compiled, f"first({', '.join(written[name] for name in kept)})"), kept
    assert not accepts(compiled, "first(b='x', a=1)")


def test_evaluation_takes_no_other_code() -> None:
    for program in ("open('x')", "look(*[1])", "look().pop()", "1 + 1", "nearest([1])"):
        with pytest.raises(ValueError, match="no call"):
            calls.evaluate(program, calls.ROBOT)

    def positional(a: int, /) -> None:
        """It cannot be called by name."""

    with pytest.raises(TypeError, match="positional"):
        calls.grammar_of([positional])
