"""Steering by a reward: what speculative lookaheads cost and what they reach, beside the searches that they speed up.

    python benchmarks/lookaheads.py [--full] [--prompts 200] [--processes 2] [--split test] [--json] [--no-record]

Two tasks on a draft and a target that this project trained (`benchmarks/pair`, `training/lookaheads`): stories that should use
all words of a list, and replies that should not turn hostile. Every system answers the same held-out prompts, greedily but
for best-of-n. Satisfaction is judged by labels that no search sees; fluency is the target's own log-probability a token,
and the share of sentences that the generator of the texts could have written. Costs are counts a written token, the
prompt's forward left out: serial target forwards, target positions, draft forwards, texts scored. Seconds come last: on
models this small they say little about larger ones.

Before anything is claimed, gates are checked: without headroom, or where a draft agrees always or never, a comparison says
nothing. Claims are paired over prompts, with bootstrapped 95 % intervals. Settings are chosen on the dev prompts.
`--full` adds the sweeps over horizons, candidates and thresholds. Biases: texts of one made-up world, one pair, one seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from lookaheads_report import gates, print_report, save_plot
from lookaheads_tasks import PAIR, Task, load_tasks, log_probability, well_formed
from records import save_record

MAX_TOKENS = 112
CHUNK = 16  # prompts of one piece of work; they are decoded side by side
NUM_LOOPED = 16  # prompts for the search in a loop, whose texts are those of the batched one


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
    well_formed: float
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
    "keywords": {"weight": 10.0, "cdlh": {"horizon": 8}, "cdsl": {"horizon": 8}, "tree": {"horizon": 8}},
    "harmless": {
        "weight": 8.0,
        "cdlh": {"horizon": 8},
        "cdsl": {"horizon": 8, "reward_threshold": 0.5},
        "tree": {"horizon": 8, "reward_threshold": 0.5},
    },
}
NUM_CANDIDATES = 8
MARGIN = 4  # tokens of a longer block that are looked at and not written


def headline(task: str) -> Iterator[System]:
    """The systems of the table."""
    from penstock.decoding import Beam, BestOf, Cdlh, Cdsl, CdslTree

    chosen = SETTINGS[task]
    search = {"num_candidates": NUM_CANDIDATES, "weight": chosen["weight"]}
    cdlh, cdsl, tree = ({**search, **chosen[name]} for name in ("cdlh", "cdsl", "tree"))
    floor = {"reward_threshold": chosen["cdsl"]["reward_threshold"]} if "reward_threshold" in chosen["cdsl"] else {}
    free = {"accept_threshold": 1.0, "reward_threshold": float("-inf"), "horizon": chosen["cdsl"]["horizon"]}
    yield System("greedy", lambda reward, draft: None)
    yield System("speculative greedy", lambda reward, draft: Cdsl(reward, draft, **free))
    yield System("beam of 8", lambda reward, draft: Beam(reward, 8))
    yield System("best of 8", lambda reward, draft: BestOf(reward, 8), sampled=True)
    yield System("best of 64", lambda reward, draft: BestOf(reward, 64), limit=5 * CHUNK, sampled=True)
    yield System("reward on tokens", lambda reward, draft: Cdlh(reward, **{**cdlh, "horizon": 0}))
    yield System("CDLH", lambda reward, draft: Cdlh(reward, **cdlh))
    yield System("CDLH, looped", lambda reward, draft: Cdlh(reward, **cdlh, batched=False), limit=NUM_LOOPED)
    yield System("CDLH, blocks", lambda reward, draft: Cdlh(reward, **cdlh, block=True, **floor))
    yield System("CDLH-Appx", lambda reward, draft: Cdlh(reward, draft, **cdlh))
    yield System("CDSL", lambda reward, draft: Cdsl(reward, draft, **cdsl))
    margin = {**cdsl, "horizon": cdsl["horizon"] + MARGIN, "margin": MARGIN}
    yield System("CDSL, margin", lambda reward, draft: Cdsl(reward, draft, **margin))
    yield System(
        "CDSL, no reward gate", lambda reward, draft: Cdsl(reward, draft, **{**cdsl, "reward_threshold": float("-inf")})
    )
    yield System("CDSL, no acceptance gate", lambda reward, draft: Cdsl(reward, draft, **{**cdsl, "accept_threshold": 0.0}))
    yield System("CDSL tree", lambda reward, draft: CdslTree(reward, draft, **tree))


def sweeps(task: str) -> Iterator[System]:
    """What `--full` adds: one setting changed at a time."""
    from penstock.decoding import Cdlh, Cdsl, CdslTree

    chosen = SETTINGS[task]
    base = {
        name: {"num_candidates": NUM_CANDIDATES, "weight": chosen["weight"], **chosen[name]}
        for name in ("cdlh", "cdsl", "tree")
    }

    def cdlh(**changed: Any) -> System:
        name = ", ".join(f"{key} {value}" for key, value in changed.items())
        return System(f"CDLH, {name}", lambda reward, draft: Cdlh(reward, **{**base["cdlh"], **changed}))

    def cdsl(**changed: Any) -> System:
        name = ", ".join(f"{key} {value}" for key, value in changed.items())
        return System(f"CDSL, {name}", lambda reward, draft: Cdsl(reward, draft, **{**base["cdsl"], **changed}))

    def tree(**changed: Any) -> System:
        name = ", ".join(f"{key} {value}" for key, value in changed.items())
        return System(f"CDSL tree, {name}", lambda reward, draft: CdslTree(reward, draft, **{**base["tree"], **changed}))

    for horizon in (1, 2, 4, 12, 16):
        yield cdlh(horizon=horizon)
        yield cdsl(horizon=horizon)
        yield tree(horizon=horizon)
    for count in (2, 4, 16):
        yield cdlh(num_candidates=count)
        yield cdsl(num_candidates=count)
        yield tree(num_candidates=count)
    for weight in (2.0, 5.0, 20.0, 40.0):
        yield cdlh(weight=weight)
        yield cdsl(weight=weight)
    for share in (0.25, 0.75, 1.0):
        yield cdsl(accept_threshold=share)
    for margin in (2, 4, 6):
        yield cdsl(margin=margin)
    yield cdsl(commit="matched")
    yield cdsl(on_reject="single")


# Running.

_pair: dict[str, Any] = {}


def models(folder: Path) -> tuple[Any, Any]:
    """Return target and draft, read once a process."""
    if not _pair:
        import penstock

        for name in ("target", "draft"):
            _pair[name] = penstock.models.load(str(folder / name), backend="numpy")
    return _pair["target"], _pair["draft"]


def answer(work: tuple[str, int, str, str, int, int, bool]) -> tuple[str, str, int, list[Row]]:
    """Let one system answer some prompts; a piece of work for a pool."""
    folder, count, split, task_name, index, start, full = work
    from penstock import Generator, Sampling

    target, draft = models(Path(folder))
    task = next(task for task in load_tasks(split, count, Path(folder)) if task.name == task_name)
    system = systems(task_name, full)[index]
    texts = task.texts[start : min(start + CHUNK, system.limit or count)]
    generate = Generator(target, str, strategy=system.build(task.reward, draft), drafter=None)
    begin = time.perf_counter()
    results: Any = generate.batch(
        [text.prompt for text in texts], results=True, max_tokens=MAX_TOKENS, sampling=Sampling(seed=1), on_length="return"
    )
    seconds = (time.perf_counter() - begin) / len(texts)
    return (
        task_name,
        system.name,
        start,
        [row_of(task, text, result, seconds, target) for text, result in zip(texts, results, strict=True)],
    )


def row_of(task: Task, text: Any, result: Any, seconds: float, target: Any) -> Row:
    """Judge one text."""
    stats, details = result.stats, result.details
    soft, hard = task.judge(text, result.text)
    num_prompt = len(result.prompt_token_ids)
    return Row(
        soft, hard,
        reward=reward_of(task, text.prompt, result.text) if details.get("reward") is None else details["reward"],
        logprob=log_probability(target, result.prompt_token_ids, result.token_ids),
        well_formed=well_formed(task, result.text),
        tokens=len(result.token_ids) + (result.finish_reason == "stop"),
        target_forwards=stats.num_forwards - 1, target_positions=stats.num_positions - num_prompt,
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


def measure(options: argparse.Namespace) -> dict[str, dict[str, list[Row]]]:
    """Return rows by task and system, in the order of the prompts."""
    from tqdm import tqdm

    works = []
    for task in options.tasks.split(","):
        for index, system in enumerate(systems(task, options.full)):
            if options.only and not any(part in system.name for part in options.only.split(";")):
                continue
            for start in range(0, min(system.limit or options.prompts, options.prompts), CHUNK):
                works.append((str(options.pair), options.prompts, options.split, task, index, start, options.full))
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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="add the sweeps")
    parser.add_argument("--prompts", type=int, default=200, help="prompts of each task")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--tasks", default="keywords,harmless")
    parser.add_argument("--only", help="systems whose names contain one of these, separated by `;`")
    parser.add_argument("--pair", type=Path, default=PAIR, help="a folder with target, draft and classifier")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args(arguments)
    if not (options.pair / "target" / "model.safetensors").is_file():
        print(f"the pair of models is not at `{options.pair}`; train it as training/lookaheads says", file=sys.stderr)
        return 2
    begin = time.perf_counter()
    rows = measure(options)
    report: dict[str, Any] = {
        "date": datetime.date.today().isoformat(), "split": options.split, "prompts": options.prompts,
        "settings": {"candidates": NUM_CANDIDATES, **SETTINGS},
        "agreement": agreement(options.pair, options.split, min(options.prompts, 4 * CHUNK)),
        "minutes": round((time.perf_counter() - begin) / 60, 1),
    }  # fmt: skip
    plain = {task: {name: [dataclasses.asdict(row) for row in of] for name, of in by.items()} for task, by in rows.items()}
    report |= gates(plain, report["agreement"])
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print_report(report)
    if not options.no_record:
        path = save_record(f"lookaheads{'-full' if options.full else ''}", report)
        save_plot(report, path.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
