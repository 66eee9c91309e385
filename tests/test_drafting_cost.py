"""What drafts cost is learned from the forwards that are run, at each length of context; the text never depends on it."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.oracle import OracleContext
from penstock.decoding import Lookahead, plain
from penstock.decoding import engine as engine_module
from penstock.decoding.engine import Engine, Job
from penstock.decoding.sequence import Sequence
from penstock.decoding.width import LearnedCost, Width
from penstock.drafting import Fallback, RecyclingDrafter, RetrievalDrafter
from penstock.sampling import Sampling

SHORT, LONG = 100, 3000


def learned_from(price, *, prior=(0.02, 0.1), length=SHORT, rounds=60, jitter=0.0) -> LearnedCost:
    """A cost that has seen forwards of widths 0 to 16. price: seconds for each width."""
    cost, rng = LearnedCost(*prior), random.Random(2)
    for number in range(rounds):
        for width in (0, rng.choice([1, 2, 4, 8, 16])):
            outlier = 50.0 if jitter and number % 9 == 4 else 1.0
            cost.observe(length, width, price(width) * (1 + jitter * rng.uniform(-1, 1)) * outlier)
    return cost


@pytest.mark.parametrize("unit", [1e-4, 1.0])
@pytest.mark.parametrize(("cost", "setup"), [(0.02, 0.1), (0.3, 0.0), (0.002, 0.5), (0.0, 0.0)])
def test_the_cost_of_the_device_is_found_whatever_was_given(cost, setup, unit) -> None:
    price = lambda width: unit * (1 + (setup + cost * width if width else 0))  # noqa: E731
    for jitter, tolerance in ((0.0, 0.15), (0.1, 0.3)):
        found, base = learned_from(price, jitter=jitter).at(SHORT)
        for width in (1, 4, 16):
            assert base + found * width == pytest.approx(setup + cost * width, rel=tolerance, abs=tolerance)


def test_nothing_is_believed_before_there_is_evidence() -> None:
    cost = LearnedCost(0.02, 0.1)
    assert cost.at(LONG) == (0.02, 0.1)
    for _ in range(20):
        cost.observe(SHORT, 8, 9.0)  # no plain forward to compare with
    assert cost.at(SHORT) == (0.02, 0.1)
    for _ in range(4):
        cost.observe(SHORT, 0, 1.0)
    cost.observe(SHORT, 8, 9.0)
    assert cost.at(SHORT) == (0.02, 0.1), "one forward is an accident"


def test_lengths_are_told_apart_and_unknown_ones_follow_shorter_ones() -> None:
    cost = learned_from(lambda width: 1 + 0.3 * width, length=LONG)
    assert cost.at(SHORT) == (0.02, 0.1)
    assert cost.at(LONG)[0] == pytest.approx(0.3, rel=0.2)
    assert cost.at(20 * LONG) == cost.at(LONG)


def test_what_was_learned_fades_while_nothing_is_drafted() -> None:
    cost = learned_from(lambda width: 1 + 3.0 * width)
    assert Width(cost).at(SHORT).cut([0.9, 0.8]) == 0
    for _ in range(4000):
        cost.observe(SHORT, 0, 1.0)
    assert Width(cost).at(SHORT).cut([0.9, 0.8]) == 2


@pytest.mark.parametrize("bad", [(-1.0, 0.0), (0.1, math.inf), (math.nan, 0.0)])
def test_what_is_no_cost_is_refused(bad) -> None:
    with pytest.raises(ValueError, match="_cost"):
        LearnedCost(*bad)


class Repeating(OracleContext):
    """Writes a phrase again and again, with a surprise now and then; keeps a clock that its forwards move."""

    def __init__(self, price) -> None:
        super().__init__(scale=1.0)
        self.price, self.clock = price, 0.0

    def logits_of(self, prefix):
        logits = super().logits_of(prefix[-1:])
        place = len(prefix)
        surprise = place * 2654435761 % 7 == 0
        logits[3 + (place * place % 40 if surprise else place % 11)] += 20.0
        return logits

    def extend(self, growths):
        for row, growth in growths.items():
            self.clock += self.price(len(self.committed.get(row, ())), len(growth.token_ids) - 1)
        return super().extend(growths)


def write(monkeypatch, strategy, price, length) -> tuple[list[int], list[int]]:
    """The text behind a prompt of this length, and how many nodes each of its last 150 forwards drafted."""
    context = Repeating(price)
    monkeypatch.setattr(engine_module, "time", SimpleNamespace(perf_counter=lambda: context.clock))
    prompt = [3 + place % 11 for place in range(length)]
    sequence = Sequence(prompt, {"target": context}, sampling=Sampling(), seed=1, max_tokens=900)
    widths, engine = [], Engine()
    extend = context.extend

    def watched(growths):
        widths.extend(len(growth.token_ids) - 1 for growth in growths.values())
        return extend(growths)

    context.extend = watched
    job = engine.submit(Job(sequence, strategy, lambda sequence, error: error))
    engine.drive(lambda: job.done)
    assert job.future.result() is None
    return sequence.token_ids, widths[-150:]


def dear_when_long(length: int, width: int) -> float:
    return 1e-3 * (1 + (0.02 if length < 1500 else 0.45) * width)


def ruinous_when_long(length: int, width: int) -> float:
    return 1e-3 * (1 + (0.02 if length < 1500 else 8.0) * width)


@pytest.mark.parametrize("fallback", [False, True])
def test_where_width_gets_dear_less_is_drafted_and_nothing_where_it_cannot_pay(monkeypatch, fallback) -> None:
    def strategy():
        cost = LearnedCost(0.02, 0.0)
        drafter = RetrievalDrafter(width_cost=cost)
        return Lookahead(Fallback(drafter, RecyclingDrafter(width_cost=cost)) if fallback else drafter, budget=16)

    means = {}
    for price, length in ((dear_when_long, 40), (dear_when_long, 2100), (ruinous_when_long, 2100)):
        text, widths = write(monkeypatch, strategy(), price, length)
        assert text == write(monkeypatch, plain, price, length)[0]
        means[price, length] = float(np.mean(widths))
    assert means[dear_when_long, 40] > 4
    assert 0 < means[dear_when_long, 2100] < means[dear_when_long, 40] / 2
    assert means[ruinous_when_long, 2100] < 0.1


def test_rows_that_share_a_forward_teach_nothing(monkeypatch) -> None:
    """The time of a shared forward is not the cost of one row's nodes."""
    context, cost = Repeating(dear_when_long), LearnedCost(0.02, 0.0)
    monkeypatch.setattr(engine_module, "time", SimpleNamespace(perf_counter=lambda: context.clock))
    strategy, engine = Lookahead(RetrievalDrafter(width_cost=cost), budget=16), Engine()
    texts = [
        Sequence(
            [3 + (row + place) % 11 for place in range(2000)], {"target": context}, sampling=Sampling(), seed=1, max_tokens=80
        )
        for row in range(2)
    ]
    jobs = [engine.submit(Job(sequence, strategy, lambda sequence, error: error)) for sequence in texts]
    engine.drive(lambda: not all(job.future.running() for job in jobs) and any(job.done for job in jobs))
    assert cost.at(2080) == (0.02, 0.0)
