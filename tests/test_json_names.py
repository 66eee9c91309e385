"""Names of members inside their characters: which bytes and tokens go on, by a twin that spells every name that is left."""

from __future__ import annotations

import json
import random
from typing import Any

import penstock
import pytest
from helpers.engine import byte_info, byte_vocabulary, compiler, mask_of
from hypothesis import given, settings
from hypothesis import strategies as st

# Names that share a first byte, two, three; one beside each end of the surrogates; one of quotes and controls.
NAMES = ("a", "ab", "é", "è", "éa", "😀", "😁", "😀😀", "€", "\ud7ff", "\ue000", "\U00010000", 'q"', "\n", "\\", "")
# Patterns whose words are few enough to spell: whichever of them a schema allows beside its listed names.
PATTERNS = {"^(😀|a)$": ("😀", "a"), "^é$": ("é",), "^[èé]a?$": ("è", "é", "èa", "éa"), "^(😁|€)b$": ("😁b", "€b")}
PIECES = (
    b'{"', b'": ', b'a"', b'":null', b'":null,"', b'":null,"a', b'","', b'"}', b"\xc3", b"\xc3\xa9", b"\xa9", b'\xa9"',
    b"\xf0\x9f", b"\xf0\x9f\x98", b"\x98\x80", b'\x80"', b"\x80\xf0\x9f",
    b"\xe2\x82", b'\xac"', b"\\u", b"\\u00", b"\\ud83d", b"\\uD83D\\u",
    b"de00", b'\\ude00"', b"\\ude0", b"00e", b'9"', b"null,", b'null,"\xf0', b'ull,"\\', b'}', b"\xc3\xa9a", b"0\\",
)  # fmt: skip
VOCABULARY, INFO = byte_vocabulary(PIECES), byte_info(PIECES)
SHORT = {'"': b'\\"', "\\": b"\\\\", "/": b"\\/", "\n": b"\\n", "\t": b"\\t", "\r": b"\\r", "\b": b"\\b", "\f": b"\\f"}


def character_spellings(character: str) -> list[bytes]:
    """How a JSON string may spell the character, hex digits in small letters."""
    units = character.encode("utf-16-be")
    spellings = [b"".join(b"\\u" + units[i : i + 2].hex().encode() for i in range(0, len(units), 2))]
    if character in SHORT:
        spellings.append(SHORT[character])
    if character >= " " and character not in '"\\':
        spellings.append(character.encode())
    return spellings


def agree(text: bytes, spelling: bytes) -> bool:
    """Whether one starts the other, hex digits of either case."""
    return all(
        byte == wanted or (wanted in b"abcdef" and byte + 32 == wanted and len(spelling) > 2 and spelling[:1] == b"\\")
        for byte, wanted in zip(text, spelling, strict=False)
    )


def next_bytes(text: bytes, name: str) -> set[int]:
    """The bytes that go on with the text towards a spelling of the name with its closing quote."""
    if not name:
        return set() if text else {ord('"')}
    found: set[int] = set()
    for spelling in filter(lambda spelling: agree(text, spelling), character_spellings(name[0])):
        if len(text) >= len(spelling):
            found |= next_bytes(text[len(spelling) :], name[1:])
        else:
            byte = spelling[len(text)]
            is_digit = spelling[:1] == b"\\" and byte in b"abcdef" and len(spelling) > 2
            found |= {byte, byte - 32} if is_digit else {byte}
    return found


