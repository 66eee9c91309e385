"""Rewards: functions of a text that steer decoding where no grammar can. Names are loaded when they are first asked for.

The protocol is printed in `rewards/reward.py`; anything with its four methods and a `range` will do. Nothing in this folder
imports the decoding loop or a grammar: `Cdlh`, `Cdsl`, `CdslTree` and `BestOf` of `penstock.decoding` take a reward.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Classifier": "classifier",
    "Function": "text",
    "JsonField": "json_field",
    "KeywordCoverage": "keywords",
    "RegexCount": "text",
    "Reward": "reward",
    "RewardPrompt": "reward",
    "RewardRun": "run",
    "TextReward": "text",
    "TextState": "text",
    "Weighted": "weighted",
}

__all__ = [
    "Classifier",
    "Function",
    "JsonField",
    "KeywordCoverage",
    "RegexCount",
    "Reward",
    "RewardPrompt",
    "RewardRun",
    "TextReward",
    "TextState",
    "Weighted",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
