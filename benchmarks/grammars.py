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

import sys
from pathlib import Path
from typing import Any

from four_grammars import GRAMMARS, TEXTS
from peers import ENGINES, IN_TURN, UnsupportedError, installed
from reading import read, smallest, time_first_mask
from records import make_parser, percentiles, pyplot, report, versions
from tqdm import tqdm
from vocabularies import tekken

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
    **{name: (*grammar, TEXTS[name]) for name, grammar in GRAMMARS.items()},
    "SQL": ("ebnf", SQL, SQL_TEXT),
    "date": ("regex", r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])( [0-2][0-9]:[0-5][0-9])?", "2026-04-30 12:05"),
    "address": ("regex", r"[a-z0-9._-]{1,64}@([a-z0-9-]{1,63}\.){1,3}[a-z]{2,12}", "ada.lovelace-1815@analytical.engine.org"),
}


def measure(engine: Any, kind: str, grammar: Any, text: str) -> dict[str, Any]:
    """One run of one task by one engine."""
    try:
        first_mask = time_first_mask(engine, kind, grammar)
    except UnsupportedError as error:
        return {"verdict": str(error)}
    except Exception as error:
        return {"verdict": f"refused: {error!r}"[:160]}
    tokens = engine.encode(text)
    passes = [read(engine, tokens) for _ in range(3)]
    if not all(taken for _, taken in passes):
        return {"verdict": f"refused token {len(passes[0][0]) - 1} of the text"}
    again = smallest([steps for steps, _ in passes[1:]])
    return {"verdict": "passing", "first mask": first_mask, "first": passes[0][0], "repeat": again}


def joined(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The smallest figures of some runs."""
    if runs[0]["verdict"] != "passing":
        return runs[0]
    steps = {turn: smallest([run[turn] for run in runs]) for turn in ("first", "repeat")}
    first_mask = round(min(run["first mask"] for run in runs), 1)
    return {"verdict": "passing", "first mask": first_mask, **{turn: percentiles(times) for turn, times in steps.items()}}


def measure_all(engines: dict[str, Any], names: list[str], num_runs: int) -> dict[str, Any]:
    """All tasks by all engines, which take turns."""
    found: dict[str, Any] = {}
    for name in tqdm(names, unit="task", disable=None):
        runs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
        for _ in range(num_runs):
            for key, engine in engines.items():
                if sum(sum(run.get("first", [0])) + run.get("first mask", 0) for run in runs[key]) < SLOW_SECONDS * 1e6:
                    runs[key].append(measure(engine, *TASKS[name]))
        found[name] = {key: joined(rows) for key, rows in runs.items()}
    return found


def print_tables(record: dict[str, Any]) -> None:
    heads = ("first mask", "first p50", "p99", "mean", "repeat p50", "p99", "mean")
    for name, rows in record["us"].items():
        print(f"{name}\n  {'':18s}" + "".join(f"{head:>12}" for head in heads))
        for engine, row in rows.items():
            if row["verdict"] != "passing":
                print(f"  {engine:18s}{row['verdict']}")
                continue
            cells = [row[turn][key] for turn in ("first", "repeat") for key in ("p50", "p99", "mean")]
            print(f"  {engine:18s}" + "".join(f"{cell:12.1f}" for cell in [row["first mask"], *cells]))


def plot(record: dict[str, Any], path: Path) -> None:
    """Bars by task, one an engine: the first mask, and the mean step of a first reading and of a repeat, on a log scale."""
    figure, rows = pyplot().subplots(3, 1, figsize=(11, 9), sharex=True)
    tasks = record["us"]
    engines = list(next(iter(tasks.values())))
    for axes, what in zip(rows, ("first mask", "first", "repeat"), strict=True):
        for number, name in enumerate(engines):
            found = [(at, row[name][what]) for at, row in enumerate(tasks.values()) if row[name]["verdict"] == "passing"]
            places = [at + number / (len(engines) + 1) for at, _ in found]
            axes.bar(
                places,
                [value if what == "first mask" else value["mean"] for _, value in found],
                1 / (len(engines) + 1),
                label=name,
            )
        axes.set(yscale="log", ylabel=f"{what}{'' if what == 'first mask' else ' reading, a token'} (us)")
    rows[0].legend(ncols=len(engines), fontsize="small")
    rows[-1].set_xticks([at + 0.4 for at in range(len(tasks))], tasks)
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--engines", default=",".join(name for name in ENGINES if name != IN_TURN))
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    names, vocabulary = installed(options.engines), tekken()
    engines = {name: ENGINES[name](vocabulary) for name in names}
    found = measure_all(engines, options.tasks.split(","), max(1, options.runs))
    report("grammars", {"versions": versions(names), "us": found}, options, print_tables, plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
