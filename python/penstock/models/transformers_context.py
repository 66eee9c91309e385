"""The decoding loop's view of a transformers model: growths of many rows in one forward, trees by a mask.

    a long chain of one row   ->  its own forward without a mask (causal), in chunks where a prefix or a window needs masks
    one new node of one row   ->  no mask either
    everything else           ->  one batch with a float mask [rows, 1, width, places]: 0 allowed, the dtype's minimum not

A boolean mask is wrong on eager attention, a padded query that sees nothing is NaN, and a mask makes sdpa expand grouped
keys: so masks are floats, padding attends to one node, and plain steps carry none. Windows live in the mask: sliding
layers keep all keys and values, and can be drafted on. Behind a long prefix, one row's nodes carry a mask for the open tree
alone, where the model attends by `transformers_attention.py`. Layers that keep a state are `transformers_sequential.py`'s.
Source of the shapes: transformers 5 (`masking_utils`), tree = sequential is tested for five architectures.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from penstock.decoding.context import Growth, Logits, Row, check_growth, check_position
from penstock.errors import UnsupportedFeatureError
from penstock.models import transformers_attention
from penstock.models.transformers_cache import Placement, RowsCache

__all__ = ["TransformersContext"]

PREFILL_WIDTH = 64  # chains longer than this run alone, without a mask and without padding their neighbours
CHUNK_WIDTH = 256  # widest block of queries under a mask: a mask [Q, KV] of a whole prompt would fill the memory
SUPPORTED_ATTENTION = ("eager", "sdpa", transformers_attention.NAME)
MIN_SPLIT_POSITIONS = 2 * transformers_attention.MIN_PREFIX  # models with shorter contexts have no use for the split
MAX_SPLIT_OPEN = 1024  # open nodes up to which their part of the mask is small
FULL, SLIDING = "full_attention", "sliding_attention"


@dataclass(slots=True)
class _RowState:
    slot: int
    length: int = 0  # committed positions
    parents: list[int] = field(default_factory=list)  # of the open nodes; -1 is the committed prefix
    depths: list[int] = field(default_factory=list)  # of the open nodes; 0 hangs under the committed prefix


@dataclass(slots=True)
class _Work:
    """One row's part of a forward: the open nodes `first`, `first + 1`, ... with their tokens.

    `parents` and `depths` are those of all open nodes, up to the last of this part at least.
    """

    row: Row
    state: _RowState
    first: int
    tokens: list[int]
    parents: list[int]
    depths: list[int]
    is_chain: bool  # with these nodes the open tree is one path

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def start(self) -> int:
        """The first place that is written."""
        return self.state.length + self.first

    @property
    def positions(self) -> NDArray[np.int64]:
        """Positions of all open nodes up to the last of this part."""
        return np.asarray(self.depths[: self.first + len(self)], dtype=np.int64) + self.state.length

    def part(self, low: int, high: int) -> _Work:
        """Return the nodes [low, high) of this work."""
        return _Work(self.row, self.state, self.first + low, self.tokens[low:high], self.parents, self.depths, self.is_chain)


class TransformersContext:
    """`Context` over a causal language model of transformers; one thread at a time, as the engine calls it.

    drafts: what the model can be given at once, "tree", "chain" or "plain" (one token); `transformers_probe.py` finds out.
    """

    def __init__(self, model: Any, *, drafts: Literal["tree", "chain", "plain"] = "tree") -> None:
        config = model.config.get_text_config(decoder=True)
        self.model = model
        self.vocab_size = int(getattr(config, "vocab_size", 0) or model.get_output_embeddings().weight.shape[0])
        self.num_forwards = self.num_positions = 0
        self.max_positions: int | None = getattr(config, "max_position_embeddings", None)
        self._window, self._layer_kinds = _attention_kinds(config)
        self._check_attention(config)
        self._unmasked_kind = next((kind for kind in self._layer_kinds if kind not in (FULL, SLIDING)), None)
        takes_masks = self._unmasked_kind is None
        self.drafts: Literal["tree", "chain", "plain"] = drafts if takes_masks or drafts != "tree" else "chain"
        self.min_prefix = transformers_attention.MIN_PREFIX
        self._splits = getattr(config, "_attn_implementation", "") == transformers_attention.NAME and self._window != 1
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._cache = RowsCache(config.num_hidden_layers)
        self._rows: dict[Row, _RowState] = {}
        self._device = model.get_input_embeddings().weight.device
        if self._device.type != "cpu":
            self.launch = self._launch  # the loop fills masks while the device works

    def _check_attention(self, config: Any) -> None:
        name = getattr(config, "_attn_implementation", "eager")
        if name not in SUPPORTED_ATTENTION:
            raise UnsupportedFeatureError(
                f"attention `{name}` takes no tree masks; load the model with attn_implementation='sdpa'",
                code="attention_unsupported",
            )

    # Context.

    def extend(self, growths: Mapping[Row, Growth]) -> Mapping[Row, Logits]:
        """Run the new nodes; float32 logits [num_logits, vocab] per row. Cost: one forward, more for long prompts."""
        return self._launch(growths)()

    def commit(self, row: Row, path: Sequence[int]) -> None:
        """Keep a path of open nodes; the rest of the open tree is forgotten."""
        state, path = self._rows[row], list(path)
        if path and (path[-1] >= len(state.parents) or path != _path_to(path[-1], state.parents)):
            raise ValueError(f"`{path}` is no path of the open tree; start under the committed prefix and follow parents")
        self._cache.keep(state.slot, state.length, path)
        state.length += len(path)
        state.parents, state.depths = [], []

    def release(self, row: Row) -> None:
        """Forget a row; its memory serves the next one."""
        state = self._rows.pop(row, None)
        if state is not None:
            self._cache.clear(state.slot)

    # One extend.

    def _launch(self, growths: Mapping[Row, Growth]) -> Callable[[], Mapping[Row, Logits]]:
        works = self._planned(growths)
        wanted = {row: len(g) if g.num_logits is None else min(g.num_logits, len(g)) for row, g in growths.items()}
        pieces: dict[Row, list[torch.Tensor]] = {row: [] for row in growths}
        alone = [
            work for work in works if work.is_chain and (len(works) == 1 or self._unmasked_kind or len(work) > PREFILL_WIDTH)
        ]
        together = [work for work in works if work not in alone]
        with torch.inference_mode():
            for work in alone:
                self._run_chain(work, wanted[work.row], pieces)
            for low in range(0, max(map(len, together), default=0), CHUNK_WIDTH):
                self._run_masked(together, low, wanted, pieces)
        for work in works:
            work.state.parents, work.state.depths = work.parents, work.depths
            self._rows[work.row] = work.state
        self.num_positions += sum(map(len, works))
        return lambda: {row: self._gathered(parts) for row, parts in pieces.items()}

    def _planned(self, growths: Mapping[Row, Growth]) -> list[_Work]:
        """Check everything before anything changes; new rows get free slots."""
        works = []
        used = {state.slot for state in self._rows.values()}
        for row, growth in growths.items():
            state = self._rows.get(row)
            check_growth(growth, 0 if state is None else len(state.depths), self.vocab_size)
            if state is None:
                state = _RowState(next(slot for slot in range(len(used) + 1) if slot not in used))
                used.add(state.slot)
            works.append(self._work(row, state, growth))
        return works

    def _work(self, row: Row, state: _RowState, growth: Growth) -> _Work:
        first, depths = len(state.depths), list(state.depths)
        for parent in growth.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        last = state.length + max(depths)
        check_position(last, self.max_positions)
        is_chain = depths == list(range(len(depths)))
        if not is_chain and self.drafts != "tree":
            what = f"`{self._unmasked_kind}` layers take" if self._unmasked_kind else "the model takes"
            raise UnsupportedFeatureError(
                f"{what} no trees, which this strategy grows; decode with `Lookahead` or plainly",
                code="attention_unsupported",
            )
        tokens, parents = [int(token) for token in growth.token_ids], state.parents + [int(parent) for parent in growth.parents]
        return _Work(row, state, first, tokens, parents, depths, is_chain)

    def _run_chain(self, work: _Work, num_wanted: int, pieces: dict[Row, list[torch.Tensor]]) -> None:
        """Run one row's chain and let the model be causal by itself: flash kernels where nothing stands before it."""
        size = len(work)
        step = size if work.start == 0 and self._window is None else CHUNK_WIDTH
        for low in range(0, size, step):
            part = work.part(low, min(low + step, size))
            skipped = max(0, size - num_wanted - low)
            logits = self._forward([part], None, min(skipped, len(part)))
            if logits is not None:
                pieces[work.row].append(logits[0])

    def _run_masked(
        self, works: list[_Work], low: int, wanted: Mapping[Row, int], pieces: dict[Row, list[torch.Tensor]]
    ) -> None:
        """Run columns [low, low + CHUNK_WIDTH) of all rows under one mask."""
        parts = [work.part(low, low + CHUNK_WIDTH) for work in works if len(work) > low]
        skips = [max(0, len(work) - wanted[work.row] - low) for work in works if len(work) > low]
        least = min(skips)
        logits = self._forward(parts, self._mask, least)
        if logits is None:
            return
        for index, (part, skip) in enumerate(zip(parts, skips, strict=True)):
            if skip < len(part):
                pieces[part.row].append(logits[index, skip - least : len(part) - least])

    def _forward(self, works: list[_Work], mask: Callable[[list[_Work]], Any] | None, num_skipped: int) -> torch.Tensor | None:
        """Call the model; return logits [rows, width - num_skipped, vocab], or None where nobody wants any."""
        width = max(map(len, works))
        ids = np.zeros((len(works), width), dtype=np.int64)
        positions = np.zeros_like(ids)
        for index, work in enumerate(works):
            ids[index, : len(work)] = work.tokens
            positions[index, : len(work)] = work.positions[work.first :]
        slots, starts = tuple(work.state.slot for work in works), tuple(work.start for work in works)
        self._cache.place(Placement(slots, starts, width, _num_places(works)))
        num_kept = max(1, width - num_skipped)
        num_open = self._num_split(works)
        with transformers_attention.opened(num_open) if num_open else contextlib.nullcontext():
            output = self.model(
                input_ids=torch.from_numpy(ids).to(self._device),
                position_ids=torch.from_numpy(positions).to(self._device),
                attention_mask=self._split_mask(works[0]) if num_open else mask(works) if mask else None,
                past_key_values=self._cache,
                use_cache=True,
                **({"logits_to_keep": num_kept} if self._keeps_logits else {}),
            )
        self.num_forwards += 1
        return output.logits[:, -num_kept:] if num_skipped < width else None

    def _gathered(self, parts: list[torch.Tensor]) -> NDArray[np.float32]:
        if not parts:
            return np.empty((0, self.vocab_size), dtype=np.float32)
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        return joined.float().cpu().numpy()

    # Masks.

    def _num_split(self, works: list[_Work]) -> int:
        """Return the open nodes of a forward whose prefix needs no mask; 0 where it is not worth it or not possible."""
        work = works[0]
        num_open = work.first + len(work)
        fits = self._splits and len(works) == 1 and self._unmasked_kind is None and num_open <= MAX_SPLIT_OPEN
        return num_open if fits and len(work) > 1 and work.state.length >= self.min_prefix else 0

    def _split_mask(self, work: _Work) -> Any:
        """Return the float mask [1, 1, width, open] of one row's open nodes; for a window, of its places before them too."""
        blocks, open_positions = _tree_blocks([work], len(work))
        tree = torch.from_numpy(blocks).to(self._device)
        masks = {FULL: tree}
        if self._window is not None:
            length, positions = work.state.length, torch.from_numpy(open_positions[0]).to(self._device)
            near = torch.arange(max(0, length - self._window + 1), length, device=self._device).expand(1, -1)[0]
            places, asked = torch.cat([near, positions]), positions[work.first :]
            seen = torch.cat([tree.new_ones(1, len(work), len(near)), tree], dim=2)
            masks[SLIDING] = seen & (places > asked[:, None] - self._window)
        floats = {kind: self._additive(masks[kind]) for kind in self._layer_kinds}
        return floats if len(floats) > 1 else next(iter(floats.values()))

    def _mask(self, works: list[_Work]) -> Any:
        """Return the float mask [rows, 1, width, end], or one per kind of layer where the model has several."""
        width = max(map(len, works))
        lengths = torch.tensor([work.state.length for work in works], device=self._device)
        trees, positions = _tree_blocks(works, width)
        open_places = lengths[:, None] + torch.arange(trees.shape[2], device=self._device)  # [rows, open]
        places = torch.arange(_num_places(works), device=self._device)
        allowed = (places < lengths[:, None])[:, None, :].repeat(1, width, 1)  # [rows, width, end]
        index = open_places[:, None, :].expand(-1, width, -1)
        allowed.scatter_(2, index, torch.from_numpy(trees).to(self._device))
        masks = {FULL: allowed}
        if self._window is not None:
            at = places.repeat(len(works), 1).scatter_(1, open_places, torch.from_numpy(positions).to(self._device))
            asked = at.gather(1, torch.tensor([[work.start] for work in works], device=self._device) + places[:width])
            masks[SLIDING] = allowed & (at[:, None, :] > asked[:, :, None] - self._window)
        floats = {kind: self._additive(masks[kind]) for kind in self._layer_kinds}
        return floats if len(floats) > 1 else next(iter(floats.values()))

    def _additive(self, allowed: torch.Tensor) -> torch.Tensor:
        dtype = self.model.dtype
        mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
        return mask.masked_fill_(~allowed, torch.finfo(dtype).min)[:, None]


