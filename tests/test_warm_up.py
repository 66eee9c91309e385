"""Masks made ahead are the masks that would have been made, and the thread behind them stops when it should."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import CancelledError

import penstock
import pytest
from helpers.engine import byte_info, byte_vocabulary, masks_before
from helpers.json_walk import PIECES

INFO, VOCABULARY = byte_info(PIECES), byte_vocabulary(PIECES)
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 3}, "ab": {"$ref": "#"}, "b": {"enum": [True, "ab", None]}},
    "required": ["a"],
    "additionalProperties": False,
}
RULES = r"""
root ::= "{" (pair ("," pair)*)? "}"
pair ::= " "? name ": " (root | name | "null" | "true")
name ::= "\"" [ab]* "\""
"""
TEXT = b'{"a": "ab", "ab": {"a": "", "b": null}, "b": true}'
ENDLESS = {"type": "object", "properties": {f"{a}{b}": {"maxLength": 9} for a in "abcdefgh" for b in "abcdefgh"}}


def read(compiled: penstock.CompiledGrammar, text: bytes) -> list[set[int]]:
    """The mask before every byte."""
    return masks_before(compiled, text, VOCABULARY.size)


@pytest.mark.parametrize("kind", ["schema", "rules"])
def test_what_is_warm_is_what_would_have_been_made(kind: str) -> None:
    both = [penstock.GrammarCompiler(INFO) for _ in range(2)]
    warm, cold = (one.compile_json_schema(SCHEMA) if kind == "schema" else one.compile_ebnf(RULES) for one in both)
    num_masks = warm.warm_up().result(timeout=60)
    made = warm.mask_counts
    assert made[0] == num_masks > 5
    assert read(warm, TEXT) == read(cold, TEXT)
    assert warm.mask_counts == made, "every mask of the text was there"
    assert cold.mask_counts[0] > 0


def test_the_number_of_masks_is_bounded() -> None:
    compiled = penstock.GrammarCompiler(INFO).compile_json_schema(ENDLESS)
    assert 7 <= compiled.warm_up(max_masks=7).result(timeout=60) <= 8


def test_a_cancelled_warm_up_stops() -> None:
    compiled = penstock.GrammarCompiler(INFO).compile_json_schema(ENDLESS)
    future = compiled.warm_up(max_masks=10**9)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(timeout=60)
    for thread in [t for t in threading.enumerate() if t.name == "penstock warm-up"]:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert read(compiled, b'{"aa": "b"}')


def test_an_error_of_the_pause_ends_the_work() -> None:
    def pause() -> None:
        raise KeyError("enough")

    compiled = penstock.GrammarCompiler(INFO).compile_json_schema(ENDLESS)
    with pytest.raises(KeyError, match="enough"):
        compiled._warm_up(pause, 10**9)


def child(compiled: penstock.CompiledGrammar, future, connection) -> None:
    again = compiled.warm_up(max_masks=50).result(timeout=60)
    bitmask = penstock.allocate_token_bitmask(80, VOCABULARY.size)
    matchers = [penstock.Matcher(compiled) for _ in range(80)]
    answers = penstock.fill_next_token_bitmasks(matchers, bitmask)
    connection.send((future.cancelled() or future.done(), again, answers == [True] * 80, read(compiled, b'{"aa": ')))
    connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on() -> None:
    """A fork in the midst of a warm-up and after a parallel batch: the child has locks and threads of its own."""
    compiled = penstock.GrammarCompiler(INFO).compile_json_schema(ENDLESS)
    bitmask = penstock.allocate_token_bitmask(80, VOCABULARY.size)
    penstock.fill_next_token_bitmasks([penstock.Matcher(compiled) for _ in range(80)], bitmask)
    future = compiled.warm_up(max_masks=10**9)
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        here, there = context.Pipe()
        process = context.Process(target=child, args=(compiled, future, there))
        process.start()
        there.close()
        assert here.poll(60), "the child hangs"
        over, num_masks, filled, masks = here.recv()
        process.join(60)
        assert (over, filled, process.exitcode) == (True, True, 0)
        assert num_masks >= 50
        assert masks == read(compiled, b'{"aa": ')
    future.cancel()
