"""Schemas that mean to hurt: each has an exact answer, or is refused with the name of a limit; never a dead end."""

from __future__ import annotations

import json
import random
from typing import Any

import penstock
import pytest
from helpers.engine import accepts, compiler, is_start
from helpers.json_values import is_valid
from helpers.json_walk import INFO, walk

from reference.json_text import parse

Schema = dict[str, Any]


def outcome(schema: Schema) -> penstock.CompiledGrammar | str:
    """The compiled schema, `empty`, or the name of the limit that was reached."""
    try:
        return compiler(INFO).compile_json_schema(schema)
    except penstock.EmptyLanguageError:
        return "empty"
    except penstock.LimitError as error:
        return error.limit


def nested_arrays(depth: int) -> Schema:
    schema: Schema = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema, "minItems": 1}
    return schema


def nested_choices(depth: int, keyword: str) -> Schema:
    schema: Schema = {"type": "object", "required": ["a"]}
    for level in range(depth):
        schema = {keyword: [schema, {"type": "object", "required": [f"n{level}"], "properties": {"a": schema}}]}
    return schema


def disjoint_needs(groups: int, most: int) -> Schema:
    """Of each of some groups of names one is needed, and there is room for `most`."""
    needs = [{"anyOf": [{"required": [f"{letter}{group}"]} for letter in "xy"]} for group in range(groups)]
    return {"type": "object", "allOf": needs, "maxProperties": most}


NAMES = [f"name{number}" for number in range(200)]
EMPTY: dict[str, Schema] = {
    "items that differ, fewer constants": {"type": "array", "items": {"enum": list("abc")}, "minItems": 4, "uniqueItems": True},
    "items that differ, fewer numbers": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 50},
        "minItems": 51,
        "uniqueItems": True,
    },
    "items that differ, fewer words": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[ab]{3}$"},
        "minItems": 9,
        "uniqueItems": True,
    },
    "items that differ, two pigeons for each hole": {
        "type": "array",
        "prefixItems": [{"enum": [number, number + 1]} for number in (0, 0, 0)],
        "minItems": 3,
        "uniqueItems": True,
    },
    "members, fewer names": {"type": "object", "propertyNames": {"pattern": "^[ab]$"}, "minProperties": 3},
    "members, fewer names by patterns": {
        "type": "object",
        "patternProperties": {"^a[0-9]$": True},
        "additionalProperties": False,
        "minProperties": 11,
    },
    "one need more than room": disjoint_needs(5, 4),
    "a tree without leaves": {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}, "minItems": 1}},
    },
    "twins in a tree that differ": {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}, "minItems": 2, "uniqueItems": True}},
    },
}


@pytest.mark.parametrize("name", EMPTY)
def test_what_has_no_value_says_so(name: str) -> None:
    assert outcome(EMPTY[name]) == "empty"


LIVE: dict[str, Schema] = {
    "constants, all used": {"type": "array", "items": {"enum": list("abc")}, "minItems": 3, "uniqueItems": True},
    "members, as many as names": {"type": "object", "propertyNames": {"pattern": "^[ab]$"}, "minProperties": 2},
    "as much room as needs": disjoint_needs(4, 4),
    "many optional members, half of them wanted": {
        "type": "object",
        "properties": {name: {"type": "null"} for name in NAMES[:20]},
        "additionalProperties": False,
        "minProperties": 10,
    },
    "nested choices": nested_choices(6, "anyOf"),
    "nested conjunctions": nested_choices(6, "allOf"),
    "nested counts": {"type": "string", "pattern": "^(([ab]{1,9}){1,9}){1,9}$", "maxLength": 20},
    "recursion through not": {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"type": "object", "properties": {"a": {"not": {"$ref": "#/$defs/n"}}}, "required": ["a"]}},
    },
    "a wide choice, told apart by its last member": {
        "type": "object",
        "oneOf": [
            {
                "properties": {**{f"p{i}": {"type": "integer"} for i in range(20)}, "tag": {"const": f"t{n}"}},
                "required": ["tag"],
            }
            for n in range(60)
        ],
    },
    "trees that differ": {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}, "uniqueItems": True, "maxItems": 2}},
    },
}


