"""Time to the first mask and time per token of structural tags with many tools, for penstock and XGrammar.

    python benchmarks/tool_calls.py [--tools 10,100,400] [--json] [--no-record]

The tools are made up: names of two or three words, some arguments each, one nested. Both engines get the same tag, the
same vocabulary (tekken of mistral-common, 131,072 ids) and the same output: a sentence, a call, a sentence, another call.

first mask: compile (a new compiler, the vocabulary's tables built before) and the first fill. A step is fill + accept of
one token; `first` is the first pass over the output, `repeat` the smaller time of two more. Microseconds of processor
time, on one thread. An engine that refuses the output is reported so, and not timed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import random
import time
from typing import Any

from masks import Penstock, Tekken, XGrammar
from records import save_record

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


class PenstockTags(Penstock):
    """This library."""

    def compile(self, schema: Any) -> None:
        self.compiled = self.penstock.GrammarCompiler(self.info).compile_structural_tag(schema)


class XGrammarTags(XGrammar):
    """XGrammar, compiled on one thread."""

    def compile(self, schema: Any) -> None:
        compiler = self.xgrammar.GrammarCompiler(self.info, max_threads=1, cache_enabled=False)
        self.compiled = compiler.compile_structural_tag(schema)


def pass_over(engine: Any, tokens: list[int]) -> list[float] | None:
    """Microseconds of processor time of each step; None where a token is refused."""
    fill, accept = engine.start()
    times = []
    for token in tokens:
        started = time.process_time_ns()
        fill()
        taken = accept(token)
        times.append((time.process_time_ns() - started) / 1000)
        if not taken:
            return None
    return times


def measure(engine: Any, tag: dict[str, Any], tokens: list[int]) -> dict[str, Any]:
    """The figures of one engine on one tag."""
    started = time.process_time_ns()
    engine.compile(tag)
    fill, _ = engine.start()
    fill()
    first_mask = (time.process_time_ns() - started) / 1000
    passes = [pass_over(engine, tokens) for _ in range(3)]
    if None in passes:
        return {"first_mask": round(first_mask), "refused": True}
    first, second, third = passes
    repeat = [min(pair) for pair in zip(second, third, strict=True)]
    figures = {"first_mask": round(first_mask), "steps": len(tokens)}
    for name, times in (("first", first), ("repeat", repeat)):
        ordered = sorted(times)
        shares = {
            f"p{round(100 * share)}": ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.9, 1)
        }
        figures[name] = {key: round(value, 1) for key, value in {"mean": sum(times) / len(times), **shares}.items()}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", default="10,100,400")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    from penstock.tools import structural_tag

    tekken = Tekken()
    engines = {"penstock": PenstockTags(tekken), "xgrammar": XGrammarTags(tekken)}
    for engine in engines.values():  # the vocabulary's tables
        measure(engine, structural_tag(made_tools(1), family="hermes"), tekken.encode(output_of(made_tools(1))))
    record: dict[str, Any] = {"date": datetime.date.today().isoformat(), "processor": platform.processor(), "us": {}}
    for count in map(int, options.tools.split(",")):
        tools = made_tools(count)
        tag, tokens = structural_tag(tools, family="hermes"), tekken.encode(output_of(tools))
        record["us"][str(count)] = {name: measure(engine, tag, tokens) for name, engine in engines.items()}
    print(json.dumps(record, indent=None if options.json else 1))
    if not options.no_record:
        save_record("tool-calls", record)


if __name__ == "__main__":
    main()
