"""Lookahead: a tree of drafted tokens is checked in one forward, and the text is the one that plain decoding writes.

    propose -> prune by the grammar -> extend -> walk: choose at each node, go on while a child carries the token -> keep

The walk sees only true prefixes: at each node the same function of (logits, prefix, mask, noise) is evaluated that plain
decoding evaluates, so the drafter cannot change the output, only its price. (Lookahead decoding by retrieved trees:
arXiv 2312.12728; sampling by shared noise: arXiv 2408.07978.)
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from penstock.decoding.context import Growth, Logits
from penstock.decoding.drafter import Drafter, DraftSession
from penstock.decoding.sequence import Sequence
from penstock.errors import GenerationError

__all__ = ["Lookahead"]

OVERPROPOSE = 4  # drafts asked for, per node of the budget, where a grammar will drop the illegal ones


@dataclass(frozen=True)
class Lookahead:
    """The strategy; call it with a `Sequence`. `budget`: drafted nodes of one forward, the last written token not counted."""

    drafter: Drafter
    budget: int = 16

    def __post_init__(self) -> None:
        if self.budget < 0:
            raise ValueError(f"`budget` is `{self.budget}`; give 0 or more nodes")

    def __call__(self, sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
        logits = yield "target", sequence.chain(sequence.prompt_ids, num_logits=1)
        sequence.keep(range(len(sequence.prompt_ids)))
        session = self.drafter.start(sequence.prompt_ids, noise=sequence.noise)
        try:
            going = sequence.take(sequence.choose(logits[-1]))
            session.extend(sequence.token_ids)
            while going:
                num_before = len(sequence.token_ids)
                going = yield from self._draft_step(sequence, session)
                session.extend(sequence.token_ids[num_before:])
        finally:
            session.finish()

    def _draft_step(self, sequence: Sequence, session: DraftSession) -> Generator[tuple[str, Growth], Logits, bool]:
        """Check one tree, take the tokens it confirms and the one behind them; return whether the text goes on."""
        tree = self._propose(sequence, session)
        token_ids, parents = tree_lists(tree)
        sequence.open_tree = tree
        logits = yield "target", Growth(token_ids, parents)
        children = {}
        for node in range(len(token_ids) - 1, 0, -1):  # backwards, so that the first of equal siblings stands
            children[parents[node], token_ids[node]] = node
        path, node = [0], 0
        while going := sequence.take(sequence.choose(logits[node], node)):
            child = children.get((node, sequence.last_token_id))
            if child is None:
                break
            node = child
            path.append(node)
        sequence.stats.num_drafts += 1
        sequence.stats.num_draft_tokens += len(token_ids) - 1
        sequence.stats.num_accepted_tokens += len(path) - 1
        sequence.keep(path)
        return going

    def _propose(self, sequence: Sequence, session: DraftSession) -> Any:
        budget = max(0, min(self.budget, sequence.num_remaining - 1))
        prune = getattr(sequence.matcher, "prune", None)
        tree = session.propose(budget if prune is None else OVERPROPOSE * budget)
        token_ids, parents = tree_lists(tree)
        _check_tree(token_ids, parents, sequence)
        if prune is not None:
            return prune(_draft_tree(tree, token_ids, parents), budget)
        return _PlainTree(token_ids[: budget + 1], parents[: budget + 1])


@dataclass(frozen=True, slots=True)
class _PlainTree:
    token_ids: list[int]
    parents: list[int]


def tree_lists(tree: Any) -> tuple[list[int], list[int]]:
    """Return a tree's two columns as lists of int."""
    columns = tree.tolist() if hasattr(tree, "tolist") else (tree.token_ids, tree.parents)
    return [int(token) for token in columns[0]], [int(parent) for parent in columns[1]]


def _draft_tree(tree: Any, token_ids: list[int], parents: list[int]) -> Any:
    from penstock import DraftTree

    return tree if isinstance(tree, DraftTree) else DraftTree(token_ids, parents)


def _check_tree(token_ids: list[int], parents: list[int], sequence: Sequence) -> None:
    """Refuse what is no tree; wrong tokens in a right tree are the drafter's good right."""
    problem = None
    vocab_size = sequence.contexts["target"].vocab_size
    if not token_ids or len(token_ids) != len(parents):
        problem = f"`{len(token_ids)}` tokens and `{len(parents)}` parents"
    elif token_ids[0] != sequence.last_token_id or parents[0] != -1:
        problem = (
            f"node 0 is token `{token_ids[0]}` under `{parents[0]}`, not the last token `{sequence.last_token_id}` under `-1`"
        )
    elif not all(0 <= parent < node for node, parent in enumerate(parents) if node):
        problem = "a parent that does not come before its child"
    elif not 0 <= min(token_ids) <= max(token_ids) < vocab_size:
        problem = f"a token outside the vocabulary of `{vocab_size}`"
    if problem:
        raise GenerationError(f"the drafter proposed {problem}; a `DraftTree` says what is allowed", code="draft_invalid")
