"""Token recycling (arXiv 2408.08696): what the model found likely behind a token last time is drafted behind it again.

Every forward's logits are looked at anyway; the best few successors of each token that it read are kept, and a draft is a
walk through them. It needs no earlier text to match, so it is what is left where retrieval finds nothing. How often the
first, second, ... successor was the right one is counted, and a node's belief is the product along its path.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock._core import DraftTree
from penstock.decoding.width import LearnedCost, Width

__all__ = ["Fallback", "RecyclingDrafter"]

NUM_SUCCESSORS = 8
MAX_GAP = 6.0  # what the model found e^6 times less likely than the best is no successor worth a draft
MIN_BELIEF = 1e-3
PRIOR_HITS = 1.0  # of each rank, in PRIOR_TRIALS trials
PRIOR_TRIALS = 20.0


class RecyclingDrafter:
    """Drafts the successors that the model last found likely behind each token.

    width_cost, setup_cost: as for `RetrievalDrafter`; None fills the budget. share: texts learn from each other's logits; False
    keeps each to its own. Cost: the best 8 of each row of logits that the loop shows; 10 microseconds a row of 2,000 entries,
    60 for one of 100,000. Needs a loop that shows logits (`observe`), as `Lookahead` does.
    """

    def __init__(self, *, width_cost: float | LearnedCost | None = None, setup_cost: float = 0.0, share: bool = True) -> None:
        self.width = None if width_cost is None else Width(width_cost, setup_cost)
        self.share = share
        self._common = _Successors()

    def start(self, prompt_ids: Sequence[int], *, noise: Any = None) -> _Session:
        """Open the session of one text; the noise is not used."""
        return _Session(self.width, self._common if self.share else _Successors(), prompt_ids)


class _Successors:
    """Likely successors by token, best first, and how often each rank was right."""

    def __init__(self) -> None:
        self.by_token: dict[int, list[int]] = {}
        self.hits = [PRIOR_HITS] * NUM_SUCCESSORS
        self.num_trials = PRIOR_TRIALS

    def learn(self, token_ids: Sequence[int], logits: NDArray[np.float32]) -> None:
        for token, row in zip(token_ids, logits, strict=True):
            places = np.flatnonzero(row >= row.max() - MAX_GAP)
            if len(places) > 4 * NUM_SUCCESSORS:
                places = places[np.argpartition(row[places], -NUM_SUCCESSORS)[-NUM_SUCCESSORS:]]
            order = np.argsort(-row[places], kind="stable")[:NUM_SUCCESSORS]
            self.by_token[token] = places[order].tolist()

    def check(self, before: int, token: int) -> None:
        """Count which rank a token that was written had."""
        found = self.by_token.get(before)
        if found is None:
            return
        self.num_trials += 1
        if token in found:
            self.hits[found.index(token)] += 1


class _Session:
    def __init__(self, width: Width | None, successors: _Successors, prompt_ids: Sequence[int]) -> None:
        self._width, self._successors = width, successors
        self._last = prompt_ids[-1] if prompt_ids else None
        self._length = len(prompt_ids)
        self._drafted: tuple[float, dict[tuple[int, int], int]] | None = None

    def propose(self, budget: int) -> DraftTree:
        """Return the most believable walks, best first."""
        if self._last is None:
            raise ValueError("the text has no token to continue; give `start` a prompt or call `extend` first")
        width = None if self._width is None else self._width.at(self._length)
        token_ids, parents, logprobs, beliefs = self._grow(self._last, budget, 0.0 if width is None else width.floor)
        size = len(beliefs) if width is None else width.cut(beliefs)
        children = {(parents[node], token_ids[node]): node for node in range(1, size + 1)}
        self._drafted = sum(beliefs[:size]), children
        return DraftTree(token_ids[: size + 1], parents[: size + 1], logprobs=logprobs[: size + 1])

    def extend(self, token_ids: Sequence[int]) -> None:
        """Count the ranks of what was written, and learn what drafts are worth."""
        if self._width is not None and self._drafted is not None and token_ids:
            node, num_accepted = 0, 0
            for token in token_ids:
                child = self._drafted[1].get((node, token))
                if child is None:
                    break
                node, num_accepted = child, num_accepted + 1
            self._width.observe(self._drafted[0], num_accepted)
        self._drafted = None
        self._length += len(token_ids)
        for token in token_ids:
            if self._last is not None:
                self._successors.check(self._last, token)
            self._last = token

    def observe(self, token_ids: Sequence[int], logits: NDArray[np.float32]) -> None:
        """Look at a forward: float32 [len(token_ids), vocab], the logits behind each token."""
        self._successors.learn(token_ids, logits)

    def finish(self) -> None:
        pass

    def _grow(self, root: int, budget: int, floor: float) -> tuple[list[int], list[int], list[float], list[float]]:
        """Return tokens, parents and log-beliefs given the parent of a best-first tree, and path beliefs, without node 0."""
        shares = [hit / self._successors.num_trials for hit in self._successors.hits]
        token_ids, parents, logprobs = [root], [-1], [0.0]
        beliefs: list[float] = []
        heap: list[tuple[float, int, int, int, float]] = []  # -belief, order, parent, token, share
        order = itertools.count()
        floor = max(MIN_BELIEF, floor)

        def offer(node: int, belief: float) -> None:
            for token, share in zip(self._successors.by_token.get(token_ids[node], ()), shares, strict=False):
                if belief * share >= floor:
                    heapq.heappush(heap, (-belief * share, next(order), node, token, share))

        offer(0, 1.0)
        while heap and len(beliefs) < budget:
            negative, _, parent, token, share = heapq.heappop(heap)
            token_ids.append(token)
            parents.append(parent)
            logprobs.append(math.log(share))
            beliefs.append(-negative)
            offer(len(token_ids) - 1, -negative)
        return token_ids, parents, logprobs, beliefs


class Fallback:
    """Asks `first`, and `second` where `first` proposes nothing: `Fallback(RetrievalDrafter(...), RecyclingDrafter(...))`."""

    def __init__(self, first: Any, second: Any) -> None:
        self.first, self.second = first, second

    def start(self, prompt_ids: Sequence[int], *, noise: Any = None) -> _Either:
        """Open the sessions of one text."""
        return _Either(self.first.start(prompt_ids, noise=noise), self.second.start(prompt_ids, noise=noise))


class _Either:
    def __init__(self, first: Any, second: Any) -> None:
        self._sessions = first, second
        self.width = getattr(first, "width", None)

    def propose(self, budget: int, **options: Any) -> Any:
        tree = self._sessions[0].propose(budget, **options)
        return tree if len(tree.token_ids) > 1 else self._sessions[1].propose(budget)

    def extend(self, token_ids: Sequence[int]) -> None:
        for session in self._sessions:
            session.extend(token_ids)

    def observe(self, token_ids: Sequence[int], logits: NDArray[np.float32]) -> None:
        for session in self._sessions:
            if hasattr(session, "observe"):
                session.observe(token_ids, logits)

    def finish(self) -> None:
        for session in self._sessions:
            session.finish()
