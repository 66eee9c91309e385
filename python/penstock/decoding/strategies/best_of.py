"""Best of n: sample n texts side by side and keep the one that the reward likes best.

The samples are branches of one open tree: a token of all of them is one forward, and the prompt is read once. The baseline
that a search with lookaheads has to beat: as many target positions as `Cdlh` with n = num_candidates * horizon, in
`horizon` times fewer forwards.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.decoding.context import Growth, Logits
from penstock.decoding.rollouts import Branch, Reader, Steering, take
from penstock.decoding.sampling import GumbelNoise
from penstock.decoding.sequence import Sequence
from penstock.errors import DeadEndError

__all__ = ["BestOf"]

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
            raise DeadEndError("every sample met a place where no token is allowed; loosen `bad_words_ids` or `logit_bias`")
        best = max(whole, key=lambda index: (scores[index], logprobs[index], -index))
        sequence.details["sample_rewards"] = scores
        take(sequence, branches[best].tokens, target)
        steering.close()

    def _noise(self, sequence: Sequence, index: int) -> GumbelNoise:
        own = sequence.noise
        return own if index == 0 else GumbelNoise(own.seed, own.sample + index * SAMPLE_STRIDE)


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
