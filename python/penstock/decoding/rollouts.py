"""What the reward-guided strategies share: branches of a text, what each model has read of them, and the reward's view.

    Branch     tokens that may follow the text, with the matcher behind them: masks, choices and candidates at any node
    Reader     a model's open tree as a trie: `ask` for logits behind any continuations, one forward at most
    Steering   the reward along the text, its calls counted in the sequence's stats

Candidates and rollouts are branches of one open tree; a level of all of them is one forward, and the KV cache is never
forked. What a model has read once is not asked again until `settle` drops it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from collections.abc import Sequence as Ids
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from penstock.decoding.context import Growth, Logits
from penstock.decoding.sampling import NOISE_RANGE, GumbelNoise, SamplingState, choose, masked, process, truncated
from penstock.decoding.sequence import Sequence
from penstock.errors import DeadEndError, DraftMismatchError, GenerationError, InternalError
from penstock.rewards.reward import RewardPrompt
from penstock.rewards.run import RewardRun

__all__ = ["Branch", "Reader", "Steering", "readers", "roll_out", "take"]

Row: TypeAlias = NDArray[np.float32]  # [vocab_size], the logits behind one node
_UNKNOWN: Any = object()


class Branch:
    """A continuation of the text. `tokens` holds all of it, a stop token included; `rollout` is what a reward sees.

    A stop string ends it too; the reward then sees whole tokens, the stop string and what its last token adds included.
    ended: the text is over behind it. stuck: nothing may follow, though it is not over.
    """

    __slots__ = ("_bitmask", "_noise", "_sequence", "_stopped", "_tail", "ended", "matcher", "stuck", "tokens")

    def __init__(self, sequence: Sequence, noise: GumbelNoise | None = None) -> None:
        self._sequence, self._noise = sequence, sequence.noise if noise is None else noise
        self.tokens: list[int] = []
        self.matcher = None if sequence.matcher is None else sequence.matcher.fork()
        self.ended = self.stuck = self._stopped = False
        self._bitmask: Any = _UNKNOWN
        self._tail = _end_of(sequence)

    def copy(self) -> Branch:
        """Return an independent branch in the same place; a matcher's fork is cheap."""
        other = object.__new__(Branch)
        other._sequence, other._noise, other.tokens = self._sequence, self._noise, list(self.tokens)
        other.matcher = None if self.matcher is None else self.matcher.fork()
        other.ended, other.stuck, other._stopped, other._bitmask = self.ended, self.stuck, self._stopped, self._bitmask
        other._tail = self._tail
        return other

    def after(self, token_id: int) -> Branch:
        """Return the branch one token further."""
        other = self.copy()
        other.push(token_id)
        return other

    def push(self, token_id: int) -> None:
        """Go one token further. Raises InternalError when the matcher refuses it: only what the mask allows may come here."""
        if self.matcher is not None and not self.matcher.accept_token(token_id):
            raise InternalError(
                f"the matcher refused token `{token_id}` of a rollout, which its mask allowed; please report it"
            )
        self._bitmask = _UNKNOWN
        self.tokens.append(token_id)
        over = self.matcher is not None and self.matcher.is_terminated()
        self._stopped = token_id in self._sequence.stop_token_ids and (self.matcher is None or over)
        self.ended = self._stopped or over or self._ends_in_stop_string(token_id)

    def _ends_in_stop_string(self, token_id: int) -> bool:
        stops, text = self._sequence.state.sampling.stop, self._sequence.text
        if not stops or text is None:
            return False
        data = self._tail + text.token_bytes(token_id)
        self._tail = data[-_num_tail_bytes(stops) :]
        return any(stop.encode() in data for stop in stops)

    @property
    def rollout(self) -> list[int]:
        """The tokens without the stop token that ended the text."""
        return self.tokens[:-1] if self._stopped else self.tokens

    @property
    def stopped(self) -> bool:
        """Whether the last token is the stop token."""
        return self._stopped

    def choose(self, logits: Row) -> int | None:
        """Return the token that decoding would write behind this branch, or None in a dead end."""
        try:
            return choose(logits, self._mask(), self._state())
        except DeadEndError:
            return None

    def candidates(self, logits: Row, count: int) -> list[tuple[int, float]]:
        """Return up to `count` (token, key), best first; the best is what `choose` returns.

        key: the log-probability under mask and processors, plus the position's Gumbel noise where the temperature is not 0.
        Then the largest key + weight * reward is a sample of p * exp(weight * reward), as far as the candidates reach.
        Raises DeadEndError when no token is left.
        """
        ids, keys = self._keys(logits)
        if len(keys) > count:
            near = keys >= np.partition(keys, len(keys) - count)[len(keys) - count]
            ids, keys = ids[near], keys[near]
        order = np.lexsort((ids, -keys))[:count]
        return [(int(ids[place]), float(keys[place])) for place in order]

    def logprob_of(self, logits: Row, token_id: int) -> float:
        """Return the log-probability of a token under processors, mask and temperature (1 where the temperature is 0)."""
        scores, ids = masked(process(logits, self._state()), self._mask())
        z = scores.astype(np.float64) / (self._sequence.state.sampling.temperature or 1.0)
        place = token_id if ids is None else int(np.searchsorted(ids, token_id))
        top = z.max()
        return float(z[place] - top - math.log(np.exp(z - top).sum()))

    def _keys(self, logits: Row) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        state = self._state()
        scores, ids = masked(process(logits, state), self._mask())
        z = scores.astype(np.float64)
        best = float(z.max()) if len(z) else -np.inf
        if np.isnan(best):
            raise GenerationError(
                "the model's logits hold `nan`; check its weights and its precision", code="logits_not_finite"
            )
        if best == -np.inf:
            raise DeadEndError("no token is allowed after the mask and the processors; loosen `bad_words_ids` or `logit_bias`")
        if best == np.inf:
            z, best = np.where(z == np.inf, 0.0, -np.inf), 0.0
        s = state.sampling
        temperature = s.temperature or 1.0
        z = (z - best) / temperature
        near = np.flatnonzero(z > (-NOISE_RANGE if s.temperature and s.top_p is None else -np.inf))
        if s.temperature and (s.top_k is not None or s.top_p is not None or s.min_p is not None):
            near = truncated(near, z[near], s)
        tokens = near if ids is None else ids[near]
        keys = z[near] - math.log(np.exp(z[near]).sum())
        if s.temperature:
            keys = z[near] + state.noise.at(len(state.output_ids), tokens)
        return tokens, keys

    def _state(self) -> SamplingState:
        state = self._sequence.state
        output = [*self._sequence.token_ids, *self.tokens]
        asks = getattr(self.matcher, "temperature", None)
        asked = None if asks is None else asks()
        return SamplingState(state.sampling, self._noise, state.prompt_ids, output, state.processor, asked)

    def _mask(self) -> NDArray[np.int32] | None:
        if self._bitmask is _UNKNOWN:
            self._bitmask = None
            if self.matcher is not None:
                row = np.empty((1, self._sequence.num_mask_words), dtype=np.int32)
                self._bitmask = row[0] if self.matcher.fill_next_token_bitmask(row, 0) else None
        return self._bitmask  # type: ignore[no-any-return]


