"""Drafters: what proposes tokens for the model to check. Names are loaded when they are first asked for.

A drafter can never change a text, only its price: `decoding/lookahead.py` verifies what it proposes. The protocol that
these classes follow is printed in `decoding/drafter.py`; nothing here imports the decoding loop or a grammar.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {"RetrievalDrafter": "retrieval", "TrieDrafter": "trie"}

__all__ = ["RetrievalDrafter", "TrieDrafter"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
