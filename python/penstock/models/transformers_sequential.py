"""The decoding loop's view of models whose layers keep a state: linear attention, Mamba blocks, short convolutions.

Such a state cannot take back a token, so nothing is drafted for these models: every row has the cache that transformers makes
for the model, and its tokens go in one after the other. Whoever commits less than was extended (a strategy that looks ahead)
pays for it: the row's cache is made anew from its text at the next forward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from penstock.decoding.context import Growth, Logits, Row, check_growth, check_position
from penstock.errors import UnsupportedFeatureError

__all__ = ["SequentialContext", "keeps_state"]

STATEFUL = ("linear", "mamba", "conv", "recurrent")


def keeps_state(model: Any) -> bool:
    """Whether any layer of a model keeps a state instead of keys and values."""
    kinds = getattr(model.config.get_text_config(decoder=True), "layer_types", None) or ()
    return any(part in kind for kind in kinds for part in STATEFUL)


@dataclass(slots=True)
class _RowState:
    committed: list[int] = field(default_factory=list)
    open: list[int] = field(default_factory=list)  # one path behind the committed tokens
    cache: Any = None  # has read both; None: has to be made


class SequentialContext:
    """`Context` with one forward for each row; growths are chains behind the last token. One thread at a time."""

    drafts = "plain"

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config(decoder=True)
        self.model, self._config = model, config
        self.vocab_size = int(getattr(config, "vocab_size", 0) or model.get_output_embeddings().weight.shape[0])
        self.max_positions: int | None = getattr(config, "max_position_embeddings", None)
        self.num_forwards = self.num_positions = 0
        self._rows: dict[Row, _RowState] = {}
        self._device = model.get_input_embeddings().weight.device

    def extend(self, growths: Mapping[Row, Growth]) -> Mapping[Row, Logits]:
        """Run the new tokens; float32 logits [num_logits, vocab] per row. When it raises, no row has changed."""
        for row, growth in growths.items():
            self._check(self._rows.get(row, _RowState()), growth)
        touched = {row: self._rows.get(row, _RowState()) for row in growths}
        try:
            logits = {row: self._run(touched[row], growth) for row, growth in growths.items()}
        except BaseException:
            for state in touched.values():
                state.cache = None  # who knows what it has read
            raise
        for row, growth in growths.items():
            touched[row].open += [int(token) for token in growth.token_ids]
            self._rows[row] = touched[row]
            self.num_positions += len(growth)
        return logits

    def commit(self, row: Row, path: Sequence[int]) -> None:
        """Keep the first open tokens; the rest is forgotten, and with it the cache that has read them."""
        state, path = self._rows[row], list(path)
        if path != list(range(len(path))) or len(path) > len(state.open):
            raise ValueError(f"`{path}` is no path of the open tree; start under the committed prefix and follow parents")
        if len(path) < len(state.open):
            state.cache = None
        state.committed += state.open[: len(path)]
        state.open = []

    def release(self, row: Row) -> None:
        """Forget a row; unknown rows are ignored."""
        self._rows.pop(row, None)

    def _check(self, state: _RowState, growth: Growth) -> None:
        check_growth(growth, len(state.open), self.vocab_size)
        first = len(state.open)
        if list(growth.parents) != list(range(first - 1, first - 1 + len(growth))):
            raise UnsupportedFeatureError(
                "layers that keep a state take no trees, which this strategy grows; decode with `Lookahead` or plainly",
                code="attention_unsupported",
            )
        last = len(state.committed) + first + len(growth) - 1
        check_position(last, self.max_positions)

    def _run(self, state: _RowState, growth: Growth) -> NDArray[np.float32]:
        from transformers import DynamicCache

        tokens, start = list(growth.token_ids), len(state.committed) + len(state.open)
        if state.cache is None:
            state.cache = DynamicCache(config=self._config)
            tokens, start = [*state.committed, *state.open, *tokens], 0
        count = len(growth) if growth.num_logits is None else min(growth.num_logits, len(growth))
        with torch.inference_mode():
            output = self.model(
                input_ids=torch.tensor([tokens], device=self._device),
                position_ids=torch.arange(start, start + len(tokens), device=self._device)[None],
                past_key_values=state.cache,
                use_cache=True,
            )
        self.num_forwards += 1
        rows = output.logits[0, len(tokens) - count :]
        return rows.float().cpu().numpy()  # type: ignore[no-any-return]
