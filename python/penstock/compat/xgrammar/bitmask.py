"""Bitmasks as torch tensors, with XGrammar's functions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from penstock.bitmask import WORD_BITS
from penstock.bitmask import apply_token_bitmask_inplace as apply

__all__ = [
    "allocate_token_bitmask",
    "apply_token_bitmask_inplace",
    "bitmask_dtype",
    "get_bitmask_shape",
    "reset_token_bitmask",
]

bitmask_dtype = torch.int32
_BACKENDS = {"auto": None, "cpu": "cpu", "cuda": "cuda", "triton": "cuda", "torch_compile": None, "torch_native": None}


def get_bitmask_shape(batch_size: int, vocab_size: int) -> tuple[int, int]:
    """Return (batch_size, ceil(vocab_size / 32))."""
    return batch_size, -(-vocab_size // WORD_BITS)


def allocate_token_bitmask(batch_size: int, vocab_size: int) -> torch.Tensor:
    """Return an int32 tensor on the CPU, [batch_size, ceil(vocab_size / 32)], all bits 1."""
    return torch.full(get_bitmask_shape(batch_size, vocab_size), -1, dtype=bitmask_dtype)


def reset_token_bitmask(bitmask: torch.Tensor) -> None:
    """Set all bits to 1."""
    bitmask.fill_(-1)


def apply_token_bitmask_inplace(
    logits: torch.Tensor,
    bitmask: torch.Tensor,
    *,
    vocab_size: int | None = None,
    indices: Sequence[int] | torch.Tensor | None = None,
    backend: str = "auto",
) -> None:
    """Set logits whose bit is 0 to minus infinity, in place. Logits past the bitmask or past vocab_size stay.

    logits [rows, vocab] or [vocab] and bitmask [rows, words] or [words] on one device. indices: the rows to mask, the same
    in both. backend: Penstock chooses by the device; one that does not fit it is a ValueError.
    """
    if bitmask.device != logits.device:
        raise ValueError(
            "logits and bitmask should be on the same device. "
            f"But got logits.device: {logits.device}, bitmask.device: {bitmask.device}"
        )
    if backend not in _BACKENDS:
        raise ValueError(f"Unknown backend: {backend}. The value should be one of them: {list(_BACKENDS)}")
    if _BACKENDS[backend] not in (None, logits.device.type):
        raise ValueError(f"the backend `{backend}` does not mask logits on `{logits.device}`; use auto")
    covered = bitmask.shape[-1] * WORD_BITS
    if vocab_size is None and covered < logits.shape[-1]:
        warnings.warn(
            f"The bitmask covers only {covered} tokens but logits have {logits.shape[-1]}, so logits[..., {covered}:] are "
            "left unmasked. Allocate the bitmask with the full vocab size, or pass vocab_size explicitly.",
            stacklevel=2,
        )
    width = min(logits.shape[-1], covered) if vocab_size is None else vocab_size
    rows: Any = indices.tolist() if isinstance(indices, torch.Tensor) else indices
    apply(logits[..., :width], bitmask[..., : -(-width // WORD_BITS)], rows=rows)
