"""Whether a mask costs the same late in an output as early, and deep in a document as near its top.

    python benchmarks/long_outputs.py [--runs 7] [--json] [--no-record]

Long: one JSON text of more than 50,000 tokens is read by one matcher; a step is fill + accept. Around output token 10, 1,000
and 50,000 a window of 60 steps of the same text is timed. Deep: arrays nested 10, 1,000 and 10,000 levels, then a window inside
the innermost. Microseconds, the mean over the window of the smallest time that each step took in the runs, all masks
remembered; so growth with the output shows, and noise does not. Every token must be taken. Vocabulary: tekken of
mistral-common.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from peers import Penstock
from records import make_parser, report, versions
from vocabularies import Vocabulary, tekken

WINDOW = 60
PLACES = (10, 1_000, 50_000)
DEPTHS = (10, 1_000, 10_000)
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "count": {"type": "integer", "minimum": 0}, "on": {"type": "boolean"}},
        "required": ["name", "count"],
        "additionalProperties": False,
    },
}
NESTED = {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "string"}, {"type": "integer"}]}
ITEM = '{"name": "A thing of some kind", "count": 712, "on": true}, '


def steps(matcher: Any, tokens: list[int], bitmask: Any) -> list[float]:
    """The time of each step."""
    times = []
    for token in tokens:
        begin = time.perf_counter()
        matcher.fill_next_token_bitmask(bitmask, 0)
        taken = matcher.accept_token(token)
        times.append((time.perf_counter() - begin) * 1e6)
        if not taken:
            raise SystemExit(f"the text of this benchmark was refused after {matcher.num_tokens} tokens")
    return times


def smallest(runs: list[list[float]]) -> float:
    columns = [min(step) for step in zip(*runs, strict=True)]
    return round(sum(columns) / len(columns), 2)


def measure_long(engine: Any, vocabulary: Vocabulary, num_runs: int) -> dict[str, float]:
    """The same window of items, so many tokens into the output."""
    import penstock

    engine.compile("schema", SCHEMA)
    item = vocabulary.encode(ITEM)
    tokens = vocabulary.encode("[") + item * (max(PLACES) // len(item) + 20)
    window = [at + -(at - 1) % len(item) for at in PLACES]
    found: dict[int, list[list[float]]] = {at: [] for at in PLACES}
    for _ in range(num_runs + 1):
        matcher, done = penstock.Matcher(engine.compiled), 0
        for at, start in zip(PLACES, window, strict=True):
            if matcher.accept_tokens(tokens[done:start]) != start - done:
                raise SystemExit("the text of this benchmark was refused")
            found[at].append(steps(matcher, tokens[start : start + WINDOW], engine.bitmask))
            done = start + WINDOW
    return {str(at): smallest(runs[1:]) for at, runs in found.items()}


def measure_deep(engine: Any, vocabulary: Vocabulary, num_runs: int) -> dict[str, float]:
    """The same window inside the innermost of so many arrays."""
    import penstock

    engine.compile("schema", NESTED)
    opening, window = vocabulary.encode("["), (vocabulary.encode('"a text", 42, ') * WINDOW)[:WINDOW]
    found = {}
    for depth in DEPTHS:
        matcher = penstock.Matcher(engine.compiled)
        if matcher.accept_tokens(opening * depth) != depth:
            raise SystemExit("the brackets of this benchmark were refused")
        runs = []
        for _ in range(num_runs + 1):
            runs.append(steps(matcher, window, engine.bitmask))
            matcher.rollback(len(window))
        found[str(depth)] = smallest(runs[1:])
    return found


def print_tables(record: dict[str, Any]) -> None:
    for kind, row in record["us_a_step"].items():
        print(f"{kind:14s}" + "".join(f"{at:>8}: {value:6.2f} us" for at, value in row.items()))


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    vocabulary = tekken()
    engine, num_runs = Penstock(vocabulary), max(1, options.runs)
    figures = {
        "output token": measure_long(engine, vocabulary, num_runs),
        "nesting depth": measure_deep(engine, vocabulary, num_runs),
    }
    record = {"versions": versions(["penstock"]), "us_a_step": figures}
    report("long-outputs", record, options, print_tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
