"""The documents hold what they say: their Python runs, and so do the scripts in `examples/`.

A fenced block `python` of a document runs, all blocks of one document in one namespace and from the repository's root.
A block whose fence says `python no-run` is only parsed: it needs a model that is not here.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^( *)```python([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLES = sorted(ROOT.glob("examples/*.py"))


def blocks_of(document: Path) -> list[tuple[int, str, str]]:
    """(line, flags, code) of each Python block; the code stands on its own lines, so that tracebacks fit."""
    text = document.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        code = "\n" * (line - 1) + re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append((line, match[2].strip(), code))
    return found


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if blocks_of(d)], ids=lambda d: d.relative_to(ROOT).as_posix())
def test_python_of_a_document_runs(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    module = types.ModuleType("document")
    monkeypatch.setitem(sys.modules, "document", module)  # dataclasses look their module up
    for _, flags, code in blocks_of(document):
        assert flags in ("", "no-run"), f"unknown flag `{flags}`"
        ast.parse(code, filename=str(document))
        if not flags:
            exec(compile(code, str(document), "exec"), module.__dict__)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_an_example_runs(example: Path) -> None:
    done = subprocess.run([sys.executable, str(example)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_there_is_something_to_check() -> None:
    assert {"README.md", "extract.py"} <= {p.name for p in [*DOCUMENTS, *EXAMPLES]}
    assert blocks_of(ROOT / "README.md")
