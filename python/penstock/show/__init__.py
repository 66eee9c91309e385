"""Pictures of grammars and schemas for a terminal: `show_grammar`, `show_regex`, `show_schema` return text.

Reading order: `nodes.py` (what is drawn), `reader.py` (from printed EBNF and from patterns), `railroad.py` (boxes and
lines), `outline.py` (schemas as a tree).
"""

from __future__ import annotations

from typing import Any

from penstock.show.outline import outline
from penstock.show.railroad import draw
from penstock.show.reader import read_grammar, read_regex

__all__ = ["show_grammar", "show_regex", "show_schema", "to_ascii"]

_ASCII = str.maketrans(
    {
        **dict.fromkeys("─━", "-"),
        **dict.fromkeys("│┃", "|"),
        **dict.fromkeys("┬┴┼├┤╭╮╰╯┌┐└┘", "+"),
        **dict.fromkeys("╟", "|"),
        "◂": "<", "▸": ">", "∅": "0", "≤": "<=", "≥": ">=", "→": "->", "…": "~", "⋯": "~",
    }
)  # fmt: skip


def show_grammar(grammar: Any, *, width: int = 100) -> str:
    """Return a railroad diagram for each rule of a `penstock.Grammar`, the root first. width: columns, as far as it goes."""
    parts = []
    for name, node in read_grammar(str(grammar)):
        parts.append("\n".join([f"{name}:", *("  " + line for line in draw(node, width - 2))]))
    return "\n\n".join(parts) + "\n"


def show_regex(pattern: str, *, width: int = 100) -> str:
    """Return a railroad diagram of a regular expression."""
    return "\n".join(draw(read_regex(pattern), width)) + "\n"


def show_schema(schema: Any, *, width: int = 100) -> str:
    """Return an outline of a JSON Schema: a line for each value, its members and items below it."""
    return "\n".join(line if len(line) <= width else line[: width - 1] + "…" for line in outline(schema)) + "\n"


def to_ascii(picture: str) -> str:
    """Return a picture in ASCII; letters of names and texts beyond it are written as escapes."""
    return picture.translate(_ASCII).encode("ascii", "backslashreplace").decode()
