"""What XGrammar's JSON Schema options mean, in Penstock's.

any_whitespace=True              whitespace="flexible": bounded, so that no model writes spaces for ever
any_whitespace=False             indent and separators, as json.dumps has them
strict_mode=True                 the schema is closed: `closed_schema`
any_order=False                  property_order="schema": members in the schema's order, others after them
any_order=True                   property_order="any"; required members are still required, and none comes twice
max_whitespace_cnt               max_whitespace, with any_whitespace=True
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from penstock.compat.json_schema import MERGING_LISTS, subschemas
from penstock.compat.xgrammar.exception import InvalidJSONError, RefusedError, refuse

__all__ = ["closed_schema", "json_options", "schema_value"]

_OBJECT_KEYWORDS = ("properties", "patternProperties")
_SAYS_ENOUGH_OBJECT = ("additionalProperties", "unevaluatedProperties")
_SAYS_ENOUGH_ARRAY = ("items", "additionalItems", "unevaluatedItems")
_OLD_DRAFTS = ("draft-03", "draft-04", "draft-06", "draft-07")


def schema_value(schema: Any) -> Any:
    """Return a schema as a JSON value: from JSON text, a dict, a bool or a Pydantic model."""
    if isinstance(schema, str):
        try:
            return json.loads(schema)
        except ValueError as error:
            raise InvalidJSONError(f"the schema is no JSON: {error}") from error
    if isinstance(schema, (dict, bool)):
        return schema
    if hasattr(schema, "model_json_schema"):
        return schema.model_json_schema()
    raise ValueError("The schema should be a string or a Pydantic model.")


def json_options(
    *,
    any_whitespace: bool = True,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    max_whitespace_cnt: int | None = None,
    any_order: bool = False,
) -> dict[str, Any]:
    """Return the options for `penstock.Grammar.from_json_schema`. Raises RefusedError."""
    if max_whitespace_cnt is not None and max_whitespace_cnt < 1:
        raise RefusedError(f"`max_whitespace_cnt` is `{max_whitespace_cnt}`; give a positive number, or any_whitespace=False")
    options: dict[str, Any] = {"property_order": "any" if any_order else "schema"}
    if any_whitespace:
        return {**options, "max_whitespace": max_whitespace_cnt}
    if indent is not None:
        if separators not in (None, (",", ": ")):
            raise refuse(f"`indent` with the separators `{separators}`", 'leave the separators out: they are "," and ": "')
        return {**options, "indent": indent}
    return {**options, "separators": separators or (", ", ": ")}


def closed_schema(schema: Any) -> Any:
    """Return the schema with every object and array closed that names its members and does not say what else may come.

    What several parts say of one object together (allOf, a reference beside members) is closed around them, by
    `unevaluatedProperties`. Alternatives are closed one by one. Raises RefusedError for parts that need
    `unevaluatedProperties` in a draft that has no such keyword. Cost: linear.
    """
    return _Closing(copy.deepcopy(schema)).run()


class _Closing:
    """Closes one document in place. Places that judge a value on their own are closed, parts of others are left open."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.is_old = isinstance(document, dict) and any(old in str(document.get("$schema", "")) for old in _OLD_DRAFTS)
        self.shared: set[int] = set()  # of id(schema): parts of what is said of a value
        self.targets: dict[str, Any] = {}

    def run(self) -> Any:
        nodes = list(subschemas(self.document))
        self._find_shared(nodes)
        for node in nodes:
            if id(node) not in self.shared:
                self._close(node)
        return self.document

    def _find_shared(self, nodes: list[dict[str, Any]]) -> None:
        """Find the schemas that say of a value only a part of what is said of it, directly or by reference."""
        rest = [part for node in nodes if self._merges(node) for part in (*_in_place(node), self._target(node))]
        while rest:
            part = rest.pop()
            if isinstance(part, dict) and id(part) not in self.shared:
                self.shared.add(id(part))
                rest += [*_in_place(part), self._target(part)]

    def _merges(self, node: dict[str, Any]) -> bool:
        """Whether more than one schema speaks of the members of the value at `node`."""
        alternatives = sum(keyword in node for keyword in ("anyOf", "oneOf"))
        speakers = alternatives + len(node.get("allOf", ())) + ("$ref" in node) + ("dependentSchemas" in node)
        speakers += 2 * ("if" in node)  # a closed condition would be another condition
        own = any(keyword in node for keyword in (*_OBJECT_KEYWORDS, *_SAYS_ENOUGH_OBJECT, "prefixItems"))
        return speakers + own > 1

    def _target(self, node: dict[str, Any]) -> Any:
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        if reference not in self.targets:
            self.targets[reference] = _resolve(self.document, reference)
        return self.targets[reference]

    def _close(self, node: dict[str, Any]) -> None:
        merged = self._merges(node) or (id(self._target(node)) in self.shared)
        speakers = [node, *self._speakers(node)] if merged else [node]
        has_members = any(keyword in one for one in speakers for keyword in _OBJECT_KEYWORDS)
        if has_members and not any(keyword in one for one in speakers for keyword in _SAYS_ENOUGH_OBJECT):
            self._say(node, "additionalProperties", "unevaluatedProperties", merged)
        has_items = any("prefixItems" in one for one in speakers)
        if has_items and not any(keyword in one for one in speakers for keyword in _SAYS_ENOUGH_ARRAY):
            self._say(node, "items", "unevaluatedItems", merged)
        if isinstance(node.get("items"), list) and "additionalItems" not in node:
            node["additionalItems"] = False

    def _say(self, node: dict[str, Any], alone: str, together: str, merged: bool) -> None:
        if merged and self.is_old:
            raise refuse(
                f"`strict_mode` for a schema of `{node.get('title', 'several parts')}` in a draft without `{together}`",
                "set `additionalProperties` yourself, name a newer `$schema`, or pass strict_mode=False",
            )
        node[together if merged else alone] = False

    def _speakers(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen, rest = {id(node)}, [*_in_place(node), self._target(node)]
        while rest:
            part = rest.pop()
            if isinstance(part, dict) and id(part) not in seen:
                seen.add(id(part))
                yield part
                rest += [*_in_place(part), self._target(part)]


def _in_place(node: dict[str, Any]) -> Iterator[Any]:
    """The schemas inside `node` that judge the same value."""
    for keyword in MERGING_LISTS:
        yield from node.get(keyword, ())
    for keyword in ("if", "then", "else"):
        if keyword in node:
            yield node[keyword]
    yield from node.get("dependentSchemas", {}).values()


def _resolve(document: Any, reference: str) -> Any:
    """What a local JSON pointer leads to; None where it leads nowhere, which compiling reports."""
    found = document
    for piece in [piece for piece in reference[1:].split("/") if piece]:
        piece = piece.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(piece)
        elif isinstance(found, list) and piece.isdigit() and int(piece) < len(found):
            found = found[int(piece)]
        else:
            return None
    return found
