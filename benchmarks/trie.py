"""The trie of the Lookahead paper by its parameters, with our index beside it, on recorded decodings.

    python benchmarks/trie.py [--tasks gsm8k,json] [--requests 40] [--json] [--no-record]

The paper's sweeps: *decoding length* (drafted tokens of a forward, our budget) at branch length 12, *branch length* at
decoding length 64, and its three modes. Ours has no branch length: its tree is as deep as what it expects. *Capacity*: warm
acceptance when the shared store may take so many bytes; the trie is bounded in nodes, of some 36 bytes each. *Memory*: bytes
that each token of the outputs costs. Mean acceptance length = output tokens after the first / forward passes. `warm`: earlier
outputs of the task stay; `cold`: each request starts empty. Counts only, so a busy machine changes nothing.
Biases: as in `drafts.py`. The trie is ours, with the repairs that `crates/drafting/src/trie.rs` lists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drafts import TRACES, Retrieval, Trace, load, measure
from records import make_parser, report

LENGTHS = (8, 16, 32, 64, 128)  # decoding lengths
BRANCHES = (2, 4, 8, 12, 16, 24, 32)  # branch lengths
MODES = ("hierarchical", "parallel", "one_branch")
CAPACITIES = (1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22)  # bytes
NODE_BYTES = 36
COLOURS = {"index": "C0", "hierarchical": "C1", "parallel": "C2", "one_branch": "C3"}


class Trie(Retrieval):
    """The trie with these parameters."""

    def __init__(self, budget: int, **parameters: Any) -> None:
        from penstock.drafting import TrieDrafter

        self.drafter, self.budget = TrieDrafter(**parameters), budget


class Index(Retrieval):
    """Our index, bounded."""

    def __init__(self, budget: int, max_size_bytes: int) -> None:
        from penstock import RetrievalIndex
        from penstock.drafting import RetrievalDrafter

        self.drafter, self.budget = RetrievalDrafter(RetrievalIndex(max_size_bytes=max_size_bytes)), budget


def acceptance(make: Callable[[], Any], traces: list[Trace]) -> dict[str, float]:
    """Mean acceptance length, cold and warm."""
    return {store: round(measure(make, traces, store == "warm").acceptance, 3) for store in ("cold", "warm")}


def warm_store(make: Callable[[], Any], traces: list[Trace]) -> Any:
    """Return a drafter that has seen all outputs."""
    drafter = make()
    for prompt, output in traces:
        drafter.start(prompt)
        drafter.extend(output)
        drafter.finish()
    return drafter.drafter


def memory(traces: list[Trace]) -> dict[str, float]:
    """Bytes a token of finished outputs."""
    tokens = sum(len(output) for _, output in traces)
    found = {"index": round(warm_store(lambda: Retrieval(8), traces).index.size_bytes / tokens, 1)}
    for branch in BRANCHES:
        store = warm_store(lambda branch=branch: Trie(8, branch_length=branch, max_nodes=1 << 26), traces).store
        found[f"trie, branch length {branch}"] = round(store.num_nodes * NODE_BYTES / tokens, 1)
    return found


def sweep(traces: list[Trace]) -> dict[str, Any]:
    """All tables of one task."""
    by_length = {
        length: {"index": acceptance(lambda n=length: Retrieval(n), traces)}
        | {mode: acceptance(lambda n=length, m=mode: Trie(n, mode=m), traces) for mode in MODES}
        for length in LENGTHS
    }
    by_branch = {
        branch: {mode: acceptance(lambda b=branch, m=mode: Trie(64, branch_length=b, mode=m), traces) for mode in MODES}
        for branch in BRANCHES
    }
    by_capacity = {}
    for size in CAPACITIES:
        ours = measure(lambda size=size: Index(64, size), traces, True)
        trie = measure(lambda size=size: Trie(64, max_nodes=size // NODE_BYTES), traces, True)
        by_capacity[size] = {"index": round(ours.acceptance, 3), "hierarchical": round(trie.acceptance, 3)}
    return {
        "tokens": sum(len(output) for _, output in traces),
        "decoding length": by_length,
        "branch length": by_branch,
        "capacity": by_capacity,
        "bytes a token": memory(traces),
    }


def print_tables(tasks: dict[str, Any]) -> None:
    for task, tables in tasks.items():
        print(f"\n{task}: {tables['tokens']} tokens of outputs; mean acceptance length, cold / warm")
        for name in ("decoding length", "branch length"):
            for value, row in tables[name].items():
                cells = "  ".join(f"{who} {cell['cold']:.2f} / {cell['warm']:.2f}" for who, cell in row.items())
                print(f"  {name} {value:4}  {cells}")
        for size, row in tables["capacity"].items():
            print(f"  {size:8} bytes, warm  " + "  ".join(f"{who} {value:.2f}" for who, value in row.items()))
        print("  bytes a token  " + "  ".join(f"{who} {value}" for who, value in tables["bytes a token"].items()))


def plot(tasks: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(2, len(tasks), figsize=(3.2 * len(tasks), 6), squeeze=False)
    for column, (task, tables) in enumerate(tasks.items()):
        for axes, name in zip(grid[:, column], ("decoding length", "branch length"), strict=True):
            rows = tables[name]
            for who in next(iter(rows.values())):
                axes.plot(list(rows), [row[who]["warm"] for row in rows.values()], marker="o", label=who, color=COLOURS[who])
            if name == "branch length":
                axes.axhline(tables["decoding length"][64]["index"]["warm"], linestyle="--", color=COLOURS["index"])
            axes.set(title=task, xlabel=name, xscale="log", xticks=list(rows), xticklabels=list(rows))
            axes.minorticks_off()
    grid[0, 0].set_ylabel("warm acceptance length")
    grid[1, 0].set_ylabel("warm acceptance length")
    grid[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path)


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--tasks", default="")
    parser.add_argument("--requests", type=int, default=40, help="the first so many of each task")
    parser.add_argument("--traces", type=Path, default=TRACES)
    options = parser.parse_args(argv)
    if not options.traces.exists():
        print(f"no traces at {options.traces}; set PENSTOCK_SHARED or give --traces", file=sys.stderr)
        return 1
    wanted = [task for task in options.tasks.split(",") if task]
    record: dict[str, Any] = {"requests": options.requests, "tasks": {}}
    for task, traces in load(options.traces).items():
        if not wanted or task in wanted:
            record["tasks"][task] = sweep(traces[: options.requests])
            print(f"{task} is done", file=sys.stderr)
    report("trie", record, options, lambda r: print_tables(r["tasks"]), lambda r, path: plot(r["tasks"], path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
