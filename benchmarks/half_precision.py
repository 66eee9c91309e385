"""How often a text changes with drafts in bfloat16, beside forwards of the same width whose drafts are nonsense.

    python benchmarks/half_precision.py [--rounds 2] [--json] [--no-record]

In float32 drafts change no text (the tests hold that). In bfloat16 a matrix product over 17 rows rounds otherwise than
one over a single row, whatever the rows hold. So plain decoding of the bundled model is compared with `drafts`
(retrieval, 16 nodes), and with `dummies`, 16 random tokens a step, which are right by luck alone: what changes there is
the width's doing. Reported: how many texts change, where (tokens before the first change), and how far apart the two
best tokens were there, in log-probability; a unit in the last place of a logit near 16 is 0.0625.
Biases: one small model, short texts, a CPU's kernels.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from end_to_end import MAX_TOKENS, TASKS, prompts_of
from records import make_parser, report

WIDTH = 16


class Dummies:
    """Proposes random tokens."""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def start(self, prompt_ids: Sequence[int], *, noise: Any = None) -> Dummies:
        session = Dummies(self.vocab_size)
        session.random, session.last = random.Random(len(prompt_ids)), prompt_ids[-1]
        return session

    def propose(self, budget: int) -> Any:
        from penstock import DraftTree

        drafts = self.random.sample(range(self.vocab_size), budget)
        return DraftTree([self.last, *drafts], [-1] + [0] * budget)

    def extend(self, token_ids: Sequence[int]) -> None:
        self.last = token_ids[-1] if token_ids else self.last

    def finish(self) -> None:
        pass


def first_change(one: Sequence[int], other: Sequence[int]) -> int | None:
    """Return how many tokens two texts share, None where they are one."""
    if list(one) == list(other):
        return None
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def measure(model: Any, rounds: int, temperature: float) -> dict[str, Any]:
    """Compare both arms with plain decoding."""
    from penstock import Generator, Sampling
    from penstock.decoding import Lookahead
    from penstock.drafting import RetrievalDrafter

    plain = Generator(model, drafter=None)
    arms = {"drafts": RetrievalDrafter(), "dummies": Dummies(model.vocab_size)}
    changes: dict[str, list[tuple[int, float]]] = {name: [] for name in arms}
    total = 0
    for task in TASKS:
        for number in range(1, rounds + 1):
            for prompt in prompts_of(task, number):
                sampling = Sampling(temperature=temperature, seed=number, logprobs=2)
                text = plain.run(prompt, max_tokens=MAX_TOKENS, sampling=sampling)
                total += 1
                for name, drafter in arms.items():
                    generate = Generator(model, strategy=Lookahead(drafter, budget=WIDTH))
                    found = generate.run(prompt, max_tokens=MAX_TOKENS, sampling=sampling)
                    place = first_change(text.token_ids, found.token_ids)
                    if place is not None:
                        best = text.logprobs[min(place, len(text.logprobs) - 1)].top
                        changes[name].append((place, best[0][1] - best[1][1]))
    return {name: summary(found, total) for name, found in changes.items()}


def summary(changes: list[tuple[int, float]], total: int) -> dict[str, Any]:
    row: dict[str, Any] = {"texts": total, "changed": len(changes)}
    if changes:
        row["median place"] = statistics.median(place for place, _ in changes)
        row["median gap"] = round(statistics.median(gap for _, gap in changes), 4)
        row["largest gap"] = round(max(gap for _, gap in changes), 4)
    return row


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    import penstock
    import torch

    torch.set_num_threads(1)
    record: dict[str, Any] = {"torch": torch.__version__, "rows": {}}
    for dtype in ("float32", "bfloat16"):
        model = penstock.models.tiny(backend="transformers")
        model.native.to(getattr(torch, dtype))
        for temperature in (0.0, 0.8):
            row = record["rows"][f"{dtype}, T {temperature}"] = measure(model, options.rounds, temperature)
            if not options.json:
                print(f"{dtype}, T {temperature}: {row}", flush=True)
    report("half-precision", record, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
