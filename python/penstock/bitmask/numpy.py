"""Apply bitmasks to logits in NumPy memory.

Floats are treated as the integers of their bits, so that one compiled loop serves every kind of float, and NaN in a
disallowed place (the unused columns of a padded head) becomes minus infinity like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from penstock import _core

from .shapes import check_bitmask_dtype, check_contiguous, check_rows, check_shapes, refuse_logits_dtype

__all__ = ["apply_to_numpy", "mask_words"]


def _bits_of(size: int) -> tuple[np.dtype[Any], int]:
    """The unsigned integers of `size` bytes, and the bits of minus infinity in floats of that size."""
    words = np.dtype(f"u{size}")
    return words, int(np.array(-np.inf, dtype=f"f{size}").view(words))


_BITS = {np.dtype(f"f{size}"): _bits_of(size) for size in (2, 4, 8)}
_WORDS = np.dtype("<i4")


def apply_to_numpy(logits: np.ndarray, bitmask: Any, rows: Iterable[int] | None) -> None:
    """`apply_token_bitmask_inplace` for NumPy logits."""
    bits = _BITS.get(logits.dtype)
    if bits is None:
        raise refuse_logits_dtype(logits.dtype)
    if not logits.flags.writeable:
        raise ValueError("logits are read-only; pass a copy, which is then masked in place")
    bitmask = to_numpy_bitmask(bitmask)
    check_shapes(logits.shape, bitmask.shape)
    check_contiguous("logits", logits.shape[-1], logits.strides[-1] // logits.itemsize)
    words = logits.view(bits[0])
    if words.ndim == 1:
        words = words[np.newaxis]
    if bitmask.ndim == 1:
        bitmask = bitmask[np.newaxis]
    mask_words(words, bitmask, bits[1], rows)


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
    if bitmask.dtype != _WORDS or not bitmask.flags.c_contiguous:
        # The bits of little-endian words are in the order of the tokens.
        bitmask = np.ascontiguousarray(bitmask, dtype=_WORDS)
    _core.mask_logit_rows(words, bitmask, int(infinity), chosen)
