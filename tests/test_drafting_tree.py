"""DraftTree, and the trie of the Lookahead paper, through their Python doors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from penstock import _core as core
from penstock.errors import LimitError


def test_a_tree_tells_its_shape():
    tree = core.DraftTree([9, 4, 5, 6], [-1, 0, 0, 1], logprobs=[0.0, -0.5, -1.0, -0.25], sources=[0, 1, 2, 255])
    assert tree.tolist() == ([9, 4, 5, 6], [-1, 0, 0, 1])
    assert (len(tree), tree.num_nodes, tree.sources) == (4, 4, [0, 1, 2, 255])
    assert (tree.child(0, 5), tree.child(0, 6), tree.children(0)) == (2, None, [1, 2])
    assert (tree.path(3), tree.depths()) == ([0, 1, 3], [0, 1, 1, 2])
    mask = tree.attention_mask()
    assert mask.dtype == np.bool_
    assert mask.astype(int).tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 1]]
    mask[0, 0] = False  # the caller's own copy
    assert tree.attention_mask()[0, 0]
    with pytest.raises(IndexError, match="count from 0"):
        tree.path(4)


def test_trees_pickle_compare_and_take_arrays():
    tree = core.DraftTree(np.array([9, 0], np.int32), np.array([-1, 0], np.int32), logprobs=[0.0, -0.5])
    again = pickle.loads(pickle.dumps(tree))
    assert again == tree
    assert hash(again) == hash(tree)
    assert again.logprobs == [0.0, -0.5]
    assert tree != core.DraftTree([9, 0], [-1, 0])
    assert repr(tree) == "DraftTree(token_ids=[9, 0], parents=[-1, 0])"


@pytest.mark.parametrize(
    ("token_ids", "parents"),
    [([], []), ([1, 2], [-1]), ([1], [0]), ([1, 2], [-1, 1]), ([1, 2, 2], [-1, 0, 0]), ([1, -2], [-1, 0])],
)
def test_what_is_no_tree_is_refused(token_ids, parents):
    with pytest.raises(ValueError, match=r"draft tree|entries|merge"):
        core.DraftTree(token_ids, parents)


def test_too_large_a_tree_is_a_limit():
    with pytest.raises(LimitError) as limit:
        core.DraftTree([0] * 20_000, [-1] * 20_000)
    assert limit.value.code == "draft_tree_too_large"


def test_the_trie_drafts_by_mode():
    drafted = {}
    for mode in ("hierarchical", "parallel", "one_branch"):
        store = core.TrieStore(mode=mode)
        for output in ([1, 2, 3, 4], [1, 2, 3, 5], [1, 6, 7, 8]):
            store.insert(output)
        drafted[mode] = store.start([1]).propose(6).num_nodes - 1
    assert drafted == {"hierarchical": 6, "parallel": 4, "one_branch": 3}


def test_the_trie_forgets_prompts_and_keeps_outputs():
    store = core.TrieStore()
    with store.start([1, 2, 3]) as request:
        request.extend([4, 5])
    assert store.start([4]).propose(4).tolist() == ([4, 5], [-1, 0])
    assert store.start([1]).propose(4).num_nodes == 1
    with pytest.raises(RuntimeError, match="start a new one"):
        request.propose(1)
    with pytest.raises(ValueError, match="use hierarchical"):
        core.TrieStore(mode="wide")
    with pytest.raises(ValueError, match="lengths"):
        core.TrieStore(branch_length=0)
