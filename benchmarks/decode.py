"""What a grammar costs a token while decoding: the bundled model, constrained and free, on one thread.

    python benchmarks/decode.py [--rounds 15] [--json] [--no-record]

Both write the same records from the same prompts, greedily and without drafts, in interleaved runs; one run is a text
of each prompt. Microseconds of process time a token, prefill counted; medians over the rounds. Both contexts are
measured where torch is installed. The answers are checked: under the grammar every text must parse.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import sys
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from records import save_record

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
ORDERS = [(90125, "Bralou Kinder", 48.2, "Oslo"), (731, "Ada Stone", 9.5, "Turin"), (5550, "Mira", 120, "Lima")]
PROMPTS = [
    f"Text: Order {order} was placed by {name}. It costs {price} and ships to {city}.\n"
    "Fields: order_id, customer, price, city\nJSON:"
    for order, name, price, city in ORDERS
]


def microseconds_a_token(generate: Any, check: bool) -> float:
    started, num_tokens = time.process_time(), 0
    for prompt in PROMPTS:
        result = generate.run(prompt, max_tokens=80, on_length="return")
        num_tokens += len(result.token_ids) + 1
        if check:
            json.loads(result.text)
    return (time.process_time() - started) / num_tokens * 1e6


def measure(backend: str, rounds: int) -> dict[str, float]:
    import penstock

    model = penstock.models.tiny(backend=backend)  # type: ignore[arg-type]
    free = penstock.Generator(model, str, drafter=None)
    constrained = penstock.Generator(model, penstock.JsonSchema(SCHEMA), drafter=None)
    times: dict[str, list[float]] = {"free": [], "constrained": []}
    microseconds_a_token(free, False), microseconds_a_token(constrained, True)
    for _ in range(rounds):
        times["free"].append(microseconds_a_token(free, False))
        times["constrained"].append(microseconds_a_token(constrained, True))
    pairs = zip(times["constrained"], times["free"], strict=True)
    row = {name: round(statistics.median(values), 1) for name, values in times.items()}
    return row | {"ratio": round(statistics.median(a / b for a, b in pairs), 3)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    backends = ["numpy"]
    try:
        import torch

        torch.set_num_threads(1)
        backends.append("transformers")
    except ImportError:
        print("torch is not installed: the numpy context alone", file=sys.stderr)
    rows = {backend: measure(backend, options.rounds) for backend in backends}
    record = {"date": datetime.date.today().isoformat(), "us_a_token": rows}
    if options.json:
        print(json.dumps(record, indent=1))
    else:
        for backend, row in rows.items():
            print(f"{backend:14s} free {row['free']:8.1f}   constrained {row['constrained']:8.1f}   ratio {row['ratio']:.3f}")
    if not options.no_record:
        save_record("decode", record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
