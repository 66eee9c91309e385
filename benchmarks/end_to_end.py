"""Drafts end to end on the bundled model: forwards, tokens a forward, and time, beside plain decoding and prompt lookup.

    python benchmarks/end_to_end.py [--headline] [--rounds 5] [--backends numpy,transformers] [--json] [--no-record]

Tasks: `record` and `records` copy from the prompt (one JSON object; a list of them, which also repeats itself), `blank` has
nothing to copy. Free, and under a schema; greedy and sampled. No prompt comes twice. Arms: plain; `auto`, what a Generator
does by itself, with earlier outputs at hand; `auto, cold`, the same without; `fixed`, 16 nodes whatever they cost; on
transformers also its own `generate`, plain and with `prompt_lookup_num_tokens=10`. Every drafted text is compared with the
plain one: a difference ends the run. Under a schema, `forced` is the share of tokens that the grammar spells by itself, and
two arms draft such text alone, and all but it. `--headline` leaves out `fixed` and these two, and runs 3 rounds.

Arms run in turns, prompt by prompt. `speed`: the median, over prompts, of plain process time over the arm's, for the same
text. `worst`: the worst round of six prompts. `work`: the same ratio where a forward counts for what its width was measured
to cost in this run (`costs`), the prompt's forward left out and nothing but forwards counted; it hardly depends on what else
the machine does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from records import make_parser, pyplot, report, save_record

TASKS = ("record", "records", "blank")
NUM_PROMPTS = 6
NAMES = ["Bralou Kinder", "Ada Stone", "Mira Holt", "Teo Lund", "Sina Vale", "Oran Pike", "Ilva Crane", "Jon Marrow"]
CITIES = ["Oslo", "Trathal", "Lima", "Turin", "Quenby", "Porto", "Brask", "Halden"]
WORDS = ["hello", "maybe", "later", "good", "why", "never", "here", "now", "almost", "yes", "no", "again"]
RECORD = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "city": {"type": "string"}},
    "required": ["name", "age", "city"],
    "additionalProperties": False,
}
RECORDS = {
    "type": "object",
    "properties": {"people": {"type": "array", "items": RECORD, "maxItems": 4}},
    "required": ["people"],
    "additionalProperties": False,
}


def person(rng: random.Random) -> str:
    return f"{rng.choice(NAMES)} is {rng.randint(18, 80)} years old and lives in {rng.choice(CITIES)}."


def prompts_of(task: str, number: int) -> list[str]:
    """The prompts of one round; no round repeats those of another, so that nothing is drafted from the same answer."""
    rng = random.Random(f"{task} {number}")
    if task == "record":
        return [f"Text: Meet our new colleague. {person(rng)}\nFields: name, age, city\nJSON:" for _ in range(NUM_PROMPTS)]
    if task == "records":
        texts = [f"{person(rng)} {person(rng)} {person(rng)}" for _ in range(NUM_PROMPTS)]
        return [f"Text: {text}\nFields: people [{{name, age, city}}]\nJSON:" for text in texts]
    words = [" ".join(rng.sample(WORDS, 2)) for _ in range(NUM_PROMPTS)]
    return [f"Text: {word}.\nFields: title, note, size\nJSON:" for word in words]


BLANK = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "note": {"type": "string"}, "size": {"type": "integer"}},
    "required": ["title", "note", "size"],
    "additionalProperties": False,
}
SCHEMAS = {"record": RECORD, "records": RECORDS, "blank": BLANK}
MAX_TOKENS = 96


@dataclass
class Arm:
    """One way to write: run(prompt, round) -> (token ids, forwards, drafts that could be, accepted tokens, work)."""

    name: str
    run: Callable[[str, int], tuple[list[int], int, int, int, float]]


class Work:
    """What the forwards of a model cost by their widths, in plain forwards; watches the context of the model's engine."""

    def __init__(self, model: Any) -> None:
        from penstock.models.width_cost import cost_of_widths

        costs = cost_of_widths(model, 128, 25)
        self.costs = {width: round(cost, 3) for width, cost in costs.items()}
        self.total = 0.0
        context = model.engine.context_of(model)
        extend = context.extend

        def watched(growths: Any) -> Any:
            for growth in growths.values():
                if growth.num_logits is None or len(growth) == 1:  # not the prompt's
                    self.total += float(np.interp(len(growth) - 1, list(costs), list(costs.values())))
            return extend(growths)

        context.extend = watched


