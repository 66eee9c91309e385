"""Grammars as small trees, and how EBNF writes them: what the recogniser of `earley` and the tests build on.

A grammar is a dict from rule names to expressions; the rule `root` is the whole output. Characters are code points, and
`And` and `Not` hold only parts that call no recursive rule: their universe is UTF-8 text.
"""

from __future__ import annotations

from dataclasses import dataclass

LAST_CHARACTER = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)


@dataclass(frozen=True)
class Text:
    """The characters of `text`, one after the other."""

    text: str


@dataclass(frozen=True)
class Chars:
    """One character of these inclusive ranges of code points."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Sequence:
    """All parts, in this order; no part is the empty text."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Choice:
    """Any of the parts; no part is no text at all."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Repeat:
    """At least `least` and at most `most` times; None is without end."""

    body: Expression
    least: int
    most: int | None


@dataclass(frozen=True)
class Rule:
    """A call of the rule `name`."""

    name: str


@dataclass(frozen=True)
class And:
    """The texts that all parts have."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Not:
    """The texts that the body does not have."""

    body: Expression


@dataclass(frozen=True)
class TokenSet:
    """One token symbol out of `ids`, or out of all others if `exclude`."""

    ids: frozenset[int]
    exclude: bool = False


Expression = Text | Chars | Sequence | Choice | Repeat | Rule | And | Not | TokenSet
Grammar = dict[str, Expression]

NOTHING = Choice(())
EMPTY = Text("")
ANY = Chars(((0, SURROGATES[0] - 1), (SURROGATES[1] + 1, LAST_CHARACTER)))


def to_ebnf(grammar: Grammar) -> str:
    """The grammar in the dialect that `penstock.Grammar.from_ebnf` reads, one rule a line."""
    return "\n".join(f"{name} ::= {write(body)}" for name, body in grammar.items()) + "\n"


def write(expression: Expression) -> str:
    """One expression, with brackets wherever they could matter."""
    match expression:
        case Text(text):
            return '"' + "".join(map(escaped, text)) + '"'
        case Chars(ranges):
            return "[" + "".join(f"{escaped(chr(low))}-{escaped(chr(high))}" for low, high in ranges) + "]"
        case Sequence(parts):
            return " ".join(map(bracketed, parts)) if parts else '""'
        case Choice(parts):
            return " | ".join(map(bracketed, parts)) if parts else "[]"
        case Repeat(body, least, most):
            return f"{bracketed(body)}{{{least},{'' if most is None else most}}}"
        case And(parts):
            return " & ".join(map(bracketed, parts))
        case Not(body):
            return f"~{bracketed(body)}"
        case TokenSet(ids, exclude):
            return f"{'ExcludeToken' if exclude else 'Token'}({', '.join(map(str, sorted(ids)))})"
        case Rule(name):
            return name
    raise TypeError(f"`{expression}` is no expression; build it from the classes of this file")


def bracketed(expression: Expression) -> str:
    """An expression as part of another one."""
    return f"({write(expression)})"


def escaped(character: str) -> str:
    """A character inside quotes or a class."""
    return character if character.isascii() and character.isalnum() else f"\\U{ord(character):08X}"


def utf8_ranges(low: int, high: int) -> list[tuple[tuple[int, int], ...]]:
    """The characters from `low` to `high` as sequences of byte ranges. Surrogates are left out."""
    if low > high:
        return []
    if low <= SURROGATES[1] and high >= SURROGATES[0]:
        return utf8_ranges(low, SURROGATES[0] - 1) + utf8_ranges(SURROGATES[1] + 1, high)
    for last in (0x7F, 0x7FF, 0xFFFF):
        if low <= last < high:
            return utf8_ranges(low, last) + utf8_ranges(last + 1, high)
    # Of one length now. Split until all bytes behind the first difference run over everything.
    for block in (1 << 6, 1 << 12, 1 << 18):
        if high < 0x80 or low // block == high // block:
            break
        if low % block:
            end = low - low % block + block - 1
            return utf8_ranges(low, end) + utf8_ranges(end + 1, high)
        if (high + 1) % block:
            end = high - high % block - 1
            return utf8_ranges(low, end) + utf8_ranges(end + 1, high)
    return [tuple(zip(chr(low).encode(), chr(high).encode(), strict=True))]
