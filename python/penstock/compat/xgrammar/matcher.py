"""`GrammarMatcher` and `BatchGrammarMatcher` with XGrammar's methods, over `penstock.Matcher`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch

import penstock
from penstock.compat.xgrammar.compiler import CompiledGrammar
from penstock.compat.xgrammar.exception import as_runtime_errors, refuse

__all__ = ["BatchGrammarMatcher", "GrammarMatcher"]

_MAX_NODES = 16_384  # of a draft tree


class GrammarMatcher:
    """The state of one output; `native` is Penstock's matcher. For one thread at a time."""

    def __init__(
        self,
        compiled_grammar: CompiledGrammar,
        *,
        override_stop_tokens: int | Sequence[int] | None = None,
        terminate_without_stop_token: bool = False,
        max_rollback_tokens: int = -1,
        default_temperature: float | None = None,
    ) -> None:
        """Stand at the start of an output. max_rollback_tokens: any number; rollback is never limited.

        override_stop_tokens: the grammar is compiled once more for them; the vocabulary's own become symbols that nothing
        allows. default_temperature: kept for `temperature`; no grammar of Penstock sets another.
        """
        if not isinstance(compiled_grammar, CompiledGrammar):
            raise ValueError("The grammar should be compiled before passing it to GrammarMatcher.")
        if max_rollback_tokens != -1:
            warnings.warn("max_rollback_tokens is deprecated; rollback is unlimited", DeprecationWarning, stacklevel=2)
        stops = [override_stop_tokens] if isinstance(override_stop_tokens, int) else override_stop_tokens
        native = compiled_grammar.native if stops is None else compiled_grammar.with_stop_tokens(stops)
        self._stops = compiled_grammar.tokenizer_info.stop_token_ids if stops is None else list(stops)
        self._ends_early = terminate_without_stop_token
        self._vocab_size = native.tokenizer_info.vocab_size
        self._temperature = None if default_temperature is None else float(default_temperature)
        with as_runtime_errors():
            self.native = penstock.Matcher(native)

    def accept_token(self, token_id: int, *, debug_print: bool = False) -> bool:
        """Read one token. False, and nothing changed: it is refused, out of range, or the output has ended."""
        _check_debug(debug_print)
        if not 0 <= token_id < self._vocab_size or self.native.is_terminated():
            return False
        with as_runtime_errors():
            return self.native.accept_token(token_id)

    def accept_string(self, input_str: str | bytes, *, debug_print: bool = False) -> bool:
        """Read text as one step for rollback; False, and nothing changed, where it is refused."""
        _check_debug(debug_print)
        if self.native.is_terminated():
            return False
        with as_runtime_errors():
            return self.native.accept_bytes(input_str.encode() if isinstance(input_str, str) else bytes(input_str))

    def validate_tokens(self, token_ids: Sequence[int]) -> int:
        """Return how many of the tokens could be read one after the other; the state stays."""
        with as_runtime_errors():
            return self.native.validate_tokens(token_ids)

    def fill_next_token_bitmask(self, bitmask: Any, index: int = 0, *, debug_print: bool = False) -> bool:
        """Write row `index` of an int32 array on the CPU; False: all tokens are allowed. Raises RuntimeError after the end."""
        _check_debug(debug_print)
        with as_runtime_errors():
            return self.native.fill_next_token_bitmask(_on_cpu(bitmask), index)

    def traverse_draft_tree(
        self,
        retrieve_next_token: torch.Tensor,
        retrieve_next_sibling: torch.Tensor,
        draft_tokens: torch.Tensor,
        token_bitmask: torch.Tensor,
        time_threshold: float = -1.0,
        temperatures: torch.Tensor | None = None,
    ) -> bool:
        """Write row i of the bitmask for node i of a draft tree: what may follow the path to it.

        Node 0 is the last token that was accepted; the others follow by first child and next sibling, -1 for none. The row
        of a node that is refused, or that ends the output, allows nothing, and so do the rows below it. Returns False where
        time_threshold (seconds; 0 and below: none) ran out before the last node. The state stays.
        """
        if temperatures is not None:
            raise refuse("`temperatures` of a draft tree", "leave them out, and ask each matcher for its `temperature`")
        children = _children(retrieve_next_token.tolist(), retrieve_next_sibling.tolist())
        tokens = draft_tokens.tolist()
        deadline = time.monotonic() + time_threshold if time_threshold > 0 else None
        token_bitmask.zero_()
        with as_runtime_errors():
            return self._traverse(children, tokens, token_bitmask, deadline)

    def _traverse(self, children: list[list[int]], tokens: list[int], bitmask: torch.Tensor, deadline: float | None) -> bool:
        walk = self.native.fork()
        if not walk.is_terminated():
            walk.fill_next_token_bitmask(bitmask, 0)
        rest = [(child, 1) for child in reversed(children[0])]
        num_taken = 0  # tokens of the path to the node that was visited last
        while rest:
            if deadline is not None and time.monotonic() > deadline:
                return False
            node, depth = rest.pop()
            walk.rollback(num_taken - (depth - 1))
            num_taken = depth - 1
            if walk.is_terminated() or not 0 <= tokens[node] < self._vocab_size or not walk.accept_token(tokens[node]):
                continue
            num_taken = depth
            if not walk.is_terminated():
                walk.fill_next_token_bitmask(bitmask, node)
                rest += [(child, depth + 1) for child in reversed(children[node])]
        return True

    def find_jump_forward_string(self) -> str:
        """Return the longest text that every completion starts with, up to its last whole character."""
        if self.native.is_terminated():
            return ""
        with as_runtime_errors():
            return _whole_characters(self.native.jump_forward_bytes())

    def rollback(self, num_tokens: int = 1) -> None:
        """Take back the last steps. Raises RuntimeError where there were fewer."""
        with as_runtime_errors():
            self.native.rollback(num_tokens)

    def get_captures(self, *, deduplicate: bool = True) -> list[tuple[str, bytes]]:
        """Return the texts of rules with the option `capture`, in the order of their ends; none before the output is complete.

        One reading of the output is chosen (`penstock.Matcher.captures`), so there is nothing to deduplicate.
        """
        with as_runtime_errors():
            return self.native.captures() if self.native.is_accepting() else []

    def is_terminated(self) -> bool:
        """Return whether a stop token was accepted; with terminate_without_stop_token also whether the output is complete."""
        return self.native.is_terminated() or (self._ends_early and self.native.is_accepting())

    def is_completed(self) -> bool:
        """Return whether the output is complete."""
        return self.native.is_terminated() or self.native.is_accepting()

    def reset(self) -> None:
        """Go back to the start."""
        self.native.reset()

    def fork(self) -> GrammarMatcher:
        """Return a second matcher in the same state. Cost: constant."""
        copy = GrammarMatcher.__new__(GrammarMatcher)
        copy.__dict__.update(self.__dict__)
        copy.native = self.native.fork()
        return copy

    @property
    def max_rollback_tokens(self) -> int:
        """-1: unlimited."""
        return -1

    @property
    def temperature(self) -> float | None:
        """The temperature that the grammar asks for here; where it asks for none, the default that was given."""
        wanted = self.native.temperature()
        return self._temperature if wanted is None else wanted

    @property
    def stop_token_ids(self) -> list[int]:
        """The tokens that end the output."""
        return list(self._stops)


