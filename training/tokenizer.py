"""Builds the tokenizer of the tiny model: byte-level BPE, 2,048 entries, trained on the prompts and answers of the tasks.

The pre-tokenizer is GPT-2's with two changes that make copying exact. A word never carries the space before it, so it is
the same tokens after a space, after a quote and in a key; with " city" and "city" apart, the model copied the pieces of the
one where the other was due. Digits come in pairs from the left.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from tasks import draw_task
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizers.pre_tokenizers import PreTokenizer

VOCAB_SIZE = 2048
PAD, BOS, EOS, USER, ASSISTANT = SPECIAL_TOKENS = ["<|pad|>", "<|bos|>", "<|eos|>", "<|user|>", "<|assistant|>"]
PATTERN = r"\p{Ll}[\p{Ll}\p{M}]*|\p{Lu}[\p{Ll}\p{M}]+|\p{Lu}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+|\p{L}+"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + eos_token }}"
    "{% else %}{{ '<|user|>' + message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer(seed: int, num_tasks: int = 30_000) -> Tokenizer:
    """Trains the BPE merges on `num_tasks` tasks. Deterministic for one version of `tokenizers`."""
    rng = random.Random(seed)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), "isolated"), byte_level])
    tasks = (draw_task(rng) for _ in range(num_tasks))
    return train_byte_level((task.prompt + task.answer for task in tasks), words, VOCAB_SIZE, SPECIAL_TOKENS)


def train_byte_level(texts: Iterable[str], words: PreTokenizer, vocab_size: int, special_tokens: list[str]) -> Tokenizer:
    """Byte-level BPE over `words`; every text begins with the special token `<|bos|>`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return tokenizer


def tokenizer_config() -> dict:
    """What `transformers.AutoTokenizer` needs beside tokenizer.json."""
    names = {"pad_token": PAD, "bos_token": BOS, "eos_token": EOS}
    more = {"additional_special_tokens": [USER, ASSISTANT], "chat_template": CHAT_TEMPLATE, "model_max_length": 1024}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **names, **more}
