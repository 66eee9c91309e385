"""A saved grammar comes back with its masks, and no file can bring wrong ones."""

from __future__ import annotations

import pickle
import random

import penstock
import pytest
from helpers.engine import byte_info, byte_vocabulary, mask_of, pick
from helpers.json_walk import PIECES
from helpers.random_grammars import grammars
from helpers.random_schemas import schemas
from helpers.real_grammars import REAL_GRAMMARS
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.grammar import to_ebnf

INFO, VOCABULARY = byte_info(PIECES), byte_vocabulary(PIECES)
SEEDS = st.integers(0, 2**32 - 1)
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 3}, "ab": {"$ref": "#"}, "b": {"enum": [1, "ab", None]}},
    "required": ["a"],
}


def walk(compiled: penstock.CompiledGrammar, seed: int, num_steps: int = 15) -> list[tuple[int, set[int]]]:
    """The tokens of a random walk, each with the mask before it."""
    matcher, rng, steps = penstock.Matcher(compiled), random.Random(seed), []
    for _ in range(num_steps):
        allowed = mask_of(matcher, VOCABULARY.size)
        token = pick(rng, sorted(allowed), VOCABULARY)
        steps.append((token, allowed))
        assert matcher.accept_token(token)
        if matcher.is_terminated():
            break
    return steps


def check(grammar: penstock.Grammar, seed: int) -> None:
    """After saving and loading: the same masks along the same walk, and none of them had to be made."""
    try:
        compiled = penstock.GrammarCompiler(INFO).compile(grammar)
    except (penstock.EmptyLanguageError, penstock.UnsupportedFeatureError):
        return
    steps = walk(compiled, seed)
    again = pickle.loads(pickle.dumps(compiled))
    loaded = again.mask_counts
    assert loaded[0] == compiled.mask_counts[0]
    matcher = penstock.Matcher(again)
    for token, allowed in steps:
        assert mask_of(matcher, VOCABULARY.size) == allowed
        assert matcher.accept_token(token)
    assert again.mask_counts == loaded, "a mask was made anew"
    assert again.report == compiled.report
    assert pickle.dumps(again) == pickle.dumps(compiled)


@settings(max_examples=40)
@given(grammars(token_ids=(3, VOCABULARY.size - 1)), SEEDS)
def test_random_grammars_come_back(grammar, seed: int) -> None:
    check(penstock.Grammar.from_ebnf(to_ebnf(grammar)), seed)


@settings(max_examples=40)
@given(schemas(), SEEDS)
def test_random_schemas_come_back(schema, seed: int) -> None:
    check(penstock.Grammar.from_json_schema(schema), seed)


@pytest.mark.parametrize("name", sorted(REAL_GRAMMARS))
def test_real_grammars_come_back(name: str) -> None:
    check(penstock.Grammar.from_ebnf(to_ebnf(REAL_GRAMMARS[name])), 7)


def test_masks_met_by_bytes_and_by_draft_trees_come_back() -> None:
    compiled = penstock.GrammarCompiler(INFO).compile_json_schema(SCHEMA, indent=2)
    matcher = penstock.Matcher(compiled)
    assert matcher.accept_bytes(b'{\n  "a": "\xc3')
    assert mask_of(matcher, VOCABULARY.size)
    fork = matcher.fork()
    assert fork.accept_bytes(b"\xa9")
    assert mask_of(fork, VOCABULARY.size)
    matcher.rollback(1)
    assert mask_of(matcher, VOCABULARY.size)
    again = pickle.loads(pickle.dumps(compiled))
    assert again.mask_counts[0] == compiled.mask_counts[0] == 3


def test_a_file_is_bound_to_its_vocabulary(tmp_path) -> None:
    compiled = penstock.GrammarCompiler(INFO).compile_regex("[ab]+")
    path = tmp_path / "letters.grammar"
    compiled.save(path)
    assert penstock.CompiledGrammar.load(path, INFO).tokenizer_info is INFO
    with pytest.raises(penstock.TokenizerError) as caught:
        penstock.CompiledGrammar.load(path, byte_info((b"ab",)))
    assert caught.value.code == "saved_for_another_vocabulary"
    with pytest.raises(FileNotFoundError):
        penstock.CompiledGrammar.load(tmp_path / "nothing", INFO)


def saved() -> bytes:
    compiled = penstock.GrammarCompiler(INFO).compile_json_schema(SCHEMA)
    for seed in range(3):
        walk(compiled, seed)
    return compiled.__reduce__()[1][0]


def refusal(data: bytes) -> str:
    with pytest.raises(penstock.GrammarError) as caught:
        penstock.CompiledGrammar._from_bytes(data, INFO)
    return caught.value.code


def resealed(body: bytes) -> bytes:
    """The body with the checksum that belongs to it, as whoever forges a file would add: a second writing of the checksum."""
    mask, low, high = 2**64 - 1, 0xA4093822299F31D0, 0x082EFA98EC4E6C89

    def add(value: int) -> None:
        nonlocal low, high
        mixed = (low ^ value) * 0x9E3779B97F4A7C15 & mask
        low = (mixed << 29 | mixed >> 35) & mask
        high = ((high << 23 | high >> 41) & mask) ^ (value * 0xD6E8FEB86659FD93 & mask)
        high = high * 0xA24BAED4963EE407 & mask
        high ^= low >> 17

    add(len(body))
    for start in range(0, len(body), 8):
        add(int.from_bytes(body[start : start + 8].ljust(8, b"\0"), "little"))
    for _ in range(4):
        add(low ^ ((high << 32 | high >> 32) & mask))
    return body + (low << 64 | high).to_bytes(16, "little")


def test_damage_is_seen() -> None:
    data = saved()
    assert resealed(data[:-16]) == data, "the test knows the checksum"
    rng = random.Random(5)
    assert {refusal(data[:length]) for length in range(0, len(data), 7)} == {"saved_grammar_damaged"}
    for _ in range(300):
        place, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        broken = bytearray(data)
        broken[place] ^= bit
        assert refusal(bytes(broken)) == ("saved_grammar_version" if 16 <= place < 20 else "saved_grammar_damaged")
    assert refusal(data + b"\0") == "saved_grammar_damaged"


def test_forged_files_are_refused_or_harmless() -> None:
    """Bytes changed behind a checksum that fits: a typed error, or a grammar whose masks follow the law."""
    body, rng, outcomes = saved()[:-16], random.Random(11), set()
    for _ in range(400):
        broken = bytearray(body)
        for _ in range(rng.randint(1, 3)):
            # Behind the head, so that the contents are looked at; most of it is the paths.
            broken[rng.randrange(36, len(broken))] = rng.randrange(256)
        if rng.random() < 0.3:
            del broken[rng.randrange(36, len(broken)) :]
        try:
            compiled = penstock.CompiledGrammar._from_bytes(resealed(bytes(broken)), INFO)
        except penstock.PenstockError as error:
            outcomes.add(error.code)
            continue
        matcher = penstock.Matcher(compiled)
        allowed = mask_of(matcher, VOCABULARY.size)
        assert allowed == {token for token in range(VOCABULARY.size) if matcher.fork().accept_token(token)}
        outcomes.add("loaded")
    assert "saved_grammar_damaged" in outcomes
