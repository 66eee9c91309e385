"""JSON text as Penstock defines it, read by recursive descent, and schemas judged by trying every short text.

RFC 8259 in UTF-8, and besides: the names of an object differ, no string holds a lone surrogate, a number has at most
128 digits, an exponent within 400 and a finite value as a double, and between two symbols stands nothing, one space or
tab, or one line break (LF or CR LF) with up to 256 spaces or tabs. Nothing stands around the whole.

`parse` tells three things apart: a value, a text that is wrong already (`NotJson`), and one that ends too early
(`Incomplete`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

GAP = re.compile(rb"(?:[ \t]|\r?\n[ \t]{0,256})?")
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
NUMBER_BYTES = re.compile(rb"[-+.eE0-9]*")
MAX_DIGITS, MAX_EXPONENT = 128, 400
ESCAPES = {b'"': '"', b"\\": "\\", b"/": "/", b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r", b"t": "\t"}
WORDS = {b"null": None, b"true": True, b"false": False}


class NotJson(ValueError):  # noqa: N818 - an answer rather than an error
    """No text that starts like this is JSON."""


class Incomplete(ValueError):  # noqa: N818
    """The text ends before the value does."""


def parse(data: bytes) -> Any:
    """The value of the text. Raises `NotJson` or `Incomplete`."""
    value, end = read_value(data, 0)
    if end < len(data):
        raise NotJson(f"more text follows the value at byte {end}")
    return value


def is_start(data: bytes) -> bool:
    """Whether the text is JSON or begins like JSON. Numbers past the limits may pass."""
    try:
        parse(data)
    except Incomplete:
        return True
    except NotJson:
        return False
    return True


def peek(data: bytes, at: int) -> bytes:
    if at >= len(data):
        raise Incomplete
    return data[at : at + 1]


def read_value(data: bytes, at: int) -> tuple[Any, int]:
    first = peek(data, at)
    if first == b'"':
        return read_string(data, at + 1)
    if first == b"[":
        return read_container(data, at, b"]", read_value)
    if first == b"{":
        members, end = read_container(data, at, b"}", read_member)
        return dict(members), end
    if first in b"-0123456789":
        return read_number(data, at)
    for word, value in WORDS.items():
        if data.startswith(word, at):
            return value, at + len(word)
        if word.startswith(data[at:]):
            raise Incomplete
    raise NotJson(f"no value starts at byte {at}")


def skip_gap(data: bytes, at: int) -> int:
    end = GAP.match(data, at).end()
    if data[end:] == b"\r":
        raise Incomplete
    return end


def read_container(data: bytes, at: int, close: bytes, read_part: Callable) -> tuple[list, int]:
    parts: list = []
    at = skip_gap(data, at + 1)
    if peek(data, at) == close:
        return parts, at + 1
    while True:
        part, at = read_part(data, at, parts) if read_part is read_member else read_part(data, at)
        parts.append(part)
        at = skip_gap(data, at)
        if peek(data, at) == close:
            return parts, at + 1
        if peek(data, at) != b",":
            raise NotJson(f"neither a comma nor the end at byte {at}")
        at = skip_gap(data, at + 1)


def read_member(data: bytes, at: int, before: list) -> tuple[tuple[str, Any], int]:
    if peek(data, at) != b'"':
        raise NotJson(f"no name at byte {at}")
    name, at = read_string(data, at + 1)
    if any(name == other for other, _ in before):
        raise NotJson(f"a second member `{name}`")
    at = skip_gap(data, at)
    if peek(data, at) != b":":
        raise NotJson(f"no colon at byte {at}")
    value, at = read_value(data, skip_gap(data, at + 1))
    return (name, value), at


def read_string(data: bytes, at: int) -> tuple[str, int]:
    """The string whose first character is at `at`, and the place behind its closing quote."""
    text = ""
    while peek(data, at) != b'"':
        character, at = read_escape(data, at + 1) if data[at : at + 1] == b"\\" else read_character(data, at)
        text += character
    return text, at + 1


def read_character(data: bytes, at: int) -> tuple[str, int]:
    if data[at] < 0x20:
        raise NotJson("control characters are written as escapes")
    length = 1 if data[at] < 0x80 else 2 if data[at] < 0xE0 else 3 if data[at] < 0xF0 else 4
    some = data[at : at + length]
    try:
        return some.decode(), at + length
    except UnicodeDecodeError as error:
        raise (Incomplete if error.reason == "unexpected end of data" else NotJson)(str(error)) from None


def read_escape(data: bytes, at: int) -> tuple[str, int]:
    """The character of the escape whose letter is at `at`."""
    letter = peek(data, at)
    if letter in ESCAPES:
        return ESCAPES[letter], at + 1
    if letter != b"u":
        raise NotJson(f"no escape at byte {at}")
    code, at = read_digits(data, at + 1)
    if not 0xD800 <= code < 0xDC00:
        return chr(code), at
    if peek(data, at) != b"\\" or peek(data, at + 1) != b"u":
        raise NotJson("a high surrogate stands alone")
    low, at = read_digits(data, at + 2, 0xDC00, 0xDFFF)
    return chr(0x10000 + ((code - 0xD800) << 10) + low - 0xDC00), at


def read_digits(data: bytes, at: int, low: int = 0, high: int = 0xFFFF) -> tuple[int, int]:
    """Four hexadecimal digits whose value lies from `low` to `high`."""
    digits = data[at : at + 4]
    if not re.fullmatch(rb"[0-9a-fA-F]*", digits):
        raise NotJson("not four hexadecimal digits")
    least, most = int(digits.ljust(4, b"0"), 16), int(digits.ljust(4, b"f"), 16)
    if least > high or most < low or (low == 0 and least >= 0xDC00 and most < 0xE000):
        raise NotJson("a lone surrogate")
    if len(digits) < 4:
        raise Incomplete
    return least, at + 4


def read_number(data: bytes, at: int) -> tuple[int | float, int]:
    """Integers of any spelling are int, so that `1`, `1.0` and `1e0` are one value."""
    found = NUMBER.match(data, at)
    end = NUMBER_BYTES.match(data, at).end()
    if found is None or found.end() < end:
        begun = data[at:end]
        if end == len(data) and (NUMBER.fullmatch(begun + b"0") or NUMBER.fullmatch(begun + b"+0")):
            raise Incomplete
        raise NotJson(f"no number at byte {at}")
    text = found.group().decode()
    mantissa, _, exponent = text.lower().partition("e")
    if sum(c.isdigit() for c in mantissa) > MAX_DIGITS or abs(int(exponent or 0)) > MAX_EXPONENT:
        raise NotJson("the number has too many digits")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NotJson("the number is not finite as a double")
    exact = Fraction(text)
    return (exact.numerator if exact.denominator == 1 else value), end


def texts(pieces: Sequence[bytes], most: int) -> Iterator[tuple[bytes, Any]]:
    """Every JSON text of at most `most` pieces, with its value. Cost: exponential in `most`."""
    level = [b""]
    for _ in range(most):
        level = list({text + piece for text in level for piece in pieces if is_start(text + piece)})
        for text in level:
            try:
                yield text, parse(text)
            except Incomplete:
                continue
