"""How many of a set of keywords does the output use? Incremental: a score reads what is new and the open end.

A keyword counts as found for good when the word behind it is closed; the open word at the end of a text counts in a score
("cat" may still become "catalogue"), but never in `settled`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from penstock.rewards.lemmas import lemmas
from penstock.rewards.reward import RewardPrompt
from penstock.rewards.text import decode_ended, num_cut_bytes

__all__ = ["KeywordCoverage", "KeywordState"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class KeywordState:
    """forms: what to look for. found: indices of keywords that are found for good. tail: bytes that may still matter."""

    prompt: RewardPrompt
    forms: tuple[tuple[frozenset[str], ...], ...]
    found: frozenset[int] = frozenset()
    tail: bytes = b""


class KeywordCoverage:
    """The share of keywords that the output uses ("soft"), or 1 if it uses all and 0 otherwise ("hard").

    keywords: words or phrases; a function gives them for each prompt's text. match: "lemma" counts inflected English forms,
    "word" whole words as they are, "substring" any place, for scripts without spaces; none looks at letter case.
    lemma_table: more forms, {form: dictionary form}. Raises ValueError for keywords without a word.
    """

    range = (0.0, 1.0)

    def __init__(
        self,
        keywords: Sequence[str] | Callable[[str], Sequence[str]],
        *,
        mode: Literal["soft", "hard"] = "soft",
        match: Literal["lemma", "word", "substring"] = "lemma",
        lemma_table: Mapping[str, str] | None = None,
    ) -> None:
        if mode not in ("soft", "hard"):
            raise ValueError(f"`mode` is `{mode}`; give 'soft' or 'hard'")
        if match not in ("lemma", "word", "substring"):
            raise ValueError(f"`match` is `{match}`; give 'lemma', 'word' or 'substring'")
        if isinstance(keywords, str):
            raise ValueError(f"`keywords` is the text `{keywords}`; give a list of words")
        self.keywords, self.mode, self.match = keywords, mode, match
        self.lemma_table = {form.casefold(): lemma.casefold() for form, lemma in (lemma_table or {}).items()}
        self._fixed = None if callable(keywords) else self._forms(keywords)

    @property
    def name(self) -> str:
        """What errors call it."""
        return "KeywordCoverage" if callable(self.keywords) else f"KeywordCoverage({list(self.keywords)!r})"

    def start(self, prompt: RewardPrompt) -> KeywordState:
        """Find out the keywords of this prompt."""
        prompt.bytes_of(())
        if self._fixed is not None:
            return KeywordState(prompt, self._fixed)
        assert callable(self.keywords)
        return KeywordState(prompt, self._forms(self.keywords(prompt.text)))

    def advance(self, state: KeywordState, token_ids: Sequence[int]) -> KeywordState:
        """Look through what is closed, and keep what may still matter."""
        data = state.tail + state.prompt.bytes_of(token_ids)
        cut = num_cut_bytes(data)
        text, rest = decode_ended(data[: len(data) - cut]), data[len(data) - cut :]
        closed, keep = self._borders(text, state.forms)
        found = state.found | self._find(text[:closed], state.forms)
        return KeywordState(state.prompt, state.forms, frozenset(found), text[keep:].encode() + rest)

    def score(self, states: Sequence[KeywordState], rollouts: Sequence[Sequence[int]], ended: Sequence[bool]) -> list[float]:
        """Return the coverage of each continued text, its open word included."""
        scores = []
        for state, rollout in zip(states, rollouts, strict=True):
            data = state.tail + state.prompt.bytes_of(rollout)
            text = decode_ended(data[: len(data) - num_cut_bytes(data)])
            share = len(state.found | self._find(text, state.forms)) / len(state.forms)
            scores.append(share if self.mode == "soft" else float(share == 1))
        return scores

    def settled(self, state: KeywordState) -> bool:
        """Settled when all keywords are found for good."""
        return len(state.found) == len(state.forms)

    def _forms(self, keywords: Sequence[str]) -> tuple[tuple[frozenset[str], ...], ...]:
        if not len(keywords):
            raise ValueError("there are no keywords; give at least one")
        found = []
        for keyword in keywords:
            words = [keyword.casefold()] if self.match == "substring" else _WORD.findall(keyword.casefold())
            if not all(words) or not words:
                raise ValueError(f"the keyword `{keyword}` holds no word; give letters or digits, or match='substring'")
            found.append(tuple(self._forms_of(word) for word in words))
        return tuple(found)

    def _forms_of(self, word: str) -> frozenset[str]:
        if self.match != "lemma":
            return frozenset([word])
        extra = self.lemma_table.get(word)
        return lemmas(word) | ({extra} if extra is not None else frozenset())

    def _find(self, text: str, forms: tuple[tuple[frozenset[str], ...], ...]) -> set[int]:
        text = text.casefold()
        if self.match == "substring":
            return {index for index, ((keyword,),) in enumerate(forms) if keyword in text}
        words = [self._forms_of(word) for word in _WORD.findall(text)]
        return {index for index, phrase in enumerate(forms) if _holds(words, phrase)}

    def _borders(self, text: str, forms: tuple[tuple[frozenset[str], ...], ...]) -> tuple[int, int]:
        """Return where the closed part of a text ends, and from where it may matter for words that are to come."""
        if self.match == "substring":
            # Letters may grow when case is folded ("ß"), never shrink: so many characters are enough.
            longest = max(len(keyword) for phrase in forms for form in phrase for keyword in form)
            return len(text), max(0, len(text) - longest + 1)
        words = list(_WORD.finditer(text))
        is_open = bool(words) and words[-1].end() == len(text)
        closed = words[-1].start() if is_open else len(text)
        num_kept = max(len(phrase) for phrase in forms) - 1 + is_open
        return closed, words[-num_kept].start() if 0 < num_kept <= len(words) else 0 if num_kept else len(text)


def _holds(words: list[frozenset[str]], phrase: tuple[frozenset[str], ...]) -> bool:
    """Do the words of a phrase stand side by side? Two words are one where their dictionary forms meet."""
    return any(
        all(word & form for word, form in zip(words[start:], phrase, strict=False))
        for start in range(len(words) - len(phrase) + 1)
    )
