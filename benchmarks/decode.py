"""What a grammar costs a token while decoding: the bundled model, free and constrained, masks beside the forward and after it.

    python benchmarks/decode.py [--rounds 7] [--batches 1,16,32] [--backends numpy,transformers] [--json] [--no-record]

All ways write the same records from the same prompts, greedily and without drafts, one text of each prompt side by side:
`free`; `overlapped`, the masks filled while the forward runs in a thread of its own, as they are while a device computes;
`in turn`, the masks filled when the forward is done. Grammars: a JSON Schema, and JSON as a context-free grammar. On a machine
with one core nothing can overlap. Both contexts are measured where torch is installed, on one thread each.

Microseconds of wall time a forward of the batch, which is the time per output token of every text in it; the prompts'
forward is left out. Medians over the rounds, in which the ways take turns; `share` is what a way takes beyond `free`, the
median of the pairs. The answers are checked: under a grammar every text must end by itself and parse. `same` counts the texts
that are as the free ones; `rows` is the mean number of texts that a forward still writes. Two minutes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from four_grammars import JSON
from records import make_parser, pyplot, report, versions
from tqdm import tqdm

SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer"},
        "customer": {"type": "string"},
        "price": {"type": "number"},
        "city": {"type": "string"},
    },
    "required": ["order_id", "customer", "price", "city"],
    "additionalProperties": False,
}
NAMES = ("Bralou Kinder", "Ada Stone", "Mira Holt", "Teo Lund")
CITIES = ("Oslo", "Turin", "Lima", "Porto", "Halden", "Quenby", "Brask", "Trathal")
MAX_TOKENS = 80
WAYS = ("free", "JSON Schema, overlapped", "JSON Schema, in turn", "CFG, overlapped", "CFG, in turn")


def prompts_of(count: int) -> list[str]:
    """So many orders, all different."""
    prompts = []
    for number in range(count):
        order, price = 731 + 977 * number, 9.5 + 4 * number
        name, city = NAMES[number % len(NAMES)], CITIES[number // len(NAMES) % len(CITIES)]
        text = f"Order {order} was placed by {name}. It costs {price} and ships to {city}."
        prompts.append(f"Text: {text}\nFields: order_id, customer, price, city\nJSON:")
    return prompts


class Watch:
    """A model's context, with the time and the rows of every forward; starts forwards in a thread where that is wanted."""

    def __init__(self, context: Any) -> None:
        self.context, self.forward = context, context.extend
        self.pool = ThreadPoolExecutor(1)
        context.extend = self.extend
        self.restart(overlapped=False)

    def restart(self, overlapped: bool) -> None:
        self.ends: list[float] = []
        self.rows: list[int] = []
        if overlapped:
            self.context.launch = self.launch
        elif hasattr(self.context, "launch"):
            del self.context.launch

    def extend(self, growths: Mapping[int, Any]) -> Any:
        found = self.forward(growths)
        self.ends.append(time.perf_counter())
        self.rows.append(len(growths))
        return found

    def launch(self, growths: Mapping[int, Any]) -> Callable[[], Any]:
        return self.pool.submit(self.extend, growths).result


def write(generate: Any, watch: Watch, way: str, prompts: list[str]) -> tuple[float, list[str]]:
    """Microseconds a forward of the batch, and the texts."""
    watch.restart(way.endswith("overlapped"))
    results = generate.batch(prompts, results=True, max_tokens=MAX_TOKENS, on_length="return")
    end = time.perf_counter()
    for result in results if way != "free" else ():
        if result.finish_reason != "stop":
            raise SystemExit(f"{way}: a text did not end within {MAX_TOKENS} tokens: {result.text!r}")
        json.loads(result.text)
    return (end - watch.ends[0]) / (len(watch.ends) - 1) * 1e6, [result.text for result in results]


def measure(backend: str, batch: int, rounds: int) -> dict[str, Any]:
    """All ways on one batch; the first round warms up and is not counted."""
    import penstock

    model = penstock.models.tiny(backend=backend)  # type: ignore[arg-type]
    model.engine.max_rows = batch
    watch, prompts = Watch(model.engine.context_of(model)), prompts_of(batch)
    types = {"free": str, "JSON Schema": penstock.JsonSchema(SCHEMA), "CFG": penstock.Ebnf(JSON)}
    generate = {name: penstock.Generator(model, kind, drafter=None) for name, kind in types.items()}
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    texts: dict[str, list[str]] = {}
    for number in range(rounds + 1):
        shift = number % len(WAYS)
        for way in (*WAYS[shift:], *WAYS[:shift]):
            taken, texts[way] = write(generate[way.split(",")[0]], watch, way, prompts)
            if number:
                times[way].append(taken)
    found: dict[str, Any] = {"rows": round(statistics.mean(watch.rows), 1)}
    for way in WAYS:
        pairs = zip(times[way], times["free"], strict=True)
        found[way] = {
            "us": round(statistics.median(times[way]), 1),
            "share": round(statistics.median(taken / free - 1 for taken, free in pairs), 4),
            "same": sum(a == b for a, b in zip(texts[way], texts["free"], strict=True)),
        }
    return found


def print_tables(record: dict[str, Any]) -> None:
    for backend, batches in record["us_a_token"].items():
        for batch, row in batches.items():
            print(f"{backend}, batch {batch} ({row['rows']} rows a forward)")
            for way in WAYS:
                cells = row[way]
                print(f"  {way:26s}{cells['us']:10.1f} us{100 * cells['share']:+8.1f} %   {cells['same']} of {batch} the same")


def plot(record: dict[str, Any], path: Path) -> None:
    """Time per output token by batch, one bar a way; one picture a backend."""
    backends = record["us_a_token"]
    figure, columns = pyplot().subplots(1, len(backends), figsize=(6 * len(backends), 4), squeeze=False)
    for axes, (backend, batches) in zip(columns[0], backends.items(), strict=True):
        for number, way in enumerate(WAYS):
            places = [at + number / (len(WAYS) + 1) for at in range(len(batches))]
            axes.bar(places, [row[way]["us"] for row in batches.values()], 1 / (len(WAYS) + 1), label=way)
        axes.set_xticks([at + 0.33 for at in range(len(batches))], [f"batch {batch}" for batch in batches])
        axes.set(title=backend, ylabel="microseconds an output token")
    columns[0, 0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", default="1,16,32")
    parser.add_argument("--backends", default="numpy,transformers")
    options = parser.parse_args()
    backends = options.backends.split(",")
    if "transformers" in backends:
        if importlib.util.find_spec("torch"):
            import torch

            torch.set_num_threads(1)
        else:
            backends.remove("transformers")
            print("torch is not installed: the numpy context alone", file=sys.stderr)
    found: dict[str, Any] = {backend: {} for backend in backends}
    for backend, batch in tqdm([(a, b) for a in backends for b in options.batches.split(",")], unit="batch", disable=None):
        found[backend][batch] = measure(backend, int(batch), options.rounds)
    record = {"versions": versions(["penstock", "torch", "transformers"]), "rounds": options.rounds, "us_a_token": found}
    report("decode", record, options, print_tables, plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
