"""Structural tags and dispatches beside XGrammar, whose notation they are: verdicts are the same, or listed with a reason.

The list is `tests/conformance/ratchet/structural_tag.txt`, one line a text: the case, the text as JSON,
why the verdicts differ. A line that no longer holds has to go.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from helpers.corpus import Case, read_cases
from helpers.ratchet import FOLDER, ratchet_lines

RATCHET = FOLDER / "structural_tag.txt"
xgrammar: Any = pytest.importorskip("xgrammar", reason="xgrammar is not installed")

TAGS = [case for case in read_cases("structural_tag") if "error" not in case.blocks and "special" not in case.blocks]
DISPATCHES = [case for case in read_cases("ebnf") if case.id.startswith("dispatch") and "error" not in case.blocks]


@cache
def compiler() -> Any:
    vocabulary = [bytes([byte]) for byte in range(256)] + [b"<stop>"]
    kind = xgrammar.VocabType.RAW
    return xgrammar.GrammarCompiler(xgrammar.TokenizerInfo(vocabulary, vocab_type=kind, stop_token_ids=[256]), max_threads=1)


def theirs(case: Case) -> Any:
    """Their compiled grammar, or None where they refuse."""
    try:
        if "grammar" in case.blocks:
            return compiler().compile_grammar(xgrammar.Grammar.from_ebnf(case.text("grammar")))
        tag = case.json("tag")
        if "structures" not in tag:
            return compiler().compile_structural_tag({"type": "structural_tag", **tag})
        items = [xgrammar.StructuralTagItem(**item) for item in tag["structures"]]
        return compiler().compile_structural_tag(items, tag["triggers"])
    except RuntimeError:
        return None


def takes(compiled: Any, text: str) -> bool:
    matcher = xgrammar.GrammarMatcher(compiled, terminate_without_stop_token=True)
    return all(matcher.accept_token(byte) for byte in text.encode()) and matcher.is_completed()


def differences(case: Case) -> set[str]:
    compiled = theirs(case)
    if compiled is None:
        return {f"{case.id} | refused"}
    listed = [(text, True) for text in case.values("accept")] + [(text, False) for text in case.values("reject")]
    return {f"{case.id} | {json.dumps(text)}" for text, ours in listed if takes(compiled, text) != ours}


def known() -> dict[str, str]:
    return {" | ".join(parts[:2]): parts[2] for parts in (line.split(" | ") for line in ratchet_lines(RATCHET))}


@pytest.mark.parametrize("case", TAGS + DISPATCHES, ids=lambda case: case.id)
def test_verdicts_are_the_same_or_explained(case: Case) -> None:
    assert differences(case) == {line for line in known() if line.startswith(f"{case.id} | ")}


def test_the_list_names_cases_that_there_are() -> None:
    ids = {case.id for case in TAGS + DISPATCHES}
    assert not [line for line in known() if line.split(" | ")[0] not in ids]
    assert all(reason.strip() for reason in known().values())
