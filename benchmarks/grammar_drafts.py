"""What the grammar's own drafts bring on JSON: the share of tokens that it forces, and forwards a token with and without them.

    python benchmarks/grammar_drafts.py [--rounds 3] [--json] [--no-record]

The bundled model writes the tasks of `end_to_end.py` under their schemas, greedily and sampled. `forced`: the share of tokens
that the grammar spells by itself, in its preferred form. Arms: plain; forced text alone; retrieval that starts empty for each
text (`cold`) and that keeps earlier outputs (`warm`), each with forced text as a branch of the tree and without. Every text is
compared with the plain one. `nodes a token`: drafted nodes, what the forwards were widened by. Counts only, so a busy machine
changes nothing.
Biases: three small schemas, and a model that has seen many like them.
"""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from end_to_end import MAX_TOKENS, SCHEMAS, TASKS, forced_share, prompts_of
from records import make_parser, report


def arms_of(model: Any, schema: Any) -> dict[str, Any]:
    """Return the generators by name."""
    from penstock import Generator
    from penstock.decoding import Lookahead
    from penstock.drafting import RetrievalDrafter

    costs: dict[str, Any] = {"width_cost": model.width_cost, "setup_cost": model.setup_cost}
    arms = {
        "plain": Generator(model, schema, drafter=None),
        "forced text alone": Generator(model, schema, strategy=Lookahead()),
    }
    for store, share in (("cold", False), ("warm", True)):
        for forced in (True, False):
            strategy = Lookahead(RetrievalDrafter(share=share, **costs), budget=32, forced=forced)
            arms[f"{store}, {'with' if forced else 'without'} forced text"] = Generator(model, schema, strategy=strategy)
    return arms


def measure(model: Any, task: str, temperature: float, rounds: int) -> dict[str, Any]:
    """Count what each arm spends on one task."""
    from penstock import JsonSchema, Sampling

    arms = arms_of(model, JsonSchema(SCHEMAS[task]))
    texts: dict[str, list[list[int]]] = {name: [] for name in arms}
    spent = {name: [0, 0] for name in arms}  # forwards, nodes
    for number in range(1, rounds + 1):
        for prompt in prompts_of(task, number):
            for name, generate in arms.items():
                sampling = Sampling(temperature=temperature, seed=number)
                result = generate.run(prompt, max_tokens=MAX_TOKENS, sampling=sampling, on_length="return")
                texts[name].append(result.token_ids)
                spent[name][0] += result.stats.num_forwards
                spent[name][1] += result.stats.num_draft_tokens
    if any(found != texts["plain"] for found in texts.values()):
        raise SystemExit("drafts changed a text; please report it")
    tokens = sum(len(text) + 1 for text in texts["plain"])
    rows = {
        name: {"forwards a token": round(forwards / tokens, 4), "nodes a token": round(nodes / tokens, 3)}
        for name, (forwards, nodes) in spent.items()
    }
    return {"tokens": tokens, "forced": forced_share(model, SCHEMAS[task], texts["plain"]), "arms": rows}


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    import penstock

    model = penstock.models.tiny()
    record: dict[str, Any] = {"rounds": options.rounds, "tasks": {}}
    for task in TASKS:
        for temperature in (0.0, 0.8):
            row = record["tasks"][f"{task}, T {temperature}"] = measure(model, task, temperature, options.rounds)
            if not options.json:
                print(f"{task}, T {temperature}: {row['forced']:.0%} of {row['tokens']} tokens are forced", flush=True)
                for name, cells in row["arms"].items():
                    print(f"  {name:26s} {cells['forwards a token']:.3f} forwards, {cells['nodes a token']:.2f} nodes a token")
    report("grammar-drafts", record, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
