# ruff: noqa: E501 (the card is text)
"""Measures a trained pair on dev texts and writes its model card, with the checksums of its files.

    PYTHONPATH=../../python python card.py --pair ../../benchmarks/pair --out out

`--out` holds the checkpoints that the trainings left (`draft/checkpoint.pt`, `target/checkpoint.pt`): steps and tokens are
read there. Without it the card leaves them out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import penstock
import torch
from lexicon import KEYWORDS, WORDS
from penstock.decoding.context import chain
from penstock.decoding.sampling import log_softmax
from texts import Text, as_json, draw_reply, draw_story

NUM_TEXTS = 100
CARD = """# Model card: the draft and the target of the lookahead benchmark

Two Llamas of one tokenizer and a classifier of hostile text. They write the stories and replies of a made-up world of some
hundred words, and exist for one purpose: to measure searches that are steered by a reward (`penstock bench lookaheads`), and
drafts that a larger model checks. They are part of the source tree, not of the package.

## How they were made

| | target | draft |
|---|---|---|
{made}
| tokenizer | byte-level BPE, 704 entries, trained on drawn texts | the same |
| data | texts drawn from seeds (`training/lookaheads/texts.py`): stories, replies, stories in JSON; no text of other people, no personal data | the same |
| start | the draft, made wider and deeper by `training/lookaheads/widen.py` | random |
| weights | mean over the last 200 steps or so, bfloat16 | the same |
| licence | Apache-2.0, as the rest of the project | |

The commands are in `training/lookaheads/README.md`, seed 0 for the draft and 7 for the target. {note}The classifier is a logistic
regression over hashed n-grams of words (`training/lookaheads/classifier.py`), trained on 12,000 beginnings of replies with the
generator's own labels.

## What they learned

{count} held-out texts of each kind, none of their word sets or openings seen in training; natural logarithms.

| | target | draft |
|---|---:|---:|
{learned}

A perfect model would give `Then` about the share of sentences that tell of a listed word, and a listed word behind it a
probability near 1: what such a sentence holds is known, whether it comes is not. So the likeliest story leaves words out that
the model can write, which is what a search by a reward needs.

## Limits

They know their generator's sentences and nothing else: no English beyond it, no facts, no instructions. The draft is nearly as
good as the target, since the texts are simple: the two disagree where several words are about as likely, on one token in
eight of a story and one in thirteen of a reply. Ratios of forwards that are measured on them carry over to other pairs only as
far as agreement and headroom are alike.

## Files

| file | sha256 |
|---|---|
{files}
"""


def dev_texts() -> dict[str, list[Text]]:
    """Return held-out texts by kind, the same ones every time."""
    rng = random.Random(5)
    stories = [draw_story(rng, "dev") for _ in range(NUM_TEXTS)]
    return {
        "stories": stories,
        "replies": [draw_reply(rng, "dev") for _ in range(NUM_TEXTS)],
        "documents": [as_json(story) for story in stories],
    }


def logprobs(model: Any, texts: Sequence[Text]) -> Iterator[tuple[Text, list[str], np.ndarray]]:
    """Yield each text with the words and the log-probabilities of its answer's tokens."""
    context = model.new_context()
    for text in texts:
        prompt = model.tokenizer.encode(text.prompt)
        answer = model.tokenizer.encode(text.answer, add_special_tokens=False)
        rows = log_softmax(context.extend({0: chain([*prompt, *answer], num_logits=len(answer) + 1)})[0])
        context.release(0)
        yield text, [model.tokenizer.decode([token]).strip() for token in answer], rows[np.arange(len(answer)), answer]


def learned(model: Any) -> dict[str, float]:
    """Return what the card says of one model, by its row's label."""
    found: dict[str, float] = {}
    for kind, texts in dev_texts().items():
        values = np.concatenate([each for _, _, each in logprobs(model, texts)])
        found[f"loss an answer token, {kind}"] = -float(values.mean())
    held = defaultdict(list)
    for text, words, values in logprobs(model, dev_texts()["stories"]):
        for word, value in zip(words, values, strict=True):
            kind = next((kind for kind in KEYWORDS if word in WORDS[kind] and word in text.keywords), None)
            if word == "Then" or kind:
                held["P(`Then`) where it stands" if word == "Then" else f"P(listed {kind})"].append(np.exp(value))
    return found | {label: float(np.mean(held[label])) for label in sorted(held)}


def made(pair: Path, out: Path | None) -> list[str]:
    """Return the card's rows on sizes and training."""
    rows = defaultdict(list)
    for name in ("target", "draft"):
        config = json.loads((pair / name / "config.json").read_text())
        matrices = (
            config["num_hidden_layers"] * config["hidden_size"] * (4 * config["hidden_size"] + 3 * config["intermediate_size"])
        )
        norms = (2 * config["num_hidden_layers"] + 1) * config["hidden_size"]
        rows["parameters"].append(f"{matrices + norms + config['vocab_size'] * config['hidden_size']:,}")
        rows["architecture"].append(
            f"LlamaForCausalLM: hidden {config['hidden_size']}, {config['num_hidden_layers']} layers, {config['num_attention_heads']} heads, "
            f"SwiGLU {config['intermediate_size']}, tied embeddings"
        )
        if out is not None:
            state = torch.load(out / name / "checkpoint.pt")
            rows["steps, tokens"].append(f"{state['step']:,}, {state['tokens_seen'] / 1e6:.1f} million")
    return [f"| {label} | {' | '.join(cells)} |" for label, cells in rows.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--note", default="", help="a sentence on what was done otherwise")
    options = parser.parse_args()
    target, draft = (learned(penstock.models.load(str(options.pair / name), backend="numpy")) for name in ("target", "draft"))
    files = sorted(path for path in options.pair.rglob("*") if path.is_file() and path.name != "MODEL_CARD.md")
    sums = [
        f"| `{path.relative_to(options.pair).as_posix()}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |"
        for path in files
    ]
    card = CARD.format(
        made="\n".join(made(options.pair, options.out)), count=NUM_TEXTS, note=options.note and f"{options.note} ",
        learned="\n".join(f"| {label} | {target[label]:.3f} | {draft[label]:.3f} |" for label in target), files="\n".join(sums),
    )  # fmt: skip
    (options.pair / "MODEL_CARD.md").write_text(card)
    print(card)


if __name__ == "__main__":
    main()
