"""How many drafted nodes pay: the width of a step, chosen by what is accepted and what a node costs.

`RetrievalIndex` chooses so by itself (`crates/drafting/src/budget.rs`). Where a grammar drops nodes of a tree first, only
what is left can be weighed, and this does it; also for drafters that are not native.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LearnedCost", "Width", "check_cost"]

PRIOR = 5.0  # at first, five predicted tokens count as accepted
DECAY = 0.98
RATIO_RANGE = (0.2, 5.0)  # a streak of luck must not make every node pay, nor one of misfortune none

FIRST_LENGTH = 512  # contexts shorter than this count as one length; longer ones by powers of two
NUM_PLAIN = 15  # plain forwards remembered for a length: their median is what one costs
MIN_PLAIN = 4
MIN_DRAFTED = 2.0  # drafted forwards that it takes to believe them
PRIOR_WIDTHS = (1, 4, 16)  # the cost that was given counts like half a forward of each of these widths
PRIOR_WEIGHT = 0.5
_SHORTEST = (FIRST_LENGTH - 1).bit_length()
PLAIN_DECAY = 0.998  # what was learned fades while nothing is drafted, so that drafting is tried again
CLIP = 1.0  # a forward counts as at most so much dearer or cheaper than expected, in plain ones or in what was expected


def check_cost(width_cost: float, setup_cost: float) -> None:
    """Raise ValueError unless both are costs."""
    for name, value in (("width_cost", width_cost), ("setup_cost", setup_cost)):
        if not 0 <= value < float("inf"):
            raise ValueError(f"`{name}` is `{value}`; give a finite number, at least 0")


class LearnedCost:
    """What drafted nodes cost at each length of context: a given cost, corrected by the forwards that were run.

    `at(length)` is (a, b), where a forward over w > 0 drafted nodes behind `length` tokens costs 1 + b + a * w plain ones: a
    line through the forwards of this length and, as if they had been run, a few at the given cost. A length that nothing is
    known of takes the line of the next shorter one that has been learned. Clocks decide what is drafted, never what is written.
    Shared by the texts of a drafter; a race between threads costs at worst a record. Cost: some microseconds a forward.
    """

    def __init__(self, width_cost: float, setup_cost: float = 0.0) -> None:
        check_cost(width_cost, setup_cost)
        self.width_cost, self.setup_cost = width_cost, setup_cost
        self._lengths: dict[int, _Length] = {}

    def at(self, length: int) -> tuple[float, float]:
        """Return (width_cost, setup_cost) behind `length` tokens."""
        wanted = _bucket(length)
        for bucket in range(wanted, _SHORTEST - 1, -1):
            known = self._lengths.get(bucket)
            if known is not None and known.weight >= MIN_DRAFTED:
                return known.line()
        return self.width_cost, self.setup_cost

    def observe(self, length: int, width: int, seconds: float) -> None:
        """Learn from a forward over `width` drafted nodes, or none, behind `length` tokens."""
        bucket = _bucket(length)
        known = self._lengths.get(bucket)
        if known is None:
            known = self._lengths[bucket] = _Length(self.at(length))
        known.observe(width, seconds)


def _bucket(length: int) -> int:
    return max(length, FIRST_LENGTH - 1).bit_length()


class _Length:
    """The forwards behind one length of context."""

    def __init__(self, prior: tuple[float, float]) -> None:
        self._line: tuple[float, float] | None = prior  # None: not up to date
        self._plain: list[float] = []
        self._median = 0.0
        self._sums = [0.0] * 5  # of 1, w, w * w, y, w * y; y: what drafting cost more than a plain forward
        cost, setup = prior
        terms = [_terms(width, setup + cost * width) for width in PRIOR_WIDTHS]
        self._prior = [PRIOR_WEIGHT * sum(column) for column in zip(*terms, strict=True)]

    @property
    def weight(self) -> float:
        """How many drafted forwards what was learned is worth."""
        return self._sums[0]

    def observe(self, width: int, seconds: float) -> None:
        if not width:
            self._plain.append(seconds)
            del self._plain[:-NUM_PLAIN]
            self._median = sorted(self._plain)[len(self._plain) // 2]
            self._add(PLAIN_DECAY, _NO_TERMS)
        elif len(self._plain) >= MIN_PLAIN and self._median > 0:
            cost, setup = self.line()
            expected = setup + cost * width
            margin = CLIP * max(1.0, expected)
            extra = min(max(seconds / self._median - 1.0, expected - margin), expected + margin)
            self._add(DECAY, _terms(width, extra))

    def _add(self, decay: float, terms: tuple[float, ...]) -> None:
        if self._sums[0] or terms is not _NO_TERMS:
            self._sums = [total * decay + term for total, term in zip(self._sums, terms, strict=True)]
            self._line = None

    def line(self) -> tuple[float, float]:
        """Return the line closest to the forwards and the prior ones as (a, b), neither below 0."""
        if self._line is None:
            self._line = _fitted([total + prior for total, prior in zip(self._sums, self._prior, strict=True)])
        return self._line


_NO_TERMS = (0.0,) * 5


def _terms(width: int, extra: float) -> tuple[float, ...]:
    return 1.0, width, width * width, extra, width * extra


def _fitted(sums: list[float]) -> tuple[float, float]:
    ones, widths, squares, extras, products = sums
    slope = (ones * products - widths * extras) / (ones * squares - widths * widths)
    if slope <= 0.0:
        return 0.0, max(0.0, extras / ones)
    if extras < slope * widths:  # through the origin
        return max(0.0, products / squares), 0.0
    return slope, (extras - slope * widths) / ones


class Width:
    """Chooses the prefix of a best-first order with the largest (1 + sure + r * sum of beliefs) / (1 + setup + cost * nodes).

    cost: a, setup: b, where a forward over w > 0 drafted nodes costs about 1 + b + a * w plain ones; no node is drafted where
    that never pays. A `LearnedCost` in the place of `cost` gives both by the length of the context (`at`). r: accepted /
    predicted tokens of recent steps; while nothing is drafted it is forgotten, so that drafting is tried again. Shared by the
    texts of a drafter; a race between threads costs at worst a step's record.
    """

    def __init__(self, cost: float | LearnedCost, setup: float = 0.0) -> None:
        self.learned = cost if isinstance(cost, LearnedCost) else None
        self.cost, self.setup = (cost.width_cost, cost.setup_cost) if isinstance(cost, LearnedCost) else (cost, setup)
        check_cost(self.cost, self.setup)
        self._record = _Record()

    def at(self, length: int) -> Width:
        """Return this choice with the costs behind `length` tokens; both learn from the same drafts."""
        if self.learned is None:
            return self
        here = object.__new__(Width)
        here.learned, here._record = self.learned, self._record
        here.cost, here.setup = self.learned.at(length)
        return here

    @property
    def accept_ratio(self) -> float:
        """Accepted tokens for one predicted token."""
        low, high = RATIO_RANGE
        return min(max(self._record.accepted / max(self._record.predicted, 1e-9), low), high)

    @property
    def floor(self) -> float:
        """The least belief with which a node can be worth its cost."""
        return min(1.0, self.cost / self.accept_ratio)

    def cut(self, beliefs: Sequence[float], num_sure: int = 0) -> int:
        """Return how many nodes pay. beliefs: of each node, its path included, best first; the first `num_sure` are as good
        as certain. Cost: linear."""
        ratio, value, best, size = self.accept_ratio, 1.0, 1.0, 0
        for width, belief in enumerate(beliefs, 1):
            value += 1.0 if width <= num_sure else ratio * belief
            share = value / (1.0 + self.setup + self.cost * width)
            if share > best:
                best, size = share, width
        return size

    def observe(self, predicted: float, num_accepted: int) -> None:
        """Learn from one step: the sum of the beliefs that were drafted, 0 for none, and how many nodes were accepted."""
        record = self._record
        if predicted > 0:
            record.predicted = record.predicted * DECAY + predicted
            record.accepted = record.accepted * DECAY + num_accepted
        else:
            record.predicted += (PRIOR - record.predicted) * (1 - DECAY)
            record.accepted += (PRIOR - record.accepted) * (1 - DECAY)


class _Record:
    """Predicted and accepted tokens of recent steps."""

    def __init__(self) -> None:
        self.predicted = self.accepted = PRIOR
