"""What the loaders make of each kind of tokenizer, on vocabularies of a few tokens."""

from __future__ import annotations

import json

import pytest
from penstock.errors import TokenizerError
from penstock.tokenizer import (
    BYTE_LEVEL,
    vocabulary_from_huggingface,
    vocabulary_from_mistral,
    vocabulary_from_sentencepiece,
    vocabulary_from_tiktoken,
)

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
decoders = pytest.importorskip("tokenizers.decoders", reason="tokenizers is not installed")
models = pytest.importorskip("tokenizers.models", reason="tokenizers is not installed")


def byte_level_tokenizer(*, eos: str = "</s>"):
    """Every byte is a token; then ` a`, an added special token and added text with a space."""
    vocab = {character: byte for character, byte in BYTE_LEVEL.items()} | {"Ġa": 256}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab, [("Ġ", "a")]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([eos])
    tokenizer.add_tokens(["<tool call>", "<think>"])
    return tokenizer


def llama_tokenizer(decoder):
    """SentencePiece as Hugging Face writes it: the three symbols, all bytes, then pieces."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "▁a", "é", "▁▁"]
    vocab = {name: id for id, name in enumerate(names)}
    model = models.BPE(vocab, [("▁", "a"), ("▁", "▁")], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


LLAMA_DECODER = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]


def test_byte_level_table_covers_every_byte() -> None:
    assert sorted(BYTE_LEVEL.values()) == list(range(256))
    assert set(BYTE_LEVEL) == set(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def test_byte_level() -> None:
    tokenizer = byte_level_tokenizer()
    vocabulary = vocabulary_from_huggingface(tokenizer)
    assert vocabulary.vocab[:256] == tuple(bytes([byte]) for byte in range(256))
    assert vocabulary.vocab[256:] == (b" a", b"</s>", b"<tool call>", b"<think>")
    assert (vocabulary.stop_token_ids, vocabulary.special_token_ids, vocabulary.vocab_size) == ((257,), (257,), 260)
    text = "x a\n<tool call>é🙂 a<think>\x00"
    assert b"".join(vocabulary.vocab[id] for id in tokenizer.encode(text).ids).decode() == text


def test_bytes_follow_the_decoder() -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens(["naïve", "Ġx", "日本", "｜end▁of｜"])
    vocabulary = vocabulary_from_huggingface(tokenizer)
    for id in range(vocabulary.vocab_size):
        text = vocabulary.vocab[id].decode(errors="replace")
        assert tokenizer.decode([id], skip_special_tokens=False) == text


@pytest.mark.parametrize("decoder", [decoders.Sequence(LLAMA_DECODER), decoders.Sequence(LLAMA_DECODER[:3])])
def test_sentencepiece_decoders(decoder) -> None:
    tokenizer = llama_tokenizer(decoder)
    vocabulary = vocabulary_from_huggingface(tokenizer)
    assert vocabulary.vocab[:4] == (b"<unk>", b"<s>", b"</s>", b"\x00")
    assert vocabulary.vocab[3 + 0x0A] == b"\n"
    assert vocabulary.vocab[259:] == (b" ", b"a", b" a", "é".encode(), b"  ")
    assert (vocabulary.stop_token_ids, vocabulary.special_token_ids) == ((2,), (0, 1, 2))
    text = "a  a é\n🙂"
    assert b"".join(vocabulary.vocab[id] for id in tokenizer.encode(text).ids).decode() == text


def test_metaspace_without_byte_fallback_keeps_names_like_bytes() -> None:
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁the", -1.0), ("<0x41>", -2.0)]
    tokenizer = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["</s>"])
    vocabulary = vocabulary_from_huggingface(tokenizer)
    assert vocabulary.vocab == (b"<unk>", b"</s>", b" the", b"<0x41>")
    assert vocabulary.special_token_ids == (0, 1)


@pytest.mark.parametrize(
    "decoder",
    [None, decoders.WordPiece(), decoders.BPEDecoder(), decoders.CTC(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
     decoders.Sequence([decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("▁", " ")]),
     decoders.Sequence([decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 0, 1)])],
)  # fmt: skip
def test_decoders_without_bytes_are_refused(decoder) -> None:
    tokenizer = tokenizers.Tokenizer(models.BPE({"a": 0, "</s>": 1}, []))
    if decoder is not None:
        tokenizer.decoder = decoder
    with pytest.raises(TokenizerError, match="decoder is") as caught:
        vocabulary_from_huggingface(tokenizer, stop_token_ids=[1])
    assert caught.value.code == "tokenizer_unsupported_decoder"


def test_stop_tokens_of_a_bare_tokenizer() -> None:
    with pytest.raises(TokenizerError, match="stop_token_ids") as caught:
        vocabulary_from_huggingface(byte_level_tokenizer(eos="<stop>"))
    assert caught.value.code == "tokenizer_no_stop_token"
    tokenizer = byte_level_tokenizer()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    with pytest.raises(TokenizerError, match="`2` special tokens"):
        vocabulary_from_huggingface(tokenizer)
    assert vocabulary_from_huggingface(tokenizer, stop_token_ids=[260, 257, 260]).stop_token_ids == (257, 260)


def test_sizes_and_ids_are_checked() -> None:
    tokenizer = byte_level_tokenizer()
    assert vocabulary_from_huggingface(tokenizer, vocab_size=320).vocab_size == 320
    with pytest.raises(TokenizerError, match="`vocab_size` is `259`"):
        vocabulary_from_huggingface(tokenizer, vocab_size=259)
    with pytest.raises(TokenizerError, match="stop token `260`") as caught:
        vocabulary_from_huggingface(tokenizer, stop_token_ids=[260])
    assert caught.value.token_id == 260


def test_gaps_have_no_bytes() -> None:
    tokenizer = tokenizers.Tokenizer(models.BPE({"a": 0, "b": 3}, []))
    tokenizer.decoder = decoders.ByteLevel()
    vocabulary = vocabulary_from_huggingface(tokenizer, stop_token_ids=[3])
    assert vocabulary.vocab == (b"a", b"", b"", b"b")


def test_transformers_tokenizer(tmp_path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    backend = byte_level_tokenizer(eos="<|im_end|>")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<pad>", extra_special_tokens=["<think>"]
    )
    vocabulary = vocabulary_from_huggingface(tokenizer)
    assert vocabulary.stop_token_ids == (257,)
    assert vocabulary.special_token_ids == (257, 259, 260)
    assert vocabulary.vocab[260] == b"<pad>"
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [257, 260]}))
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert vocabulary_from_huggingface(loaded).stop_token_ids == (257, 260)
    assert vocabulary_from_huggingface(loaded).vocab == vocabulary.vocab


def test_transformers_tokenizer_without_eos() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level_tokenizer())
    with pytest.raises(TokenizerError, match="no `eos_token`"):
        vocabulary_from_huggingface(tokenizer)


@pytest.mark.parametrize(
    "load", [vocabulary_from_huggingface, vocabulary_from_tiktoken, vocabulary_from_sentencepiece, vocabulary_from_mistral]
)
def test_strangers_are_refused(load) -> None:
    with pytest.raises(TokenizerError, match="dict` is not") as caught:
        load({})
    assert caught.value.code == "tokenizer_unsupported_type"


def test_missing_model_file(tmp_path) -> None:
    pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    with pytest.raises(TokenizerError, match="no SentencePiece model"):
        vocabulary_from_sentencepiece(tmp_path / "nothing.model")


def test_tiktoken_without_end_of_text() -> None:
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    ranks = {bytes([byte]): byte for byte in range(256)}
    encoding = tiktoken.Encoding("bytes", pat_str=r".|\n", mergeable_ranks=ranks, special_tokens={})
    with pytest.raises(TokenizerError, match="endoftext"):
        vocabulary_from_tiktoken(encoding)
    assert vocabulary_from_tiktoken(encoding, stop_token_ids=[0]).special_token_ids == (0,)
