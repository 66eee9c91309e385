"""Drafters: what proposes tokens for the model to check. Names are loaded when they are first asked for.

A drafter can never change a text, only its price: `decoding/lookahead.py` verifies what it proposes. The protocol that
these classes follow is printed in `decoding/drafter.py`. Nothing in this folder imports the decoding loop or a grammar;
`ModelDrafter`, which asks the loop for forwards, lives with it and is named here for who looks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock._lazy import attach

if TYPE_CHECKING:
    from penstock.decoding.draft_model import ModelDrafter
    from penstock.drafting.grammar import GrammarDrafter
    from penstock.drafting.recycling import Fallback, RecyclingDrafter
    from penstock.drafting.retrieval import RetrievalDrafter
    from penstock.drafting.trie import TrieDrafter

_HOMES = {
    "Fallback": "penstock.drafting.recycling",
    "GrammarDrafter": "penstock.drafting.grammar",
    "ModelDrafter": "penstock.decoding.draft_model",
    "RecyclingDrafter": "penstock.drafting.recycling",
    "RetrievalDrafter": "penstock.drafting.retrieval",
    "TrieDrafter": "penstock.drafting.trie",
}

__all__ = ["Fallback", "GrammarDrafter", "ModelDrafter", "RecyclingDrafter", "RetrievalDrafter", "TrieDrafter"]

__getattr__, __dir__ = attach(__name__, _HOMES)
