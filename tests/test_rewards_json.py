"""Rewards of one value inside JSON: what they read of every cut; hard schema and soft reward together, through every door."""

from __future__ import annotations

import json

import pytest
from penstock import Generator, JsonSchema, Sampling, cli, models
from penstock.decoding import BestOf, Cdlh, Cdsl, CdslTree
from penstock.rewards import Function, JsonField, KeywordCoverage, RewardPrompt
from penstock.testing import check_reward

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string", "maxLength": 30}, "n": {"type": "integer", "maximum": 99}},
    "required": ["title", "n"],
    "additionalProperties": False,
}
PROMPTS = [
    f"Text: The {color} {thing} has {n} oars and a red sail.\nFields: title, n\nJSON:"
    for color, thing, n in (("green", "boat", 7), ("old", "ferry", 12), ("small", "raft", 2))
]
COVERAGE = JsonField("/title", KeywordCoverage(["sail", "red", "oars"]))


def seen(pointer: str, text: str, *, ended: bool = False) -> str:
    """What a reward at this pointer is shown of a text."""
    shown: list[str] = []
    reward = JsonField(pointer, Function(lambda value: shown.append(value) or 0.0, range=(0, 1)))
    state = reward.start(RewardPrompt((), lambda byte: bytes([byte])))
    reward.score([state], [list(text.encode())], [ended])
    return shown[0]


@pytest.mark.parametrize(
    ("pointer", "text", "value"),
    [
        ("/title", '{"title": "red sa', "red sa"),
        ("/title", '{"n": 1, "title": "a\\u00e9\\n', "aé\n"),
        ("/title", '{"title": "a\\ud83d', "a"),
        ("/title", '{"title": "a", "n": 12}', "a"),
        ("/n", '{"title": "a", "n": 12}', "12"),
        ("/n", '{"title": "a", "n": 1', ""),
        ("/title", '{"titles": "a"}', ""),
        ("/title", "no JSON", ""),
        ("/title", "]", ""),
        ("/a~1b/1/~0", '{"a/b": [0, {"~": "deep', "deep"),
        ("/a/1", '{"a": [0]}', ""),
        ("", '"whole', "whole"),
        ("", '{"a": [1, 2', '{"a": [1]}'),
    ],
)
def test_a_reward_sees_the_value_and_nothing_around_it(pointer, text, value) -> None:
    assert seen(pointer, text) == value


def test_laws_hold() -> None:
    check_reward(COVERAGE, ['{"title": "red sails, oars", "n": 1}', '{"title": "\\u00e9 red', "none", '{"title": [1]}'])


@pytest.mark.parametrize("pointer", ["title", "/a~2", "/~"])
def test_what_is_no_pointer_is_refused(pointer) -> None:
    with pytest.raises(ValueError, match="no JSON pointer"):
        JsonField(pointer, COVERAGE)


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("tokenizers")
    return models.tiny()


def strategies(reward, draft):
    search = {"num_candidates": 8, "horizon": 6, "weight": 40.0}
    yield Cdlh(reward, **search)
    yield Cdsl(reward, draft, **search)
    yield CdslTree(reward, draft, **search)
    yield BestOf(reward, 4)


def test_keywords_in_a_field_of_documents_that_are_always_valid(tiny) -> None:
    """As a batch and as streams: the same documents, valid without exception; the full search finds what was left out."""
    plain = Generator(tiny, JsonSchema(SCHEMA), drafter=None).batch(PROMPTS, results=True)
    titles = " ".join(json.loads(result.text)["title"] for result in plain)
    left_out = [word for word in ("sail", "red", "oars", "has") if word not in titles]
    reward = JsonField("/title", KeywordCoverage(left_out, match="substring"))
    for strategy in strategies(reward, tiny):
        generate = Generator(tiny, JsonSchema(SCHEMA), strategy=strategy)
        results = generate.batch(PROMPTS, results=True, sampling=Sampling(seed=3))
        for prompt, result in zip(PROMPTS, results, strict=True):
            value = json.loads(result.text)
            assert set(value) == {"title", "n"}
            assert len(value["title"]) <= 30
            assert value["n"] <= 99
            assert result.details["reward"] == sum(word in value["title"] for word in left_out) / len(left_out)
            events = list(generate.stream(prompt, sampling=Sampling(seed=3)))
            assert "".join(event.text for event in events if hasattr(event, "text")) == result.text
        if isinstance(strategy, Cdlh):
            assert all(result.details["reward"] > 0 for result in results)


# The command line.


@pytest.fixture
def generate(tmp_path, capfd, monkeypatch):
    """Run `penstock generate` on the first prompt in a folder with a schema and a module of rewards."""
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "own_rewards.py").write_text(
        "from penstock.rewards import Function\n"
        "vowels = Function(lambda text: min(1.0, sum(c in 'aeiou' for c in text) / 20), range=(0, 1), name='vowels')\n"
        "broken = Function(lambda text: len(text), range=(0, 1), name='broken')\n"
        "nan = Function(lambda text: float('nan'), range=(0, 1), name='nothing')\n"
        "fails = Function(lambda text: 1 / 0, range=(0, 1), name='fails')\n"
        "def plain(text): return 0.5\n"
    )
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str):
        code = cli.main(["generate", *arguments, PROMPTS[0]])
        return code, *capfd.readouterr()

    return run


def test_the_command_line_steers(generate, tiny) -> None:
    schema = ("--schema", "schema.json")
    code, out, err = generate(*schema, "--reward", "keywords:sail, red,oars", "--reward-field", "/title")
    assert code == 0, err
    title = json.loads(out)["title"]
    share = sum(word in title for word in ("sail", "red", "oar")) / 3
    assert share > 0
    assert f"reward: {share:.3g} of 1, by JsonField('/title', KeywordCoverage(['sail', 'red', 'oars']))" in err
    code, out, err = generate(*schema, "--reward", "own_rewards:vowels")
    assert code == 0
    assert ", by vowels" in err
    assert set(json.loads(out)) == {"title", "n"}


@pytest.mark.parametrize(
    ("name", "message"), [("broken", "outside its range"), ("nan", "is `nan`"), ("fails", "raised `ZeroDivisionError")]
)
def test_a_reward_that_breaks_its_promise_is_named_with_the_text(generate, tiny, name, message) -> None:
    code, _, err = generate("--schema", "schema.json", "--reward", f"own_rewards:{name}")
    assert code == 1
    assert message in err
    assert "`nothing`" in err if name == "nan" else f"`{name}`" in err
    assert "the text `" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reward", "sail"], "write `keywords:a,b,c` or `module:object`"),
        (["--reward", "keywords:a,,b"], "holds no word"),
        (["--reward", "no_such_module:x"], "cannot be imported: ModuleNotFoundError"),
        (["--reward", "own_rewards:nothing_here"], "cannot be imported: AttributeError"),
        (["--reward", "own_rewards:plain"], "is no reward but a `function`"),
        (["--reward", "penstock.rewards:Function"], "is no reward but a class"),
        (["--reward", "keywords:a", "--reward-field", "title"], "no JSON pointer"),
        (["--reward", "keywords:a", "--draft"], "leave it out"),
        (["--reward-field", "/title"], "give `--reward`"),
        (["--reward", "keywords:a", "--reward-weight", "inf"], "`weight` is `inf`"),
    ],
)
def test_a_reward_that_cannot_be_used_is_said_in_a_line(generate, arguments, message) -> None:
    code, out, err = generate(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""
