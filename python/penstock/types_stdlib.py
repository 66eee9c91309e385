"""Schemas and values of the standard library's types, for installations without Pydantic.

`schema_of` and `build` are two readings of one table: what a type looks like as JSON, and what JSON becomes of it.
Named types may contain themselves; they go to `$defs`. Constraints are those of `annotated_types`, told by what they offer.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import inspect
import os
import pathlib
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn, NotRequired, Required, TypedDict, Union, get_args, get_origin

from penstock import types_text as text

__all__ = ["build", "schema_of", "signature_type"]

_NUMBER = {"type": "number", "minimum": -text.MAX_DECIMAL, "maximum": text.MAX_DECIMAL}
_SCALARS: dict[Any, dict[str, Any]] = {
    Any: {},
    object: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bytes: {"type": "string"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    datetime.datetime: text.text_schema(f"{text.DATETIME}{text.OFFSET}?"),
    datetime.date: text.text_schema(text.DATE),
    datetime.time: text.text_schema(f"{text.TIME}{text.OFFSET}?"),
    datetime.timedelta: text.text_schema(text.DURATION),
    decimal.Decimal: {"anyOf": [_NUMBER, text.text_schema(text.DECIMAL)]},
    uuid.UUID: {"type": "string", "format": "uuid"},
    pathlib.Path: {"type": "string"},
    pathlib.PurePath: {"type": "string"},
    os.PathLike: {"type": "string"},
}
# What reads the JSON value of a scalar; the others are JSON values themselves.
_READERS: dict[Any, Callable[[Any], Any]] = {
    bytes: lambda value: _text(value).encode(),
    datetime.datetime: lambda value: datetime.datetime.fromisoformat(_text(value)),
    datetime.date: lambda value: datetime.date.fromisoformat(_text(value)),
    datetime.time: lambda value: datetime.time.fromisoformat(_text(value)),
    datetime.timedelta: lambda value: text.parse_duration(_text(value)),
    decimal.Decimal: lambda value: decimal.Decimal(value if isinstance(value, (str, int)) else repr(value)),
    uuid.UUID: lambda value: uuid.UUID(_text(value)),
    pathlib.Path: lambda value: pathlib.Path(_text(value)),
    pathlib.PurePath: lambda value: pathlib.PurePath(_text(value)),
    os.PathLike: lambda value: pathlib.Path(_text(value)),
}
_ABSTRACT: dict[Any, Any] = {
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
}
_KEYS: dict[Any, dict[str, Any]] = {int: text.text_schema(text.INTEGER_KEY), bool: {"enum": ["true", "false"]}}
# Constraint -> the keyword it is for numbers, for texts, for arrays and for objects.
_CONSTRAINTS = {
    "ge": ("minimum",),
    "gt": ("exclusiveMinimum",),
    "le": ("maximum",),
    "lt": ("exclusiveMaximum",),
    "multiple_of": ("multipleOf",),
    "min_length": ("minLength", "minItems", "minProperties"),
    "max_length": ("maxLength", "maxItems", "maxProperties"),
    "pattern": ("pattern",),
}


def schema_of(python_type: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type. Raises TypeError that names what it does not know, and its place."""
    definitions: dict[str, Any] = {}
    schema = _Schemas(definitions).of(python_type, _name(python_type))
    return {**schema, "$defs": definitions} if definitions else schema


