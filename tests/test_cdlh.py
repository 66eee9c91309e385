"""The laws of CDLH and best-of-n on oracle models: limit cases, the slow twin, and forwards as the closed form says."""

from __future__ import annotations

import pytest
from helpers.oracle import OracleContext
from helpers.steered import DRAFT, PROMPTS, STOP, DraftContext, Smooth, Wanted, even, run, text_of, world_of
from penstock.decoding import Beam, BestOf, Cdlh, Cdsl, CdslTree, plain
from penstock.errors import DeadEndError

from reference import cdsl as twin

ENDLESS = {"logit_bias": {STOP: -1e9}}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("grammar", [None, even])
@pytest.mark.parametrize("options", [{"num_candidates": 1}, {"weight": 0.0}, {"weight": 0.0, "draft": DRAFT}])
def test_one_candidate_or_no_weight_is_plain_decoding(options, grammar, temperature) -> None:
    for seed, prompt in enumerate(PROMPTS):
        choice = {"grammar": grammar, "temperature": temperature, "seed": seed}
        expected = text_of(run(plain, prompt, **choice)[0])
        for reward in (Smooth(), Wanted()):
            assert text_of(run(Cdlh(reward, horizon=3, **options), prompt, **choice)[0]) == expected


def test_sampling_stays_plain_under_truncation() -> None:
    for seed, prompt in enumerate(PROMPTS):
        choice = {"temperature": 0.9, "seed": seed, "top_k": 6, "top_p": 0.9, "repetition_penalty": 1.2}
        expected = text_of(run(plain, prompt, **choice)[0])
        assert text_of(run(Cdlh(Smooth(), horizon=2, weight=0.0), prompt, **choice)[0]) == expected


@pytest.mark.parametrize("reward", [Smooth(), Wanted()])
@pytest.mark.parametrize("grammar", [None, even])
@pytest.mark.parametrize(("k", "horizon", "weight"), [(4, 3, 4.0), (8, 0, 6.0), (2, 5, 20.0), (24, 2, 8.0)])
def test_text_is_the_twins(reward, grammar, k, horizon, weight) -> None:
    changed = 0
    for prompt in PROMPTS[:4]:
        world = world_of(prompt, reward, grammar=grammar)
        for draft, look in ((None, None), (DRAFT, world.draft)):
            strategy = Cdlh(reward, draft, num_candidates=k, horizon=horizon, weight=weight)
            expected = twin.cdlh(world, k, horizon, weight, look)
            assert _same(text_of(run(strategy, prompt, grammar=grammar)[0]), expected, grammar)
            changed += expected != twin.greedy(world)
    assert changed, "the reward changes some text"


def _same(found, expected, grammar) -> bool:
    """A grammar that allows nothing but the end ends the text without the stop token."""
    return found == expected or (grammar is not None and [*found, STOP] == expected)


@pytest.mark.parametrize("horizon", [0, 1, 4, 7])
def test_forwards_are_the_closed_form(horizon) -> None:
    tokens, k = 13, 3
    lookaheads = [min(horizon, tokens - 1 - index) for index in range(tokens)]
    target = OracleContext(24)
    run(Cdlh(Smooth(), num_candidates=k, horizon=horizon), [5, 6], target=target, max_tokens=tokens, **ENDLESS)
    assert target.num_forwards == 1 + (sum(lookaheads) if horizon else tokens - 1)
    assert target.num_positions == 2 + (k * sum(lookaheads) if horizon else tokens - 1)

    target, draft = OracleContext(24), DraftContext()
    appx = Cdlh(Smooth(), DRAFT, num_candidates=k, horizon=horizon)
    sequence, *_ = run(appx, [5, 6], target=target, draft=draft, max_tokens=tokens, **ENDLESS)
    assert target.num_forwards == tokens
    assert draft.num_forwards == 1 + sum(lookaheads)
    assert sequence.stats.forwards == {"target": tokens, "draft": 1 + sum(lookaheads)}
    assert sequence.stats.num_reward_calls == tokens + 1
    assert sequence.details["num_reward_items"] == k * tokens + 1


