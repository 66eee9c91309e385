"""`penstock.tools`: for every family the turns it writes are taken, and what breaks a schema or a choice is not."""

from __future__ import annotations

import json
from typing import Any

import penstock
import pytest
from helpers.corpus import CORPUS
from helpers.engine import ALL_BYTES, compiler, mask_of, tokenizer_info
from penstock.tools import detect_family, families, structural_tag

from reference.matcher import Vocabulary

DATA = json.loads((CORPUS / "tools" / "families.json").read_text(encoding="utf-8"))
TOOLS, CASES = DATA["tools"], DATA["cases"]
LONG_TOKENS = (b'{"', b'": ', b"</", b"tool", b">\n", b"get_", b"}\n</", b'"city', b"parameter", b"ab", b"<think>a")


class Texts:
    """A compiled tag over bytes, some longer tokens and special tokens; whether it takes a text."""

    def __init__(self, tag: dict[str, Any], special: list[str], stop: str = "<stop>") -> None:
        self.special = special
        names = [name.encode() for name in special]
        self.spellings = (*ALL_BYTES, *LONG_TOKENS, *names, *([b"<stop>"] if stop not in special else []))
        first = 256 + len(LONG_TOKENS)
        special_ids = tuple(range(first, first + len(names)))
        self.info = tokenizer_info(
            Vocabulary(self.spellings, stop_ids=(self.spellings.index(stop.encode()),), special_ids=special_ids)
        )
        self.ids = {spelling: token for token, spelling in enumerate(self.spellings)}
        self.compiled = compiler(self.info).compile_structural_tag(tag)

    def tokens(self, text: str, *, long: bool) -> list[int]:
        data, ids = text.encode(), []
        special = {name.encode() for name in self.special}
        usable = special | (set(self.spellings[:-1]) if long else set(ALL_BYTES))
        while data:
            ahead = [data.find(name) for name in special if name in data]
            room = min([at for at in ahead if at > 0], default=len(data))
            fitting = [one for one in usable if data.startswith(one) and (one in special or len(one) <= room)]
            one = max(fitting, key=lambda one: (one in special, len(one)))
            ids.append(self.ids[one])
            data = data[len(one) :]
        return ids

    def takes(self, text: str) -> bool:
        answers = {self.takes_tokens(self.tokens(text, long=long)) for long in (False, True)}
        assert len(answers) == 1, f"borders of tokens decide about {text!r}"
        return answers.pop()

    def takes_tokens(self, tokens: list[int]) -> bool:
        matcher = penstock.Matcher(self.compiled)
        for token in tokens:
            allowed = token in mask_of(matcher, self.info.vocab_size)
            assert matcher.accept_token(token) == allowed
            if not allowed:
                return False
        return matcher.is_accepting() or matcher.is_terminated()


def tag_of(case: dict[str, Any]) -> dict[str, Any]:
    options = {name: case[name] for name in ("family", "tool_choice", "reasoning", "parallel") if name in case}
    return structural_tag(TOOLS, **options)


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case['family']}" for i, case in enumerate(CASES)])
def test_turns(case: dict[str, Any]) -> None:
    texts = Texts(tag_of(case), case.get("special", []))
    assert not [text for text in case["accept"] if not texts.takes(text)], "refused"
    assert not [text for text in case["reject"] if texts.takes(text)], "taken"


def test_every_family_has_a_case() -> None:
    assert {case["family"] for case in CASES} == set(families())


@pytest.mark.parametrize("family", sorted(families()))
@pytest.mark.parametrize("choice", ["auto", "required", "none", {"type": "function", "name": "get_time"}])
def test_every_combination_compiles(family: str, choice: Any) -> None:
    info = tokenizer_info(Vocabulary((*ALL_BYTES, b"<stop>"), stop_ids=(256,)))
    for reasoning in ("auto", "required", "open", "none"):
        if reasoning in ("required", "open") and not (families()[family].reasoning or families()[family].messages):
            with pytest.raises(penstock.UnsupportedFeatureError) as caught:
                structural_tag(TOOLS, family=family, reasoning=reasoning)
            assert caught.value.code == "no_reasoning"
            continue
        for parallel in (True, False):
            tag = structural_tag(TOOLS, family=family, tool_choice=choice, reasoning=reasoning, parallel=parallel)
            assert penstock.Matcher(compiler(info).compile_structural_tag(tag))
            assert structural_tag([], family=family, tool_choice="auto")["type"] == "structural_tag"


