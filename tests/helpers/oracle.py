"""Models and matchers for laws that need no network and no grammar: everything is a hash of the prefix."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from penstock.decoding.context import check_growth


class OracleContext:
    """Logits are a hash of the true path; sharp enough that texts differ, flat enough that sampling branches."""

    def __init__(self, vocab_size: int = 50, scale: float = 3.0, fail_on: tuple[int, ...] = (), noise: float = 0.0) -> None:
        self.vocab_size, self.scale, self.fail_on, self.noise = vocab_size, scale, fail_on, noise
        self.num_forwards = self.num_positions = 0
        self.committed: dict[int, list[int]] = {}
        self.open: dict[int, list[tuple[int, ...]]] = {}
        self.batch_sizes: list[int] = []

    def logits_of(self, prefix: tuple[int, ...]) -> np.ndarray:
        rng = np.random.default_rng([len(prefix), *prefix])
        logits = rng.standard_normal(self.vocab_size) * self.scale
        return (logits + self.noise * rng.standard_normal(self.vocab_size)).astype(np.float32)

    def extend(self, growths):
        for row, growth in growths.items():
            check_growth(growth, len(self.open.get(row, [])), self.vocab_size)
            if set(growth.token_ids) & set(self.fail_on):
                raise RuntimeError("this token breaks the model")
        answers = {}
        for row, growth in growths.items():
            nodes = self.open.setdefault(row, [])
            first = len(nodes)
            for token, parent in zip(growth.token_ids, growth.parents, strict=True):
                nodes.append((*(nodes[parent] if parent >= 0 else ()), token))
            wanted = nodes[first:] if growth.num_logits is None else nodes[len(nodes) - growth.num_logits :]
            prefix = tuple(self.committed.setdefault(row, []))
            answers[row] = np.stack([self.logits_of(prefix + path) for path in wanted]) if wanted else None
            self.num_positions += len(growth.token_ids)
        self.num_forwards += 1
        self.batch_sizes.append(len(growths))
        return answers

    def commit(self, row, path):
        nodes = self.open.pop(row, [])
        path = list(path)
        if path:
            assert len(nodes[path[-1]]) == len(path), "the path starts at the committed prefix"
            self.committed[row].extend(nodes[path[-1]])
        self.open[row] = []

    def release(self, row):
        self.committed.pop(row, None)
        self.open.pop(row, None)


class ToyMatcher:
    """A grammar given as a function from the output's tokens to the allowed ids; stop ids end it where it allows them."""

    def __init__(self, allowed: Callable[[tuple[int, ...]], set[int]], stop_ids: set[int]) -> None:
        self.allowed, self.stop_ids = allowed, stop_ids
        self.taken: list[int] = []

    def fill_next_token_bitmask(self, bitmask, row=0) -> bool:
        bitmask[row] = 0
        words = bitmask[row].view(np.uint32)
        for token in self.allowed(tuple(self.taken)) if not self.is_terminated() else ():
            words[token // 32] |= np.uint32(1 << token % 32)
        return True

    def accept_token(self, token_id: int) -> bool:
        if self.is_terminated() or token_id not in self.allowed(tuple(self.taken)):
            return False
        self.taken.append(token_id)
        return True

    def fork(self) -> ToyMatcher:
        other = ToyMatcher(self.allowed, self.stop_ids)
        other.taken = list(self.taken)
        return other

    def is_accepting(self) -> bool:
        return not self.is_terminated() and bool(self.allowed(tuple(self.taken)) & self.stop_ids)

    def is_terminated(self) -> bool:
        return bool(self.taken) and self.taken[-1] in self.stop_ids


class PlainTree:
    def __init__(self, token_ids, parents) -> None:
        self.token_ids, self.parents = token_ids, parents


class Drafts:
    """A drafter from a function (prefix, budget, random) -> (token_ids, parents) of the nodes behind node 0."""

    def __init__(self, propose, seed: int = 0) -> None:
        self.function, self.seed = propose, seed
        self.sessions: list[_Session] = []

    def start(self, prompt_ids, *, noise=None):
        self.sessions.append(_Session(self, list(prompt_ids)))
        return self.sessions[-1]


class _Session:
    def __init__(self, drafter: Drafts, prefix: list[int]) -> None:
        self.drafter, self.prefix, self.finished = drafter, prefix, False
        self.random = random.Random(drafter.seed)

    def propose(self, budget: int) -> PlainTree:
        token_ids, parents = self.drafter.function(self.prefix, budget, self.random)
        return PlainTree([self.prefix[-1], *token_ids], [-1, *parents])

    def extend(self, token_ids) -> None:
        assert not self.finished
        self.prefix.extend(token_ids)

    def finish(self) -> None:
        self.finished = True


def prompt_lookup(prefix, budget, _random):
    """Draft what followed the newest earlier place of the last token."""
    for place in range(len(prefix) - 2, -1, -1):
        if prefix[place] == prefix[-1]:
            tokens = prefix[place + 1 : place + 1 + budget]
            return tokens, list(range(len(tokens)))
    return [], []
