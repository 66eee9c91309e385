"""Best of n: write n texts side by side and keep the one that the reward likes best, sampled (`BestOf`) or by `Beam` search.

The texts are branches of one open tree: a token of all of them is one forward, and the prompt is read once. The baselines
that a search with lookaheads has to beat: as many target positions as `Cdlh` with n = num_candidates * horizon, in
`horizon` times fewer forwards.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.decoding.context import Growth, Logits
from penstock.decoding.rollouts import Branch, Reader, Row, Steering, take
from penstock.decoding.sampling import GumbelNoise
from penstock.decoding.sequence import Sequence
from penstock.errors import DeadEndError

__all__ = ["Beam", "BestOf"]

SAMPLE_STRIDE = 1 << 32  # the noise of the branches of one sample never meets that of another sample


@dataclass(frozen=True)
class BestOf:
    """The strategy; give it to a `Generator`.

    reward: any `Reward`. num_samples: texts to choose from; the first is the one that plain sampling writes. temperature:
    used where the run's own is 0, since greedy texts would all be one. Among equal rewards the likelier text wins, then
    the earlier one. The output arrives at once, when all samples are written.

    Raises RewardError. Cost: one target forward a token of the longest sample, num_samples positions each; one reward call.
    """

    reward: Any
    num_samples: int = 8
    temperature: float = 1.0
    reward_timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise ValueError(f"`num_samples` is `{self.num_samples}`; give at least 1")
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"`temperature` is `{self.temperature}`; give a finite number above 0")

    @property
    def models(self) -> Mapping[str, Any]:
        """No model besides the target."""
        return {}

    def __call__(self, sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
        if sequence.state.sampling.temperature == 0 and self.num_samples > 1:
            sequence.state.sampling = replace(sequence.state.sampling, temperature=self.temperature)
        steering = Steering(self.reward, sequence, timeout_seconds=self.reward_timeout_seconds)
        target = Reader(sequence)
        yield from target.prefill()
        branches = [Branch(sequence, self._noise(sequence, index)) for index in range(self.num_samples)]
        logprobs = yield from _write(target, branches, sequence.num_remaining)
        scores = steering.score(branches)
        whole = [index for index, branch in enumerate(branches) if not branch.stuck]
        if not whole:
            raise _dead_end()
        best = max(whole, key=lambda index: (scores[index], logprobs[index], -index))
        sequence.details["sample_rewards"] = scores
        take(sequence, branches[best].tokens, target)
        steering.close()

    def _noise(self, sequence: Sequence, index: int) -> GumbelNoise:
        own = sequence.noise
        return own if index == 0 else GumbelNoise(own.seed, own.sample + index * SAMPLE_STRIDE)


@dataclass(frozen=True)
class Beam:
    """The strategy: beam search at temperature 0, then the reward's choice among the beams.

    reward: any `Reward`. num_beams: texts kept, those with the largest log-probability; texts that have ended keep their place.
    The search ends when all have ended or the tokens are spent. Among equal rewards the likelier text wins. The output
    arrives at once.

    Raises RewardError. Cost: one target forward a token, num_beams positions each; one reward call.
    """

    reward: Any
    num_beams: int = 8
    reward_timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.num_beams < 1:
            raise ValueError(f"`num_beams` is `{self.num_beams}`; give at least 1")

    @property
    def models(self) -> Mapping[str, Any]:
        """No model besides the target."""
        return {}

    def __call__(self, sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
        sequence.state.sampling = replace(sequence.state.sampling, temperature=0.0)
        steering = Steering(self.reward, sequence, timeout_seconds=self.reward_timeout_seconds)
        target = Reader(sequence)
        yield from target.prefill()
        beams = [(0.0, Branch(sequence))]  # (log-probability, text), the likeliest first
        for _ in range(sequence.num_remaining):
            live = [(total, branch) for total, branch in beams if not branch.ended]
            if not live:
                break
            rows = yield from target.ask([branch.tokens for _, branch in live])
            beams = self._next(beams, dict(zip(map(id, (branch for _, branch in live)), rows, strict=True)))
        scores = steering.score([branch for _, branch in beams])
        best = max(range(len(beams)), key=lambda index: (scores[index], -index))
        take(sequence, beams[best][1].tokens, target)
        steering.close()

    def _next(self, beams: list[tuple[float, Branch]], rows: dict[int, Row]) -> list[tuple[float, Branch]]:
        """Return the likeliest continuations; each beam offers its likeliest tokens, an ended one itself."""
        pool: list[tuple[float, Branch, int | None]] = []
        for total, branch in beams:
            if branch.ended:
                pool.append((total, branch, None))
                continue
            try:
                found = branch.candidates(rows[id(branch)], self.num_beams)
            except DeadEndError:
                continue
            pool += [(total + key, branch, token) for token, key in found]
        if not pool:
            raise _dead_end()
        pool.sort(key=lambda entry: -entry[0])  # stable: equals keep the order of beams and candidates
        return [(t, branch if token is None else branch.after(token)) for t, branch, token in pool[: self.num_beams]]


def _dead_end() -> DeadEndError:
    return DeadEndError("every text met a place where no token is allowed; loosen `bad_words_ids` or `logit_bias`")


def _write(target: Reader, branches: list[Branch], num_tokens: int) -> Generator[tuple[str, Growth], Logits, list[float]]:
    """Write all branches to their ends; return their log-probabilities. Branches that meet a dead end stop there."""
    totals = [0.0] * len(branches)
    for _ in range(num_tokens):
        live = [index for index, branch in enumerate(branches) if not (branch.ended or branch.stuck)]
        if not live:
            break
        rows = yield from target.ask([branches[index].tokens for index in live])
        for index, row in zip(live, rows, strict=True):
            token = branches[index].choose(row)
            if token is None:
                branches[index].stuck = True
                continue
            totals[index] += branches[index].logprob_of(row, token)
            branches[index].push(token)
    return totals
