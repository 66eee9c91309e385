"""The stub of the compiled core says what the core has: the same names, arguments and defaults."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import penstock._core as core
import pytest

STUB = Path(core.__file__).with_name("_core.pyi")
BODY = ast.parse(STUB.read_text(encoding="utf-8")).body
CLASSES = {node.name: node for node in BODY if isinstance(node, ast.ClassDef)}
FUNCTIONS = {node.name: node for node in BODY if isinstance(node, ast.FunctionDef)}
# What Python itself puts on every class, or builds out of what is checked.
INHERITED = {"__new__", "__doc__", "__module__", "__repr__", "__str__", "__reduce__", "__getnewargs__", "__getnewargs_ex__"}
COMPARISONS = {"__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__ror__", "__radd__", "__rand__"}


def functions_of(body: list[ast.stmt]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def stub_signature(node: ast.FunctionDef) -> list[tuple[str, str, str | None]]:
    """(name, kind, default) of each argument, without self and cls."""
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    found = [(a.arg, "plain", d) for a, d in zip(plain, defaults, strict=True)]
    found += [(arguments.vararg.arg, "star", None)] if arguments.vararg else []
    found += [(a.arg, "keyword", d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    found += [(arguments.kwarg.arg, "keywords", None)] if arguments.kwarg else []
    return [(name, kind, d and ast.unparse(d)) for name, kind, d in found if name not in ("self", "cls")]


def real_signature(function: object) -> list[tuple[str, str, str | None]]:
    kinds = {0: "plain", 1: "plain", 2: "star", 3: "keyword", 4: "keywords"}
    found = []
    for p in inspect.signature(function).parameters.values():  # type: ignore[arg-type]
        default = None if p.default is p.empty else "..." if p.default is ... else repr(p.default)
        found.append((p.name, kinds[p.kind], default))
    return [row for row in found if row[0] not in ("self", "cls")]


def normal(rows: list[tuple[str, str, str | None]]) -> list[tuple[str, str, str | None]]:
    return [(name, kind, default and repr(ast.literal_eval(default))) for name, kind, default in rows]


def test_the_stub_has_the_names_of_the_core() -> None:
    assert CLASSES.keys() | FUNCTIONS.keys() == {name for name in vars(core) if not name.startswith("__")}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_the_members_of_the_core(name: str) -> None:
    cls = getattr(core, name)
    real = {member for member in vars(cls) if member not in INHERITED | COMPARISONS}
    stub = set(functions_of(CLASSES[name].body)) - {"__new__"}
    assert real - stub == set()
    assert stub - real == set()


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_methods_have_the_arguments_of_the_core(name: str) -> None:
    cls = getattr(core, name)
    for member, node in functions_of(CLASSES[name].body).items():
        if any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list):
            assert inspect.isgetsetdescriptor(vars(cls)[member]), member
        elif member == "__new__":
            assert normal(stub_signature(node)) == normal(real_signature(cls)), member
        elif not member.startswith("__"):
            assert normal(stub_signature(node)) == normal(real_signature(getattr(cls, member))), member


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_have_the_arguments_of_the_core(name: str) -> None:
    assert normal(stub_signature(FUNCTIONS[name])) == normal(real_signature(getattr(core, name)))
