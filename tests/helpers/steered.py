"""Oracle models and rewards of tokens for the laws of reward-guided decoding; nothing is trained, everything is exact."""

from __future__ import annotations

from collections.abc import Sequence as Ids

import numpy as np
from helpers.oracle import OracleContext, ToyMatcher
from penstock.decoding.engine import Engine, Job
from penstock.decoding.sequence import Sequence
from penstock.sampling import Sampling

from reference.cdsl import World

STOP = 1
SIZE = 24
PROMPTS = [[5, 6, 7], [9], [3, 3, 3, 3, 3], [2, 4], [8, 2], [11, 12, 13, 14]]


class DraftContext(OracleContext):
    """The target's logits, a little moved: it agrees with the target often, not always."""

    def __init__(self, vocab_size: int = SIZE, moved: float = 2.0, **options) -> None:
        super().__init__(vocab_size, **options)
        self.moved = moved

    def logits_of(self, prefix):
        own = np.random.default_rng([7, len(prefix), *prefix]).standard_normal(self.vocab_size)
        return (super().logits_of(prefix) + self.moved * own).astype(np.float32)


class Wanted:
    """The share of wanted tokens that the output holds; settled when all are there."""

    range = (0.0, 1.0)
    name = "Wanted"

    def __init__(self, wanted: Ids[int] = (4, 9, 10, 16, 20)) -> None:
        self.wanted = frozenset(wanted)

    def start(self, prompt):
        return frozenset()

    def advance(self, state, token_ids):
        return state | (self.wanted & set(token_ids))

    def score(self, states, rollouts, ended):
        return [len(self.advance(s, r)) / len(self.wanted) for s, r in zip(states, rollouts, strict=True)]

    def settled(self, state):
        return state == self.wanted


class Smooth:
    """A reward that never settles: a hash of all tokens, so that every text has its own score."""

    range = (0.0, 1.0)
    name = "Smooth"

    def start(self, prompt):
        return tuple(prompt.token_ids)

    def advance(self, state, token_ids):
        return (*state, *token_ids)

    def score(self, states, rollouts, ended):
        keys = [(*state, *rollout, int(end)) for state, rollout, end in zip(states, rollouts, ended, strict=True)]
        return [float(np.random.default_rng([1, len(key), *key]).random()) for key in keys]

    def settled(self, state):
        return False


class DraftModel:
    """What strategies ask of a draft model outside a Generator."""

    def __init__(self, max_positions=None) -> None:
        self.max_positions = max_positions


DRAFT = DraftModel()


def even(prefix):
    """A grammar: even tokens, at least three of them; then the end is allowed, and after fourteen demanded."""
    if len(prefix) >= 14:
        return {STOP}
    return {*range(2, SIZE, 2)} | ({STOP} if len(prefix) >= 3 else set())


def run(strategy, prompt, *, target=None, draft=None, max_tokens=20, temperature=0.0, seed=0, grammar=None, **sampling):
    """Decode one prompt; returns (sequence, target context, draft context)."""
    target = OracleContext(SIZE) if target is None else target
    draft = DraftContext() if draft is None else draft
    sequence = Sequence(
        prompt,
        {"target": target, "draft": draft},
        sampling=Sampling(temperature=temperature, **sampling),
        seed=seed,
        max_tokens=max_tokens,
        stop_token_ids={STOP},
        matcher=None if grammar is None else ToyMatcher(grammar, {STOP}),
    )
    engine = Engine()
    job = engine.submit(Job(sequence, strategy, _finish))
    engine.drive(lambda: job.done)
    job.future.result()
    return sequence, target, draft


def _finish(sequence, error):
    if error is not None:
        raise error
    return sequence


def text_of(sequence) -> list[int]:
    """The tokens, the stop token included, as the twins write them."""
    return sequence.token_ids + ([sequence.stop_token_id] if sequence.stop_token_id is not None else [])


def world_of(prompt, reward, *, target=None, draft=None, max_tokens=20, grammar=None) -> World:
    """The same run for the slow twin."""
    target = OracleContext(SIZE) if target is None else target
    draft = DraftContext() if draft is None else draft

    def state(tokens):
        from penstock.rewards import RewardPrompt

        return reward.advance(reward.start(RewardPrompt(tuple(prompt))), tokens)

    return World(
        prompt=prompt,
        target=lambda prefix: target.logits_of(tuple(prefix)).astype(np.float64),
        draft=lambda prefix: draft.logits_of(tuple(prefix)).astype(np.float64),
        reward=lambda tokens, ended: reward.score([state(tokens)], [[]], [ended])[0],
        settled=lambda tokens: STOP not in tokens and reward.settled(state(tokens)),
        top=reward.range[1],
        stop=STOP,
        max_tokens=max_tokens,
        allowed=None if grammar is None else lambda tokens: grammar(tuple(tokens)),
    )
