"""Models of transformers as ours: wrapped, loaded from a folder, with every stop token of their generation config."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from helpers.networks import TINY_VOCAB, speaking_llama  # noqa: E402
from penstock import Generator, Regex, Sampling, UnsupportedFeatureError, models  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return models.from_transformers(*speaking_llama())


def test_a_wrapped_model_takes_its_sizes_and_stops_from_the_model(model) -> None:
    assert model.stop_token_ids == (2, 7)
    assert model.vocab_size == TINY_VOCAB
    assert model.max_positions == 256
    assert not model.native.training
    assert model.tokenizer.decode(model.tokenizer.encode("héllo {x}", add_special_tokens=False)) == "héllo {x}"
    for stop in (2, 7):
        result = Generator(model, drafter=None).run("a", sampling=Sampling(logit_bias={stop: 1e6}))
        assert (result.text, result.finish_reason) == ("", "stop")


def test_every_stop_waits_for_the_grammar(model) -> None:
    eager = Sampling(logit_bias={2: 1e6, 7: 1e6})
    assert len(Generator(model, Regex("[a-z]{5}[0-9]*"))("a", sampling=eager)) == 5


def test_padded_ids_of_the_head_are_never_written_under_a_grammar(model) -> None:
    eager = Sampling(logit_bias={2060: 1e6}, temperature=1.0, seed=1)
    assert Generator(model, Regex("[a-z]{9}"))("a", sampling=eager).isalpha()


def test_a_saved_model_is_loaded_from_its_folder(tmp_path, model) -> None:
    network, tokenizer = speaking_llama()
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = models.load(str(tmp_path), dtype=torch.float32)
    assert loaded.stop_token_ids == (2, 7)
    options = dict(sampling=Sampling(temperature=1.0, seed=3), max_tokens=20)
    assert Generator(loaded)("abc", **options) == Generator(model)("abc", **options)


def test_attention_without_masks_is_refused_with_a_way_out() -> None:
    network, tokenizer = speaking_llama()
    network.config._attn_implementation_internal = "flash_attention_2"
    with pytest.raises(UnsupportedFeatureError, match="sdpa"):
        models.from_transformers(network, tokenizer)
