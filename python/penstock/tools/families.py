"""The families of models, out of `families.toml`, and which of them a tokenizer belongs to."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from penstock.errors import UnsupportedFeatureError

__all__ = ["Family", "detect_family", "families", "family_named"]

FORMAT_FIELDS = {
    "models",
    "marks",
    "trigger",
    "call",
    "arguments",
    "section",
    "separator",
    "lead",
    "reasoning",
    "excludes",
    "messages",
    "answer",
    "exclusive",
    "sources",
}


@dataclass(frozen=True)
class Family:
    """How one family writes tool calls and reasoning; the head of `families.toml` says what each field means."""

    name: str
    models: tuple[str, ...]
    marks: tuple[tuple[str, ...], ...]
    trigger: str = ""
    call: Mapping[str, Any] | None = None
    arguments: str = "json"
    section: Mapping[str, Any] | None = None
    separator: str = ""
    lead: str = ""
    reasoning: Mapping[str, str] | None = None
    excludes: tuple[str, ...] = ()
    messages: Mapping[str, Any] | None = None
    answer: tuple[Mapping[str, str], ...] = ()
    exclusive: bool = False
    sources: tuple[str, ...] = ()


@functools.cache
def families() -> Mapping[str, Family]:
    """Return the families by name, in the order in which they are looked for. Cost: the file is read once."""
    text = resources.files("penstock.tools").joinpath("families.toml").read_text(encoding="utf-8")
    return {name: _family(name, fields) for name, fields in tomllib.loads(text).items()}


def _family(name: str, fields: dict[str, Any]) -> Family:
    unknown = fields.keys() - FORMAT_FIELDS
    if unknown:
        raise ValueError(f"the family `{name}` has fields `{sorted(unknown)}`; the head of families.toml lists those there are")
    lists = {
        "models": tuple(fields["models"]),
        "marks": tuple(tuple(marks) for marks in fields["marks"]),
        "excludes": tuple(fields.get("excludes", ())),
        "answer": tuple(fields.get("answer", ())),
        "sources": tuple(fields.get("sources", ())),
    }
    return Family(name=name, **{**fields, **lists})


def family_named(name: str) -> Family:
    """Return one family. Raises UnsupportedFeatureError (`unknown_family`)."""
    known = families()
    if name not in known:
        raise UnsupportedFeatureError(
            f"there is no family `{name}`; name one of {', '.join(f'`{one}`' for one in known)}", code="unknown_family"
        )
    return known[name]


def detect_family(tokenizer: Any) -> str:
    """Return the name of the family whose marks stand in a chat template.

    tokenizer: a chat template as str, or an object with `chat_template` (str, or a dict of them) and, optionally,
    `get_added_vocab()`: transformers' tokenizers and `model.tokenizer` of Penstock's models. The first family that fits is
    taken.
    Raises UnsupportedFeatureError (`unknown_family`) where none does.
    """
    text = tokenizer if isinstance(tokenizer, str) else _described(tokenizer)
    for family in families().values():
        if any(all(mark in text for mark in marks) for marks in family.marks):
            return family.name
    raise UnsupportedFeatureError(
        "the chat template holds no marks of a family of tool calls; name the family yourself: "
        f"{', '.join(f'`{one}`' for one in families())}",
        code="unknown_family",
    )


def _described(tokenizer: Any) -> str:
    """The chat templates and the names of added tokens."""
    inner = tokenizer if hasattr(tokenizer, "chat_template") else getattr(tokenizer, "tokenizer", tokenizer)
    templates = getattr(inner, "chat_template", None) or ""
    parts = list(templates.values()) if isinstance(templates, Mapping) else [templates]
    added = getattr(inner, "get_added_vocab", None)
    return "\n".join([*map(str, parts), *(added() if added is not None else ())])
