"""Read the vocabulary out of a tokenizer: the bytes of every id, and which ids are symbols rather than text.

Each `vocabulary_from_*` function returns a `Vocabulary`, the arguments of `TokenizerInfo`. Three rules hold for all:

- Bytes are the spelling in mid-text. What a tokenizer does at the start of a text only (SentencePiece drops the first
  space) is the matter of whoever joins prompt and output.
- `b""` marks an id that no text can produce: a gap in the ids. Special tokens keep their name as bytes, and are listed in
  `special_token_ids`; they are symbols, and their name is never matched as text.
- Bytes follow the tokenizer's decoder, so that the joined bytes of some ids are the text that it decodes them to.

Stop tokens are what the tokenizer itself calls its end of sequence, and what a `generation_config.json` beside it lists.
Chat models often end a turn with a further token (`<|im_end|>`, `<|eot_id|>`, `<end_of_turn>`, ...): it counts only if it
is that end of sequence or listed there; otherwise name it in `stop_token_ids`.

No tokenizer library is imported here: objects are told apart by what they offer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from .errors import TokenizerError

__all__ = [
    "Vocabulary",
    "vocabulary_from_huggingface",
    "vocabulary_from_mistral",
    "vocabulary_from_sentencepiece",
    "vocabulary_from_tiktoken",
]

# The names that end a text, for `tokenizers.Tokenizer`, which has no end of sequence of its own.
END_OF_TEXT_NAMES = ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<EOT>", "<｜end▁of▁sentence｜>")

WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"  # what SentencePiece writes for a space


@dataclass(frozen=True)
class Vocabulary:
    """The arguments of `TokenizerInfo`.

    vocab: the bytes of each id from 0; special tokens have their name, gaps have `b""`.
    stop_token_ids, special_token_ids: ascending.
    vocab_size: the width of the logits, at least `len(vocab)`.
    """

    vocab: tuple[bytes, ...]
    stop_token_ids: tuple[int, ...]
    special_token_ids: tuple[int, ...]
    vocab_size: int


def vocabulary_from_huggingface(
    tokenizer: Any, *, vocab_size: int | None = None, stop_token_ids: Iterable[int] | None = None
) -> Vocabulary:
    """The vocabulary of a transformers tokenizer, or of a `tokenizers.Tokenizer`.

    vocab_size: the width of the model's logits, where its head is padded beyond the tokenizer.
    stop_token_ids: replaces what is found (see the head of this module). A `tokenizers.Tokenizer` has no end of sequence;
    its only special token among `END_OF_TEXT_NAMES` serves then.

    Raises `TokenizerError` if the tokenizer is no vocabulary of byte strings (WordPiece, character models, decoders that
    join with spaces), or if no stop token is known. Cost: some 0.2 s for 150,000 tokens.
    """
    if hasattr(tokenizer, "sp_model") and not hasattr(tokenizer, "backend_tokenizer"):
        return _from_slow_sentencepiece(tokenizer, vocab_size, stop_token_ids)
    if hasattr(getattr(tokenizer, "tokenizer", None), "instruct_tokenizer"):
        return vocabulary_from_mistral(tokenizer.tokenizer, vocab_size=vocab_size, stop_token_ids=stop_token_ids)
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "get_added_tokens_decoder") or not hasattr(backend, "decoder"):
        _refuse_type(tokenizer, "a transformers fast tokenizer or a tokenizers.Tokenizer")
    spell = _spelling_of_decoder(backend.decoder)
    added = backend.get_added_tokens_decoder()
    names = {id: token for token, id in backend.get_vocab(with_added_tokens=False).items()}
    names.update((id, token.content) for id, token in added.items())
    special = {id for id, token in added.items() if token.special} | set(getattr(tokenizer, "all_special_ids", ()))
    special.update(_unknown_ids(backend))
    spelled = {id: name.encode() if id in special else spell(name) for id, name in names.items()}
    if stop_token_ids is None:
        stop_token_ids = _huggingface_stop_ids(tokenizer, {names[id]: id for id in special if id in names})
    return _vocabulary(spelled, stop_token_ids, special, vocab_size)


def vocabulary_from_tiktoken(
    encoding: Any, *, vocab_size: int | None = None, stop_token_ids: Iterable[int] | None = None
) -> Vocabulary:
    """The vocabulary of a `tiktoken.Encoding`; its stop token is `encoding.eot_token` (`<|endoftext|>`).

    Raises `TokenizerError` if it has no such token and `stop_token_ids` is None.
    """
    if not hasattr(encoding, "decode_single_token_bytes"):
        _refuse_type(encoding, "a tiktoken.Encoding")
    spelled = {}
    for id in range(encoding.n_vocab):
        try:
            spelled[id] = encoding.decode_single_token_bytes(id)
        except KeyError:
            continue  # Encodings have gaps between their last rank and their special tokens.
    special = [encoding.encode_single_token(name) for name in encoding.special_tokens_set]
    if stop_token_ids is None:
        try:
            stop_token_ids = [encoding.eot_token]
        except KeyError:
            _refuse_missing_stop("the encoding has no `<|endoftext|>`")
    return _vocabulary(spelled, stop_token_ids, special, vocab_size)


def vocabulary_from_sentencepiece(
    model: Any, *, vocab_size: int | None = None, stop_token_ids: Iterable[int] | None = None
) -> Vocabulary:
    """The vocabulary of a `SentencePieceProcessor`, of the path of a model file, or of the bytes of one.

    Control pieces and the unknown piece are special; the stop token is the model's `</s>`.

    Raises `TokenizerError` if the model has no end of sequence and `stop_token_ids` is None.
    """
    processor = _sentencepiece_processor(model)
    spelled, special = _sentencepiece_pieces(processor)
    if stop_token_ids is None:
        if processor.eos_id() < 0:
            _refuse_missing_stop("the SentencePiece model has no end of sequence")
        stop_token_ids = [processor.eos_id()]
    return _vocabulary(spelled, stop_token_ids, special, vocab_size)


def vocabulary_from_mistral(
    tokenizer: Any, *, vocab_size: int | None = None, stop_token_ids: Iterable[int] | None = None
) -> Vocabulary:
    """The vocabulary of a mistral-common `MistralTokenizer`, `Tekkenizer` or `SentencePieceTokenizer`.

    The stop token is its `</s>`.
    """
    if hasattr(tokenizer, "instruct_tokenizer"):
        tokenizer = tokenizer.instruct_tokenizer.tokenizer
    if type(tokenizer).__name__ == "SentencePieceTokenizer" and hasattr(tokenizer, "file_path"):
        path = os.fspath(tokenizer.file_path)
        return vocabulary_from_sentencepiece(path, vocab_size=vocab_size, stop_token_ids=stop_token_ids)
    if not hasattr(tokenizer, "id_to_byte_piece") or not hasattr(tokenizer, "special_ids"):
        _refuse_type(tokenizer, "a tokenizer of mistral-common")
    special = tokenizer.special_ids
    spelled = {
        id: tokenizer.id_to_piece(id).encode() if id in special else tokenizer.id_to_byte_piece(id)
        for id in range(tokenizer.n_words)
    }
    stops = [tokenizer.eos_id] if stop_token_ids is None else stop_token_ids
    return _vocabulary(spelled, stops, special, vocab_size)


def _vocabulary(
    spelled: Mapping[int, bytes], stop_token_ids: Iterable[int], special_token_ids: Iterable[int], vocab_size: int | None
) -> Vocabulary:
    """Put the spellings in the order of ids; `b""` fills the gaps."""
    if not spelled:
        raise TokenizerError("the tokenizer has no tokens; load one with a vocabulary", code="tokenizer_empty_vocabulary")
    num_ids = max(spelled) + 1
    size = num_ids if vocab_size is None else int(vocab_size)
    if size < num_ids:
        message = f"`vocab_size` is `{size}`, but the tokenizer has `{num_ids}` ids; give the width of the model's logits"
        raise TokenizerError(message, code="tokenizer_vocab_size_too_small")
    stops = tuple(sorted({int(id) for id in stop_token_ids}))
    for id in stops:
        if not 0 <= id < size:
            message = f"stop token `{id}` is outside the vocabulary of `{size}` ids; name ids below that"
            raise TokenizerError(message, code="tokenizer_stop_token_out_of_range", token_id=id)
    special = tuple(sorted({int(id) for id in special_token_ids} | set(stops)))
    return Vocabulary(tuple(spelled.get(id, b"") for id in range(num_ids)), stops, special, size)


def _refuse_type(tokenizer: Any, wanted: str) -> NoReturn:
    name = f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}"
    message = f"`{name}` is not {wanted}; build a TokenizerInfo from the bytes of its tokens instead"
    raise TokenizerError(message, code="tokenizer_unsupported_type")


def _refuse_missing_stop(reason: str) -> NoReturn:
    message = f"no stop token is known: {reason}; name the ids that end an output in `stop_token_ids`"
    raise TokenizerError(message, code="tokenizer_no_stop_token")


# -- Hugging Face: what a decoder makes of one token ------------------------------------------------------------------


def _byte_level_table() -> dict[str, int]:
    """Character -> byte of byte-level BPE: printable Latin-1 stands for itself, the other bytes for U+0100 and on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in printable)
    table.update((chr(0x100 + offset), byte) for offset, byte in enumerate(others))
    return table


