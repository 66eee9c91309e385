"""What each technique of the mask engine brings: fill times and memory with one technique left out, on four kinds of grammars.

    python benchmarks/ablation.py [--runs 3] [--json] [--no-record]

Grammars: JSON, XML-like markup and a Python-like language in EBNF, and a JSON Schema. Vocabulary: tekken of
mistral-common. Each text is read twice by a grammar compiled for it: `first` is the first reading, with all first visits
of its states, `repeat` the second. Microseconds of fill + accept: the mean over the tokens, each the smallest of the runs.
`KB` is what the compiled grammar holds afterwards; a full bitset for every different mask would take `bitsets KB`. Masks are
compared with those of the whole engine while measuring: a difference ends the run. A way whose first reading takes more
than two seconds is run once. No way finds what another grammar left, but for the last one, which follows grammars equal to it.
The vocabulary's sweeps are made before.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from four_grammars import GRAMMARS, TEXTS
from peers import Penstock
from records import make_parser, pyplot, report, versions
from tqdm import tqdm
from vocabularies import tekken

# What has taken longer is not run again: it is no matter of noise.
SLOW_MICROSECONDS = 2e6
WHOLE, NOTHING, SHARED = "(whole engine)", "(none of them)", "(nothing, an equal one before)"


def grammar_of(kind: str) -> Any:
    """The grammar of one kind."""
    import penstock

    form, text = GRAMMARS[kind]
    return penstock.Grammar.from_json_schema(text) if form == "schema" else penstock.Grammar.from_ebnf(text)


def read(compiled: Any, tokens: list[int], bitmask: np.ndarray) -> tuple[list[float], list[bytes]]:
    """One pass: the time of each fill, and the masks."""
    import penstock

    matcher, times, masks = penstock.Matcher(compiled), [], []
    for token in tokens:
        begin = time.perf_counter()
        matcher.fill_next_token_bitmask(bitmask, 0)
        taken = matcher.accept_token(token)
        times.append((time.perf_counter() - begin) * 1e6)
        masks.append(bitmask.tobytes())
        if not taken:
            raise SystemExit(f"the text of this benchmark was refused after {matcher.num_tokens} tokens")
    return times, masks


def smallest(runs: list[list[float]]) -> float:
    """The mean over the steps, each the smallest of its runs."""
    steps = [min(step) for step in zip(*runs, strict=True)]
    return round(sum(steps) / len(steps), 2)


def measure(compiler: Any, kind: str, tokens: list[int], bitmask: np.ndarray, num_runs: int) -> dict[str, Any]:
    """One text with the whole engine, without each technique, and without all of them; the ways take turns."""
    techniques, alone = compiler._techniques(), ["shared_masks"]
    ways = {WHOLE: alone, **{name: [name, *alone] for name in techniques if name not in alone}, NOTHING: techniques, SHARED: []}
    times: dict[str, dict[str, list[list[float]]]] = {way: {"first": [], "repeat": []} for way in ways}
    sizes, grammar = {}, grammar_of(kind)
    wanted = read(compiler._compile_without(grammar, []), tokens, bitmask)[1]
    for _ in range(num_runs):
        for way, left_out in ways.items():
            if sum(map(sum, times[way]["first"])) > SLOW_MICROSECONDS:
                continue
            compiled = compiler._compile_without(grammar, left_out)
            for turn in ("first", "repeat"):
                steps, masks = read(compiled, tokens, bitmask)
                times[way][turn].append(steps)
                if masks != wanted:
                    raise SystemExit(f"{kind}: masks differ without {way}")
            sizes[way] = {"masks": compiled.mask_counts[0], "size": compiled.size_bytes}
    rows = {way: {**{turn: smallest(runs) for turn, runs in turns.items()}, **sizes[way]} for way, turns in times.items()}
    return {"tokens": len(tokens), "bitsets": len(set(wanted)) * bitmask.nbytes, "without": rows}


def print_tables(kinds: dict[str, Any]) -> None:
    for kind, found in kinds.items():
        print(f"{kind}: {found['tokens']} tokens, bitsets {found['bitsets'] / 1e3:.0f} KB")
        print(f"  {'without':32s}{'first':>10}{'ratio':>8}{'repeat':>10}{'ratio':>8}{'masks':>8}{'KB':>8}")
        whole = found["without"][WHOLE]
        for way, row in found["without"].items():
            cells = "".join(f"{row[turn]:10.1f}{row[turn] / whole[turn]:8.2f}" for turn in ("first", "repeat"))
            print(f"  {way:32s}{cells}{row['masks']:8d}{row['size'] / 1e3:8.0f}")


def plot(record: dict[str, Any], path: Path) -> None:
    """What leaving out each technique costs, by grammar: first readings above, repeats below."""
    kinds = record["grammars"]
    figure, rows = pyplot().subplots(2, 1, figsize=(11, 7), sharex=True)
    ways = [way for way in next(iter(kinds.values()))["without"] if way != WHOLE]
    for axes, turn in zip(rows, ("first", "repeat"), strict=True):
        for number, (kind, found) in enumerate(kinds.items()):
            ratios = [found["without"][way][turn] / found["without"][WHOLE][turn] for way in ways]
            axes.bar([at + number / (len(kinds) + 1) for at in range(len(ways))], ratios, 1 / (len(kinds) + 1), label=kind)
        axes.axhline(1, color="black", linewidth=0.5)
        axes.set(yscale="log", ylabel=f"{turn}: times as long without")
    rows[0].legend()
    rows[1].set_xticks([at + 0.3 for at in range(len(ways))], ways, rotation=30, ha="right")
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    import penstock

    vocabulary = tekken()
    engine = Penstock(vocabulary)
    compiler, bitmask = penstock.GrammarCompiler(engine.info), engine.bitmask
    kinds = {}
    for kind, text in tqdm(TEXTS.items(), unit="grammar", disable=None):
        kinds[kind] = measure(compiler, kind, vocabulary.encode(text), bitmask, max(1, options.runs))
    record = {"versions": versions(["penstock"]), "grammars": kinds}
    report("ablation", record, options, lambda record: print_tables(record["grammars"]), plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
