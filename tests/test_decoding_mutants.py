"""Mutants of the decoding side that the laws must catch: each breaks one thing, and the check that passes without it fails.

A law that no mutant breaks proves nothing. The mistakes are those that were made elsewhere: a wrong root, a mask off by one,
a cache that is not compacted, positions by order instead of depth, penalties and noise at a wrong prefix.
"""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from helpers.oracle import Drafts, OracleContext
from penstock.decoding import lookahead as lookahead_module
from penstock.decoding import sequence as sequence_module
from penstock.decoding.context import Growth, chain
from penstock.decoding.engine import Engine, Job
from penstock.decoding.lookahead import Lookahead
from penstock.decoding.sampling import SamplingState, process
from penstock.decoding.sequence import Sequence
from penstock.decoding.strategies.plain import plain
from penstock.models import llama_numpy
from penstock.models.llama_numpy import LlamaNumpy
from penstock.sampling import Sampling
from test_llama_numpy import CONFIG, path_to, random_tensors

# The loop, over an oracle whose logits are a hash of the true path.

STOP, PROMPTS = 1, ([5, 6, 7], [9], [3, 3, 3], [2, 4])
HOT = {"temperature": 1.0, "repetition_penalty": 1.5, "no_repeat_ngram_size": 2}


def written(strategy, context, prompt, seed):
    sequence = Sequence(prompt, {"target": context}, sampling=Sampling(**HOT), seed=seed, max_tokens=40, stop_token_ids={STOP})
    engine = Engine()
    job = engine.submit(Job(sequence, strategy, lambda sequence, error: error))
    engine.drive(lambda: job.done)
    return sequence.token_ids, repr(job.future.result())


def nearly_right(texts):
    """Right continuations behind a wrong sibling: long paths of nodes that are not the first of the tree."""

    def propose(prefix, budget, _random):
        full = next((text for text in texts if text[: len(prefix)] == prefix), prefix)
        right = full[len(prefix) : len(prefix) + budget - 1]
        wrong = 49 if right[:1] != [49] else 48
        return ([wrong, *right], [0, 0, *range(2, len(right) + 1)]) if right else ([], [])

    return Drafts(propose)


def loop_law_holds(context=OracleContext) -> bool:
    """Whether drafts leave every text as it is. The plain texts come from a loop without the mutant: it sits where only drafted
    steps pass."""
    expected = [written(plain, OracleContext(scale=4.0), prompt, seed) for seed, prompt in enumerate(PROMPTS)]
    drafter = nearly_right([prompt + tokens for prompt, (tokens, _) in zip(PROMPTS, expected, strict=True)])
    found = [written(Lookahead(drafter, budget=7), context(scale=4.0), prompt, seed) for seed, prompt in enumerate(PROMPTS)]
    return found == expected


def test_the_loop_law_holds_without_a_mutant() -> None:
    assert loop_law_holds()


def test_a_wrong_root_is_caught(monkeypatch) -> None:
    """The token before the last one is fed in its place, as where id 0 counts as none."""

    def wrong_root(token_ids, parents, num_logits=None):
        return Growth([(token_ids[0] + 1) % 50, *token_ids[1:]], parents, num_logits)

    monkeypatch.setattr(lookahead_module, "Growth", wrong_root)
    assert not loop_law_holds()


def test_a_cache_that_is_not_compacted_is_caught() -> None:
    class Lazy(OracleContext):
        def commit(self, row, path):
            """Keep as many nodes as the path has, the first ones."""
            nodes, path = self.open.pop(row, []), list(path)
            self.committed[row].extend(nodes[node][-1] for node in range(len(path)))
            self.open[row] = []

    assert not loop_law_holds(Lazy)


@pytest.mark.parametrize("stale", ["penalties", "noise", "row"])
def test_a_choice_at_a_wrong_prefix_is_caught(monkeypatch, stale) -> None:
    """Inside a drafted path, penalties or noise are those of the step's beginning, or the logits those of the node before."""
    choose, at_node, rows = sequence_module.choose, Sequence.choose, []

    def mutant(sequence, logits, node=None):
        rows[:] = [logits] if not node else [*rows, logits]
        ahead = len(rows) - 1

        def stale_choice(logits, bitmask, state):
            bare = dataclasses.replace(state.sampling, repetition_penalty=1.0, presence_penalty=0.0, no_repeat_ngram_size=0)
            now = len(state.output_ids)
            seen = now - ahead if stale == "penalties" else now
            prefix = SamplingState(state.sampling, state.noise, state.prompt_ids, state.output_ids[:seen], state.processor)
            written = state.output_ids[: now - 1] if ahead and stale == "noise" else state.output_ids
            row = process(rows[-2] if ahead and stale == "row" else logits, prefix)
            return choose(row, bitmask, SamplingState(bare, state.noise, state.prompt_ids, written, None))

        monkeypatch.setattr(sequence_module, "choose", stale_choice)
        return at_node(sequence, logits, node)

    assert loop_law_holds()
    monkeypatch.setattr(Sequence, "choose", mutant)
    assert not loop_law_holds()


