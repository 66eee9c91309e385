"""Rewards: their laws on every cut of many texts, what they count, and what happens to those that break a promise."""

from __future__ import annotations

import math
import time

import pytest
from helpers.oracle import Drafts, prompt_lookup
from helpers.oracle_model import SPELLINGS, STOP, OracleModel, TextMatcher, encode
from hypothesis import given
from hypothesis import strategies as st
from penstock import DraftMismatchError, Generator, RewardError, Sampling
from penstock.decoding import BestOf, Cdlh, Cdsl, CdslTree
from penstock.decoding.strategies import accept
from penstock.drafting import RetrievalDrafter
from penstock.models.tokenizer import Tokenizer
from penstock.rewards import Function, KeywordCoverage, RegexCount, RewardPrompt, RewardRun, Weighted
from penstock.rewards.lemmas import lemmas
from penstock.testing import LawError, check_drafter, check_reward
from penstock.tokenizer import Vocabulary

TEXTS = ["The cats ran home.", "ice cream, Ice  creams", "Ein Maß é", "catalogue of ran\n\nice", "", "12 dogs"]


def prompt(text: str = "") -> RewardPrompt:
    return RewardPrompt(tuple(text.encode()), lambda token: bytes([token]))


def score(reward, text: str, *, ended: bool = True, behind: str = "") -> float:
    return reward.score([reward.start(prompt(behind))], [list(text.encode())], [ended])[0]


REWARDS = [
    KeywordCoverage(["cat", "run", "ice cream"]),
    KeywordCoverage(["cat", "run"], mode="hard"),
    KeywordCoverage(["cats", "ran"], match="word"),
    KeywordCoverage(["cat", "maß", "ce c"], match="substring"),
    KeywordCoverage(lambda text: text.split() or ["home"]),
    RegexCount(r"[a-z]+s\b", target=2),
    RegexCount("é", avoid=True),
    Function(lambda text: min(len(text), 9) / 9, range=(0, 1), settled=lambda text: len(text) >= 9),
    Function(lambda p, t: float(t.startswith(p)), range=(0, 1), with_prompt=True),
    Function(lambda texts: [-float(len(t)) for t in texts], range=(-99, 0), batched=True),
    Weighted((KeywordCoverage(["cat", "run"]), 2.0), (RegexCount("a"), -0.5)),
]


@pytest.mark.parametrize("reward", REWARDS, ids=lambda reward: reward.name)
def test_laws_hold(reward) -> None:
    check_reward(reward, TEXTS, prompt="dog cat")


@given(st.lists(st.sampled_from(["cat", "cats", "running", " ", "-", "é", "ice", "cream"]), max_size=8))
def test_coverage_is_the_same_in_pieces(pieces) -> None:
    for match in ("lemma", "word", "substring"):
        reward = KeywordCoverage(["cat", "run", "ice cream", "é"], match=match)
        text = "".join(pieces)
        state = reward.start(prompt())
        for byte in text.encode():
            state = reward.advance(state, [byte])
        assert reward.score([state], [[]], [True])[0] == score(reward, text)


def test_keywords_count_as_a_reader_counts() -> None:
    reward = KeywordCoverage(["run", "Make", "city", "child"])
    assert score(reward, "Children were running through cities and made noise") == 1.0
    assert score(reward, "runner, maker, citizen, childish") == 0.0
    assert score(reward, "run") == 0.25
    hard = KeywordCoverage(["run", "make"], mode="hard")
    assert (score(hard, "he runs"), score(hard, "he runs and makes")) == (0.0, 1.0)
    assert score(KeywordCoverage(["ice cream"]), "ice, cream") == 1.0
    assert score(KeywordCoverage(["ice cream"]), "ice cold cream") == 0.0
    assert score(KeywordCoverage(["食べ"], match="substring"), "私は食べます") == 1.0
    assert score(KeywordCoverage(["mouse"], lemma_table={"mäuse": "mouse"}), "Mäuse") == 1.0
    assert score(KeywordCoverage(str.split), "a dog", behind="dog cat") == 0.5


def test_lemmas_tell_short_words_apart() -> None:
    def same(one, other):
        return bool(lemmas(one) & lemmas(other))

    for form, lemma in {
        "hoping": "hope", "hopping": "hop", "opened": "open", "tried": "try", "buses": "bus", "boxes": "box", "went": "go",
        "knives": "knife", "filled": "fill", "making": "make", "agreed": "agree", "played": "play", "studies": "study",
    }.items():  # fmt: skip
        assert same(form, lemma), (form, lemma)
    for one, other in {"hoping": "hop", "caring": "car", "bus": "bu", "sing": "s", "red": "r", "glass": "glas"}.items():
        assert not same(one, other), (one, other)


