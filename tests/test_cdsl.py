"""The laws of CDSL and of its tree on oracle models: limit cases, the slow twin, states and counts, hard and soft together."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from helpers.oracle import OracleContext
from helpers.steered import (
    DRAFT,
    PROMPTS,
    SIZE,
    STOP,
    DraftContext,
    DraftModel,
    Smooth,
    Wanted,
    even,
    run,
    text_of,
    world_of,
)
from penstock.decoding import Cdlh, Cdsl, CdslTree, plain
from penstock.errors import DraftMismatchError

from reference import cdsl as twin

ENDLESS = {"logit_bias": {STOP: -1e9}}
NEVER, ALWAYS = float("inf"), float("-inf")


def texts(strategy, **choice):
    return [text_of(run(strategy, prompt, seed=seed, **choice)[0]) for seed, prompt in enumerate(PROMPTS)]


def endless(reward):
    """The reward, never settled."""
    return type("Endless", (type(reward),), {"settled": lambda self, state: False})()


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("grammar", [None, even])
@pytest.mark.parametrize("bonus", [True, False])
def test_all_matched_and_no_floor_is_the_target(temperature, grammar, bonus) -> None:
    choice = {"temperature": temperature, "grammar": grammar}
    expected = texts(plain, **choice)
    for options in ({"accept_threshold": 1.0}, {"accept_threshold": 0.0, "commit": "matched"}):
        for reward in (Smooth(), Wanted()):
            strategy = Cdsl(reward, DRAFT, horizon=4, reward_threshold=ALWAYS, bonus=bonus, **options)
            assert texts(strategy, **choice) == expected


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_all_accepted_unseen_is_the_draft(temperature) -> None:
    strategy = Cdsl(Smooth(), DRAFT, accept_threshold=0.0, reward_threshold=ALWAYS, bonus=False)
    alone = [text_of(run(plain, p, seed=s, target=DraftContext(), temperature=temperature)[0]) for s, p in enumerate(PROMPTS)]
    assert texts(strategy, temperature=temperature) == alone


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("grammar", [None, even])
@pytest.mark.parametrize("look", ["target", "draft"])
@pytest.mark.parametrize("threshold", [0.5, 2.0])
def test_never_accepting_is_cdlh(look, grammar, temperature, threshold) -> None:
    choice = {"temperature": temperature, "grammar": grammar}
    search = {"num_candidates": 5, "horizon": 3, "weight": 6.0, "patience": None}
    cdlh = Cdlh(Smooth(), DRAFT if look == "draft" else None, **search)
    looks = {"lookahead": look, "reject_lookahead": look}
    for on_reject in ("single", "regenerate"):
        options = {"accept_threshold": threshold, "reward_threshold": NEVER, "on_reject": on_reject}
        assert texts(Cdsl(Smooth(), DRAFT, **search, **looks, **options), **choice) == texts(cdlh, **choice)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("acceptance", ["match", "overlap"])
@pytest.mark.parametrize("grammar", [None, even])
def test_draft_is_target_accepts_everything(acceptance, temperature, grammar) -> None:
    for prompt in PROMPTS:
        for same in (OracleContext(SIZE), None):  # a second model with the same weights, and the very same model
            target = OracleContext(SIZE)
            strategy = Cdsl(Smooth(), DRAFT, horizon=4, accept_threshold=1.0, acceptance=acceptance)
            sequence, *_ = run(strategy, prompt, target=target, draft=same or target, temperature=temperature, grammar=grammar)
            assert sequence.stats.acceptance_rate == 1.0
            assert set(sequence.details["states"]) <= {"accept", "single"}


def test_the_very_same_model_reads_every_place_once() -> None:
    context = OracleContext(SIZE)
    strategy = Cdsl(Smooth(), DRAFT, horizon=4, reward_threshold=ALWAYS, bonus=False)
    sequence, *_ = run(strategy, [5, 6], target=context, draft=context, max_tokens=12, **ENDLESS)
    assert len(sequence.token_ids) == 12
    assert context.num_positions == 2 + 12


def options_of(rng: random.Random) -> dict:
    horizon = rng.choice([1, 2, 4, 6])
    return {
        "horizon": horizon,
        "margin": rng.choice([0, 0, horizon - 1, horizon // 2]),
        "weight": rng.choice([0.0, 3.0, 8.0]),
        "accept_threshold": rng.choice([0.0, 0.3, 0.5, 1.0, 2.0]),
        "reward_threshold": rng.choice([None, None, 0.4, 0.7, ALWAYS, NEVER]),
        "span": rng.choice(["draft", "matched"]),
        "commit": rng.choice(["draft", "matched"]),
        "bonus": rng.choice([True, False]),
        "on_reject": rng.choice(["regenerate", "single"]),
        "lookahead": rng.choice(["draft", "target"]),
        "reject_lookahead": rng.choice(["draft", "target"]),
    }


@pytest.mark.parametrize("case", range(32))
def test_text_and_states_are_the_twins(case) -> None:
    rng = random.Random(case)
    options, k = options_of(rng), rng.choice([1, 3, 8])
    reward = rng.choice([Smooth(), Wanted(), Wanted((2, 3, 4, 6))])
    prompt, grammar = rng.choice(PROMPTS), rng.choice([None, even])
    world = world_of(prompt, reward, grammar=grammar)
    expected, states = twin.cdsl(world, twin.Options(k=k, **options))
    sequence, *_ = run(Cdsl(reward, DRAFT, num_candidates=k, patience=None, **options), prompt, grammar=grammar)
    found = text_of(sequence)
    assert found == expected or (grammar and [*found, STOP] == expected), options
    counted = sequence.details["states"]
    if found == expected:
        assert counted == {state: states.count(state) for state in set(states)}


class Scripted(OracleContext):
    """Writes 5 6 7 8 and then would stop, with 9 close behind; 9 is followed by the end."""

    def logits_of(self, prefix):
        logits = np.zeros(self.vocab_size, dtype=np.float32)
        following = {5: 6, 6: 7, 7: 8}.get(prefix[-1], STOP if prefix[-1] in (8, 9) else 5)
        logits[9] = 9.5 if prefix[-1] == 8 else 0.0
        logits[following] = 10.0
        return logits


def test_no_block_ends_a_text_behind_the_rewards_back() -> None:
    """The target's own end behind a matched block is not taken unasked, be it as a bonus or as a correction."""
    for options in ({}, {"commit": "matched", "horizon": 5}, {"commit": "matched", "accept_threshold": 0.0}):
        choice = {"target": Scripted(SIZE), "draft": Scripted(SIZE)}
        strategy = Cdsl(Wanted((5, 9)), DRAFT, weight=50.0, **{"horizon": 4, **options})
        assert run(strategy, [2], **choice)[0].token_ids == [5, 6, 7, 8, 9]
        free = Cdsl(Wanted((5, 9)), DRAFT, reward_threshold=ALWAYS, **{"horizon": 4, **options})
        sequence, *_ = run(free, [2], **choice)
        assert sequence.token_ids == [5, 6, 7, 8]
    assert (run(Cdsl(Wanted((5, 9)), DRAFT, reward_threshold=ALWAYS, horizon=4), [2], **choice)[0].details["states"]) == {
        "accept": 1
    }


