"""The bundled model: its files are the recorded ones, both runtimes agree on it, and it copies what it has never seen."""

from __future__ import annotations

import hashlib
import importlib
import json
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from penstock import Generator, models
from penstock.decoding.context import chain
from penstock.models.llama_numpy import TINY_PATH, load_tiny_numpy

pytest.importorskip("tokenizers")
TRAINING = Path(__file__).parent.parent / "training"
PROMPTS = (
    "Text: Meet Bralou Kinder. She is 37 years old and lives in Trathal.\nFields: name, age, city\nJSON:",
    "Text: The order has the number 90125. It costs 48.2 and ships to Oslo.\nFields: order_id, price, city\nJSON:",
    "Text: The event is called Silent Harbor. It takes place on 2031-04-17.\nFields: title (string), date (string)\nXML:",
)


@pytest.fixture(scope="module")
def tiny():
    return load_tiny_numpy()


@pytest.fixture(scope="module")
def tasks():
    """The modules of the training folder that draw and score tasks."""
    if not TRAINING.is_dir():
        pytest.skip("the training folder is not part of an installed package")
    sys.path.insert(0, str(TRAINING))
    try:
        return importlib.import_module("tasks")
    finally:
        sys.path.remove(str(TRAINING))


def greedy(model, tokenizer, prompt: str, max_tokens: int = 120) -> list[int]:
    context, end = model.fresh(), tokenizer.token_to_id("<|eos|>")
    new, written = tokenizer.encode(prompt).ids, []
    while len(written) < max_tokens:
        logits = context.extend({0: chain(new, num_logits=1)})[0]
        context.commit(0, range(len(new)))
        new = [int(logits[0].argmax())]
        written += new
        if new[0] == end:
            break
    return written


def test_files_are_the_ones_that_the_card_describes():
    card = (TINY_PATH / "MODEL_CARD.md").read_text()
    recorded = dict(re.findall(r"^\| `([\w.]+)` \| `([0-9a-f]{64})` \|$", card, flags=re.MULTILINE))
    files = [path for path in TINY_PATH.iterdir() if path.suffix in (".json", ".safetensors")]
    assert recorded == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert sum(path.stat().st_size for path in files) <= 6_000_000


def test_special_tokens_are_where_the_config_says(tiny):
    model, tokenizer, settings = tiny
    assert tokenizer.get_vocab_size() == model.vocab_size == 2048
    assert tokenizer.id_to_token(model.config["eos_token_id"]) == settings["eos_token"] == "<|eos|>"
    assert tokenizer.encode("a").ids[0] == model.config["bos_token_id"]


@pytest.mark.parametrize("text", ["Zoë paid 12.50 €\n\tto 日本, isn't it?", '{"a_b": [true, null, -1.5e3]}', "  JSON  \r\n"])
def test_every_text_survives_the_tokenizer(tiny, text):
    tokenizer = tiny[1]
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


@pytest.mark.parametrize("word", ["Bralou", "city", "ingredients", "90125"])
def test_a_word_is_the_same_tokens_after_a_space_and_after_a_quote(tiny, word):
    tokenizer = tiny[1]
    alone, spaced, quoted = (tokenizer.encode(start + word, add_special_tokens=False).tokens for start in ("", " ", '"'))
    assert spaced[1:] == quoted[1:] == alone


def test_it_copies_names_and_numbers_it_has_never_seen(tiny):
    model, tokenizer, _ = tiny
    answers = [tokenizer.decode(greedy(model, tokenizer, prompt)) for prompt in PROMPTS]
    assert json.loads(answers[0]) == {"name": "Bralou Kinder", "age": 37, "city": "Trathal"}
    assert json.loads(answers[1]) == {"order_id": 90125, "price": 48.2, "city": "Oslo"}
    assert answers[2] == "<record><title>Silent Harbor</title><date>2031-04-17</date></record>"