def _num_tail_bytes(stops: Ids[str]) -> int:
    """Return how many bytes before a token may belong to a stop string that it completes; at least 1, for slicing."""
    return max(1, max((len(stop.encode()) for stop in stops), default=1) - 1)


def _end_of(sequence: Sequence) -> bytes:
    """Return the end of the output's bytes, as far as a stop string may reach back."""
    stops, text = sequence.state.sampling.stop, sequence.text
    if not stops or text is None:
        return b""
    size, data = _num_tail_bytes(stops), b""
    for token in reversed(sequence.token_ids):
        if len(data) >= size:
            break
        data = text.token_bytes(token) + data
    return data[-size:]


class Reader:
    """What one model has read: `num_cached` tokens of the text for good, and an open tree of continuations behind them."""

    def __init__(self, sequence: Sequence, model: str = "target", max_positions: int | None = None) -> None:
        self.sequence, self.model, self.max_positions = sequence, model, max_positions
        self.num_cached = 0
        self._behind: Row | None = None  # the logits behind the cached tokens, where these are the whole text
        self._children: dict[tuple[int, int], int] = {}  # (parent node, token) -> node
        self._rows: list[Row | None] = []  # by node; None where nobody will ask

    def ask(self, paths: Iterable[Ids[int]]) -> Generator[tuple[str, Growth], Logits, list[Row]]:
        """Return the logits behind each path, a continuation of the present text, after one forward at most.

        A path's own beginning must have been asked before or stand before it in `paths`, unless nobody asks for it later.
        """
        missing = self._missing()
        first = len(self._rows)
        token_ids: list[int] = []
        parents: list[int] = []
        ends = [self._place([*missing, *path], token_ids, parents) for path in paths]
        if token_ids:
            num_silent = max(0, len(missing) - 1 - first)  # tokens of the text itself, before its last
            logits = yield self.model, Growth(token_ids, parents, len(token_ids) - num_silent)
            self._rows[first + num_silent :] = list(logits)
        return [self._row(end) for end in ends]

    def has_room(self, num_tokens: int) -> bool:
        """Whether the model can read so many tokens behind the text."""
        return self.max_positions is None or self.sequence.length + num_tokens <= self.max_positions

    def prefill(self) -> Generator[tuple[str, Growth], Logits, None]:
        """Read the text as it stands, as one chain, which needs no mask however long it is."""
        if self._missing() and self.has_room(0):
            yield from self.ask([[]])
            self.settle()

    def known(self, path: Ids[int]) -> Row | None:
        """Return the logits behind a path that was asked, or None."""
        node = self._walk([*self._missing(), *path])
        return None if node is None else self._row(node)

    def settle(self) -> None:
        """Keep what was read of the text as it stands now; drop all other nodes."""
        path, node = [], -1
        for token in self._missing():
            child = self._children.get((node, token))
            if child is None:
                break
            node = child
            path.append(node)
        if not self._rows:
            return
        self.sequence.keep(path, self.model)
        self.num_cached += len(path)
        if path:
            self._behind = self._rows[node]
        self._children, self._rows = {}, []

    def _missing(self) -> list[int]:
        prompt, output = self.sequence.prompt_ids, self.sequence.token_ids
        start = self.num_cached - len(prompt)
        return output[start:] if start >= 0 else [*prompt[self.num_cached :], *output]

    def _row(self, node: int) -> Row:
        row = self._behind if node < 0 else self._rows[node]
        assert row is not None, "logits are asked for nodes that were grown for them"
        return row

    def _walk(self, path: Ids[int]) -> int | None:
        node = -1
        for token in path:
            child = self._children.get((node, token))
            if child is None:
                return None
            node = child
        return node

    def _place(self, path: Ids[int], token_ids: list[int], parents: list[int]) -> int:
        """Return the node at the end of a path; nodes that do not exist are added to the growth."""
        node = -1
        for token in path:
            child = self._children.get((node, token))
            if child is None:
                child = len(self._rows)
                self._children[node, token] = child
                self._rows.append(None)
                token_ids.append(token)
                parents.append(node)
            node = child
        return node


