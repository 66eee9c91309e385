#!/usr/bin/env python3
"""Recorded schemas and their instances through Penstock, against a ratchet that may only get better.

    run.py [maskbench | suite ...] [--update] [--stride N] [--jobs N]

maskbench: schemas that people wrote, with instances. suite: the JSON Schema Test Suite, each schema under its own
draft. The data is no part of the repository: PENSTOCK_SHARED names the folder with `data/`, by default `../shared`
beside it.

A case is one schema. Its verdict is `passed`, or what went wrong first: `refused <code> <keywords>` (compiling
raised), `valid <instance numbers>` (refused though valid), `invalid <numbers>` (taken though invalid), `error
<class>`, `timeout`. The ratchet file holds one line for each case that does not pass. A case that fails and isn't
listed, or is listed for something milder, is a regression: the exit code is 1. `--update` rewrites the file, and
refuses to while there are regressions unless `--allow-regressions`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import penstock

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from helpers.ratchet import read_ratchet  # noqa: E402

DATA = Path(os.environ.get("PENSTOCK_SHARED", FOLDER.parents[2] / "shared")) / "data"
SECONDS_PER_CASE = 20
# Verdicts from mild to bad: taking what is invalid is worse than refusing what is valid, and that than refusing to compile.
BADNESS = ("passed", "refused", "valid", "error", "timeout", "invalid")
METASCHEMAS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
}


def read_lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def maskbench_cases() -> Iterator[dict[str, Any]]:
    """Cases as `{"id", "schema", "tests", "options"}`."""
    for case in read_lines("maskbench-dev"):
        yield case | {"options": {}}


def suite_cases() -> Iterator[dict[str, Any]]:
    """The suite's cases; a schema that names no draft gets that of its folder. Optional formats are asserted."""
    with gzip.open(DATA / "json-schema-remotes.json.gz", "rt", encoding="utf-8") as file:
        remotes = json.load(file)
    for number, case in enumerate(read_lines("json-schema-test-suite-dev")):
        schema = case["schema"]
        if isinstance(schema, dict) and "$schema" not in schema and case["draft"] in METASCHEMAS:
            schema = {"$schema": METASCHEMAS[case["draft"]], **schema}
        is_format = "format" in case["file"] and "optional" in case["file"]
        options = {"registry": remotes, "format": "assertion" if is_format else "annotation"}
        name = f"{case['draft']}/{case['file']}#{number}"
        yield {"id": name, "schema": schema, "tests": case["tests"], "options": options}


CORPORA = {"maskbench": maskbench_cases, "suite": suite_cases}
_STATE: dict[str, Any] = {}


def info() -> penstock.TokenizerInfo:
    """The 256 bytes and a stop token: verdicts do not depend on the vocabulary."""
    if "info" not in _STATE:
        _STATE["info"] = penstock.TokenizerInfo([*(bytes([b]) for b in range(256)), b"<stop>"], stop_token_ids=[256])
    return _STATE["info"]


def judge(case: dict[str, Any]) -> tuple[str, str]:
    """The case's id and its verdict."""
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(SECONDS_PER_CASE)
    try:
        return case["id"], verdict(case)
    except penstock.LimitError as error:
        return case["id"], f"error {type(error).__name__} {error.details.get('limit', '')}".rstrip()
    except TimeoutError:
        return case["id"], "timeout"
    except Exception as error:
        return case["id"], f"error {type(error).__name__}"
    finally:
        signal.alarm(0)


def _give_up(*_: Any) -> None:
    raise TimeoutError


def verdict(case: dict[str, Any]) -> str:
    """What the engine makes of one schema and its instances."""
    try:
        compiled = penstock.GrammarCompiler(info()).compile_json_schema(case["schema"], **case["options"])
    except penstock.EmptyLanguageError:
        wrong = [i for i, test in enumerate(case["tests"]) if test["valid"]]
        return f"valid {' '.join(map(str, wrong))}" if wrong else "passed"
    except (penstock.GrammarError, penstock.LimitError) as error:
        keywords = sorted({keyword for _, keyword, _ in error.details.get("refusals", [])})
        return f"refused {error.code} {' '.join(keywords)}".rstrip()
    answers = [takes(compiled, test["data"]) for test in case["tests"]]
    wrong = [i for i, test in enumerate(case["tests"]) if answers[i] != test["valid"]]
    taken = [i for i in wrong if answers[i]]
    if taken:
        return f"invalid {' '.join(map(str, taken))}"
    return f"valid {' '.join(map(str, wrong))}" if wrong else "passed"


def takes(compiled: penstock.CompiledGrammar, value: Any) -> bool:
    """Whether the instance, as json.dumps writes it, is in the language."""
    matcher = penstock.Matcher(compiled)
    return (
        matcher.accept_bytes(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) and matcher.is_accepting()
    )


def is_worse(found: str, known: str) -> bool:
    """Whether a verdict is worse than the one on record."""
    now, before = (BADNESS.index(text.split()[0]) for text in (found, known))
    if now != before:
        return now > before
    numbers = [set(text.split()[1:]) for text in (found, known)]
    return found.split()[0] in ("valid", "invalid") and not numbers[0] <= numbers[1]


def compare(verdicts: dict[str, str], path: Path, *, update: bool, allow: bool) -> int:
    """Prints the summary; returns the number of regressions. Cases that this run left out stay on record."""
    known = read_ratchet(path)
    regressions = {case: found for case, found in verdicts.items() if is_worse(found, known.get(case, "passed"))}
    better = sum(is_worse(known[case], found) for case, found in verdicts.items() if case in known)
    kinds = [found.split()[0] for found in verdicts.values()]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in BADNESS if kind in kinds)
    for case, found in sorted(regressions.items())[:40]:
        print(f"  worse: {case}: {known.get(case, 'passed')} -> {found}")
    print(
        f"{path.stem}: {len(verdicts) - len(regressions)} passed, {len(regressions)} failed  "
        f"({counts}; {better} better than on record)"
    )
    if update and (allow or not regressions):
        merged = {case: text for case, text in (known | verdicts).items() if text != "passed"}
        body = "".join(f"{case}\t{text}\n" for case, text in sorted(merged.items()))
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {path.stem}: cases that do not pass, and why. It may only shrink.\n{body}", encoding="utf-8")
    return len(regressions)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=[], choices=[*CORPORA, []])
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--allow-regressions", action="store_true")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no data in {DATA}; set PENSTOCK_SHARED to the folder that holds `data`")
        return 0
    failed = 0
    for name in options.corpora or CORPORA:
        cases = list(CORPORA[name]())[:: options.stride]
        # A worker lives for a while only, so that one schema's memory is not the next one's.
        with multiprocessing.Pool(options.jobs, maxtasksperchild=200) as pool:
            verdicts = dict(pool.imap_unordered(judge, cases, chunksize=8))
        path = FOLDER / "ratchet" / f"{name}.txt"
        failed += compare(verdicts, path, update=options.update, allow=options.allow_regressions)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
