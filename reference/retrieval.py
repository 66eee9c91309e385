"""The slow twin of `crates/drafting`: retrieval as it is defined, by scanning all text at every question.

Read `Retrieval.propose` first. A *place* is an earlier spot whose text ends like ours; what followed there is a candidate.
`blend` turns the places of a node into probabilities, `propose` takes the most probable node until the budget is spent.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

MAX_MATCH = 64
MAX_GRAM = 4
TOP = 64
PLACES_AFTER_FREQUENT = 8


@dataclass(frozen=True)
class Place:
    """`texts[text][next]` followed a match of `length` tokens; text 0 is the request's own."""

    text: int
    next: int
    length: int


@dataclass
class Retrieval:
    """All text there is: `texts[0]` is prompt and output of the request, the others are outputs in the order they finished."""

    texts: list[list[int]]
    max_places: int = 32
    other_weight: float = 0.4
    strength: float = 3.0
    exponent: float = 0.8
    knee: float = 14.0
    frequent_share: float = 0.3
    floor: float = 1e-6
    frequent: list[tuple[int, float]] = field(init=False)

    def __post_init__(self) -> None:
        self.frequent = self._frequent()

    def propose(self, budget: int, width_cost: float | None = None, accept_ratio: float = 1.0) -> tuple[list[int], list[int]]:
        """Return (token_ids, parents) of the best tree; node 0 is the last token."""
        token_ids, parents, reached, behind = [self.texts[0][-1]], [-1], [1.0], [self.places()]
        open_entries = self._children(0, 1.0, behind[0])
        predicted, number = 0.0, len(open_entries)
        while len(token_ids) <= budget and open_entries:
            entry = min(open_entries, key=lambda entry: (-entry[0], entry[1]))
            open_entries.remove(entry)
            probability, _, parent, token, by_match = entry
            if probability < self.floor:
                break
            if width_cost is not None:
                value = (1 + accept_ratio * predicted) / (1 + width_cost * (len(token_ids) - 1))
                if accept_ratio * probability < width_cost * value:
                    break
            predicted += probability
            node = len(token_ids)
            token_ids.append(token)
            parents.append(parent)
            reached.append(probability)
            behind.append(self._follow(behind[parent], token) if by_match else self._after(token))
            open_entries += self._children(node, probability, behind[node], number)
            number = max(entry[1] for entry in open_entries) + 1
        return token_ids, parents

    def blend(self, places: list[Place]) -> tuple[dict[int, float], float]:
        """Return the probability of each continuation, in the order first met, and what is left for frequent tokens."""
        probabilities: dict[int, float] = {}
        left = 1.0
        for level in sorted({place.length for place in places}, reverse=True):
            counts: dict[int, float] = {}
            for place in places:
                if place.length >= level:
                    token = self.texts[place.text][place.next]
                    counts[token] = counts.get(token, 0.0) + self._weight(place.text)
            escape = self.strength * len(counts) / level**self.exponent * min(1.0, self.knee / level) ** 2
            total = sum(counts.values())
            for token, count in counts.items():
                probabilities[token] = probabilities.get(token, 0.0) + left * count / (total + escape)
            left *= escape / (total + escape)
        return probabilities, left

    def places(self) -> list[Place]:
        """Return the places that end like the own text, longest match first."""
        found = self._newest(range(1)) + self._newest(range(1, len(self.texts)))
        return sorted(found, key=lambda place: -place.length)

    def _newest(self, texts: range) -> list[Place]:
        found = []
        for text in reversed(texts):
            for following in range(len(self.texts[text]) - 1, 0, -1):
                length = self._match(text, following)
                if length:
                    found.append(Place(text, following, length))
        return sorted(found, key=lambda place: -min(place.length, MAX_GRAM))[: self.max_places]

    def _match(self, text: int, following: int) -> int:
        own, other, length = self.texts[0], self.texts[text], 0
        while length < min(following, len(own), MAX_MATCH) and other[following - 1 - length] == own[-1 - length]:
            length += 1
        return length

    def _follow(self, places: list[Place], token: int) -> list[Place]:
        moved = [
            Place(place.text, place.next + 1, min(place.length + 1, MAX_MATCH))
            for place in places
            if self.texts[place.text][place.next] == token
        ]
        return [place for place in moved if place.next < len(self.texts[place.text])]

    def _after(self, token: int) -> list[Place]:
        places = []
        for text in [0, *range(len(self.texts) - 1, 0, -1)]:
            for following in range(len(self.texts[text]) - 1, 0, -1):
                if self.texts[text][following - 1] == token:
                    places.append(Place(text, following, 1))
        return places[:PLACES_AFTER_FREQUENT]

    def _children(
        self, node: int, reached: float, places: list[Place], number: int = 0
    ) -> list[tuple[float, int, int, int, bool]]:
        """Return entries (probability of being reached, order, parent, token, whether a match led here)."""
        probabilities, left = self.blend(places)
        children = [(token, probability, True) for token, probability in probabilities.items()]
        rest = reached * left * self.frequent_share
        children += [(token, rest * share / reached, False) for token, share in self.frequent if token not in probabilities]
        return [
            (reached * probability, number + order, node, token, by_match)
            for order, (token, probability, by_match) in enumerate(children)
        ]

    def _weight(self, text: int) -> float:
        return 1.0 if text == 0 else self.other_weight

    def _frequent(self) -> list[tuple[int, float]]:
        own, shared = Counter(self.texts[0]), Counter(token for text in self.texts[1:] for token in text)
        total = own.total() + self.other_weight * shared.total()
        tops = [sorted(counts, key=lambda token: (-counts[token], token))[:TOP] for counts in (own, shared)]
        shares = {token: (own[token] + self.other_weight * shared[token]) / total for token in {*tops[0], *tops[1]}}
        return sorted(shares.items(), key=lambda item: (-item[1], item[0]))


def best_prefix(probabilities: list[float], width_cost: float, accept_ratio: float = 1.0) -> int:
    """Return how many nodes of a best-first tree to keep: the definition, by trying every width."""
    values, predicted = [1.0], 0.0
    for width, probability in enumerate(probabilities, 1):
        predicted += probability
        values.append((1 + accept_ratio * predicted) / (1 + width_cost * width))
    best = max(values)
    return next(width for width, value in enumerate(values) if math.isclose(value, best))
