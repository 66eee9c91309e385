"""A reward along one text: its state, its calls counted, and its promises checked at every call.

A reward that raises, returns NaN, leaves its range or takes too long becomes a `RewardError` that names the reward and the
text; the state is then what it was before the call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from penstock.errors import RewardError
from penstock.rewards.reward import Reward, RewardPrompt, reward_name

__all__ = ["RewardRun"]

T = TypeVar("T")
SLACK = 1e-6  # scores so far outside the range are taken to be rounding, and are moved to its border
MAX_TEXT_SHOWN = 200  # characters of a text in an error


class RewardRun:
    """The state of `reward` behind a prompt and what was written since.

    timeout_seconds: a call that took longer is an error after it returns (Python cannot interrupt it); None: any time will do.
    """

    def __init__(self, reward: Reward, prompt: RewardPrompt, *, timeout_seconds: float | None = None) -> None:
        self.reward, self.prompt, self.timeout_seconds = reward, prompt, timeout_seconds
        self.name = reward_name(reward)
        self.token_ids: list[int] = []
        self.num_calls = 0  # calls of `score`
        self.num_items = 0  # texts scored
        self.range = self._range()
        self._state = self._call("start", [], lambda: reward.start(prompt))
        self._settled: bool | None = None

    def _range(self) -> tuple[float, float]:
        declared = getattr(self.reward, "range", None)
        try:
            low, high = (float(bound) for bound in declared)  # type: ignore[union-attr]
        except (TypeError, ValueError):
            low = high = math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise RewardError(
                f"the reward `{self.name}` declares the range `{declared}`; give two finite numbers, the lower one first",
                code="reward_range_invalid",
            )
        return low, high

    @property
    def settled(self) -> bool:
        """Whether no continuation can change the score any more."""
        if self._settled is None:
            self._settled = bool(self._call("settled", [], lambda: self.reward.settled(self._state)))
        return self._settled

    def advance(self, token_ids: Sequence[int]) -> None:
        """Tell what was written, without a stop token."""
        if not token_ids:
            return
        self._state = self._call("advance", token_ids, lambda: self.reward.advance(self._state, token_ids))
        self.token_ids.extend(token_ids)
        self._settled = None

    def score(self, rollouts: Sequence[Sequence[int]], ended: Sequence[bool]) -> list[float]:
        """Return the score of the text continued by each rollout, in one call of the reward."""
        states = [self._state] * len(rollouts)
        self.num_calls += 1
        self.num_items += len(rollouts)
        try:
            scores = self._timed("score", rollouts[0], lambda: list(self.reward.score(states, rollouts, ended)))
        except RewardError:
            raise
        except Exception as error:
            raise self._raised("score", self._guilty(rollouts, ended), error) from error
        if len(scores) != len(rollouts):
            raise RewardError(
                f"the reward `{self.name}` returned `{len(scores)}` scores for `{len(rollouts)}` texts; return one for each",
                code="reward_shape",
            )
        return [self._checked(score, rollout) for score, rollout in zip(scores, rollouts, strict=True)]

    def _guilty(self, rollouts: Sequence[Sequence[int]], ended: Sequence[bool]) -> Sequence[int]:
        """Return the first rollout that raises alone, or the first of all where none does."""
        for rollout, end in zip(rollouts, ended, strict=True):
            try:
                self.reward.score([self._state], [rollout], [end])
            except Exception:
                return rollout
        return rollouts[0]

    def _checked(self, score: Any, rollout: Sequence[int]) -> float:
        try:
            value = float(score)
        except (TypeError, ValueError) as error:
            raise self._raised("score", rollout, error) from error
        low, high = self.range
        if math.isnan(value):
            raise RewardError(
                f"the reward `{self.name}` is `nan` for {self._shown(rollout)}; return a number from `{low}` to `{high}`",
                code="reward_nan",
            )
        slack = SLACK * (high - low)
        if not low - slack <= value <= high + slack:
            raise RewardError(
                f"the reward `{self.name}` is `{value}` for {self._shown(rollout)}, outside its range `{(low, high)}`; "
                "declare the right range, or clip the score",
                code="reward_out_of_range",
            )
        return min(max(value, low), high)

    def _call(self, method: str, token_ids: Sequence[int], call: Callable[[], T]) -> T:
        try:
            return self._timed(method, token_ids, call)
        except RewardError:
            raise
        except Exception as error:
            raise self._raised(method, token_ids, error) from error

    def _timed(self, method: str, token_ids: Sequence[int], call: Callable[[], T]) -> T:
        start = time.perf_counter()
        value = call()
        seconds = time.perf_counter() - start
        if self.timeout_seconds is not None and seconds > self.timeout_seconds:
            raise RewardError(
                f"`{method}` of the reward `{self.name}` took `{seconds:.3g}` seconds for {self._shown(token_ids)}; "
                f"make it faster, or raise `reward_timeout_seconds` from `{self.timeout_seconds}`",
                code="reward_timeout",
            )
        return value

    def _raised(self, method: str, token_ids: Sequence[int], error: Exception) -> RewardError:
        return RewardError(
            f"`{method}` of the reward `{self.name}` raised `{type(error).__name__}: {error}` for {self._shown(token_ids)}; "
            "its cause is attached, mend the reward",
            code="reward_raised",
        )

    def _shown(self, token_ids: Sequence[int]) -> str:
        """Name the text that was scored: its end, where it is long; its tokens, where their spelling is not known."""
        tokens = [*self.token_ids, *token_ids]
        if self.prompt.token_bytes is None:
            return f"the tokens `{tokens[-32:]}`"
        text = self.prompt.bytes_of(tokens).decode("utf-8", errors="replace")
        return f"the text `{text}`" if len(text) <= MAX_TEXT_SHOWN else f"the text that ends in `{text[-MAX_TEXT_SHOWN:]}`"
