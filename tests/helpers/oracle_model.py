"""A `Model` over an oracle: fifty tokens, some of them halves of characters, and a matcher for finite sets of texts."""

from __future__ import annotations

import itertools

import numpy as np
from helpers.oracle import OracleContext
from penstock.models.model import Model
from penstock.models.tokenizer import Tokenizer
from penstock.tokenizer import Vocabulary

STOP = 1
_LETTERS = 'abcdefghijklmnopqrstuvwxyz{}[]":,0123 '
SPELLINGS = (
    b"",
    b"<end>",
    *(letter.encode() for letter in _LETTERS),
    b"true",
    b"fal",
    b"\xc3",
    b"\xa9",
    "é".encode(),
    b"ab",
    b"st",
    b"op",
    b"\n",
)
VOCABULARY = Vocabulary(SPELLINGS, (STOP,), (STOP,), 50)


def encode(text: str, special: bool = True) -> list[int]:
    """The longest token first; unknown characters are an error."""
    ids, data = [], text.encode()
    while data:
        token = max(
            (t for t, s in enumerate(SPELLINGS) if s and t != STOP and data.startswith(s)), key=lambda t: len(SPELLINGS[t])
        )
        ids.append(token)
        data = data[len(SPELLINGS[token]) :]
    return ids


class OracleModel(Model):
    compiler = None  # texts are matched by TextMatcher

    def __init__(self, **context) -> None:
        self.contexts: list[OracleContext] = []
        super().__init__("oracle", Tokenizer(VOCABULARY, encode), self._context, max_positions=400)
        self._options = context

    def _context(self) -> OracleContext:
        self.contexts.append(OracleContext(50, **self._options))
        return self.contexts[-1]


class TextMatcher:
    """The language is a finite set of texts. Every token is tried."""

    def __init__(self, texts) -> None:
        self.texts = [text.encode() for text in texts]
        self.data, self.ended = b"", False

    def _allowed(self) -> set[int]:
        if self.ended:
            return set()
        after = [text[len(self.data) :] for text in self.texts if text.startswith(self.data)]
        ids = {t for t, s in enumerate(SPELLINGS) if s and t != STOP and any(rest.startswith(s) for rest in after)}
        return ids | ({STOP} if self.is_accepting() else set())

    def fork(self) -> TextMatcher:
        other = TextMatcher(())
        other.__dict__.update(self.__dict__)
        return other

    def fill_next_token_bitmask(self, bitmask, row=0) -> bool:
        bitmask[row] = 0
        for token in self._allowed():
            bitmask[row].view(np.uint32)[token // 32] |= np.uint32(1 << token % 32)
        return True

    def accept_token(self, token_id: int) -> bool:
        if token_id not in self._allowed():
            return False
        if token_id == STOP:
            self.ended = True
        else:
            self.data += SPELLINGS[token_id]
        return True

    def is_accepting(self) -> bool:
        return not self.ended and self.data in self.texts

    def is_terminated(self) -> bool:
        return self.ended

    def shortest_completion_bytes(self) -> bytes:
        return min((text[len(self.data) :] for text in self.texts if text.startswith(self.data)), key=len)


def json_texts() -> list[str]:
    names = ["".join(letters) for letters in itertools.product("ab", repeat=3)]
    return [f'{{"name": "{name}", "n": {number}}}' for name in names for number in (1, 23, 300)]