BYTE_LEVEL = _byte_level_table()


def spell_byte_level(name: str) -> bytes:
    # A token with a character outside the table is text as it stands: added tokens that contain a space.
    values = [BYTE_LEVEL.get(character) for character in name]
    return name.encode() if None in values else bytes(value for value in values if value is not None)


def spell_byte_fallback(name: str) -> bytes:
    """`<0x0A>` is the byte 0x0A; everything else is UTF-8."""
    if len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        try:
            return bytes.fromhex(name[3:5])
        except ValueError:
            pass
    return name.encode()


def _spelling_of_decoder(decoder: Any) -> Callable[[str], bytes]:
    """The function from a token's name to its bytes that `decoder` amounts to in mid-text."""
    steps = _decoder_steps(None if decoder is None else json.loads(decoder.__getstate__()))
    replacements: list[tuple[str, str]] = []
    to_bytes: Callable[[str], bytes] | None = None
    fused = False
    for step in steps:
        kind = step["type"]
        if kind == "ByteLevel" and to_bytes is None and not replacements:
            to_bytes = spell_byte_level
        elif kind == "ByteFallback" and to_bytes is None:
            to_bytes = spell_byte_fallback
        elif kind == "Metaspace":
            replacements.append((step.get("replacement", WORD_START), " "))
        elif kind == "Replace" and "String" in step["pattern"] and not fused:
            replacements.append((step["pattern"]["String"], step["content"]))
        elif kind == "Fuse":
            fused = True
        elif not (kind == "Strip" and fused and step.get("stop", 0) == 0):
            _refuse_decoder(step)
    if to_bytes is None and not replacements:
        _refuse_decoder({"type": "none that says how tokens become bytes"})
    return _Spelling(tuple(replacements), to_bytes or str.encode)


