"""Time to the first mask and time per token, for penstock and its peers, over recorded schemas with instances.

    python benchmarks/masks.py [CASES.jsonl.gz] [--engines penstock,llguidance,xgrammar] [--stride 29] [--json] [--no-record]

A case is `{"id", "schema", "tests": [{"valid", "data"}]}`; by default those of the data folder (PENSTOCK_SHARED,
../shared). Vocabulary: tekken of mistral-common, 131,072 ids. Every engine gets every case in turn, in a process of its
own, on one thread.

first mask: compile (a new compiler a schema, the vocabulary's tables built before) and the first fill. A step is fill +
accept of one token of an instance as json.dumps writes it. Each instance is read three times: `first` is the first
pass, with all first visits of its states; `repeat` is the smaller time of the other two. All in microseconds. Places:
what the token begins in. passing: compiled, every valid instance taken to its end, every invalid one refused. Times are
over the cases that all engines pass.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from records import save_record

FOLDER = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("PENSTOCK_SHARED", FOLDER.parents[1] / "shared"))
SECONDS_PER_CASE = 30
PLACES = ("name", "string", "number", "structure")
SHARES = (0.5, 0.9, 0.99, 1.0)


class Tekken:
    """The vocabulary: bytes of every id, special ids first, and the encoder."""

    def __init__(self) -> None:
        import mistral_common
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        path = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
        tokenizer = Tekkenizer.from_file(str(path))
        self.num_special, self.stop_id = tokenizer.num_special_tokens, 2
        self.ranks, self.pattern = tokenizer._model._mergeable_ranks, tokenizer._model._pat_str
        self.tokens = [b""] * (self.num_special + len(self.ranks))
        for token, rank in self.ranks.items():
            self.tokens[self.num_special + rank] = token
        self.encode: Callable[[str], list[int]] = lambda text: tokenizer.encode(text, bos=False, eos=False)


class Penstock:
    """This library."""

    def __init__(self, tekken: Tekken) -> None:
        import penstock
        from penstock.bitmask import allocate_token_bitmask

        self.penstock = penstock
        special = range(tekken.num_special)
        self.info = penstock.TokenizerInfo(tekken.tokens, stop_token_ids=[tekken.stop_id], special_token_ids=special)
        self.bitmask = allocate_token_bitmask(1, len(tekken.tokens))
        self.encode = tekken.encode

    def compile(self, schema: Any) -> None:
        self.compiled = self.penstock.GrammarCompiler(self.info).compile_json_schema(schema)

    def start(self) -> tuple[Callable[[], Any], Callable[[int], bool]]:
        """A new output: its fill and its accept."""
        matcher, bitmask = self.penstock.Matcher(self.compiled), self.bitmask
        return (lambda: matcher.fill_next_token_bitmask(bitmask, 0)), matcher.accept_token


class LLGuidance:
    """llguidance, with its own numbering: text tokens first."""

    def __init__(self, tekken: Tekken) -> None:
        import llguidance
        import llguidance.numpy
        import llguidance.tiktoken
        import tiktoken

        special = {f"<SP{i}>": len(tekken.ranks) + i for i in range(tekken.num_special)}
        encoding = tiktoken.Encoding("tekken", pat_str=tekken.pattern, mergeable_ranks=tekken.ranks, special_tokens=special)
        stop = len(tekken.ranks) + tekken.stop_id
        self.tokenizer = llguidance.tiktoken.lltokenizer_from_encoding(encoding, eos_token=stop)
        self.matcher_class, self.fill = llguidance.LLMatcher, llguidance.numpy.fill_next_token_bitmask
        self.bitmask = llguidance.numpy.allocate_token_bitmask(1, self.tokenizer.vocab_size)
        self.encode = lambda text: [token - tekken.num_special for token in tekken.encode(text)]

    def compile(self, schema: Any) -> None:
        self.compiled = self.matcher_class(self.tokenizer, self.matcher_class.grammar_from_json_schema(schema))
        if self.compiled.is_error():
            raise ValueError(self.compiled.get_error())

    def start(self) -> tuple[Callable[[], Any], Callable[[int], bool]]:
        matcher, bitmask = self.compiled.deep_copy(), self.bitmask

        def accept(token: int) -> bool:
            allowed = int(bitmask[0, token >> 5]) >> (token & 31) & 1
            return bool(allowed) and matcher.consume_token(token)

        return (lambda: self.fill(matcher, bitmask, 0)), accept


class XGrammar:
    """XGrammar, strict, with flexible whitespace."""

    def __init__(self, tekken: Tekken) -> None:
        import xgrammar

        self.xgrammar, size = xgrammar, len(tekken.tokens)
        stop = [tekken.stop_id]
        self.info = xgrammar.TokenizerInfo(tekken.tokens, xgrammar.VocabType.RAW, vocab_size=size, stop_token_ids=stop)
        self.bitmask, self.encode = xgrammar.allocate_token_bitmask(1, size), tekken.encode

    def compile(self, schema: Any) -> None:
        compiler = self.xgrammar.GrammarCompiler(self.info, max_threads=1, cache_enabled=False)
        self.compiled = compiler.compile_json_schema(json.dumps(schema), any_whitespace=True, strict_mode=True)

    def start(self) -> tuple[Callable[[], Any], Callable[[int], bool]]:
        matcher, bitmask = self.xgrammar.GrammarMatcher(self.compiled), self.bitmask
        return (lambda: matcher.fill_next_token_bitmask(bitmask)), matcher.accept_token


ENGINES = {"penstock": Penstock, "llguidance": LLGuidance, "xgrammar": XGrammar}


def installed(names: str) -> list[str]:
    """Of names with commas between them, the engines that are there."""
    return [name for name in names.split(",") if name == "penstock" or importlib.util.find_spec(name)]


def places_of(text: str) -> list[str]:
    """For each character of a JSON text, what a token that begins there begins in."""
    places, inside, start = [], False, 0
    for i, character in enumerate(text):
        kind = "string" if inside else "number" if character in "-.0123456789eE+" else "structure"
        places.append(kind)
        if character == '"' and (not inside or not is_escaped(text, i)):
            if inside and text[i + 1 : i + 2] == ":":
                places[start : i + 1] = ["name"] * (i + 1 - start)
            inside, start = not inside, i
    return places


def is_escaped(text: str, at: int) -> bool:
    """Whether an odd number of backslashes stands before."""
    return (at - len(text[:at].rstrip("\\"))) % 2 == 1


def read_instance(engine: Any, tokens: list[int]) -> tuple[list[float], bool]:
    """One pass: the time of each step, and whether every token was taken."""
    fill, accept = engine.start()
    steps = []
    for token in tokens:
        begin = time.perf_counter()
        fill()
        taken = accept(token)
        steps.append((time.perf_counter() - begin) * 1e6)
        if not taken:
            return steps, False
    return steps, True


def measure(engine: Any, tekken: Tekken, case: dict[str, Any]) -> dict[str, Any]:
    """Verdict and times of one case."""
    begin = time.perf_counter()
    try:
        engine.compile(case["schema"])
        engine.start()[0]()
    except Exception as error:
        return {"verdict": "refused", "reason": repr(error)[:200]}
    answer: dict[str, Any] = {"first mask": (time.perf_counter() - begin) * 1e6, "verdict": "passing", "steps": []}
    for test in case["tests"]:
        text = json.dumps(test["data"], ensure_ascii=False)
        tokens = engine.encode(text)
        passes = [read_instance(engine, tokens) for _ in range(3)]
        if passes[0][1] != test["valid"] and answer["verdict"] != "invalid accepted":
            answer["verdict"] = "valid rejected" if test["valid"] else "invalid accepted"
        places, at = places_of(text), 0
        spelled = [tekken.tokens[token] for token in tekken.encode(text)]
        offsets = []
        for token in spelled:
            offsets.append(len(text.encode()[:at].decode(errors="ignore")))
            at += len(token)
        for i, first in enumerate(passes[0][0]):
            again = min((other[0][i] for other in passes[1:]), default=first)
            answer["steps"].append((places[min(offsets[i], len(places) - 1)], round(first, 2), round(again, 2)))
    return answer


def work(name: str, connection: Any) -> None:
    """A process that answers cases."""
    tekken = Tekken()
    engine = ENGINES[name](tekken)
    measure(engine, tekken, {"schema": {"type": "object"}, "tests": [{"valid": True, "data": {"a": "b"}}]})
    connection.send("ready")
    while (case := connection.recv()) is not None:
        connection.send(measure(engine, tekken, case))


class Worker:
    """An engine in its process, started again where a case took too long or broke it."""

    def __init__(self, name: str) -> None:
        self.name, self.process = name, None

    def ask(self, case: dict[str, Any]) -> dict[str, Any]:
        if self.process is None:
            self.connection, other = multiprocessing.Pipe()
            self.process = multiprocessing.get_context("spawn").Process(target=work, args=(self.name, other), daemon=True)
            self.process.start()
            other.close()
            if self.connection.recv() != "ready":
                raise RuntimeError(f"{self.name} did not start")
        self.connection.send(case)
        verdict = "timeout"
        if self.connection.poll(SECONDS_PER_CASE):
            try:
                return self.connection.recv()
            except EOFError:
                verdict = "crash"
        self.process.kill()
        self.process = None
        return {"verdict": verdict}

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.connection.send(None)
            self.process.join()


def read_cases(path: Path, stride: int) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line) for number, line in enumerate(lines) if number % stride == 0)


def percentiles(values: list[float]) -> dict[str, float]:
    """Some percentiles and the mean."""
    ordered = sorted(values)
    found = {f"p{share * 100:g}": round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) for share in SHARES}
    return found | {"mean": round(sum(ordered) / len(ordered), 2)}


def summarise(answers: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Verdicts of all cases, and times of those that every engine passes."""
    columns = list(answers)
    common = [
        i for i, rows in enumerate(zip(*answers.values(), strict=True)) if all(row["verdict"] == "passing" for row in rows)
    ]
    summary: dict[str, Any] = {"cases": len(answers[columns[0]]), "common": len(common)}
    for name in columns:
        rows, times = answers[name], defaultdict(list)
        for row in (rows[i] for i in common):
            times["first mask"].append(row["first mask"])
            for place, first, again in row["steps"]:
                times["step, first"].append(first)
                times["step, repeat"].append(again)
                times[f"{place}, first"].append(first)
                times[f"{place}, repeat"].append(again)
        verdicts = {kind: sum(row["verdict"] == kind for row in rows) for kind in sorted({row["verdict"] for row in rows})}
        summary[name] = {"verdicts": verdicts, "times": {key: percentiles(values) for key, values in times.items()}}
    return summary


