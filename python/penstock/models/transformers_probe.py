"""What a model of transformers can be given at once: trees, chains or single tokens, found out on the model itself.

A mask that attention ignores, or positions that a model makes up by itself, give wrong texts without any error. So before a
model drafts, a small tree is run through it, and its logits are compared with those of the model alone: without our cache,
without a mask, one path after the other. The same for a chain, and for single tokens. Cost: some ten forwards over at most 16
tokens, once for each model.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from penstock.decoding.context import Growth, chain
from penstock.errors import PenstockError, UnsupportedFeatureError
from penstock.models import transformers_attention
from penstock.models.transformers_context import MIN_SPLIT_POSITIONS, TransformersContext
from penstock.models.transformers_sequential import SequentialContext, keeps_state

__all__ = ["Level", "context_of", "level_of", "prepare"]

Level: TypeAlias = Literal["tree", "chain", "plain"]
PREFIX = 9  # tokens before the drafts
TREE = (-1, 0, 0, 1, 1, 2, 5)  # parents: three leaves, two of them behind a sibling
CHAIN = (-1, 0, 1, 2, 3)
# Allowed distance of logits, as a share of how much they vary: the rounding of the precision, far below a wrong mask's doing.
TOLERANCES = {torch.float64: 1e-5, torch.float32: 1e-3}
COARSE = 0.1  # for half precisions
HOPELESS = 0.5  # so far off even rounding in half precision is no excuse

_log = logging.getLogger("penstock")
_levels: weakref.WeakKeyDictionary[Any, Level] = weakref.WeakKeyDictionary()


def context_of(model: Any) -> TransformersContext | SequentialContext:
    """Return a new context of a model, with what the model can be given at once."""
    return SequentialContext(model) if keeps_state(model) else TransformersContext(model, drafts=level_of(model))


def prepare(model: Any) -> Level:
    """Give a model our attention for long contexts where it takes it, and return what it can be given at once.

    A model that attends by sdpa attends by `transformers_attention` afterwards, which is sdpa outside of our contexts.
    """
    config = model.config.get_text_config(decoder=True)
    positions = getattr(config, "max_position_embeddings", None)
    if keeps_state(model):
        _log.warning("the model has layers that keep a state: nothing is drafted")
        return level_of(model)
    if getattr(config, "_attn_implementation", None) == "sdpa" and (positions is None or positions >= MIN_SPLIT_POSITIONS):
        transformers_attention.register()
        try:
            model.set_attn_implementation(transformers_attention.NAME)
            if _passes(model, TREE, min_prefix=1):
                _levels[model] = "tree"
                return "tree"
        except Exception as error:  # whatever a model's code does with a name that it does not know
            _log.info("the model takes no attention of ours (%s); long contexts use sdpa", error)
        model.set_attn_implementation("sdpa")
    return level_of(model)


def level_of(model: Any) -> Level:
    """Return what a model can be given at once; found out at the first call, told in the log where it is less than trees.

    Raises UnsupportedFeatureError for a model that gives other logits than by itself even one token at a time.
    """
    if model not in _levels:
        _levels[model] = _found(model)
    return _levels[model]


def _found(model: Any) -> Level:
    level: Level = "plain" if keeps_state(model) else TransformersContext(model).drafts
    if level == "tree":
        if _passes(model, TREE):
            return "tree"
        _log.warning("the model gives other logits for a tree than for its paths: its drafts are chains")
    if level != "plain":
        if _passes(model, CHAIN):
            return "chain"
        _log.warning("the model gives other logits for several tokens than for one after the other: nothing is drafted")
    distance = _distance(model, (-1,))
    if distance > max(_tolerance(model), HOPELESS if model.dtype in transformers_attention.HALVES else 0.0):
        raise UnsupportedFeatureError(
            f"with our cache the model gives logits that are off by `{distance:.2g}` of how much they vary; "
            "use `GrammarLogitsProcessor` with the model's own generate",
            code="attention_unsupported",
        )
    return "plain"


def _passes(model: Any, parents: tuple[int, ...], min_prefix: int | None = None) -> bool:
    try:
        return _distance(model, parents, min_prefix) <= _tolerance(model)
    except PenstockError:
        return False


def _tolerance(model: Any) -> float:
    return TOLERANCES.get(model.dtype, COARSE)


def _distance(model: Any, parents: tuple[int, ...], min_prefix: int | None = None) -> float:
    """Return how far the logits of a tree, and those behind its longest path once it is kept, are from the model's own.

    Largest root of mean square difference, as a share of the standard deviation; infinite for what is no number.
    """
    context: Any = SequentialContext(model)
    if not keeps_state(model):
        context = TransformersContext(model, drafts="tree" if parents == TREE else "chain")
    if min_prefix is not None:
        context.min_prefix = min_prefix
    random = np.random.default_rng(0)
    prefix, tokens = (random.integers(0, context.vocab_size, size).tolist() for size in (PREFIX, len(parents)))
    context.extend({0: chain(prefix, num_logits=1)})
    context.commit(0, range(PREFIX))
    worst = 0.0
    logits = context.extend({0: Growth(tokens, list(parents))})[0]
    for path in _leaf_paths(parents):
        alone = _alone(model, prefix + [tokens[node] for node in path])[PREFIX:]
        worst = max([worst, *(_apart(logits[node], row) for node, row in zip(path, alone, strict=True))])
    context.commit(0, path)
    behind = context.extend({0: chain([prefix[0]])})[0]
    return max(worst, _apart(behind[-1], _alone(model, [*prefix, *(tokens[node] for node in path), prefix[0]])[-1]))


def _leaf_paths(parents: tuple[int, ...]) -> Iterator[list[int]]:
    """Yield the paths to all leaves, the last node's at last."""
    for leaf in (node for node in range(len(parents)) if node not in parents):
        path, node = [], leaf
        while node >= 0:
            path.append(node)
            node = parents[node]
        yield path[::-1]


def _alone(model: Any, token_ids: list[int]) -> NDArray[np.float64]:
    """Return the model's own logits [tokens, vocab]."""
    with torch.inference_mode():
        output = model(input_ids=torch.tensor([token_ids], device=model.get_input_embeddings().weight.device), use_cache=False)
    return output.logits[0].double().cpu().numpy()  # type: ignore[no-any-return]


def _apart(found: NDArray[Any], wanted: NDArray[np.float64]) -> float:
    distance = float(np.sqrt(np.mean((found - wanted) ** 2)) / max(float(np.std(wanted)), 1e-12))
    return distance if np.isfinite(distance) else float("inf")
