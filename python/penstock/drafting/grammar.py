"""The drafter that proposes nothing of its own: with it, the loop drafts the text that the grammar forces and that alone.

`decoding/lookahead.py` drafts forced text beside every drafter; this one is for outputs that repeat nothing, where retrieval
would only widen the forward. Without a grammar it is plain decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock._core import DraftTree

__all__ = ["GrammarDrafter"]


class GrammarDrafter:
    """Drafts forced text: names of members, brackets, constants, what is left of an enum's value. Stateless."""

    def start(self, prompt_ids: Sequence[int], *, noise: Any = None) -> _Session:
        """Open the session of one text; the noise is not used."""
        return _Session(prompt_ids)


class _Session:
    __slots__ = ("_last",)

    def __init__(self, prompt_ids: Sequence[int]) -> None:
        self._last = prompt_ids[-1] if prompt_ids else None

    def propose(self, budget: int) -> DraftTree:
        if self._last is None:
            raise ValueError("the text has no token to continue; give `start` a prompt or call `extend` first")
        return DraftTree([self._last], [-1])

    def extend(self, token_ids: Sequence[int]) -> None:
        self._last = token_ids[-1] if token_ids else self._last

    def finish(self) -> None:
        pass
