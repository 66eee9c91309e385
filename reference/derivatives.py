"""Regular expressions with *and* and *not* by Brzozowski's derivatives, over characters.

`derive(e, c)` is what may follow `c` in the texts of `e`. A grammar's regular part has finitely many derivatives once
equal ones are written equally, so it becomes rules that call each other at their ends (`right_linear`), which any recogniser
of context-free grammars reads.
"""

from __future__ import annotations

from .grammar import (
    ANY,
    EMPTY,
    LAST_CHARACTER,
    NOTHING,
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
)

EVERYTHING = Not(NOTHING)


def nullable(expression: Expression, rules: Grammar) -> bool:
    """Whether the empty text is among the texts."""
    match expression:
        case Text(text):
            return not text
        case Sequence(parts) | And(parts):
            return all(nullable(part, rules) for part in parts)
        case Choice(parts):
            return any(nullable(part, rules) for part in parts)
        case Repeat(body, least, _):
            return least == 0 or nullable(body, rules)
        case Not(body):
            return not nullable(body, rules)
        case Rule(name):
            return nullable(rules[name], rules)
    return False


def derive(expression: Expression, character: int, rules: Grammar) -> Expression:
    """What may follow `character`."""
    match expression:
        case Text(text):
            return Text(text[1:]) if text and ord(text[0]) == character else NOTHING
        case Chars(ranges):
            return EMPTY if any(low <= character <= high for low, high in ranges) else NOTHING
        case Sequence(parts):
            return derive_sequence(parts, character, rules)
        case Choice(parts):
            return choice([derive(part, character, rules) for part in parts])
        case Repeat(body, least, most):
            if most == 0:
                return NOTHING
            rest = Repeat(body, max(0, least - 1), None if most is None else most - 1)
            return sequence([derive(body, character, rules), rest])
        case And(parts):
            return both([derive(part, character, rules) for part in parts])
        case Not(body):
            return Not(derive(body, character, rules))
        case Rule(name):
            return derive(rules[name], character, rules)
    raise TypeError(f"`{expression}` is not regular")


def derive_sequence(parts: tuple[Expression, ...], character: int, rules: Grammar) -> Expression:
    """A character may belong to any part that only empty texts come before."""
    ways = []
    for i, part in enumerate(parts):
        ways.append(sequence([derive(part, character, rules), *parts[i + 1 :]]))
        if not nullable(part, rules):
            break
    return choice(ways)


def choice(parts: list[Expression]) -> Expression:
    """A choice in its one spelling: flat, sorted, without copies."""
    flat = {inner for part in parts for inner in (part.parts if isinstance(part, Choice) else (part,))}
    ordered = tuple(sorted(flat, key=repr))
    return EVERYTHING if EVERYTHING in flat else ordered[0] if len(ordered) == 1 else Choice(ordered)


def both(parts: list[Expression]) -> Expression:
    """An intersection in its one spelling."""
    flat = {inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))} - {EVERYTHING}
    ordered = tuple(sorted(flat, key=repr))
    return NOTHING if NOTHING in flat else ordered[0] if len(ordered) == 1 else And(ordered) if ordered else EVERYTHING


def sequence(parts: list[Expression]) -> Expression:
    """A sequence in its one spelling."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Sequence) else (part,))]
    flat = [part for part in flat if part != EMPTY and not (isinstance(part, Repeat) and part.most == 0)]
    return NOTHING if NOTHING in flat else EMPTY if not flat else flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def borders(expression: Expression, rules: Grammar) -> set[int]:
    """The first characters of the classes that the expression tells apart."""
    match expression:
        case Text(text):
            return {edge for c in text for edge in (ord(c), ord(c) + 1)}
        case Chars(ranges):
            return {edge for low, high in ranges for edge in (low, high + 1)}
        case Sequence(parts) | Choice(parts) | And(parts):
            return set().union(*(borders(part, rules) for part in parts))
        case Repeat(body, _, _) | Not(body):
            return borders(body, rules)
        case Rule(name):
            return borders(rules[name], rules)
    return set()


def right_linear(expression: Expression, prefix: str, rules: Grammar, max_states: int = 300) -> Grammar:
    """The same language as rules `prefix0`, `prefix1`, ... without *and* and *not*; the first one is the whole.

    Raises OverflowError past `max_states` derivatives.
    """
    edges = borders(expression, rules) | {low for low, _ in ANY.ranges} | {high + 1 for _, high in ANY.ranges}
    starts = sorted(edge for edge in edges if edge <= LAST_CHARACTER)
    classes = list(zip(starts, [*(start - 1 for start in starts[1:]), LAST_CHARACTER], strict=True))
    classes = [(low, high) for low, high in classes if any(a <= low <= b for a, b in ANY.ranges)]
    states, names, grammar = [expression], {expression: f"{prefix}0"}, {}
    for state in states:
        ways: list[Expression] = [EMPTY] if nullable(state, rules) else []
        for low, high in classes:
            after = derive(state, low, rules)
            if after not in names:
                if len(states) == max_states:
                    raise OverflowError(f"more than {max_states} derivatives")
                names[after] = f"{prefix}{len(states)}"
                states.append(after)
            ways.append(Sequence((Chars(((low, high),)), Rule(names[after]))))
        grammar[names[state]] = Choice(tuple(ways))
    return grammar