def own_arms(model: Any, output_type: Any, temperature: float, work: Work, headline: bool) -> list[Arm]:
    """Plain decoding and Lookahead with its widths."""
    from penstock import Generator, Sampling
    from penstock.decoding import Lookahead
    from penstock.decoding.width import LearnedCost
    from penstock.drafting import GrammarDrafter, RetrievalDrafter

    def arm(name: str, **options: Any) -> Arm:
        generate = Generator(model, output_type, **options)

        def run(prompt: str, number: int) -> tuple[list[int], int, int, int, float]:
            before, sampling = work.total, Sampling(temperature=temperature, seed=number)
            result: Any = generate.run(prompt, max_tokens=MAX_TOKENS, sampling=sampling, on_length="return")
            stats = result.stats
            return result.token_ids, stats.num_forwards, stats.num_drafts, stats.num_accepted_tokens, work.total - before

        return Arm(name, run)

    costs = {"width_cost": model.width_cost, "setup_cost": model.setup_cost}
    cold = RetrievalDrafter(share=False, width_cost=LearnedCost(**costs))
    arms = [arm("plain", drafter=None), arm("auto"), arm("auto, cold", strategy=Lookahead(cold, budget=32))]
    if headline:
        return arms
    arms.append(arm("fixed", strategy=Lookahead(RetrievalDrafter(), budget=16)))
    if output_type is not str:
        arms.append(arm("forced text alone", drafter=GrammarDrafter()))
        width = RetrievalDrafter(**costs)
        arms.append(arm("no forced text", strategy=Lookahead(width, budget=32, forced=False)))
    return arms


def peer_arms(model: Any, temperature: float) -> list[Arm]:
    """The loops of transformers: `generate`, plain and with prompt lookup. Forwards are counted at the model."""
    import torch

    network, counted = model.native, [0]
    network.register_forward_hook(lambda *_: counted.__setitem__(0, counted[0] + 1))

    def arm(name: str, **options: Any) -> Arm:
        def run(prompt: str, number: int) -> tuple[list[int], int, int, int, float]:
            ids = torch.tensor([model.tokenizer.encode(prompt)])
            torch.manual_seed(number)
            sampled = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
            counted[0] = 0
            with torch.inference_mode():
                out = network.generate(
                    ids, attention_mask=torch.ones_like(ids), max_new_tokens=MAX_TOKENS, **sampled, **options
                )
            tokens = [int(token) for token in out[0][ids.shape[1] :]]
            stops = set(model.tokenizer.vocabulary.stop_token_ids)
            return [token for token in tokens if token not in stops], counted[0], 0, 0, 0.0

        return Arm(name, run)

    return [arm("transformers plain"), arm("transformers prompt lookup", prompt_lookup_num_tokens=10)]


@dataclass
class Tally:
    """What one arm did on one task: per round and prompt the seconds and the tokens, and sums of its counts."""

    seconds: list[list[float]]
    texts: list[list[list[int]]]
    counts: list[float]  # forwards, drafts, accepted tokens, work

    @property
    def num_tokens(self) -> int:
        """Tokens of all rounds but the first, the one that ended each text counted."""
        return sum(len(tokens) + 1 for texts in self.texts[1:] for tokens in texts)

    def seconds_a_token(self) -> list[list[float]]:
        """Per round but the first, and prompt."""
        pairs = zip(self.seconds[1:], self.texts[1:], strict=True)
        return [[taken / (len(text) + 1) for taken, text in zip(*pair, strict=True)] for pair in pairs]


def run_all(arms: Sequence[Arm], task: str, rounds: int) -> dict[str, Tally]:
    """Run all arms in turns, prompt by prompt, each round in another order; round 0 warms up and is not counted."""
    tallies = {arm.name: Tally([], [], [0.0] * 4) for arm in arms}
    for number in range(rounds + 1):
        for tally in tallies.values():
            tally.seconds.append([])
            tally.texts.append([])
        for place, prompt in enumerate(prompts_of(task, number)):
            shift = (number + place) % len(arms)
            for arm in (*arms[shift:], *arms[:shift]):
                tally = tallies[arm.name]
                begin = time.process_time()
                tokens, *counts = arm.run(prompt, number)
                tally.seconds[-1].append(time.process_time() - begin)
                tally.texts[-1].append(tokens)
                if number:
                    tally.counts = [a + b for a, b in zip(tally.counts, counts, strict=True)]
    for name, tally in tallies.items():
        if not name.startswith("transformers") and tally.texts != tallies["plain"].texts:
            raise SystemExit(f"`{name}` wrote another text than plain decoding; please report it")
    return tallies


def measure(arms: Sequence[Arm], task: str, rounds: int) -> dict[str, dict[str, float]]:
    """Run all arms; the first of a family (penstock, transformers) is what the others are compared with."""
    tallies, rows = run_all(arms, task, rounds), {}
    for name, tally in tallies.items():
        base = tallies["transformers plain" if name.startswith("transformers") else "plain"]
        forwards, drafts, accepted, work = tally.counts
        ours, theirs = tally.seconds_a_token(), base.seconds_a_token()
        ratios = [b / a for round_of in zip(ours, theirs, strict=True) for a, b in zip(*round_of, strict=True)]
        rows[name] = {
            "forwards_a_token": round(forwards / tally.num_tokens, 4),
            "acceptance_length": round(1 + accepted / drafts, 3) if drafts else round(tally.num_tokens / forwards, 3),
            "us_a_token": round(statistics.median(taken for round_of in ours for taken in round_of) * 1e6, 1),
            "speed": round(statistics.median(ratios), 3),
            "worst": round(min(sum(b) / sum(a) for a, b in zip(ours, theirs, strict=True)), 3),
        }
        if work:
            rows[name]["work"] = round(base.counts[3] / work, 3)
    return rows


