"""Attention for drafts behind a long prefix: the prefix without a mask, the open tree with a small one, joined by log-sum-exp.

    softmax over prefix and tree = the two results, weighed by exp(log-sum-exp) of either part

A mask [width, prefix + open] for every forward is what makes trees dear at long context: sdpa then copies grouped keys and
values for every query head, and cannot use its fast kernels. Every node sees the whole prefix, so nothing there needs a mask;
query heads that share a key head become rows of one product, so nothing is copied either. Layers with a window read its last
keys alone.

Registered with transformers under the name `penstock`. Outside of our contexts it is sdpa. `transformers_context.py` says, by
`opened`, that the mask which it passes covers the last keys only; `transformers_probe.py` finds out whether a model goes along.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["MIN_PREFIX", "NAME", "attention", "opened", "register"]

NAME = "penstock"
MIN_PREFIX = 2048  # committed positions from which the split is worth its two kernels
KEY_BLOCK = 8192  # keys whose scores exist at a time, where no kernel tells the log-sum-exp
HALVES = (torch.float16, torch.bfloat16)

_current = threading.local()


def register() -> None:
    """Make the name known to transformers; again is allowed."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


@contextlib.contextmanager
def opened(num_open: int) -> Iterator[None]:
    """Forwards of this thread pass masks for the last keys only; for full layers these are the `num_open` of the open tree."""
    _current.num_open = num_open
    try:
        yield
    finally:
        _current.num_open = None


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers asks for it: query [1, heads, width, dim], key and value [1, kv_heads, places, dim].

    Returns [1, width, heads, dim]. A mask [1, 1, width, covered] that covers all places, or none, is sdpa's business.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    num_open = getattr(_current, "num_open", None)
    covered = None if attention_mask is None else attention_mask.shape[-1]
    prefix = 0 if covered is None else key.shape[2] - covered
    if num_open is None or prefix <= 0 or covered != num_open:
        key, value = key[:, :, max(prefix, 0) :], value[:, :, max(prefix, 0) :]  # a window's last keys
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options)
    for name in ("softcap", "position_bias", "s_aux"):
        if options.get(name) is not None:
            raise NotImplementedError(f"attention with `{name}` is not split; load the model with attn_implementation='eager'")
    _, heads, width, dim = query.shape
    kv_heads, scale = key.shape[1], dim**-0.5 if scaling is None else scaling
    grouped = query.reshape(1, kv_heads, heads // kv_heads * width, dim)
    far = _dense(grouped, key[:, :, :prefix], value[:, :, :prefix], scale)
    assert attention_mask is not None
    near = _masked(grouped, key[:, :, prefix:], value[:, :, prefix:], attention_mask, scale)
    mixed = _merged(far, near).to(query.dtype)
    return mixed.reshape(1, heads, width, value.shape[3]).transpose(1, 2).contiguous(), None


_Part = tuple[
    torch.Tensor, torch.Tensor
]  # what was read [1, kv_heads, queries, dim], and its log-sum-exp [1, kv_heads, queries]


def _dense(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> _Part:
    """Attend to all keys."""
    if query.is_cuda and query.dtype in HALVES:  # scores in half precision would be too coarse: a kernel keeps them in float32
        read, total, *_ = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, 0.0, False, False, scale=scale)
        return read.float(), total[:, :, : query.shape[2]]
    exact = torch.float64 if query.dtype == torch.float64 else torch.float32
    query = query.to(exact) * scale
    parts = [
        _softmaxed(query @ key[:, :, low : low + KEY_BLOCK].to(exact).transpose(2, 3), value[:, :, low : low + KEY_BLOCK])
        for low in range(0, key.shape[2], KEY_BLOCK)
    ]
    found = parts[0]
    for part in parts[1:]:
        found = _merged(found, part), torch.logaddexp(found[1], part[1])
    return found


def _masked(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float) -> _Part:
    """Attend to few keys under an additive mask [1, 1, width, keys], the same for all heads of a group."""
    exact = torch.float64 if query.dtype == torch.float64 else torch.float32
    scores = (query.to(exact) * scale) @ key.to(exact).transpose(2, 3)
    _, kv_heads, _, count = scores.shape
    width = mask.shape[2]
    scores = scores.reshape(1, kv_heads, -1, width, count) + mask[:, :, None].to(exact)
    return _softmaxed(scores.reshape(1, kv_heads, -1, count), value)


def _softmaxed(scores: torch.Tensor, value: torch.Tensor) -> _Part:
    total = torch.logsumexp(scores, dim=-1)
    return torch.exp(scores - total[..., None]) @ value.to(scores.dtype), total


def _merged(one: _Part, other: _Part) -> torch.Tensor:
    """Return what is read from both parts together."""
    share = torch.sigmoid(one[1] - other[1].to(one[1].dtype))[..., None]  # exp(a) / (exp(a) + exp(b))
    return share * one[0] + (1 - share) * other[0]
