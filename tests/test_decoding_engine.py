"""The laws of the loop, on oracle models: drafts never change a text, batches never change a row, errors stay in theirs."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from helpers.oracle import Drafts, OracleContext, PlainTree, ToyMatcher, prompt_lookup
from penstock.decoding.engine import Engine, Job
from penstock.decoding.lookahead import Lookahead
from penstock.decoding.sequence import Sequence
from penstock.decoding.strategies.plain import plain
from penstock.errors import DeadEndError, GenerationError
from penstock.sampling import Sampling

STOP = 1
PROMPTS = [[5, 6, 7], [9], [3, 3, 3, 3, 3, 3, 3], [2, 4]]


def run(strategy, *, context=None, prompts=PROMPTS, temperature=0.0, max_tokens=40, matcher=None, engine=None, **sampling):
    context = context or OracleContext()
    engine = engine or Engine()
    jobs = []
    for index, prompt in enumerate(prompts):
        sequence = Sequence(
            prompt,
            {"target": context},
            sampling=Sampling(temperature=temperature, **sampling),
            seed=index,
            max_tokens=max_tokens,
            stop_token_ids={STOP},
            matcher=matcher() if matcher else None,
        )
        jobs.append(engine.submit(Job(sequence, strategy, _finish)))
    engine.drive(lambda: all(job.done for job in jobs))
    return [job.future.result() if job.future.exception() is None else job.future.exception() for job in jobs]


def _finish(sequence, error):
    if error is not None:
        raise error
    return sequence


def outputs(sequences):
    return [(s.token_ids, s.finish_reason) for s in sequences]


def hostile(prefix, budget, random):
    """Full budget of anything: id 0, stop tokens, duplicates of siblings, the last id."""
    size = random.choice([0, 1, budget, budget])
    tokens = [random.choice([0, 0, STOP, 49, random.randrange(50)]) for _ in range(size)]
    return tokens, [random.randrange(0, node + 1) for node in range(size)]


def oracle_drafts(texts, prompts):
    """Nearly always right: the true continuation behind a wrong sibling, cut at a random length."""

    def propose(prefix, budget, random):
        full = next((p + t for p, t in zip(prompts, texts, strict=True) if (p + t)[: len(prefix)] == prefix), prefix)
        right = full[len(prefix) : len(prefix) + random.randrange(0, budget)] if budget else []
        if not right:
            return [], []
        return [49, *right], [0, 0, *range(2, len(right) + 1)]

    return Drafts(propose)


def four_letters(prefix):
    """Even ids, at least three of them; then a stop is allowed, after eight nothing else is."""
    if len(prefix) >= 8:
        return {STOP}
    return {*range(10, 50, 2)} | ({STOP} if len(prefix) >= 3 else set())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("grammar", [None, four_letters])
@pytest.mark.parametrize(
    "sampling",
    [
        {},
        {"top_k": 5, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
        {"top_p": 0.8, "min_p": 0.01, "presence_penalty": 1.0},
        {"bad_words_ids": ((12,), (14, 16), (20, 22, 24)), "logit_bias": {30: 4.0}, "repetition_penalty": 1.2, "top_k": 20},
    ],
)
def test_drafts_do_not_change_the_text(temperature, grammar, sampling) -> None:
    matcher = (lambda: ToyMatcher(grammar, {STOP})) if grammar else None
    options = dict(temperature=temperature, matcher=matcher, **sampling)
    expected = outputs(run(plain, **options))
    nothing = Drafts(lambda prefix, budget, random: ([], []))
    drafters = [
        nothing,
        Drafts(hostile),
        Drafts(hostile, seed=5),
        Drafts(prompt_lookup),
        oracle_drafts([t for t, _ in expected], PROMPTS),
    ]
    for drafter in drafters:
        for budget in (0, 1, 13):
            assert outputs(run(Lookahead(drafter, budget=budget), **options)) == expected
        assert all(session.finished for session in drafter.sessions)


def test_forced_text_is_drafted_behind_the_prompt_too_and_wrong_guesses_change_nothing() -> None:
    """Three forced ids, a free one, three forced ones, a free one, and the end."""

    def grammar(prefix):
        return {STOP} if len(prefix) == 8 else {20 + len(prefix)} if len(prefix) % 4 < 3 else set(range(2, 20))

    class Jumping(ToyMatcher):
        wrong = False

        def jump_forward_tokens(self, *, canonical=False):
            start = len(self.taken) % 4
            right = [20 + len(self.taken) + i for i in range(3 - start)] if len(self.taken) < 8 else []
            return [49, *right] if self.wrong else right

    def runs(wrong, strategy):
        matcher = type("M", (Jumping,), {"wrong": wrong})
        context = OracleContext()
        return outputs(run(strategy, matcher=lambda: matcher(grammar, {STOP}), context=context)), context.num_forwards

    expected, num_forwards = runs(False, plain)
    for drafter in (None, Drafts(prompt_lookup), Drafts(hostile)):
        for wrong in (False, True):
            assert runs(wrong, Lookahead(drafter, budget=6))[0] == expected
    assert (num_forwards, runs(False, Lookahead(None))[1]) == (8, 2)


def test_right_drafts_save_forwards() -> None:
    context, fast = OracleContext(scale=5.0), OracleContext(scale=5.0)
    expected = run(plain, context=context)
    drafted = run(Lookahead(oracle_drafts([s.token_ids for s in expected], PROMPTS), budget=12), context=fast)
    assert outputs(drafted) == outputs(expected)
    assert fast.num_forwards < context.num_forwards / 2
    assert sum(s.stats.num_accepted_tokens for s in drafted) > 50


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_batch_is_its_rows_one_by_one(temperature) -> None:
    together = outputs(run(plain, temperature=temperature))
    assert together[2:3] != together[0:1]
    for index, prompt in enumerate(PROMPTS):
        sequence = Sequence(
            prompt,
            {"target": OracleContext()},
            sampling=Sampling(temperature=temperature),
            seed=index,
            max_tokens=40,
            stop_token_ids={STOP},
        )
        engine = Engine()
        job = engine.submit(Job(sequence, plain, _finish))
        engine.drive(lambda job=job: job.done)
        assert (sequence.token_ids, sequence.finish_reason) == together[index]


def test_rows_share_forwards_and_the_rest_waits() -> None:
    context = OracleContext()
    run(
        plain,
        context=context,
        engine=Engine(max_rows=3),
        max_tokens=5,
        prompts=[[n] for n in range(2, 12)],
        logit_bias={STOP: -1e9},
    )
    assert max(context.batch_sizes) == 3
    assert context.committed == {}
    assert context.open == {}


def test_an_error_in_one_row_leaves_the_others_alone() -> None:
    expected = outputs(run(plain))

    def strategy(sequence):
        if sequence.prompt_ids == [9]:
            yield from _breaks(sequence)
        yield from plain(sequence)

    results = run(strategy)
    assert isinstance(results[1], ZeroDivisionError)
    assert outputs(r for i, r in enumerate(results) if i != 1) == [e for i, e in enumerate(expected) if i != 1]


def _breaks(sequence):
    yield "target", sequence.chain(sequence.prompt_ids)
    raise ZeroDivisionError


def test_a_failing_forward_fails_the_guilty_row_alone() -> None:
    expected = outputs(run(plain))
    results = run(plain, context=OracleContext(fail_on=(9,)))
    assert isinstance(results[1], RuntimeError)
    for index in (0, 2, 3):
        if 9 not in expected[index][0]:
            assert outputs([results[index]]) == expected[index : index + 1]


def test_a_dead_end_and_a_bad_tree_fail_their_row() -> None:
    results = run(plain, matcher=lambda: ToyMatcher(lambda prefix: {7} if len(prefix) < 2 else set(), {STOP}))
    assert all(isinstance(r, DeadEndError) for r in results)
    for columns in (
        ([8], [-1]),
        ([0, 1], [-1, 1]),
        ([0], [0]),
        ([0, 3], [-1]),
        ([], []),
    ):

        class Bad:
            def start(self, prompt_ids, *, noise=None):
                return self

            def propose(self, budget, columns=columns):
                token_ids = [self.last if t == 0 and i == 0 else t for i, t in enumerate(columns[0])]
                return PlainTree(token_ids, columns[1])

            def extend(self, token_ids):
                self.last = token_ids[-1]

            def finish(self):
                pass

        (error,) = run(Lookahead(Bad(), budget=4), prompts=[[2, 4]], logit_bias={8: -1e9, STOP: -1e9})
        assert isinstance(error, GenerationError)
        assert error.code == "draft_invalid"


def test_a_stop_token_waits_for_the_grammar_and_a_finished_grammar_needs_no_stop() -> None:
    context = OracleContext()
    results = run(plain, context=context, matcher=lambda: ToyMatcher(four_letters, {STOP}), logit_bias={STOP: -50.0})
    assert [len(s.token_ids) for s in results] == [8] * 4
    assert {s.finish_reason for s in results} == {"stop"}
    assert context.num_forwards == 8
    eager = run(plain, matcher=lambda: ToyMatcher(four_letters, {STOP}), logit_bias={STOP: 50.0})
    assert [len(s.token_ids) for s in eager] == [3] * 4


def test_length_ends_a_text() -> None:
    results = run(Lookahead(Drafts(hostile), budget=9), max_tokens=6, logit_bias={STOP: -1e9})
    assert [(len(s.token_ids), s.finish_reason) for s in results] == [(6, "length")] * 4


def test_logprobs_are_the_models_own() -> None:
    (sequence,) = run(plain, prompts=[[5, 6]], temperature=1.0, logprobs=3, max_tokens=4, logit_bias={STOP: -1e9, 20: 100.0})
    context = OracleContext()
    for index, entry in enumerate(sequence.logprobs):
        z = context.logits_of((5, 6, *sequence.token_ids[:index])).astype(np.float64)
        expected = z - np.log(np.exp(z).sum())
        assert entry.token_id == sequence.token_ids[index]
        assert entry.logprob == pytest.approx(expected[entry.token_id])
        assert [t for t, _ in entry.top] == np.argsort(-expected)[:3].tolist()
    assert len(sequence.logprobs) == len(sequence.token_ids)


def test_threads_join_one_batch() -> None:
    expected = outputs(run(plain, max_tokens=30))
    context, engine = OracleContext(), Engine()
    gate, answers = threading.Barrier(4), {}

    def work(index):
        sequence = Sequence(
            PROMPTS[index], {"target": context}, sampling=Sampling(), seed=index, max_tokens=30, stop_token_ids={STOP}
        )
        job = engine.submit(Job(sequence, plain, _finish))
        gate.wait()
        engine.drive(lambda: job.done)
        answers[index] = (sequence.token_ids, sequence.finish_reason)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [answers[index] for index in range(4)] == expected
    assert max(context.batch_sizes) == 4


def test_detached_jobs_end_by_themselves_and_cancelled_ones_too() -> None:
    context, engine = OracleContext(), Engine()
    jobs = []
    for index, prompt in enumerate(PROMPTS):
        sequence = Sequence(prompt, {"target": context}, sampling=Sampling(logit_bias={STOP: -1e9}), seed=index, max_tokens=50)
        jobs.append(engine.submit(Job(sequence, plain, _finish)))
    engine.cancel(jobs[1])
    for job in jobs:
        engine.detach(job)
    assert [job.future.result(timeout=60).finish_reason for job in jobs] == ["length", "cancelled", "length", "length"]


def test_ctrl_c_in_a_step_ends_what_ran_and_leaves_the_engine_usable() -> None:
    engine, context = Engine(), OracleContext()
    extend, calls = context.extend, []

    def interrupted(growths):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return extend(growths)

    context.extend = interrupted
    with pytest.raises(KeyboardInterrupt):
        run(plain, context=context, engine=engine)
    assert context.committed == {}
    assert outputs(run(plain, context=context, engine=engine)) == outputs(run(plain))
