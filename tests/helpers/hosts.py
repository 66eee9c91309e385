"""Inference servers as the compatibility tests know them: what vLLM 0.33 and SGLang 0.5.23 call of XGrammar, in their order.

Each takes the module to call, so that the same lines run against XGrammar and against the shim.
"""

from __future__ import annotations

import json
from typing import Any

import torch


class VllmGrammar:
    """The state of one request."""

    def __init__(self, matcher: Any) -> None:
        self.matcher, self.num_processed, self.ended = matcher, 0, False

    def accept_tokens(self, tokens: list[int]) -> bool:
        if self.ended:
            return True
        for token in tokens:
            if not self.matcher.accept_token(token):
                return False
            self.num_processed += 1
        self.ended = self.matcher.is_terminated()
        return True

    def validate_tokens(self, tokens: list[int]) -> list[int]:
        accepted = []
        for token in tokens:
            if not self.matcher.accept_token(token):
                break
            accepted.append(token)
        if accepted:
            self.matcher.rollback(len(accepted))
        return accepted

    def rollback(self, num_tokens: int) -> None:
        self.matcher.rollback(num_tokens)
        self.num_processed -= num_tokens
        self.ended = self.matcher.is_terminated()

    def fill_bitmask(self, bitmask: torch.Tensor, row: int) -> None:
        self.matcher.fill_next_token_bitmask(bitmask, row)


class Vllm:
    """The structured-output backend of an engine."""

    def __init__(self, xgr: Any, vocab: list[bytes], stop_token_ids: list[int], num_speculative: int = 2) -> None:
        self.xgr, self.vocab_size, self.num_speculative = xgr, len(vocab), num_speculative
        info = xgr.TokenizerInfo(
            encoded_vocab=vocab,
            vocab_type=xgr.VocabType.RAW,
            vocab_size=self.vocab_size,
            stop_token_ids=stop_token_ids,
            add_prefix_space=True,
        )
        self.compiler = xgr.GrammarCompiler(info, max_threads=8, cache_enabled=True, cache_limit_bytes=512 << 20)

    def compile(self, kind: str, spec: str) -> VllmGrammar:
        if kind == "json":
            compiled = self.compiler.compile_json_schema(spec, any_whitespace=False)
        elif kind == "json_object":
            compiled = self.compiler.compile_json_schema('{"type": "object"}', any_whitespace=False)
        elif kind == "regex":
            compiled = self.compiler.compile_regex(spec)
        elif kind == "structural_tag":
            compiled = self.compiler.compile_structural_tag(self._tag(json.loads(spec)))
        else:
            compiled = self.compiler.compile_grammar(spec)
        return VllmGrammar(self.xgr.GrammarMatcher(compiled, max_rollback_tokens=self.num_speculative))

    def _tag(self, tag: dict[str, Any]) -> Any:
        if "structures" not in tag:
            return json.dumps(tag)
        items = [
            self.xgr.StructuralTagItem(begin=s["begin"], schema=json.dumps(s["schema"]), end=s["end"])
            for s in tag["structures"]
        ]
        return self.xgr.StructuralTag.from_legacy_structural_tag(items, tag["triggers"])

    def grammar_bitmask(self, requests: list[VllmGrammar], drafts: list[list[int]]) -> torch.Tensor:
        """A block of rows for each request: one before each draft token, one behind the last; then all is rolled back."""
        bitmask = self.xgr.allocate_token_bitmask(len(requests) * (1 + self.num_speculative), self.vocab_size)
        for number, (grammar, tokens) in enumerate(zip(requests, drafts, strict=True)):
            row, num_advanced = number * (1 + self.num_speculative), 0
            for token in [*tokens, None]:
                if not grammar.ended:
                    grammar.fill_bitmask(bitmask, row)
                if token is None or grammar.ended:
                    break
                assert grammar.accept_tokens([token])
                num_advanced, row = num_advanced + 1, row + 1
            if num_advanced:
                grammar.rollback(num_advanced)
        return bitmask

    def apply(self, logits: torch.Tensor, bitmask: torch.Tensor, rows: list[int]) -> None:
        self.xgr.apply_token_bitmask_inplace(logits, bitmask, indices=torch.tensor(rows, dtype=torch.int32))


class SglangGrammar:
    """The state of one request; `copy` starts again from a cached compile."""

    def __init__(self, xgr: Any, compiled: Any, stops: list[int] | None) -> None:
        self.xgr, self.compiled, self.stops = xgr, compiled, stops
        self.matcher = xgr.GrammarMatcher(compiled, max_rollback_tokens=200, override_stop_tokens=stops)

    def copy(self) -> SglangGrammar:
        return SglangGrammar(self.xgr, self.compiled, self.stops)

    def accept_token(self, token: int) -> None:
        if not self.matcher.accept_token(token):
            raise ValueError(f"token {token} is not accepted")

    def rollback(self, k: int) -> None:
        self.matcher.rollback(k)

    def is_terminated(self) -> bool:
        return bool(self.matcher.is_terminated())

    def fill_vocab_mask(self, mask: torch.Tensor, row: int) -> None:
        self.matcher.fill_next_token_bitmask(mask, row)

    def try_jump_forward(self) -> str:
        return str(self.matcher.find_jump_forward_string())


class Sglang:
    """The grammar backend of a server: errors of a grammar are RuntimeErrors and become invalid grammars."""

    def __init__(self, xgr: Any, info: Any, stops: list[int] | None = None) -> None:
        self.xgr, self.stops = xgr, stops
        self.compiler = xgr.GrammarCompiler(tokenizer_info=info)

    def dispatch(self, kind: str, spec: str) -> SglangGrammar | str:
        try:
            if kind == "json" and spec == "$$ANY$$":
                compiled = self.compiler.compile_builtin_json_grammar()
            elif kind == "json":
                compiled = self.compiler.compile_json_schema(schema=spec, any_whitespace=True)
            elif kind == "regex":
                compiled = self.compiler.compile_regex(spec)
            elif kind == "ebnf":
                compiled = self.compiler.compile_grammar(spec)
            else:
                tag = json.loads(spec)
                items = [
                    self.xgr.StructuralTagItem(begin=s["begin"], schema=json.dumps(s["schema"]), end=s["end"])
                    for s in tag["structures"]
                ]
                compiled = self.compiler.compile_structural_tag(items, tag["triggers"])
        except (RuntimeError, json.decoder.JSONDecodeError, UnicodeDecodeError) as error:
            return f"invalid grammar: {error}"
        return SglangGrammar(self.xgr, compiled, self.stops)

    def traverse(self, grammar: SglangGrammar, parents: list[int], tokens: list[int], mask: torch.Tensor) -> None:
        """Write a row for each node of a draft tree, one accept and rollback a node, as its speculative decoding does."""
        children: dict[int, list[int]] = {}
        for node, parent in enumerate(parents):
            children.setdefault(parent, []).append(node)

        def visit(node: int) -> None:
            if node and not grammar.matcher.accept_token(tokens[node]):
                return
            if not grammar.is_terminated():
                grammar.fill_vocab_mask(mask, node)
                for child in children.get(node, ()):
                    visit(child)
            if node:
                grammar.rollback(1)

        visit(0)

    def reset(self) -> None:
        self.compiler.clear_cache()
