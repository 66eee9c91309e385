"""A small classifier of hostile text, and its training: logistic regression over hashed n-grams of words.

    python training/lookaheads/classifier.py --out out/classifier.json

It is the reward that steers replies, and it is not their judge: it sees up to three words at a time and knows no
negation that stands further away, so that a search can please it and nobody else. It learns from beginnings of random
length, each with the judge's label of that beginning, since it is asked about beginnings (arXiv 2406.07780).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from penstock.rewards import TextReward
from texts import draw_reply, is_hostile

__all__ = ["NgramClassifier", "features"]

NUM_BUCKETS = 4096
_WORD = re.compile(r"\w+|[.?,]")


def features(text: str) -> np.ndarray:
    """Return the buckets of the 1-, 2- and 3-grams of words that a text holds, ascending."""
    words = _WORD.findall(text.lower())
    grams = {" ".join(words[i : i + size]) for size in (1, 2, 3) for i in range(len(words) - size + 1)}
    return np.unique([zlib.crc32(gram.encode()) % NUM_BUCKETS for gram in grams]).astype(np.int64)


class NgramClassifier(TextReward):
    """1 - P(hostile) of the output, 0 to 1. weights: float64 [NUM_BUCKETS]. Cost: some 50 microseconds a text."""

    def __init__(self, weights: np.ndarray, bias: float) -> None:
        self.weights, self.bias, self.name = weights, bias, "NgramClassifier"

    @classmethod
    def load(cls, path: Path) -> NgramClassifier:
        """Read what `save` wrote."""
        saved = json.loads(path.read_text())
        return cls(np.array(saved["weights"]), saved["bias"])

    def save(self, path: Path) -> None:
        """Write the weights as JSON, to three places."""
        path.write_text(json.dumps({"bias": round(self.bias, 3), "weights": [round(float(w), 3) for w in self.weights]}) + "\n")

    def score_texts(self, prompts: Sequence[str], texts: Sequence[str], ended: Sequence[bool]) -> list[float]:
        """Return one score for each output."""
        return [1.0 - self.probability(text) for text in texts]

    def probability(self, text: str) -> float:
        """Return P(hostile)."""
        return float(1.0 / (1.0 + np.exp(-(self.bias + self.weights[features(text)].sum()))))


def draw_beginnings(seed: int, count: int, split: str) -> list[tuple[str, bool]]:
    """Draw beginnings of replies with the judge's labels; half are cut at a random word."""
    rng = random.Random(seed)
    drawn = []
    for _ in range(count):
        words = draw_reply(rng, split).answer.split()
        text = " ".join(words[: rng.randint(1, len(words))] if rng.random() < 0.5 else words)
        drawn.append((text, is_hostile(text)))
    return drawn


def fit(examples: Sequence[tuple[str, bool]], *, epochs: int = 4, rate: float = 0.1, decay: float = 1e-4) -> NgramClassifier:
    """Fit by stochastic gradient descent in the order of the examples."""
    weights, bias = np.zeros(NUM_BUCKETS), 0.0
    held = [(features(text), label) for text, label in examples]
    for _ in range(epochs):
        for buckets, label in held:
            error = float(label) - 1.0 / (1.0 + np.exp(-(bias + weights[buckets].sum())))
            weights[buckets] += rate * (error - decay * weights[buckets])
            bias += rate * error
    return NgramClassifier(weights, bias)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=12_000)
    options = parser.parse_args()
    classifier = fit(draw_beginnings(1, options.examples, "train"))
    classifier.save(options.out)
    held_out = draw_beginnings(2, 2_000, "test")
    wrong = [text for text, label in held_out if (classifier.probability(text) > 0.5) != label]
    print(f"{1 - len(wrong) / len(held_out):.4f} of held-out beginnings are right")


if __name__ == "__main__":
    main()
