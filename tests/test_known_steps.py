"""Steps that some output made before lead where reading the token leads, however a state was reached."""

from __future__ import annotations

import random

import numpy as np
import penstock
import pytest
from helpers.engine import byte_info, byte_vocabulary, mask_of
from helpers.json_walk import PIECES
from helpers.random_grammars import grammars
from helpers.random_schemas import schemas
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.grammar import to_ebnf

SEEDS = st.integers(0, 2**32 - 1)
EXTRA = (*PIECES, *(word for word in (b'": ', b'", "', b'"}', b"]}", b"}]", b" [", b"ab", b"\xa9a") if word not in PIECES))
INFO, VOCABULARY = byte_info(EXTRA), byte_vocabulary(EXTRA)
SCHEMAS = (
    True,
    {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}, "ab": {"$ref": "#"}}}},
    {"type": "array", "items": {"type": "object", "required": ["a", "b"], "additionalProperties": {"type": "boolean"}}},
    {"type": "array", "uniqueItems": True, "items": {"type": ["array", "integer", "string"], "uniqueItems": True}},
    {"type": "object", "patternProperties": {"^a": {"type": "string", "maxLength": 3}, "b$": {"minLength": 2}}},
    {"type": "array", "items": {"oneOf": [{"type": "string", "pattern": "^[ab]*$"}, {"type": "string", "minLength": 2}]}},
    {"type": "object", "properties": {"ab": {"type": "number"}, "abab": {"$ref": "#"}}, "minProperties": 1},
)


def check(grammar: penstock.Grammar, seed: int, num_moves: int = 60) -> None:
    """Moves some outputs at random, and twins that know no steps; after each move both say the same of the state."""
    compiler = penstock.GrammarCompiler(INFO)
    try:
        compiled = compiler.compile(grammar)
    except (penstock.EmptyLanguageError, penstock.UnsupportedFeatureError):
        return
    plain = compiler._compile_without(grammar, ["known_steps"])
    rng = random.Random(seed)
    outputs = [(penstock.Matcher(compiled), penstock.Matcher(plain))]
    for _ in range(num_moves):
        output = rng.choice(outputs)
        match rng.choices(["accept", "start", "fork", "rollback", "reset", "bytes", "refuse"], [30, 3, 3, 5, 1, 2, 2])[0]:
            case "start":
                outputs.append((penstock.Matcher(compiled), penstock.Matcher(plain)))
            case "fork":
                outputs.append((output[0].fork(), output[1].fork()))
            case "rollback":
                num_tokens = rng.randrange(output[0].num_tokens + 1)
                for matcher in output:
                    matcher.rollback(num_tokens)
            case "reset":
                for matcher in output:
                    matcher.reset()
            case name if not output[0].is_terminated():
                move(rng, name, output)
        agree(output)


def move(rng: random.Random, name: str, output: tuple[penstock.Matcher, penstock.Matcher]) -> None:
    allowed = mask_of(output[0], VOCABULARY.size)
    if name == "refuse":
        refused = sorted(set(range(VOCABULARY.size)) - allowed)
        if refused:
            token = rng.choice(refused)
            assert [matcher.accept_token(token) for matcher in output] == [False, False]
        return
    # A few tokens of many, so that outputs meet in states.
    token = rng.choice([*sorted(allowed)[:2], *sorted(allowed)[-6:], rng.choice(sorted(allowed))])
    spelling = VOCABULARY.spellings[token]
    if name == "bytes" and token not in VOCABULARY.stop_ids:
        assert all(matcher.accept_bytes(spelling) for matcher in output)
    else:
        assert all(matcher.accept_token(token) for matcher in output)


def agree(output: tuple[penstock.Matcher, penstock.Matcher]) -> None:
    matcher, twin = output
    assert matcher.num_tokens == twin.num_tokens
    assert matcher.is_terminated() == twin.is_terminated()
    assert matcher.is_accepting() == twin.is_accepting()
    if not matcher.is_terminated():
        assert mask_of(matcher, VOCABULARY.size) == mask_of(twin, VOCABULARY.size)
        assert matcher.jump_forward_bytes() == twin.jump_forward_bytes()


@settings(max_examples=60)
@given(schemas(), SEEDS)
def test_steps_of_random_schemas(schema, seed: int) -> None:
    check(penstock.Grammar.from_json_schema(schema), seed)


@settings(max_examples=25)
@given(grammars(), SEEDS)
def test_steps_of_random_grammars(grammar, seed: int) -> None:
    check(penstock.Grammar.from_ebnf(to_ebnf(grammar)), seed)


@pytest.mark.parametrize("number", range(len(SCHEMAS)))
@pytest.mark.parametrize("seed", range(4))
def test_steps_of_schemas(number: int, seed: int) -> None:
    check(penstock.Grammar.from_json_schema(SCHEMAS[number]), seed, num_moves=200)


def test_every_kind_of_row_is_written_alike() -> None:
    """NumPy's own arrays take a shorter way than what has only the buffer protocol."""

    class Rows(np.ndarray):
        pass

    compiled = penstock.GrammarCompiler(INFO).compile_json_schema({"type": "array", "items": {"type": "string"}})
    num_words = (VOCABULARY.size + 31) // 32
    for text in (b"", b"[", b'["', b'["ab", '):
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_bytes(text) or not text
        rows = [np.full((3, num_words), -1, np.int32).view(dtype) for dtype in (np.int32, np.uint32)]
        rows += [rows[0].copy().view(Rows), np.full((6, num_words), -1, np.int32)[::2].copy()]
        for row in rows:
            matcher.fill_next_token_bitmask(row, 1)
        one = np.full(num_words, -1, np.int32)
        matcher.fill_next_token_bitmask(one)
        view = memoryview(bytearray(b"\xff" * (4 * num_words))).cast("i")
        matcher.fill_next_token_bitmask(view)
        assert all((row[[0, 2]].view(np.int32) == -1).all() for row in rows)
        assert all((row[1].view(np.int32) == one).all() for row in rows)
        assert (np.asarray(view) == one).all()


@pytest.mark.parametrize("change", ["read_only", "strided", "swapped", "float", "wide", "flat", "far", "scalar"])
def test_rows_that_cannot_be_written_are_refused(change: str) -> None:
    matcher = penstock.Matcher(penstock.GrammarCompiler(INFO).compile_regex("a+b"))
    rows, row = penstock.allocate_token_bitmask(2, VOCABULARY.size), 0
    allowed = mask_of(matcher, VOCABULARY.size)
    match change:
        case "read_only":
            rows.setflags(write=False)
        case "strided":
            rows = np.repeat(rows, 2, axis=1)[:, ::2]
        case "swapped":
            rows = rows.astype(">i4")
        case "float":
            rows = rows.view(np.float32)
        case "wide":
            rows = rows.view(np.int64) if rows.shape[1] % 2 == 0 else rows.astype(np.int64)
        case "flat":
            rows = rows[:, :-1].copy()
        case "far":
            row = 2
        case "scalar":
            rows = np.array(-1, np.int32)
    before = rows.tobytes()
    with pytest.raises(penstock.MatcherStateError):
        matcher.fill_next_token_bitmask(rows, row)
    assert rows.tobytes() == before
    assert mask_of(matcher, VOCABULARY.size) == allowed
