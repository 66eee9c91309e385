"""Penstock controls and speeds up what language models write.

Exact grammar masks, lossless drafting and reward-guided decoding behind one `Generator`, and the matcher beneath it for
engines of your own. Heavy parts are imported when they are first named: `import penstock` loads the core only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from penstock._lazy import attach
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
    from penstock import adapters, compat, decoding, drafting, models, rewards, testing, tools, types
    from penstock.bitmask import allocate_token_bitmask, apply_token_bitmask_inplace
    from penstock.generator import Generator
    from penstock.result import Done, PartialValue, Result, TextDelta
    from penstock.sampling import Sampling
    from penstock.types import Call, Choice, Ebnf, JsonSchema, Lark, Regex

__version__ = "0.1.0"

_HOMES: dict[str, str | None] = {
    "Call": "penstock.types",
    "Choice": "penstock.types",
    "Done": "penstock.result",
    "Ebnf": "penstock.types",
    "Generator": "penstock.generator",
    "JsonSchema": "penstock.types",
    "Lark": "penstock.types",
    "PartialValue": "penstock.result",
    "Regex": "penstock.types",
    "Result": "penstock.result",
    "Sampling": "penstock.sampling",
    "StructuralTag": "penstock.types",
    "TextDelta": "penstock.result",
    "allocate_token_bitmask": "penstock.bitmask",
    "apply_token_bitmask_inplace": "penstock.bitmask",
    "adapters": None,
    "compat": None,
    "decoding": None,
    "drafting": None,
    "models": None,
    "rewards": None,
    "testing": None,
    "tools": None,
    "types": None,
}

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
    "compat",
    "decoding",
    "drafting",
    "errors",
    "fill_next_token_bitmasks",
    "models",
    "rewards",
    "testing",
    "tools",
    "types",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
