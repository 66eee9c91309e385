"""What the loop asks of a drafter. Any object with these methods will do; `penstock.drafting` holds ours.

Drafts never change the output: a wrong one costs a wider forward, nothing else.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from penstock.decoding.sampling import GumbelNoise

__all__ = ["DraftSession", "Drafter", "Tree", "tell"]

_log = logging.getLogger("penstock")


@functools.lru_cache(maxsize=64)
def tell(message: str) -> None:
    """Log a warning about drafts, once."""
    _log.warning("%s; such steps are not drafted", message)


class Tree(Protocol):
    """A draft tree: `penstock.DraftTree`, or anything with its two columns.

    Node 0 stands for the last token of the text; its parent is -1. Parents come before children, best nodes first, so that
    every beginning is a tree.
    """

    @property
    def token_ids(self) -> Sequence[int]: ...

    @property
    def parents(self) -> Sequence[int]: ...


@runtime_checkable
class DraftSession(Protocol):
    """The drafts of one text."""

    def propose(self, budget: int) -> Tree:
        """Return a tree of at most `budget` nodes besides node 0."""
        ...

    def extend(self, token_ids: Sequence[int]) -> None:
        """Tell what was really written since the last call."""
        ...

    def finish(self) -> None:
        """The text has ended, well or not."""
        ...


@runtime_checkable
class Drafter(Protocol):
    """Starts sessions; shared by many texts at once."""

    def start(self, prompt_ids: Sequence[int], *, noise: GumbelNoise | None = None) -> DraftSession | Any:
        """Open the session of one text; drafters may read `noise.at(output_index, token_ids)`, which the sampler will add."""
        ...