def test_an_open_word_counts_but_settles_nothing() -> None:
    reward = KeywordCoverage(["cat"])
    state = reward.advance(reward.start(prompt()), list(b"the cat"))
    assert (reward.score([state], [[]], [False])[0], reward.settled(state)) == (1.0, False)
    assert reward.score([state], [list(b"alogue")], [False])[0] == 0.0
    assert reward.settled(reward.advance(state, list(b" ")))


def test_a_cut_character_is_left_out_until_it_is_whole() -> None:
    seen = []
    reward = Function(lambda text: seen.append(text) or 0.0, range=(0, 1))
    data = "né".encode()
    reward.score([reward.start(prompt())] * 3, [data[:2], data, data[:2]], [False, False, True])
    assert seen == ["n", "né", "n�"]


def test_weighted_sums_and_their_range() -> None:
    reward = Weighted((KeywordCoverage(["a", "b"]), 2.0), (RegexCount("x", target=2), -1.0))
    assert reward.range == (-1.0, 2.0)
    assert score(reward, "a x") == 1.0 - 0.5
    assert "2 KeywordCoverage" in reward.name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KeywordCoverage([]), "no keywords"),
        (lambda: KeywordCoverage("cat"), "list of words"),
        (lambda: KeywordCoverage(["--"]), "holds no word"),
        (lambda: KeywordCoverage(["a"], mode="x"), "mode"),
        (lambda: KeywordCoverage(["a"], match="x"), "match"),
        (lambda: RegexCount("a", target=0), "target"),
        (lambda: Weighted(), "at least one part"),
        (lambda: Weighted((RegexCount("a"), math.nan)), "finite"),
        (lambda: RewardPrompt((1,)).text, "no spelling"),
    ],
)
def test_what_means_nothing_is_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# The laws find what breaks them.


class Broken(Function):
    def __init__(self, function=lambda text: 0.5, **options) -> None:
        super().__init__(function, range=(0, 1), name="broken", **options)


class Remembers(Broken):
    """Writes into the state that it was given."""

    def start(self, prompt):
        return []

    def advance(self, state, token_ids):
        state.extend(token_ids)
        return list(state)

    def score(self, states, rollouts, ended):
        return [min(1.0, len(state) / 50) for state in states]


class Forgetful(Broken):
    """Scores fall with every call."""

    num_calls = 0

    def score(self, states, rollouts, ended):
        self.num_calls += 1
        return [1 / self.num_calls] * len(states)


class Mixes(Broken):
    def score(self, states, rollouts, ended):
        return [1 / len(states)] * len(states)


class Short(Broken):
    def score(self, states, rollouts, ended):
        return [0.5]


