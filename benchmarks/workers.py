"""Engines in processes of their own, which are started again where a case took too long or broke them."""

from __future__ import annotations

import multiprocessing
from typing import Any

import peers
import reading
import vocabularies

SECONDS_PER_CASE = 60
WARM_UP = {"schema": {"type": "object"}, "tests": [{"valid": True, "data": {"a": "b"}}]}


def work(name: str, vocabulary_name: str, connection: Any) -> None:
    """A process that answers cases. The tables of the vocabulary are made before the first."""
    vocabulary = vocabularies.load(vocabulary_name)
    engine, visits = peers.ENGINES[name](vocabulary), name == "penstock"
    reading.measure(engine, vocabulary, WARM_UP, visits)
    connection.send("ready")
    while (case := connection.recv()) is not None:
        connection.send(reading.measure(engine, vocabulary, case, visits))


class Worker:
    """An engine in its process."""

    def __init__(self, name: str, vocabulary: str = "tekken") -> None:
        self.name, self.vocabulary, self.process = name, vocabulary, None

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(self.name, self.vocabulary, other), daemon=True)
        self.process.start()
        other.close()
        try:
            self.connection.recv()
        except EOFError as error:
            raise SystemExit(f"`{self.name}` did not start with the vocabulary `{self.vocabulary}`") from error

    def ask(self, case: dict[str, Any]) -> dict[str, Any]:
        """The answer of `reading.measure`, or a verdict alone."""
        if self.process is None:
            self.start()
        self.connection.send(case)
        verdict = "timeout"
        if self.connection.poll(SECONDS_PER_CASE):
            try:
                return self.connection.recv()
            except (EOFError, ConnectionResetError):
                verdict = "crash"
        self.process.kill()
        self.process = None
        return {"verdict": verdict}

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.connection.send(None)
            self.process.join()
