"""`uniqueItems`: what may come next is what trying every array says, in masks, through forks and rollbacks; no dead ends."""

from __future__ import annotations

import json
import random
from typing import Any

import penstock
import pytest
from helpers.engine import accepts, byte_info, byte_vocabulary, compiler, is_start, mask_of
from helpers.json_values import is_valid
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from reference import unique_items as twin
from reference.json_text import parse, texts

# Tokens that end an item and hold the next one whole: only what was written before tells whether they may come.
PIECES = (
    *(b"1,", b",1", b"1,1", b",1,2", b"2,1,", b"1,2]", b"0,1.0", b"1e0,1", b"null,", b"true,false", b",null,null"),
    *(b'","', b'", "', b'"a","', b'a","a"', b'"a","b"', b'b","a"', b'",""', b'","",', b'"]', b'ab","', b'","b"]', b"\\u0061"),
    *(
        b"[]",
        b"],[",
        b"],[]",
        b"[0],[0]",
        b"[0],[1]",
        b"[[",
        b'{"a"',
        b'{"a":',
        b"},{",
        b'},{"',
        b'":0},{"a":0}',
        b"{}",
        b"{},{}",
    ),
    *(b", ", b",\n", b"\n ", b"00", b"10", b".0", b"]]", b"}]"),
)
INFO, VOCABULARY = byte_info(PIECES), byte_vocabulary(PIECES)
STOP = VOCABULARY.size - 1

VALUES = [None, True, False, 0, 1, 2, "", "a", "b", "ab", [], [0], [1], {}, {"a": 0}, {"a": 1}, {"b": 0}]
FEW = [
    {"type": "boolean"},
    {"enum": [0, 1]},
    {"enum": ["a", "b"]},
    {"enum": [0, "a", [0]]},
    {"type": "integer", "minimum": 0, "maximum": 2},
    {"type": "array", "maxItems": 1, "items": {"enum": [0, 1]}},
    {"type": "object", "propertyNames": {"enum": ["a"]}, "additionalProperties": {"const": 0}},
    {"type": "string", "pattern": "^[ab]?$"},
    {"type": "string"},
    {"type": "string", "maxLength": 1},
    {"type": "integer"},
    {"type": "array", "items": {"type": "string"}},
    {"type": "object", "required": ["a"]},
    True,
]


@st.composite
def parts(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """One thing to say about an array."""
    few, count = st.sampled_from(FEW), st.integers(1, 3)
    ways = [
        st.fixed_dictionaries({"items": few}),
        st.fixed_dictionaries({"prefixItems": st.lists(few, min_size=1, max_size=3), "items": few}),
        st.fixed_dictionaries({"contains": few, "minContains": count}),
        st.fixed_dictionaries({"contains": few, "minContains": st.just(0), "maxContains": count}),
        st.fixed_dictionaries({"minItems": count}),
        st.fixed_dictionaries({"maxItems": count}),
        st.just({"uniqueItems": True}),
    ]
    if depth:
        inner = parts(depth - 1)
        pair = st.lists(inner, min_size=2, max_size=2)
        ways += [st.fixed_dictionaries({"not": inner}), st.fixed_dictionaries({"anyOf": pair})]
        ways += [st.fixed_dictionaries({"oneOf": pair}), st.fixed_dictionaries({"if": inner, "then": inner, "else": inner})]
    return draw(st.one_of(ways))


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """An array whose items must differ, and more about it; or an array of such arrays."""
    said = draw(st.lists(parts(), min_size=1, max_size=3))
    schema = {"type": "array", "allOf": [*said, {"uniqueItems": draw(st.sampled_from([True, True, True, False]))}]}
    if draw(st.integers(0, 5)) == 0:
        return {"type": "array", "items": schema, "uniqueItems": True, "maxItems": 3}
    return schema


def compile_or_skip(schema: Any, values: list[Any]) -> penstock.CompiledGrammar:
    try:
        return compiler(INFO).compile_json_schema(schema)
    except penstock.EmptyLanguageError:
        assert not [value for value in values if is_valid(schema, value)]
        assume(False)
        raise


def arrays_near(schema: Any) -> st.SearchStrategy:
    item = st.sampled_from(VALUES)
    return st.lists(st.one_of(item, st.lists(item, max_size=2)), max_size=4)


@settings(max_examples=80)
@given(st.data(), schemas())
def test_arrays_are_taken_if_valid(data: st.DataObject, schema: Any) -> None:
    values = data.draw(st.lists(arrays_near(schema), min_size=6, max_size=12))
    compiled = compile_or_skip(schema, values)
    for value in values:
        text = json.dumps(value).encode()
        assert accepts(compiled, text) == is_valid(schema, value), (schema, value)


@settings(max_examples=40)
@given(schemas(), st.integers(0, 2**32 - 1), st.sampled_from(["mask_memory", "answer_keys", "slices", "string_tables"]))
def test_walks_along_masks_end_in_valid_arrays(schema: Any, seed: int, technique: str) -> None:
    """Each mask is what the recogniser takes token by token; with a shortcut, without, and at the second visit."""
    compiled = compile_or_skip(schema, [])
    without = compiler(INFO)._compile_without(penstock.Grammar.from_json_schema(schema), [technique])
    rng, text = random.Random(seed), b""
    matcher, other = penstock.Matcher(compiled), penstock.Matcher(without)
    for _ in range(18):
        try:
            allowed = mask_of(matcher, VOCABULARY.size)
        except penstock.LimitError:  # an answer, too: nests of choices ask for many verdicts at once
            reject()
        assert allowed, f"a dead end after {text!r}"
        wanted = {t for t in range(STOP) if matcher.fork().accept_bytes(VOCABULARY.bytes_of(t))}
        assert allowed - {STOP} == wanted, text
        assert mask_of(matcher, VOCABULARY.size) == mask_of(other, VOCABULARY.size) == allowed, text
        if STOP in allowed and (allowed == {STOP} or rng.random() < 0.1):
            break
        long = [token for token in allowed if 256 <= token < STOP]
        token = rng.choice(sorted(long if long and rng.random() < 0.6 else allowed - {STOP}))
        assert matcher.accept_token(token), text
        assert other.accept_token(token), text
        text += VOCABULARY.bytes_of(token)
    else:
        try:
            text += matcher.shortest_completion_bytes()
        except penstock.LimitError:
            return
    assert is_valid(schema, parse(text)), text


PLACES = st.lists(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique_by=repr), min_size=1, max_size=4)


