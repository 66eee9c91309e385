"""The cases of `corpus/`: texts that grammars take and refuse, schemas with their instances, masks spelled out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import jsonschema
import penstock
import pytest
from helpers.corpus import Case, read_cases
from helpers.engine import ALL_BYTES, byte_info, compiler, is_start, mask_of, tokenizer_info
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
    check_grammar(case, penstock.Grammar.from_ebnf)


@named(read_cases("lark"))
def test_lark(case: Case) -> None:
    check_grammar(case, penstock.Grammar.from_lark)


def check_grammar(case: Case, read: Callable[[str], penstock.Grammar]) -> None:
    if "error" in case.blocks:
        with pytest.raises((penstock.GrammarError, penstock.LimitError)) as caught:
            compiler(INFO).compile(read(case.text("grammar")))
        assert all(part in str(caught.value) for part in case.values("error"))
        return
    grammar = read(case.text("grammar"))
    accept, reject = ([text.encode() for text in case.values(block)] for block in ("accept", "reject"))
    check_texts(compiler(INFO).compile(grammar), accept, reject)
    again = penstock.Grammar.from_ebnf(str(grammar))
    check_texts(compiler(INFO).compile(again), accept, reject)


TAGS = read_cases("structural_tag")
LONG_TOKENS = (b"<f", b"f=", b'{"', b"</", b"></", b"ab", b">x", b"\xc3\xa9", b"parameter", b"1<", b'">', b"</parameter>\n<")


def pieces_of(text: str, special: list[str], info: penstock.TokenizerInfo) -> list[int]:
    """Tokens that spell the text, the longest first; names of special tokens are those tokens."""
    spellings = {info.token_bytes(token): token for token in range(256 + len(LONG_TOKENS))}
    parts = re.split("(" + "|".join(map(re.escape, special)) + ")", text) if special else [text]
    ids = []
    for part in filter(None, parts):
        if part in special:
            ids.append(256 + len(LONG_TOKENS) + special.index(part))
            continue
        data = part.encode()
        while data:
            length = next(n for n in range(min(max(map(len, spellings)), len(data)), 0, -1) if data[:n] in spellings)
            ids.append(spellings[data[:length]])
            data = data[length:]
    return ids


def takes(compiled: penstock.CompiledGrammar, tokens: list[int], size: int) -> bool:
    """Whether the tokens are a whole output, asked along the masks."""
    matcher = penstock.Matcher(compiled)
    for token in tokens:
        allowed = token in mask_of(matcher, size)
        assert matcher.accept_token(token) == allowed
        if not allowed:
            return False
    return matcher.is_accepting()


@named(TAGS)
def test_structural_tags(case: Case) -> None:
    special = case.json("special") if "special" in case.blocks else []
    spellings = (*ALL_BYTES, *LONG_TOKENS, *(name.encode() for name in special), b"<stop>")
    first = 256 + len(LONG_TOKENS)
    special_ids = tuple(range(first, first + len(special)))
    info = tokenizer_info(Vocabulary(spellings, stop_ids=(len(spellings) - 1,), special_ids=special_ids))
    if "error" in case.blocks:
        with pytest.raises(penstock.GrammarError) as caught:
            compiler(info).compile_structural_tag(case.text("tag"))
        assert not [part for part in case.values("error") if part not in str(caught.value)], str(caught.value)
        return
    grammar = penstock.Grammar.from_structural_tag(case.json("tag"))
    for one in (grammar, penstock.Grammar.from_ebnf(str(grammar))):
        compiled = compiler(info).compile(one)
        for block, expected in (("accept", True), ("reject", False)):
            for text in case.values(block):
                tokens = pieces_of(text, special, info)
                by_bytes = [[token] if token >= first else list(info.token_bytes(token)) for token in tokens]
                for way in (tokens, [token for group in by_bytes for token in group]):
                    assert takes(compiled, way, info.vocab_size) == expected, (text, way)


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
    assert not [line for line in case.blocks.get("dead", []) if is_start(compiled, line.encode())], "starts of nothing"


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
