"""From text to nodes: the EBNF that `str(grammar)` prints, and regular expressions.

Both are read for a picture, not for a judgement: the core has parsed the text before, and what this reader does not know
is shown as it is written. Nesting is bounded by the core (`max_grammar_depth`), so that recursion is safe for what it
accepted; deeper text is cut by `MAX_DEPTH`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.show.nodes import Node, choice, leaf, repeat, sequence

__all__ = ["MAX_DEPTH", "read_grammar", "read_regex"]

MAX_DEPTH = 60  # brackets in brackets that are drawn; what is deeper is shown as text

_RULE = re.compile(r"^(?P<name>\S+) ::= ", re.MULTILINE)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<cls>\[(?:[^\]\\]|\\.)*\])
    |(?P<count>[*+?]|\{\d+(?:,\d*)?\})
    |(?P<sign>[|&~()])
    |(?P<dot>\.(?![\w-]))
    |(?P<name>[\w.-]+))""",
    re.VERBOSE,
)


def read_grammar(text: str) -> list[tuple[str, Node]]:
    """Return (name, expression) of each rule of printed EBNF, in its order."""
    heads = list(_RULE.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [(head["name"], _Ebnf(text[head.end() : end].strip()).read()) for head, end in zip(heads, ends, strict=True)]


@dataclass
class _Reader:
    """A text and the place in it."""

    text: str
    at: int = 0
    depth: int = 0

    def read(self) -> Node:
        """Return the whole text as a node."""
        node = self.choice()
        rest = self.text[self.at :].strip()
        return sequence([node, leaf(rest)]) if rest else node

    def choice(self) -> Node:
        """Alternatives, up to a closing bracket or the end."""
        self.depth += 1
        parts = [self.one()]
        while self.sign("|"):
            parts.append(self.one())
        self.depth -= 1
        return choice(parts)

    def one(self) -> Node:
        raise NotImplementedError

    def sign(self, wanted: str) -> bool:
        raise NotImplementedError

    def rest_of_brackets(self) -> Node:
        """What is nested too deeply, as text up to its closing bracket, which stays."""
        start, level = self.at, 0
        while self.at < len(self.text) and not (self.text[self.at] == ")" and level == 0):
            level += {"(": 1, ")": -1}.get(self.text[self.at], 0)
            self.at += 1
        return leaf(f"({self.text[start : self.at]}")


class _Ebnf(_Reader):
    """Printed EBNF: `|` binds least, then `&`, then one after the other, `~`, counts."""

    def peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self.text, self.at)

    def sign(self, wanted: str) -> bool:
        found = self.peek()
        if found is None or found["sign"] != wanted:
            return False
        self.at = found.end()
        return True

    def one(self) -> Node:
        parts = [self.in_order()]
        while self.sign("&"):
            parts.append(self.in_order())
        return parts[0] if len(parts) == 1 else Node("frame", "all of", tuple(parts))

    def in_order(self) -> Node:
        parts: list[Node] = []
        while (found := self.peek()) is not None and found["sign"] not in ("|", "&", ")"):
            parts.append(self.counted())
        return sequence(parts) if parts else leaf('""')

    def counted(self) -> Node:
        if self.sign("~"):
            return Node("frame", "anything but", (self.counted(),))
        node = self.atom()
        while (found := self.peek()) is not None and found["count"]:
            self.at = found.end()
            node = repeat(node, *_counts(found["count"]))
        return node

    def atom(self) -> Node:
        if self.sign("("):
            node = self.rest_of_brackets() if self.depth > MAX_DEPTH else self.choice()
            self.sign(")")
            return node
        found = self.peek()
        if found is None:
            self.at, node = len(self.text), leaf(self.text[self.at :])
            return node
        self.at = found.end()
        shown = found[0].strip()
        if found["name"] and self.text[self.at : self.at + 1] == "(":
            return self.macro(shown)
        return leaf({"[]": "∅ nothing", ".": "any character"}.get(shown, shown))

    def macro(self, name: str) -> Node:
        """`Regex("...")` is drawn as its pattern; the others are shown as they are called."""
        end = _closing(self.text, self.at)
        call, self.at = self.text[self.at : end], end
        pattern = re.match(r'\("((?:[^"\\]|\\.)*)"', call)
        if name == "Regex" and pattern is not None:
            return Node("frame", "pattern", (read_regex(_unescaped(pattern[1])),))
        return leaf(f"{name}{_shortened(call)}")


