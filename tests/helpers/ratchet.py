"""Ratchet files: what does not pass, or differs from a peer, and why. They may only shrink."""

from __future__ import annotations

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
