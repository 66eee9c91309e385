"""How many drafted nodes pay: the width of a step, chosen by what is accepted and what a node costs.

`RetrievalIndex` chooses so by itself (`crates/drafting/src/budget.rs`). Where a grammar drops nodes of a tree first, only
what is left can be weighed, and this does it; also for drafters that are not native.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Width"]

PRIOR = 5.0  # at first, five predicted tokens count as accepted
DECAY = 0.98
RATIO_RANGE = (0.2, 5.0)  # a streak of luck must not make every node pay, nor one of misfortune none


class Width:
    """Chooses the prefix of a best-first order with the largest (1 + sure + r * sum of beliefs) / (1 + setup + cost * nodes).

    cost: a, setup: b, where a forward over w > 0 drafted nodes costs about 1 + b + a * w plain ones; no node is drafted where
    that never pays. r: accepted / predicted tokens of recent steps; while nothing is drafted it is forgotten, so that drafting
    is tried again. Shared by the texts of a drafter; a race between threads costs at worst a step's record.
    """

    def __init__(self, cost: float, setup: float = 0.0) -> None:
        for name, value in (("width_cost", cost), ("setup_cost", setup)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"`{name}` is `{value}`; give a finite number, at least 0")
        self.cost, self.setup = cost, setup
        self._predicted = self._accepted = PRIOR

    @property
    def accept_ratio(self) -> float:
        """Accepted tokens for one predicted token."""
        low, high = RATIO_RANGE
        return min(max(self._accepted / max(self._predicted, 1e-9), low), high)

    @property
    def floor(self) -> float:
        """The least belief with which a node can be worth its cost."""
        return min(1.0, self.cost / self.accept_ratio)

    def cut(self, beliefs: Sequence[float], num_sure: int = 0) -> int:
        """Return how many nodes pay. beliefs: of each node, its path included, best first; the first `num_sure` are as good
        as certain. Cost: linear."""
        ratio, value, best, size = self.accept_ratio, 1.0, 1.0, 0
        for width, belief in enumerate(beliefs, 1):
            value += 1.0 if width <= num_sure else ratio * belief
            share = value / (1.0 + self.setup + self.cost * width)
            if share > best:
                best, size = share, width
        return size

    def observe(self, predicted: float, num_accepted: int) -> None:
        """Learn from one step: the sum of the beliefs that were drafted, 0 for none, and how many nodes were accepted."""
        if predicted > 0:
            self._predicted = self._predicted * DECAY + predicted
            self._accepted = self._accepted * DECAY + num_accepted
        else:
            self._predicted += (PRIOR - self._predicted) * (1 - DECAY)
            self._accepted += (PRIOR - self._accepted) * (1 - DECAY)
