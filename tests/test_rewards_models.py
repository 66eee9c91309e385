"""Rewards over real networks: a classifier of transformers, and strategies under a compiled grammar on the bundled model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from penstock import Generator, JsonSchema, Sampling, models
from penstock.decoding import BestOf, Cdlh, Cdsl, CdslTree
from penstock.rewards import Classifier, Function, RegexCount
from penstock.testing import check_reward

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 24}, "n": {"type": "integer", "maximum": 99}},
    "required": ["text", "n"],
    "additionalProperties": False,
}
PROMPT = "Text: The door is green.\nFields: text, n\nJSON:"


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("tokenizers")
    pytest.importorskip("safetensors")
    return models.tiny()


def share_of_vowels(text: str) -> float:
    return sum(letter in "aeiou" for letter in text) / 40 if len(text) < 40 else 0.0


def strategies(reward, draft, **search):
    yield Cdlh(reward, num_candidates=3, horizon=2, **search)
    yield Cdlh(reward, draft, num_candidates=3, horizon=2, **search)
    yield Cdsl(reward, draft, num_candidates=3, horizon=3, **search)
    yield CdslTree(reward, draft, num_candidates=3, horizon=3, **search)


def test_grammar_and_reward_together_on_the_bundled_model(tiny) -> None:
    """Hard: every text is an instance of the schema. Soft: the searches raise the reward over plain decoding's."""
    reward = RegexCount("[aeiou]", target=6)
    plain = Generator(tiny, JsonSchema(SCHEMA), drafter=None).run(PROMPT, max_tokens=60)
    (before,) = reward.score_texts([""], [plain.text], [True])
    for strategy in [*strategies(reward, models.tiny(), weight=200.0), BestOf(reward, 4)]:
        result = Generator(tiny, JsonSchema(SCHEMA), strategy=strategy).run(PROMPT, max_tokens=60, sampling=Sampling(seed=5))
        value = json.loads(result.text)
        assert set(value) == {"text", "n"}
        assert len(value["text"]) <= 24
        assert value["n"] <= 99
        assert reward.score_texts([""], [result.text], [True]) == [result.details["reward"]]
        assert result.details["reward"] >= before + (0 if isinstance(strategy, BestOf) else 1 / 6)


@pytest.mark.parametrize("same", [True, False])
def test_no_weight_is_plain_on_a_real_cache(tiny, same) -> None:
    """Branches, commits and drops of a real key-value cache leave the text what it is; one model may be both."""
    reward = Function(share_of_vowels, range=(0, 1))
    draft = tiny if same else models.tiny()
    expected = Generator(tiny, JsonSchema(SCHEMA), drafter=None).run(PROMPT, max_tokens=60)
    free = {"reward_threshold": float("-inf"), "accept_threshold": 1.0}
    for strategy in [*strategies(reward, draft, weight=0.0), Cdsl(reward, draft, horizon=4, **free)]:
        if isinstance(strategy, Cdsl) and strategy.accept_threshold != 1.0:
            continue
        assert Generator(tiny, JsonSchema(SCHEMA), strategy=strategy).run(PROMPT, max_tokens=60).text == expected.text


def test_torch_and_numpy_backends_steer_alike(tiny) -> None:
    """The same weights on transformers' cache: branches behind branches, commits of paths, drops, two rows in one batch."""
    pytest.importorskip("transformers")
    torch_tiny, reward = models.tiny(backend="transformers"), RegexCount("[xyz]", target=6)
    prompts = [PROMPT, "Text: A red boat costs 12.\nFields: text, n\nJSON:"]
    for strategy in strategies(reward, torch_tiny, weight=30.0):
        found = Generator(torch_tiny, JsonSchema(SCHEMA), strategy=strategy).batch(prompts, max_tokens=60, results=True)
        twin = replace(strategy, draft=None if strategy.draft is None else tiny)
        expected = Generator(tiny, JsonSchema(SCHEMA), strategy=twin).batch(prompts, max_tokens=60, results=True)
        assert [result.text for result in found] == [result.text for result in expected]
        assert [result.stats.forwards for result in found] == [result.stats.forwards for result in expected]


def classifier(num_labels: int = 2, **options):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split

    letters = {letter: index for index, letter in enumerate(["[PAD]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz "])}
    letter_tokenizer = Tokenizer(WordLevel(letters, unk_token="[UNK]"))
    letter_tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=letter_tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(letters), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=40, num_labels=num_labels, initializer_range=1.0, pad_token_id=0,
    )  # fmt: skip
    if num_labels == 2:
        config.id2label, config.label2id = {0: "kind", 1: "hostile"}, {"kind": 0, "hostile": 1}
    return transformers.BertForSequenceClassification(config).eval(), tokenizer


def test_a_classifier_is_a_reward() -> None:
    model, tokenizer = classifier()
    kind = Classifier(model, tokenizer, "kind", max_length=40)
    # Padding changes sums in their last bits, and no more.
    check_reward(kind, ["be good", "go away"], prompt="hm", tolerance=1e-4)
    texts = ["be good", "x", "a much longer text than the others " * 3]
    prompts = ["p"] * 3
    scores = kind.score_texts(prompts, texts, [True] * 3)
    assert len(set(scores)) == 3
    hostile = Classifier(model, tokenizer, 1, max_length=40, avoid=True, batch_size=1)
    assert hostile.score_texts(prompts, texts, [True] * 3) == pytest.approx(scores, abs=1e-4)
    assert kind.score_texts([""], [texts[2][-40:]], [True]) == pytest.approx(scores[2:], abs=1e-4), "the end is what is read"
    asked = Classifier(model, tokenizer, "kind", with_prompt=True)
    assert asked.score_texts(["be "], ["good"], [True]) == pytest.approx(scores[:1], abs=1e-4)
    assert tokenizer.truncation_side == "right", "the user's own tokenizer stays as it was"


def test_a_head_of_one_output_is_a_sigmoid_and_unknown_labels_are_named() -> None:
    model, tokenizer = classifier(num_labels=1)
    (score,) = Classifier(model, tokenizer, 0).score_texts([""], ["be good"], [True])
    assert 0 < score < 1
    model, tokenizer = classifier()
    with pytest.raises(ValueError, match="`kind`, `hostile`"):
        Classifier(model, tokenizer, "rude")
    with pytest.raises(ValueError, match="batch_size"):
        Classifier(model, tokenizer, 0, batch_size=0)


def test_a_classifier_is_loaded_from_a_folder(tmp_path) -> None:
    model, tokenizer = classifier()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = Classifier.load(str(tmp_path), "kind")
    expected = Classifier(model, tokenizer, "kind").score_texts([""], ["be good"], [True])
    assert loaded.score_texts([""], ["be good"], [True]) == pytest.approx(expected, abs=1e-5)


def test_a_classifier_steers_the_bundled_model(tiny) -> None:
    model, tokenizer = classifier()
    reward = Classifier(model, tokenizer, "kind", max_length=40)
    prompt = "Text: The door is green.\nFields: door\nJSON:"
    scores = []
    for strategy in (None, Cdlh(reward, num_candidates=6, horizon=2, weight=50.0)):
        result = Generator(tiny, strategy=strategy, drafter=None).run(prompt, max_tokens=10)
        scores += reward.score_texts([prompt], [result.text], [result.finish_reason == "stop"])
    assert scores[1] > scores[0]
    assert scores[1] == pytest.approx(result.details["reward"], abs=1e-4)
