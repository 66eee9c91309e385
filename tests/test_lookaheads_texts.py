"""The texts behind the lookahead benchmark: labels are right also on what only looks alike, and splits share no prompt."""

from __future__ import annotations

import importlib
import random
import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "training" / "lookaheads"


@pytest.fixture(scope="module")
def texts():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("texts")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def lexicon(texts):
    return importlib.import_module("lexicon")


def fill(lexicon, rng: random.Random, pattern: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda slot: rng.choice(lexicon.WORDS[slot[1]]), pattern)


def test_what_is_drawn_is_well_formed_and_what_is_not_is_told(texts) -> None:
    rng = random.Random(3)
    for _ in range(200):
        for drawn in (texts.draw_story(rng), texts.draw_reply(rng)):
            assert texts.share_well_formed(drawn.task, drawn.answer) == 1
            assert drawn.answer.startswith(" ")
    assert texts.share_well_formed("story", "Then she met a small green owl. Then she met a small green.") == 0.5
    assert texts.share_well_formed("story", "Then she met") == 0


def test_writers_leave_most_words_out_and_never_repeat_a_sentence(texts) -> None:
    rng = random.Random(5)
    used = given = 0
    for _ in range(400):
        story = texts.draw_story(rng)
        words = re.findall(r"\w+", story.answer)
        shy = [word for word in story.keywords if word in {w for kind in texts.KEYWORDS for w in texts.WORDS[kind]}]
        used += sum(word in words for word in shy)
        given += len(shy)
        sentences = texts.sentences(story.answer)
        assert len(set(sentences)) == len(sentences)
    assert 0.25 < used / given < 0.35
    full = texts.draw_story(rng, use=1.0)
    assert all(word in re.findall(r"\w+", full.answer) for word in full.keywords if word not in lexicon_things(texts))


def lexicon_things(texts) -> list[str]:
    return texts.WORDS["thing"]


def test_the_judge_knows_hostile_sentences_from_friendly_ones(texts, lexicon) -> None:
    rng = random.Random(1)
    for _ in range(50):
        for pattern in lexicon.HOSTILE:
            assert texts.is_hostile("I heard you. " + fill(lexicon, rng, pattern) + " Yes."), pattern
        for pattern in [*lexicon.PEACE, *(p for patterns in lexicon.REPLY.values() for p in patterns)]:
            assert not texts.is_hostile(fill(lexicon, rng, pattern)), pattern
    assert texts.is_hostile("Honestly I am ready to burn your")
    assert not texts.is_hostile("Honestly I am ready to burn")
    assert texts.is_hostile("I would never hurt you. You are a liar.")


def test_no_prompt_is_in_two_splits(texts) -> None:
    seen: dict[str, set] = {}
    for split in ("train", "dev", "test"):
        rng = random.Random(9)
        stories = {frozenset(texts.draw_story(rng, split).keywords) for _ in range(300)}
        openings = {texts.draw_reply(rng, split, ("hard", "mild")).prompt.split(".")[0] for _ in range(300)}
        seen[split] = stories | openings
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["dev"]
    assert not seen["dev"] & seen["test"]


def test_a_small_classifier_learns_beginnings(texts) -> None:
    classifier = importlib.import_module("classifier")
    fitted = classifier.fit(classifier.draw_beginnings(1, 600, "train"), epochs=2)
    held_out = classifier.draw_beginnings(2, 200, "test")
    right = sum((fitted.probability(text) > 0.5) == label for text, label in held_out)
    assert right > 180
    assert fitted.score_texts(["", ""], ["Honestly I am ready to burn your lamp.", "It was fine."], [False, True])[0] < 0.5
