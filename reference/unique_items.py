"""Items that must differ: what may come next, by trying every choice.

`crates/schema` answers with matchings and counts (`src/search/distinct.rs`, `src/items.rs`); here every way to fill the places
is tried. Places are lists of JSON values; values are compared as JSON compares them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any


def key(value: Any) -> Any:
    """Something hashable that is equal for equal JSON values: 1 is 1.0, but not true; members have no order."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return ("number", Fraction(value))
    if isinstance(value, str):
        return ("string", value)
    if isinstance(value, list):
        return ("array", tuple(map(key, value)))
    return ("object", frozenset((name, key(item)) for name, item in value.items()))


def all_differ(items: Sequence[Any]) -> bool:
    """`uniqueItems` of a whole array."""
    return len({key(item) for item in items}) == len(items)


def fillings(places: Sequence[Sequence[Any]], least: int, differ: bool = True) -> Iterator[list[Any]]:
    """Every array of at least `least` items, the first of the first place and so on, whose items differ (or do not)."""
    for length in range(least, len(places) + 1):
        for items in itertools.product(*places[:length]):
            if all_differ(items) == differ:
                yield list(items)


def next_items(places: Sequence[Sequence[Any]], least: int, before: Sequence[Any], differ: bool = True) -> list[Any]:
    """The values that may come after `before` so that the array can still be finished."""
    start, found = [key(item) for item in before], {}
    for items in fillings(places, least, differ):
        if len(items) > len(start) and [key(item) for item in items[: len(start)]] == start:
            found[key(items[len(start)])] = items[len(start)]
    return list(found.values())


def may_end(places: Sequence[Sequence[Any]], least: int, items: Sequence[Any], differ: bool = True) -> bool:
    """Whether the array may end after these items."""
    return least <= len(items) <= len(places) and all_differ(items) == differ
