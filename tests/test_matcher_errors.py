"""Bad input: each mistake has an error of its own, with a stable code, and leaves the matcher as it was."""

from __future__ import annotations

import json
import pickle

import numpy as np
import penstock
import pytest
from helpers.engine import ALL_BYTES, byte_info, compiler, mask_of
from penstock.bitmask import allocate_token_bitmask

DEEP = 100_000
SIZE = 257


def matcher_of(ebnf: str) -> penstock.Matcher:
    return penstock.Matcher(compiler(byte_info()).compile_ebnf(ebnf))


def caught(error: type[penstock.PenstockError], call, *args, **kwargs) -> penstock.PenstockError:
    """The error of a call; it is an error of this class and not of a class above it, and survives pickling."""
    with pytest.raises(error) as info:
        call(*args, **kwargs)
    found = info.value
    assert type(found) is error
    again = pickle.loads(pickle.dumps(found))
    assert (type(again), str(again), again.code) == (type(found), str(found), found.code)
    return found


def test_a_broken_grammar_names_its_place() -> None:
    error = caught(penstock.GrammarSyntaxError, penstock.Grammar.from_ebnf, 'root ::= "a"\nb ::= ("x" | \nc ::= [a\n')
    assert error.code == "grammar_syntax"
    assert error.location[0] == 2
    lines = {line for line, _, _ in error.problems}
    assert {2, 3} <= lines, "all mistakes are listed, not the first"
    assert "^" in str(error)


@pytest.mark.parametrize(
    "text",
    ["", "root", "root ::=\n::=", 'root ::= "a', 'root ::= "\\q"', "root ::= missing", 'root ::= "a"{3,1}', "a ::= b\nb ::= a"],
)
def test_broken_grammars(text: str) -> None:
    with pytest.raises(penstock.GrammarError):
        compiler(byte_info()).compile_ebnf(text)


def test_every_schema_of_a_tag_is_told_at_its_place() -> None:
    short = {"type": "string", "minLength": 3, "maxLength": 2}
    content = {"type": "json_schema", "json_schema": {"properties": {"a": {"type": "strin"}}}}
    elements = [
        {"type": "json_schema", "json_schema": short},
        {"type": "tag", "begin": "<", "content": content, "end": ">"},
    ]
    tag = {"type": "structural_tag", "format": {"type": "sequence", "elements": elements}}
    error = caught(penstock.GrammarSyntaxError, compiler(byte_info()).compile_structural_tag, tag)
    assert error.location == "/format/elements/0/json_schema"
    of_first, of_second = str(error).splitlines()
    assert of_first.startswith("at `#/format/elements/0/json_schema`: no value satisfies the schema: ")
    assert {"`minLength`", "`maxLength`"} <= set(of_first.replace(",", " ").split())
    assert of_second.startswith("`type` at `#/format/elements/1/content/json_schema/properties/a`: ")
    elements.pop()
    error = caught(penstock.EmptyLanguageError, compiler(byte_info()).compile_structural_tag, tag)
    assert error.location == "/format/elements/0/json_schema"
    assert {pointer for pointer, _ in error.conflict} == {"/format/elements/0/json_schema"}
    assert {"minLength", "maxLength"} <= {keyword for _, keyword in error.conflict}


@pytest.mark.parametrize("tag", [[], 3, None, [{"type": "structural_tag"}]])
def test_what_is_no_tag_at_all(tag: object) -> None:
    error = caught(penstock.GrammarSyntaxError, penstock.Grammar.from_structural_tag, tag)
    assert error.code == "tag_syntax"
    assert str(error).endswith("pass a dict, JSON text or a model with `model_dump`")


def test_a_broken_pattern() -> None:
    with pytest.raises(penstock.GrammarSyntaxError):
        penstock.Grammar.from_regex("(a")
    with pytest.raises(penstock.UnsupportedFeatureError):
        penstock.Grammar.from_regex(r"(a)\1")


def test_a_schema_that_is_no_json() -> None:
    error = caught(penstock.GrammarSyntaxError, compiler(byte_info()).compile_json_schema, '{"type": ')
    assert error.code
    for text in ("", "nul", '{"type": "string"} x', "[1]", "3"):
        with pytest.raises(penstock.GrammarError):
            compiler(byte_info()).compile_json_schema(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"type": 3},
        {"properties": []},
        {"required": "a"},
        {"minLength": -1},
        {"minimum": "1"},
        {"enum": 1},
        {"pattern": "("},
    ],
)
def test_a_schema_that_is_none(schema) -> None:
    """`location` points at the schema, the keyword is named beside it."""
    error = caught(penstock.GrammarSyntaxError, compiler(byte_info()).compile_json_schema, {"items": schema})
    assert error.location == "/items"
    assert [refusal[1] for refusal in error.refusals] == list(schema)


