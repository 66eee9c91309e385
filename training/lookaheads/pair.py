"""Trains one model of the draft-and-target pair.

    python training/lookaheads/pair.py --size target --out out/target --steps 6000
    python training/lookaheads/pair.py --size draft --out out/draft --steps 4000

Two sizes of one Llama over one tokenizer, trained on the texts of `texts.py`, the loss on the answers alone. Optimizers,
averaging and learning rates are those of `training/train.py`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from operator import add
from pathlib import Path

import torch
from tokenizers import Tokenizer, pre_tokenizers
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.append(str(Path(__file__).resolve().parents[1]))

from lexicon import KEYWORDS, WORDS
from texts import USE, Text, as_json, draw_reply, draw_story
from tokenizer import train_byte_level
from train import Run, build_optimizers, lr_scale, pad_rows, save_checkpoint

VOCAB_SIZE = 704
PAD, BOS, EOS = SPECIAL_TOKENS = ["<|pad|>", "<|bos|>", "<|eos|>"]
MAX_POSITIONS = 256
COPIED = [word for kind in KEYWORDS for word in WORDS[kind]]
TOLD_APART = 0.6  # mean distance of the words of a kind from their mean
JSON = 0.15  # how many of the stories are told in a member of a JSON document
COPY_WEIGHT = 10.0  # what these words weigh in the loss while stories use all of them: few tokens, and all of the lesson
SIZES = {  # hidden size, layers, heads of queries, of keys; the feed-forward part is twice the hidden size
    "target": (192, 4, 6, 6),
    "draft": (64, 2, 2, 2),
}


def build_tokenizer(num_texts: int = 20_000) -> Tokenizer:
    """Byte-level BPE with GPT-2's words, trained on the texts; nearly every word of theirs is one token."""
    rng = random.Random(0)
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    drawn = (draw_text(rng) for _ in range(num_texts))
    return train_byte_level((text.prompt + text.answer for text in drawn), words, VOCAB_SIZE, SPECIAL_TOKENS)


def draw_text(rng: random.Random, use: float = USE) -> Text:
    """Half stories, half replies; while stories use all their words, most texts are stories of nothing else."""
    short = use == 1 and rng.random() < 0.7
    if not short and rng.random() < 0.5:
        return draw_reply(rng)
    story = draw_story(rng, use=1.0, length=0) if short else draw_story(rng, use=use)
    return as_json(story) if rng.random() < JSON else story


def use_at(step: int, copy_steps: int) -> float:
    """How often stories use their words: always over the first `copy_steps`, which teaches copying soon, then ever less."""
    return USE + (1 - USE) * min(1.0, max(0.0, 3.0 - 2.0 * step / copy_steps))