class _Regex(_Reader):
    """A regular expression, in any dialect: classes and escapes are shown as they are written."""

    def sign(self, wanted: str) -> bool:
        if self.text[self.at : self.at + 1] != wanted:
            return False
        self.at += 1
        return True

    def one(self) -> Node:
        parts: list[Node] = []
        literal = ""
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            node, is_literal = self.atom()
            counted = self.count(node)
            if is_literal and counted is node:
                literal += node.text
                continue
            parts += [leaf(f'"{literal}"')] if literal else []
            parts.append(leaf(f'"{node.text}"') if is_literal and counted is node else self.quoted(counted, is_literal))
            literal = ""
        parts += [leaf(f'"{literal}"')] if literal else []
        return sequence(parts) if parts else leaf('""')

    @staticmethod
    def quoted(node: Node, is_literal: bool) -> Node:
        if not is_literal:
            return node
        (inner,) = node.parts
        return repeat(leaf(f'"{inner.text}"'), node.min, node.max)

    def atom(self) -> tuple[Node, bool]:
        """The next piece, and whether it is a literal character."""
        first = self.text[self.at]
        if first == "(":
            return self.group(), False
        if first == "[":
            end = _class_end(self.text, self.at)
        elif first == "\\":
            found = re.compile(r"\\(?:[pP]\{[^}]*\}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL).match(self.text, self.at)
            end = found.end() if found else self.at + 1
        else:
            end = self.at + 1
        shown, self.at = self.text[self.at : end], end
        if first == "\\" and len(shown) == 2 and not shown[1].isalnum():
            return leaf(shown[1]), True
        names = {".": "any character", "^": "start", "$": "end"}
        return leaf(names.get(shown, shown)), len(shown) == 1 and shown not in ".^$"

    def group(self) -> Node:
        head = re.compile(r"\((?:\?(?:P?<\w+>|[a-zA-Z-]*:|<?[=!]|[a-zA-Z-]+(?=\))))?").match(self.text, self.at)
        opening = head[0] if head else "("
        self.at += len(opening)
        node = self.rest_of_brackets() if self.depth > MAX_DEPTH else self.choice()
        self.sign(")")
        labels = {"(?=": "followed by", "(?!": "not followed by", "(?<=": "behind", "(?<!": "not behind"}
        label = labels.get(opening, "" if opening in ("(", "(?:") else opening[1:].strip("?:P"))
        return Node("frame", label, (node,)) if label else node

    def count(self, node: Node) -> Node:
        found = re.compile(r"[*+?]|\{\d*(?:,\d*)?\}").match(self.text, self.at)
        if found is None:
            return node
        self.at = found.end()
        if self.text[self.at : self.at + 1] in ("?", "+"):
            self.at += 1
        least, most = _counts(found[0])
        return Node("repeat", parts=(node,), min=least, max=most)


def read_regex(pattern: str) -> Node:
    """Return a regular expression as a node."""
    return _Regex(pattern).read()


def _counts(text: str) -> tuple[int, int | None]:
    known: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    if text in known:
        return known[text]
    least, comma, most = text[1:-1].partition(",")
    low = int(least or 0)
    return low, int(most) if most else (None if comma else low)


def _closing(text: str, at: int) -> int:
    """The place behind the bracket that closes the one at `at`; strings inside are passed over."""
    level = 0
    for found in re.compile(r'"(?:[^"\\]|\\.)*"|[()]').finditer(text, at):
        level += {"(": 1, ")": -1}.get(found[0], 0)
        if level == 0:
            return found.end()
    return len(text)


def _class_end(text: str, at: int) -> int:
    """The place behind a character class, which may hold classes."""
    level, place = 0, at
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == "[":
            level += 1
        elif text[place] == "]" and not (level == 1 and text[at:place] in ("[", "[^")):
            level -= 1
            if level == 0:
                return place + 1
        place += 1
    return len(text)


def _unescaped(text: str) -> str:
    """The text of a printed string."""
    plain = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}

    def character(found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if found[1] else plain.get(found[2], found[2])

    return re.sub(r"\\(?:u\{([0-9a-fA-F]+)\}|(.))", character, text, flags=re.DOTALL)


def _shortened(call: str, longest: int = 48) -> str:
    return call if len(call) <= longest else f"{call[: longest - 2]}…)"
