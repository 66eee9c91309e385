"""`LLMatcher` and `LLExecutor` with llguidance's methods, over `penstock.Matcher`.

An LLMatcher never raises for what is wrong with a grammar or a token: it goes into an error state and stays there. There
and after the end, its mask holds the stop tokens only.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

import penstock
from penstock.compat.llguidance.grammar import grammar_of, grammar_text, json_schema_text
from penstock.compat.llguidance.tokenizer import LLTokenizer
from penstock.errors import LimitError, PenstockError

__all__ = ["LLExecutor", "LLMatcher", "LLParserLimits"]

logger = logging.getLogger("penstock")

_ALLOWED_BIAS = 200  # what llguidance adds to the logit of an allowed token
_LIMITS = {
    "max_items_in_row": 2_000,
    "initial_lexer_fuel": 1_000_000,
    "step_lexer_fuel": 200_000,
    "step_max_items": 50_000,
    "max_lexer_states": 250_000,
    "max_grammar_size": 500_000,
    "precompute_large_lexemes": True,
    "verbose_errors": True,
}


class LLParserLimits:
    """llguidance's limits. Penstock has others, of its own: a value that is not the default is refused by LLMatcher."""

    def __init__(self, **limits: int | bool | None) -> None:
        unknown = sorted(set(limits) - set(_LIMITS))
        if unknown:
            raise TypeError(f"LLParserLimits() got an unexpected keyword argument '{unknown[0]}'")
        self.__dict__.update({name: default if limits.get(name) is None else limits[name] for name, default in _LIMITS.items()})

    def refuse(self) -> None:
        """Raise ValueError unless all limits are the defaults."""
        changed = [name for name, default in _LIMITS.items() if name != "verbose_errors" and self.__dict__[name] != default]
        if changed:
            raise ValueError(f"the limit `{changed[0]}` is llguidance's own and limits nothing here; leave it out")


