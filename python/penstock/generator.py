"""`Generator`: a model, an output type and a strategy; call it with a prompt and get a value.

All doors (call, run, stream, batch, map, submit, acall, astream) queue jobs on the model's engine and drive it, so that
whatever runs on one model at one time shares its forwards, from whatever thread or Generator it comes.
Next: `decoding/engine.py` for the loop, `types.py` for output types, `result.py` for what comes back.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Generator as PyGenerator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

from penstock.decoding.engine import Job, Strategy
from penstock.decoding.sequence import Sequence as Text
from penstock.decoding.strategies.plain import plain
from penstock.decoding.text import TextAssembler
from penstock.errors import DraftMismatchError, GenerationError, IncompleteOutputError, PenstockError
from penstock.models.model import Model
from penstock.partial_json import NOTHING, PartialJson
from penstock.result import Done, Event, PartialValue, Result, TextDelta
from penstock.sampling import Sampling
from penstock.types import OutputSpec, describe

__all__ = ["Generator", "OnLength", "Prompt"]

T = TypeVar("T")
Prompt: TypeAlias = str | Sequence[Mapping[str, Any]] | Sequence[int]
"""A text, a conversation for the chat template, or token ids."""
OnLength: TypeAlias = Literal["error", "close", "return"]

DEFAULT_MAX_TOKENS = 1024
AUTO_BUDGET = 32  # a ceiling: the automatic drafter proposes what pays at the model's `width_cost` and `setup_cost`
RECYCLING_WIDTH_COST = 0.1  # where a node costs more, what a model liked behind a token once hardly ever pays
_GREEDY = Sampling()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    max_tokens: int
    sampling: Sampling
    on_length: OnLength


class Generator(Generic[T]):
    """Writes values of one output type. Immutable after construction; use it from as many threads as you like.

    strategy: how to decode, such as `penstock.decoding.Cdlh(...)`; None decodes plainly, or with drafts where `drafter` is
    given. drafter: "auto" drafts by retrieval from the prompt and earlier outputs, None drafts nothing, or any `Drafter`.
    Raises GrammarError when the output type cannot be compiled, TypeError when it is none, DraftMismatchError when a draft
    model has another vocabulary.
    """

    @overload
    def __init__(
        self: Generator[str], model: Model, output_type: type[str] = ..., *, strategy: Strategy | None = ..., drafter: Any = ...
    ) -> None: ...
    @overload
    def __init__(self, model: Model, output_type: type[T], *, strategy: Strategy | None = ..., drafter: Any = ...) -> None: ...
    @overload
    def __init__(
        self: Generator[Any], model: Model, output_type: Any, *, strategy: Strategy | None = ..., drafter: Any = ...
    ) -> None: ...
    def __init__(
        self, model: Model, output_type: Any = str, *, strategy: Strategy | None = None, drafter: Any = "auto"
    ) -> None:
        self.model = model
        self.spec: OutputSpec = describe(output_type)
        self.compiled = None if self.spec.compile is None else self.spec.compile(model.compiler)
        self.strategy: Strategy = strategy if strategy is not None else _default_strategy(model, drafter)
        for name, other in getattr(self.strategy, "models", {}).items():
            if other.tokenizer.vocabulary.vocab != model.tokenizer.vocabulary.vocab:
                raise DraftMismatchError(
                    f"the {name} model `{other.name}` and the model `{model.name}` have different vocabularies; "
                    "use models of one family"
                )

    def __repr__(self) -> str:
        return f"Generator({self.model!r}, {self.spec.name})"

    # Doors.

    def __call__(
        self, prompt: Prompt, *, max_tokens: int | None = None, sampling: Sampling = _GREEDY, on_length: OnLength | None = None
    ) -> T:
        """Return the value that the model writes for a prompt.

        max_tokens: at most so many output tokens; None: 1,024, or what the context length leaves. on_length: what happens
        when they end too early: "error" raises IncompleteOutputError (the default), "close" appends the shortest
        completion, "return" hands out what there is, without a value (the default for str).
        """
        if sampling.num_samples != 1:
            raise ValueError(f"`num_samples` is `{sampling.num_samples}`, but a call returns one value; use run(...).samples")
        return self._value(self.run(prompt, max_tokens=max_tokens, sampling=sampling, on_length=on_length))

    def run(
        self, prompt: Prompt, *, max_tokens: int | None = None, sampling: Sampling = _GREEDY, on_length: OnLength | None = None
    ) -> Result[T]:
        """Return the value with its text, tokens, costs and seed; all samples are in `Result.samples`."""
        jobs = self._jobs(prompt, self._options(max_tokens, sampling, on_length))
        self._drive(jobs, lambda: all(job.done for job in jobs))
        return _first_of([job.future.result() for job in jobs])

    def stream(
        self, prompt: Prompt, *, max_tokens: int | None = None, sampling: Sampling = _GREEDY, on_length: OnLength | None = None
    ) -> Iterator[Event[T]]:
        """Yield TextDelta and, for JSON, PartialValue events, and Done at last. Closing the iterator cancels the run."""
        deltas: deque[str] = deque()
        job = self._one_job(prompt, self._options(max_tokens, sampling, on_length), deltas.append)
        return self._events(job, deltas)

    def _events(self, job: Job, deltas: deque[str]) -> PyGenerator[Event[T], None, None]:
        unfold = _Unfold(self.spec.is_json)
        self.model.engine.submit(job)
        try:
            while not job.done or deltas:
                self.model.engine.drive(lambda: bool(deltas) or job.done)
                while deltas:
                    yield from unfold(deltas.popleft())
            yield Done(job.future.result())
        finally:
            self.model.engine.cancel(job)

    def batch(
        self,
        prompts: Iterable[Prompt],
        *,
        errors: Literal["raise", "return"] = "raise",
        progress: Callable[[int, int], Any] | None = None,
        max_tokens: int | None = None,
        sampling: Sampling = _GREEDY,
        on_length: OnLength | None = None,
        results: bool = False,
    ) -> list[T]:
        """Return the values of many prompts, in their order, decoded side by side.

        errors: "raise" raises the first error and cancels the rest; "return" puts errors where their values would be.
        progress: called with (done, total) whenever a prompt is done. results: return `Result` objects instead of values.
        """
        options = self._options(max_tokens, sampling, on_length)
        jobs = [self._one_job(prompt, options) for prompt in prompts]
        tally = _Tally(jobs, errors, progress)
        self._drive(jobs, tally.settled)
        return [self._settled(job, errors, results) for job in tally.failed or jobs]

    def map(
        self,
        prompts: Iterable[Prompt],
        *,
        errors: Literal["raise", "return"] = "raise",
        max_tokens: int | None = None,
        sampling: Sampling = _GREEDY,
        on_length: OnLength | None = None,
        results: bool = False,
    ) -> Iterator[T]:
        """Yield the values of prompts in their order, lazily: only as many prompts are read as are decoded side by side."""
        options = self._options(max_tokens, sampling, on_length)
        source, window = iter(prompts), deque[Job]()
        engine = self.model.engine
        try:
            while True:
                while len(window) < engine.max_rows and (prompt := next(source, _END)) is not _END:
                    window.append(engine.submit(self._one_job(prompt, options)))
                if not window:
                    return
                engine.drive(lambda: window[0].done)
                yield self._settled(window.popleft(), errors, results)
        finally:
            for job in window:
                engine.cancel(job)

    def submit(
        self, prompt: Prompt, *, max_tokens: int | None = None, sampling: Sampling = _GREEDY, on_length: OnLength | None = None
    ) -> Future[Result[T]]:
        """Start a run and return its future; a thread of the engine drives it while nobody else does."""
        job = self._one_job(prompt, self._options(max_tokens, sampling, on_length))
        self.model.engine.detach(self.model.engine.submit(job))
        return job.future

    async def acall(
        self, prompt: Prompt, *, max_tokens: int | None = None, sampling: Sampling = _GREEDY, on_length: OnLength | None = None
    ) -> T:
        """Return the value that the model writes for a prompt; cancelling the task cancels the run."""
        job = self._one_job(prompt, self._options(max_tokens, sampling, on_length))
        self.model.engine.detach(self.model.engine.submit(job))
        try:
            return self._value(await asyncio.wrap_future(job.future))
        finally:
            await asyncio.to_thread(self.model.engine.cancel, job) if not job.done else None

    async def astream(
        self, prompt: Prompt, *, max_tokens: int | None = None, sampling: Sampling = _GREEDY, on_length: OnLength | None = None
    ) -> AsyncIterator[Event[T]]:
        """Yield what `stream` yields; closing the iterator cancels the run."""
        loop, news, deltas = asyncio.get_running_loop(), asyncio.Event(), deque[str]()

        def notify(delta: str | None) -> None:
            if delta:
                deltas.append(delta)
            if not loop.is_closed():
                loop.call_soon_threadsafe(news.set)

        job = self._one_job(prompt, self._options(max_tokens, sampling, on_length), notify)
        job.future.add_done_callback(lambda _: notify(None))
        unfold = _Unfold(self.spec.is_json)
        self.model.engine.detach(self.model.engine.submit(job))
        try:
            while not job.done or deltas:
                await news.wait()
                news.clear()
                while deltas:
                    for event in unfold(deltas.popleft()):
                        yield event
            yield Done(job.future.result())
        finally:
            job.cancelled = True

    def probabilities(self, prompt: Prompt) -> dict[Any, float]:
        """Return the probability of each value of a Choice, Literal, Enum or bool; they add up to 1.

        It is the model's own probability of writing the choice's text, in its usual tokens, and stopping there, divided by
        the sum over all choices. Cost: one forward for the prompt and one for all choices together.
        """
        from penstock.decoding.strategies.scoring import choice_logprobs

        if self.spec.choices is None:
            raise TypeError(f"`{self.spec.name}` has no fixed choices; use a Choice, Literal, Enum or bool")
        texts = [self.model.tokenizer.encode(text, add_special_tokens=False) for text in self.spec.choices]
        options = self._options(max(map(len, texts)) + 1, _GREEDY, "return")
        sequence = self._sequence(self._prompt_ids(prompt), options, seed=0, sample=0, deltas=None, matcher=None)
        job = Job(sequence, lambda text: choice_logprobs(text, texts), self._finish_scoring)
        self._drive([job], lambda: job.done)
        return dict(zip(self.spec.choices.values(), job.future.result(), strict=True))

    # From a request to jobs.

    def _options(self, max_tokens: int | None, sampling: Sampling, on_length: OnLength | None) -> _Options:
        if max_tokens is not None and max_tokens < 1:
            raise ValueError(f"`max_tokens` is `{max_tokens}`; give at least 1")
        if on_length not in (None, "error", "close", "return"):
            raise ValueError(f"`on_length` is `{on_length}`; give 'error', 'close' or 'return'")
        default: OnLength = "return" if self.compiled is None else "error"
        return _Options(max_tokens=max_tokens or DEFAULT_MAX_TOKENS, sampling=sampling, on_length=on_length or default)

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            ids = self.model.tokenizer.encode(prompt)
        elif len(prompt) and isinstance(prompt[0], Mapping):
            ids = self.model.tokenizer.apply_chat_template(prompt)  # type: ignore[arg-type]
        else:
            ids = [int(token) for token in prompt]  # type: ignore[arg-type]
        if not ids:
            raise ValueError("the prompt has no tokens; give some text, or the beginning-of-text token")
        return ids

    def _one_job(self, prompt: Prompt, options: _Options, deltas: Callable[[str], Any] | None = None) -> Job:
        if options.sampling.num_samples != 1:
            raise ValueError(
                f"`num_samples` is `{options.sampling.num_samples}`, but this returns one text; use run(...).samples"
            )
        return self._jobs(prompt, options, deltas)[0]

    def _jobs(self, prompt: Prompt, options: _Options, deltas: Callable[[str], Any] | None = None) -> list[Job]:
        prompt_ids = self._prompt_ids(prompt)
        seed = secrets.randbits(64) if options.sampling.seed is None else options.sampling.seed

        def finish(sequence: Text, error: BaseException | None) -> Result[T]:
            return self._finish(sequence, error, options)

        jobs = []
        for sample in range(options.sampling.num_samples):
            matcher = self._matcher()
            sequence = self._sequence(prompt_ids, options, seed=seed, sample=sample, deltas=deltas, matcher=matcher)
            jobs.append(Job(sequence, self.strategy, finish))
        return jobs

    def _matcher(self) -> Any:
        if self.compiled is None:
            return None
        from penstock import Matcher

        return Matcher(self.compiled)

    def _sequence(
        self,
        prompt_ids: list[int],
        options: _Options,
        *,
        seed: int,
        sample: int,
        deltas: Callable[[str], Any] | None,
        matcher: Any,
    ) -> Text:
        engine, limit = self.model.engine, self.model.max_positions
        room = options.max_tokens if limit is None else min(options.max_tokens, limit - len(prompt_ids))
        if room < 1:
            raise GenerationError(
                f"the prompt has `{len(prompt_ids)}` tokens, and the model takes `{limit}` in all; shorten it",
                code="context_length_exceeded",
            )
        contexts = {"target": engine.context_of(self.model)}
        for name, model in getattr(self.strategy, "models", {}).items():  # such as {"draft": a smaller model}
            contexts[name] = engine.context_of(model)
        return Text(
            prompt_ids,
            contexts,
            sampling=options.sampling,
            seed=seed,
            sample=sample,
            max_tokens=room,
            stop_token_ids=self.model.stop_token_ids,
            matcher=matcher,
            mask_size=self.model.vocab_size,
            text=TextAssembler(self.model.tokenizer.token_bytes, options.sampling.stop, on_text=deltas),
        )

    def _drive(self, jobs: list[Job], done: Callable[[], bool]) -> None:
        """Queue jobs and drive until `done()`; whatever ends this early cancels those that still run."""
        engine = self.model.engine
        for job in jobs:
            engine.submit(job)
        try:
            engine.drive(done)
        finally:
            for job in jobs:
                if not job.done:
                    engine.cancel(job)

    # From a finished sequence to a result.

    def _finish(self, sequence: Text, error: BaseException | None, options: _Options) -> Result[T]:
        """Return the result, or raise an error that carries it. Runs in the driving thread."""
        if error is not None:
            sequence.finish_reason = "error"
            raise _with_result(error, self._result(sequence, None))
        matcher, reason = sequence.matcher, sequence.finish_reason or "cancelled"
        complete = matcher is None or matcher.is_terminated() or matcher.is_accepting()
        if reason == "cancelled":
            return self._result(sequence, None)
        if not complete and options.on_length == "close":
            assert sequence.text is not None
            sequence.text.finish(matcher.shortest_completion_bytes())
            sequence.finish_reason, complete = "closed", True
        if options.on_length == "error" and (not complete or (matcher is None and reason == "length")):
            raise IncompleteOutputError(
                f"the output was not complete after `{len(sequence.token_ids)}` tokens; "
                "raise `max_tokens`, or ask for on_length='close'",
                result=self._result(sequence, None),
            )
        result = self._result(sequence, None)
        if not complete:
            return result
        try:
            return replace(result, value=self.spec.value_of(result.text))
        except PenstockError as failure:
            raise _with_result(failure, result) from failure.__cause__

    def _result(self, sequence: Text, value: T | None) -> Result[T]:
        assert sequence.text is not None
        sequence.text.finish()
        return Result(
            value=value,
            text=sequence.text.text,
            token_ids=list(sequence.token_ids),
            finish_reason=sequence.finish_reason or "cancelled",
            seed=sequence.noise.seed,
            logprobs=list(sequence.logprobs) if sequence.state.sampling.logprobs is not None else None,
            prompt_token_ids=sequence.prompt_ids,
            stats=sequence.stats,
            details=sequence.details,
        )

    def _finish_scoring(self, sequence: Text, error: BaseException | None) -> list[float]:
        if error is not None:
            raise _with_result(error, self._result(sequence, None))
        return list(sequence.details["probabilities"])

    def _value(self, result: Result[T]) -> T:
        """Return a result's value; a text that may end early stands for itself."""
        return result.value  # type: ignore[return-value]

    def _settled(self, job: Job, errors: str, results: bool) -> Any:
        failure = job.future.exception()
        if failure is not None:
            if errors == "raise":
                raise failure
            return failure
        return job.future.result() if results else self._value(job.future.result())