class _Schemas:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self.definitions = definitions
        self.names: dict[Any, str] = {}

    def of(self, t: Any, place: str) -> dict[str, Any]:
        t, constraints = _bare(t)
        schema = self._of(t, place)
        return _constrained(schema, constraints, place) if constraints else schema

    def _of(self, t: Any, place: str) -> dict[str, Any]:
        if _is_scalar(t):
            return dict(_SCALARS[t])
        origin, args = _origin(t), get_args(t)
        if origin is Literal:
            return {"enum": [_scalar_of(arg, place) for arg in args]}
        if isinstance(t, type) and issubclass(t, enum.Enum):
            return {"enum": [_scalar_of(value, place) for value in _enum_values(t, place)]}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(arg, place) for arg in args]}
        if _is_named_tuple(origin):
            return self._named_tuple(origin, place)
        members = _members(t)
        if members is not None:
            return self._reference(t, members)
        if origin is tuple:
            return self._tuple([(arg, place) for arg in args])
        if origin in (set, frozenset) and args and _has_no_hash(args[0]):
            _refuse(t, place, "a set holds hashable values only; use a list, a tuple or a frozen class")
        if origin in (list, set, frozenset):
            unique = {} if origin is list else {"uniqueItems": True}
            return {"type": "array", **({"items": self.of(args[0], place)} if args else {}), **unique}
        if origin is dict:
            return self._dict(args, place)
        _refuse(t, place, "it has no JSON Schema here; install penstock[types] for Pydantic's types, or give JsonSchema(...)")

    def _tuple(self, args: list[tuple[Any, str]], num_required: int | None = None) -> dict[str, Any]:
        if len(args) == 2 and args[1][0] is Ellipsis:
            return {"type": "array", "items": self.of(*args[0])}
        items = [self.of(arg, place) for arg, place in args]
        least = len(items) if num_required is None else num_required
        return {"type": "array", "prefixItems": items, "minItems": least, "maxItems": len(items)}

    def _named_tuple(self, t: Any, place: str) -> dict[str, Any]:
        members = _named_tuple_members(t)
        required = sum(needed for _, needed in members.values())
        return self._tuple([(kind, f"{_name(t)}.{name}") for name, (kind, _) in members.items()], required)

    def _dict(self, args: tuple[Any, ...], place: str) -> dict[str, Any]:
        if not args:
            return {"type": "object"}
        schema: dict[str, Any] = {"type": "object", "additionalProperties": self.of(args[1], place)}
        key, constraints = _bare(args[0])
        if isinstance(key, type) and issubclass(key, enum.Enum):
            schema["propertyNames"] = {"enum": [str(value) for value in _enum_values(key, place)]}
        elif get_origin(key) is Literal and all(isinstance(value, str) for value in get_args(key)):
            schema["propertyNames"] = {"enum": list(get_args(key))}
        elif key in _KEYS and not constraints:
            schema["propertyNames"] = _KEYS[key]
        elif _is_scalar(key) and _SCALARS[key].get("type") == "string":
            names = _constrained(dict(_SCALARS[key]), constraints, place)
            schema |= {"propertyNames": names} if names != {"type": "string"} else {}
        elif key is not Any:
            _refuse(key, place, "names of members are strings; use str, int or an Enum, or a list of pairs")
        return schema

    def _reference(self, t: Any, members: Mapping[str, tuple[Any, bool]]) -> dict[str, Any]:
        if t not in self.names:
            name = _name(t)
            while name in self.definitions:
                name += "_"
            self.names[t] = name
            self.definitions[name] = {}
            self.definitions[name] = {
                "type": "object",
                "properties": {member: self.of(kind, f"{_name(t)}.{member}") for member, (kind, _) in members.items()},
                "required": [member for member, (_, required) in members.items() if required],
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{_pointer(self.names[t])}"}


def _constrained(schema: dict[str, Any], constraints: list[tuple[str, Any]], place: str) -> dict[str, Any]:
    """The schema with the keywords of constraints. Raises TypeError for those that a schema cannot say of this type."""
    slot = {"string": 0, "array": 1, "object": 2}.get(schema.get("type", ""), 0)
    for name, value in constraints:
        words = _CONSTRAINTS[name]
        is_number = schema.get("type") in ("number", "integer")
        fits = is_number if name in ("ge", "gt", "le", "lt", "multiple_of") else not is_number and "type" in schema
        if not fits or (name == "pattern" and "pattern" in schema):
            _refuse(f"{name}={value!r}", place, "a schema cannot say it of this type; drop it, and check the value")
        schema[words[slot if len(words) > 1 else 0]] = value.pattern if hasattr(value, "pattern") else value
    return schema


def build(python_type: Any, value: Any) -> Any:
    """Return the value of a type that JSON `value` stands for. Raises ValueError or TypeError where it stands for none."""
    t, constraints = _bare(python_type)
    built = _build(t, value)
    for name, bound in constraints:
        _expect(_holds(name, bound, built), f"value with {name}={bound!r}", value)
    return built


def _build(t: Any, value: Any) -> Any:
    if _is_scalar(t):
        return _scalar(t, value)
    origin, args = _origin(t), get_args(t)
    if origin is Literal:
        return _literal(args, value)
    if isinstance(t, type) and issubclass(t, enum.Enum):
        return t(value)
    if origin in (Union, types.UnionType):
        return _first_that_fits(args, value)
    if _is_named_tuple(origin):
        kinds = {name: kind for name, (kind, _) in _named_tuple_members(origin).items()}
        given = value if isinstance(value, dict) else dict(zip(kinds, _list(t, value), strict=False))
        return origin(**{name: build(kinds[name], item) for name, item in given.items()})
    members = _members(t)
    if members is not None:
        _expect(isinstance(value, dict), t, value)
        found = {name: build(members[name][0], item) for name, item in value.items()}
        missing = [name for name, (_, required) in members.items() if required and name not in found]
        _expect(not missing, t, value)
        return found if _is_typed_dict(origin) else origin(**found)
    if origin is dict:
        _expect(isinstance(value, dict), t, value)
        return {_key(args[0], key): build(args[1], item) for key, item in value.items()} if args else value
    items = _list(t, value)
    if origin is tuple and args and args[-1] is not Ellipsis:
        return tuple(build(arg, item) for arg, item in zip(args, items, strict=True))
    return origin(build(args[0], item) for item in items) if args else origin(items)


def _key(t: Any, name: str) -> Any:
    key, _ = _bare(t)
    if key is bool:
        return {"true": True, "false": False}[name]
    if key is int:
        return int(name)
    if isinstance(key, type) and issubclass(key, enum.Enum):
        return next(member for member in key if str(member.value) == name)
    return build(t, name)


def _literal(args: tuple[Any, ...], value: Any) -> Any:
    """The argument that a JSON value is: 1.0 is 1, but true is not."""
    for arg in args:
        plain = arg.value if isinstance(arg, enum.Enum) else arg
        if plain == value and isinstance(plain, bool) is isinstance(value, bool):
            return arg
    raise ValueError(f"`{value!r}` is none of `{list(args)}`")


def _scalar(t: Any, value: Any) -> Any:
    if t in _READERS:
        return _READERS[t](value)
    if t is float:
        _expect(isinstance(value, (int, float)) and not isinstance(value, bool), t, value)
        return _float(value)
    if t is int:
        _expect(isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value), t, value)
        return int(value)
    if t in (None, type(None)):
        _expect(value is None, t, value)
    elif t in (bool, str):
        _expect(isinstance(value, t), t, value)
    return value


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number past the largest float, which `json` reads as an int
        return float("inf") if value > 0 else float("-inf")


