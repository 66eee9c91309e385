"""The JSON value that an unfinished text stands for: open strings, arrays and objects are closed where they stand.

A scanner keeps the open brackets while text arrives (each character is read once); `value` closes a copy of the text and
parses it. What cannot be known yet is left out: half a number, half a literal, half an escape, a name without a value.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["NOTHING", "PartialJson"]

NOTHING: Any = object()
"""What `PartialJson.value` returns while there is no value at all."""

_HIGH_SURROGATE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")


class PartialJson:
    """Push text, ask for the value. Cost: `push` is linear in what is new, `value` in what there is."""

    def __init__(self) -> None:
        self._text = ""
        self._closers: list[str] = []  # of the open brackets, outermost first
        self._in_string = False
        self._is_name = False  # the open string names a member
        self._expects_name = False
        self._escape = 0  # hexadecimal digits still missing; -1 directly after a backslash
        self._safe = 0  # the text closes well when it is cut here
        self._safe_closers: tuple[str, ...] = ()

    def push(self, text: str) -> None:
        """Read more of the text, which must be the beginning of valid JSON."""
        start = len(self._text)
        self._text += text
        for place, character in enumerate(text, start):
            if self._in_string:
                self._inside_string(place, character)
            else:
                self._outside_string(place, character)

    def value(self) -> Any:
        """Return the value so far, or NOTHING."""
        if self._in_string and not self._is_name:
            end = len(self._text) if self._escape == 0 else self._escape_start
            if _HIGH_SURROGATE.search(self._text, max(0, end - 6), end):
                end -= 6  # its other half is still to come
            return json.loads(self._text[:end] + '"' + "".join(reversed(self._closers)))
        if not self._safe:
            return NOTHING
        return json.loads(self._text[: self._safe] + "".join(reversed(self._safe_closers)))

    def _inside_string(self, place: int, character: str) -> None:
        if self._escape > 0:
            self._escape -= 1
        elif self._escape < 0:
            self._escape = 4 if character == "u" else 0
        elif character == "\\":
            self._escape, self._escape_start = -1, place
        elif character == '"':
            self._in_string = False
            if not self._is_name:
                self._mark(place + 1)

    def _outside_string(self, place: int, character: str) -> None:
        if character == '"':
            self._in_string, self._is_name, self._expects_name = True, self._expects_name, False
        elif character in "{[":
            self._closers.append("}" if character == "{" else "]")
            self._expects_name = character == "{"
            self._mark(place + 1)
        elif character in "}]":
            self._closers.pop()
            self._expects_name = False
            self._mark(place + 1)
        elif character == ",":
            self._mark(place)
            self._expects_name = self._closers[-1] == "}"

    def _mark(self, length: int) -> None:
        self._safe, self._safe_closers = length, tuple(self._closers)
