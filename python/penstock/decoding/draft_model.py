"""Drafts from a smaller model: a chain of tokens that it would write with the target's own noise, mask and processors.

Its forwards go through the engine as growths of the model "draft", so that all rows share them. What it chooses is the
same function as the target's choice, on other logits: where both models agree on the winner, the draft is accepted, at any
temperature (sampling by shared noise: arXiv 2408.07978).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from collections.abc import Sequence as Ids
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.decoding.context import Growth, Logits
from penstock.decoding.drafter import tell
from penstock.decoding.sampling import SamplingState, choose
from penstock.decoding.sequence import Sequence
from penstock.errors import DeadEndError, GenerationError

__all__ = ["ModelDrafter"]


@dataclass(frozen=True)
class ModelDrafter:
    """A drafter for `Lookahead`. model: a `Model` with the target's vocabulary. num_tokens: drafts of one step, at most."""

    model: Any
    num_tokens: int = 4

    def __post_init__(self) -> None:
        if self.num_tokens < 1:
            raise ValueError(f"`num_tokens` is `{self.num_tokens}`; give at least 1")

    @property
    def models(self) -> Mapping[str, Any]:
        """The models whose contexts a sequence needs besides the target's."""
        return {"draft": self.model}

    def start(self, prompt_ids: Ids[int], *, noise: Any = None) -> _Session:
        """Open the session of one text; the noise is the sequence's own."""
        return _Session(self)


class _Session:
    """`grow` instead of `propose`: it needs forwards, and asks the engine for them."""

    def __init__(self, drafter: ModelDrafter) -> None:
        self._drafter = drafter
        self._num_cached = 0  # committed tokens in the draft model's cache
        self._fed: list[int] = []  # tokens in its open tree, a chain behind the committed ones

    def extend(self, token_ids: Ids[int]) -> None:
        pass  # the sequence itself tells what was written

    def finish(self) -> None:
        pass  # the engine releases the row

    def grow(self, sequence: Sequence, budget: int) -> Generator[tuple[str, Growth], Logits, tuple[list[int], list[int]]]:
        """Return a tree, a chain of at most `budget` nodes below the last token, as (token_ids, parents)."""
        written = [*sequence.prompt_ids, *sequence.token_ids]
        limit = self._drafter.model.max_positions
        room = budget if limit is None else min(budget, limit - len(written))
        drafts: list[int] = []
        vocab_size = sequence.contexts["draft"].vocab_size
        if room > 0 and max(written[self._num_cached :]) >= vocab_size:
            tell(f"the draft model has `{vocab_size}` tokens, fewer than the text uses")
        elif room > 0:
            self._settle(sequence, written)
            drafts = yield from self._draft(sequence, written, min(room, self._drafter.num_tokens))
        return [written[-1], *drafts], list(range(-1, len(drafts)))

    def _settle(self, sequence: Sequence, written: list[int]) -> None:
        """Keep what the draft model has read of the text; forget the drafts that were refused."""
        new = written[self._num_cached :]
        agreed = next(
            (i for i, (a, b) in enumerate(zip(self._fed, new, strict=False)) if a != b), min(len(self._fed), len(new))
        )
        agreed = min(agreed, len(new) - 1)  # the last token is read again: its logits are what comes next
        if self._fed:
            sequence.keep(range(agreed), model="draft")
        self._num_cached += agreed if self._fed else 0
        self._fed = []

    def _draft(
        self, sequence: Sequence, written: list[int], num_tokens: int
    ) -> Generator[tuple[str, Growth], Logits, list[int]]:
        matcher = None if sequence.matcher is None else sequence.matcher.fork()
        state = sequence.state
        ahead = SamplingState(state.sampling, state.noise, state.prompt_ids, list(state.output_ids), state.processor)
        missing = written[self._num_cached :]
        drafts: list[int] = []
        while len(drafts) < num_tokens:
            parent = len(self._fed) - 1
            growth = Growth(missing, list(range(parent, parent + len(missing))), 1)
            self._fed += missing
            logits = yield "draft", growth
            token = _choice(logits[-1], matcher, sequence.num_mask_words, ahead)
            if token is None or token in sequence.stop_token_ids:
                break
            drafts.append(token)
            ahead.output_ids.append(token)
            missing = [token]
        return drafts


def _choice(logits: Any, matcher: Any, num_mask_words: int, state: SamplingState) -> int | None:
    """Return the token that the draft model would write, or None in a dead end; the matcher moves on."""
    bitmask = None
    if matcher is not None:
        row = np.empty((1, num_mask_words), dtype=np.int32)
        bitmask = row[0] if matcher.fill_next_token_bitmask(row, 0) else None
    try:
        token = choose(logits, bitmask, state)
    except DeadEndError:
        return None
    except GenerationError as error:
        if error.code != "logits_not_finite":
            raise
        tell("the draft model's logits hold `nan`")
        return None
    if matcher is not None and not matcher.accept_token(token):
        return None
    return token
