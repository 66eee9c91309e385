"""What `import penstock` brings along, seen from a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

FRAMEWORKS = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "triton",
    "jax",
    "pydantic",
    "jsonschema",
    "sentencepiece",
    "tiktoken",
)


def in_fresh_interpreter(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_loads_no_framework() -> None:
    told = in_fresh_interpreter(
        "import sys, time, numpy; before = time.perf_counter(); import penstock; spent = time.perf_counter() - before\n"
        f"print([name for name in {FRAMEWORKS!r} if name in sys.modules]); print(f'{{spent * 1e3:.1f}} ms after numpy')"
    )
    loaded, spent = told.splitlines()
    print(f"import penstock: {spent}")
    assert loaded == "[]"


def test_every_public_name_is_there_without_a_framework() -> None:
    told = in_fresh_interpreter(
        "import sys, penstock\n"
        "missing = [name for name in penstock.__all__ if not hasattr(penstock, name)]\n"
        f"print(missing, [name for name in {FRAMEWORKS!r} if name in sys.modules])"
    )
    assert told.strip() == "[] []"


def test_the_command_line_parses_without_a_framework() -> None:
    told = in_fresh_interpreter(
        "import sys, penstock.cli\n"
        "try: penstock.cli.main(['--version'])\n"
        "except SystemExit as end: print(end.code)\n"
        f"print([name for name in {FRAMEWORKS!r} if name in sys.modules])"
    )
    assert told.splitlines()[1:] == ["0", "[]"]
