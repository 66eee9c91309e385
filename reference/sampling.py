"""The slow twin of `penstock/decoding/sampling.py` and `crates/tokens/src/choice.rs`: plain integers and floats, no arrays.

Read this first. A token survives the grammar mask, then top-k, top-p and min-p; each survivor gets its own noise from a
counter hash; the largest sum wins, the lower id among equals.
"""

from __future__ import annotations

import math

MASK64 = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def mix(z: int) -> int:
    """SplitMix64's finaliser (Steele, Lea, Flood, 2014)."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


def noise(seed: int, sample: int, output_index: int, token_id: int) -> float:
    """Standard Gumbel noise of one token at one position of one text."""
    key = mix((seed + GAMMA) & MASK64)
    for counter in (sample, output_index):
        key = mix((key + (counter + 1) * GAMMA) & MASK64)
    bits = mix((key + (token_id + 1) * GAMMA) & MASK64) >> 12  # 52 bits: with 53 the largest uniform rounds to 1
    return -math.log(-math.log((bits + 0.5) * 2.0**-52))


def survivors(z: dict[int, float], top_k: int | None, top_p: float | None, min_p: float | None) -> list[int]:
    """Ids that survive truncation; `z` holds logit / temperature of the tokens that the mask allows."""
    ids = sorted((v for v in z if z[v] > -math.inf), key=lambda v: (-z[v], v))
    if top_k is not None:
        ids = ids[:top_k]
    weights = {v: math.exp(z[v] - z[ids[0]]) for v in ids}
    if top_p is not None:
        total, kept, cumulated = sum(weights.values()), [], 0.0
        for v in ids:
            if cumulated >= top_p * total:
                break
            kept.append(v)
            cumulated += weights[v]
        ids = kept
    if min_p is not None:
        ids = [v for v in ids if weights[v] >= min_p]
    return ids


def choose(
    logits: list[float],
    allowed: set[int],
    temperature: float,
    seed: int,
    sample: int,
    output_index: int,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
) -> int:
    """The chosen id; `logits` are already processed."""
    if temperature == 0:
        return min(allowed, key=lambda v: (-logits[v], v))
    z = {v: logits[v] / temperature for v in allowed}
    ids = survivors(z, top_k, top_p, min_p)
    return min(ids, key=lambda v: (-(z[v] + noise(seed, sample, output_index, v)), v))
