"""Where in a JSON text something stands: the pointer to the value at a byte, and the line around it.

The text before the byte is the beginning of some JSON text, as a matcher accepted it: what is read here needs no checks.
"""

from __future__ import annotations

import json
import re

__all__ = ["excerpt", "pointer_at"]

_LEXEME = re.compile(rb'"(?:[^"\\]|\\.)*"?|[{}\[\],:]', re.DOTALL)
_WIDEST = 60  # characters of a line that an excerpt shows before and behind the place


def pointer_at(before: bytes) -> str:
    """Return the JSON pointer of the value that is open, or about to come, behind these bytes; "" is the whole text.

    Behind the comma of an object, and inside a name, it is the pointer of the object.
    """
    path: list[str | int] = []  # the place inside each open container: a name, an index, or "" for a name to come
    name = b""
    for found in _LEXEME.finditer(before):
        lexeme = found[0]
        if lexeme == b"{":
            path.append("")
        elif lexeme == b"[":
            path.append(0)
        elif lexeme in (b"}", b"]"):
            del path[-1:]
        elif lexeme == b"," and path:
            place = path[-1]
            path[-1] = place + 1 if isinstance(place, int) else ""
        elif lexeme == b":" and path:
            path[-1] = json.loads(name)
        elif lexeme[:1] == b'"' and path and path[-1] == "":
            name = lexeme
    pieces = path[:-1] if path and path[-1] == "" else path
    return "".join("/" + str(piece).replace("~", "~0").replace("/", "~1") for piece in pieces)


def excerpt(data: bytes, at: int) -> tuple[str, str]:
    """Return the line of a text around byte `at`, cut where it is long, and a caret under the place."""
    start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
    line = data[start : end if end >= 0 else len(data)]
    before = line[: at - start].decode(errors="replace").expandtabs(1)
    behind = line[at - start :].decode(errors="replace").expandtabs(1).rstrip("\r")
    if len(before) > _WIDEST:
        before = "…" + before[-_WIDEST:]
    if len(behind) > _WIDEST:
        behind = behind[:_WIDEST] + "…"
    return before + behind, " " * len(before) + "^"
