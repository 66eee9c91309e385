"""Arguments as Python writes them: `city="Rome", days=2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import GrammarSyntaxError, UnsupportedFeatureError

__all__ = ["keyword_arguments"]

Format = dict[str, Any]
Argument = tuple[str, Any, bool]  # name, schema, whether it is required

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
    take. Cost: each schema is copied at most `log2(n) + 2` times, where `n` is the number of optional arguments.
    """
    fields = schema if isinstance(schema, Mapping) else {}
    refused = sorted(set(fields) - _PLAIN)
    properties, listed = fields.get("properties", {}), fields.get("required", ())
    for keyword, value, kind in (("properties", properties, Mapping), ("required", listed, (list, tuple))):
        if not isinstance(value, kind):
            raise GrammarSyntaxError(
                f"`{keyword}` in the parameters of `{tool}` cannot be `{value}`; correct its value or remove it",
                code="tool_syntax",
            )
    required = {str(name) for name in listed}
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


def _arguments(arguments: list[Argument]) -> Format:
    """Up to the first required argument any may come first, and what comes behind it begins with a comma."""
    lead = next((place for place, (_, _, is_required) in enumerate(arguments) if is_required), len(arguments))
    ways = [[_some(arguments[:lead]), *map(_behind, arguments[lead:])]] if lead else []
    if lead < len(arguments):
        ways.append([_alone(arguments[lead]), *map(_behind, arguments[lead + 1 :])])
    else:
        ways.append([_text("")])
    return _either([_joined(way) for way in ways])


def _some(optional: list[Argument]) -> Format:
    """At least one of these. Halves, so that each argument stands there once for each halving: either the first half
    has one, and then each of the second half is free, or the second half has one."""
    if len(optional) == 1:
        return _alone(optional[0])
    middle = len(optional) // 2
    with_first = _joined([_some(optional[:middle]), *map(_behind, optional[middle:])])
    return _either([with_first, _some(optional[middle:])])


def _alone(argument: Argument) -> Format:
    name, schema, _ = argument
    return _joined([_text(f"{name}="), {"type": "json_schema", "json_schema": schema}])


def _behind(argument: Argument) -> Format:
    written = _joined([_text(", "), _alone(argument)])
    return written if argument[2] else {"type": "optional", "content": written}


def _either(ways: list[Format]) -> Format:
    return ways[0] if len(ways) == 1 else {"type": "or", "elements": ways}


def _joined(parts: list[Format]) -> Format:
    return parts[0] if len(parts) == 1 else {"type": "sequence", "elements": parts}


def _text(value: str) -> Format:
    return {"type": "const_string", "value": value}