def forced_share(model: Any, schema: Any, texts: Sequence[list[int]]) -> float:
    """Return the share of tokens that the grammar spells by itself, in its preferred form."""
    from penstock import Matcher

    compiled = model.compiler.compile_json_schema(schema)
    forced = total = 0
    for tokens in texts:
        matcher = Matcher(compiled)
        for token in tokens:
            forced += list(matcher.jump_forward_tokens(canonical=True))[:1] == [token]
            total += 1
            matcher.accept_token(token)
    return round(forced / total, 4)


def measure_backend(backend: str, options: argparse.Namespace, record: dict[str, Any], save: Callable[[], None]) -> None:
    """Put all tasks of one backend into the record, and save after each."""
    import penstock

    model = penstock.models.tiny(backend=backend)  # type: ignore[arg-type]
    work, tasks = Work(model), options.tasks.split(",")
    record["costs"][backend] = {"measured": work.costs, "width_cost": model.width_cost, "setup_cost": model.setup_cost}
    found = record["backends"].setdefault(backend, {})
    for task in tasks:
        for temperature in (0.0, 0.8):
            for output_type, kind in ((str, "free"), (penstock.JsonSchema(SCHEMAS[task]), "schema")):
                arms = own_arms(model, output_type, temperature, work, options.headline)
                if backend == "transformers" and kind == "free":
                    arms += peer_arms(model, temperature)
                name = f"{task}, {kind}, {'greedy' if temperature == 0 else f'T {temperature}'}"
                found[name] = {"arms": measure(arms, task, options.rounds)}
                if kind == "schema":
                    texts = [arms[0].run(prompt, 1)[0] for prompt in prompts_of(task, 1)]
                    found[name]["forced"] = forced_share(model, SCHEMAS[task], texts)
                save()
                print(f"{backend}: {name}", file=sys.stderr)


def print_tables(record: dict[str, Any]) -> None:
    for backend, tasks in record["backends"].items():
        for name, row in tasks.items():
            share = f"; {row['forced']:.0%} of the tokens are forced" if "forced" in row else ""
            print(f"\n{backend}: {name}{share}")
            print(f"  {'':28s}{'forwards':>10}{'length':>8}{'us/token':>10}{'speed':>8}{'worst':>8}{'work':>8}")
            for arm, cells in row["arms"].items():
                print(
                    f"  {arm:28s}{cells['forwards_a_token']:10.3f}{cells['acceptance_length']:8.2f}{cells['us_a_token']:10.1f}"
                    f"{cells['speed']:8.3f}{cells['worst']:8.3f}{cells.get('work', float('nan')):8.3f}"
                )


def plot(record: dict[str, Any], path: Path) -> None:
    """Speed beside plain decoding, for every task a bar an arm, with the worst round as a line in it; above 1 a draft pays."""
    backends = record["backends"]
    figure, grid = pyplot().subplots(len(backends), 1, figsize=(13, 4.5 * len(backends)), squeeze=False)
    for axes, (backend, tasks) in zip(grid[:, 0], backends.items(), strict=True):
        arms = list(dict.fromkeys(arm for row in tasks.values() for arm in row["arms"] if "plain" not in arm))
        width = 0.8 / len(arms)
        for number, arm in enumerate(arms):
            cells = [(at, row["arms"][arm]) for at, row in enumerate(tasks.values()) if arm in row["arms"]]
            places = [at + number * width for at, _ in cells]
            speeds, worst = [cell["speed"] for _, cell in cells], [cell["worst"] for _, cell in cells]
            axes.bar(places, speeds, width, label=arm)
            axes.hlines(worst, [at - width / 2 for at in places], [at + width / 2 for at in places], color="black", linewidth=1)
        axes.axhline(1, color="grey", linewidth=0.8)
        axes.set_xticks(
            [at + 0.4 - width / 2 for at in range(len(tasks))], [name.replace(", ", "\n") for name in tasks], fontsize=8
        )
        axes.set(title=backend, ylabel="plain time / time (line: worst round)")
        axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--headline", action="store_true")
    parser.add_argument("--rounds", type=int, help="5, or 3 for the headline")
    parser.add_argument("--backends", default="numpy,transformers")
    parser.add_argument("--tasks", default=",".join(TASKS))
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.headline else 5)
    from penstock.models.llama_numpy import TINY_PATH

    weights = hashlib.sha256((TINY_PATH / "model.safetensors").read_bytes()).hexdigest()[:12]
    record: dict[str, Any] = {"model": weights, "rounds": options.rounds}
    record |= {"load": os.getloadavg()[0], "headline": options.headline, "costs": {}, "backends": {}}

    def save() -> None:
        if not options.no_record:
            save_record("end-to-end", record)

    for backend in options.backends.split(","):
        if backend == "transformers":
            import torch

            torch.set_num_threads(1)
        measure_backend(backend, options, record, save)
    report("end-to-end", record, options, print_tables, plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