class LLMatcher:
    """The state of one output; `native` is Penstock's matcher."""

    def __init__(
        self, tokenizer: LLTokenizer, grammar: str, *, log_level: int = 1, limits: LLParserLimits | None = None
    ) -> None:
        """Stand at the start of an output. log_level: 0 says nothing; else errors of the grammar are logged as warnings."""
        if limits is not None:
            limits.refuse()
        self.tokenizer, self._num_words = tokenizer, -(-tokenizer.vocab_size // 32)
        self.native: Any = None  # penstock.Matcher; None where the grammar is wrong
        self._compiled: penstock.CompiledGrammar | None = None
        self._error, self._has_hit_limit, self._reason = "", False, "NotStopped"
        try:
            self._compiled = tokenizer.compiler.compile(grammar_of(grammar))
            self.native = penstock.Matcher(self._compiled)
        except (PenstockError, ValueError, RecursionError) as error:
            self._fail(error)
            if log_level:
                logger.warning("grammar refused: %s", error)

    # Grammars as text.

    @staticmethod
    def grammar_from_json_schema(schema: Any, defaults: Any = None, overrides: Any = None) -> str:
        """Return the grammar of a JSON Schema; it is read when a matcher is made. Raises ValueError for what is no JSON."""
        return json_schema_text(schema, defaults, overrides)

    @staticmethod
    def grammar_from_lark(lark: str) -> str:
        """Return the grammar of a text in Lark's notation, as it is."""
        return lark

    @staticmethod
    def grammar_from_regex(regex: str) -> str:
        """Return the grammar of a regular expression in the dialect of Rust."""
        return grammar_text("regex", regex)

    @staticmethod
    def validate_grammar(grammar: str, tokenizer: LLTokenizer | None = None, *, limits: LLParserLimits | None = None) -> str:
        """Return what is wrong with a grammar; "" for nothing, "WARNING: ..." for what is not enforced on request."""
        is_error, messages = LLMatcher.validate_grammar_with_warnings(grammar, tokenizer, limits=limits)
        return "\n".join(messages) if is_error or not messages else "WARNING: " + "\n".join(messages)

    @staticmethod
    def validate_grammar_with_warnings(
        grammar: str, tokenizer: LLTokenizer | None = None, *, limits: LLParserLimits | None = None
    ) -> tuple[bool, list[str]]:
        """Return whether a grammar is wrong, and the one error, or the warnings."""
        matcher = LLMatcher(tokenizer or LLTokenizer("byte"), grammar, log_level=0, limits=limits)
        return (True, [matcher.get_error()]) if matcher.is_error() else (False, matcher.get_grammar_warnings())

    # Errors.

    def _fail(self, error: Exception | str) -> bool:
        if not self._error:
            self._error, self._has_hit_limit = str(error) or type(error).__name__, isinstance(error, LimitError)
        return False

    def is_error(self) -> bool:
        """Return whether something went wrong; nothing but `deep_copy` works from then on."""
        return bool(self._error)

    def get_error(self) -> str:
        """Return what went wrong, "" for nothing."""
        return self._error

    def get_grammar_warnings(self) -> list[str]:
        """Return the keywords that are not enforced because the grammar asked for leniency."""
        refused = [] if self._compiled is None else self._compiled.report["refused"]
        return [f"{pointer or '#'}: {keyword}: {reason}" for pointer, keyword, reason in refused]

    # State.

    def deep_copy(self) -> LLMatcher:
        """Return a second matcher in the same state. Cost: constant."""
        copy = LLMatcher.__new__(LLMatcher)
        copy.__dict__.update(self.__dict__)
        copy.native = None if self.native is None else self.native.fork()
        return copy

    def is_accepting(self) -> bool:
        """Return whether the output may end here."""
        return not self._error and (self.native.is_terminated() or self.native.is_accepting())

    def is_stopped(self) -> bool:
        """Return whether nothing but a stop token may come, or something went wrong."""
        return bool(self._error) or self.native.is_terminated() or self._is_exhausted()

    def _is_exhausted(self) -> bool:
        """Whether the output is complete and cannot go on."""
        return self.native.is_accepting() and np.array_equal(self._mask(), self._stop_mask())

    def stop_reason(self) -> str:
        """Return "NotStopped", "EndOfSentence" (a stop token), "NoExtension", "ParserTooComplex" (a limit), "InternalError"."""
        if self._error:
            return "ParserTooComplex" if self._has_hit_limit else "InternalError"
        if self.native.is_terminated():
            return self._reason
        return "NoExtension" if self._is_exhausted() else "NotStopped"

    def rollback(self, num_tokens: int) -> bool:
        """Take back the last tokens. False, and an error, where there were fewer."""
        try:
            if not self._error:
                self.native.rollback(num_tokens)
        except (PenstockError, OverflowError) as error:
            self._fail(error)
        return not self._error

    def reset(self) -> bool:
        """Go back to the start; an error stays."""
        if not self._error:
            self.native.reset()
        return not self._error

    # Tokens.

    def consume_token(self, sampled_token: int) -> bool:
        """Read a token. False: it is refused, and the matcher is in its error state."""
        return self.consume_tokens([sampled_token])

    def consume_tokens(self, sampled_tokens: Sequence[int]) -> bool:
        """Read tokens, all of them or with an error."""
        if self.try_consume_tokens(sampled_tokens) < len(sampled_tokens) and not self._error:
            self._fail("the grammar does not allow the token")
        return not self._error

    def try_consume_tokens(self, tokens: Sequence[int]) -> int:
        """Read tokens up to the first that is refused; return how many were read."""
        num_read = 0
        try:
            for token in tokens:
                if self._error or self.native.is_terminated():
                    break
                reason = self._reason_to_stop(token)
                if not self.native.accept_token(token):
                    break
                num_read, self._reason = num_read + 1, reason
        except (PenstockError, OverflowError) as error:
            self._fail(error)
        return num_read

    def _reason_to_stop(self, token: int) -> str:
        if token not in self.tokenizer.eos_tokens:
            return "NotStopped"
        return "NoExtension" if self._is_exhausted() else "EndOfSentence"

    def validate_tokens(self, tokens: Sequence[int]) -> int:
        """Return how many of the tokens could be read one after the other; the state stays."""
        if self._error or self.native.is_terminated():
            return 0
        inside = next((i for i, token in enumerate(tokens) if not 0 <= token < self.tokenizer.vocab_size), len(tokens))
        try:
            return int(self.native.validate_tokens(tokens[:inside]))
        except PenstockError as error:
            self._fail(error)
            return 0

    def compute_ff_tokens(self) -> list[int]:
        """Return tokens that spell the beginning of what must come next."""
        return [] if self._error or self.native.is_terminated() else list(self._forced("jump_forward_tokens", []))

    def compute_ff_bytes(self) -> bytes:
        """Return what must come next."""
        return b"" if self._error or self.native.is_terminated() else bytes(self._forced("jump_forward_bytes", b""))

    def _forced(self, name: str, nothing: Any) -> Any:
        try:
            return getattr(self.native, name)()
        except PenstockError as error:
            self._fail(error)
            return nothing

    # Masks.

    def _stop_mask(self) -> Any:
        row = np.zeros(self._num_words, dtype=np.uint32)
        for token in self.tokenizer.eos_tokens:
            row[token // 32] |= np.uint32(1 << token % 32)
        return row.view(np.int32)

    def _mask(self) -> Any:
        """The mask as int32 words."""
        if self._error or self.native.is_terminated():
            return self._stop_mask()
        row = np.zeros(self._num_words, dtype=np.int32)
        try:
            self.native.fill_next_token_bitmask(row)
        except PenstockError as error:
            self._fail(error)
            return self._stop_mask()
        return row

    def fill(self, row: Any) -> None:
        """Write the mask into an int32 row, which may be longer than the vocabulary: what is beyond it is 0."""
        if row.size == self._num_words and not self._error and not self.native.is_terminated():
            try:
                self.native.fill_next_token_bitmask(row)
                return
            except PenstockError as error:
                self._fail(error)
        words = self._mask()
        if row.size < words.size:
            raise ValueError(f"the row has `{row.size}` words, and the vocabulary needs `{words.size}`; allocate more")
        row[: words.size] = words
        row[words.size :] = 0

    def compute_bitmask(self) -> bytes:
        """Return the mask: 4 * ceil(vocab_size / 32) bytes, bit 1 = allowed, lowest bit first."""
        return bytes(self._mask().tobytes())

    def compute_logit_bias(self) -> bytes:
        """Return the mask as a byte for each token: 200 = allowed, 0 = not."""
        bits = np.unpackbits(self._mask().view(np.uint8), bitorder="little")[: self.tokenizer.vocab_size]
        return bytes((bits * np.uint8(_ALLOWED_BIAS)).tobytes())

    def unsafe_compute_mask_ptr(self, trg_pointer: int, trg_byte_size: int) -> None:
        """Write the mask to memory that holds `trg_byte_size` bytes of int32 words."""
        self.fill(words_at(trg_pointer, trg_byte_size, 1)[0])

    def get_capture(self, name: str) -> bytes | None:
        """Return the last text of the rules captured under this name; None where there is none."""
        found = [text for known, text in self.get_captures() if known == name]
        return found[-1] if found else None

    def get_captures(self) -> list[tuple[str, bytes]]:
        """Return the texts of captured rules in the order of their ends; none before the output is complete."""
        if self.native is None or not self.native.is_accepting():
            return []
        return list(self.native.captures())


class LLExecutor:
    """Many matchers at once."""

    def __init__(self, num_threads: int | None = None) -> None:
        """num_threads: a bound for llguidance; Penstock's pool has one thread a core."""
        self.num_threads = num_threads

    def fill(self, matchers: Sequence[tuple[LLMatcher, int]], bitmask: Any) -> None:
        """Write row k of an int32 array [rows, words] for each (matcher, k). Raises ValueError for rows outside it."""
        healthy: list[tuple[LLMatcher, int]] = []
        for matcher, row in matchers:
            if not 0 <= row < len(bitmask):
                raise ValueError(f"row `{row}` is outside the `{len(bitmask)}` rows of the bitmask; allocate more")
            if matcher.is_error() or matcher.native.is_terminated() or bitmask.shape[1] != matcher._num_words:
                matcher.fill(bitmask[row])
            else:
                healthy.append((matcher, row))
        outcomes = penstock.fill_next_token_bitmasks([m.native for m, _ in healthy], bitmask, [row for _, row in healthy])
        for (matcher, row), outcome in zip(healthy, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                matcher._fail(outcome)
                matcher.fill(bitmask[row])

    def fill_with_drafts(self, matchers: Sequence[tuple[LLMatcher, int, Sequence[int]]], bitmask: Any) -> None:
        """As `fill`, and row k + i + 1 for what may follow the first i + 1 draft tokens; states stay as they are.

        Rows behind a draft token that is refused are not written.
        """
        for matcher, row, drafts in matchers:
            if not drafts:
                raise ValueError("Draft tokens must not be empty")
            if not 0 <= row < row + len(drafts) < len(bitmask):
                raise ValueError(f"rows `{row}` to `{row + len(drafts)}` are outside the `{len(bitmask)}` rows; allocate more")
            ahead = matcher.deep_copy()
            ahead.fill(bitmask[row])
            for number, token in enumerate(drafts, 1):
                if ahead.try_consume_tokens([token]) == 0:
                    break
                ahead.fill(bitmask[row + number])

    def unsafe_compute_mask_ptr(
        self, interpreters: Sequence[tuple[LLMatcher, int]], trg_pointer: int, one_mask_bytes: int, trg_batch_size: int
    ) -> None:
        """As `fill`, to memory of trg_batch_size rows of one_mask_bytes."""
        self.fill(interpreters, words_at(trg_pointer, one_mask_bytes, trg_batch_size))

    def unsafe_compute_mask_ptr_with_draft_token(
        self,
        interpreters: Sequence[tuple[LLMatcher, int, Sequence[int]]],
        trg_pointer: int,
        one_mask_bytes: int,
        trg_batch_size: int,
    ) -> None:
        """As `fill_with_drafts`, to memory of trg_batch_size rows of one_mask_bytes."""
        self.fill_with_drafts(interpreters, words_at(trg_pointer, one_mask_bytes, trg_batch_size))

    def consume_token_par(self, matchers: Sequence[tuple[LLMatcher, int]]) -> list[bool]:
        """Read one token in each matcher; False for those that are in their error state then."""
        return [matcher.consume_token(token) for matcher, token in matchers]


def words_at(pointer: int, num_bytes: int, num_rows: int) -> Any:
    """The memory at a pointer as int32 words [num_rows, num_bytes / 4]. Raises ValueError where that does not fit."""
    if num_bytes % 4 or num_bytes <= 0 or num_rows <= 0 or not pointer:
        raise ValueError(f"`{num_rows}` rows of `{num_bytes}` bytes at `{pointer}` are no bitmask; give whole int32 words")
    memory = (ctypes.c_int32 * (num_bytes // 4 * num_rows)).from_address(pointer)
    return np.ctypeslib.as_array(memory).reshape(num_rows, num_bytes // 4)