@settings(max_examples=60)
@given(PLACES, st.integers(0, 3), st.booleans())
def test_next_items_are_those_of_the_twin(places: list[list[Any]], least: int, differ: bool) -> None:
    least = min(least, len(places))
    rule = {"uniqueItems": True} if differ else {"not": {"uniqueItems": True}}
    prefix = [{"enum": place} for place in places]
    schema = {"type": "array", "prefixItems": prefix, "items": False, "minItems": least, **rule}
    if next(twin.fillings(places, least, differ), None) is None:
        with pytest.raises(penstock.EmptyLanguageError):
            compiler(INFO).compile_json_schema(schema)
        return
    compiled = compiler(INFO).compile_json_schema(schema, whitespace="compact")
    level: list[list[Any]] = [[]]
    while level:
        before = level.pop()
        text = json.dumps(before, separators=(",", ":"))[:-1]
        assert accepts(compiled, (text + "]").encode()) == twin.may_end(places, least, before, differ)
        follows = twin.next_items(places, least, before, differ)
        for value in VALUES:
            longer = (text + "," * bool(before) + json.dumps(value, separators=(",", ":"))).encode()
            taken = is_start(compiled, longer + b",") or is_start(compiled, longer + b"]")
            assert taken == (twin.key(value) in map(twin.key, follows)), longer
        level += [[*before, value] for value in follows]


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"enum": [1, 10, "a"]}},
        {"items": {"type": "integer", "minimum": 1, "maximum": 11}, "minItems": 2},
        {"prefixItems": [True, {"const": 1}], "minItems": 2},
        {"items": {"enum": [[], [1], "a"]}, "minItems": 2},
        {"items": {"type": "array", "items": {"const": 1}, "maxItems": 1}},
        {"oneOf": [{"items": {"const": 1}}, {"uniqueItems": True, "minItems": 2}]},
        {"items": {"enum": [1, "a"]}, "uniqueItems": False, "not": {"uniqueItems": True}},
    ],
    ids=json.dumps,
)
def test_all_short_texts(schema: dict[str, Any]) -> None:
    """Every text of a few pieces is taken exactly if it is valid; every start of a valid one can be completed."""
    schema = {"type": "array", "uniqueItems": True} | schema
    compiled = compiler(INFO).compile_json_schema(schema)
    valid = set()
    for text, value in texts([b"1", b"0", b'"a"', b",", b"[", b"]"], 7):
        assert accepts(compiled, text) == is_valid(schema, value), text
        if is_valid(schema, value):
            valid.add(text)
    assert valid
    for start in {text[:end] for text in valid for end in range(len(text))}:
        assert is_start(compiled, start), start


def test_forks_and_rollbacks_keep_what_was_written() -> None:
    schema = {"type": "array", "items": {"type": ["string", "array"], "items": {"type": "integer"}}, "uniqueItems": True}
    compiled = compiler(INFO).compile_json_schema(schema, whitespace="compact")
    matcher = penstock.Matcher(compiled)
    assert matcher.accept_bytes(b'["ab"')
    assert matcher.accept_bytes(b",[1,")
    fork = matcher.fork()
    assert matcher.accept_bytes(b"2]")
    assert fork.accept_bytes(b"3]")
    assert not matcher.fork().accept_bytes(b",[1,2]")
    assert matcher.fork().accept_bytes(b",[1,3]")
    assert fork.fork().accept_bytes(b",[1,2]")
    assert not fork.fork().accept_bytes(b",[1,3]")
    matcher.rollback(2)
    assert matcher.accept_bytes(b",[2,2],[1,2],[1,3]")
    matcher.rollback(2)
    assert matcher.num_tokens == 0
    assert matcher.accept_bytes(b'["a","ab"')
    assert not matcher.accept_bytes(b',"ab"')


def test_long_arrays_stay_exact() -> None:
    """A hundred items, each refused when it comes again, in whatever spelling."""
    compiled = compiler(INFO).compile_json_schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True})
    matcher = penstock.Matcher(compiled)
    assert matcher.accept_bytes(b"[" + b",".join(b"%d" % i for i in range(100)))
    for again in (b",7,", b",70e-1]", b",0.0]", b",99 "):
        assert not matcher.fork().accept_bytes(again)
    assert matcher.accept_bytes(b",100,70e1]")
    assert matcher.is_accepting()


def test_sets_of_python_are_arrays_that_differ() -> None:
    compiled = compiler(INFO).compile(penstock.Grammar.from_type(set[bool]))
    assert accepts(compiled, b"[true,false]")
    assert not is_start(compiled, b"[true,true]")
