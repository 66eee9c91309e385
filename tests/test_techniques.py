"""Leaving out a technique of the engine changes what masks cost and never what they are."""

from __future__ import annotations

import itertools
import random

import penstock
import pytest
from helpers.engine import accepted_alone, byte_info, byte_vocabulary, mask_of, pick
from helpers.json_walk import PIECES
from helpers.random_grammars import grammars
from helpers.random_schemas import schemas
from helpers.real_grammars import REAL_GRAMMARS
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.grammar import to_ebnf
from reference.matcher import Vocabulary

TECHNIQUES = penstock.GrammarCompiler._techniques()
SEEDS = st.integers(0, 2**32 - 1)
# Enough words of one kind of character that the vocabulary is cut into slices.
WORDS = ["".join(pair).encode() for pair in itertools.product("abcdefghij", "abcdefgh ")]
# Whole members within one token: what may follow a name depends on the name.
MEMBERS = [f'{name}":{value}'.encode() for name in ("", "a", "b", "ab", "c") for value in ("1}", '1,"', '""}', "1")]
MEMBERS += [b'a":1,"a":1}', b'a":1,"b":1}', b'"a":1,"a":2', b'"a":1,"b":2', b'":1,"a":1}', b',"b":1,"c":1']
EXTRA = (*PIECES, *(word for word in (*WORDS, *MEMBERS, b"\xa9a", b"a\xf0\x9f") if word not in PIECES))
INFO, VOCABULARY = byte_info(EXTRA), byte_vocabulary(EXTRA)
# Vocabularies have a token for each number to 999; some here are longer than a number may be, or go on behind it.
NUMBERS = [*(f"{number}".encode() for number in range(120)), *(f"{number:03}".encode() for number in range(0, 1000, 37))]
NUMBERS += [b"0" * 20, b"7" * 127, b"7" * 128, b"12,", b"3]", b"0.5", b".25", b"5e", b"e3", b"-1", b" 40", b"00}"]
NUMERIC = (*PIECES, *(word for word in NUMBERS if word not in PIECES))
NUMERIC_INFO, NUMERIC_VOCABULARY = byte_info(NUMERIC), byte_vocabulary(NUMERIC)
NUMERIC_SCHEMAS = (
    {"type": "number"},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": {"type": "integer", "minimum": 5, "maximum": 1200}, "minItems": 1},
    {"type": "array", "items": {"type": "number", "exclusiveMaximum": 10**6}, "uniqueItems": True, "minItems": 1},
    {"type": "array", "items": {"type": "number", "multipleOf": 0.5}, "minItems": 2},
    {"type": "array", "items": {"type": "integer", "not": {"multipleOf": 7}}, "minItems": 1},
    {"type": "object", "additionalProperties": {"oneOf": [{"type": "integer"}, {"minimum": 100}]}, "minProperties": 1},
)
SCHEMAS = (
    {
        "type": "object",
        "properties": {"ab": {"type": "string"}, "b": {"$ref": "#"}},
        "additionalProperties": {"type": "integer"},
    },
    {"type": "array", "items": {"type": "string", "pattern": "^[a-h ]+$", "maxLength": 5}, "minItems": 1},
    {"type": "array", "items": {"type": "string", "pattern": "^[a-j]{2,5}$", "minLength": 3}, "minItems": 1},
    {"type": "array", "items": {"type": "string", "pattern": "^([a-h]+ ){0,2}[a-h]+$", "minLength": 4, "maxLength": 9}},
    {"type": "array", "items": {"type": "string", "pattern": "^[a-h](ab|[ c-h]{0,6})$"}, "minItems": 1},
    {"type": "array", "items": {"type": "string", "minLength": 2, "maxLength": 4}, "minItems": 1},
    {"type": "object", "patternProperties": {"^a": {"type": "string", "maxLength": 3}, "b$": {"minLength": 2}}},
    {"type": "object", "properties": {"a": {"type": "object"}}, "propertyNames": {"pattern": "^[a-d]{1,3}$"}},
    {"type": "object", "oneOf": [{"patternProperties": {"^a": False}}, {"minProperties": 2}]},
    {"type": "object", "not": {"patternProperties": {"^a": False}}},
    # Objects in which a name is of one of several classes, some of them with few names, others that the schema leaves open.
    {
        "type": "array",
        "items": {
            "patternProperties": {"^[ab]$": {"type": "integer"}, "^(a|c)": {"type": ["integer", "object"]}},
            "additionalProperties": {"const": 1},
        },
    },
    {
        "type": "object",
        "patternProperties": {"^[ab]$": {"const": 1}, "^[bc]$": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    {
        "type": "object",
        "anyOf": [{"patternProperties": {"^a": {"type": "integer"}}}, {"patternProperties": {"b$": {"type": "string"}}}],
        "unevaluatedProperties": False,
    },
    {"type": "object", "if": {"propertyNames": {"pattern": "^b"}}, "then": {"minProperties": 2}, "else": {"maxProperties": 1}},
    {"oneOf": [{"type": "object", "required": ["a"]}, {"type": "object", "properties": {"b": {"enum": ["ab", 10, None]}}}]},
)


def check(
    grammar: penstock.Grammar,
    seed: int,
    num_walks: int = 2,
    num_steps: int = 12,
    over: tuple[penstock.TokenizerInfo, Vocabulary] = (INFO, VOCABULARY),
) -> None:
    """Random walks along the masks of the whole engine; without each technique, and without any, the masks are equal."""
    info, vocabulary = over
    compiler = penstock.GrammarCompiler(info)
    try:
        whole = compiler.compile(grammar)
    except (penstock.EmptyLanguageError, penstock.UnsupportedFeatureError):
        return
    others = {name: compiler._compile_without(grammar, [name]) for name in TECHNIQUES}
    others["all of them"] = compiler._compile_without(grammar, TECHNIQUES)
    rng = random.Random(seed)
    for _ in range(num_walks):
        matchers = {name: penstock.Matcher(compiled) for name, compiled in others.items()}
        matcher = penstock.Matcher(whole)
        for _ in range(num_steps):
            allowed = mask_of(matcher, vocabulary.size)
            assert allowed == accepted_alone(matcher, range(vocabulary.size))
            for name, other in matchers.items():
                assert mask_of(other, vocabulary.size) == allowed, name
                assert mask_of(other, vocabulary.size) == allowed, f"{name}, the second time"
            token = pick(rng, sorted(allowed), vocabulary)
            assert matcher.accept_token(token)
            assert all(other.accept_token(token) for other in matchers.values())
            if matcher.is_terminated():
                break


@settings(max_examples=25)
@given(grammars(), SEEDS)
def test_masks_of_random_grammars_are_the_same(grammar, seed: int) -> None:
    check(penstock.Grammar.from_ebnf(to_ebnf(grammar)), seed)


@settings(max_examples=25)
@given(schemas(), SEEDS)
def test_masks_of_random_schemas_are_the_same(schema, seed: int) -> None:
    check(penstock.Grammar.from_json_schema(schema), seed)


@pytest.mark.parametrize("name", sorted(REAL_GRAMMARS))
@pytest.mark.parametrize("seed", range(2))
def test_masks_of_real_grammars_are_the_same(name: str, seed: int) -> None:
    check(penstock.Grammar.from_ebnf(to_ebnf(REAL_GRAMMARS[name])), seed, num_steps=30)


@pytest.mark.parametrize("number", range(len(SCHEMAS)))
@pytest.mark.parametrize("seed", range(4))
def test_masks_of_schemas_are_the_same(number: int, seed: int) -> None:
    check(penstock.Grammar.from_json_schema(SCHEMAS[number]), seed, num_steps=30)


@pytest.mark.parametrize("number", range(len(NUMERIC_SCHEMAS)))
@pytest.mark.parametrize("seed", range(3))
def test_masks_of_numbers_are_the_same(number: int, seed: int) -> None:
    grammar = penstock.Grammar.from_json_schema(NUMERIC_SCHEMAS[number])
    check(grammar, seed, num_steps=16, over=(NUMERIC_INFO, NUMERIC_VOCABULARY))


@pytest.mark.parametrize("first", ["open", "bounded"])
def test_a_bound_that_no_token_reaches_still_tells_texts_apart(first: str) -> None:
    """A text of 41 characters must begin with `b`, a longer one can be pairs of `a`: no mask serves both strings."""
    string = {"pattern": "^b?(aa)*$", "type": "string", "minLength": 41}
    schema = {"type": "object", "properties": {"open": string, "bounded": {**string, "maxLength": 41}}}
    compiled = penstock.GrammarCompiler(INFO).compile_json_schema(schema)
    for name in (first, "open", "bounded"):
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_bytes(f'{{"{name}":"'.encode())
        allowed = mask_of(matcher, VOCABULARY.size)
        assert allowed == accepted_alone(matcher, range(VOCABULARY.size))
        assert (ord("a") in allowed) == (name == "open")


def test_a_technique_that_is_none_is_named() -> None:
    grammar = penstock.Grammar.from_regex("a")
    with pytest.raises(ValueError, match="no technique `slice`; use some of mask_memory, answer_keys, shared_masks, slices"):
        penstock.GrammarCompiler(INFO)._compile_without(grammar, ["slices", "slice"])


def test_masks_are_remembered_unless_that_is_left_out() -> None:
    """The switches reach the engine: without the memory nothing is kept, and without answers as keys more is."""
    grammar = penstock.Grammar.from_ebnf('root ::= "a" "b" | "(" root ")" | root "," root')
    compiler, text = penstock.GrammarCompiler(INFO), b"((ab,(ab)),ab)"
    counts = []
    for left_out in ([], ["answer_keys"], ["mask_memory"]):
        compiled = compiler._compile_without(grammar, left_out)
        matcher = penstock.Matcher(compiled)
        for byte in text:
            mask_of(matcher, VOCABULARY.size)
            assert matcher.accept_bytes(bytes([byte]))
        counts.append(compiled.mask_counts[0])
    assert counts[0] < counts[1]
    assert counts[2] == 0
