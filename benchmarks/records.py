"""What benchmarks do with their figures: options, versions, percentiles, and one JSON file a day and name under `record/`."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

RECORDS = Path(__file__).resolve().parent / "record"
SHARES = (0.5, 0.9, 0.99, 0.999)


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser that shows the head of the benchmark and knows `--json` and `--no-record`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the record instead of tables")
    parser.add_argument("--no-record", action="store_true", help="keep nothing under benchmarks/record")
    return parser


def dated(record: dict[str, Any]) -> dict[str, Any]:
    """The record behind today's date, unless it has one."""
    return {"date": datetime.date.today().isoformat()} | record


def report(
    name: str,
    record: dict[str, Any],
    options: argparse.Namespace,
    show: Callable[[dict[str, Any]], None] | None = None,
    plot: Callable[[dict[str, Any], Path], None] | None = None,
) -> None:
    """Print the record as the options say and save it, and the plot with it, unless they say no.

    show: prints it for people; None where the figures were printed as they came.
    """
    record = dated(record)
    if options.json:
        print(json.dumps(record, indent=1))
    elif show is not None:
        show(record)
    if not options.no_record:
        path = save_record(name, record)
        if plot is not None:
            plot(record, path.with_suffix(".png"))


def save_record(name: str, record: dict[str, Any]) -> Path:
    """Write a record over that of the same day; return its file, beside which a plot may stand."""
    RECORDS.mkdir(exist_ok=True)
    record = dated(record)
    path = RECORDS / f"{record['date']}-{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Those of Python and of some packages, and the machine."""
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs"
    found = {"python": platform.python_version(), "machine": machine}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "source tree"
    return found


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Some percentiles, the largest and the mean; at least one value."""
    ordered = sorted(values)
    found = {f"p{share * 100:g}": ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in SHARES}
    found |= {"max": ordered[-1], "mean": sum(ordered) / len(ordered)}
    return {name: round(value, 2) for name, value in found.items()}


def pyplot() -> Any:
    """matplotlib's, drawing into files."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot
