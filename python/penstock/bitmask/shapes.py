"""What logits, bitmask and rows must be, for every framework: the messages are written once."""

from __future__ import annotations

import operator
from collections.abc import Iterable

__all__ = ["check_bitmask_dtype", "check_contiguous", "check_rows", "check_shapes", "refuse_logits_dtype"]


def check_shapes(logits: tuple[int, ...], bitmask: tuple[int, ...]) -> None:
    """Both have one or two axes."""
    for name, shape in (("logits", logits), ("the bitmask", bitmask)):
        if len(shape) not in (1, 2):
            raise ValueError(f"the shape of {name} is `{list(shape)}`; give `[num_rows, size]`, or `[size]` as one row")


def check_contiguous(name: str, size: int, step: int) -> None:
    """`step` is the distance between neighbours on the last axis, in elements."""
    if size > 1 and step != 1:
        raise ValueError(f"the last axis of {name} has a stride of `{step}`; pass an array whose rows are contiguous")


def check_bitmask_dtype(dtype: object, is_int32: bool) -> None:
    if not is_int32:
        raise ValueError(f"the bitmask has the dtype `{dtype}`; allocate it with `allocate_token_bitmask`")


def refuse_logits_dtype(dtype: object) -> ValueError:
    return ValueError(f"logits have the dtype `{dtype}`; convert them to a floating-point type of 16, 32 or 64 bits")


def check_rows(rows: Iterable[int] | None, num_logit_rows: int, num_bitmask_rows: int) -> list[int] | None:
    """The rows as a list, or None for all of them."""
    if rows is None:
        if num_logit_rows != num_bitmask_rows:
            raise ValueError(
                f"logits have `{num_logit_rows}` rows and the bitmask has `{num_bitmask_rows}`; "
                "slice them to the same rows, or name the rows to mask in `rows`"
            )
        return None
    chosen = [operator.index(row) for row in rows]
    available = min(num_logit_rows, num_bitmask_rows)
    for row in chosen:
        if not 0 <= row < available:
            raise ValueError(f"row `{row}` is out of range: both arrays have `{available}` rows; name rows below that")
    return chosen
