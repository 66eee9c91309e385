"""Earley's recogniser over bytes and token symbols: slow, and right for every context-free grammar.

A `Column` is everything that is known after some text: items `(rule, body, dot, origin)`, where `origin` is the column in
which the item began (None: this one). Columns never change, so every text can be continued in many ways. Productions
that cannot end are dropped first; then a column with an item is a text that can be completed, which is the whole law of masks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .derivatives import right_linear
from .grammar import And, Chars, Choice, Expression, Grammar, Not, Repeat, Rule, Sequence, Text, TokenSet, utf8_ranges

Symbol = str | tuple[int, int] | TokenSet  # a rule, a range of bytes, or tokens
Body = tuple[Symbol, ...]
START = "<start>"


class Productions:
    """A grammar as `rule -> list of bodies`, without those that no text ends."""

    def __init__(self, grammar: Grammar, root: str = "root") -> None:
        self.grammar, self.bodies = grammar, defaultdict[str, list[Body]](list)
        self.num_names = 0
        for name, expression in grammar.items():
            self.bodies[name] += self.flatten(expression)
        self.bodies[START] = [(root,)]
        alive = self.least_fixpoint(lambda body, known: all(not isinstance(s, str) or s in known for s in body))
        for name, bodies in self.bodies.items():
            self.bodies[name] = [body for body in bodies if all(not isinstance(s, str) or s in alive for s in body)]
        self.nullable = self.least_fixpoint(lambda body, known: all(isinstance(s, str) and s in known for s in body))
        self.is_empty = START not in alive

    def least_fixpoint(self, holds) -> set[str]:
        """The rules with a body for which `holds(body, rules found so far)`."""
        known: set[str] = set()
        while True:
            more = {name for name, bodies in self.bodies.items() if any(holds(body, known) for body in bodies)}
            if more == known:
                return known
            known = more

    def fresh(self, bodies: Iterable[Body]) -> str:
        """A new rule with these bodies."""
        self.num_names += 1
        name = f"<{self.num_names}>"
        self.bodies[name] = list(bodies)
        return name

    def flatten(self, expression: Expression) -> list[Body]:
        """The bodies that mean the same as the expression."""
        match expression:
            case Text(text):
                return [tuple((byte, byte) for byte in text.encode())]
            case Chars(ranges):
                return [sequence for low, high in ranges for sequence in utf8_ranges(low, high)]
            case TokenSet():
                return [(expression,)]
            case Rule(name):
                return [(name,)]
            case Choice(parts):
                return [body for part in parts for body in self.flatten(part)]
            case Sequence(parts):
                return [tuple(self.fresh(self.flatten(part)) for part in parts)]
            case Repeat(body, least, most):
                return self.flatten_repeat(self.fresh(self.flatten(body)), least, most)
            case And() | Not():
                self.num_names += 1
                rules = right_linear(expression, f"<{self.num_names}:", self.grammar)
                for name, body in rules.items():
                    self.bodies[name] = self.flatten(body)
                return [(next(iter(rules)),)]
        raise TypeError(f"`{expression}` is no expression")

    def flatten_repeat(self, one: str, least: int, most: int | None) -> list[Body]:
        if most is not None and most < least:
            return []
        tail: Body = ()
        if most is None:
            rest = self.fresh([])
            self.bodies[rest] = [(), (one, rest)]
            tail = (rest,)
        for _ in range(0 if most is None else most - least):
            tail = (self.fresh([(), (one, *tail)]),)
        return [(one,) * least + tail]


@dataclass(frozen=True, eq=False)
class Column:
    """What is known after one text."""

    productions: Productions
    items: frozenset
    waiting: dict[str, set]
    next: dict[int, Column] = field(default_factory=dict)  # what `after_byte` gave before

    def after_byte(self, byte: int) -> Column:
        """The column one byte further."""
        if byte not in self.next:
            seeds = self.moved(lambda s: isinstance(s, tuple) and s[0] <= byte <= s[1])
            self.next[byte] = close(self.productions, seeds)
        return self.next[byte]

    def after_token(self, token: int, spelling: bytes) -> Column:
        """The column one token further: its bytes, or the token itself where the grammar asks for it."""
        seeds = self.moved(lambda s: isinstance(s, TokenSet) and (token in s.ids) != s.exclude)
        column = self
        for byte in spelling[:-1]:
            column = column.after_byte(byte)
        if spelling and not seeds:
            return column.after_byte(spelling[-1])
        if spelling:
            seeds += column.moved(lambda s: isinstance(s, tuple) and s[0] <= spelling[-1] <= s[1])
        return close(self.productions, seeds)

    def moved(self, holds) -> list:
        """The items whose next symbol holds, moved over it."""
        return [
            (name, body, dot + 1, origin or self)
            for name, body, dot, origin in self.items
            if dot < len(body) and not isinstance(body[dot], str) and holds(body[dot])
        ]

    @property
    def is_viable(self) -> bool:
        """Whether the text can be completed."""
        return bool(self.items)

    @property
    def is_complete(self) -> bool:
        """Whether the text is in the language."""
        return any(name == START and dot == len(body) for name, body, dot, _ in self.items)


def close(productions: Productions, seeds: list) -> Column:
    """The column of these items and of all that they predict and complete."""
    items, waiting, agenda = set(), defaultdict(set), list(seeds)
    while agenda:
        item = agenda.pop()
        if item in items:
            continue
        items.add(item)
        name, body, dot, origin = item
        if dot == len(body):
            # A rule that began here and ended here is empty: whoever waits for it was moved on when it was predicted.
            agenda += [(n, b, d + 1, o or origin) for n, b, d, o in origin.waiting[name]] if origin else []
        elif isinstance(body[dot], str):
            waiting[body[dot]].add(item)
            agenda += [(body[dot], other, 0, None) for other in productions.bodies[body[dot]]]
            if body[dot] in productions.nullable:
                agenda.append((name, body, dot + 1, origin))
    return Column(productions, frozenset(items), waiting)


def start(grammar: Grammar, root: str = "root") -> Column:
    """The column of the empty text."""
    productions = Productions(grammar, root)
    seeds = [] if productions.is_empty else [(START, (root,), 0, None)]
    return close(productions, seeds)


def after(column: Column, text: bytes) -> Column:
    """The column after some more bytes."""
    for byte in text:
        column = column.after_byte(byte)
    return column
