"""How often a small draft model guesses what the target samples, with and without the sampler's noise.

    python benchmarks/draft_model.py [--pair benchmarks/pair] [--prompts 24] [--json] [--no-record]

The target writes texts by itself. At every position of them the draft model guesses the next token in four ways: `shared
noise`, its own logits with the noise that the sampler adds (what `ModelDrafter` does); `own noise`, an independent sample;
`greedy draft`, its most likely token. `1 - TV` is the overlap of both distributions, which no scheme of acceptance and
rejection can exceed. Then the loop itself: `ModelDrafter` drafts 4 tokens a step, and the text is compared with the plain one.
Counts only, so a busy machine changes nothing.
Biases: one family of small models, trained on the same texts; its draft model is nearer to its target than yours may be.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from lookaheads_tasks import load_tasks
from records import make_parser, report

PAIR = Path(__file__).parent / "pair"
TEMPERATURES = (0.0, 0.5, 0.8, 1.0, 1.3)
GUESSES = ("shared noise", "own noise", "greedy draft", "1 - TV")
MAX_TOKENS = 112


def logits_along(model: Any, path: Sequence[int], count: int) -> Any:
    """Return float32 [count, vocab], the logits behind each of the last `count` tokens of a path but its end."""
    from penstock.decoding.context import chain

    return model.new_context().extend({0: chain(path[:-1], num_logits=count)})[0]


def guesses(target: Any, draft: Any, text: Any, temperature: float, seed: int) -> Any:
    """Return for each token of one text whether each way guessed it, and the overlap: float [tokens, 4]."""
    from penstock.decoding.sampling import GumbelNoise, log_softmax

    path, count = [*text.prompt_token_ids, *text.token_ids], len(text.token_ids)
    rows = []
    ids, shared, own = np.arange(target.vocab_size), GumbelNoise(seed, 0), GumbelNoise(seed + 1_000_003, 0)
    both = logits_along(target, path, count), logits_along(draft, path, count)
    for place, token in enumerate(text.token_ids):
        p, q = (log_softmax(logits[place] / max(temperature, 1e-4)) for logits in both)
        noisy = (
            [int(np.argmax(q + noise.at(place, ids))) for noise in (shared, own)] if temperature else [int(np.argmax(q))] * 2
        )
        overlap = float(np.minimum(np.exp(p), np.exp(q)).sum())
        rows.append([*(guess == token for guess in (*noisy, int(np.argmax(q)))), overlap])
    return np.array(rows, dtype=np.float64).reshape(-1, len(GUESSES))


def measure(target: Any, draft: Any, prompts: Sequence[str], temperature: float) -> dict[str, Any]:
    """Return the shares of right guesses, and what the loop makes of them."""
    from penstock import Generator, Sampling
    from penstock.decoding import Lookahead, ModelDrafter

    plain, drafted = Generator(target, drafter=None), Generator(target, strategy=Lookahead(ModelDrafter(draft, 4), budget=4))
    rows, forwards, tokens, draft_forwards = [], 0, 0, 0
    for seed, prompt in enumerate(prompts):
        options: dict[str, Any] = {"max_tokens": MAX_TOKENS, "sampling": Sampling(temperature=temperature, seed=seed)}
        text = plain.run(prompt, **options)
        again = drafted.run(prompt, **options)
        if again.token_ids != text.token_ids:
            raise SystemExit("the draft model changed a text; please report it")
        rows.append(guesses(target, draft, text, temperature, seed))
        forwards += again.stats.forwards["target"]
        draft_forwards += again.stats.forwards["draft"]
        tokens += len(text.token_ids) + 1
    shares = np.concatenate(rows).mean(axis=0)
    found: dict[str, Any] = {name: round(float(share), 4) for name, share in zip(GUESSES, shares, strict=True)}
    return found | {
        "tokens": tokens,
        "target forwards a token": round(forwards / tokens, 4),
        "draft forwards a token": round(draft_forwards / tokens, 4),
    }


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--pair", type=Path, default=PAIR, help="a folder with the models `target` and `draft`")
    parser.add_argument("--prompts", type=int, default=24)
    options = parser.parse_args()
    weights = [options.pair / name / "model.safetensors" for name in ("target", "draft")]
    if not all(path.is_file() for path in weights):
        print(f"no pair of models in {options.pair}; give --pair", file=sys.stderr)
        return 1
    import penstock

    target, draft = (penstock.models.load(str(path.parent), backend="numpy") for path in weights)
    prompts = [text.prompt for task in load_tasks("test", options.prompts, options.pair) for text in task.texts]
    record: dict[str, Any] = {"prompts": len(prompts)}
    record["models"] = {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in weights}
    record["temperatures"] = {}
    for temperature in TEMPERATURES:
        row = record["temperatures"][temperature] = measure(target, draft, prompts, temperature)
        if not options.json:
            print(f"T {temperature}: " + ", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    report("draft-model", record, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
