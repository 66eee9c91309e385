"""What a run hands back: `Result`, what it cost (`Stats`), and the events of a stream. All of it pickles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

__all__ = ["Done", "Event", "FinishReason", "PartialValue", "Result", "Stats", "TextDelta", "TokenLogprob"]

T = TypeVar("T")

FinishReason: TypeAlias = Literal["stop", "stop_string", "length", "closed", "cancelled", "error"]
"""`stop`: a stop token, or a grammar that allows nothing else; `stop_string`: one of `Sampling.stop`; `length`: the token
budget ended; `closed`: it ended, and the shortest completion was appended; `cancelled`; `error`."""


@dataclass(slots=True)
class Stats:
    """What one text cost. Seconds are wall clock; a forward shared by a batch counts in full for each of its rows."""

    forwards: dict[str, int] = field(default_factory=dict)  # by model name: "target", "draft"
    positions: dict[str, int] = field(default_factory=dict)  # nodes evaluated, by model name
    num_drafts: int = 0  # target forwards that carried a draft tree or could have
    num_draft_tokens: int = 0  # drafted nodes, the last committed token not counted
    num_accepted_tokens: int = 0
    num_reward_calls: int = 0
    seconds: float = 0.0  # from submission to the end
    model_seconds: float = 0.0
    mask_seconds: float = 0.0
    choose_seconds: float = 0.0

    @property
    def num_forwards(self) -> int:
        """Forwards of the target model."""
        return self.forwards.get("target", 0)

    @property
    def num_positions(self) -> int:
        """Positions evaluated by the target model, the prompt's included."""
        return self.positions.get("target", 0)

    @property
    def acceptance_rate(self) -> float:
        """Accepted / drafted tokens; 0 where nothing was drafted."""
        return self.num_accepted_tokens / self.num_draft_tokens if self.num_draft_tokens else 0.0

    @property
    def mean_acceptance_length(self) -> float:
        """Tokens gained by one drafted forward, the bonus token counted."""
        return 1 + self.num_accepted_tokens / self.num_drafts if self.num_drafts else 1.0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """Natural log-probability of one output token under the model itself, before mask, penalties and temperature."""

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()  # the most likely (token id, logprob), best first


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """One text and the value it stands for.

    `token_ids` are the output's tokens without the stop token; with finish reason `closed`, `text` is longer than they
    spell. `value` is None where the text is not complete. `samples` holds all texts of the prompt, this one first, where
    `Sampling.num_samples` asked for several.
    """

    value: T | None
    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    seed: int
    logprobs: list[TokenLogprob] | None = None
    prompt_token_ids: list[int] = field(default_factory=list, repr=False)
    stats: Stats = field(default_factory=Stats)
    samples: tuple[Result[T], ...] = field(default=(), repr=False)
    details: dict[str, Any] = field(default_factory=dict, repr=False)  # what a strategy wants to tell, such as its reward


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New text of a stream; all deltas together are `Result.text`."""

    text: str


@dataclass(frozen=True, slots=True)
class PartialValue:
    """The JSON value as far as it is written: open strings, arrays and objects are closed where they stand."""

    value: Any


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The last event of a stream."""

    result: Result[T]


Event: TypeAlias = TextDelta | PartialValue | Done[T]
