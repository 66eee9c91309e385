"""`LogitsProcessor` for transformers' `generate`."""

from __future__ import annotations

from typing import Any

import transformers

from penstock.adapters.transformers import GrammarLogitsProcessor
from penstock.compat.xgrammar.compiler import CompiledGrammar

__all__ = ["LogitsProcessor"]


class LogitsProcessor(GrammarLogitsProcessor, transformers.LogitsProcessor):  # type: ignore[misc]
    """Masks the scores of `generate`; unlike XGrammar's it may be used again, with beams and with assisted decoding."""

    def __init__(self, compiled_grammar: CompiledGrammar | list[CompiledGrammar]) -> None:
        grammars = compiled_grammar if isinstance(compiled_grammar, list) else [compiled_grammar]
        super().__init__([grammar.native for grammar in grammars])
        self.compiled_grammars: list[Any] = grammars
        self.full_vocab_size = grammars[0].tokenizer_info.vocab_size
