"""The grammars in `examples/grammars/`: what random walks through their masks write is what other readers read.

The walks take tokens at random and end with the shortest completion. Python reads arithmetic, programs, JSON and XML; sqlglot,
graphql-core and Lark itself read the rest where they are installed.
"""

from __future__ import annotations

import ast
import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import penstock
import pytest
from helpers.engine import accepts, byte_info, compiler, mask_of

GRAMMARS = Path(__file__).parent.parent / "examples" / "grammars"
NAMES = sorted(path.stem for path in GRAMMARS.glob("*.lark"))
WALKS = 40
TOKENS = (
    b"SELECT ",
    b" FROM ",
    b'"a',
    b'".',
    b" IN (",
    b"{ ",
    b" }",
    b"on",
    b"...",
    b": ",
    b"12",
    b" + ",
    b"**",
    b"if",
    b"if ",
    b"while ",
    b"for ",
    b"def ",
    b"class ",
    b"try:\n",
    b":\n",
    b"    ",
    b" in ",
    b"('",
    b", ",
)
INFO = byte_info(TOKENS)
STOP = INFO.vocab_size - 1
READABLE = {0x0A, *range(0x20, 0x7F)}


def text_of(name: str) -> str:
    return (GRAMMARS / f"{name}.lark").read_text(encoding="utf-8")


def walk(compiled: penstock.CompiledGrammar, seed: int) -> str:
    """A text of the language. Signs come up as often as letters and digits, of which there are more."""
    chance = random.Random(seed)
    matcher = penstock.Matcher(compiled)
    written = b""
    for _ in range(chance.randrange(3, 80)):
        forced = matcher.jump_forward_bytes()  # what must come is no step
        assert not forced or matcher.accept_bytes(forced)
        written += forced
        allowed = mask_of(matcher, INFO.vocab_size)
        if STOP in allowed and chance.random() < 0.1:
            return written.decode()
        readable = [token for token in allowed - {STOP} if INFO.token_bytes(token)[0] in READABLE]
        if not readable:
            break
        letters = [token for token in readable if INFO.token_bytes(token).isalnum()]
        signs = [token for token in readable if token not in letters]
        token = chance.choice(letters if letters and (not signs or chance.random() < 0.5) else signs)
        assert matcher.accept_token(token)
        written += INFO.token_bytes(token)
    return (written + matcher.shortest_completion_bytes()).decode()


def walks(name: str) -> list[str]:
    compiled = compiler(INFO).compile_lark(text_of(name))
    texts = [walk(compiled, seed) for seed in range(WALKS)]
    again = penstock.Matcher(compiled)
    for text in texts:
        assert again.accept_bytes(text.encode())
        assert again.is_accepting(), text
        again.reset()
    assert len(set(texts)) > WALKS / 2
    return texts


def test_arithmetic_is_what_python_reads() -> None:
    for text in walks("arithmetic"):
        ast.parse(text.strip(), mode="eval")


def test_arithmetic_keeps_the_order_of_operators() -> None:
    compiled = compiler(INFO).compile_lark(text_of("arithmetic"))
    for text, complete in [
        ("1 - 2*-x**2", True),
        ("(a)/0.50", True),
        ("ifs", True),
        ("if", False),
        ("1 2", False),
        ("01", False),
    ]:
        assert accepts(compiled, text) == complete, text