@st.composite
def name_schemas(draw: st.DrawFn) -> tuple[dict[str, Any], list[str], int]:
    """A schema of an object with few possible names, those names, and how many members it may have."""
    listed = draw(st.dictionaries(st.sampled_from(NAMES), st.booleans(), max_size=5))
    patterns = sorted(draw(st.sets(st.sampled_from(sorted(PATTERNS)), max_size=2)))
    forbidden = {name for name, allowed in listed.items() if not allowed}
    allowed = {name for name in listed if name not in forbidden}
    allowed |= {name for pattern in patterns for name in PATTERNS[pattern]} - forbidden
    null = {"type": "null"}
    properties = {name: null if is_allowed else False for name, is_allowed in listed.items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    form = draw(st.sampled_from(("closed", "names", "anyOf")))
    if form == "closed":
        schema |= {"patternProperties": dict.fromkeys(patterns, null), "additionalProperties": False}
    elif form == "names":
        schema |= {"propertyNames": {"enum": sorted(allowed | forbidden)}, "additionalProperties": null}
    else:
        parts = [{"propertyNames": {"const": name}, "additionalProperties": null} for name in sorted(allowed)]
        schema["anyOf"] = [*parts, {"maxProperties": 0}]
    most = draw(st.integers(1, 3)) if form != "anyOf" else 1
    return schema | {"maxProperties": most}, sorted(allowed), most


def check_names(compiled: penstock.CompiledGrammar, names: list[str], most: int, rng: random.Random) -> None:
    """Random members, one after another: each mask inside a name against the recogniser, its bytes against the twin."""
    matcher, before = penstock.Matcher(compiled), b'{"'
    for left in range(most, -1, -1):
        names = names if left else []
        assert matcher.accept_bytes(before) == bool(names)
        if not names:
            return
        name = json.loads(b'"' + written_name(matcher, names, rng))
        names = [other for other in names if other != name]
        before = b':null,"'


def written_name(matcher: penstock.Matcher, names: list[str], rng: random.Random) -> bytes:
    """A random name with its closing quote, written along masks that are looked at in every state."""
    text, quote = b"", ord('"')
    while not text.endswith(b'"') or escapes(text):
        allowed = mask_of(matcher, VOCABULARY.size)
        wanted = {token for token in range(VOCABULARY.size - 1) if matcher.fork().accept_bytes(VOCABULARY.bytes_of(token))}
        assert allowed == wanted, text
        assert {token for token in allowed if token < 256} == set().union(*(next_bytes(text, name) for name in names)), text
        token = rng.choice([token for token in sorted(allowed) if token == quote or b'"' not in VOCABULARY.bytes_of(token)])
        assert matcher.accept_token(token)
        text += VOCABULARY.bytes_of(token)
    return text


def escapes(text: bytes) -> bool:
    """Whether the last character of the text is escaped by an odd number of backslashes."""
    rest = text[:-1]
    return (len(rest) - len(rest.rstrip(b"\\"))) % 2 == 1


@settings(max_examples=150)
@given(name_schemas(), st.integers(0, 2**32 - 1))
def test_bytes_that_go_on_with_a_name(drawn: tuple[dict[str, Any], list[str], int], seed: int) -> None:
    schema, names, most = drawn
    compiled = compiler(INFO).compile_json_schema(schema)
    for turn in range(3):
        check_names(compiled, names, most, random.Random(seed + turn))


def test_the_first_byte_of_a_forbidden_character() -> None:
    """Other names exist, but none that starts with this byte; the mask is made where names are left to guards."""
    pattern = {"patternProperties": {"^a": True}, "additionalProperties": False, "type": "object"}
    for name in ("😀", "é", "€", "\U00010000"):
        compiled = compiler(INFO).compile_json_schema({**pattern, "properties": {name: False, "b": True}})
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_bytes(b'{"')
        assert name.encode()[0] not in mask_of(matcher, VOCABULARY.size)


def test_the_first_byte_of_a_name_used_up() -> None:
    schema = {"properties": {"😀": True, "b": True}, "patternProperties": {"^a": True}, "additionalProperties": False}
    compiled = compiler(INFO).compile_json_schema({"type": "object", **schema})
    cases = {b"{": True, b'{"b":1,': True, '{"😀":1,'.encode(): False, rb'{"\uD83d\uDe00":1,': False}
    for first, wanted in cases.items():
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_bytes(first + b'"')
        assert (0xF0 in mask_of(matcher, VOCABULARY.size)) == wanted, first


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        (b"\xf0", "😀", b"\x9f"),
        (rb"\uD83", "😀", b"Dd"),
        (rb"\uD83d\u", "😀", b"Dd"),
        (rb"\uD83E", "😀", b""),
        (b"\xc3\xa8", "é", b""),
        (b"a", "a", b'"'),
        (b"", "\n", b"\\"),
        (b"\\", "\n", b"nu"),
        (b'a"', "a", b""),
    ],
)
def test_the_twin_spells(text: bytes, name: str, wanted: bytes) -> None:
    assert next_bytes(text, name) == set(wanted)


@pytest.mark.parametrize("wanted", ["x", "y"])
@pytest.mark.parametrize("first", [0, 1])
def test_names_that_start_alike_in_one_object_need_not_in_another(wanted: str, first: int) -> None:
    """An object with a name of the wanted pattern may end behind any other; one without it only behind such a name."""
    extra = (b'x":[]}', b'y":[]}', b'x":[],"', b'y":[],"')
    compiled = compiler(byte_info(extra)).compile_json_schema(
        {
            "type": "object",
            "patternProperties": {"x$": {"type": "array"}, "y$": {"type": "array"}},
            "additionalProperties": False,
            "not": {"propertyNames": {"not": {"pattern": f"{wanted}$"}}},
        }
    )
    texts, vocabulary = [f'{{"1{wanted}":[],"zz', '{"zz'], byte_vocabulary(extra)
    for text in (texts[first], texts[1 - first]):
        matcher = penstock.Matcher(compiled)
        assert matcher.accept_bytes(text.encode())
        allowed = mask_of(matcher, vocabulary.size)
        assert allowed == {token for token in range(vocabulary.size) if matcher.fork().accept_token(token)}
        ends = {name: 256 + extra.index(f'{name}":[]}}'.encode()) in allowed for name in "xy"}
        assert ends == {name: name == wanted or text == texts[0] for name in "xy"}
