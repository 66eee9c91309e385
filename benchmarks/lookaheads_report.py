"""What the rows of the lookahead benchmark add up to: means, gates, paired comparisons, the table and the plot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Rows = Sequence[Mapping[str, Any]]

NUM_RESAMPLES = 2000
LOSS = 0.02  # satisfaction and well-formed sentences that count as "no less"
LOSS_OF_FLUENCY = 0.05  # log-probability a token that counts as "no less"
RATIO = 2.2  # the least speed-up that the paper reports, in serial target forwards here
GAIN = 0.2  # what the search must add to greedy decoding's satisfaction
MIN_PROMPTS = 300
TUNED = tuple(f"CDLH, {setting}" for setting in ("horizon", "num_candidates", "weight"))
CLAIMED = ("CDSL", "CDSL tree", "CDLH-Appx", "CDLH, blocks")  # beside best of n; the rest explains them
TASKS = {
    "keywords": "words of the list used",
    "harmless": "replies without hostility",
    "documents": "words of the list used, inside a JSON document",
}


def summary(rows: Rows) -> dict[str, Any]:
    """Return means over texts, and costs over written tokens."""
    tokens = sum(row["tokens"] for row in rows)
    states: dict[str, int] = {}
    for row in rows:
        for name, count in row["states"].items():
            states[name] = states.get(name, 0) + count
    rounds = sum(states.values()) or 1
    names = ("soft", "hard", "reward", "logprob", "judged", "well_formed", "valid")
    means = {name: float(np.mean([row[name] for row in rows])) for name in names}
    costs = {
        name: sum(row[name] for row in rows) / tokens
        for name in ("target_forwards", "target_positions", "draft_forwards", "reward_calls", "texts_scored", "seconds")
    }
    drafted = sum(row["drafted"] for row in rows)
    return {
        "texts": len(rows), **{name: round(value, 4) for name, value in means.items() if not np.isnan(value)},
        "tokens": round(tokens / len(rows), 2), "finished": round(float(np.mean([row["finished"] for row in rows])), 4),
        **{name: round(value, 4) for name, value in costs.items()},
        "accepted": round(sum(row["accepted"] for row in rows) / drafted, 4) if drafted else None,
        "states": {name: round(count / rounds, 4) for name, count in sorted(states.items())},
    }  # fmt: skip


def bootstrap(statistic: Callable[[np.ndarray], np.ndarray], num_items: int) -> list[float]:
    """Return three percentiles, 2.5, 50 and 97.5, over resampled prompts. statistic: of indices [resamples, items]."""
    drawn = np.random.default_rng(0).integers(0, num_items, (NUM_RESAMPLES, num_items))
    return [round(float(value), 4) for value in np.percentile(statistic(drawn), [2.5, 50, 97.5])]


def compare(rows: Rows, base: Rows) -> dict[str, Any]:
    """Compare two systems on the prompts that both answered: differences of worth, ratios of cost (base / system)."""
    count = min(len(rows), len(base))

    def column(name: str, of: Rows) -> np.ndarray:
        return np.array([row[name] for row in of[:count]], dtype=np.float64)

    def difference(name: str) -> list[float]:
        values = column(name, rows) - column(name, base)
        return bootstrap(lambda drawn: values[drawn].mean(1), count)

    def ratio(name: str, per: str | None) -> list[float]:
        own, other = column(name, rows), column(name, base)
        lengths, others = (column(per, rows), column(per, base)) if per else (np.ones(count), np.ones(count))

        def of(drawn: np.ndarray) -> np.ndarray:
            costs = own[drawn].sum(1) / lengths[drawn].sum(1)
            bases = other[drawn].sum(1) / others[drawn].sum(1)
            return np.asarray(bases / np.maximum(costs, 1e-9))

        return bootstrap(of, count)

    found: dict[str, Any] = {name: difference(name) for name in ("soft", "hard", "well_formed", "logprob")}
    found["forwards_a_token"] = ratio("target_forwards", "tokens")
    found["forwards_a_text"] = ratio("target_forwards", None)
    found["positions_a_token"] = ratio("target_positions", "tokens")
    found["seconds_a_token"] = ratio("seconds", "tokens")
    found["no_less_satisfied"] = found["soft"][0] >= -LOSS and found["hard"][0] >= -2 * LOSS
    found["no_less_fluent"] = found["logprob"][0] >= -LOSS_OF_FLUENCY and found["well_formed"][0] >= -LOSS
    return found


def gates(rows: Mapping[str, Mapping[str, Rows]], agreement: Mapping[str, float]) -> dict[str, Any]:
    """Return per task: the table, the gates (value, bound, whether it holds), comparisons with CDLH, and the claims.

    A task without gates of its own ("documents") stands on those of "keywords": its prompts are the same.
    """
    tasks: dict[str, Any] = {}
    for task, by_system in rows.items():
        table = {name: summary(of) for name, of in by_system.items()}
        checks = _checks(task, by_system, table, agreement[task])
        base = by_system.get("CDLH")
        versus = {} if base is None else {name: compare(of, base) for name, of in by_system.items() if name != "CDLH"}
        counted = tasks.get("keywords", {}).get("gates", []) if task == "documents" else checks
        holds = bool(counted) and all(check["holds"] for check in counted)
        tasks[task] = {
            "agreement": round(agreement[task], 4),
            "systems": table,
            "gates": checks,
            "against_cdlh": versus,
            "claims": _claims(versus, holds),
        }
        equal = {name: _equally_good(of, by_system) for name, of in by_system.items() if name.startswith("CDSL")}
        tasks[task]["against_equal_cdlh"] = {name: found for name, found in equal.items() if found}
    if {"keywords", "documents"} <= set(rows):
        tasks["documents"]["against_free_text"] = _inside(rows["documents"], rows["keywords"])
    return {"tasks": tasks}


def _equally_good(rows: Rows, by_system: Mapping[str, Rows]) -> dict[str, Any] | None:
    """Compare with the cheapest batched CDLH, of any horizon, width or weight, that is no worse on the shared prompts."""
    searches = [name for name in by_system if name == "CDLH" or name.startswith(TUNED)]
    for name in sorted(searches, key=lambda name: summary(by_system[name])["target_forwards"]):
        found = compare(rows, by_system[name])
        lost = {"soft": LOSS, "well_formed": LOSS, "logprob": LOSS_OF_FLUENCY}
        if all(found[worth][1] <= bound for worth, bound in lost.items()):
            return {"search": name, **found}
    return None


def _inside(documents: Mapping[str, Rows], plain: Mapping[str, Rows]) -> dict[str, Any]:
    """Return, for each system, what stories gain inside a document: the difference of coverage, paired, and the valid share."""
    found = {}
    for name in documents.keys() & plain.keys():
        soft = compare(documents[name], plain[name])["soft"]
        valid = float(np.mean([row["valid"] for row in documents[name]]))
        found[name] = {"soft": soft, "valid": valid, "as_without": soft[0] >= -LOSS and valid == 1.0}
    return {name: found[name] for name in documents if name in found}


def _checks(
    task: str, by_system: Mapping[str, Rows], table: Mapping[str, Mapping[str, Any]], agreement: float
) -> list[dict[str, Any]]:
    """Return the gates; that of "harmless" is its headroom, since its texts are too alike for a draft to be often wrong."""
    if not {"greedy", "CDLH", "reward on tokens", "CDSL"} <= set(table):
        return []
    greedy, cdlh, tokens, cdsl = (table[name] for name in ("greedy", "CDLH", "reward on tokens", "CDSL"))
    bound = 0.6  # greedy must leave something to reach: at most so many words used, or harmless replies
    gain, ahead = cdlh["soft"] - greedy["soft"], cdlh["soft"] - tokens["soft"]
    rules = [
        ("greedy leaves headroom", greedy["soft"], f"<= {bound}", greedy["soft"] <= bound),
        ("the search reaches it", gain, f">= {GAIN}", gain >= GAIN),
        ("a look ahead is needed", ahead, ">= 0.1", ahead >= 0.1),
        ("texts are long enough", greedy["tokens"], ">= 40", greedy["tokens"] >= 40),
        ("prompts are enough", greedy["texts"], f">= {MIN_PROMPTS}", greedy["texts"] >= MIN_PROMPTS),
    ]
    if task != "harmless":
        rules.append(("draft agrees with target", agreement, "0.5 to 0.9", 0.5 <= agreement <= 0.9))
    for name in (f"CDLH, horizon {horizon}" for horizon in (1, 2, 3)):
        if task != "harmless" and name in by_system:
            lost = -compare(by_system[name], by_system["CDLH"])["soft"][1]
            rules.append((f"a short horizon is worse ({name})", lost, f"> {LOSS}", lost > LOSS))
    shares = {state: cdsl["states"].get(state, 0.0) for state in ("accept", "single", "regenerate", "fallback")}
    rare = min(shares, key=lambda state: shares[state])
    rules.append((f"every state of CDSL occurs ({rare} least)", shares[rare], ">= 0.05", shares[rare] >= 0.05))
    return [{"gate": name, "value": round(value, 4), "bound": text, "holds": bool(ok)} for name, value, text, ok in rules]


def _claims(versus: Mapping[str, Mapping[str, Any]], gates_hold: bool) -> list[str]:
    claims = []
    for name, found in versus.items():
        if name not in CLAIMED and not name.startswith("best of"):
            continue
        low, mid, high = found["forwards_a_token"]
        worth = "no less satisfied" if found["no_less_satisfied"] else "LESS satisfied"
        fluent = "no less fluent" if found["no_less_fluent"] else "LESS fluent"
        reach = "" if low >= RATIO else f" (below {RATIO})"
        claims.append(
            f"{name}: {mid:.2f} times fewer serial target forwards a token [{low:.2f}, {high:.2f}]{reach}, {worth}, {fluent}"
        )
    return claims if gates_hold else [f"not claimed, a gate does not hold: {claim}" for claim in claims]


def print_report(report: Mapping[str, Any]) -> None:
    """Print tables, gates and claims."""
    for task, found in report["tasks"].items():
        print(
            f"\n{task}: {TASKS[task]}; {report['split']} prompts; draft and target agree on {found['agreement']:.1%} of tokens"
        )
        for check in found["gates"]:
            print(f"  gate {'holds' if check['holds'] else 'FAILS'}: {check['gate']}: {check['value']:.3f} ({check['bound']})")
        print(
            f"  {'':34s}{'texts':>6}{'soft':>7}{'hard':>7}{'reward':>8}{'logp':>8}{'formed':>8}{'tokens':>8}"
            f"{'target':>8}{'posit.':>8}{'draft':>8}{'scored':>8}{'ms':>8}  rounds"
        )
        for name, row in found["systems"].items():
            states = " ".join(f"{state} {share:.2f}" for state, share in row["states"].items())
            print(
                f"  {name:34s}{row['texts']:6d}{row['soft']:7.3f}{row['hard']:7.3f}{row['reward']:8.3f}{row['logprob']:8.3f}"
                f"{row['well_formed']:8.3f}{row['tokens']:8.1f}{row['target_forwards']:8.3f}{row['target_positions']:8.2f}"
                f"{row['draft_forwards']:8.3f}{row['texts_scored']:8.2f}{row['seconds'] * 1e3:8.2f}  {states}"
            )
        print("  against CDLH, over the same prompts, with 95 % intervals:")
        for claim in found["claims"]:
            print(f"    {claim}")
        for name, versus in found["against_equal_cdlh"].items():
            low, mid, high = versus["forwards_a_token"]
            least = f"{versus['search']}, the cheapest CDLH as good"
            print(f"    {name}: {mid:.2f} times fewer [{low:.2f}, {high:.2f}] than {least}")
        for name, inside in found.get("against_free_text", {}).items():
            low, mid, high = inside["soft"]
            change = f"coverage {mid:+.3f} [{low:+.3f}, {high:+.3f}] beside plain text"
            said = "as without" if inside["as_without"] else "NOT as without"
            print(f"    {name}: {inside['valid']:.1%} valid, {change}, {said}")
    print(
        "\ntarget, posit., draft, scored: forwards and positions of the target, forwards of the draft model, texts scored, "
        "each a written token;\nms: milliseconds a token, texts side by side on one thread. Fewer forwards are no fewer "
        "positions, and no promise of less time."
    )


def save_plot(report: Mapping[str, Any], path: Path) -> None:
    """Draw satisfaction against serial target forwards a token, a panel for each task; most sweeps bear no names."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    colors = {"CDSL tree": "tab:blue", "CDSL": "tab:green", "CDLH-Appx": "tab:orange", "CDLH": "tab:red"}
    figure, panels = pyplot.subplots(1, len(report["tasks"]), figsize=(5.5 * len(report["tasks"]), 5.5), squeeze=False)
    for panel, (task, found) in zip(panels[0], report["tasks"].items(), strict=True):
        for name, row in found["systems"].items():
            color = colors.get(name.split(",")[0], "tab:gray")
            panel.scatter(max(row["target_forwards"], 0.02), row["soft"], color=color, s=24, zorder=3)
        for (cost, soft), names in _labels(found["systems"]).items():
            panel.annotate(
                names, (cost, soft), xytext=(2, 5), textcoords="offset points", fontsize=7, rotation=50, rotation_mode="anchor"
            )
        panel.set(xscale="log", xlabel="serial target forwards a token", ylabel=TASKS[task], ylim=(0, 1.55), title=task)
        panel.set(xlim=(0.1, 150), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1.0])
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _labels(systems: Mapping[str, Mapping[str, Any]]) -> dict[tuple[float, float], str]:
    """Return the names at each place of a panel; systems that stand side by side share a label."""
    places: dict[tuple[float, float], list[str]] = {}
    for name, row in systems.items():
        if any(
            f"{setting} " in name for setting in ("weight", "num_candidates", "accept_threshold", "commit", "span", "slack")
        ):
            continue
        at = (max(row["target_forwards"], 0.02), row["soft"])
        near = next((p for p in places if abs(np.log10(p[0] / at[0])) < 0.06 and abs(p[1] - at[1]) < 0.03), at)
        places.setdefault(near, []).append(name)
    return {
        place: ", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"
        for place, names in places.items()
    }
