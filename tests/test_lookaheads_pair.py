"""The lookahead benchmark end to end, on a pair of random weights; and the committed pair, where a tree has it."""

from __future__ import annotations

import importlib
import json
import random
import sys
from pathlib import Path

import penstock
import pytest
from penstock.decoding import Cdlh, Cdsl

ROOT = Path(__file__).parent.parent
PAIR = ROOT / "benchmarks" / "pair"
SYSTEMS = ["greedy", "CDLH", "CDSL", "CDSL tree", "reward on tokens"]


@pytest.fixture(scope="module")
def benchmark():
    folders = [str(ROOT / "benchmarks"), str(ROOT / "training" / "lookaheads")]
    sys.path[:0] = folders
    yield importlib.import_module("lookaheads")
    for folder in folders:
        sys.path.remove(folder)


@pytest.fixture(scope="module")
def untrained(benchmark, tmp_path_factory):
    """A pair as training starts with, and a classifier of few examples."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pair, classifier = importlib.import_module("pair"), importlib.import_module("classifier")
    folder = tmp_path_factory.mktemp("pair")
    tokenizer = pair.build_tokenizer(300)
    for seed, size in enumerate(("target", "draft")):
        torch.manual_seed(seed)
        pair.export(folder / size, size, pair.build_model(size, pair.VOCAB_SIZE).state_dict(), tokenizer)
    classifier.fit(classifier.draw_beginnings(1, 300, "train"), epochs=1).save(folder / "classifier.json")
    return folder


def test_a_run_measures_every_task_and_records_it(benchmark, untrained, tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(importlib.import_module("records"), "RECORDS", tmp_path)
    monkeypatch.setattr(benchmark, "MAX_TOKENS", 12)
    monkeypatch.setattr(benchmark, "measure", in_process(benchmark))
    options = ["--pair", str(untrained), "--prompts", "2", "--json", "--judge", str(untrained / "draft")]
    assert benchmark.main(options) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["tasks"]) == {"keywords", "harmless", "documents"}
    for found in report["tasks"].values():
        assert set(SYSTEMS) - {"reward on tokens"} <= set(found["systems"])
        for row in found["systems"].values():
            assert row["judged"] < 0
            assert row["tokens"] > 0
        assert not any(claim.startswith("CDSL") for claim in found["claims"])  # 2 prompts and random weights claim nothing
    inside = report["tasks"]["documents"]["systems"]
    assert all(row["valid"] == 1 for row in inside.values())
    assert inside["greedy"]["target_forwards"] <= 1
    assert (tmp_path / f"{report['date']}-lookaheads-{untrained.name}.json").is_file()


def in_process(benchmark):
    """`measure` without a pool, whose processes would not see what a test has changed."""

    class Pool:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def imap_unordered(self, function, works):
            return map(function, works)

    class Context:
        def Pool(self, _):  # noqa: N802
            return Pool()

    def measure(options, folder, real=benchmark.measure):
        before = benchmark.multiprocessing.get_context
        benchmark.multiprocessing.get_context = lambda _: Context()
        try:
            return real(options, folder)
        finally:
            benchmark.multiprocessing.get_context = before

    return measure


def test_documents_ask_for_the_same_stories(benchmark, untrained) -> None:
    tasks = {task.name: task for task in benchmark.load_tasks("dev", 20, untrained)}
    lists = importlib.import_module("lookaheads_tasks")
    for story, document in zip(tasks["keywords"].texts, tasks["documents"].texts, strict=True):
        assert lists.listed_words(story.prompt) == lists.listed_words(document.prompt) == list(story.keywords)
        told, valid = benchmark.story_of(tasks["documents"], document.answer)
        assert valid
        assert told == story.answer
    for broken in ('{"story":" a', '{"story":1}', '{"story":"a","more":1}', "[]"):
        assert benchmark.story_of(tasks["documents"], broken) == ("", False)


def test_a_wider_start_writes_what_the_draft_writes(benchmark, untrained) -> None:
    torch = pytest.importorskip("torch")
    pair, widen = importlib.import_module("pair"), importlib.import_module("widen")
    torch.manual_seed(3)
    small = pair.build_model("draft", pair.VOCAB_SIZE)
    large = pair.build_model("target", pair.VOCAB_SIZE)
    large.load_state_dict(widen.widened(small.state_dict(), "draft", "target"))
    tokens = torch.arange(3, 67)[None]
    with torch.inference_mode():
        expected, found = small(tokens).logits, large(tokens).logits
    assert (expected.argmax(-1) == found.argmax(-1)).float().mean() > 0.8


needs_pair = pytest.mark.skipif(not (PAIR / "target" / "model.safetensors").is_file(), reason="the pair is not there")


@pytest.fixture(scope="module")
def committed():
    return tuple(penstock.models.load(str(PAIR / name), backend="numpy") for name in ("target", "draft"))


@needs_pair
def test_the_pair_shares_a_vocabulary_and_is_small(committed) -> None:
    target, draft = committed
    assert target.tokenizer.encode("Words: owl, harp") == draft.tokenizer.encode("Words: owl, harp")
    assert sum(path.stat().st_size for path in PAIR.rglob("*") if path.is_file()) < 7_000_000


@needs_pair
def test_the_card_names_the_files_that_are_there() -> None:
    import hashlib

    card = (PAIR / "MODEL_CARD.md").read_text()
    for name in ("target/model.safetensors", "draft/model.safetensors", "classifier.json"):
        assert hashlib.sha256((PAIR / name).read_bytes()).hexdigest() in card, name


@needs_pair
def test_the_pair_leaves_words_out_and_a_search_finds_them(benchmark, committed) -> None:
    target, draft = committed
    task = next(task for task in benchmark.load_tasks("dev", 4) if task.name == "keywords")
    prompts = [text.prompt for text in task.texts]

    def covered(strategy) -> float:
        texts = penstock.Generator(target, str, strategy=strategy, drafter=None).batch(prompts, max_tokens=100)
        return sum(task.judge(text, found)[0] for text, found in zip(task.texts, texts, strict=True)) / len(texts)

    plain = covered(None)
    assert plain < 0.7
    assert covered(Cdlh(task.reward, weight=10.0)) > plain + 0.2
    free = Cdsl(task.reward, draft, accept_threshold=1.0, reward_threshold=float("-inf"))
    assert covered(free) == plain


@needs_pair
def test_texts_of_the_pair_are_well_formed(benchmark, committed) -> None:
    target, _ = committed
    texts = importlib.import_module("texts")
    rng = random.Random(8)
    for draw, task in ((texts.draw_story, "story"), (texts.draw_reply, "reply")):
        prompts = [draw(rng, "dev").prompt for _ in range(6)]
        outputs = penstock.Generator(target, str, drafter=None).batch(prompts, max_tokens=100)
        assert sum(texts.share_well_formed(task, text) for text in outputs) / len(outputs) > 0.9
