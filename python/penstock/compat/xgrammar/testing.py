"""The helpers of `xgrammar.testing` that hosts and test suites call. Those that look inside XGrammar's parser are not here."""

from __future__ import annotations

from typing import Any

import torch

from penstock.compat.xgrammar.bitmask import bitmask_dtype
from penstock.compat.xgrammar.compiler import GrammarCompiler
from penstock.compat.xgrammar.exception import refuse
from penstock.compat.xgrammar.grammar import Grammar
from penstock.compat.xgrammar.matcher import GrammarMatcher
from penstock.compat.xgrammar.tokenizer_info import TokenizerInfo

__all__ = ["bitmask_to_bool_mask", "bool_mask_to_bitmask"]


def _json_schema_to_ebnf(schema: Any, *, json_format: str = "json", **options: Any) -> str:
    """Return the grammar of a schema as text. It names the schema; there are no rules behind it."""
    if json_format != "json":
        raise refuse(f"the JSON format `{json_format}`", "use json")
    return str(Grammar.from_json_schema(schema, **options))


def _regex_to_ebnf(regex: str, with_rule_name: bool = True) -> str:
    """Return the grammar of a regular expression as text."""
    text = str(Grammar.from_regex(regex))
    return text if with_rule_name else text.removeprefix("root ::= ")


def _get_matcher_from_grammar_and_tokenizer_info(
    grammar: Grammar | str, tokenizer_info: TokenizerInfo | None = None, **kwargs: Any
) -> GrammarMatcher:
    """Return a matcher of a grammar or of EBNF; without a vocabulary it reads strings only."""
    compiler = GrammarCompiler(tokenizer_info or TokenizerInfo([]), cache_enabled=False)
    return GrammarMatcher(compiler.compile_grammar(grammar), **kwargs)


def _get_matcher_from_grammar(grammar: Grammar | str, **kwargs: Any) -> GrammarMatcher:
    """Return a matcher that reads strings and ends where the grammar does."""
    return _get_matcher_from_grammar_and_tokenizer_info(grammar, terminate_without_stop_token=True, **kwargs)


def _is_grammar_accept_string(
    grammar: Grammar | str,
    input_str: str | bytes,
    *,
    debug_print: bool = False,
    print_time: bool = False,
    require_termination: bool = True,
) -> bool:
    """Return whether a text is in the language, or may become one of it where termination is not required."""
    if print_time:
        raise refuse("`print_time`", "measure around the call")
    matcher = _get_matcher_from_grammar(grammar)
    accepted = matcher.accept_string(input_str, debug_print=debug_print)
    return accepted and (not require_termination or matcher.is_terminated())


def bitmask_to_bool_mask(bit_mask: torch.Tensor, vocab_size: int | None = None) -> torch.Tensor:
    """Return a bool tensor [rows, vocab_size], True where a bit is 1. Raises ValueError for other dtypes and devices."""
    _check(bit_mask)
    width = bit_mask.shape[1] * 32
    if vocab_size is not None and vocab_size > width:
        raise ValueError("vocab_size should be less than or equal to the size represented by bit_mask.")
    bits = (bit_mask.unsqueeze(-1) >> torch.arange(32, dtype=torch.int32)) & 1
    return bits.flatten(1)[:, :vocab_size].bool()


def bool_mask_to_bitmask(bool_mask: torch.Tensor) -> torch.Tensor:
    """Return the bitmask [rows, ceil(vocab / 32)] of a bool tensor; bits past its end are 1."""
    padded = torch.nn.functional.pad(bool_mask.to(torch.int32), (0, -bool_mask.shape[1] % 32), value=1)
    words = padded.view(bool_mask.shape[0], -1, 32).to(torch.int64) << torch.arange(32)
    total = words.sum(dim=2)
    return torch.where(total >= 1 << 31, total - (1 << 32), total).to(bitmask_dtype)


def _get_masked_tokens_from_bitmask(bitmask: torch.Tensor, vocab_size: int, index: int = 0) -> list[int]:
    """Return the tokens that row `index` refuses."""
    refused = ~bitmask_to_bool_mask(bitmask[index : index + 1], vocab_size)[0]
    return [int(token) for token in refused.nonzero().flatten().tolist()]


def _is_single_token_bitmask(bitmask: torch.Tensor, vocab_size: int, index: int = 0) -> tuple[bool, int]:
    """Return whether row `index` allows one token only, and which (-1 otherwise)."""
    allowed = bitmask_to_bool_mask(bitmask[index : index + 1], vocab_size)[0].nonzero().flatten().tolist()
    return (True, int(allowed[0])) if len(allowed) == 1 else (False, -1)


def _traverse_draft_tree(
    retrieve_next_token: torch.Tensor,
    retrieve_next_sibling: torch.Tensor,
    draft_tokens: torch.Tensor,
    matcher: GrammarMatcher,
    allocate_token_bitmask: torch.Tensor,
    time_threshold: float = -1.0,
) -> bool:
    """Call `GrammarMatcher.traverse_draft_tree`."""
    return matcher.traverse_draft_tree(
        retrieve_next_token, retrieve_next_sibling, draft_tokens, allocate_token_bitmask, time_threshold
    )


def _check(bitmask: torch.Tensor) -> None:
    if bitmask.device.type != "cpu":
        raise ValueError("bitmask should be on CPU.")
    if bitmask.dtype != bitmask_dtype:
        raise ValueError(f"bitmask should be of type {bitmask_dtype}.")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"`xgrammar.testing.{name}` looks inside XGrammar's own parser; the shim has nothing like it")
