"""Rewards of the whole text: a base that spells tokens, any Python function, and a counter of pattern matches.

Cost: a score reads the whole output. Where that is too slow, hold what is already known in the state, as
`rewards/keywords.py` does.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.rewards.reward import RewardPrompt

__all__ = ["Function", "RegexCount", "TextReward", "TextState", "decode_ended", "decode_open"]


@dataclass(frozen=True, slots=True)
class TextState:
    """The prompt, and the bytes written behind it."""

    prompt: RewardPrompt
    data: bytes = b""


class TextReward(ABC):
    """A reward of texts: implement `score_texts`, and `settled_text` where something can be settled."""

    name: str | None = None
    range: tuple[float, float] = (0.0, 1.0)

    @abstractmethod
    def score_texts(self, prompts: Sequence[str], texts: Sequence[str], ended: Sequence[bool]) -> Sequence[float]:
        """Return one score for each output. prompts: the text that each one answers. A cut character at the end is left out."""

    def settled_text(self, text: str) -> bool:
        """Return True only if every continuation of this output has one and the same score."""
        return False

    def start(self, prompt: RewardPrompt) -> TextState:
        """Return the state of an empty output. Raises ValueError where tokens have no spelling."""
        prompt.bytes_of(())
        return TextState(prompt)

    def advance(self, state: TextState, token_ids: Sequence[int]) -> TextState:
        """Return the state with these tokens spelled behind it."""
        return replace(state, data=state.data + state.prompt.bytes_of(token_ids))

    def score(self, states: Sequence[TextState], rollouts: Sequence[Sequence[int]], ended: Sequence[bool]) -> Sequence[float]:
        """Return the scores of the texts that states and rollouts spell together."""
        texts = [
            (decode_ended if end else decode_open)(state.data + state.prompt.bytes_of(rollout))
            for state, rollout, end in zip(states, rollouts, ended, strict=True)
        ]
        return self.score_texts([state.prompt.text for state in states], texts, ended)

    def settled(self, state: TextState) -> bool:
        """Return whether nothing can change the score of this output any more."""
        return self.settled_text(decode_open(state.data))


class Function(TextReward):
    """A Python function as a reward: `Function(lambda text: min(len(text), 80) / 80, range=(0, 1))`.

    function: of the output so far. with_prompt: of (prompt, output). batched: takes lists and returns one score for each.
    settled: of the output; True only where no continuation can change its score. name: what errors call it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        range: tuple[float, float],
        with_prompt: bool = False,
        batched: bool = False,
        settled: Callable[[str], bool] | None = None,
        name: str | None = None,
    ) -> None:
        self.function, self.with_prompt, self.batched = function, with_prompt, batched
        self.range = (float(range[0]), float(range[1]))
        self.name = name or getattr(function, "__name__", None) or type(function).__name__
        self._settled = settled

    def score_texts(self, prompts: Sequence[str], texts: Sequence[str], ended: Sequence[bool]) -> Sequence[float]:
        """Call the function, once for all or once for each."""
        if self.batched:
            return list(self.function(prompts, texts) if self.with_prompt else self.function(texts))
        if self.with_prompt:
            return [self.function(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
        return [self.function(text) for text in texts]

    def settled_text(self, text: str) -> bool:
        """Ask the user's own answer; without one, nothing is ever settled."""
        return self._settled is not None and bool(self._settled(text))


class RegexCount(TextReward):
    """How many matches of a pattern the output holds, as a share of `target`, 1 at most. An example to copy.

    With `avoid`, 1 less that share: no match is best. Matches do not overlap; one at the open end may still change, so
    nothing is ever settled.
    """

    def __init__(self, pattern: str, *, target: int = 1, avoid: bool = False, flags: int = 0) -> None:
        if target < 1:
            raise ValueError(f"`target` is `{target}`; give at least 1 match")
        self.pattern, self.target, self.avoid = re.compile(pattern, flags), target, avoid
        self.name = f"RegexCount({pattern!r})"

    def score_texts(self, prompts: Sequence[str], texts: Sequence[str], ended: Sequence[bool]) -> Sequence[float]:
        """Count and divide."""
        shares = [min(sum(1 for _ in self.pattern.finditer(text)), self.target) / self.target for text in texts]
        return [1.0 - share for share in shares] if self.avoid else shares


def decode_open(data: bytes) -> str:
    """Return the text of bytes that may go on: a character that is cut at the end is left out."""
    return decode_ended(data[: len(data) - num_cut_bytes(data)])


def decode_ended(data: bytes) -> str:
    """Return the text of bytes; what is no UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", errors="replace")


def num_cut_bytes(data: bytes) -> int:
    """Return how many bytes at the end begin a character and do not finish it."""
    for size in range(1, min(3, len(data)) + 1):
        byte = data[-size]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte >= 0xC2 and byte < 0xE0 else 3 if 0xE0 <= byte < 0xF0 else 4 if 0xF0 <= byte < 0xF5 else 1
        return size if needed > size else 0
    return 0
