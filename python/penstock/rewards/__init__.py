"""Rewards: functions of a text that steer decoding where no grammar can. Names are loaded when they are first asked for.

The protocol is printed in `rewards/reward.py`; anything with its four methods and a `range` will do. Nothing in this folder
imports the decoding loop or a grammar: `Cdlh`, `Cdsl`, `CdslTree` and `BestOf` of `penstock.decoding` take a reward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock._lazy import attach

if TYPE_CHECKING:
    from penstock.rewards.classifier import Classifier
    from penstock.rewards.json_field import JsonField
    from penstock.rewards.keywords import KeywordCoverage
    from penstock.rewards.reward import Reward, RewardPrompt
    from penstock.rewards.run import RewardRun
    from penstock.rewards.text import Function, RegexCount, TextReward, TextState
    from penstock.rewards.weighted import Weighted

_HOMES = {
    "Classifier": "penstock.rewards.classifier",
    "Function": "penstock.rewards.text",
    "JsonField": "penstock.rewards.json_field",
    "KeywordCoverage": "penstock.rewards.keywords",
    "RegexCount": "penstock.rewards.text",
    "Reward": "penstock.rewards.reward",
    "RewardPrompt": "penstock.rewards.reward",
    "RewardRun": "penstock.rewards.run",
    "TextReward": "penstock.rewards.text",
    "TextState": "penstock.rewards.text",
    "Weighted": "penstock.rewards.weighted",
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

__getattr__, __dir__ = attach(__name__, _HOMES)
