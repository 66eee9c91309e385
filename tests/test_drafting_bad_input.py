"""What goes wrong around drafts: a clear error, or a text without drafts and one line in the log; never another text."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from helpers.oracle import Drafts
from helpers.oracle_model import OracleModel
from penstock import Generator, PenstockError, RetrievalIndex, Sampling, TokenizerInfo
from penstock.decoding import Lookahead
from penstock.decoding.draft_model import ModelDrafter
from penstock.decoding.drafter import tell
from penstock.drafting import RetrievalDrafter
from penstock.errors import GenerationError
from penstock.models.model import Model

STOP = 1


@pytest.fixture(autouse=True)
def nothing_told():
    tell.cache_clear()


@pytest.mark.parametrize("foreign", [50, 131_000, 2**31 - 1, -1])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_ids_that_the_model_does_not_have_are_not_drafted_and_told_once(foreign, temperature, caplog) -> None:
    model, sampling = OracleModel(), Sampling(temperature=temperature, seed=3, logit_bias={STOP: -1e9})
    expected = Generator(model, drafter=None).run("ab", max_tokens=20, sampling=sampling)
    drafter = Drafts(lambda prefix, budget, random: ([5, foreign][:budget], [0, 1][:budget]))
    with caplog.at_level(logging.WARNING, logger="penstock"):
        found = Generator(model, strategy=Lookahead(drafter)).run("ab", max_tokens=20, sampling=sampling)
        Generator(model, strategy=Lookahead(drafter)).run("ba", max_tokens=20, sampling=sampling)
    assert found.token_ids == expected.token_ids
    assert found.stats.num_draft_tokens <= 1  # a step with a budget of one node asks for the good one alone
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "vocabulary of `50`" in caplog.text


def test_a_store_of_another_vocabulary_slows_nothing_down_but_its_drafts() -> None:
    """A store filled without a fingerprint, from a model with more tokens."""
    model, index = OracleModel(), RetrievalIndex()
    plain = Generator(model, drafter=None)
    sampling = Sampling(seed=1, logit_bias={STOP: -1e9})
    expected = plain.run("ab", max_tokens=20, sampling=sampling)
    for first in range(2, 50):
        index.insert([first, 70_000, 70_001, first])
    found = Generator(model, strategy=Lookahead(RetrievalDrafter(index))).run("ab", max_tokens=20, sampling=sampling)
    assert found.token_ids == expected.token_ids


def test_a_store_file_belongs_to_its_vocabulary(tmp_path) -> None:
    ours = TokenizerInfo([b"a", b"b", b"</s>"], stop_token_ids=[2])
    theirs = TokenizerInfo([b"b", b"a", b"</s>"], stop_token_ids=[2])
    drafter = RetrievalDrafter()
    drafter.index.insert([0, 1, 0, 1])
    drafter.save(tmp_path / "store", ours)
    again = RetrievalDrafter()
    with pytest.raises(PenstockError, match="another vocabulary") as refusal:
        again.restore(tmp_path / "store", theirs)
    assert refusal.value.code == "snapshot_refused"
    assert again.index.num_outputs == 0
    assert again.restore(tmp_path / "store", ours) == 1
    (tmp_path / "store").write_bytes((tmp_path / "store").read_bytes()[:-3])
    with pytest.raises(PenstockError) as refusal:
        again.restore(tmp_path / "store", ours)
    assert refusal.value.code == "snapshot_refused"
    assert again.index.num_outputs == 1


@pytest.mark.parametrize(
    ("token_ids", "parents", "told"),
    [([7], [3], "parent"), ([7, 8], [0], "2.* tokens|tokens and"), ([7], [1], "parent"), ([7, 8], [2, 0], "parent")],
)
def test_what_is_no_tree_is_an_error_that_says_why(token_ids, parents, told) -> None:
    generate = Generator(OracleModel(), strategy=Lookahead(Drafts(lambda prefix, budget, random: (token_ids, parents))))
    with pytest.raises(GenerationError, match=told) as error:
        generate.run("ab", max_tokens=8, sampling=Sampling(logit_bias={STOP: -1e9}))
    assert error.value.code == "draft_invalid"
    assert "DraftTree" in str(error.value)


def one_at_a_time(level: str) -> Model:
    """An oracle that takes chains, or single tokens, and fails on more."""
    model = OracleModel()
    make = model.new_context

    def limited():
        context = make()
        context.drafts, extend = level, context.extend

        def checked(growths):
            for row, growth in growths.items():
                behind_a_prompt = bool(context.committed.get(row))
                assert list(growth.parents) == list(range(-1, len(growth) - 1)), "a chain"
                assert level == "chain" or not behind_a_prompt or len(growth) == 1
            return extend(growths)

        context.extend = checked
        return context

    model.new_context = limited
    return model


@pytest.mark.parametrize("level", ["chain", "plain"])
def test_a_model_gets_what_it_takes(level) -> None:
    sampling = Sampling(temperature=0.7, seed=5, logit_bias={STOP: -1e9})
    expected = Generator(OracleModel(), drafter=None).run("abab", max_tokens=40, sampling=sampling)
    bushy = Drafts(lambda prefix, budget, random: ([49, *expected.token_ids[:3]][:budget], [0, 0, 2, 3][:budget]))
    for drafter in (bushy, RetrievalDrafter(), RetrievalDrafter(width_cost=0.01, setup_cost=0.05)):
        found = Generator(one_at_a_time(level), strategy=Lookahead(drafter)).run("abab", max_tokens=40, sampling=sampling)
        assert found.token_ids == expected.token_ids
        assert (found.stats.num_draft_tokens > 0) <= (level == "chain")


def unlike(kind: str) -> OracleModel:
    """A draft model of the same tokenizer with a smaller head, or with logits that are no numbers."""
    draft = OracleModel()
    make = draft.new_context

    def context():
        made = make()
        if kind == "smaller head":
            made.vocab_size = 30
        else:
            made.logits_of = lambda prefix: np.full(50, np.nan, dtype=np.float32)
        return made

    draft.new_context = context
    return draft


@pytest.mark.parametrize("kind", ["smaller head", "nan"])
def test_a_draft_model_that_cannot_follow_leaves_the_text_alone(kind, caplog) -> None:
    model, sampling = OracleModel(), Sampling(temperature=1.0, seed=3, logit_bias={STOP: -1e9})
    expected = Generator(model, drafter=None).run("ab", max_tokens=20, sampling=sampling)
    assert max(expected.token_ids) >= 30
    with caplog.at_level(logging.WARNING, logger="penstock"):
        found = Generator(model, drafter=ModelDrafter(unlike(kind))).run("ab", max_tokens=20, sampling=sampling)
    assert found.token_ids == expected.token_ids
    assert [record.getMessage().count("not drafted") for record in caplog.records] == [1]
