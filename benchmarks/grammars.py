"""Time to the first mask and time per token of grammars beyond JSON Schema, for penstock and its peers.

    python benchmarks/grammars.py [--engines penstock,llguidance,xgrammar,outlines_core,lmformatenforcer] [--tasks NAME,..]
                                  [--runs 3] [--json] [--no-record]

Tasks: a JSON Schema, unconstrained JSON, XML-like markup, a Python-like language (the four of XGrammar's paper), SQL, and two
regular expressions; tags with many tools are in `tool_calls.py`. Grammars are in EBNF; llguidance reads them through its own
translation. outlines-core has regular languages only, lm-format-enforcer has those and JSON: what an engine cannot express is
said so, never replaced. Vocabulary: tekken of mistral-common. The engines take turns, one thread.

first mask: compile (a new compiler, the vocabulary's tables built before) and the first fill. A step is fill + accept of one
token; `first` is the first reading of the text, `repeat` the smaller time of two more. Microseconds; each figure the
smallest of the runs. A text that an engine refuses is reported, and not timed. What took more than ten seconds is run once.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import ablation
import masks
from masks import Tekken, installed, percentiles, versions
from records import save_record

SLOW_SECONDS = 10
SQL = r"""
root ::= query ";"
query ::= "SELECT " ("DISTINCT ")? columns " FROM " table join* where? group? order? limit?
columns ::= "*" | column (", " column)*
column ::= expr (" AS " name)?
table ::= name (" " name)? | "(" query ") " name
join ::= (" LEFT" | " INNER")? " JOIN " table " ON " test
where ::= " WHERE " test
group ::= " GROUP BY " expr (", " expr)* (" HAVING " test)?
order ::= " ORDER BY " expr (" ASC" | " DESC")? (", " expr (" ASC" | " DESC")?)*
limit ::= " LIMIT " number
test ::= condition ((" AND " | " OR ") condition)*
condition ::= expr compares expr | expr " IS NULL" | "NOT " condition | expr " IN (" list ")" | "(" test ")"
compares ::= " = " | " <> " | " < " | " > " | " <= " | " >= " | " LIKE "
list ::= expr (", " expr)* | query
expr ::= term ((" + " | " - ") term)*
term ::= atom ((" * " | " / ") atom)*
atom ::= name ("." name)? | number | string | name "(" ("*" | expr (", " expr)*) ")" | "(" expr ")"
name ::= [a-z_] [a-z0-9_]*
number ::= [0-9]+ ("." [0-9]+)?
string ::= "'" [^'\n]* "'"
"""
SQL_TEXT = (
    "SELECT c.name, count(*) AS orders FROM customers c LEFT JOIN orders o ON c.id = o.customer_id "
    "WHERE o.placed_on >= '2026-01-01' AND c.city IN ('Oslo', 'Turin') GROUP BY c.name HAVING count(*) > 3 "
    "ORDER BY orders DESC LIMIT 10;"
)
TASKS: dict[str, tuple[str, Any, str]] = {
    "JSON Schema": ("schema", ablation.SCHEMA, ablation.TEXTS["JSON Schema"]),
    "JSON": ("ebnf", ablation.JSON, ablation.TEXTS["JSON"]),
    "XML": ("ebnf", ablation.MARKUP, ablation.TEXTS["XML"]),
    "Python DSL": ("ebnf", ablation.CODE, ablation.TEXTS["Python DSL"]),
    "SQL": ("ebnf", SQL, SQL_TEXT),
    "date": ("regex", r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])( [0-2][0-9]:[0-5][0-9])?", "2026-04-30 12:05"),
    "address": ("regex", r"[a-z0-9._-]{1,64}@([a-z0-9-]{1,63}\.){1,3}[a-z]{2,12}", "ada.lovelace-1815@analytical.engine.org"),
}


class UnsupportedError(Exception):
    """The engine has no such grammars."""


class Penstock(masks.Penstock):
    """This library."""

    def compile_kind(self, kind: str, grammar: Any) -> None:
        compiler = self.penstock.GrammarCompiler(self.info)
        compile_ = {"schema": compiler.compile_json_schema, "ebnf": compiler.compile_ebnf, "regex": compiler.compile_regex}
        self.compiled = compile_[kind](grammar)


class LLGuidance(masks.LLGuidance):
    """llguidance: EBNF through its own translation to Lark."""

    def compile_kind(self, kind: str, grammar: Any) -> None:
        from llguidance.gbnf_to_lark import any_to_lark

        of = self.matcher_class
        if kind == "ebnf":
            text = of.grammar_from_lark(any_to_lark(grammar))
        else:
            text = of.grammar_from_json_schema(grammar) if kind == "schema" else of.grammar_from_regex(grammar)
        self.compiled = of(self.tokenizer, text)
        if self.compiled.is_error():
            raise ValueError(self.compiled.get_error())


class XGrammar(masks.XGrammar):
    """XGrammar, strict, with flexible whitespace."""

    def compile_kind(self, kind: str, grammar: Any) -> None:
        if kind == "schema":
            return self.compile(grammar)
        compiler = self.xgrammar.GrammarCompiler(self.info, max_threads=1, cache_enabled=False)
        self.compiled = compiler.compile_grammar(grammar) if kind == "ebnf" else compiler.compile_regex(grammar)


class OutlinesCore:
    """outlines-core: an index of every state of a regular expression over the whole vocabulary."""

    def __init__(self, tekken: Tekken) -> None:
        import outlines_core
        from penstock.bitmask import allocate_token_bitmask

        spelled: dict[bytes, list[int]] = {}
        for token, spelling in enumerate(tekken.tokens):
            if spelling:
                spelled.setdefault(spelling, []).append(token)
        self.core, self.encode = outlines_core, tekken.encode
        self.vocabulary = outlines_core.Vocabulary(tekken.stop_id, spelled)
        self.bitmask = allocate_token_bitmask(1, len(tekken.tokens))

    def compile_kind(self, kind: str, grammar: Any) -> None:
        if kind == "ebnf":
            raise UnsupportedError("no context-free grammars")
        from outlines_core.json_schema import build_regex_from_schema

        pattern = build_regex_from_schema(json.dumps(grammar)) if kind == "schema" else grammar
        self.index = self.core.Index(pattern, self.vocabulary)

    def start(self) -> tuple[Callable[[], Any], Callable[[int], bool]]:
        guide, bitmask = self.core.Guide(self.index), self.bitmask
        address, size = bitmask.ctypes.data, bitmask.size

        def accept(token: int) -> bool:
            try:
                guide.advance(token, return_tokens=False)
            except ValueError:
                return False
            return True

        return (lambda: guide.write_mask_into(address, size, 4)), accept


class LmFormatEnforcer:
    """lm-format-enforcer, with its bitmask-free list of tokens."""

    def __init__(self, tekken: Tekken) -> None:
        import lmformatenforcer

        regular = [
            (token, spelling.decode(), spelling.startswith(b" "))
            for token, spelling in enumerate(tekken.tokens)
            if spelling and spelling.decode(errors="ignore").encode() == spelling
        ]
        data = lmformatenforcer.TokenEnforcerTokenizerData

        def decode(ids: list[int]) -> str:
            return b"".join(tekken.tokens[token] for token in ids).decode(errors="replace")

        self.library, self.encode = lmformatenforcer, tekken.encode
        self.data = data(regular, decode, tekken.stop_id, False, len(tekken.tokens))

    def compile_kind(self, kind: str, grammar: Any) -> None:
        if kind == "ebnf" and grammar is not ablation.JSON:
            raise UnsupportedError("no context-free grammars")
        if kind == "regex":
            self.parser = self.library.RegexParser(grammar)
        else:
            self.parser = self.library.JsonSchemaParser(grammar if kind == "schema" else None)
        self.enforcer = self.library.TokenEnforcer(self.data, self.parser)

    def start(self) -> tuple[Callable[[], Any], Callable[[int], bool]]:
        enforcer, tokens, allowed = self.enforcer, [], []

        def fill() -> None:
            allowed[:] = enforcer.get_allowed_tokens(tokens).allowed_tokens

        def accept(token: int) -> bool:
            tokens.append(token)
            return token in allowed

        return fill, accept


ENGINES = {
    "penstock": Penstock,
    "llguidance": LLGuidance,
    "xgrammar": XGrammar,
    "outlines_core": OutlinesCore,
    "lmformatenforcer": LmFormatEnforcer,
}


def measure(engine: Any, kind: str, grammar: Any, text: str) -> dict[str, Any]:
    """One run of one task by one engine."""
    begin = time.perf_counter()
    try:
        engine.compile_kind(kind, grammar)
        engine.start()[0]()
    except UnsupportedError as error:
        return {"verdict": str(error)}
    except Exception as error:
        return {"verdict": f"refused: {error!r}"[:160]}
    first_mask = (time.perf_counter() - begin) * 1e6
    tokens = engine.encode(text)
    passes = [masks.read_instance(engine, tokens) for _ in range(3)]
    if not all(taken for _, taken in passes):
        return {"verdict": f"refused token {len(passes[0][0]) - 1} of the text"}
    again = [min(step) for step in zip(passes[1][0], passes[2][0], strict=True)]
    return {"verdict": "passing", "first mask": first_mask, "first": passes[0][0], "repeat": again}


def joined(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The smallest figures of some runs."""
    if runs[0]["verdict"] != "passing":
        return runs[0]
    steps = {turn: [min(step) for step in zip(*(run[turn] for run in runs), strict=True)] for turn in ("first", "repeat")}
    first_mask = round(min(run["first mask"] for run in runs), 1)
    return {"verdict": "passing", "first mask": first_mask, **{turn: percentiles(times) for turn, times in steps.items()}}


def measure_all(engines: dict[str, Any], names: list[str], num_runs: int) -> dict[str, Any]:
    """All tasks by all engines, which take turns."""
    found: dict[str, Any] = {}
    for name in names:
        runs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
        for _ in range(num_runs):
            for key, engine in engines.items():
                if sum(sum(run.get("first", [0])) + run.get("first mask", 0) for run in runs[key]) < SLOW_SECONDS * 1e6:
                    runs[key].append(measure(engine, *TASKS[name]))
        found[name] = {key: joined(rows) for key, rows in runs.items()}
        print(f"{name}: done", file=sys.stderr)
    return found


def print_tables(found: dict[str, Any]) -> None:
    heads = ("first mask", "first p50", "p99", "mean", "repeat p50", "p99", "mean")
    for name, rows in found.items():
        print(f"{name}\n  {'':18s}" + "".join(f"{head:>12}" for head in heads))
        for engine, row in rows.items():
            if row["verdict"] != "passing":
                print(f"  {engine:18s}{row['verdict']}")
                continue
            cells = [row[turn][key] for turn in ("first", "repeat") for key in ("p50", "p99", "mean")]
            print(f"  {engine:18s}" + "".join(f"{cell:12.1f}" for cell in [row["first mask"], *cells]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    tekken = Tekken()
    names = installed(options.engines)
    engines = {name: ENGINES[name](tekken) for name in names}
    found = measure_all(engines, options.tasks.split(","), max(1, options.runs))
    record = {"date": datetime.date.today().isoformat(), "versions": versions(names), "us": found}
    if options.json:
        print(json.dumps(record, indent=1))
    else:
        print_tables(found)
    if not options.no_record:
        save_record("grammars", record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