def _first_that_fits(args: tuple[Any, ...], value: Any) -> Any:
    """The value of the first alternative that it fits; one that keeps its JSON type goes before one that converts it."""
    fitting = []
    for arg in args:
        try:
            fitting.append(build(arg, value))
        except (TypeError, ValueError, ArithmeticError, StopIteration, KeyError):
            continue
    if not fitting:
        raise ValueError(f"`{value!r}` fits none of `{list(args)}`")
    return next((built for built in fitting if type(built) is type(value)), fitting[0])


def _holds(name: str, bound: Any, value: Any) -> bool:
    checks: dict[str, Callable[[], bool]] = {
        "ge": lambda: value >= bound,
        "gt": lambda: value > bound,
        "le": lambda: value <= bound,
        "lt": lambda: value < bound,
        "min_length": lambda: len(value) >= bound,
        "max_length": lambda: len(value) <= bound,
    }
    return checks[name]() if name in checks else True  # patterns and steps are left to the schema


def _expect(holds: bool, t: Any, value: Any) -> None:
    if not holds:
        raise ValueError(f"`{value!r}` is no `{t}`")


def _text(value: Any) -> str:
    _expect(isinstance(value, str), str, value)
    return str(value)


def _list(t: Any, value: Any) -> list[Any]:
    _expect(isinstance(value, list), t, value)
    return list(value)


def _refuse(t: Any, place: str, reason: str) -> NoReturn:
    raise TypeError(f"`{_name(t)}` at `{place}` is no output type: {reason}")


# Reading types.


def _name(t: Any) -> str:
    return t if isinstance(t, str) else str(t) if get_args(t) else getattr(t, "__name__", None) or str(t)


