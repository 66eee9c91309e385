"""Grammars of real use in the twin's form: JSON, arithmetic, markup, indented code, free text with an end mark."""

from __future__ import annotations

from reference.grammar import ANY, Chars, Choice, Expression, Grammar, Repeat, Rule, Sequence, Text


def chars(*ranges: str) -> Chars:
    """A class; each range is its first and its last character."""
    return Chars(tuple((ord(text[0]), ord(text[-1])) for text in ranges))


def seq(*parts: Expression | str) -> Expression:
    """One after the other; a str is text."""
    return Sequence(tuple(Text(part) if isinstance(part, str) else part for part in parts))


def alt(*parts: Expression | str) -> Expression:
    """Any of them."""
    return Choice(tuple(map(seq, parts)))


def many(part: Expression | str, least: int = 0, most: int | None = None) -> Expression:
    """Again and again."""
    return Repeat(seq(part), least, most)


def json() -> Grammar:
    value, ws = Rule("value"), Rule("ws")
    plain = Chars(((0x20, 0x21), (0x23, 0x5B), (0x5D, 0xD7FF), (0xE000, 0x10FFFF)))
    escape = seq("\\", chars('"', "\\", "n", "t"))
    digits = many(chars("09"), 1)
    return {
        "root": value,
        "value": alt(Rule("object"), Rule("array"), Rule("string"), Rule("number"), "true", "false", "null"),
        "object": seq("{", ws, many(seq(Rule("member"), many(seq(",", ws, Rule("member")))), 0, 1), "}", ws),
        "member": seq(Rule("string"), ":", ws, value),
        "array": seq("[", ws, many(seq(value, many(seq(",", ws, value))), 0, 1), "]", ws),
        "string": seq('"', many(alt(plain, escape)), '"', ws),
        "number": seq(many("-", 0, 1), alt("0", seq(chars("19"), many(chars("09")))), many(seq(".", digits), 0, 1), ws),
        "ws": many(chars(" ", "\n"), 0, 3),
    }


def arithmetic() -> Grammar:
    root, term, factor = Rule("root"), Rule("term"), Rule("factor")
    call = seq(many(chars("az"), 1), "(", root, ")")
    return {
        "root": alt(seq(root, chars("+", "-"), term), term),
        "term": alt(seq(term, chars("*", "/"), factor), factor),
        "factor": alt(many(chars("09"), 1), seq("(", root, ")"), seq("-", factor), call),
    }


def markup() -> Grammar:
    inner = many(alt(Rule("element"), many(chars("az", " ", "é"), 1)))
    return {"root": Rule("element"), "element": alt(*(seq(f"<{tag}>", inner, f"</{tag}>") for tag in ("b", "name", "item")))}


def indented() -> Grammar:
    """The same block at two depths: its mask is remembered, and what follows it differs."""
    expression, block = Rule("expression"), Rule("block")
    return {
        "root": many(Rule("line"), 1),
        "line": alt(seq("if ", expression, ":\n  ", block), seq(expression, "\n")),
        "block": alt("pass\n", seq(expression, "\n  ", block), seq("return ", expression, "\n")),
        "expression": alt(
            many(chars("az", "_"), 1, 12),
            seq(expression, ".", many(chars("az"), 1)),
            seq(expression, "(", expression, ")"),
        ),
    }


def free() -> Grammar:
    return {"root": seq(many(ANY, 0, 40), "<end>", many("!", 0, 2))}


REAL_GRAMMARS = {make.__name__: make() for make in (json, arithmetic, markup, indented, free)}
