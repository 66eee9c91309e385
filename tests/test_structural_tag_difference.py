"""Structural tags and dispatches beside XGrammar, whose notation they are: verdicts are the same, or listed with a reason.

The list is `tests/conformance/ratchet/structural_tag.txt`, one line a text: the case, the text as JSON,
why the verdicts differ. A line that no longer holds has to go.
"""

from __future__ import annotations

import json
import re
import typing
from functools import cache
from typing import Any

import pytest
from helpers.corpus import Case, read_cases
from helpers.ratchet import FOLDER, ratchet_lines

RATCHET = FOLDER / "structural_tag.txt"
xgrammar: Any = pytest.importorskip("xgrammar", reason="xgrammar is not installed")

TAGS = [case for case in read_cases("structural_tag") if "error" not in case.blocks]
DISPATCHES = [case for case in read_cases("ebnf") if case.id.startswith("dispatch") and "error" not in case.blocks]


def special_of(case: Case) -> tuple[str, ...]:
    lists = case.values("special") if "special" in case.blocks else []
    return tuple(name for one in lists for name in ([one] if isinstance(one, str) else one))


@cache
def compiler(special: tuple[str, ...]) -> Any:
    """Their compiler for single bytes, these special tokens and a stop token."""
    vocabulary = [bytes([byte]) for byte in range(256)] + [name.encode() for name in special] + [b"<stop>"]
    stop, kind = len(vocabulary) - 1, xgrammar.VocabType.RAW
    return xgrammar.GrammarCompiler(xgrammar.TokenizerInfo(vocabulary, vocab_type=kind, stop_token_ids=[stop]), max_threads=1)


def theirs(case: Case) -> Any:
    """Their compiled grammar, or None where they refuse."""
    compiling = compiler(special_of(case))
    try:
        if "grammar" in case.blocks:
            return compiling.compile_grammar(xgrammar.Grammar.from_ebnf(case.text("grammar")))
        tag = case.json("tag")
        if "structures" not in tag:
            return compiling.compile_structural_tag({"type": "structural_tag", **tag})
        items = [xgrammar.StructuralTagItem(**item) for item in tag["structures"]]
        return compiling.compile_structural_tag(items, tag["triggers"])
    except RuntimeError:
        return None


def tokens_of(text: str, special: tuple[str, ...]) -> list[int]:
    """Special tokens where their names stand, bytes elsewhere."""
    if not special:
        return list(text.encode())
    pieces = re.split("(" + "|".join(map(re.escape, special)) + ")", text)
    ids = [[256 + special.index(piece)] if piece in special else list(piece.encode()) for piece in pieces]
    return [token for some in ids for token in some]


def takes(compiled: Any, tokens: list[int]) -> bool:
    matcher = xgrammar.GrammarMatcher(compiled, terminate_without_stop_token=True)
    return all(matcher.accept_token(token) for token in tokens) and matcher.is_completed()


def differences(case: Case) -> set[str]:
    compiled = theirs(case)
    if compiled is None:
        return {f"{case.id} | refused"}
    listed = [(text, True) for text in case.values("accept")] + [(text, False) for text in case.values("reject")]
    special = special_of(case)
    return {f"{case.id} | {json.dumps(text)}" for text, ours in listed if takes(compiled, tokens_of(text, special)) != ours}


def known() -> dict[str, str]:
    return {" | ".join(parts[:2]): parts[2] for parts in (line.split(" | ") for line in ratchet_lines(RATCHET))}


@pytest.mark.parametrize("case", TAGS + DISPATCHES, ids=lambda case: case.id)
def test_verdicts_are_the_same_or_explained(case: Case) -> None:
    assert differences(case) == {line for line in known() if line.startswith(f"{case.id} | ")}


def test_the_list_names_cases_that_there_are() -> None:
    ids = {case.id for case in TAGS + DISPATCHES}
    assert not [line for line in known() if line.split(" | ")[0] not in ids]
    assert all(reason.strip() for reason in known().values())


def named_in(value: Any, field: str) -> set[str]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    named = {value[field]} if isinstance(value, dict) and isinstance(value.get(field), str) else set()
    return named.union(*(named_in(one, field) for one in inner))


def test_every_type_and_style_of_theirs_is_compared() -> None:
    from xgrammar import structural_tag as module

    formats = [value for name, value in vars(module).items() if name.endswith("Format") and isinstance(value, type)]
    types = {typing.get_args(one.model_fields["type"].annotation)[0] for one in formats if "type" in one.model_fields}
    styles = set(typing.get_args(module.JSONSchemaFormat.model_fields["style"].annotation)) - {"json"}
    tags = [case.json("tag") for case in TAGS]
    assert len(types) >= 20
    assert not types - named_in(tags, "type")
    assert not styles - named_in(tags, "style")
