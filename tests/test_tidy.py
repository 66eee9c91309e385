"""The house rules that a machine can check, on every tracked file: sizes, directions, names, paths, errors, prints.

Each test lists all offenders with their places, so that one run shows what is left to mend.
"""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import penstock
import penstock.errors
import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 800
MAX_FILE_BYTES = 6_000_000

# What a crate may need of ours: tokens, automata <- schema <- grammar <- matcher, and tokens <- drafting.
CRATE_NEEDS = {
    "tokens": set(),
    "automata": set(),
    "schema": {"automata"},
    "grammar": {"automata", "schema"},
    "matcher": {"tokens", "automata", "schema", "grammar"},
    "drafting": {"tokens"},
    "python": {"tokens", "automata", "schema", "grammar", "matcher", "drafting"},
}

# What a part of the package never imports, not even late: what stands above it, or on the other side of the house.
PYTHON_NEVER = {
    "errors": {""},
    "_core": {""},
    "tokenizer": {"decoding", "drafting", "models", "generator", "adapters", "cli", "types"},
    "bitmask": {"decoding", "drafting", "models", "generator", "adapters", "cli", "types"},
    "drafting": {"generator", "adapters", "cli", "types", "grammar", "matcher", "models"},
    "decoding": {"generator", "adapters", "cli", "types", "models"},
    "models": {"generator", "adapters", "cli", "types"},
    "types": {"generator", "adapters", "cli", "models", "decoding", "drafting"},
    "generator": {"adapters", "cli"},
    "adapters": {"cli"},
    "compat": {"cli", "models", "decoding", "drafting", "generator"},
}

FRAMEWORKS = {
    "torch",
    "transformers",
    "triton",
    "tokenizers",
    "safetensors",
    "sentencepiece",
    "tiktoken",
    "pydantic",
    "jsonschema",
    "tqdm",
}
# These files are about a framework, and are imported when it is asked for; everywhere else the import stands in a function.
FRAMEWORK_FILES = re.compile(
    r"bitmask/(torch|triton)\.py|models/transformers_\w+\.py|adapters/\w+\.py|compat/|types_pydantic\.py"
)


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every tracked file that exists, which leaves out what was removed but not yet committed."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        pytest.skip("not a git checkout")
    return tuple(path for name in told.stdout.split("\0") if name and (path := ROOT / name).is_file())


def files(suffix: str, under: str = "") -> list[Path]:
    return [path for path in tracked() if path.suffix == suffix and name_of(path).startswith(under)]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def check(offenders: list[str]) -> None:
    assert not offenders, "\n" + "\n".join(offenders)


# Sizes.


def docstring_lines(tree: ast.AST) -> set[int]:
    nodes = (n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef))
    heads = (n.body[0] for n in nodes if n.body and ast.get_docstring(n) is not None)
    return {line for head in heads for line in range(head.lineno, (head.end_lineno or head.lineno) + 1)}


def python_functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """(name, line, code lines) of each function; docstrings, comments and blank lines count nothing."""
    prose, lines = docstring_lines(tree_of(path)), lines_of(path)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            yield node.name, node.lineno, sum(line not in prose and is_code(lines[line - 1], "#") for line in body)


def rust_functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """As above; rustfmt puts the closing brace of a function under its first character."""
    lines = lines_of(path)
    for index, line in enumerate(lines):
        head = re.match(r"(\s*)(?:pub(?:\([\w ]+\))? )?(?:(?:const|unsafe|async) )*fn (\w+)", line)
        if head is None or line.rstrip().endswith((";", "}")):
            continue
        end = next((i for i in range(index, len(lines)) if lines[i].startswith(head[1] + "}")), index)
        yield head[2], index + 1, sum(is_code(text, "//") for text in lines[index : end + 1])


