"""`GrammarCompiler` and `CompiledGrammar` with XGrammar's methods, over Penstock's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import penstock
from penstock.compat.xgrammar.exception import DeserializeFormatError, as_runtime_errors
from penstock.compat.xgrammar.grammar import Grammar
from penstock.compat.xgrammar.tokenizer_info import SERIALIZATION_VERSION, TokenizerInfo, read_serialized

__all__ = ["CompiledGrammar", "GrammarCompiler"]


class CompiledGrammar:
    """A grammar bound to a vocabulary; `native` is Penstock's. Made by a GrammarCompiler."""

    def __init__(self, native: penstock.CompiledGrammar, grammar: Grammar, compiler: GrammarCompiler) -> None:
        self.native, self._grammar, self._compiler = native, grammar, compiler

    @property
    def grammar(self) -> Grammar:
        """The grammar that was compiled."""
        return self._grammar

    @property
    def tokenizer_info(self) -> TokenizerInfo:
        """The vocabulary."""
        return self._compiler.tokenizer_info

    @property
    def memory_size_bytes(self) -> int:
        """Memory of automata and masks, approximately; it grows with use."""
        return self.native.size_bytes

    def with_stop_tokens(self, stop_token_ids: Sequence[int]) -> penstock.CompiledGrammar:
        """Return the grammar compiled for the same vocabulary with other stop tokens; remembered by the compiler."""
        with as_runtime_errors():
            return self._compiler.native(stop_token_ids).compile(self._grammar.native)

    def serialize_json(self) -> str:
        """Return the grammar and what identifies its vocabulary as JSON. Masks are not in it: they are made again."""
        fingerprint = self.tokenizer_info.native().fingerprint
        return json.dumps({"__VERSION__": SERIALIZATION_VERSION, "ebnf": str(self._grammar), "vocabulary": fingerprint})

    @staticmethod
    def deserialize_json(json_str: str, tokenizer_info: TokenizerInfo) -> CompiledGrammar:
        """Compile what `serialize_json` wrote, for the same vocabulary. Raises DeserializeFormatError for another one."""
        read = read_serialized(json_str, ("ebnf", "vocabulary"))
        if read["vocabulary"] != tokenizer_info.native().fingerprint:
            raise DeserializeFormatError("the grammar was serialized for another vocabulary; compile it for this one")
        with as_runtime_errors(DeserializeFormatError):
            grammar = Grammar(penstock.Grammar.from_ebnf(read["ebnf"]))
        return GrammarCompiler(tokenizer_info).compile_grammar(grammar)


class GrammarCompiler:
    """Compiles grammars for one vocabulary. Thread-safe; the GIL is released."""

    def __init__(
        self,
        tokenizer_info: TokenizerInfo,
        *,
        max_threads: int = 8,
        cache_enabled: bool = True,
        cache_limit_bytes: int = -1,
    ) -> None:
        """Compile for a vocabulary. max_threads: nothing to spread, compiling is lazy.

        cache_limit_bytes: -1 is XGrammar's "no limit"; here it keeps Penstock's own bound of 512 MiB.
        """
        if not isinstance(tokenizer_info, TokenizerInfo):
            raise ValueError("Please convert the tokenizer to TokenizerInfo before passing it to GrammarCompiler.")
        self.tokenizer_info = tokenizer_info
        self._cache_limit_bytes, self._is_caching, self._max_threads = cache_limit_bytes, cache_enabled, max_threads
        self._natives: dict[tuple[int, ...] | None, penstock.GrammarCompiler] = {}
        self.native()

    def native(self, stop_token_ids: Sequence[int] | None = None) -> penstock.GrammarCompiler:
        """Return Penstock's compiler, for other stop tokens than the vocabulary's if some are given."""
        key = None if stop_token_ids is None else tuple(sorted(set(stop_token_ids)))
        if key not in self._natives:
            size = 0 if not self._is_caching else None if self._cache_limit_bytes < 0 else self._cache_limit_bytes
            info = self.tokenizer_info.native(key)
            self._natives[key] = penstock.GrammarCompiler(info, max_threads=self._max_threads, cache_size_bytes=size)
        return self._natives[key]

    def _compiled(self, grammar: Grammar) -> CompiledGrammar:
        with as_runtime_errors():
            return CompiledGrammar(self.native().compile(grammar.native), grammar, self)

    def compile_json_schema(self, schema: Any, **options: Any) -> CompiledGrammar:
        """Compile a JSON Schema; options as for `Grammar.from_json_schema`, without `print_converted_ebnf`."""
        if "print_converted_ebnf" in options:
            raise TypeError("compile_json_schema() got an unexpected keyword argument 'print_converted_ebnf'")
        return self._compiled(Grammar.from_json_schema(schema, **options))

    def compile_builtin_json_grammar(self) -> CompiledGrammar:
        """Compile the grammar of any JSON object or array."""
        return self._compiled(Grammar.builtin_json_grammar())

    def compile_regex(self, regex: str) -> CompiledGrammar:
        """Compile a regular expression."""
        return self._compiled(Grammar.from_regex(regex))

    def compile_lark(self, lark_string: str, *, named_grammars: dict[str, Grammar | str] | None = None) -> CompiledGrammar:
        """Compile a grammar in Lark's notation."""
        return self._compiled(Grammar.from_lark(lark_string, named_grammars=named_grammars))

    def compile_structural_tag(self, *args: Any, **kwargs: Any) -> CompiledGrammar:
        """Compile a structural tag; arguments as for `Grammar.from_structural_tag`."""
        return self._compiled(Grammar.from_structural_tag(*args, **kwargs))

    def compile_grammar(self, grammar: str | Grammar, *, root_rule_name: str = "root") -> CompiledGrammar:
        """Compile EBNF or a Grammar."""
        if isinstance(grammar, str):
            return self._compiled(Grammar.from_ebnf(grammar, root_rule_name=root_rule_name))
        if not isinstance(grammar, Grammar):
            raise ValueError("Invalid grammar type. Please pass a string or a Grammar object.")
        return self._compiled(grammar)

    def clear_cache(self) -> None:
        """Forget every compiled grammar; those in use live on."""
        for native in self._natives.values():
            native.clear_cache()

    def get_cache_size_bytes(self) -> int:
        """Memory of what is remembered, approximately."""
        return sum(native.size_bytes for native in self._natives.values())

    @property
    def cache_limit_bytes(self) -> int:
        """The bound that was given; -1 for none."""
        return self._cache_limit_bytes
