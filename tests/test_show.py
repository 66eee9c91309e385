"""Pictures of grammars: their lines join, nothing that is written in a grammar is left out, and depth is no danger."""

from __future__ import annotations

import random

import penstock
import pytest
from penstock.show import show_grammar, show_regex, show_schema, to_ascii
from penstock.show.reader import read_grammar, read_regex

DOWN, UP = set("┬│├┤┌┐┼"), set("│├┤╰╯└┘┼")


def broken_lines(picture: str) -> list[str]:
    """The places where a line goes up or down and meets nothing."""
    lines = picture.split("\n")
    at = lambda row, column: lines[row][column] if 0 <= row < len(lines) and column < len(lines[row]) else " "  # noqa: E731
    broken = []
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            if character in DOWN and at(row + 1, column) not in UP:
                broken.append(f"{row}:{column} {character} downwards")
            if character in UP and at(row - 1, column) not in DOWN:
                broken.append(f"{row}:{column} {character} upwards")
    return broken


def random_pattern(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(["a", "bc", "[x-z]", r"\d", r"\.", "."])
    inner = [random_pattern(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
    kind = rng.choice(["|", "", "*", "+", "?", "{2}", "{2,}", "{1,5}"])
    if kind in ("|", ""):
        return f"({kind.join(inner)})"
    return f"(?:{inner[0]}){kind}"


@pytest.mark.parametrize("seed", range(60))
def test_lines_of_patterns_join(seed: int) -> None:
    rng = random.Random(seed)
    pattern = random_pattern(rng, 4) + random_pattern(rng, 4)
    for picture in (show_regex(pattern, width=40), show_grammar(penstock.Grammar.from_regex(pattern))):
        assert broken_lines(picture) == [], f"{pattern}\n{picture}"
        for piece in ('"bc"', "[x-z]", r"\d"):
            if piece.strip('"') in pattern:
                assert piece.strip('"') in picture


def test_every_part_of_a_grammar_is_drawn() -> None:
    text = (
        'root ::= "a" (x | y{2,}) & ~("no" | z)\n'
        'x ::= Regex("p+q", dialect="python") | JsonSchema({"type":"null"})\n'
        'y ::= Token(5) "b c" [^\\n"]\n'
        'z ::= [q] | ""'
    )
    picture = show_grammar(penstock.Grammar.from_ebnf(text))
    for piece in (
        '"a"',
        "x",
        "at least 2 times",
        "all of",
        "anything but",
        '"no"',
        "pattern",
        '"p"',
        "JsonSchema(",
        "Token(5)",
        '"b c"',
    ):
        assert piece in picture, f"{piece}\n{picture}"
    assert broken_lines(picture) == []
    assert [name for name, _ in read_grammar(text)] == ["root", "x", "y", "z"]


def test_wide_sequences_go_on_in_another_row() -> None:
    picture = show_regex("(a|b)" * 30, width=60)
    assert max(map(len, picture.split("\n"))) <= 64
    assert picture.count("⋯") == 2 * (picture.count("⋯") // 2) > 0
    assert broken_lines(picture) == []


def test_depth_is_cut_and_not_a_crash() -> None:
    for opening in ("(", "(?:"):
        pattern = opening * 900 + "a" + ")*" * 900
        assert "(" in show_regex(pattern)
    assert read_regex("").text == '""'
    deep: dict = {}
    for _ in range(500):
        deep = {"type": "array", "items": deep}
    assert "…" in show_schema(deep)


def test_ascii_has_no_other_characters_and_keeps_columns() -> None:
    picture = show_regex("(ab|[c-d]{2,3})+x?")
    plain = to_ascii(picture)
    assert plain.isascii()
    assert [len(line) for line in plain.split("\n")] == [len(line) for line in picture.split("\n")]


@pytest.mark.parametrize(
    ("schema", "lines"),
    [
        (True, ["anything"]),
        (False, ["nothing"]),
        ({"type": "integer", "minimum": 0, "exclusiveMaximum": 9}, ["integer, ≥ 0, < 9"]),
        ({"enum": ["a", 1, None]}, ['"a" | 1 | null']),
        ({"const": {"a": 1}}, ['{"a": 1}']),
        ({"type": ["string", "null"], "maxLength": 3, "format": "date"}, ["string or null, at most 3 characters, date"]),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "null"}, "b": True},
                "required": ["a", "c"],
                "additionalProperties": False,
            },
            ["object, no other members", "├─ a: null", "├─ b?: anything", "└─ c: anything"],
        ),
        ({"type": "array", "prefixItems": [{}], "items": {"$ref": "#/$defs/x"}}, ["array", "├─ [0] anything", "└─ each → x"]),
        ({"anyOf": [{"type": "null"}, {"not": {}}]}, ["one or more of", "├─ null", "└─ anything", "   └─ but not anything"]),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}}, ["→ x", "", "x = null"]),
        ({"type": "string", "x-hint": 5, "weird": {}}, ["string, x-hint: 5, weird: …"]),
        (
            {"if": {"const": 1}, "then": True, "allOf": [{"type": "integer"}], "contains": {}},
            ["all of", "├─ integer", "├─ among them anything", "├─ if 1", "└─ then anything"],
        ),
    ],
)
def test_schemas_are_said_in_words(schema, lines) -> None:
    assert show_schema(schema).splitlines() == lines