def in_rounds(options: Any, sequence: Sequence, start: Callable[..., Any]) -> Generator[tuple[str, Growth], Logits, None]:
    """Decode in rounds of draft and target: `start(options, sequence, steering, target, draft)` is the text under way.

    Its `round()` is a generator that answers whether another round follows.
    """
    timeout = options.reward_timeout_seconds
    steering = Steering(options.reward, sequence, skip_settled=options.skip_settled, timeout_seconds=timeout)
    target, draft = readers(sequence, options.draft)
    run = start(options, sequence, steering, target, draft)
    yield from target.prefill()
    yield from draft.prefill()
    while (yield from run.round()):
        pass
    steering.close()


def readers(sequence: Sequence, draft: Any) -> tuple[Reader, Reader]:
    """Return the readers of the target and of the draft model; one and the same where there is one model.

    Raises DraftMismatchError where their vocabularies differ in size.
    """
    target = Reader(sequence)
    if draft is None or sequence.contexts["draft"] is sequence.contexts["target"]:
        return target, target
    sizes = sequence.contexts["target"].vocab_size, sequence.contexts["draft"].vocab_size
    if sizes[0] != sizes[1]:
        raise DraftMismatchError(
            f"the models have `{sizes[0]}` and `{sizes[1]}` tokens; use a draft model of the same vocabulary"
        )
    return target, Reader(sequence, "draft", getattr(draft, "max_positions", None))


