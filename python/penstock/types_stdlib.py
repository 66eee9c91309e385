"""Schemas and values of the standard library's types, for installations without Pydantic.

`schema_of` and `build` are two readings of one table: what a type looks like as JSON, and what JSON becomes of it.
Named types may contain themselves; they go to `$defs`.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal, NotRequired, Required, TypedDict, Union, get_args, get_origin

__all__ = ["build", "schema_of", "signature_type"]

_SCALARS: dict[Any, dict[str, Any]] = {
    Any: {},
    object: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
}


def schema_of(python_type: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type. Raises TypeError for what it does not know."""
    definitions: dict[str, Any] = {}
    schema = _Schemas(definitions).of(python_type)
    return {**schema, "$defs": definitions} if definitions else schema


class _Schemas:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self.definitions = definitions
        self.names: dict[Any, str] = {}

    def of(self, t: Any) -> dict[str, Any]:
        t = _bare(t)
        if t in _SCALARS:
            return dict(_SCALARS[t])
        origin, args = get_origin(t) or t, get_args(t)
        if origin is Literal:
            return {"enum": list(args)}
        if isinstance(t, type) and issubclass(t, enum.Enum):
            return {"enum": [member.value for member in t]}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(arg) for arg in args]}
        members = _members(t)
        if members is not None:
            return self._reference(t, members)
        if origin is tuple:
            return self._tuple(args)
        if origin in (list, set, frozenset):
            unique = {} if origin is list else {"uniqueItems": True}
            return {"type": "array", **({"items": self.of(args[0])} if args else {}), **unique}
        if origin is dict and (not args or _bare(args[0]) is str):
            return {"type": "object", **({"additionalProperties": self.of(args[1])} if args else {})}
        raise TypeError(f"`{t}` has no JSON Schema here; install penstock[types] for Pydantic's types, or give JsonSchema(...)")

    def _tuple(self, args: tuple[Any, ...]) -> dict[str, Any]:
        if not args:
            return {"type": "array"}
        if len(args) == 2 and args[1] is Ellipsis:
            return {"type": "array", "items": self.of(args[0])}
        items = [self.of(arg) for arg in args]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    def _reference(self, t: Any, members: Mapping[str, tuple[Any, bool]]) -> dict[str, Any]:
        if t not in self.names:
            name = t.__name__
            while name in self.definitions:
                name += "_"
            self.names[t] = name
            self.definitions[name] = {}
            self.definitions[name] = {
                "type": "object",
                "properties": {member: self.of(kind) for member, (kind, _) in members.items()},
                "required": [member for member, (_, required) in members.items() if required],
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{self.names[t]}"}


def build(python_type: Any, value: Any) -> Any:
    """Return the value of a type that JSON `value` stands for. Raises ValueError or TypeError where it stands for none."""
    t = _bare(python_type)
    if t in _SCALARS:
        return _scalar(t, value)
    origin, args = get_origin(t) or t, get_args(t)
    if origin is Literal:
        return next(arg for arg in args if arg == value and type(arg) is type(value))
    if isinstance(t, type) and issubclass(t, enum.Enum):
        return t(value)
    if origin in (Union, types.UnionType):
        return _first_that_fits(args, value)
    members = _members(t)
    if members is not None:
        _expect(isinstance(value, dict), t, value)
        built = {name: build(members[name][0], item) for name, item in value.items()}
        return built if typing.is_typeddict(t) else t(**built)
    if origin is dict:
        _expect(isinstance(value, dict), t, value)
        return {key: build(args[1], item) for key, item in value.items()} if args else value
    _expect(isinstance(value, list), t, value)
    if origin is tuple and args and args[-1] is not Ellipsis:
        return tuple(build(arg, item) for arg, item in zip(args, value, strict=True))
    return origin(build(args[0], item) for item in value) if args else origin(value)


def _scalar(t: Any, value: Any) -> Any:
    if t in (datetime.datetime, datetime.date, datetime.time):
        return t.fromisoformat(value)
    if t is uuid.UUID:
        return uuid.UUID(value)
    if t is float:
        _expect(isinstance(value, (int, float)) and not isinstance(value, bool), t, value)
        return float(value)
    if t is int:
        _expect(isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value), t, value)
        return int(value)
    if t in (None, type(None)):
        _expect(value is None, t, value)
    elif t in (bool, str):
        _expect(isinstance(value, t), t, value)
    return value


def _first_that_fits(args: tuple[Any, ...], value: Any) -> Any:
    for arg in args:
        try:
            return build(arg, value)
        except (TypeError, ValueError, StopIteration, KeyError):
            continue
    raise ValueError(f"`{value!r}` fits none of `{list(args)}`")


def _expect(holds: bool, t: Any, value: Any) -> None:
    if not holds:
        raise ValueError(f"`{value!r}` is no `{t}`")


def _bare(t: Any) -> Any:
    """Strip Annotated, Required and NotRequired."""
    while get_origin(t) in (typing.Annotated, Required, NotRequired):
        t = get_args(t)[0]
    return t


def _members(t: Any) -> dict[str, tuple[Any, bool]] | None:
    """Return member -> (type, required) of a dataclass, TypedDict or NamedTuple; None for other types."""
    if typing.is_typeddict(t):
        hints = typing.get_type_hints(t, include_extras=True)
        return {name: (kind, _is_required(kind, name in t.__required_keys__)) for name, kind in hints.items()}
    if dataclasses.is_dataclass(t) and isinstance(t, type):
        hints = typing.get_type_hints(t, include_extras=True)
        missing = dataclasses.MISSING
        fields = [f for f in dataclasses.fields(t) if f.init]
        return {f.name: (hints[f.name], f.default is missing and f.default_factory is missing) for f in fields}
    if isinstance(t, type) and issubclass(t, tuple) and hasattr(t, "_fields"):
        hints = typing.get_type_hints(t, include_extras=True)
        return {name: (hints.get(name, Any), name not in getattr(t, "_field_defaults", {})) for name in t._fields}
    return None


def _is_required(kind: Any, otherwise: bool) -> bool:
    """Whether a member of a TypedDict is required; `__required_keys__` misses what stands in annotations that are texts."""
    marks = {Required: True, NotRequired: False}
    return marks.get(get_origin(kind), otherwise)


def signature_type(function: Callable[..., Any]) -> Any:
    """Return the TypedDict of a function's arguments. Raises TypeError for what cannot be passed by name."""
    hints = typing.get_type_hints(function, include_extras=True)
    members: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"argument `{name}` of `{function.__name__}` cannot be passed by name; wrap the function")
        kind = hints.get(name, Any)
        members[name] = kind if parameter.default is parameter.empty else NotRequired[kind]
    return TypedDict(function.__name__, members)  # type: ignore[operator]
