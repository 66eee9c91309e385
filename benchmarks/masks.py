"""Time to the first mask and time per token, for penstock and its peers, over recorded schemas with instances.

    python benchmarks/masks.py [CASES.jsonl.gz] [--engines penstock,llguidance,xgrammar] [--stride 29]
                               [--vocabulary tekken|qwen|o200k|sentencepiece] [--json] [--no-record]

A case is `{"id", "schema", "tests": [{"valid", "data"}]}`; by default those of the data folder (PENSTOCK_SHARED,
../shared). Vocabularies: the head of `vocabularies.py`. Every engine gets every case in turn, in a process of its own, on
one thread. Some two seconds a case, most of them XGrammar's compiles: three minutes at stride 29.

first mask: compile (a new compiler a schema, the vocabulary's tables made before) and the first fill. A step is fill +
accept of one token of an instance. cold: the first reading of all instances after a compile; warm: the second one. Three
such rounds; each figure is the smallest of the three, so a maximum is the largest of per-step minima (see `reading.py`).
`penstock` finds nothing that other schemas left. `penstock_in_turn` does, as a server would: it meets every schema once in a
process, in three processes one after the other, and pays what is paid once a process, too.
first visit: the step's mask, as penstock fills it, is none that this schema has shown before; the same steps for all
engines. Places: what the token begins in. passing: compiled, every valid instance taken to its end, every invalid one
refused. Tables are over the cases that all engines pass, and over those that each passes by itself, where percentiles of
different engines are over different cases. `ratio` is penstock over the best peer of the line. All in microseconds.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peers import IN_TURN, MASK_ENGINES, installed
from reading import NUM_ROUNDS, PLACES, merged
from records import make_parser, percentiles, pyplot, report, versions
from tqdm import tqdm
from vocabularies import VOCABULARIES
from workers import Worker

SHARED = Path(os.environ.get("PENSTOCK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SECONDS_PER_CASE = 2
TURNS = ("first visits", "repeats")
COLUMNS = ("p50", "p90", "p99", "p99.9", "max", "mean")
STEP_AIMS = {"p50": 0.3, "p90": 0.12, "p99": 0.15, "p99.9": 0.15, "max": 0.2, "mean": 0.08}
AIMS = {"first mask": {"p50": 0.06, "p99": 0.1, "max": 0.15}, "cold, all steps": STEP_AIMS}
"""Ratios to the best peer; those of the first mask to llguidance."""
Answers = dict[str, list[dict[str, Any]]]
Times = dict[str, list[float]]


def read_cases(path: Path, stride: int) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line) for number, line in enumerate(lines) if number % stride == 0)


def cases_of(options: Namespace) -> list[dict[str, Any]]:
    """The cases that the options name; ends the program where they are missing."""
    if not options.cases.is_file():
        sys.exit(f"`{options.cases}` is not there; set PENSTOCK_SHARED to the data folder, or name a file of cases")
    return list(read_cases(options.cases, options.stride))


def ask_all(cases: list[dict[str, Any]], engines: list[str], vocabulary: str) -> Answers:
    """The answers of all engines, which take turns."""
    print(f"about {len(cases) * SECONDS_PER_CASE / 60:.0f} minutes on a quiet machine", file=sys.stderr)
    answers = ask_once(cases, [name for name in engines if name != IN_TURN], vocabulary)
    if IN_TURN in engines:
        once = [{**case, "rounds": 1} for case in cases]
        passes = [ask_once(once, [IN_TURN], vocabulary)[IN_TURN] for _ in range(NUM_ROUNDS)]
        answers[IN_TURN] = [merged(list(rounds)) for rounds in zip(*passes, strict=True)]
    return {name: answers[name] for name in engines}


def ask_once(cases: list[dict[str, Any]], engines: list[str], vocabulary: str) -> Answers:
    """The answers of engines in new processes."""
    workers = {name: Worker(name, vocabulary) for name in engines}
    answers: Answers = {name: [] for name in engines}
    for case in tqdm(cases, unit="schema", disable=None):
        for name, worker in workers.items():
            answers[name].append(worker.ask(case))
    for worker in workers.values():
        worker.close()
    return answers


def times_of(rows: list[dict[str, Any]], labels: list[dict[str, Any]]) -> Times:
    """The times of some cases by what was measured; `labels` are the reference's answers, with first visits and places."""
    times: Times = defaultdict(list)
    for row, label in zip(rows, labels, strict=True):
        times["first mask"].append(row["first mask"])
        for test, steps in enumerate(row["cold"]):
            times["cold, all steps"] += steps
            times["warm, all steps"] += row["warm"][test]
            for at, new in enumerate(label.get("new", [[]] * len(row["cold"]))[test][: len(steps)]):
                turn, place = TURNS[not new], label["places"][test][at]
                times[f"cold, {turn}"].append(steps[at])
                times[f"cold, {turn}: {place}"].append(steps[at])
                times[f"warm: {place}"].append(row["warm"][test][at])
    return times


