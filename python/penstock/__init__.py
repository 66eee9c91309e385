"""Penstock controls and speeds up what language models write.

Exact grammar masks, lossless drafting and reward-guided decoding behind one `Generator`, and the matcher beneath it for
engines of your own. Heavy parts are imported when they are first named: `import penstock` loads the core only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from penstock import errors
from penstock._core import (
    CompiledGrammar,
    DraftTree,
    Grammar,
    GrammarCompiler,
    Matcher,
    RetrievalIndex,
    TokenizerInfo,
    accept_next_tokens,
    fill_next_token_bitmasks,
)
from penstock.errors import (
    DeadEndError,
    DraftMismatchError,
    EmptyLanguageError,
    GenerationError,
    GrammarError,
    GrammarSyntaxError,
    IncompleteOutputError,
    InternalError,
    LimitError,
    MatcherStateError,
    OutputValidationError,
    PenstockError,
    RewardError,
    TokenizerError,
    UnsupportedFeatureError,
)

if TYPE_CHECKING:
    from penstock import adapters, decoding, drafting, models, rewards, tools
    from penstock.bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
    from penstock.generator import Generator
    from penstock.result import Done, PartialValue, Result, TextDelta
    from penstock.sampling import Sampling
    from penstock.types import Call, Choice, Ebnf, JsonSchema, Lark, Regex

__version__ = "0.1.0"

_HOMES = {
    "Call": "types",
    "Choice": "types",
    "Done": "result",
    "Ebnf": "types",
    "Generator": "generator",
    "JsonSchema": "types",
    "Lark": "types",
    "PartialValue": "result",
    "Regex": "types",
    "Result": "result",
    "Sampling": "sampling",
    "StructuralTag": "types",
    "TextDelta": "result",
    "allocate_token_bitmask": "bitmask",
    "apply_token_bitmask_inplace": "bitmask",
}
_MODULES = ("adapters", "decoding", "drafting", "models", "rewards", "tools")

__all__ = [
    "Call",
    "Choice",
    "CompiledGrammar",
    "DeadEndError",
    "Done",
    "DraftMismatchError",
    "DraftTree",
    "Ebnf",
    "EmptyLanguageError",
    "GenerationError",
    "Generator",
    "Grammar",
    "GrammarCompiler",
    "GrammarError",
    "GrammarSyntaxError",
    "IncompleteOutputError",
    "InternalError",
    "JsonSchema",
    "Lark",
    "LimitError",
    "Matcher",
    "MatcherStateError",
    "OutputValidationError",
    "PartialValue",
    "PenstockError",
    "Regex",
    "Result",
    "RetrievalIndex",
    "RewardError",
    "Sampling",
    "StructuralTag",
    "TextDelta",
    "TokenizerError",
    "TokenizerInfo",
    "UnsupportedFeatureError",
    "accept_next_tokens",
    "adapters",
    "allocate_token_bitmask",
    "apply_token_bitmask_inplace",
    "decoding",
    "drafting",
    "errors",
    "fill_next_token_bitmasks",
    "models",
    "rewards",
    "tools",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"penstock.{_HOMES[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"penstock.{name}")
    else:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
