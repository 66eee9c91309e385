"""The choice of one token: a pure function of (logits, true prefix, mask, sampling, output index).

    logits -> processors on the true prefix -> grammar bitmask -> top-k, top-p, min-p -> argmax(z / T + Gumbel noise)

The noise of token v at output index t is -ln(-ln(u)), u = (h + 0.5) / 2**52, h = the top 52 bits of a SplitMix64 hash of
(seed, sample, t, v). It depends on nothing else: not on the row of the batch, the step, or what was drafted, and that
is why drafted and plain decoding give one text. Everything after the mask is float64: in float32 the largest uniform
rounds to 1 and its noise is infinite. A token whose z / T lies more than `NOISE_RANGE` below the best cannot win, so
noise is drawn for few tokens. Slow twin: `reference/sampling.py`.
Cost: about 10 us greedy and 30 us sampled at 2,000 ids; some 0.2 and 1 ms at 131,072 ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DeadEndError, GenerationError
from penstock.sampling import Sampling

__all__ = [
    "NOISE_RANGE",
    "GumbelNoise",
    "SamplingState",
    "allowed_bits",
    "choose",
    "log_softmax",
    "masked",
    "process",
    "truncated",
]

NOISE_RANGE = 41.0  # noise lies in [-3.6, 36.8], so this margin can never be made up
DENSE_SHARE = 8  # a mask is worked through by ids where it allows less than one token in so many
FEW_TOKENS = 2048  # so many get their noise without asking who could win
LIKELY_RANGE = 4.0  # tokens so close to the best, in logit / temperature, are taken to be likely winners
BLOCK = 16_384  # ids hashed at a time: their bits stay in the cache
_GAMMA = 0x9E3779B97F4A7C15
_MASK64 = (1 << 64) - 1


def _mix(z: int) -> int:
    """Return the SplitMix64 finaliser of a 64-bit integer."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


