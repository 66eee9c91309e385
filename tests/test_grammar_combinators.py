"""`|`, `+`, `&`, `~`, `Grammar.concat` and `Grammar.union` beside sets of short words; printed, they parse back."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Callable

import penstock
import pytest
from helpers.engine import accepts, byte_info
from penstock import Grammar

ALPHABET, LONGEST = "ab", 4
WORDS = ["".join(letters) for n in range(LONGEST + 1) for letters in itertools.product(ALPHABET, repeat=n)]
COMPILER = penstock.GrammarCompiler(byte_info())
LEAVES: list[tuple[Callable[[], Grammar], set[str]]] = [
    (lambda: Grammar.from_ebnf('root ::= "ab"'), {"ab"}),
    (lambda: Grammar.from_ebnf('root ::= x?\nx ::= "a" | "b" "b"'), {"", "a", "bb"}),
    (lambda: Grammar.from_ebnf("root ::= [ab]{2}"), {"aa", "ab", "ba", "bb"}),
    (lambda: Grammar.from_regex("a*"), {"a" * n for n in range(LONGEST + 1)}),
    (lambda: Grammar.from_regex("(a|bb)+"), {w for w in WORDS if w and not w.replace("bb", "").strip("a")}),
]


def language(grammar: Grammar) -> set[str]:
    """The words of the alphabet that a grammar accepts; nothing for one whose language is empty."""
    try:
        compiled = COMPILER.compile(grammar)
    except penstock.EmptyLanguageError:
        return set()
    return {word for word in WORDS if accepts(compiled, word)}


def joined(left: set[str], right: set[str]) -> set[str]:
    return {a + b for a in left for b in right if len(a + b) <= LONGEST}


def random_pair(rng: random.Random, depth: int) -> tuple[Grammar, set[str]]:
    """A grammar and its words."""
    if depth == 0 or rng.random() < 0.2:
        make, words = rng.choice(LEAVES)
        return make(), words
    (left, left_words), (right, right_words) = random_pair(rng, depth - 1), random_pair(rng, depth - 1)
    kind = rng.choice(["or", "add", "and", "not", "without", "concat", "union"])
    if kind == "or":
        return left | right, left_words | right_words
    if kind == "add":
        return left + right, joined(left_words, right_words)
    if kind == "and":
        return left & right, left_words & right_words
    if kind == "not":
        return ~left, set(WORDS) - left_words
    if kind == "without":
        return left & ~right, left_words - right_words
    if kind == "concat":
        return Grammar.concat(left, right, left), joined(joined(left_words, right_words), left_words)
    return Grammar.union(left, right, left), left_words | right_words


def test_the_words_of_the_leaves_are_right() -> None:
    for make, words in LEAVES:
        assert language(make()) == words


@pytest.mark.parametrize("seed", range(60))
def test_combinators_are_set_operations(seed: int) -> None:
    grammar, words = random_pair(random.Random(seed), 3)
    assert language(grammar) == words, str(grammar)
    again = Grammar.from_ebnf(str(grammar))
    assert language(again) == words, str(grammar)
    assert Grammar.from_ebnf(str(again)) == again
    assert pickle.loads(pickle.dumps(grammar)) == again


def test_nothing_and_the_empty_text() -> None:
    assert language(Grammar.union()) == set()
    assert language(Grammar.concat()) == {""}
    assert language(~Grammar.union()) == set(WORDS)
    assert language(Grammar.from_ebnf(str(Grammar.concat()))) == {""}


def test_what_is_not_regular_joins_but_is_not_negated() -> None:
    brackets = Grammar.from_ebnf('root ::= "a" root "b" | ""')
    assert language(brackets | Grammar.from_regex("bb")) == {"", "ab", "aabb", "bb"}
    assert language(brackets + brackets) == {"", "ab", "aabb", "abab"}
    schema, token = Grammar.from_json_schema(True), Grammar.from_ebnf("root ::= Token(1)")
    for grammar, named in (
        (~brackets, "calls itself"),
        (brackets & Grammar.from_regex("a*"), "calls itself"),
        (~schema, "JSON schema"),
        (schema & schema, "JSON schema"),
        (~token, "token"),
    ):
        with pytest.raises(penstock.UnsupportedFeatureError, match=named):
            COMPILER.compile(grammar)


def test_only_grammars_combine() -> None:
    grammar = Grammar.from_regex("a")
    for combine in (lambda: grammar | "a", lambda: grammar + "a", lambda: grammar & "a"):
        with pytest.raises(TypeError):
            combine()
    for combine in (Grammar.concat, Grammar.union):
        with pytest.raises(TypeError):
            combine(grammar, "a")


def test_a_schema_between_texts() -> None:
    tagged = Grammar.from_ebnf('root ::= "<call>"') + Grammar.from_json_schema({"const": 1}) + Grammar.from_regex("</call>|;")
    for text in ("<call>1</call>", "<call>1;"):
        matcher = penstock.Matcher(COMPILER.compile(Grammar.from_ebnf(str(tagged))))
        assert matcher.accept_bytes(text.encode())
        assert matcher.is_accepting()
