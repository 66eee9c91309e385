"""Masks that serve many places: whatever order places are visited in, each gets the mask that a walk of its own finds."""

from __future__ import annotations

import json
import random
from typing import Any

import penstock
import pytest
from helpers.engine import accepted_alone, byte_info, byte_vocabulary, mask_of
from hypothesis import given, settings
from hypothesis import strategies as st

# Names that end alike, so that what is left of them is the same; one ends another, one is empty.
NAMES = ("as", "bs", "abs", "s", "", "aid", "bid", "id", "xé", "yé", "a b")
# Tokens that end a name, and go on into its value and behind it, or end a text and what it stands in.
ENDS = ("", "s", "bs", "id", "d", "é", "b", "as", "q")
FOLLOWING = ('"', '":', '":"', '":1', '":1,"', '":1}', '":{"', '":[', '": "', '":"",', '":null}', '":{"as":', '":{}}')
CLOSING = ('"}', '"}}', '"},', '"},"', '"]', '"],"', '"]}', '","', '"}]', '","as', '","as":', '"],"as":"', '"},{"', '"," ')
PIECES = tuple(dict.fromkeys(f"{end}{rest}".encode() for end in ENDS for rest in FOLLOWING))
PIECES += tuple(
    piece.encode() for piece in (*CLOSING, "1,", '1,"', '1,"as":', "1}", '{"', '{"as":"', '[{"', "]}", '"as', '"q":')
)
PIECES += tuple(f"{text}{rest}".encode() for text in ("q", "as") for rest in CLOSING)
PIECES = tuple(dict.fromkeys(piece for piece in PIECES if len(piece) > 1))
VOCABULARY, INFO = byte_vocabulary(PIECES), byte_info(PIECES)
VALUES = (1, 2, "", "q", "as", None, [], [1], ["q"], {}, {"as": 1}, {"q": "as"}, [{"as": "q"}, {"as": "q"}])


def value_schemas() -> st.SearchStrategy[Any]:
    """What a member may be; some are of one kind and ask differently."""
    plain = [
        True,
        {"type": "string"},
        {"type": "string", "maxLength": 3},
        {"pattern": "^[a-s]*$"},
        {"type": "integer"},
        {"const": 1},
    ]
    plain += [
        {"enum": ["q", "as", 1]},
        {"type": ["object", "string"]},
        {"$ref": "#"},
        {"type": "array", "items": {"$ref": "#"}},
    ]
    plain += [{"type": "array", "uniqueItems": True}, {"type": "array", "items": {"type": "string"}, "maxItems": 2}]
    plain += [
        {"type": "object", "required": ["as"]},
        {"type": "object", "additionalProperties": False, "properties": {"as": {}}},
    ]
    plain += [{"not": {"uniqueItems": True}}, {"oneOf": [{"type": "string"}, {"required": ["q"], "type": "object"}]}]
    return st.sampled_from(plain)


@st.composite
def object_schemas(draw: st.DrawFn) -> dict[str, Any]:
    """An object with some of the names, open or closed."""
    properties = draw(st.dictionaries(st.sampled_from(NAMES), value_schemas(), min_size=1, max_size=7))
    schema: dict[str, Any] = {"properties": properties}
    optional = {
        "type": st.just("object"),
        "additionalProperties": st.one_of(st.just(False), value_schemas()),
        "patternProperties": st.dictionaries(st.sampled_from(("^a", "s$", "^.$")), value_schemas(), min_size=1, max_size=2),
        "required": st.lists(st.sampled_from(sorted(properties)), max_size=2, unique=True),
        "maxProperties": st.integers(1, 3),
        "minProperties": st.integers(1, 2),
        "dependentRequired": st.just({"as": ["q"], "q": ["bs"]}),
        "propertyNames": st.sampled_from(({"maxLength": 2}, {"pattern": "s$"}, {"enum": ["as", "bs", "q"]})),
    }
    for keyword, values in optional.items():
        if draw(st.integers(0, 3)) == 0 or (keyword == "type" and draw(st.booleans())):
            schema[keyword] = draw(values)
    return schema


