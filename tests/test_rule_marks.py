"""Options of rules that say more than which texts there are: `max_tokens`, `capture`, `temperature`."""

from __future__ import annotations

import itertools
import random

import numpy as np
import penstock
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from penstock.decoding.sampling import GumbelNoise, SamplingState, choose

from reference import budgets

BYTES = [bytes([byte]) for byte in range(256)]


def vocabulary(*more: bytes) -> tuple[penstock.TokenizerInfo, list[bytes]]:
    """All bytes, `more`, and a stop token."""
    vocab = [*BYTES, *more]
    return penstock.TokenizerInfo([*vocab, b"<stop>"], stop_token_ids=[len(vocab)]), vocab


def allowed(matcher: penstock.Matcher, vocab_size: int) -> set[int]:
    bitmask = penstock.allocate_token_bitmask(1, vocab_size)
    matcher.fill_next_token_bitmask(bitmask)
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[:vocab_size]
    return set(np.nonzero(bits)[0].tolist())


def words(letters: str, least: int, most: int) -> list[bytes]:
    """All texts of these letters with `least` to `most` of them."""
    counts = range(least, most + 1)
    return ["".join(word).encode() for count in counts for word in itertools.product(letters, repeat=count)]


def repeated(parts: list[tuple[list[bytes], int | None]], most: int) -> list[budgets.Reading]:
    return [reading for count in range(most + 1) for reading in budgets.sequences(parts * count)]


RULE = "root ::= {root}\nr[max_tokens={max}] ::= {body}\n"
# The grammar and all readings of its texts.
BUDGETS = {
    "alone": (RULE.format(root="r", max=2, body="[ab]{1,5}"), budgets.sequences([(words("ab", 1, 5), 2)])),
    "between": (
        RULE.format(root='"x" r "y"', max=2, body="[ab]{1,4}"),
        budgets.sequences([([b"x"], None), (words("ab", 1, 4), 2), ([b"y"], None)]),
    ),
    "optional": (
        RULE.format(root='r "y"', max=3, body="[ab]{0,5}"),
        budgets.sequences([(words("ab", 0, 5), 3), ([b"y"], None)]),
    ),
    "again and again": (
        RULE.format(root='(r "y"){0,2}', max=2, body="[ab]{1,3}"),
        repeated([(words("ab", 1, 3), 2), ([b"y"], None)], 2),
    ),
    "ambiguous border": (
        RULE.format(root="r [ab]{0,2}", max=2, body="[ab]{1,3}"),
        budgets.sequences([(words("ab", 1, 3), 2), (words("ab", 0, 2), None)]),
    ),
    "two in a row": (
        RULE.format(root="r s", max=2, body="[ab]{1,3}") + "s[max_tokens=3] ::= [by]{1,4}\n",
        budgets.sequences([(words("ab", 1, 3), 2), (words("by", 1, 4), 3)]),
    ),
    "an end to reach": (
        RULE.format(root='r "b"', max=5, body='[ab]{1,4} "aby"'),
        budgets.sequences([([word + b"aby" for word in words("ab", 1, 4)], 5), ([b"b"], None)]),
    ),
    "a choice": (
        RULE.format(root='r | "a" "b"{0,5} "y"', max=2, body="[ab]{1,4}"),
        [
            *budgets.sequences([(words("ab", 1, 4), 2)]),
            *budgets.sequences([([b"a" + b"b" * n + b"y" for n in range(6)], None)]),
        ],
    ),
    "wide characters": (
        RULE.format(root='r "y"', max=5, body="[aé]{1,4}"),
        budgets.sequences([([word.replace(b"b", "é".encode()) for word in words("ab", 1, 4)], 5), ([b"y"], None)]),
    ),
    "two ways in": (
        'root ::= list{1,1}\nlist ::= r | "a" "," r\nr[max_tokens=2] ::= [ab]{1,4}\n',
        [
            *budgets.sequences([(words("ab", 1, 4), 2)]),
            *budgets.sequences([([b"a"], None), ([b","], None), (words("ab", 1, 4), 2)]),
        ],
    ),
}
MORE = (b"ab", b"ba", b"aa", b"aab", b"xa", b"xab", b"by", b"yb", b"aya", b"ay", b"bby", "aé".encode(), b"\xa9a", b"a,", b",a")


