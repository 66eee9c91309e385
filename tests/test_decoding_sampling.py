"""The choice of a token: equal to its slow twin, exact where the text promises it."""

from __future__ import annotations

import math
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock.decoding.sampling import GumbelNoise, SamplingState, choose, log_softmax, process
from penstock.errors import DeadEndError, GenerationError
from penstock.sampling import Sampling

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from reference import sampling as slow


def bitmask(allowed: set[int], vocab_size: int) -> np.ndarray:
    words = np.zeros((vocab_size + 31) // 32, dtype=np.uint32)
    for token in allowed:
        words[token // 32] |= np.uint32(1 << token % 32)
    return words.view(np.int32)


def state(sampling: Sampling, seed: int = 0, sample: int = 0, prompt: list[int] | None = None, output: list[int] | None = None):
    return SamplingState(sampling, GumbelNoise(seed, sample), prompt or [], output or [])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_the_choice_equals_its_slow_twin(data) -> None:
    vocab = data.draw(st.integers(1, 70))
    logits = np.asarray(
        data.draw(st.lists(st.sampled_from([-50.0, -3.0, 0.0, 0.5, 1.0, 4.0, 9.0]), min_size=vocab, max_size=vocab))
    )
    allowed = data.draw(st.sets(st.integers(0, vocab - 1), min_size=1))
    options = {
        "top_k": data.draw(st.sampled_from([None, 1, 3, 100])),
        "top_p": data.draw(st.sampled_from([None, 0.1, 0.77, 1.0])),
        "min_p": data.draw(st.sampled_from([None, 0.0, 0.3, 1.0])),
    }
    seed, sample, index = data.draw(st.integers(0, 2**64 - 1)), data.draw(st.integers(0, 3)), data.draw(st.integers(0, 99))
    temperature = data.draw(st.sampled_from([0.0, 0.3, 1.0, 2.0]))
    expected = slow.choose(logits.tolist(), allowed, temperature, seed, sample, index, **options)
    fast = state(Sampling(temperature=temperature, **options), seed, sample, output=[0] * index)
    assert choose(logits.astype(np.float32), bitmask(allowed, vocab), fast) == expected


SHARES = {
    "top_k": [None, None, 1, 7, 100_000],
    "top_p": [None, None, 0.05, 0.617, 0.95],
    "min_p": [None, None, 0.0, 0.011, 0.5],
}


def random_row(rng: np.random.Generator, vocab: int) -> tuple[np.ndarray, set[int]]:
    """Logits with ties and minus infinities, and the ids that a mask leaves; one of them at least is finite."""
    logits = rng.standard_normal(vocab) * rng.choice([0.0, 0.5, 3.0, 30.0])
    if rng.random() < 0.3:
        logits = np.round(logits)
    if rng.random() < 0.2:
        logits[rng.random(vocab) < 0.5] = -np.inf
    allowed = set(np.flatnonzero(rng.random(vocab) < rng.choice([0.01, 0.4, 0.97, 1.1])).tolist()) or {int(rng.integers(vocab))}
    keeper = int(rng.choice(sorted(allowed)))
    logits[keeper] = max(logits[keeper], -5.0)
    return logits.astype(np.float32), allowed


def test_the_choice_equals_its_slow_twin_over_random_rows_and_settings() -> None:
    """Bit for bit: both take their logarithms and exponentials from the C library."""
    rng = np.random.default_rng(11)
    for seed in range(3000):
        vocab = int(rng.choice([1, 31, 32, 33, 95, 160, 333]))
        logits, allowed = random_row(rng, vocab)
        options = {name: shares[rng.integers(len(shares))] for name, shares in SHARES.items()}
        temperature = float(rng.choice([0.0, 0.2, 0.8, 1.0, 3.0]))
        expected = slow.choose(logits.tolist(), allowed, temperature, seed, seed % 3, seed % 50, **options)
        fast = state(Sampling(temperature=temperature, **options), seed, seed % 3, output=[0] * (seed % 50))
        assert choose(logits, bitmask(allowed, vocab), fast) == expected, (seed, temperature, options)


def test_a_walk_chooses_what_a_choice_at_each_node_gives() -> None:
    rng = np.random.default_rng(3)
    num_taken = 0
    for seed in range(300):
        size = int(rng.integers(1, 12))
        token_ids = rng.integers(0, 5, size).tolist()
        parents = [-1, *(int(rng.integers(0, node)) for node in range(1, size))]
        logits = (rng.standard_normal((size, 5)) * 2).astype(np.float32)
        sampling = Sampling(temperature=float(rng.choice([0.0, 1.0])), top_p=rng.choice([None, 0.8]))
        found = state(sampling, seed, output=[1, 2]).chooser.choose_along(logits, token_ids, parents, 2)
        text, node, expected = state(sampling, seed, output=[1, 2]), 0, []
        while node is not None:
            expected.append(choose(logits[node], None, text))
            text.output_ids.append(expected[-1])
            children = [child for child in range(1, size) if parents[child] == node and token_ids[child] == expected[-1]]
            node = children[0] if children else None
        assert found == expected
        num_taken += len(expected) - 1
    assert num_taken > 100


def test_what_is_no_row_is_refused() -> None:
    chooser, row = state(Sampling()).chooser, np.zeros(40, dtype=np.float32)
    for logits in (row.astype(np.float64), row.reshape(2, 20).T, row.reshape(2, 4, 5), [0.0], row.astype(np.int32)):
        with pytest.raises((ValueError, TypeError), match=r"."):
            chooser.choose(logits, None, 0)
    with pytest.raises(ValueError, match="int32"):
        chooser.choose(row, np.zeros(2, dtype=np.int64), 0)
    with pytest.raises(ValueError, match="parent"):
        chooser.choose_along(row, [1, 2], [-1, 0], 0)
    with pytest.raises(ValueError, match="temperature"):
        chooser.choose(row, None, 0, float("nan"))
    assert chooser.choose(row, np.asarray([1 << 4, 0], dtype=np.int32), 0) == 4
    with pytest.raises(DeadEndError):
        chooser.choose(row, np.asarray([], dtype=np.int32), 0)


def test_infinite_logits_share_the_choice_and_masked_ones_do_not_count() -> None:
    logits = np.asarray([np.nan, np.inf, 3.0, np.inf, -np.inf], dtype=np.float32)
    mask = bitmask({1, 2, 3, 4}, 5)
    assert {choose(logits, mask, state(Sampling(temperature=1.0, top_k=1), seed)) for seed in range(20)} == {1, 3}
    assert choose(logits, mask, state(Sampling())) == 1
    assert choose(logits, bitmask({2, 4}, 5), state(Sampling(temperature=0.1))) == 2
    with pytest.raises(DeadEndError):
        choose(logits, bitmask({4}, 5), state(Sampling(temperature=1.0)))


@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0, 30.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_shortcuts_over_many_tokens_change_no_choice(scale, temperature) -> None:
    rng = np.random.default_rng(5)
    for seed in range(20):
        logits = (rng.standard_normal(5000) * scale).astype(np.float32)
        z = logits.astype(np.float64) / temperature
        allowed = rng.random(5000) < rng.choice([0.05, 0.9])
        noisy = np.where(allowed, z + GumbelNoise(seed).at(0, np.arange(5000)), -np.inf)
        mask = np.packbits(np.pad(allowed, (0, 24)), bitorder="little").view(np.int32)
        assert choose(logits, mask, state(Sampling(temperature=temperature), seed)) == noisy.argmax()


def test_noise_equals_its_slow_twin_bit_for_bit_in_the_hash() -> None:
    noise = GumbelNoise(12345, 2)
    ids = np.arange(1000)
    fast = noise.at(7, ids)
    assert np.allclose(fast, [slow.noise(12345, 2, 7, v) for v in range(1000)], rtol=1e-14, atol=1e-14)


def test_noise_is_gumbel_and_bounded() -> None:
    draws = GumbelNoise(1).at(0, np.arange(200_000))
    assert abs(draws.mean() - 0.5772) < 0.01
    assert abs(draws.var() - math.pi**2 / 6) < 0.03
    assert draws.min() > -3.7
    assert draws.max() < 36.8


def test_frequencies_follow_the_softmax() -> None:
    logits = np.asarray([1.0, 0.0, -1.0, 2.0], dtype=np.float32)
    one = Sampling(temperature=1.0)
    counts = np.bincount([choose(logits, None, state(one, seed)) for seed in range(20_000)], minlength=4)
    assert np.abs(counts / 20_000 - np.exp(log_softmax(logits))).max() < 0.012


def test_noise_differs_by_seed_sample_and_index() -> None:
    ids = np.arange(50)
    rows = [GumbelNoise(s, k).at(t, ids) for s in (0, 1) for k in (0, 1) for t in (0, 1)]
    assert len({row.tobytes() for row in rows}) == 8


def test_greedy_takes_the_lowest_id_among_equals_behind_the_mask() -> None:
    logits = np.asarray([5.0, 1.0, 3.0, 3.0], dtype=np.float32)
    assert choose(logits, None, state(Sampling())) == 0
    assert choose(logits, bitmask({1, 3, 2}, 4), state(Sampling())) == 2


def test_a_padded_head_beyond_the_mask_is_never_taken() -> None:
    logits = np.full(64, -1.0, dtype=np.float32)
    logits[40] = 9.0
    assert choose(logits, bitmask({3}, 32), state(Sampling())) == 3


def test_processors_look_at_the_true_prefix() -> None:
    logits = np.asarray([2.0, -2.0, 1.0, 0.5], dtype=np.float32)
    z = process(logits, state(Sampling(repetition_penalty=2.0), prompt=[0], output=[1]))
    assert z.tolist() == [1.0, -4.0, 1.0, 0.5]
    z = process(logits, state(Sampling(presence_penalty=1.0), prompt=[0], output=[2, 2]))
    assert z.tolist() == [2.0, -2.0, 0.0, 0.5]
    z = process(logits, state(Sampling(no_repeat_ngram_size=2), prompt=[0, 3], output=[1, 0]))
    assert z[3] == -np.inf
    assert np.isfinite(z[:3]).all()
    z = process(logits, state(Sampling(bad_words_ids=((1, 2), (3,))), output=[1]))
    assert z[2] == -np.inf
    assert z[3] == -np.inf
    assert process(logits, state(Sampling(logit_bias={1: 10.0}))).argmax() == 1
    assert logits.tolist() == [2.0, -2.0, 1.0, 0.5]


def test_no_token_left_is_a_dead_end_and_nan_an_error() -> None:
    logits = np.zeros(4, dtype=np.float32)
    with pytest.raises(DeadEndError):
        choose(logits, bitmask(set(), 4), state(Sampling()))
    with pytest.raises(DeadEndError):
        choose(logits, bitmask({2}, 4), state(Sampling(bad_words_ids=((2,),), temperature=1.0)))
    with pytest.raises(GenerationError):
        choose(np.asarray([0.0, np.nan], dtype=np.float32), None, state(Sampling()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("top_k", 0),
        ("top_p", 0),
        ("min_p", 2),
        ("repetition_penalty", 0),
        ("seed", -1),
        ("num_samples", 0),
        ("logprobs", -1),
        ("stop", ("",)),
        ("no_repeat_ngram_size", -1),
        ("bad_words_ids", ((),)),
        ("presence_penalty", float("inf")),
    ],
)
def test_sampling_refuses_what_makes_no_sense(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        Sampling(**{name: value})


def test_sampling_pickles() -> None:
    sampling = Sampling(temperature=0.7, stop="end", logit_bias={3: 1.0})
    assert pickle.loads(pickle.dumps(sampling)) == sampling
    assert sampling.stop == ("end",)
