"""Tiny random models of transformers, their own logits, and a twin of contexts that keeps every text in lists."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
import transformers
from penstock.decoding.context import Growth
from penstock.models.llama_numpy import TINY_PATH
from penstock.models.transformers_context import TransformersContext

torch.set_num_threads(1)
VOCAB = 61
TINY_VOCAB = 2080  # of the bundled tokenizer, with room for padding in the head
SIZES = dict(hidden_size=32, intermediate_size=48, num_attention_heads=4)
SMALL = dict(**SIZES, vocab_size=VOCAB, num_hidden_layers=3, max_position_embeddings=2048)
SPEAKING = dict(**SIZES, vocab_size=TINY_VOCAB, num_hidden_layers=2, max_position_embeddings=256)
LINEAR = dict(linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8)
EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, shared_expert_intermediate_size=16)
ARCHITECTURES = {
    "llama": lambda: transformers.LlamaConfig(**SMALL, num_key_value_heads=2),
    "mistral-window": lambda: transformers.MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=8),
    "qwen3-half-window": lambda: transformers.Qwen3Config(
        **SMALL, num_key_value_heads=2, head_dim=8, use_sliding_window=True, sliding_window=8, max_window_layers=1
    ),
    "gemma3-alternating": lambda: transformers.Gemma3TextConfig(
        **SMALL,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        query_pre_attn_scalar=8,
    ),
    "gpt2": lambda: transformers.GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=3, n_head=4, n_positions=2048),
}

STATEFUL = {
    "qwen3-next": lambda: transformers.Qwen3NextConfig(
        **SPEAKING, **LINEAR, **EXPERTS, num_key_value_heads=2, head_dim=8, layer_types=["linear_attention", "full_attention"]
    ),
    "lfm2": lambda: transformers.Lfm2Config(**SPEAKING, num_key_value_heads=2, layer_types=["conv", "full_attention"]),
}


def network(config: Any, **options: Any) -> Any:
    """A model with the same random weights at every call."""
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config, **options).eval()


def build(name: str, attention: str = "sdpa") -> Any:
    """One of `ARCHITECTURES`."""
    model = network(ARCHITECTURES[name](), attn_implementation=attention)
    assert model.config._attn_implementation == attention
    return model


def tiny_tokenizer() -> Any:
    """The bundled tokenizer as transformers has it."""
    return transformers.PreTrainedTokenizerFast(tokenizer_file=str(TINY_PATH / "tokenizer.json"), eos_token="<|eos|>")


def speaking(config: Any, stops: int | list[int]) -> tuple[Any, Any]:
    """A model whose choices are far apart, and the bundled tokenizer."""
    model = network(config)
    model.generation_config.eos_token_id = stops
    model.get_output_embeddings().weight.data *= 30
    return model, tiny_tokenizer()


def speaking_llama(**options: Any) -> tuple[Any, Any]:
    """A Llama with two stop tokens, and its tokenizer."""
    return speaking(transformers.LlamaConfig(**SPEAKING, **options), [2, 7])


def own_logits(model: Any, token_ids: list[int]) -> np.ndarray:
    """What the model says by itself, without a cache: float32 [tokens, vocab]."""
    with torch.inference_mode():
        return model(torch.tensor([token_ids]), use_cache=False).logits[0].numpy()


class Twin:
    """Keeps each row's text and open paths in lists, and compares every logit with a forward from scratch."""

    def __init__(self, model: Any) -> None:
        self.model, self.context = model, TransformersContext(model)
        self.text: dict[int, list[int]] = {}
        self.open: dict[int, list[list[int]]] = {}
        self.worst = 0.0

    def extend(self, growths: dict[int, Growth]) -> None:
        logits = self.context.extend(growths)
        for row, growth in growths.items():
            nodes = self.open.setdefault(row, [])
            for token, parent in zip(growth.token_ids, growth.parents, strict=True):
                nodes.append([*(nodes[parent] if parent >= 0 else []), token])
            num = len(growth.token_ids) if growth.num_logits is None else growth.num_logits
            assert logits[row].shape == (num, VOCAB)
            assert logits[row].dtype == np.float32
            for path, got in zip(nodes[len(nodes) - num :], logits[row], strict=True):
                want = own_logits(self.model, self.text.setdefault(row, []) + path)[-1]
                self.worst = max(self.worst, float(np.abs(want - got).max()))

    def commit(self, row: int, node: int, parents: list[int]) -> None:
        path, tokens = [], self.open[row][node] if node >= 0 else []
        while node >= 0:
            path.append(node)
            node = parents[node]
        self.context.commit(row, path[::-1])
        self.text[row] += tokens
        self.open[row] = []


def random_growth(rng: random.Random, num_open: int, size: int) -> Growth:
    parents = [rng.randrange(-1, num_open + i) for i in range(size)]
    return Growth([rng.randrange(VOCAB) for _ in range(size)], parents, rng.choice([None, None, size, 1]))
