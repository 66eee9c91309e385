"""Output types: from what a user asks for to a grammar, and from the text back to a value.

    str                                          free text
    Choice, Literal, Enum, bool at the top       one of several texts, written as they are
    Regex, Ebnf, Lark, StructuralTag, Grammar    text that the grammar describes; the value is the text
    JsonSchema                                   JSON text; the value is what `json.loads` makes of it, or the given type
    Call                                         the arguments of one of several functions; the value is a BoundCall
    everything else                              JSON text by the type's schema: Pydantic models, dataclasses, TypedDict,
                                                 NamedTuple, Union, list, tuple, dict, set, int, float, Decimal, dates,
                                                 durations, UUID, Path, generic types, constraints in Annotated, and the
                                                 arguments of a callable, as a dict

Pydantic builds schemas and values where it is installed (`types_pydantic.py`); otherwise `types_stdlib.py` does it for the
standard library's types. What no schema can hold to its type is refused, with its place. Objects from types are closed:
members that the type does not name would be dropped in silence.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.errors import OutputValidationError

if typing.TYPE_CHECKING:
    from penstock.grammar import Grammar

__all__ = [
    "BoundCall",
    "Call",
    "Choice",
    "Ebnf",
    "JsonSchema",
    "Lark",
    "OutputSpec",
    "Regex",
    "StructuralTag",
    "describe",
    "grammar_of",
    "json_schema_of",
]


@dataclass(frozen=True, init=False)
class JsonSchema:
    """JSON text that a schema accepts. schema: a dict, a bool, JSON text, or a type whose schema is meant.

    Options go to `GrammarCompiler.compile_json_schema`: strict, property_order, whitespace, indent, separators, format,
    registry, limits.
    """

    schema: Any
    options: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, schema: Any, **options: Any) -> None:
        object.__setattr__(self, "schema", json.loads(schema) if isinstance(schema, str) else schema)
        object.__setattr__(self, "options", options)


@dataclass(frozen=True)
class Regex:
    """Text that a regular expression matches from its first to its last character."""

    pattern: str


@dataclass(frozen=True)
class Ebnf:
    """Text of a grammar in EBNF."""

    text: str
    root: str = "root"


@dataclass(frozen=True)
class Lark:
    """Text of a grammar in Lark's notation."""

    text: str


@dataclass(frozen=True)
class StructuralTag:
    """Text that a structural tag describes: free text, tags, tool calls. tag: a dict, or JSON text."""

    tag: Any


@dataclass(frozen=True, init=False)
class Choice:
    """One of several texts; the value is the text."""

    options: tuple[str, ...]

    def __init__(self, options: Iterable[str]) -> None:
        object.__setattr__(self, "options", tuple(options))
        if not all(isinstance(option, str) and option for option in self.options) or not self.options:
            raise ValueError(f"`{list(self.options)}` is no choice; give at least one text, none of them empty")