@pytest.mark.parametrize("name", BUDGETS)
def test_masks_keep_budgets_exactly(name: str) -> None:
    """Along random outputs each mask holds what some output goes on with, and nothing else."""
    text, readings = BUDGETS[name]
    info, vocab = vocabulary(*MORE)
    outputs = budgets.outputs(readings, vocab)
    prefixes = budgets.prefixes(outputs)
    followers: dict[tuple[int, ...], set[int]] = {}
    for prefix in prefixes:
        if prefix:
            followers.setdefault(prefix[:-1], set()).add(prefix[-1])
    compiled = penstock.GrammarCompiler(info).compile_ebnf(text)
    rng = random.Random(name)
    chosen = rng.sample(sorted(prefixes), min(150, len(prefixes)))
    for prefix in chosen:
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_tokens(prefix) == len(prefix), [vocab[token] for token in prefix]
        found, expected = allowed(matcher, info.vocab_size), followers.get(prefix, set())
        expected |= {len(vocab)} if prefix in outputs else set()
        assert found == expected, ([vocab[token] for token in prefix], [vocab[t] for t in found ^ expected if t < len(vocab)])
        for token in range(256, info.vocab_size):
            assert matcher.fork().accept_token(token) == (token in expected)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_random_budgets(data: st.DataObject) -> None:
    """Random bodies of words, random tokens."""
    letters = data.draw(st.sampled_from(["ab", "aé"]))
    texts = data.draw(st.lists(st.text(letters, min_size=1, max_size=5), min_size=1, max_size=4, unique=True))
    behind = data.draw(st.lists(st.text("ay", max_size=2), min_size=1, max_size=2, unique=True))
    most = data.draw(st.integers(2, 6))
    more = data.draw(st.lists(st.text("aéby", min_size=2, max_size=4).map(str.encode), max_size=6, unique=True))
    alternatives = " | ".join(f'"{text}"' for text in texts)
    ends = " | ".join(f'"{text}"' for text in behind)
    text = RULE.format(root=f"r ({ends})", max=most, body=alternatives)
    info, vocab = vocabulary(*more)
    try:
        compiled = penstock.GrammarCompiler(info).compile_ebnf(text)
    except penstock.UnsupportedFeatureError:
        assume(False)
    readings = budgets.sequences([([text.encode() for text in texts], most), ([text.encode() for text in behind], None)])
    outputs = budgets.outputs(readings, vocab)
    prefixes = budgets.prefixes(outputs)
    for prefix in sorted(prefixes)[:60]:
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_tokens(prefix) == len(prefix)
        expected = {token for token in range(len(vocab)) if (*prefix, token) in prefixes}
        expected |= {len(vocab)} if prefix in outputs else set()
        assert allowed(matcher, info.vocab_size) == expected


def test_free_text_within_a_budget() -> None:
    """A budget of free text that ends with a mark: near its end only tokens remain that still reach the mark."""
    info, vocab = vocabulary(b"</", b"think>", b"hello", b" world")
    grammar = 'start: thought "!"\nthought[suffix="</think>", max_tokens=14, capture]: /(.|\\n)*/'
    compiled = penstock.GrammarCompiler(info).compile_lark(grammar)
    for seed in range(20):
        rng, matcher, tokens = random.Random(seed), penstock.Matcher(compiled), []
        while not matcher.is_terminated():
            choice = sorted(allowed(matcher, info.vocab_size))
            assert choice
            tokens.append(rng.choice(choice))
            assert matcher.accept_token(tokens[-1])
        text = b"".join(vocab[token] for token in tokens[:-1])
        assert text.endswith(b"</think>!")
        assert len(tokens) - 2 <= 14
        assert matcher.captures() == [("thought", text.removesuffix(b"</think>!"))]


