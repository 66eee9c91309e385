"""The probability that a sequence classifier of transformers gives to a label, as a reward.

It is asked about beginnings of texts: a classifier that was trained on whole texts alone is no judge of them, so train or
choose one that has seen prefixes (arXiv 2406.07780).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from penstock.rewards.text import TextReward

__all__ = ["Classifier"]


class Classifier(TextReward):
    """P(label) of a classifier, in 0 to 1; with `avoid`, 1 - P(label).

    model: a transformers model with a sequence classification head: softmax over its labels, sigmoid for a head of one output
    or of problem type "multi_label_classification". label: a name of `config.id2label`, or an index. with_prompt: the
    prompt's text stands before the output. Texts longer than `max_length` tokens lose their beginning.
    Cost: one forward of the classifier for each `batch_size` texts. Nothing is ever settled.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        label: str | int,
        *,
        avoid: bool = False,
        with_prompt: bool = False,
        max_length: int | None = 512,
        batch_size: int = 32,
        name: str | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"`batch_size` is `{batch_size}`; give at least 1 text")
        self.model, self.tokenizer = model, copy.copy(tokenizer)
        self.tokenizer.truncation_side = "left"
        self.label, self.avoid, self.with_prompt = _label_index(model.config, label), avoid, with_prompt
        self.max_length, self.batch_size = max_length, batch_size
        self.name = name or f"Classifier({label!r})"
        self._sigmoid = model.config.num_labels == 1 or model.config.problem_type == "multi_label_classification"

    @classmethod
    def load(cls, path: str, label: str | int, **options: Any) -> Classifier:
        """Load model and tokenizer from a folder or a hub name. Needs the extra `penstock[transformers]`."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        model = AutoModelForSequenceClassification.from_pretrained(path)
        model.eval()
        return cls(model, AutoTokenizer.from_pretrained(path), label, **options)

    def score_texts(self, prompts: Sequence[str], texts: Sequence[str], ended: Sequence[bool]) -> list[float]:
        """Classify the texts in batches."""
        whole = [prompt + text for prompt, text in zip(prompts, texts, strict=True)] if self.with_prompt else list(texts)
        scores: list[float] = []
        for start in range(0, len(whole), self.batch_size):
            scores += self._probabilities(whole[start : start + self.batch_size])
        return [1.0 - score for score in scores] if self.avoid else scores

    def _probabilities(self, texts: list[str]) -> list[float]:
        import torch

        inputs = self.tokenizer(
            texts, return_tensors="pt", padding=True, truncation=self.max_length is not None, max_length=self.max_length
        )
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            logits = self.model(
                **{name: tensor.to(device) for name, tensor in inputs.items()}
            ).logits.double()  # [texts, labels]
        shares = logits.sigmoid() if self._sigmoid else logits.softmax(-1)
        return [float(share) for share in shares[:, self.label].tolist()]


def _label_index(config: Any, label: str | int) -> int:
    names = {int(index): name for index, name in config.id2label.items()}
    found = [index for index, name in names.items() if label in (index, name)]
    if not found:
        raise ValueError(f"the classifier has no label `{label}`; give one of {', '.join(f'`{n}`' for n in names.values())}")
    return found[0]
