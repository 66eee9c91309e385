"""Models: the bundled tiny one, a path or a hub name, or a transformers model that you have loaded yourself.

Frameworks are imported when a model asks for them, never before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penstock._lazy import attach

if TYPE_CHECKING:
    from penstock.models.model import Model

__all__ = ["Model", "from_transformers", "load", "measure_width_cost", "tiny"]

__getattr__, __dir__ = attach(__name__, {"Model": "penstock.models.model"})


def from_transformers(model: Any, tokenizer: Any, *, name: str | None = None) -> Model:
    """Wrap a causal language model of transformers and its tokenizer.

    Every id of the generation config's `eos_token_id` ends a text; without one, the tokenizer's end of sequence does. The model
    is put into evaluation mode and tried with a small tree: what gives other logits for trees, or for chains, than one token
    after the other is not drafted for, and the log says so. Attention by sdpa becomes `penstock`, which is sdpa but for drafts
    behind a long prefix.
    Raises UnsupportedFeatureError for attention that takes no masks, TokenizerError for a vocabulary without bytes.
    """
    from penstock.models.model import Model
    from penstock.models.tokenizer import Tokenizer
    from penstock.models.transformers_probe import context_of, prepare
    from penstock.tokenizer import vocabulary_from_huggingface

    vocab_size = int(model.get_output_embeddings().weight.shape[0])
    stops = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    stop_ids = None if stops is None else [stops] if isinstance(stops, int) else list(stops)
    vocabulary = vocabulary_from_huggingface(tokenizer, vocab_size=vocab_size, stop_token_ids=stop_ids)
    model.eval()
    prepare(model)  # refuses at once what cannot be decoded
    on_cpu = model.device.type == "cpu"
    return Model(
        name or getattr(model.config, "_name_or_path", "") or type(model).__name__,
        Tokenizer.from_transformers(tokenizer, vocabulary),
        lambda: context_of(model),
        max_positions=context_of(model).max_positions,
        width_cost=0.03 if on_cpu else 0.005,
        setup_cost=0.17 if on_cpu else 0.05,
        native=model,
    )


def load(path_or_hub_id: str, *, backend: Literal["transformers", "numpy"] = "transformers", **kwargs: Any) -> Model:
    """Load a model and its tokenizer with transformers. kwargs go to `AutoModelForCausalLM.from_pretrained`.

    The tokenizer is read from the same place, or from `tokenizer=` (a place, or a tokenizer). backend: "numpy" reads a
    folder with a small Llama (`config.json`, `model.safetensors`, `tokenizer.json`, `tokenizer_config.json`) without torch,
    on one thread; needs the extra penstock[tiny], and takes no kwargs.
    """
    if backend not in ("transformers", "numpy"):
        raise ValueError(f"`backend` is `{backend}`; give 'transformers' or 'numpy'")
    if backend == "numpy":
        from penstock.models import bundled

        if kwargs:
            raise TypeError(f"the numpy runtime does not know `{next(iter(kwargs))}`; load the model with transformers")
        return bundled.load_with_numpy(Path(path_or_hub_id), str(path_or_hub_id))
    import transformers

    tokenizer = kwargs.pop("tokenizer", path_or_hub_id)
    shared = {
        key: kwargs[key] for key in ("revision", "cache_dir", "token", "local_files_only", "trust_remote_code") if key in kwargs
    }
    if isinstance(tokenizer, str):
        tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer, **shared)
    model = transformers.AutoModelForCausalLM.from_pretrained(path_or_hub_id, **kwargs)
    return from_transformers(model, tokenizer, name=str(path_or_hub_id))


def tiny(backend: Literal["numpy", "transformers"] = "numpy") -> Model:
    """Return the model that comes with the package: 2 million parameters, one CPU thread, for trying things out.

    Needs the extra penstock[tiny]; the backend `transformers` needs penstock[transformers].
    """
    from penstock.models import bundled

    return bundled.load(backend)


def measure_width_cost(model: Model, *, context_length: int = 256, rounds: int = 15) -> tuple[float, float]:
    """Measure what drafted nodes cost this model on this machine; return (width_cost, setup_cost).

    `model.width_cost, model.setup_cost = measure_width_cost(model)`, before a `Generator` is made, lets automatic drafting
    spend by it. context_length: tokens before the drafts. Cost: 7 forwards a round, and one over the context.
    """
    from penstock.models import width_cost

    return width_cost.measure(model, context_length, rounds)
