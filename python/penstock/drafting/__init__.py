"""Drafters: what proposes tokens for the model to check. Names are loaded when they are first asked for.

A drafter can never change a text, only its price: `decoding/lookahead.py` verifies what it proposes. The protocol that
these classes follow is printed in `decoding/drafter.py`. Nothing in this folder imports the decoding loop or a grammar;
`ModelDrafter`, which asks the loop for forwards, lives with it and is named here for who looks for it.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Fallback": "penstock.drafting.recycling",
    "GrammarDrafter": "penstock.drafting.grammar",
    "ModelDrafter": "penstock.decoding.draft_model",
    "RecyclingDrafter": "penstock.drafting.recycling",
    "RetrievalDrafter": "penstock.drafting.retrieval",
    "TrieDrafter": "penstock.drafting.trie",
}

__all__ = ["Fallback", "GrammarDrafter", "ModelDrafter", "RecyclingDrafter", "RetrievalDrafter", "TrieDrafter"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
