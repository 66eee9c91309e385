"""How values of Python's types are spelt in JSON: patterns that hold exactly what can be read back, and the readings.

A pattern instead of a `format` wherever Python is narrower than the format (no year 0, no leap second, at most six digits
of a second) or wider (times without an offset).
"""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

__all__ = [
    "DATE",
    "DATETIME",
    "DECIMAL",
    "DURATION",
    "INTEGER_KEY",
    "MAX_DECIMAL",
    "OFFSET",
    "TIME",
    "decimal_pattern",
    "exact_integers",
    "parse_duration",
    "text_schema",
]

_YEAR = r"(?:[1-9]\d{3}|0[1-9]\d{2}|00[1-9]\d|000[1-9])"
_LEAP_YEAR = r"(?:\d{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
DATE = rf"(?:{_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)"
TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
OFFSET = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
DATETIME = f"{DATE}T{TIME}"
_SECONDS = r"\d{1,6}(?:\.\d{1,6})?S"
_MINUTES = rf"(?:\d{{1,6}}M(?:{_SECONDS})?|{_SECONDS})"
_CLOCK = rf"T(?:\d{{1,6}}H(?:{_MINUTES})?|{_MINUTES})"
DURATION = rf"-?P(?:\d{{1,8}}W|\d{{1,8}}D(?:{_CLOCK})?|{_CLOCK})"
DECIMAL = r"-?(?:0|[1-9]\d*)(?:\.\d+)?"
INTEGER_KEY = r"(?:0|-?[1-9]\d*)"
MAX_DECIMAL = 1e300  # of a decimal that is written as a JSON number

_EXACT_FLOAT = 2**53
_MAX_EXPONENT = 4_000  # larger ones are no int that Python prints

_NUMBER_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')
_DURATION_PARTS = re.compile(
    r"(?P<sign>-?)P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d+))?S)?)?"
)


def text_schema(pattern: str) -> dict[str, Any]:
    """Return the schema of strings that a pattern matches as a whole."""
    return {"type": "string", "pattern": f"^{pattern}$"}


def decimal_pattern(max_digits: int | None, decimal_places: int | None) -> str:
    """Return the pattern of decimals with so many digits in all and behind the point; without leading zeros."""
    whole = None if max_digits is None else max(0, max_digits - (decimal_places or 0))
    head = r"[1-9]\d*" if whole is None else rf"[1-9]\d{{0,{whole - 1}}}" if whole else ""
    tail = r"(?:\.\d+)?" if decimal_places is None else "" if decimal_places == 0 else rf"(?:\.\d{{1,{decimal_places}}})?"
    if max_digits is not None and decimal_places is None:
        tail = ""  # digits before and behind the point would share one budget
    return rf"-?(?:0{'|' + head if head else ''}){tail}"


def parse_duration(text: str) -> datetime.timedelta:
    """Return the timedelta of an ISO 8601 duration in weeks, days, hours, minutes and seconds. Raises ValueError."""
    found = _DURATION_PARTS.fullmatch(text)
    if found is None or text.rstrip("T") in ("P", "-P") or text.endswith("T"):
        raise ValueError(f"`{text}` is no duration; write it like `P1DT2H30M`")
    parts = {name: int(found[name] or 0) for name in ("weeks", "days", "hours", "minutes", "seconds")}
    micros = int((found["fraction"] or "0")[:6].ljust(6, "0"))
    value = datetime.timedelta(**parts, microseconds=micros)
    return -value if found["sign"] else value


def exact_integers(text: str) -> str:
    """Return JSON text in which whole numbers that a float would not hold are written out: `1e20` as 100000000000000000000.

    Numbers below 2**53, strings and fractions stay as they are. Cost: linear.
    """
    if not any(mark in text for mark in ".eE"):
        return text
    return _NUMBER_OR_STRING.sub(lambda found: _written_out(found[0]), text)


def _written_out(token: str) -> str:
    if token[0] == '"' or not any(mark in token for mark in ".eE"):
        return token
    mantissa, _, exponent = token.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or "0") - len(fraction)
    digits = (whole + fraction).lstrip("-")
    if shift < 0:
        digits, dropped = digits[:shift] or "0", digits[shift:]
        if dropped.strip("0"):
            return token
    elif shift <= _MAX_EXPONENT:
        digits += "0" * shift
    else:
        return token
    value = digits.lstrip("0") or "0"
    if len(value) <= 15 or int(value[:_MAX_EXPONENT]) < _EXACT_FLOAT:
        return token
    return "-" + value if token[0] == "-" else value


def loads(text: str) -> Any:
    """Read JSON with exact whole numbers."""
    return json.loads(exact_integers(text))
