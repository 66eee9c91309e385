"""Puts seeded bugs into a copy of the sources, one at a time, and runs the tests that must catch them.

    python tests/mutants/run.py                  # all; some 20 seconds each on one idle core
    python tests/mutants/run.py one_of_as_any_of names_repeat

The copy and its build stay under `target/mutants`, so that a second run compiles only what a mutant changes. The tests are
first run without a mutant. A mutant that survives, or that no longer applies, ends the run with status 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from table import MUTANTS, Mutant
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("Cargo.toml", "Cargo.lock", "rustfmt.toml", "crates", "corpus")
TIMEOUT_SECONDS = 900
# Compiled again for each mutant and run once: what is quick to compile is quicker as a whole.
SETTINGS = {
    "CARGO_PROFILE_CHECKS_OPT_LEVEL": "1",
    "CARGO_PROFILE_CHECKS_INCREMENTAL": "true",
    "CARGO_PROFILE_CHECKS_CODEGEN_UNITS": "64",
}


def copy_sources(copy: Path) -> None:
    """The sources as they are here; files that did not change keep their times, so that nothing is compiled for them."""
    copy.mkdir(parents=True, exist_ok=True)
    wanted = [path for name in SOURCES for path in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))]
    files = {path.relative_to(ROOT) for path in wanted if path.is_file()}
    for old in [path for name in SOURCES for path in (copy / name).rglob("*") if path.is_file()]:
        if old.relative_to(copy) not in files:
            old.unlink()
    for file in files:
        target = copy / file
        if not target.exists() or target.read_bytes() != (ROOT / file).read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, target)


def run_tests(copy: Path, arguments: tuple[str, ...]) -> tuple[str, str]:
    """`passed`, `failed`, `hung` or `does not compile`, and what was printed."""
    environment = os.environ | SETTINGS | {"CARGO_TARGET_DIR": str(copy.parent / "build")}
    build = ["cargo", "test", "--quiet", "--profile", "checks", *arguments]
    compiled = subprocess.run([*build, "--no-run"], cwd=copy, env=environment, capture_output=True, text=True)
    if compiled.returncode:
        return "does not compile", compiled.stderr
    try:
        done = subprocess.run(build, cwd=copy, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return "hung", ""
    return ("failed" if done.returncode else "passed"), done.stdout + done.stderr


def outcome_of(copy: Path, mutant: Mutant) -> str:
    """What the tests say of the sources with this bug."""
    target = copy / mutant.file
    text = target.read_text()
    if text.count(mutant.old) != 1:
        sys.exit(f"`{mutant.name}` does not apply: its old text occurs {text.count(mutant.old)} times in {mutant.file}")
    target.write_text(text.replace(mutant.old, mutant.new))
    try:
        outcome, printed = run_tests(copy, mutant.tests)
    finally:
        target.write_text(text)
    if outcome == "does not compile":
        sys.exit(f"`{mutant.name}` does not compile:\n{printed}")
    return "survived" if outcome == "passed" else "caught"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="mutants to run (default: all)")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "target" / "mutants", help="where the copy and its build are kept"
    )
    args = parser.parse_args()
    if unknown := set(args.names) - {mutant.name for mutant in MUTANTS}:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in MUTANTS if not args.names or mutant.name in args.names]
    copy = args.folder.resolve() / "sources"
    copy_sources(copy)
    for tests in dict.fromkeys(mutant.tests for mutant in chosen):
        outcome, text = run_tests(copy, tests)
        if outcome != "passed":
            sys.exit(f"without a mutant the tests {' '.join(tests)} {outcome}:\n{text}")
    survived = []
    for mutant in (bar := tqdm(chosen, unit="mutant")):
        bar.set_description(mutant.name)
        outcome = outcome_of(copy, mutant)
        tqdm.write(f"{outcome:>9}  {mutant.name}: {mutant.breaks}")
        survived += [mutant.name] if outcome == "survived" else []
    print(f"{len(chosen) - len(survived)} of {len(chosen)} caught" + "".join(f"\nsurvived: {name}" for name in survived))
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
