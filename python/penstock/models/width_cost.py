"""What a forward over drafted nodes costs, measured: the numbers by which automatic drafting spends."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from penstock.decoding.context import Growth, chain

__all__ = ["WIDTHS", "cost_of_widths", "fitted", "measure"]

WIDTHS = (0, 1, 2, 4, 8, 16, 32)  # drafted nodes beside the last token


def measure(model: Any, context_length: int, rounds: int) -> tuple[float, float]:
    """Return (width_cost, setup_cost) of a model on this machine."""
    return fitted(cost_of_widths(model, context_length, rounds))


def cost_of_widths(model: Any, context_length: int, rounds: int) -> dict[int, float]:
    """Return the time of a forward over each number of drafts, in plain forwards: medians of interleaved rounds."""
    if rounds < 1 or context_length < 1:
        raise ValueError(f"`rounds` is `{rounds}` and `context_length` is `{context_length}`; give at least 1")
    limit = model.max_positions
    context_length = context_length if limit is None else min(context_length, limit - max(WIDTHS) - 1)
    context, random = model.new_context(), np.random.default_rng(0)
    prefix = random.integers(0, context.vocab_size, context_length).tolist()
    context.extend({0: chain(prefix, num_logits=1)})
    context.commit(0, range(context_length))
    seconds: dict[int, list[float]] = {width: [] for width in WIDTHS}
    for number in range(rounds + 1):  # the first round warms up
        for width in WIDTHS:
            tokens = random.integers(0, context.vocab_size, width + 1).tolist()
            growth = Growth(tokens, [-1] + [0] * width)
            start = time.perf_counter()
            context.extend({0: growth})
            if number:
                seconds[width].append(time.perf_counter() - start)
            context.commit(0, [])
    plain = statistics.median(seconds[0])
    return {width: statistics.median(times) / plain for width, times in seconds.items()}


def fitted(costs: dict[int, float]) -> tuple[float, float]:
    """Return the line 1 + setup + a * width closest to the costs of drafting, as (a, setup), neither below 0."""
    drafted = [(width, cost - 1.0) for width, cost in costs.items() if width]
    slope, setup = np.polyfit([width for width, _ in drafted], [cost for _, cost in drafted], 1)
    return max(0.0, float(slope)), max(0.0, float(setup))