# The numpy context: trees are their paths one by one, and what is kept is what was read.


def numpy_law_holds() -> bool:
    model, rng = LlamaNumpy(CONFIG, random_tensors()), np.random.default_rng(3)
    text = rng.integers(0, 61, 9).tolist()
    model.extend({0: chain(text)})
    model.commit(0, range(9))
    worst = 0.0
    for _ in range(3):
        tokens, parents = rng.integers(0, 61, 10).tolist(), [int(rng.integers(-1, node)) for node in range(10)]
        logits = model.extend({0: Growth(tokens, parents)})[0]
        for node in range(10):
            path = [tokens[n] for n in path_to(node, parents)]
            alone = LlamaNumpy(CONFIG, random_tensors())
            for token in text + path:  # one by one: no tree, no mask, nothing to compact
                one = alone.extend({0: chain([token])})[0]
                alone.commit(0, [0])
            worst = max(worst, float(np.abs(one[-1] - logits[node]).max()))
        kept = path_to(9, parents)
        model.commit(0, kept)
        text += [tokens[node] for node in kept]
    return worst < 1e-4


def test_the_numpy_law_holds_without_a_mutant() -> None:
    assert numpy_law_holds()


@pytest.mark.parametrize("mutant", ["mask", "blind", "compaction", "positions"])
def test_mutants_of_the_numpy_context_are_caught(monkeypatch, mutant) -> None:
    if mutant == "mask":
        right = llama_numpy._ancestors

        def off_by_one(sees, parents, first):
            """Each node sees its neighbour too."""
            found = right(sees, parents, first)
            found[1:, :-1] |= np.eye(len(found) - 1, dtype=np.bool_)
            return found

        monkeypatch.setattr(llama_numpy, "_ancestors", off_by_one)
    elif mutant == "blind":
        monkeypatch.setattr(llama_numpy, "_ancestors", lambda sees, parents, first: np.ones((len(parents),) * 2, np.bool_))
    elif mutant == "compaction":

        def lazy(self, row, path):
            state = self._rows[row]
            state.length += len(list(path))
            state.parents, state.depths, state.sees = [], [], np.zeros((0, 0), np.bool_)

        monkeypatch.setattr(LlamaNumpy, "commit", lazy)
    else:
        planned = LlamaNumpy._planned

        def by_order(self, row, growth, low):
            work, (parents, depths, sees) = planned(self, row, growth, low)
            return work, (parents, list(range(len(depths))), sees)

        monkeypatch.setattr(LlamaNumpy, "_planned", by_order)
    assert not numpy_law_holds()


# The transformers context, the same law.


def transformers_law_holds() -> bool:
    from helpers.networks import Twin, build, random_growth

    rng, twin = random.Random(7), Twin(build("mistral-window"))
    for row, size in enumerate((7, 19)):
        prompt = [rng.randrange(61) for _ in range(size)]
        twin.extend({row: chain(prompt, num_logits=1)})
        twin.commit(row, size - 1, list(range(-1, size - 1)))
    for _ in range(4):
        growths = {row: random_growth(rng, 0, 8) for row in (0, 1)}
        twin.extend(growths)
        for row, growth in growths.items():
            twin.commit(row, 7, list(growth.parents))
    return twin.worst < 2e-6


def test_the_transformers_law_holds_without_a_mutant() -> None:
    pytest.importorskip("torch")
    assert transformers_law_holds()


@pytest.mark.parametrize("mutant", ["mask", "chain", "compaction", "positions"])
def test_mutants_of_the_transformers_context_are_caught(monkeypatch, mutant) -> None:
    pytest.importorskip("torch")
    from penstock.models import transformers_cache, transformers_context

    blocks = transformers_context._tree_blocks
    if mutant == "mask":

        def off_by_one(works, width):
            trees, positions = blocks(works, width)
            trees[:, :, 1:] |= trees[:, :, :-1]
            return trees, positions

        monkeypatch.setattr(transformers_context, "_tree_blocks", off_by_one)
    elif mutant == "chain":

        def in_order(works, width):
            """The tree as if it were one path."""
            trees, positions = blocks(works, width)
            first = max(work.first for work in works)
            return trees | (np.arange(trees.shape[2]) <= np.arange(width)[:, None] + first), positions

        monkeypatch.setattr(transformers_context, "_tree_blocks", in_order)
    elif mutant == "compaction":
        monkeypatch.setattr(transformers_cache.RowsCache, "keep", lambda self, slot, length, path: None)
    else:
        by_order = property(lambda self: np.arange(self.first + len(self), dtype=np.int64) + self.state.length)
        monkeypatch.setattr(transformers_context._Work, "positions", by_order)
    assert not transformers_law_holds()
