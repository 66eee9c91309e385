"""How likely is each of several continuations? All of them are one tree, evaluated in one forward."""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Sequence as Ids

import numpy as np

from penstock.decoding.context import Growth, Logits
from penstock.decoding.sampling import log_softmax
from penstock.decoding.sequence import Sequence

__all__ = ["choice_logprobs"]


def choice_logprobs(sequence: Sequence, choices: Ids[Ids[int]]) -> Generator[tuple[str, Growth], Logits, None]:
    """Put P(choice, then a stop token) / sum over all choices into `sequence.details["probabilities"]`.

    choices: the tokens of each, none empty. Common beginnings are evaluated once.
    """
    first = yield "target", sequence.chain(sequence.prompt_ids, num_logits=1)
    sequence.keep(range(len(sequence.prompt_ids)))
    token_ids, parents, paths = _merged(choices)
    logits = yield "target", Growth(token_ids, parents)
    after = log_softmax(np.concatenate([first, logits]))  # [1 + num_nodes, vocab]; row 0 stands behind the prompt
    stops = sorted(sequence.stop_token_ids)
    totals = np.empty(len(choices))
    for index, path in enumerate(paths):
        rows = [0, *(node + 1 for node in path)]
        tokens = [after[row, token_ids[node]] for row, node in zip(rows, path, strict=False)]
        totals[index] = sum(tokens) + np.logaddexp.reduce(after[rows[-1], stops])
    sequence.details["probabilities"] = np.exp(log_softmax(totals)).tolist()
    sequence.finish_reason = "stop"


def _merged(choices: Ids[Ids[int]]) -> tuple[list[int], list[int], list[list[int]]]:
    """Return the prefix tree of the choices as (token_ids, parents), and the node path of each choice."""
    token_ids: list[int] = []
    parents: list[int] = []
    nodes: dict[tuple[int, int], int] = {}
    paths = []
    for choice in choices:
        path, node = [], -1
        for token in choice:
            if (node, token) not in nodes:
                nodes[node, token] = len(token_ids)
                token_ids.append(token)
                parents.append(node)
            node = nodes[node, token]
            path.append(node)
        paths.append(path)
    return token_ids, parents, paths