def is_code(line: str, comment: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith(comment)


def test_functions_fit_a_screen() -> None:
    found = [(path, f) for path in files(".py") for f in python_functions(path)]
    found += [(path, f) for path in files(".rs") for f in rust_functions(path)]
    assert len(found) > 500
    check([f"{name_of(p)}:{line} {name}: {size} lines" for p, (name, line, size) in found if size > MAX_FUNCTION_LINES])


def test_files_fit_the_head() -> None:
    sizes = [(path, sum(is_code(line, "//") for line in lines_of(path))) for path in files(".rs")]
    for path in files(".py"):
        prose = docstring_lines(tree_of(path))
        sizes.append((path, sum(n not in prose and is_code(line, "#") for n, line in enumerate(lines_of(path), 1))))
    check([f"{name_of(path)}: {size} code lines" for path, size in sizes if size > MAX_FILE_LINES])


def test_no_tracked_file_is_huge() -> None:
    check([f"{name_of(path)}: {path.stat().st_size} bytes" for path in tracked() if path.stat().st_size > MAX_FILE_BYTES])


# Directions.


def test_crates_depend_one_way() -> None:
    for folder in sorted((ROOT / "crates").iterdir()):
        manifest = tomllib.loads((folder / "Cargo.toml").read_text())
        needs = {name.removeprefix("penstock-") for name in manifest["dependencies"] if name.startswith("penstock-")}
        assert needs <= CRATE_NEEDS[folder.name], f"{folder.name} may not need {needs - CRATE_NEEDS[folder.name]}"


def test_only_one_crate_knows_python_and_all_share_the_lints() -> None:
    for folder in sorted((ROOT / "crates").iterdir()):
        manifest = tomllib.loads((folder / "Cargo.toml").read_text())
        assert ("pyo3" in manifest["dependencies"]) == (folder.name == "python"), folder.name
        assert manifest["lints"] == {"workspace": True}, folder.name


def imports_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def test_python_parts_depend_one_way() -> None:
    offenders = []
    for path in files(".py", "python/penstock/"):
        part = path.relative_to(ROOT / "python/penstock").parts[0].removesuffix(".py")
        for module, line in imports_of(tree_of(path)):
            pieces = module.split(".")
            inside = pieces[0] == "penstock" and pieces[1:2] != [part]
            never = PYTHON_NEVER.get(part, set())
            if inside and not is_type_only(path, line) and (never == {""} or (pieces[1:2] and pieces[1] in never)):
                offenders.append(f"{name_of(path)}:{line} imports {module}")
    check(sorted(set(offenders)))


def is_type_only(path: Path, line: int) -> bool:
    """Does the line stand under `if TYPE_CHECKING:`?"""
    guards = (n for n in ast.walk(tree_of(path)) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    return any(guard.lineno < line <= (guard.end_lineno or 0) for guard in guards)


def test_frameworks_are_imported_late() -> None:
    offenders = []
    for path in files(".py", "python/penstock/"):
        if FRAMEWORK_FILES.search(name_of(path)):
            continue
        at_import = [node for node in tree_of(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        named = ((m, line) for node in at_import for m, line in imports_of(node))
        offenders += [f"{name_of(path)}:{line} imports {m}" for m, line in named if m.split(".")[0] in FRAMEWORKS]
    check(offenders)


# Names.


def banned_names() -> set[str]:
    """The last column of the tables of the glossary."""
    rows = [line.split("|")[1:-1] for line in lines_of(ROOT / "GLOSSARY.md") if line.startswith("| ")]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row[-1]) if len(row) == 4}


def test_no_definition_has_a_banned_name() -> None:
    banned = banned_names()
    assert "toktrie" in {word.lower() for word in banned}
    definition = re.compile(r"^\s*(?:pub(?:\([\w ]+\))? )?(?:class|def|async def|fn|struct|enum|trait|type|mod) (\w+)")
    offenders = []
    spoken = [path for path in files(".py", "python/") if "/compat/" not in name_of(path)]  # a shim has the names of others
    for path in [*spoken, *files(".rs", "crates/")]:
        for number, line in enumerate(lines_of(path), 1):
            found = definition.match(line)
            if found and found[1] in banned:
                offenders.append(f"{name_of(path)}:{number} {found[1]}")
    check(offenders)


def modules() -> list[str]:
    return [
        "penstock",
        *(m.name for m in pkgutil.walk_packages(penstock.__path__, "penstock.") if not m.name.endswith("__main__")),
    ]


@pytest.mark.parametrize("name", modules())
def test_public_names_exist(name: str) -> None:
    module = importlib.import_module(name)
    check([f"{name}.{public} does not exist" for public in getattr(module, "__all__", []) if not hasattr(module, public)])


def test_public_api_is_sorted_and_documented() -> None:
    public = list(penstock.__all__)
    assert sorted(public) == public
    check([name for name in public if not (getattr(penstock, name).__doc__ or "").strip()])


def test_every_error_has_a_code_of_its_own() -> None:
    classes = [getattr(penstock.errors, name) for name in penstock.errors.__all__]
    codes = [cls.__dict__.get("code") for cls in classes]
    assert all(code and re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes), codes
    assert len(set(codes)) == len(codes)
    assert all(issubclass(cls, penstock.errors.PenstockError) for cls in classes)


# Paths and commands in prose.

PATH = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|pyi|rs|md|toml|json|sh|ebnf|lark|txt)|(?:[\w.-]+/)+)`")

# Files of a model's folder, as transformers writes them.
FOREIGN = {"config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "chat_template.jinja"}


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of a document, of the comments of a Rust file, or of the docstrings of a Python file."""
    prose = docstring_lines(tree_of(path)) if path.suffix == ".py" else set()
    for number, line in enumerate(lines_of(path), 1):
        comment = line.strip().startswith(("//", "#")) if path.suffix in (".rs", ".py") else True
        if comment or number in prose:
            yield number, line


def exists(text: str, near: Path) -> bool:
    """Is this the end of the path of a tracked file or folder, or is it there beside the document?"""
    wanted = text.removesuffix("/")
    names = [f"/{name_of(path)}" for path in tracked()]
    return (
        wanted in FOREIGN
        or (ROOT / wanted).exists()
        or (near.parent / wanted).exists()
        or any(f"/{wanted}/" in f"{name}/" for name in names)
    )


def test_paths_named_in_prose_exist() -> None:
    offenders = []
    for path in [*files(".md"), *files(".rs", "crates/"), *files(".py", "python/")]:
        for number, line in prose_of(path):
            offenders += [f"{name_of(path)}:{number} `{m}`" for m in PATH.findall(line) if not exists(m, path)]
    check(offenders)


def test_links_of_documents_lead_somewhere() -> None:
    offenders = []
    for path in files(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if "://" not in target and not (path.parent / target).exists():
                offenders.append(f"{name_of(path)}: {target}")
    check(offenders)


def test_verbs_named_in_documents_exist() -> None:
    verbs = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(path, verb) for path in files(".md") for verb in re.findall(r"`make ([a-z-]+)", path.read_text(encoding="utf-8"))}
    assert named
    check([f"{name_of(path)}: make {verb}" for path, verb in sorted(named) if verb not in verbs])


