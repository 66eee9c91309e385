"""Trains the tiny model of Penstock.

    python training/train.py --out out/tiny --steps 9000

A Llama with 1.7 M parameters learns to answer the tasks of `tasks.py`; the loss is taken on the answer alone. Hidden
matrices are trained with Muon and the rest with AdamW; the learning rate rises, stays and falls over `--decay-steps`.
Tasks grow harder over the first 1,200 steps. `--resume` goes on from a checkpoint, also with another number of steps.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from muon import Muon
from tasks import Task, draw_task
from tokenizer import ASSISTANT, BOS, EOS, PAD, SPECIAL_TOKENS, USER, VOCAB_SIZE, build_tokenizer, tokenizer_config
from tokenizers import Tokenizer
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

LENGTHS = range(32, 369, 16)  # padded lengths of a batch, in tokens; longer tasks are left out
CHUNK = 1024  # tasks drawn at a time and sorted by length


def build_model(layers: int) -> LlamaForCausalLM:
    ids = {
        name: SPECIAL_TOKENS.index(token)
        for name, token in (("pad_token_id", PAD), ("bos_token_id", BOS), ("eos_token_id", EOS))
    }
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE, hidden_size=160, intermediate_size=320, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True, rms_norm_eps=1e-6,
        rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}, attn_implementation="sdpa", **ids,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def encode_task(tokenizer: Tokenizer, task: Task, rng: random.Random) -> tuple[list[int], list[int]]:
    """Prompt and answer as token ids. One plain prompt in eight lacks `<|bos|>`, as some callers leave it out."""
    prompt = tokenizer.encode(task.prompt, add_special_tokens=False).ids
    bos, user, assistant = ([SPECIAL_TOKENS.index(token)] for token in (BOS, USER, ASSISTANT))
    if task.chat:
        prompt = bos + user + prompt + assistant
    elif rng.random() > 0.125:
        prompt = bos + prompt
    return prompt, [*tokenizer.encode(task.answer, add_special_tokens=False).ids, SPECIAL_TOKENS.index(EOS)]


def batches(
    tokenizer: Tokenizer, seed: int, tokens: int, difficulty: Callable[[], float]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless (input ids, labels), both int64 [rows, length]; labels are -100 outside the answer.

    Rows of one batch have about the same length, and every batch has about `tokens` tokens.
    """
    rng = random.Random(seed)
    pools: dict[int, list[tuple[list[int], list[int]]]] = {length: [] for length in LENGTHS}
    while True:
        ready = []
        for _ in range(CHUNK):
            prompt, answer = encode_task(tokenizer, draw_task(rng, difficulty=difficulty()), rng)
            length = next((length for length in LENGTHS if len(prompt) + len(answer) <= length), None)
            if length is None:
                continue
            pools[length].append((prompt, answer))
            if len(pools[length]) == max(1, round(tokens / length)):
                ready.append(pad_rows(pools[length], length))
                pools[length] = []
        rng.shuffle(ready)
        yield from ready


