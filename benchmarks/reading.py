"""Reading the instances of a schema with an engine: what every step costs, and where in the text it stands.

A step is fill + accept of one token of an instance as json.dumps writes it. A round is cold and warm: a new compiler, the
first mask, all instances, and all of them once more. There are three rounds, unless the case says otherwise in `rounds`, and
every figure is the smallest of them: what a preemption adds, it adds to one. An engine that compiles for more than a second
is compiled once, and reads three times with that: at worst its second and third cold readings are too good.
"""

from __future__ import annotations

import json
import time
from typing import Any

from vocabularies import Vocabulary, check

NUM_ROUNDS = 3
SLOW_SECONDS = 1.0
PLACES = ("name", "string", "number", "structure")
Times = list[float]


def places_of(text: str) -> list[str]:
    """For each character of a JSON text, what a token that begins there begins in."""
    places, inside, start = [], False, 0
    for i, character in enumerate(text):
        kind = "string" if inside else "number" if character in "-.0123456789eE+" else "structure"
        places.append(kind)
        if character == '"' and (not inside or not is_escaped(text, i)):
            if inside and text[i + 1 : i + 2] == ":":
                places[start : i + 1] = ["name"] * (i + 1 - start)
            inside, start = not inside, i
    return places


def is_escaped(text: str, at: int) -> bool:
    """Whether an odd number of backslashes stands before."""
    return (at - len(text[:at].rstrip("\\"))) % 2 == 1


def token_places(vocabulary: Vocabulary, text: str) -> list[str]:
    """For each token of a JSON text, what it begins in."""
    places, at, found = places_of(text), 0, []
    data = text.encode()
    for token in vocabulary.encode(text):
        found.append(places[min(len(data[:at].decode(errors="ignore")), len(places) - 1)])
        at += len(vocabulary.tokens[token])
    return found


def read(engine: Any, tokens: list[int]) -> tuple[Times, bool]:
    """One reading: the microseconds of each step, and whether every token was taken."""
    fill, accept = engine.start()
    steps = []
    for token in tokens:
        begin = time.perf_counter()
        fill()
        taken = accept(token)
        steps.append(round((time.perf_counter() - begin) * 1e6, 2))
        if not taken:
            return steps, False
    return steps, True


def first_visits(engine: Any, texts: list[list[int]]) -> list[list[bool]]:
    """For each step whether its mask is one that this schema has not shown before; untimed, an engine with a bitmask."""
    seen: set[bytes] = set()
    found = []
    for tokens in texts:
        fill, accept = engine.start()
        new = []
        for token in tokens:
            fill()
            mask = engine.bitmask.tobytes()
            new.append(mask not in seen)
            seen.add(mask)
            if not accept(token):
                break
        found.append(new)
    return found


def smallest(rounds: list[Times]) -> Times:
    """Step by step."""
    return [min(step) for step in zip(*rounds, strict=True)]


def merged(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """The smallest figures of several answers to one case; the first one's if one of them has none."""
    first = answers[0]
    if any("cold" not in answer for answer in answers):
        return first
    found = {**first, "first mask": min(answer["first mask"] for answer in answers)}
    for turn in ("cold", "warm"):
        found[turn] = [smallest(list(rounds)) for rounds in zip(*(answer[turn] for answer in answers), strict=True)]
    return found


def time_first_mask(engine: Any, kind: str, grammar: Any) -> float:
    """Compile and the first fill, in microseconds."""
    begin = time.perf_counter()
    engine.compile(kind, grammar)
    engine.start()[0]()
    return (time.perf_counter() - begin) * 1e6


def verdict_of(tests: list[dict[str, Any]], taken: list[bool]) -> str:
    """Whether every instance went as it should."""
    pairs = [(test["valid"], went) for test, went in zip(tests, taken, strict=True)]
    if (False, True) in pairs:
        return "invalid accepted"
    return "valid rejected" if (True, False) in pairs else "passing"


def measure(engine: Any, vocabulary: Vocabulary, case: dict[str, Any], visits: bool) -> dict[str, Any]:
    """Verdict and times of one case; with `visits`, the first visits too."""
    texts = [json.dumps(test["data"], ensure_ascii=False) for test in case["tests"]]
    for text in texts:
        check(vocabulary, text)
    tokens = [engine.encode(text) for text in texts]
    first_masks: Times = []
    cold: list[list[Times]] = []
    warm: list[list[Times]] = []
    taken: list[bool] = []
    for turn in range(NUM_ROUNDS):
        is_slow = bool(first_masks) and first_masks[0] >= SLOW_SECONDS * 1e6
        if turn >= case.get("rounds", NUM_ROUNDS) and not is_slow:
            break
        if not is_slow:
            try:
                first_masks.append(time_first_mask(engine, "schema", case["schema"]))
            except Exception as error:
                return {"verdict": "refused", "reason": repr(error)[:200]}
        readings = [read(engine, text) for text in tokens]
        taken = taken or [went for _, went in readings]
        cold.append([steps for steps, _ in readings])
        warm.append([read(engine, text)[0] for text in tokens])
    found: dict[str, Any] = {"verdict": verdict_of(case["tests"], taken), "first mask": round(min(first_masks), 2)}
    found["cold"] = [smallest(list(rounds)) for rounds in zip(*cold, strict=True)]
    found["warm"] = [smallest(list(rounds)) for rounds in zip(*warm, strict=True)]
    if visits:
        found["new"] = first_visits(engine, tokens)
        found["places"] = [token_places(vocabulary, text) for text in texts]
    return found
