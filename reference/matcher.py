"""The mask law, word for word: try every token, byte by byte.

A text token may come if what follows can be completed; a stop token if the output is complete, or if the grammar itself
asks for it (then it is taken, and ends the output if the result is complete). Special tokens are symbols and no text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .earley import Column


@dataclass(frozen=True)
class Vocabulary:
    """The spelling of every id; ids from `len(spellings)` to `vocab_size` belong to padded heads and are no tokens."""

    spellings: Sequence[bytes]
    stop_ids: Collection[int]
    special_ids: Collection[int] = ()
    vocab_size: int = 0

    def bytes_of(self, token: int) -> bytes:
        """What the token adds to the text."""
        is_symbol = token in self.stop_ids or token in self.special_ids or token >= len(self.spellings)
        return b"" if is_symbol else self.spellings[token]

    @property
    def size(self) -> int:
        """Number of ids, padding included."""
        return max(self.vocab_size, len(self.spellings))


@dataclass(frozen=True)
class Matcher:
    """One output. `accept` gives the next matcher and leaves this one as it is."""

    column: Column
    vocabulary: Vocabulary
    is_terminated: bool = False

    def accept(self, token: int) -> Matcher | None:
        """The matcher after the token; None if it may not come."""
        if self.is_terminated:
            return None
        column = self.column.after_token(token, self.vocabulary.bytes_of(token))
        is_stop = token in self.vocabulary.stop_ids
        if column.is_viable:
            return Matcher(column, self.vocabulary, is_stop and column.is_complete)
        if is_stop and self.column.is_complete:
            return Matcher(self.column, self.vocabulary, True)
        return None

    def mask(self) -> set[int]:
        """The tokens that may come."""
        return {token for token in range(self.vocabulary.size) if self.accept(token) is not None}
