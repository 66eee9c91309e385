# ruff: noqa: E501 (the card is text)
"""Puts a trained model into the package: copies its files, measures it, and writes the model card with their checksums.

    PYTHONPATH=python python training/release.py --model out/tiny --loss 0.12

`--loss` is the last one that training showed. Steps and tokens are read from the checkpoint beside the model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from evaluate import SPLITS, TEMPERATURES, Generate, constrained, json_tasks, measure, other_formats, unconstrained
from penstock.models.llama_numpy import TINY_PATH

FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
CARD = """# Model card: the bundled model of Penstock

A Llama with {parameters:,} parameters that reads a short English text and writes what it says as JSON, XML or a call. It exists for
examples, tests and benchmarks that must run anywhere: no download, no GPU, about a millisecond a token in numpy.

## How it was made

| | |
|---|---|
| architecture | LlamaForCausalLM: {architecture}, tied embeddings, rope_theta 10,000 |
| tokenizer | byte-level BPE, 2,048 entries, trained on drawn tasks (`training/tokenizer.py`) |
| data | synthetic tasks drawn from seeds (`training/tasks.py`); no text of other people, no personal data |
| command | `{command}` |
| start | {start} |
| seed, steps, tokens | 0, {steps:,}, {tokens:.1f} million |
| loss | {loss} per answer token, the running mean at the end |
| weights | mean over the last 200 steps or so, bfloat16 |
| licence | Apache-2.0, as the rest of the package |

## What it can do

{count} JSON tasks a row, none seen in training; *valid* means that jsonschema accepts the answer, *fields* is the share of
values that are right and in the right place, *all right* means that nothing is missing or wrong. No grammar was applied.
Most tasks hold several of: nested objects, lists of records, distracting sentences, nulls, invented keys.

| tasks | temperature | valid | fields right | all right |
|---|---:|---:|---:|---:|
{table}

The same tasks under the grammar of their schema (a JSON Schema mask at every step; a text that reaches the length limit is
closed by its shortest completion):

| tasks | temperature | valid | fields right | all right |
|---|---:|---:|---:|---:|
{constrained}

Spelled exactly as expected, new names, greedy, by the wanted format: {formats}.
Run it again with `PYTHONPATH=python python training/evaluate.py --tasks {count}`; add `--constrained` for the same tasks under a grammar.

## Limits

It knows the phrasings of its training and little English beyond them: unusual sentences make it pick the wrong value, and a
grammar then guarantees the form, not the truth. Texts above some 300 tokens are outside of what it has seen, although it runs up to
1,024. It answers no questions, follows no other instructions and knows no facts. Use it to try the library, not to extract data.

## Files

| file | sha256 |
|---|---|
{checksums}
"""


def copy_files(source: Path) -> str:
    """Copy the model into the package; return the rows of the table of checksums."""
    TINY_PATH.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in FILES:
        shutil.copyfile(source / name, TINY_PATH / name)
        rows.append(f"| `{name}` | `{hashlib.sha256((TINY_PATH / name).read_bytes()).hexdigest()}` |")
    return "\n".join(rows)


def table(generate: Generate, count: int) -> str:
    """The rows of the held-out tasks."""
    rows = []
    for name, split in SPLITS.items():
        tasks = json_tasks(split, count, seed=1)
        rows += [f"| {name} | {t} | {measure(generate, tasks, t, seed=1).row()} |" for t in TEMPERATURES]
    return "\n".join(rows)


def formats(generate: Generate, count: int) -> str:
    """The line about other formats."""
    found = other_formats(generate, count, seed=1)
    return ", ".join(f"{kind} {right} of {total}" for kind, (right, total) in sorted(found.items()))


def architecture(config: dict[str, Any]) -> str:
    heads = config["num_attention_heads"]
    return (
        f"hidden {config['hidden_size']}, {config['num_hidden_layers']} layers, {heads} heads of {config['hidden_size'] // heads}, "
        f"{config['num_key_value_heads']} key heads, SwiGLU {config['intermediate_size']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--loss", required=True)
    parser.add_argument("--command", default="python training/train.py --out DIR --steps 5000 --decay-steps 5000")
    parser.add_argument("--start", default="random weights", help="what training started from")
    parser.add_argument("--tasks", type=int, default=300)
    args = parser.parse_args()
    checkpoint = torch.load(args.model / "checkpoint.pt", map_location="cpu")
    checksums = copy_files(args.model)
    free = unconstrained(TINY_PATH)
    measured = {
        "table": table(free, args.tasks),
        "constrained": table(constrained(), args.tasks),
        "formats": formats(free, args.tasks),
    }
    measured["architecture"] = architecture(json.loads((TINY_PATH / "config.json").read_text()))
    numbers = {"parameters": sum(w.numel() for name, w in checkpoint["model"].items() if name != "lm_head.weight")}
    numbers |= {"steps": checkpoint["step"], "tokens": checkpoint["tokens_seen"] / 1e6, "loss": args.loss, "count": args.tasks}
    card = CARD.format(**numbers, **measured, command=args.command, start=args.start, checksums=checksums)
    (TINY_PATH / "MODEL_CARD.md").write_text(card)


if __name__ == "__main__":
    main()
