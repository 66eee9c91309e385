"""CDSL: constrained decoding with speculative lookaheads (arXiv 2412.10418). A draft model writes a block, the target checks
it in one forward, and two numbers decide: how far the target agrees (acceptance), and how good the future is (reward).

    trusted, good        accept      write the block
    trusted, not good    single      one token by constrained search; the draft model looks ahead, it is a good proxy here
    not trusted          regenerate  the target writes a block of its own; where that is not good either: fallback, one
                                     token by constrained search with the target's own lookaheads

The paper's code is not released and its text leaves choices open; each is an option of `Cdsl`, the default is what the
available text says or suggests. The decisions themselves are `strategies/accept.py`; the slow twin is `reference/cdsl.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from penstock.decoding.context import Growth, Logits
from penstock.decoding.rollouts import Branch, Reader, Steering, in_rounds, roll_out, take
from penstock.decoding.sequence import Sequence
from penstock.decoding.strategies.accept import (
    Block,
    State,
    acceptance_share,
    cdsl_gate,
    gsi_gate,
    gsi_score,
    num_matched,
    reward_passes,
    rsd_gate,
)
from penstock.decoding.strategies.cdlh import best_branch, check_search

__all__ = ["Cdsl"]

Rule: TypeAlias = Literal["cdsl", "rsd", "gsi"]


@dataclass(frozen=True)
class Cdsl:
    """The strategy; give it to a `Generator`.

    reward: any `Reward`. draft: a `Model` with the target's vocabulary. num_candidates, horizon, weight, order, batched,
    skip_settled: as for `Cdlh`; horizon is also the length of a drafted block. Temperature and seed are the text's: with a
    temperature above 0 draft and target choose with the same noise, so agreement stays likely.

    accept_threshold: the least acceptance of a trusted block; above 1 nothing is trusted. acceptance: "match" counts drafts up
    to the first that the target would not write, "overlap" is the mean probability ratio min(1, p / q).
    reward_threshold: a floor for a block's score; None: the block must score more than the present text, or the top of the
    range; to end, it must reach the top. slack: so many blocks in a row may keep the score instead.
    span: the gate scores the whole "draft" or its "matched" part. commit: an accepted block is written whole ("draft"), or
    as far as it matches, with the target's own next token ("matched": the target's text, never the draft's).
    margin: of a block that passes, so many tokens at its end are looked at and not written, so that none is written whose
    consequences the reward has not seen; ours, not the paper's. Only a text that ends there is written whole.
    bonus: write the target's token behind a block that matched to its end; a stop token only where the reward has no say.
    on_reject: an untrusted block is regenerated ("regenerate"), or searched for at once ("single"). lookahead,
    reject_lookahead: whose lookaheads the constrained search uses for trusted and for untrusted blocks.
    patience: after so many rounds in a row without an accepted block the rest is decoded without the reward, and the
    result says `details["reward_unreached"]`. rule: "rsd" and "gsi" decide by the reward, or by `gsi_beta` * reward + the
    models' log-ratio, against `reward_threshold`; what they refuse is written by the target, whatever it scores.

    Where the draft model's context is full, the target goes on alone.
    Raises RewardError, when the reward breaks a promise; DraftMismatchError.
    Cost of a round: 1 target forward of horizon + 1 positions, `horizon` draft forwards, one reward call; a regenerated block
    costs the target as many forwards as it has tokens left; a single token `horizon` of the looking model.
    """

    reward: Any
    draft: Any
    num_candidates: int = field(default=8, kw_only=True)
    horizon: int = field(default=8, kw_only=True)
    weight: float = field(default=1.0, kw_only=True)
    order: Literal["sum", "reward"] = field(default="sum", kw_only=True)
    accept_threshold: float = field(default=0.5, kw_only=True)
    acceptance: Literal["match", "overlap"] = field(default="match", kw_only=True)
    reward_threshold: float | None = field(default=None, kw_only=True)
    slack: int = field(default=0, kw_only=True)
    span: Literal["draft", "matched"] = field(default="draft", kw_only=True)
    commit: Literal["draft", "matched"] = field(default="draft", kw_only=True)
    margin: int = field(default=0, kw_only=True)
    bonus: bool = field(default=True, kw_only=True)
    on_reject: Literal["regenerate", "single"] = field(default="regenerate", kw_only=True)
    lookahead: Literal["draft", "target"] = field(default="draft", kw_only=True)
    reject_lookahead: Literal["draft", "target"] = field(default="target", kw_only=True)
    patience: int | None = field(default=64, kw_only=True)
    rule: Rule = field(default="cdsl", kw_only=True)
    gsi_beta: float = field(default=1.0, kw_only=True)
    batched: bool = field(default=True, kw_only=True)
    skip_settled: bool = field(default=True, kw_only=True)
    reward_timeout_seconds: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_search(self)
        allowed = {
            "acceptance": ("match", "overlap"),
            "span": ("draft", "matched"),
            "commit": ("draft", "matched"),
            "on_reject": ("regenerate", "single"),
            "lookahead": ("draft", "target"),
            "reject_lookahead": ("draft", "target"),
            "rule": ("cdsl", "rsd", "gsi"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"`{name}` is `{getattr(self, name)}`; give one of {', '.join(map(repr, values))}")
        if self.horizon < 1:
            raise ValueError("`horizon` is `0`; give at least 1 token to draft")
        if self.slack < 0:
            raise ValueError(f"`slack` is `{self.slack}`; give 0 or more rounds")
        if not 0 <= self.margin < self.horizon:
            raise ValueError(f"`margin` is `{self.margin}`; give 0 or more tokens, fewer than `horizon`")
        if self.rule != "cdsl" and self.reward_threshold is None:
            raise ValueError(f"the rule `{self.rule}` needs a number to compare with; give `reward_threshold`")

    @property
    def models(self) -> Mapping[str, Any]:
        """The models that a sequence needs besides the target."""
        return {"draft": self.draft}

    def __call__(self, sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
        return in_rounds(self, sequence, _Run)


class _Run:
    """One text under way."""

    def __init__(self, options: Cdsl, sequence: Sequence, steering: Steering, target: Reader, draft: Reader) -> None:
        self.options, self.sequence, self.steering = options, sequence, steering
        self.target, self.draft = target, draft
        self.num_low = 0  # rounds in a row that had to search for a token
        self.num_kept = 0  # accepted blocks in a row that did not raise the score

    def round(self) -> Generator[tuple[str, Growth], Logits, bool]:
        """Draft, check, decide, write; return whether the text goes on. At least one token is written."""
        drafts = yield from self._draft()
        block, nodes = yield from self._check(drafts)
        state, tokens = yield from self._act(block, nodes)
        self.steering.count(state)
        stats = self.sequence.stats
        stats.num_drafts += 1
        stats.num_draft_tokens += len(block.draft_ids)
        stats.num_accepted_tokens += num_matched(block.draft_ids, block.choice_ids)
        self.num_low = self.num_low + 1 if state in ("single", "fallback") else 0
        going = take(self.sequence, tokens[: self.sequence.num_remaining], self.target)
        self.target.settle()
        self.draft.settle()
        self.steering.follow()
        if self.options.patience is not None and self.num_low > self.options.patience:
            self.steering.give_up()
        return going

    def _draft(self) -> Generator[tuple[str, Growth], Logits, list[Branch]]:
        """Return the drafted chain, as its beginnings: [0 tokens, 1 token, ...]."""
        limit = min(self.options.horizon, self.sequence.num_remaining)
        chain = [Branch(self.sequence)]
        while len(chain) <= limit and not chain[-1].ended and self.draft.has_room(len(chain) - 1):
            (row,) = yield from self.draft.ask([chain[-1].tokens])
            token = chain[-1].choose(row)
            if token is None:
                break
            chain.append(chain[-1].after(token))
        return chain

    def _check(self, chain: list[Branch]) -> Generator[tuple[str, Growth], Logits, tuple[Block, list[Branch]]]:
        """Ask the target about the whole chain in one forward; return the block and the chain's open beginnings."""
        nodes = [branch for branch in chain if not branch.ended]  # behind an end there is nothing to ask
        rows = yield from self.target.ask([branch.tokens for branch in nodes])
        draft_ids = chain[-1].tokens
        choices: list[int] = []
        for branch, row in zip(nodes, rows, strict=True):
            token = branch.choose(row)
            if token is None:
                break
            choices.append(token)
        if self.options.acceptance == "match" and self.options.rule != "gsi":
            return Block(draft_ids, choices), chain
        pairs = list(zip(nodes, rows, draft_ids, strict=False))
        target = [branch.logprob_of(row, token) for branch, row, token in pairs]
        drafted = [(branch, self.draft.known(branch.tokens), token) for branch, _, token in pairs]
        draft = [branch.logprob_of(row, token) for branch, row, token in drafted if row is not None]
        return Block(draft_ids, choices, target, draft), chain

    def _act(self, block: Block, chain: list[Branch]) -> Generator[tuple[str, Growth], Logits, tuple[str, list[int]]]:
        """Return what the round did and the tokens to write."""
        options, steering = self.options, self.steering
        matched = num_matched(block.draft_ids, block.choice_ids)
        state = self._decide(block, chain, matched)
        if state == "accept":
            tokens = self._accepted(block, chain, matched)
            if tokens:
                return "accept", tokens
            state = "single"
        if state == "single":
            return "single", (yield from self._single(options.lookahead))
        if options.rule == "cdsl" and options.on_reject == "single":
            return "fallback", (yield from self._single(options.reject_lookahead))
        limit = min(options.horizon, self.sequence.num_remaining)
        choice = block.choice_ids[matched:limit][:1]
        own = chain[matched].after(choice[0]) if choice else chain[matched].copy()
        yield from roll_out(self.target, [own], limit - len(own.tokens))
        if own.tokens and (options.rule != "cdsl" or not steering.active or self._passes(own)):
            return "regenerate", own.tokens[: self._num_written(own)]
        return "fallback", (yield from self._single(options.reject_lookahead))

    def _decide(self, block: Block, chain: list[Branch], matched: int) -> State:
        options = self.options
        if not block.draft_ids:
            return "regenerate"
        whole = chain[-1] if options.span == "draft" else chain[matched]
        if options.rule == "cdsl" or not self.steering.active:
            passes = not self.steering.active or self._passes(whole)
            return cdsl_gate(acceptance_share(block, options.acceptance), passes, options.accept_threshold)
        assert options.reward_threshold is not None
        (score,) = self.steering.score([whole])
        if options.rule == "rsd":
            return rsd_gate(score, options.reward_threshold)
        tilted = gsi_score(score, sum(block.target_logprobs), sum(block.draft_logprobs), options.gsi_beta)
        return gsi_gate(tilted, options.reward_threshold)

    def _passes(self, branch: Branch) -> bool:
        """Score a future and ask the gate; counts the futures in a row that only kept the score."""
        options, steering = self.options, self.steering
        if options.reward_threshold is not None:
            (score,) = steering.score([branch])
            return score >= options.reward_threshold
        present, score = steering.score_rollouts([[], branch.rollout], [False, branch.ended])
        slack = self.num_kept < options.slack
        passes = reward_passes(score, branch.ended, present=present, top=steering.top, threshold=None, slack=slack)
        if passes:
            self.num_kept = 0 if score > present else self.num_kept + 1
        return passes

    def _num_written(self, block: Branch) -> int:
        """Return how many tokens of a block that passes are written: all but the margin, and all where the text is over."""
        if block.ended or not self.steering.active:
            return len(block.tokens)
        return max(1, len(block.tokens) - self.options.margin)

    def _accepted(self, block: Block, chain: list[Branch], matched: int) -> list[int]:
        """Return what an accepted block writes; empty where only an unasked end would be left."""
        whole = matched == len(block.draft_ids)
        tokens = list(block.draft_ids if self.options.commit == "draft" else block.draft_ids[:matched])
        limit = self._num_written(chain[-1])
        if limit < len(block.draft_ids):
            return tokens[:limit]
        wants_choice = self.options.bonus if whole else self.options.commit == "matched"
        if not wants_choice or len(block.choice_ids) <= matched:
            return tokens
        choice = block.choice_ids[matched]
        free = not self.steering.active or self.options.reward_threshold == float("-inf")
        if free or not chain[matched].after(choice).ended:
            tokens.append(choice)
        return tokens

    def _single(self, look: str) -> Generator[tuple[str, Growth], Logits, list[int]]:
        """Return one token by constrained search, or by plain choice where the reward has no say."""
        (logits,) = yield from self.target.ask([[]])
        if not self.steering.active:
            return [Branch(self.sequence).candidates(logits, 1)[0][0]]
        reader = self.draft if look == "draft" else self.target
        winner, _ = yield from best_branch(self.steering, reader, logits, self.options)
        return winner.tokens[:1]
