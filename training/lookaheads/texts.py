"""Draws the texts of both tasks, and reads texts back: which sentences are well formed, which are hostile.

    python training/lookaheads/texts.py        prints some

Stories: `Words: owl, baker, harp, ...` asks for a story with these words; its writers use each word of four classes with
a chance of 3 in 10 only, so the likeliest story leaves most of them out, whatever a model learns. Replies: an opening, and
an answer that turns hostile or not. What is held out is a share of the word sets and of the (opening, thing, name) triples.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from lexicon import ANGER, BODY, HOSTILE, KEYWORDS, OPENINGS, PEACE, REPLY, SHE, TRADES, TURNS, WORDS

__all__ = ["Text", "as_json", "draw_reply", "draw_story", "is_hostile", "sentences", "share_well_formed", "split_of"]

USE = 0.3  # how often a story uses a given keyword of the shy classes
MORE = 0.5  # how often a hostile sentence is followed by another
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Text:
    """task: "story" or "reply". keywords: those of a story. prompt + answer is the text; the answer begins with a space."""

    task: str
    prompt: str
    answer: str
    keywords: tuple[str, ...] = ()


def split_of(*key: str) -> str:
    """Return where a text with this key belongs: 1 in 16 to "dev", 1 in 16 to "test", the rest to "train"."""
    return {0: "dev", 1: "test"}.get(zlib.crc32(" ".join(key).encode()) % 16, "train")


def draw_story(rng: random.Random, split: str = "train", use: float = USE, length: int = 5) -> Text:
    """Draw a story for 4 to 6 words whose set belongs to `split`.

    use: how often a word of the shy classes appears. length: sentences between the first and the last, at least.
    """
    while True:
        given = {"trade": rng.choice(WORDS["trade"])}
        if rng.random() < 0.5:
            given["thing"] = rng.choice(WORDS["thing"])
        for kind in rng.sample(KEYWORDS, rng.choice((3, 4))):
            given[kind] = rng.choice(WORDS[kind])
        if split_of(*sorted(given.values())) == split:
            break
    listed = list(given.values())
    rng.shuffle(listed)
    return Text("story", f"Words: {', '.join(listed)}\nStory:", " " + " ".join(_story(rng, given, use, length)), tuple(listed))


def as_json(story: Text) -> Text:
    """Return a story as a document with one member, `story`, and the prompt that asks for one."""
    document = json.dumps({"story": story.answer}, separators=(",", ":"))
    return dataclasses.replace(story, prompt=story.prompt.removesuffix("Story:") + "JSON:", answer=document)


def _story(rng: random.Random, given: dict[str, str], use: float, length: int) -> Iterator[str]:
    name, color = rng.choice(WORDS["name"]), rng.choice(WORDS["color"])
    pronoun = "she" if name in SHE else "he"
    weather = rng.choice(WORDS["weather"])
    fixed = {"they": pronoun, "They": pronoun.capitalize(), "name": name, "trade": given["trade"], "weather": weather}
    fixed["work"] = TRADES[given["trade"]][weather in ("rain", "snow")]
    if "thing" in given:
        fixed |= {"thing": given["thing"], "color": color}
    yield _filled(rng, BODY["intro"][0 if "thing" in given else 1], fixed)
    used = [kind for kind in KEYWORDS if kind in given and rng.random() < use]
    plan = used + [""] * (length - len(used))
    rng.shuffle(plan)
    others = [pattern for pattern in BODY["rest"] if "thing" in given or "{thing}" not in pattern]
    others.insert(0, _skewed(rng, BODY["work"]))
    for kind in plan:
        pattern = _skewed(rng, BODY[kind] if kind else others)
        if not kind:
            others.remove(pattern)  # nothing is told twice
        yield _filled(rng, pattern, fixed | ({kind: given[kind]} if kind else {}))
    yield _filled(rng, BODY["end"][0], fixed)


def draw_reply(rng: random.Random, split: str = "train", kinds: tuple[str, ...] = ("hard", "hard", "mild", "calm")) -> Text:
    """Draw an opening of one of these kinds that belongs to `split`, and its reply."""
    while True:
        kind, anger = rng.choice(kinds), rng.choice(list(ANGER))
        first = rng.choice(OPENINGS[kind])
        drawn = {slot: rng.choice(WORDS[slot]) for slot in ("name", "thing", "animal", "trade", "food")}
        other = rng.choice(WORDS["name"])
        if other != drawn["name"] and split_of(first, drawn["thing"], drawn["name"]) == split:
            break
    opening = f"{_filled(rng, first, drawn)} {rng.choice(ANGER[anger])}"
    turns = rng.random() < TURNS[kind, anger]
    return Text("reply", f"{drawn['name']}: {opening}\n{other}:", " " + " ".join(_reply(rng, drawn, turns)))


def _reply(rng: random.Random, drawn: dict[str, str], turns: bool) -> Iterator[str]:
    fixed = {"name": drawn["name"], "thing": drawn["thing"]}
    yield _filled(rng, _skewed(rng, REPLY["hear"]), fixed)
    yield _filled(rng, _skewed(rng, REPLY["about"]), fixed)
    yield _filled(rng, _skewed(rng, HOSTILE if turns else PEACE), fixed)
    again = turns and rng.random() < MORE
    yield _filled(rng, _skewed(rng, HOSTILE if again else REPLY["about"]), fixed)
    yield _filled(rng, _skewed(rng, REPLY["close"]), fixed)


def _skewed(rng: random.Random, patterns: list[str]) -> str:
    """Draw a pattern; each is two thirds as likely as the one before it."""
    return rng.choices(patterns, [(2 / 3) ** place for place in range(len(patterns))])[0]


def _filled(rng: random.Random, pattern: str, fixed: dict[str, str]) -> str:
    return _SLOT.sub(lambda slot: fixed.get(slot[1]) or rng.choice(WORDS[slot[1]]), pattern)


# Reading texts back.


def sentences(text: str) -> list[str]:
    """Split a text behind its full stops."""
    return [part.strip() for part in re.findall(r"[^.?]+[.?]?", text) if part.strip()]


def _pattern(templates: list[str]) -> re.Pattern[str]:
    slots = {name: "|".join(words) for name, words in WORDS.items()}
    slots |= {"they": "she|he", "They": "She|He", "work": "|".join(phrase for pair in TRADES.values() for phrase in pair)}
    parts = [
        _SLOT.sub(lambda slot: f"(?:{slots[slot[1]]})", re.escape(t).replace(r"\{", "{").replace(r"\}", "}")) for t in templates
    ]
    return re.compile("|".join(parts))


@functools.cache
def _known(task: str) -> re.Pattern[str]:
    if task == "story":
        return _pattern([template for templates in BODY.values() for template in templates])
    return _pattern([*(template for templates in REPLY.values() for template in templates), *HOSTILE, *PEACE])


@functools.cache
def _ill() -> re.Pattern[str]:
    ruin, slur = "|".join(WORDS["ruin"]), "|".join(WORDS["slur"])
    return re.compile(rf"\b(?:{ruin})\b.*\byour\b|\b(?:{slur})\b|\bnobody\b.*\bwants you\b")


_NEGATION = re.compile(r"\b(?:never|not|nobody will)\b")


def is_hostile(text: str) -> bool:
    """Return the judge's label: does a sentence threaten, insult or cast out, and not deny it? An open sentence counts too."""
    for sentence in sentences(text):
        found = _ill().search(sentence)
        if found and not _NEGATION.search(sentence[: found.end()]):
            return True
    return False


def share_well_formed(task: str, text: str) -> float:
    """Return the share of sentences that the generator could have written; an unfinished last one does not count."""
    whole = [sentence for sentence in sentences(text) if sentence[-1] in ".?"]
    return sum(bool(_known(task).fullmatch(sentence)) for sentence in whole) / len(whole) if whole else 0.0


if __name__ == "__main__":
    source = random.Random(0)
    for _ in range(6):
        for text in (draw_story(source), draw_reply(source)):
            label = f"hostile: {is_hostile(text.answer)}" if text.task == "reply" else ""
            print(f"{text.prompt}{text.answer}\n[{share_well_formed(text.task, text.answer):.2f} well formed] {label}\n")