def test_no_path_of_one_machine() -> None:
    pattern = re.compile(r"(?<![\w.\"'/])/(?:work|tmp|root|home|Users)/\w")
    offenders = []
    for path in tracked():
        if path.suffix in {".py", ".pyi", ".rs", ".md", ".toml", ".sh", ".json", ""} and path != Path(__file__).resolve():
            text = path.read_bytes().decode("utf-8", errors="replace")
            offenders += [f"{name_of(path)}:{n}" for n, line in enumerate(text.split("\n"), 1) if pattern.search(line)]
    check(offenders)


# Habits.


def test_the_library_does_not_print() -> None:
    offenders = []
    for path in files(".py", "python/penstock/"):
        calls = (n for n in ast.walk(tree_of(path)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
        if path.name != "cli.py":
            offenders += [f"{name_of(path)}:{call.lineno}" for call in calls if call.func.id == "print"]  # type: ignore[attr-defined]
    check(offenders)


def core_lines(path: Path) -> list[str]:
    """The lines of a Rust file before its tests."""
    lines = lines_of(path)
    return lines[
        : next(
            (i for i, line in enumerate(lines) if line.strip() == "#[cfg(test)]" and "mod" in "".join(lines[i + 1 : i + 2])),
            len(lines),
        )
    ]


def test_unwrap_is_for_tests_and_unsafe_says_why() -> None:
    offenders = []
    for path in files(".rs", "crates/"):
        if re.search(r"/(tests|benches|examples)/|/tests?\.rs$|_tests\.rs$", name_of(path)):
            continue
        lines = core_lines(path)
        for index, line in enumerate(lines):
            code = line.split("//")[0]
            if ".unwrap()" in code:
                offenders.append(f"{name_of(path)}:{index + 1} unwrap: name the reason with expect")
            if re.search(r"\bunsafe (\{|impl|fn)", code) and "SAFETY" not in "".join(lines[max(0, index - 8) : index + 1]):
                offenders.append(f"{name_of(path)}:{index + 1} unsafe without a SAFETY comment")
    check(offenders)