class _Unfold:
    """Deltas to events."""

    def __init__(self, is_json: bool) -> None:
        self._partial = PartialJson() if is_json else None
        self._last: Any = NOTHING

    def __call__(self, delta: str) -> Iterator[TextDelta | PartialValue]:
        yield TextDelta(delta)
        if self._partial is None:
            return
        self._partial.push(delta)
        value = self._partial.value()
        if value is not NOTHING and (self._last is NOTHING or value != self._last):
            self._last = value
            yield PartialValue(value)


class _Tally:
    """Counts the jobs of a batch that are done; `failed` holds those whose errors are to be raised."""

    def __init__(self, jobs: list[Job], errors: str, progress: Callable[[int, int], Any] | None) -> None:
        self.num_jobs, self.num_done, self.num_told = len(jobs), 0, 0
        self.failed: list[Job] = []
        self.progress = progress
        for job in jobs:
            job.future.add_done_callback(lambda future, job=job: self._done(job, errors == "raise"))  # type: ignore[misc]

    def _done(self, job: Job, raises: bool) -> None:
        self.num_done += 1
        if raises and job.future.exception() is not None:
            self.failed.append(job)

    def settled(self) -> bool:
        if self.progress is not None and self.num_done > self.num_told:
            self.num_told = self.num_done
            self.progress(self.num_done, self.num_jobs)
        return bool(self.failed) or self.num_done == self.num_jobs


