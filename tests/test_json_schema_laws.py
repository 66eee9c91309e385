"""JSON Schema: whatever the masks allow is valid, whatever is valid they allow, and no state is a dead end."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import jsonschema
import penstock
import pytest
from helpers.corpus import read_cases
from helpers.engine import accepts, compiler, is_start, mask_of
from helpers.json_values import is_valid, reversed_members, spellings
from helpers.json_walk import INFO, VOCABULARY, takes, walk
from helpers.random_schemas import schemas, values_near
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reference.json_text import parse, texts

SEEDS = st.integers(0, 2**32 - 1)
CASES = [c for c in read_cases("matcher") if "schema" in c.blocks and not {"trace", "error", "options"} & set(c.blocks)]


def compile_schema(schema: Any, **options: Any) -> penstock.CompiledGrammar:
    return compiler(INFO).compile_json_schema(schema, **options)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_walks_end_in_valid_values(case) -> None:
    schema = case.json("schema")
    compiled = compile_schema(schema)
    for seed in range(12):
        text = walk(compiled, random.Random(seed), schema)
        assert is_valid(schema, parse(text)), text


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_masks_are_what_bytes_allow(case) -> None:
    """In every state of a walk, each token of the mask against the recogniser, which knows no masks; memo on, off and cold."""
    schema = case.json("schema")
    compiled = compile_schema(schema)
    without = compiler(INFO)._compile_without(penstock.Grammar.from_json_schema(schema), ["mask_memory"])

    def check(matcher, text: bytes, allowed: set[int]) -> None:
        wanted = {t for t in range(VOCABULARY.size - 1) if matcher.fork().accept_bytes(VOCABULARY.bytes_of(t))}
        assert allowed - {VOCABULARY.size - 1} == wanted, text
        other = penstock.Matcher(without)
        assert other.accept_bytes(text)
        assert mask_of(other, VOCABULARY.size) == allowed, text

    for seed in range(2):
        walk(compiled, random.Random(seed), schema, num_free=12, check=check)


@settings(max_examples=60)
@given(st.data(), schemas(), SEEDS)
def test_random_schemas_take_what_is_valid(data: st.DataObject, schema: Any, seed: int) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    values = data.draw(st.lists(values_near(schema), min_size=4, max_size=10))
    rng = random.Random(seed)
    try:
        compiled = compile_schema(schema)
    except penstock.EmptyLanguageError:
        assert not [value for value in values if is_valid(schema, value)]
        return
    for value in values:
        wanted = is_valid(schema, value)
        text = rng.choice(spellings(value) + spellings(reversed_members(value)))
        assert takes(compiled, text, rng) == wanted, text


@settings(max_examples=50)
@given(schemas(), SEEDS)
def test_random_schemas_write_what_is_valid(schema: Any, seed: int) -> None:
    try:
        compiled = compile_schema(schema)
    except penstock.EmptyLanguageError:
        assume(False)
    for turn in range(3):
        text = walk(compiled, random.Random(seed + turn), schema, num_free=15)
        assert is_valid(schema, parse(text)), text


@settings(max_examples=40)
@given(
    schemas(),
    st.data(),
    st.sampled_from([{"whitespace": "compact"}, {"indent": 2}, {"indent": 0}, {"separators": (", ", ": ")}]),
)
def test_whitespace_styles(schema: Any, data: st.DataObject, options: dict[str, Any]) -> None:
    """Each style takes the one spelling that json.dumps writes with it, and refuses those that differ."""
    dumps = {"separators": (",", ":")} if "whitespace" in options else options
    values = [value for value in data.draw(st.lists(values_near(schema), min_size=3, max_size=6)) if is_valid(schema, value)]
    assume(values)
    compiled = compile_schema(schema, **options)
    for value in values:
        text = json.dumps(value, **dumps)
        assert accepts(compiled, text.encode()), text
        for other in (
            json.dumps(value),
            json.dumps(value, indent=2),
            json.dumps(value, indent=1),
            json.dumps(value, separators=(",", ":")),
        ):
            assert accepts(compiled, other.encode()) == (other == text), other
    text = walk(compiled, random.Random(0), schema, num_free=20)
    assert text.decode() == respelled(text, dumps), "whatever is written has this style"


def respelled(text: bytes, dumps: dict[str, Any]) -> str:
    """The same text with the whitespace of json.dumps; numbers and strings stay as they were written."""
    tokens: list[str] = []

    def keep(spelling: str) -> str:
        tokens.append(spelling)
        return f"@{len(tokens) - 1}"

    import re

    kept = re.sub(
        r'"(?:[^"\\]|\\.)*"|-?[0-9][-+.eE0-9]*', lambda found: json.dumps(keep(found.group())), text.decode(), flags=re.DOTALL
    )
    return re.sub(r'"@([0-9]+)"', lambda found: tokens[int(found.group(1))], json.dumps(json.loads(kept), **dumps))


TINY = {
    "names": (
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "ab": True},
            "required": ["ab"],
            "additionalProperties": False,
        },
        7,
    ),
    "others": ({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "object"}}, 7),
    "nested": (
        {
            "type": "object",
            "properties": {"a": {"$ref": "#"}, "ab": {"$ref": "#"}},
            "additionalProperties": False,
            "maxProperties": 1,
        },
        7,
    ),
    "items": ({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"enum": ["a", "ab", [1]]}, "minItems": 2}, 7),
    "numbers": ({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 11}, "maxItems": 2}, 7),
    "any": (
        {
            "anyOf": [
                {"type": "array", "items": {"const": "a"}},
                {"type": "array", "items": {"type": "integer"}, "maxItems": 1},
                {"required": ["a"], "type": "object"},
            ]
        },
        7,
    ),
}


@pytest.mark.parametrize("name", TINY)
def test_all_short_texts(name: str) -> None:
    """Every text of a few pieces: taken exactly if valid; every start of a valid one can be completed."""
    schema, most = TINY[name]
    compiled = compile_schema(schema)
    pieces = [b"{", b"}", b'"a"', b'"ab"', b"1", b",", b":", b"[", b"]"]
    valid = set()
    for text, value in texts(pieces, most):
        wanted = is_valid(schema, value)
        assert accepts(compiled, text) == wanted, text
        if wanted:
            valid.add(text)
    assert valid
    for start in {text[:end] for text in valid for end in range(len(text))}:
        assert is_start(compiled, start), start


@pytest.mark.parametrize("name", TINY)
def test_every_start_has_an_end(name: str) -> None:
    """Whatever the engine takes as a start of a few bytes, some text completes, and it is valid."""
    schema, _ = TINY[name]
    compiled = compile_schema(schema)
    rng, level, num_completed = random.Random(0), [b""], 0
    for _ in range(7):
        level = [
            text + bytes([byte]) for text in level for byte in b'{}[]",:1.eab\\ ' if is_start(compiled, text + bytes([byte]))
        ]
        level = rng.sample(level, min(len(level), 30))
        for text in level:
            matcher = penstock.Matcher(compiled)
            assert matcher.accept_bytes(text)
            try:
                rest = matcher.shortest_completion_bytes()
            except penstock.LimitError:
                continue
            num_completed += 1
            assert is_valid(schema, parse(text + rest)), text
    assert num_completed > 30


def recorded_cases(shared_data, stride: int) -> list[dict[str, Any]]:
    with gzip.open(shared_data / "maskbench-dev.jsonl.gz", "rt") as lines:
        return [json.loads(line) for number, line in enumerate(lines) if number % stride == 0]


def test_walks_through_recorded_schemas(shared_data) -> None:
    """Schemas that people wrote: walks end, in values that the jsonschema package takes."""
    wrong, seen = [], 0
    for case in recorded_cases(shared_data, 29):
        if len(json.dumps(case["schema"])) > 20_000:
            continue
        try:
            compiled = compile_schema(case["schema"])
        except penstock.PenstockError:
            continue
        seen += 1
        text = walk(compiled, random.Random(seen), case["schema"], num_free=60)
        if not is_valid(case["schema"], parse(text)):
            wrong.append((case["id"], text))
    assert seen > 60
    assert not wrong
