"""The cases of `corpus/`: texts that grammars take and refuse, schemas with their instances, masks spelled out."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import penstock
import pytest
from helpers.corpus import Case, read_cases
from helpers.engine import ALL_BYTES, byte_info, compiler, mask_of, tokenizer_info
from helpers.json_values import is_valid, reversed_members, spellings

from reference.json_text import Incomplete, NotJson, parse
from reference.matcher import Vocabulary

INFO = byte_info(
    (b'{"', b'":', b'", "', b'"}', b"\xc3\xa9", b"\xa9", b'": ', b"aa", b"ab", b"\\u00", b"}}", b"]]", b"1,", b", ")
)


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases])


def outcome(compiled: penstock.CompiledGrammar, text: bytes) -> bool:
    """Whether the text is in the language, written token by token along the masks: the longest token that fits, each time."""
    matcher = penstock.Matcher(compiled)
    vocabulary = [INFO.token_bytes(token) for token in range(INFO.vocab_size)]
    at = 0
    while at < len(text):
        fitting = [token for token, spelling in enumerate(vocabulary) if spelling and text.startswith(spelling, at)]
        token = max(fitting, key=lambda token: len(vocabulary[token]))
        allowed = token in mask_of(matcher, INFO.vocab_size)
        assert matcher.accept_token(token) == allowed
        if not allowed:
            return False
        at += len(vocabulary[token])
    return matcher.is_accepting()


def check_texts(compiled: penstock.CompiledGrammar, accept: list[bytes], reject: list[bytes]) -> None:
    wrong = [("refused", text) for text in accept if not outcome(compiled, text)]
    wrong += [("taken", text) for text in reject if outcome(compiled, text)]
    assert not wrong


@named(read_cases("ebnf"))
def test_ebnf(case: Case) -> None:
    if "error" in case.blocks:
        with pytest.raises((penstock.GrammarError, penstock.LimitError)) as caught:
            compiler(INFO).compile_ebnf(case.text("grammar"))
        assert all(part in str(caught.value) for part in case.values("error"))
        return
    grammar = penstock.Grammar.from_ebnf(case.text("grammar"))
    accept, reject = ([text.encode() for text in case.values(block)] for block in ("accept", "reject"))
    check_texts(compiler(INFO).compile(grammar), accept, reject)
    again = penstock.Grammar.from_ebnf(str(grammar))
    check_texts(compiler(INFO).compile(again), accept, reject)


SCHEMAS = [case for case in read_cases("matcher") if "schema" in case.blocks and "trace" not in case.blocks]


@named(SCHEMAS)
def test_schemas(case: Case) -> None:
    schema = case.json("schema")
    options = case.json("options") if "options" in case.blocks else {}
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    if "error" in case.blocks:
        with pytest.raises(getattr(penstock, case.text("error"))):
            compiler(INFO).compile_json_schema(schema, **options)
        return
    compiled = compiler(INFO).compile_json_schema(schema, **options)
    accept = [line.encode() for line in case.blocks.get("accept", [])]
    reject = [line.encode() for line in case.blocks.get("reject", [])]
    for value in case.values("valid"):
        accept += spellings(value) + spellings(reversed_members(value))
    for value in case.values("invalid"):
        reject += spellings(value)
    check_texts(compiled, accept, reject)


@named(SCHEMAS)
def test_schemas_agree_with_jsonschema(case: Case) -> None:
    """The corpus itself is right: valid and invalid are what another implementation says."""
    schema = case.json("schema")
    jsonschema.Draft202012Validator.check_schema(schema)
    wrong: list[Any] = [value for value in case.values("valid") if not is_valid(schema, value)]
    assert not wrong, "called valid"
    if "format" not in json.dumps(schema):
        assert not [value for value in case.values("invalid") if is_valid(schema, value)], "called invalid"
    if "options" not in case.blocks:
        assert not [line for line in case.blocks.get("accept", []) if not twin_takes(schema, line)], "accepted"
        assert not [line for line in case.blocks.get("reject", []) if twin_takes(schema, line)], "rejected"


def twin_takes(schema: Any, text: str) -> bool:
    try:
        return is_valid(schema, parse(text.encode()))
    except (NotJson, Incomplete):
        return False


@named([case for case in read_cases("matcher") if "trace" in case.blocks])
def test_masks(case: Case) -> None:
    tokens = [text.encode() for text in case.json("vocabulary")]
    spellings = (*ALL_BYTES, *(token for token in tokens if len(token) > 1), b"<stop>")
    info = tokenizer_info(Vocabulary(spellings, stop_ids=(len(spellings) - 1,)))
    ids = {spelling: token for token, spelling in enumerate(spellings)}
    one = compiler(info)
    compiled = (
        one.compile_ebnf(case.text("grammar")) if "grammar" in case.blocks else one.compile_json_schema(case.json("schema"))
    )
    listed = {ids[token] for token in [*tokens, b"<stop>"]}
    for line in case.values("trace") * 2:
        matcher = penstock.Matcher(compiled)
        before = [ids[text.encode()] for text in line["after"]]
        assert matcher.accept_tokens(before) == len(before), line
        allowed = {spellings[token].decode() for token in mask_of(matcher, info.vocab_size) & listed}
        assert allowed == set(line["allowed"]), line
