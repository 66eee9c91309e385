"""Grammars inside transformers' own `generate`: a logits processor, and a decoding loop for `custom_generate`.

    model.generate(**inputs, logits_processor=[GrammarLogitsProcessor(compiled)])
    model.generate(**inputs, custom_generate=generate, compiled=compiled, drafter=...)

The processor sees prefixes that go back and forth (assisted decoding), change places (beams) and start over (the next
call), and is told nothing about it. It keeps a tree of the outputs that it has seen, a matcher at the recent nodes, and
finds each row's node by its tokens; what it has not seen, it replays.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.bitmask import allocate_token_bitmask, apply_token_bitmask_inplace

if TYPE_CHECKING:
    import torch

__all__ = ["GrammarLogitsProcessor", "generate"]

MAX_GENERATIONS = 4
MATCHERS_PER_ROW = 64  # kept for going back; a prefix further back is replayed from the start


class _Node:
    """One output prefix. `matcher` is None where it was dropped; `legal` is False below a token that the grammar refused."""

    __slots__ = ("children", "legal", "matcher", "parent", "token")

    def __init__(self, parent: _Node | None, token: int, matcher: Any, legal: bool) -> None:
        self.parent, self.token, self.matcher, self.legal = parent, token, matcher, legal
        self.children: dict[int, _Node] = {}


class GrammarLogitsProcessor:
    """Masks the scores of `model.generate`: greedy, sampling, beams, assisted and prompt-lookup decoding; reusable.

    compiled: a CompiledGrammar, or a list with one for each prompt. The prompt is what the first call of a generation holds;
    rows whose prefixes were never seen, or that go on behind complete outputs, begin a new generation. Rows that have ended
    and drafts that the grammar refuses pass unmasked: what is chosen there is never used. To go on from a text that the
    length cut off as from a new prompt, call `reset` first. Cost: a fork, an accept and a mask per row and call, and a look
    at the row's tokens.
    """

    supports_continuous_batching = False  # it would be shown single tokens instead of prefixes

    def __init__(self, compiled: Any) -> None:
        self.compiled: list[Any] = list(compiled) if isinstance(compiled, (list, tuple)) else [compiled]
        self._generations: list[_Generation] = []  # newest last; a drafted stop token may begin one that is soon left again

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return scores [rows, vocab] with minus infinity where the grammar allows no token; the given ones stay."""
        generation = self._generation(input_ids.tolist())
        bitmask = allocate_token_bitmask(scores.shape[0], self.compiled[0].tokenizer_info.vocab_size)
        masked = generation.fill(bitmask)
        scores = scores.clone()  # type: ignore[assignment]
        if masked:
            apply_token_bitmask_inplace(scores, bitmask, rows=masked)
        return scores

    def reset(self) -> None:
        """Forget what was seen: the next call begins a new generation."""
        self._generations.clear()

    def _generation(self, rows: list[list[int]]) -> _Generation:
        """Return the generation that these rows belong to, moved to them."""
        while self._generations and not self._generations[-1].advance(rows):
            if len(self._generations) == 1:
                break
            self._generations.pop()
        known = bool(self._generations) and self._generations[-1].rows == rows
        if not known:
            self._generations.clear()
        if not known or self._generations[-1].has_ended:
            self._generations.append(_Generation(self.compiled, rows))
            del self._generations[:-MAX_GENERATIONS]
        return self._generations[-1]