def _tree_blocks(works: list[_Work], width: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return who sees which open node [rows, width, open], and the positions of open nodes [rows, open].

    `open` counts the widest row's open nodes, padding included. A padded query sees the first new node of its row.
    """
    num_open = max(work.first for work in works) + width
    trees = np.zeros((len(works), width, num_open), dtype=np.bool_)
    positions = np.zeros((len(works), num_open), dtype=np.int64)
    for index, work in enumerate(works):
        tree, first = trees[index], work.first
        for i, parent in enumerate(work.parents[first : first + len(work)]):
            if parent >= first:
                tree[i] = tree[parent - first]
            elif parent >= 0:
                tree[i, _path_to(parent, work.parents)] = True
            tree[i, first + i] = True
        tree[len(work) :, first] = True
        positions[index] = work.positions[first]  # padding stands where the first new node stands
        positions[index, : first + len(work)] = work.positions
    return trees, positions


def _num_places(works: list[_Work]) -> int:
    """Return how many places of a slot a forward over these works reads: every row's open tree fits, padding included."""
    return max(work.state.length for work in works) + max(work.first for work in works) + max(map(len, works))


def _path_to(node: int, parents: list[int]) -> list[int]:
    path = []
    while node >= 0:
        path.append(node)
        node = parents[node]
    return path[::-1]


def _attention_kinds(config: Any) -> tuple[int | None, tuple[str, ...]]:
    """Return the window, if any layer has one, and the kinds of layers that take a mask of their own."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        kinds = [FULL if window is None else SLIDING]
    names = tuple(sorted(set(kinds)))
    if SLIDING in names and window is None:
        names = tuple(kind for kind in names if kind != SLIDING) or (FULL,)
    if any("linear" in kind or "mamba" in kind or "conv" in kind for kind in names):
        raise UnsupportedFeatureError(
            f"layers of the kinds `{list(names)}` keep a state that cannot take back tokens; use `SequentialContext`",
            code="attention_unsupported",
        )
    return (window if SLIDING in names else None), names