@dataclass(frozen=True)
class BoundCall:
    """A function and the arguments that were written for it; calling it runs it."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]

    def __call__(self) -> Any:
        """Call the function."""
        return self.function(**self.arguments)


@dataclass(frozen=True, init=False)
class Call:
    """A call of one of several functions, as JSON: the arguments by name, of several functions beside the name of one.

    One function: `{"a": 1}`. Several: `{"name": "f", "arguments": {"a": 1}}`. The value is a `BoundCall`.
    """

    functions: tuple[Callable[..., Any], ...]

    def __init__(self, *functions: Callable[..., Any]) -> None:
        object.__setattr__(self, "functions", functions)
        names = [getattr(function, "__name__", "") for function in functions]
        if not names or not all(names) or len(set(names)) < len(names):
            raise ValueError(f"`{names}` are no functions to choose from; give at least one, each with a name of its own")


@dataclass(frozen=True)
class OutputSpec:
    """What an output type means. compile: GrammarCompiler -> CompiledGrammar, None for free text.

    parse: complete text -> value; any exception it raises means that the text is no value. choices: text -> value, where
    the type is a choice. is_json: partial values of a stream make sense.
    """

    name: str
    compile: Callable[[Any], Any] | None
    parse: Callable[[str], Any]
    choices: Mapping[str, Any] | None = None
    is_json: bool = False

    def value_of(self, text: str) -> Any:
        """Return the value of a complete text. Raises OutputValidationError."""
        try:
            return self.parse(text)
        except Exception as error:
            raise OutputValidationError(
                f"the text follows the grammar, but is no `{self.name}`: {error}; "
                "put the rule into the type's schema, or validate later"
            ) from error


def describe(output_type: Any) -> OutputSpec:
    """Return what an output type means. Raises TypeError for what is no output type."""
    if output_type is str:
        return OutputSpec("str", None, str)
    if isinstance(output_type, OutputSpec):
        return output_type
    explicit = _EXPLICIT.get(type(output_type))
    if explicit is not None:
        return explicit(output_type)
    if type(output_type).__name__ == "Grammar" and type(output_type).__module__.startswith("penstock"):
        return OutputSpec("Grammar", lambda compiler: compiler.compile(output_type), str)
    choices = _choices_of(output_type)
    if choices is not None:
        return _choice_spec(_name(output_type), choices)
    if isinstance(output_type, (dict, list, int, float, str)):
        raise TypeError(
            f"`{output_type!r}` is a value, not an output type; wrap a schema as JsonSchema(...), a pattern as Regex(...)"
        )
    return _typed_spec(output_type, {})


def json_schema_of(python_type: Any) -> dict[str, Any]:
    """Return the JSON Schema of a Python type, with closed objects. Raises TypeError for types that JSON cannot carry."""
    return _schema_and_parser(python_type)[0]


def grammar_of(python_type: Any, **options: Any) -> Grammar:
    """Return the grammar of an output type: `Grammar.from_type`.

    JSON texts of the values of a type; of Ebnf, Regex, Lark, StructuralTag, Choice, Call, JsonSchema and Grammar the grammar
    that they are. Options are those of a JSON schema. Raises TypeError for what is no output type, and for options where
    there is no schema.
    """
    from penstock.grammar import Grammar

    is_explicit = type(python_type) in _EXPLICIT or isinstance(python_type, Grammar)
    if not is_explicit:
        return Grammar.from_json_schema(json_schema_of(python_type), **options)
    compile_ = describe(python_type).compile
    assert compile_ is not None  # only free text has none
    found: Grammar = compile_(_Grammars(type(python_type).__name__, options))
    return found


class _Grammars:
    """What `OutputSpec.compile` takes for a compiler, so that it hands out the grammar itself."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name, self.options = name, options

    def compile(self, grammar: Grammar) -> Grammar:
        self._without_options()
        return grammar

    def compile_ebnf(self, text: str, root: str) -> Grammar:
        return self._without_options().from_ebnf(text, root=root)

    def compile_lark(self, text: str) -> Grammar:
        return self._without_options().from_lark(text)

    def compile_regex(self, pattern: str) -> Grammar:
        return self._without_options().from_regex(pattern)

    def compile_structural_tag(self, tag: Any) -> Grammar:
        return self._grammar().from_structural_tag(tag, **self.options)

    def compile_json_schema(self, schema: Any, **options: Any) -> Grammar:
        return self._grammar().from_json_schema(schema, **{**options, **self.options})

    def _without_options(self) -> type[Grammar]:
        if self.options:
            names = ", ".join(f"`{name}`" for name in self.options)
            raise TypeError(f"`{self.name}` holds no JSON schema, which {names} would be an option of; leave it out")
        return self._grammar()

    @staticmethod
    def _grammar() -> type[Grammar]:
        from penstock.grammar import Grammar

        return Grammar


# What was written out by the user.


def _json_schema_spec(wanted: JsonSchema) -> OutputSpec:
    if isinstance(wanted.schema, (dict, bool)):
        return OutputSpec(
            "JsonSchema", lambda c: c.compile_json_schema(wanted.schema, **wanted.options), json.loads, is_json=True
        )
    return _typed_spec(wanted.schema, wanted.options)


_EXPLICIT: dict[type, Callable[[Any], OutputSpec]] = {
    JsonSchema: _json_schema_spec,
    Regex: lambda wanted: OutputSpec("Regex", lambda compiler: compiler.compile_regex(wanted.pattern), str),
    Ebnf: lambda wanted: OutputSpec("Ebnf", lambda compiler: compiler.compile_ebnf(wanted.text, root=wanted.root), str),
    StructuralTag: lambda wanted: OutputSpec(
        "StructuralTag", lambda compiler: compiler.compile_structural_tag(wanted.tag), str
    ),
    Lark: lambda wanted: OutputSpec("Lark", lambda compiler: compiler.compile_lark(wanted.text), str),
    Choice: lambda wanted: _choice_spec("Choice", {option: option for option in wanted.options}),
    Call: lambda wanted: _call_spec(wanted),
}


# Choices: written as bare texts, since a model knows `red` better than `"red"`.


def _choices_of(output_type: Any) -> dict[str, Any] | None:
    values: Sequence[Any]
    if output_type is bool:
        values = (True, False)
    elif typing.get_origin(output_type) is Literal:
        values = typing.get_args(output_type)
    elif isinstance(output_type, type) and issubclass(output_type, enum.Flag):
        raise TypeError(f"`{_name(output_type)}` is no output type: members of a Flag combine; use a list of an Enum")
    elif isinstance(output_type, type) and issubclass(output_type, enum.Enum):
        values = tuple(output_type)
    else:
        return None
    texts = [_choice_text(value) for value in values]
    if len(set(texts)) < len(texts):
        raise TypeError(f"`{_name(output_type)}` has values that are written alike: `{texts}`; give each a text of its own")
    return dict(zip(texts, values, strict=True))