def test_budgets_survive_rollback_and_forks() -> None:
    info, _ = vocabulary(b"ab")
    matcher = penstock.Matcher(penstock.GrammarCompiler(info).compile_ebnf(RULE.format(root='r "y"', max=2, body="[ab]+")))
    assert matcher.accept_tokens(b"aa") == 2
    fork = matcher.fork()
    assert not fork.accept_token(ord("a"))
    matcher.rollback(1)
    assert matcher.accept_token(256)
    assert allowed(matcher, info.vocab_size) == {ord("y")}
    again = penstock.Grammar.from_ebnf(str(matcher_grammar()))
    assert str(again) == str(matcher_grammar())


def matcher_grammar() -> penstock.Grammar:
    return penstock.Grammar.from_ebnf('root[capture="x", temperature=0.25] ::= "a" r\nr[max_tokens=3, capture] ::= [a-z]*')


@pytest.mark.parametrize(
    ("grammar", "code"),
    [
        ('root ::= r\nr[max_tokens=3] ::= "a" r "b" | ""', "unsupported_feature"),
        ("root ::= r\nr[max_tokens=3] ::= JsonSchema({})", "unsupported_feature"),
        ('root ::= r\nr[max_tokens=3] ::= s\ns[capture] ::= "a"', "unsupported_feature"),
        ('root ::= r & "a"\nr[max_tokens=3] ::= "a"', "unsupported_feature"),
        ('root ::= r\nr[max_tokens=5] ::= "hello"', "budget_too_small"),
    ],
)
def test_budgets_that_cannot_be_exact_are_refused(grammar: str, code: str) -> None:
    info, _ = vocabulary()
    with pytest.raises(penstock.UnsupportedFeatureError) as caught:
        penstock.GrammarCompiler(info).compile_ebnf(grammar)
    assert caught.value.code == code


CAPTURES = [
    ('root ::= a b\na[capture="x"] ::= [a-z]+\nb[capture] ::= "1" c*\nc[capture="d"] ::= [0-9]', "ab123",
     ["x ab", "d 2", "d 3", "b 123"]),
    ('root ::= (a ",")*\na[capture="x"] ::= [a-z]*', "ab,,c,", ["x ab", "x c"]),
    ('root ::= x\nx[capture] ::= x "+" y | y\ny ::= [0-9]', "1+2+3", ["x 1", "x 1+2", "x 1+2+3"]),
    ('root[capture="all"] ::= "(" root ")" | "x"', "((x))", ["all x", "all (x)", "all ((x))"]),
    ('root ::= a b\na[capture] ::= "x"*\nb[capture] ::= "x"*', "xxx", ["a xxx"]),
    ('root ::= a "x" | "x" b\na[capture] ::= "x"\nb[capture] ::= "x"', "xx", ["a x"]),
    ('root ::= a\na[capture] ::= a | b\nb[capture] ::= "x" | a', "x", ["b x", "a x"]),
    ('root ::= "n: " n | [a-z :0-9]*\nn[capture] ::= [0-9]+', "n: 12", ["n 12"]),
    ('root ::= "v=" v ";"\nv[capture] ::= JsonSchema({})', 'v={"a": [1, "é"]};', ['v {"a": [1, "é"]}']),
    ('root ::= JsonSchema(true) tail\ntail[capture] ::= [0-9 ]*', "12 34", ["tail  34"]),
]  # fmt: skip


