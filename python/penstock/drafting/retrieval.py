"""Drafts from what was written before: `RetrievalIndex` as a drafter of the decoding loop.

The search is native (`crates/drafting`); its slow, readable twin is `reference/retrieval.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock._core import DraftTree, RetrievalIndex
from penstock.decoding.width import LearnedCost, Width

__all__ = ["RetrievalDrafter"]


class RetrievalDrafter:
    """Proposes what followed the last tokens before: in the same text, prompt included, or in finished outputs.

    `index`: a `RetrievalIndex` to share with others; None makes one. `share`: finished outputs become searchable for later
    texts of the same `namespace`; prompts never do. How fast a text comes tells a reader what others wrote: give tenants that
    must not learn of each other namespaces of their own, or `share=False`.
    `width_cost`: a, `setup_cost`: b, if a forward over w > 0 drafted nodes costs about 1 + b + a * w plain ones; each step then
    drafts what pays, and the budget is a ceiling. A `LearnedCost` in the place of a follows the forwards that are run, at each
    length of context. None fills the budget. `use_noise`: rank by the sampler's noise; worth it for texts sampled at a
    temperature near 1, harmful at 0. Thread-safe.
    """

    def __init__(
        self,
        index: RetrievalIndex | None = None,
        *,
        share: bool = True,
        namespace: str = "",
        width_cost: float | LearnedCost | None = None,
        setup_cost: float = 0.0,
        use_noise: bool = False,
    ) -> None:
        self.index = RetrievalIndex() if index is None else index
        self.share, self.namespace = share, namespace
        self.width_cost, self.setup_cost, self.use_noise = width_cost, setup_cost, use_noise
        # For trees that a grammar prunes before they are cut.
        self.width = None if width_cost is None else Width(width_cost, setup_cost)

    def start(self, prompt_ids: Sequence[int], *, noise: Any = None) -> Any:
        """Open the session of one text: `propose(budget)`, `extend(token_ids)`, `finish()`. Cost: linear in the prompt."""
        request = self.index.start(prompt_ids, share=self.share, namespace=self.namespace)
        if self.width_cost is None and not self.use_noise:
            return request
        return _Session(request, self.width, noise if self.use_noise else None, len(prompt_ids))

    def save(self, path: str | Path, tokenizer_info: Any) -> None:
        """Write the finished outputs of the index to a file, for `restore` with the same vocabulary."""
        Path(path).write_bytes(self.index.to_bytes(fingerprint=_fingerprint(tokenizer_info)))

    def restore(self, path: str | Path, tokenizer_info: Any) -> int:
        """Add the outputs of a file that `save` wrote; return how many there were. Nothing in it is executed.

        Raises PenstockError (`snapshot_refused`) for a damaged file and for one of another vocabulary; nothing is added then.
        """
        return self.index.restore(Path(path).read_bytes(), fingerprint=_fingerprint(tokenizer_info))


def _fingerprint(tokenizer_info: Any) -> int:
    """Return 64 bits of a vocabulary's fingerprint."""
    return int(tokenizer_info.fingerprint[:16], 16)


class _Session:
    """A request with its drafter's options."""

    __slots__ = ("_length", "_noise", "_request", "width")

    def __init__(self, request: Any, width: Width | None, noise: Any, length: int) -> None:
        self._request, self.width, self._noise, self._length = request, width, noise, length

    def propose(self, budget: int, *, floor: float | None = None) -> DraftTree:
        """Return a tree. floor: take every node at least so likely, though the drafter has a width cost; somebody else cuts,
        and learns."""
        if floor is not None or self.width is None:
            return self._request.propose(budget, floor=floor or 0.0, noise=self._noise)  # type: ignore[no-any-return]
        here = self.width.at(self._length)
        return self._request.propose(  # type: ignore[no-any-return]
            budget, width_cost=here.cost, setup_cost=here.setup, noise=self._noise
        )

    def extend(self, token_ids: Sequence[int]) -> None:
        self._length += len(token_ids)
        self._request.extend(token_ids)

    def finish(self) -> None:
        self._request.finish()