class BatchGrammarMatcher:
    """Many matchers at once; large batches are spread over threads."""

    def __init__(self, max_threads: int | str = "auto") -> None:
        """max_threads: an upper bound for XGrammar; Penstock's pool has one thread a core."""
        self.max_threads = max_threads

    def batch_fill_next_token_bitmask(
        self,
        matchers: Sequence[GrammarMatcher],
        bitmask: Any,
        indices: Sequence[int] | None = None,
        debug_print: bool = False,
    ) -> None:
        """Fill row indices[i] for matchers[i]. Raises the first error of a row, after all other rows were filled."""
        _check_debug(debug_print)
        with as_runtime_errors():
            outcomes = penstock.fill_next_token_bitmasks([m.native for m in matchers], _on_cpu(bitmask), indices)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome

    @staticmethod
    def batch_fill_temperature(
        matchers: Sequence[GrammarMatcher], temperatures: torch.Tensor, indices: Sequence[int] | None = None
    ) -> None:
        """Write the temperature of each matcher, -1 where it has none."""
        places = range(len(matchers)) if indices is None else indices
        if len(places) != len(matchers) or temperatures.dim() != 1 or any(not 0 <= i < len(temperatures) for i in places):
            raise RuntimeError("the temperatures need one place for each matcher; give a tensor [rows] and an index for each")
        for matcher, place in zip(matchers, places, strict=True):
            temperatures[place] = -1.0 if matcher.temperature is None else matcher.temperature

    @staticmethod
    def batch_accept_token(matchers: Sequence[GrammarMatcher], tokens: Sequence[int], debug_print: bool = False) -> list[bool]:
        """Accept tokens[i] in matchers[i]."""
        _check_lengths(matchers, tokens)
        return [m.accept_token(token, debug_print=debug_print) for m, token in zip(matchers, tokens, strict=True)]

    @staticmethod
    def batch_accept_string(
        matchers: Sequence[GrammarMatcher], strings: Sequence[str | bytes], debug_print: bool = False
    ) -> list[bool]:
        """Accept strings[i] in matchers[i]."""
        _check_lengths(matchers, strings)
        return [m.accept_string(text, debug_print=debug_print) for m, text in zip(matchers, strings, strict=True)]

    @staticmethod
    def batch_rollback(matchers: Sequence[GrammarMatcher], num_tokens: Sequence[int] | int = 1) -> None:
        """Roll matchers[i] back by num_tokens[i], or all by one number."""
        counts = [num_tokens] * len(matchers) if isinstance(num_tokens, int) else num_tokens
        _check_lengths(matchers, counts)
        for matcher, count in zip(matchers, counts, strict=True):
            matcher.rollback(count)


