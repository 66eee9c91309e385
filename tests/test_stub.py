"""The stub of the compiled core says what the core has: the same names, kinds, arguments and defaults, and what they mean.

The stub is compared as source text, so that nothing but Python is needed; where mypy is installed, its stubtest looks as well.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path

import penstock._core as core
import pytest

ROOT = Path(__file__).resolve().parent.parent
STUB = Path(core.__file__).with_name("_core.pyi")
BODY = ast.parse(STUB.read_text(encoding="utf-8")).body
CLASSES = {node.name: node for node in BODY if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}
FUNCTIONS = {node.name: node for node in BODY if isinstance(node, ast.FunctionDef)}
# What Python itself puts on every class, or builds out of what is checked.
INHERITED = {"__new__", "__doc__", "__module__", "__repr__", "__str__", "__reduce__", "__getnewargs_ex__"}
COMPARISONS = {"__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__ror__", "__radd__", "__rand__"}
# What stubtest may miss, each with its reason. It refuses an entry that is no longer needed.
ALLOWLIST = r"""
# Pickle calls it, nobody else.
penstock\._core\.DraftTree\.__getnewargs_ex__
# The binding makes the reflected twin of each operator; between grammars Python never asks for it.
penstock\._core\.Grammar\.__r(add|and|or)__
"""

Argument = tuple[str, str, str | None]


def functions_of(body: list[ast.stmt]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def members(*, dunder: bool) -> list[tuple[str, str, ast.FunctionDef]]:
    """(class, member, stub) of every member of every class, or of those without double underscores."""
    found = [(name, member, node) for name, cls in CLASSES.items() for member, node in functions_of(cls.body).items()]
    return [row for row in found if dunder or not row[1].startswith("__")]


def stub_signature(node: ast.FunctionDef) -> list[Argument]:
    """(name, kind, default) of each argument, without self and cls."""
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    found = [(a.arg, "plain", d) for a, d in zip(plain, defaults, strict=True)]
    found += [(arguments.vararg.arg, "star", None)] if arguments.vararg else []
    found += [(a.arg, "keyword", d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    found += [(arguments.kwarg.arg, "keywords", None)] if arguments.kwarg else []
    return [(name, kind, d and repr(ast.literal_eval(d))) for name, kind, d in found if name not in ("self", "cls")]


def real_signature(function: object) -> list[Argument]:
    """The same of the compiled function, read from its text signature."""
    kinds = {0: "plain", 1: "plain", 2: "star", 3: "keyword", 4: "keywords"}
    found = []
    for p in inspect.signature(function).parameters.values():  # type: ignore[arg-type]
        found.append((p.name, kinds[p.kind], None if p.default is p.empty else repr(p.default)))
    return [row for row in found if row[0] not in ("self", "cls")]


def stub_kind(node: ast.FunctionDef) -> str:
    names = [d.id for d in node.decorator_list if isinstance(d, ast.Name)]
    return names[0] if names else "method"


def real_kind(member: object) -> str:
    if inspect.isgetsetdescriptor(member):
        return "property"
    kinds = {"staticmethod": "staticmethod", "classmethod_descriptor": "classmethod", "method_descriptor": "method"}
    return kinds[type(member).__name__]


def test_the_stub_has_the_names_of_the_core() -> None:
    assert CLASSES.keys() | FUNCTIONS.keys() == {name for name in vars(core) if not name.startswith("__")}


def test_the_stub_exports_what_the_core_exports() -> None:
    exported = [node.value for node in BODY if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]
    assert sorted(ast.literal_eval(exported[0])) == sorted(core.__all__)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_the_members_of_the_core(name: str) -> None:
    # Pickling leaves `__slotnames__` behind in a class.
    real = set(vars(getattr(core, name))) - INHERITED - COMPARISONS - {"__slotnames__"}
    assert set(functions_of(CLASSES[name].body)) - {"__new__"} == real


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_is_built_as_in_the_core(name: str) -> None:
    cls, stub = getattr(core, name), functions_of(CLASSES[name].body).get("__new__")
    assert ("__new__" in vars(cls)) == (stub is not None)
    if stub is None:
        with pytest.raises(TypeError, match="cannot create"):
            cls()
    else:
        assert stub_signature(stub) == real_signature(cls)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_final_classes_of_the_stub_cannot_be_subclassed(name: str) -> None:
    assert [ast.unparse(decorator) for decorator in CLASSES[name].decorator_list] == ["final"]
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type(name, (getattr(core, name),), {})


@pytest.mark.parametrize(
    ("name", "member", "stub"), members(dunder=False), ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_member_has_the_kind_and_arguments_of_the_core(name: str, member: str, stub: ast.FunctionDef) -> None:
    cls = getattr(core, name)
    assert stub_kind(stub) == real_kind(vars(cls)[member])
    if stub_kind(stub) != "property":
        assert stub_signature(stub) == real_signature(getattr(cls, member))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_have_the_arguments_of_the_core(name: str) -> None:
    assert stub_signature(FUNCTIONS[name]) == real_signature(getattr(core, name))


def test_everything_public_in_the_stub_is_documented() -> None:
    named: list[tuple[str, ast.ClassDef | ast.FunctionDef]] = [*CLASSES.items(), *FUNCTIONS.items()]
    named += [(f"{name}.{member}", stub) for name, member, stub in members(dunder=False)]
    named += [(f"{name}.{member}", stub) for name, member, stub in members(dunder=True) if member == "__new__"]
    assert [name for name, node in named if not ast.get_docstring(node)] == []


def mypy(module: str, *arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run a module of mypy over the package that is imported here."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    environment = {**os.environ, "PYTHONPATH": str(STUB.parent.parent), "MYPY_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_stubtest_agrees(tmp_path: Path) -> None:
    allowed = tmp_path / "allowlist"
    allowed.write_text(ALLOWLIST, encoding="utf-8")
    options = ["--concise", "--allowlist", str(allowed), "--mypy-config-file", str(ROOT / "pyproject.toml")]
    done = mypy("mypy.stubtest", "penstock._core", *options, cache=Path(os.devnull))
    assert done.returncode == 0, done.stdout + done.stderr


# Strict mypy reports an `ignore` that hides nothing, so that each line below is held from both sides.
CALLS = """
import numpy as np
from penstock import _core as core
from penstock.bitmask import allocate_token_bitmask

