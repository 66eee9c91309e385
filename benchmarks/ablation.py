"""What each technique of the mask engine brings: fill times and memory with one technique left out, on four kinds of grammars.

    python benchmarks/ablation.py [--runs 3] [--json] [--no-record]

Grammars: JSON, XML-like markup and a Python-like language in EBNF, and a JSON Schema. Vocabulary: tekken of
mistral-common. Each text is read twice by a grammar compiled for it: `first` is the first reading, with all first visits
of its states, `repeat` the second. Microseconds a fill: the mean over the tokens, each the smallest of the runs. `KB` is
what the compiled grammar holds afterwards; a full bitset for every different mask would take `bitsets KB`. Masks are
compared with those of the whole engine while measuring: a difference ends the run. A way whose first reading takes more
than two seconds is run once.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from typing import Any

import numpy as np
from masks import Penstock, Tekken, versions
from records import save_record

JSON = r"""
root ::= value
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws ( member ("," ws member)* )? "}"
member ::= string ":" ws value
array ::= "[" ws ( value ("," ws value)* )? "]"
string ::= "\"" ( [^"\\\x00-\x1f] | "\\" ["\\/bfnrt] )* "\""
number ::= "-"? ( "0" | [1-9] [0-9]* ) ( "." [0-9]+ )?
ws ::= [ \n]?
"""
MARKUP = r"""
root ::= element
element ::= "<" name attribute* ( "/>" | ">" content* "</" name ">" )
attribute ::= " " name "=\"" [^"<&]* "\""
content ::= element | [^<&]+
name ::= [a-zA-Z_] [a-zA-Z0-9_-]*
"""
CODE = r"""
root ::= statement+
statement ::= "if " test ":\n" block | name " = " test "\n" | "return " test "\n" | call "\n"
block ::= ( "    " ( name " = " test | "return " test | call ) "\n" )+
test ::= sum ( ( " == " | " < " | " and " ) sum )*
sum ::= sum " + " term | sum " - " term | term
term ::= term " * " atom | atom
atom ::= name | number | string | call | "(" test ")"
call ::= name "(" ( test ( ", " test )* )? ")"
name ::= [a-z_] [a-z0-9_]*
number ::= [0-9]+
string ::= "\"" [^"\n]* "\""
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "email": {"type": "string", "pattern": "^[a-z.]+@[a-z]+\\.(com|org)$"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "maxItems": 3},
        "friend": {"$ref": "#"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
TEXTS = {
    "JSON": '{"name": "Ada Lovelace", "born": 1815, "works": ["Notes", {"pages": 66, "translated": true}], "city": "London"}',
    "JSON Schema": '{"name": "Ada Lovelace", "email": "ada.l@engine.org", "age": 36, "tags": ["red", "blue"], '
    '"friend": {"name": "Charles"}}',
    "XML": '<letter date="1843-07-02"><to>Charles Babbage</to><p>I am working very hard <b>for you</b>.</p><end/></letter>',
    "Python DSL": "total = 0\nif count(items) == 3 and limit < 10:\n    total = total + price * 2\n"
    '    log("three")\nreturn total - (tax + 1)\n',
}


# What has taken longer is not run again: it is no matter of noise.
SLOW_MICROSECONDS = 2e6
WHOLE, NOTHING = "(whole engine)", "(none of them)"


def grammar_of(kind: str) -> Any:
    """The grammar of one kind."""
    import penstock

    if kind == "JSON Schema":
        return penstock.Grammar.from_json_schema(SCHEMA)
    return penstock.Grammar.from_ebnf({"JSON": JSON, "XML": MARKUP, "Python DSL": CODE}[kind])


def read(compiled: Any, tokens: list[int], bitmask: np.ndarray) -> tuple[list[float], list[bytes]]:
    """One pass: the time of each fill, and the masks."""
    import penstock

    matcher, times, masks = penstock.Matcher(compiled), [], []
    for token in tokens:
        begin = time.perf_counter()
        matcher.fill_next_token_bitmask(bitmask, 0)
        times.append((time.perf_counter() - begin) * 1e6)
        masks.append(bitmask.tobytes())
        if not matcher.accept_token(token):
            raise SystemExit(f"the text of this benchmark was refused after {matcher.num_tokens} tokens")
    return times, masks


def smallest(runs: list[list[float]]) -> float:
    """The mean over the steps, each the smallest of its runs."""
    steps = [min(step) for step in zip(*runs, strict=True)]
    return round(sum(steps) / len(steps), 2)


def measure(compiler: Any, kind: str, tokens: list[int], bitmask: np.ndarray, num_runs: int) -> dict[str, Any]:
    """One text with the whole engine, without each technique, and without all of them; the ways take turns."""
    techniques = compiler._techniques()
    ways = {WHOLE: [], **{name: [name] for name in techniques}, NOTHING: techniques}
    times: dict[str, dict[str, list[list[float]]]] = {way: {"first": [], "repeat": []} for way in ways}
    sizes, wanted, grammar = {}, None, grammar_of(kind)
    for _ in range(num_runs):
        for way, left_out in ways.items():
            if sum(map(sum, times[way]["first"])) > SLOW_MICROSECONDS:
                continue
            compiled = compiler._compile_without(grammar, left_out)
            for turn in ("first", "repeat"):
                steps, masks = read(compiled, tokens, bitmask)
                times[way][turn].append(steps)
                wanted = wanted or masks
                if masks != wanted:
                    raise SystemExit(f"{kind}: masks differ without {way}")
            sizes[way] = {"masks": compiled.mask_counts[0], "size": compiled.size_bytes}
    rows = {way: {**{turn: smallest(runs) for turn, runs in turns.items()}, **sizes[way]} for way, turns in times.items()}
    return {"tokens": len(tokens), "bitsets": len(set(wanted or ())) * bitmask.nbytes, "without": rows}


def print_tables(kinds: dict[str, Any]) -> None:
    for kind, found in kinds.items():
        print(f"{kind}: {found['tokens']} tokens, bitsets {found['bitsets'] / 1e3:.0f} KB")
        print(f"  {'without':18s}{'first':>10}{'ratio':>8}{'repeat':>10}{'ratio':>8}{'masks':>8}{'KB':>8}")
        whole = found["without"][WHOLE]
        for way, row in found["without"].items():
            cells = "".join(f"{row[turn]:10.1f}{row[turn] / whole[turn]:8.2f}" for turn in ("first", "repeat"))
            print(f"  {way:18s}{cells}{row['masks']:8d}{row['size'] / 1e3:8.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    import penstock

    tekken = Tekken()
    engine = Penstock(tekken)
    compiler, bitmask = penstock.GrammarCompiler(engine.info), engine.bitmask
    kinds = {kind: measure(compiler, kind, tekken.encode(text), bitmask, max(1, options.runs)) for kind, text in TEXTS.items()}
    record = {"date": datetime.date.today().isoformat(), "versions": versions(["penstock"]), "grammars": kinds}
    if options.json:
        print(json.dumps(record, indent=1))
    else:
        print_tables(kinds)
    if not options.no_record:
        save_record("ablation", record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