def _pointer(name: str) -> str:
    """A name as a piece of a JSON pointer inside a URI."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return "".join(c if c.isalnum() or c in "._~-" else "".join(f"%{byte:02X}" for byte in c.encode()) for c in escaped)


def _is_scalar(t: Any) -> bool:
    try:
        return t in _SCALARS
    except TypeError:  # what holds a list is not hashable
        return False


def _origin(t: Any) -> Any:
    origin = get_origin(t) or t
    try:
        return _ABSTRACT.get(origin, origin)
    except TypeError:
        return origin


def _bare(t: Any) -> tuple[Any, list[tuple[str, Any]]]:
    """Strip Annotated, Required, NotRequired, NewType and type variables; return the constraints that stood there."""
    constraints: list[tuple[str, Any]] = []
    while True:
        if get_origin(t) is typing.Annotated:
            constraints += [found for mark in t.__metadata__ for found in _constraints_of(mark)]
            t = get_args(t)[0]
        elif get_origin(t) in (Required, NotRequired):
            t = get_args(t)[0]
        elif isinstance(t, typing.NewType):
            t = t.__supertype__
        elif isinstance(t, typing.TypeVar):
            t = t.__bound__ or (Union[t.__constraints__] if t.__constraints__ else Any)  # noqa: UP007
        else:
            return t, constraints


def _constraints_of(mark: Any) -> list[tuple[str, Any]]:
    if isinstance(mark, (slice, str, int, float)):
        return []
    return [(name, value) for name in _CONSTRAINTS if (value := getattr(mark, name, None)) is not None and not callable(value)]


def _has_no_hash(t: Any) -> bool:
    """Whether values of a type cannot stand in a set; what a container holds is not looked at."""
    origin = _origin(_bare(t)[0])
    return _is_typed_dict(origin) or (isinstance(origin, type) and origin.__hash__ is None)


def _scalar_of(value: Any, place: str) -> Any:
    value = value.value if isinstance(value, enum.Enum) else value
    if value is not None and not isinstance(value, (str, int, float)):
        _refuse(repr(value), place, "it is no JSON scalar; give strings or numbers")
    return value


def _enum_values(t: type[enum.Enum], place: str) -> list[Any]:
    if issubclass(t, enum.Flag):
        _refuse(t, place, "members of a Flag combine, and JSON has no such value; use a list of an Enum")
    return [member.value for member in t]


def _is_typed_dict(t: Any) -> bool:
    return isinstance(t, type) and hasattr(t, "__required_keys__") and hasattr(t, "__total__")  # of typing_extensions, too


def _is_named_tuple(t: Any) -> bool:
    return isinstance(t, type) and issubclass(t, tuple) and hasattr(t, "_fields")


def _named_tuple_members(t: Any) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(t, include_extras=True)
    return {name: (hints.get(name, Any), name not in getattr(t, "_field_defaults", {})) for name in t._fields}


def _members(t: Any) -> dict[str, tuple[Any, bool]] | None:
    """Return member -> (type, required) of a dataclass or TypedDict, type parameters filled in; None for other types."""
    origin = get_origin(t) or t
    given = dict(zip(getattr(origin, "__parameters__", ()), get_args(t), strict=False))
    if _is_typed_dict(origin):
        hints = typing.get_type_hints(origin, include_extras=True)
        required = origin.__required_keys__
        return {name: (_filled(kind, given), _is_required(kind, name in required)) for name, kind in hints.items()}
    if dataclasses.is_dataclass(origin) and isinstance(origin, type):
        hints = typing.get_type_hints(origin, include_extras=True)
        missing = dataclasses.MISSING
        fields = [f for f in dataclasses.fields(origin) if f.init]
        return {f.name: (_filled(hints[f.name], given), f.default is missing and f.default_factory is missing) for f in fields}
    return None


def _filled(kind: Any, given: Mapping[Any, Any]) -> Any:
    """A type with its type variables replaced."""
    if kind in given:
        return given[kind]
    parameters = getattr(kind, "__parameters__", ())
    return kind[tuple(given.get(parameter, Any) for parameter in parameters)] if parameters and given else kind


def _is_required(kind: Any, otherwise: bool) -> bool:
    """Whether a member of a TypedDict is required; `__required_keys__` misses what stands in annotations that are texts."""
    marks = {Required: True, NotRequired: False}
    return marks.get(get_origin(kind), otherwise)


def signature_type(function: Callable[..., Any], typed_dict: Any = TypedDict) -> Any:
    """Return the TypedDict of a function's arguments, made by `typed_dict`. Raises TypeError for what has no name."""
    hints = typing.get_type_hints(function, include_extras=True)
    members: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"argument `{name}` of `{function.__name__}` cannot be passed by name; wrap the function")
        kind = hints.get(name, Any)
        members[name] = kind if parameter.default is parameter.empty else NotRequired[kind]
    return typed_dict(function.__name__, members)
