"""What one step of a batch costs: fill all rows and accept a token in each, for penstock and its peers.

    python benchmarks/batch.py [--batches 1,16,64,256] [--grammars 8] [--threads N] [--json] [--no-record]

Every row reads a JSON text under one of `--grammars` schemas; rows stand at different places of it, as requests of a server
do. A step is one batched fill and one batched accept by each engine's own batch calls: `fill_next_token_bitmasks` and
`accept_next_tokens`; `BatchGrammarMatcher`; `fill_next_token_bitmask_par` and `consume_token_par`. Vocabulary: tekken of
mistral-common. `first` is the mean step of the first reading, with all masks to be made, `repeat` that of the second;
engines take turns, microseconds a step, the median of five runs. A token that an engine refuses ends the run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import masks
from masks import Tekken, installed, versions
from records import save_record

NUM_STEPS, NUM_RUNS = 40, 5
NAMES = ("name", "street", "city", "country", "owner", "title", "colour", "comment")


def schema_of(number: int) -> dict[str, Any]:
    """An order of some articles; each number has names of its own."""
    article = {
        "type": "object",
        "properties": {f"{NAMES[number % 8]}_{number}": {"type": "string"}, "count": {"type": "integer", "minimum": 0}},
        "required": ["count"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "articles": {"type": "array", "items": article}, "paid": {"type": "boolean"}},
        "required": ["id", "articles"],
        "additionalProperties": False,
    }


def text_of(number: int) -> str:
    articles = [{f"{NAMES[number % 8]}_{number}": f"A thing of kind {i}", "count": i * 7} for i in range(60)]
    return json.dumps({"id": 4711, "articles": articles, "paid": True})


class Penstock(masks.Penstock):
    """This library."""

    def __init__(self, tekken: Tekken, threads: int) -> None:
        super().__init__(tekken)
        self.size, self.compiler = len(tekken.tokens), self.penstock.GrammarCompiler(self.info)

    def compile(self, schemas: list[dict[str, Any]]) -> None:
        self.compiler.clear_cache()
        self.compiled = [self.compiler.compile_json_schema(schema) for schema in schemas]

    def start(self, kinds: list[int], prefixes: list[list[int]]) -> Callable[[list[int]], bool]:
        from penstock import accept_next_tokens, fill_next_token_bitmasks

        bitmask = self.penstock.allocate_token_bitmask(len(kinds), self.size)
        matchers = [self.penstock.Matcher(self.compiled[kind]) for kind in kinds]
        for matcher, prefix in zip(matchers, prefixes, strict=True):
            matcher.accept_tokens(prefix)

        def step(tokens: list[int]) -> bool:
            fill_next_token_bitmasks(matchers, bitmask)
            return all(answer is True for answer in accept_next_tokens(matchers, tokens))

        return step


class LLGuidance(masks.LLGuidance):
    """llguidance, with its own numbering: text tokens first."""

    def __init__(self, tekken: Tekken, threads: int) -> None:
        super().__init__(tekken)
        import llguidance
        import llguidance.numpy

        self.numpy, self.executor = llguidance.numpy, llguidance.LLExecutor(threads)

    def compile(self, schemas: list[dict[str, Any]]) -> None:
        matcher = self.matcher_class
        self.compiled = [matcher(self.tokenizer, matcher.grammar_from_json_schema(schema)) for schema in schemas]

    def start(self, kinds: list[int], prefixes: list[list[int]]) -> Callable[[list[int]], bool]:
        bitmask = self.numpy.allocate_token_bitmask(len(kinds), self.tokenizer.vocab_size)
        matchers = [self.compiled[kind].deep_copy() for kind in kinds]
        for matcher, prefix in zip(matchers, prefixes, strict=True):
            matcher.consume_tokens(prefix)
        rows = [(matcher, row) for row, matcher in enumerate(matchers)]

        def step(tokens: list[int]) -> bool:
            self.numpy.fill_next_token_bitmask_par(self.executor, rows, bitmask)
            return all(self.numpy.consume_token_par(self.executor, list(zip(matchers, tokens, strict=True))))

        return step


class XGrammar(masks.XGrammar):
    """XGrammar, strict, with flexible whitespace."""

    def __init__(self, tekken: Tekken, threads: int) -> None:
        super().__init__(tekken)
        self.size, self.batch = len(tekken.tokens), self.xgrammar.BatchGrammarMatcher(max_threads=threads)

    def compile(self, schemas: list[dict[str, Any]]) -> None:
        compiler = self.xgrammar.GrammarCompiler(self.info, max_threads=1, cache_enabled=False)
        texts = [json.dumps(schema) for schema in schemas]
        self.compiled = [compiler.compile_json_schema(text, any_whitespace=True, strict_mode=True) for text in texts]

    def start(self, kinds: list[int], prefixes: list[list[int]]) -> Callable[[list[int]], bool]:
        bitmask = self.xgrammar.allocate_token_bitmask(len(kinds), self.size)
        matchers = [self.xgrammar.GrammarMatcher(self.compiled[kind]) for kind in kinds]
        for matcher, prefix in zip(matchers, prefixes, strict=True):
            for token in prefix:
                matcher.accept_token(token)

        def step(tokens: list[int]) -> bool:
            self.batch.batch_fill_next_token_bitmask(matchers, bitmask)
            return all(self.batch.batch_accept_token(matchers, tokens))

        return step


ENGINES = {"penstock": Penstock, "llguidance": LLGuidance, "xgrammar": XGrammar}


def read(engine: Any, kinds: list[int], rows: list[list[int]], starts: list[int]) -> float:
    """Mean microseconds of a step."""
    step = engine.start(kinds, [row[:start] for row, start in zip(rows, starts, strict=True)])
    steps = [[row[start + i] for row, start in zip(rows, starts, strict=True)] for i in range(NUM_STEPS)]
    begin = time.perf_counter()
    taken = all([step(tokens) for tokens in steps])
    spent = time.perf_counter() - begin
    if not taken:
        raise SystemExit(f"{type(engine).__name__} refused a token of the text")
    return spent / NUM_STEPS * 1e6


def measure(engines: dict[str, Any], size: int, num_grammars: int) -> dict[str, dict[str, float]]:
    """One size of batch; the engines take turns."""
    kinds = [row % num_grammars for row in range(size)]
    times: dict[str, dict[str, list[float]]] = {name: {"first": [], "repeat": []} for name in engines}
    for _ in range(NUM_RUNS):
        for name, engine in engines.items():
            texts = [engine.encode(text_of(kind)) for kind in range(num_grammars)]
            rows = [texts[kind] for kind in kinds]
            starts = [(row * 13) % (len(rows[row]) - NUM_STEPS) for row in range(size)]
            engine.compile([schema_of(kind) for kind in range(num_grammars)])
            for turn in ("first", "repeat"):
                times[name][turn].append(read(engine, kinds, rows, starts))
    return {name: {turn: round(statistics.median(runs), 1) for turn, runs in turns.items()} for name, turns in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,16,64,256")
    parser.add_argument("--grammars", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    tekken = Tekken()
    names = installed(options.engines)
    engines = {name: ENGINES[name](tekken, options.threads) for name in names}
    batches = {size: measure(engines, int(size), options.grammars) for size in options.batches.split(",")}
    found = {"grammars": options.grammars, "threads": options.threads, "batches": batches}
    record = {"date": datetime.date.today().isoformat(), "versions": versions(names), **found}
    if options.json:
        print(json.dumps(record, indent=1))
    else:
        print(f"{'rows':>6}  {'':8s}" + "".join(f"{name:>14}" for name in names))
        for size, rows in batches.items():
            for turn in ("first", "repeat"):
                print(f"{size:>6}  {turn:8s}" + "".join(f"{rows[name][turn]:14.1f}" for name in names))
    if not options.no_record:
        save_record("batch", record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
