"""`from_tokenizer` for the tokenizers of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from penstock.compat.llguidance.tokenizer import LLTokenizer

__all__ = ["from_tokenizer"]


def from_tokenizer(
    hf_tokenizer: Any,
    n_vocab: int | None = None,
    eos_token: int | Sequence[int] | None = None,
    slices: list[str] | None = None,
) -> LLTokenizer:
    """Read a fast tokenizer. Its end of sequence is the stop token unless others are given. Slow ones are a ValueError."""
    if not hasattr(hf_tokenizer, "backend_tokenizer"):
        raise ValueError("Only fast tokenizers are supported")
    backend = copy(hf_tokenizer.backend_tokenizer)
    backend.no_padding()
    backend.no_truncation()
    stops = hf_tokenizer.eos_token_id if eos_token is None else eos_token
    return LLTokenizer(backend.to_str(), n_vocab=n_vocab, eos_token=stops, slices=slices)
