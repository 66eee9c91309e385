"""Laws to run on your own reward or drafter: `check_reward(reward, texts)`, `check_drafter(drafter)`.

Each raises `LawError` naming the law and the example that breaks it, and returns nothing otherwise. No model is needed:
rewards are fed bytes as tokens unless you give a spelling, drafters are run over a small model made of hashes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from penstock.decoding.context import Growth, check_growth
from penstock.decoding.engine import Engine, Job
from penstock.decoding.lookahead import Lookahead, tree_lists
from penstock.decoding.sequence import Sequence as Text
from penstock.decoding.strategies.plain import plain
from penstock.rewards.reward import Reward, RewardPrompt, reward_name
from penstock.sampling import Sampling

__all__ = ["HashContext", "LawError", "check_drafter", "check_reward"]

TOLERANCE = 1e-6  # share of a reward's range by which scores that should be equal may differ
STOP = 1  # the stop token of the model made of hashes


class LawError(AssertionError):
    """A law does not hold; the message names the law and an example."""


def check_reward(
    reward: Reward,
    texts: Iterable[str],
    *,
    prompt: str = "",
    encode: Callable[[str], Sequence[int]] | None = None,
    token_bytes: Callable[[int], bytes] | None = None,
    tolerance: float = TOLERANCE,
) -> None:
    """Check a reward on every cut of every text.

    1. The range is two finite numbers, and every score lies inside it. 2. The same call gives the same score. 3. A batch
    scores as its items do one by one. 4. `advance` leaves the state that it was given alone. 5. Advancing by tokens at once
    or one after the other is the same. 6. A rollout scores as the text that it completes. 7. A settled state scores the same
    whatever follows, and stays settled.

    encode, token_bytes: a tokenizer's; without them, tokens are the bytes of the text. tolerance: share of the range.
    Cost: some 30 scores for each character of each text; give short ones.
    """
    check = _RewardCheck(reward, tolerance)
    encode, token_bytes = encode or (lambda text: list(text.encode())), token_bytes or (lambda token: bytes([token]))
    start = RewardPrompt(tuple(encode(prompt)), token_bytes)
    tokens = [list(encode(text)) for text in texts]
    if not any(tokens):
        raise ValueError("there are no texts to check; give at least one of some characters")
    for one in tokens:
        check.text(start, one, tokens)


class _RewardCheck:
    """The laws of one reward."""

    def __init__(self, reward: Reward, tolerance: float) -> None:
        self.reward, self.name = reward, reward_name(reward)
        self.low, self.high = map(float, reward.range)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise LawError(f"`{self.name}`: the range `{tuple(reward.range)}` is not two finite numbers, the lower one first")
        self.slack = tolerance * (self.high - self.low)

    def text(self, start: RewardPrompt, tokens: list[int], others: list[list[int]]) -> None:
        state = self.reward.start(start)
        for cut in range(len(tokens) + 1):
            shown = start.bytes_of(tokens[:cut])
            before = self.score(state, tokens[cut:], True)
            after = self.reward.advance(state, tokens[cut:])
            again = self.score(state, tokens[cut:], True)
            self.equal(before, again, "`advance` leaves the state that it was given alone", shown)
            whole = self.reward.advance(self.reward.start(start), tokens[:cut])
            for ended in (False, True):
                rest = tokens[cut:]
                self.equal(self.score(state, rest, ended), self.score(state, rest, ended), "equal calls score equally", shown)
                self.equal(self.score(state, rest, ended), self.score(whole, rest, ended), "tokens may come at once", shown)
                completed = self.score(after, [], ended)
                self.equal(self.score(state, rest, ended), completed, "a rollout scores as the text that it completes", shown)
            self.batch(state, others, shown)
            if self.reward.settled(state):
                self.settled(state, others, shown)
            state = self.reward.advance(state, tokens[cut : cut + 1])

    def batch(self, state: Any, rollouts: list[list[int]], shown: bytes) -> None:
        ended = [index % 2 == 0 for index in range(len(rollouts))]
        together = self.reward.score([state] * len(rollouts), rollouts, ended)
        if len(together) != len(rollouts):
            raise LawError(f"`{self.name}`: `{len(rollouts)}` texts got `{len(together)}` scores")
        for score, rollout, end in zip(together, rollouts, ended, strict=True):
            self.equal(float(score), self.score(state, rollout, end), "a batch scores as its items do", shown)

    def settled(self, state: Any, rollouts: list[list[int]], shown: bytes) -> None:
        score = self.score(state, [], False)
        for rollout in rollouts:
            for ended in (False, True):
                self.equal(score, self.score(state, rollout, ended), "a settled state scores the same whatever follows", shown)
            if not self.reward.settled(self.reward.advance(state, rollout)):
                raise LawError(f"`{self.name}`: a settled state stays settled; it does not behind `{shown!r}`")

    def score(self, state: Any, rollout: Sequence[int], ended: bool) -> float:
        (score,) = self.reward.score([state], [rollout], [ended])
        if not self.low - self.slack <= float(score) <= self.high + self.slack:  # false for NaN too
            raise LawError(f"`{self.name}`: the score `{score}` is outside the range `{(self.low, self.high)}`")
        return float(score)

    def equal(self, one: float, other: float, law: str, shown: bytes) -> None:
        if not abs(one - other) <= self.slack:
            raise LawError(f"`{self.name}`: {law}; behind `{shown!r}` there are the scores `{one}` and `{other}`")


class HashContext:
    """A `Context` whose logits are a hash of the text: every text has its own continuation, and nothing is learned."""

    def __init__(self, vocab_size: int = 50, *, scale: float = 3.0) -> None:
        self.vocab_size, self.scale = vocab_size, scale
        self.num_forwards = self.num_positions = 0
        self._committed: dict[int, list[int]] = {}
        self._open: dict[int, list[tuple[int, ...]]] = {}

    def extend(self, growths: Mapping[int, Growth]) -> dict[int, Any]:
        """Return the logits behind every wanted node, float32 [num_logits, vocab_size]."""
        for row, growth in growths.items():
            check_growth(growth, len(self._open.get(row, [])), self.vocab_size)
        self.num_forwards += 1
        return {row: self._grow(row, growth) for row, growth in growths.items()}

    def _grow(self, row: int, growth: Growth) -> Any:
        nodes, prefix = self._open.setdefault(row, []), tuple(self._committed.setdefault(row, []))
        first = len(nodes)
        for token, parent in zip(growth.token_ids, growth.parents, strict=True):
            nodes.append((*(nodes[parent] if parent >= 0 else ()), token))
        self.num_positions += len(growth)
        wanted = nodes[first:] if growth.num_logits is None else nodes[len(nodes) - growth.num_logits :]
        return np.stack([self._logits(prefix + path) for path in wanted])

    def _logits(self, prefix: tuple[int, ...]) -> Any:
        rng = np.random.default_rng([len(prefix), *prefix])
        return (rng.standard_normal(self.vocab_size) * self.scale).astype(np.float32)

    def commit(self, row: int, path: Sequence[int]) -> None:
        """Keep a path of the open tree."""
        nodes = self._open.pop(row, [])
        if len(path):
            self._committed[row].extend(nodes[path[-1]])

    def release(self, row: int) -> None:
        """Forget a row."""
        self._committed.pop(row, None)
        self._open.pop(row, None)


def check_drafter(
    drafter: Any,
    *,
    prompts: Iterable[Sequence[int]] = ((5, 6, 7), (9,), (3, 3, 3, 3)),
    vocab_size: int = 50,
    max_tokens: int = 30,
    budgets: Sequence[int] = (0, 1, 7),
) -> None:
    """Check a drafter over a model made of hashes, greedily and sampled.

    1. Every proposal is a tree: node 0 is the last token of the text, parents come before children, ids are in the
    vocabulary. 2. It keeps to its budget. 3. The text is the one without drafts. 4. Its session is finished when the text is.
    """
    for prompt in prompts:
        for temperature in (0.0, 1.0):
            expected = _decode(plain, prompt, vocab_size, max_tokens, temperature)
            for budget in budgets:
                watched = _Watched(drafter)
                found = _decode(Lookahead(watched, budget=budget), prompt, vocab_size, max_tokens, temperature)
                if found != expected:
                    raise LawError(
                        f"drafts do not change a text; behind `{list(prompt)}` they made `{expected}` into `{found}`"
                    )
                if watched.num_open:
                    raise LawError("a session is finished when its text is; `finish` was not called")


def _decode(strategy: Any, prompt: Sequence[int], vocab_size: int, max_tokens: int, temperature: float) -> list[int]:
    sequence = Text(
        list(prompt),
        {"target": HashContext(vocab_size)},
        sampling=Sampling(temperature=temperature),
        seed=1,
        max_tokens=max_tokens,
        stop_token_ids={STOP},
    )
    engine = Engine()
    job = engine.submit(Job(sequence, strategy, _finish))
    engine.drive(lambda: job.done)
    job.future.result()
    return sequence.token_ids


def _finish(sequence: Text, error: BaseException | None) -> None:
    if error is not None:
        raise error


class _Watched:
    """A drafter whose sessions are counted and whose proposals are measured."""

    def __init__(self, drafter: Any) -> None:
        self.drafter, self.num_open = drafter, 0

    def start(self, prompt_ids: Sequence[int], *, noise: Any = None) -> Any:
        self.num_open += 1
        return _WatchedSession(self, self.drafter.start(prompt_ids, noise=noise))


class _WatchedSession:
    def __init__(self, watched: _Watched, session: Any) -> None:
        self._watched, self._session = watched, session

    def propose(self, budget: int) -> Any:
        tree = self._session.propose(budget)
        num_drafts = len(tree_lists(tree)[0]) - 1
        if num_drafts > budget:
            raise LawError(f"a drafter keeps to its budget; it proposed `{num_drafts}` tokens for `{budget}`")
        return tree

    def extend(self, token_ids: Sequence[int]) -> None:
        self._session.extend(token_ids)

    def finish(self) -> None:
        self._watched.num_open -= 1
        self._session.finish()
