"""What the lookahead benchmark concludes from rows: gates close where they should, and none is claimed behind a closed one."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def report():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("lookaheads_report")
    sys.path.remove(str(FOLDER))


def test_a_pair_that_is_not_there_is_said_in_a_line(report, capsys, tmp_path) -> None:
    benchmark = importlib.import_module("lookaheads")
    assert benchmark.main(["--pair", str(tmp_path)]) == 2
    assert "train it as training/lookaheads says" in capsys.readouterr().err


def rows(soft, forwards, count=300, **more):
    """Texts of 50 tokens: satisfied to `soft` on average, with so many target forwards a token."""
    states = {"accept": 5, "single": 3, "regenerate": 1, "fallback": 1} if more.pop("rounds", False) else {}
    row = {
        "hard": 0.0, "reward": soft, "logprob": -0.3, "judged": float("nan"), "well_formed": 1.0, "valid": 1.0, "tokens": 50,
        "target_forwards": forwards * 50,
        "target_positions": forwards * 100, "draft_forwards": 0, "reward_calls": 1, "texts_scored": 8, "drafted": 0,
        "accepted": 0, "finished": True, "seconds": 1.0, "states": states, "text": "",
    }  # fmt: skip
    return [{**row, "soft": soft + (0.1 if i % 2 else -0.1), **more} for i in range(count)]


def table(**changed):
    found = {
        "greedy": rows(0.3, 1.0),
        "reward on tokens": rows(0.4, 1.0),
        "CDLH": rows(0.8, 8.0),
        "CDSL": rows(0.8, 1.0, rounds=True),
    }
    return {"keywords": {**found, **changed}}


def test_a_good_run_is_claimed_with_its_ratio(report) -> None:
    found = report.gates(table(), {"keywords": 0.7})["tasks"]["keywords"]
    assert all(gate["holds"] for gate in found["gates"])
    assert found["against_cdlh"]["CDSL"]["forwards_a_token"] == [8.0, 8.0, 8.0]
    (claim,) = found["claims"]
    assert claim.startswith("CDSL: 8.00 times fewer serial target forwards a token")
    assert "no less satisfied, no less fluent" in claim


@pytest.mark.parametrize(
    ("changed", "agreement", "gate"),
    [
        ({"greedy": rows(0.7, 1.0)}, 0.7, "greedy leaves headroom"),
        ({"CDLH": rows(0.4, 8.0)}, 0.7, "the search reaches it"),
        ({"reward on tokens": rows(0.75, 1.0)}, 0.7, "a look ahead is needed"),
        ({}, 0.97, "draft agrees with target"),
        ({"greedy": rows(0.3, 1.0, tokens=30)}, 0.7, "texts are long enough"),
        ({"greedy": rows(0.3, 1.0, count=60)}, 0.7, "prompts are enough"),
        ({"CDLH, horizon 2": rows(0.8, 2.0, count=80)}, 0.7, "a short horizon is worse (CDLH, horizon 2)"),
        ({"CDSL": rows(0.8, 1.0, states={"accept": 99, "single": 1})}, 0.7, "every state of CDSL occurs"),
    ],
)
def test_a_gate_that_fails_forbids_claims(report, changed, agreement, gate) -> None:
    found = report.gates(table(**changed), {"keywords": agreement})["tasks"]["keywords"]
    assert next(check["gate"] for check in found["gates"] if not check["holds"]).startswith(gate)
    assert all(claim.startswith("not claimed, a gate does not hold: ") for claim in found["claims"])


@pytest.mark.parametrize(
    ("cdsl", "words"),
    [
        (rows(0.7, 1.0, rounds=True), "LESS satisfied, no less fluent"),
        (rows(0.8, 1.0, rounds=True, logprob=-0.5), "no less satisfied, LESS fluent"),
        (rows(0.8, 1.0, rounds=True, well_formed=0.9), "no less satisfied, LESS fluent"),
        (rows(0.8, 4.0, rounds=True), "(below 2.2)"),
    ],
)
def test_what_is_lost_is_said(report, cdsl, words) -> None:
    (claim,) = report.gates(table(CDSL=cdsl), {"keywords": 0.7})["tasks"]["keywords"]["claims"]
    assert words in claim


def test_the_cheapest_search_as_good_is_the_one_to_beat(report) -> None:
    searches = {
        "CDLH, horizon 2": rows(0.5, 2.0, count=80),
        "CDLH, horizon 4": rows(0.8, 4.0, count=80),
        "CDLH, blocks": rows(0.8, 0.5),
    }
    found = report.gates(table(**searches), {"keywords": 0.7})["tasks"]["keywords"]["against_equal_cdlh"]["CDSL"]
    assert found["search"] == "CDLH, horizon 4"
    assert found["forwards_a_token"] == [4.0, 4.0, 4.0]
    searches["CDLH, horizon 4"] = rows(0.8, 4.0, count=80, well_formed=0.9)  # as satisfied, by sentences that nobody writes
    found = report.gates(table(**searches), {"keywords": 0.7})["tasks"]["keywords"]["against_equal_cdlh"]["CDSL"]
    assert found["search"] == "CDLH"
    best = table(CDSL=rows(0.9, 1.0, rounds=True))
    assert report.gates(best, {"keywords": 0.7})["tasks"]["keywords"]["against_equal_cdlh"] == {}


@pytest.mark.parametrize(("inside", "valid", "as_without"), [(0.8, 1.0, True), (0.7, 1.0, False), (0.8, 0.99, False)])
def test_documents_are_compared_with_plain_text_of_the_same_prompts(report, inside, valid, as_without) -> None:
    documents = {"CDLH": rows(0.8, 8.0), "CDSL": rows(inside, 1.0, rounds=True, valid=valid)}
    tasks = report.gates(table() | {"documents": documents}, {"keywords": 0.7, "documents": 0.7})["tasks"]
    assert tasks["documents"]["against_free_text"]["CDSL"]["as_without"] is as_without
    assert tasks["documents"]["claims"][0].startswith("CDSL: 8.00 times fewer")  # behind the gates of the same prompts
    closed = table(greedy=rows(0.7, 1.0)) | {"documents": documents}
    found = report.gates(closed, {"keywords": 0.7, "documents": 0.7})["tasks"]["documents"]
    assert found["claims"][0].startswith("not claimed")


def test_pairs_are_the_prompts_that_both_answered(report) -> None:
    found = report.compare(rows(0.5, 1.0, count=8), rows(0.5, 8.0, count=60))
    assert found["soft"] == [0.0, 0.0, 0.0]
    assert found["positions_a_token"] == [8.0, 8.0, 8.0]


def test_a_table_and_a_plot_are_drawn(report, capsys, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    whole = {"split": "dev", **report.gates(table(), {"keywords": 0.7})}
    report.print_report(whole)
    out = capsys.readouterr().out
    assert "gate holds: greedy leaves headroom: 0.300 (<= 0.6)" in out
    assert "CDSL" in out
    report.save_plot(whole, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000
