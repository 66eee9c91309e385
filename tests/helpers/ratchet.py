"""Ratchet files: what does not pass, or differs from a peer, and why. They may only shrink."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "conformance" / "ratchet"


def ratchet_lines(path: Path) -> list[str]:
    """The lines of a file but for empty ones and comments; none if it is missing."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def read_ratchet(path: Path) -> dict[str, str]:
    """Cases with what is known of each; a tab stands between the two."""
    rows = [line.split("\t") for line in ratchet_lines(path)]
    return {case: known for case, known in rows}


def assert_on_record(ratchet: Path, name: str, num_different: int, num_masks: int) -> None:
    """Masks of case `name` differ from a peer's just where the ratchet explains a difference."""
    assert num_masks > 1
    if name in read_ratchet(ratchet):
        assert num_different, f"`{name}` no longer differs: take it out of {ratchet.name}"
    else:
        assert not num_different, f"{num_different} of {num_masks} masks differ"


def assert_explains_only(ratchet: Path, names: Iterable[str]) -> None:
    """The ratchet speaks of known cases, each with a reason."""
    explained = read_ratchet(ratchet)
    assert set(explained) <= set(names)
    assert all(explained.values())
