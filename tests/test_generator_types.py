"""Output types become schemas, and texts become their values, with Pydantic and without."""

from __future__ import annotations

import builtins
import dataclasses
import datetime
import enum
import json
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import jsonschema
import pydantic
import pytest
from penstock import types_stdlib
from penstock.errors import OutputValidationError
from penstock.partial_json import NOTHING, PartialJson
from penstock.types import Choice, Ebnf, JsonSchema, Lark, Regex, describe, json_schema_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: int
    y: float = 0.0


@dataclasses.dataclass
class Person:
    name: str
    age: int
    colour: Colour = Colour.RED
    friends: list[Person] = dataclasses.field(default_factory=list)


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Model(pydantic.BaseModel):
    title: Annotated[str, pydantic.Field(max_length=5)]
    parts: list[Model] = []


def book(title: str, pages: int = 3) -> None:
    """A function whose arguments are the output."""


def both_ways(monkeypatch, python_type: Any) -> list:
    """The spec with Pydantic, and without it."""
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pydantic":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    specs = [describe(python_type)]
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        return [*specs, describe(python_type)]


class Recorder:
    """A compiler that tells what it was asked for."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: (name, args, kwargs)


@pytest.mark.parametrize(
    ("python_type", "text", "value"),
    [
        (int, "12", 12),
        (float, "1.5", 1.5),
        (list[int], "[1, 2]", [1, 2]),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (tuple[int, ...], "[1, 2, 3]", (1, 2, 3)),
        (dict[str, float], '{"a": 1}', {"a": 1.0}),
        (int | None, "null", None),
        (int | str, '"x"', "x"),
        (set[int], "[1, 2]", {1, 2}),
        (datetime.date, '"2026-01-31"', datetime.date(2026, 1, 31)),
        (list[Colour], '["red"]', [Colour.RED]),
        (list[Literal["a", 1]], '["a", 1]', ["a", 1]),
        (Person, '{"name": "A", "age": 3, "friends": [{"name": "B", "age": 4}]}', Person("A", 3, Colour.RED, [Person("B", 4)])),
        (Movie, '{"title": "A"}', {"title": "A"}),
        (list[Movie], '[{"title": "A", "year": 1}]', [{"title": "A", "year": 1}]),
        (book, '{"title": "A", "pages": 2}', {"title": "A", "pages": 2}),
        (book, '{"title": "A"}', {"title": "A"}),
    ],
)
def test_types_are_read_both_ways(monkeypatch, python_type, text, value) -> None:
    for spec in both_ways(monkeypatch, python_type):
        name, (schema,), options = spec.compile(Recorder())
        assert (name, options) == ("compile_json_schema", {})
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(json.loads(text), schema)
        assert spec.value_of(text) == value
        assert type(spec.value_of(text)) is type(value)
        assert spec.is_json


def test_named_tuples_and_pydantic_models() -> None:
    assert describe(Point).value_of("[1, 2.5]") == Point(1, 2.5)
    assert types_stdlib.build(Point, {"x": 1}) == Point(1)
    spec = describe(Model)
    assert spec.value_of('{"title": "A", "parts": [{"title": "B"}]}') == Model(title="A", parts=[Model(title="B")])
    with pytest.raises(OutputValidationError, match="Model"):
        spec.value_of('{"title": "too long"}')


@pytest.mark.parametrize("python_type", [Person, Movie, Model, book])
def test_objects_of_types_are_closed(python_type) -> None:
    for schema in (json_schema_of(python_type), *([types_stdlib.schema_of(python_type)] if python_type is Person else [])):
        definition = schema["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
        assert definition["additionalProperties"] is False


def test_choices_are_bare_texts() -> None:
    cases = [
        (Choice(["a+b", "c d", "(x)"]), {"a+b": "a+b", "c d": "c d", "(x)": "(x)"}, r"a\+b|c d|\(x\)"),
        (Literal["yes", 3, None], {"yes": "yes", "3": 3, "null": None}, "yes|3|null"),
        (Colour, {"red": Colour.RED, "blue": Colour.BLUE}, "red|blue"),
        (bool, {"true": True, "false": False}, "true|false"),
    ]
    for output_type, choices, pattern in cases:
        spec = describe(output_type)
        assert spec.choices == choices
        assert spec.compile(Recorder()) == ("compile_regex", (pattern,), {})
        assert [spec.value_of(text) for text in choices] == list(choices.values())


def test_explicit_grammars_keep_their_text() -> None:
    assert describe(Regex("[a-z]")).compile(Recorder()) == ("compile_regex", ("[a-z]",), {})
    assert describe(Ebnf("top ::= x", root="top")).compile(Recorder()) == ("compile_ebnf", ("top ::= x",), {"root": "top"})
    assert describe(Lark("start: A")).compile(Recorder()) == ("compile_lark", ("start: A",), {})
    spec = describe(JsonSchema('{"type": "integer"}', whitespace="compact"))
    assert spec.compile(Recorder()) == ("compile_json_schema", ({"type": "integer"},), {"whitespace": "compact"})
    assert spec.value_of("3") == 3
    typed = describe(JsonSchema(Person, property_order="given"))
    assert typed.compile(Recorder())[2] == {"property_order": "given"}
    assert typed.value_of('{"name": "A", "age": 1}') == Person("A", 1)
    assert describe(str).compile is None
    for spec in (describe(Regex("a")), describe(str)):
        assert not spec.is_json
        assert spec.value_of("a") == "a"


def test_what_is_no_output_type_is_refused() -> None:
    for wrong in ({"type": "object"}, "[a-z]", 3, ["a", "b"]):
        with pytest.raises(TypeError, match=r"JsonSchema|output type"):
            describe(wrong)
    with pytest.raises(TypeError, match="alike"):
        describe(Literal["1", 1])
    with pytest.raises(ValueError, match="choice"):
        Choice([])
    with pytest.raises(TypeError, match="by name"):
        describe(lambda *args: None)
    with pytest.raises(TypeError, match="Pydantic"):
        types_stdlib.schema_of(complex)


def test_partial_json_at_every_cut() -> None:
    whole = {"a": [1, 2.5, {"b": 'x"\\é\u20ac😀'}], "c": None, "d": {"e": True, "f": "u"}, "": []}
    for text in (json.dumps(whole), json.dumps(whole, ensure_ascii=False), json.dumps(whole, indent=1)):
        partial = PartialJson()
        for character in text:
            partial.push(character)
            value = partial.value()
            assert value is NOTHING or _begins(value, whole), (text, value)
        assert partial.value() == whole
    assert PartialJson().value() is NOTHING


def _begins(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _begins(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) <= len(whole) and all(map(_begins, part, whole))
    return whole.startswith(part) if isinstance(part, str) and isinstance(whole, str) else part == whole