def calls(compiler: core.GrammarCompiler, matcher: core.Matcher, tree: core.DraftTree) -> None:
    bitmask = allocate_token_bitmask(1, 3)
    masked: bool = matcher.fill_next_token_bitmask(bitmask)
    matcher.fill_next_token_bitmask(None)  # type: ignore[arg-type]
    outcomes = core.fill_next_token_bitmasks([matcher], bitmask)
    outcomes[0].code  # type: ignore[union-attr]
    matcher.accept_tokens(np.zeros(3, dtype=np.int32))
    matcher.accept_bytes("text")  # type: ignore[arg-type]
    compiler.compile_json_schema({"type": "array"}, indent=2, property_order="schema")
    compiler.compile_json_schema(list[int], separators=(",", ": "))
    compiler.compile_json_schema(True, indnt=2)  # type: ignore[call-arg]
    compiler.compile_regex("a", dialect="perl")  # type: ignore[arg-type]
    core.DraftTree(np.zeros(1, dtype=np.int32), [-1], logprobs=[0])
    node: int = tree.child(0, 1)  # type: ignore[assignment]
    with core.RetrievalIndex().start([1, 2]) as request:
        matcher.prune(request.propose(8), 4).attention_mask().all()
        request.propose(8, noise=3)  # type: ignore[arg-type]
"""


def test_the_types_take_good_calls_and_refuse_bad_ones(tmp_path: Path) -> None:
    source = tmp_path / "calls.py"
    source.write_text(CALLS, encoding="utf-8")
    done = mypy("mypy", "--config-file", str(ROOT / "pyproject.toml"), str(source), cache=tmp_path / "cache")
    assert done.returncode == 0, done.stdout + done.stderr
