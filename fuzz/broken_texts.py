# ruff: noqa: E402, E501 (the tests' helpers have to be found first; lists of pieces read better on their lines)
"""Broken and odd texts for every front end: each compiles or is refused with an error of Penstock, in seconds.

    PYTHONPATH=python python fuzz/broken_texts.py --texts 100000
    PYTHONPATH=python python fuzz/broken_texts.py --seconds 600 --kinds lark,tools

Texts are cut from the corpus and changed: pieces are deleted, doubled, swapped, joined with pieces of other texts, or
nested deeply. What compiles must print as EBNF that parses back to the same print and to the same masks, and is written in for
some tokens: each that the mask allows is accepted, and a complete output has captures. A crash, an InternalError
or a text that takes longer than `--patience` seconds ends the run; a hang is reported with its text by faulthandler.
"""

from __future__ import annotations

import argparse
import ast
import copy
import datetime
import decimal
import faulthandler
import itertools
import json
import random
import re
import sys
import time
import typing
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import penstock
from penstock.tools import families, structural_tag
from tqdm import tqdm

sys.path[:0] = [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent.parent)]
from helpers.corpus import CORPUS, read_cases
from helpers.json_walk import INFO


def read_json(text: str) -> Any:
    """The JSON of a text; a number that no double holds is none."""
    value = json.loads(text)
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise json.JSONDecodeError(str(error), text, 0) from error
    return value


def as_schema(text: str) -> Any:
    """A schema as dict or bool; what is neither stays a text, since other objects are read as Python types."""
    value = read_json(text)
    return value if isinstance(value, (dict, bool)) else text


def from_tools(text: str) -> penstock.Grammar:
    """The grammar of tools, a family and a choice, all as JSON."""
    asked = read_json(text)
    if not isinstance(asked, dict):
        raise json.JSONDecodeError("no object", text, 0)
    reasoning = asked.get("reasoning")
    tag = structural_tag(
        asked.get("tools"),
        family=str(asked.get("family")),
        tool_choice=asked.get("tool_choice"),
        reasoning=reasoning if reasoning in ("auto", "required", "open", "none") else "auto",
        parallel=bool(asked.get("parallel")),
    )
    return penstock.Grammar.from_structural_tag(tag)


NAMES: dict[str, Any] = {
    **{one.__name__: one for one in (int, float, str, bool, bytes, complex, object, list, dict, set, frozenset, tuple, type)},
    **{name: getattr(typing, name) for name in ("Any", "Literal", "Optional", "Union", "Annotated", "Callable", "Never")},
    **{one.__name__: one for one in (decimal.Decimal, datetime.date, datetime.timedelta, uuid.UUID)},
}
SAFE = (
    ast.Expression, ast.Subscript, ast.Name, ast.Load, ast.Tuple, ast.List, ast.Constant, ast.BinOp, ast.BitOr, ast.UnaryOp, ast.USub
)  # fmt: skip


def from_type(text: str) -> penstock.Grammar:
    """The grammar of a type that a text names. Texts are mutations, so only names, subscripts and `|` are evaluated."""
    try:
        with warnings.catch_warnings(action="ignore"):  # Python suspects missing commas
            tree = ast.parse(text, mode="eval")
        if not all(isinstance(node, SAFE) for node in ast.walk(tree)):
            raise SyntaxError("more than a type")
        with warnings.catch_warnings(action="ignore"):
            named = eval(compile(tree, "type", "eval"), {"__builtins__": {}}, NAMES)
    except Exception as error:
        raise json.JSONDecodeError(str(error), text, 0) from error
    try:
        return penstock.Grammar.from_type(named)
    except TypeError as error:
        if "; " not in str(error):
            raise RuntimeError(f"a refusal without a way out: {error}") from error
        raise json.JSONDecodeError(str(error), text, 0) from error


