"""Attention for long contexts: the split changes no logits, carries no mask for the prefix, and is left where it cannot be."""

from __future__ import annotations

import logging
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from helpers.networks import ARCHITECTURES, VOCAB, Twin, build, random_growth, speaking_llama  # noqa: E402
from penstock import Generator, Sampling, UnsupportedFeatureError, models  # noqa: E402
from penstock.decoding import Lookahead  # noqa: E402
from penstock.decoding.context import Growth, chain  # noqa: E402
from penstock.drafting import RetrievalDrafter  # noqa: E402
from penstock.models import transformers_attention, transformers_probe  # noqa: E402
from penstock.models.transformers_context import TransformersContext  # noqa: E402


def split_model(name: str, dtype=torch.float32):
    transformers_attention.register()
    model = build(name).to(dtype)
    model.set_attn_implementation(transformers_attention.NAME)
    return model


@pytest.fixture
def covered(monkeypatch):
    """The places that each split attention covered by a mask, of how many."""
    seen = []
    masked = transformers_attention._masked

    def watched(query, key, value, mask, scale):
        seen.append((key.shape[2], mask.shape))
        return masked(query, key, value, mask, scale)

    monkeypatch.setattr(transformers_attention, "_masked", watched)
    return seen


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_split_changes_no_logits(name: str, monkeypatch, covered) -> None:
    monkeypatch.setattr(transformers_attention, "KEY_BLOCK", 5)  # several blocks of keys, the last one short
    rng, twin = random.Random(11), Twin(split_model(name))
    twin.context.min_prefix = 1
    for row, size in enumerate((7, 90)):
        twin.extend({row: chain([rng.randrange(VOCAB) for _ in range(size)], num_logits=1)})
        twin.commit(row, size - 1, list(range(-1, size - 1)))
    for _step in range(4):
        for row in (0, 1):
            parents: list[int] = []
            for _growth in range(2):
                growth = random_growth(rng, len(parents), rng.randrange(2, 9))
                parents += growth.parents
                twin.extend({row: growth})
            twin.commit(row, rng.randrange(len(parents)), parents)
        twin.extend({0: chain([3, 4]), 1: chain([5])})  # rows together go under full masks
        twin.commit(0, 1, [-1, 0])
        twin.commit(1, -1, [])
    assert twin.worst < 2e-6
    if name != "mistral-window":  # its layers have windows, all of them
        assert covered
        assert all(shape[-1] == places < 20 for places, shape in covered)


def test_in_double_precision_the_split_is_exact_to_the_last_digits(covered) -> None:
    model, rng = split_model("llama", torch.float64), np.random.default_rng(0)
    plain = build("llama").double()
    split, full = TransformersContext(model), TransformersContext(plain)
    split.min_prefix = 1
    text = rng.integers(0, VOCAB, 60).tolist()
    growth = Growth(rng.integers(0, VOCAB, 7).tolist(), [-1, 0, 0, 1, 2, 2, 5])
    found = []
    for context in (split, full):
        with torch.inference_mode():
            context.extend({0: chain(text)})
            context.commit(0, range(60))
            heard = []
            hook = context.model.register_forward_hook(lambda _, __, output, heard=heard: heard.append(output.logits))
            context.extend({0: growth})
            hook.remove()
            found.append(heard[-1].numpy())
    assert covered
    assert np.abs(found[0] - found[1]).max() < 1e-12


def test_chains_behind_a_long_prefix_are_split_and_plain_steps_are_not(covered) -> None:
    context = TransformersContext(split_model("llama"))
    context.min_prefix = 8
    context.extend({0: chain(list(range(9)))})
    context.commit(0, range(9))
    context.extend({0: chain([1])})
    assert not covered
    context.commit(0, [0])
    context.extend({0: chain([1, 2, 3])})
    assert [places for places, _ in covered] == [3, 3, 3]


def test_a_wrapped_model_gets_the_split_and_keeps_its_logits() -> None:
    network, tokenizer = speaking_llama()
    ids = torch.arange(12)[None]
    with torch.no_grad():
        before = network(ids).logits
    network.config.max_position_embeddings = 4096
    assert models.from_transformers(network, tokenizer).new_context().drafts == "tree"
    assert network.config._attn_implementation == "penstock"
    with torch.no_grad():
        assert torch.equal(network(ids).logits, before)


# The probe.


def drops_masks(kwargs):
    if kwargs.get("attention_mask") is not None:
        kwargs["attention_mask"] = None


def moves_many(kwargs):
    """Positions of several tokens behind a cache are off."""
    if kwargs["input_ids"].shape[1] > 1 and kwargs["past_key_values"].get_seq_length():
        drops_masks(kwargs)
        kwargs["position_ids"] = kwargs["position_ids"] + 5


def moves_all(kwargs):
    if kwargs["past_key_values"].get_seq_length():
        drops_masks(kwargs)
        kwargs["position_ids"] = kwargs["position_ids"] + 5


def broken(mistake):
    """A model with a mistake in every forward over a cache."""
    network, tokenizer = speaking_llama()
    network.config.max_position_embeddings = 4096
    forward = network.forward

    def mistaken(*args, logits_to_keep=0, **kwargs):
        if kwargs.get("past_key_values") is not None:
            mistake(kwargs)
        return forward(*args, logits_to_keep=logits_to_keep, **kwargs)

    network.forward = mistaken
    return network, tokenizer


PROMPT = "the dog and the dog and the dog and the"


@pytest.mark.parametrize(("mistake", "level"), [(drops_masks, "chain"), (moves_many, "plain")])
def test_what_a_model_cannot_take_is_found_told_and_not_drafted(mistake, level, caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="penstock"):
        model = models.from_transformers(*broken(mistake))
        told = len(caplog.records)
        assert model.new_context().drafts == level
        assert model.native.config._attn_implementation == "sdpa"
        right = models.from_transformers(*speaking_llama())
        for sampling in (Sampling(), Sampling(temperature=1.0, seed=2)):
            expected = Generator(right, drafter=None).run(PROMPT, max_tokens=24, sampling=sampling)
            drafted = Generator(model, strategy=Lookahead(RetrievalDrafter(), budget=12))
            found = drafted.run(PROMPT, max_tokens=24, sampling=sampling)
            assert found.token_ids == expected.token_ids
            assert (found.stats.num_draft_tokens > 0) == (level == "chain")
    assert told == len(caplog.records) == {"chain": 1, "plain": 2}[level]
    assert "drafts are chains" in caplog.text


def test_a_model_that_is_wrong_even_one_by_one_is_refused() -> None:
    with pytest.raises(UnsupportedFeatureError, match="GrammarLogitsProcessor"):
        models.from_transformers(*broken(moves_all))


def test_a_model_is_probed_once() -> None:
    network, _ = speaking_llama()
    calls = []
    network.register_forward_hook(lambda *_: calls.append(1))
    assert transformers_probe.level_of(network) == "tree"
    assert 5 <= len(calls) <= 12
    assert transformers_probe.level_of(network) == "tree"
    assert len(calls) <= 12