@pytest.mark.parametrize("name", LIVE)
def test_walks_end_in_valid_values(name: str) -> None:
    compiled = outcome(LIVE[name])
    assert isinstance(compiled, penstock.CompiledGrammar), compiled
    for seed in range(3):
        text = walk(compiled, random.Random(seed), LIVE[name], num_free=12)
        assert is_valid(LIVE[name], parse(text)), text


def test_two_hundred_optional_members_of_which_a_hundred_are_wanted() -> None:
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in NAMES},
        "additionalProperties": False,
        "minProperties": 100,
    }
    compiled = outcome(schema)
    assert isinstance(compiled, penstock.CompiledGrammar)
    few, enough = ({name: 1 for name in NAMES[:count]} for count in (99, 100))
    assert not accepts(compiled, json.dumps(few).encode())
    assert accepts(compiled, json.dumps(enough).encode())
    assert is_start(compiled, json.dumps(few).encode()[:-1] + b', "name150"')
    assert not is_start(compiled, json.dumps(few).encode())


def test_arrays_nested_eight_hundred_deep() -> None:
    """Written out, and through a reference. Constants may not nest so deep."""
    compiled = outcome(nested_arrays(800))
    assert isinstance(compiled, penstock.CompiledGrammar)
    assert accepts(compiled, b"[" * 800 + b"1" + b"]" * 800)
    assert not is_start(compiled, b"[" * 800 + b"]")
    assert outcome({"const": nested_arrays(800)}) == "max_schema_nesting"
    recursive = {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/n"}}, {"type": "null"}]}},
    }
    compiled = outcome(recursive)
    assert isinstance(compiled, penstock.CompiledGrammar)
    assert accepts(compiled, b"[" * 800 + b"null" + b"]" * 800)


def test_a_hundred_thousand_constants() -> None:
    compiled = outcome({"enum": [f"constant {number}" for number in range(100_000)]})
    assert isinstance(compiled, penstock.CompiledGrammar)
    assert accepts(compiled, b'"constant 77777"')
    assert not is_start(compiled, b'"constant 100000')


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}},
    ],
    ids=json.dumps,
)
def test_references_in_a_circle_are_refused(schema: Schema) -> None:
    with pytest.raises(penstock.UnsupportedFeatureError, match=r"\$ref"):
        compiler(INFO).compile_json_schema(schema)


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
def test_deep_nests_have_an_answer_or_a_limit(keyword: str) -> None:
    for depth in (8, 16):
        found = outcome(nested_choices(depth, keyword))
        assert isinstance(found, penstock.CompiledGrammar) or found in ("max_emptiness_states", "max_verdict_width", "empty")


def test_a_large_contradiction_is_told_roughly() -> None:
    """Megabytes of schema would take minutes to reduce, so the keyword that holds the contradiction is named instead."""
    schema: Schema = {"type": "integer"}
    for level in range(15):
        schema = {"allOf": [schema, {"type": "object", "required": [f"n{level}"], "properties": {f"n{level}": schema}}]}
    with pytest.raises(penstock.EmptyLanguageError) as caught:
        compiler(INFO).compile_json_schema(schema)
    assert caught.value.conflict == [("", "allOf")]


def test_more_items_that_differ_than_anyone_can_list() -> None:
    """Endless values need no list; few values in great number reach a limit that has a name."""
    assert isinstance(
        outcome({"type": "array", "items": {"type": "string"}, "minItems": 5_000, "uniqueItems": True}),
        penstock.CompiledGrammar,
    )
    bounded = {"type": "array", "items": {"enum": [[n] for n in range(600)]}, "minItems": 590, "uniqueItems": True}
    assert outcome(bounded) == "max_witness_size"
