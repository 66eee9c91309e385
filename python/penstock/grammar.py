"""Grammars and their compilation: the native classes, and what pickling needs."""

from __future__ import annotations

from penstock._core import CompiledGrammar, Grammar, GrammarCompiler

__all__ = ["CompiledGrammar", "Grammar", "GrammarCompiler"]


def _rebuild_grammar(ebnf: str) -> Grammar:
    return Grammar.from_ebnf(ebnf)
