"""A reward of one value inside JSON text: the reward sees what that value says so far, and nothing around it.

Where an output is a document under a schema, names and other members are no part of what a text should be judged by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from penstock.partial_json import NOTHING, PartialJson
from penstock.rewards.reward import Reward, RewardPrompt, reward_name
from penstock.rewards.text import TextState, decode_ended, decode_open

__all__ = ["JsonField"]


class JsonField:
    """`reward`, asked about the value at a JSON pointer: `JsonField("/story", KeywordCoverage(["owl", "harp"]))`.

    A string is judged by its characters, escapes read; another value by its JSON text; what is not written yet by the empty
    text, and so is text that is no beginning of JSON. pointer: RFC 6901, "" for the whole value. reward: any that reads
    text and not token ids; it sees one token for each byte. Nothing is ever settled: a later member of the same
    name would replace the value. Cost: a score parses the whole output. Raises ValueError for what is no pointer.
    """

    def __init__(self, pointer: str, reward: Reward) -> None:
        if (pointer and not pointer.startswith("/")) or re.search(r"~(?![01])", pointer):
            raise ValueError(
                f"`{pointer}` is no JSON pointer; write it as `/member/0/member`, with `~0` for `~` and `~1` for `/`"
            )
        self.pointer, self.reward = pointer, reward
        self._path = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        self.name = f"JsonField({pointer!r}, {reward_name(reward)})"

    @property
    def range(self) -> tuple[float, float]:
        """That of the reward."""
        return self.reward.range

    def start(self, prompt: RewardPrompt) -> TextState:
        """Return the state of an empty output. Raises ValueError where tokens have no spelling."""
        prompt.bytes_of(())
        return TextState(prompt)

    def advance(self, state: TextState, token_ids: Sequence[int]) -> TextState:
        """Return the state with these tokens spelled behind it."""
        return TextState(state.prompt, state.data + state.prompt.bytes_of(token_ids))

    def score(self, states: Sequence[TextState], rollouts: Sequence[Sequence[int]], ended: Sequence[bool]) -> Sequence[float]:
        """Return what the reward says of the values that states and rollouts spell together, in one call."""
        values = [
            self._value((decode_ended if end else decode_open)(state.data + state.prompt.bytes_of(rollout)))
            for state, rollout, end in zip(states, rollouts, ended, strict=True)
        ]
        inner = [self.reward.start(_by_bytes(state.prompt)) for state in states]
        return self.reward.score(inner, [list(value.encode()) for value in values], ended)

    def settled(self, state: TextState) -> bool:
        """Return False."""
        return False

    def _value(self, text: str) -> str:
        partial = PartialJson()
        try:
            partial.push(text)
            value = partial.value()
        except (ValueError, IndexError, RecursionError):  # no beginning of JSON
            return ""
        for part in self._path:
            value = _member(value, part)
        if value is NOTHING:
            return ""
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, NOTHING)
    if isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    return NOTHING


def _by_bytes(prompt: RewardPrompt) -> RewardPrompt:
    return RewardPrompt(tuple(prompt.bytes_of(prompt.token_ids)), lambda byte: bytes([byte]))
