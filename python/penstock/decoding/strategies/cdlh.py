"""CDLH: constrained decoding with lookaheads. Each of the k likeliest next tokens is continued by a few tokens, a reward
scores what comes out, and the candidate with the best log-probability + weight * reward is written.

    k, d    num_candidates, horizon: tokens of lookahead behind a candidate
    lambda  weight

The baseline that CDSL (arXiv 2412.10418) accelerates; its score is that of DeAL (arXiv 2402.06147). With the target's own
lookaheads a token costs `horizon` target forwards and no more: the first forward of the rollouts is the next token's too.
With `draft` (the paper's CDLH-Appx) it costs one target forward and `horizon` draft forwards. With `block`, a winner whose
future passes the gate is written whole.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from penstock.decoding.context import Growth, Logits
from penstock.decoding.rollouts import Branch, Reader, Row, Steering, readers, roll_out, take
from penstock.decoding.sequence import Sequence
from penstock.decoding.strategies.accept import reward_passes

__all__ = ["Cdlh", "SearchOptions", "best_branch", "check_search"]


class SearchOptions(Protocol):
    """What a constrained single token needs to know."""

    @property
    def num_candidates(self) -> int: ...
    @property
    def horizon(self) -> int: ...
    @property
    def weight(self) -> float: ...
    @property
    def order(self) -> Literal["sum", "reward"]: ...
    @property
    def batched(self) -> bool: ...


def best_branch(
    steering: Steering, reader: Reader, logits: Row, options: SearchOptions
) -> Generator[tuple[str, Growth], Logits, tuple[Branch, float]]:
    """Return the winning candidate with its rollout, and its score. logits: the target's behind the text.

    A lone candidate needs no lookahead; its score is then not asked either, and the top of the range stands for it.
    """
    sequence = steering.sequence
    root = Branch(sequence)
    found = root.candidates(logits, options.num_candidates)
    branches = [root.after(token) for token, _ in found]
    if len(branches) == 1:
        return branches[0], steering.top
    horizon = min(options.horizon, sequence.num_remaining - 1)
    groups = [branches] if options.batched else [[branch] for branch in branches]
    for group in groups:
        yield from roll_out(reader, group, horizon)
    scores = steering.score(branches)
    totals = [key + options.weight * score for (_, key), score in zip(found, scores, strict=True)]
    ranks = list(zip(scores, totals, strict=True)) if options.order == "reward" else [(total, 0.0) for total in totals]
    best = max(range(len(branches)), key=lambda index: (ranks[index], -index))  # earlier: more likely, then the lower id
    return branches[best], scores[best]


def check_search(options: Any) -> None:
    """Raise ValueError for options that mean nothing."""
    rules = [
        ("num_candidates", options.num_candidates >= 1, "at least 1"),
        ("horizon", options.horizon >= 0, "0 or more tokens"),
        ("weight", abs(options.weight) < float("inf"), "a finite number"),
        ("order", options.order in ("sum", "reward"), "'sum' or 'reward'"),
        ("patience", options.patience is None or options.patience >= 0, "None, or 0 or more rounds"),
    ]
    for name, holds, allowed in rules:
        if not holds:
            raise ValueError(f"`{name}` is `{getattr(options, name)}`; give {allowed}")


@dataclass(frozen=True)
class Cdlh:
    """The strategy; give it to a `Generator`.

    reward: any `Reward`. draft: a `Model` that writes the lookaheads (CDLH-Appx); None: the target. num_candidates, horizon,
    weight: see the head of this file; a horizon of 0 scores the candidates alone (as ARGS does, arXiv 2402.01694).
    order: "sum" takes the largest log-probability + weight * reward, "reward" the largest reward, then the likeliest.
    block: write a winner's whole rollout where its reward passes (`reward_threshold`, or by rising: `accept.reward_passes`).
    batched: False rolls candidates out one after the other, which changes the cost alone. skip_settled: decode plainly once
    the reward is settled, which changes the cost alone. patience: after so many tokens in a row without a passing future,
    the rest is decoded without the reward and the result says `details["reward_unreached"]`; None: never.
    At a temperature above 0 candidates carry the text's noise: a weight of 0 is plain sampling.

    Raises RewardError, when the reward breaks a promise; DraftMismatchError.
    Cost, greedy without an early end: 1 + the sum over tokens of min(horizon, tokens that remain behind it) target
    forwards; with `draft`, one a token, and the sum in draft forwards.
    """

    reward: Any
    draft: Any = None
    num_candidates: int = 8
    horizon: int = 8
    weight: float = 1.0
    order: Literal["sum", "reward"] = "sum"
    block: bool = False
    reward_threshold: float | None = None
    batched: bool = True
    skip_settled: bool = True
    patience: int | None = None
    reward_timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        check_search(self)
        if self.block and self.draft is not None:
            raise ValueError("`block` with a draft model would write tokens that the target never saw; use `Cdsl`")

    @property
    def models(self) -> Mapping[str, Any]:
        """The models that a sequence needs besides the target."""
        return {} if self.draft is None else {"draft": self.draft}

    def __call__(self, sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
        timeout = self.reward_timeout_seconds
        steering = Steering(self.reward, sequence, skip_settled=self.skip_settled, timeout_seconds=timeout)
        target, ahead = readers(sequence, self.draft)
        yield from ahead.prefill()
        going, low = True, 0
        while going:
            yield from target.prefill()
            (logits,) = yield from target.ask([[]])
            if steering.active:
                tokens, passed = yield from self._step(steering, ahead, logits)
                low = 0 if passed else low + 1
            else:
                tokens = [Branch(sequence).candidates(logits, 1)[0][0]]
                steering.count("plain")
            going = take(sequence, tokens, target)
            target.settle()
            ahead.settle()
            steering.follow()
            if self.patience is not None and low > self.patience:
                steering.give_up()
        steering.close()

    def _step(
        self, steering: Steering, ahead: Reader, logits: Row
    ) -> Generator[tuple[str, Growth], Logits, tuple[list[int], bool]]:
        """Return the tokens to write, and whether their future passes."""
        winner, score = yield from best_branch(steering, ahead, logits, self)
        passes = True
        if self.block or self.patience is not None:
            (present,) = steering.score_rollouts([[]], [False]) if self.reward_threshold is None else (0.0,)
            passes = reward_passes(score, winner.ended, present=present, top=steering.top, threshold=self.reward_threshold)
        whole = self.block and passes and len(winner.tokens) > 1
        steering.count("block" if whole else "single")
        return (winner.tokens if whole else winner.tokens[:1]), passes
