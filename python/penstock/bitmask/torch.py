"""Apply bitmasks to torch logits: NumPy's way on the CPU, a Triton kernel on CUDA, tensor operations elsewhere."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from .numpy import mask_words, to_numpy_bitmask
from .shapes import check_bitmask_dtype, check_contiguous, check_rows, check_shapes, refuse_logits_dtype

__all__ = ["apply_to_torch"]

logger = logging.getLogger("penstock")

# The integer type of the same size, and the bits of minus infinity in it.
INFINITY_BITS: dict[torch.dtype, tuple[torch.dtype, Any]] = {
    torch.float16: (torch.int16, np.uint16(0xFC00)),
    torch.bfloat16: (torch.int16, np.uint16(0xFF80)),
    torch.float32: (torch.int32, np.uint32(0xFF80_0000)),
    torch.float64: (torch.int64, np.uint64(0xFFF0_0000_0000_0000)),
}


def apply_to_torch(logits: torch.Tensor, bitmask: Any, rows: Iterable[int] | None) -> None:
    """`apply_token_bitmask_inplace` for torch logits."""
    if logits.dtype not in INFINITY_BITS:
        raise refuse_logits_dtype(logits.dtype)
    if logits.requires_grad and torch.is_grad_enabled():
        raise ValueError("logits require a gradient, which masking in place would break; mask `logits.detach()`")
    if not isinstance(bitmask, torch.Tensor):
        bitmask = to_numpy_bitmask(bitmask)
    check_shapes(tuple(logits.shape), tuple(bitmask.shape))
    check_contiguous("logits", logits.shape[-1], logits.stride(-1))
    logits = logits.detach()
    if logits.ndim == 1:
        logits = logits.unsqueeze(0)
    if logits.device.type == "cpu":
        _apply_on_cpu(logits, bitmask, rows)
        return
    bitmask = _to_device(bitmask, logits.device)
    chosen = check_rows(rows, logits.shape[0], bitmask.shape[0])
    row_ids = None if chosen is None else torch.tensor(chosen, dtype=torch.int64, device=logits.device)
    if logits.device.type == "cuda" and _has_triton():
        from .triton import apply_with_triton

        apply_with_triton(logits, bitmask, row_ids)
    else:
        apply_with_operations(logits, bitmask, row_ids)


def _apply_on_cpu(logits: torch.Tensor, bitmask: Any, rows: Iterable[int] | None) -> None:
    integers, infinity = INFINITY_BITS[logits.dtype]
    words = logits.view(integers).numpy().view(infinity.dtype)
    mask_words(words, np.atleast_2d(to_numpy_bitmask(bitmask)), infinity, rows)


def _to_device(bitmask: Any, device: torch.device) -> torch.Tensor:
    """[num_rows, num_words], int32, rows contiguous, on `device`."""
    if not isinstance(bitmask, torch.Tensor):
        bitmask = torch.from_numpy(np.ascontiguousarray(bitmask))
    check_bitmask_dtype(bitmask.dtype, bitmask.dtype == torch.int32)
    if bitmask.ndim == 1:
        bitmask = bitmask.unsqueeze(0)
    # Only pinned memory is copied asynchronously, and the stream orders the copy before the kernel.
    rows: torch.Tensor = bitmask.contiguous()
    return rows.to(device, non_blocking=True)


_triton_found: bool | None = None


def _has_triton() -> bool:
    global _triton_found
    if _triton_found is None:
        _triton_found = importlib.util.find_spec("triton") is not None
        if not _triton_found:
            logger.info("triton is not installed: bitmasks are applied with tensor operations on CUDA")
    return _triton_found


def apply_with_operations(logits: torch.Tensor, bitmask: torch.Tensor, row_ids: torch.Tensor | None) -> None:
    """Mask with tensor operations on any device.

    logits: [num_rows, num_logits]; bitmask: [num_rows, num_words] of int32; row_ids: [num_masked] of int64, or None.
    """
    if row_ids is not None:
        masked = logits[row_ids]
        apply_with_operations(masked, bitmask[row_ids], None)
        logits[row_ids] = masked
        return
    shifts = torch.arange(32, dtype=torch.int32, device=logits.device)
    bits = (bitmask.unsqueeze(-1) >> shifts) & 1
    forbidden = bits.flatten(1)[:, : logits.shape[1]] == 0
    logits[:, : forbidden.shape[1]].masked_fill_(forbidden, -torch.inf)
    logits[:, forbidden.shape[1] :] = -torch.inf
