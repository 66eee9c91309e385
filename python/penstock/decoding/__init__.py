"""The decoding loop, its strategies and the protocols behind them. Names are loaded when they are first asked for."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Beam": "strategies.best_of",
    "BestOf": "strategies.best_of",
    "Cdlh": "strategies.cdlh",
    "Cdsl": "strategies.cdsl",
    "CdslTree": "strategies.cdsl_tree",
    "Context": "context",
    "DraftSession": "drafter",
    "Drafter": "drafter",
    "Engine": "engine",
    "Growth": "context",
    "Job": "engine",
    "Lookahead": "lookahead",
    "ModelDrafter": "draft_model",
    "Sequence": "sequence",
    "Strategy": "engine",
    "plain": "strategies.plain",
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
