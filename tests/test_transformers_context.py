"""Tree = sequential on tiny random models: grouped queries, sliding windows, alternating layers, learned positions."""

from __future__ import annotations

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from helpers.networks import ARCHITECTURES, VOCAB, Twin, build, random_growth  # noqa: E402
from penstock.decoding.context import Context, Growth, chain  # noqa: E402
from penstock.errors import GenerationError, UnsupportedFeatureError  # noqa: E402
from penstock.models.transformers_context import TransformersContext  # noqa: E402


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_tree_is_sequential_for_rows_of_unequal_length_and_progress(name: str, attention: str) -> None:
    rng, twin = random.Random(7), Twin(build(name, attention))
    prompts = {row: [rng.randrange(VOCAB) for _ in range(size)] for row, size in enumerate((7, 19, 3, 70))}
    twin.extend({row: chain(prompt, num_logits=1) for row, prompt in prompts.items()})
    for row, prompt in prompts.items():
        twin.commit(row, len(prompt) - 1, list(range(-1, len(prompt) - 1)))
    for _step in range(5):
        rows = rng.sample(list(prompts), rng.randrange(1, 5))
        parents: dict[int, list[int]] = {row: [] for row in rows}
        for _growth in range(rng.randrange(1, 4)):  # the tree grows over several forwards
            growths = {row: random_growth(rng, len(parents[row]), rng.randrange(1, 9)) for row in rows}
            for row in rows:
                parents[row] += growths[row].parents
            twin.extend(growths)
        for row in rows:
            twin.commit(row, rng.randrange(-1, len(parents[row])), parents[row])
    twin.context.release(1)
    twin.text[1] = []
    twin.extend({1: chain([4, 5, 6]), 3: chain([8])})
    assert twin.worst < 2e-6


@pytest.mark.parametrize("name", ["llama", "mistral-window", "gemma3-alternating"])
def test_long_prompts_run_in_chunks_and_wide_trees_too(name: str) -> None:
    rng, twin = random.Random(1), Twin(build(name))
    twin.extend({0: chain([rng.randrange(VOCAB) for _ in range(600)], num_logits=2)})
    twin.commit(0, 599, list(range(-1, 599)))
    twin.extend({0: chain([rng.randrange(VOCAB) for _ in range(300)], num_logits=1), 1: chain([3, 4], num_logits=0)})
    twin.commit(0, 299, list(range(-1, 299)))
    growth = random_growth(rng, 0, 300)
    twin.extend({0: Growth(growth.token_ids, growth.parents, 5), 1: Growth([9, 8], [1, 2], 1)})
    assert twin.worst < 2e-6


def test_plain_steps_of_one_row_carry_no_mask() -> None:
    model = build("llama")
    masks = []
    forward = model.model.forward
    model.model.forward = lambda *args, **kwargs: (masks.append(kwargs["attention_mask"]), forward(*args, **kwargs))[1]
    context = TransformersContext(model)
    context.extend({0: chain([1, 2, 3])})
    context.commit(0, [0, 1, 2])
    context.extend({0: chain([4])})
    assert masks == [None, None]
    context.extend({0: Growth([5, 6], [0, 0])})
    assert masks[2].shape == (1, 1, 2, 6)


def test_half_precision_and_two_contexts_on_one_model() -> None:
    model = build("llama").to(torch.bfloat16)
    first, second = TransformersContext(model), TransformersContext(model)
    a, b = first.extend({0: chain([1, 2, 3])}), second.extend({0: chain([1, 2, 3]), 1: chain([7])})
    assert a[0].dtype == np.float32
    assert np.abs(a[0] - b[0]).max() < 0.05
    assert isinstance(first, Context)


def test_a_refused_growth_changes_nothing() -> None:
    context = TransformersContext(build("gpt2"))
    context.extend({0: chain([1, 2, 3])})
    context.commit(0, [0, 1, 2])
    for bad in (Growth([99], [-1]), Growth([1], [0]), Growth([], []), Growth([1, 2], [-1])):
        with pytest.raises(ValueError, match=r"."):
            context.extend({0: chain([4]), 1: bad})
    with pytest.raises(GenerationError, match="2048"):
        context.extend({0: chain([4] * 2046), 1: chain([1])})
    assert context.num_forwards == 1
    context.extend({0: chain([4]), 1: chain([1])})
    with pytest.raises(ValueError, match="no path"):
        context.commit(0, [1])
    assert context.num_positions == 5


def test_what_cannot_take_trees_is_refused_by_name() -> None:
    config = ARCHITECTURES["qwen3-half-window"]()
    config.layer_types = ["linear_attention", "full_attention", "full_attention"]
    model = build("llama")
    model.config.layer_types = config.layer_types
    with pytest.raises(UnsupportedFeatureError, match="linear_attention"):
        TransformersContext(model)
    model = build("llama")
    model.config._attn_implementation_internal = "flash_attention_2"
    with pytest.raises(UnsupportedFeatureError, match="sdpa"):
        TransformersContext(model)
