"""What the decoding loop asks of a model: grow a tree of tokens, keep a path of it, let a row go.

A *row* is one text in progress. Behind its committed prefix it has an *open tree* that may grow over several forwards;
`commit` keeps one path of that tree and drops the rest. Plain decoding grows one node at a time, drafting grows a tree,
rollouts are branches: the KV cache is never forked. Contexts own keys, values and positions, and count what they spend.
Next: `decoding/engine.py` (who calls this), `models/transformers_context.py`, `models/llama_numpy.py` (who implement it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from penstock.errors import GenerationError

__all__ = ["Context", "Growth", "Logits", "Row", "chain", "check_growth", "check_position", "launch"]

Row: TypeAlias = int
Logits: TypeAlias = NDArray[np.float32]  # [num_nodes, vocab_size]


@dataclass(frozen=True, slots=True)
class Growth:
    """Nodes to append to the open tree of one row.

    `token_ids[i]` hangs under `parents[i]`: an index among *all* nodes that the row opened since its last commit, counted in
    the order in which they were appended (this growth's own nodes included), or -1 for the end of the committed prefix.
    Parents come before their children. `num_logits`: None asks for the logits of every node of this growth, k for the last k.
    """

    token_ids: Sequence[int]
    parents: Sequence[int]
    num_logits: int | None = None

    def __len__(self) -> int:
        return len(self.token_ids)


@runtime_checkable
class Context(Protocol):
    """One model and many rows. A row exists from its first `extend` until `release`; row numbers are small and reused.

    A context may also have `launch(growths) -> Callable[[], Mapping[Row, Logits]]`: it starts the forward and returns at
    once; calling what it returned waits for the logits. The loop then fills grammar masks while the device works.
    """

    vocab_size: int
    num_forwards: int  # calls of the model
    num_positions: int  # nodes that were evaluated, all rows together; padding is not counted

    def extend(self, growths: Mapping[Row, Growth]) -> Mapping[Row, Logits]:
        """Run ONE forward over the new nodes of all rows; return float32 logits [num_logits, vocab_size] per row.

        All or nothing: when it raises, no row has changed.
        """
        ...

    def commit(self, row: Row, path: Sequence[int]) -> None:
        """Keep these open nodes, a path that starts at the committed prefix, in order; drop every other open node."""
        ...

    def release(self, row: Row) -> None:
        """Forget the row; unknown rows are ignored."""
        ...


def chain(token_ids: Sequence[int], parent: int = -1, num_open: int = 0, num_logits: int | None = None) -> Growth:
    """Return the growth that appends `token_ids` one below the other under `parent`, when `num_open` nodes are open."""
    parents = [parent, *range(num_open, num_open + len(token_ids) - 1)] if token_ids else []
    return Growth(token_ids, parents, num_logits)


def check_growth(growth: Growth, num_open: int, vocab_size: int) -> None:
    """Raise ValueError unless the growth is well formed for a row that has `num_open` open nodes."""
    if not growth.token_ids:
        raise ValueError("a growth has no nodes; give at least one token")
    if len(growth.token_ids) != len(growth.parents):
        raise ValueError(
            f"`{len(growth.token_ids)}` tokens but `{len(growth.parents)}` parents; give one parent for each token"
        )
    for i, (token, parent) in enumerate(zip(growth.token_ids, growth.parents, strict=True)):
        if not 0 <= token < vocab_size:
            raise ValueError(f"token `{token}` is outside the vocabulary of `{vocab_size}`; ids start at 0")
        if not -1 <= parent < num_open + i:
            raise ValueError(f"node `{i}` has parent `{parent}`; a parent is -1 or an earlier open node")


def check_position(last: int, max_positions: int | None) -> None:
    """Raise GenerationError (`context_length_exceeded`) unless a model has position `last`, counted from 0; None: no limit."""
    if max_positions is not None and last >= max_positions:
        raise GenerationError(
            f"position `{last}` is beyond the model's `{max_positions}`; shorten the prompt or `max_tokens`",
            code="context_length_exceeded",
        )


def launch(context: Context, growths: Mapping[Row, Growth]) -> Callable[[], Mapping[Row, Any]]:
    """Start the forward of a context that can; for others, wait until it is asked for."""
    start = getattr(context, "launch", None)
    if start is not None:
        return start(growths)  # type: ignore[no-any-return]
    return lambda: context.extend(growths)
