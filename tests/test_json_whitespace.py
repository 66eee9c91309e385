"""`max_whitespace`: up to so many whitespace characters in every gap, beside a regular expression that says the same."""

from __future__ import annotations

import random
import re

import penstock
import pytest
from helpers.engine import byte_info

EXTRA = (b"  ", b"\r\n", b" \t\n", b", ", b'":', b"null", b"],", b" ]")
SCHEMA = {
    "type": "array",
    "items": {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"], "maxProperties": 1},
}


def twin(count: int) -> re.Pattern[str]:
    gap = rf"[ \t\r\n]{{0,{count}}}"
    item = rf'\{{{gap}"a"{gap}:{gap}null{gap}\}}'
    return re.compile(rf"\[{gap}(?:{item}(?:{gap},{gap}{item})*{gap})?\]")


def text(rng: random.Random, count: int) -> str:
    """A value with gaps that are now and then one character too long."""

    def gap() -> str:
        return "".join(rng.choice(" \t\r\n") for _ in range(rng.choice([0, 0, 1, count, count, count + (rng.random() < 0.15)])))

    items = [f'{{{gap()}"a"{gap()}:{gap()}null{gap()}}}' for _ in range(rng.randrange(3))]
    inner = f"{gap()},{gap()}".join(items) + gap() if items else ""
    return f"[{gap()}{inner}]"


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_gaps_hold_so_many_characters(count: int) -> None:
    compiled = penstock.GrammarCompiler(byte_info(EXTRA)).compile_json_schema(SCHEMA, max_whitespace=count)
    rng, verdicts = random.Random(count), set()
    for _ in range(400):
        data = text(rng, count)
        matcher = penstock.Matcher(compiled)
        accepted = matcher.accept_bytes(data.encode()) and matcher.is_accepting()
        assert accepted is (twin(count).fullmatch(data) is not None), (count, data)
        verdicts.add(accepted)
    assert verdicts == {True, False}


@pytest.mark.parametrize("count", [1, 2])
def test_a_bit_is_set_exactly_when_the_token_is_accepted(count: int) -> None:
    info = byte_info(EXTRA)
    compiled = penstock.GrammarCompiler(info).compile_json_schema(SCHEMA, max_whitespace=count)
    rng = random.Random(count)
    for _ in range(20):
        matcher = penstock.Matcher(compiled)
        for byte in text(rng, count).encode():
            bitmask = penstock.allocate_token_bitmask(1, info.vocab_size)
            matcher.fill_next_token_bitmask(bitmask)
            for token in range(info.vocab_size):
                is_set = bool(int(bitmask[0][token // 32]) >> (token % 32) & 1)
                assert matcher.fork().accept_token(token) is is_set, (token, count)
            if not matcher.accept_token(byte):
                break


def test_it_prints_and_parses_back() -> None:
    grammar = penstock.Grammar.from_json_schema(SCHEMA, max_whitespace=3)
    assert "max_whitespace=3" in str(grammar)
    assert penstock.Grammar.from_ebnf(str(grammar)) == grammar
    with pytest.raises(OverflowError):
        penstock.Grammar.from_json_schema(SCHEMA, max_whitespace=-1)
