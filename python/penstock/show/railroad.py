"""Boxes and lines: a node becomes a block of lines with one row on which the line goes in and out.

Blocks know nothing of each other but their size and that row; a sequence that is too wide is broken into rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock.show.nodes import Node

__all__ = ["draw"]

_LONGEST_LEAF = 60


@dataclass(frozen=True)
class _Block:
    """lines: all of one width. row: the line on which one goes in at the left and out at the right."""

    lines: tuple[str, ...]
    row: int

    @property
    def width(self) -> int:
        return len(self.lines[0])


def draw(node: Node, width: int = 100) -> list[str]:
    """Return the lines of a node. width: columns, beyond which a sequence at the top goes on in another row."""
    rows = _rows(node, max(20, width - 4))
    lines: list[str] = []
    for number, block in enumerate(rows):
        head, tail = ("╟" if number == 0 else "⋯"), ("▸" if number == len(rows) - 1 else "⋯")
        for index, line in enumerate(block.lines):
            on_row = index == block.row
            lines.append((f"{head}─{line}─{tail}" if on_row else f"  {line}").rstrip())
    return lines


def _rows(node: Node, width: int) -> list[_Block]:
    if node.kind != "sequence":
        return [_block(node)]
    rows: list[_Block] = []
    for part in node.parts:
        block = _block(part)
        if rows and rows[-1].width + 1 + block.width <= width:
            rows[-1] = _beside([rows[-1], block])
        else:
            rows.append(block)
    return rows


def _block(node: Node) -> _Block:
    if node.kind == "leaf":
        text = node.text.replace("\n", "\\n").replace("\t", "\\t")
        return _Block((f" {text if len(text) <= _LONGEST_LEAF else text[: _LONGEST_LEAF - 1] + '…'} ",), 0)
    blocks = [_block(part) for part in node.parts]
    if node.kind == "sequence":
        return _beside(blocks)
    if node.kind == "choice":
        return _choice(blocks)
    if node.kind == "repeat":
        return _repeat(blocks[0], node.min, node.max)
    return _frame(node.text, blocks)


def _beside(blocks: list[_Block]) -> _Block:
    """One after the other, their rows in line."""
    above, below = max(b.row for b in blocks), max(len(b.lines) - b.row for b in blocks)
    columns = []
    for block in blocks:
        top, bottom = above - block.row, below - (len(block.lines) - block.row)
        blank = " " * block.width
        columns.append([*[blank] * top, *block.lines, *[blank] * bottom])
    lines = [(("─" if index == above else " ").join(pieces)) for index, pieces in enumerate(zip(*columns, strict=True))]
    return _Block(tuple(lines), above)


def _choice(blocks: list[_Block]) -> _Block:
    """One above the other, joined at both ends; the line goes in at the first."""
    width = max(block.width for block in blocks)
    rows = []
    at = 0
    for block in blocks:
        rows.append(at + block.row)
        at += len(block.lines)
    lines: list[str] = []
    for block in blocks:
        for index, line in enumerate(block.lines):
            is_row = index == block.row
            line = line + ("─" if is_row else " ") * (width - block.width)
            left, right = _rails(len(lines), rows, is_row)
            lines.append(f"{left}{'─' if is_row else ' '}{line}{'─' if is_row else ' '}{right}")
    return _Block(tuple(lines), rows[0])


def _rails(at: int, rows: list[int], is_row: bool) -> tuple[str, str]:
    """The characters at both ends of a line of a choice."""
    if is_row:
        if at == rows[0]:
            return ("┬", "┬") if len(rows) > 1 else ("─", "─")
        return ("╰", "╯") if at == rows[-1] else ("├", "┤")
    return ("│", "│") if rows[0] < at < rows[-1] else (" ", " ")


def _repeat(block: _Block, least: int, most: int | None) -> _Block:
    """A way back below what is repeated, and a way around it where it may be left out."""
    if (least, most) == (0, 1):
        return _choice([_line(block.width), block])
    back = "◂" + _count_label(least, most)
    width = max(block.width, len(back))
    lines = [line + ("─" if index == block.row else " ") * (width - block.width) for index, line in enumerate(block.lines)]
    body = []
    for index, line in enumerate(lines):
        side = "┬" if index == block.row else "│" if index > block.row else " "
        body.append(f"{side}{'─' if index == block.row else ' '}{line}{'─' if index == block.row else ' '}{side}")
    body.append("╰" + back.center(width + 2, "─") + "╯")
    looped = _Block(tuple(body), block.row)
    return _choice([_line(looped.width), looped]) if least == 0 else looped


def _line(width: int) -> _Block:
    return _Block(("─" * width,), 0)


def _count_label(least: int, most: int | None) -> str:
    """How often, where the picture alone does not say it."""
    if most is None:
        return f" at least {least} times " if least > 1 else ""
    return f" {least} times " if least == most else f" {max(least, 1)} to {most} times "


def _frame(label: str, blocks: list[_Block]) -> _Block:
    """A box with a label around blocks that stand one above the other; the line goes through the first."""
    width = max([len(label) + 2, *(block.width for block in blocks)])
    lines = [f"┌ {label} ".ljust(width + 3, "─") + "┐"]
    row = 1 + blocks[0].row
    for number, block in enumerate(blocks):
        for index, line in enumerate(block.lines):
            is_row = index == block.row
            through = is_row and number == 0
            body = line + ("─" if is_row else " ") * (width - block.width)
            edge = ("┼", "┼") if through else ("├", "┤") if is_row else ("│", "│")
            lines.append(f"{edge[0]}{'─' if is_row else ' '}{body}{'─' if is_row else ' '}{edge[1]}")
    lines.append("└" + "─" * (width + 2) + "┘")
    return _Block(tuple(lines), row)