def test_most_fields_of_held_out_tasks_are_right(tiny, tasks):
    """A floor below the card's figure, which a model that replaces this one may only raise."""
    model, tokenizer, _ = tiny
    rng, right, total = random.Random("held out"), 0, 0
    for _ in range(30):
        task = tasks.draw_task(rng, tasks.Split(new_names=True), only_json=True)
        prompt = f"<|user|>{task.prompt}<|assistant|>" if task.chat else task.prompt
        try:
            found = flattened(json.loads(tokenizer.decode(greedy(model, tokenizer, prompt, 200))))
        except ValueError:
            found = {}
        expected = flattened(task.data)
        total += len(expected)
        right += sum(found.get(place) == value for place, value in expected.items())
    assert right > 0.8 * total


def flattened(data, place: str = "") -> dict[str, str]:
    """Scalars of JSON data by place, as JSON text."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else None
    if items is None:
        return {place: json.dumps(data)}
    return {key: value for name, item in items for key, value in flattened(item, f"{place}/{name}").items()}


def test_training_never_draws_what_is_held_out(tasks):
    rng, words = random.Random(3), sys.modules["words"]
    for _ in range(200):
        assert not words.is_held_out(words.invented_word(rng, held_out=False))
        assert words.is_held_out(words.invented_word(rng, held_out=True))
    kept = {phrase for phrase in tasks.GENERIC_PHRASES if words.is_held_out(phrase)}
    assert kept
    assert not kept & {tasks.pick(rng, tasks.GENERIC_PHRASES, False) for _ in range(500)}
    assert kept == {tasks.pick(rng, tasks.GENERIC_PHRASES, True) for _ in range(500)}


@pytest.mark.parametrize("held_out", [False, True])
def test_every_task_answers_its_own_schema(tasks, held_out):
    jsonschema = pytest.importorskip("jsonschema")
    for seed in range(300):
        task = tasks.draw_task(random.Random(seed), tasks.Split(held_out, held_out, held_out))
        jsonschema.validate(task.data, task.schema)
        if task.format == "json":
            assert json.loads(task.answer) == task.data


def test_a_missing_tokenizers_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r'pip install "penstock\[tiny\]"'):
        load_tiny_numpy()


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    return transformers.AutoModelForCausalLM.from_pretrained(TINY_PATH, dtype="float32").eval()


@pytest.mark.parametrize("prompt", PROMPTS)
def test_both_runtimes_write_the_same_tokens(tiny, reference, prompt):
    import torch

    model, tokenizer, _ = tiny
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    with torch.inference_mode():
        expected = reference.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=120, do_sample=False)
        logits = reference(ids).logits[0].numpy()
    assert greedy(model, tokenizer, prompt) == expected[0, ids.shape[1] :].tolist()
    np.testing.assert_allclose(model.fresh().extend({0: chain(ids[0].tolist())})[0], logits, atol=2e-4)


def test_transformers_reads_the_tokenizer_and_its_chat_template(tiny):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("jinja2")
    face = transformers.AutoTokenizer.from_pretrained(TINY_PATH)
    messages = [{"role": "user", "content": PROMPTS[0]}]
    text = face.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == f"<|bos|><|user|>{PROMPTS[0]}<|assistant|>"
    assert face(PROMPTS[0]).input_ids == tiny[1].encode(PROMPTS[0]).ids
    ids = face.encode(text, add_special_tokens=False)
    assert [ids[0], ids[1], ids[-1]] == [tiny[1].token_to_id(f"<|{name}|>") for name in ("bos", "user", "assistant")]


def test_the_numpy_runtime_reads_any_such_folder(tiny, tmp_path):
    loaded = models.load(str(TINY_PATH), backend="numpy")
    prompt = "Text: Ada is 31.\nFields: name, age\nJSON:"
    assert Generator(loaded)(prompt, max_tokens=20) == Generator(models.tiny())(prompt, max_tokens=20)
    with pytest.raises(ValueError, match="`backend` is `jax`"):
        models.load(str(TINY_PATH), backend="jax")
    with pytest.raises(TypeError, match="does not know `dtype`"):
        models.load(str(TINY_PATH), backend="numpy", dtype="float32")
    with pytest.raises(FileNotFoundError):
        models.load(str(tmp_path), backend="numpy")
