"""Measures the tiny model on tasks it has not seen: new names, new phrasings, new schemas; greedy and sampled.

    python training/evaluate.py                     # unconstrained
    python training/evaluate.py --constrained       # the same tasks through penstock.Generator
    python training/evaluate.py --model out/tiny   # another directory

Three figures: *valid* (parses, and jsonschema accepts it), *fields* (leaves of the expected data that are right, at the
right place), *all right* (the data is equal). The tasks depend on `--seed` and `--tasks` alone, so two runs compare.
`measure` takes any callable `generate(prompt, schema, temperature, seed) -> text`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
from penstock.decoding.context import chain
from penstock.models.llama_numpy import TINY_PATH, LlamaNumpy
from tasks import Split, Task, draw_task
from tqdm import tqdm

Prompt = str | list[dict[str, str]]
Generate = Callable[[Prompt, dict[str, Any], float, int], str]

SPLITS = {
    "new names": Split(new_names=True),
    "new names and phrasings": Split(new_names=True, new_phrases=True),
    "new names, phrasings and schemas": Split(new_names=True, new_phrases=True, new_schemas=True),
}
TEMPERATURES = (0.0, 0.7, 1.0)
MAX_TOKENS = 220


@dataclass
class Score:
    num_tasks: int = 0
    num_valid: int = 0
    num_right: int = 0
    num_fields: int = 0
    num_fields_right: int = 0

    def add(self, task: Task, text: str) -> None:
        self.num_tasks += 1
        expected = dict(leaves(task.data))
        self.num_fields += len(expected)
        try:
            data = json.loads(text)
        except ValueError:
            return
        self.num_valid += jsonschema.Draft202012Validator(task.schema).is_valid(data)
        self.num_right += same(data, task.data)
        found = dict(leaves(data))
        self.num_fields_right += sum(place in found and same(found[place], value) for place, value in expected.items())

    def row(self) -> str:
        shares = (self.num_valid / self.num_tasks, self.num_fields_right / self.num_fields, self.num_right / self.num_tasks)
        return " | ".join(f"{100 * share:.1f} %" for share in shares)


def same(left: Any, right: Any) -> bool:
    """Equality of JSON data; true and 1 differ."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def leaves(data: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """All scalars of JSON data with their places; an empty list or object counts as a leaf."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    if not items:
        yield place, data
    for key, value in items:
        yield from leaves(value, f"{place}/{key}")


def prompt_of(task: Task) -> Prompt:
    return [{"role": "user", "content": task.prompt}] if task.chat else task.prompt


def json_tasks(split: Split, count: int, seed: int) -> list[Task]:
    rng = random.Random(f"evaluate {seed}")
    return [draw_task(rng, split, only_json=True) for _ in range(count)]


def measure(generate: Generate, tasks: Sequence[Task], temperature: float, seed: int) -> Score:
    """Score a model on JSON tasks; the seed of a task is `seed` plus its index."""
    score = Score()
    for index, task in enumerate(tqdm(tasks, leave=False, unit="task", mininterval=2)):
        score.add(task, generate(prompt_of(task), task.schema, temperature, seed + index))
    return score


def unconstrained(path: Path) -> Generate:
    """Plain sampling with the numpy runtime, no grammar."""
    from tokenizers import Tokenizer

    model, tokenizer = LlamaNumpy.from_directory(path), Tokenizer.from_file(str(path / "tokenizer.json"))
    special = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("eos", "bos", "user", "assistant")}

    def encode(prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            return tokenizer.encode(prompt).ids
        text = tokenizer.encode(prompt[0]["content"], add_special_tokens=False).ids
        return [special["bos"], special["user"], *text, special["assistant"]]

    def generate(prompt: Prompt, schema: dict[str, Any], temperature: float, seed: int) -> str:
        rng = np.random.default_rng(seed)
        new, written = encode(prompt), []
        while len(written) < MAX_TOKENS:
            logits = model.extend({0: chain(new, num_logits=1)})[0][0]
            model.commit(0, range(len(new)))
            noise = rng.gumbel(size=len(logits)) * temperature if temperature else 0.0
            new = [int(np.argmax(logits + noise))]
            if new[0] == special["eos"]:
                break
            written += new
        model.release(0)
        return tokenizer.decode(written)

    return generate


def constrained() -> Generate:
    """The bundled model through `penstock.Generator`, one generator a schema."""
    import penstock

    model = penstock.models.tiny()

    def generate(prompt: Prompt, schema: dict[str, Any], temperature: float, seed: int) -> str:
        generator = penstock.Generator(model, penstock.JsonSchema(schema))
        sampling = penstock.Sampling(temperature=temperature, seed=seed)
        return generator.run(prompt, max_tokens=MAX_TOKENS, sampling=sampling, on_length="close").text

    return generate


def other_formats(generate: Generate, count: int, seed: int) -> dict[str, tuple[int, int]]:
    """Greedy answers that are spelled exactly as expected, by format: (right, all). New names only."""
    rng, found = random.Random(f"formats {seed}"), {}
    for _ in range(count):
        task = draw_task(rng, SPLITS["new names"])
        kind = "tool request" if task.prompt.startswith("Request:") else task.format
        right, total = found.get(kind, (0, 0))
        found[kind] = (right + (generate(prompt_of(task), task.schema, 0.0, seed) == task.answer), total + 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=TINY_PATH)
    parser.add_argument("--constrained", action="store_true")
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generate = constrained() if args.constrained else unconstrained(args.model)
    print("| tasks | temperature | valid | fields right | all right |\n|---|---:|---:|---:|---:|")
    for name, split in SPLITS.items():
        tasks = json_tasks(split, args.tasks, args.seed)
        for temperature in TEMPERATURES:
            print(f"| {name} | {temperature} | {measure(generate, tasks, temperature, args.seed).row()} |", flush=True)
    if not args.constrained:
        for kind, (right, total) in sorted(other_formats(generate, args.tasks, args.seed).items()):
            print(f"{kind}: {right} of {total} answers spelled exactly as expected (new names, greedy)")


if __name__ == "__main__":
    main()
