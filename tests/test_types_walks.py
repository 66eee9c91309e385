"""Random types, random walks along the masks of their schemas, and the values that come back: each is one of its type."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import random
import types as python_types
import typing
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Union, get_args, get_origin

import penstock
import pydantic
import pytest
from helpers.engine import accepts
from helpers.json_walk import INFO, walk
from penstock import types_stdlib, types_text
from penstock.types import closed, describe
from typing_extensions import TypedDict

COMPILER = penstock.GrammarCompiler(INFO)


class Colour(enum.Enum):
    RED = "red"
    NUMBER = 2
    NOTHING = None


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


@dataclasses.dataclass(frozen=True)
class Bound:
    """A constraint as `annotated_types` has them."""

    ge: Any = None
    le: Any = None
    multiple_of: Any = None
    min_length: Any = None
    max_length: Any = None


UserId = NewType("UserId", int)
SETS = [set[int], frozenset[str], set[Colour], set[tuple[int, bool]]]
SCALARS = [
    int, float, str, bool, None, bytes, Colour, Level, UserId, Any,
    datetime.date, datetime.time, datetime.datetime, datetime.timedelta, uuid.UUID, decimal.Decimal, pathlib.Path,
    Literal["a", 1, None], Literal[True, 2],
]  # fmt: skip
BOUNDED = [
    Annotated[int, Bound(ge=-3, le=40)],
    Annotated[int, Bound(multiple_of=7)],
    Annotated[float, Bound(ge=0.5, le=2)],
    Annotated[str, Bound(min_length=1, max_length=3)],
    Annotated[list[int], Bound(min_length=1, max_length=2)],
]
KEYS = [str, int, Level, Literal["x", "y"], datetime.date, Annotated[str, Bound(max_length=2)]]


def random_type(rng: random.Random, leaf: Callable[[Any], Any], depth: int = 3) -> Any:
    """A type of the standard library. leaf: what becomes of scalars, of bounded types and of the keys of dicts."""
    if depth == 0 or rng.random() < 0.25:
        return leaf(rng.choice([*SCALARS, *BOUNDED]))
    inner = lambda: random_type(rng, leaf, depth - 1)  # noqa: E731
    kind = rng.choice(
        ["list", "set", "tuple", "variadic", "dict", "union", "optional", "dataclass", "typed dict", "named tuple"]
    )
    if kind == "list":
        return list[inner()]
    if kind == "set":
        return rng.choice([set, frozenset])[leaf(rng.choice([int, str, Colour, datetime.date]))]
    if kind == "tuple":
        return tuple[tuple(inner() for _ in range(rng.randrange(1, 4)))]
    if kind == "variadic":
        return tuple[inner(), ...]
    if kind == "dict":
        return dict[leaf(rng.choice(KEYS)), inner()]
    if kind == "union":
        return Union[inner(), inner()]  # noqa: UP007
    if kind == "optional":
        return Union[inner(), None]  # noqa: UP007
    members = {name: inner() for name in rng.sample(["a", "b", "name", "Ä"], rng.randrange(1, 4))}
    if kind == "dataclass":
        needed, *others = members.items()
        fields = [needed, *((name, kind, dataclasses.field(default=None)) for name, kind in others)]
        return dataclasses.make_dataclass(f"D{rng.randrange(10**6)}", fields)
    if kind == "typed dict":
        optional = {name: NotRequired[kind] if rng.random() < 0.4 else kind for name, kind in members.items()}
        return TypedDict(f"T{rng.randrange(10**6)}", optional)
    plain = {name: kind for name, kind in members.items() if name.isascii()} or {"a": int}
    return NamedTuple(f"N{rng.randrange(10**6)}", list(plain.items()))


def is_value(t: Any, value: Any) -> bool:
    """Whether a value is one of a type: the law, written once more."""
    origin, args = get_origin(t) or t, get_args(t)
    if origin is Annotated:
        return is_value(args[0], value) and all(keeps(mark, value) for mark in t.__metadata__)
    if origin is NotRequired:
        return is_value(args[0], value)
    if isinstance(t, NewType):
        return is_value(t.__supertype__, value)
    if origin in (Union, python_types.UnionType):
        return any(is_value(arg, value) for arg in args)
    if origin is Literal:
        return any(arg == value and type(arg) is type(value) for arg in args)
    if t is Any:
        return True
    if t in (None, type(None)):
        return value is None
    if origin is list:
        return type(value) is list and all(is_value(args[0], item) for item in value)
    if origin in (set, frozenset):
        return type(value) is origin and all(is_value(args[0], item) for item in value)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return type(value) is tuple and all(is_value(args[0], item) for item in value)
    if origin is tuple:
        return type(value) is tuple and len(value) == len(args) and all(map(is_value, args, value))
    if origin is dict:
        return type(value) is dict and all(is_value(args[0], key) and is_value(args[1], item) for key, item in value.items())
    return is_structured(t, value)


def is_structured(t: Any, value: Any) -> bool:
    if dataclasses.is_dataclass(t):
        members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)} if type(value) is t else {}
        hints = typing.get_type_hints(t, include_extras=True)
        defaults = {field.name: field.default for field in dataclasses.fields(t)}
        return bool(members) and all(item is defaults[name] or is_value(hints[name], item) for name, item in members.items())
    if hasattr(t, "__required_keys__"):
        hints = typing.get_type_hints(t, include_extras=True)
        is_dict = isinstance(value, dict) and t.__required_keys__ <= set(value) <= set(hints)
        return is_dict and all(is_value(hints[name], value[name]) for name in value)
    if hasattr(t, "_fields"):
        hints = typing.get_type_hints(t, include_extras=True)
        return type(value) is t and all(is_value(hints[name], getattr(value, name)) for name in t._fields)
    return isinstance(value, t) if t is pathlib.Path else type(value) is t


def keeps(mark: Any, value: Any) -> bool:
    """Whether a value keeps the bounds of our marks, or of Pydantic's fields."""
    checks: dict[str, Callable[[Any], bool]] = {
        "ge": lambda bound: value >= bound,
        "le": lambda bound: value <= bound,
        "multiple_of": lambda bound: value % bound == 0,
        "min_length": lambda bound: len(value) >= bound,
        "max_length": lambda bound: len(value) <= bound,
    }
    marks = [mark, *getattr(mark, "metadata", ())]
    found = [(name, getattr(one, name)) for one in marks for name in checks if getattr(one, name, None) is not None]
    assert found
    return all(checks[name](bound) for name, bound in found)