@pytest.mark.parametrize(("grammar", "text", "expected"), CAPTURES)
def test_captures(grammar: str, text: str, expected: list[str]) -> None:
    """However the text was cut into tokens."""
    info, vocab = vocabulary(b"ab", b"+2", b"))", b"xx", b'{"a', 'é"'.encode(), b"\xc3", b"12")
    compiled = penstock.GrammarCompiler(info).compile_ebnf(grammar)
    for seed in range(6):
        rng, matcher, left = random.Random(seed), penstock.Matcher(compiled), text.encode()
        with pytest.raises(penstock.MatcherStateError) if not matcher.is_accepting() else pytest.MonkeyPatch.context():
            matcher.captures()
        while left:
            token = rng.choice([token for token, word in enumerate(vocab) if left.startswith(word)])
            assert matcher.accept_token(token)
            left = left[len(vocab[token]) :]
        found = [f"{name} {text.decode()}" for name, text in matcher.captures()]
        assert found == expected
        if seed % 2:
            assert matcher.accept_token(len(vocab))
            assert [f"{name} {text.decode()}" for name, text in matcher.captures()] == expected


def test_captures_of_tokens() -> None:
    """Special tokens are a part of what is captured, by their names."""
    info = penstock.TokenizerInfo([*BYTES, b"<call>", b"<stop>"], stop_token_ids=[257], special_token_ids=[256, 257])
    matcher = penstock.Matcher(
        penstock.GrammarCompiler(info).compile_ebnf('root ::= x "b"\nx[capture] ::= [a-z]* Token("<call>") [a-z]')
    )
    assert matcher.accept_tokens([97, 256, 99, 98, 257]) == 5
    assert matcher.captures() == [("x", b"a<call>c")]


def test_captures_of_tokens_that_hold_parts_of_characters() -> None:
    """Two tokens may be two symbols, or one character."""
    info, _ = vocabulary()
    compiled = penstock.GrammarCompiler(info).compile_ebnf(
        "root ::= x y?\nx[capture] ::= ExcludeToken(97)+\ny[capture] ::= [é]"
    )
    matcher = penstock.Matcher(compiled)
    assert matcher.accept_tokens([0xC3, 0xC3, 0xA9]) == 3
    assert matcher.captures() == [("x", b"\xc3\xc3\xa9")]


def test_temperatures() -> None:
    """The innermost rule counts; where readings differ, the highest."""
    info, _ = vocabulary(b"a(b")
    grammar = 'root ::= "a" r "c" s\nr[temperature=0.5] ::= "(" (q | "x" )* ")"\nq[temperature=0] ::= "b" "d"\ns ::= t | u\n'
    grammar += 't[temperature=1] ::= "1" "2"\nu[temperature=2] ::= "1" "3"'
    compiled = penstock.GrammarCompiler(info).compile_ebnf(grammar)
    matcher, seen = penstock.Matcher(compiled), []
    for token in b"a(xbd)c12":
        seen.append(matcher.temperature())
        assert matcher.accept_token(token)
    assert seen == [None, 0.5, 0.5, 0.5, 0.0, 0.5, None, 2.0, 2.0]
    assert matcher.temperature() is None


def test_a_generator_samples_at_the_temperature_of_the_rule() -> None:
    """Greedy inside a rule of temperature 0, whatever the user's own is; outside it the noise decides."""
    grammar = "root ::= free cold\nfree ::= [a-z]{3}\ncold[temperature=0] ::= [a-z]{20}"
    info, _ = vocabulary()
    compiled = penstock.GrammarCompiler(info).compile_ebnf(grammar)
    logits = np.zeros(info.vocab_size, dtype=np.float32)
    logits[ord("q")] = 0.5
    matcher, mask = penstock.Matcher(compiled), penstock.allocate_token_bitmask(1, info.vocab_size)
    state = SamplingState(penstock.Sampling(temperature=1.0), GumbelNoise(3), [], [])
    for _ in range(23):
        matcher.fill_next_token_bitmask(mask)
        state.asked = matcher.temperature()
        state.output_ids.append(choose(logits, mask[0], state))
        assert matcher.accept_token(state.output_ids[-1])
    assert state.output_ids[3:] == [ord("q")] * 20
    assert state.output_ids[:3] != [ord("q")] * 3