def documents(rng: random.Random, count: int) -> list[bytes]:
    """Texts of objects, some within others."""
    texts = []
    for _ in range(count):
        value: Any = rng.choice(VALUES)
        for _ in range(rng.randint(1, 3)):
            members = [(rng.choice((*NAMES, "q", "zs")), rng.choice(VALUES)) for _ in range(rng.randint(0, 2))]
            members.insert(rng.randint(0, len(members)), (rng.choice((*NAMES, "q")), value))
            value = dict(members)
        texts.append(
            json.dumps(value, ensure_ascii=rng.random() < 0.2, separators=rng.choice(((",", ":"), (", ", ": ")))).encode()
        )
    return texts


def masks_along(compiled: penstock.CompiledGrammar, texts: list[bytes]) -> dict[bytes, set[int]]:
    """The mask behind every prefix of the texts that the grammar takes."""
    found: dict[bytes, set[int]] = {}
    for text in texts:
        matcher = penstock.Matcher(compiled)
        for at in range(len(text) + 1):
            found[text[:at]] = mask_of(matcher, VOCABULARY.size)
            if not matcher.accept_bytes(text[at : at + 1]) or at == len(text):
                break
    return found


def check(schema: Any, seed: int, num_texts: int) -> None:
    """Masks by one order of visits, by another, and by walks that remember nothing; some by trying every token."""
    grammar, compiler, rng = penstock.Grammar.from_json_schema(schema), penstock.GrammarCompiler(INFO), random.Random(seed)
    try:
        one, other = compiler._compile_without(grammar, []), compiler._compile_without(grammar, [])
    except (penstock.EmptyLanguageError, penstock.UnsupportedFeatureError):
        return
    texts = documents(rng, num_texts)
    expected = masks_along(compiler._compile_without(grammar, ["mask_memory"]), texts)
    assert masks_along(one, texts) == expected
    assert masks_along(other, rng.sample(texts, len(texts))) == expected
    for text in rng.sample(sorted(expected), min(8, len(expected))):
        matcher = penstock.Matcher(one)
        assert not text or matcher.accept_bytes(text)
        assert mask_of(matcher, VOCABULARY.size) == accepted_alone(matcher, range(VOCABULARY.size)), text


@settings(max_examples=60)
@given(object_schemas(), st.integers(0, 2**32 - 1))
def test_the_order_of_visits_changes_no_mask(schema: dict[str, Any], seed: int) -> None:
    check(schema, seed, 12)


@pytest.mark.parametrize("order", [1, -1])
def test_names_with_the_same_end_share_masks_and_answer_for_themselves(order: int) -> None:
    """Far from its end a name has the mask of any other name; near it, that of names with the same end and the same values."""
    names = ("abcdefgas", "bcdefghbas", "cdefghcas", "defghdas")[::order]
    kinds: dict[str, Any] = dict(
        zip(sorted(names), ({"type": "string"}, {"type": "string"}, {"type": "integer"}, False), strict=True)
    )
    compiled = penstock.GrammarCompiler(INFO).compile_json_schema({"type": "object", "properties": kinds})
    last = {b'as":"': 0, b'as":1': 0}
    for name in names:
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_bytes(b'{"')
        for byte in name[:-2].encode():
            mask_of(matcher, VOCABULARY.size)
            assert matcher.accept_bytes(bytes([byte]))
        allowed = mask_of(matcher, VOCABULARY.size)
        assert allowed == accepted_alone(matcher, range(VOCABULARY.size))
        for piece in last:
            last[piece] += VOCABULARY.spellings.index(piece) in allowed
    assert last == {b'as":"': 2, b'as":1': 1}
    # Inside a name: far from every end, and with `as` left of a name of strings, of integers, and of one that may not come.
    assert compiled.mask_counts[0] == 4
