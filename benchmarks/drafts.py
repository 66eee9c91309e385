"""Replay recorded decodings through drafters: how many tokens each forward pass would have yielded, and what it would cost.

    python benchmarks/drafts.py [--budgets 16,32,64] [--width-costs 0.005,0.02,0.1,0.3] [--tasks edit,json] [--json] [--record]

The recorded output plays the model's greedy decoding, so nothing but the drafter differs. Mean acceptance length = output
tokens after the first / forward passes, the bonus token counted and the prefill not. Projected speed takes a forward over w
drafted nodes to cost 1 + a * w plain ones; with a width cost, penstock chooses its own width and the others get the best of
their budgets from 4 to 64. Cold: each request starts with an empty store. Warm: earlier outputs of the same task stay.
Peers that are not installed are left out and named. Biases: one tokenizer (Tekken), greedy texts, one request at a time; the
defaults of the blend were tuned on the traces in the data folder, so report texts that are not in it.
The traces lie in the folder PENSTOCK_SHARED (default: ../shared beside the repository), in data/decoding-traces-dev.jsonl.gz.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from records import save_record

SHARED = Path(os.environ.get("PENSTOCK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TRACES = SHARED / "data" / "decoding-traces-dev.jsonl.gz"
PEER_BUDGETS = (4, 8, 16, 32, 64)

Trace = tuple[list[int], list[int]]  # prompt, output


@dataclass
class Total:
    """What one drafter did on one task."""

    tokens: int = 0
    forwards: int = 0
    nodes: int = 0
    seconds: float = 0.0

    @property
    def acceptance(self) -> float:
        return self.tokens / self.forwards

    @property
    def step_microseconds(self) -> float:
        return self.seconds / self.forwards * 1e6

    def speed(self, width_cost: float) -> float:
        return self.tokens / (self.forwards + width_cost * self.nodes)


class Retrieval:
    """penstock's RetrievalIndex, by budget or by width cost."""

    def __init__(self, budget: int, width_cost: float | None = None) -> None:
        from penstock.drafting import RetrievalDrafter

        self.drafter, self.budget = RetrievalDrafter(width_cost=width_cost), budget

    def start(self, prompt: list[int]) -> None:
        self.session = self.drafter.start(prompt)

    def extend(self, tokens: list[int]) -> None:
        self.session.extend(tokens)

    def propose(self) -> tuple[Sequence[int], Sequence[int]]:
        token_ids, parents = self.session.propose(self.budget).tolist()
        return token_ids[1:], [parent - 1 for parent in parents[1:]]

    def finish(self) -> None:
        self.session.finish()


class Trie(Retrieval):
    """penstock's TrieStore with the paper's defaults."""

    def __init__(self, budget: int) -> None:
        from penstock.drafting import TrieDrafter

        self.drafter, self.budget = TrieDrafter(), budget


class PromptLookup:
    """The rule of transformers' prompt lookup: behind the leftmost place of the last 3, 2 or 1 tokens, at most 10."""

    def __init__(self, budget: int) -> None:
        self.budget = min(budget, 10)

    def start(self, prompt: list[int]) -> None:
        self.tokens = list(prompt)

    def extend(self, tokens: list[int]) -> None:
        self.tokens += tokens

    def propose(self) -> tuple[Sequence[int], Sequence[int]]:
        tokens = self.tokens
        for size in range(min(3, len(tokens) - 1), 0, -1):
            suffix, last = tokens[-size:], len(tokens) - size
            for start in range(last):
                if tokens[start] == suffix[0] and tokens[start : start + size] == suffix:
                    chain = tokens[start + size : start + size + self.budget]
                    return chain, list(range(-1, len(chain) - 1))
        return [], []

    def finish(self) -> None:
        pass


class SuffixTree:
    """SuffixDecodingCache of arctic-inference, free to use the whole budget."""

    def __init__(self, budget: int, *, tree: bool = True) -> None:
        from arctic_inference.suffix_decoding import SuffixDecodingCache

        self.cache, self.budget, self.request = SuffixDecodingCache(max_tree_depth=64), budget, 0
        # The settings under which each variant accepts most; the package's own defaults throttle the tree.
        as_tree = {"use_tree_spec": True, "max_spec_factor": 1000.0, "max_spec_offset": 64.0, "min_token_prob": 0.0}
        as_chain = {"use_tree_spec": False, "max_spec_factor": 1.0, "max_spec_offset": 0.0, "min_token_prob": 0.1}
        self.options = as_tree if tree else as_chain

    def start(self, prompt: list[int]) -> None:
        self.tokens, self.request = list(prompt), self.request + 1
        self.cache.start_request(self.request, prompt)

    def extend(self, tokens: list[int]) -> None:
        self.tokens += tokens
        self.cache.add_active_response(self.request, tokens)

    def propose(self) -> tuple[Sequence[int], Sequence[int]]:
        draft = self.cache.speculate(self.request, self.tokens[-64:], max_spec_tokens=self.budget, **self.options)
        return draft.token_ids, draft.parents

    def finish(self) -> None:
        self.cache.stop_request(self.request)


def accepted(token_ids: Sequence[int], parents: Sequence[int], expected: list[int]) -> int:
    """Return how many expected tokens the tree foresaw; its roots have the parent -1."""
    children: dict[tuple[int, int], int] = {}
    for node, (token, parent) in enumerate(zip(token_ids, parents, strict=True)):
        children.setdefault((parent, token), node)
    node, count = -1, 0
    while count < len(expected) and (node, expected[count]) in children:
        node, count = children[node, expected[count]], count + 1
    return count


