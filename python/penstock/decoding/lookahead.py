"""Lookahead: a tree of drafted tokens is checked in one forward, and the text is the one that plain decoding writes.

    propose -> prune by the grammar -> extend -> walk: choose at each node, go on while a child carries the token -> keep

Drafts come from a drafter and from the grammar itself: text that it forces is drafted as a chain, for the prompt's forward
too. The walk sees only true prefixes: at each node the same function of (logits, prefix, mask, noise) is evaluated that
plain decoding evaluates, so drafts cannot change the output, only its price. (Lookahead decoding by retrieved trees:
arXiv 2312.12728; sampling by shared noise: arXiv 2408.07978.)
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock._core import DraftTree
from penstock.decoding.context import Growth, Logits
from penstock.decoding.drafter import Drafter, tell
from penstock.decoding.sequence import Sequence
from penstock.decoding.width import LearnedCost
from penstock.errors import GenerationError

__all__ = ["Lookahead"]

BEHIND_FORCED = 0.1  # what stands behind forced text is as likely as the drafter finds both; the text is certain
OVERPROPOSE = 4  # drafts asked for, per node of the budget, where a grammar will drop the illegal ones


@dataclass(frozen=True)
class Lookahead:
    """The strategy; call it with a `Sequence`.

    drafter: None drafts what the grammar forces and nothing else. budget: drafted nodes of one forward, the last written
    token not counted. forced: draft the text that the grammar forces.
    """

    drafter: Drafter | None = None
    budget: int = 16
    forced: bool = True

    def __post_init__(self) -> None:
        if self.budget < 0:
            raise ValueError(f"`budget` is `{self.budget}`; give 0 or more nodes")

    @property
    def models(self) -> Mapping[str, Any]:
        """The models that the drafter decodes with, by name."""
        return getattr(self.drafter, "models", {})

    def __call__(self, sequence: Sequence) -> Generator[tuple[str, Growth], Logits, None]:
        session = _NoDrafts() if self.drafter is None else self.drafter.start(sequence.prompt_ids, noise=sequence.noise)
        try:
            going = yield from self._first_step(sequence, session)
            session.extend(sequence.token_ids)
            while going:
                num_before = len(sequence.token_ids)
                going = yield from self._step(sequence, session)
                session.extend(sequence.token_ids[num_before:])
        finally:
            session.finish()

    def _first_step(self, sequence: Sequence, session: Any) -> Generator[tuple[str, Growth], Logits, bool]:
        """Run the prompt, with forced text behind it: still one chain, which needs no mask."""
        chain = self._forced(sequence)
        num_prompt = len(sequence.prompt_ids)
        logits = yield "target", sequence.chain([*sequence.prompt_ids, *chain], num_logits=1 + len(chain))
        tree = _Tree([sequence.prompt_ids[-1], *chain], list(range(-1, len(chain))))
        going, path = _walk(sequence, tree, logits)
        _show(session, tree.token_ids, logits, path)
        sequence.keep([*range(num_prompt), *(num_prompt - 1 + node for node in path[1:])])
        return going

    def _step(self, sequence: Sequence, session: Any) -> Generator[tuple[str, Growth], Logits, bool]:
        """Check one tree, take the tokens it confirms and the one behind them; return whether the text goes on."""
        tree = yield from self._propose(sequence, session)
        if tree is None:
            return (yield from _bare_step(sequence, session))
        if getattr(sequence.contexts["target"], "drafts", "tree") == "chain":
            tree = _best_chain(tree)
        if sequence.matcher is not None:
            sequence.open_tree = tree
        watch = _watch_of(sequence, session)
        logits = yield "target", Growth(tree.token_ids, tree.parents)
        if watch is not None:
            watch.tell(len(tree.token_ids) - 1)
        going, path = _walk(sequence, tree, logits)
        _show(session, tree.token_ids, logits, path)
        if tree.beliefs is not None:
            drafted = tree.beliefs[tree.num_sure + 1 :]
            session.width.observe(sum(drafted), sum(node > tree.num_sure for node in path))
        sequence.keep(path)
        return going

    def _propose(self, sequence: Sequence, session: Any) -> Generator[tuple[str, Growth], Logits, _Tree | None]:
        """Return the tree to check, or None where nothing is drafted."""
        budget = self._budget(sequence)
        prune = getattr(sequence.matcher, "prune", None)
        width = None if prune is None else getattr(session, "width", None)
        width = None if width is None else width.at(sequence.length)
        forced = self._forced(sequence)[:budget]
        if hasattr(session, "grow"):  # a drafter that needs forwards of its own
            proposed: Any = _Tree(*(yield from session.grow(sequence, budget)))
        elif width is not None:  # what pays is known when the illegal nodes are gone
            proposed = session.propose(OVERPROPOSE * budget, floor=width.floor * (BEHIND_FORCED if forced else 1))
        else:
            proposed = session.propose(budget if prune is None else OVERPROPOSE * budget)
        if not forced and isinstance(proposed, DraftTree) and proposed.num_nodes == 1:
            return None
        tree = _checked(proposed, sequence)
        logprobs = None
        if prune is not None and len(tree.token_ids) > 1:
            pruned = prune(_draft_tree(proposed, tree), budget)
            tree, logprobs = _Tree(*tree_lists(pruned)), pruned.logprobs
        if width is not None:
            tree = _paying(_merged(forced, _with_beliefs(tree, logprobs), budget), len(forced), width)
        elif forced or len(tree.token_ids) > budget + 1:
            tree = _merged(forced, tree, budget)
        return tree if len(tree.token_ids) > 1 else None

    def _budget(self, sequence: Sequence) -> int:
        """Return how many nodes may be drafted: none for a model that takes one token at a time, none behind the last token."""
        takes_drafts = getattr(sequence.contexts["target"], "drafts", "tree") != "plain"
        return max(0, min(self.budget, sequence.num_remaining - 1)) if takes_drafts else 0

    def _forced(self, sequence: Sequence) -> list[int]:
        jump = getattr(sequence.matcher, "jump_forward_tokens", None)
        if jump is None or not self.forced or self._budget(sequence) == 0:
            return []
        return list(jump(canonical=True))[: self._budget(sequence)]


@dataclass(frozen=True, slots=True)
class _Tree:
    """Node 0 is the last token of the text, parents come before children.

    beliefs: how likely each node is accepted, its path included; None where nobody weighs nodes. num_sure: of the nodes
    behind node 0, so many are forced by the grammar; they come first.
    """

    token_ids: list[int]
    parents: list[int]
    beliefs: list[float] | None = None
    num_sure: int = 0


def _bare_step(sequence: Sequence, session: Any) -> Generator[tuple[str, Growth], Logits, bool]:
    """Take one token, as plain decoding does; the drafter learns what that costs, and that nothing was drafted."""
    watch = _watch_of(sequence, session)
    last = sequence.last_token_id
    logits = yield "target", Growth([last], [-1])
    if watch is not None:
        watch.tell(0)
    sequence.stats.num_drafts += 1
    going = sequence.take(sequence.choose(logits[0]))
    _show(session, [last], logits, [0])
    if hasattr(sequence.matcher, "prune") and getattr(session, "width", None) is not None:
        session.width.observe(0.0, 0)
    sequence.keep([0])
    return going


class _Watch:
    """What a forward costs, for a drafter that learns it: only where the row ran alone is it the cost of its own nodes."""

    __slots__ = ("_before", "_learned", "_sequence")

    def __init__(self, sequence: Sequence, learned: LearnedCost) -> None:
        self._sequence, self._learned = sequence, learned
        self._before = self._spent()

    def _spent(self) -> tuple[int, int, float]:
        context = self._sequence.contexts["target"]
        return context.num_forwards, context.num_positions, self._sequence.stats.model_seconds

    def tell(self, num_drafted: int) -> None:
        """Tell what the forward cost that has just been run."""
        forwards, positions, seconds = (now - then for now, then in zip(self._spent(), self._before, strict=True))
        if forwards == 1 and positions == num_drafted + 1:
            self._learned.observe(self._sequence.length, num_drafted, seconds)


def _watch_of(sequence: Sequence, session: Any) -> _Watch | None:
    learned = getattr(getattr(session, "width", None), "learned", None)
    return None if learned is None else _Watch(sequence, learned)


class _NoDrafts:
    """The session of nobody."""

    def __init__(self) -> None:
        self.last = 0

    def propose(self, budget: int) -> _Tree:
        return _Tree([self.last], [-1])

    def extend(self, token_ids: Any) -> None:
        self.last = token_ids[-1] if token_ids else self.last

    def finish(self) -> None:
        pass


def _walk(sequence: Sequence, tree: _Tree, logits: Logits) -> tuple[bool, list[int]]:
    """Choose and take tokens along the tree; return whether the text goes on, and the confirmed nodes.

    logits: [num_nodes, vocab], row i behind node i of the tree.
    """
    sequence.stats.num_drafts += 1
    if len(tree.token_ids) == 1:  # nothing stands behind the prompt
        return sequence.take(sequence.choose(logits[0], 0)), [0]
    children = {}
    for node in range(len(tree.token_ids) - 1, 0, -1):  # backwards, so that the first of equal siblings stands
        children[tree.parents[node], tree.token_ids[node]] = node
    path, node, going = [0], 0, True
    chosen = sequence.choose_along(logits, tree.token_ids, tree.parents)
    while going:
        token = sequence.choose(logits[node], node) if chosen is None else chosen[len(path) - 1]
        going = sequence.take(token)
        child = children.get((node, token))
        if child is None or sequence.stop_token_id is not None or len(path) == len(chosen or tree.token_ids):
            break
        node = child
        path.append(node)
    sequence.stats.num_draft_tokens += len(tree.token_ids) - 1
    sequence.stats.num_accepted_tokens += len(path) - 1
    return going, path


def _merged(chain: list[int], tree: _Tree, budget: int) -> _Tree:
    """Return the tree with a chain below its root, at most `budget` nodes: the chain first, then the tree's in order."""
    if not chain:
        beliefs = None if tree.beliefs is None else tree.beliefs[: budget + 1]
        return _Tree(tree.token_ids[: budget + 1], tree.parents[: budget + 1], beliefs)
    token_ids, parents = [tree.token_ids[0], *chain], list(range(-1, len(chain)))
    beliefs = None if tree.beliefs is None else [1.0] * len(token_ids)
    places = {(parent, token): node for node, (parent, token) in enumerate(zip(parents, token_ids, strict=True))}
    renamed = {0: 0}
    for node in range(1, len(tree.token_ids)):
        parent = renamed.get(tree.parents[node])
        if parent is None:
            continue
        key = (parent, tree.token_ids[node])
        if key not in places and len(token_ids) <= budget:
            places[key] = len(token_ids)
            token_ids.append(key[1])
            parents.append(parent)
            if beliefs is not None and tree.beliefs is not None:
                above = tree.beliefs[tree.parents[node]]
                beliefs.append(beliefs[parent] * tree.beliefs[node] / above if above else 0.0)
        if key in places:
            renamed[node] = places[key]
    return _Tree(token_ids, parents, beliefs, len(chain))