def stdlib_way(t: Any) -> tuple[dict[str, Any], Callable[[str], Any]]:
    return types_stdlib.schema_of(t), lambda text: types_stdlib.build(t, types_text.loads(text))


def for_pydantic(t: Any) -> Any:
    """The type with our marks as Pydantic's fields."""
    if get_origin(t) is Annotated:
        bounds = {name: value for name, value in vars(t.__metadata__[0]).items() if value is not None}
        return Annotated[get_args(t)[0], pydantic.Field(**bounds)]
    return t


def pydantic_way(t: Any) -> tuple[dict[str, Any], Callable[[str], Any]]:
    from penstock.types_pydantic import schema_and_parser

    found = schema_and_parser(t)
    assert found is not None
    return closed(found[0]), found[1]


def walk_values(t: Any, way: Callable[[Any], Any], rng: random.Random, num_walks: int) -> None:
    schema, parse = way(t)
    compiled = COMPILER.compile_json_schema(schema)
    for _ in range(num_walks):
        text = walk(compiled, rng, schema, num_free=12).decode()
        value = parse(text)
        assert is_value(t, value), (t, text, value)


@pytest.mark.parametrize("seed", range(40))
def test_the_standard_library_reads_what_masks_allow(seed: int) -> None:
    rng = random.Random(seed)
    walk_values(random_type(rng, lambda t: t), stdlib_way, rng, 6)