def test_what_cannot_be_enforced_is_refused_by_name() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"(x)\1"}}}
    error = caught(penstock.UnsupportedFeatureError, compiler(byte_info()).compile_json_schema, schema)
    assert error.code == "unsupported_feature"
    assert error.location == "/properties/a"
    assert [refusal[1] for refusal in error.refusals] == ["pattern"]
    compiled = compiler(byte_info()).compile_json_schema(schema, strict=False)
    assert [entry[:2] for entry in compiled.report["refused"]] == [("/properties/a", "pattern")]


def test_a_keyword_that_nobody_knows_is_an_annotation() -> None:
    compiled = compiler(byte_info()).compile_json_schema({"type": "integer", "x-unit": "cm"})
    assert "x-unit" in [keyword for _, keyword, _ in compiled.report["annotations"]]


def test_an_unknown_option() -> None:
    with pytest.raises(TypeError, match="whitespaces"):
        compiler(byte_info()).compile_json_schema(True, whitespaces="compact")
    with pytest.raises(ValueError, match="compact"):
        compiler(byte_info()).compile_json_schema(True, whitespace="tight")


@pytest.mark.parametrize(
    "schema", [False, {"type": "string", "enum": [1]}, {"type": "integer", "minimum": 2, "maximum": 1}, {"enum": []}]
)
def test_a_schema_without_values(schema) -> None:
    error = caught(penstock.EmptyLanguageError, compiler(byte_info()).compile_json_schema, schema)
    assert error.code == "empty_language"


def test_a_grammar_without_texts() -> None:
    error = caught(penstock.EmptyLanguageError, compiler(byte_info()).compile_ebnf, 'root ::= "a" root')
    assert error.code == "empty_language"


def test_a_reference_to_nothing() -> None:
    with pytest.raises(penstock.GrammarError, match="missing"):
        compiler(byte_info()).compile_json_schema({"$ref": "#/$defs/missing"})


def test_a_vocabulary_that_cannot_spell() -> None:
    info = penstock.TokenizerInfo([b"a", b"ab", b"<stop>"], stop_token_ids=[2])
    error = caught(penstock.TokenizerError, compiler(info).compile_ebnf, 'root ::= "a" | "ab"')
    assert error.code == "cannot_spell"
    letters = penstock.TokenizerInfo([b"a", b"b", b"<stop>"], stop_token_ids=[2])
    assert caught(penstock.TokenizerError, compiler(letters).compile_json_schema, {"type": "integer"}).code == "cannot_spell"


def test_a_grammar_with_a_byte_that_no_token_has() -> None:
    info = penstock.TokenizerInfo([b"a", b"b", b"<stop>"], stop_token_ids=[2])
    assert caught(penstock.TokenizerError, compiler(info).compile_ebnf, 'root ::= "a" "c"').code == "cannot_spell"


def test_tokens_that_the_vocabulary_does_not_have() -> None:
    one = compiler(byte_info())
    assert caught(penstock.TokenizerError, one.compile_ebnf, "root ::= Token(257)").code == "cannot_spell"
    assert caught(penstock.TokenizerError, one.compile_ebnf, "root ::= <tool>").code == "cannot_spell"


@pytest.mark.parametrize("token", [257, 258, 10**9, -1, -(10**9)])
def test_a_token_out_of_range(token: int) -> None:
    matcher = matcher_of('root ::= "ab"')
    before = mask_of(matcher, SIZE)
    for call, argument in [
        (matcher.accept_token, token),
        (matcher.accept_tokens, [97, token]),
        (matcher.validate_tokens, [97, token]),
    ]:
        assert caught(penstock.MatcherStateError, call, argument).code == "token_out_of_range"
        assert mask_of(matcher, SIZE) == before
        assert matcher.num_tokens == 0


def wrong_bitmasks() -> dict[str, np.ndarray]:
    good = allocate_token_bitmask(4, SIZE)
    frozen = good.copy()
    frozen.flags.writeable = False
    return {
        "narrow": good[:, :-1].copy(),
        "wide": np.zeros((1, good.shape[1] + 1), np.int32),
        "no rows": np.zeros((0, good.shape[1]), np.int32),
        "int64": good.astype(np.int64),
        "float32": good.astype(np.float32),
        "bytes": good.view(np.int8).copy(),
        "three axes": good[None],
        "every second row": good[::2],
        "columns first": np.asfortranarray(good),
        "big endian": good.astype(">i4"),
        "frozen": frozen,
    }