class _Generation:
    """One call of `model.generate`: its prompts, a tree of outputs for each grammar, and the node of each row."""

    def __init__(self, compiled: list[Any], rows: list[list[int]]) -> None:
        if len(rows) % len(compiled):
            raise ValueError(f"`{len(compiled)}` grammars for `{len(rows)}` rows; give one, or one for each prompt")
        from penstock import Matcher

        self.prompts = self.rows = rows
        self._roots = [_Node(None, -1, Matcher(grammar), True) for grammar in compiled]
        self._nodes = [self._root(row) for row in range(len(rows))]
        self._recent: OrderedDict[_Node, None] = OrderedDict()  # the nodes that keep a matcher, oldest first

    def advance(self, rows: list[list[int]]) -> bool:
        """Move to these rows if the prefix of each, without its last token, was seen here; return whether it was."""
        length = len(self.prompts[0])
        if len(rows) != len(self.prompts) or any(row[:length] != old for row, old in zip(rows, self.prompts, strict=True)):
            return False
        parents = [self._walk(row[:-1], index) if len(row) > length else None for index, row in enumerate(rows)]
        if any(parent is None and len(row) > length for parent, row in zip(parents, rows, strict=True)):
            return False
        self._nodes = [
            self._root(index) if parent is None else self._child(parent, rows[index][-1])
            for index, parent in enumerate(parents)
        ]
        self.rows = rows
        return True

    @property
    def has_ended(self) -> bool:
        """Whether every row is a prompt and a complete output: nothing would be asked of such rows any more."""
        return all(node.legal and self._matcher(node).is_terminated() for node in self._nodes)

    def fill(self, bitmask: np.ndarray) -> list[int]:
        """Fill the masks of the present rows; return the rows that have something to mask."""
        return [row for row, node in enumerate(self._nodes) if node.legal and self._fill_row(node, bitmask, row)]

    def _fill_row(self, node: _Node, bitmask: np.ndarray, row: int) -> bool:
        matcher = self._matcher(node)
        return not matcher.is_terminated() and bool(matcher.fill_next_token_bitmask(bitmask, row))

    def _root(self, row: int) -> _Node:
        """Return the tree of a row: beams of one prompt are neighbours and change places among themselves only."""
        return self._roots[row * len(self._roots) // len(self.prompts)]

    def _walk(self, prefix: list[int], row: int) -> _Node | None:
        """Return the node of a prefix that was seen, or None. The row's last node is tried first."""
        if self.rows[row] == prefix:
            return self._nodes[row]
        found: _Node | None = self._root(row)
        for token in prefix[len(self.prompts[0]) :]:
            found = found.children.get(token) if found is not None else None
        return found

    def _child(self, parent: _Node, token: int) -> _Node:
        """Return the node behind a node, added where it is new."""
        if token not in parent.children:
            matcher = self._matcher(parent).fork() if parent.legal else None
            legal = matcher is not None and (matcher.is_terminated() or bool(matcher.accept_token(token)))
            parent.children[token] = _Node(parent, token, matcher if legal else None, legal)
            if legal:
                self._remember(parent.children[token])
        return parent.children[token]

    def _matcher(self, node: _Node) -> Any:
        """Return a legal node's matcher, replayed from the nearest node above that has one."""
        missing = [node]
        while missing[-1].matcher is None:
            assert missing[-1].parent is not None, "a root keeps its matcher"
            missing.append(missing[-1].parent)
        if len(missing) > 1:
            matcher = missing.pop().matcher.fork()
            for below in reversed(missing):
                if not matcher.is_terminated():
                    matcher.accept_token(below.token)
            node.matcher = matcher
            self._remember(node)
            return matcher
        return node.matcher

    def _remember(self, node: _Node) -> None:
        self._recent[node] = None
        while len(self._recent) > MATCHERS_PER_ROW * len(self.prompts):
            self._recent.popitem(last=False)[0].matcher = None


def generate(
    model: Any,
    input_ids: torch.LongTensor,
    logits_processor: Any = None,
    stopping_criteria: Any = None,
    generation_config: Any = None,
    streamer: Any = None,
    *,
    compiled: Any = None,
    drafter: Any = None,
    strategy: Any = None,
    seed: int | None = None,
    **model_kwargs: Any,
) -> Any:
    """Decode with Penstock's loop; pass it as `model.generate(..., custom_generate=generate)`.

    compiled: a CompiledGrammar that every row follows. drafter: any `Drafter`; drafts never change the output. strategy:
    instead of a drafter, such as `penstock.decoding.Lookahead(drafter, budget=32)`. seed: of sampling; by default it is
    drawn from torch's generator. Logits processors and stopping criteria are the ones that `generate` prepared, called with
    true prefixes. streamer: transformers 5.23 does not pass its own on; bind one with `functools.partial`. Returns ids
    [rows, length], as `generate` does; a cache that was handed in is not used.
    Raises ValueError for beams, GenerationError when a row fails.
    """
    from penstock.adapters._custom_generate import CustomGenerate

    if getattr(generation_config, "num_beams", 1) not in (None, 1):
        raise ValueError(
            f"`num_beams` is `{generation_config.num_beams}`; use GrammarLogitsProcessor with the model's own generate"
        )
    masks = [processor for processor in logits_processor or () if isinstance(processor, GrammarLogitsProcessor)]
    if len(masks) + (compiled is not None) > 1:
        raise ValueError("several grammars are given; give one, as `compiled` or as a GrammarLogitsProcessor")
    others = [processor for processor in logits_processor or () if processor not in masks]
    grammars = masks[0].compiled if masks else None if compiled is None else [compiled]
    run = CustomGenerate(model, generation_config, others, stopping_criteria, grammars, seed)
    sequences = run(input_ids, model_kwargs.get("attention_mask"), _strategy(strategy, drafter), streamer)
    if getattr(generation_config, "return_dict_in_generate", False):
        from transformers.generation.utils import GenerateDecoderOnlyOutput

        return GenerateDecoderOnlyOutput(sequences=sequences)  # type: ignore[arg-type]
    return sequences


def _strategy(strategy: Any, drafter: Any) -> Callable[..., Any]:
    if strategy is not None and drafter is not None:
        raise ValueError("both `strategy` and `drafter` are given; put the drafter into the strategy")
    if strategy is not None:
        return strategy  # type: ignore[no-any-return]
    if drafter is not None:
        from penstock.decoding.lookahead import Lookahead

        return Lookahead(drafter)
    from penstock.decoding.strategies.plain import plain

    return plain
