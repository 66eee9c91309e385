"""`TokenizerInfo` and `VocabType` with XGrammar's constructors, over `penstock.TokenizerInfo`."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from enum import Enum
from typing import Any

import penstock
from penstock.compat.xgrammar.exception import (
    DeserializeFormatError,
    DeserializeVersionError,
    InvalidJSONError,
    as_runtime_errors,
)
from penstock.tokenizer import BYTE_LEVEL, WORD_START, spell_byte_fallback, spell_byte_level, vocabulary_from_huggingface

__all__ = ["SERIALIZATION_VERSION", "TokenizerInfo", "VocabType"]

SERIALIZATION_VERSION = "penstock-1"  # of everything that this shim serializes

# Tokens that end an output where no stop token is named.
STOP_NAMES = (
    b"</s>",
    b"<|end_of_text|>",
    b"<|eot_id|>",
    b"<|endoftext|>",
    b"<eos>",
    b"<|eos|>",
    b"<end_of_turn>",
    "<｜end▁of▁sentence｜>".encode(),
)
_NUM_BYTES = 256


class VocabType(Enum):
    """How a vocabulary spells bytes: as they are, as `<0x0A>` with `▁` for spaces, or in the alphabet of byte-level BPE."""

    RAW = 0
    BYTE_FALLBACK = 1
    BYTE_LEVEL = 2


class TokenizerInfo:
    """A vocabulary; `native` is Penstock's, for use with Penstock's own classes.

    An empty vocabulary, as XGrammar's testing helpers use it, stands for single bytes: strings can be matched, tokens not.
    """

    def __init__(
        self,
        encoded_vocab: Sequence[bytes] | Sequence[str],
        vocab_type: VocabType = VocabType.RAW,
        *,
        vocab_size: int | None = None,
        stop_token_ids: Sequence[int] | int | None = None,
        add_prefix_space: bool = False,
    ) -> None:
        """Read `encoded_vocab[i]`, the token of id i; every token that is not empty and no stop token counts as text."""
        vocab = [_decoded(token, vocab_type) for token in encoded_vocab]
        size = len(vocab) if vocab_size is None else vocab_size
        vocab = vocab[:size]
        stops = _stops(stop_token_ids)
        if stops is None:
            stops = [id for id, token in enumerate(vocab) if token in STOP_NAMES]
        self._fill(vocab, size, stops, (), vocab_type, add_prefix_space)

    def _fill(
        self,
        vocab: Sequence[bytes],
        size: int,
        stops: Sequence[int],
        special: Sequence[int],
        vocab_type: VocabType,
        add_prefix_space: bool,
    ) -> None:
        self._vocab, self._size, self._stops = tuple(vocab), size, tuple(sorted(set(stops)))
        self._special = tuple(id for id in special if id < len(vocab))
        self._type, self._prefix = vocab_type, add_prefix_space
        self._natives: dict[tuple[int, ...], penstock.TokenizerInfo] = {}

    @classmethod
    def from_huggingface(
        cls, tokenizer: Any, *, vocab_size: int | None = None, stop_token_ids: Sequence[int] | int | None = None
    ) -> TokenizerInfo:
        """Read a tokenizer of transformers. vocab_size: of the model's head; ids at or above it do not exist.

        Special tokens are symbols and never text, also where XGrammar would take their names for text. Raises
        penstock.TokenizerError (a ValueError).
        """
        stops = _stops(stop_token_ids)
        if stops == []:
            raise ValueError("stop_token_ids cannot be empty")
        found = vocabulary_from_huggingface(tokenizer, stop_token_ids=stops)
        size = found.vocab_size if vocab_size is None else vocab_size
        metadata = detect_metadata(_backend_text(tokenizer))
        info = cls.__new__(cls)
        kept = [id for id in found.stop_token_ids if id < size]
        info._fill(
            found.vocab[:size], size, kept, found.special_token_ids, metadata["vocab_type"], metadata["add_prefix_space"]
        )
        return info

    @staticmethod
    def from_vocab_and_metadata(encoded_vocab: Sequence[bytes] | Sequence[str], metadata: str) -> TokenizerInfo:
        """Build from a vocabulary and the text of `dump_metadata`, XGrammar's or ours."""
        read = _json_object(metadata)
        return TokenizerInfo(
            encoded_vocab,
            VocabType(read["vocab_type"]),
            vocab_size=read["vocab_size"],
            stop_token_ids=read["stop_token_ids"],
            add_prefix_space=read["add_prefix_space"],
        )

    def native(self, stop_token_ids: Sequence[int] | None = None) -> penstock.TokenizerInfo:
        """Return Penstock's vocabulary, with other stop tokens if some are given. The old ones stay symbols."""
        stops = self._stops if stop_token_ids is None else tuple(sorted(set(stop_token_ids)))
        if stops not in self._natives:
            self._natives[stops] = self._make(stops)
        return self._natives[stops]

    def _make(self, stops: tuple[int, ...]) -> penstock.TokenizerInfo:
        if not self._vocab and not self._size:
            vocab = [bytes([value]) for value in range(_NUM_BYTES)] + [b""]
            return penstock.TokenizerInfo(vocab, stop_token_ids=[_NUM_BYTES])
        special = set(self._special) | set(self._stops) | set(stops)
        with as_runtime_errors():
            return penstock.TokenizerInfo(
                self._vocab, stop_token_ids=stops, special_token_ids=sorted(special), vocab_size=self._size
            )

    @property
    def vocab_type(self) -> VocabType:
        """How the vocabulary spells bytes."""
        return self._type

    @property
    def vocab_size(self) -> int:
        """Number of ids, a padded head included."""
        return self._size

    @property
    def add_prefix_space(self) -> bool:
        """Whether the tokenizer puts a space before a text. Masks are the same either way."""
        return self._prefix

    prepend_space_in_tokenization = add_prefix_space

    @property
    def decoded_vocab(self) -> list[bytes]:
        """The bytes of every id; empty where nothing is spelt."""
        return [*self._vocab, *[b""] * (self._size - len(self._vocab))]

    @property
    def stop_token_ids(self) -> list[int]:
        """The tokens that end an output."""
        return list(self._stops)

    @property
    def special_token_ids(self) -> list[int]:
        """The tokens that are no text, without the stop tokens: symbols, and ids that spell nothing."""
        return sorted(
            (set(self._special) | {id for id, token in enumerate(self.decoded_vocab) if not token}) - set(self._stops)
        )

    def dump_metadata(self) -> str:
        """Return what `from_vocab_and_metadata` needs beside the vocabulary, as JSON."""
        return json.dumps(self._metadata(), separators=(",", ":"))

    def _metadata(self) -> dict[str, Any]:
        return {
            "vocab_type": self._type.value,
            "vocab_size": self._size,
            "add_prefix_space": self._prefix,
            "stop_token_ids": list(self._stops),
        }

    def serialize_json(self) -> str:
        """Return everything as JSON, for `deserialize_json`."""
        vocab = [token.hex() for token in self._vocab]
        return json.dumps(
            {"__VERSION__": SERIALIZATION_VERSION, "vocab": vocab, "special": list(self._special), **self._metadata()}
        )

    @staticmethod
    def deserialize_json(json_string: str) -> TokenizerInfo:
        """Read `serialize_json`. Raises InvalidJSONError, DeserializeVersionError, DeserializeFormatError."""
        read = read_serialized(json_string, ("vocab", "special", "vocab_type", "vocab_size", "stop_token_ids"))
        info = TokenizerInfo.__new__(TokenizerInfo)
        try:
            vocab, kind = [bytes.fromhex(token) for token in read["vocab"]], VocabType(read["vocab_type"])
            info._fill(vocab, read["vocab_size"], read["stop_token_ids"], read["special"], kind, bool(read["add_prefix_space"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DeserializeFormatError(f"no serialized TokenizerInfo: {error}") from error
        return info

    @staticmethod
    def _detect_metadata_from_hf(backend_str: str) -> dict[str, Any]:
        return detect_metadata(backend_str)


def read_serialized(text: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return a serialized object that has these keys. Raises as `TokenizerInfo.deserialize_json` does."""
    read = _json_object(text)
    if read.get("__VERSION__") != SERIALIZATION_VERSION:
        found = read.get("__VERSION__", "none")
        raise DeserializeVersionError(
            f"the version is `{found}`, not `{SERIALIZATION_VERSION}`; serialize it again with this shim"
        )
    missing = [key for key in keys if key not in read]
    if missing:
        raise DeserializeFormatError(f"`{missing[0]}` is missing; give the text of `serialize_json` of the same class")
    return read


def _json_object(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise InvalidJSONError(f"the text is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise DeserializeFormatError("the text is no JSON object; give the text of `serialize_json`")
    return read


def _stops(given: Sequence[int] | int | None) -> list[int] | None:
    return [given] if isinstance(given, int) else None if given is None else list(given)


def _decoded(token: bytes | str, kind: VocabType) -> bytes:
    if isinstance(token, bytes):
        if kind is VocabType.RAW:
            return token
        token = token.decode("utf-8", errors="surrogateescape")
    if kind is VocabType.BYTE_LEVEL:
        return spell_byte_level(token)
    if kind is VocabType.BYTE_FALLBACK:
        return spell_byte_fallback(token.replace(WORD_START, " "))
    return token.encode("utf-8", errors="surrogateescape")


def _backend_text(tokenizer: Any) -> str:
    """The tokenizer as JSON where it has a backend of `tokenizers`, else what its vocabulary amounts to."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if hasattr(backend, "to_str"):
        return str(backend.to_str())
    return json.dumps({"decoder": {"type": _kind_of_vocabulary(tokenizer.get_vocab())}})


def _kind_of_vocabulary(vocab: dict[str, int]) -> str:
    if "<0x0A>" in vocab:
        return "ByteFallback"
    return "ByteLevel" if sum(character in vocab for character in BYTE_LEVEL) >= len(BYTE_LEVEL) // 2 else "None"


@functools.lru_cache(maxsize=4)  # the text is a whole tokenizer, and hosts ask about it several times
def _steps(backend_str: str) -> tuple[dict[str, Any], ...]:
    state = json.loads(backend_str)
    found, rest = [], [state.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]
    while rest:
        step = rest.pop()
        if isinstance(step, dict):
            found.append(step)
            for inner in ("normalizers", "pretokenizers", "decoders"):
                rest.extend(step.get(inner, ()))
    return tuple(found)


def detect_metadata(backend_str: str) -> dict[str, Any]:
    """Return the vocab_type and add_prefix_space of a tokenizer that is written as JSON."""
    steps = _steps(backend_str)
    kinds = {step.get("type") for step in steps}
    has_byte_fallback = "ByteFallback" in kinds
    kind = VocabType.BYTE_FALLBACK if has_byte_fallback else VocabType.BYTE_LEVEL if "ByteLevel" in kinds else VocabType.RAW
    prefix = any(
        (step.get("type") == "Prepend" and step.get("prepend") == WORD_START)
        or (step.get("type") == "Metaspace" and step.get("prepend_scheme", "always") != "never")
        for step in steps
    )
    return {"vocab_type": kind, "add_prefix_space": prefix}
