"""The Generator's doors all give one text; errors, lengths, stops, threads and cancellation, on an oracle model."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.oracle import Drafts, prompt_lookup
from helpers.oracle_model import OracleModel, TextMatcher, encode, json_texts
from penstock.decoding.draft_model import ModelDrafter
from penstock.decoding.lookahead import Lookahead
from penstock.errors import DraftMismatchError, GenerationError, IncompleteOutputError, OutputValidationError, TokenizerError
from penstock.generator import Generator
from penstock.models.tokenizer import Tokenizer
from penstock.result import Done, PartialValue, TextDelta
from penstock.sampling import Sampling
from penstock.tokenizer import Vocabulary
from penstock.types import OutputSpec

WARM = Sampling(temperature=1.0, seed=7)
PROMPTS = ["once", "abab", "the end", "x"]


class Texts(Generator):
    """A generator for a finite set of texts."""

    def __init__(self, model, texts, parse=json.loads, **options) -> None:
        self.texts = texts
        super().__init__(model, OutputSpec("texts", lambda compiler: texts, parse, is_json=True), **options)

    def _matcher(self):
        return TextMatcher(self.texts)


def free(**options) -> Generator[str]:
    return Generator(OracleModel(), drafter=options.pop("drafter", None), **options)


@pytest.fixture
def typed() -> Texts:
    return Texts(OracleModel(), json_texts(), drafter=None)


def test_call_run_stream_submit_and_async_give_one_text() -> None:
    generate = free()
    result = generate.run("once", sampling=WARM, max_tokens=30)
    assert generate("once", sampling=WARM, max_tokens=30) == result.text
    events = list(generate.stream("once", sampling=WARM, max_tokens=30))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == result.text
    assert isinstance(events[-1], Done)
    assert generate.submit("once", sampling=WARM, max_tokens=30).result(timeout=60).token_ids == result.token_ids

    async def both():
        value = await generate.acall("once", sampling=WARM, max_tokens=30)
        return value, [event async for event in generate.astream("once", sampling=WARM, max_tokens=30)]

    value, more = asyncio.run(both())
    assert value == result.text
    assert "".join(e.text for e in more if isinstance(e, TextDelta)) == result.text
    assert more[-1].result.token_ids == result.token_ids


@pytest.mark.parametrize("sampling", [Sampling(), WARM])
def test_batch_and_map_are_one_by_one(sampling) -> None:
    generate = free()
    one_by_one = [generate(prompt, sampling=sampling, max_tokens=20) for prompt in PROMPTS]
    assert generate.batch(PROMPTS, sampling=sampling, max_tokens=20) == one_by_one
    assert list(generate.map(iter(PROMPTS), sampling=sampling, max_tokens=20)) == one_by_one
    assert [r.text for r in generate.batch(PROMPTS, sampling=sampling, max_tokens=20, results=True)] == one_by_one


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_drafting_gives_the_same_values(temperature) -> None:
    sampling = Sampling(temperature=temperature, seed=3)
    plain, model = Texts(OracleModel(), json_texts(), drafter=None), OracleModel()
    drafted = Texts(model, json_texts(), drafter=Drafts(prompt_lookup))
    prompts = ['{"name": "aba", "n": 23}', '{"name": "', "x"]
    assert drafted.batch(prompts, sampling=sampling) == plain.batch(prompts, sampling=sampling)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_draft_model_changes_the_price_only(temperature, noise) -> None:
    sampling = Sampling(temperature=temperature, seed=3, repetition_penalty=1.1)
    prompts = ["abc", "x", '{"name']
    for make in (
        lambda **options: Generator(OracleModel(), **options),
        lambda **options: Texts(OracleModel(), json_texts(), **options),
    ):
        plain = make(drafter=None).batch(prompts, sampling=sampling, max_tokens=30, results=True)
        draft = OracleModel(noise=noise)
        drafted = make(drafter=ModelDrafter(draft, num_tokens=3)).batch(prompts, sampling=sampling, max_tokens=30, results=True)
        assert [r.token_ids for r in drafted] == [r.token_ids for r in plain]
        assert draft.contexts[0].committed == {}
        if not noise:
            assert all(r.stats.acceptance_rate == 1 for r in drafted if r.stats.num_draft_tokens)
            assert sum(r.stats.num_forwards for r in drafted) < 0.5 * sum(r.stats.num_forwards for r in plain)
            assert all(r.stats.forwards["draft"] > 0 for r in drafted)


def test_a_draft_model_of_another_vocabulary_is_refused() -> None:
    other = OracleModel()
    other.tokenizer = Tokenizer(Vocabulary((b"a", b"b"), (1,), (1,), 2), encode)
    with pytest.raises(DraftMismatchError, match="oracle"):
        Generator(OracleModel(), drafter=ModelDrafter(other))


def test_threads_share_the_engine_and_get_their_own_texts() -> None:
    generate = free(strategy=Lookahead(Drafts(prompt_lookup), budget=4))
    expected = {prompt: generate(prompt, sampling=WARM, max_tokens=40) for prompt in PROMPTS}
    gate = threading.Barrier(4)

    def work(prompt):
        gate.wait()
        return generate(prompt, sampling=WARM, max_tokens=40)

    with ThreadPoolExecutor(4) as pool:
        assert dict(zip(PROMPTS, pool.map(work, PROMPTS), strict=True)) == expected
    (context,) = generate.model.contexts
    assert context.committed == {}


def test_a_value_comes_back_with_its_text_and_costs(typed) -> None:
    result = typed.run("x", sampling=Sampling(logprobs=2))
    assert result.value == json.loads(result.text)
    assert result.text in json_texts()
    assert result.finish_reason == "stop"
    assert len(result.logprobs) == len(result.token_ids)
    assert result.stats.num_forwards == len(result.token_ids)
    assert result.stats.seconds >= result.stats.mask_seconds > 0
    assert pickle.loads(pickle.dumps(result)) == result


def test_partial_values_grow_into_the_value(typed) -> None:
    events = list(typed.stream("x"))
    partial = [e.value for e in events if isinstance(e, PartialValue)]
    value = events[-1].result.value
    assert partial[0] == {}
    assert partial[-1] == value
    assert all(value["name"].startswith(p.get("name", "")) for p in partial)


def test_length_error_close_and_return(typed) -> None:
    with pytest.raises(IncompleteOutputError) as caught:
        typed("x", max_tokens=4)
    assert caught.value.result.finish_reason == "length"
    assert len(caught.value.result.token_ids) == 4
    closed = typed.run("x", max_tokens=4, on_length="close")
    assert closed.finish_reason == "closed"
    assert closed.text in json_texts()
    assert closed.value == json.loads(closed.text)
    assert closed.text.startswith(caught.value.result.text)
    kept = typed.run("x", max_tokens=4, on_length="return")
    assert (kept.value, kept.text) == (None, caught.value.result.text)
    events = list(typed.stream("x", max_tokens=4, on_length="close"))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == closed.text
    assert len(free().run("x", max_tokens=4, sampling=Sampling(logit_bias={1: -1e9})).token_ids) == 4
    with pytest.raises(IncompleteOutputError):
        free()("x", max_tokens=4, on_length="error", sampling=Sampling(logit_bias={1: -1e9}))


def test_stop_strings_end_the_text_and_are_not_part_of_it() -> None:
    sampling = Sampling(
        temperature=1.0, seed=1, stop=("ab", "st"), logit_bias={1: -1e9, encode("ab")[0]: 6.0, encode("a")[0]: 4.0}
    )
    result = free().run("x", sampling=sampling, max_tokens=80)
    assert result.finish_reason == "stop_string"
    assert "ab" not in result.text
    assert "st" not in result.text
    events = list(free().stream("x", sampling=sampling, max_tokens=80))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == result.text


def test_halves_of_characters_wait_for_each_other() -> None:
    half = {1: -1e9, **{t: 40.0 for t in (43, 44)}}
    generate = free()
    events = [
        e.text
        for e in generate.stream("x", sampling=Sampling(temperature=1.0, seed=2, logit_bias=half), max_tokens=30)
        if isinstance(e, TextDelta)
    ]
    assert "é" in "".join(events)
    result = generate.run("x", sampling=Sampling(temperature=1.0, seed=2, logit_bias=half), max_tokens=30)
    assert "".join(events) == result.text


def test_samples_differ_and_the_first_is_the_single_one() -> None:
    generate = free()
    several = generate.run("x", sampling=Sampling(temperature=1.0, seed=9, num_samples=3), max_tokens=12)
    single = generate.run("x", sampling=Sampling(temperature=1.0, seed=9), max_tokens=12)
    assert several.samples[0].text == several.text == single.text
    assert len({sample.text for sample in several.samples}) == 3
    for door in (
        generate,
        generate.stream,
        generate.submit,
        lambda prompt, sampling: generate.batch([prompt], sampling=sampling),
    ):
        with pytest.raises(ValueError, match="num_samples"):
            door("x", sampling=Sampling(num_samples=2))


def test_a_missing_seed_is_drawn_and_recorded() -> None:
    generate = free()
    first = generate.run("x", sampling=Sampling(temperature=1.0), max_tokens=12)
    again = generate.run("x", sampling=Sampling(temperature=1.0, seed=first.seed), max_tokens=12)
    assert again.text == first.text
    assert generate.run("x", sampling=Sampling(temperature=1.0), max_tokens=12).seed != first.seed


def test_an_error_of_one_prompt_stays_there_or_is_raised() -> None:
    model = OracleModel(fail_on=(encode("z")[0],))
    generate = Generator(model, drafter=None)
    quiet = Sampling(logit_bias={encode("z")[0]: -1e9})
    values = generate.batch(["abc", "z", "b"], errors="return", max_tokens=9, sampling=quiet)
    assert isinstance(values[1], GenerationError)
    assert isinstance(values[1].__cause__, RuntimeError)
    assert values[1].result.finish_reason == "error"
    assert [values[0], values[2]] == [generate(p, max_tokens=9, sampling=quiet) for p in ("abc", "b")]
    with pytest.raises(GenerationError):
        generate.batch(["abc", "z", "b"], max_tokens=9, sampling=quiet)
    assert generate("abc", max_tokens=9, sampling=quiet) == values[0]


def test_a_value_that_cannot_be_built_is_a_validation_error() -> None:
    def parse(text):
        raise ValueError("no")

    with pytest.raises(OutputValidationError) as caught:
        Texts(OracleModel(), json_texts(), parse, drafter=None)("x")
    assert caught.value.result.text in json_texts()
    assert pickle.loads(pickle.dumps(caught.value)).result == caught.value.result


def test_progress_and_lazy_map() -> None:
    generate, told = free(), []
    generate.batch(PROMPTS, max_tokens=3, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4)
    generate.model.engine.max_rows = 2
    read = []
    values = generate.map((read.append(p) or p for p in PROMPTS * 10), max_tokens=3)
    next(values)
    assert len(read) == 2
    values.close()
    generate("x", max_tokens=2)
    assert generate.model.contexts[0].committed == {}


def test_closing_a_stream_cancels_the_run() -> None:
    generate = free()
    stream = generate.stream("x", sampling=Sampling(logit_bias={1: -1e9}), max_tokens=300)
    next(stream)
    stream.close()
    (context,) = generate.model.contexts
    assert context.committed == {}
    assert context.num_forwards < 300


def test_a_cancelled_task_cancels_the_run() -> None:
    generate = free()

    async def cut() -> None:
        task = asyncio.create_task(generate.acall("x", sampling=Sampling(logit_bias={1: -1e9}), max_tokens=390))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut())
    assert generate("x", max_tokens=3) == free()("x", max_tokens=3)


def test_prompts_are_texts_ids_or_conversations() -> None:
    generate = free()
    assert generate(encode("once"), max_tokens=5) == generate("once", max_tokens=5)
    with pytest.raises(TokenizerError, match="chat template"):
        generate([{"role": "user", "content": "hi"}])
    for empty in ("", []):
        with pytest.raises(ValueError, match="no tokens"):
            generate(empty)
    with pytest.raises(GenerationError, match="400"):
        generate([5] * 400)
    assert len(generate.run([5] * 397, sampling=Sampling(logit_bias={1: -1e9})).token_ids) == 3
    for options in ({"max_tokens": 0}, {"on_length": "stop"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            generate("x", **options)


def test_probabilities_are_the_models_own() -> None:
    import numpy as np
    from penstock.decoding.sampling import log_softmax

    texts = ["ab", "abc", "true", "é"]
    generate = Generator(OracleModel(), OutputSpec("choice", lambda c: texts, str, choices={t: t for t in texts}), drafter=None)
    found = generate.probabilities("x")
    context, weights = generate.model.contexts[0], []
    for text in texts:
        path, total = tuple(encode("x")), 0.0
        for token in [*encode(text), 1]:
            total += log_softmax(context.logits_of(path))[token]
            path = (*path, token)
        weights.append(np.exp(total))
    assert [found[t] for t in texts] == pytest.approx([w / sum(weights) for w in weights])
    assert context.num_forwards == 2
    with pytest.raises(TypeError, match="choices"):
        free().probabilities("x")


def test_a_run_inside_a_run_of_one_model_is_refused_and_not_a_deadlock() -> None:
    model = OracleModel()
    inner = Generator(model, drafter=None)

    def parse(text):
        return inner("x", max_tokens=2)

    with pytest.raises(OutputValidationError) as caught:
        Texts(model, json_texts(), parse, drafter=None)("x")
    assert caught.value.__cause__.code == "nested_run"
    assert inner("x", max_tokens=2) == free()("x", max_tokens=2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_forked_child_can_generate_while_the_parent_does() -> None:
    generate = free()
    expected = generate("once", max_tokens=10)
    future = generate.submit("once", sampling=Sampling(logit_bias={1: -1e9}), max_tokens=300)
    child = os.fork()
    if child == 0:
        os._exit(0 if generate("once", max_tokens=10) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(future.result(timeout=60).token_ids) == 300
