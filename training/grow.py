"""Makes a deeper start out of a shallower checkpoint, so that training goes on instead of over.

    python training/grow.py out/four/checkpoint.pt out/six/checkpoint.pt --layers 6

New layers stand between the old ones and begin as the identity: their output projections are zero, so that the grown model
writes exactly what the small one wrote. The optimizers start afresh.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from train import build_model

SILENT = ("self_attn.o_proj.weight", "mlp.down_proj.weight")  # zero: the layer adds nothing to the residual stream


def places(old: int, new: int) -> dict[int, int]:
    """Where each old layer goes: new layers follow the last ones, one each."""
    added = new - old
    if not 0 <= added <= old:
        raise SystemExit(f"{old} layers grow to at most {2 * old}, not to {new}")
    return {layer: layer + max(0, layer - (old - added)) for layer in range(old)}


def grow(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """Weights of a model with `layers` layers that computes the same function."""
    old = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("model.layers."))
    moved = places(old, layers)
    grown = build_model(layers).state_dict()
    for name in grown:
        if name.endswith(SILENT):
            grown[name] = torch.zeros_like(grown[name])
    for name, value in weights.items():
        if name.startswith("model.layers."):
            _, _, layer, rest = name.split(".", 3)
            name = f"model.layers.{moved[int(layer)]}.{rest}"
        grown[name] = value.clone()
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--layers", type=int, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    state = torch.load(args.source, map_location="cpu")
    state["model"], state["average"] = grow(state["model"], args.layers), grow(state["average"], args.layers)
    del state["optimizers"]
    args.target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, args.target)


if __name__ == "__main__":
    main()
