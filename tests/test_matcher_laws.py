"""What holds for every matcher: rollback, forks, batches, bytes and tokens, forced text, shortest completions."""

from __future__ import annotations

import random
import re

import numpy as np
import penstock
import pytest
from helpers.engine import byte_info, byte_vocabulary, compiler, ids_of, mask_of, pick, tokenizer_info
from helpers.random_grammars import grammars, vocabularies
from helpers.real_grammars import REAL_GRAMMARS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from penstock.bitmask import allocate_token_bitmask

from reference import earley
from reference.grammar import to_ebnf

SEEDS = st.integers(0, 2**32 - 1)
EXTRA = (b"a", b"ab", b"\xc3\xa9", b"\xa9a", b'{"', b'":', b'"}', b"1,", b"},{", b"</", b"item", b"\n  ", b"return ")
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 4}, "next": {"$ref": "#"}, "n": {"enum": [1, 10, "x", None]}},
    "additionalProperties": False,
}


def compiled_grammars() -> dict[str, penstock.CompiledGrammar]:
    """Every kind of grammar over one vocabulary."""
    one = compiler(byte_info(EXTRA))
    kinds = {name: one.compile_ebnf(to_ebnf(grammar)) for name, grammar in REAL_GRAMMARS.items()}
    return kinds | {"schema": one.compile_json_schema(SCHEMA), "regex": one.compile_regex("(a|ab)*(c|é){2,5}")}


@pytest.fixture(scope="module", params=[*REAL_GRAMMARS, "schema", "regex"])
def compiled(request) -> penstock.CompiledGrammar:
    return compiled_grammars()[request.param]


VOCABULARY = byte_vocabulary(EXTRA)


def random_tokens(compiled, rng: random.Random, num_tokens: int, vocabulary=VOCABULARY) -> list[int]:
    """Tokens of a walk that does not stop by itself."""
    matcher, tokens = penstock.Matcher(compiled), []
    for _ in range(num_tokens):
        allowed = sorted(mask_of(matcher, vocabulary.size) - set(vocabulary.stop_ids))
        if not allowed:
            break
        tokens.append(pick(rng, allowed, vocabulary))
        assert matcher.accept_token(tokens[-1])
    return tokens