@pytest.mark.parametrize("seed", range(40))
def test_pydantic_reads_what_masks_allow(seed: int) -> None:
    rng = random.Random(seed)
    walk_values(random_type(rng, for_pydantic), pydantic_way, rng, 6)


@pytest.mark.parametrize("t", [*SCALARS, *SETS, *BOUNDED, *(dict[key, int] for key in KEYS)], ids=str)
def test_scalars_come_back_both_ways(t: Any) -> None:
    walk_values(t, stdlib_way, random.Random(str(t)), 15)
    schema, parse = pydantic_way(for_pydantic(t) if not str(t).startswith("dict") else python_dict(t))
    compiled = COMPILER.compile_json_schema(schema)
    rng = random.Random(str(t))
    for _ in range(15):
        text = walk(compiled, rng, schema, num_free=12).decode()
        assert is_value(t, parse(text)), (t, text, parse(text))


def python_dict(t: Any) -> Any:
    key, value = get_args(t)
    return dict[for_pydantic(key), value]


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int = pydantic.Field(ge=1, le=9)


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=4, pattern="^[a-z]+$")]


class Pets(pydantic.RootModel[list[Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]]]):
    pass


class Tree(pydantic.BaseModel):
    value: int = pydantic.Field(alias="theValue")
    children: list[Tree] = pydantic.Field(default=[], max_length=2)


class Box(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    content: decimal.Decimal = pydantic.Field(max_digits=4, decimal_places=2)
    more: dict[Level, tuple[datetime.datetime, ...]] = {}
    at: pydantic.AwareDatetime | pydantic.NaiveDatetime | None = None
    ratio: pydantic.FiniteFloat = 0.0


@pytest.mark.parametrize("model", [Pets, Tree, Box, Cat, Dog])
def test_models_come_back(model: type[pydantic.BaseModel]) -> None:
    schema, parse = pydantic_way(model)
    compiled, rng = COMPILER.compile_json_schema(schema), random.Random(model.__name__)
    for _ in range(25):
        text = walk(compiled, rng, schema, num_free=15).decode()
        value = parse(text)
        assert type(value) is model
        assert not isinstance(value, Box) or math.isfinite(value.ratio)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e20", 10**20),
        ("9007199254740993.0", 9007199254740993),
        ("-12.5e21", -125 * 10**20),
        ("1e400", 10**400),
        ("100", 100),
        ("1.0", 1),
    ],
)
def test_whole_numbers_are_exact(text: str, value: int) -> None:
    for spec in (describe(int), describe(list[int])):
        wrapped = text if spec.name == "int" else f"[{text}, 1, {text}]"
        assert spec.value_of(wrapped) == (value if spec.name == "int" else [value, 1, value])
    assert types_text.loads('"1e20"') == "1e20"
    assert types_text.loads('["a\\"1e20", 0.5, 1.5e-3]') == ['a"1e20', 0.5, 0.0015]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("P1D", 86400), ("PT1H", 3600), ("-PT1M", -60), ("PT0.25S", 0.25), ("P2W", 1209600), ("P1DT1H1M1.5S", 90061.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert types_text.parse_duration(text).total_seconds() == seconds
    assert pydantic.TypeAdapter(datetime.timedelta).validate_python(text) == types_text.parse_duration(text)
    for wrong in ("P", "-P", "PT", "P1DT", "1D", "P1Y"):
        with pytest.raises(ValueError, match="duration"):
            types_text.parse_duration(wrong)


def test_the_calendar_is_python_s() -> None:
    compiled = COMPILER.compile_json_schema(stdlib_way(datetime.date)[0])

    for year in (1, 4, 100, 400, 1900, 1999, 2000, 2024, 2026, 9999):
        for month in range(14):
            for day in (0, 1, 28, 29, 30, 31, 32):
                try:
                    datetime.date(year, month, day)
                    is_date = True
                except ValueError:
                    is_date = False
                assert accepts(compiled, f'"{year:04}-{month:02}-{day:02}"') is is_date, (year, month, day)
    assert not accepts(compiled, '"0000-01-01"')
