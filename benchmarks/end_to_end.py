"""Drafts end to end on the bundled model: forwards, tokens a forward, and time, beside plain decoding and prompt lookup.

    python benchmarks/end_to_end.py [--rounds 5] [--backends numpy,transformers] [--json] [--no-record]

Tasks: `record` and `records` copy from the prompt (one JSON object; a list of them, which also repeats itself), `blank` has
nothing to copy. Free, and under a schema; greedy and sampled. No prompt comes twice. Arms: plain; `auto`, what a Generator
does by itself, with earlier outputs at hand; `auto, cold`, the same without; `fixed`, 16 nodes whatever they cost; on
transformers also its own `generate`, plain and with `prompt_lookup_num_tokens=10`. Every drafted text is compared with the
plain one: a difference ends the run. Ratios of process time are medians over interleaved rounds, `worst` is the worst round
of six texts. Under a schema, `forced` is the share of tokens that the grammar spells by itself, and two arms draft such
text alone, and all but it.

Where the pair of `benchmarks/pair` is at hand: how often its draft model guesses the target's sampled token, with the
sampler's noise, with noise of its own and greedily, beside 1 - TV, what no scheme of independent draws can beat.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
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
from records import save_record

PAIR = Path(__file__).parent / "pair"
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
    """One way to write: run(prompt, round) -> (token ids, forwards, drafts that could be, accepted tokens)."""

    name: str
    run: Callable[[str, int], tuple[list[int], int, int, int]]


def own_arms(model: Any, output_type: Any, temperature: float) -> list[Arm]:
    """Plain decoding and Lookahead with its widths."""
    from penstock import Generator, Sampling
    from penstock.decoding import Lookahead
    from penstock.drafting import GrammarDrafter, RetrievalDrafter

    def arm(name: str, **options: Any) -> Arm:
        generate = Generator(model, output_type, **options)

        def run(prompt: str, number: int) -> tuple[list[int], int, int, int]:
            sampling = Sampling(temperature=temperature, seed=number)
            result: Any = generate.run(prompt, max_tokens=MAX_TOKENS, sampling=sampling, on_length="return")
            return result.token_ids, result.stats.num_forwards, result.stats.num_drafts, result.stats.num_accepted_tokens

        return Arm(name, run)

    cold = RetrievalDrafter(share=False, width_cost=model.width_cost)
    arms = [arm("plain", drafter=None), arm("auto"), arm("auto, cold", strategy=Lookahead(cold, budget=32))]
    arms.append(arm("fixed", strategy=Lookahead(RetrievalDrafter(), budget=16)))
    if output_type is not str:
        arms.append(arm("forced text alone", drafter=GrammarDrafter()))
        width = RetrievalDrafter(width_cost=model.width_cost)
        arms.append(arm("no forced text", strategy=Lookahead(width, budget=32, forced=False)))
    return arms


def peer_arms(model: Any, temperature: float) -> list[Arm]:
    """The loops of transformers: `generate`, plain and with prompt lookup. Forwards are counted at the model."""
    import torch

    network, counted = model.native, [0]
    network.register_forward_hook(lambda *_: counted.__setitem__(0, counted[0] + 1))

    def arm(name: str, **options: Any) -> Arm:
        def run(prompt: str, number: int) -> tuple[list[int], int, int, int]:
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
            return [token for token in tokens if token not in stops], counted[0], 0, 0

        return Arm(name, run)

    return [arm("transformers plain"), arm("transformers prompt lookup", prompt_lookup_num_tokens=10)]


def measure(arms: Sequence[Arm], task: str, rounds: int) -> dict[str, dict[str, float]]:
    """Run all arms in turns; the first of a family (penstock, transformers) is what the others are compared with."""
    seconds: dict[str, list[list[float]]] = {arm.name: [] for arm in arms}
    totals: dict[str, list[int]] = {arm.name: [0, 0, 0, 0] for arm in arms}
    for number in range(rounds + 1):  # round 0 warms up
        texts: dict[str, list[list[int]]] = {}
        prompts = prompts_of(task, number)
        for arm in arms:
            taken = []
            for prompt in prompts:
                begin = time.process_time()
                tokens, *counts = arm.run(prompt, number)
                taken.append((time.process_time() - begin) / (len(tokens) + 1))
                texts.setdefault(arm.name, []).append(tokens)
                if number:
                    totals[arm.name] = [a + b for a, b in zip(totals[arm.name], (len(tokens) + 1, *counts), strict=True)]
            seconds[arm.name].append(taken)
        for arm in arms:
            if not arm.name.startswith("transformers") and texts[arm.name] != texts["plain"]:
                raise SystemExit(f"`{arm.name}` wrote another text than plain decoding; please report it")
    rows = {}
    for arm in arms:
        base = "transformers plain" if arm.name.startswith("transformers") else "plain"
        pairs = [(sum(b), sum(a)) for b, a in zip(seconds[base][1:], seconds[arm.name][1:], strict=True)]
        tokens, forwards, drafts, accepted = totals[arm.name]
        rows[arm.name] = {
            "forwards_a_token": round(forwards / tokens, 4),
            "acceptance_length": round(1 + accepted / drafts, 3) if drafts else round(tokens / forwards, 3),
            "us_a_token": round(statistics.median(sum(taken) for taken in seconds[arm.name][1:]) / len(prompts) * 1e6, 1),
            "speed": round(statistics.median(b / a for b, a in pairs), 3),
            "worst": round(min(b / a for b, a in pairs), 3),
        }
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


def measure_backend(backend: str, rounds: int, tasks: Sequence[str], found: dict[str, Any], save: Callable[[], None]) -> None:
    """Put all tasks of one backend into `found`, and save after each."""
    import penstock

    model = penstock.models.tiny(backend=backend)  # type: ignore[arg-type]
    for task in tasks:
        for temperature in (0.0, 0.8):
            for output_type, kind in ((str, "free"), (penstock.JsonSchema(SCHEMAS[task]), "schema")):
                arms = own_arms(model, output_type, temperature)
                if backend == "transformers" and kind == "free":
                    arms += peer_arms(model, temperature)
                name = f"{task}, {kind}, {'greedy' if temperature == 0 else f'T {temperature}'}"
                found[name] = {"arms": measure(arms, task, rounds)}
                if kind == "schema":
                    texts = [arms[0].run(prompt, 1)[0] for prompt in prompts_of(task, 1)]
                    found[name]["forced"] = forced_share(model, SCHEMAS[task], texts)
                save()
                print(f"{backend}: {name}", file=sys.stderr)


def draft_model_acceptance(num_prompts: int = 24) -> dict[str, dict[str, float]]:
    """How often the pair's draft model guesses the next sampled token, by temperature."""
    import penstock
    from lookaheads_tasks import load_tasks
    from penstock.decoding.context import chain
    from penstock.decoding.sampling import GumbelNoise, log_softmax

    target, draft = (penstock.models.load(str(PAIR / name), backend="numpy") for name in ("target", "draft"))
    ids = np.arange(target.vocab_size)
    found = {}
    for temperature in (0.5, 1.0):
        shared = own = greedy = overlap = total = 0.0
        for task in load_tasks("test", num_prompts):
            for number, text in enumerate(task.texts):
                sampling = penstock.Sampling(temperature=temperature, seed=number)
                result = penstock.Generator(target, str, drafter=None).run(text.prompt, max_tokens=112, sampling=sampling)
                path = [*result.prompt_token_ids, *result.token_ids]
                rows = [
                    log_softmax(
                        model.new_context().extend({0: chain(path, num_logits=len(result.token_ids) + 1)})[0] / temperature
                    )
                    for model in (target, draft)
                ]
                noise, other = GumbelNoise(number, 0), GumbelNoise(number + 1_000_003, 0)
                for place, token in enumerate(result.token_ids):
                    p, q = rows[0][place], rows[1][place]
                    shared += int(np.argmax(q + noise.at(place, ids))) == token
                    own += int(np.argmax(q + other.at(place, ids))) == token
                    greedy += int(np.argmax(q)) == token
                    overlap += float(np.minimum(np.exp(p), np.exp(q)).sum())
                    total += 1
        names = ("shared noise", "own noise", "greedy draft", "1 - TV")
        found[f"T {temperature}"] = {
            name: round(value / total, 4) for name, value in zip(names, (shared, own, greedy, overlap), strict=True)
        }
    return found


