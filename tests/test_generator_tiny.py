"""The bundled model by both backends: one text, plain or drafted, alone or in a batch."""

from __future__ import annotations

import pytest
from helpers.oracle import Drafts, prompt_lookup

pytest.importorskip("tokenizers")
pytest.importorskip("safetensors")

from penstock import models
from penstock.generator import Generator
from penstock.sampling import Sampling

PROMPTS = [
    "Text: Anna Miller is 34 years old and lives in Berlin.\nFields: name, age\nJSON:",
    "Text: The lamp is red.\nJSON:",
    "x",
]


@pytest.fixture(scope="module")
def model():
    return models.tiny()


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.8, top_p=0.95, seed=11)])
def test_drafts_and_batches_do_not_change_a_text(model, sampling) -> None:
    plain, drafted = Generator(model, drafter=None), Generator(model, drafter=Drafts(prompt_lookup))
    expected = [plain.run(prompt, sampling=sampling, max_tokens=40) for prompt in PROMPTS]
    assert plain.batch(PROMPTS, sampling=sampling, max_tokens=40) == [result.text for result in expected]
    found = [drafted.run(prompt, sampling=sampling, max_tokens=40) for prompt in PROMPTS]
    assert [result.token_ids for result in found] == [result.token_ids for result in expected]
    assert sum(result.stats.num_accepted_tokens for result in found) > 0
    assert sum(result.stats.num_forwards for result in found) < sum(result.stats.num_forwards for result in expected)


def test_both_backends_write_one_text(model) -> None:
    pytest.importorskip("torch").set_num_threads(1)
    pytest.importorskip("transformers")
    other = models.tiny("transformers")
    for sampling in (Sampling(), Sampling(temperature=1.0, seed=5)):
        texts = [Generator(m, drafter=None).batch(PROMPTS, sampling=sampling, max_tokens=40) for m in (model, other)]
        assert texts[0] == texts[1]


def test_the_chat_template_makes_a_prompt(model) -> None:
    pytest.importorskip("jinja2")
    messages = [{"role": "user", "content": "Text: The lamp is red.\nJSON:"}]
    assert len(model.tokenizer.apply_chat_template(messages)) > 5
    assert Generator(model, drafter=None)(messages, max_tokens=20)


def test_a_backend_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="jax"):
        models.tiny("jax")