def test_all_four_states_occur() -> None:
    seen: dict[str, int] = {}
    for prompt in PROMPTS:
        sequence, *_ = run(Cdsl(Smooth(), DRAFT, horizon=3, num_candidates=4), prompt, max_tokens=30, **ENDLESS)
        for state, count in sequence.details["states"].items():
            seen[state] = seen.get(state, 0) + count
    assert set(seen) == {"accept", "single", "regenerate", "fallback"}


def test_counts_are_the_closed_form() -> None:
    """One check a round, horizon draft forwards a round: drafted tokens that stay need no second reading."""
    tokens, horizon = 16, 4
    target, draft = OracleContext(SIZE), OracleContext(SIZE)
    strategy = Cdsl(Smooth(), DRAFT, horizon=horizon, reward_threshold=ALWAYS, bonus=False)
    sequence, *_ = run(strategy, [5, 6, 7], target=target, draft=draft, max_tokens=tokens, **ENDLESS)
    rounds = tokens // horizon
    assert sequence.details["states"] == {"accept": rounds}
    assert (target.num_forwards, target.num_positions) == (1 + rounds, 3 + tokens)
    # The draft's first token of a round is known behind the prompt, and needs its last token read in later rounds.
    assert draft.num_forwards == 1 + rounds * horizon - 1
    assert sequence.stats.num_reward_calls == rounds + 1
    assert sequence.stats.num_draft_tokens == sequence.stats.num_accepted_tokens == tokens

    bonus, target = Cdsl(Smooth(), DRAFT, horizon=3, reward_threshold=ALWAYS), OracleContext(SIZE)
    run(bonus, [5, 6, 7], target=target, draft=OracleContext(SIZE), max_tokens=tokens, **ENDLESS)
    assert target.num_forwards == 1 + tokens // 4


