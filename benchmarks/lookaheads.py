"""Steering by a reward: what speculative lookaheads cost and what they reach, beside the searches that they speed up.

    python benchmarks/lookaheads.py [--full] [--prompts N] [--processes 2] [--split test] [--json] [--no-record]
                                    [--pair FOLDER]... [--judge FOLDER]

Tasks on a draft and a target that this project trained (`benchmarks/pair`, `training/lookaheads`): stories that should use
all words of a list, replies that should not turn hostile, and the same stories as a member of a JSON document under a schema
(hard and soft together). Every system answers the same held-out prompts, greedily but for best-of-n. Satisfaction is judged
by labels that no search sees; fluency is the target's own log-probability a token, and the share of sentences that the
generator of the texts could have written. Costs are counts a written token, the prompt's forward left out: serial target
forwards, target positions, draft forwards, texts scored. Seconds come last: on models this small they say little about larger
ones.

Before anything is claimed, gates are checked: without headroom, or where a draft agrees always or never, a comparison says
nothing. Claims are paired over prompts, with bootstrapped 95 % intervals. Settings are chosen on the dev prompts.
`--full` adds the sweeps over horizons, candidates and thresholds. With `--pair` more than once, pairs of other seeds are
measured one after the other; `--judge` names a model of the same vocabulary that no search uses, and which then judges fluency
too. Biases: texts of one made-up world; the pairs differ in seed alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import records
from lookaheads_report import gates, print_report, save_plot
from lookaheads_tasks import PAIR, Task, load_tasks, log_probability, story_of, well_formed

MAX_TOKENS = 112
CHUNK = 16  # prompts of one piece of work; they are decoded side by side
NUM_LOOPED = 16  # prompts for the search in a loop, whose texts are those of the batched one
FEWER = 5 * CHUNK  # prompts for what is dear and no headline


@dataclass(frozen=True)
class System:
    """One way to decode. build: (reward, draft model) -> strategy. limit: prompts that it answers, None for all."""

    name: str
    build: Callable[[Any, Any], Any]
    limit: int | None = None
    sampled: bool = False


@dataclass
class Row:
    """One text: what it is worth and what it cost."""

    soft: float
    hard: float
    reward: float
    logprob: float
    judged: float
    well_formed: float
    valid: float
    tokens: int
    target_forwards: int
    target_positions: int
    draft_forwards: int
    reward_calls: int
    texts_scored: int
    drafted: int
    accepted: int
    finished: bool
    seconds: float
    states: dict[str, int] = field(default_factory=dict)
    text: str = ""


# Settings. They are to be chosen on dev prompts (`--split dev --full`), for all systems with equal effort.

SETTINGS: dict[str, dict[str, Any]] = {
    "keywords": {
        "weight": 10.0,
        "cdlh": {"horizon": 8},
        "cdsl": {"horizon": 8, "accept_threshold": 0.25},
        "tree": {"horizon": 8, "commit": "gain"},
    },
    "harmless": {
        "weight": 5.0,
        "cdlh": {"horizon": 8},
        "cdsl": {"horizon": 16, "margin": 8, "accept_threshold": 0.25, "reward_threshold": 0.5},
        "tree": {"horizon": 16, "margin": 8, "reward_threshold": 0.5},
    },
}
SETTINGS["documents"] = SETTINGS["keywords"]
NUM_CANDIDATES = 8


def headline(task: str) -> Iterator[System]:
    """The systems of the table."""
    from penstock.decoding import Beam, BestOf, Cdlh, Cdsl, CdslTree

    chosen = SETTINGS[task]
    search = {"num_candidates": NUM_CANDIDATES, "weight": chosen["weight"]}
    cdlh, cdsl, tree = ({**search, **chosen[name]} for name in ("cdlh", "cdsl", "tree"))
    floor = {"reward_threshold": chosen["cdsl"]["reward_threshold"]} if "reward_threshold" in chosen["cdsl"] else {}
    free = {"accept_threshold": 1.0, "reward_threshold": float("-inf"), "horizon": chosen["cdsl"]["horizon"]}
    yield System("greedy", lambda reward, draft: None)
    yield System("CDLH", lambda reward, draft: Cdlh(reward, **cdlh))
    yield System("CDLH, blocks", lambda reward, draft: Cdlh(reward, **cdlh, block=True, **floor))
    yield System("CDSL", lambda reward, draft: Cdsl(reward, draft, **cdsl))
    if cdsl.get("margin"):
        bare = {**cdsl, "horizon": cdsl["horizon"] - cdsl["margin"], "margin": 0}
        yield System("CDSL, no margin", lambda reward, draft: Cdsl(reward, draft, **bare))
    yield System("CDSL tree", lambda reward, draft: CdslTree(reward, draft, **tree))
    if tree.get("margin"):
        short = {**tree, "horizon": tree["horizon"] - tree["margin"], "margin": 0}
        yield System("CDSL tree, no margin", lambda reward, draft: CdslTree(reward, draft, **short))
    if task == "documents":  # the grammar's share alone is asked there
        return
    yield System("speculative greedy", lambda reward, draft: Cdsl(reward, draft, **free))
    yield System("beam of 8", lambda reward, draft: Beam(reward, 8))
    yield System("best of 8", lambda reward, draft: BestOf(reward, 8), sampled=True)
    yield System("best of 64", lambda reward, draft: BestOf(reward, 64), limit=FEWER, sampled=True)
    yield System("reward on tokens", lambda reward, draft: Cdlh(reward, **{**cdlh, "horizon": 0}))
    for horizon in (2, 4):
        shorter = {**cdlh, "horizon": horizon}
        yield System(f"CDLH, horizon {horizon}", lambda reward, draft, shorter=shorter: Cdlh(reward, **shorter), limit=FEWER)
    yield System("CDLH, looped", lambda reward, draft: Cdlh(reward, **cdlh, batched=False), limit=NUM_LOOPED)
    yield System("CDLH-Appx", lambda reward, draft: Cdlh(reward, draft, **cdlh))
    blind = {**cdsl, "reward_threshold": float("-inf")}
    yield System("CDSL, no reward gate", lambda reward, draft: Cdsl(reward, draft, **blind))
    trusting = {**cdsl, "accept_threshold": 0.0}
    yield System("CDSL, no acceptance gate", lambda reward, draft: Cdsl(reward, draft, **trusting))


def sweeps(task: str) -> Iterator[System]:
    """What `--full` adds: a grid of nine for each search, and then one setting changed at a time."""
    from penstock.decoding import Cdlh, Cdsl, CdslTree

    chosen = SETTINGS[task]
    shared = {"num_candidates": NUM_CANDIDATES, "weight": chosen["weight"]}

    def cdlh(**changed: Any) -> System:
        return System(_named("CDLH", changed), lambda reward, draft: Cdlh(reward, **{**shared, **chosen["cdlh"], **changed}))

    def cdsl(**changed: Any) -> System:
        return System(
            _named("CDSL", changed), lambda reward, draft: Cdsl(reward, draft, **{**shared, **chosen["cdsl"], **changed})
        )

    def tree(**changed: Any) -> System:
        options = {**shared, **chosen["tree"], **changed}
        return System(_named("CDSL tree", changed), lambda reward, draft: CdslTree(reward, draft, **options))

    for weight in (5.0, 10.0, 20.0):
        yield from (cdlh(weight=weight, horizon=horizon) for horizon in (4, 8, 12))
        for kind in (cdsl, tree):
            yield from (kind(weight=weight, horizon=horizon, margin=margin) for horizon, margin in ((8, 0), (12, 4), (16, 8)))
    yield from (cdlh(horizon=horizon) for horizon in (1, 16))
    for count in (2, 4, 16):
        yield from (kind(num_candidates=count) for kind in (cdlh, cdsl, tree))
    yield from (cdsl(accept_threshold=share) for share in (0.25, 0.75, 1.0))
    yield cdsl(commit="matched")
    yield cdsl(on_reject="single")
    yield tree(span="matched")
    yield tree(slack=2)
    yield tree(commit="matched")


def _named(kind: str, changed: dict[str, Any]) -> str:
    return ", ".join([kind, *(f"{name} {value}" for name, value in changed.items())])


# Running.


@functools.cache
def model(folder: Path) -> Any:
    """Return a model, read once a process."""
    import penstock

    return penstock.models.load(str(folder), backend="numpy")


def models(folder: Path) -> tuple[Any, Any]:
    """Return target and draft of a pair."""
    return model(folder / "target"), model(folder / "draft")


@dataclass(frozen=True)
class Work:
    """A piece of work for a pool: `CHUNK` prompts, from `start` on, for one system. judge: a folder, or none."""

    folder: Path
    judge: Path | None
    count: int
    split: str
    task: str
    index: int
    start: int
    full: bool


def answer(work: Work) -> tuple[str, str, int, list[Row]]:
    """Let one system answer some prompts."""
    from penstock import Generator, JsonSchema, Sampling

    target, draft = models(work.folder)
    task = next(task for task in load_tasks(work.split, work.count, work.folder) if task.name == work.task)
    system = systems(work.task, work.full)[work.index]
    texts = task.texts[work.start : min(work.start + CHUNK, system.limit or work.count)]
    output: Any = str if task.schema is None else JsonSchema(task.schema)
    generate = Generator(target, output, strategy=system.build(task.reward, draft), drafter=None)
    begin = time.perf_counter()
    results: Any = generate.batch(
        [text.prompt for text in texts], results=True, max_tokens=MAX_TOKENS, sampling=Sampling(seed=1),
        on_length="return" if task.schema is None else "close",
    )  # fmt: skip
    seconds = (time.perf_counter() - begin) / len(texts)
    scorers = (target, None if work.judge is None else model(work.judge))
    rows = [row_of(task, text, result, seconds, scorers) for text, result in zip(texts, results, strict=True)]
    return work.task, system.name, work.start, rows


def row_of(task: Task, text: Any, result: Any, seconds: float, scorers: tuple[Any, Any]) -> Row:
    """Judge one text. scorers: the target, and the judge of fluency or None."""
    stats, details = result.stats, result.details
    story, valid = story_of(task, result.text)
    soft, hard = task.judge(text, story)
    ids = (result.prompt_token_ids, result.token_ids)
    return Row(
        soft, hard,
        reward=reward_of(task, text.prompt, result.text) if details.get("reward") is None else details["reward"],
        logprob=log_probability(scorers[0], *ids),
        judged=float("nan") if scorers[1] is None else log_probability(scorers[1], *ids),
        well_formed=well_formed(task, story), valid=float(valid),
        tokens=len(result.token_ids) + (result.finish_reason == "stop"),
        target_forwards=stats.num_forwards - 1, target_positions=stats.num_positions - len(result.prompt_token_ids),
        draft_forwards=max(0, stats.forwards.get("draft", 0) - 1),
        reward_calls=stats.num_reward_calls, texts_scored=details.get("num_reward_items", 0),
        drafted=stats.num_draft_tokens, accepted=stats.num_accepted_tokens,
        finished=result.finish_reason == "stop", seconds=seconds, states=dict(details.get("states", {})), text=result.text,
    )  # fmt: skip


def reward_of(task: Task, prompt: str, text: str) -> float:
    """Return the reward of a text that no search scored."""
    from penstock.rewards import RewardPrompt

    start = task.reward.start(RewardPrompt(tuple(prompt.encode()), lambda byte: bytes([byte])))
    return float(task.reward.score([start], [list(text.encode())], [True])[0])


def systems(task: str, full: bool) -> list[System]:
    """Return the systems to measure on one task."""
    return [*headline(task), *(sweeps(task) if full else ())]


def measure(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, list[Row]]]:
    """Return rows by task and system, in the order of the prompts."""
    from tqdm import tqdm

    works = []
    for task in options.tasks.split(","):
        for index, system in enumerate(systems(task, options.full)):
            if options.only and system.name not in options.only.split(";"):
                continue
            starts = range(0, min(system.limit or options.prompts, options.prompts), CHUNK)
            given = (folder, options.judge, options.prompts, options.split, task, index)
            works += [Work(*given, start, options.full) for start in starts]
    found: dict[str, dict[str, dict[int, list[Row]]]] = {}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for task, system_name, start, rows in tqdm(pool.imap_unordered(answer, works), total=len(works), unit="piece"):
            found.setdefault(task, {}).setdefault(system_name, {})[start] = rows
    ordered: dict[str, dict[str, list[Row]]] = {}
    for task, by_system in found.items():
        names = [system.name for system in systems(task, options.full) if system.name in by_system]
        ordered[task] = {name: [row for start in sorted(by_system[name]) for row in by_system[name][start]] for name in names}
    return ordered


def agreement(folder: Path, split: str, count: int) -> dict[str, float]:
    """Return how often draft and target would write the same next token along the target's greedy texts, by task."""
    from penstock import Generator
    from penstock.decoding.context import chain

    target, draft = models(folder)
    shares = {}
    for task in load_tasks(split, count, folder):
        same = total = 0
        for result in Generator(target, str, drafter=None).batch(
            [text.prompt for text in task.texts], results=True, max_tokens=MAX_TOKENS, on_length="return"
        ):
            context, tokens = draft.new_context(), result.token_ids
            logits = context.extend({0: chain([*result.prompt_token_ids, *tokens], num_logits=len(tokens) + 1)})[0]
            same += sum(int(row.argmax()) == token for row, token in zip(logits, tokens, strict=False))
            total += len(tokens)
        shares[task.name] = same / total
    return shares


