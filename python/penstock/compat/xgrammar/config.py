"""XGrammar's global settings. The one that is left limits a recursion that Penstock does not have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from penstock.compat.xgrammar.tokenizer_info import SERIALIZATION_VERSION

__all__ = ["get_max_recursion_depth", "get_serialization_version", "max_recursion_depth", "set_max_recursion_depth"]

_DEFAULT_DEPTH, _MAX_DEPTH = 10_000, 1_000_000
_depth = _DEFAULT_DEPTH


def get_max_recursion_depth() -> int:
    """Return what was set; matching does not recurse, so that nothing depends on it."""
    return _depth


def set_max_recursion_depth(max_recursion_depth: int) -> None:
    """Set a number from 1 to 1,000,000 for `get_max_recursion_depth`."""
    global _depth
    if not 1 <= max_recursion_depth <= _MAX_DEPTH:
        raise RuntimeError(f"the depth `{max_recursion_depth}` is not between 1 and {_MAX_DEPTH}; give one that is")
    _depth = max_recursion_depth


@contextmanager
def max_recursion_depth(temp_depth: int) -> Iterator[None]:
    """Set the number for the length of a `with` block."""
    before = get_max_recursion_depth()
    set_max_recursion_depth(temp_depth)
    try:
        yield
    finally:
        set_max_recursion_depth(before)


def get_serialization_version() -> str:
    """Return the version of what this shim serializes; XGrammar's own texts are of another."""
    return SERIALIZATION_VERSION