def test_programs_are_what_python_reads() -> None:
    kinds, depth = set(), 0
    for text in walks("python"):
        kinds |= {type(node) for node in ast.walk(ast.parse(text))}
        depth = max(depth, *((len(line) - len(line.lstrip())) // 4 for line in text.splitlines()))
    assert {ast.If, ast.While, ast.For, ast.FunctionDef, ast.ClassDef, ast.Try, ast.Call, ast.Assign, ast.AugAssign} <= kinds
    assert depth >= 2


def test_programs_keep_their_blocks() -> None:
    compiled = compiler(INFO).compile_lark(text_of("python"))
    for text, complete in [
        ("if a:\n    b = 1\nelse:\n    c(b)\n", True),
        ("if a:\nb = 1\n", False),
        ("    b = 1\n", False),
        ("for i in [1, 2]:\n    if i == 2:\n        x.y(i)\n    z = i\n", True),
        ("while not a:\n        b = 1\n", False),
        ("class = 1\n", False),
        ("return 1\n", False),
        ("def f():\n    while a:\n        return 1\n    return\n", True),
        ("class a:\n    def f():\n        return b\n    return b\n", False),
        ("for i in x:\n    if i:\n        break\n    else:\n        continue\n", True),
        ("for i in x:\n    def f():\n        break\n", False),
        ("if a:\n    b = 1\n  c = 1\n", False),
        ("if a:\n    pass\n    elif b:\n        pass\n", False),
        ("try:\n    a()\nexcept e as f:\n    pass\nb()\n", True),
    ]:
        assert accepts(compiled, text) == complete, text
        if complete:
            compile(text, "text", "exec")


@pytest.mark.parametrize("head", ["if a:", "for i in x:", "def f():", "class a:"])
def test_blocks_nest_as_deep_as_the_parameter_counts(head: str) -> None:
    compiled = compiler(INFO).compile_lark(text_of("python"))
    for depth in range(10):
        lines = [f"{'    ' * level}{head}\n" for level in range(depth)]
        text = "".join([*lines, "    " * depth, "a = 1\n", *("    " * level + "pass\n" for level in reversed(range(depth)))])
        compile(text, "text", "exec")
        assert accepts(compiled, text) == (depth <= 8), depth


def test_json_is_what_python_reads() -> None:
    for text in walks("json"):
        json.loads(text)


def test_json_refuses_what_the_standard_refuses() -> None:
    compiled = compiler(INFO).compile_lark(text_of("json"))
    for text, complete in [
        (' {"a": [1, -0.5e+3, {}], "\\u00e9": null} ', True),
        ('"\\ud83d\\ude00"', True),
        ('"\\ud83d"', False),
        ("[1,]", False),
        ("01", False),
        ("'a'", False),
    ]:
        assert accepts(compiled, text) == complete, text


def test_sql_is_what_sqlglot_reads() -> None:
    sqlglot: Any = pytest.importorskip("sqlglot")
    for text in walks("sql"):
        assert len(sqlglot.parse(text)) == 1, text


def test_graphql_is_what_graphql_core_reads() -> None:
    graphql: Any = pytest.importorskip("graphql")
    for text in walks("graphql"):
        graphql.parse(text)


def test_svg_is_what_readers_of_xml_read() -> None:
    tags = set()
    for text in walks("svg"):
        tags |= {element.tag.rpartition("}")[2] for element in ET.fromstring(text).iter()}
    assert tags == {"svg", "g", "rect", "circle", "text"}


def test_svg_refuses_what_is_no_xml() -> None:
    compiled = compiler(INFO).compile_lark(text_of("svg"))
    head, place = '<svg xmlns="http://www.w3.org/2000/svg">', '<text x="1" y="2">'
    for inner, complete in [
        ("<g><g/></g>", False),
        ("<g></g>", True),
        ("<g></svg></g>", False),
        (f"{place}a &amp; &#x20ac;</text>", True),
        (f"{place}a & b</text>", False),
        (f"{place}</g>", False),
        ("<!-- a - b -->", True),
        ("<!-- a -- b -->", False),
        ("<!-- a --->", False),
    ]:
        assert accepts(compiled, f"{head}{inner}</svg>") == complete, inner


@pytest.mark.parametrize("name", NAMES)
def test_walks_end(name: str) -> None:
    assert walks(name)


# Lark has no `&` and no `~` before a terminal: names that are no keywords are cut out by hand.
PLAIN = {" & ~KEYWORD": "", ' & ~"on"': "", " & ~/true|false|null/": ""}


@pytest.mark.parametrize("name", [name for name in NAMES if "::_" not in text_of(name)])  # Lark has no parameters
def test_lark_itself_reads_what_is_written(name: str) -> None:
    lark: Any = pytest.importorskip("lark")
    grammar = text_of(name)
    for ours, theirs in PLAIN.items():
        grammar = grammar.replace(ours, theirs)
    parser = lark.Lark(grammar, parser="earley", lexer="dynamic_complete")
    for text in walks(name)[:10]:
        parser.parse(text)
