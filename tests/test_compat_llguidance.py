"""`penstock.compat.llguidance`: the calls of two inference servers, and its masks beside llguidance's own."""

from __future__ import annotations

import importlib
import json
import random
import subprocess
import sys
from typing import Any

import numpy as np
import penstock.compat.llguidance as shim
import pytest
from helpers.compat_cases import ONE, PERSON
from helpers.ratchet import FOLDER, assert_explains_only, assert_on_record

RATCHET = FOLDER / "llguidance_shim.txt"
WORDS = [b"ab", b"the", b" and", b'"name', b'":', b'{"', b"true", b"12", b", ", b'"}', b"\n  ", b"]]", b"x.", b"\xc3\xa9"]
STOP, TOOL = 256 + len(WORDS), 257 + len(WORDS)
VOCAB = [*(bytes([value]) for value in range(256)), *WORDS, b"</s>", b"<tool>", b""]


class Bytes:
    """A tokenizer that spells every text by its bytes."""

    eos_token_id, bos_token_id, special_token_ids, tokens = STOP, None, [STOP, TOOL], VOCAB

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


@pytest.fixture(params=["shim", "real"])
def llg(request: pytest.FixtureRequest) -> Any:
    """The shim, and llguidance itself where it is installed: the tests of hosts hold for both."""
    return shim if request.param == "shim" else pytest.importorskip("llguidance")


def tokenizer(llg: Any) -> Any:
    return llg.LLTokenizer(llg.TokenizerWrapper(Bytes()))


def numpy_of(llg: Any) -> Any:
    return importlib.import_module(f"{llg.__name__}.numpy")


def allowed(llg: Any, matcher: Any) -> list[int]:
    bitmask = numpy_of(llg).allocate_token_bitmask(1, len(VOCAB))
    numpy_of(llg).fill_next_token_bitmask(matcher, bitmask)
    return bits(bitmask[0])


