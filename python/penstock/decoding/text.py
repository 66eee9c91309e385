"""Tokens to text while they arrive: whole characters only, and nothing that may turn out to be a stop string.

Deltas are final: what was handed out is never taken back, so their concatenation is the text.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["TextAssembler"]


class TextAssembler:
    """Collects the bytes of tokens; `text` is what is certain so far, `finish` settles the rest.

    Bytes that are no UTF-8 become U+FFFD. A stop string ends the text before its first character. Nothing may follow `finish`.
    """

    __slots__ = ("_decoder", "_held", "_on_text", "_parts", "_stops", "stopped", "token_bytes")

    def __init__(
        self, token_bytes: Callable[[int], bytes], stops: Sequence[str] = (), on_text: Callable[[str], Any] | None = None
    ) -> None:
        self.token_bytes = token_bytes  # what a token adds to the text
        self._on_text = on_text  # called with every piece of text that became certain
        self._stops = tuple(stops)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._parts: list[str] = []
        self._held = ""  # text that may be the beginning of a stop string
        self.stopped = False

    def push(self, token_id: int) -> str:
        """Add a token; return the text that became certain. `stopped` says whether a stop string was completed."""
        return self.push_bytes(self.token_bytes(token_id))

    def push_bytes(self, data: bytes, final: bool = False) -> str:
        """Add bytes; with `final` nothing is held back any more."""
        if self.stopped:
            return ""
        text = self._held + self._decoder.decode(data, final)
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return self._emit(text[: min(places)])
        keep = 0 if final else self._num_held(text)
        self._held = text[len(text) - keep :]
        return self._emit(text[: len(text) - keep])

    def finish(self, more: bytes = b"") -> str:
        """Add the last bytes and settle everything; return the text that became certain."""
        return self.push_bytes(more, final=True)

    @property
    def text(self) -> str:
        """The text that is certain."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def _emit(self, text: str) -> str:
        if text:
            self._parts.append(text)
            if self._on_text is not None:
                self._on_text(text)
        return text

    def _num_held(self, text: str) -> int:
        """Return the length of the longest end of `text` that begins a stop string."""
        longest = max(map(len, self._stops), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0
