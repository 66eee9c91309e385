"""Grammars of one vocabulary share masks: what one made serves another where it holds, and nowhere else."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import penstock
import pytest
from helpers.engine import byte_info, byte_vocabulary, mask_of, masks_before, pick
from helpers.json_walk import PIECES
from helpers.random_schemas import schemas
from hypothesis import given, settings
from hypothesis import strategies as st

# Tokens that end a value and go on into what surrounds it, and names within tokens.
AROUND = [
    b'","',
    b'":"',
    b'"}',
    b'"},{"',
    b'"]',
    b'"],"',
    b'":{',
    b'":[',
    b"1,",
    b"2}",
    b'null,"',
    b'"a":1',
    b'a":',
    b'b":"a',
    b'{"a',
]
EXTRA = (*PIECES, *(piece for piece in AROUND if piece not in PIECES))
INFO, VOCABULARY = byte_info(EXTRA), byte_vocabulary(EXTRA)


def fresh() -> penstock.GrammarCompiler:
    """A compiler over a vocabulary that no grammar has used."""
    return penstock.GrammarCompiler(byte_info.__wrapped__(EXTRA))


def read(compiled: penstock.CompiledGrammar, text: str) -> list[set[int]]:
    """The mask before every byte."""
    return masks_before(compiled, text.encode(), VOCABULARY.size)


def walk_beside(compiler: penstock.GrammarCompiler, schema: Any, rng: random.Random) -> None:
    """A random walk, in which the masks of a grammar that shares and of one that does not are equal."""
    try:
        grammar = penstock.Grammar.from_json_schema(schema)
        sharing, alone = compiler.compile(grammar), compiler._compile_without(grammar, ["shared_masks"])
    except penstock.PenstockError:
        return
    both = penstock.Matcher(sharing), penstock.Matcher(alone)
    for _ in range(20):
        allowed, expected = (mask_of(matcher, VOCABULARY.size) for matcher in both)
        assert allowed == expected, schema
        token = pick(rng, sorted(allowed), VOCABULARY)
        assert all(matcher.accept_token(token) for matcher in both)
        if both[0].is_terminated():
            break


def variants(schema: Any, rng: random.Random) -> list[Any]:
    """The schema, and others that differ from it in one place: what is true of the one is nearly true of them."""
    found = [schema]
    for _ in range(4):
        changed = copy.deepcopy(schema)
        places = list(dictionaries(changed))
        place = rng.choice(places)
        key = rng.choice([*place, "required", "maxProperties", "additionalProperties", "minItems"])
        new = {
            "required": ["a"],
            "maxProperties": 1,
            "minItems": 1,
            "maxLength": 1,
            "type": "string",
            "additionalProperties": False,
        }
        place[key] = new.get(key, rng.choice([True, False, {"type": "integer"}, {"const": "ab"}]))
        found.append(changed)
    return found


def dictionaries(schema: Any) -> Any:
    """All objects within a schema."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from dictionaries(part)


@settings(max_examples=60)
@given(schemas(), st.integers(0, 2**32 - 1))
def test_masks_of_near_schemas_are_those_of_each(schema: Any, seed: int) -> None:
    rng, compiler = random.Random(seed), penstock.GrammarCompiler(INFO)
    for variant in variants(schema if isinstance(schema, dict) else {"items": schema}, rng):
        walk_beside(compiler, variant, rng)


STRING = {"type": "string", "pattern": "^[a-h]{2,6}$"}


def test_a_second_schema_makes_only_what_is_new() -> None:
    compiler = fresh()
    first = compiler.compile_json_schema({"type": "object", "properties": {"a": STRING}, "required": ["a"]})
    read(first, '{"a": "abcd"}')
    second = compiler.compile_json_schema({"type": "object", "properties": {"b": {}, "z": STRING}, "required": ["z"]})
    matcher = penstock.Matcher(second)
    for byte in b'{"z": "':
        mask_of(matcher, VOCABULARY.size)
        assert matcher.accept_bytes(bytes([byte]))
    remembered, made = second.mask_counts
    for byte in b"abc":
        mask_of(matcher, VOCABULARY.size)
        assert matcher.accept_bytes(bytes([byte]))
    assert second.mask_counts[0] > remembered, "the grammar remembers what it took"
    assert second.mask_counts[1] == made, "masks inside an equal string are taken"


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        # The object may end behind the string, or must not: what it still needs is asked, whatever the string is.
        ({"properties": {"a": STRING}}, {"properties": {"a": STRING}, "required": ["b"]}, '{"a":"abc"'),
        ({"properties": {"a": STRING}}, {"properties": {"a": STRING}, "maxProperties": 1}, '{"a":"abc"'),
        (
            {"properties": {"a": {"minimum": 3, "type": "integer"}}},
            {"properties": {"a": {"minimum": 4, "type": "integer"}}},
            '{"a":',
        ),
        ({"items": {"enum": ["ab", 1]}}, {"items": {"enum": ["ab", 2]}}, "["),
        ({"items": STRING}, {"items": STRING, "maxItems": 1}, '["ab"'),
        ({"items": {"items": STRING}}, {"items": {"items": STRING}, "maxItems": 1}, '[["ab"'),
        ({"properties": {"a": {}, "b": {}}}, {"properties": {"a": {}, "b": False}}, '{"'),
        ({"properties": {"ab": {"type": "string"}}}, {"properties": {"ab": {"type": "integer"}}}, '{"a'),
        ({"additionalProperties": {"type": "string"}}, {"additionalProperties": {"type": "integer"}}, '{"a'),
        ({"items": STRING, "uniqueItems": True}, {"items": STRING}, '["ab","cd"'),
    ],
)
def test_schemas_that_differ_where_a_token_reaches_keep_their_masks(first: Any, second: Any, text: str) -> None:
    """Each after the other, in both orders, beside a vocabulary of its own."""
    for pair in ((first, second), (second, first)):
        compiler = fresh()
        for schema in pair:
            schema = {"type": "array" if "items" in schema else "object", **schema}
            alone = fresh().compile_json_schema(schema)
            assert read(compiler.compile_json_schema(schema), text) == read(alone, text), json.dumps(schema)


def test_styles_do_not_mix() -> None:
    compiler, schema = fresh(), {"type": "object", "properties": {"a": {"type": "integer"}}}
    for options, text in (
        ({}, '{"a": 1}'),
        ({"whitespace": "compact"}, '{"a":1}'),
        ({"separators": (", ", ": ")}, '{"a": 1}'),
        ({"indent": 2}, '{\n  "a": 1\n}'),
        ({"indent": 4}, '{\n    "a": 1\n}'),
        ({"max_whitespace": 2}, '{"a":  1}'),
    ):
        alone = fresh().compile_json_schema(schema, **options)
        assert read(compiler.compile_json_schema(schema, **options), text) == read(alone, text)