def test_looped_candidates_cost_more_and_write_the_same() -> None:
    texts, costs = [], []
    for batched in (True, False):
        sequence, target, _ = run(Cdlh(Smooth(), horizon=3, num_candidates=5, weight=4.0, batched=batched), [5, 6], **ENDLESS)
        texts.append(sequence.token_ids)
        costs.append((target.num_forwards, target.num_positions))
    assert texts[0] == texts[1]
    assert costs[0][1] == costs[1][1]
    assert costs[1][0] - 1 == 5 * (costs[0][0] - 1)


def test_a_settled_reward_costs_no_lookahead_and_changes_no_text() -> None:
    reward, saved = Wanted((2, 3, 4)), 0
    for prompt in PROMPTS:
        texts, costs = [], []
        for skip in (True, False):
            strategy = Cdlh(reward, num_candidates=24, horizon=2, weight=30.0, skip_settled=skip)
            sequence, target, _ = run(strategy, prompt, **ENDLESS)
            texts.append(sequence.token_ids)
            costs.append(target.num_forwards)
        assert texts[0] == texts[1]
        assert costs[0] <= costs[1]
        saved += costs[0] < costs[1]
    assert saved


def test_block_commit_writes_what_the_target_wrote_in_fewer_forwards() -> None:
    reward = Wanted()
    always = Cdlh(reward, block=True, horizon=4, weight=0.0, reward_threshold=0.0)
    for prompt in PROMPTS:
        expected, slow, _ = run(plain, prompt, **ENDLESS)
        sequence, fast, _ = run(always, prompt, **ENDLESS)
        assert sequence.token_ids == expected.token_ids
        assert fast.num_forwards <= slow.num_forwards + 4
    never = Cdlh(reward, block=True, horizon=4, weight=5.0, reward_threshold=2.0)
    single = Cdlh(reward, horizon=4, weight=5.0)
    assert run(never, PROMPTS[0])[0].token_ids == run(single, PROMPTS[0])[0].token_ids
    blocks = run(Cdlh(reward, block=True, horizon=4, weight=5.0), PROMPTS[0], **ENDLESS)[0].details["states"]
    assert blocks.get("block", 0) > 0


def test_lexicographic_order_takes_the_best_reward_first() -> None:
    reward = Smooth()
    sequence, *_ = run(Cdlh(reward, horizon=0, num_candidates=24, order="reward"), [5], max_tokens=1, **ENDLESS)
    scores = reward.score([(5,)] * 24, [[token] for token in range(24)], [False] * 24)
    best = max(
        token for token in range(24) if token != STOP and scores[token] == max(s for t, s in enumerate(scores) if t != STOP)
    )
    assert sequence.token_ids == [best]


@pytest.mark.parametrize("strategy", [Cdlh(Wanted((99,)), horizon=1), CdslTree(Wanted((99,)), DRAFT, horizon=1)])
def test_equals_go_to_the_lower_id(strategy) -> None:
    sequence, *_ = run(
        strategy, [5], target=OracleContext(24, scale=0.0), max_tokens=4, logit_bias={0: -1.0, **ENDLESS["logit_bias"]}
    )
    assert sequence.token_ids == [2] * 4


def test_an_unreachable_reward_ends_within_its_patience() -> None:
    strategy = Cdlh(Wanted((99,)), horizon=2, num_candidates=3, weight=5.0, patience=4)
    sequence, target, _ = run(strategy, [5, 6], max_tokens=20, **ENDLESS)
    assert sequence.details["reward_unreached"] is True
    assert sequence.details["states"] == {"single": 5, "plain": 15}
    assert len(sequence.token_ids) == 20
    assert target.num_forwards == 1 + 5 * 2 + 14
    assert sequence.details["reward"] == 0.0


