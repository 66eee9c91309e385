"""A JSON Schema as a tree of lines: what a value is, then its members and items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["MAX_DEPTH", "outline"]

MAX_DEPTH = 40  # schemas inside schemas that are drawn

_NOTES = {
    "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "pattern": "like /{}/", "format": "{}",
    "minItems": "at least {} items", "maxItems": "at most {} items", "uniqueItems": "all different",
    "minProperties": "at least {} members", "maxProperties": "at most {} members",
}  # fmt: skip
_DRAWN = {
    *_NOTES, "type", "enum", "const", "$ref", "properties", "required", "items", "prefixItems", "additionalProperties",
    "patternProperties", "propertyNames", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "contains", "$defs",
    "definitions", "title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated",
}  # fmt: skip
_PARTS = {"anyOf": "one or more of", "oneOf": "exactly one of", "allOf": "all of"}


def outline(schema: Any) -> list[str]:
    """Return the lines of a schema, its definitions behind it."""
    lines = list(_tree("", schema, "", 0))
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})} if isinstance(schema, dict) else {}
    for name, definition in definitions.items():
        lines += ["", *_tree(f"{name} = ", definition, "", 0)]
    return lines


def _tree(head: str, schema: Any, indent: str, depth: int) -> Iterator[str]:
    """The line of a schema and those below it. indent: what stands before the lines below."""
    yield head + _said(schema)
    if depth >= MAX_DEPTH:
        yield f"{indent}└─ …"
        return
    below = list(_below(schema))
    for number, (name, part) in enumerate(below):
        is_last = number == len(below) - 1
        first, others = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _tree(indent + first + name, part, indent + others, depth + 1)


def _said(schema: Any) -> str:
    """What a schema says of a value itself."""
    if schema is True or schema == {}:
        return "anything"
    if not isinstance(schema, dict):
        return "nothing" if schema is False else f"no schema: {json.dumps(schema)}"
    said = [_kind(schema)]
    said += [note.format(schema[word]) for word, note in _NOTES.items() if word in schema and schema[word] is not False]
    if schema.get("additionalProperties") is False and "properties" in schema:
        said.append("no other members")
    others = sorted(set(schema) - _DRAWN)
    said += [
        f"{word}: {json.dumps(schema[word], ensure_ascii=False)}"
        for word in others
        if not isinstance(schema[word], (dict, list))
    ]
    said += [f"{word}: …" for word in others if isinstance(schema[word], (dict, list))]
    return ", ".join(part for part in said if part)


def _kind(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"]) or "nothing"
    if "$ref" in schema:
        return f"→ {str(schema['$ref']).rsplit('/', 1)[-1]}"
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(map(str, kind))
    for word, meaning in _PARTS.items():
        if kind is None and word in schema:
            return meaning
    return str(kind) if kind else "anything" if not set(schema) & {"properties", "items", "prefixItems"} else "any value"


def _below(schema: Any) -> Iterator[tuple[str, Any]]:
    """(label, schema) of the parts of a schema."""
    if not isinstance(schema, dict):
        return
    required = schema.get("required", [])
    for name, part in schema.get("properties", {}).items():
        yield f"{name}{'' if name in required else '?'}: ", part
    yield from ((f"{name}: ", True) for name in required if name not in schema.get("properties", {}))
    yield from ((f"/{pattern}/?: ", part) for pattern, part in schema.get("patternProperties", {}).items())
    if isinstance(schema.get("additionalProperties"), dict):
        yield "any other?: ", schema["additionalProperties"]
    if "propertyNames" in schema:
        yield "names: ", schema["propertyNames"]
    yield from ((f"[{index}] ", part) for index, part in enumerate(schema.get("prefixItems", ())))
    if "items" in schema and not isinstance(schema["items"], list):
        yield "each ", schema["items"]
    yield from (
        (f"[{index}] ", part) for index, part in enumerate(schema["items"] if isinstance(schema.get("items"), list) else ())
    )
    is_only = [word for word in _PARTS if word in schema]
    for word in is_only:
        label = "" if _kind(schema) == _PARTS[word] else f"{_PARTS[word]}: "
        yield from ((label, part) for part in schema[word])
    for word, label in (("not", "but not "), ("contains", "among them "), ("if", "if "), ("then", "then "), ("else", "else ")):
        if word in schema:
            yield label, schema[word]