def pad_rows(rows: list[tuple[list[int], list[int]]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.full((len(rows), length), SPECIAL_TOKENS.index(PAD))
    labels = torch.full((len(rows), length), -100)
    for row, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        inputs[row, :end] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : end] = torch.tensor(answer)
    return inputs, labels


def answer_loss(model: LlamaForCausalLM, body, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy over the answer tokens. The head is applied to those positions alone."""
    hidden = body(input_ids=inputs).last_hidden_state[:, :-1]  # [rows, length - 1, hidden]
    wanted = labels[:, 1:]
    keep = wanted != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[keep]).float(), wanted[keep])


def build_optimizers(model: LlamaForCausalLM, args: argparse.Namespace) -> list[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    muon = Muon(matrices, lr=args.muon_lr)
    adam = torch.optim.AdamW(others, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return [muon, adam]


def lr_scale(step: int, steps: int, decay_steps: int) -> float:
    """Rises over 100 steps, stays, and falls along a line to a fiftieth over the last `decay_steps`."""
    return min(1.0, (step + 1) / 100, 0.02 + 0.98 * (steps - step) / decay_steps)


def save_checkpoint(path: Path, state: dict) -> None:
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)


def update_average(average: dict[str, torch.Tensor], model: LlamaForCausalLM, step: int) -> None:
    """Moves the running mean of the weights, which spans the last 200 steps or so. It is what gets exported."""
    rate = max(0.005, 1 / (step + 1))
    for name, value in model.state_dict().items():
        average[name].lerp_(value, rate)


def export(out: Path, average: dict[str, torch.Tensor], tokenizer: Tokenizer) -> None:
    """Writes what `from_pretrained` reads: bf16 weights, configs and the tokenizer."""
    model = build_model(1 + max(int(name.split(".")[2]) for name in average if name.startswith("model.layers.")))
    model.load_state_dict(average)
    model.generation_config.update(
        do_sample=False, eos_token_id=SPECIAL_TOKENS.index(EOS), pad_token_id=SPECIAL_TOKENS.index(PAD)
    )
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(), indent=2) + "\n")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--decay-steps", type=int, default=1500)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-tokens", type=int, default=3072)
    parser.add_argument("--muon-lr", type=float, default=4e-3)
    parser.add_argument("--adam-lr", type=float, default=4e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="torch.compile; pays on long runs")
    parser.add_argument("--save-every", type=int, default=250)
    parser.add_argument("--resume", type=Path, help="a checkpoint to go on from")
    return parser.parse_args()


def load_tokenizer(args: argparse.Namespace) -> Tokenizer:
    path = args.out / "tokenizer.json"
    return Tokenizer.from_file(str(path)) if path.exists() else build_tokenizer(args.seed)


@dataclass
class Run:
    """Everything that a checkpoint keeps."""

    model: LlamaForCausalLM
    optimizers: list[torch.optim.Optimizer]
    average: dict[str, torch.Tensor]
    step: int = 0
    tokens_seen: int = 0

    def learn(self, loss: torch.Tensor, inputs: torch.Tensor, scale: float) -> None:
        """One step down the loss of a batch; `scale` times the peak learning rates."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * scale
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self.tokens_seen += int((inputs != SPECIAL_TOKENS.index(PAD)).sum())
        update_average(self.average, self.model, self.step)

    def state(self) -> dict:
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        counts = {"step": self.step, "tokens_seen": self.tokens_seen}
        return {"model": self.model.state_dict(), "average": self.average, "optimizers": optimizers, **counts}

    def restore(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        for name, value in state.get("average", state["model"]).items():
            self.average[name].copy_(value)
        if "optimizers" in state:  # a grown checkpoint has none
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
        self.step, self.tokens_seen = state["step"], state["tokens_seen"]


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(args)
    model = build_model(args.layers).to(device)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    run = Run(model, build_optimizers(model, args), average)
    if args.resume:
        run.restore(torch.load(args.resume, map_location=device))
    export(args.out, run.average, tokenizer)
    run_steps(args, run, tokenizer, device)
    export(args.out, run.average, tokenizer)
    print(f"exported to {args.out} after {run.step} steps and {run.tokens_seen / 1e6:.2f} M tokens")


def run_steps(args: argparse.Namespace, run: Run, tokenizer: Tokenizer, device: str) -> None:
    body = torch.compile(run.model.model, dynamic=False) if args.compile else run.model.model
    rng = random.Random(args.seed + run.step)
    data = batches(tokenizer, args.seed + 1000 + run.step, args.batch_tokens, lambda: difficulty(rng, run.step))
    mean_loss = None
    progress = tqdm(total=args.steps, initial=run.step, unit="step", mininterval=10)
    while run.step < args.steps:
        inputs, labels = next(data)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = answer_loss(run.model, body, inputs.to(device), labels.to(device))
        run.learn(loss, inputs, lr_scale(run.step, args.steps, args.decay_steps))
        mean_loss = loss.item() if mean_loss is None else 0.97 * mean_loss + 0.03 * loss.item()
        progress.update()
        progress.set_postfix(loss=f"{mean_loss:.3f}", tokens=f"{run.tokens_seen / 1e6:.2f}M", refresh=False)
        if run.step % args.save_every == 0:
            save_checkpoint(args.out / "checkpoint.pt", run.state())
            export(args.out, run.average, tokenizer)


def difficulty(rng: random.Random, step: int) -> float:
    """How hard the next task is: a random share of a level that rises over the first 1,200 steps."""
    return min(1.0, 0.05 + step / 1200) * rng.uniform(0.3, 1.0)


if __name__ == "__main__":
    train(parse_args())