@pytest.mark.parametrize("mode", ["cdsl", "tree"])
def test_an_unreachable_reward_ends_within_its_patience(mode) -> None:
    kind = Cdsl if mode == "cdsl" else CdslTree
    sequence, *_ = run(kind(Wanted((99,)), DRAFT, horizon=2, patience=5), [5, 6], max_tokens=40, **ENDLESS)
    states = sequence.details["states"]
    assert sequence.details["reward_unreached"] is True
    assert states.get("single", 0) + states.get("fallback", 0) == 6
    assert len(sequence.token_ids) == 40
    assert sequence.stats.num_reward_calls <= 6 * 3 + 1


def test_hard_and_soft_together() -> None:
    """Every text follows the grammar, and the reward rises all the same."""
    reward = Wanted((4, 10, 16, 20))
    plain_texts, strategies = (
        texts(plain, grammar=even),
        (
            Cdlh(reward, horizon=3, weight=8.0),
            Cdsl(reward, DRAFT, horizon=3, weight=8.0),
            CdslTree(reward, DRAFT, horizon=3, weight=8.0),
        ),
    )
    before = sum(len(reward.wanted & set(text)) for text in plain_texts)
    for strategy in strategies:
        found = texts(strategy, grammar=even)
        for text in found:
            tokens = text[: text.index(STOP)] if STOP in text else text
            assert all(token in even(tuple(tokens[:index])) for index, token in enumerate(tokens))
            assert STOP in even(tuple(tokens))
        assert sum(len(reward.wanted & set(text)) for text in found) > before


def test_slack_accepts_blocks_that_keep_the_score() -> None:
    states = [
        run(Cdsl(Wanted((99,)), OracleDraft, horizon=2, slack=slack), [5, 6], draft=OracleContext(SIZE), **ENDLESS)[0].details[
            "states"
        ]
        for slack in (0, 2)
    ]
    assert "accept" not in states[0]
    assert states[1]["accept"] == 2


OracleDraft = DraftModel()


def test_a_full_draft_context_leaves_the_target_alone() -> None:
    limited, draft = DraftModel(max_positions=9), DraftContext()
    for strategy in (Cdsl(Smooth(), limited, horizon=4, weight=5.0), CdslTree(Smooth(), limited, horizon=4, weight=5.0)):
        sequence, *_ = run(strategy, [5, 6, 7], draft=draft, max_tokens=20, **ENDLESS)
        assert len(sequence.token_ids) == 20
    longest = []
    extend = draft.extend
    draft.extend = lambda growths: longest.append(_depth(draft, growths)) or extend(growths)
    run(Cdsl(Smooth(), limited, horizon=4, lookahead="draft"), [5, 6, 7], draft=draft, max_tokens=20, **ENDLESS)
    assert 0 < max(longest) <= 9


def _depth(context, growths) -> int:
    """The furthest position that these growths read."""
    deepest = 0
    for row, growth in growths.items():
        depths = [len(path) for path in context.open.get(row, [])]
        for parent in growth.parents:
            depths.append(1 + (depths[parent] if parent >= 0 else 0))
        deepest = max(deepest, len(context.committed.get(row, [])) + max(depths))
    return deepest


@pytest.mark.parametrize("kind", [Cdsl, CdslTree, Cdlh])
def test_models_of_two_vocabularies_are_refused(kind) -> None:
    with pytest.raises(DraftMismatchError, match="24` and `25` tokens"):
        run(kind(Smooth(), DRAFT), [5, 6], draft=OracleContext(25))


def test_options_that_mean_nothing_are_refused() -> None:
    wrong = {
        "acceptance": "x",
        "span": "x",
        "commit": "x",
        "on_reject": "x",
        "lookahead": "x",
        "rule": "x",
        "horizon": 0,
        "slack": -1,
        "margin": 8,
    }
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=name):
            Cdsl(Smooth(), DRAFT, **{name: value})
    with pytest.raises(ValueError, match="reward_threshold"):
        Cdsl(Smooth(), DRAFT, rule="rsd")
    for name, value in {"span": "x", "slack": -1, "num_candidates": 0, "margin": 9, "commit": "draft"}.items():
        with pytest.raises(ValueError, match=name):
            CdslTree(Smooth(), DRAFT, **{name: value})


