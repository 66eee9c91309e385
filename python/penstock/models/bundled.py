"""The model that comes with the package, read by one of two backends; and models in folders, read by the numpy runtime.

Both backends read the same files and make the same `Model`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.models.llama_numpy import TINY_PATH, load_folder
from penstock.models.model import Model
from penstock.models.tokenizer import Tokenizer
from penstock.tokenizer import vocabulary_from_huggingface

__all__ = ["load", "load_with_numpy"]

NUMPY_COSTS = {"width_cost": 0.09, "setup_cost": 0.12}  # 2 nodes take 1.2 times as long as one, 9 nodes 1.8, 33 nodes 3.8


def load(backend: str) -> Model:
    """Return the bundled model. Raises ValueError for a backend that does not exist."""
    if backend == "numpy":
        return load_with_numpy(TINY_PATH, "tiny")
    if backend == "transformers":
        return _with_transformers()
    raise ValueError(f"`backend` is `{backend}`; give 'numpy' or 'transformers'")


def load_with_numpy(path: Path, name: str) -> Model:
    """Return the Llama in a folder, run by numpy on one thread. Raises UnsupportedFeatureError for another architecture."""
    network, tokenizer, settings = load_folder(path)
    face = _tokenizer(tokenizer, settings, network.config)
    options: dict[str, Any] = {"max_positions": network.max_positions, "native": network, **NUMPY_COSTS}
    return Model(name, face, network.fresh, **options)


def _with_transformers() -> Model:
    import torch
    from transformers import AutoModelForCausalLM

    from penstock.models.transformers_context import TransformersContext

    network = AutoModelForCausalLM.from_pretrained(TINY_PATH, dtype=torch.float32, attn_implementation="sdpa")
    network.eval()  # type: ignore[no-untyped-call]
    face = _tokenizer(*load_folder(TINY_PATH)[1:], network.config.to_dict())
    limit = network.config.max_position_embeddings
    return Model(
        "tiny",
        face,
        lambda: TransformersContext(network),
        max_positions=limit,
        native=network,
        width_cost=0.025,
        setup_cost=0.17,
    )


def _tokenizer(tokenizer: Any, settings: dict[str, Any], config: dict[str, Any]) -> Tokenizer:
    stops = config["eos_token_id"]
    stop_ids = [stops] if isinstance(stops, int) else stops
    vocabulary = vocabulary_from_huggingface(tokenizer, vocab_size=config["vocab_size"], stop_token_ids=stop_ids)
    return Tokenizer.from_tokenizers(tokenizer, vocabulary, settings.get("chat_template"))
