"""The numpy runtime: trees equal sequences, a compacted cache equals a fresh prefill, and transformers agrees."""

from __future__ import annotations

import numpy as np
import pytest
from penstock.decoding.context import Growth, chain
from penstock.errors import GenerationError, UnsupportedFeatureError
from penstock.models.llama_numpy import LlamaNumpy
from penstock.models.safetensors_bf16 import read_safetensors, widen_bfloat16

TOLERANCE = 1e-4
CONFIG = {
    "model_type": "llama", "hidden_act": "silu", "vocab_size": 61,
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 400, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True, "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"},
}  # fmt: skip


def shapes(config: dict) -> dict[str, tuple[int, ...]]:
    hidden, wide, dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    query, key = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    found = {"model.embed_tokens.weight": (config["vocab_size"], hidden), "model.norm.weight": (hidden,)}
    for index in range(config["num_hidden_layers"]):
        head = f"model.layers.{index}."
        found |= {head + f"{norm}_layernorm.weight": (hidden,) for norm in ("input", "post_attention")}
        found |= {head + f"self_attn.{n}_proj.weight": (size, hidden) for n, size in (("q", query), ("k", key), ("v", key))}
        found |= {head + "self_attn.o_proj.weight": (hidden, query), head + "mlp.down_proj.weight": (hidden, wide)}
        found |= {head + f"mlp.{name}_proj.weight": (wide, hidden) for name in ("gate", "up")}
    return found


def random_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, shape in shapes(CONFIG).items():
        values = rng.normal(0.0, 0.3, shape) + (1.0 if "norm" in name else 0.0)
        drawn[name] = values.astype(np.float32)
    return drawn


@pytest.fixture
def model() -> LlamaNumpy:
    return LlamaNumpy(CONFIG, random_tensors())


def prefill(model: LlamaNumpy, token_ids: list[int], row: int = 0) -> np.ndarray:
    """Logits [tokens, vocab] of a text in a context of its own."""
    return model.fresh().extend({row: chain(token_ids)})[row]


def random_tree(rng: np.random.Generator, size: int) -> tuple[list[int], list[int]]:
    return rng.integers(0, 61, size).tolist(), [int(rng.integers(-1, node)) for node in range(size)]


def path_to(node: int, parents: list[int]) -> list[int]:
    path = []
    while node >= 0:
        path.append(node)
        node = parents[node]
    return path[::-1]


@pytest.mark.parametrize("seed", range(4))
def test_a_tree_equals_its_paths_one_by_one(model, seed):
    rng = np.random.default_rng(seed)
    prompt = rng.integers(0, 61, 9).tolist()
    tokens, parents = random_tree(rng, 12)
    model.extend({0: chain(prompt)})
    model.commit(0, range(9))
    cut = int(rng.integers(1, 12))  # the tree grows over two forwards
    steps = (Growth(tokens[:cut], parents[:cut]), Growth(tokens[cut:], parents[cut:]))
    logits = np.concatenate([model.extend({0: growth})[0] for growth in steps])
    for node in range(12):
        text = prompt + [tokens[n] for n in path_to(node, parents)]
        np.testing.assert_allclose(logits[node], prefill(model, text)[-1], atol=TOLERANCE)


@pytest.mark.parametrize("seed", range(4))
def test_after_commit_the_cache_equals_a_fresh_prefill(model, seed):
    rng = np.random.default_rng(100 + seed)
    text = rng.integers(0, 61, 5).tolist()
    model.extend({0: chain(text)})
    model.commit(0, range(5))
    for _ in range(4):
        tokens, parents = random_tree(rng, 10)
        model.extend({0: Growth(tokens, parents)})
        path = path_to(int(rng.integers(0, 10)), parents)
        model.commit(0, path)
        text += [tokens[node] for node in path]
    np.testing.assert_allclose(model.extend({0: chain([7])})[0][-1], prefill(model, [*text, 7])[-1], atol=TOLERANCE)


def test_rows_of_unequal_length_share_a_forward_and_do_not_mix(model):
    texts = {3: [1, 2, 3, 4, 5, 6], 8: [9], 1: [4, 4, 4]}
    together = model.extend({row: chain(text) for row, text in texts.items()})
    assert (model.num_forwards, model.num_positions) == (1, 10)
    for row, text in texts.items():
        np.testing.assert_allclose(together[row], prefill(model, text), atol=TOLERANCE)