def _best_chain(tree: _Tree) -> _Tree:
    """Return the path of first children, for a model that takes no trees."""
    kept, nodes = [0], {parent: node for node, parent in reversed(list(enumerate(tree.parents)))}
    while kept[-1] in nodes:
        kept.append(nodes[kept[-1]])
    beliefs = None if tree.beliefs is None else [tree.beliefs[node] for node in kept]
    num_sure = sum(0 < node <= tree.num_sure for node in kept)
    return _Tree([tree.token_ids[node] for node in kept], list(range(-1, len(kept) - 1)), beliefs, num_sure)


def _with_beliefs(tree: _Tree, logprobs: list[float] | None) -> _Tree:
    """Return the tree with the beliefs along its paths. logprobs: of each node given its parent."""
    beliefs = [1.0]
    for node in range(1, len(tree.token_ids)):
        beliefs.append(beliefs[tree.parents[node]] * (math.exp(logprobs[node]) if logprobs is not None else 1.0))
    return _Tree(tree.token_ids, tree.parents, beliefs)


def _paying(tree: _Tree, num_sure: int, width: Any) -> _Tree:
    """Return the nodes that pay. What a grammar forces stands first; the rest is sorted again, since pruning and the chain
    have moved beliefs."""
    assert tree.beliefs is not None
    beliefs = tree.beliefs
    order = sorted(range(len(beliefs)), key=lambda node: (node > num_sure, -beliefs[node] if node > num_sure else 0.0, node))
    size = width.cut([beliefs[node] for node in order[1:]], num_sure)
    kept = order[: size + 1]
    places = {node: place for place, node in enumerate(kept)}
    parents = [-1, *(places[tree.parents[node]] for node in kept[1:])]
    return _Tree([tree.token_ids[node] for node in kept], parents, [beliefs[node] for node in kept], min(num_sure, size))


