"""What a strategy asks of a reward. Any object with a `range` and these four methods will do.

A reward sees tokens; what they spell is `RewardPrompt.token_bytes`, so that halves of characters are its own matter. It
never forbids anything: scores are finite and stay inside the declared range, and only a grammar says no. The laws that
a reward must hold are functions to run: `penstock.testing.check_reward`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["Reward", "RewardPrompt", "reward_name"]


@dataclass(frozen=True)
class RewardPrompt:
    """The prompt of one text. token_bytes: what a token adds to a text (special tokens add nothing); None: not known."""

    token_ids: tuple[int, ...]
    token_bytes: Callable[[int], bytes] | None = None

    @property
    def text(self) -> str:
        """The prompt's text; bytes that are no UTF-8 become U+FFFD. Raises ValueError where no spelling is known."""
        return self.bytes_of(self.token_ids).decode("utf-8", errors="replace")

    def bytes_of(self, token_ids: Sequence[int]) -> bytes:
        """Return what tokens spell. Raises ValueError where no spelling is known."""
        if self.token_bytes is None:
            raise ValueError("the tokens of this run have no spelling; run the strategy through a `Generator`")
        return b"".join(map(self.token_bytes, token_ids))


@runtime_checkable
class Reward(Protocol):
    """A score of texts, higher is better. States are values: no method changes one that it was given.

    `range`: the lowest and the highest score, both finite; the highest means that nothing is left to wish for.
    """

    @property
    def range(self) -> tuple[float, float]: ...

    def start(self, prompt: RewardPrompt) -> Any:
        """Return the state of an empty output behind this prompt."""
        ...

    def advance(self, state: Any, token_ids: Sequence[int]) -> Any:
        """Return the state after these tokens were written; `state` stays what it is."""
        ...

    def score(self, states: Sequence[Any], rollouts: Sequence[Sequence[int]], ended: Sequence[bool]) -> Sequence[float]:
        """Return the score of each state continued by its rollout, [len(states)]; one call for a batch.

        rollouts: tokens, without a stop token; may be empty. ended: whether the text is over behind the rollout.
        """
        ...

    def settled(self, state: Any) -> bool:
        """Return True only if every continuation of this state has one and the same score, for good."""
        ...


def reward_name(reward: Any) -> str:
    """Return the `name` of a reward, or that of its class: what errors call it."""
    return str(getattr(reward, "name", None) or type(reward).__name__)
