"""Reads `corpus/**/*.md`: a heading of the second level starts a case, fenced blocks hold its data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parent.parent.parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One case. `blocks` holds the lines of each fenced block by its name."""

    id: str
    blocks: dict[str, list[str]]

    def text(self, block: str) -> str:
        """The block as it stands."""
        return "\n".join(self.blocks[block])

    def json(self, block: str) -> Any:
        """The block as one JSON value."""
        return json.loads(self.text(block))

    def values(self, block: str) -> list[Any]:
        """One JSON value a line; none if the block is missing."""
        return [json.loads(line) for line in self.blocks.get(block, [])]


def read_cases(folder: str) -> list[Case]:
    """All cases of a folder, in the order of the files."""
    return [case for path in sorted((CORPUS / folder).glob("*.md")) for case in cases_of(path)]


def cases_of(path: Path) -> Iterator[Case]:
    """The cases of one file."""
    heading, blocks, block = "", {}, None
    for line in [*path.read_text(encoding="utf-8").splitlines(), "## "]:
        if block is not None:
            if line == "```":
                block = None
            else:
                blocks[block].append(line)
        elif line.startswith("```"):
            block = line[3:].strip()
            blocks[block] = []
        elif line.startswith("## "):
            if blocks:
                yield Case(f"{path.stem}: {heading}", blocks)
            heading, blocks = line[3:], {}
