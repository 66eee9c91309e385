"""A weighted sum of rewards, itself a reward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from penstock.rewards.reward import Reward, RewardPrompt, reward_name

__all__ = ["Weighted"]


class Weighted:
    """The sum of weight * reward: `Weighted((coverage, 1.0), (harmless, 0.5))`. A negative weight asks for the opposite.

    Its range is the sum of the parts' ranges. Parts are called once a batch each.
    """

    def __init__(self, *parts: tuple[Reward, float]) -> None:
        if not parts:
            raise ValueError("a weighted sum needs at least one part; give (reward, weight) pairs")
        for reward, weight in parts:
            if not math.isfinite(weight) or weight == 0:
                raise ValueError(f"the weight of `{reward_name(reward)}` is `{weight}`; give a finite number other than 0")
        self.parts = tuple((reward, float(weight)) for reward, weight in parts)
        self.name = " + ".join(f"{weight:g} {reward_name(reward)}" for reward, weight in self.parts)

    @property
    def range(self) -> tuple[float, float]:
        """The sums of the parts' lowest and highest scores."""
        bounds = [sorted((weight * reward.range[0], weight * reward.range[1])) for reward, weight in self.parts]
        return sum(low for low, _ in bounds), sum(high for _, high in bounds)

    def start(self, prompt: RewardPrompt) -> tuple[Any, ...]:
        """Return the parts' states."""
        return tuple(reward.start(prompt) for reward, _ in self.parts)

    def advance(self, state: tuple[Any, ...], token_ids: Sequence[int]) -> tuple[Any, ...]:
        """Advance every part."""
        return tuple(reward.advance(part, token_ids) for (reward, _), part in zip(self.parts, state, strict=True))

    def score(self, states: Sequence[tuple[Any, ...]], rollouts: Sequence[Sequence[int]], ended: Sequence[bool]) -> list[float]:
        """Return the weighted sums, one call of each part."""
        totals = [0.0] * len(states)
        for index, (reward, weight) in enumerate(self.parts):
            scores = reward.score([state[index] for state in states], rollouts, ended)
            totals = [total + weight * float(score) for total, score in zip(totals, scores, strict=True)]
        return totals

    def settled(self, state: tuple[Any, ...]) -> bool:
        """Settled when every part is."""
        return all(reward.settled(part) for (reward, _), part in zip(self.parts, state, strict=True))
