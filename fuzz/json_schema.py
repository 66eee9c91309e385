# ruff: noqa: E402 (the tests' helpers have to be found first)
"""Random schemas against a validator, both ways: what is valid is taken, and what the masks write is valid.

    PYTHONPATH=python python fuzz/json_schema.py --pairs 1000000 --processes 2

Every pair is a random schema and a value near it, spelled at random (escapes, `10e-1` for 1, indents, reordered members);
the engine's verdict must be that of two validators, jsonschema and jsonschema-rs; a pair on which these differ is counted
apart, and `--judges` prints it. Every schema is also walked along its masks to a valid end; at some of the states each bit
of the mask is held against the recogniser, which knows no masks.
A disagreement is printed as a JSON line with its seed and ends the run with status 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import penstock
from schemas import DRAFTS, Drawing, mutated, near
from tqdm import tqdm

sys.path[:0] = [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent.parent)]
from helpers.json_values import escape_all, reversed_members, validator_of
from helpers.json_walk import INFO, STOP, VOCABULARY, Check, required_names, walk

from reference.json_text import parse

VALUES_PER_SCHEMA = 40
LONG_NUMBER = re.compile(rb"[0-9.]{16}|[eE][-+]?[0-9]{2}")  # the judges compute with floats
Report = tuple[Counter[str], list[dict[str, Any]]]
Limits = dict[str, int] | None


class Judges:
    """What two validators say of a value: True, False, or None where they differ or one of them fails."""

    def __init__(self, schema: Any):
        self.first = validator_of(schema)
        self.second = jsonschema_rs.validator_for(schema, validate_formats=True)
        # Draft 4 leaves it open whether 1.0 is an integer. Here it is one, as in all later drafts.
        self.is_draft_4 = isinstance(schema, dict) and schema.get("$schema") == DRAFTS["4"]

    def verdict(self, value: Any) -> bool | None:
        if self.is_draft_4:
            value = whole_numbers(value)
        said = self.second.is_valid(value)
        try:
            return said if self.first.is_valid(value) == said else None
        except TypeError:  # jsonschema 4.26 fails on `items: false` beside `additionalItems`
            return said


def whole_numbers(value: Any) -> Any:
    """The value with integers for floats of the same value."""
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: whole_numbers(item) for name, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def spelled(rng: random.Random, value: Any) -> str:
    """A random spelling of the value."""
    if rng.random() < 0.3:
        value = reversed_members(value)
    roll = rng.random()
    if roll < 0.15:
        return escape_all(value)
    if roll < 0.4:
        return json.dumps(value, ensure_ascii=False)
    if roll < 0.55:
        return json.dumps(value, indent=rng.choice((1, 2, 4, "\t")))
    if roll < 0.8:
        return numbers_respelled(rng, value)
    return json.dumps(value, separators=(",", ":"))


def numbers_respelled(rng: random.Random, value: Any) -> str:
    """Numbers as `1.0`, `1e0` or `10e-1`."""
    if isinstance(value, list):
        return "[" + ", ".join(numbers_respelled(rng, item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}: {numbers_respelled(rng, item)}" for name, item in value.items()) + "}"
    if isinstance(value, int) and not isinstance(value, bool):
        return rng.choice((f"{value}", f"{value}.0", f"{value}e0", f"{value}0e-1" if value else "-0", f"{value}.00E+0"))
    return json.dumps(value)


def check_schema(seed: int, counts: Counter[str], limits: Limits = None) -> Iterator[dict[str, Any]]:
    """The disagreements about one schema; what was seen is counted."""
    rng = random.Random(seed)
    schema = Drawing(rng, rng.choice(["2020-12"] * 4 + list(DRAFTS)), rng.choice((3, 6, 9, 14))).document()
    if misread_by_judges(schema):
        counts["schemas that the validators misread"] += 1
        return
    values = [near(rng, schema, schema) for _ in range(VALUES_PER_SCHEMA // 2)]
    values += [mutated(rng, rng.choice(values)) for _ in range(VALUES_PER_SCHEMA // 2)]
    compiled = compile_or_none(schema, counts, limits)
    if compiled is None and not counts.pop("empty now", 0):
        return
    judges = Judges(schema)
    for value in values:
        text = spelled(rng, value)
        try:
            wanted, found = judges.verdict(value), compiled is not None and takes(compiled, text)
        except penstock.LimitError:
            counts["values ended by a limit"] += 1
            continue
        counts["pairs"] += 1
        if word_border_differs(schema, text):
            counts["pairs that the validators misread"] += 1
            continue
        if wanted is None:
            counts["judges differ"] += 1
            counts.setdefault(f"  judges differ on: {json.dumps(schema)} {json.dumps(value)}"[:300], 1)
        counts["valid"] += bool(wanted)
        if wanted is not None and wanted != found:
            yield {"seed": seed, "schema": schema, "text": text, "valid": wanted, "taken": found}
    if compiled is not None:
        yield from check_walk(seed, schema, compiled, judges, counts)


def misread_by_judges(schema: Any) -> bool:
    """In 2019-09 `contains` evaluates no items (core, 9.3.1.3): both validators read it as 2020-12 does."""
    text = json.dumps(schema)
    return DRAFTS["2019-09"] in text and '"contains"' in text and '"unevaluatedItems"' in text


def word_border_differs(schema: Any, text: str) -> bool:
    """Whether `\\b` may meet letters beyond ASCII: word characters to both validators, but not to ECMA-262 (22.2.2.9.3)."""
    return "\\\\b" in json.dumps(schema) and not json.dumps(json.loads(text), ensure_ascii=False).isascii()


def compile_or_none(schema: Any, counts: Counter[str], limits: Limits) -> penstock.CompiledGrammar | None:
    """None where the schema is refused, or empty (then the count `empty now` is set: no value may be valid)."""
    try:
        compiled = penstock.GrammarCompiler(INFO).compile_json_schema(schema, limits=limits)
    except penstock.EmptyLanguageError:
        counts["empty now"] = 1
        counts["schemas without a value"] += 1
        return None
    except (penstock.UnsupportedFeatureError, penstock.LimitError) as error:
        counts[f"refused: {error.code}"] += 1
        return None
    counts["schemas"] += 1
    return compiled


def takes(compiled: penstock.CompiledGrammar, text: str) -> bool:
    matcher = penstock.Matcher(compiled)
    data = text.encode()
    try:
        return matcher.accept_bytes(data) and matcher.is_accepting()
    except penstock.LimitError:
        answers = {answer(matcher, data[:1]), answer(penstock.Matcher(compiled), data[:1])} - {None}
        assert len(answers) < 2, "the matcher is as it was"
        raise


def answer(matcher: penstock.Matcher, data: bytes) -> bool | None:
    """Whether the bytes are taken; None where a limit is met, which what was learned before may prevent the next time."""
    try:
        return matcher.accept_bytes(data)
    except penstock.LimitError:
        return None


def check_walk(
    seed: int, schema: Any, compiled: penstock.CompiledGrammar, judges: Judges, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    rng = random.Random(seed + 1)
    check = law_check(rng, counts)
    try:
        text = walk(compiled, rng, {"required": sorted(required_names(schema))}, num_free=rng.choice((0, 10, 25)), check=check)
    except penstock.LimitError as error:
        counts[f"walks ended by a limit: {error.code}"] += 1
        return
    except AssertionError as error:
        yield {"seed": seed, "schema": schema, "walk": str(error)}
        return
    counts["walks"] += 1
    if LONG_NUMBER.search(text):
        counts["walks with numbers that floats cannot hold"] += 1
    elif not word_border_differs(schema, text.decode()) and judges.verdict(parse(text)) is False:
        yield {"seed": seed, "schema": schema, "text": text.decode(), "valid": False, "written": True}


def law_check(rng: random.Random, counts: Counter[str]) -> Check:
    """Holds a mask against the recogniser: always where a name starts, since few walks spell rare ones, else now and then."""

    def check(matcher: penstock.Matcher, text: bytes, allowed: set[int]) -> None:
        if not text.endswith((b'{"', b',"', b', "')) and rng.random() > 0.2:
            return
        wanted = {token for token in range(STOP) if matcher.fork().accept_bytes(VOCABULARY.bytes_of(token))}
        assert allowed - {STOP} == wanted, f"the mask is not the language after {text!r}"
        counts["masks looked at bit by bit"] += 1

    return check


def run_share(arguments: tuple[int, int, Limits]) -> Report:
    """Check schemas of the seeds from `first` on until `pairs` pairs were seen."""
    first, pairs, limits = arguments
    counts: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    seed = first
    while counts["pairs"] < pairs:
        try:
            wrong.extend(check_schema(seed, counts, limits))
        except Exception as error:  # a crash is a finding like any other, and the run goes on
            wrong.append({"seed": seed, "crash": f"{type(error).__name__}: {error}"})
        seed += 1
    return counts, wrong


def fuzz(pairs: int, seed: int, processes: int, progress: bool = True, limits: Limits = None) -> Report:
    """All shares; each of some 2,000 pairs with seeds of its own."""
    share = min(pairs, 2_000)
    shares = [(seed * 1_000_000_007 + index * share, share, limits) for index in range(-(-pairs // share))]
    counts: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    with multiprocessing.get_context("spawn").Pool(processes) if processes > 1 else _Here() as pool:
        for share_counts, share_wrong in tqdm(pool.imap_unordered(run_share, shares), total=len(shares), disable=not progress):
            counts.update(share_counts)
            wrong += share_wrong
            for finding in share_wrong:
                tqdm.write(json.dumps(finding, ensure_ascii=False))
    return counts, wrong


class _Here:
    """The pool of one process: this one."""

    imap_unordered = staticmethod(map)

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--fuel", type=int, help="`max_emptiness_states`: a small one walks the paths on which limits are met")
    parser.add_argument("--judges", action="store_true", help="list the pairs on which the validators differ")
    args = parser.parse_args()
    counts, wrong = fuzz(
        args.pairs, args.seed, args.processes, limits={"max_emptiness_states": args.fuel} if args.fuel else None
    )
    for name, count in sorted(counts.items()):
        if args.judges or not name.startswith(" "):
            print(f"{count:>10,}  {name}")
    print(f"{len(wrong):>10,}  disagreements")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
