"""A KV cache for rows of unequal length with open trees, passed to transformers models as `past_key_values`.

Every layer holds keys and values in one preallocated tensor [slots, heads, capacity, dim]. The slot of a row holds its
committed positions in order and its open nodes behind them; a forward writes at each row's own places, and a commit moves
the kept nodes down in place. Nothing is concatenated, padded or cropped, and rolling back is forgetting a number.
All tensors are written under inference mode. Next: `transformers_context.py`, which plans the places and builds the masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

__all__ = ["Placement", "RowsCache"]

MIN_CAPACITY = 256  # positions allocated at first; doubled when they are used up


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one forward writes and reads. Row i of the batch lives in slot `slots[i]`.

    starts: first written place of each row. width: nodes a row, padding included. end: places that are read.
    """

    slots: tuple[int, ...]
    starts: tuple[int, ...]
    width: int
    end: int

    @property
    def consecutive(self) -> bool:
        """Whether the slots are a range, so that reading needs no copy."""
        return self.slots == tuple(range(self.slots[0], self.slots[0] + len(self.slots)))


class RowsLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer; its cache tells it the placement of the forward under way."""

    is_croppable = False

    def __init__(self, cache: RowsCache) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys, self.values = (
            states.new_zeros(0, states.shape[1], 0, states.shape[3]) for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new states [rows, heads, width, dim]; return all states [rows, heads, end, dim] of these rows."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        place = self.cache.placement
        assert place is not None, "the context places each forward before it runs"
        assert self.keys is not None
        assert self.values is not None
        self.keys = self._written(self.keys, key_states, place)
        self.values = self._written(self.values, value_states, place)
        return self._read(self.keys, place), self._read(self.values, place)

    def _written(self, store: torch.Tensor, states: torch.Tensor, place: Placement) -> torch.Tensor:
        store = _grown(store, self.cache.num_slots, place.end)
        if len(place.slots) == 1:
            start = place.starts[0]
            store[place.slots[0], :, start : start + place.width] = states[0]
        else:
            slots, places = self.cache.write_index(store.device)
            store[slots, :, places] = states.transpose(1, 2)  # indexed dimensions come first: [rows, width, heads, dim]
        return store

    @staticmethod
    def _read(store: torch.Tensor, place: Placement) -> torch.Tensor:
        if place.consecutive:
            return store[place.slots[0] : place.slots[0] + len(place.slots), :, : place.end]
        return store[torch.tensor(place.slots, device=store.device), :, : place.end]

    def move(self, slot: int, source: torch.Tensor, start: int) -> None:
        """Copy places `source`, ascending, of a slot to the places from `start` on."""
        for store in (self.keys, self.values):
            assert store is not None, "only layers that were written have something to move"
            store[slot, :, start : start + len(source)] = store[slot, :, source.to(store.device)]

    def clear(self, slot: int) -> None:
        """Zero a slot: what a failed row left there could hold NaN, and NaN times a weight of zero is NaN."""
        for store in (self.keys, self.values):
            if store is not None and slot < len(store):
                store[slot].zero_()

    def get_seq_length(self) -> int:
        return self.cache.placement.starts[0] if self.cache.placement else 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1


class RowsCache(Cache):
    """All layers. `placement` is set before each forward; `num_slots` is how many rows fit."""

    def __init__(self, num_layers: int) -> None:
        self.placement: Placement | None = None
        self.num_slots = 1
        self._write_index: tuple[torch.Tensor, torch.Tensor] | None = None
        self.rows_layers = [RowsLayer(self) for _ in range(num_layers)]
        super().__init__(layers=list(self.rows_layers))

    def place(self, placement: Placement) -> None:
        """Announce the next forward."""
        self.placement = placement
        self._write_index = None
        while self.num_slots <= max(placement.slots):
            self.num_slots *= 2

    def write_index(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the indices (slots [rows, 1], places [rows, width]) of the announced forward, made once for all layers."""
        if self._write_index is None or self._write_index[0].device != device:
            assert self.placement is not None
            starts = torch.tensor(self.placement.starts, device=device)
            places = starts[:, None] + torch.arange(self.placement.width, device=device)
            self._write_index = torch.tensor(self.placement.slots, device=device)[:, None], places
        return self._write_index

    def keep(self, slot: int, length: int, path: Sequence[int]) -> None:
        """Make the open nodes `path`, ascending, of a slot with `length` committed positions its next positions."""
        first = next((i for i, node in enumerate(path) if node != i), len(path))
        if first == len(path):
            return
        source = torch.tensor(path[first:]) + length
        with torch.inference_mode():
            for layer in self.rows_layers:
                if layer.is_initialized:
                    layer.move(slot, source, length + first)

    def clear(self, slot: int) -> None:
        """Forget what a slot holds."""
        with torch.inference_mode():
            for layer in self.rows_layers:
                layer.clear(slot)


def _grown(store: torch.Tensor, num_slots: int, end: int) -> torch.Tensor:
    slots, heads, capacity, dim = store.shape
    if slots >= num_slots and capacity >= end:
        return store
    wanted = capacity if capacity >= end else max(end, 2 * capacity, MIN_CAPACITY)
    grown = store.new_zeros(max(slots, num_slots), heads, wanted, dim)
    grown[:slots, :, :capacity] = store
    return grown
