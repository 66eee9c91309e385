"""Random grammars and vocabularies for hypothesis: few characters, so that everything overlaps."""

from __future__ import annotations

from hypothesis import strategies as st

from reference.grammar import (
    ANY,
    EMPTY,
    LAST_CHARACTER,
    And,
    Chars,
    Choice,
    Expression,
    Grammar,
    Not,
    Repeat,
    Rule,
    Sequence,
    Text,
    TokenSet,
)
from reference.matcher import Vocabulary

CHARACTERS = 'abc"\\\né€😀'
NOT_A = Chars(((0, 0x60), (0x62, 0xD7FF), (0xE000, LAST_CHARACTER)))
CLASSES = (
    Chars(((0x61, 0x62),)),
    Chars(((0x61, 0x63), (0xE9, 0xE9))),
    Chars(((0xE0, 0x20AC),)),
    Chars(((0x1F600, 0x1F600),)),
    NOT_A,
    ANY,
)
TEXTS = ("", "a", "b", "ab", "ba", "aab", '"', "\\\n", "é", "a😀", "€é")
COUNTS = ((0, None), (1, None), (0, 1), (2, 2), (1, 3), (2, None), (0, 0), (0, 4), (3, 5))

# With these, whatever a prefix of a character can still become in the classes above can be spelled.
BYTES = tuple(
    bytes([b])
    for b in sorted({*CHARACTERS.encode(), *b"\x80\x82\x90\x9f\xa0\xa9\xac\xb0\xbf\xc0\xc2\xc3\xe0\xe2\xed\xf0\xf4\xff"})
)


def extended(parts: st.SearchStrategy[Expression], *, regular: bool) -> st.SearchStrategy[Expression]:
    """Forms that hold other forms."""
    several = st.lists(parts, min_size=1, max_size=3).map(tuple)
    forms = [
        several.map(Sequence),
        several.map(Choice),
        st.builds(lambda body, count: Repeat(body, *count), parts, st.sampled_from(COUNTS)),
    ]
    if regular:
        forms += [parts.map(Not), st.lists(parts, min_size=2, max_size=2).map(tuple).map(And)]
    return st.one_of(forms)


LEAVES = st.sampled_from([*map(Text, TEXTS), *CLASSES])
REGULAR = st.recursive(LEAVES, lambda parts: extended(parts, regular=True), max_leaves=4)


@st.composite
def grammars(draw: st.DrawFn, *, token_ids: tuple[int, ...] = (), with_not: bool = False) -> Grammar:
    """One to four rules that call each other in any way; some may be empty, useless or without end."""
    names = ["root", *(f"r{i}" for i in range(draw(st.integers(0, 3))))]
    leaves = [LEAVES, LEAVES, st.sampled_from(names).map(Rule)]
    if token_ids:
        some = st.frozensets(st.sampled_from(token_ids), min_size=1, max_size=3)
        leaves.append(st.builds(TokenSet, some, st.sampled_from([False, False, True])))
    if with_not:
        leaves.append(REGULAR)
    expressions = st.recursive(st.one_of(leaves), lambda parts: extended(parts, regular=False), max_leaves=7)
    return {name: draw(expressions) for name in names}


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    """The bytes, pieces of texts cut anywhere, copies, ids without text, special and stop tokens, and padding."""
    text = st.text(CHARACTERS, min_size=1, max_size=6).map(str.encode)
    cut = st.builds(lambda data, i: data[i % len(data) :] or data, text, st.integers(0, 5))
    broken = st.sampled_from(
        [b"\xff", b"\xc3", b"\xa9a", b"\xf0\x9f", b"\xed\xa0\x80", b"\xc0\x80", b"a\xc3", b"\xa9\xa9", b""]
    )
    extra = draw(st.lists(st.one_of(text, cut, broken), min_size=2, max_size=14))
    copies = draw(st.lists(st.sampled_from([*extra, *BYTES]), max_size=3))
    symbols = [b"<stop>", b"a", b"<tool>", b""]
    spellings = draw(st.permutations([*BYTES, *extra, *copies])) + symbols
    first = len(spellings) - len(symbols)
    padding = draw(st.sampled_from([0, 1, 40]))
    # The second stop token is spelled like a text token, and must not be one.
    return Vocabulary(tuple(spellings), (first, first + 1), (first + 2,), len(spellings) + padding)


__all__ = ["BYTES", "CHARACTERS", "EMPTY", "grammars", "vocabularies"]
