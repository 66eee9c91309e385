"""JSON Schemas as values: what several shims do with them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

__all__ = ["MERGING_LISTS", "any_of_for_one_of", "subschemas"]

MERGING_LISTS = ("allOf", "anyOf", "oneOf")  # keywords that judge the same value, in lists

_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = (*MERGING_LISTS, "prefixItems")
_SINGLES = (
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)


def subschemas(document: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a document once, without those under `not`: what narrows a schema would widen its negation."""
    rest = [document]
    while rest:
        node = rest.pop()
        if not isinstance(node, dict):
            continue
        yield node
        for keyword in _MAPS:
            inner = node.get(keyword)
            rest += inner.values() if isinstance(inner, dict) else ()
        for keyword in _LISTS:
            inner = node.get(keyword)
            rest += inner if isinstance(inner, list) else ()
        for keyword in _SINGLES:
            inner = node.get(keyword)
            rest += inner if isinstance(inner, list) else [inner]


def any_of_for_one_of(document: Any) -> Any:
    """Return a copy in which every `oneOf` is an `anyOf`."""
    copied = copy.deepcopy(document)
    for node in subschemas(copied):
        if "oneOf" in node:
            choice = {"anyOf": node.pop("oneOf")}
            if "anyOf" in node:
                node["allOf"] = [*node.get("allOf", ()), choice]
            else:
                node.update(choice)
    return copied