def test_a_stop_token_ends_a_call() -> None:
    """gpt-oss ends a call with a token that also ends the output."""
    special = ["<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|return|>", "<|call|>"]
    texts = Texts(structural_tag(TOOLS, family="harmony", reasoning="none", parallel=False), special, stop="<|call|>")
    call = "<|channel|>commentary to=functions.get_time <|constrain|>json<|message|>{}"
    matcher = penstock.Matcher(texts.compiled)
    assert matcher.accept_tokens(texts.tokens(call, long=False)) == len(texts.tokens(call, long=False))
    assert not matcher.is_accepting()
    assert matcher.accept_token(texts.ids[b"<|call|>"])
    assert matcher.is_terminated()


def test_special_tokens_are_never_spelled_out() -> None:
    """The text of a trigger, written character by character, is neither a call nor free text."""
    special = ["<|tool_calls_section_begin|>"]
    texts = Texts(structural_tag(TOOLS, family="kimi_k2", reasoning="none"), special)
    assert not texts.takes_tokens(list(special[0].encode()))
    assert texts.takes_tokens(list(special[0].encode()[:-1]))


def test_custom_tools_have_their_own_language() -> None:
    tools = [
        {"type": "custom", "custom": {"name": "sum", "format": {"type": "grammar", "syntax": "regex", "definition": "1+"}}}
    ]
    texts = Texts(structural_tag(tools, family="harmony", tool_choice="required", reasoning="none"), [])
    begin = "<|channel|>commentary to=functions.sum <|constrain|>json<|message|>"
    assert texts.takes(f"{begin}11<|call|>")
    assert not texts.takes(f"{begin}12<|call|>")
    with pytest.raises(penstock.UnsupportedFeatureError) as caught:
        structural_tag(tools, family="hermes")
    assert caught.value.code == "unsupported_tool"


