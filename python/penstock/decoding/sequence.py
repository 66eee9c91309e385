"""One text in progress, as a strategy sees it: its prefix, its matcher, its noise; how to choose, take and keep.

A strategy never touches the batch. It yields (model name, Growth), receives logits [num_logits, vocab], chooses tokens at
nodes whose prefix is settled (`choose`), takes them into the output (`take`), and keeps a path of the open tree (`keep`).
Only true prefixes reach the matcher: it advances with `take` and never rolls back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Ids
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.decoding.context import Context, Growth, Logits, Row, chain
from penstock.decoding.sampling import GumbelNoise, SamplingState, choose, log_softmax
from penstock.decoding.text import TextAssembler
from penstock.errors import GenerationError, InternalError
from penstock.result import FinishReason, Stats, TokenLogprob
from penstock.sampling import Sampling

__all__ = ["Sequence"]


class Sequence:
    """The state of one text. Cost of a token besides the model: one mask, one choice, one `accept_token`."""

    # mask_size: ids that the matcher knows, where the model's head has more; those are never chosen under a grammar.
    # processor, should_stop: what an adapter's framework wants to do with logits, and when it wants to end, beside our own.
    def __init__(
        self,
        prompt_ids: Ids[int],
        contexts: Mapping[str, Context],
        *,
        sampling: Sampling,
        seed: int,
        sample: int = 0,
        max_tokens: int = 256,
        stop_token_ids: Iterable[int] = (),
        matcher: Any = None,
        mask_size: int | None = None,
        text: TextAssembler | None = None,
        processor: Callable[[NDArray[np.float32], SamplingState], NDArray[np.float32]] | None = None,
        should_stop: Callable[[Sequence], bool] | None = None,
    ) -> None:
        if not len(prompt_ids):
            raise ValueError("the prompt has no tokens; give at least one, such as the beginning-of-text token")
        if max_tokens < 1:
            raise ValueError(f"`max_tokens` is `{max_tokens}`; give at least 1")
        self.prompt_ids: list[int] = list(prompt_ids)
        self.token_ids: list[int] = []  # the output so far, without a stop token
        self.contexts = contexts
        self.matcher = matcher
        self._temperature = getattr(matcher, "temperature", None)  # what a rule of the grammar asks for
        self.noise = GumbelNoise(seed, sample)
        self.state = SamplingState(sampling, self.noise, self.prompt_ids, self.token_ids, processor)
        self.max_tokens = max_tokens
        self.stop_token_ids = frozenset(stop_token_ids)
        self.text = text
        self.should_stop = should_stop
        self.finish_reason: FinishReason | None = None
        self.stop_token_id: int | None = None  # the stop token that was chosen, if one was
        self.logprobs: list[TokenLogprob] = []
        self.stats = Stats()
        self.details: dict[str, Any] = {}
        self.row: Row = -1  # given by the engine
        self.open_tree: Any = None  # the tree of the growth under way (token_ids, parents), whose masks may be filled meanwhile
        self._mask = _MaskRow(matcher, contexts["target"].vocab_size if mask_size is None else mask_size)
        self._node_masks: NDArray[np.int32] | None = None  # [at least num_nodes, words], kept for its memory
        self._nodes_filled = False
        self._pending_logprob: TokenLogprob | None = None

    # What a strategy asks.

    @property
    def finished(self) -> bool:
        """Whether the text has ended, for whatever reason."""
        return self.finish_reason is not None

    @property
    def last_token_id(self) -> int:
        """The newest token of prompt and output."""
        return self.token_ids[-1] if self.token_ids else self.prompt_ids[-1]

    @property
    def length(self) -> int:
        """Tokens of the prompt and of what was written behind it."""
        return len(self.prompt_ids) + len(self.token_ids)

    @property
    def num_remaining(self) -> int:
        """How many tokens may still be written."""
        return self.max_tokens - len(self.token_ids)

    @property
    def num_mask_words(self) -> int:
        """Words of a row of the matcher's bitmask."""
        return self._mask.num_words

    def chain(self, token_ids: Ids[int], num_logits: int | None = None) -> Growth:
        """Return the growth that hangs these tokens, one below the other, under the committed prefix."""
        return chain(token_ids, num_logits=num_logits)

    def bitmask(self) -> NDArray[np.int32] | None:
        """Return the mask of the next token, int32 [ceil(vocab / 32)], valid until `take`; None: nothing is masked."""
        start = time.perf_counter()
        row = self._mask.row()
        self.stats.mask_seconds += time.perf_counter() - start
        return row

    def fill_bitmasks(self) -> None:
        """Fill the masks that the walk will ask for; the engine calls it while a device computes."""
        if self.matcher is None:
            return
        if self.open_tree is None or not hasattr(self.matcher, "fill_draft_tree_bitmask"):
            self.bitmask()
            return
        from penstock import DraftTree

        start = time.perf_counter()
        num_nodes, num_words = len(self.open_tree.token_ids), self._mask.num_words
        tree = DraftTree(self.open_tree.token_ids, self.open_tree.parents)
        if self._node_masks is None or len(self._node_masks) < num_nodes:
            self._node_masks = np.empty((max(num_nodes, 64), num_words), dtype=np.int32)
        self.matcher.fill_draft_tree_bitmask(self._node_masks, tree, row=0)
        self._nodes_filled = True
        self.stats.mask_seconds += time.perf_counter() - start

    def choose(self, logits: NDArray[np.float32], node: int | None = None) -> int:
        """Return the next token behind the present output; nothing advances.

        logits: float32 [vocab] at the end of the present output. node: its index in `open_tree`, where masks may have
        been filled already.
        """
        filled = self._node_masks if self._nodes_filled and node is not None else None
        bitmask = self.bitmask() if filled is None else filled[node]
        start = time.perf_counter()
        self.state.asked = None if self._temperature is None else self._temperature()
        token = choose(logits, bitmask, self.state)
        if self.state.sampling.logprobs is not None:
            self._pending_logprob = _token_logprob(logits, token, self.state.sampling.logprobs)
        self.stats.choose_seconds += time.perf_counter() - start
        return token

    def choose_along(self, logits: NDArray[np.float32], token_ids: Ids[int], parents: Ids[int]) -> list[int] | None:
        """Return the tokens that `choose` and `take` would give down a tree, in one call; None where each depends on `take`.

        logits: float32 [nodes, vocab]. Node 0 is the last token; the walk goes on to the child that carries the chosen token.
        Whoever takes them stops where the text ends: later tokens mean nothing then.
        """
        state = self.state
        if (
            self.matcher is not None
            or state.processor is not None
            or state.has_processors
            or state.sampling.logprobs is not None
        ):
            return None
        start = time.perf_counter()
        rows = np.ascontiguousarray(logits, dtype=np.float32)
        tokens = state.chooser.choose_along(rows, token_ids, parents, len(self.token_ids))
        self.stats.choose_seconds += time.perf_counter() - start
        return tokens

    # What a strategy does.

    def take(self, token_id: int, logits: NDArray[np.float32] | None = None) -> bool:
        """Append a chosen token to the output; return whether the text goes on.

        logits: float32 [vocab], those behind which the token stands, where it did not come from `choose`: a run that wants
        log-probabilities gets the token's from them.

        Raises InternalError when the matcher refuses a token that its mask allowed.
        """
        if self.finished:
            raise GenerationError("the text has ended; check `finished` before taking tokens", code="text_ended")
        if logits is not None and self.state.sampling.logprobs is not None:
            self._pending_logprob = _token_logprob(logits, token_id, self.state.sampling.logprobs)
        if self._accept_ends(token_id):
            self.finish_reason, self.stop_token_id = "stop", token_id
            self._pending_logprob = None
            return False
        self.token_ids.append(token_id)
        if self._pending_logprob is not None:
            self.logprobs.append(self._pending_logprob)
            self._pending_logprob = None
        self.finish_reason = self._reason_to_end(token_id)
        return not self.finished

    def keep(self, path: Iterable[int], model: str = "target") -> None:
        """Keep a path of the open tree of this row in a model's cache; drop the tree's other nodes."""
        self.contexts[model].commit(self.row, list(path))
        if model == "target":
            self.open_tree, self._nodes_filled = None, False

    def _accept_ends(self, token_id: int) -> bool:
        """Advance the matcher; return whether this token is a stop token that ends the text."""
        if self.matcher is None:
            return token_id in self.stop_token_ids
        start = time.perf_counter()
        taken = self.matcher.accept_token(token_id)
        self._mask.stale = True
        self.stats.mask_seconds += time.perf_counter() - start
        if not taken:
            raise InternalError(f"the matcher refused token `{token_id}`, which its mask allowed; please report the grammar")
        return bool(token_id in self.stop_token_ids and self.matcher.is_terminated())

    def _reason_to_end(self, token_id: int) -> FinishReason | None:
        if self.text is not None:
            self.text.push(token_id)
            if self.text.stopped:
                return "stop_string"
        if self.should_stop is not None and self.should_stop(self):
            return "stop"
        if self.matcher is not None and self.matcher.is_terminated():
            return "stop"
        if self.matcher is not None and self.matcher.is_accepting() and self._only_stops_left():
            return "stop"  # the next forward could only choose among stop tokens
        return "length" if self.num_remaining <= 0 else None

    def _only_stops_left(self) -> bool:
        row = self.bitmask()
        return row is not None and self._mask.allows_only(self.stop_token_ids)


