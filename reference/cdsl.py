"""The slow twin of the reward-guided strategies: no cache, no batch, no tree. Every forward is a call `logits(prefix)`.

Read `greedy`, `cdlh`, `cdsl`, `cdsl_tree` in this order. A text is a list of tokens behind a prompt; the stop token ends it.
A `World` holds two models, what a grammar allows, and the reward of a text. All of it is greedy: ties go to the larger
log-probability, then to the lower token.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Logits = Callable[[list[int]], list[float]]


@dataclass
class World:
    """What decoding asks. target, draft: logits behind prompt + output. allowed: tokens that may follow an output."""

    prompt: list[int]
    target: Logits
    draft: Logits
    reward: Callable[[list[int], bool], float]  # of (output without the stop token, whether it is over)
    settled: Callable[[list[int]], bool]
    top: float  # the reward's highest score
    stop: int
    max_tokens: int
    allowed: Callable[[list[int]], set[int]] | None = None

    def ranked(self, model: Logits, text: list[int]) -> list[tuple[float, int]]:
        """(log-probability under the mask, token), best first."""
        z = list(model(self.prompt + text))
        ids = range(len(z)) if self.allowed is None else sorted(self.allowed(text))
        top = max(z[v] for v in ids)
        total = top + math.log(sum(math.exp(z[v] - top) for v in ids))
        return [(z[v] - total, v) for v in sorted(ids, key=lambda v: (-z[v], v))]

    def next(self, model: Logits, text: list[int]) -> int:
        return self.ranked(model, text)[0][1]

    def over(self, text: list[int]) -> bool:
        return text[-1:] == [self.stop]

    def roll_out(self, model: Logits, text: list[int], num_tokens: int) -> list[int]:
        """The text with at most `num_tokens` more of the model's own."""
        for _ in range(num_tokens):
            if self.over(text):
                break
            text = [*text, self.next(model, text)]
        return text

    def score(self, text: list[int]) -> float:
        over = self.over(text)
        return self.reward(text[:-1] if over else text, over)

    def passes(self, text: list[int], future: list[int], threshold: float | None) -> bool:
        """Is the future good enough to be written?"""
        score = self.score(future)
        if threshold is not None:
            return score >= threshold
        return score >= self.top or (not self.over(future) and score > self.score(text))


def greedy(world: World) -> list[int]:
    return world.roll_out(world.target, [], world.max_tokens)


def beam(world: World, num_beams: int) -> list[int]:
    """The likeliest texts, and of these the one with the best reward."""
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(world.max_tokens):
        pool = []
        for total, text in beams:
            longer = [(total + logprob, [*text, token]) for logprob, token in world.ranked(world.target, text)[:num_beams]]
            pool += [(total, text)] if world.over(text) else longer
        beams = sorted(pool, key=lambda entry: -entry[0])[:num_beams]
    scores = [world.score(text) for _, text in beams]
    return beams[scores.index(max(scores))][1]


def constrained_token(world: World, text: list[int], look: Logits, k: int, horizon: int, weight: float) -> list[int]:
    """The winning candidate behind the text, with its lookahead."""
    candidates = world.ranked(world.target, text)[:k]
    if len(candidates) == 1:
        return [*text, candidates[0][1]]
    horizon = min(horizon, world.max_tokens - len(text) - 1)
    futures = [world.roll_out(look, [*text, token], horizon) for _, token in candidates]
    totals = [logprob + weight * world.score(future) for (logprob, _), future in zip(candidates, futures, strict=True)]
    return futures[totals.index(max(totals))]


def cdlh(world: World, k: int, horizon: int, weight: float, look: Logits | None = None) -> list[int]:
    """One constrained token after the other; with `look` = the draft model it is CDLH-Appx."""
    text: list[int] = []
    while len(text) < world.max_tokens and not world.over(text):
        if world.settled(text):
            text = world.roll_out(world.target, text, 1)
        else:
            future = constrained_token(world, text, look or world.target, k, horizon, weight)
            text = future[: len(text) + 1]
    return text


