"""Grammars and their compilation: the native classes, and what pickling needs."""

from __future__ import annotations

from penstock._core import CompiledGrammar, Grammar, GrammarCompiler, TokenizerInfo

__all__ = ["CompiledGrammar", "Grammar", "GrammarCompiler"]


def _rebuild_grammar(ebnf: str) -> Grammar:
    return Grammar.from_ebnf(ebnf)


def _rebuild_compiled(data: bytes, info: TokenizerInfo) -> CompiledGrammar:
    return CompiledGrammar._from_bytes(data, info)
