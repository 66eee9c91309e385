"""The one engine: it batches the growths of all rows into one forward per model; everything else is a door to `step`.

    step: admit waiting jobs; for each model: launch the forward of all rows that want it -> (on a device) fill masks
          meanwhile -> hand each row its logits -> its strategy, a generator, asks for its next growth or ends

An error fails its row, never the batch: when a shared forward raises, its rows are tried one by one and the guilty fail.
No thread is needed: whoever waits for a result drives, one driver at a time, and all rows of all callers move together.
`detach` starts a thread that drives while futures are open that nobody waits for.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from typing import Any, TypeAlias

from penstock.decoding.context import Context, Growth, Logits, Row, launch
from penstock.decoding.sequence import Sequence
from penstock.errors import GenerationError

__all__ = ["Engine", "Job", "Strategy"]

Strategy: TypeAlias = Callable[[Sequence], Generator[tuple[str, Growth], Logits, None]]
"""Written for one sequence: yields (model name, growth), receives logits [num_logits, vocab], returns when it is done."""

_log = logging.getLogger("penstock")


class Job:
    """One sequence under way. `future` gets what `finish(sequence, error)` returns or raises, in the driving thread."""

    __slots__ = ("cancelled", "finish", "future", "generator", "sequence", "started", "wanted")

    def __init__(
        self,
        sequence: Sequence,
        strategy: Strategy,
        finish: Callable[[Sequence, BaseException | None], Any],
        future: Future[Any] | None = None,
    ) -> None:
        self.sequence = sequence
        self.generator = strategy(sequence)
        self.finish = finish
        self.future: Future[Any] = Future() if future is None else future
        self.wanted: tuple[str, Growth] | None = None
        self.cancelled = False
        self.started = time.perf_counter()

    @property
    def done(self) -> bool:
        return self.future.done()


class Engine:
    """Runs jobs over shared contexts; at most `max_rows` at a time, the others wait in order. Thread-safe."""

    def __init__(self, *, max_rows: int = 16) -> None:
        self.max_rows = max_rows
        self._live: dict[Row, Job] = {}
        self._waiting: deque[Job] = deque()
        self._contexts: dict[Any, Context] = {}
        self._renew()
        _engines.add(self)

    def _renew(self) -> None:
        self._turn = threading.Condition()
        self._stepping = False
        self._driver: int | None = None  # the thread that steps
        self._thread: threading.Thread | None = None
        self._detached: set[Future[Any]] = set()

    def context_of(self, model: Any) -> Context:
        """Return the context that this engine keeps for a model, made at the first call."""
        with self._turn:
            if model not in self._contexts:
                self._contexts[model] = model.new_context()
            return self._contexts[model]

    # Doors.

    def submit(self, job: Job) -> Job:
        """Queue a job; it moves when somebody drives."""
        with self._turn:
            self._waiting.append(job)
            self._turn.notify_all()
        return job

    def cancel(self, job: Job) -> None:
        """Let a job go at the next step; a finished job is left alone."""
        job.cancelled = True
        with self._turn:
            if self._stepping or job.done:
                return
            self._sweep()

    def drive(self, done: Callable[[], bool]) -> None:
        """Step, or wait while another thread steps, until `done()`.

        Raises GenerationError inside a step: a validator or a reward that generates on the same model would wait for itself.
        """
        while True:
            with self._turn:
                if self._driver == threading.get_ident():
                    raise GenerationError(
                        "a run was started inside a run of the same model; start it afterwards, or load the model twice",
                        code="nested_run",
                    )
                while not done() and self._stepping:
                    self._turn.wait()
                if done():
                    return
                self._stepping, self._driver = True, threading.get_ident()
            try:
                self.step()
            finally:
                with self._turn:
                    self._stepping, self._driver = False, None
                    self._sweep()
                    self._turn.notify_all()

    def detach(self, job: Job) -> None:
        """See to it that a job ends though nobody waits for it: a thread drives until no such job is left."""
        with self._turn:
            self._detached.add(job.future)
            if self._thread is None:
                self._thread = threading.Thread(target=self._drive_detached, name="penstock-engine")
                self._thread.start()

    def _drive_detached(self) -> None:
        while True:
            with self._turn:
                self._detached = {future for future in self._detached if not future.done()}
                if not self._detached:
                    self._thread = None
                    return
                waited = next(iter(self._detached))
            try:
                self.drive(waited.done)
            except Exception:  # the live jobs have got the error; those that wait go on
                _log.exception("a step failed")

    # The loop.

    def step(self) -> None:
        """Move every live row by one forward of the model it wants. Call it through `drive` where threads are around."""
        try:
            with self._turn:
                self._sweep()
                admitted = self._admit()
            for job in admitted:
                self._resume(job, None)
            for context in self._wanted_contexts():
                growths = {row: job.wanted[1] for row, job in self._live.items() if job.wanted and _context(job) is context}
                if growths:
                    self._forward(context, growths)
        except BaseException as error:  # Ctrl-C in the middle of a step: the state of the live rows is unknown
            self._abort(error)
            raise

    def _wanted_contexts(self) -> list[Context]:
        return list(
            {id(context): context for job in self._live.values() for context in job.sequence.contexts.values()}.values()
        )

    def _sweep(self) -> None:
        """Let cancelled jobs go. The caller holds the turn, and nobody steps."""
        gone = [job for job in (*self._live.values(), *self._waiting) if job.cancelled or job.future.cancelled()]
        for job in gone:
            if job in self._waiting:
                self._waiting.remove(job)
            if not job.sequence.finished:
                job.sequence.finish_reason = "cancelled"
            self._end(job, None)

    def _admit(self) -> list[Job]:
        admitted = []
        while self._waiting and len(self._live) < self.max_rows:
            job = self._waiting.popleft()
            if not job.future.set_running_or_notify_cancel():
                continue
            row = next(row for row in range(len(self._live) + 1) if row not in self._live)
            job.sequence.row = row
            self._live[row] = job
            admitted.append(job)
        return admitted

    def _forward(self, context: Context, growths: Mapping[Row, Growth]) -> None:
        start = time.perf_counter()
        try:
            pending = launch(context, growths)
            if hasattr(context, "launch"):
                for row in growths:
                    self._live[row].sequence.fill_bitmasks()
            logits = pending()
        except Exception as error:
            self._forward_failed(context, growths, error)
            return
        seconds = time.perf_counter() - start
        for row, growth in growths.items():
            job = self._live[row]
            _count(job, growth, seconds)
            self._resume(job, logits[row])

    def _forward_failed(self, context: Context, growths: Mapping[Row, Growth], error: Exception) -> None:
        if len(growths) == 1:
            self._end(self._live[next(iter(growths))], error)
            return
        _log.warning("a forward of %d rows failed (%s); its rows are tried one by one", len(growths), error)
        for row, growth in growths.items():
            self._forward(context, {row: growth})

    def _resume(self, job: Job, logits: Logits | None) -> None:
        try:
            job.wanted = job.generator.send(logits)  # type: ignore[arg-type]
            if job.cancelled:
                return
        except StopIteration:
            self._end(job, None)
        except Exception as error:
            self._end(job, error)

    def _end(self, job: Job, error: BaseException | None) -> None:
        """Release the row and settle the future; nothing that a user's code raises leaves this function."""
        job.wanted = None
        if self._live.get(job.sequence.row) is job:
            del self._live[job.sequence.row]
            for context in job.sequence.contexts.values():
                context.release(job.sequence.row)
        try:
            job.generator.close()
        except Exception as failure:
            error = error or failure
        job.sequence.stats.seconds = time.perf_counter() - job.started
        if job.future.done():
            return
        try:
            value = job.finish(job.sequence, error)
        except BaseException as failure:
            job.future.set_exception(failure)
        else:
            job.future.set_result(value)

    def _abort(self, error: BaseException) -> None:
        for job in list(self._live.values()):
            failure = GenerationError("the run was interrupted; start it again", code="interrupted")
            failure.__cause__ = error
            self._end(job, failure)


def _context(job: Job) -> Context | None:
    return job.sequence.contexts[job.wanted[0]] if job.wanted else None


def _count(job: Job, growth: Growth, seconds: float) -> None:
    stats, name = job.sequence.stats, job.wanted[0] if job.wanted else "target"
    stats.forwards[name] = stats.forwards.get(name, 0) + 1
    stats.positions[name] = stats.positions.get(name, 0) + len(growth.token_ids)
    stats.model_seconds += seconds


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _after_fork() -> None:
    """Give the child's engines fresh locks: the parent's may be held by threads that do not exist here."""
    for engine in list(_engines):
        engine._renew()
        engine._live.clear()
        engine._waiting.clear()
        engine._contexts.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