def test_logprobs_come_with_every_token() -> None:
    from penstock.decoding.sampling import log_softmax

    for strategy in (Cdlh(Smooth(), horizon=2), BestOf(Smooth(), 3)):
        sequence, target, _ = run(strategy, [5, 6], logprobs=2, **ENDLESS)
        for index, entry in enumerate(sequence.logprobs):
            row = log_softmax(target.logits_of((5, 6, *sequence.token_ids[:index])))
            assert entry.logprob == pytest.approx(row[entry.token_id])
        assert [entry.token_id for entry in sequence.logprobs] == sequence.token_ids


def test_options_that_mean_nothing_are_refused() -> None:
    for options in ({"num_candidates": 0}, {"horizon": -1}, {"weight": float("inf")}, {"order": "x"}, {"patience": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Cdlh(Smooth(), **options)
    with pytest.raises(ValueError, match="block"):
        Cdlh(Smooth(), DRAFT, block=True)
    with pytest.raises(ValueError, match="num_beams"):
        Beam(Smooth(), 0)
    for options in ({"num_samples": 0}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            BestOf(Smooth(), **options)


# Best of n.


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("grammar", [None, even])
def test_best_of_one_is_plain(temperature, grammar) -> None:
    for seed, prompt in enumerate(PROMPTS):
        choice = {"temperature": temperature, "seed": seed, "grammar": grammar}
        assert text_of(run(BestOf(Smooth(), 1), prompt, **choice)[0]) == text_of(run(plain, prompt, **choice)[0])


def test_best_of_n_keeps_the_best_sample_and_reads_the_prompt_once() -> None:
    reward, tokens, n = Smooth(), 9, 6
    sequence, target, _ = run(BestOf(reward, n), [5, 6, 7], max_tokens=tokens, temperature=1.0, **ENDLESS)
    rewards = sequence.details["sample_rewards"]
    assert len(set(rewards)) == n, "the samples differ"
    assert sequence.details["reward"] == max(rewards)
    assert target.num_forwards == tokens
    assert target.num_positions <= 3 + n * (tokens - 1)
    assert sequence.stats.num_reward_calls == 2
    more = run(BestOf(reward, 2 * n), [5, 6, 7], max_tokens=tokens, temperature=1.0, **ENDLESS)[0]
    assert more.details["sample_rewards"][:n] == rewards
    assert more.details["reward"] >= sequence.details["reward"]


@pytest.mark.parametrize("grammar", [None, even])
@pytest.mark.parametrize("num_beams", [1, 2, 5])
def test_beam_is_the_twins(num_beams, grammar) -> None:
    for prompt in PROMPTS[:4]:
        for reward in (Smooth(), Wanted()):
            world = world_of(prompt, reward, grammar=grammar, max_tokens=12)
            sequence, target, _ = run(Beam(reward, num_beams), prompt, grammar=grammar, max_tokens=12, temperature=1.0)
            assert _same(text_of(sequence), twin.beam(world, num_beams), grammar)
            assert num_beams > 1 or _same(text_of(sequence), twin.greedy(world), grammar)
            assert target.num_positions <= len(prompt) + 11 * num_beams


def test_a_dead_end_of_all_texts_is_an_error() -> None:
    for strategy in (BestOf(Wanted(), 3), Beam(Wanted(), 3), Cdlh(Wanted()), Cdsl(Wanted(), DRAFT), CdslTree(Wanted(), DRAFT)):
        with pytest.raises(DeadEndError):
            run(strategy, [5], grammar=lambda prefix: {7, 8} if len(prefix) < 2 else set())


def test_contexts_are_left_clean() -> None:
    for strategy in (Cdlh(Wanted()), BestOf(Wanted(), 3), Beam(Wanted(), 3)):
        _, target, draft = run(strategy, [5, 6])
        assert (target.committed, target.open, draft.committed) == ({}, {}, {})