FRONT_ENDS: dict[str, Callable[[str], penstock.Grammar]] = {
    "ebnf": penstock.Grammar.from_ebnf,
    "lark": penstock.Grammar.from_lark,
    "regex": penstock.Grammar.from_regex,
    "json_schema": lambda text: penstock.Grammar.from_json_schema(as_schema(text)),
    "structural_tag": lambda text: penstock.Grammar.from_structural_tag(read_json(text)),
    "tools": from_tools,
    "types": from_type,
}
PIECES = {
    "ebnf": ["root ::= ", "::=", '"', "'", "(", ")", "[", "[^", "]", "{", "}", "{2,", "|", "*", "+", "?", "\\x", "\\u{", "#", "\n", "-", "/", "@", "[capture]", "[max_tokens=9]", "[temperature=1]", "[lazy]", "[capture=\"x\", max_tokens=3]"],
    "lark": ["start: ", "X: ", '"', "/", "(", ")", "[", "]", "{2,", "~2", "~", "&", "|", "*", "?", "%ignore ", "%json {", "%lark {", "}", "\n", "//", "<[1-3]>", "<a>", "::_", "::incr(_)", "%if lt(_,2)", "[lazy]", "[capture]", "[max_tokens=9, capture]", "[suffix=\"b\", max_tokens=20]", "->", ".."],
    "regex": ["(", "(?:", "(?=", "(?!", "(?<", ")", "[", "[^", "]", "{1,", "}", "|", "*", "+?", "\\b", "\\p{", "\\1", "^", "$", ".", "\\u", "&&", "(?i)"],
    "structural_tag": ['"type":"tag"', '"type":"star","content":', '"any_text"', "[", "]", "{", "}", ",", '"excludes":["a"]', '"style":"qwen_xml"', '"begin":""', '"at_least_one":true'],
    "json_schema": ['"$ref":"#"', '{"not":', '"items":', '"type":"array"', "[", "]", "{", "}", ",", '"minimum":1e999', '"pattern":"("', "true", "-1", '"enum":[]'],
    "tools": ['"type":"function"', '"name":"f"', '"family":"kimi_k3"', '"required":["a"]', '"tool_choice":"required"', "{", "}", "[", "]", ",", "null", '"reasoning":"open"', '"$ref":"#"'],
    "types": ["list[", "]", ", ", " | None", "Union[", "Literal['a', 1]", "int", "Annotated[", "tuple[()]", "...", "dict[str, ", "Callable[[], ", "'int'", "3"],
}  # fmt: skip


def seeds(kind: str) -> list[str]:
    """Texts that this front end reads: those of the corpus, and for regexes those of its schemas' patterns."""
    if kind == "lark":
        return [case.text("grammar") for case in read_cases("lark")]
    if kind == "tools":
        data = json.loads((CORPUS / "tools" / "families.json").read_text(encoding="utf-8"))
        return [json.dumps({"family": name, "tool_choice": "auto", "tools": data["tools"]}) for name in families()]
    if kind == "types":
        return [
            "list[int]",
            "dict[str, list[float] | None]",
            "tuple[Literal['a', 1], date]",
            "Optional[set[Decimal]]",
            "Annotated[str, 3]",
        ]
    if kind == "structural_tag":
        return [case.text("tag") for case in read_cases("structural_tag") if "tag" in case.blocks]
    cases = [case for folder in ("ebnf", "matcher") for case in read_cases(folder)]
    if kind == "ebnf":
        return [case.text("grammar") for case in cases if "grammar" in case.blocks]
    schemas = [case.text("schema") for case in cases if "schema" in case.blocks]
    if kind == "json_schema":
        return schemas
    patterns = [pattern for text in schemas for pattern in re.findall(r'"pattern": ?("[^"]*")', text)]
    return [json.loads(pattern) for pattern in patterns]


ODD_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    "",
    "a",
    "<",
    "\u0000",
    [],
    {},
    [[]],
    [None],
    {"type": []},
    {"a": None},
]


def with_odd_values(rng: random.Random, texts: list[str]) -> str:
    """A JSON text with some values exchanged for odd ones or for parts of others, or left out."""
    document = [json.loads(rng.choice(texts))]
    for _ in range(rng.choice((1, 1, 2, 4))):
        holder, key = rng.choice(places_in(document))
        if rng.random() < 0.2 and holder is not document:
            holder.pop(key)
        elif rng.random() < 0.5:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        else:
            other, other_key = rng.choice(places_in([json.loads(rng.choice(texts))]))
            holder[key] = other[other_key]
        if isinstance(holder, dict) and rng.random() < 0.1:
            holder[rng.choice(("type", "name", "", "a", "$ref"))] = copy.deepcopy(rng.choice(ODD_VALUES))
    return json.dumps(document[0])


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(value, key) for key in keys] + [place for key in keys for place in places_in(value[key])]