def _mix_inplace(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


class GumbelNoise:
    """The noise of one text; drafters may read it, the output still cannot depend on them."""

    __slots__ = ("_base", "sample", "seed")

    def __init__(self, seed: int, sample: int = 0) -> None:
        self.seed, self.sample = seed, sample
        self._base = _mix((_mix((seed + _GAMMA) & _MASK64) + (sample + 1) * _GAMMA) & _MASK64)

    def key(self, output_index: int) -> int:
        """Return the 64-bit key of one output position."""
        return _mix((self._base + (output_index + 1) * _GAMMA) & _MASK64)

    def bits(self, output_index: int, token_ids: NDArray[Any]) -> NDArray[np.uint64]:
        """Return the 52 random bits of each of these tokens; more bits, more noise."""
        z = token_ids.astype(np.uint64)
        z += np.uint64(1)
        z *= np.uint64(_GAMMA)
        z += np.uint64(self.key(output_index))
        return _mix_inplace(z) >> np.uint64(12)

    def at(self, output_index: int, token_ids: NDArray[Any] | Sequence[int]) -> NDArray[np.float64]:
        """Return the noise [len(token_ids)] of these tokens at one output position."""
        return _gumbel(self.bits(output_index, np.asarray(token_ids)))


def _gumbel(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    return np.asarray(-np.log(-np.log((bits.astype(np.float64) + 0.5) * 2.0**-52)))


@dataclass(slots=True)
class SamplingState:
    """What the choice knows of one text: the user's wishes, the noise, and the true prefix (never a drafted one)."""

    sampling: Sampling
    noise: GumbelNoise
    prompt_ids: Sequence[int]
    output_ids: list[int]
    processor: Callable[[NDArray[np.float32], SamplingState], NDArray[np.float32]] | None = None  # a framework's own, run first
    asked: float | None = None  # the temperature that the grammar asks for at this place

    @property
    def temperature(self) -> float:
        """The temperature of the next token: the grammar's, where it asks for one."""
        return self.sampling.temperature if self.asked is None else self.asked

    @property
    def has_processors(self) -> bool:
        s = self.sampling
        penalties = s.repetition_penalty != 1.0 or s.presence_penalty != 0.0
        return bool(penalties or s.no_repeat_ngram_size or s.bad_words_ids or s.logit_bias)


def process(logits: NDArray[np.float32], state: SamplingState) -> NDArray[np.float32]:
    """Apply the user's logit processors for the true prefix; [vocab] in, [vocab] out, the input is not changed."""
    if state.processor is not None:
        logits = state.processor(logits, state)
    if not state.has_processors:
        return logits
    s, z, output = state.sampling, logits.astype(np.float32, copy=True), state.output_ids
    for token, bias in s.logit_bias.items():
        if 0 <= token < len(z):
            z[token] += bias
    if s.repetition_penalty != 1.0:
        seen = np.unique(np.asarray([*state.prompt_ids, *output], dtype=np.int64))
        z[seen] = np.where(z[seen] > 0, z[seen] / s.repetition_penalty, z[seen] * s.repetition_penalty)
    if s.presence_penalty and output:
        z[np.unique(np.asarray(output, dtype=np.int64))] -= s.presence_penalty
    for token in _banned(s, [*state.prompt_ids, *output]):
        if 0 <= token < len(z):
            z[token] = -np.inf
    return z


def _banned(sampling: Sampling, prefix: list[int]) -> set[int]:
    """Return the tokens that would finish a bad word, or an n-gram that the prefix already holds."""
    banned = set()
    for word in sampling.bad_words_ids:
        head = list(word[:-1])
        if not head or prefix[-len(head) :] == head:
            banned.add(word[-1])
    size = sampling.no_repeat_ngram_size
    if size and len(prefix) >= size:
        tail = prefix[len(prefix) - size + 1 :]
        for start in range(len(prefix) - size + 1):
            if prefix[start : start + size - 1] == tail:
                banned.add(prefix[start + size - 1])
    return banned


def allowed_bits(bitmask: NDArray[np.int32], vocab_size: int) -> NDArray[np.bool_]:
    """Return one row of a bitmask, int32 [ceil(vocab / 32)], lowest bit first, as booleans; at most vocab_size of them."""
    return np.unpackbits(np.ascontiguousarray(bitmask).view(np.uint8), bitorder="little")[:vocab_size].view(np.bool_)


def choose(logits: NDArray[np.float32], bitmask: NDArray[np.int32] | None, state: SamplingState) -> int:
    """Return the next token of a text whose true prefix is in `state`.

    logits: float32 [vocab], as the model gave them. bitmask: int32 [ceil(vocab / 32)], or None where nothing is masked.
    Raises DeadEndError when no token is left, GenerationError when the logits hold NaN.
    """
    scores, ids = masked(process(logits, state), bitmask)
    best = float(scores.max()) if len(scores) else -np.inf
    if np.isnan(best):
        raise GenerationError("the model's logits hold `nan`; check its weights and its precision", code="logits_not_finite")
    if best == -np.inf:
        raise DeadEndError("no token is allowed after the mask and the processors; loosen `bad_words_ids` or `logit_bias`")
    if state.temperature == 0:
        place = int(scores.argmax())
        return place if ids is None else int(ids[place])
    return _sample(scores, ids, best, state)


def masked(z: NDArray[np.float32], bitmask: NDArray[np.int32] | None) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Return the scores of the allowed tokens and their ids, or, for dense masks, all scores, forbidden ones at -inf."""
    if bitmask is None:
        return z, None
    bits = allowed_bits(bitmask, len(z))
    if np.count_nonzero(bits) * DENSE_SHARE < len(bits):
        ids = np.flatnonzero(bits)
        return z[ids], ids
    return np.where(bits, z[: len(bits)], np.float32(-np.inf)), None


def _sample(scores: NDArray[Any], ids: NDArray[np.int64] | None, best: float, state: SamplingState) -> int:
    s, temperature, index = state.sampling, state.temperature, len(state.output_ids)
    if best == np.inf:
        near = np.flatnonzero(scores == np.inf)
        scores = np.zeros(len(scores))
        best = 0.0
    elif s.top_k is not None or s.top_p is not None or s.min_p is not None:
        near = np.flatnonzero(scores > (-np.inf if s.top_p is not None else best - NOISE_RANGE * temperature))
        near = truncated(near, (scores[near].astype(np.float64) - best) / temperature, s)
    else:
        near = _contenders(scores, ids, best, state)
    tokens = near if ids is None else ids[near]
    noisy = (scores[near].astype(np.float64) - best) / temperature + state.noise.at(index, tokens)
    return int(tokens[noisy == noisy.max()].min())


def _contenders(scores: NDArray[Any], ids: NDArray[np.int64] | None, best: float, state: SamplingState) -> NDArray[np.int64]:
    """Return the places of the tokens that could win, and of few others.

    A token far below the best wins only with rare noise. Its random bits are compared with a threshold, which is a little
    too low, never too high; so logarithms, and all of float64, are for the few that pass.
    """
    temperature, index = state.temperature, len(state.output_ids)
    if len(scores) <= FEW_TOKENS:
        return np.flatnonzero(scores > best - NOISE_RANGE * temperature)
    close = np.flatnonzero(scores >= best - LIKELY_RANGE * temperature)
    z = (scores[close].astype(np.float64) - best) / temperature
    leader = float((z + state.noise.at(index, close if ids is None else ids[close])).max())
    missing = leader + LIKELY_RANGE * (1 - 1e-6)  # what the best of the others needs at least
    threshold = np.uint64(max(0.0, np.exp(-np.exp(-missing)) * (1 - 1e-9)) * 2.0**52)
    parts = [close]
    for low in range(0, len(scores), BLOCK):
        tokens = np.arange(low, min(low + BLOCK, len(scores))) if ids is None else ids[low : low + BLOCK]
        parts.append(np.flatnonzero(state.noise.bits(index, tokens) >= threshold) + low)
    near = np.unique(np.concatenate(parts))
    return near[scores[near] > best - NOISE_RANGE * temperature]


def truncated(places: NDArray[np.int64], z: NDArray[np.float64], s: Sampling) -> NDArray[np.int64]:
    """Keep the top-k, of these the smallest set that reaches top-p, of these what reaches min-p of the best.

    places: ascending, as their tokens are. z: logit / temperature, the best is 0.
    """
    order = np.lexsort((places, -z))[: s.top_k]
    places, weights = places[order], np.exp(z[order])
    if s.top_p is not None:
        before = np.concatenate(([0.0], np.cumsum(weights)[:-1]))  # a token stays if those before it do not yet suffice
        keep = before < s.top_p * weights.sum()
        places, weights = places[keep], weights[keep]
    return places if s.min_p is None else places[weights >= s.min_p]


def log_softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return natural log-probabilities over the last axis, in float64."""
    z = np.asarray(logits, dtype=np.float64)
    z = z - z.max(axis=-1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))
