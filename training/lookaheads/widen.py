"""Makes a wider and deeper model out of a trained one, which at first writes what that one writes.

    python training/lookaheads/widen.py --checkpoint out/draft/checkpoint.pt --size draft --into target --out out/start.pt

What a small model has learned in minutes need not be learned again by a large one. Old weights keep their place; nothing
new writes into the stream at first (new heads, new hidden units and new layers end in zeros), and the normalisations are
scaled for the new width. Small random entries of the embedding break the symmetry, so the two agree up to these.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from pair import SIZES, VOCAB_SIZE, build_model

__all__ = ["widened"]

WRITES = ("o_proj", "down_proj")  # matrices that write into the stream


def widened(small: dict[str, torch.Tensor], size: str, into: str) -> dict[str, torch.Tensor]:
    """Return the weights of a model of size `into` that computes what the small one does. Head sizes must be equal."""
    if SIZES[size][0] // SIZES[size][2] != SIZES[into][0] // SIZES[into][2]:
        raise SystemExit(f"`{size}` and `{into}` have heads of different sizes; choose sizes with equal hidden size / heads")
    shrink = (SIZES[size][0] / SIZES[into][0]) ** 0.5  # the mean square is taken over more entries now
    weights = build_model(into, VOCAB_SIZE).state_dict()
    for name, large in weights.items():
        old = small.get(name)
        if "norm" in name:
            large.fill_(shrink if old is not None or "layernorm" not in name else 1.0)
        if any(part in name for part in WRITES):
            large.zero_()
        if old is None:
            continue
        if "norm" in name:
            large[: len(old)] = old * shrink
        else:
            if any(part in name for part in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")):
                large[: old.shape[0]] *= 0.5  # what old units read of the new entries
            large[: old.shape[0], : old.shape[1]] = old
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--into", choices=SIZES, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    state = torch.load(options.checkpoint)
    weights = widened(state["model"], options.size, options.into)
    small, large = build_model(options.size, VOCAB_SIZE), build_model(options.into, VOCAB_SIZE)
    small.load_state_dict(state["model"])
    large.load_state_dict(weights)
    tokens = torch.arange(3, 67)[None]
    with torch.inference_mode():
        same = (small(tokens).logits.argmax(-1) == large(tokens).logits.argmax(-1)).float().mean()
    torch.save({"model": weights, "step": 0, "tokens_seen": 0}, options.out)
    print(f"{large.num_parameters():,} parameters; {same:.0%} of the likeliest next tokens are those of before: {options.out}")


if __name__ == "__main__":
    main()
