"""Lark: the same language as llguidance where its lexer has nothing to choose, tokens, named grammars, fuzzing."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import penstock
import pytest
from helpers.corpus import read_cases
from helpers.engine import accepts, byte_info, compiler, mask_of
from hypothesis import given, settings
from hypothesis import strategies as st

INFO = byte_info(())
DIFFERENCES = Path(__file__).parent / "lark_differences.json"


def peer_verdict(grammar: str, text: str) -> bool | None:
    """Whether llguidance takes the text; None where it refuses the grammar."""
    llguidance: Any = pytest.importorskip("llguidance")
    tokenizer = llguidance.LLTokenizer("byte")
    matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_lark(grammar), log_level=0)
    if matcher.is_error():
        return None
    tokens = list(text.encode())
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def differences() -> dict[str, str]:
    """The verdicts of llguidance on the corpus that are not ours, by case and text."""
    found = {}
    for case in read_cases("lark"):
        texts = [*case.values("accept"), *case.values("reject")] if "error" not in case.blocks else [""]
        for text in texts:
            ours = None if "error" in case.blocks else text in case.values("accept")
            theirs = peer_verdict(case.text("grammar"), text)
            if theirs != ours:
                words = {True: "takes it", False: "does not take it", None: "refuses the grammar"}
                found[f"{case.id}: {json.dumps(text)}"] = words[theirs]
    return found


def test_llguidance_differs_only_where_it_is_known_to() -> None:
    pytest.importorskip("llguidance")
    known = json.loads(DIFFERENCES.read_text(encoding="utf-8"))
    assert {name: entry["llguidance"] for name, entry in known.items()} == differences()
    assert all(entry["reason"] for entry in known.values())


def test_tokens_among_text() -> None:
    info = penstock.TokenizerInfo(
        [b"a", b"b", b"ab", b"<end>", b"<|x|>", b"</s>"], stop_token_ids=[5], special_token_ids=[3, 4, 5]
    )
    one = compiler(info)
    matcher = penstock.Matcher(one.compile_lark('start: "a" <|x|> <[0-1]> <[^0-3]> "b" <end>'))
    for token, allowed in [(0, {0}), (4, {4}), (1, {0, 1}), (4, {4, 5}), (1, {1}), (3, {3})]:
        assert mask_of(matcher, 6) == allowed
        assert matcher.accept_token(token)
    assert mask_of(matcher, 6) == {5}
    with pytest.raises(penstock.TokenizerError, match="<no>"):
        one.compile_lark("start: <no>")


def test_named_grammars() -> None:
    named = {
        "n": penstock.Grammar.from_regex("[0-9]+"),
        "pair": 'start: "(" @n "," @n ")"\n%ignore " "',
        "doc": penstock.Grammar.from_json_schema({"type": "boolean"}),
    }
    grammar = penstock.Grammar.from_lark('start: @pair ("+" @pair)* ["=" @doc]', named_grammars=named)
    compiled = compiler(INFO).compile(grammar)
    assert accepts(compiled, "(1,2)")
    assert accepts(compiled, "(1 , 22 )+(3,4)=true")
    assert not accepts(compiled, "(1,2) + (3,4)=1")
    assert pickle.loads(pickle.dumps(grammar)) == penstock.Grammar.from_ebnf(str(grammar))
    with pytest.raises(penstock.GrammarSyntaxError, match="@later"):
        penstock.Grammar.from_lark("start: @a", named_grammars={"a": "start: @later", "later": 'start: "x"'})


# fmt: off
PIECES = [
    "start: ", "x: ", "X: ", "\n", " | ", "x", "X", '"a"', '"b"i', "/a+/", "(", ")", "[", "]", "{1,2}", "~2", "~", " & ", "*",
    "+", "?", '%ignore " "', "%import common.INT", "INT", "%json {}", "%lark {", "}", "<x>", "<[1]>", "::0", "-> y", "\x00",
    "[lazy]", '[suffix="b"]', '"', "/", "é", "%if true", "//", "%llguidance {}", '%regex {"substring_words": "a b"}',
]
# fmt: on


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        grammar = penstock.Grammar.from_lark(text)
    except (penstock.GrammarError, penstock.LimitError) as error:
        told = f"{error.code}: {error}"
    else:
        told = str(grammar)
        assert str(penstock.Grammar.from_ebnf(told)) == told
    assert "; " in told or "root ::= " in told