@pytest.mark.parametrize("name", sorted(wrong_bitmasks()))
def test_a_bitmask_of_the_wrong_shape(name: str) -> None:
    bitmask = wrong_bitmasks()[name]
    before = bitmask.copy()
    matcher = matcher_of('root ::= "ab"')
    assert caught(penstock.MatcherStateError, matcher.fill_next_token_bitmask, bitmask, 0).code == "bitmask_shape"
    assert np.array_equal(bitmask, before)
    assert matcher.accept_token(97)


def test_a_row_that_is_not_there() -> None:
    matcher = matcher_of('root ::= "ab"')
    for row in (1, 10**6):
        error = caught(penstock.MatcherStateError, matcher.fill_next_token_bitmask, allocate_token_bitmask(1, SIZE), row)
        assert error.code == "bitmask_shape"


def test_after_the_end() -> None:
    matcher = matcher_of('root ::= "a"*')
    assert matcher.accept_token(97)
    assert matcher.accept_token(256)
    bitmask = allocate_token_bitmask(1, SIZE)
    for call, arguments in [
        (matcher.accept_token, (97,)),
        (matcher.accept_token, (256,)),
        (matcher.accept_bytes, (b"a",)),
        (matcher.fill_next_token_bitmask, (bitmask, 0)),
    ]:
        assert caught(penstock.MatcherStateError, call, *arguments).code == "terminated"
        assert matcher.is_terminated()
        assert matcher.num_tokens == 2
    assert matcher.validate_tokens([97]) == 0
    matcher.rollback(1)
    assert mask_of(matcher, SIZE) == {97, 256}


def test_too_far_back() -> None:
    matcher = matcher_of('root ::= "a"*')
    assert matcher.accept_tokens([97, 97]) == 2
    assert caught(penstock.MatcherStateError, matcher.rollback, 3).code == "rollback_too_far"
    assert matcher.num_tokens == 2
    matcher.rollback(2)
    matcher.rollback(0)
    assert caught(penstock.MatcherStateError, matcher.rollback, 1).code == "rollback_too_far"
    with pytest.raises((OverflowError, ValueError, penstock.MatcherStateError)):
        matcher.rollback(-1)


def test_an_error_costs_its_row_and_no_other() -> None:
    compiled = compiler(byte_info()).compile_ebnf('root ::= "a"*')
    matchers = [penstock.Matcher(compiled) for _ in range(20)]
    for matcher in matchers[::3]:
        assert matcher.accept_token(256)
    bitmask = allocate_token_bitmask(20, SIZE)
    answers = penstock.fill_next_token_bitmasks(matchers, bitmask)
    for row, (matcher, answer) in enumerate(zip(matchers, answers, strict=True)):
        if row % 3 == 0:
            assert isinstance(answer, penstock.MatcherStateError)
            assert answer.code == "terminated"
        else:
            assert answer is True
            assert bitmask[row].tolist() == mask_row(matcher)


def mask_row(matcher: penstock.Matcher) -> list[int]:
    bitmask = allocate_token_bitmask(1, SIZE)
    matcher.fill_next_token_bitmask(bitmask, 0)
    return bitmask[0].tolist()


def test_a_batch_whose_rows_do_not_fit() -> None:
    compiled = compiler(byte_info()).compile_ebnf('root ::= "a"*')
    matchers = [penstock.Matcher(compiled) for _ in range(2)]
    for rows in ([0], [0, 0], [0, 2]):
        with pytest.raises(ValueError, match="row"):
            penstock.fill_next_token_bitmasks(matchers, allocate_token_bitmask(2, SIZE), rows)


def test_deep_grammars() -> None:
    text = "root ::= " + "(" * DEEP + '"a"' + ")" * DEEP
    assert caught(penstock.LimitError, compiler(byte_info()).compile_ebnf, text).code == "limit_reached"
    with pytest.raises(penstock.GrammarError):
        compiler(byte_info()).compile_ebnf('root ::= "a"' + "+" * DEEP)


def test_many_complements_are_one_or_none() -> None:
    matcher = matcher_of("root ::= " + "~" * DEEP + '"a"')
    assert matcher.accept_bytes(b"a")
    assert mask_of(matcher, SIZE) == {256}


def test_deep_patterns() -> None:
    with pytest.raises((penstock.LimitError, penstock.GrammarError)):
        compiler(byte_info()).compile_regex("(" * DEEP + "a" + ")" * DEEP)


