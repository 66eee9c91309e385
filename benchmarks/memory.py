"""What is held: the tables of a vocabulary, compiled grammars with their masks, matchers, and a process that sees many schemas.

    python benchmarks/memory.py [CASES.jsonl.gz] [--stride 4] [--vocabulary tekken] [--json] [--no-record]

vocabulary: the bytes of what a TokenizerInfo carries: bitmaps and tables of JSON strings, tries, and the bytes of the
tokens; the seconds that making all of it took, and the growth of the resident set. JSON: a grammar of unconstrained JSON
with its masks, after a text that visits its states. schema: size_bytes of the compiled grammar of each case (those of the
data folder: PENSTOCK_SHARED, ../shared) after its instances were read. matcher: what one holds at the start and for each
token, by the growth of the resident set over many. process: the resident set while one GrammarCompiler with a bounded cache
compiles every case and reads its instances, twice over, after each quarter of a pass: the second pass is flat. What it
holds above the cache is memory that was freed and that the allocator keeps; after_trim is what is left when it gives that
back. Every instance's verdict is checked; a wrong one is counted.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path
from typing import Any

from masks import SHARED, cases_of
from peers import Penstock
from records import make_parser, percentiles, report, versions
from vocabularies import VOCABULARIES, Vocabulary, load

CACHE_BYTES = 64 << 20
NUM_MATCHERS, MATCHER_TOKENS = 500, 1_000
JSON_TEXT = json.dumps(
    {"a": [1, -2.5e3, True, None, {"b": "text\n\\ \u00e9 and more", "c": []}], "name": {"x": "y"}, "list": [[1], ["q", 7]]}
)


def resident_bytes() -> int:
    """The resident set of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def read_all(engine: Any, vocabulary: Vocabulary, compiled: Any, case: dict[str, Any]) -> bool:
    """Reads the instances with all their masks; whether every verdict is right."""
    import penstock

    for test in case["tests"]:
        matcher, taken = penstock.Matcher(compiled), True
        for token in vocabulary.encode(json.dumps(test["data"], ensure_ascii=False)):
            matcher.fill_next_token_bitmask(engine.bitmask, 0)
            taken = taken and matcher.accept_token(token)
            if not taken:
                break
        if (taken and matcher.is_accepting()) != test["valid"]:
            return False
    return True


def measure_vocabulary(vocabulary: Vocabulary) -> tuple[Any, dict[str, float]]:
    """The engine, and what its vocabulary costs."""
    before, begin = resident_bytes(), time.perf_counter()
    engine = Penstock(vocabulary)
    engine.compile("schema", True)
    seconds = time.perf_counter() - begin
    tables, tries, sweeps, shared, spellings = engine.compiled._vocabulary_parts()
    return engine, {
        "ids": len(vocabulary.tokens),
        "tables_bytes": tables,
        "tries_bytes": tries,
        "token_bytes": spellings,
        "sweeps_bytes": sweeps,
        "shared_masks_bytes": shared,
        "resident_bytes": resident_bytes() - before,
        "seconds": round(seconds, 3),
    }


def measure_json(engine: Any, vocabulary: Vocabulary) -> dict[str, int]:
    engine.compile("schema", True)
    case = {"tests": [{"valid": True, "data": json.loads(JSON_TEXT)}]}
    if not read_all(engine, vocabulary, engine.compiled, case):
        raise SystemExit("the JSON text of this benchmark was refused")
    return {"size_bytes": engine.compiled.size_bytes, "masks": engine.compiled.mask_counts[0]}


def measure_matchers(engine: Any, vocabulary: Vocabulary) -> dict[str, int]:
    """Bytes of one of many matchers under one grammar."""
    import penstock

    engine.compile("schema", {"type": "array", "items": {"type": "integer"}})
    tokens = vocabulary.encode("[" + "12, " * 600)[:MATCHER_TOKENS]
    before = resident_bytes()
    matchers = [penstock.Matcher(engine.compiled) for _ in range(NUM_MATCHERS)]
    fresh = resident_bytes()
    if any(matcher.accept_tokens(tokens) != len(tokens) for matcher in matchers):
        raise SystemExit("the numbers of this benchmark were refused")
    grown = resident_bytes() - fresh
    return {"fresh_bytes": (fresh - before) // NUM_MATCHERS, "bytes_a_token": grown // NUM_MATCHERS // len(tokens)}


def measure_schemas(engine: Any, vocabulary: Vocabulary, cases: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sizes of the compiled grammars, and the resident set of the process along the way."""
    import penstock

    compiler = penstock.GrammarCompiler(engine.info, cache_size_bytes=CACHE_BYTES)
    sizes, quarters, refused, wrong, peak = [], [], 0, 0, 0
    start = resident_bytes()
    for number, case in enumerate(2 * cases):
        try:
            compiled = compiler.compile_json_schema(case["schema"])
        except penstock.PenstockError:
            refused += number < len(cases)
            continue
        wrong += not read_all(engine, vocabulary, compiled, case)
        if number < len(cases):
            sizes.append(compiled.size_bytes)
        peak = max(peak, resident_bytes() - start)
        if 4 * (number + 1) // len(cases) > len(quarters):
            quarters.append(resident_bytes() - start)
    ctypes.CDLL(None).malloc_trim(0)
    process = {
        "cases": len(cases),
        "refused": refused,
        "wrong_verdicts": wrong,
        "cache_bytes": CACHE_BYTES,
        "peak_bytes": peak,
        "quarters_bytes": quarters,
        "after_trim_bytes": resident_bytes() - start,
    }
    return percentiles(sizes), process


def print_tables(record: dict[str, Any]) -> None:
    for kind in ("vocabulary", "JSON", "matcher", "schema", "process"):
        print(f"{kind:12s}" + "  ".join(f"{name} {value}" for name, value in record[kind].items()))
    vocabulary = record["vocabulary"]
    aims = (
        ("bitmaps and JSON tables", vocabulary["tables_bytes"] / 1e6, 4.0, "MB"),
        ("token bytes and tries", (vocabulary["tries_bytes"] + vocabulary["token_bytes"]) / 1e6, 12.0, "MB"),
        ("building them", vocabulary["seconds"], 0.6, "s"),
        ("masks of JSON", record["JSON"]["size_bytes"] / 1e6, 0.46, "MB"),
    )
    for name, value, aim, unit in aims:
        print(f"{name:24s}{value:8.3f} {unit}, aim {aim:g}{'' if value <= aim else '  missed'}")


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("cases", nargs="?", type=Path, default=SHARED / "data" / "maskbench-dev.jsonl.gz")
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--vocabulary", choices=VOCABULARIES, default="tekken")
    options = parser.parse_args()
    cases, vocabulary = cases_of(options), load(options.vocabulary)
    engine, tables = measure_vocabulary(vocabulary)
    figures: dict[str, Any] = {"vocabulary": tables, "JSON": measure_json(engine, vocabulary)}
    figures["matcher"] = measure_matchers(engine, vocabulary)
    figures["schema"], figures["process"] = measure_schemas(engine, vocabulary, cases)
    record = {
        "stride": options.stride,
        "versions": versions(["penstock"]),
        **figures,
    }
    name = "memory" if options.vocabulary == "tekken" else f"memory-{options.vocabulary}"
    report(name, record, options, print_tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
