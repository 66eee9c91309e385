"""The decoding loop, its strategies and the protocols behind them. Names are loaded when they are first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock._lazy import attach

if TYPE_CHECKING:
    from penstock.decoding.context import Context, Growth
    from penstock.decoding.draft_model import ModelDrafter
    from penstock.decoding.drafter import Drafter, DraftSession
    from penstock.decoding.engine import Engine, Job, Strategy
    from penstock.decoding.lookahead import Lookahead
    from penstock.decoding.sequence import Sequence
    from penstock.decoding.strategies.best_of import Beam, BestOf
    from penstock.decoding.strategies.cdlh import Cdlh
    from penstock.decoding.strategies.cdsl import Cdsl
    from penstock.decoding.strategies.cdsl_tree import CdslTree
    from penstock.decoding.strategies.plain import plain

_HOMES = {
    "Beam": "penstock.decoding.strategies.best_of",
    "BestOf": "penstock.decoding.strategies.best_of",
    "Cdlh": "penstock.decoding.strategies.cdlh",
    "Cdsl": "penstock.decoding.strategies.cdsl",
    "CdslTree": "penstock.decoding.strategies.cdsl_tree",
    "Context": "penstock.decoding.context",
    "DraftSession": "penstock.decoding.drafter",
    "Drafter": "penstock.decoding.drafter",
    "Engine": "penstock.decoding.engine",
    "Growth": "penstock.decoding.context",
    "Job": "penstock.decoding.engine",
    "Lookahead": "penstock.decoding.lookahead",
    "ModelDrafter": "penstock.decoding.draft_model",
    "Sequence": "penstock.decoding.sequence",
    "Strategy": "penstock.decoding.engine",
    "plain": "penstock.decoding.strategies.plain",
}

__all__ = [
    "Beam",
    "BestOf",
    "Cdlh",
    "Cdsl",
    "CdslTree",
    "Context",
    "DraftSession",
    "Drafter",
    "Engine",
    "Growth",
    "Job",
    "Lookahead",
    "ModelDrafter",
    "Sequence",
    "Strategy",
    "plain",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
