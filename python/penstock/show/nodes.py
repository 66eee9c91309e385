"""What is drawn: an expression as a tree."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Node", "choice", "leaf", "repeat", "sequence"]


@dataclass(frozen=True)
class Node:
    """kind: "leaf" (text), "sequence", "choice", "repeat" (min, max; None without bound), "frame" (text is its label)."""

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()
    min: int = 1
    max: int | None = 1


def leaf(text: str) -> Node:
    """Something that is written as it stands."""
    return Node("leaf", text)


def sequence(parts: list[Node]) -> Node:
    """One after the other; a single part stands for itself."""
    return parts[0] if len(parts) == 1 else Node("sequence", parts=tuple(parts))


def choice(parts: list[Node]) -> Node:
    """One of several; a single part stands for itself."""
    return parts[0] if len(parts) == 1 else Node("choice", parts=tuple(parts))


def repeat(part: Node, least: int, most: int | None) -> Node:
    """`least` to `most` times."""
    return part if (least, most) == (1, 1) else Node("repeat", parts=(part,), min=least, max=most)