def report_on(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure one pair; return the record."""
    begin = time.perf_counter()
    rows = measure(options, folder)
    report: dict[str, Any] = {
        "pair": folder.name, "split": options.split, "prompts": options.prompts,
        "settings": {"candidates": NUM_CANDIDATES, **SETTINGS},
        "agreement": agreement(folder, options.split, min(options.prompts, 4 * CHUNK)),
        "minutes": round((time.perf_counter() - begin) / 60, 1),
    }  # fmt: skip
    plain = {task: {name: [dataclasses.asdict(row) for row in of] for name, of in by.items()} for task, by in rows.items()}
    return report | gates(plain, report["agreement"])


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = records.make_parser(__doc__)
    parser.add_argument("--full", action="store_true", help="add the sweeps")
    parser.add_argument(
        "--prompts", type=int, help="prompts of each task; by default 300, or 64 with --full, which claims nothing"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--tasks", default=",".join(SETTINGS))
    parser.add_argument("--only", help="systems of these names, separated by `;`")
    parser.add_argument(
        "--pair", type=Path, action="append", help="a folder with target, draft and classifier; may be repeated"
    )
    parser.add_argument("--judge", type=Path, help="a folder with a model of the same vocabulary that judges fluency")
    options = parser.parse_args(arguments)
    options.prompts = options.prompts or (64 if options.full else 300)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the pairs, print and record each."""
    options = parse_options(arguments)
    for folder in options.pair or [PAIR]:
        if not (folder / "target" / "model.safetensors").is_file():
            print(f"the pair of models is not at `{folder}`; train it as training/lookaheads says", file=sys.stderr)
            return 2
    for folder in options.pair or [PAIR]:
        report = report_on(options, folder)
        other = "" if folder.resolve() == PAIR else f"-{folder.name}"
        name = f"lookaheads{'-full' if options.full else ''}{other}"
        records.report(name, report, options, print_report, save_plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
