"""What one step of a batch costs: fill all rows and accept a token in each, for penstock and its peers.

    python benchmarks/batch.py [--batches 1,16,64,256] [--grammars 1,8] [--threads N] [--json] [--no-record]

Every row reads a JSON text under one of so many schemas, 1 being a batch of one schema; rows stand at different places of
it, as requests of a server do. Two minutes. A step is one batched fill and one batched accept by each engine's own batch
calls: `fill_next_token_bitmasks` and `accept_next_tokens`; `BatchGrammarMatcher`; `fill_next_token_bitmask_par` and
`consume_token_par`. Vocabulary: tekken of mistral-common. `first` is the mean step of the first reading, with all masks to
be made, `repeat` that of the second; engines take turns, microseconds a step, the median of five runs. A token that an
engine refuses ends the run.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from peers import ENGINES, MASK_ENGINES, installed
from records import make_parser, pyplot, report, versions
from tqdm import tqdm
from vocabularies import tekken

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


def read(engine: Any, kinds: list[int], rows: list[list[int]], starts: list[int]) -> float:
    """Mean microseconds of a step."""
    step = engine.start_batch(kinds, [row[:start] for row, start in zip(rows, starts, strict=True)])
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
            engine.compile_batch([schema_of(kind) for kind in range(num_grammars)])
            for turn in ("first", "repeat"):
                times[name][turn].append(read(engine, kinds, rows, starts))
    return {name: {turn: round(statistics.median(runs), 1) for turn, runs in turns.items()} for name, turns in times.items()}


def ratio(row: dict[str, dict[str, float]], turn: str) -> float | None:
    """Penstock over the best peer."""
    peers = [times[turn] for name, times in row.items() if name != "penstock"]
    return row["penstock"][turn] / min(peers) if peers and "penstock" in row else None


def print_tables(record: dict[str, Any]) -> None:
    for grammars, batches in record["grammars"].items():
        names = list(next(iter(batches.values())))
        print(f"\n{grammars} schema(s): microseconds a step of all rows")
        print(f"{'rows':>6}  {'':8s}" + "".join(f"{name:>14}" for name in names) + f"{'ratio':>8}{'our us a row':>14}")
        for size, row in batches.items():
            for turn in ("first", "repeat"):
                found = ratio(row, turn)
                cells = (
                    "".join(f"{row[name][turn]:14.1f}" for name in names)
                    + f"{'-' if found is None else format(found, '.3f'):>8}"
                )
                own = f"{row['penstock'][turn] / int(size):14.2f}" if "penstock" in row else ""
                print(f"{size:>6}  {turn:8s}{cells}{own}")


def plot(record: dict[str, Any], path: Path) -> None:
    """Microseconds a row by the size of the batch, one line an engine; first readings and repeats, one schema and several."""
    figure, grid = pyplot().subplots(
        len(record["grammars"]), 2, figsize=(9, 3.5 * len(record["grammars"])), sharex=True, squeeze=False
    )
    for line, (grammars, batches) in zip(grid, record["grammars"].items(), strict=True):
        for axes, turn in zip(line, ("first", "repeat"), strict=True):
            sizes = [int(size) for size in batches]
            for name in next(iter(batches.values())):
                axes.plot(sizes, [row[name][turn] / int(size) for size, row in batches.items()], marker="o", label=name)
            axes.set(title=f"{grammars} schema(s), {turn}", xscale="log", yscale="log", xlabel="rows", ylabel="us a row")
    grid[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--batches", default="1,16,64,256")
    parser.add_argument("--grammars", default="1,8")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engines", default=",".join(MASK_ENGINES))
    options = parser.parse_args()
    names, vocabulary = installed(options.engines), tekken()
    engines = {name: ENGINES[name](vocabulary, options.threads) for name in names}
    found: dict[str, Any] = {grammars: {} for grammars in options.grammars.split(",")}
    for grammars, size in tqdm([(a, b) for a in found for b in options.batches.split(",")], unit="batch", disable=None):
        found[grammars][size] = measure(engines, int(size), int(grammars))
    report("batch", {"versions": versions(names), "threads": options.threads, "grammars": found}, options, print_tables, plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