def replay(drafter: Any, trace: Trace, total: Total) -> None:
    """Decode one recorded output. Only the drafter's own time is counted."""
    prompt, output = trace
    clock = time.perf_counter
    begun = clock()
    drafter.start(prompt)
    drafter.extend(output[:1])
    total.seconds += clock() - begun
    position = 1
    while position < len(output):
        begun = clock()
        token_ids, parents = drafter.propose()
        total.seconds += clock() - begun
        taken = output[position : position + accepted(token_ids, parents, output[position:]) + 1]
        position, total.forwards, total.nodes = position + len(taken), total.forwards + 1, total.nodes + len(token_ids)
        begun = clock()
        drafter.extend(taken)
        total.seconds += clock() - begun
    begun = clock()
    drafter.finish()
    total.seconds += clock() - begun
    total.tokens += len(output) - 1


def measure(make: Callable[[], Any], traces: list[Trace], warm: bool) -> Total:
    """Replay all traces of a task through one drafter (warm) or through a new one each (cold)."""
    drafter, total = make(), Total()
    for trace in traces:
        replay(drafter if warm else make(), trace, total)
    return total


def load(path: Path) -> dict[str, list[Trace]]:
    """Return the traces of each task as token ids."""
    import mistral_common
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tekken = Tekkenizer.from_file(str(Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"))
    tasks: dict[str, list[Trace]] = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            trace = tekken.encode(row["prompt"], True, False), tekken.encode(row["output"], False, True)
            tasks.setdefault(row["task"], []).append(trace)
    return tasks


def by_budget(traces: list[Trace], budgets: list[int], warm: bool, peers: bool) -> Iterator[dict[str, Any]]:
    """Yield one row per budget and drafter: acceptance, ratio to the suffix tree, time."""
    for budget in budgets:
        tree = measure(lambda budget=budget: SuffixTree(budget), traces, warm) if peers else None
        drafters = {"retrieval": Retrieval, "trie": Trie, "prompt lookup": PromptLookup}
        totals = {name: measure(lambda c=c, b=budget: c(b), traces, warm) for name, c in drafters.items()}
        if tree:
            totals["suffix tree"] = tree
        for name, total in totals.items():
            ratio = total.acceptance / tree.acceptance if tree else None
            yield {"drafter": name, "budget": budget, "value": total.acceptance, "ratio": ratio, **facts(total)}


def by_width_cost(traces: list[Trace], costs: list[float], warm: bool, peers: bool) -> Iterator[dict[str, Any]]:
    """Yield one row per width cost: projected speed of the automatic budget, ratio to the best suffix tree or chain."""
    rivals = []
    if peers:
        makers = [lambda b=b, t=t: SuffixTree(b, tree=t) for b in PEER_BUDGETS for t in (True, False)]
        rivals = [measure(make, traces, warm) for make in makers]
    for cost in costs:
        total = measure(lambda cost=cost: Retrieval(64, cost), traces, warm)
        best = max((rival.speed(cost) for rival in rivals), default=None)
        speed = total.speed(cost)
        yield {"drafter": "retrieval", "width_cost": cost, "value": speed, "ratio": best and speed / best, **facts(total)}


def facts(total: Total) -> dict[str, Any]:
    return {**asdict(total), "nodes_per_step": total.nodes / total.forwards, "step_microseconds": total.step_microseconds}


def line(row: dict[str, Any]) -> str:
    what = f"budget {row['budget']}" if "budget" in row else f"a = {row['width_cost']}"
    ratio = "" if row["ratio"] is None else f"  {row['ratio']:.3f} x the suffix tree"
    cost = f"{row['nodes_per_step']:5.1f} nodes {row['step_microseconds']:6.1f} us"
    return f"{row['task']:10s} {row['store']} {row['drafter']:13s} {what:10s} {row['value']:7.3f}  {cost}{ratio}"


def has_suffix_tree() -> bool:
    try:
        import arctic_inference.suffix_decoding  # noqa: F401
    except ImportError:
        print("arctic-inference is not installed: no suffix tree, no ratios", file=sys.stderr)
        return False
    return True


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budgets", default="16,32,64")
    parser.add_argument("--width-costs", default="0.005,0.02,0.1,0.3")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--traces", type=Path, default=TRACES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="keep the figures under benchmarks/record")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Print a line, or a JSON object, per measurement."""
    options = parse(argv)
    if not options.traces.exists():
        print(f"no traces at {options.traces}; set PENSTOCK_SHARED or give --traces", file=sys.stderr)
        return 1
    peers, wanted = has_suffix_tree(), {task for task in options.tasks.split(",") if task}
    budgets = [int(budget) for budget in options.budgets.split(",") if budget]
    costs = [float(cost) for cost in options.width_costs.split(",") if cost]
    record: dict[str, Any] = {"date": datetime.date.today().isoformat(), "load": os.getloadavg()[0], "rows": []}
    for task, traces in load(options.traces).items():
        if wanted and task not in wanted:
            continue
        for warm in (False, True):
            rows = [*by_budget(traces, budgets, warm, peers), *by_width_cost(traces, costs, warm, peers)]
            for row in rows:
                row = {"task": task, "store": "warm" if warm else "cold", **row}
                print(json.dumps(row) if options.json else line(row), flush=True)
                record["rows"].append(row)
    if options.record:
        save_record("drafts", record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
