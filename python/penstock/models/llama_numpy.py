"""Runs Llama-architecture models in numpy alone: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

The tokens of all rows go through the matrices together, as one [num_nodes, hidden] array; only attention is done row by
row, so rows of unequal length need no padding. Keys and values of a row lie in one array: first the committed prefix,
then the open tree in the order of its growth. A node attends to the prefix and to its ancestors, at position
committed length + depth; `commit` moves the kept path down. All arithmetic is float32.
Cost: some 2 x parameters operations a node; a step of the bundled model takes about a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.decoding.context import Growth, Logits, Row, check_growth, check_position
from penstock.errors import UnsupportedFeatureError
from penstock.models.safetensors_bf16 import read_safetensors

__all__ = ["TINY_PATH", "LlamaNumpy", "load_folder", "load_tiny_numpy"]

TINY_PATH = Path(__file__).parent / "tiny"  # config, tokenizer and bf16 weights of the bundled model
QUERY_BLOCK = 256  # attention scores of at most so many nodes exist at a time
FEW_ROWS = 16
KNOWN_SETTINGS = {
    "model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "rope_type": "default",
}  # fmt: skip
FIRST_CAPACITY = 128  # positions of a fresh row; doubled when they run out

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights of one layer, transposed for `x @ w`. Norm weights are multiplied into the matrix that follows."""

    qkv: Array  # [hidden, (heads + 2 * kv_heads) * head_dim]
    out: Array  # [heads * head_dim, hidden]
    gate_up: Array  # [hidden, 2 * intermediate]
    down: Array  # [intermediate, hidden]


@dataclass(slots=True)
class _RowState:
    """One row: `cache` is [layers, 2 (keys, values), kv_heads, capacity, head_dim]."""

    cache: Array
    length: int = 0  # committed positions
    parents: list[int] = field(default_factory=list)  # of the open nodes; -1 is the committed prefix
    depths: list[int] = field(default_factory=list)
    sees: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))  # [open, open]: ancestor or itself


@dataclass(frozen=True, slots=True)
class _Work:
    """One row's part of a forward: nodes [low, high) of the joint array, `first` the index of the first among its open ones."""

    state: _RowState
    low: int
    high: int
    first: int
    total: int  # positions in the cache after this growth
    hidden_from: NDArray[np.bool_] | None  # [nodes, open nodes]: True where a node must not look; None: it may look at all


