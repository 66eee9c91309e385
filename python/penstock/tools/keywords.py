"""Arguments as Python writes them: `city="Rome", days=2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import UnsupportedFeatureError

__all__ = ["keyword_arguments"]

Format = dict[str, Any]

# What may stand beside `properties` without deciding about the arguments as a whole.
_PLAIN = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "title",
    "description",
    "$defs",
    "definitions",
    "$schema",
    "strict",
}


def keyword_arguments(schema: Any, tool: str) -> Format:
    """Return the format of the arguments of a schema: `name=value`, a comma and a space between, values as JSON.

    Arguments come in the order of `properties`, optional ones may be left out; only those that `properties` names are written.
    Readers take JSON's `true`, `false` and `null` beside Python's words.

    Raises UnsupportedFeatureError for keywords that decide about the arguments as a whole and for names that Python does not
    take. Cost: linear in the schema.
    """
    fields = schema if isinstance(schema, Mapping) else {}
    refused = sorted(set(fields) - _PLAIN)
    properties, required = fields.get("properties", {}), set(fields.get("required", ()))
    refused += [name for name in properties if not name.isidentifier()] + sorted(required - set(properties))
    if refused:
        raise UnsupportedFeatureError(
            f"`{refused[0]}` in the parameters of `{tool}` is refused where arguments are written as Python's keywords; "
            "describe each argument in `properties`, or choose a family that writes JSON",
            code="unsupported_tool",
        )
    shared = {name: fields[name] for name in ("$defs", "definitions") if name in fields}
    return _arguments([(name, _with(shared, value), name in required) for name, value in properties.items()])


def _with(shared: Mapping[str, Any], schema: Any) -> Any:
    return {**shared, **schema} if shared and isinstance(schema, Mapping) else schema


def _arguments(arguments: list[tuple[str, Any, bool]]) -> Format:
    """The formats are built from the last argument on; `first`: nothing has been written before, `later`: something has."""
    first = later = _text("")
    for name, schema, is_required in reversed(arguments):
        value = {"type": "json_schema", "json_schema": schema}
        alone = {"type": "sequence", "elements": [_text(f"{name}="), value, later]}
        behind = {"type": "sequence", "elements": [_text(f", {name}="), value, later]}
        first = alone if is_required else {"type": "or", "elements": [alone, first]}
        later = behind if is_required else {"type": "or", "elements": [behind, later]}
    return first


def _text(value: str) -> Format:
    return {"type": "const_string", "value": value}