@pytest.mark.parametrize("seed", range(4))
def test_rollback_is_the_way_back(compiled, seed: int) -> None:
    rng = random.Random(seed)
    tokens = random_tokens(compiled, rng, 25)
    matcher = penstock.Matcher(compiled)
    masks = [mask_of(matcher, VOCABULARY.size)]
    for token in tokens:
        assert matcher.accept_token(token)
        masks.append(mask_of(matcher, VOCABULARY.size))
    at = len(tokens)
    for _ in range(30):
        back = rng.randint(0, at)
        matcher.rollback(back)
        at -= back
        assert mask_of(matcher, VOCABULARY.size) == masks[at]
        forward = rng.randint(0, len(tokens) - at)
        assert matcher.accept_tokens(tokens[at : at + forward]) == forward
        at += forward
        assert mask_of(matcher, VOCABULARY.size) == masks[at]
    matcher.reset()
    assert mask_of(matcher, VOCABULARY.size) == masks[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_fork_goes_its_own_way(compiled, seed: int) -> None:
    rng = random.Random(seed)
    trunk = random_tokens(compiled, rng, 12)
    matcher = penstock.Matcher(compiled)
    assert matcher.accept_tokens(trunk) == len(trunk)
    before = mask_of(matcher, VOCABULARY.size)
    forks = [matcher.fork() for _ in range(4)]
    for fork in forks:
        allowed = sorted(mask_of(fork, VOCABULARY.size))
        while allowed and not fork.is_terminated() and rng.random() < 0.9:
            assert fork.accept_token(pick(rng, allowed, VOCABULARY))
            allowed = [] if fork.is_terminated() else sorted(mask_of(fork, VOCABULARY.size))
        fork.rollback(rng.randint(0, len(trunk)))
    assert mask_of(matcher, VOCABULARY.size) == before
    alone = penstock.Matcher(compiled)
    assert alone.accept_tokens(trunk) == len(trunk)
    del matcher
    for fork in forks:
        fork.reset()
        assert fork.accept_tokens(trunk) == len(trunk)
        assert mask_of(fork, VOCABULARY.size) == mask_of(alone, VOCABULARY.size) == before


@pytest.mark.parametrize("seed", range(4))
def test_validate_says_what_accept_takes(compiled, seed: int) -> None:
    rng = random.Random(seed)
    tokens = random_tokens(compiled, rng, 15)
    for _ in range(8):
        some = list(tokens)
        some[rng.randrange(len(some))] = rng.randrange(VOCABULARY.size)
        matcher = penstock.Matcher(compiled)
        before = mask_of(matcher, VOCABULARY.size)
        taken = matcher.validate_tokens(some)
        assert mask_of(matcher, VOCABULARY.size) == before
        assert matcher.accept_tokens(some) == taken
        one_by_one = penstock.Matcher(compiled)
        assert [one_by_one.accept_token(token) for token in some[:taken]] == [True] * taken
        assert taken == len(some) or one_by_one.is_terminated() or not one_by_one.accept_token(some[taken])


@pytest.mark.parametrize("num_rows", [1, 3, 15, 40])
def test_a_batch_is_its_rows(num_rows: int) -> None:
    rng = random.Random(num_rows)
    kinds = list(compiled_grammars().values())
    matchers = []
    for _ in range(num_rows):
        compiled = rng.choice(kinds)
        matcher = penstock.Matcher(compiled)
        matcher.accept_tokens(random_tokens(compiled, rng, rng.randint(0, 12)))
        matchers.append(matcher)
    bitmask = allocate_token_bitmask(num_rows + 2, VOCABULARY.size)
    rows = rng.sample(range(num_rows + 2), num_rows)
    untouched = set(range(num_rows + 2)) - set(rows)
    before = bitmask.copy()
    penstock.fill_next_token_bitmasks(matchers, bitmask, rows)
    for row, matcher in zip(rows, matchers, strict=True):
        assert ids_of(bitmask[row]) == mask_of(matcher, VOCABULARY.size)
    for row in untouched:
        assert np.array_equal(bitmask[row], before[row])


@pytest.mark.parametrize("seed", range(4))
def test_bytes_and_tokens_lead_to_the_same_state(compiled, seed: int) -> None:
    rng = random.Random(seed)
    tokens = random_tokens(compiled, rng, 20)
    text = b"".join(map(VOCABULARY.bytes_of, tokens))
    by_tokens, by_bytes, by_pieces = (penstock.Matcher(compiled) for _ in range(3))
    assert by_tokens.accept_tokens(tokens) == len(tokens)
    assert by_bytes.accept_bytes(text)
    while text:
        size = rng.randint(1, 5)
        assert by_pieces.accept_bytes(text[:size])
        text = text[size:]
    masks = [mask_of(matcher, VOCABULARY.size) for matcher in (by_tokens, by_bytes, by_pieces)]
    assert masks[0] == masks[1] == masks[2]


@pytest.mark.parametrize("seed", range(4))
def test_forced_text_is_the_start_of_every_completion(compiled, seed: int) -> None:
    rng = random.Random(seed)
    matcher = penstock.Matcher(compiled)
    for token in random_tokens(compiled, rng, 20):
        forced = matcher.jump_forward_bytes()
        fork = matcher.fork()
        assert fork.accept_bytes(forced)
        # Nothing else is ever possible on the way, and something else is at its end.
        for i, byte in enumerate(forced):
            way = matcher.fork()
            assert way.accept_bytes(forced[:i])
            assert not way.is_accepting()
            assert {other for other in range(256) if way.fork().accept_bytes(bytes([other]))} == {byte}
        ways = sum(fork.fork().accept_bytes(bytes([other])) for other in range(256))
        assert ways != 1 or fork.is_accepting()
        assert matcher.accept_token(token)


@pytest.mark.parametrize("seed", range(4))
def test_forced_tokens_spell_the_forced_text(compiled, seed: int) -> None:
    rng = random.Random(seed)
    matcher = penstock.Matcher(compiled)
    for token in random_tokens(compiled, rng, 12):
        forced, tokens = matcher.jump_forward_bytes(), matcher.jump_forward_tokens()
        assert forced.startswith(b"".join(map(VOCABULARY.bytes_of, tokens)))
        assert matcher.validate_tokens(tokens) == len(tokens)
        assert matcher.accept_token(token)


@pytest.mark.parametrize("seed", range(2))
def test_the_shortest_completion_completes(compiled, seed: int) -> None:
    rng = random.Random(seed)
    matcher = penstock.Matcher(compiled)
    for token in random_tokens(compiled, rng, 6):
        rest = matcher.shortest_completion_bytes()
        fork = matcher.fork()
        assert fork.accept_bytes(rest)
        assert fork.is_accepting()
        assert (rest == b"") == matcher.is_accepting()
        assert rest.startswith(matcher.jump_forward_bytes())
        assert matcher.accept_token(token)


@settings(max_examples=20)
@given(grammars(), SEEDS)
def test_no_completion_is_shorter_than_the_shortest(grammar, seed: int) -> None:
    """Breadth first through the twin, over a handful of bytes that every class of these grammars has a character in."""
    column = earley.start(grammar)
    assume(column.is_viable)
    compiled = compiler(byte_info()).compile_ebnf(to_ebnf(grammar))
    matcher, rng = penstock.Matcher(compiled), random.Random(seed)
    for _ in range(4):
        try:
            rest = matcher.shortest_completion_bytes()
        except penstock.LimitError:
            return
        assert earley.after(column, rest).is_complete
        level = {b"": column}
        for _ in range(min(len(rest), 3)):
            assert not any(other.is_complete for other in level.values())
            level = {text + bytes([byte]): one.after_byte(byte) for text, one in level.items() for byte in b'ab"\xc3\xa9'}
            level = {text: one for text, one in level.items() if one.is_viable}
        allowed = sorted(mask_of(matcher, 257) - {256})
        if not allowed:
            return
        token = rng.choice(allowed)
        assert matcher.accept_token(token)
        column = column.after_byte(token)


@settings(max_examples=60)
@given(grammars(), vocabularies(), SEEDS)
def test_random_grammars_roll_back(grammar, vocabulary, seed: int) -> None:
    assume(earley.start(grammar).is_viable)
    compiled = compiler(tokenizer_info(vocabulary)).compile_ebnf(to_ebnf(grammar))
    rng = random.Random(seed)
    tokens = random_tokens(compiled, rng, 10, vocabulary)
    matcher = penstock.Matcher(compiled)
    masks = [mask_of(matcher, vocabulary.size)]
    for token in tokens:
        assert matcher.accept_token(token)
        masks.append(mask_of(matcher, vocabulary.size))
    for at in rng.sample(range(len(masks)), len(masks)):
        fork = matcher.fork()
        fork.rollback(len(tokens) - at)
        assert mask_of(fork, vocabulary.size) == masks[at]
        assert fork.accept_tokens(tokens[at:]) == len(tokens) - at
        assert mask_of(fork, vocabulary.size) == masks[-1]


def test_stop_tokens_come_at_the_end_and_only_there() -> None:
    compiled = compiler(byte_info()).compile_ebnf('root ::= "a" "b"?')
    matcher = penstock.Matcher(compiled)
    assert not matcher.accept_token(256)
    assert matcher.accept_token(ord("a"))
    assert mask_of(matcher, 257) == {ord("b"), 256}
    assert matcher.accept_token(256)
    assert matcher.is_terminated()
    assert matcher.is_accepting()
    matcher.rollback(1)
    assert not matcher.is_terminated()
    assert mask_of(matcher, 257) == {ord("b"), 256}


@pytest.mark.parametrize("num_threads", [4])
def test_matchers_of_many_threads_share_one_grammar(num_threads: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    compiled = compiler(byte_info(EXTRA)).compile_json_schema(SCHEMA)

    def visit(seed: int) -> list[set[int]]:
        tokens, matcher = random_tokens(compiled, random.Random(seed), 30), penstock.Matcher(compiled)
        masks = []
        for token in tokens:
            masks.append(mask_of(matcher, VOCABULARY.size))
            assert matcher.accept_token(token)
        return masks

    with ThreadPoolExecutor(num_threads) as pool:
        together = list(pool.map(visit, range(16)))
    assert together == [visit(seed) for seed in range(16)]


@pytest.mark.parametrize("num_rows", [1, 3, 40, 130])
def test_a_batch_of_tokens_is_its_rows(num_rows: int) -> None:
    rng = random.Random(num_rows)
    kinds = list(compiled_grammars().values())
    matchers = [penstock.Matcher(rng.choice(kinds)) for _ in range(num_rows)]
    for _ in range(6):
        twins, tokens = [matcher.fork() for matcher in matchers], []
        for matcher in matchers:
            allowed = [] if matcher.is_terminated() else sorted(mask_of(matcher, VOCABULARY.size))
            likely = rng.choice(allowed) if allowed else 0
            tokens.append(rng.choice([likely, likely, rng.randrange(VOCABULARY.size), VOCABULARY.size, -1]))
        answers = penstock.accept_next_tokens(matchers, tokens)
        for matcher, twin, token, answer in zip(matchers, twins, tokens, answers, strict=True):
            if isinstance(answer, Exception):
                with pytest.raises(type(answer), match=re.escape(str(answer))):
                    twin.accept_token(token)
            else:
                assert answer is twin.accept_token(token)
            assert matcher.num_tokens == twin.num_tokens
            if not matcher.is_terminated():
                assert mask_of(matcher, VOCABULARY.size) == mask_of(twin, VOCABULARY.size)


def test_a_batch_that_is_spread_over_threads() -> None:
    """So many rows of so many ids, over several grammars, are shared out; row by row nothing differs."""
    vocab = [bytes([byte]) for byte in range(256)] + [b""]
    info = penstock.TokenizerInfo(vocab, stop_token_ids=[256], special_token_ids=[256], vocab_size=131_072)
    compiler = penstock.GrammarCompiler(info)
    texts = ['root ::= "a"{1,40} "b"', "root ::= [a-d]{1,40}", 'root ::= "a" root "c" | "b"']
    grammars = [compiler.compile_ebnf(text) for text in texts]
    matchers = [penstock.Matcher(grammars[row % 3]) for row in range(600)]
    bitmask = penstock.allocate_token_bitmask(len(matchers), info.vocab_size)
    for step in range(3):
        assert penstock.fill_next_token_bitmasks(matchers, bitmask) == [True] * 600
        single = penstock.allocate_token_bitmask(3, info.vocab_size)
        for row, grammar in enumerate(grammars):
            matcher = penstock.Matcher(grammar)
            assert matcher.accept_tokens([ord("a")] * step) == step
            matcher.fill_next_token_bitmask(single, row)
        assert np.array_equal(bitmask, np.tile(single, (200, 1)))
        tokens = [ord("a") if row else ord("z") for row in range(600)]
        assert penstock.accept_next_tokens(matchers, tokens) == [row > 0 for row in range(600)]
        assert matchers[0].accept_token(ord("a"))


def test_a_batch_of_tokens_needs_one_for_each() -> None:
    matchers = [penstock.Matcher(next(iter(compiled_grammars().values())))]
    with pytest.raises(ValueError, match="`2` tokens for `1` matchers"):
        penstock.accept_next_tokens(matchers, [1, 2])
    with pytest.raises(RuntimeError):
        penstock.accept_next_tokens(matchers * 2, [1, 2])