class _MaskRow:
    """The matcher's next mask, filled at most once a state."""

    __slots__ = ("_bitmask", "_masked", "matcher", "num_words", "stale")

    def __init__(self, matcher: Any, vocab_size: int) -> None:
        self.matcher = matcher
        self.num_words = (vocab_size + 31) // 32
        self._bitmask = None if matcher is None else np.empty((1, self.num_words), dtype=np.int32)
        self._masked = True
        self.stale = True

    def row(self) -> NDArray[np.int32] | None:
        if self._bitmask is None:
            return None
        if self.stale:
            self._masked = bool(self.matcher.fill_next_token_bitmask(self._bitmask, 0))
            self.stale = False
        return self._bitmask[0] if self._masked else None

    def allows_only(self, token_ids: Iterable[int]) -> bool:
        if self._bitmask is None:
            return False
        allowed = int.from_bytes(self._bitmask[0].tobytes(), "little")
        return allowed.bit_count() == sum(allowed >> token & 1 for token in set(token_ids))


def _token_logprob(logits: Logits, token_id: int, num_top: int) -> TokenLogprob:
    values = log_softmax(logits)
    order = np.lexsort((np.arange(len(values)), -values))[:num_top] if num_top else ()
    return TokenLogprob(token_id, float(values[token_id]), tuple((int(v), float(values[v])) for v in order))
