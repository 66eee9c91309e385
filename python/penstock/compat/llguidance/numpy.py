"""Bitmasks as NumPy arrays, with llguidance's functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.bitmask import apply_token_bitmask_inplace as apply
from penstock.compat.llguidance._masks import consume_token_par, get_bitmask_shape
from penstock.compat.llguidance.matcher import LLExecutor, LLMatcher

__all__ = [
    "allocate_token_bitmask",
    "apply_token_bitmask_inplace",
    "consume_token_par",
    "fill_next_token_bitmask",
    "fill_next_token_bitmask_par",
    "fill_next_token_bitmask_par_with_draft_tokens",
    "get_bitmask_shape",
]


def allocate_token_bitmask(batch_size: int, vocab_size: int) -> Any:
    """Return an int32 array [batch_size, ceil(vocab_size / 32)], all bits 1."""
    return np.full(get_bitmask_shape(batch_size, vocab_size), -1, dtype=np.int32)


def apply_token_bitmask_inplace(logits: Any, mask: Any) -> None:
    """Set logits whose bit is 0, and those past the bitmask, to minus infinity. logits [rows, vocab] or [vocab]."""
    apply(logits, mask)


def fill_next_token_bitmask(interp: LLMatcher, bitmask: Any, index: int = 0) -> None:
    """Write row `index` of an int32 array [rows, words]."""
    interp.fill(_checked(bitmask)[index])


def fill_next_token_bitmask_par(executor: LLExecutor, matchers: Sequence[tuple[LLMatcher, int]], bitmask: Any) -> None:
    """Write row k for each (matcher, k), in parallel."""
    executor.fill(matchers, _checked(bitmask))


def fill_next_token_bitmask_par_with_draft_tokens(
    executor: LLExecutor, matchers: Sequence[tuple[LLMatcher, int, Sequence[int]]], bitmask: Any
) -> None:
    """Write row k, and the rows behind it for what follows each draft token, for each (matcher, k, draft tokens)."""
    executor.fill_with_drafts(matchers, _checked(bitmask))


def _checked(bitmask: Any) -> Any:
    if bitmask.dtype != np.int32 or bitmask.ndim != 2 or not bitmask.flags["C_CONTIGUOUS"]:
        raise AssertionError("Mask must be int32, 2D and contiguous")
    return bitmask