class LlamaNumpy:
    """A `Context` over a Llama model. One thread at a time; `fresh()` gives another context over the same weights."""

    def __init__(self, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
        _refuse_variants(config)
        self.config = dict(config)
        self.vocab_size: int = config["vocab_size"]
        self.max_positions: int = config["max_position_embeddings"]
        self.num_forwards = self.num_positions = 0
        self._num_heads: int = config["num_attention_heads"]
        self._num_kv_heads: int = config.get("num_key_value_heads") or self._num_heads
        self._head_dim: int = config.get("head_dim") or config["hidden_size"] // self._num_heads
        self._epsilon = np.float32(config["rms_norm_eps"])
        self._embedding = tensors["model.embed_tokens.weight"]
        self._layers = [_fused_layer(tensors, index) for index in range(config["num_hidden_layers"])]
        head = self._embedding if config.get("tie_word_embeddings") else tensors["lm_head.weight"]
        self._head = np.ascontiguousarray((head * tensors["model.norm.weight"]).T)
        self._cos, self._sin = _rotary_tables(_rope_theta(config), self.max_positions, self._head_dim)
        self._rows: dict[Row, _RowState] = {}

    @classmethod
    def from_directory(cls, path: Path) -> LlamaNumpy:
        """Read `config.json` and `model.safetensors`, as `save_pretrained` writes them (one file, no shards)."""
        return cls(json.loads((path / "config.json").read_text()), read_safetensors(path / "model.safetensors"))

    def fresh(self) -> LlamaNumpy:
        """Return a context that shares the weights and has no rows and no counts yet."""
        other = object.__new__(LlamaNumpy)
        other.__dict__.update(self.__dict__, _rows={}, num_forwards=0, num_positions=0)
        return other

    # Context.

    def extend(self, growths: Mapping[Row, Growth]) -> Mapping[Row, Logits]:
        """Run the new nodes of all rows in one forward; float32 logits [num_logits, vocab] per row. All or nothing."""
        for row, growth in growths.items():
            self._check(row, growth)
        works, grown, low = {}, {}, 0
        for row, growth in growths.items():
            works[row], grown[row] = self._planned(row, growth, low)
            low = works[row].high
        with np.errstate(over="ignore"):  # exp of a very negative gate is infinite, and the gate then rightly zero
            hidden = self._forward([int(token) for growth in growths.values() for token in growth.token_ids], works, grown)
            result = self._logits(hidden, works, growths)
        for row, work in works.items():
            work.state.parents, work.state.depths, work.state.sees = grown[row]
            self._rows[row] = work.state
        self.num_forwards += 1
        self.num_positions += low
        return result

    def commit(self, row: Row, path: Sequence[int]) -> None:
        """Keep a path of open nodes, in order; the rest of the open tree is forgotten. Cost: one copy of the path's cache."""
        state, path = self._rows[row], list(path)
        in_tree = all(0 <= node < len(state.parents) for node in path)
        if not in_tree or [state.parents[node] for node in path] != [-1, *path][: len(path)]:
            raise ValueError(f"`{path}` is no path of the open tree; start under the committed prefix and follow parents")
        end = state.length + len(path)
        if path != list(range(len(path))):
            state.cache[:, :, :, state.length : end] = state.cache[:, :, :, [state.length + node for node in path]]
        state.length, state.parents, state.depths = end, [], []
        state.sees = np.zeros((0, 0), np.bool_)

    def release(self, row: Row) -> None:
        """Forget a row; unknown rows are ignored."""
        self._rows.pop(row, None)

    # Planning: what each row adds, before anything changes.

    def _check(self, row: Row, growth: Growth) -> None:
        state = self._rows.get(row)
        check_growth(growth, len(state.parents) if state else 0, self.vocab_size)

    def _planned(self, row: Row, growth: Growth, low: int) -> tuple[_Work, tuple[list[int], list[int], NDArray[np.bool_]]]:
        state = self._rows.get(row) or _RowState(self._empty_cache(FIRST_CAPACITY))
        first, count = len(state.parents), len(growth.token_ids)
        parents, depths = state.parents + list(growth.parents), list(state.depths)
        for parent in growth.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        last = state.length + max(depths)
        check_position(last, self.max_positions)
        total = state.length + first + count
        self._reserve(state, total)
        sees = _ancestors(state.sees, parents, first)
        hidden_from = ~sees[first:]
        work = _Work(state, low, low + count, first, total, hidden_from if hidden_from.any() else None)
        return work, (parents, depths, sees)

    def _empty_cache(self, capacity: int) -> Array:
        return np.empty((len(self._layers), 2, self._num_kv_heads, capacity, self._head_dim), np.float32)

    def _reserve(self, state: _RowState, total: int) -> None:
        """Double the cache until `total` positions fit."""
        capacity, used = state.cache.shape[3], state.length + len(state.parents)
        if total > capacity:
            while capacity < total:
                capacity *= 2
            old, state.cache = state.cache, self._empty_cache(capacity)
            state.cache[:, :, :, :used] = old[:, :, :, :used]

    # The forward.

    def _forward(self, token_ids: list[int], works: Mapping[Row, _Work], grown: Mapping[Row, Any]) -> Array:
        """Return the last hidden states [num_nodes, hidden], before the final norm."""
        positions = [work.state.length + depth for row, work in works.items() for depth in grown[row][1][work.first :]]
        cos, sin = self._cos[positions, None], self._sin[positions, None]  # [nodes, 1, head_dim / 2]
        num_rotated = self._num_heads + self._num_kv_heads
        x = self._embedding[token_ids]  # [nodes, hidden]
        for index, layer in enumerate(self._layers):
            qkv = _product(self._normed(x), layer.qkv).reshape(len(x), -1, self._head_dim)
            _rotate(qkv[:, :num_rotated], cos, sin)
            mixed = np.empty((len(x), self._num_heads * self._head_dim), np.float32)
            for work in works.values():
                mixed[work.low : work.high] = self._attention(qkv[work.low : work.high], work, index)
            x += _product(mixed, layer.out)
            gate, up = np.split(_product(self._normed(x), layer.gate_up), 2, axis=1)
            x += _product(gate / (1 + np.exp(-gate)) * up, layer.down)
        return x

    def _normed(self, x: Array) -> Array:
        """RMSNorm without its weights, which are part of the next matrix."""
        mean_squares: Array = np.einsum("nh,nh->n", x, x)[:, None] / np.float32(x.shape[1])
        normed: Array = x / np.sqrt(mean_squares + self._epsilon)
        return normed

    def _attention(self, qkv: Array, work: _Work, layer: int) -> Array:
        """Store the new keys and values; return what the queries read, [nodes, heads * head_dim]."""
        heads, kv_heads, dim = self._num_heads, self._num_kv_heads, self._head_dim
        cache = work.state.cache[layer]
        start = work.state.length + work.first
        cache[0, :, start : work.total] = qkv[:, heads : heads + kv_heads].swapaxes(0, 1)
        cache[1, :, start : work.total] = qkv[:, heads + kv_heads :].swapaxes(0, 1)
        keys, values = cache[0, :, : work.total].swapaxes(1, 2), cache[1, :, : work.total]
        mixed = np.empty((len(qkv), heads * dim), np.float32)
        for low in range(0, len(qkv), QUERY_BLOCK):
            queries = qkv[low : low + QUERY_BLOCK, :heads] * np.float32(dim**-0.5)
            count = len(queries)
            # Query heads that share a key head become rows of one product: [kv_heads, group * nodes, head_dim].
            grouped = queries.reshape(count, kv_heads, -1, dim).transpose(1, 2, 0, 3).reshape(kv_heads, -1, dim)
            scores = (grouped @ keys).reshape(heads, count, work.total)
            if work.hidden_from is not None:
                scores[:, :, work.state.length :][:, work.hidden_from[low : low + count]] = -np.inf
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            read = scores.reshape(kv_heads, -1, work.total) @ values
            mixed[low : low + count] = read.reshape(heads, count, dim).transpose(1, 0, 2).reshape(count, -1)
        return mixed

    def _logits(self, hidden: Array, works: Mapping[Row, _Work], growths: Mapping[Row, Growth]) -> dict[Row, Logits]:
        wanted = {row: len(g) if g.num_logits is None else min(g.num_logits, len(g)) for row, g in growths.items()}
        kept = np.concatenate([hidden[work.high - wanted[row] : work.high] for row, work in works.items()])
        logits = _product(self._normed(kept), self._head)
        ends = np.cumsum(list(wanted.values()))
        return {row: logits[end - count : end] for (row, count), end in zip(wanted.items(), ends, strict=True)}


def _product(x: Array, matrix: Array) -> Array:
    """Return `x @ matrix`. Few rows go one by one: BLAS takes as long for two rows as for ten, several times one row's time.

    So a row of a short forward is computed as in a plain step, to the last bit.
    """
    product: Array = (x[:, None, :] @ matrix)[:, 0] if len(x) <= FEW_ROWS else x @ matrix
    return product


def _refuse_variants(config: Mapping[str, Any]) -> None:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    found = {**config, "rope_type": rope.get("rope_type", rope.get("type", "default"))}
    for key, value in KNOWN_SETTINGS.items():
        if found.get(key, value) != value:
            raise UnsupportedFeatureError(
                f"`{key}` is `{found[key]}` and the numpy runtime knows `{value}` only; load the model with transformers",
                code="architecture_unsupported",
            )


def _rope_theta(config: Mapping[str, Any]) -> float:
    return float((config.get("rope_parameters") or {}).get("rope_theta", config.get("rope_theta", 10000.0)))


def _rotary_tables(theta: float, num_positions: int, dim: int) -> tuple[Array, Array]:
    """Cosines and sines, [num_positions, dim / 2] each."""
    frequencies = theta ** (-np.arange(0, dim, 2) / dim)
    angles = np.arange(num_positions)[:, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _rotate(heads: Array, cos: Array, sin: Array) -> None:
    """Turn each pair (i, i + dim / 2) of [nodes, heads, dim] in place by the angle of the node's position."""
    half = heads.shape[-1] // 2
    left, right = heads[..., :half].copy(), heads[..., half:]
    heads[..., :half] = left * cos - right * sin
    heads[..., half:] = right * cos + left * sin


def _fused_layer(tensors: Mapping[str, Array], index: int) -> _Layer:
    def weight(name: str) -> Array:
        return tensors[f"model.layers.{index}.{name}.weight"]

    qkv = np.concatenate([weight(f"self_attn.{name}_proj") for name in "qkv"]) * weight("input_layernorm")
    gate_up = np.concatenate([weight(f"mlp.{name}_proj") for name in ("gate", "up")]) * weight("post_attention_layernorm")
    out, down = weight("self_attn.o_proj"), weight("mlp.down_proj")
    return _Layer(*(np.ascontiguousarray(matrix.T) for matrix in (qkv, out, gate_up, down)))


def _ancestors(sees: NDArray[np.bool_], parents: Sequence[int], first: int) -> NDArray[np.bool_]:
    """Extend [open, open] by the nodes from `first` on: each sees what its parent sees, and itself."""
    grown = np.eye(len(parents), dtype=np.bool_)
    grown[:first, :first] = sees
    for node in range(first, len(parents)):
        if parents[node] >= 0:
            grown[node] |= grown[parents[node]]
    return grown


def load_folder(path: Path) -> tuple[LlamaNumpy, Any, dict[str, Any]]:
    """Return the model in a folder, its `tokenizers.Tokenizer` and `tokenizer_config.json` (special tokens, chat template).

    The folder holds what `save_pretrained` writes: configs, `model.safetensors`, `tokenizer.json`, `tokenizer_config.json`.
    Raises ImportError that names the extra when `tokenizers` is missing, OSError for a file that is.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ImportError('the numpy runtime needs `tokenizers`; install it with pip install "penstock[tiny]"') from error
    settings = json.loads((path / "tokenizer_config.json").read_text())
    tokenizer = Tokenizer.from_str((path / "tokenizer.json").read_text())
    return LlamaNumpy.from_directory(path), tokenizer, settings


def load_tiny_numpy() -> tuple[LlamaNumpy, Any, dict[str, Any]]:
    """Return the bundled model as `load_folder` does. Cost: 20 ms, 5 MB."""
    return load_folder(TINY_PATH)
