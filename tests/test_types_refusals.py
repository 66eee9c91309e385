"""Types that no schema can hold are refused with their name and place, with Pydantic and without; calls of functions."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, Literal, TypeVar

import penstock
import pydantic
import pytest
from helpers.engine import accepts, byte_info
from penstock import types_stdlib
from penstock.types import BoundCall, Call, describe, json_schema_of

T = TypeVar("T")


class Opaque:
    """A class without data."""


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Odd(enum.Enum):
    PAIR = (1, 2)


@dataclasses.dataclass
class Deep:
    inner: Inner


@dataclasses.dataclass
class Inner:
    good: int
    bad: list[complex]


@dataclasses.dataclass
class Holder(Generic[T]):
    item: T
    more: list[T]


class Order(pydantic.BaseModel):
    access: Access


class Plain(pydantic.BaseModel):
    a: int


class Strange(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    thing: list[Opaque]


@pytest.mark.parametrize(
    ("t", "named"),
    [
        (Deep, "`complex` at `Deep.inner.bad`"),
        (Order, "`Access` at `Order.access`"),
        (Strange, "at `Strange.thing`"),
        (list[Access], "`Access` at `list"),
        (Access, "`Access` is no output type"),
        (list[Odd], "`Odd` at"),
        (complex, "`complex`"),
        (dict[tuple[int, int], str], "tuple keys"),
        (dict[int | None, str], "nullable keys"),
        (dict[Literal[1], str], "literal keys"),
        (Iterable[int], "`Iterable`"),
        (Callable[[int], int], "`callable`"),
        (pydantic.HttpUrl, "`Url`"),
        (pydantic.Json, "`Json`"),
        (set[list[int]], "`set of list` at `set"),
        (frozenset[Plain], "`set of Plain`"),
        (Opaque, "`Opaque`"),
        (list[Opaque], "`list`|Opaque"),
        (pydantic.PastDate, "`date`"),
    ],
    ids=str,
)
def test_pydantic_s_refusals_have_a_place(t: Any, named: str) -> None:
    with pytest.raises(TypeError) as caught:
        describe(t)
    assert re.search(named, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("t", "named"),
    [
        (Deep, "`complex` at `Inner.bad`"),
        (list[Access], "`Access` at"),
        (list[Odd], r"`\(1, 2\)` at"),
        (dict[tuple[int, int], str], "names of members are strings"),
        (set[list[int]], "hashable"),
        (frozenset[Deep], "hashable"),
        (Opaque, "`Opaque` at `Opaque`"),
        (Annotated[int, pydantic.types.StringConstraints(min_length=1)], "min_length=1"),
        (tuple[int, Opaque], "`Opaque` at `tuple"),
    ],
    ids=str,
)
def test_the_standard_library_s_refusals_have_a_place(t: Any, named: str) -> None:
    with pytest.raises(TypeError) as caught:
        types_stdlib.schema_of(t)
    assert re.search(named, str(caught.value)), str(caught.value)


def test_generic_dataclasses_take_their_parameters() -> None:
    (definition,) = types_stdlib.schema_of(Holder[int])["$defs"].values()
    assert definition["properties"] == {"item": {"type": "integer"}, "more": {"type": "array", "items": {"type": "integer"}}}
    assert types_stdlib.build(Holder[int], {"item": 1, "more": [2]}) == Holder(1, [2])
    with pytest.raises(ValueError, match="no"):
        types_stdlib.build(Holder[int], {"item": "x", "more": []})
    assert json_schema_of(Holder[bool])["properties"]["item"] == {"title": "Item", "type": "boolean"}


def add(a: int, b: int = 2) -> int:
    return a + b


def greet(name: Annotated[str, pydantic.Field(max_length=5)], *, loud: bool = False) -> str:
    return name.upper() if loud else name


def test_one_function_is_called_by_its_arguments() -> None:
    spec = describe(Call(add))
    call = spec.value_of('{"a": 40}')
    assert call == BoundCall(add, {"a": 40})
    assert call() == 42
    assert spec.is_json


def test_several_functions_are_chosen_by_name() -> None:
    spec = describe(Call(add, greet))
    assert spec.value_of('{"name": "greet", "arguments": {"name": "Ada", "loud": true}}')() == "ADA"
    assert spec.value_of('{"name": "add", "arguments": {"a": 1}}')() == 3
    compiled = spec.compile(penstock.GrammarCompiler(byte_info()))

    assert accepts(compiled, '{"name": "add", "arguments": {"a": 1}}')
    assert accepts(compiled, '{"name": "greet", "arguments": {"name": "Ada"}}')
    assert not accepts(compiled, '{"name": "greet", "arguments": {"name": "too long"}}')
    assert not accepts(compiled, '{"name": "add", "arguments": {"name": "Ada"}}')
    assert not accepts(compiled, '{"name": "add"}')


@pytest.mark.parametrize("functions", [(), (add, add), (lambda a: a, lambda b: b), (3,)])
def test_calls_need_functions_with_names(functions: Any) -> None:
    with pytest.raises(ValueError, match="no functions"):
        Call(*functions)


@pytest.mark.parametrize("t", [(list, [int]), dict[str], Literal[list[int]], list["Nowhere"], -1], ids=str)  # noqa: F821
def test_what_pydantic_stumbles_over_is_refused_with_a_way_out(t: Any) -> None:
    with pytest.raises(TypeError, match=r"is no output type: .*; use a type that JSON can hold\Z"):
        json_schema_of(t)


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        (penstock.Ebnf('start ::= "a" [0-9]', root="start"), "a1", "a"),
        (penstock.Lark('start: "a" /[0-9]/'), "a1", "a"),
        (penstock.Regex("a[0-9]"), "a1", "a"),
        (penstock.StructuralTag({"format": {"type": "const_string", "value": "a1"}}), "a1", "a"),
        (penstock.Choice(["a1", "b"]), "a1", "a"),
        (penstock.JsonSchema({"type": "integer"}), "1", '"a"'),
        (penstock.Grammar.from_regex("a[0-9]"), "a1", "a"),
    ],
    ids=lambda source: type(source).__name__,
)
def test_a_grammar_that_was_written_out_is_itself(source: Any, good: str, bad: str) -> None:
    compiled = penstock.GrammarCompiler(byte_info()).compile(penstock.Grammar.from_type(source))
    assert accepts(compiled, good.encode())
    assert not accepts(compiled, bad.encode())


def test_options_of_a_written_schema_can_be_overruled() -> None:
    wanted = penstock.JsonSchema({"type": "array", "items": {"type": "integer"}}, whitespace="flexible")
    compiled = penstock.GrammarCompiler(byte_info()).compile(penstock.Grammar.from_type(wanted, whitespace="compact"))
    assert accepts(compiled, b"[1,2]")
    assert not accepts(compiled, b"[1, 2]")


def test_options_of_schemas_are_refused_where_there_is_none() -> None:
    with pytest.raises(TypeError, match="`Ebnf` holds no JSON schema, which `whitespace` would be an option of; leave it out"):
        penstock.Grammar.from_type(penstock.Ebnf('root ::= "a"'), whitespace="compact")


def test_what_is_no_type_is_named_where_a_schema_is_wanted() -> None:
    compiler = penstock.GrammarCompiler(byte_info())
    with pytest.raises(TypeError, match=r"`Regex\(...\)` is a grammar, not a type with values; take `Grammar.from_type"):
        compiler.compile_json_schema(penstock.Regex("a"))
    with pytest.raises(TypeError, match="is a value, not an output type; name its class, `Inner`"):
        penstock.Grammar.from_type(Inner(1, []))
