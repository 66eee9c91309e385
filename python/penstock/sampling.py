"""How a token is chosen: `Sampling` is what the user asks for, frozen and picklable.

The choice itself is `decoding/sampling.py`; its slow twin is `reference/sampling.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Sampling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The parameters of one generation.

    Logits pass through, in this order: `logit_bias`, `repetition_penalty`, `presence_penalty`, `no_repeat_ngram_size`,
    `bad_words_ids`; the grammar's mask; `top_k`, `top_p`, `min_p` (probabilities at `temperature`, ties by the lower id);
    then the token with the largest `logit / temperature + Gumbel noise` is taken. The noise is a hash of (seed, sample,
    output index, token id): one seed gives one text, whatever is drafted and whoever shares the batch.

    `temperature`: 0 takes the most likely token, the lowest id among equals. `seed`: None draws one; `Result.seed` tells it.
    `num_samples`: independent texts of one prompt, in `Result.samples`. `logprobs`: None for none; k adds to each token the
    k most likely ones, in natural logarithms of the model's own distribution, before penalties, mask and temperature.
    `stop`: texts that end the output and are not part of it. `repetition_penalty` looks at prompt and output,
    `presence_penalty` at the output alone.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    seed: int | None = None
    num_samples: int = 1
    logprobs: int | None = None
    stop: tuple[str, ...] = ()
    no_repeat_ngram_size: int = 0
    bad_words_ids: tuple[tuple[int, ...], ...] = ()
    logit_bias: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))
        object.__setattr__(self, "stop", tuple(self.stop))
        object.__setattr__(self, "bad_words_ids", tuple(tuple(word) for word in self.bad_words_ids))
        for name, holds, allowed in self._rules():
            if not holds:
                raise ValueError(f"`{name}` is `{getattr(self, name)}`; give {allowed}")

    def _rules(self) -> list[tuple[str, bool, str]]:
        def unit(value: float | None) -> bool:
            return value is None or 0 < value <= 1

        return [
            ("temperature", 0 <= self.temperature < float("inf"), "a finite number of at least 0"),
            ("top_k", self.top_k is None or self.top_k >= 1, "None or an integer of at least 1"),
            ("top_p", unit(self.top_p), "None or a number above 0 and up to 1"),
            ("min_p", self.min_p is None or 0 <= self.min_p <= 1, "None or a number from 0 to 1"),
            ("repetition_penalty", 0 < self.repetition_penalty < float("inf"), "a finite number above 0; 1 changes nothing"),
            ("presence_penalty", abs(self.presence_penalty) < float("inf"), "a finite number; 0 changes nothing"),
            ("seed", self.seed is None or 0 <= self.seed < 2**64, "None or an integer from 0 to 2**64 - 1"),
            ("num_samples", self.num_samples >= 1, "an integer of at least 1"),
            ("logprobs", self.logprobs is None or self.logprobs >= 0, "None or an integer of at least 0"),
            ("stop", all(self.stop), "texts of at least one character"),
            ("no_repeat_ngram_size", self.no_repeat_ngram_size >= 0, "an integer of at least 0; 0 changes nothing"),
            ("bad_words_ids", all(self.bad_words_ids), "sequences of at least one token id"),
        ]