def summarise(answers: Answers) -> tuple[dict[str, Any], dict[str, Times]]:
    """Verdicts, and times of the cases that all engines pass and of those that each passes; the times of the former whole."""
    engines = list(answers)
    passing = {name: [i for i, row in enumerate(answers[name]) if row["verdict"] == "passing"] for name in engines}
    common = sorted(set.intersection(*(set(cases) for cases in passing.values())))
    labels = answers.get("penstock") or [{}] * len(answers[engines[0]])

    def times(name: str, cases: list[int]) -> Times:
        return times_of([answers[name][i] for i in cases], [labels[i] for i in cases])

    whole = {name: times(name, common) for name in engines}
    own = {name: times(name, passing[name]) for name in engines}
    verdicts = {name: counts([row["verdict"] for row in answers[name]]) for name in engines}
    summary: dict[str, Any] = {"cases": len(labels), "common": len(common), "verdicts": verdicts}
    for name, found in (("passed by all", whole), ("passed by each", own)):
        summary[name] = {engine: {key: percentiles(values) for key, values in found[engine].items()} for engine in engines}
    return summary, whole


def counts(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def ratio(figures: dict[str, Any], key: str, column: str) -> float | None:
    """Penstock over the best peer, or over llguidance for first masks."""
    peers = [name for name in figures if name not in ("penstock", IN_TURN) and key in figures[name]]
    if key == "first mask":
        peers = [name for name in peers if name == "llguidance"]
    if not peers or key not in figures.get("penstock", {}):
        return None
    return figures["penstock"][key][column] / min(figures[name][key][column] for name in peers)


def print_tables(record: dict[str, Any]) -> None:
    print(f"{record['vocabulary']}: {record['cases']} schemas, {record['common']} passed by all; microseconds")
    for name, verdicts in record["verdicts"].items():
        print(f"  {name}: " + ", ".join(f"{count} {kind}" for kind, count in verdicts.items()))
    keys = ["first mask", "cold, all steps", "warm, all steps", *(f"cold, {turn}" for turn in TURNS)]
    keys += [f"cold, {turn}: {place}" for turn in TURNS for place in PLACES] + [f"warm: {place}" for place in PLACES]
    for over in ("passed by all", "passed by each"):
        engines = list(record[over])
        print(f"\n{over}\n{'':36s}" + "".join(f"{name:>14}" for name in engines) + f"{'ratio':>8}{'aim':>8}")
        for key in keys:
            print_lines(record[over], key)


def print_lines(figures: dict[str, Any], key: str) -> None:
    for column in COLUMNS:
        cells = [figures[name].get(key, {}).get(column) for name in figures]
        if not any(cell is not None for cell in cells):
            return
        found, aim = ratio(figures, key, column), AIMS.get(key, {}).get(column)
        line = f"{key:30s}{column:6s}" + "".join(f"{'-' if cell is None else cell:>14}" for cell in cells)
        line += f"{'-' if found is None else format(found, '.3f'):>8}"
        print(line + (f"{aim:8.2f}{'' if found is None or found <= aim else '  missed'}" if aim else ""))


def plot(whole: dict[str, Times], path: Path) -> None:
    """Percentile curves of the cold readings, first visits above and repeats below, by place; one line an engine."""
    figure, grid = pyplot().subplots(2, 1 + len(PLACES), figsize=(15, 6), sharex=True, sharey=True)
    for row, turn in enumerate(TURNS):
        for axes, place in zip(grid[row], ("", *PLACES), strict=True):
            key = f"cold, {turn}: {place}" if place else f"cold, {turn}"
            for name, times in whole.items():
                steps = sorted(times.get(key, []), reverse=True)
                axes.plot([(i + 1) / len(steps) for i in range(len(steps))], steps, label=name)
            axes.set(title=f"{turn}, {place or 'all'}", xscale="log", yscale="log")
            axes.set_xticks([1, 0.1, 0.01, 0.001], ["min", "p90", "p99", "p99.9"])
        grid[row, 0].set_ylabel("fill + accept (microseconds)")
    grid[0, 0].invert_xaxis()
    grid[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("cases", nargs="?", type=Path, default=SHARED / "data" / "maskbench-dev.jsonl.gz")
    parser.add_argument("--engines", default=",".join((*MASK_ENGINES, IN_TURN)))
    parser.add_argument("--stride", type=int, default=29)
    parser.add_argument("--vocabulary", choices=VOCABULARIES, default="tekken")
    options = parser.parse_args()
    engines = installed(options.engines)
    summary, whole = summarise(ask_all(cases_of(options), engines, options.vocabulary))
    record = {"vocabulary": options.vocabulary, "stride": options.stride, "versions": versions(engines), **summary}
    name = "masks" if options.vocabulary == "tekken" else f"masks-{options.vocabulary}"
    # Without penstock nothing tells first visits from repeats, and nothing is drawn.
    is_told = any(f"cold, {TURNS[0]}" in times for times in whole.values())
    report(name, record, options, print_tables, (lambda _, path: plot(whole, path)) if is_told else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
