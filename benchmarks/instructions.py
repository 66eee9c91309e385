"""Instructions of a fixed set of compiles and fills, counted by callgrind: the one figure that a busy machine cannot blur.

    python benchmarks/instructions.py [--update] [--tolerance 0.02] [--tasks NAME,NAME] [--functions 15] [--json]

Needs valgrind and cargo. Builds `crates/matcher/examples/instructions.rs`, runs it under callgrind (a minute or two on a
quiet machine) and compares with `benchmarks/instructions.json`: a count that grew by more than the tolerance fails, one
that shrank by more asks for --update, which writes the file anew. Counts depend on the compiler too: compare those of one
toolchain. Vocabulary: tekken of mistral-common.

For each task, in thousands of instructions: `compile` the grammar from its text; the `first mask`; fill + accept a token of a
text, `first` when all masks are new and `repeat` when all are remembered. --functions lists where they go.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import batch
import four_grammars
from vocabularies import Vocabulary, tekken

FOLDER = Path(__file__).resolve().parent
RECORD = FOLDER / "instructions.json"
PARTS = {"compile": "compile", "first mask": "start", "first": "first", "repeat": "repeat"}
FUNCTION = "penstock_measured"
# glibc copies long rows by one instruction that callgrind counts byte by byte; this takes its loop over vectors instead.
TUNABLES = "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000"
# Quicker to build than a release with its link-time optimisation; what it counts differs from that by some percent.
PROFILE = {"LTO": "off", "CODEGEN_UNITS": "16", "INCREMENTAL": "false", "DEBUG": "1"}

STRINGS = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "when": {"type": "string", "format": "date-time"},
        "slug": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 60},
        "note": {"type": "string", "minLength": 2, "maxLength": 200},
    },
    "required": ["id", "when", "slug"],
    "additionalProperties": False,
}
STRINGS_TEXT = {
    "id": "2f1c9d1e-0b7a-4a53-9d2e-6f4f4d9c1b11",
    "when": "2026-04-30T12:05:59Z",
    "slug": "an-owl-and-42-harps",
    "note": "Two words, and some more of them.",
}
PATTERNED_NAMES = {
    "type": "object",
    "patternProperties": {"^x-": {"type": "string"}, "^[a-z_]+$": {"type": "integer"}},
    "additionalProperties": False,
}
CHOICES = {
    "type": "array",
    "items": {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]},
            {"type": "object", "properties": {"kind": {"const": "line"}, "to": {"type": "array", "items": {"type": "number"}}}},
            {"type": "string", "enum": ["none", "all", "some of them"]},
        ]
    },
    "uniqueItems": True,
}
WIDE = {
    "type": "object",
    "properties": {f"field_{i}": {"type": ["string", "null"]} for i in range(120)},
    "required": [f"field_{i}" for i in range(0, 120, 3)],
    "additionalProperties": False,
}


def tasks_of(vocabulary: Vocabulary) -> dict[str, dict[str, Any]]:
    """For each task its grammar and a text in it."""
    found: dict[str, tuple[str, Any, Any]] = {
        "order": ("schema", batch.schema_of(1), batch.text_of(1)),
        "strings": ("schema", STRINGS, STRINGS_TEXT),
        "patterned names": ("schema", PATTERNED_NAMES, {"x-trace-id": "a4", "width": 4, "height_of_it": 12}),
        "choices": ("schema", CHOICES, [{"kind": "line", "to": [1, 2.5]}, {"kind": "circle", "r": 3}, "some of them"]),
        "wide": ("schema", WIDE, {f"field_{i}": f"value {i}" if i % 2 else None for i in range(120)}),
        "any JSON": ("schema", True, {"a": [1, {"b": None}], "text": "é\n", "more": [[], {}, -1.5e3]}),
        "JSON": ("ebnf", four_grammars.JSON, four_grammars.TEXTS["JSON"]),
        "XML": ("ebnf", four_grammars.MARKUP, four_grammars.TEXTS["XML"]),
        "Python DSL": ("ebnf", four_grammars.CODE, four_grammars.TEXTS["Python DSL"]),
        "date": ("regex", r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])( \d\d:\d\d)?", "2026-04-30 12:05"),
    }
    special = vocabulary.first_text_id
    tasks = {}
    for name, (kind, grammar, text) in found.items():
        text = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
        spelled = grammar if isinstance(grammar, str) else json.dumps(grammar)
        # The vocabulary of the program has no special tokens but one, at its end.
        tokens = [token - special for token in vocabulary.encode(text)]
        tasks[name] = {"kind": kind, "text": spelled, "tokens": tokens}
    return tasks


def write_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    tokens = [*vocabulary.tokens[vocabulary.first_text_id :], b"<stop>"]
    path.write_bytes(b"".join(struct.pack("<I", len(token)) + token for token in tokens))


def build() -> Path:
    """The program."""
    command = ["cargo", "build", "--release", "--locked", "-p", "penstock-matcher", "--example", "instructions"]
    command.append("--message-format=json")
    environment = os.environ | {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in PROFILE.items()}
    built = subprocess.run(command, cwd=FOLDER.parent, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return Path(next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "instructions"))


def count(program: Path, tasks: dict[str, dict[str, Any]], vocabulary: Vocabulary, folder: Path) -> dict[str, dict[str, Path]]:
    """Runs the program; for each part of each task the profile that callgrind wrote."""
    (folder / "tasks.json").write_text(json.dumps(list(tasks.values())))
    write_vocabulary(vocabulary, folder / "vocabulary")
    run(program, folder, "profile", f"--toggle-collect={FUNCTION}", f"--dump-after={FUNCTION}")
    profiles = {}
    for number, name in enumerate(tasks):
        profiles[name] = {part: folder / f"profile.{4 * number + at + 1}" for at, part in enumerate(PARTS)}
    return profiles


def run(program: Path, folder: Path, name: str, *options: str) -> None:
    arguments = [str(program), str(folder / "vocabulary"), str(folder / "tasks.json")]
    options = (*options, f"--callgrind-out-file={folder / name}")
    environment = os.environ | {"GLIBC_TUNABLES": TUNABLES}
    subprocess.run(["valgrind", "--tool=callgrind", "-q", *options, *arguments], check=True, env=environment)


def instructions(profile: Path) -> int:
    """The total of a profile."""
    for line in profile.read_text().splitlines():
        if line.startswith(("totals:", "summary:")):
            return int(line.split()[1])
    raise SystemExit(f"`{profile}` has no total; is this callgrind's file?")


def print_functions(program: Path, folder: Path, most: int) -> None:
    """Where the instructions of each part go, over all tasks. The files of one run know only its first part by function."""
    for part, ending in PARTS.items():
        run(program, folder, ending, f"--toggle-collect=penstock_part_{ending}")
        command = ["callgrind_annotate", str(folder / ending)]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows = [line for line in found.splitlines() if "%)" in line and "PROGRAM TOTALS" not in line]
        print(f"\n{part}", *(f"  {row.split('[')[0].strip()[:150]}" for row in rows[:most]), sep="\n")


def compare(found: dict[str, dict[str, int]], tolerance: float) -> tuple[list[str], list[str]]:
    """What grew and what shrank beyond the tolerance since the record."""
    before = json.loads(RECORD.read_text())["instructions"] if RECORD.is_file() else {}
    grown, shrunk = [], []
    for name, parts in found.items():
        for part, count in parts.items():
            known = before.get(name, {}).get(part)
            if known is None:
                grown.append(f"{name}, {part}: {count}, not recorded yet")
            elif count > known * (1 + tolerance):
                grown.append(f"{name}, {part}: {known} -> {count} ({count / known:.3f})")
            elif count < known * (1 - tolerance):
                shrunk.append(f"{name}, {part}: {known} -> {count} ({count / known:.3f})")
    return grown, shrunk


def toolchain() -> str:
    return subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def print_table(tasks: dict[str, dict[str, Any]], found: dict[str, dict[str, int]]) -> None:
    print(f"{'thousands of instructions':26s}" + "".join(f"{part:>14}" for part in PARTS) + f"{'tokens':>8}")
    for name, parts in found.items():
        size = len(tasks[name]["tokens"])
        cells = [parts["compile"], parts["first mask"], parts["first"] / size, parts["repeat"] / size]
        print(f"{name:26s}" + "".join(f"{cell / 1e3:14.2f}" for cell in cells) + f"{size:8d}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--tolerance", type=float, default=0.02)
    parser.add_argument("--tasks", default="")
    parser.add_argument("--functions", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("`valgrind` is not installed; install it to count instructions")
    vocabulary = tekken()
    tasks = tasks_of(vocabulary)
    tasks = {name: task for name, task in tasks.items() if not options.tasks or name in options.tasks.split(",")}
    program = build()
    with tempfile.TemporaryDirectory() as folder:
        profiles = count(program, tasks, vocabulary, Path(folder))
        found = {name: {part: instructions(path) for part, path in parts.items()} for name, parts in profiles.items()}
        if options.functions:
            print_functions(program, Path(folder), options.functions)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        print_table(tasks, found)
    if options.update:
        known = json.loads(RECORD.read_text())["instructions"] if RECORD.is_file() else {}
        record = {"toolchain": toolchain(), "instructions": known | found}
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return 0
    grown, shrunk = compare(found, options.tolerance)
    for line in grown:
        print(f"more: {line}")
    for line in shrunk:
        print(f"fewer, run again with --update: {line}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