def print_tables(summary: dict[str, Any], engines: list[str]) -> None:
    print(f"{summary['cases']} schemas, {summary['common']} passed by all; microseconds")
    for name in engines:
        print(f"  {name}: " + ", ".join(f"{count} {kind}" for kind, count in summary[name]["verdicts"].items()))
    keys = [
        "first mask",
        "step, first",
        "step, repeat",
        *(f"{place}, {turn}" for place in PLACES for turn in ("first", "repeat")),
    ]
    for key in keys:
        for share in ("p50", "p90", "p99", "p100", "mean"):
            cells = [summary[name]["times"].get(key, {}).get(share) for name in engines]
            print(f"{key:20s} {share:5s}" + "".join(f"{cell if cell is not None else '-':>14}" for cell in cells))


def plot(answers: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The distribution of all steps, one line an engine."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, rows in answers.items():
        steps = sorted(first for row in rows for _, first, _ in row.get("steps", []))
        axes.plot(steps, [(i + 1) / len(steps) for i in range(len(steps))], label=name)
    axes.set(xscale="log", xlabel="fill + accept, first pass (microseconds)", ylabel="share of steps")
    axes.legend()
    figure.savefig(path, bbox_inches="tight")


def versions(engines: list[str]) -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs",
    }
    for name in engines:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "source tree"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="?", type=Path, default=SHARED / "data" / "maskbench-dev.jsonl.gz")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--stride", type=int, default=29)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    if not options.cases.is_file():
        sys.exit(f"`{options.cases}` is not there; set PENSTOCK_SHARED to the data folder, or name a file of cases")
    engines = installed(options.engines)
    workers = {name: Worker(name) for name in engines}
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
    for number, case in enumerate(read_cases(options.cases, options.stride)):
        for name, worker in workers.items():
            answers[name].append(worker.ask(case))
        if sys.stderr.isatty():
            print(f"\r{number + 1} schemas", end="", file=sys.stderr)
    for worker in workers.values():
        worker.close()
    summary = {
        "date": datetime.date.today().isoformat(),
        "stride": options.stride,
        "versions": versions(engines),
        **summarise(answers),
    }
    if options.json:
        print(json.dumps(summary, indent=1))
    else:
        print_tables(summary, engines)
    if not options.no_record:
        plot(answers, save_record("masks", summary).with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
