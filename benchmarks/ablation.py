"""What remembering masks brings: fill times with the memory on and off, and what it takes, on four kinds of grammars.

    python benchmarks/ablation.py [--json] [--no-record]

Grammars: JSON and XML-like markup and a Python-like language in EBNF, and a JSON Schema. Vocabulary: tekken of
mistral-common. The same texts are read with the memory off (every mask is made anew), with it on for the first time,
and once more; microseconds a fill, the smallest of three runs a step. A full bitset for every visited state is what
`bitsets` would take; `size` is what the grammar holds. Masks with and without the memory are compared while measuring:
a difference ends the run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from masks import FOLDER, Tekken, percentiles, versions

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


def compile_kind(compiler: Any, kind: str) -> Any:
    """The grammar of one kind."""
    if kind == "JSON Schema":
        return compiler.compile_json_schema(SCHEMA)
    return compiler.compile_ebnf({"JSON": JSON, "XML": MARKUP, "Python DSL": CODE}[kind])


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


def measure(info: Any, tokens: list[int], kind: str, bitmask: np.ndarray) -> dict[str, Any]:
    """The three ways on one text; each step's time is its smallest over three runs."""
    import penstock

    runs: dict[str, list[list[float]]] = {"off": [], "first": [], "repeat": []}
    for _ in range(3):
        off, on = (compile_kind(penstock.GrammarCompiler(info), kind) for _ in range(2))
        off.set_mask_memory(False)
        found = {}
        for way, compiled in (("off", off), ("first", on), ("repeat", on)):
            times, found[way] = read(compiled, tokens, bitmask)
            runs[way].append(times)
        if not found["off"] == found["first"] == found["repeat"]:
            raise SystemExit(f"{kind}: masks differ with the memory on")
    best = {way: [min(step) for step in zip(*times, strict=True)] for way, times in runs.items()}
    distinct = len(set(found["off"]))
    sizes = {"masks": on.mask_counts[0], "size": on.size_bytes, "bitsets": distinct * bitmask.nbytes}
    return {"tokens": len(tokens), **sizes, **{way: percentiles(times) for way, times in best.items()}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    import penstock
    from penstock.bitmask import allocate_token_bitmask

    tekken = Tekken()
    special = range(tekken.num_special)
    info = penstock.TokenizerInfo(tekken.tokens, stop_token_ids=[tekken.stop_id], special_token_ids=special)
    bitmask = allocate_token_bitmask(1, len(tekken.tokens))
    rows = {kind: measure(info, tekken.encode(text), kind, bitmask) for kind, text in TEXTS.items()}
    record = {"date": datetime.date.today().isoformat(), "versions": versions(["penstock"]), "grammars": rows}
    if options.json:
        print(json.dumps(record, indent=1))
    else:
        print(
            f"{'':14s}{'tokens':>8}{'masks':>8}{'KB':>8}{'bitsets KB':>12}"
            + "".join(f"{way + ' ' + p:>14}" for way in ("off", "first", "repeat") for p in ("p50", "p99"))
        )
        for kind, row in rows.items():
            cells = [row[way][share] for way in ("off", "first", "repeat") for share in ("p50", "p99")]
            print(
                f"{kind:14s}{row['tokens']:8d}{row['masks']:8d}{row['size'] / 1e3:8.0f}{row['bitsets'] / 1e3:12.0f}"
                + "".join(f"{cell:14.1f}" for cell in cells)
            )
    if not options.no_record:
        path = Path(FOLDER) / "record" / f"{record['date']}-ablation.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
