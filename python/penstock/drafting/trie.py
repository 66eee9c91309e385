"""The trie of the Lookahead paper (arXiv 2312.12728) as a drafter, with the paper's parameters and defaults.

`RetrievalDrafter` drafts better; this one is there to compare with, and for who has tuned its parameters.
The paper's decoding length is the loop's budget. `crates/drafting/src/trie.rs` lists at its head where this differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock._core import TrieStore

__all__ = ["TrieDrafter"]


class TrieDrafter:
    """Proposes the branches behind the last tokens. Thread-safe.

    `branch_length`: the most tokens of a branch. `max_query_length`: the most last tokens that are looked up, longest first.
    `mode`: "hierarchical", "parallel" or "one_branch". `source`: "mix", "prompt" or "output" frequencies; `output_weight` is
    what an output occurrence weighs beside one in the prompt. `stop_token_ids`: a lookup of a single token skips these.
    `max_nodes`: bound on the shared trie; past it, counts are halved and rare branches pruned.
    """

    def __init__(
        self,
        *,
        branch_length: int = 12,
        max_query_length: int = 2,
        mode: str = "hierarchical",
        source: str = "mix",
        output_weight: float = 1e-4,
        stop_token_ids: Sequence[int] = (),
        max_nodes: int = 1 << 20,
        share: bool = True,
    ) -> None:
        self.share = share
        self.store = TrieStore(
            branch_length=branch_length,
            max_query_length=max_query_length,
            mode=mode,
            source=source,
            output_weight=output_weight,
            stop_token_ids=stop_token_ids,
            max_nodes=max_nodes,
        )

    def insert(self, token_ids: Sequence[int]) -> None:
        """Warm up with an output that was written elsewhere."""
        self.store.insert(token_ids)

    def start(self, prompt_ids: Sequence[int], *, noise: Any = None) -> Any:
        """Open the session of one text: `propose(budget)`, `extend(token_ids)`, `finish()`. The noise is not used."""
        return self.store.start(prompt_ids, share=self.share)
