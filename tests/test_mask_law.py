"""The mask law: a bit is set exactly when the token is accepted, exactly when the twin can complete what follows."""

from __future__ import annotations

import random

import penstock
import pytest
from helpers.engine import byte_vocabulary, check_state, compiler, mask_of, pick, tekken, tokenizer_info
from helpers.random_grammars import grammars, vocabularies
from helpers.real_grammars import REAL_GRAMMARS
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reference.earley import start
from reference.grammar import Grammar, to_ebnf
from reference.matcher import Matcher as Twin
from reference.matcher import Vocabulary

MAX_STEPS = 10
SEEDS = st.integers(0, 2**32 - 1)


def walk(compiled, twin: Twin, rng: random.Random, num_steps: int) -> None:
    """Random tokens from the start; the law in every state."""
    matcher = penstock.Matcher(compiled)
    for _ in range(num_steps):
        allowed = check_state(matcher, twin)
        assert allowed, "a state that can be completed has a token"
        token = pick(rng, sorted(allowed), twin.vocabulary)
        assert matcher.accept_token(token)
        twin = twin.accept(token)
        assert twin is not None
        assert matcher.is_terminated() == twin.is_terminated
        if twin.is_terminated:
            return


def check_grammar(grammar: Grammar, vocabulary: Vocabulary, seed: int, num_walks: int = 3, num_steps: int = MAX_STEPS) -> None:
    """Several walks over one compiled grammar: states are reached under different frames, their masks remembered."""
    column = start(grammar)
    text = to_ebnf(grammar)
    info = tokenizer_info(vocabulary)
    if not column.is_viable:
        with pytest.raises(penstock.EmptyLanguageError):
            compiler(info).compile_ebnf(text)
        return
    compiled = compiler(info).compile_ebnf(text)
    rng = random.Random(seed)
    for _ in range(num_walks):
        walk(compiled, Twin(column, vocabulary), rng, num_steps)


@settings(max_examples=40)
@given(grammars(), vocabularies(), SEEDS)
def test_random_grammars(grammar: Grammar, vocabulary: Vocabulary, seed: int) -> None:
    check_grammar(grammar, vocabulary, seed)


@settings(max_examples=40)
@given(grammars(with_not=True), vocabularies(), SEEDS)
def test_intersection_and_complement(grammar: Grammar, vocabulary: Vocabulary, seed: int) -> None:
    try:
        start(grammar)
    except OverflowError:
        assume(False)  # the twin writes every derivative down
    check_grammar(grammar, vocabulary, seed, num_walks=2)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data(), vocabularies(), SEEDS)
def test_tokens_as_symbols(data: st.DataObject, vocabulary: Vocabulary, seed: int) -> None:
    """A token may be text and symbol at once; stop and special tokens may be symbols too."""
    num_tokens = len(vocabulary.spellings)
    token_ids = (0, 1, num_tokens // 2, *range(num_tokens - 4, num_tokens - 1))
    grammar = data.draw(grammars(token_ids=token_ids))
    check_grammar(grammar, Vocabulary(vocabulary.spellings, vocabulary.stop_ids, vocabulary.special_ids), seed)


@pytest.mark.parametrize("name", sorted(REAL_GRAMMARS))
@pytest.mark.parametrize("offset", [0, 20_000])
def test_a_thousand_real_tokens(name: str, offset: int) -> None:
    tokens = tekken()
    rng = random.Random(offset)
    frequent = [token for token in tokens[256:3000] if len(token) > 1]
    extra = tuple(rng.sample(frequent, 600) + tokens[offset + 256 : offset + 656])
    check_grammar(REAL_GRAMMARS[name], byte_vocabulary(extra), seed=offset, num_walks=2, num_steps=9)


def test_masks_of_a_fresh_matcher_do_not_depend_on_what_others_visited() -> None:
    """The same texts in another order, over a grammar that is warm: masks must be those of a cold one."""
    grammar = REAL_GRAMMARS["json"]
    vocabulary = byte_vocabulary((b'{"', b'":', b'",', b'"}', b"]]", b"],", b"}}", b"}]", b'":[', b'"},{"'))
    info = tokenizer_info(vocabulary)
    texts = [b'{"a":[1,{"b":[', b'[[{"a":{"b":"', b"[1,2", b'{"a":{"a":{"a":"', b'[{"a":[1', b'{"x":"y', b'[[[["', b'{"a":[[1']
    warm = compiler(info).compile_ebnf(to_ebnf(grammar))
    for _ in range(2):
        for text in texts:
            for compiled in (warm, compiler(info).compile_ebnf(to_ebnf(grammar))):
                matcher = penstock.Matcher(compiled)
                twin = Twin(start(grammar), vocabulary)
                for byte in text:
                    assert matcher.accept_token(byte)
                    twin = twin.accept(byte)
                assert mask_of(matcher, vocabulary.size) == twin.mask(), text


NESTED = r"""
root ::= element
element ::= "<" name attribute* ( "/>" | ">" content* "</" name ">" )
attribute ::= " " name "=\"" [^"<&]* "\""
content ::= element | [^<&]+
name ::= [a-zA-Z_] [a-zA-Z0-9_-]*
"""


def test_a_mask_of_the_outermost_element_does_not_serve_inner_ones() -> None:
    """After the outermost element nothing may come, after an inner one its neighbours; needs a whole real vocabulary."""
    tokens = tekken()
    info = tokenizer_info(Vocabulary((*tokens, b"<stop>"), stop_ids=(len(tokens),)))
    compiled = compiler(info).compile_ebnf(NESTED)
    outer, inner = penstock.Matcher(compiled), penstock.Matcher(compiled)
    assert outer.accept_bytes(b"<l")
    mask_of(outer, info.vocab_size)
    assert inner.accept_bytes(b'<l a="1"><to')
    some = [token for token, spelling in enumerate(tokens) if spelling.startswith(b"/")]
    wanted = {token for token in some if inner.fork().accept_token(token)}
    assert mask_of(inner, info.vocab_size) & set(some) == wanted
