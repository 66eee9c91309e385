"""The recorded schemas through the runner of `tests/conformance/`: nothing may get worse than its ratchet files say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.ratchet import read_ratchet

FOLDER = Path(__file__).resolve().parent / "conformance"
sys.path.insert(0, str(FOLDER))

import run as runner  # noqa: E402


@pytest.mark.parametrize("corpus", ["maskbench", "suite"])
def test_nothing_gets_worse(shared_data, corpus: str) -> None:
    """Every third schema here; the runner itself takes them all."""
    command = [sys.executable, str(FOLDER / "run.py"), corpus, "--stride", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("corpus", ["maskbench", "suite"])
def test_the_ratchet_is_sound(corpus: str) -> None:
    """Every line has a known verdict, and taking an invalid instance is on no record of people's schemas."""
    known = read_ratchet(FOLDER / "ratchet" / f"{corpus}.txt")
    assert known
    assert {text.split()[0] for text in known.values()} <= set(runner.BADNESS[1:])
    assert corpus != "maskbench" or not [case for case, text in known.items() if text.startswith("invalid")]


@pytest.mark.parametrize(
    ("found", "known", "worse"),
    [
        ("passed", "passed", False),
        ("refused limit_reached", "passed", True),
        ("refused limit_reached", "valid 1", False),
        ("valid 1", "refused limit_reached", True),
        ("valid 1", "valid 1 2", False),
        ("valid 1 3", "valid 1 2", True),
        ("invalid 0", "timeout", True),
    ],
)
def test_what_is_worse(found: str, known: str, worse: bool) -> None:
    assert runner.is_worse(found, known) == worse


def test_a_regression_is_reported(tmp_path, capsys) -> None:
    path = tmp_path / "some.txt"
    path.write_text("a\tvalid 1\n")
    assert runner.compare({"a": "valid 1", "b": "passed"}, path, update=True, allow=False) == 0
    assert runner.compare({"a": "passed", "b": "invalid 0"}, path, update=True, allow=False) == 1
    assert runner.read_ratchet(path) == {"a": "valid 1"}, "a regression is never written down by itself"
    assert runner.compare({"a": "passed"}, path, update=True, allow=False) == 0
    assert runner.read_ratchet(path) == {}
    assert "worse: b: passed -> invalid 0" in capsys.readouterr().out
