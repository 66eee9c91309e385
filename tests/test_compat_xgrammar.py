"""`penstock.compat.xgrammar`: the calls of two inference servers, and its masks beside XGrammar's own."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
from typing import Any

import penstock
import pytest
from helpers.compat_cases import CASES, ONE, PERSON, Case
from helpers.hosts import Sglang, SglangGrammar, Vllm
from helpers.ratchet import FOLDER, assert_explains_only, assert_on_record

torch = pytest.importorskip("torch")
pytest.importorskip("pydantic")
pytest.importorskip("transformers")

import penstock.compat.xgrammar as shim  # noqa: E402
from penstock.compat.xgrammar.schema import closed_schema  # noqa: E402

RATCHET = FOLDER / "xgrammar_shim.txt"
WORDS = [
    b"ab",
    b"the",
    b" and",
    b'"name',
    b'":',
    b'{"',
    b"true",
    b"false",
    b"null",
    b"12",
    b", ",
    b'"}',
    b"\n  ",
    b"]]",
    b"x.",
    b"\xc3\xa9",
]
VOCAB = [bytes([value]) for value in range(256)] + WORDS + [b"</s>", b""]
STOP = 256 + len(WORDS)


@pytest.fixture(params=["shim", "real"])
def xgr(request: pytest.FixtureRequest) -> Any:
    """The shim, and XGrammar itself where it is installed: the tests of hosts hold for both."""
    return shim if request.param == "shim" else pytest.importorskip("xgrammar")


def info(xgr: Any) -> Any:
    return xgr.TokenizerInfo(VOCAB, stop_token_ids=[STOP])


def tokens_of(text: str, rng: random.Random) -> list[int]:
    """A random spelling of a text."""
    data, out = text.encode(), []
    while data:
        fitting = [id for id, token in enumerate(VOCAB[:STOP]) if data.startswith(token)]
        out.append(rng.choice(fitting))
        data = data[len(VOCAB[out[-1]]) :]
    return out


def allowed(xgr: Any, bitmask: Any, row: int = 0) -> list[int]:
    refused = set(xgr.testing._get_masked_tokens_from_bitmask(bitmask, len(VOCAB), row))
    return [id for id in range(len(VOCAB)) if id not in refused]


def mask_of(xgr: Any, matcher: Any) -> list[int]:
    bitmask = xgr.allocate_token_bitmask(1, len(VOCAB))
    matcher.fill_next_token_bitmask(bitmask)
    return allowed(xgr, bitmask)


# Hosts.


def test_vllm(xgr: Any) -> None:
    engine = Vllm(xgr, VOCAB, [STOP])
    person = engine.compile("json", json.dumps(PERSON))
    choice = engine.compile("grammar", 'root ::= "red" | "green"')
    phone = engine.compile("regex", r"[0-9]{3}-[0-9]{4}")
    anything = engine.compile("json_object", "")
    requests = [person, choice, phone, anything]
    assert person.accept_tokens([ord("{"), ord('"')])
    assert choice.validate_tokens([ord("r"), ord("e"), ord("x")]) == [ord("r"), ord("e")]
    bitmask = engine.grammar_bitmask(requests, [[ord("n"), ord("a")], [ord("g")], [], [ord("{")]])
    assert bitmask.dtype == torch.int32
    assert bitmask.shape == (12, -(-len(VOCAB) // 32))
    assert set(allowed(xgr, bitmask, 1)) - {ord("\\")} == {ord("a")}  # the shim may spell it `\u0061`
    assert allowed(xgr, bitmask, 3) == [ord("g"), ord("r")]
    assert allowed(xgr, bitmask, 4) == [ord("r")]
    assert allowed(xgr, bitmask, 6) == [*range(ord("0"), ord("9") + 1), VOCAB.index(b"12")]
    logits = torch.zeros(12, len(VOCAB))
    engine.apply(logits, bitmask, [1, 4])
    assert logits[4].isfinite().nonzero().flatten().tolist() == [ord("r")]
    assert logits[3].isfinite().all()
    assert choice.accept_tokens([*b"red", STOP])
    assert choice.ended
    assert choice.accept_tokens([1, 2, 3])


LEGACY = {
    "structures": [{"begin": "<function=f>", "schema": ONE, "end": "</function>"}],
    "triggers": ["<function="],
}
TAG = {
    "type": "structural_tag",
    "format": {
        "type": "sequence",
        "elements": [
            {"type": "tag", "begin": "<think>", "content": {"type": "any_text"}, "end": "</think>"},
            {"type": "or", "elements": [{"type": "json_schema", "json_schema": ONE}, {"type": "regex", "pattern": "[0-9]+"}]},
            {"type": "optional", "content": {"type": "const_string", "value": "."}},
        ],
    },
}


@pytest.mark.parametrize(
    ("tag", "text", "is_complete"),
    [
        (LEGACY, "some text", True),
        (LEGACY, 'text <function=f>{"name": "x"}</function> and more', True),
        (LEGACY, '<function=f>{"name": "x"}', False),
        (TAG, "<think>hm < 3</think>12.", True),
        (TAG, '<think></think>{"name": "x"}', True),
        (TAG, "<think>hm", False),
    ],
)
def test_vllm_calls_tools_by_tags(xgr: Any, tag: dict[str, Any], text: str, is_complete: bool) -> None:
    grammar = Vllm(xgr, VOCAB, [STOP]).compile("structural_tag", json.dumps(tag))
    assert grammar.accept_tokens(tokens_of(text, random.Random(text)))
    assert grammar.matcher.is_completed() is is_complete


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (LEGACY, "<function=g>"),
        (LEGACY, '<function=f>{"other"'),
        (TAG, "hm"),
        (TAG, '<think></think>{"name": 1'),
        (TAG, "<think></think>1.."),
    ],
)
def test_vllm_refuses_what_leaves_a_tag(xgr: Any, tag: dict[str, Any], text: str) -> None:
    grammar = Vllm(xgr, VOCAB, [STOP]).compile("structural_tag", json.dumps(tag))
    assert not grammar.accept_tokens(list(text.encode()))


def test_sglang_calls_tools_by_tags(xgr: Any) -> None:
    grammar = Sglang(xgr, info(xgr)).dispatch("structural_tag", json.dumps(LEGACY))
    for byte in b'ok <function=f>{"name":"x"}</function>':
        grammar.accept_token(byte)
    grammar.accept_token(STOP)
    assert grammar.is_terminated()


def test_tags_as_objects(xgr: Any) -> None:
    tags = xgr.structural_tag
    content = tags.JSONSchemaFormat(json_schema=ONE)
    tag = tags.TagFormat(begin="<a>", content=content, end=["</a>", "</b>"])
    whole = xgr.StructuralTag(format=tags.TriggeredTagsFormat(triggers=["<a"], tags=[tag], at_least_one=True))
    accepts = xgr.testing._is_grammar_accept_string
    assert accepts(xgr.Grammar.from_structural_tag(whole), '<a>{"name": "x"}</b>')
    assert not accepts(xgr.Grammar.from_structural_tag(whole), '<a>{"name": "x"}</c>')
    assert xgr.StructuralTag.from_json(whole.model_dump_json()) == whole
    listed = tags.TagsWithSeparatorFormat(tags=[tag], separator=",", at_least_one=True)
    text = '<a>{"name": "x"}</a>,<a>{"name": "y"}</b>'
    assert accepts(xgr.Grammar.from_structural_tag(xgr.StructuralTag(format=listed).model_dump_json()), text)
    with pytest.raises(xgr.InvalidStructuralTagError):
        xgr.Grammar.from_structural_tag({"type": "structural_tag", "format": {"type": "no such type"}})


def test_vllm_takes_a_stop_token_back(xgr: Any) -> None:
    grammar = Vllm(xgr, VOCAB, [STOP]).compile("grammar", 'root ::= "a"+')
    assert grammar.accept_tokens([ord("a"), STOP])
    grammar.rollback(1)
    assert not grammar.ended
    assert grammar.accept_tokens([ord("a"), STOP])


def test_sglang(xgr: Any) -> None:
    server = Sglang(xgr, info(xgr))
    first = server.dispatch("json", json.dumps(ONE))
    assert isinstance(first, SglangGrammar)
    assert first.try_jump_forward().startswith("{")
    for byte in b'{"name":"x"}':
        first.accept_token(byte)
    with pytest.raises(ValueError, match="not accepted"):
        first.accept_token(ord("}"))
    first.accept_token(STOP)
    assert first.is_terminated()
    fresh = first.copy()
    assert not fresh.is_terminated()
    fresh.accept_token(ord("{"))
    assert server.dispatch("json", "{no json").startswith("invalid grammar")
    assert server.dispatch("ebnf", "root ::= nowhere").startswith("invalid grammar")
    assert server.dispatch("regex", "(").startswith("invalid grammar")
    assert isinstance(server.dispatch("json", "$$ANY$$"), SglangGrammar)
    server.reset()


def test_sglang_walks_a_draft_tree(xgr: Any) -> None:
    server = Sglang(xgr, info(xgr))
    grammar = server.dispatch("ebnf", 'root ::= "a" ("b" | "c" "d"*)')
    parents, tokens = [-1, 0, 0, 1, 2, 4], [ord("a"), *b"bcxdd"]
    grammar.accept_token(tokens[0])
    one_by_one, at_once = (xgr.allocate_token_bitmask(6, len(VOCAB)).zero_() for _ in range(2))
    server.traverse(grammar, parents, tokens, one_by_one)
    next_token, next_sibling = torch.tensor([1, 3, 4, -1, 5, -1]), torch.tensor([-1, 2, -1, -1, -1, -1])
    assert grammar.matcher.traverse_draft_tree(next_token, next_sibling, torch.tensor(tokens), at_once)
    assert torch.equal(one_by_one, at_once)
    assert allowed(xgr, at_once, 2) == [ord("d"), STOP]
    assert allowed(xgr, at_once, 3) == []
    assert mask_of(xgr, grammar.matcher) == [ord("b"), ord("c")]


def test_other_stop_tokens(xgr: Any) -> None:
    other = VOCAB.index(b"x.")
    server = Sglang(xgr, info(xgr), stops=[other])
    grammar = server.dispatch("ebnf", 'root ::= "a"')
    assert grammar.matcher.stop_token_ids == [other]
    grammar.accept_token(ord("a"))
    assert mask_of(xgr, grammar.matcher) == [other]
    grammar.accept_token(other)
    assert grammar.is_terminated()


def test_ends_without_a_stop_token(xgr: Any) -> None:
    compiled = xgr.GrammarCompiler(info(xgr)).compile_grammar('root ::= "ab"')
    matcher = xgr.GrammarMatcher(compiled, terminate_without_stop_token=True)
    assert not matcher.is_terminated()
    assert matcher.accept_string("ab")
    assert matcher.is_terminated()
    assert matcher.is_completed()


def test_matcher_verbs(xgr: Any) -> None:
    matcher = xgr.GrammarMatcher(xgr.GrammarCompiler(info(xgr)).compile_grammar('root ::= "ab" [0-9]+'))
    assert matcher.find_jump_forward_string() == "ab"
    assert matcher.accept_string(b"ab1")
    fork = matcher.fork()
    assert fork.accept_token(STOP)
    assert [fork.accept_token(ord("1")), fork.accept_string("1"), fork.accept_token(-1), fork.accept_token(10**6)] == [
        False
    ] * 4
    with pytest.raises(RuntimeError):
        mask_of(xgr, fork)
    assert not matcher.is_terminated()
    assert matcher.is_completed()
    matcher.rollback()
    assert not matcher.is_completed()
    with pytest.raises(RuntimeError):
        matcher.rollback(1)
    assert matcher.max_rollback_tokens == -1
    assert (matcher.get_captures(), matcher.temperature) == ([], None)
    matcher.reset()
    assert matcher.accept_token(VOCAB.index(b"ab"))


def test_batches(xgr: Any) -> None:
    compiled = xgr.GrammarCompiler(info(xgr)).compile_grammar('root ::= "ab" [0-9]+')
    matchers, batch = [xgr.GrammarMatcher(compiled) for _ in range(3)], xgr.BatchGrammarMatcher(max_threads=2)
    assert xgr.BatchGrammarMatcher.batch_accept_string(matchers, ["ab", "a", b""]) == [True] * 3
    assert xgr.BatchGrammarMatcher.batch_accept_token(matchers, [ord("1"), ord("x"), ord("a")]) == [True, False, True]
    bitmask = xgr.allocate_token_bitmask(4, len(VOCAB))
    batch.batch_fill_next_token_bitmask(matchers, bitmask, [3, 0, 1])
    assert allowed(xgr, bitmask, 0) == allowed(xgr, bitmask, 1) == [ord("b")]
    assert STOP in allowed(xgr, bitmask, 3)
    assert len(allowed(xgr, bitmask, 2)) == len(VOCAB)
    xgr.BatchGrammarMatcher.batch_rollback(matchers, [1, 1, 1])
    assert ord("a") in mask_of(xgr, matchers[1])
    with pytest.raises(RuntimeError):
        xgr.BatchGrammarMatcher.batch_rollback(matchers, [1])
    temperatures = torch.zeros(3)
    xgr.BatchGrammarMatcher.batch_fill_temperature(matchers, temperatures)
    assert temperatures.tolist() == [-1.0] * 3


def test_apply(xgr: Any) -> None:
    bitmask = xgr.allocate_token_bitmask(2, 40)
    bitmask[0] = torch.tensor([5, 1], dtype=torch.int32)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        logits = torch.zeros(2, 40, dtype=dtype)
        xgr.apply_token_bitmask_inplace(logits, bitmask)
        assert logits[0].isfinite().nonzero().flatten().tolist() == [0, 2, 32]
        assert logits[1].isfinite().all()
    wide = torch.zeros(2, 70)
    with pytest.warns(UserWarning, match="unmasked"):
        xgr.apply_token_bitmask_inplace(wide, bitmask, indices=[0])
    assert wide[0].isfinite().nonzero().flatten().tolist() == [0, 2, 32, *range(64, 70)]
    cut = torch.zeros(2, 70)
    xgr.apply_token_bitmask_inplace(cut, bitmask, vocab_size=33)
    assert cut[0].isfinite().nonzero().flatten().tolist() == [0, 2, *range(32, 70)]
    with pytest.raises(ValueError, match="backend"):
        xgr.apply_token_bitmask_inplace(cut, bitmask, backend="abacus", vocab_size=33)
    xgr.reset_token_bitmask(bitmask)
    assert bitmask.tolist() == [[-1, -1]] * 2
    assert xgr.get_bitmask_shape(3, 33) == (3, 2)
    assert xgr.bitmask_dtype == torch.int32


def test_testing_helpers(xgr: Any) -> None:
    accepts = xgr.testing._is_grammar_accept_string
    assert accepts('root ::= "a" [0-9]*', "a12")
    assert not accepts('root ::= "a" [0-9]*', "b")
    assert not accepts(xgr.Grammar.from_ebnf('root ::= "ab"'), "a")
    assert accepts(xgr.Grammar.from_ebnf('root ::= "ab"'), "a", require_termination=False)
    mask = torch.tensor([[True, False] * 20, [False, True] * 20])
    packed = xgr.testing.bool_mask_to_bitmask(mask)
    assert torch.equal(xgr.testing.bitmask_to_bool_mask(packed, 40), mask)
    assert xgr.testing._is_single_token_bitmask(torch.tensor([[0, 4]], dtype=torch.int32), 40) == (True, 34)
    assert not xgr.testing._is_single_token_bitmask(packed, 40)[0]


def test_grammars_combine_and_print(xgr: Any) -> None:
    accepts, Grammar = xgr.testing._is_grammar_accept_string, xgr.Grammar  # noqa: N806
    a, b = Grammar.from_ebnf('root ::= "a"+'), Grammar.from_regex("b|c")
    assert accepts(Grammar.concat(a, b), "aac")
    assert accepts(Grammar.union(a, b), "c")
    assert not accepts(Grammar.union(a, b), "ac")
    assert accepts(Grammar.from_ebnf(str(Grammar.concat(a, b))), "ab")
    assert accepts(Grammar.from_ebnf('start ::= "x"', root_rule_name="start"), "x")
    assert accepts(Grammar.builtin_json_grammar(), '{"a": [1, null]}')
    assert accepts(Grammar.deserialize_json(Grammar.concat(a, b).serialize_json()), "ab")
    with pytest.raises(RuntimeError):
        Grammar.from_structural_tag("{no json")
    with pytest.raises(xgr.exception.InvalidStructuralTagError):
        Grammar.from_structural_tag("{}")


def test_compilers_and_serialization(xgr: Any) -> None:
    compiler = xgr.GrammarCompiler(info(xgr), cache_limit_bytes=1 << 20)
    compiled = compiler.compile_json_schema(ONE)
    assert compiled.memory_size_bytes > 0
    assert compiler.get_cache_size_bytes() > 0
    assert compiler.cache_limit_bytes == 1 << 20
    assert compiled.tokenizer_info.vocab_size == len(VOCAB)
    again = xgr.CompiledGrammar.deserialize_json(compiled.serialize_json(), info(xgr))
    assert xgr.GrammarMatcher(again).accept_string('{"name": "x"}')
    with pytest.raises(xgr.DeserializeFormatError):
        xgr.CompiledGrammar.deserialize_json(compiled.serialize_json(), xgr.TokenizerInfo(VOCAB[:-1], stop_token_ids=[STOP]))
    with pytest.raises(xgr.InvalidJSONError):
        xgr.CompiledGrammar.deserialize_json("{no", info(xgr))
    with pytest.raises(xgr.DeserializeVersionError):
        xgr.Grammar.deserialize_json("{}")
    compiler.clear_cache()
    assert compiler.get_cache_size_bytes() == 0


def test_vocabularies(xgr: Any) -> None:
    Kind, Info = xgr.VocabType, xgr.TokenizerInfo  # noqa: N806
    level = Info(["Ġa", "Ċ", "é", "x y", "</s>"], Kind.BYTE_LEVEL)
    assert level.decoded_vocab == [b" a", b"\n", b"\xe9", b"x y", b"</s>"]
    assert level.stop_token_ids == [4]
    fallback = Info(["▁a", "<0x0A>", "b", b"\xe2\x96\x81"], Kind.BYTE_FALLBACK, vocab_size=6, stop_token_ids=2)
    assert fallback.decoded_vocab[:2] == [b" a", b"\n"]
    assert (fallback.vocab_size, fallback.vocab_type, fallback.special_token_ids) == (6, Kind.BYTE_FALLBACK, [4, 5])
    metadata = json.loads(fallback.dump_metadata())
    assert metadata == {"vocab_type": 1, "vocab_size": 6, "add_prefix_space": False, "stop_token_ids": [2]}
    again = Info.from_vocab_and_metadata(["▁a", "<0x0A>", "b", "c"], fallback.dump_metadata())
    assert (again.stop_token_ids, again.vocab_size) == ([2], 6)
    assert Info.deserialize_json(fallback.serialize_json()).decoded_vocab == fallback.decoded_vocab
    assert Info([]).vocab_size == 0


def test_vocabulary_of_a_tokenizer(xgr: Any) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")
    found = xgr.TokenizerInfo.from_huggingface(tokenizer, vocab_size=300)
    assert (found.vocab_size, found.vocab_type, found.add_prefix_space) == (300, xgr.VocabType.BYTE_LEVEL, False)
    assert found.stop_token_ids == [256]
    assert found.decoded_vocab[alphabet.index("Ġ")] == b" "
    smaller = xgr.TokenizerInfo.from_huggingface(tokenizer, vocab_size=257, stop_token_ids=[256])
    assert smaller.vocab_size == 257
    with pytest.raises(ValueError, match="empty"):
        xgr.TokenizerInfo.from_huggingface(tokenizer, stop_token_ids=[])


def test_grammars_in_lark(xgr: Any) -> None:
    grammar = xgr.Grammar.from_lark('start: "a" NUM ("," NUM)*\nNUM: /[0-9]+/\n')
    accepts = xgr.testing._is_grammar_accept_string
    assert accepts(grammar, "a1,23")
    assert not accepts(grammar, "a1,")
    assert xgr.GrammarMatcher(xgr.GrammarCompiler(info(xgr)).compile_lark('start: "x"')).accept_string("x")


# The shim alone.


def test_captures_and_temperatures(xgr: Any) -> None:
    grammar = 'root ::= a b\na[capture="x", temperature=0.5] ::= [a-z]+ "."\nb[capture] ::= "1" c*\nc[capture="d"] ::= [0-9]'
    matcher = xgr.GrammarMatcher(xgr.GrammarCompiler(info(xgr)).compile_grammar(grammar))
    assert matcher.temperature == 0.5
    assert matcher.accept_string("ab.123")
    assert matcher.temperature is None
    assert matcher.get_captures() == [("x", b"ab."), ("d", b"2"), ("d", b"3"), ("b", b"123")]


def test_errors_keep_what_penstock_says() -> None:
    compiler = shim.GrammarCompiler(info(shim))
    with pytest.raises(shim.RefusedError) as caught:
        compiler.compile_json_schema({"type": "string", "pattern": r"(a)\1"})
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, penstock.PenstockError)
    assert caught.value.code == "unsupported_feature"
    assert caught.value.refusals[0][1] == "pattern"
    assert pickle.loads(pickle.dumps(caught.value)).code == "unsupported_feature"
    for call in (
        lambda: shim.Grammar.from_regex("a", print_converted_ebnf=True),
        lambda: shim.Grammar.from_json_schema(ONE, max_whitespace_cnt=0),
        lambda: shim.Grammar.from_ebnf('root[stop_capture=x] ::= "a"'),
        lambda: compiler.compile_json_schema(ONE, any_whitespace=False, indent=2, separators=(";", ":")),
        lambda: shim.get_model_structural_tag("llama"),
        lambda: shim.GrammarMatcher(compiler.compile_regex("a")).accept_token(1, debug_print=True),
    ):
        with pytest.raises(shim.RefusedError):
            call()
    with pytest.raises(AttributeError, match="inside"):
        _ = shim.testing.GrammarFunctor


CLOSED: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({"properties": {"a": {}}}, [{"a": 1}, {}], [{"b": 1}]),
    ({"properties": {"a": {"properties": {"b": {}}}}}, [{"a": {"b": 1}}], [{"a": {"c": 1}}]),
    ({"properties": {"a": {}}, "additionalProperties": {"type": "null"}}, [{"b": None}], [{"b": 1}]),
    ({"type": "object"}, [{"b": 1}], []),
    ({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, [{"a": 1, "b": 2}], [{"c": 1}]),
    ({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}}]}, [{"a": 1, "b": 1}], [{"c": 1}]),
    (
        {"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]},
        [{"a": 1}, {"b": 1}],
        [{"a": 1, "b": 1}],
    ),
    ({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"a": {}}}}}, [{"a": 1}], [{"b": 1}]),
    (
        {
            "$defs": {"x": {"properties": {"a": {}}}},
            "properties": {"in": {"$ref": "#/$defs/x"}, "two": {"allOf": [{"$ref": "#/$defs/x"}, {"properties": {"b": {}}}]}},
        },
        [{"in": {"a": 1}, "two": {"a": 1, "b": 1}}],
        [{"in": {"b": 1}}, {"two": {"c": 1}}],
    ),
    ({"prefixItems": [{}, {}]}, [[1, 2], [1]], [[1, 2, 3]]),
    ({"prefixItems": [{}], "items": {"type": "null"}}, [[1, None]], [[1, 2]]),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{}]}, [[1]], [[1, 2]]),
    (
        {"if": {"properties": {"a": {"const": 1}}}, "then": {"properties": {"b": {}}}, "else": {"properties": {"c": {}}}},
        [{"a": 1, "b": 2}],
        [{"a": 1, "d": 2}, {"a": 1, "c": 2}],
    ),
]


@pytest.mark.parametrize(("schema", "good", "bad"), CLOSED)
def test_strict_mode_closes(schema: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    before = json.dumps(schema)
    jsonschema = pytest.importorskip("jsonschema")
    closed = closed_schema(schema)
    assert json.dumps(schema) == before
    compiler = shim.GrammarCompiler(info(shim))
    for values, expected in ((good, True), (bad, False)):
        for value in values:
            kind = jsonschema.validators.validator_for(closed, default=jsonschema.Draft202012Validator)
            assert kind(closed).is_valid(value) is expected, (closed, value)
            matcher = shim.GrammarMatcher(compiler.compile_json_schema(schema))
            assert (matcher.accept_string(json.dumps(value)) and matcher.is_completed()) is expected, (closed, value)


def test_strict_mode_refuses_what_an_old_draft_cannot_say() -> None:
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}],
    }
    with pytest.raises(shim.RefusedError, match="strict_mode"):
        shim.Grammar.from_json_schema(old)
    shim.Grammar.from_json_schema(old, strict_mode=False)


def test_draft_trees_with_mistakes_and_deadlines() -> None:
    matcher = shim.GrammarMatcher(shim.GrammarCompiler(info(shim)).compile_grammar("root ::= [a-z]*"))
    bitmask = shim.allocate_token_bitmask(3, len(VOCAB))
    arrays = [torch.tensor(values) for values in ([1, -1, -1], [-1, 2, -1], [97, 98, 99])]
    assert not matcher.traverse_draft_tree(*arrays, bitmask, 1e-12)
    assert matcher.traverse_draft_tree(*arrays, bitmask, 1000.0)
    for next_token, next_sibling in (([1, 0, -1], [-1, -1, -1]), ([1, 2, -1], [-1, 2, -1]), ([5, -1, -1], [-1, -1, -1])):
        with pytest.raises(RuntimeError):
            matcher.traverse_draft_tree(torch.tensor(next_token), torch.tensor(next_sibling), arrays[2], bitmask)


def test_a_host_that_imports_xgrammar() -> None:
    """`install` in a process of its own: the lines of a host run without XGrammar."""
    script = (
        "import penstock.compat.xgrammar as shim; shim.install()\n"
        "import xgrammar as xgr\n"
        "from xgrammar.testing import _is_grammar_accept_string\n"
        "from xgrammar import StructuralTagItem, allocate_token_bitmask\n"
        "from xgrammar.structural_tag import StructuralTag\n"
        "assert xgr is shim and _is_grammar_accept_string('root ::= \"a\"', 'a')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_logits_processor_of_transformers(xgr: Any) -> None:
    compiled = xgr.GrammarCompiler(info(xgr)).compile_grammar('root ::= "ab"')
    processor = xgr.hf.LogitsProcessor(compiled)
    ids = torch.tensor([[1, 2], [1, 2]])
    scores = processor(ids, torch.zeros(2, len(VOCAB)))
    assert scores[0].isfinite().nonzero().flatten().tolist() == [ord("a"), VOCAB.index(b"ab")]
    ids = torch.cat([ids, torch.tensor([[ord("a")], [VOCAB.index(b"ab")]])], dim=1)
    scores = processor(ids, torch.zeros(2, len(VOCAB)))
    assert scores[0].isfinite().nonzero().flatten().tolist() == [ord("b")]
    assert scores[1].isfinite().nonzero().flatten().tolist() == [STOP]


# Beside XGrammar.


def differences(real: Any, case: Case) -> tuple[int, int]:
    """How many masks along the texts of a case differ, and how many there are. A refused token ends a text."""
    num_different = num_masks = 0
    matchers = []
    for xgr in (real, shim):
        compiler = xgr.GrammarCompiler(info(xgr))
        compiled = getattr(compiler, case.make)(*case.arguments, **case.options)
        matchers.append((xgr, xgr.GrammarMatcher(compiled)))
    for text in case.texts:
        for _, matcher in matchers:
            matcher.reset()
        for token in [*tokens_of(text, random.Random(text)), STOP]:
            masks = [mask_of(xgr, matcher) for xgr, matcher in matchers]
            num_masks, num_different = num_masks + 1, num_different + (masks[0] != masks[1])
            taken = [matcher.accept_token(token) for _, matcher in matchers]
            if not all(taken):
                num_different += taken[0] != taken[1]
                break
    return num_different, num_masks


@pytest.mark.parametrize("name", CASES)
def test_masks_beside_xgrammar(name: str) -> None:
    real = pytest.importorskip("xgrammar")
    num_different, num_masks = differences(real, CASES[name])
    assert_on_record(RATCHET, name, num_different, num_masks)


def test_the_ratchet_names_cases_only() -> None:
    assert_explains_only(RATCHET, CASES)