def _show(session: Any, token_ids: list[int], logits: Logits, path: list[int]) -> None:
    """Let a drafter that wants to see logits see those of the confirmed path: what stands behind wrong nodes costs as much to
    read and is asked for less often. token_ids: of all nodes."""
    observe = getattr(session, "observe", None)
    if observe is not None:
        observe([token_ids[node] for node in path], logits[path])


def tree_lists(tree: Any) -> tuple[list[int], list[int]]:
    """Return a tree's two columns as lists of int."""
    if isinstance(tree, DraftTree):
        return tree.tolist()
    columns = tree.tolist() if hasattr(tree, "tolist") else (tree.token_ids, tree.parents)
    return [int(token) for token in columns[0]], [int(parent) for parent in columns[1]]


def _draft_tree(proposed: Any, tree: _Tree) -> Any:
    return proposed if isinstance(proposed, DraftTree) else DraftTree(tree.token_ids, tree.parents)


def _checked(proposed: Any, sequence: Sequence) -> _Tree:
    """Refuse what is no tree. Wrong tokens in a right tree are the drafter's good right; with ids that the model does not have,
    the step goes on undrafted."""
    token_ids, parents = tree_lists(proposed)
    problem = None
    vocab_size = sequence.contexts["target"].vocab_size
    if not token_ids or len(token_ids) != len(parents):
        problem = f"`{len(token_ids)}` tokens and `{len(parents)}` parents"
    elif token_ids[0] != sequence.last_token_id or parents[0] != -1:
        problem = (
            f"node 0 is token `{token_ids[0]}` under `{parents[0]}`, not the last token `{sequence.last_token_id}` under `-1`"
        )
    elif not isinstance(proposed, DraftTree) and not all(0 <= parent < node for node, parent in enumerate(parents) if node):
        problem = "a parent that does not come before its child"
    if problem:
        raise GenerationError(f"the drafter proposed {problem}; a `DraftTree` says what is allowed", code="draft_invalid")
    if not 0 <= min(token_ids) <= max(token_ids) < vocab_size:
        tell(
            f"a drafter proposes tokens outside the model's vocabulary of `{vocab_size}`, perhaps from another model's outputs"
        )
        return _Tree(token_ids[:1], parents[:1])
    return _Tree(token_ids, parents)