def print_tables(record: dict[str, Any]) -> None:
    for backend, tasks in record["backends"].items():
        for name, row in tasks.items():
            share = f"; {row['forced']:.0%} of the tokens are forced" if "forced" in row else ""
            print(f"\n{backend}: {name}{share}")
            print(f"  {'':28s}{'forwards':>10}{'length':>8}{'us/token':>10}{'speed':>8}{'worst':>8}")
            for arm, cells in row["arms"].items():
                print(
                    f"  {arm:28s}{cells['forwards_a_token']:10.3f}{cells['acceptance_length']:8.2f}{cells['us_a_token']:10.1f}"
                    f"{cells['speed']:8.3f}{cells['worst']:8.3f}"
                )
    for temperature, row in record.get("draft_model", {}).items():
        print(f"\ndraft model, {temperature}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backends", default="numpy,transformers")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    from penstock.models.llama_numpy import TINY_PATH

    weights = hashlib.sha256((TINY_PATH / "model.safetensors").read_bytes()).hexdigest()[:12]
    record: dict[str, Any] = {"date": datetime.date.today().isoformat(), "model": weights, "rounds": options.rounds}
    record["backends"] = {}

    def save() -> None:
        if not options.no_record:
            save_record("end-to-end", record)

    for backend in options.backends.split(","):
        if backend == "transformers":
            import torch

            torch.set_num_threads(1)
        found = record["backends"].setdefault(backend, {})
        measure_backend(backend, options.rounds, options.tasks.split(","), found, save)
    if (PAIR / "target" / "model.safetensors").is_file():
        record["draft_model"] = draft_model_acceptance()
    else:
        print("no pair of models at hand: the draft model is left out", file=sys.stderr)
    save()
    if options.json:
        print(json.dumps(record, indent=1))
    else:
        print_tables(record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