def roll_out(reader: Reader, branches: Ids[Branch], horizon: int) -> Generator[tuple[str, Growth], Logits, None]:
    """Continue every branch by what the reader's model would write, at most `horizon` tokens, one level a forward."""
    for _ in range(horizon):
        live = [b for b in branches if not (b.ended or b.stuck) and reader.has_room(len(b.tokens))]
        if not live:
            return
        rows = yield from reader.ask([branch.tokens for branch in live])
        for branch, row in zip(live, rows, strict=True):
            token = branch.choose(row)
            if token is None:
                branch.stuck = True
            else:
                branch.push(token)


def take(sequence: Sequence, token_ids: Ids[int], target: Reader) -> bool:
    """Take tokens into the output, with log-probabilities where they are wanted; return whether the text goes on."""
    rows = [target.known(token_ids[:index]) for index in range(len(token_ids))]  # before the text moves on
    return all(sequence.take(token, row) for token, row in zip(token_ids, rows, strict=True))


class Steering:
    """The reward along one text. `active` until it is settled, or until patience is over (`give_up`)."""

    def __init__(
        self, reward: Any, sequence: Sequence, *, skip_settled: bool = True, timeout_seconds: float | None = None
    ) -> None:
        self.sequence, self._skip_settled = sequence, skip_settled
        text = sequence.text
        prompt = RewardPrompt(tuple(sequence.prompt_ids), None if text is None else text.token_bytes)
        self._run = RewardRun(reward, prompt, timeout_seconds=timeout_seconds)
        self._gave_up = False
        self.low, self.top = self._run.range
        self.states: dict[str, int] = {}  # rounds by what they did
        self.num_draft_matches = 0  # drafted tokens that the target would have written, up to the first other one
        sequence.details.update(reward=None, reward_unreached=False, num_reward_items=0, states=self.states)

    @property
    def active(self) -> bool:
        """Whether the reward still has a say."""
        return not self._gave_up and not (self._skip_settled and self._run.settled)

    def give_up(self) -> None:
        """Decode the rest without the reward, and say so in the result."""
        self._gave_up = True
        self.sequence.details["reward_unreached"] = True

    def score(self, branches: Ids[Branch]) -> list[float]:
        """Return the scores of branches, in one call of the reward."""
        return self.score_rollouts([branch.rollout for branch in branches], [branch.ended for branch in branches])

    def score_rollouts(self, rollouts: Ids[Ids[int]], ended: Ids[bool]) -> list[float]:
        """Return the scores of rollouts, in one call of the reward."""
        self.sequence.stats.num_reward_calls += 1
        self.sequence.details["num_reward_items"] += len(rollouts)
        return self._run.score(rollouts, ended)

    def count(self, state: str) -> None:
        """Count a round by what it did."""
        self.states[state] = self.states.get(state, 0) + 1

    def follow(self) -> None:
        """Read what was written since the last call."""
        self._run.advance(self.sequence.token_ids[len(self._run.token_ids) :])

    def close(self) -> None:
        """Put the finished text's score into the details."""
        self.follow()
        reason = self.sequence.finish_reason
        over = reason in ("stop", "stop_string")
        self.sequence.details["reward"] = self.score_rollouts([[]], [over])[0]
