"""Schemas of types through Pydantic, narrowed to what Pydantic reads back, and refused where no schema can say it."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable
from typing import Any, NoReturn

import pydantic
from pydantic.json_schema import GenerateJsonSchema

from penstock import types_text as text

__all__ = ["schema_and_parser"]

_FLOAT_MAX = 1.7976931348623157e308
# JSON Schema's word for a constraint on a number.
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def schema_and_parser(output_type: Any) -> tuple[dict[str, Any], Callable[[str], Any]] | None:
    """Return the schema of a type and what reads its JSON text; None for types that Pydantic leaves to others.

    Raises TypeError that names the type and its place.
    """
    name = getattr(output_type, "__name__", None) or str(output_type)
    try:
        adapter: Any = pydantic.TypeAdapter(output_type)
        schema = adapter.json_schema(schema_generator=_Generate)
    except _RefusedError as error:
        place = f"{name}{error.place}"
        raise TypeError(f"`{error.what}` at `{place}` is no output type: {error.reason}") from error
    except (pydantic.errors.PydanticUserError, TypeError, NameError, ValueError) as error:  # all of these it raises for types
        if getattr(error, "code", "") == "typed-dict-version":  # before Python 3.12 it takes typing_extensions' TypedDict only
            return None
        reason = str(error).partition("\n")[0].rstrip(".").replace("; ", ", ")
        raise TypeError(
            f"`{_unknown(output_type) or name}` is no output type: {reason}; use a type that JSON can hold"
        ) from error
    return schema, lambda written: adapter.validate_json(text.exact_integers(written))


def _unknown(t: Any) -> str:
    """The place of the first part of a type that Pydantic does not know; empty where it is none of its parts."""
    seen: set[int] = set()
    rest = [("", t)]
    while rest:
        place, part = rest.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        named = [(f"{place}.{name}" if place else f"{_short(part)}.{name}", hint) for name, hint in _hints(part)]
        inner = [(place, argument) for argument in typing.get_args(part) if not isinstance(argument, (str, int, float))]
        if place and not named and not inner and not _is_known(part):
            return f"{_short(part)}` at `{place}"
        rest += [*named, *inner]
    return ""


def _hints(part: Any) -> list[tuple[str, Any]]:
    if not isinstance(part, type) or part.__module__ == "builtins":
        return []
    try:
        return list(typing.get_type_hints(part, include_extras=True).items())
    except (NameError, TypeError):
        return []


def _is_known(part: Any) -> bool:
    try:
        pydantic.TypeAdapter(part)
    except pydantic.errors.PydanticUserError:
        return False
    return True


def _short(t: Any) -> str:
    return getattr(t, "__name__", None) or str(t)


class _RefusedError(Exception):
    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what)
        self.what, self.reason, self.place = what, reason, ""

    def inside(self, member: str) -> _RefusedError:
        self.place = f".{member}{self.place}"
        return self


def _refuse(what: str, reason: str) -> NoReturn:
    raise _RefusedError(what, reason)


class _Generate(GenerateJsonSchema):
    """Pydantic's generator with our readings of what it leaves open."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> NoReturn:
        _refuse(str(schema.get("type", "type")), f"{error_info}; JSON cannot carry it, use a type of data")

    # Times.

    def date_schema(self, schema: Any) -> dict[str, Any]:
        self._refuse_bounds(schema, "date")
        return text.text_schema(text.DATE)

    def time_schema(self, schema: Any) -> dict[str, Any]:
        self._refuse_bounds(schema, "time")
        return text.text_schema(text.TIME + self._offset(schema, "time"))

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        self._refuse_bounds(schema, "datetime")
        return text.text_schema(text.DATETIME + self._offset(schema, "datetime"))

    def timedelta_schema(self, schema: Any) -> dict[str, Any]:
        self._refuse_bounds(schema, "timedelta")
        return text.text_schema(text.DURATION)

    def _offset(self, schema: Any, name: str) -> str:
        wanted = schema.get("tz_constraint")
        if isinstance(wanted, int):
            _refuse(name, "a fixed offset is none of JSON's; use AwareDatetime, and convert")
        return {"naive": "", "aware": text.OFFSET}.get(wanted, f"{text.OFFSET}?")

    def _refuse_bounds(self, schema: Any, name: str) -> None:
        if any(schema.get(bound) is not None for bound in _BOUNDS) or schema.get("now_op"):
            _refuse(name, "a schema cannot bound it; drop the bound, and check the value")

    # Numbers.

    def float_schema(self, schema: Any) -> dict[str, Any]:
        out: dict[str, Any] = super().float_schema(schema)
        if schema.get("allow_inf_nan") is False:
            out = {"minimum": -_FLOAT_MAX, "maximum": _FLOAT_MAX, **out}
        return out

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        places, digits = schema.get("decimal_places"), schema.get("max_digits")
        bounds = {word: float(schema[bound]) for bound, word in _BOUNDS.items() if schema.get(bound) is not None}
        number: dict[str, Any] = {"type": "number", "minimum": -text.MAX_DECIMAL, "maximum": text.MAX_DECIMAL}
        if digits is not None:
            limit = 10.0 ** (digits - (places or 0))
            number.update(minimum=None, maximum=None, exclusiveMinimum=-limit, exclusiveMaximum=limit)
        number.update(bounds)
        step = schema.get("multiple_of")
        if step is not None or places is not None or digits is not None:
            number["multipleOf"] = float(step) if step is not None else 10.0 ** -(places or 0)
        number = {word: value for word, value in number.items() if value is not None}
        if bounds or step is not None:
            return number  # no pattern bounds a number
        return {"anyOf": [number, text.text_schema(text.decimal_pattern(digits, places))]}

    # Choices.

    def enum_schema(self, schema: Any) -> dict[str, Any]:
        cls = schema["cls"]
        if issubclass(cls, enum.Flag):
            _refuse(cls.__name__, "members of a Flag combine, and JSON has no such value; use a list of an Enum")
        values = [member.value for member in schema["members"]]
        if not all(value is None or isinstance(value, (str, int, float)) for value in values):
            _refuse(cls.__name__, "a member's value is no JSON scalar; give the members strings or numbers")
        out: dict[str, Any] = super().enum_schema(schema)
        return out

    # Sets.

    def set_schema(self, schema: Any) -> dict[str, Any]:
        self._refuse_unhashable(schema)
        return dict(super().set_schema(schema))

    def frozenset_schema(self, schema: Any) -> dict[str, Any]:
        self._refuse_unhashable(schema)
        return dict(super().frozenset_schema(schema))

    def _refuse_unhashable(self, schema: Any) -> None:
        items = schema.get("items_schema", {})
        kind = items.get("type")
        has_no_hash = getattr(items.get("cls"), "__hash__", object) is None
        if kind in ("list", "dict", "set", "typed-dict") or has_no_hash:
            name = items["cls"].__name__ if has_no_hash else kind
            _refuse(f"set of {name}", "a set holds hashable values only; use a list, a tuple or a frozen class")

    # Objects.

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        values = self.generate_inner(schema["values_schema"]) if "values_schema" in schema else True
        out: dict[str, Any] = {"type": "object", "additionalProperties": values}
        keys = self._keys(schema.get("keys_schema"))
        if keys is not None:
            out["propertyNames"] = keys
        self.update_with_validations(out, schema, self.ValidationsMapping.object)
        return out

    frozendict_schema = ordered_dict_schema = counter_schema = dict_schema

    def _keys(self, schema: Any) -> dict[str, Any] | None:
        """The schema of an object's names, None for any name."""
        kind = schema["type"] if schema else "any"
        while kind in ("function-before", "function-after", "function-wrap", "definition-ref", "nullable"):
            if kind in ("definition-ref", "nullable"):
                _refuse(f"dict with {kind} keys", "names of members are strings; use str or an Enum of strings")
            schema = schema["schema"]
            kind = schema["type"]
        if kind == "any" or (kind == "str" and len(self.generate_inner(schema)) == 1):
            return None
        if kind in ("str", "date", "time", "datetime", "timedelta", "uuid"):
            return dict(self.generate_inner(schema))
        if kind == "int" and not any(schema.get(bound) is not None for bound in (*_BOUNDS, "multiple_of")):
            return text.text_schema(text.INTEGER_KEY)
        if kind == "bool":
            return {"enum": ["true", "false"]}
        if kind == "enum" and all(isinstance(member.value, (str, int)) for member in schema["members"]):
            return {"enum": [str(member.value) for member in schema["members"]]}
        if kind == "literal" and all(isinstance(value, str) for value in schema["expected"]):
            return {"enum": list(schema["expected"])}
        _refuse(f"dict with {kind} keys", "names of members are strings; use str, int or an Enum, or a list of pairs")

    def typed_dict_schema(self, schema: Any) -> dict[str, Any]:
        return self._with_place(super().typed_dict_schema, schema)

    def model_fields_schema(self, schema: Any) -> dict[str, Any]:
        return self._with_place(super().model_fields_schema, schema)

    def dataclass_args_schema(self, schema: Any) -> dict[str, Any]:
        return self._with_place(super().dataclass_args_schema, schema)

    def _with_place(self, make: Callable[[Any], Any], schema: Any) -> dict[str, Any]:
        try:
            return dict(make(schema))
        except _RefusedError:
            self._blame(schema)
            raise

    def _blame(self, schema: Any) -> None:
        """Find the member that is refused, and raise with its name."""
        fields = schema["fields"]
        named = fields.items() if isinstance(fields, dict) else [(field["name"], field) for field in fields]
        for name, field in named:
            try:
                self.generate_inner(field["schema"])
            except _RefusedError as error:
                raise error.inside(name) from None

    # What JSON text cannot be held to.

    def url_schema(self, schema: Any) -> NoReturn:
        _refuse("Url", "no schema holds what Pydantic takes for a URL; use Annotated[str, Field(pattern=...)]")

    def multi_host_url_schema(self, schema: Any) -> NoReturn:
        self.url_schema(schema)

    def complex_schema(self, schema: Any) -> NoReturn:
        _refuse("complex", "JSON has no complex numbers; use two floats")

    def json_schema(self, schema: Any) -> NoReturn:
        _refuse("Json", "JSON inside a string is not enforced; name the type itself")

    def generator_schema(self, schema: Any) -> NoReturn:
        _refuse("Iterable", "its values would be read later; use list")
