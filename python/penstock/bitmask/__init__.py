"""Token bitmasks on the Python side: allocate rows, and apply them to logits.

A bitmask is an int32 array `[num_rows, ceil(vocab_size / 32)]`; bit `id % 32` of word `id // 32`, least significant bit
first, is 1 where the token is allowed. NumPy and torch logits are served, each by a file that imports its framework;
neither is imported before logits of its kind arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["allocate_token_bitmask", "apply_token_bitmask_inplace"]

WORD_BITS = 32


def allocate_token_bitmask(num_rows: int, vocab_size: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """A bitmask `[num_rows, ceil(vocab_size / 32)]` of int32 in which every token is allowed.

    The bits of the last word that stand beyond `vocab_size` are 0. Raises `ValueError` for sizes below 0 or 1.
    """
    if num_rows < 0:
        raise ValueError(f"`num_rows` is `{num_rows}`; give the number of sequences")
    if vocab_size < 1:
        raise ValueError(f"`vocab_size` is `{vocab_size}`; give the `vocab_size` of the TokenizerInfo")
    num_words = -(-vocab_size // WORD_BITS)
    bitmask = np.full((num_rows, num_words), -1, dtype=np.int32)
    rest = vocab_size % WORD_BITS
    if rest:
        bitmask[:, -1] = (1 << rest) - 1 if rest < WORD_BITS - 1 else np.iinfo(np.int32).max
    return bitmask


def apply_token_bitmask_inplace(logits: Any, bitmask: Any, *, rows: Sequence[int] | None = None) -> None:
    """Set the logits of disallowed tokens to minus infinity, in place; the others keep their bits.

    logits: `[num_rows, num_logits]`, or `[num_logits]` as one row; NumPy (float16, float32, float64) or torch (these
        and bfloat16, on any device). Columns without a bit, the padding of a model's head, are disallowed.
    bitmask: int32 `[num_rows, num_words]`, or `[num_words]` as one row; NumPy or torch, on the CPU or beside the logits.
        From pinned memory the copy to the device runs on: do not refill it before the stream has reached the kernel.
    rows: the rows to mask, the same in logits and bitmask; the others stay as they are. All rows by default, and then
        logits and bitmask have as many.

    Raises `TypeError` for other kinds of arrays, `ValueError` for other shapes and dtypes, for a vocabulary axis that is
    not contiguous and for rows out of range. Cost: a pass over the masked logits: on the CPU 2 to 20 microseconds
    a row of 131,072 floats of 32 bits, on CUDA one Triton kernel.
    """
    if isinstance(logits, np.ndarray):
        from .numpy import apply_to_numpy

        apply_to_numpy(logits, bitmask, rows)
    elif type(logits).__module__.partition(".")[0] == "torch" or hasattr(logits, "__torch_function__"):
        from .torch import apply_to_torch

        apply_to_torch(logits, bitmask, rows)
    else:
        name = f"{type(logits).__module__}.{type(logits).__qualname__}"
        raise TypeError(f"logits are of the type `{name}`; give a NumPy array or a torch tensor")
