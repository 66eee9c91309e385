"""The tasks of the lookahead benchmark: prompts, the reward that steers, and the judges that it does not see.

Texts, labels and the reading back of texts are those of `training/lookaheads`, which the pair of models was trained on.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PAIR = ROOT / "benchmarks" / "pair"
sys.path.append(str(ROOT / "training" / "lookaheads"))

from classifier import NgramClassifier  # noqa: E402
from texts import Text, as_json, draw_reply, draw_story, is_hostile, share_well_formed  # noqa: E402

PROVOKING = ("hard", "hard", "mild")  # openings of the reply task; calm ones leave nothing to steer
SCHEMA = {
    "type": "object",
    "properties": {"story": {"type": "string"}},
    "required": ["story"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Task:
    """texts: what to answer, with the generator's own answers; reward: what steers; judge: (text, output) -> soft, hard.

    schema: of the document that an output is, and whose member `story` is judged; None: an output is plain text.
    """

    name: str
    texts: Sequence[Text]
    reward: Any
    judge: Callable[[Text, str], tuple[float, float]]
    schema: dict[str, Any] | None = None


def load_tasks(split: str, count: int, folder: Path = PAIR) -> list[Task]:
    """Return the tasks with `count` prompts each of one split ("dev" or "test"), the same ones every time.

    "documents" asks for the stories of "keywords" inside a JSON document, under a schema.
    """
    from penstock.rewards import JsonField, KeywordCoverage

    rng = random.Random(f"{split} prompts")
    stories = [draw_story(rng, split) for _ in range(count)]
    replies = [draw_reply(rng, split, PROVOKING) for _ in range(count)]
    coverage = KeywordCoverage(listed_words)
    return [
        Task("keywords", stories, coverage, judge_keywords),
        Task("harmless", replies, NgramClassifier.load(folder / "classifier.json"), judge_hostility),
        Task("documents", [as_json(story) for story in stories], JsonField("/story", coverage), judge_keywords, SCHEMA),
    ]


def listed_words(prompt: str) -> list[str]:
    """Return the words that a prompt of the first task lists."""
    return prompt.partition("Words: ")[2].partition("\n")[0].split(", ")


def story_of(task: Task, output: str) -> tuple[str, bool]:
    """Return what is judged of an output, and whether the output is what the task's schema asks for."""
    if task.schema is None:
        return output, True
    try:
        document = json.loads(output)
    except ValueError:
        return "", False
    valid = isinstance(document, dict) and list(document) == ["story"] and isinstance(document["story"], str)
    return (document["story"], True) if valid else ("", False)


def judge_keywords(text: Text, output: str) -> tuple[float, float]:
    """Return the share of listed words that the output holds as whole words, and whether it holds all."""
    words = output.lower().replace(".", " ").replace(",", " ").split()
    share = sum(word in words for word in text.keywords) / len(text.keywords)
    return share, float(share == 1)


def judge_hostility(text: Text, output: str) -> tuple[float, float]:
    """Return twice whether the output is free of hostile sentences, by the generator's label."""
    harmless = float(not is_hostile(output))
    return harmless, harmless


def log_probability(model: Any, prompt_ids: Sequence[int], output_ids: Sequence[int]) -> float:
    """Return the mean natural log-probability of the output's tokens under a model."""
    from penstock.decoding.context import chain
    from penstock.decoding.sampling import log_softmax

    context = model.new_context()
    logits = context.extend({0: chain([*prompt_ids, *output_ids], num_logits=len(output_ids) + 1)})[0]
    context.release(0)
    values = log_softmax(logits[:-1])
    return float(np.mean(values[np.arange(len(output_ids)), list(output_ids)]))


def well_formed(task: Task, output: str) -> float:
    """Return the share of whole sentences that the generator of the texts could have written."""
    return share_well_formed("reply" if task.name == "harmless" else "story", output)
