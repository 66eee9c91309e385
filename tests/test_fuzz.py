"""A short run of each fuzzer: that they work, and that nothing turns up at once. Long runs are for people (fuzz/README.md)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent.parent / "fuzz"


@pytest.fixture(scope="module", autouse=True)
def fuzzers():
    sys.path.insert(0, str(FUZZ))
    yield
    sys.path.remove(str(FUZZ))


def test_random_schemas_against_two_validators() -> None:
    pytest.importorskip("jsonschema_rs", reason="jsonschema-rs is not installed")
    counts, wrong = importlib.import_module("json_schema").fuzz(4_000, seed=77, processes=1, progress=False)
    assert not wrong
    assert counts["pairs"] >= 4_000
    assert counts["pairs"] > 4 * counts["valid"] / 3 > 400, "both verdicts are common"
    assert counts["walks"] > 50


def test_little_fuel_is_met_without_a_wrong_answer() -> None:
    pytest.importorskip("jsonschema_rs", reason="jsonschema-rs is not installed")
    counts, wrong = importlib.import_module("json_schema").fuzz(
        2_000, seed=79, processes=1, progress=False, limits={"max_emptiness_states": 1}
    )
    assert not wrong
    assert counts["refused: limit_reached"] + counts["values ended by a limit"] > 20


def test_a_wrong_engine_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jsonschema_rs", reason="jsonschema-rs is not installed")
    module = importlib.import_module("json_schema")
    takes = module.takes
    monkeypatch.setattr(module, "takes", lambda compiled, text: takes(compiled, text) or text == "1")
    assert module.fuzz(4_000, seed=77, processes=1, progress=False)[1]


def test_broken_texts() -> None:
    counts = importlib.import_module("broken_texts").fuzz(900, seed=78, progress=False)
    assert {kind.split(":")[0] for kind in counts} - {"captures"} == set(importlib.import_module("broken_texts").FRONT_ENDS)
    assert sum(count for kind, count in counts.items() if kind.endswith(": compiled")) > 60
