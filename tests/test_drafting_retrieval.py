"""RetrievalIndex through its Python door: against the scanning twin, and what the API promises."""

from __future__ import annotations

import math
import pickle
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock import _core as core
from penstock.errors import LimitError, PenstockError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from reference.retrieval import Retrieval, best_prefix

texts = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=40), min_size=1, max_size=4)


def request_over(all_texts, **options):
    index = core.RetrievalIndex(**options)
    for text in all_texts[1:]:
        index.insert(text)
    return index.start(all_texts[0])


def reach(tree):
    """Probability of reaching each node."""
    reached = [1.0]
    for parent, logprob in list(zip(tree.parents, tree.logprobs, strict=True))[1:]:
        reached.append(reached[parent] * math.exp(logprob))
    return reached


@settings(max_examples=150, deadline=None)
@given(texts, st.integers(0, 40))
def test_trees_are_those_of_the_twin(all_texts, budget):
    tree = request_over(all_texts).propose(budget)
    token_ids, parents = Retrieval(all_texts).propose(budget)
    if (token_ids, parents) != tree.tolist():  # rounding may swap nodes of one probability
        twin = sorted(twin_reach(all_texts, token_ids, parents))
        assert twin == pytest.approx(sorted(reach(tree)), rel=1e-4)


def twin_reach(all_texts, token_ids, parents):
    twin = Retrieval(all_texts)
    reached, behind = [1.0], [twin.places()]
    for token, parent in list(zip(token_ids, parents, strict=True))[1:]:
        probabilities, left = twin.blend(behind[parent])
        share = dict(twin.frequent).get(token, 0.0) * left * twin.frequent_share
        reached.append(reached[parent] * probabilities.get(token, share))
        behind.append(twin._follow(behind[parent], token) if token in probabilities else twin._after(token))
    return reached


@settings(max_examples=100, deadline=None)
@given(texts, st.sampled_from([0.003, 0.02, 0.1, 0.3]))
def test_a_width_cost_keeps_the_prefix_that_pays_best(all_texts, width_cost):
    everything = request_over(all_texts).propose(64)
    chosen = request_over(all_texts).propose(64, width_cost=width_cost)
    assert chosen.tolist()[0] == everything.tolist()[0][: chosen.num_nodes]
    best = best_prefix(reach(everything)[1:], width_cost)
    value = lambda width: (1 + sum(reach(everything)[1 : width + 1])) / (1 + width_cost * width)  # noqa: E731
    assert value(chosen.num_nodes - 1) == pytest.approx(value(best), rel=1e-4)


def test_tokens_are_searchable_in_the_step_they_are_written():
    request = core.RetrievalIndex().start([5, 6, 7])
    request.extend([8, 9, 6, 7])
    tree = request.propose(2)
    assert tree.tolist() == ([7, 8, 9], [-1, 0, 1])
    assert tree.sources == [0, 1, 1]


def test_outputs_are_shared_and_prompts_are_not():
    index = core.RetrievalIndex()
    with index.start([1, 2, 3]) as request:
        request.extend([10, 11, 12])
    assert (index.num_outputs, index.num_tokens) == (1, 3)
    assert {11, 12} <= set(index.start([10]).propose(8).token_ids)
    assert not {1, 3} & set(index.start([2]).propose(8).token_ids)
    assert not {11, 12} & set(index.start([10], namespace="another").propose(8).token_ids)
    assert index.remove(request.id)
    assert not index.remove(request.id)
    assert not {11, 12} & set(index.start([10]).propose(8).token_ids)
    with index.start([1], share=False) as private:
        private.extend([2, 3])
    assert index.num_outputs == 0


def test_memory_is_bounded():
    index = core.RetrievalIndex(max_size_bytes=200_000)
    for seed in range(100):
        with index.start([]) as request:
            request.extend(np.random.default_rng(seed).integers(0, 5000, 100).tolist())
        assert index.size_bytes <= 200_000
    assert 0 < index.num_outputs < 100


def test_snapshots():
    index = core.RetrievalIndex()
    index.insert([1, 2, 3, 1, 2], namespace="chat")
    data = index.to_bytes(fingerprint=5)
    again = core.RetrievalIndex()
    assert again.restore(data, fingerprint=5) == 1
    assert again.start([1], namespace="chat").propose(6) == index.start([1], namespace="chat").propose(6)
    for bad, fingerprint in [(data, 6), (data[:-1], 5), (data + b"x", 5), (b"", 5), (pickle.dumps([1]), 5)]:
        with pytest.raises(PenstockError) as refusal:
            again.restore(bad, fingerprint=fingerprint)
        assert refusal.value.code == "snapshot_refused"
    assert again.num_outputs == 1


