"""llguidance's interface (as of 1.9.1) over Penstock.

    import penstock.compat.llguidance as llguidance      # instead of: import llguidance
    penstock.compat.llguidance.install()                 # or: what imports llguidance from here on gets this module

Differences on purpose, each held by a test:

- Masks allow every spelling of a text; llguidance narrows them to the tokenizer's own where text is forced.
- Names of members and fixed strings may be spelt with escapes; whitespace is bounded; `oneOf` is exact.
- Not here, and refused by name: LLInterpreter, limits of your own, several grammars that refer to each other,
  `whitespace_pattern`, `json_allowed_escapes`.
"""

from __future__ import annotations

from typing import Any

from penstock.compat import _install
from penstock.compat.llguidance.grammar import (
    GrammarFormat,
    StructTag,
    grammar_from,
    grammar_text,
    json_schema_text,
    regex_to_lark,
)
from penstock.compat.llguidance.matcher import LLExecutor, LLMatcher, LLParserLimits
from penstock.compat.llguidance.tokenizer import LLTokenizer, TokenizerWrapper

__version__ = "1.9.1"  # the version whose interface this is; hosts ask for it

__all__ = [
    "GrammarFormat",
    "JsonCompiler",
    "LLExecutor",
    "LLInterpreter",
    "LLMatcher",
    "LLParserLimits",
    "LLTokenizer",
    "LarkCompiler",
    "RegexCompiler",
    "StructTag",
    "TokenizerWrapper",
    "get_version",
    "grammar_from",
    "install",
    "regex_to_lark",
]


class LLInterpreter:
    """Not here: LLMatcher took its place in llguidance, too."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        raise NotImplementedError("LLInterpreter is not supported by the shim; use LLMatcher")


class JsonCompiler:
    """Makes grammars of schemas, with options."""

    def __init__(self, separators: tuple[str, str] | None = None, whitespace_flexible: bool = False, **options: Any) -> None:
        item, key = separators or (None, None)
        self.options = {"item_separator": item, "key_separator": key, "whitespace_flexible": whitespace_flexible, **options}

    def compile(self, schema: str, check: bool = True) -> str:
        """Return the grammar. check: raise ValueError where it is wrong."""
        return _checked(json_schema_text(schema, overrides=self.options), check)


class LarkCompiler:
    """Makes grammars of Lark."""

    def compile(self, lark: str, check: bool = True) -> str:
        """Return the grammar. check: raise ValueError where it is wrong."""
        return _checked(lark, check)


class RegexCompiler:
    """Makes grammars of regular expressions."""

    def compile(self, regex: str, check: bool = True) -> str:
        """Return the grammar. check: raise ValueError where it is wrong."""
        return _checked(grammar_text("regex", regex), check)


def _checked(grammar: str, check: bool) -> str:
    is_error, messages = LLMatcher.validate_grammar_with_warnings(grammar) if check else (False, [])
    if is_error:
        raise ValueError(messages[0])
    return grammar


def get_version() -> str:
    """Return whose interface this is and what stands behind it."""
    import penstock

    return f"llguidance@{__version__} penstock@{penstock.__version__}"


def install() -> None:
    """Let `import llguidance` find this module from here on, in this process. Raises RuntimeError where it is imported."""
    from penstock.compat.llguidance import numpy  # noqa: F401  hosts name it without importing it

    _install.install(__name__)
