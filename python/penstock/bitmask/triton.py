"""Apply bitmasks on CUDA with one Triton kernel.

A program masks `BLOCK_WORDS` words of one row. It reads no logit: it writes minus infinity where a bit is 0, so the
traffic is the mask and what it forbids.
"""

# Triton has no type information, and a kernel is not Python that a type checker could read.
# mypy: disable-error-code="import-untyped,untyped-decorator,no-untyped-def"

from __future__ import annotations

import torch
import triton
import triton.language as tl

__all__ = ["apply_with_triton"]

# 128 words are 4,096 logits: 32 programs cover a row of 131,072.
BLOCK_WORDS = 128


@triton.jit
def _apply_bitmask_kernel(
    logits_ptr,  # [num_rows, num_logits]
    bitmask_ptr,  # [num_rows, num_words], int32
    rows_ptr,  # [num_masked], int64; not read unless has_rows
    num_logits,
    num_words,
    logits_stride,  # elements between rows
    bitmask_stride,
    has_rows: tl.constexpr,
    block: tl.constexpr,  # words
):
    row = tl.program_id(0).to(tl.int64)
    if has_rows:
        row = tl.load(rows_ptr + row)
    word_ids = tl.program_id(1) * block + tl.arange(0, block)
    # Logits beyond the bitmask read a word of zeros: they are disallowed.
    words = tl.load(bitmask_ptr + row * bitmask_stride + word_ids, mask=word_ids < num_words, other=0)
    lanes = tl.arange(0, 32)
    bits = (words[:, None] >> lanes[None, :]) & 1
    token_ids = word_ids[:, None] * 32 + lanes[None, :]
    forbidden = (bits == 0) & (token_ids < num_logits)
    tl.store(logits_ptr + row * logits_stride + token_ids, float("-inf"), mask=forbidden)


def apply_with_triton(logits: torch.Tensor, bitmask: torch.Tensor, row_ids: torch.Tensor | None) -> None:
    """Mask in place on the current stream.

    logits: [num_rows, num_logits], rows contiguous; bitmask: [num_rows, num_words] of int32; row_ids: [num_masked] of
    int64, or None for all rows. All on one device.
    """
    num_masked = logits.shape[0] if row_ids is None else len(row_ids)
    num_logits = logits.shape[1]
    if num_masked == 0 or num_logits == 0:
        return
    grid = (num_masked, triton.cdiv(num_logits, BLOCK_WORDS * 32))
    _apply_bitmask_kernel[grid](
        logits,
        bitmask,
        bitmask if row_ids is None else row_ids,
        num_logits,
        bitmask.shape[1],
        logits.stride(0),
        bitmask.stride(0),
        has_rows=row_ids is not None,
        block=BLOCK_WORDS,
    )
