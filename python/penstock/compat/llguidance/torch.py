"""Bitmasks as torch tensors, with llguidance's functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

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


def allocate_token_bitmask(batch_size: int, vocab_size: int) -> torch.Tensor:
    """Return an int32 tensor on the CPU, [batch_size, ceil(vocab_size / 32)], all bits 1; pinned where CUDA is there."""
    shape = get_bitmask_shape(batch_size, vocab_size)
    return torch.full(shape, -1, dtype=torch.int32, pin_memory=torch.cuda.is_available())


def apply_token_bitmask_inplace(logits: torch.Tensor, mask: torch.Tensor) -> None:
    """Set logits whose bit is 0, and those past the bitmask, to minus infinity. logits [rows, vocab] or [vocab]."""
    apply(logits, mask)


def fill_next_token_bitmask(interp: LLMatcher, bitmask: torch.Tensor, index: int = 0) -> None:
    """Write row `index` of an int32 tensor [rows, words] on the CPU."""
    interp.fill(_words(bitmask)[index])


def fill_next_token_bitmask_par(executor: LLExecutor, matchers: Sequence[tuple[LLMatcher, int]], bitmask: torch.Tensor) -> None:
    """Write row k for each (matcher, k), in parallel."""
    executor.fill(matchers, _words(bitmask))


def fill_next_token_bitmask_par_with_draft_tokens(
    executor: LLExecutor, matchers: Sequence[tuple[LLMatcher, int, Sequence[int]]], bitmask: torch.Tensor
) -> None:
    """Write row k, and the rows behind it for what follows each draft token, for each (matcher, k, draft tokens)."""
    executor.fill_with_drafts(matchers, _words(bitmask))


def _words(bitmask: torch.Tensor) -> Any:
    """The tensor's memory as a NumPy array."""
    if bitmask.dtype != torch.int32 or not bitmask.is_cpu or bitmask.dim() != 2 or not bitmask.is_contiguous():
        raise AssertionError("Mask must be int32, on CPU, 2D and contiguous")
    return bitmask.numpy()
