"""The matcher as the law tests use it: small vocabularies, masks as sets, and checks that hold in every state."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Sequence

import numpy as np
import penstock
from penstock.bitmask import allocate_token_bitmask

from reference.matcher import Matcher as Twin
from reference.matcher import Vocabulary

ALL_BYTES = tuple(bytes([byte]) for byte in range(256))


def tokenizer_info(vocabulary: Vocabulary) -> penstock.TokenizerInfo:
    """The engine's form of the twin's vocabulary."""
    return penstock.TokenizerInfo(
        list(vocabulary.spellings),
        stop_token_ids=sorted(vocabulary.stop_ids),
        special_token_ids=sorted(vocabulary.special_ids),
        vocab_size=vocabulary.size,
    )


@functools.cache
def byte_vocabulary(extra: tuple[bytes, ...] = ()) -> Vocabulary:
    """Ids 0 to 255 are the bytes, then `extra`, then one stop token."""
    spellings = (*ALL_BYTES, *extra, b"<stop>")
    return Vocabulary(spellings, stop_ids=(len(spellings) - 1,))


@functools.cache
def byte_info(extra: tuple[bytes, ...] = ()) -> penstock.TokenizerInfo:
    """`byte_vocabulary` for the engine."""
    return tokenizer_info(byte_vocabulary(extra))


@functools.cache
def tekken() -> list[bytes]:
    """The spelling of every text token of Mistral's tekken, the most frequent first; skips the test without mistral-common."""
    import os

    import pytest

    mistral_common = pytest.importorskip("mistral_common", reason="mistral-common is not installed")
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    path = os.path.join(os.path.dirname(mistral_common.__file__), "data", "tekken_240911.json")
    tokenizer = Tekkenizer.from_file(path)
    return sorted(tokenizer._model._mergeable_ranks, key=tokenizer._model._mergeable_ranks.get)


def compiler(info: penstock.TokenizerInfo) -> penstock.GrammarCompiler:
    """A compiler of its own, so that nothing compiled before can help."""
    return penstock.GrammarCompiler(info)


def ids_of(row: np.ndarray) -> set[int]:
    """The tokens that a row allows."""
    return set(np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist())


def mask_of(matcher: penstock.Matcher, vocab_size: int) -> set[int]:
    """The mask as a set. The row is full of ones before, so that bits which are not written are seen."""
    bitmask = allocate_token_bitmask(1, vocab_size)
    bitmask[:] = -1
    masked = matcher.fill_next_token_bitmask(bitmask, 0)
    ids = ids_of(bitmask[0])
    assert masked == (len(ids & set(range(vocab_size))) < vocab_size), "the answer says whether anything is masked"
    assert all(token < vocab_size for token in ids), "bits past the vocabulary are zero"
    return ids


def masks_before(compiled: penstock.CompiledGrammar, text: bytes, vocab_size: int) -> list[set[int]]:
    """The mask before every byte of a text that the grammar takes."""
    matcher, masks = penstock.Matcher(compiled), []
    for byte in text:
        masks.append(mask_of(matcher, vocab_size))
        assert matcher.accept_bytes(bytes([byte])), text
    return masks


def accepted_alone(matcher: penstock.Matcher, tokens: Iterable[int]) -> set[int]:
    """The tokens that a fork takes."""
    return {token for token in tokens if matcher.fork().accept_token(token)}


def check_state(matcher: penstock.Matcher, twin: Twin) -> set[int]:
    """The mask law in one state: mask = what is accepted = what the twin says, at the first visit and at the second."""
    size = twin.vocabulary.size
    wanted = twin.mask()
    assert mask_of(matcher, size) == wanted
    assert mask_of(matcher, size) == wanted, "the second visit"
    assert accepted_alone(matcher, range(size)) == wanted
    assert matcher.is_accepting() == (twin.column.is_complete or twin.is_terminated)
    return wanted


def pick(rng: random.Random, allowed: Sequence[int], vocabulary: Vocabulary) -> int:
    """A token, long ones and symbols more often than their share; seldom the end while there is another way."""
    stops = [token for token in allowed if token in vocabulary.stop_ids]
    others = [token for token in allowed if token not in vocabulary.stop_ids]
    if stops and (not others or rng.random() < 0.1):
        return rng.choice(stops)
    long = [token for token in others if len(vocabulary.bytes_of(token)) != 1]
    return rng.choice(long if long and rng.random() < 0.6 else others)


def accepts(compiled: penstock.CompiledGrammar, text: bytes | str) -> bool:
    """Whether the whole text is in the language, byte by byte and without masks."""
    matcher = penstock.Matcher(compiled)
    return matcher.accept_bytes(text.encode() if isinstance(text, str) else text) and matcher.is_accepting()


def is_start(compiled: penstock.CompiledGrammar, text: bytes) -> bool:
    """Whether the text can be completed, without masks."""
    return penstock.Matcher(compiled).accept_bytes(text)