def test_one_token_at_a_time_equals_a_long_prefill_across_blocks_and_doublings(model):
    text = np.random.default_rng(5).integers(0, 61, 300).tolist()
    for token in text[:140]:
        logits = model.extend({0: chain([token])})[0]
        model.commit(0, [0])
    np.testing.assert_allclose(logits[0], prefill(model, text[:140])[-1], atol=TOLERANCE)
    rest = model.extend({0: chain(text[140:])})[0]
    np.testing.assert_allclose(rest, prefill(model, text)[140:], atol=TOLERANCE)


def test_num_logits_asks_for_the_last_nodes_only(model):
    everything = prefill(model, [1, 2, 3, 4, 5])
    last = model.extend({0: chain([1, 2, 3, 4, 5], num_logits=2), 1: chain([6])})
    assert last[0].shape == (2, 61)
    assert last[1].shape == (1, 61)
    assert last[0].dtype == np.float32
    np.testing.assert_allclose(last[0], everything[-2:], atol=TOLERANCE)


def test_a_released_row_starts_anew(model):
    model.extend({0: chain([1, 2, 3])})
    model.commit(0, [0, 1, 2])
    model.release(0)
    model.release(0)
    np.testing.assert_allclose(model.extend({0: chain([5, 6])})[0], prefill(model, [5, 6]), atol=TOLERANCE)


def test_an_error_changes_no_row(model):
    model.extend({0: chain([1, 2])})
    with pytest.raises(ValueError, match="outside the vocabulary"):
        model.extend({0: chain([3], parent=1, num_open=2), 1: chain([61])})
    with pytest.raises(GenerationError, match="beyond the model's `400`") as caught:
        model.extend({0: chain([3], parent=1, num_open=2), 1: chain([0] * 401)})
    assert caught.value.code == "context_length_exceeded"
    model.commit(0, [0, 1])
    np.testing.assert_allclose(model.extend({0: chain([3])})[0][0], prefill(model, [1, 2, 3])[-1], atol=TOLERANCE)
    assert model.num_forwards == 2


@pytest.mark.parametrize("path", [[1], [0, 2], [3]])
def test_commit_refuses_what_is_no_path(model, path):
    model.extend({0: Growth([1, 2, 3], [-1, 0, 1])})
    with pytest.raises(ValueError, match="no path of the open tree"):
        model.commit(0, path)


@pytest.mark.parametrize(
    "change",
    [{"model_type": "mistral"}, {"attention_bias": True}, {"rope_parameters": {"rope_type": "llama3"}}, {"hidden_act": "gelu"}],
)
def test_other_architectures_are_refused_by_name(change):
    with pytest.raises(UnsupportedFeatureError, match="load the model with transformers"):
        LlamaNumpy(CONFIG | change, random_tensors())


def test_bfloat16_is_the_upper_half_of_a_float32():
    values = np.array([1.0, -2.5, 0.0, np.inf, 3.0e38, 1e-40], np.float32)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    widened = widen_bfloat16(halves)
    assert widened.tolist()[:4] == [1.0, -2.5, 0.0, np.inf]
    np.testing.assert_allclose(widened[4], values[4], rtol=2**-7)
    assert (widened.view(np.uint32) & 0xFFFF == 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_safetensors_files_are_read(tmp_path, dtype):
    numpy_io = pytest.importorskip("safetensors.numpy")
    tensors = {"a": np.arange(6, dtype=dtype).reshape(2, 3), "b": np.array([0.5], dtype)}
    numpy_io.save_file(tensors, tmp_path / "x.safetensors")
    read = read_safetensors(tmp_path / "x.safetensors")
    assert all(tensor.dtype == np.float32 for tensor in read.values())
    assert {name: t.tolist() for name, t in read.items()} == {name: t.tolist() for name, t in tensors.items()}


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    numpy_io = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    numpy_io.save_file({"a": np.arange(4)}, path)
    with pytest.raises(ValueError, match="`I64`"):
        read_safetensors(path)
    numpy_io.save_file({"a": np.arange(4, dtype=np.float32)}, path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="ends before the bytes of `a`"):
        read_safetensors(path)
    path.write_bytes(b"\xff\xff\0\0\0\0\0\0{}")
    with pytest.raises(ValueError, match="cut off inside its header"):
        read_safetensors(path)


def test_random_weights_give_the_logits_of_transformers(model):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(**{key: value for key, value in CONFIG.items() if key != "model_type"})
    reference = transformers.LlamaForCausalLM(config).eval()
    tensors = {name: torch.from_numpy(tensor) for name, tensor in random_tensors().items()}
    reference.load_state_dict(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"]})
    text = np.random.default_rng(1).integers(0, 61, 50).tolist()
    with torch.inference_mode():
        expected = reference(torch.tensor([text])).logits[0].numpy()
    np.testing.assert_allclose(prefill(model, text), expected, atol=TOLERANCE)
