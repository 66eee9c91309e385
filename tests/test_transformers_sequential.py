"""Models with layers that keep a state: one token after the other, the model's own logits, and no drafts."""

from __future__ import annotations

import logging
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from helpers.networks import STATEFUL, TINY_VOCAB, own_logits, speaking  # noqa: E402
from penstock import Generator, Regex, Sampling, UnsupportedFeatureError, models  # noqa: E402
from penstock.decoding import Lookahead  # noqa: E402
from penstock.decoding.context import Growth, chain  # noqa: E402
from penstock.drafting import RetrievalDrafter  # noqa: E402
from penstock.errors import GenerationError  # noqa: E402
from penstock.models.transformers_sequential import SequentialContext, keeps_state  # noqa: E402


def build(name):
    return speaking(STATEFUL[name](), 2)[0]


@pytest.mark.parametrize("name", STATEFUL)
def test_logits_are_the_models_own_whatever_is_kept(name) -> None:
    model, rng = build(name), random.Random(4)
    context, texts = SequentialContext(model), {0: [], 3: []}
    for _ in range(6):
        rows = rng.sample(sorted(texts), rng.randrange(1, 3))
        new = {row: [rng.randrange(TINY_VOCAB) for _ in range(rng.randrange(1, 7))] for row in rows}
        logits = context.extend({row: chain(tokens) for row, tokens in new.items()})
        for row, tokens in new.items():
            wanted = own_logits(model, texts[row] + tokens)[len(texts[row]) :]
            np.testing.assert_allclose(logits[row], wanted, atol=2e-4)
            kept = rng.randrange(len(tokens) + 1)
            context.commit(row, range(kept))
            texts[row] += tokens[:kept]
    context.release(3)
    np.testing.assert_allclose(context.extend({3: chain([5, 6])})[3], own_logits(model, [5, 6]), atol=2e-4)


def test_trees_and_bad_growths_are_refused_and_change_nothing() -> None:
    model = build("lfm2")
    context = SequentialContext(model)
    assert keeps_state(model)
    context.extend({0: chain([1, 2, 3], num_logits=1)})
    context.commit(0, range(3))
    with pytest.raises(UnsupportedFeatureError, match="Lookahead"):
        context.extend({0: Growth([4, 5], [-1, -1])})
    with pytest.raises(ValueError, match="outside the vocabulary"):
        context.extend({0: chain([4]), 1: chain([TINY_VOCAB])})
    with pytest.raises(GenerationError, match="256"):
        context.extend({0: chain([4] * 254)})
    context.extend({0: chain([4])})
    with pytest.raises(ValueError, match="no path"):
        context.commit(0, [1])
    forward, model.forward = model.forward, None
    with pytest.raises(TypeError):
        context.extend({0: chain([5], parent=0, num_open=1)})
    model.forward = forward
    again = context.extend({0: chain([5], parent=0, num_open=1)})[0]
    np.testing.assert_allclose(again[-1], own_logits(model, [1, 2, 3, 4, 5])[-1], atol=2e-4)
    assert (context.num_positions, context.num_forwards) == (5, 3)


@pytest.mark.parametrize("name", STATEFUL)
def test_such_a_model_writes_what_it_would_write_and_says_that_it_drafts_nothing(name, caplog) -> None:
    network, tokenizer = speaking(STATEFUL[name](), 2)
    with caplog.at_level(logging.WARNING, logger="penstock"):
        model = models.from_transformers(network, tokenizer)
    assert "nothing is drafted" in caplog.text
    prompt = tokenizer("the dog and the dog and", return_tensors="pt")
    with torch.inference_mode():
        wanted = network.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :].tolist()
    for strategy in (None, Lookahead(RetrievalDrafter(), budget=8)):
        options = {"strategy": strategy} if strategy else {"drafter": None}
        result = Generator(model, **options).run("the dog and the dog and", max_tokens=12)
        assert result.token_ids == [token for token in wanted if token != 2]
        assert result.stats.num_draft_tokens == 0
    texts = Generator(model, Regex("[a-z]{3} [0-9]{2}")).batch(["a", "bc"], sampling=Sampling(temperature=1.0, seed=2))
    assert all(text[3] == " " and len(text) == 6 for text in texts)
