"""`lltokenizer_from_encoding` for tiktoken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.compat.llguidance.tokenizer import LLTokenizer

__all__ = ["lltokenizer_from_encoding"]


def lltokenizer_from_encoding(
    encoding: Any,
    *,
    n_vocab: int | None = None,
    eos_token: int | Sequence[int] | None = None,
    slices: list[str] | None = None,
) -> LLTokenizer:
    """Read a `tiktoken.Encoding`; its stop token is `eot_token` unless others are given."""
    return LLTokenizer.from_tiktoken(
        encoder=encoding._mergeable_ranks,
        special_tokens=encoding._special_tokens,
        eos_token=encoding.eot_token if eos_token is None else eos_token,
        encode=encoding.encode_ordinary,
        n_vocab=n_vocab,
    )
