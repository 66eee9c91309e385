# ruff: noqa: E402, E501 (the tests' helpers have to be found first; lists of pieces read better on their lines)
"""Broken and odd texts for every front end: each compiles or is refused with an error of Penstock, in seconds.

    PYTHONPATH=python python fuzz/broken_texts.py --texts 100000

Texts are cut from the corpus and changed: pieces are deleted, doubled, swapped, joined with pieces of other texts, or
nested deeply. What compiles as a grammar must print as EBNF that parses back to the same print. A crash, an InternalError
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

import penstock
from tqdm import tqdm

sys.path[:0] = [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent.parent)]
from helpers.corpus import read_cases
from helpers.json_walk import INFO

FRONT_ENDS: dict[str, Callable[[str], penstock.Grammar]] = {
    "ebnf": penstock.Grammar.from_ebnf,
    "lark": penstock.Grammar.from_lark,
    "regex": penstock.Grammar.from_regex,
    "json_schema": lambda text: penstock.Grammar.from_json_schema(json.loads(text)),
}
PIECES = {
    "ebnf": ["root ::= ", "::=", '"', "'", "(", ")", "[", "[^", "]", "{", "}", "{2,", "|", "*", "+", "?", "\\x", "\\u{", "#", "\n", "-", "/", "@"],
    "lark": ["start: ", "X: ", '"', "/", "(", ")", "[", "]", "{2,", "~2", "~", "&", "|", "*", "?", "%ignore ", "%json {", "%lark {", "}", "\n", "//", "<[1-3]>", "<a>", "::_", "::incr(_)", "%if lt(_,2)", "[lazy]", "->", ".."],
    "regex": ["(", "(?:", "(?=", "(?!", "(?<", ")", "[", "[^", "]", "{1,", "}", "|", "*", "+?", "\\b", "\\p{", "\\1", "^", "$", ".", "\\u", "&&", "(?i)"],
    "json_schema": ['"$ref":"#"', '{"not":', '"items":', '"type":"array"', "[", "]", "{", "}", ",", '"minimum":1e999', '"pattern":"("', "true", "-1", '"enum":[]'],
}  # fmt: skip


def seeds(kind: str) -> list[str]:
    """Texts that this front end reads: those of the corpus, and for regexes those of its schemas' patterns."""
    if kind == "lark":
        return [case.text("grammar") for case in read_cases("lark")]
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
        opening, closing = {"ebnf": ("(", ")"), "lark": ("(", ")"), "regex": ("(", ")"), "json_schema": ('{"not":', "}")}[kind]
        text = text[: len(text) // 2] + opening * count + rng.choice(texts) + closing * count
    return text


def try_text(kind: str, text: str, counts: Counter[str]) -> None:
    """Compile the text, ask for a first mask and print it."""
    try:
        grammar = FRONT_ENDS[kind](text)
        matcher = penstock.Matcher(penstock.GrammarCompiler(INFO).compile(grammar))
        matcher.fill_next_token_bitmask(penstock.allocate_token_bitmask(1, INFO.vocab_size))
        counts[f"{kind}: compiled"] += 1
    except penstock.InternalError:
        raise
    except (penstock.PenstockError, json.JSONDecodeError, RecursionError) as error:  # json.loads has a limit of its own
        counts[f"{kind}: {getattr(error, 'code', type(error).__name__)}"] += 1
        return
    if kind != "json_schema":
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
            try_text(kind, text, counts)
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