def bits(row: Any) -> list[int]:
    return [id for id in range(len(VOCAB)) if int(row[id // 32]) >> (id % 32) & 1]


def regex(llg: Any, pattern: str, **options: Any) -> Any:
    return llg.LLMatcher(tokenizer(llg), llg.LLMatcher.grammar_from_regex(pattern), log_level=0, **options)


# Hosts.


def test_vllm(llg: Any) -> None:
    """The guidance backend: grammars are text, matchers never raise, masks are torch rows, drafts are rolled back."""
    torch = pytest.importorskip("torch")
    masks = importlib.import_module(f"{llg.__name__}.torch")
    engine = tokenizer(llg)
    for spec in (
        llg.LLMatcher.grammar_from_json_schema(json.dumps(PERSON), defaults={"whitespace_flexible": False}),
        llg.LLMatcher.grammar_from_json_schema('{"type": "object"}', defaults={"whitespace_flexible": True}),
        llg.grammar_from("regex", r"[0-9]{3}"),
        llg.grammar_from("choice", '["red", "green"]'),
    ):
        assert llg.LLMatcher.validate_grammar(spec, engine) == ""
    wrong = llg.LLMatcher.grammar_from_json_schema({"type": "nothing"})
    assert llg.LLMatcher.validate_grammar(wrong, engine)
    assert llg.LLMatcher(engine, wrong, log_level=0).is_error()
    matcher = llg.LLMatcher(engine, llg.LLMatcher.grammar_from_regex("ab?c*"), log_level=0)
    bitmask = masks.allocate_token_bitmask(2, engine.vocab_size)
    assert bitmask.shape == (2, -(-len(VOCAB) // 32))
    assert matcher.consume_tokens([ord("a")])
    masks.fill_next_token_bitmask(matcher, bitmask, 1)
    assert bits(bitmask[1].tolist()) == [ord("b"), ord("c"), STOP]
    assert matcher.validate_tokens([ord("b"), ord("c"), ord("x")]) == 2
    assert matcher.consume_tokens([ord("b"), ord("c")])
    assert matcher.rollback(2)
    assert matcher.consume_token(STOP)
    assert matcher.is_stopped()
    assert matcher.reset()
    assert not matcher.is_stopped()
    logits = torch.zeros(1, len(VOCAB))
    masks.fill_next_token_bitmask(matcher, bitmask, 0)
    importlib.import_module(f"{shim.__name__}.torch").apply_token_bitmask_inplace(logits, bitmask[:1])
    assert set(logits[0].isfinite().nonzero().flatten().tolist()) <= {ord("a"), VOCAB.index(b"ab")}


def test_sglang(llg: Any) -> None:
    """One matcher for each request, a copy of it for each batch, forced text as bytes."""
    matcher = regex(llg, "ab[0-9]+")
    assert matcher.compute_ff_bytes() == b"ab"
    tokens = matcher.compute_ff_tokens()
    assert b"".join(VOCAB[token] for token in tokens) == b"ab"
    assert matcher.try_consume_tokens([*tokens, ord("1"), ord("x")]) == len(tokens) + 1
    assert not matcher.is_error()
    copy = matcher.deep_copy()
    assert copy.consume_token(STOP)
    assert copy.is_stopped()
    assert not matcher.is_stopped()
    assert matcher.is_accepting()


# The matcher.


def test_errors_are_states(llg: Any) -> None:
    matcher = regex(llg, "ab")
    assert not matcher.consume_token(ord("x"))
    assert matcher.is_error()
    assert matcher.is_stopped()
    assert matcher.get_error()
    assert matcher.stop_reason() == "InternalError"
    assert not matcher.consume_token(ord("a"))
    assert not matcher.reset()
    assert allowed(llg, matcher) == [STOP]
    assert matcher.compute_ff_tokens() == []
    early = regex(llg, "ab")
    assert not early.rollback(1)
    assert early.is_error()
    far = regex(llg, "ab")
    assert not far.consume_token(10**6)
    assert far.is_error()


def test_reasons_to_stop(llg: Any) -> None:
    matcher = regex(llg, "a+")
    assert matcher.stop_reason() == "NotStopped"
    assert matcher.consume_tokens([ord("a"), STOP])
    assert (matcher.stop_reason(), matcher.is_accepting(), allowed(llg, matcher)) == ("EndOfSentence", True, [STOP])
    assert matcher.validate_tokens([ord("a")]) == 0
    assert matcher.rollback(1)
    assert matcher.stop_reason() == "NotStopped"
    word = regex(llg, "ab")
    assert word.consume_token(VOCAB.index(b"ab"))
    assert word.is_stopped()
    assert (word.stop_reason(), allowed(llg, word)) == ("NoExtension", [STOP])
    assert word.consume_token(STOP)
    assert word.stop_reason() == "NoExtension"


def test_masks_as_bytes(llg: Any) -> None:
    matcher = regex(llg, "[ab]+")
    mask, bias = matcher.compute_bitmask(), matcher.compute_logit_bias()
    assert len(mask) == 4 * -(-len(VOCAB) // 32)
    assert len(bias) == len(VOCAB)
    expected = [ord("a"), ord("b"), VOCAB.index(b"ab")]
    assert bits(np.frombuffer(mask, dtype=np.int32)) == expected
    assert [id for id, value in enumerate(bias) if value == 200] == expected
    assert set(bias) == {0, 200}
    assert (matcher.get_captures(), matcher.get_capture("x"), matcher.get_grammar_warnings()) == ([], None, [])


def test_batches(llg: Any) -> None:
    masks, executor = numpy_of(llg), llg.LLExecutor(2)
    matchers = [regex(llg, "[a-c]+"), regex(llg, "[xy]")]
    bitmask = masks.allocate_token_bitmask(4, len(VOCAB))
    masks.fill_next_token_bitmask_par(executor, [(matchers[0], 3), (matchers[1], 0)], bitmask)
    assert bits(bitmask[0]) == [ord("x"), ord("y")]
    assert bits(bitmask[3]) == [*b"abc", VOCAB.index(b"ab")]
    assert bits(bitmask[1]) == list(range(len(VOCAB)))
    masks.fill_next_token_bitmask_par_with_draft_tokens(executor, [(matchers[0], 0, [ord("b"), STOP])], bitmask)
    assert bits(bitmask[1]) == [*b"abc", VOCAB.index(b"ab"), STOP]
    assert bits(bitmask[2]) == [STOP]
    masks.fill_next_token_bitmask_par_with_draft_tokens(executor, [(matchers[1], 0, [ord("b"), ord("x")])], bitmask)
    assert bits(bitmask[2]) == [STOP]
    assert not matchers[1].is_error()
    with pytest.raises(ValueError, match="empty"):
        masks.fill_next_token_bitmask_par_with_draft_tokens(executor, [(matchers[1], 0, [])], bitmask)
    assert masks.consume_token_par(executor, [(matchers[0], ord("c")), (matchers[1], ord("c"))]) == [True, False]
    assert matchers[1].is_error()
    logits = np.zeros((1, len(VOCAB) + 64), dtype=np.float32)
    masks.apply_token_bitmask_inplace(logits, bitmask[2:3])
    assert np.isfinite(logits[0]).nonzero()[0].tolist() == [STOP]
    assert masks.get_bitmask_shape(3, 33) == (3, 2)


def test_vocabularies(llg: Any) -> None:
    vocabulary = tokenizer(llg)
    assert (vocabulary.vocab_size, vocabulary.eos_token, vocabulary.eos_tokens) == (len(VOCAB), STOP, [STOP])
    assert [vocabulary.is_special_token(id) for id in (TOOL, 65)] == [True, False]
    assert vocabulary.greedy_tokenize("hab") == [ord("h"), VOCAB.index(b"ab")]
    assert vocabulary.tokenize_str("hab") == list(b"hab")
    assert vocabulary.tokenize_bytes(b"h\xc3") == [ord("h"), 0xC3]
    assert vocabulary.decode_bytes([ord("a"), VOCAB.index(b"ab"), TOOL, STOP]) == b"aab<tool></s>"
    assert vocabulary.decode_str([ord("a"), VOCAB.index("é".encode())]) == "aé"
    assert vocabulary.dbg_tokens([ord("a"), STOP]) == "⟦a‧≺EOS≻⟧"
    tokens, rest = vocabulary.tokenize_partial(b"hab")
    assert vocabulary.decode_bytes(tokens) + rest == b"hab"
    assert vocabulary.with_slices([]).vocab_size == len(VOCAB)
    single = llg.LLTokenizer("byte")
    assert single.decode_bytes([72, 105]) == b"Hi"
    assert single.eos_token == 261
    two = llg.LLTokenizer(llg.TokenizerWrapper(Bytes()), eos_token=[STOP, TOOL])
    assert two.eos_tokens == [STOP, TOOL]
    both = llg.LLMatcher(two, llg.LLMatcher.grammar_from_regex("a?"), log_level=0)
    assert allowed(llg, both) == [ord("a"), STOP, TOOL]


def test_a_tokenizer_of_transformers(llg: Any) -> None:
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")
    found = importlib.import_module(f"{llg.__name__}.hf").from_tokenizer(fast)
    assert (found.vocab_size, found.eos_token) == (257, 256)
    assert found.decode_bytes(found.tokenize_str("a é")) == "a é".encode()
    matcher = llg.LLMatcher(found, llg.LLMatcher.grammar_from_regex("é"), log_level=0)
    assert matcher.consume_tokens([alphabet.index("Ã"), alphabet.index("©")])
    assert matcher.is_accepting()


LARK = 'start: "a" NUM ("," NUM)*\nNUM: /[0-9]+/\n'


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: json.dumps({"grammars": [{"lark_grammar": text}]})])
def test_grammars_in_lark(llg: Any, wrap: Any) -> None:
    text = wrap(llg.LLMatcher.grammar_from_lark(LARK))
    matcher = llg.LLMatcher(tokenizer(llg), text, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    assert matcher.consume_tokens(list(b"a12"))
    assert allowed(llg, matcher) == [ord(","), *range(ord("0"), ord("9") + 1), VOCAB.index(b"12"), STOP]
    special = llg.LLMatcher(tokenizer(llg), 'start: "a" <tool>', log_level=0)
    assert special.consume_token(ord("a"))
    assert allowed(llg, special) == [TOOL]


# The shim alone.


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"whitespace_flexible": False}, '{"name":"x"}'),
        ({"whitespace_flexible": False, "key_separator": ": "}, '{"name": "x"}'),
        ({}, '{ "name": "x" }'),
    ],
)
def test_options_of_a_schema(options: dict[str, Any], text: str) -> None:
    matcher = shim.LLMatcher(tokenizer(shim), shim.LLMatcher.grammar_from_json_schema(ONE, overrides=options))
    assert matcher.consume_tokens(list(text.encode())), matcher.get_error()
    assert matcher.is_accepting()


def test_lenient_and_coerced_schemas() -> None:
    unknown = {"type": "string", "pattern": r"(a)\1"}
    assert "pattern" in shim.LLMatcher.validate_grammar(shim.LLMatcher.grammar_from_json_schema(unknown))
    lenient = shim.LLMatcher.grammar_from_json_schema(unknown, defaults={"lenient": True})
    assert shim.LLMatcher.validate_grammar(lenient).startswith("WARNING: ")
    either = {"oneOf": [{"type": "integer"}, {"minimum": 5}]}
    for coerce, verdict in ((False, False), (True, True)):
        text = shim.LLMatcher.grammar_from_json_schema(either, overrides={"coerce_one_of": coerce})
        matcher = shim.LLMatcher(tokenizer(shim), text)
        assert (matcher.consume_token(ord("7")) and matcher.is_accepting()) is verdict


def test_what_is_refused_is_named() -> None:
    refused = [
        shim.LLMatcher.grammar_from_json_schema(ONE, overrides={"whitespace_pattern": " *"}),
        shim.LLMatcher.grammar_from_json_schema(ONE, overrides={"json_allowed_escapes": "n"}),
        shim.LLMatcher.grammar_from_json_schema(ONE, overrides={"item_separator": " , "}),
        shim.LLMatcher.grammar_from_json_schema(ONE, overrides={"nonsense": 1}),
        json.dumps({"grammars": [{"json_schema": {}}, {"json_schema": {}}]}),
        json.dumps({"grammars": [{"json_schema": {}}], "max_tokens": 5}),
        json.dumps({"grammars": []}),
        "{no json",
    ]
    for text in refused:
        is_error, messages = shim.LLMatcher.validate_grammar_with_warnings(text)
        assert is_error, text
        assert len(messages) == 1
    with pytest.raises(NotImplementedError, match="LLMatcher"):
        shim.LLInterpreter(tokenizer(shim), "")
    with pytest.raises(ValueError, match="max_items_in_row"):
        regex(shim, "a", limits=shim.LLParserLimits(max_items_in_row=1))
    assert not regex(shim, "a", limits=shim.LLParserLimits()).is_error()
    with pytest.raises(ValueError, match="text_regex"):
        shim.StructTag.to_grammar([shim.StructTag(trigger="<f", begin="<f>", grammar="{}", end="</f>")], text_regex="a*")
    with pytest.raises(ValueError, match="Unknown"):
        shim.grammar_from("no such format", "")  # type: ignore[arg-type]


def test_memory_that_a_host_points_to() -> None:
    matcher = regex(shim, "[ab]")
    words = np.full((2, 10), -1, dtype=np.int32)
    matcher.unsafe_compute_mask_ptr(words.ctypes.data, 40)
    assert bits(words[0]) == [ord("a"), ord("b")]
    assert words[1].tolist() == [-1] * 10
    shim.LLExecutor().unsafe_compute_mask_ptr([(matcher, 1)], words.ctypes.data, 40, 2)
    assert words[1].tolist() == words[0].tolist()
    for pointer, size in ((0, 40), (words.ctypes.data, 3), (words.ctypes.data, 4)):
        with pytest.raises(ValueError, match="words"):
            matcher.unsafe_compute_mask_ptr(pointer, size)


def test_compilers_of_old() -> None:
    assert json.loads(shim.JsonCompiler(whitespace_flexible=True).compile('{"type": "null"}'))["grammars"]
    assert shim.RegexCompiler().compile("a+")
    with pytest.raises(ValueError, match="group"):
        shim.RegexCompiler().compile("(a")
    assert shim.regex_to_lark(r"\d/\w") == r"[0-9]\/\w"
    assert "penstock" in shim.get_version()


def test_regex_to_lark_beside_llguidance() -> None:
    real = pytest.importorskip("llguidance")
    for pattern in (r"\d+", r"a/b", r"\w\s", "x", r"a\/b"):
        for letters in ("", "d", "dw"):
            assert shim.regex_to_lark(pattern, letters) == real.regex_to_lark(pattern, letters), (pattern, letters)


def test_a_host_that_imports_llguidance() -> None:
    script = (
        "import penstock.compat.llguidance as shim; shim.install()\n"
        "import llguidance, llguidance.numpy\n"
        "from llguidance import LLMatcher, LLTokenizer\n"
        "assert llguidance is shim and llguidance.numpy.get_bitmask_shape(1, 33) == (1, 2)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# Beside llguidance.

COMPACT = {"whitespace_flexible": False}
CASES: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "regex words": ("regex", "(red|green|blue)( and (red|green))?", ("red and green",)),
    "regex digits": ("regex", r"\d{3}-[0-9a-f]+", ("123-0af",)),
    "regex ASCII digits": ("regex", r"[0-9]{3}-[0-9a-f]+", ("123-0af",)),
    "regex any": ("regex", "a.*b", ("a anything b",)),
    "regex classes": ("regex", r"[^a-c]+\.[A-Z]?", ("xyz.A",)),
    "regex letters": ("regex", r"\w+", ("aé_1",)),
    "regex without case": ("regex", "(?i)ab[c-e]", ("aBD",)),
    "schema one member": ("json", ONE, ('{"name":"Ann é"}',)),
    "schema person": ("json", PERSON, ('{"name":"a b","age":12,"ok":true}',)),
    "schema boolean": ("json", {"type": "boolean"}, ("true",)),
    "schema integer": ("json", {"type": "integer"}, ("-12",)),
    "schema string": ("json", {"type": "string"}, ('"a\\nb"',)),
    "schema array": ("json", {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}, ("[true,false]",)),
    "schema union": (
        "json",
        {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "null"}}]},
        ("null", "[null,null]"),
    ),
    "schema range": ("json", {"type": "integer", "minimum": 5, "maximum": 120}, ("77", "120")),
    "schema pattern": ("json", {"type": "string", "pattern": "b"}, ('"abc"',)),
    "schema length": ("json", {"type": "string", "minLength": 2, "maxLength": 4}, ('"abc"',)),
    "schema enum": ("json", {"enum": ["red", "green", None]}, ('"red"', "null")),
    "schema date": ("json", {"type": "string", "format": "date"}, ('"2026-02-28"',)),
}


