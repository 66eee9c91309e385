"""What the NumPy and the torch functions share."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.compat.llguidance.matcher import LLExecutor, LLMatcher

__all__ = ["consume_token_par", "get_bitmask_shape"]


def get_bitmask_shape(batch_size: int, vocab_size: int) -> tuple[int, int]:
    """Return (batch_size, ceil(vocab_size / 32))."""
    return batch_size, -(-vocab_size // 32)


def consume_token_par(executor: LLExecutor, matchers: Sequence[tuple[LLMatcher, int]]) -> list[bool]:
    """Read one token in each matcher; False for those that are in their error state then."""
    return executor.consume_token_par(matchers)