def _choice_text(value: Any) -> str:
    plain = value.value if isinstance(value, enum.Enum) else value
    if isinstance(plain, str):
        return plain
    return json.dumps(plain) if isinstance(plain, (bool, int, float, type(None))) else value.name


def _choice_spec(name: str, choices: Mapping[str, Any]) -> OutputSpec:
    if not choices or "" in choices:
        raise TypeError(f"`{name}` is no choice; give at least one value, none of them the empty text")
    pattern = "|".join(_escaped(text) for text in choices)
    return OutputSpec(name, lambda compiler: compiler.compile_regex(pattern), lambda text: choices[text], choices=choices)


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in r"\.^$*+?{}[]|()/-&~#" else c for c in text)


# Types.


def _typed_spec(output_type: Any, options: Mapping[str, Any]) -> OutputSpec:
    schema, parse = _schema_and_parser(output_type)
    return OutputSpec(_name(output_type), lambda c: c.compile_json_schema(schema, **options), parse, is_json=True)


def _schema_and_parser(output_type: Any) -> tuple[dict[str, Any], Callable[[str], Any]]:
    if type(output_type) in _EXPLICIT:
        name = type(output_type).__name__
        raise TypeError(f"`{name}(...)` is a grammar, not a type with values; take `Grammar.from_type({name}(...))`")
    if dataclasses.is_dataclass(output_type) and not isinstance(output_type, type):
        raise TypeError(f"`{output_type!r}` is a value, not an output type; name its class, `{type(output_type).__name__}`")
    if inspect.isroutine(output_type):
        return _signature_schema_and_parser(output_type)
    try:
        import pydantic  # noqa: F401
    except ImportError:
        return _stdlib_schema_and_parser(output_type)
    from penstock import types_pydantic

    found = types_pydantic.schema_and_parser(output_type)
    if found is None:
        return _stdlib_schema_and_parser(output_type)
    return closed(found[0]), found[1]


def _stdlib_schema_and_parser(output_type: Any) -> tuple[dict[str, Any], Callable[[str], Any]]:
    from penstock import types_stdlib, types_text

    return types_stdlib.schema_of(output_type), lambda text: types_stdlib.build(output_type, types_text.loads(text))


def _signature_schema_and_parser(function: Callable[..., Any]) -> tuple[dict[str, Any], Callable[[str], dict[str, Any]]]:
    """The arguments of a call, by name."""
    from penstock import types_stdlib

    arguments = types_stdlib.signature_type(function, _typed_dict())
    schema, parse = _schema_and_parser(arguments)
    return schema, lambda text: dict(parse(text))


def _typed_dict() -> Any:
    """What makes a TypedDict that Pydantic reads: before Python 3.12 that of typing_extensions, where Pydantic is there."""
    try:
        import pydantic  # noqa: F401
        from typing_extensions import TypedDict
    except ImportError:
        return typing.TypedDict
    return TypedDict


def _call_spec(wanted: Call) -> OutputSpec:
    if len(wanted.functions) == 1:
        (function,) = wanted.functions
        schema, parse = _signature_schema_and_parser(function)
        return _call_of(schema, lambda text: BoundCall(function, parse(text)))
    from penstock import types_stdlib

    typed_dict, by_name = _typed_dict(), {function.__name__: function for function in wanted.functions}
    calls = [
        typed_dict(f"{name}_call", {"name": Literal[name], "arguments": types_stdlib.signature_type(function, typed_dict)})
        for name, function in by_name.items()
    ]
    schema, parse = _schema_and_parser(typing.Union[tuple(calls)])  # noqa: UP007

    def bound(text: str) -> BoundCall:
        call = parse(text)
        return BoundCall(by_name[call["name"]], dict(call["arguments"]))

    return _call_of(schema, bound)


def _call_of(schema: dict[str, Any], parse: Callable[[str], BoundCall]) -> OutputSpec:
    return OutputSpec("Call", lambda compiler: compiler.compile_json_schema(schema), parse, is_json=True)


def closed(schema: Any) -> Any:
    """Return the schema with `additionalProperties: false` at every object that names its members and says nothing else."""
    if not isinstance(schema, dict):
        return schema
    out = {key: _closed_at(key, value) for key, value in schema.items()}
    if "properties" in out and "additionalProperties" not in out and "patternProperties" not in out:
        out["additionalProperties"] = False
    return out


def _closed_at(keyword: str, value: Any) -> Any:
    if keyword in ("properties", "$defs", "patternProperties"):
        return {name: closed(schema) for name, schema in value.items()}
    if keyword in ("anyOf", "oneOf", "prefixItems"):
        return [closed(schema) for schema in value]
    if keyword in ("items", "additionalProperties"):
        return closed(value)
    return value  # allOf and not among them: closing their parts would change what they say together


def _name(output_type: Any) -> str:
    return getattr(output_type, "__name__", None) or str(output_type)