def build_model(size: str, vocab_size: int) -> LlamaForCausalLM:
    hidden, layers, heads, key_heads = SIZES[size]
    ids = {f"{name}_token_id": SPECIAL_TOKENS.index(f"<|{name}|>") for name in ("pad", "bos", "eos")}
    config = LlamaConfig(
        vocab_size=vocab_size, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=key_heads, max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True, rms_norm_eps=1e-6, attn_implementation="sdpa",
        rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}, **ids,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def batches(
    tokenizer: Tokenizer, seed: int, rows: int, use: Callable[[], float]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless (input ids, labels), both int64 [rows, longest text]; labels are -100 outside the answer."""
    rng = random.Random(seed)
    end_id = SPECIAL_TOKENS.index(EOS)
    while True:
        texts = [draw_text(rng, use()) for _ in range(rows)]
        prompts = [tokenizer.encode(text.prompt).ids for text in texts]
        answers = [[*tokenizer.encode(text.answer, add_special_tokens=False).ids, end_id] for text in texts]
        yield pad_rows(list(zip(prompts, answers, strict=True)), max(map(len, map(add, prompts, answers))))


def export(out: Path, size: str, average: dict[str, torch.Tensor], tokenizer: Tokenizer) -> None:
    """Writes bf16 weights, configs and the tokenizer, as `from_pretrained` reads them."""
    model = build_model(size, VOCAB_SIZE)
    model.load_state_dict(average)
    model.generation_config.update(
        do_sample=False, eos_token_id=SPECIAL_TOKENS.index(EOS), pad_token_id=SPECIAL_TOKENS.index(PAD)
    )
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save(str(out / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    names = {"pad_token": PAD, "bos_token": BOS, "eos_token": EOS, "model_max_length": MAX_POSITIONS}
    (out / "tokenizer_config.json").write_text(json.dumps(config | names, indent=2) + "\n")


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    known = args.out / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(known)) if known.exists() else build_tokenizer()
    model = build_model(args.size, VOCAB_SIZE)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    run = Run(model, build_optimizers(model, args), average)
    if args.resume:
        run.restore(torch.load(args.resume))
        spread_words(run, tokenizer)
    loss = run_steps(args, run, tokenizer)
    save_checkpoint(args.out / "checkpoint.pt", run.state())
    export(args.out, args.size, run.average, tokenizer)
    size = f"{model.num_parameters():,} parameters"
    print(f"{size}, {run.step} steps, {run.tokens_seen / 1e6:.2f} M tokens, loss {loss:.4f}: {args.out}")


def spread_words(run: Run, tokenizer: Tokenizer) -> None:
    """Move words apart whose embeddings have fallen together, as words do that a model takes for one another.

    While they are one, nothing of a prompt tells which of them it holds, and copying is learned late or never. They take over
    the differences within a kind that is told apart already, or random ones where there is none.
    """
    for table in (run.model.state_dict()["model.embed_tokens.weight"], run.average["model.embed_tokens.weight"]):
        rows = {kind: [tokenizer.encode(" " + w, add_special_tokens=False).ids[0] for w in WORDS[kind]] for kind in KEYWORDS}
        inner = {kind: table[of] - table[of].mean(0) for kind, of in rows.items()}
        clear = [kind for kind in KEYWORDS if inner[kind].norm(dim=1).mean() > TOLD_APART]
        for kind in set(KEYWORDS) - set(clear):
            random = TOLD_APART * torch.nn.functional.normalize(torch.randn(inner[kind].shape), dim=1)
            table[rows[kind]] = table[rows[kind]].mean(0) + (inner[clear[0]] if clear else random)


def weighted_loss(model: LlamaForCausalLM, inputs: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean cross entropy over the answers; all of [rows, length]. The head is applied to those positions alone."""
    hidden = model.model(input_ids=inputs).last_hidden_state[:, :-1]
    keep = labels[:, 1:] != -100
    losses = torch.nn.functional.cross_entropy(model.lm_head(hidden[keep]), labels[:, 1:][keep], reduction="none")
    shares = weights[:, 1:][keep]
    return (losses * shares).sum() / shares.sum()


def run_steps(args: argparse.Namespace, run: Run, tokenizer: Tokenizer) -> float:
    """Train until `args.steps`; return the running mean of the loss."""
    mean = None
    data = batches(tokenizer, args.seed + 1 + run.step, args.rows, lambda: use_at(run.step, args.copy_steps))
    progress = tqdm(total=args.steps, initial=run.step, unit="step", mininterval=10)
    copied = torch.tensor([tokenizer.encode(" " + word, add_special_tokens=False).ids[0] for word in COPIED])
    while run.step < args.steps:
        inputs, labels = next(data)
        weights = 1.0 + (COPY_WEIGHT - 1.0) * torch.isin(labels, copied) * (use_at(run.step, args.copy_steps) == 1)
        loss = weighted_loss(run.model, inputs, labels, weights)
        run.learn(loss, inputs, lr_scale(run.step, args.steps, args.decay_steps))
        mean = loss.item() if mean is None else 0.97 * mean + 0.03 * loss.item()
        progress.update()
        progress.set_postfix(loss=f"{mean:.4f}", tokens=f"{run.tokens_seen / 1e6:.2f}M", refresh=False)
        if run.step % args.save_every == 0:
            save_checkpoint(args.out / "checkpoint.pt", run.state())
            export(args.out, args.size, run.average, tokenizer)
    return mean or float("nan")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--decay-steps", type=int, default=1200)
    parser.add_argument("--copy-steps", type=int, default=1000, help="steps with stories that use all their words")
    parser.add_argument("--resume", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--muon-lr", type=float, default=4e-3)
    parser.add_argument("--adam-lr", type=float, default=4e-3)
    parser.add_argument("--save-every", type=int, default=250)
    return parser.parse_args()


if __name__ == "__main__":
    train(parse_args())