_END: Any = object()


def _first_of(results: list[Result[T]]) -> Result[T]:
    return replace(results[0], samples=tuple(results)) if len(results) > 1 else results[0]


def _with_result(error: BaseException, result: Result[Any]) -> BaseException:
    """Return an error of ours that carries the result."""
    if not isinstance(error, PenstockError):
        wrapped = GenerationError(
            f"the run failed with `{type(error).__name__}: {error}`; its cause is attached", code="run_failed"
        )
        wrapped.__cause__ = error
        error = wrapped
    if error.result is None:
        error.result = result
    return error


def _default_strategy(model: Model, drafter: Any) -> Strategy:
    if drafter is None:
        return plain
    from penstock.decoding.lookahead import Lookahead

    if isinstance(drafter, str):
        if drafter != "auto":
            raise ValueError(f"`drafter` is `{drafter}`; give 'auto', None or a Drafter")
        from penstock.decoding.width import LearnedCost
        from penstock.drafting import Fallback, RecyclingDrafter, RetrievalDrafter

        cost = LearnedCost(model.width_cost, model.setup_cost)
        drafter = RetrievalDrafter(width_cost=cost)
        if model.width_cost < RECYCLING_WIDTH_COST:
            drafter = Fallback(drafter, RecyclingDrafter(width_cost=cost))
        return Lookahead(drafter, budget=AUTO_BUDGET)
    return Lookahead(drafter)