def _check_debug(debug_print: bool) -> None:
    if debug_print:
        raise refuse("`debug_print`", "look at `matcher.native`, or run `penstock check` on the text")


def _check_lengths(matchers: Sequence[Any], others: Sequence[Any]) -> None:
    if len(matchers) != len(others):
        raise RuntimeError(f"`{len(matchers)}` matchers and `{len(others)}` values; give one for each")


def _on_cpu(bitmask: Any) -> Any:
    if isinstance(bitmask, torch.Tensor) and bitmask.device.type != "cpu":
        raise RuntimeError(f"the bitmask is on `{bitmask.device}`; fill one on the CPU and copy it")
    return bitmask


def _children(next_token: list[int], next_sibling: list[int]) -> list[list[int]]:
    """The children of each node, in order. Raises RuntimeError for links that make no tree."""
    if len(next_token) > _MAX_NODES or len(next_token) != len(next_sibling) or not next_token:
        raise RuntimeError(f"a draft tree has 1 to {_MAX_NODES} nodes and as many children as siblings; give such arrays")
    children: list[list[int]] = [[] for _ in next_token]
    seen = {0}
    for node, first in enumerate(next_token):
        child = first
        while child != -1:
            if child in seen or not 0 < child < len(next_token):
                raise RuntimeError(f"node `{child}` of the draft tree is out of range or has two parents; link each node once")
            seen.add(child)
            children[node].append(child)
            child = next_sibling[child]
    return children


def _whole_characters(text: bytes) -> str:
    for cut in range(min(4, len(text) + 1)):
        try:
            return text[: len(text) - cut].decode()
        except UnicodeDecodeError:
            continue
    return ""
