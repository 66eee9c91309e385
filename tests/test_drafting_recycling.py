"""Drafts from recycled logits, the automatic width in Python, and the grammar's share of it: the text never depends on them."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from helpers.oracle_model import OracleModel
from hypothesis import given
from hypothesis import strategies as st
from penstock import Generator, JsonSchema, Sampling, models
from penstock.decoding import Lookahead
from penstock.decoding.width import Width
from penstock.drafting import Fallback, GrammarDrafter, RecyclingDrafter, RetrievalDrafter
from penstock.testing import check_drafter


@given(
    st.lists(st.floats(0, 1), max_size=8),
    st.integers(0, 8),
    st.floats(0, 2),
    st.lists(st.tuples(st.floats(0, 8), st.integers(0, 8)), max_size=9),
)
def test_the_width_is_the_prefix_that_pays_best(beliefs, num_sure, cost, steps) -> None:
    width = Width(cost)
    for predicted, accepted in steps:
        width.observe(predicted, accepted)
    beliefs = sorted(beliefs, reverse=True)
    ratio = width.accept_ratio
    assert 0.2 <= ratio <= 5

    def share(size: int) -> float:
        sure = min(num_sure, size)
        return (1 + sure + ratio * sum(beliefs[sure:size])) / (1 + cost * size)

    size = width.cut(beliefs, num_sure)
    assert share(size) >= max(map(share, range(len(beliefs) + 1))) - 1e-9


def test_ratios_follow_what_is_accepted() -> None:
    width = Width(0.5)
    assert width.cut([0.6]) == 1
    for _ in range(60):
        width.observe(0.6, 0)
    assert width.cut([0.6]) == 0
    for _ in range(200):
        width.observe(0.3, 1)
    assert width.cut([0.3]) == 1
    with pytest.raises(ValueError, match="width_cost"):
        Width(-1)


def test_what_the_model_liked_behind_a_token_is_drafted_behind_it() -> None:
    drafter = RecyclingDrafter()
    session = drafter.start([5])
    assert len(session.propose(4).token_ids) == 1
    logits = np.zeros((2, 40), dtype=np.float32)
    logits[0, [7, 9, 3]] = 5, 4, 3
    logits[1, [8, 2]] = 5, 4
    session.observe([5, 7], logits)
    for _ in range(30):
        session.extend([7, 8, 5])  # the first choice is right, again and again
    token_ids, parents = session.propose(3).tolist()
    assert token_ids[:3] == [5, 7, 8]
    assert parents[:3] == [-1, 0, 1]
    other = drafter.start([7])
    assert other.propose(1).tolist()[0] == [7, 8], "texts learn from each other"
    assert len(RecyclingDrafter(share=False).start([7]).propose(1).token_ids) == 1


def test_a_width_cost_drafts_only_what_pays() -> None:
    logits = np.zeros((1, 40), dtype=np.float32)
    logits[0, 7] = 9
    session = RecyclingDrafter(width_cost=0.6).start([5])
    session.observe([5], logits)
    assert len(session.propose(16).token_ids) == 1, "a first choice that was never right is not worth 0.6 of a forward"
    for _ in range(100):
        session.extend([7, 5])
    assert session.propose(16).tolist()[0] == [5, 7]


@pytest.mark.parametrize("width_cost", [None, 0.02, 0.5])
def test_the_laws_of_drafters_hold(width_cost) -> None:
    check_drafter(RecyclingDrafter(width_cost=width_cost))
    check_drafter(Fallback(RetrievalDrafter(width_cost=width_cost), RecyclingDrafter(width_cost=width_cost)))
    check_drafter(Fallback(GrammarDrafter(), RecyclingDrafter(width_cost=width_cost)))


def test_recycling_saves_forwards_where_nothing_repeats() -> None:
    """One text after the other over one model: the second finds what the model liked in the first."""
    model = OracleModel()
    generate = Generator(model, strategy=Lookahead(RecyclingDrafter(), budget=32))
    plain = Generator(model, drafter=None)
    for seed in range(4):
        sampling = Sampling(seed=seed, logit_bias={1: -1e9})
        with_drafts = generate.run("ab", max_tokens=40, sampling=sampling)
        assert with_drafts.text == plain.run("ab", max_tokens=40, sampling=sampling).text
    assert with_drafts.stats.num_forwards < 41


SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "kind": {"enum": ["northern", "northwest", "southern"]},
        "n": {"type": "integer"},
    },
    "required": ["city", "kind", "n"],
    "additionalProperties": False,
}
PROMPTS = [
    f"Text: The {thing} number {n} lies in the northwest, in {city}.\nFields: city, kind, n\nJSON:"
    for thing, n, city in (("mill", 12, "Bralou Town"), ("tower", 731, "Oslo"))
]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_under_a_grammar_the_width_is_cut_behind_the_pruning(temperature) -> None:
    """Every drafter and width writes the plain text; forced text is drafted whatever a node costs."""
    pytest.importorskip("tokenizers")
    model = models.tiny()
    sampling = Sampling(temperature=temperature, seed=4)
    plain = Generator(model, JsonSchema(SCHEMA), drafter=None).batch(PROMPTS, results=True, sampling=sampling)
    for cost, forced in itertools.product((0.0, 0.03, 0.5, 50.0), (True, False)):
        drafter = Fallback(RetrievalDrafter(width_cost=cost), RecyclingDrafter(width_cost=cost))
        generate = Generator(model, JsonSchema(SCHEMA), strategy=Lookahead(drafter, forced=forced))
        for prompt, expected in zip(PROMPTS, plain, strict=True):
            result = generate.run(prompt, sampling=sampling)
            assert result.token_ids == expected.token_ids
            json.loads(result.text)
            if cost <= 0.5 and forced:
                assert result.stats.num_forwards < expected.stats.num_forwards
            if cost == 50.0 and not forced:
                assert result.stats.num_forwards == expected.stats.num_forwards


def test_drafting_at_all_has_a_price() -> None:
    assert Width(0.0, 0.5).cut([0.4]) == 0
    assert Width(0.0, 0.5).cut([0.6]) == 1
    assert Width(0.0, 0.5).cut([0.3, 0.3]) == 2, "two nodes may earn together what one does not"
    with pytest.raises(ValueError, match="setup_cost"):
        Width(0.1, float("nan"))


def test_what_was_learned_is_forgotten_while_nothing_is_drafted() -> None:
    width = Width(0.1, 0.2)
    for _ in range(200):
        width.observe(1.0, 0)
    assert width.accept_ratio < 0.3
    for _ in range(400):
        width.observe(0.0, 0)
    assert width.accept_ratio > 0.9


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 2), st.floats(0, 1))
def test_below_the_floor_nothing_pays(beliefs, cost, setup) -> None:
    width, beliefs = Width(cost, setup), sorted(beliefs, reverse=True)
    kept = [belief for belief in beliefs if belief >= width.floor]
    assert width.cut(beliefs) == width.cut(kept)


def test_the_cost_of_widths_is_measured() -> None:
    from penstock.models import measure_width_cost
    from penstock.models.width_cost import WIDTHS, cost_of_widths, fitted

    model = OracleModel()
    costs = cost_of_widths(model, 8, 3)
    assert set(costs) == set(WIDTHS)
    assert costs[0] == 1.0
    assert fitted({0: 1.0, 1: 1.3, 2: 1.4, 4: 1.6}) == (pytest.approx(0.1), pytest.approx(0.2))
    assert min(measure_width_cost(model, context_length=4, rounds=1)) >= 0.0
    with pytest.raises(ValueError, match="rounds"):
        measure_width_cost(model, rounds=0)
