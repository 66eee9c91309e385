"""Token bitmasks, one bit at a time: what `penstock.bitmask` must compute.

A row is a list of integers of 32 bits. Token `id` is allowed if bit `id % 32` of word `id // 32` is 1, counted from the
least significant bit. Words may be signed, as in int32 arrays: Python's `>>` and `&` read the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

WORD_BITS = 32


def make_row(allowed: Iterable[int], vocab_size: int) -> list[int]:
    """The row of `ceil(vocab_size / 32)` words that allows these tokens and no other."""
    row = [0] * math.ceil(vocab_size / WORD_BITS)
    for token_id in allowed:
        if not 0 <= token_id < vocab_size:
            raise ValueError(f"token `{token_id}` is outside the vocabulary of `{vocab_size}` ids")
        row[token_id // WORD_BITS] |= 1 << token_id % WORD_BITS
    return row


def is_allowed(row: Sequence[int], token_id: int) -> bool:
    """Whether the row allows the token; a token without a bit is not allowed."""
    word = token_id // WORD_BITS
    return word < len(row) and row[word] >> token_id % WORD_BITS & 1 == 1


def apply_row(logits: Sequence[float], row: Sequence[int]) -> list[float]:
    """The logits with minus infinity at every disallowed token."""
    return [logit if is_allowed(row, token_id) else -math.inf for token_id, logit in enumerate(logits)]