@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": {"a": True}, "anyOf": [{"required": ["a"]}]},
        {"properties": {"no-name": True}},
        {"properties": {"a": True}, "required": ["b"]},
    ],
)
def test_what_keywords_of_python_cannot_say_is_refused(parameters: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    with pytest.raises(penstock.UnsupportedFeatureError) as caught:
        structural_tag(tools, family="llama4")
    assert caught.value.code == "unsupported_tool"


@pytest.mark.parametrize(
    "parameters", [{"properties": []}, {"properties": {"a": True}, "required": "a"}, {"required": {"a": True}}]
)
def test_parameters_that_are_no_schema_are_refused_as_python_s_keywords(parameters: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    with pytest.raises(penstock.GrammarSyntaxError) as caught:
        structural_tag(tools, family="llama4")
    assert caught.value.code == "tool_syntax"


def test_keywords_of_python_keep_references() -> None:
    parameters = {
        "$defs": {"color": {"enum": ["red", "blue"]}},
        "properties": {"a": {"$ref": "#/$defs/color"}, "b": {"type": "array", "items": {"$ref": "#/$defs/color"}}},
        "required": ["b"],
    }
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    texts = Texts(structural_tag(tools, family="llama4", tool_choice="required"), [])
    assert texts.takes('[f(a="red", b=["blue"]), f(b=[])]')
    assert not texts.takes('[f(a="green", b=[])]')
    assert not texts.takes('[f(a="red")]')


FUNCTION = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("tools", "choice", "code", "location"),
    [
        ([FUNCTION, FUNCTION], "auto", "tool_syntax", "/tools/1"),
        (["f"], "auto", "tool_syntax", "/tools/0"),
        ([{"type": "function", "function": {"name": 'a"b'}}], "auto", "tool_syntax", "/tools/0"),
        ([{"type": "function", "function": {"name": "f", "parameters": []}}], "auto", "tool_syntax", "/tools/0"),
        ([{"type": "web_search"}], "auto", "unsupported_tool", "/tools/0"),
        ([{"type": "custom", "name": "c", "format": {"type": "yaml"}}], "auto", "unsupported_tool", "/tools/0"),
        (None, "auto", "tool_syntax", "/tools"),
        ({"name": "f"}, "auto", "tool_syntax", "/tools"),
        ([{"type": "custom", "name": "c", "format": "text"}], "auto", "tool_syntax", "/tools/0"),
        ([{"type": "custom", "name": "c", "format": {"type": "grammar", "grammar": []}}], "auto", "tool_syntax", "/tools/0"),
        ([FUNCTION], {"type": "allowed_tools", "tools": {"name": "f"}}, "tool_choice", "/tool_choice"),
        ([FUNCTION], {"type": "allowed_tools", "tools": ["f"]}, "tool_choice", "/tool_choice"),
        ([FUNCTION], {"type": []}, "tool_choice", "/tool_choice"),
        ([], "required", "tool_choice", "/tool_choice"),
        ([FUNCTION], {"type": "function", "function": {"name": "g"}}, "tool_choice", "/tool_choice"),
        ([FUNCTION], "sometimes", "tool_choice", "/tool_choice"),
    ],
)
def test_what_is_no_tool_and_no_choice(tools: Any, choice: Any, code: str, location: str) -> None:
    with pytest.raises(penstock.GrammarError) as caught:
        structural_tag(tools, family="hermes", tool_choice=choice)
    assert (caught.value.code, caught.value.location) == (code, location)


def test_options_that_mean_nothing() -> None:
    with pytest.raises(ValueError, match="reasoning cannot be `maybe`"):
        structural_tag([], family="hermes", reasoning="maybe")  # type: ignore[arg-type]
    with pytest.raises(penstock.UnsupportedFeatureError) as caught:
        structural_tag([], family="nobody")
    assert caught.value.code == "unknown_family"


class Tokenizer:
    """What `detect_family` looks at."""

    def __init__(self, template: Any, added: tuple[str, ...] = ()) -> None:
        self.chat_template, self.added = template, added

    def get_added_vocab(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.added)}


@pytest.mark.parametrize(
    ("template", "family"),
    [
        ("{{- '<tool_call>\\n<function=' + name }}{{ '<parameter=' + arg }}", "qwen3_coder"),
        ('<tool_call>\n{"name": ...}\n</tool_call>', "hermes"),
        ("<｜tool▁calls▁begin｜>{{ '```json' }}", "deepseek_r1"),
        ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", "deepseek_v3_1"),
        ("<｜DSML｜function_calls>", "deepseek_v3_2"),
        ("<tool_call>{{ name }}<arg_key></arg_key><arg_value>", "glm"),
        (Tokenizer({"default": "x", "tool_use": "[TOOL_CALLS] ["}), "mistral"),
        (Tokenizer(None, ("[TOOL_CALLS]", "[ARGS]")), "mistral_v11"),
        (Tokenizer('<|start_header_id|> {"name": n, "parameters": p}'), "llama3"),
        (Tokenizer("", ("<|channel|>", "<|message|>")), "harmony"),
        ("<minimax:tool_call>", "minimax_m2"),
        ("<|header_start|>assistant<|header_end|>", "llama4"),
        ("<|start_header_id|> [func_name1(params_name1=params_value1)]", "llama4"),
        ("<start_of_turn> [func_name1(params_name1=params_value1)]", "gemma3_pythonic"),
        ("<start_of_turn>", "gemma3"),
        ("formatted as functools[{", "phi4_mini_functools"),
        (Tokenizer("", ("<|START_ACTION|>", "<|END_ACTION|>")), "cohere"),
        ("<|tool_calls_section_begin|>", "kimi_k2"),
    ],
)
def test_detection(template: Any, family: str) -> None:
    assert detect_family(template) == family


def test_a_template_without_marks() -> None:
    with pytest.raises(penstock.UnsupportedFeatureError) as caught:
        detect_family("{% for message in messages %}{{ message }}{% endfor %}")
    assert caught.value.code == "unknown_family"
    assert "hermes" in str(caught.value)
