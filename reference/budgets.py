"""`max_tokens` of a rule, slow and obvious: all texts, all ways to read them, all ways to spell them in tokens.

A token counts for every rule instance of which it holds at least one byte. An output is in the language if one way to read it
keeps every budget.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["Reading", "outputs", "prefixes", "sequences"]


class Reading(NamedTuple):
    """One way to read a text: spans are the parts with a budget, as (start, end, most tokens)."""

    text: bytes
    spans: tuple[tuple[int, int, int], ...]


def sequences(parts: Iterable[tuple[Iterable[bytes], int | None]]) -> list[Reading]:
    """Return every reading of texts that follow each other: of each part one text, under its budget, if it has one."""
    readings = [Reading(b"", ())]
    for texts, max_tokens in parts:
        longer = []
        for before, spans in readings:
            for text in texts:
                start, end = len(before), len(before) + len(text)
                counted = () if max_tokens is None or not text else ((start, end, max_tokens),)
                longer.append(Reading(before + text, spans + counted))
        readings = longer
    return readings


def spellings(text: bytes, vocab: list[bytes]) -> Iterator[list[int]]:
    """Every way to write a text as tokens."""
    if not text:
        yield []
    for token, spelling in enumerate(vocab):
        if spelling and text.startswith(spelling):
            for rest in spellings(text[len(spelling) :], vocab):
                yield [token, *rest]


def outputs(readings: Iterable[Reading], vocab: list[bytes]) -> set[tuple[int, ...]]:
    """Every output in the language, as token ids."""
    found = set()
    for text, spans in readings:
        for tokens in spellings(text, vocab):
            starts = [0]
            for token in tokens:
                starts.append(starts[-1] + len(vocab[token]))
            pairs = list(itertools.pairwise(starts))
            if all(sum(low < end and start < high for low, high in pairs) <= most for start, end, most in spans):
                found.add(tuple(tokens))
    return found


def prefixes(found: Iterable[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """Every beginning of an output."""
    return {tokens[:length] for tokens in found for length in range(len(tokens) + 1)}