@dataclass(frozen=True)
class _Spelling:
    """Replace, then turn into bytes."""

    replacements: tuple[tuple[str, str], ...]
    to_bytes: Callable[[str], bytes]

    def __call__(self, name: str) -> bytes:
        for old, new in self.replacements:
            name = name.replace(old, new)
        return self.to_bytes(name)


def _decoder_steps(state: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The decoder as a flat list; sequences may hold sequences."""
    steps: list[dict[str, Any]] = []
    rest = [] if state is None else [state]
    while rest:
        step = rest.pop()
        if step["type"] == "Sequence":
            rest.extend(reversed(step["decoders"]))
        else:
            steps.append(step)
    return steps


def _refuse_decoder(step: dict[str, Any]) -> NoReturn:
    kind = step["type"]
    message = (
        f"the tokenizer's decoder is `{kind}`, so its tokens have no bytes of their own; "
        "use a byte-level BPE or SentencePiece tokenizer, or build a TokenizerInfo from the bytes of its tokens"
    )
    raise TokenizerError(message, code="tokenizer_unsupported_decoder")


def _unknown_ids(backend: Any) -> list[int]:
    """The id of the unknown token: it stands for whatever the model could not spell, so it is no text."""
    unknown = getattr(backend.model, "unk_token", None)
    if isinstance(unknown, str):
        return _as_ids(backend.token_to_id(unknown))
    if type(backend.model).__name__ == "Unigram":
        # Unigram models name it by id, and only in their saved state.
        return _as_ids(json.loads(backend.model.__getstate__()).get("unk_id"))
    return []


def _huggingface_stop_ids(tokenizer: Any, special_names: Mapping[str, int]) -> list[int]:
    stops = _as_ids(getattr(tokenizer, "eos_token_id", None)) + _generation_config_stop_ids(tokenizer)
    if stops:
        return stops
    if hasattr(tokenizer, "eos_token_id"):
        _refuse_missing_stop("the tokenizer has no `eos_token`")
    named = [special_names[name] for name in END_OF_TEXT_NAMES if name in special_names]
    if len(named) != 1:
        _refuse_missing_stop(f"`{len(named)}` special tokens of the tokenizer are named like an end of text")
    return named


def _generation_config_stop_ids(tokenizer: Any) -> list[int]:
    """The `eos_token_id` of a `generation_config.json` in the folder that the tokenizer was loaded from."""
    folder = getattr(tokenizer, "name_or_path", None)
    if not isinstance(folder, str) or not os.path.isdir(folder):
        return []
    path = os.path.join(folder, "generation_config.json")
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8") as file:
        return _as_ids(json.load(file).get("eos_token_id"))


def _as_ids(value: Any) -> list[int]:
    if value is None:
        return []
    return [int(id) for id in value] if isinstance(value, (list, tuple)) else [int(value)]


# -- SentencePiece ----------------------------------------------------------------------------------------------------


def _sentencepiece_processor(model: Any) -> Any:
    if hasattr(model, "id_to_piece") and hasattr(model, "is_byte"):
        return model
    if not isinstance(model, (str, bytes, os.PathLike)):
        _refuse_type(model, "a SentencePieceProcessor, nor the path or the bytes of a model")
    import sentencepiece

    if isinstance(model, bytes):
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    if not os.path.isfile(model):
        message = f"there is no SentencePiece model at `{os.fspath(model)}`; give the path of a model file"
        raise TokenizerError(message, code="tokenizer_file_missing")
    return sentencepiece.SentencePieceProcessor(model_file=os.fspath(model))


def _sentencepiece_pieces(processor: Any) -> tuple[dict[int, bytes], set[int]]:
    """The bytes of every piece, and the ids of those that are no text."""
    ids = range(processor.get_piece_size())
    special = {id for id in ids if processor.is_control(id) or processor.is_unknown(id)}
    pieces = {id: processor.id_to_piece(id) for id in ids}
    spelled = {id: piece.encode() if id in special else _spell_piece(piece, processor) for id, piece in pieces.items()}
    return spelled, special


def _spell_piece(piece: str, processor: Any) -> bytes:
    if processor.is_byte(processor.piece_to_id(piece)):
        return spell_byte_fallback(piece)
    return piece.replace(WORD_START, " ").encode()


def _from_slow_sentencepiece(tokenizer: Any, vocab_size: int | None, stop_token_ids: Iterable[int] | None) -> Vocabulary:
    """A transformers tokenizer around a SentencePiece model.

    Ids are those of the tokenizer, which may shift the model's. Its added tokens are text as they stand.
    """
    processor = tokenizer.sp_model
    added = tokenizer.added_tokens_decoder
    special = set(tokenizer.all_special_ids) | {id for id, token in added.items() if token.special}
    spelled = {}
    for piece, id in tokenizer.get_vocab().items():
        place = processor.piece_to_id(piece)
        if id not in added and (processor.is_control(place) or processor.id_to_piece(place) != piece):
            special.add(id)
        is_plain = id in added or id in special
        spelled[id] = piece.encode() if is_plain else _spell_piece(piece, processor)
    if stop_token_ids is None:
        stop_token_ids = _huggingface_stop_ids(tokenizer, {})
    return _vocabulary(spelled, stop_token_ids, special, vocab_size)


def _rebuild(vocab: list[bytes], stop_token_ids: list[int], special_token_ids: list[int], vocab_size: int) -> Any:
    """Builds a pickled TokenizerInfo again."""
    from penstock._core import TokenizerInfo

    return TokenizerInfo(vocab, stop_token_ids=stop_token_ids, special_token_ids=special_token_ids, vocab_size=vocab_size)