# Other rules on the same block.


def test_reward_guided_decoding_takes_the_draft_or_asks_the_target() -> None:
    always = Cdsl(Smooth(), DRAFT, rule="rsd", reward_threshold=0.0, bonus=False)
    never = Cdsl(Smooth(), DRAFT, rule="rsd", reward_threshold=2.0)
    alone = [text_of(run(plain, p, seed=s, target=DraftContext())[0]) for s, p in enumerate(PROMPTS)]
    assert texts(always) == alone
    assert texts(never) == texts(plain)


def test_guided_inference_without_reward_trusts_by_the_ratio() -> None:
    lenient = Cdsl(Smooth(), DRAFT, rule="gsi", gsi_beta=0.0, reward_threshold=ALWAYS, bonus=False)
    strict = Cdsl(Smooth(), DRAFT, rule="gsi", gsi_beta=0.0, reward_threshold=NEVER)
    assert texts(strict) == texts(plain)
    assert texts(lenient) != texts(plain)
    same = Cdsl(Smooth(), DRAFT, rule="gsi", gsi_beta=0.0, reward_threshold=-1e-6)
    sequence, *_ = run(same, [5, 6], draft=OracleContext(SIZE), **ENDLESS)
    assert set(sequence.details["states"]) == {"accept"}, "the ratio of a model to itself is 1"


# The tree.


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("grammar", [None, even])
@pytest.mark.parametrize("options", [{"num_candidates": 1}, {"weight": 0.0}, {"weight": 0.0, "reward_threshold": ALWAYS}])
def test_tree_without_a_say_is_plain_decoding(options, grammar, temperature) -> None:
    choice = {"temperature": temperature, "grammar": grammar}
    assert texts(CdslTree(Smooth(), DRAFT, horizon=3, patience=None, **options), **choice) == texts(plain, **choice)


@pytest.mark.parametrize("grammar", [None, even])
def test_tree_that_never_passes_is_cdlh_by_the_draft(grammar) -> None:
    search = {"num_candidates": 4, "horizon": 3, "weight": 6.0, "patience": None}
    tree = CdslTree(Smooth(), DRAFT, reward_threshold=NEVER, **search)
    assert texts(tree, grammar=grammar) == texts(Cdlh(Smooth(), DRAFT, **search), grammar=grammar)


def test_tree_with_all_in_the_margin_is_cdlh_by_the_draft() -> None:
    search = {"num_candidates": 4, "horizon": 3, "weight": 6.0, "patience": None}
    choice = {"max_tokens": 20, **ENDLESS}
    assert texts(CdslTree(Smooth(), DRAFT, margin=3, **search), **choice) == texts(Cdlh(Smooth(), DRAFT, **search), **choice)


@pytest.mark.parametrize("commit", ["matched", "gain"])
@pytest.mark.parametrize(("k", "horizon", "threshold", "margin"), list(itertools.product([3, 8], [2, 5], [None, 0.5], [0, 2])))
def test_tree_text_is_the_twins(k, horizon, threshold, margin, commit) -> None:
    for prompt, reward, grammar in itertools.product(PROMPTS[:2], (Smooth(), Wanted()), (None, even)):
        world = world_of(prompt, reward, grammar=grammar)
        expected = twin.cdsl_tree(world, k, horizon, 6.0, threshold, margin, commit)
        search = {"num_candidates": k, "horizon": horizon, "weight": 6.0, "reward_threshold": threshold}
        strategy = CdslTree(reward, DRAFT, margin=margin, commit=commit, patience=None, **search)
        found = text_of(run(strategy, prompt, grammar=grammar)[0])
        assert found == expected or (grammar and [*found, STOP] == expected)


def test_tree_costs_one_target_forward_a_round() -> None:
    target = OracleContext(SIZE)
    sequence, *_ = run(CdslTree(Wanted(), DRAFT, horizon=4), [5, 6, 7], target=target, max_tokens=30, **ENDLESS)
    assert target.num_forwards == 1 + sum(sequence.details["states"].values())
    free = CdslTree(Smooth(), DRAFT, horizon=3, weight=0.0, reward_threshold=ALWAYS)
    target = OracleContext(SIZE)
    run(free, [5, 6, 7], target=target, draft=OracleContext(SIZE), max_tokens=20, **ENDLESS)
    assert target.num_forwards == 1 + 20 // 4
