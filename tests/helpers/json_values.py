"""JSON values, their spellings, and what the jsonschema package says of them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

CHECKED_FORMATS = ("ipv4", "ipv6")  # `date` of Python knows no year 0000, which RFC 3339 has


def spellings(value: Any) -> list[bytes]:
    """A value in the styles that models write."""
    texts = [
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        json.dumps(value, separators=(",", ":")),
        json.dumps(value, indent=2),
        json.dumps(value, indent="\t", ensure_ascii=False),
        escape_all(value),
    ]
    return [text.encode() for text in dict.fromkeys(texts)]


def escape_all(value: Any) -> str:
    """Every character of every string and name as `\\uXXXX`, in capitals."""
    if isinstance(value, str):
        units = value.encode("utf-16-be")
        return '"' + "".join(f"\\u{units[i]:02X}{units[i + 1]:02X}" for i in range(0, len(units), 2)) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(escape_all, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{escape_all(name)}:{escape_all(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def reversed_members(value: Any) -> Any:
    """The same value, its members written last to first."""
    if isinstance(value, list):
        return [reversed_members(item) for item in value]
    if isinstance(value, dict):
        return {name: reversed_members(value[name]) for name in reversed(value)}
    return value


def validator_of(schema: Any) -> jsonschema.protocols.Validator:
    """The validator of the schema's draft, with the formats that it checks without further packages."""
    cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    return cls(schema, format_checker=jsonschema.FormatChecker(CHECKED_FORMATS))


def is_valid(schema: Any, value: Any) -> bool:
    """Whether the jsonschema package takes the value."""
    return validator_of(schema).is_valid(value)
