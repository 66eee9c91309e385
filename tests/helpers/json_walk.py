"""Random walks along the masks of a JSON schema, that end."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import penstock

from .engine import byte_info, byte_vocabulary, mask_of

PIECES = (
    b'{"',
    b'":',
    b'": ',
    b'", "',
    b'"}',
    b"}",
    b'a"',
    b"ab",
    b'ab":',
    b"]]",
    b"}}",
    b"}]",
    b"],",
    b"},",
    b'","',
    b"\xc3\xa9",
    b"\xa9",
    b"\xf0\x9f\x98",
    b'\x80"',
    b"\\u00",
    b'\\"',
    b"1,",
    b"10",
    b"0.",
    b"e1",
    b"true",
    b"null,",
    b", ",
    b",\n",
    b"\n  ",
    b"{}",
    b"[]",
    b"[1",
    b"1]",
    b"1}",
    b"\\n",
    b"00",
    b"-1",
    b".5",
    b"5]",
)
Check = Callable[[penstock.Matcher, bytes, set[int]], None]
INFO, VOCABULARY = byte_info(PIECES), byte_vocabulary(PIECES)
STOP = VOCABULARY.size - 1
MAX_TOKENS = 1_000
# What leads to an end, best first, once the walk has been long enough.
CLOSING = (b'"', b"}", b"]", b":", b"0", b"1", b",", b"a", b"e", b"\\")


def walk(
    compiled: penstock.CompiledGrammar, rng: random.Random, schema: Any, num_free: int = 25, check: Check | None = None
) -> bytes:
    """The text of a random walk: `num_free` tokens freely, then towards an end. It fails in a state without a token."""
    matcher, text, names = penstock.Matcher(compiled), b"", sorted(required_names(schema))
    for step in range(MAX_TOKENS):
        allowed = mask_of(matcher, VOCABULARY.size)
        assert allowed, f"a dead end after {text!r}"
        if check is not None:
            check(matcher, text, allowed)
        if STOP in allowed and (step >= num_free or allowed == {STOP} or rng.random() < 0.2):
            assert matcher.accept_token(STOP)
            return text
        if step > num_free and step % 50 == 0 and (rest := short_completion(matcher)):
            return text + rest
        piece = closing_name(matcher, text, names) if step >= num_free else b""
        tokens = list(piece) or [pick(rng, allowed - {STOP}, step >= num_free)]
        assert matcher.accept_tokens(tokens) == len(tokens), f"{text!r} does not go on with {tokens}, though the bit is set"
        text += b"".join(map(VOCABULARY.bytes_of, tokens))
    raise AssertionError(f"no end in sight after {text!r}")


def required_names(schema: Any) -> set[str]:
    """The names that a schema requires anywhere."""
    if isinstance(schema, list):
        return set().union(*map(required_names, schema))
    if not isinstance(schema, dict):
        return set()
    here = {name for name in schema["required"] if isinstance(name, str)} if isinstance(schema.get("required"), list) else set()
    return here.union(*map(required_names, schema.values()))


def short_completion(matcher: penstock.Matcher) -> bytes:
    """The shortest completion, if its search is short enough, written along the masks."""
    try:
        rest = matcher.shortest_completion_bytes()
    except penstock.LimitError:
        return b""
    for byte in (*rest, STOP):
        assert byte in mask_of(matcher, VOCABULARY.size)
        assert matcher.accept_token(byte)
    return rest


def closing_name(matcher: penstock.Matcher, text: bytes, names: list[str]) -> bytes:
    """A required member that may start here: without it, some objects never end."""
    if not text.rstrip().endswith((b"{", b",")):
        return b""
    spelled = [json.dumps(name, ensure_ascii=False).encode() + b":" for name in names]
    return next((name for name in spelled if matcher.fork().accept_bytes(name)), b"")


def pick(rng: random.Random, allowed: set[int], is_closing: bool) -> int:
    """A token: pieces and structure more often than letters; towards an end, whatever closes."""
    if is_closing and rng.random() < 0.95:
        closing = [byte[0] for byte in CLOSING if byte[0] in allowed]
        if closing:
            return closing[0]
    pieces = [token for token in allowed if token >= 256 or chr(token) in '{}[]",:-01']
    return rng.choice(sorted(pieces if pieces and rng.random() < 0.8 else allowed))


def takes(compiled: penstock.CompiledGrammar, text: bytes, rng: random.Random) -> bool:
    """Whether the text is in the language, in tokens cut at random, each of which is looked up in its mask."""
    matcher, at = penstock.Matcher(compiled), 0
    while at < len(text):
        fitting = [token for token in range(VOCABULARY.size - 1) if text.startswith(VOCABULARY.spellings[token], at)]
        token = rng.choice(fitting)
        allowed = token in mask_of(matcher, VOCABULARY.size)
        assert matcher.accept_token(token) == allowed
        if not allowed:
            return False
        at += len(VOCABULARY.spellings[token])
    return matcher.is_accepting()
