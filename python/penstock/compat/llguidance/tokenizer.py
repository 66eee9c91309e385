"""`LLTokenizer` and `TokenizerWrapper` with llguidance's methods, over `penstock.TokenizerInfo`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import penstock
from penstock.tokenizer import vocabulary_from_huggingface

__all__ = ["LLTokenizer", "TokenizerWrapper"]

_BYTE_NAMES = (b"<|x|>", b"<|y|>", b"<|z|>", b"<|w|>", b"<|v|>", b"<|end|>")  # the symbols behind 256 bytes


class TokenizerWrapper:
    """A tokenizer as bytes: `tokens[id]`, `special_token_ids`, `eos_token_id`, `bos_token_id`, and a call that encodes."""

    def __init__(self, gtokenizer: Any) -> None:
        self.eos_token_id, self.bos_token_id = gtokenizer.eos_token_id, gtokenizer.bos_token_id
        self.tokens = gtokenizer.tokens
        self.special_token_ids = getattr(gtokenizer, "special_token_ids", [])
        self.is_tokenizer_wrapper = True
        self._gtokenizer = gtokenizer
        try:
            gtokenizer(b"test")
            self._accepts_bytes = True
        except Exception:  # whatever it raises, it does not read bytes
            self._accepts_bytes = False

    def __call__(self, text: str) -> list[int]:
        """Encode a text."""
        return list(self._gtokenizer(text.encode() if self._accepts_bytes else text))


class LLTokenizer:
    """A vocabulary with the compiler of its grammars; `info` is Penstock's. Cost: some 0.2 s for 150,000 tokens."""

    def __init__(
        self,
        tokenizer: str | TokenizerWrapper,
        n_vocab: int | None = None,
        eos_token: int | Sequence[int] | None = None,
        slices: list[str] | None = None,
    ) -> None:
        """Read a wrapper, the path, hub name or JSON text of a `tokenizers` tokenizer, or "byte" for single bytes.

        n_vocab: the width of the logits. eos_token: replaces the stop tokens. slices: patterns that speed llguidance up;
        Penstock finds its own, and masks never depend on them.
        """
        stops = None if eos_token is None else [eos_token] if isinstance(eos_token, int) else list(eos_token)
        self.slices = slices
        if isinstance(tokenizer, str):
            vocab, found, special, encode = _read(tokenizer, stops)
        else:
            vocab, found, special = list(tokenizer.tokens), [tokenizer.eos_token_id], list(tokenizer.special_token_ids)
            encode = tokenizer.__call__
        self.eos_tokens = stops or list(found)
        size = max(n_vocab or 0, len(vocab))
        self._vocab, self._encode = vocab, encode
        self.info = penstock.TokenizerInfo(
            vocab, stop_token_ids=self.eos_tokens, special_token_ids=sorted({*special, *self.eos_tokens}), vocab_size=size
        )
        self._special = set(self.info.special_token_ids)
        self.compiler = penstock.GrammarCompiler(self.info)

    @classmethod
    def from_tiktoken(
        cls,
        *,
        encoder: dict[bytes, int],
        special_tokens: dict[str, int],
        eos_token: int | Sequence[int],
        encode: Callable[[str], list[int]] | None = None,
        n_vocab: int | None = None,
        **_ignored: Any,
    ) -> LLTokenizer:
        """Read the ranks and special tokens of a tiktoken encoding."""
        named = {**{id: token for token, id in encoder.items()}, **{id: name.encode() for name, id in special_tokens.items()}}
        stops = [eos_token] if isinstance(eos_token, int) else list(eos_token)
        wrapper = TokenizerWrapper.__new__(TokenizerWrapper)
        wrapper.eos_token_id, wrapper.bos_token_id = stops[0], None
        wrapper.tokens = [named.get(id, b"") for id in range(max(named) + 1)]
        wrapper.special_token_ids, wrapper._accepts_bytes = list(special_tokens.values()), False
        wrapper._gtokenizer = encode or (lambda text: _longest(text.encode(), _ids_of(wrapper.tokens, special_tokens.values())))
        return cls(wrapper, n_vocab=n_vocab, eos_token=stops)

    @property
    def vocab_size(self) -> int:
        """Number of ids, a padded head included."""
        return self.info.vocab_size

    @property
    def eos_token(self) -> int:
        """The first of the tokens that end an output."""
        return self.eos_tokens[0]

    @property
    def is_canonical(self) -> bool:
        """Whether a tokenizer stands behind the bytes. Masks do not depend on it: every spelling is allowed."""
        return self._encode is not None

    def with_slices(self, slices: list[str]) -> LLTokenizer:
        """Return the same tokenizer with other slices, which change nothing here."""
        other = LLTokenizer.__new__(LLTokenizer)
        other.__dict__.update({**self.__dict__, "slices": slices})
        return other

    @staticmethod
    def general_slices() -> list[str]:
        """Return no slices: Penstock finds its own."""
        return []

    json_slices = general_slices

    @functools.cached_property
    def _ids(self) -> dict[bytes, int]:
        return _ids_of(self._vocab, self._special)

    def greedy_tokenize(self, text: str) -> list[int]:
        """Spell a text by the longest token at each place. Raises ValueError for a byte that is no token."""
        return _longest(text.encode(), self._ids)

    def tokenize_bytes(self, utf8bytes: bytes, *, parse_special: bool = False) -> list[int]:
        """Encode text as the tokenizer does; what is no UTF-8 at its end, or anywhere without a tokenizer, greedily.

        parse_special: find the names of special tokens in the text.
        """
        if parse_special:
            for name, id in self._special_names.items():
                before, found, after = utf8bytes.partition(name)
                if found:
                    return [
                        *self.tokenize_bytes(before, parse_special=True),
                        id,
                        *self.tokenize_bytes(after, parse_special=True),
                    ]
        end = _valid_end(utf8bytes)
        head = [] if self._encode is None or not end else self._encode(utf8bytes[:end].decode())
        rest = utf8bytes if self._encode is None else utf8bytes[end:]
        return [*head, *_longest(rest, self._ids)]

    def tokenize_str(self, text: str, *, parse_special: bool = False) -> list[int]:
        """As `tokenize_bytes`."""
        return self.tokenize_bytes(text.encode(), parse_special=parse_special)

    def tokenize_partial(self, new_bytes: bytes, recent_tokens: list[int] | None = None) -> tuple[list[int], bytes]:
        """Return the tokens that any continuation of the bytes begins with, and the bytes that they leave.

        Certain are those before the last place where a longer token could still come; where that is, no tokenizer says, so
        that greedy spelling decides.
        """
        tokens, at, longest = [], 0, max(map(len, self._ids), default=0)
        for id in _longest(new_bytes, self._ids):
            if len(new_bytes) - at < longest and self._could_grow(new_bytes[at:]):
                break
            tokens.append(id)
            at += len(self._vocab[id])
        return tokens, new_bytes[at:]

    def _could_grow(self, rest: bytes) -> bool:
        return any(len(token) > len(rest) and token.startswith(rest) for token in self._ids)

    @functools.cached_property
    def _special_names(self) -> dict[bytes, int]:
        return {self._vocab[id]: id for id in sorted(self._special) if id < len(self._vocab) and self._vocab[id]}

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """Return the bytes of tokens; special tokens are written by name."""
        return b"".join(self._vocab[id] for id in tokens if id < len(self._vocab))

    def decode_str(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens; special tokens are written by name, and what is no UTF-8 becomes U+FFFD."""
        return self.decode_bytes(tokens).decode(errors="replace")

    def dbg_tokens(self, tokens: Sequence[int]) -> str:
        """Return tokens for a reader, `‧` between them."""
        return f"⟦{self.test_trace_tokens(tokens)}⟧"

    def test_trace_tokens(self, tokens: Sequence[int]) -> str:
        """Return tokens for a trace, `‧` between them."""
        return "‧".join("≺EOS≻" if id in self.eos_tokens else self._shown(id) for id in tokens)

    def _shown(self, id: int) -> str:
        data = self._vocab[id] if id < len(self._vocab) else b""
        try:
            return data.decode() or f"≺{id}≻"
        except UnicodeDecodeError:
            return f"≺HEX[{data.hex()}]≻"

    def is_special_token(self, token: int) -> bool:
        """Return whether a token is a symbol and no text."""
        return token in self._special


def _read(name: str, stops: list[int] | None) -> tuple[list[bytes], list[int], list[int], Callable[[str], list[int]] | None]:
    """(vocabulary, stop tokens, special tokens, encode) of a named tokenizer."""
    if name == "byte":
        vocab = [bytes([value]) for value in range(256)] + list(_BYTE_NAMES)
        return vocab, [261], list(range(256, 262)), lambda text: list(text.encode())
    import tokenizers

    if name.lstrip().startswith("{"):
        backend = tokenizers.Tokenizer.from_str(name)
    elif os.path.exists(name):
        backend = tokenizers.Tokenizer.from_file(os.path.join(name, "tokenizer.json") if os.path.isdir(name) else name)
    else:
        backend = tokenizers.Tokenizer.from_pretrained(name)
    found = vocabulary_from_huggingface(backend, stop_token_ids=stops)
    return (
        list(found.vocab),
        list(found.stop_token_ids),
        list(found.special_token_ids),
        lambda text: list(backend.encode(text, add_special_tokens=False).ids),
    )


def _ids_of(vocab: Sequence[bytes], special: Any) -> dict[bytes, int]:
    symbols = set(special)
    ids: dict[bytes, int] = {}
    for id, token in enumerate(vocab):
        if token and id not in symbols:
            ids.setdefault(token, id)
    return ids


def _longest(data: bytes, ids: dict[bytes, int]) -> list[int]:
    out, at, longest = [], 0, max(map(len, ids), default=0)
    while at < len(data):
        size = next((n for n in range(min(longest, len(data) - at), 0, -1) if data[at : at + n] in ids), 0)
        if not size:
            raise ValueError(f"no token is the byte {data[at]:#04x}; the vocabulary cannot spell this text")
        out.append(ids[data[at : at + size]])
        at += size
    return out


def _valid_end(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(data)
