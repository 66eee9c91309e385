"""CDSL with a tree, ours and not the paper's: the draft model continues each of the target's candidates, the target reads all
of these branches in one forward, and the best one is written as far as the target would have written it.

One target forward a round, whatever happens: the constrained search of `Cdlh` with lookaheads that the target has checked, and
the tokens of `Lookahead`. The target's own next token behind a matched branch costs nothing: it leads the next round's
candidates.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.decoding.context import Growth, Logits
from penstock.decoding.rollouts import Branch, Reader, Steering, in_rounds, roll_out, take
from penstock.decoding.sequence import Sequence
from penstock.decoding.strategies.accept import reward_passes
from penstock.decoding.strategies.cdlh import check_search

__all__ = ["CdslTree"]


@dataclass(frozen=True)
class CdslTree:
    """The strategy; give it to a `Generator`.

    reward, draft, num_candidates, horizon, weight, skip_settled, patience, reward_threshold, slack: as for `Cdsl`.
    span: the reward judges a candidate by its whole drafted branch ("draft"), or by the part that the target would have
    written ("matched"). The winner has the largest log-probability + weight * reward; where its reward passes the gate its
    matched part is written with it, otherwise the candidate alone. margin: so many tokens at the end of a winning branch are
    looked at and not written, so that none is written whose consequences the reward has not seen; only a text that ends there
    is written whole. commit: where no `reward_threshold` is given, "gain" ends what is written at the token that brings the
    branch its score, which a reward that counts finished words earns one token late; "matched" does not ask.

    Without a reward that has a say (settled, patience over, or weight 0 and a threshold of -inf), the text is the one of plain
    decoding. Raises RewardError and DraftMismatchError.
    Cost of a round: 1 target forward of at most num_candidates * (horizon + 1) positions, `horizon` draft forwards, one
    reward call; with "gain" a second one of at most `horizon` + 1 texts where a branch passes.
    """

    reward: Any
    draft: Any
    num_candidates: int = field(default=8, kw_only=True)
    horizon: int = field(default=8, kw_only=True)
    weight: float = field(default=1.0, kw_only=True)
    reward_threshold: float | None = field(default=None, kw_only=True)
    slack: int = field(default=0, kw_only=True)
    span: Literal["draft", "matched"] = field(default="draft", kw_only=True)
    margin: int = field(default=0, kw_only=True)
    commit: Literal["gain", "matched"] = field(default="gain", kw_only=True)
    patience: int | None = field(default=64, kw_only=True)
    skip_settled: bool = field(default=True, kw_only=True)
    reward_timeout_seconds: float | None = field(default=None, kw_only=True)

    order = "sum"

    def __post_init__(self) -> None:
        check_search(self)
        for name, values in {"span": ("draft", "matched"), "commit": ("matched", "gain")}.items():
            if getattr(self, name) not in values:
                raise ValueError(f"`{name}` is `{getattr(self, name)}`; give one of {', '.join(map(repr, values))}")
        if self.slack < 0:
            raise ValueError(f"`slack` is `{self.slack}`; give 0 or more rounds")
        if not 0 <= self.margin <= self.horizon:
            raise ValueError(f"`margin` is `{self.margin}`; give 0 or more tokens, at most `horizon`")

    @property
    def models(self) -> Mapping[str, Any]:
        """The models that a sequence needs besides the target."""
        return {"draft": self.draft}

    def __call__(self, sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
        return in_rounds(self, sequence, _Run)


class _Run:
    """One text under way."""

    def __init__(self, options: CdslTree, sequence: Sequence, steering: Steering, target: Reader, draft: Reader) -> None:
        self.options, self.sequence, self.steering = options, sequence, steering
        self.target, self.draft = target, draft
        self.num_low = self.num_kept = 0

    def round(self) -> Generator[tuple[str, Growth], Logits, bool]:
        """Draft a tree, check it, choose a branch, write of it what may be written; return whether the text goes on."""
        options, stats = self.options, self.sequence.stats
        (logits,) = yield from self.target.ask([[]])
        count = options.num_candidates if self.steering.active else 1
        found = Branch(self.sequence).candidates(logits, count)
        branches = [Branch(self.sequence).after(token) for token, _ in found]
        yield from roll_out(self.draft, branches, min(options.horizon, self.sequence.num_remaining - 1))
        matched = yield from self._check(branches)
        winner, passes = self._decide([key for _, key in found], branches, matched)
        stats.num_drafts += 1
        stats.num_draft_tokens += sum(len(branch.tokens) - 1 for branch in branches)
        size = self._num_written(branches[winner], matched[winner]) if passes else 1
        tokens = matched[winner].tokens[:size]
        stats.num_accepted_tokens += len(tokens) - 1
        self.steering.count("accept" if passes else "single")
        self.num_low = 0 if passes else self.num_low + 1
        going = take(self.sequence, tokens, self.target)
        self.target.settle()
        self.draft.settle()
        self.steering.follow()
        if options.patience is not None and self.num_low > options.patience:
            self.steering.give_up()
        return going

    def _num_written(self, branch: Branch, matched: Branch) -> int:
        """Return how many tokens of a branch that passes may be written; at least 1, and all where the reward has no say."""
        if not self.steering.active:
            return len(branch.tokens)
        size = len(branch.tokens) if branch.ended else max(1, len(branch.tokens) - self.options.margin)
        size = min(size, len(matched.tokens))
        if self.options.commit == "matched" or self.options.reward_threshold is not None or size == 1:
            return size
        beginnings = [matched.rollout[:end] for end in range(1, size + 1)]
        scores = self.steering.score_rollouts(
            beginnings, [False] * (size - 1) + [matched.ended and size == len(matched.tokens)]
        )
        return scores.index(max(scores)) + 1

    def _check(self, branches: list[Branch]) -> Generator[tuple[str, Growth], Logits, list[Branch]]:
        """Read every branch in one forward of the target; return the parts that it would have written, candidates included."""
        paths = [b.tokens[:size] for b in branches for size in range(1, len(b.tokens) + 1 - b.ended)]
        rows = iter((yield from self.target.ask(paths)))
        matched = []
        for branch in branches:
            own = [next(rows) for _ in range(len(branch.tokens) - branch.ended)]
            part = Branch(self.sequence).after(branch.tokens[0])
            for row, token in zip(own, branch.tokens[1:], strict=False):
                if part.choose(row) != token:
                    break
                part.push(token)
            matched.append(part)
        return matched

    def _decide(self, keys: list[float], branches: list[Branch], matched: list[Branch]) -> tuple[int, bool]:
        """Return the winner's index, and whether its future passes the gate."""
        options, steering = self.options, self.steering
        if not steering.active:
            return 0, True
        judged = branches if options.span == "draft" else matched
        rollouts, ended = [branch.rollout for branch in judged], [branch.ended for branch in judged]
        present, *scores = steering.score_rollouts([[], *rollouts], [False, *ended])
        totals = [key + options.weight * score for key, score in zip(keys, scores, strict=True)]
        winner = totals.index(max(totals))
        passes = reward_passes(
            scores[winner],
            ended[winner],
            present=present,
            top=steering.top,
            threshold=options.reward_threshold,
            slack=self.num_kept < options.slack,
        )
        if passes:
            self.num_kept = 0 if scores[winner] > present else self.num_kept + 1
        return winner, passes