@dataclass
class Options:
    """Those of `penstock.decoding.Cdsl` that a greedy run has."""

    k: int = 8
    horizon: int = 8
    weight: float = 1.0
    accept_threshold: float = 0.5
    reward_threshold: float | None = None
    span: str = "draft"
    commit: str = "draft"
    margin: int = 0
    bonus: bool = True
    on_reject: str = "regenerate"
    lookahead: str = "draft"
    reject_lookahead: str = "target"


def cdsl(world: World, o: Options) -> tuple[list[int], list[str]]:
    """The text, and what each round did."""
    text: list[int] = []
    states: list[str] = []
    while len(text) < world.max_tokens and not world.over(text):
        state, longer = cdsl_round(world, o, text)
        assert len(longer) > len(text)
        states.append(state)
        text = longer[: world.max_tokens]
        if world.stop in text:
            text = text[: text.index(world.stop) + 1]
    return text, states


def cdsl_round(world: World, o: Options, text: list[int]) -> tuple[str, list[int]]:
    limit = min(o.horizon, world.max_tokens - len(text))
    draft = world.roll_out(world.draft, text, limit)[len(text) :]
    free = world.settled(text)

    matched = 0
    while matched < len(draft) and world.next(world.target, text + draft[:matched]) == draft[matched]:
        matched += 1
    whole = matched == len(draft)
    ends = world.over(draft[:matched])
    own = None if ends else world.next(world.target, text + draft[:matched])  # what the target writes behind the matched part

    future = text + (draft if o.span == "draft" else draft[:matched])
    good = free or world.passes(text, future, o.reward_threshold)

    if matched / len(draft) >= o.accept_threshold:
        if good:
            taken = list(draft if o.commit == "draft" else draft[:matched])
            limit = num_written(world, o, text, text + draft)
            if limit < len(draft):
                return ("accept", text + taken[:limit]) if taken else ("single", single(world, o, text, o.lookahead))
            wanted = o.bonus if whole else o.commit == "matched"
            never_gated = free or o.reward_threshold == -math.inf
            if wanted and own is not None and (own != world.stop or never_gated):
                taken.append(own)
            if taken:
                return "accept", text + taken
        return "single", single(world, o, text, o.lookahead)

    if o.on_reject == "regenerate":
        future = text + draft[:matched] + ([own] if own is not None and matched < limit else [])
        future = world.roll_out(world.target, future, limit - (len(future) - len(text)))
        if free or world.passes(text, future, o.reward_threshold):
            return "regenerate", future[: len(text) + num_written(world, o, text, future)]
    return "fallback", single(world, o, text, o.reject_lookahead)


def num_written(world: World, o: Options, text: list[int], future: list[int]) -> int:
    """Of a block that passes, all but the margin; all where the text is over or the reward has no say."""
    size = len(future) - len(text)
    return size if world.over(future) or world.settled(text) else max(1, size - o.margin)


def single(world: World, o: Options, text: list[int], look: str) -> list[int]:
    if world.settled(text):
        return world.roll_out(world.target, text, 1)
    model = world.draft if look == "draft" else world.target
    return constrained_token(world, text, model, o.k, o.horizon, o.weight)[: len(text) + 1]


def cdsl_tree(
    world: World,
    k: int,
    horizon: int,
    weight: float,
    threshold: float | None = None,
    margin: int = 0,
    commit: str = "matched",
) -> list[int]:
    """Every round: draft behind each candidate, keep the winner as far as the target agrees, if its future is good."""
    text: list[int] = []
    while len(text) < world.max_tokens and not world.over(text):
        free = world.settled(text)
        candidates = world.ranked(world.target, text)[: 1 if free else k]
        depth = min(horizon, world.max_tokens - len(text) - 1)
        futures = [world.roll_out(world.draft, [*text, token], depth) for _, token in candidates]
        totals = [
            logprob + (0 if free else weight * world.score(f)) for (logprob, _), f in zip(candidates, futures, strict=True)
        ]
        best = futures[totals.index(max(totals))]
        size = len(text) + 1
        if free or world.passes(text, best, threshold):
            limit = len(best) if free or world.over(best) else len(best) - margin
            while size < limit and world.next(world.target, best[:size]) == best[size]:
                size += 1
            if commit == "gain" and threshold is None and not free:
                ends = range(len(text) + 1, size + 1)
                size = max(ends, key=lambda end: (world.score(best[:end]), -end))
        text = best[:size]
    return text
