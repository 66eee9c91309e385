"""Plain decoding: one token for one forward. It is `Lookahead` that proposes nothing, written out for readers."""

from __future__ import annotations

from collections.abc import Generator

from penstock.decoding.context import Growth, Logits
from penstock.decoding.sequence import Sequence

__all__ = ["plain"]


def plain(sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
    """Write one text, a token at a time."""
    wanted = sequence.chain(sequence.prompt_ids, num_logits=1)
    while True:
        logits = yield "target", wanted
        sequence.keep(range(len(wanted.token_ids)))
        if not sequence.take(sequence.choose(logits[-1])):
            return
        wanted = sequence.chain([sequence.last_token_id])