@pytest.mark.parametrize(
    ("reward", "law"),
    [
        (Broken(lambda text: 1.5), "outside the range"),
        (Broken(lambda text: math.nan), "outside the range"),
        (Forgetful(), "alone|score equally"),
        (Broken(lambda text: min(1.0, len(text) / 50), settled=lambda text: True), "settled state scores"),
        (Broken(settled=lambda text: len(text) == 3), "stays settled"),
        (Remembers(), "alone"),
        (Mixes(), "a batch scores"),
        (Short(), "scores"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_broken_law_is_found(reward, law) -> None:
    with pytest.raises(LawError, match=law):
        check_reward(reward, TEXTS)


def test_drafters_pass_their_laws_and_greedy_ones_do_not() -> None:
    check_drafter(RetrievalDrafter())
    check_drafter(Drafts(prompt_lookup))
    with pytest.raises(LawError, match="budget"):
        check_drafter(Drafts(lambda prefix, budget, random: ([3] * (budget + 1), list(range(budget + 1)))))


# A reward that breaks a promise.


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [
        (lambda text: 1 / 0, "reward_raised", "ZeroDivisionError"),
        (lambda text: math.nan, "reward_nan", "nan"),
        (lambda text: 1.5, "reward_out_of_range", r"outside its range `\(0.0, 1.0\)`"),
        (lambda text: "much", "reward_raised", "ValueError"),
        (lambda text: time.sleep(0.02) or 0.5, "reward_timeout", "reward_timeout_seconds"),
    ],
    ids=["raises", "nan", "range", "no number", "slow"],
)
@pytest.mark.parametrize("kind", [Cdlh, Cdsl, CdslTree, BestOf])
def test_a_broken_promise_names_the_reward_and_the_text(kind, function, code, message) -> None:
    def after_ten(text):
        return function(text) if len(text) > 10 else 0.5

    # Only the slow one may meet its limit, however busy the machine is.
    limits = {"reward_timeout_seconds": 0.01 if code == "reward_timeout" else 60}
    reward = Function(after_ten, range=(0, 1), name="mine")
    model = OracleModel()
    strategy = kind(reward, OracleModel(), horizon=2, **limits) if kind in (Cdsl, CdslTree) else kind(reward, **limits)
    generate = Generator(model, strategy=strategy)
    with pytest.raises(RewardError, match=message) as caught:
        generate([5, 6, 7], max_tokens=30, sampling=Sampling(seed=3, logit_bias={1: -1e9}))
    error = caught.value
    assert error.code == code
    assert "`mine`" in str(error)
    assert "the text `" in str(error)
    assert error.result.text == model.tokenizer.decode(error.result.token_ids)
    assert all(not context.committed for context in model.contexts)


def test_the_guilty_text_of_a_batch_is_named() -> None:
    def picky(text):
        if "bad" in text:
            raise KeyError(text)
        return 0.0

    run = RewardRun(Function(picky, range=(0, 1)), prompt())
    with pytest.raises(RewardError, match="the text `so bad`"):
        run.score([list(b"good"), list(b"so bad")], [False, False])
    assert run.token_ids == []
    with pytest.raises(RewardError) as caught:
        RewardRun(Short(), prompt()).score([[1], [2]], [False, False])
    assert caught.value.code == "reward_shape"
    for declared in ((0, math.inf), (1, 0), (0, 1, 2), "ab", None):
        reward = Function(picky, range=(0, 1))
        reward.range = declared
        with pytest.raises(RewardError) as caught:
            RewardRun(reward, prompt())
        assert caught.value.code == "reward_range_invalid"
    assert run.score([list(b"good")], [True]) == [0.0]


def test_a_reward_that_runs_the_same_model_is_named_too() -> None:
    model = OracleModel()
    inner = Generator(model)
    reward = Function(lambda text: float(len(inner("a", max_tokens=1))), range=(0, 99), name="nested")
    with pytest.raises(RewardError, match="`nested` raised `GenerationError") as caught:
        Generator(model, strategy=Cdlh(reward))("a")
    assert caught.value.__cause__.code == "nested_run"


def test_an_error_of_one_text_leaves_the_batch_alone() -> None:
    def picky(prompt, text):
        return 1 / 0 if prompt.startswith("z") else 0.5

    strategy = Cdlh(Function(picky, range=(0, 1), with_prompt=True), horizon=1)
    values = Generator(OracleModel(), strategy=strategy).batch(["ab", "z", "st"], errors="return", max_tokens=8)
    assert isinstance(values[1], RewardError)
    assert [type(value) for value in values] == [str, RewardError, str]


# Through a Generator.


@pytest.mark.parametrize("kind", [Cdlh, Cdsl, CdslTree, BestOf])
def test_doors_agree_and_rewards_rise(kind) -> None:
    reward = RegexCount("[aeiou]", target=12)
    draft = {"draft": OracleModel(noise=0.5)} if kind in (Cdsl, CdslTree) else {}
    search = {} if kind is BestOf else {"weight": 20.0, "horizon": 3}
    generate = Generator(OracleModel(), strategy=kind(reward, **draft, **search))
    sampling = Sampling(seed=11, logit_bias={1: -1e9})
    prompts = ["a", "stop", "true"]
    results = generate.batch(prompts, sampling=sampling, max_tokens=24, results=True)
    bare = Generator(OracleModel(), drafter=None).batch(prompts, sampling=sampling, max_tokens=24)
    for text, result, plain_text in zip(prompts, results, bare, strict=True):
        assert generate(text, sampling=sampling, max_tokens=24) == result.text
        events = list(generate.stream(text, sampling=sampling, max_tokens=24))
        assert "".join(event.text for event in events[:-1]) == result.text
        assert result.details["reward"] == score(reward, result.text)
        assert result.stats.num_reward_calls > 0
        assert result.details["reward"] >= score(reward, plain_text)
    assert sum(r.details["reward"] for r in results) > sum(score(reward, text) for text in bare)


@pytest.mark.parametrize("kind", [Cdlh, Cdsl, CdslTree, BestOf])
def test_a_hard_grammar_and_a_soft_reward_together(kind) -> None:
    texts = [f"{a} {b} {c}" for a in ("ab", "st", "op") for b in ("fal", "true", "bat") for c in ("cab", "tub", "é")]
    reward = KeywordCoverage(["op", "bat", "é"])
    draft = {"draft": OracleModel(noise=1.0)} if kind in (Cdsl, CdslTree) else {}
    search = {} if kind is BestOf else {"weight": 50.0}
    generate = Generator(OracleModel(), strategy=kind(reward, **draft, **search))
    generate.compiled, generate._matcher = object(), lambda: TextMatcher(texts)
    scores = []
    for seed, text in enumerate(["a", "b", "c", "st"]):
        result = generate.run(text, sampling=Sampling(seed=seed), max_tokens=40)
        assert result.text in texts
        scores.append(result.details["reward"])
    assert sum(scores) / 4 >= 2 / 3


@pytest.mark.parametrize("kind", [Cdlh, Cdsl, CdslTree, BestOf])
def test_lookaheads_end_at_stop_strings(kind) -> None:
    """No text goes on behind a stop string, however many tokens it has, so no reward sees one that does."""
    stops, seen = ("a", "st"), []
    reward = Function(lambda text: seen.append(text) or min(1.0, len(text) / 50), range=(0, 1))
    draft = {"draft": OracleModel(noise=0.5)} if kind in (Cdsl, CdslTree) else {}
    generate = Generator(OracleModel(), strategy=kind(reward, **draft))
    ended = 0
    for seed, text in enumerate(["op", "b", "c", "true"]):
        sampling = Sampling(seed=seed, stop=stops, temperature=1.0, logit_bias={1: -1e9})
        result = generate.run(text, sampling=sampling, max_tokens=40)
        ended += result.finish_reason == "stop_string"
        assert not any(stop in result.text for stop in stops)
    assert ended
    longest_token = 4
    for text in seen:
        first = min((text.find(stop) for stop in stops if stop in text), default=len(text))
        assert len(text) - first <= longest_token


def test_models_of_two_vocabularies_are_refused() -> None:
    other = OracleModel()
    other.tokenizer = Tokenizer(Vocabulary(SPELLINGS[::-1], (STOP,), (STOP,), 50), encode)
    for kind in (Cdlh, Cdsl, CdslTree):
        with pytest.raises(DraftMismatchError, match="different vocabularies"):
            Generator(OracleModel(), strategy=kind(RegexCount("a"), other))


# Accept rules are pure.


def test_rules_on_worked_examples() -> None:
    block = accept.Block([4, 5, 6, 7], [4, 5, 9, 7, 8], [-1.0] * 4, [-1.0, -1.0, -1.0 + math.log(2), -1.0])
    assert accept.num_matched(block.draft_ids, block.choice_ids) == 2
    assert accept.sample_and_match(block) == accept.greedy(block.draft_ids, block.choice_ids) == [4, 5, 9]
    assert accept.greedy([4, 5], [4, 5, 6]) == [4, 5, 6]
    assert accept.greedy([], [6]) == [6]
    assert accept.acceptance_share(block) == 0.5
    assert accept.acceptance_share(block, "overlap") == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert accept.acceptance_share(accept.Block([], [])) == accept.overlap([], []) == 1.0
    gate = accept.cdsl_gate
    assert [gate(0.5, True, 0.5), gate(0.5, False, 0.5), gate(0.4, True, 0.5)] == ["accept", "single", "regenerate"]
    assert [accept.rsd_gate(0.7, 0.7), accept.rsd_gate(0.6, 0.7)] == ["accept", "regenerate"]
    assert accept.gsi_score(0.5, -2.0, -1.0, 4.0) == 1.0
    assert [accept.gsi_gate(1.1, 1.0), accept.gsi_gate(1.0, 1.0)] == ["accept", "regenerate"]
    assert accept.gsi_choose([1.0, 2.0, 2.0], [0.0, 0.0, 0.0]) == 1
    assert accept.gsi_choose([1.0, 2.0], [1.5, 0.0]) == 0


@pytest.mark.parametrize(
    ("score", "ended", "slack", "threshold", "passes"),
    [
        (0.6, False, False, None, True),
        (0.5, False, False, None, False),
        (0.5, False, True, None, True),
        (0.6, True, True, None, False),
        (1.0, True, False, None, True),
        (0.4, True, False, 0.4, True),
        (0.4, False, True, 0.5, False),
    ],
)
def test_the_reward_gate(score, ended, slack, threshold, passes) -> None:
    assert accept.reward_passes(score, ended, present=0.5, top=1.0, threshold=threshold, slack=slack) is passes
