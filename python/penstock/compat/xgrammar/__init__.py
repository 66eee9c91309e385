"""XGrammar's interface (as of 0.2.8) over Penstock.

    import penstock.compat.xgrammar as xgrammar          # instead of: import xgrammar
    penstock.compat.xgrammar.install()                   # or: what imports xgrammar from here on gets this module

Differences on purpose, each held by a test:

- Every keyword of a JSON Schema is enforced exactly or refused (`RefusedError`, a RuntimeError); XGrammar drops some.
- Special tokens of a tokenizer are symbols, never text. Whitespace between JSON symbols is bounded.
- Members come in the schema's order, or in any with `any_order=True`; then, too, required ones are required, none comes twice.
- A token is accepted exactly when the mask allows it, stop tokens included.
- `max_tokens` of a rule is exact, and refused where it cannot be; captures are those of one reading of the output.
- Not here, and refused by name: model-specific tags, `debug_print`, the parts of `testing` that look inside the parser.

Needs torch, Pydantic and transformers, as XGrammar does.
"""

from __future__ import annotations

from typing import Any, NoReturn

from penstock.compat import _install
from penstock.compat.xgrammar import config, contrib, exception, structural_tag, testing
from penstock.compat.xgrammar.bitmask import (
    allocate_token_bitmask,
    apply_token_bitmask_inplace,
    bitmask_dtype,
    get_bitmask_shape,
    reset_token_bitmask,
)
from penstock.compat.xgrammar.compiler import CompiledGrammar, GrammarCompiler
from penstock.compat.xgrammar.config import (
    get_max_recursion_depth,
    get_serialization_version,
    max_recursion_depth,
    set_max_recursion_depth,
)
from penstock.compat.xgrammar.contrib import hf
from penstock.compat.xgrammar.exception import (
    DeserializeFormatError,
    DeserializeVersionError,
    InvalidJSONError,
    InvalidStructuralTagError,
    RefusedError,
    refuse,
)
from penstock.compat.xgrammar.grammar import Grammar, StructuralTagItem
from penstock.compat.xgrammar.matcher import BatchGrammarMatcher, GrammarMatcher
from penstock.compat.xgrammar.structural_tag import StructuralTag
from penstock.compat.xgrammar.tokenizer_info import TokenizerInfo, VocabType

__version__ = "0.2.8"  # the version whose interface this is; hosts ask for it

__all__ = [
    "BatchGrammarMatcher",
    "CompiledGrammar",
    "DeserializeFormatError",
    "DeserializeVersionError",
    "Grammar",
    "GrammarCompiler",
    "GrammarMatcher",
    "InvalidJSONError",
    "InvalidStructuralTagError",
    "RefusedError",
    "StructuralTag",
    "StructuralTagItem",
    "TokenizerInfo",
    "VocabType",
    "allocate_token_bitmask",
    "apply_token_bitmask_inplace",
    "bitmask_dtype",
    "config",
    "contrib",
    "exception",
    "get_bitmask_shape",
    "get_builtin_structural_tag",
    "get_max_recursion_depth",
    "get_model_structural_tag",
    "get_serialization_version",
    "hf",
    "install",
    "max_recursion_depth",
    "normalize_tool_choice",
    "register_model_structural_tag",
    "reset_token_bitmask",
    "set_max_recursion_depth",
    "structural_tag",
    "testing",
]


def get_model_structural_tag(*_args: Any, **_kwargs: Any) -> NoReturn:
    """Raise RefusedError: XGrammar's tags of single models allow other texts than `penstock.tools` does."""
    raise refuse("XGrammar's tag of a model", "make one with penstock.tools.structural_tag(tools, family=...)")


get_builtin_structural_tag = normalize_tool_choice = register_model_structural_tag = get_model_structural_tag


def install() -> None:
    """Let `import xgrammar` find this module from here on, in this process. Raises RuntimeError where XGrammar is imported."""
    _install.install(__name__)
