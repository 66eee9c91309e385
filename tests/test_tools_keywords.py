"""Arguments as Python writes them: which of the optional ones may be missing, and how large the format grows."""

from __future__ import annotations

import itertools
import json
from typing import Any

import penstock
import pytest
from helpers.engine import ALL_BYTES, compiler, tokenizer_info
from penstock.tools import structural_tag
from penstock.tools.keywords import keyword_arguments

from reference.matcher import Vocabulary

NAMES = "abcd"
INFO = tokenizer_info(Vocabulary((*ALL_BYTES, b"<stop>"), stop_ids=(256,), special_ids=()))


def compiled_arguments(names: str, required: list[str]) -> penstock.CompiledGrammar:
    schema = {"properties": {name: {"enum": [1]} for name in names}, "required": required}
    tag = {"type": "structural_tag", "format": keyword_arguments(schema, "f")}
    return compiler(INFO).compile_structural_tag(tag)


def takes(compiled: penstock.CompiledGrammar, text: str) -> bool:
    matcher = penstock.Matcher(compiled)
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting()


@pytest.mark.parametrize(
    "required", [list(some) for count in range(5) for some in itertools.combinations(NAMES, count)], ids="".join
)
def test_every_choice_of_arguments(required: list[str]) -> None:
    """All texts of up to four arguments, in any order and more than once: those in order with each required one are taken."""
    compiled = compiled_arguments(NAMES, required)
    for count in range(5):
        for chosen in itertools.product(NAMES, repeat=count):
            in_order = all(one < other for one, other in itertools.pairwise(chosen))
            text = ", ".join(f"{name}=1" for name in chosen)
            assert takes(compiled, text) == (in_order and set(required) <= set(chosen)), text
    for text in ("a=1,", ", a=1", "a=1,b=1", "a=1, ", " "):
        assert not takes(compiled, text), text


def nodes(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(nodes, children))


@pytest.mark.parametrize("required", [[], ["x20"], ["x39"]], ids=["none", "middle", "last"])
def test_many_optional_arguments(required: list[str]) -> None:
    """Each schema is copied `log2(40) + 2` times at most, and each copy has a dozen nodes around it."""
    names = [f"x{number:02}" for number in range(40)]
    parameters = {"properties": {name: {"type": "integer"} for name in names}, "required": required}
    assert nodes(keyword_arguments(parameters, "f")) < 40 * 7 * 20
    assert json.dumps(keyword_arguments(parameters, "f")).count("json_schema") <= 2 * 40 * 7
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    compiled = compiler(INFO).compile_structural_tag(structural_tag(tools, family="llama4", tool_choice="required"))
    every = ", ".join(f"{name}={number}" for number, name in enumerate(names))
    some = ", ".join(f"{name}=-1" for name in (names[3], names[20], names[39]))
    assert takes(compiled, f"[f({every})]")
    assert takes(compiled, f"[f({some}), f({every})]")
    assert not takes(compiled, "[f(x20=1, x03=1, x39=1)]")
    assert not takes(compiled, "[f(x20=1, x39=1, )]")
