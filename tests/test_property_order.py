"""`property_order="schema"`: members in the order of the schema, others after them; what is valid stays what it was."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import penstock
import pytest
from helpers.engine import accepts, compiler, is_start
from helpers.json_values import is_valid
from helpers.json_walk import INFO, walk
from helpers.random_schemas import schemas, values_near
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reference.json_text import parse


def compile_ordered(schema: Any) -> penstock.CompiledGrammar:
    return compiler(INFO).compile_json_schema(schema, property_order="schema")


def is_ordered(value: Any, names: list[str]) -> bool:
    """Whether an object's members come as `names` lists them, others behind."""
    places = [names.index(name) if name in names else len(names) for name in value]
    return places == sorted(places)


NAMES = ["b", "a", "c"]
FLAT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "free": ({"properties": {"b": True, "a": True}}, ["b", "a"]),
    "required": ({"properties": {"b": True, "a": True}, "required": ["a"]}, ["b", "a"]),
    "others required": ({"properties": {"b": True}, "required": ["a"]}, ["b"]),
    "closed": ({"properties": {"b": True, "c": True, "a": True}, "additionalProperties": False}, ["b", "c", "a"]),
    "counted": (
        {"properties": {"c": True, "b": True, "a": True}, "additionalProperties": False, "minProperties": 2},
        ["c", "b", "a"],
    ),
    "at most": ({"properties": {"c": True, "b": True}, "maxProperties": 1}, ["c", "b"]),
    "patterns": ({"properties": {"c": True}, "patternProperties": {"^[ab]$": {"type": "integer"}}, "minProperties": 2}, ["c"]),
    "all of": (
        {"properties": {"c": True}, "allOf": [{"properties": {"a": True}}, {"properties": {"b": True}}]},
        ["c", "a", "b"],
    ),
    "any of": ({"anyOf": [{"properties": {"b": {"const": 1}}, "required": ["b"]}, {"properties": {"a": True}}]}, ["b", "a"]),
    "one of": (
        {"oneOf": [{"required": ["b"], "properties": {"b": True, "a": True}}, {"required": ["c"], "properties": {"c": True}}]},
        ["b", "a", "c"],
    ),
    "reference": ({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"b": True, "a": True}, "required": ["a"]}}}, ["b", "a"]),
    "dependent": ({"properties": {"b": True, "a": True}, "dependentRequired": {"a": ["b"]}}, ["b", "a"]),
    "dependent on later": ({"properties": {"b": True, "a": True}, "dependentRequired": {"b": ["a"], "a": ["c"]}}, ["b", "a"]),
    "condition": (
        {"if": {"properties": {"a": {"const": 1}}}, "then": {"properties": {"b": True}}, "else": {"required": ["c"]}},
        ["a", "b"],
    ),
    "unevaluated": (
        {"anyOf": [{"properties": {"b": True}}, {"properties": {"a": {"const": 1}}}], "unevaluatedProperties": False},
        ["b", "a"],
    ),
    "not": ({"properties": {"c": True, "a": True}, "not": {"required": ["b"], "properties": {"b": True}}}, ["c", "a"]),
}


@pytest.mark.parametrize("name", FLAT)
def test_all_objects_of_three_names(name: str) -> None:
    """Every object of up to three names and two values, in every order: taken exactly if valid and ordered, and no dead end."""
    schema, names = FLAT[name]
    schema = {"type": "object", **schema}
    compiled = compile_ordered(schema)
    taken = []
    for count in range(4):
        for chosen in itertools.permutations(NAMES, count):
            for values in itertools.product([1, "x"], repeat=count):
                value = dict(zip(chosen, values, strict=True))
                text = json.dumps(value).encode()
                wanted = is_valid(schema, value) and is_ordered(value, names)
                assert accepts(compiled, text) == wanted, text
                if wanted:
                    taken.append(text)
    assert taken
    for text in taken:
        assert all(is_start(compiled, text[:end]) for end in range(len(text)))
    for seed in range(10):
        text = walk(compiled, random.Random(seed), schema, num_free=12)
        assert is_valid(schema, parse(text)), text
        assert is_ordered(parse(text), names), text


def test_objects_inside_objects_and_arrays_are_ordered_too() -> None:
    inner = {"type": "object", "properties": {"z": True, "y": True}}
    schema = {
        "type": "object",
        "properties": {"b": inner, "a": {"type": "array", "items": inner}},
        "additionalProperties": inner,
    }
    compiled = compile_ordered(schema)
    assert accepts(compiled, b'{"b": {"z": 1, "y": 2}, "a": [{"z": 1, "y": 2, "x": 3}], "c": {"y": 1}}')
    for wrong in (b'{"b": {"y": 2, "z"', b'{"a": [{"y": 2, "z"', b'{"c": {"y": 1, "z"', b'{"a": [], "b"', b'{"c": {}, "a"'):
        assert not is_start(compiled, wrong + b":1"), wrong


def test_an_order_never_makes_a_branch_of_one_of_fail() -> None:
    """Both branches hold of `{"a": 1, "b": 1}`, in whatever order each of them lists its names."""
    schema = {
        "type": "object",
        "properties": {
            "x": {
                "oneOf": [
                    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a"]},
                    {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}, "required": ["b"]},
                ]
            }
        },
    }
    compiled = compile_ordered(schema)
    for text in (b'{"x": {"a": 1, "b": 1}}', b'{"x": {"b": 1, "a": 1}}'):
        assert not is_valid(schema, parse(text))
        assert not accepts(compiled, text)
    assert accepts(compiled, b'{"x": {"a": 1}}')
    assert accepts(compiled, b'{"x": {"b": 1}}')


@settings(max_examples=40)
@given(schemas(), st.data())
def test_an_order_only_takes_away(schema: Any, data: st.DataObject) -> None:
    """What is taken with an order is taken without one; and of the orders of a valid value's members, one is taken."""
    try:
        ordered, free = compile_ordered(schema), compiler(INFO).compile_json_schema(schema)
    except penstock.EmptyLanguageError:
        assume(False)
    for value in data.draw(st.lists(values_near(schema), min_size=3, max_size=6)):
        text = json.dumps(value).encode()
        assert not accepts(ordered, text) or accepts(free, text)
        if isinstance(value, dict) and len(value) <= 3 and not any(isinstance(part, (dict, list)) for part in value.values()):
            orders = [dict(order) for order in itertools.permutations(value.items())]
            taken = [order for order in orders if accepts(ordered, json.dumps(order).encode())]
            assert bool(taken) == is_valid(schema, value), value
    text = walk(ordered, random.Random(0), schema, num_free=15)
    assert is_valid(schema, parse(text)), text
    assert accepts(free, text), text
