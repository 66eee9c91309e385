"""Apply bitmasks to logits in NumPy memory.

Floats are treated as the integers of their bits: AND with all ones keeps a logit, AND with 0 and OR with the bits of
minus infinity forbids it. There is no branch per token, so the cost does not depend on the mask, and NaN in a
disallowed place (the unused columns of a padded head) becomes minus infinity like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .shapes import check_bitmask_dtype, check_contiguous, check_rows, check_shapes, refuse_logits_dtype

__all__ = ["apply_to_numpy", "mask_words"]

# Logits masked in one step: their temporary copy stays in the cache.
STEP_LOGITS = 1 << 18

# [256, 8] by the size of a logit in bytes: row b holds, for each bit of the byte b, all ones where it is 1.
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(bool)
KEEP = {size: np.where(_BITS, np.iinfo(f"u{size}").max, 0).astype(f"u{size}") for size in (2, 4, 8)}


def apply_to_numpy(logits: np.ndarray, bitmask: Any, rows: Iterable[int] | None) -> None:
    """`apply_token_bitmask_inplace` for NumPy logits."""
    if logits.dtype.kind != "f" or logits.dtype.itemsize not in KEEP or not logits.dtype.isnative:
        raise refuse_logits_dtype(logits.dtype)
    if not logits.flags.writeable:
        raise ValueError("logits are read-only; pass a copy, which is then masked in place")
    bitmask = to_numpy_bitmask(bitmask)
    check_shapes(logits.shape, bitmask.shape)
    check_contiguous("logits", logits.shape[-1], logits.strides[-1] // logits.itemsize)
    words = logits.view(f"u{logits.itemsize}")
    infinity = np.array(-np.inf, dtype=logits.dtype).view(words.dtype)[()]
    mask_words(np.atleast_2d(words), np.atleast_2d(bitmask), infinity, rows)


def to_numpy_bitmask(bitmask: Any) -> np.ndarray:
    """The bitmask as a NumPy array; a torch tensor on the CPU shares its memory."""
    if not isinstance(bitmask, np.ndarray):
        if type(bitmask).__module__.partition(".")[0] != "torch":
            raise TypeError(f"the bitmask is of the type `{type(bitmask).__name__}`; give a NumPy array or a torch tensor")
        bitmask = bitmask.detach().cpu().numpy()
    array: np.ndarray = bitmask
    check_bitmask_dtype(array.dtype, array.dtype == np.int32)
    return array


def mask_words(words: np.ndarray, bitmask: np.ndarray, infinity: Any, rows: Iterable[int] | None) -> None:
    """Mask logits that are given as unsigned integers.

    words: [num_rows, num_logits] of uint16, uint32 or uint64, a view of the logits; `infinity`: the bits of -inf in it.
    bitmask: [num_rows, num_words] of int32.
    """
    chosen = check_rows(rows, words.shape[0], bitmask.shape[0])
    num_rows = words.shape[0] if chosen is None else len(chosen)
    step = max(1, STEP_LOGITS // max(1, words.shape[1]))
    if chosen is None:
        for start in range(0, num_rows, step):
            _mask_block(words[start : start + step], bitmask[start : start + step], infinity)
        return
    for row in chosen:
        _mask_block(words[row : row + 1], bitmask[row : row + 1], infinity)


def _mask_block(words: np.ndarray, bitmask: np.ndarray, infinity: Any) -> None:
    # The bytes of little-endian words are in the order of the bits.
    octets = np.ascontiguousarray(bitmask, dtype="<i4").view(np.uint8)
    num_known = min(words.shape[1], 8 * octets.shape[1])
    octets = octets[:, : -(-num_known // 8)]
    keep = KEEP[words.itemsize].take(octets, axis=0).reshape(len(words), -1)[:, :num_known]
    known = words[:, :num_known]
    np.bitwise_and(known, keep, out=known)
    np.invert(keep, out=keep)
    np.bitwise_and(keep, infinity, out=keep)
    np.bitwise_or(known, keep, out=known)
    words[:, num_known:] = infinity