def test_refusals():
    index = core.RetrievalIndex()
    request = index.start([1, 2])
    for call in (
        lambda: request.extend([3, -1]),
        lambda: request.propose(4, width_cost=-1.0),
        lambda: request.propose(4, width_cost=math.nan),
        lambda: index.start([]).propose(4),
        lambda: core.RetrievalIndex(strength=-1.0),
        lambda: core.RetrievalIndex(max_places=0),
    ):
        with pytest.raises(ValueError, match=r"`|token"):
            call()
    assert request.num_tokens == 2
    with pytest.raises(LimitError) as limit:
        request.propose(100_000)
    assert limit.value.code == "draft_budget"
    request.finish()
    request.finish()
    with pytest.raises(RuntimeError, match="start a new one"):
        request.extend([1])
    with pytest.raises(RuntimeError, match="start a new one"):
        request.propose(1)


def test_noise_is_the_samplers():
    from penstock.decoding.sampling import GumbelNoise

    noise, index = GumbelNoise(seed=11, sample=2), core.RetrievalIndex(frequent_share=0.0)
    for filler in range(30):
        request = index.start([20], share=False)
        request.extend([20] * filler + [1, 7, 1, 8, 1, 9, 1])
        favoured = max([7, 8, 9], key=lambda token: float(noise.at(filler + 7, [token])[0]))
        assert request.propose(1, noise=noise).token_ids[1] == favoured


def test_many_threads_share_an_index():
    index, failures = core.RetrievalIndex(max_size_bytes=500_000), []

    def work(seed: int) -> None:
        try:
            random = np.random.default_rng(seed)
            for _ in range(30):
                with index.start(random.integers(0, 40, 60).tolist()) as request:
                    for _ in range(10):
                        request.extend(request.propose(8, width_cost=0.01).token_ids[1:3] or [1])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert index.num_outputs == 120


def test_drafters_follow_the_protocol():
    from penstock.decoding.drafter import Drafter, DraftSession
    from penstock.drafting import RetrievalDrafter, TrieDrafter

    noise = SimpleNamespace(seed=1, sample=0)
    for drafter in (
        RetrievalDrafter(),
        RetrievalDrafter(width_cost=0.01, use_noise=True, namespace="a"),
        TrieDrafter(),
    ):
        assert isinstance(drafter, Drafter)
        session = drafter.start([4, 5, 6, 4, 5], noise=noise)
        assert isinstance(session, DraftSession)
        assert session.propose(3).token_ids[:2] == [5, 6]
        session.extend([6, 4])
        assert session.propose(3).token_ids[:2] == [4, 5]
        session.finish()


def test_every_public_drafter_is_found():
    from penstock import drafting

    for name in drafting.__all__:
        assert getattr(drafting, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = drafting.NoDrafter


def test_the_grammar_drafter_proposes_nothing_of_its_own():
    from penstock.drafting import GrammarDrafter

    session = GrammarDrafter().start([4, 5])
    assert session.propose(8).tolist() == ([5], [-1])
    session.extend([6, 7])
    assert session.propose(8).tolist() == ([7], [-1])
    with pytest.raises(ValueError, match="no token to continue"):
        GrammarDrafter().start([]).propose(1)


@pytest.mark.parametrize(("costs", "most"), [((0.09, 0.12), 7), ((0.025, 0.17), 6), ((0.005, 0.05), 4)])
def test_one_short_text_in_the_store_is_worth_drafts(costs, most) -> None:
    """A match of one token in a single earlier text is a weak hint; those that follow it make it certain."""
    index, text = core.RetrievalIndex(), list(range(100, 112))
    index.insert(text)
    request, written, num_forwards = index.start([1, 2, 3]), 0, 0
    while written < len(text):
        tree = request.propose(16, width_cost=costs[0], setup_cost=costs[1])
        children = {(parent, token): node for node, (token, parent) in enumerate(zip(*tree.tolist(), strict=True)) if node}
        node, begin = 0, written
        while node is not None and written < len(text):
            node = children.get((node, text[written]))
            written += 1
        request.extend(text[begin:written])
        num_forwards += 1
    assert num_forwards <= most