def mutated(rng: random.Random, texts: list[str], kind: str) -> str:
    if kind in ("json_schema", "structural_tag", "tools") and rng.random() < 0.6:
        return with_odd_values(rng, texts)
    text = rng.choice(texts)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        low, high = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        high = min(high, low + rng.choice((1, 3, 20)))
        piece = rng.choice(
            (
                rng.choice(PIECES[kind]),
                text[low:high] * 2,
                rng.choice(texts)[low:high],
                chr(rng.choice((0, 10, 34, 92, 233, 0x1F600))),
            )
        )
        text = text[:low] + piece + text[high if rng.random() < 0.5 else low :]
    if rng.random() < 0.01:
        count = rng.choice((50, 5_000, 50_000))
        opening, closing = {
            "ebnf": ("(", ")"),
            "lark": ("(", ")"),
            "regex": ("(", ")"),
            "json_schema": ('{"not":', "}"),
            "structural_tag": ('{"type":"star","content":', "}"),
            "tools": ('{"tools":[', "]}"),
            "types": ("list[", "]"),
        }[kind]
        text = text[: len(text) // 2] + opening * count + rng.choice(texts) + closing * count
    return text


def write(matcher: penstock.Matcher, again: penstock.Matcher, rng: random.Random, counts: Counter[str]) -> None:
    """Write a few tokens at random, each allowed by the mask before it. again: of the print, whose masks are the same."""
    bitmask, of_print = (penstock.allocate_token_bitmask(1, INFO.vocab_size) for _ in range(2))
    for _ in range(rng.choice((1, 6, 24))):
        matcher.fill_next_token_bitmask(bitmask)
        again.fill_next_token_bitmask(of_print)
        assert (bitmask == of_print).all(), "the print has other masks"
        assert matcher.temperature() == again.temperature()
        allowed = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")[: INFO.vocab_size])
        assert len(allowed), "a dead end"
        token = int(rng.choice(allowed))
        assert matcher.accept_token(token), "the mask allowed it"
        assert again.accept_token(token)
        if matcher.is_accepting():
            try:
                counts["captures"] += len(matcher.captures())
            except penstock.MatcherStateError as error:
                raise AssertionError("a complete output can be read again") from error
        if matcher.is_terminated():
            return


def try_text(kind: str, text: str, counts: Counter[str], rng: random.Random) -> None:
    """Compile the text, print it, read the print and write in both."""
    try:
        grammar = FRONT_ENDS[kind](text)
        compiled = penstock.GrammarCompiler(INFO).compile(grammar)
        printed = str(grammar)
        read = penstock.Grammar.from_ebnf(printed)
        assert str(read) == printed, "the print parses back to itself"
        write(penstock.Matcher(compiled), penstock.Matcher(penstock.GrammarCompiler(INFO).compile(read)), rng, counts)
        assert all(isinstance(remark, str) for remark in grammar.remarks)
        counts[f"{kind}: compiled"] += 1
    except penstock.InternalError:
        raise
    except (penstock.PenstockError, json.JSONDecodeError, RecursionError) as error:  # json.loads has a limit of its own
        counts[f"{kind}: {getattr(error, 'code', type(error).__name__)}"] += 1


def fuzz(
    texts: int,
    seed: int,
    patience: float = 30.0,
    progress: bool = True,
    kinds: Sequence[str] = (),
    seconds: float | None = None,
) -> Counter[str]:
    """Try so many texts, or as many as there is time for. kinds: of which front ends, all by default."""
    counts: Counter[str] = Counter()
    known = {kind: seeds(kind) for kind in kinds or FRONT_ENDS}
    rng = random.Random(seed)
    end = None if seconds is None else time.monotonic() + seconds
    for _ in tqdm(itertools.count() if seconds else range(texts), disable=not progress, mininterval=1):
        if end is not None and time.monotonic() > end:
            break
        kind = rng.choice(sorted(known))
        text = mutated(rng, known[kind], kind)
        faulthandler.dump_traceback_later(6 * patience, exit=True)
        start = time.perf_counter()
        try:
            try_text(kind, text, counts, rng)
        except Exception:
            print(f"{kind}: {text[:2000]!r}", file=sys.stderr)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        if time.perf_counter() - start > patience:
            raise TimeoutError(f"{kind} took {time.perf_counter() - start:.1f} s: {text[:2000]!r}")
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=None, help="instead of a number of texts")
    parser.add_argument("--kinds", default="", help=f"some of {', '.join(FRONT_ENDS)}")
    args = parser.parse_args()
    kinds = [kind for kind in args.kinds.split(",") if kind]
    for name, count in sorted(fuzz(args.texts, args.seed, args.patience, kinds=kinds, seconds=args.seconds).items()):
        print(f"{count:>8,}  {name}")


if __name__ == "__main__":
    main()