def differences(real: Any, name: str) -> tuple[int, int]:
    """How many masks along the texts differ, and how many there are. Where text is forced, llguidance's may be narrower."""
    kind, spec, texts = CASES[name]
    num_different = num_masks = 0
    for text in texts:
        matchers = []
        for llg in (real, shim):
            build = llg.LLMatcher.grammar_from_regex if kind == "regex" else llg.LLMatcher.grammar_from_json_schema
            grammar = build(spec) if kind == "regex" else build(spec, overrides=COMPACT)
            matchers.append((llg, llg.LLMatcher(tokenizer(llg), grammar, log_level=0)))
        rng = random.Random(text)
        data = text.encode()
        while True:
            theirs, ours = (set(allowed(llg, matcher)) for llg, matcher in matchers)
            is_forced = bool(matchers[0][1].compute_ff_tokens())
            num_masks, num_different = num_masks + 1, num_different + (not theirs <= ours if is_forced else theirs != ours)
            fitting = [id for id in theirs & ours if VOCAB[id] and id < STOP and data.startswith(VOCAB[id])]
            if not fitting:
                break
            token = rng.choice(sorted(fitting))
            data = data[len(VOCAB[token]) :]
            assert all(matcher.consume_token(token) for _, matcher in matchers)
        num_different += bool(data)
    return num_different, num_masks


@pytest.mark.parametrize("name", CASES)
def test_masks_beside_llguidance(name: str) -> None:
    num_different, num_masks = differences(pytest.importorskip("llguidance"), name)
    assert_on_record(RATCHET, name, num_different, num_masks)


def test_the_ratchet_names_cases_only() -> None:
    assert_explains_only(RATCHET, CASES)
