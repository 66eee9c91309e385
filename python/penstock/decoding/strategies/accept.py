"""Accept rules: what becomes of a drafted block, as pure functions of what one forward of the target tells about it.

| rule | keeps | what it asks |
|---|---|---|
| `greedy`, `sample_and_match` | the drafts that the target would have written, and its own next token | the target |
| `cdsl_gate` | the block, where draft and target agree and the reward passes | both |
| `rsd_gate` | the block, where the reward passes (arXiv 2501.19324) | the reward |
| `gsi_gate` | the block, where reward and the models' log-ratio pass together (arXiv 2506.04118) | both |

`greedy` and `sample_and_match` cannot change what the target writes; the others can, and want to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Block",
    "State",
    "acceptance_share",
    "cdsl_gate",
    "greedy",
    "gsi_choose",
    "gsi_gate",
    "gsi_score",
    "num_matched",
    "overlap",
    "reward_passes",
    "rsd_gate",
    "sample_and_match",
]

State: TypeAlias = Literal["accept", "single", "regenerate"]
"""`accept` the block; write a `single` token by constrained search; `regenerate` the block with the target."""


@dataclass(frozen=True, slots=True)
class Block:
    """One drafted chain and what the target says of it.

    draft_ids: [n]. choice_ids: what the target would write at each place of the draft, and behind it, [n + 1]; shorter
    where the text is over before. target_logprobs, draft_logprobs: of the drafted tokens, [n]; empty where no rule asks.
    """

    draft_ids: Sequence[int]
    choice_ids: Sequence[int]
    target_logprobs: Sequence[float] = ()
    draft_logprobs: Sequence[float] = ()


def num_matched(draft_ids: Sequence[int], choice_ids: Sequence[int]) -> int:
    """Return how many drafts stand before the first that the target would not have written."""
    for index, (draft, choice) in enumerate(zip(draft_ids, choice_ids, strict=False)):
        if draft != choice:
            return index
    return min(len(draft_ids), len(choice_ids))


def sample_and_match(block: Block) -> list[int]:
    """Return the tokens that plain decoding would have written: the matched drafts, and the target's own token behind them."""
    matched = num_matched(block.draft_ids, block.choice_ids)
    return [*block.draft_ids[:matched], *block.choice_ids[matched : matched + 1]]


def greedy(draft_ids: Sequence[int], argmax_ids: Sequence[int]) -> list[int]:
    """Return the tokens of greedy decoding: sample and match where nothing is random. argmax_ids: [len(draft_ids) + 1]."""
    return sample_and_match(Block(draft_ids, argmax_ids))


def overlap(target_logprobs: Sequence[float], draft_logprobs: Sequence[float]) -> float:
    """Return the mean of min(1, p / q) over the drafted tokens, p of the target and q of the draft; 1 for none."""
    ratios = [math.exp(min(0.0, p - q)) for p, q in zip(target_logprobs, draft_logprobs, strict=True)]
    return sum(ratios) / len(ratios) if ratios else 1.0


def acceptance_share(block: Block, measure: Literal["match", "overlap"] = "match") -> float:
    """Return how far the draft speaks for the target, 0 to 1: matched drafts / drafts, or the mean probability ratio."""
    if measure == "overlap":
        return overlap(block.target_logprobs, block.draft_logprobs)
    return num_matched(block.draft_ids, block.choice_ids) / len(block.draft_ids) if block.draft_ids else 1.0


def reward_passes(
    score: float, ended: bool, *, present: float, top: float, threshold: float | None, slack: bool = False
) -> bool:
    """Return whether a future is good enough to be written.

    threshold: an absolute floor for `score`. None: the future must score more than the `present` text (as much, with
    `slack`) or reach the `top` of the range; a text that ends there must reach the top.
    """
    if threshold is not None:
        return score >= threshold
    if score >= top:
        return True
    return not ended and (score >= present if slack else score > present)


def cdsl_gate(acceptance: float, passes: bool, accept_threshold: float) -> State:
    """Return CDSL's decision (arXiv 2412.10418): trusted and good, trusted and not good, not trusted."""
    if acceptance < accept_threshold:
        return "regenerate"
    return "accept" if passes else "single"


def rsd_gate(score: float, threshold: float) -> State:
    """Return the decision of reward-guided speculative decoding: the target is not asked, only the reward."""
    return "accept" if score >= threshold else "regenerate"


def gsi_score(score: float, target_logprob: float, draft_logprob: float, beta: float) -> float:
    """Return the tilted reward of guided speculative inference: beta * reward + log p - log q of the block."""
    return beta * score + target_logprob - draft_logprob


def gsi_gate(tilted: float, threshold: float) -> State:
    """Return the decision of guided speculative inference on a tilted reward."""
    return "accept" if tilted > threshold else "regenerate"


def gsi_choose(tilted: Sequence[float], noise: Sequence[float]) -> int:
    """Return which of several blocks is taken: softmax over tilted rewards, drawn by standard Gumbel noise, ties first."""
    sums = [value + extra for value, extra in zip(tilted, noise, strict=True)]
    return sums.index(max(sums))
