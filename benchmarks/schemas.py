"""How the first mask and the masks after it grow with a schema: bytes, nesting, properties, enums, branches.

    python benchmarks/schemas.py [--engines penstock,llguidance,xgrammar] [--json] [--no-record]

Six families of generated schemas, each in growing sizes with one valid instance. Some four minutes. Per engine and size:
the smallest of three first masks (a new compiler each time, the vocabulary's tables made before; one where it takes over a
second), and the steps of the instance: `first` is the first reading, `repeat` the second one (see `reading.py`). An engine
that took over `PATIENCE` seconds for one size, or refused it, is not asked for the larger ones of the family. The slope is
what the first mask of the largest size costs beyond that of the smallest, by byte of schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers import MASK_ENGINES, installed
from records import make_parser, percentiles, pyplot, report, versions
from tqdm import tqdm
from workers import Worker

PATIENCE = 4.0
KINDS: tuple[tuple[dict[str, Any], Any], ...] = (
    ({"type": "string"}, "some text"),
    ({"type": "integer", "minimum": 0}, 12),
    ({"type": "boolean"}, True),
    ({"type": "string", "maxLength": 30}, "short"),
    ({"type": "array", "items": {"type": "number"}}, [1.5, 2]),
    ({"enum": ["red", "green", "blue"]}, "green"),
)
Case = tuple[dict[str, Any], Any]


def closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def record(count: int, prefix: str = "field") -> Case:
    """A closed object of so many properties, every third required."""
    names = [f"{prefix}_{i}" for i in range(count)]
    schema = closed({name: KINDS[i % len(KINDS)][0] for i, name in enumerate(names)}, names[::3])
    return schema, {name: KINDS[i % len(KINDS)][1] for i, name in enumerate(names) if i % 3 == 0 or i < 8}


def nested(depth: int) -> Case:
    """Objects in arrays in objects."""
    schema, instance = record(2)
    for level in range(depth):
        if level % 2:
            schema, instance = {"type": "array", "items": schema, "minItems": 1}, [instance]
        else:
            schema = closed({"inner": schema, "note": {"type": "string"}}, ["inner"])
            instance = {"inner": instance, "note": "n"}
    return schema, instance


def enum(count: int) -> Case:
    values = [f"value {i * 7919 % 100_003:05d}" for i in range(count)]
    return closed({"choice": {"enum": values}}, ["choice"]), {"choice": values[count // 2]}


def one_of(width: int) -> Case:
    """So many records of 20 properties, told apart by a constant."""
    branches, instance = [], None
    for i in range(width):
        schema, values = record(20, prefix=f"part{i % 4}")
        schema["properties"] = {"kind": {"const": f"kind{i}"}} | schema["properties"]
        schema["required"] = ["kind", *schema["required"]]
        branches.append(schema)
        instance = {"kind": f"kind{i}"} | values
    return {"oneOf": branches}, instance


def definitions(count: int) -> Case:
    """A chain of definitions that all call the next ones."""
    defs = {}
    for i in range(count):
        schema, _ = record(4, prefix=f"d{i}")
        schema["properties"] |= {f"next_{j}": {"$ref": f"#/$defs/d{(i + j) % count}"} for j in (1, 2)}
        defs[f"d{i}"] = schema
    return {"$ref": "#/$defs/d0", "$defs": defs}, {
        "d0_0": "text",
        "d0_3": "more",
        "next_1": {f"d{1 % count}_0": "x", f"d{1 % count}_3": "y"},
    }


def documented(count: int) -> Case:
    """A record whose descriptions make it long: text that says nothing about the language."""
    schema, instance = record(20)
    for part in schema["properties"].values():
        part["description"] = "what this field means, and why it is there; " * (count // 20)
    return json.loads(json.dumps(schema)), instance


FAMILIES: dict[str, tuple[Callable[[int], Case], tuple[int, ...]]] = {
    "properties": (record, (10, 30, 100, 300, 1000, 2000)),
    "nesting": (nested, (2, 8, 32, 100, 300)),
    "enum": (enum, (10, 100, 1000, 10_000)),
    "oneOf": (one_of, (2, 8, 32, 64)),
    "definitions": (definitions, (4, 16, 64, 256, 1000)),
    "descriptions": (documented, (20, 200, 2000)),
}


def measure(worker: Worker, case: Case) -> dict[str, Any]:
    """First masks and steps of one schema; `verdict` says where there are none."""
    schema, instance = case
    answer = worker.ask({"schema": schema, "tests": [{"valid": True, "data": instance}]})
    if answer["verdict"] != "passing":
        return {"verdict": answer["verdict"], "reason": answer.get("reason", "")}
    steps = {"first": percentiles(answer["cold"][0]), "repeat": percentiles(answer["warm"][0])}
    return {"verdict": "passing", "first mask": round(answer["first mask"], 1), "steps": steps}


def run(engines: list[str]) -> dict[str, Any]:
    workers = {name: Worker(name) for name in engines}
    found: dict[str, Any] = {}
    sizes = [(family, size) for family, (_, sizes) in FAMILIES.items() for size in sizes]
    tired: set[tuple[str, str]] = set()
    for family, size in tqdm(sizes, unit="schema"):
        case = FAMILIES[family][0](size)
        row: dict[str, Any] = {"size": size, "bytes": len(json.dumps(case[0]))}
        for name, worker in workers.items():
            if (family, name) in tired:
                continue
            row[name] = measure(worker, case)
            if row[name]["verdict"] != "passing" or row[name]["first mask"] > PATIENCE * 1e6:
                tired.add((family, name))
        found.setdefault(family, []).append(row)
    for worker in workers.values():
        worker.close()
    return found


def slope(rows: list[dict[str, Any]], name: str) -> float | None:
    """Nanoseconds a byte, from the smallest schema to the largest that passed."""
    passed = [row for row in rows if row.get(name, {}).get("verdict") == "passing"]
    if len(passed) < 2:
        return None
    first, last = passed[0], passed[-1]
    return round((last[name]["first mask"] - first[name]["first mask"]) * 1e3 / (last["bytes"] - first["bytes"]), 1)


def print_tables(families: dict[str, Any], engines: list[str]) -> None:
    for family, rows in families.items():
        print(f"\n{family}: first mask in microseconds (steps: mean of first visits)")
        print(f"{'size':>8}{'bytes':>10}" + "".join(f"{name:>26}" for name in engines))
        for row in rows:
            cells = []
            for answer in (row.get(name) for name in engines):
                passed = answer is not None and answer["verdict"] == "passing"
                cells.append(
                    f"{answer['first mask']:,.0f} ({answer['steps']['first']['mean']:,.1f})"
                    if passed
                    else (answer or {}).get("verdict", "-")
                )
            print(f"{row['size']:>8,}{row['bytes']:>10,}" + "".join(f"{cell:>26}" for cell in cells))
        print(f"{'ns a byte':>18}" + "".join(f"{slope(rows, name) or '-':>26}" for name in engines))


def plot(families: dict[str, Any], engines: list[str], path: Path) -> None:
    figure, grid = pyplot().subplots(2, 3, figsize=(11, 6), sharey=True)
    for axes, (family, rows) in zip(grid.flat, families.items(), strict=True):
        for name in engines:
            points = [(row["bytes"], row[name]["first mask"]) for row in rows if row.get(name, {}).get("verdict") == "passing"]
            axes.plot(*zip(*points, strict=True), marker="o", label=name) if points else None
        axes.set(title=family, xscale="log", yscale="log", xlabel="bytes of schema")
    grid[0, 0].set_ylabel("first mask (microseconds)")
    grid[1, 0].set_ylabel("first mask (microseconds)")
    grid[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--engines", default=",".join(MASK_ENGINES))
    options = parser.parse_args()
    engines = installed(options.engines)
    families = run(engines)
    summary: dict[str, Any] = {"versions": versions(engines), "families": families}
    summary["slopes"] = {family: {name: slope(rows, name) for name in engines} for family, rows in families.items()}
    report(
        "schemas",
        summary,
        options,
        lambda record: print_tables(record["families"], engines),
        lambda record, path: plot(record["families"], engines, path),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
