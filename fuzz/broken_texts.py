# ruff: noqa: E402, E501 (the tests' helpers have to be found first; lists of pieces read better on their lines)
"""Broken and odd texts for every front end: each compiles or is refused with an error of Penstock, in seconds.

    PYTHONPATH=python python fuzz/broken_texts.py --texts 100000

Texts are cut from the corpus and changed: pieces are deleted, doubled, swapped, joined with pieces of other texts, or
nested deeply. What compiles as a grammar must print as EBNF that parses back to the same print, and is written in for some
tokens: each that the mask allows is accepted, and a complete output has captures. A crash, an InternalError
or a text that takes longer than `--patience` seconds ends the run; a hang is reported with its text by faulthandler.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import penstock
from tqdm import tqdm

sys.path[:0] = [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent.parent)]
from helpers.corpus import read_cases
from helpers.json_walk import INFO


def read_json(text: str) -> Any:
    """The JSON of a text; a number that no double holds is none."""
    value = json.loads(text)
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise json.JSONDecodeError(str(error), text, 0) from error
    return value


FRONT_ENDS: dict[str, Callable[[str], penstock.Grammar]] = {
    "ebnf": penstock.Grammar.from_ebnf,
    "lark": penstock.Grammar.from_lark,
    "regex": penstock.Grammar.from_regex,
    "json_schema": lambda text: penstock.Grammar.from_json_schema(read_json(text)),
    "structural_tag": lambda text: penstock.Grammar.from_structural_tag(read_json(text)),
}
PIECES = {
    "ebnf": ["root ::= ", "::=", '"', "'", "(", ")", "[", "[^", "]", "{", "}", "{2,", "|", "*", "+", "?", "\\x", "\\u{", "#", "\n", "-", "/", "@", "[capture]", "[max_tokens=9]", "[temperature=1]", "[lazy]", "[capture=\"x\", max_tokens=3]"],
    "lark": ["start: ", "X: ", '"', "/", "(", ")", "[", "]", "{2,", "~2", "~", "&", "|", "*", "?", "%ignore ", "%json {", "%lark {", "}", "\n", "//", "<[1-3]>", "<a>", "::_", "::incr(_)", "%if lt(_,2)", "[lazy]", "[capture]", "[max_tokens=9, capture]", "[suffix=\"b\", max_tokens=20]", "->", ".."],
    "regex": ["(", "(?:", "(?=", "(?!", "(?<", ")", "[", "[^", "]", "{1,", "}", "|", "*", "+?", "\\b", "\\p{", "\\1", "^", "$", ".", "\\u", "&&", "(?i)"],
    "structural_tag": ['"type":"tag"', '"type":"star","content":', '"any_text"', "[", "]", "{", "}", ",", '"excludes":["a"]', '"style":"qwen_xml"', '"begin":""', '"at_least_one":true'],
    "json_schema": ['"$ref":"#"', '{"not":', '"items":', '"type":"array"', "[", "]", "{", "}", ",", '"minimum":1e999', '"pattern":"("', "true", "-1", '"enum":[]'],
}  # fmt: skip


def seeds(kind: str) -> list[str]:
    """Texts that this front end reads: those of the corpus, and for regexes those of its schemas' patterns."""
    if kind == "lark":
        return [case.text("grammar") for case in read_cases("lark")]
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


def mutated(rng: random.Random, texts: list[str], kind: str) -> str:
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
        }[kind]
        text = text[: len(text) // 2] + opening * count + rng.choice(texts) + closing * count
    return text


def write(matcher: penstock.Matcher, rng: random.Random, counts: Counter[str]) -> None:
    """Write a few tokens at random, each allowed by the mask before it."""
    bitmask = penstock.allocate_token_bitmask(1, INFO.vocab_size)
    for _ in range(rng.choice((1, 6, 24))):
        matcher.fill_next_token_bitmask(bitmask)
        matcher.temperature()
        allowed = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")[: INFO.vocab_size])
        assert len(allowed), "a dead end"
        assert matcher.accept_token(int(rng.choice(allowed))), "the mask allowed it"
        if matcher.is_accepting():
            try:
                counts["captures"] += len(matcher.captures())
            except penstock.MatcherStateError as error:
                raise AssertionError("a complete output can be read again") from error
        if matcher.is_terminated():
            return


def try_text(kind: str, text: str, counts: Counter[str], rng: random.Random) -> None:
    """Compile the text, write in it and print it."""
    try:
        grammar = FRONT_ENDS[kind](text)
        write(penstock.Matcher(penstock.GrammarCompiler(INFO).compile(grammar)), rng, counts)
        counts[f"{kind}: compiled"] += 1
    except penstock.InternalError:
        raise
    except (penstock.PenstockError, json.JSONDecodeError, RecursionError) as error:  # json.loads has a limit of its own
        counts[f"{kind}: {getattr(error, 'code', type(error).__name__)}"] += 1
        return
    if kind not in ("json_schema", "structural_tag"):
        printed = str(grammar)
        assert str(penstock.Grammar.from_ebnf(printed)) == printed, "the print parses back to itself"


def fuzz(texts: int, seed: int, patience: float = 10.0, progress: bool = True) -> Counter[str]:
    counts: Counter[str] = Counter()
    known = {kind: seeds(kind) for kind in FRONT_ENDS}
    rng = random.Random(seed)
    for _ in tqdm(range(texts), disable=not progress, mininterval=1):
        kind = rng.choice(sorted(FRONT_ENDS))
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
    parser.add_argument("--patience", type=float, default=10.0)
    args = parser.parse_args()
    for name, count in sorted(fuzz(args.texts, args.seed, args.patience).items()):
        print(f"{count:>8,}  {name}")


if __name__ == "__main__":
    main()