def test_limits_of_a_schema_can_be_set() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    compile_schema = compiler(byte_info()).compile_json_schema
    error = caught(penstock.LimitError, compile_schema, schema, limits={"max_schema_nodes": 2})
    assert (error.limit, error.configured, error.code) == ("max_schema_nodes", 2, "limit_reached")
    assert 'limits={"max_schema_nodes": ...}' in str(error), "the way out"
    assert compile_schema(schema, limits={"max_schema_nodes": 3})
    grammar = penstock.Grammar.from_json_schema(schema, limits={"max_schema_nodes": 2})
    with pytest.raises(penstock.LimitError):
        compiler(byte_info()).compile_ebnf(str(grammar))
    with pytest.raises(ValueError, match="max_emptiness_states"):
        compile_schema(schema, limits={"fuel": 3})
    with pytest.raises(OverflowError):
        compile_schema(schema, limits={"max_schema_nodes": -1})


def test_an_empty_schema_names_what_contradicts() -> None:
    schema = {
        "properties": {"a": {"minimum": 5, "maximum": 3, "type": "integer"}},
        "required": ["a"],
        "type": "object",
        "title": "t",
    }
    error = caught(penstock.EmptyLanguageError, compiler(byte_info()).compile_json_schema, schema)
    places = [("", "required"), ("", "type"), *(("/properties/a", keyword) for keyword in ("maximum", "minimum", "type"))]
    assert error.conflict == places
    assert error.location == ""


def test_deep_schemas() -> None:
    text = '{"items":' * DEEP + "true" + "}" * DEEP
    assert caught(penstock.LimitError, compiler(byte_info()).compile_json_schema, text).code == "limit_reached"
    nested = True
    value = []
    for _ in range(DEEP):
        nested, value = {"not": nested}, [value]
    for schema in (nested, {"const": value}, {"enum": [json.loads("[" * 900 + "]" * 900)]}):
        error = caught(penstock.LimitError, compiler(byte_info()).compile_json_schema, schema)
        assert "max_schema_nesting" in str(error)


@pytest.mark.parametrize("piece", [b"[", b'{"a":', b'[{"b":'])
def test_deep_input(piece: bytes) -> None:
    """Nesting is bounded by name, and the matcher stands where it stood before the token that went too deep."""
    matcher = penstock.Matcher(compiler(byte_info()).compile_json_schema(True))
    error = caught(penstock.LimitError, matcher.accept_bytes, piece * DEEP)
    assert error.limit == "max_nesting"
    assert mask_of(matcher, SIZE) == mask_of(penstock.Matcher(compiler(byte_info()).compile_json_schema(True)), SIZE)
    taken = 0
    try:
        while matcher.accept_token(piece[taken % len(piece)]):
            taken += 1
    except penstock.LimitError as reached:
        error = reached
    assert error.limit == "max_nesting"
    assert matcher.num_tokens == taken
    assert taken >= 16_000
    matcher.rollback(taken)
    assert matcher.accept_bytes(b"[1]")


def test_deep_input_of_a_recursive_grammar() -> None:
    matcher = matcher_of('root ::= "(" root ")" | "a"')
    with pytest.raises(penstock.LimitError):
        matcher.accept_bytes(b"(" * DEEP)
    assert matcher.num_tokens == 0
    assert matcher.accept_bytes(b"(" * 10_000 + b"a" + b")" * 10_000)
    assert matcher.is_accepting()


@pytest.mark.parametrize("ebnf", ['root ::= root "a" | "a"', 'root ::= "a" root | "a"', 'root ::= "a"*'])
def test_long_input_of_grammars_that_only_iterate(ebnf: str) -> None:
    matcher = matcher_of(ebnf)
    assert matcher.accept_bytes(b"a" * DEEP)
    assert matcher.is_accepting()
    assert mask_of(matcher, SIZE) == {97, 256}


def test_long_counts() -> None:
    matcher = matcher_of('root ::= ("ab"){0,100000} "c"')
    assert matcher.accept_bytes(b"ab" * DEEP)
    assert mask_of(matcher, SIZE) == {ord("c")}


def test_vocabularies() -> None:
    for arguments, keywords in [
        (([b"a"],), {"stop_token_ids": [1]}),
        (([b"a"],), {"stop_token_ids": [0], "special_token_ids": [5]}),
        (([b"a", b"b"],), {"stop_token_ids": [0], "vocab_size": 1}),
    ]:
        with pytest.raises(penstock.TokenizerError):
            penstock.TokenizerInfo(*arguments, **keywords)
    assert penstock.TokenizerInfo(list(ALL_BYTES), stop_token_ids=[0]).vocab_size == 256
