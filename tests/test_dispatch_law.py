"""The mask law where free text meets triggers, against a twin that writes the definition down with *and* and *not*.

Free text holds no trigger and no excluded text. Before a trigger, nothing that starts earlier than it has ended when it ends.
"""

from __future__ import annotations

import random

import penstock
from helpers.engine import compiler, tokenizer_info
from hypothesis import given, settings
from hypothesis import strategies as st
from test_mask_law import walk

from reference.earley import start
from reference.grammar import ANY, EMPTY, And, Chars, Choice, Expression, Grammar, Not, Repeat, Rule, Sequence, Text, escaped
from reference.matcher import Matcher as Twin
from reference.matcher import Vocabulary

ANYTHING = Repeat(ANY, 0, None)
WORDS = ("a", "b", "ab", "ba", "aba", "abb", "bab", "aé")
BODIES = ("", "a", "b", "ab", "é")
LETTERS = Chars(((0x61, 0x62), (0xE9, 0xE9)))
SPELLINGS = (b"a", b"b", b"\xc3", b"\xa9", b"ab", b"ba", b"aab", b"\xa9a", b"bb", b"aba", "é".encode(), b"b\xc3")


def holds(words: list[str]) -> Expression:
    """Texts with one of the words in them."""
    return Sequence((ANYTHING, Choice(tuple(map(Text, words))), ANYTHING))


def before(trigger: str, words: list[str]) -> Expression:
    """Free text and the trigger behind it: no word starts earlier and ends in time."""
    earlier = [Sequence((ANYTHING, Text(word), Repeat(ANY, max(0, len(trigger) - len(word) + 1), None))) for word in words]
    return And((Sequence((ANYTHING, Text(trigger))), Not(Choice(tuple(earlier)))))


def definition(rules: list[tuple[str, str]], excludes: list[str], looped: bool, end: str) -> Grammar:
    """The twin's grammar. The alphabet is that of the vocabulary."""
    words = [trigger for trigger, _ in rules] + excludes
    free = Not(holds(words)) if words else ANYTHING
    ways: list[Expression] = [And((free, Repeat(LETTERS, 0, None)))]
    for trigger, body in rules:
        text = And((before(trigger, words), Repeat(LETTERS, 0, None)))
        ways.append(Sequence((text, Text(body), Rule("free") if looped else EMPTY)))
    return {"root": Sequence((Rule("free"), Text(end))), "free": Choice(tuple(ways))}


def ebnf(rules: list[tuple[str, str]], excludes: list[str], looped: bool, end: str) -> str:
    """The same for the engine."""

    def quoted(text: str) -> str:
        return '"' + "".join(map(escaped, text)) + '"'

    pairs = [f"({quoted(trigger)}, r{i})" for i, (trigger, _) in enumerate(rules)]
    listed = f"excludes=({''.join(quoted(text) + ',' for text in excludes)})"
    loop = f"loop_after_dispatch={'true' if looped else 'false'}"
    lines = [f"root ::= TagDispatch({', '.join([*pairs, listed, loop])}) {quoted(end)}"]
    return "\n".join([*lines, *(f"r{i} ::= {quoted(body)}" for i, (_, body) in enumerate(rules))]) + "\n"


RULES = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(BODIES)), max_size=3)
EXCLUDES = st.lists(st.sampled_from(WORDS), max_size=2, unique=True)


@settings(max_examples=60)
@given(RULES, EXCLUDES, st.booleans(), st.sampled_from(["", "b", "ab"]), st.integers(0, 2**32 - 1))
def test_masks_around_triggers(rules: list[tuple[str, str]], excludes: list[str], looped: bool, end: str, seed: int) -> None:
    triggers = {trigger for trigger, _ in rules}
    excludes = [text for text in excludes if text not in triggers]
    column = start(definition(rules, excludes, looped, end))
    vocabulary = Vocabulary((*SPELLINGS, b"<stop>"), stop_ids=(len(SPELLINGS),))
    compiled = compiler(tokenizer_info(vocabulary)).compile_ebnf(ebnf(rules, excludes, looped, end))
    rng = random.Random(seed)
    for _ in range(3):
        walk(compiled, Twin(column, vocabulary), rng, 10)


def test_a_trigger_across_the_border_of_tokens() -> None:
    """Tokens that end inside, at and behind the trigger."""
    tokens = (b"<", b"<t", b"t>", b">{", b"x<t>", b"<t>{", b"<t>x", b"{}", b"}", b"x", b"{", b"t", b">")
    vocabulary = Vocabulary((*tokens, b"<stop>"), stop_ids=(len(tokens),))
    info = tokenizer_info(vocabulary)
    compiled = compiler(info).compile_ebnf('root ::= TagDispatch(("<t>", body))\nbody ::= "{" "}"\n')
    matcher = penstock.Matcher(compiled)
    names = {token: i for i, token in enumerate(tokens)}
    for token, allowed in [
        (b"<t>x", False),
        (b"x<t>", True),
        (b"x", False),
        (b"{}", True),
        (b"<t", True),
        (b">{", True),
        (b"<", False),
        (b"}", True),
        (b"<t>{", True),
    ]:
        assert matcher.fork().accept_token(names[token]) == allowed, token
        if allowed:
            assert matcher.accept_token(names[token])
    assert not matcher.is_accepting()
