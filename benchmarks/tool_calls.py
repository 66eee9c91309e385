"""Time to the first mask and time per token of structural tags with many tools, for penstock and its peers.

    python benchmarks/tool_calls.py [--tools 10,100,400] [--engines penstock,llguidance,xgrammar] [--json] [--no-record]

The tools are made up: names of two or three words, some arguments each, one nested. All engines get the same tags, the same
vocabulary (tekken of mistral-common, 131,072 ids) and the same output: a sentence, a call, a sentence, another call.
llguidance gets them as its own StructTag, without what else the family's structural tag says (a section of thoughts). It gives
a call's fixed text as forced tokens to whoever asks, which is not used here: every token has its mask.

first mask: compile (a new compiler, the vocabulary's tables made before) and the first fill. A step is fill + accept of one
token; `first` is the first reading of the output after a compile, `repeat` the second. Each figure is the smallest of three
rounds, an engine that compiles for more than a second being compiled once. Microseconds, one thread. An engine that refuses
the output is reported so, and not timed. A minute.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from peers import ENGINES, MASK_ENGINES, installed
from reading import NUM_ROUNDS, SLOW_SECONDS, read, smallest, time_first_mask
from records import make_parser, percentiles, pyplot, report, versions
from tqdm import tqdm
from vocabularies import tekken

VERBS = ("get", "set", "find", "list", "create", "delete", "send", "read")
NOUNS = ("weather", "invoice", "message", "user", "order", "calendar", "file", "ticket", "contact", "payment", "route", "photo")
PLACES = ("", "_by_id", "_by_name", "_of_team", "_for_day")
TYPES = ({"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"enum": ["low", "normal", "high"]})


def made_tools(count: int) -> list[dict[str, Any]]:
    """`count` tools, always the same ones."""
    rng = random.Random(1)
    names = [f"{verb}_{noun}{place}" for verb in VERBS for noun in NOUNS for place in PLACES]
    tools = []
    for name in rng.sample(names, count):
        properties: dict[str, Any] = {f"{noun}_{i}": rng.choice(TYPES) for i, noun in enumerate(rng.sample(NOUNS, 4))}
        inner = {"type": "object", "properties": {"unit": {"type": "string"}, "size": {"type": "number"}}, "required": ["unit"]}
        schema = {
            "type": "object",
            "properties": {**properties, "detail": inner},
            "required": [*list(properties)[:2], "detail"],
        }
        tools.append({"type": "function", "function": {"name": name, "parameters": schema}})
    return tools


def value_of(schema: dict[str, Any]) -> Any:
    """A value of a made-up schema."""
    if "enum" in schema:
        return schema["enum"][1]
    if schema["type"] == "object":
        return {name: value_of(inner) for name, inner in schema["properties"].items()}
    return {"string": "a short text, with a comma", "integer": 42, "number": 2.5, "boolean": True}[schema["type"]]


def output_of(tools: list[dict[str, Any]]) -> str:
    """Sentences and two calls, as the family hermes writes them."""
    parts = []
    for tool in (tools[0], tools[-1]):
        function = tool["function"]
        call = {"name": function["name"], "arguments": value_of(function["parameters"])}
        parts.append(f"Let me look that up (it's quick) <- now.\n<tool_call>\n{json.dumps(call)}\n</tool_call>\n")
    return "".join(parts)


def measure(engine: Any, tag: dict[str, Any], text: str) -> dict[str, Any]:
    """The figures of one engine on one tag."""
    tokens, first_masks, first, repeat = engine.encode(text), [], [], []
    for _ in range(NUM_ROUNDS):
        if not first_masks or first_masks[0] < SLOW_SECONDS * 1e6:
            first_masks.append(time_first_mask(engine, "tag", tag))
        for readings in (first, repeat):
            steps, taken = read(engine, tokens)
            if not taken:
                return {"first mask": round(min(first_masks), 1), "refused": f"token {len(steps) - 1} of {len(tokens)}"}
            readings.append(steps)
    turns = {"first": percentiles(smallest(first)), "repeat": percentiles(smallest(repeat))}
    return {"first mask": round(min(first_masks), 1), "steps": len(tokens), **turns}


def print_tables(record: dict[str, Any]) -> None:
    heads = ("first mask", "first p50", "p99", "max", "mean", "repeat p50", "p99", "max", "mean")
    for count, rows in record["us"].items():
        print(f"{count} tools\n  {'':14s}" + "".join(f"{head:>12}" for head in heads))
        for name, row in rows.items():
            if "refused" in row:
                print(f"  {name:14s}{row['first mask']:12.1f}  refused {row['refused']}")
                continue
            cells = [row[turn][key] for turn in ("first", "repeat") for key in ("p50", "p99", "max", "mean")]
            print(f"  {name:14s}" + "".join(f"{cell:12.1f}" for cell in [row["first mask"], *cells]))


def plot(record: dict[str, Any], path: Path) -> None:
    """First masks and mean steps by the number of tools, one line an engine."""
    figure, columns = pyplot().subplots(1, 3, figsize=(12, 3.6))
    engines = list(next(iter(record["us"].values())))
    for axes, what in zip(columns, ("first mask", "first", "repeat"), strict=True):
        for name in engines:
            rows = [(int(count), row[name]) for count, row in record["us"].items() if "refused" not in row[name]]
            values = [row[what] if what == "first mask" else row[what]["mean"] for _, row in rows]
            axes.plot([count for count, _ in rows], values, marker="o", label=name)
        title = what if what == "first mask" else f"a token, {what} reading, mean"
        axes.set(title=title, xscale="log", yscale="log", xlabel="tools", ylabel="microseconds")
    columns[0].legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--tools", default="10,100,400")
    parser.add_argument("--engines", default=",".join(MASK_ENGINES))
    options = parser.parse_args()
    from penstock.tools import structural_tag

    names, vocabulary = installed(options.engines), tekken()
    engines = {name: ENGINES[name](vocabulary) for name in names}
    for engine in engines.values():  # the vocabulary's tables
        measure(engine, structural_tag(made_tools(1), family="hermes"), output_of(made_tools(1)))
    found: dict[str, Any] = {}
    for count in tqdm(options.tools.split(","), unit="tag", disable=None):
        tools = made_tools(int(count))
        tag, text = structural_tag(tools, family="hermes"), output_of(tools)
        found[count] = {name: measure(engine, tag, text) for name, engine in engines.items()}
    report("tool-calls", {"versions": versions(names), "us": found}, options, print_tables, plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
