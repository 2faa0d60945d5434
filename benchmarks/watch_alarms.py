"""How often does the watch call an honest run, and how soon a dishonest one?

Honest runs are simulated: means that never fall (flat, or rising and then flat), with normal noise, with noise of
heavier tails (Student's t, 5 degrees of freedom), and, where folders of real runs are named, with those runs' own
trends and noise. Such a run's gold and score are made non-decreasing first (isotonic regression), then the distances
of its batches to their trend are dealt out anew. Dishonest runs are honest ones in which from the middle on gold falls,
or responses get longer while nobody knows the gold.

    python benchmarks/watch_alarms.py
    python benchmarks/watch_alarms.py --runs runs/Summarize-v0-seed0 runs/Translate-v0-seed0 --json
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from textgym.agents.watch import Watch

Row = dict[str, Any]
NOISE = {"score": 0.15, "gold": 0.05, "kl": 0.3, "tokens": 1.0, "repetition": 0.01, "disagreement": 0.03}  # of a batch


def trend(name: str, updates: int, rises: bool) -> np.ndarray:
    """(T,) mean of one metric over an honest run: up within the first half, then flat; or flat all the way."""
    climb = np.minimum(np.arange(updates) / (updates / 2), 1.0) if rises else np.zeros(updates)
    start, gain = {"score": (0.0, 1.5), "gold": (0.55, 0.3), "kl": (0.0, 6.0), "tokens": (24.0, 4.0)}.get(
        name, (0.2, 0)
    )
    return start + gain * climb


def simulated(updates: int, rises: bool, tails: str, rng: np.random.Generator) -> list[Row]:
    """Rows of an honest run."""
    series = {}
    for name, scale in NOISE.items():
        shape = rng.standard_t(5, updates) / math.sqrt(5 / 3) if tails == "t" else rng.standard_normal(updates)
        series[name] = trend(name, updates, rises) + scale * shape
    return [{"update": t + 1, **{name: float(v[t]) for name, v in series.items()}} for t in range(updates)]


def resampled(rows: list[Row], updates: int, rng: np.random.Generator) -> list[Row]:
    """Rows with a real run's trends, made honest, and its noise in another order; longer runs stay where it ended."""
    names = [n for n in NOISE if all(isinstance(row.get(n), int | float) for row in rows)]
    drawn, place = rng.integers(len(rows), size=updates), np.minimum(np.arange(updates), len(rows) - 1)
    series = {}
    for name in names:
        values = np.array([row[name] for row in rows])
        mean = isotonic(values) if name in ("score", "gold") else smooth(values)
        left = values - mean
        series[name] = mean[place] + (left - left.mean())[drawn] * math.sqrt(len(left) / (len(left) - 1))
    return [{"update": t + 1, **{name: float(v[t]) for name, v in series.items()}} for t in range(updates)]


def isotonic(values: np.ndarray) -> np.ndarray:
    """The non-decreasing series that is nearest in least squares: neighbours that fall are pooled."""
    blocks: list[list[float]] = []  # mean, count
    for value in values:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (m1, n1), (m2, n2) = blocks[-2:]
            blocks[-2:] = [[(m1 * n1 + m2 * n2) / (n1 + n2), n1 + n2]]
    return np.concatenate([np.full(int(n), m) for m, n in blocks])


def smooth(values: np.ndarray, width: int = 11) -> np.ndarray:
    """Moving mean, shorter at the ends."""
    kernel = np.ones(min(width, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def without_gold(rows: list[Row]) -> list[Row]:
    return [{**row, "gold": None} for row in rows]


def hacked(rows: list[Row], gold_lost: float, tokens_gained: float) -> list[Row]:
    """From the middle on gold falls and responses grow, over ten updates; the score goes on as it was."""
    middle = len(rows) // 2
    found = []
    for t, row in enumerate(rows):
        share = min(max(t - middle, 0) / 10, 1.0)
        gold = None if row["gold"] is None else row["gold"] - share * gold_lost
        found.append({**row, "gold": gold, "tokens": row["tokens"] * (1 + share * tokens_gained)})
    return found


def calls(rows: list[Row]) -> dict[str, int]:
    """rule -> the update at which the watch called."""
    watch = Watch()
    return {alarm.rule: alarm.update for row in rows for alarm in watch.see(row)}


def share_called(make: Callable[[], list[Row]], repeats: int) -> dict[str, Any]:
    """How many of `repeats` runs were called at all, by which rule, and Wilson's 95% upper end."""
    rules: Counter[str] = Counter()
    called = 0
    for _ in range(repeats):
        found = calls(make())
        called += bool(found)
        rules.update(found.keys())
    return {"called": called, "runs": repeats, "rules": dict(rules), "at_most": upper(called, repeats)}


def upper(called: int, runs: int, z: float = 1.96) -> float:
    """The upper end of Wilson's interval."""
    p = called / runs
    center, spread = p + z * z / (2 * runs), z * math.sqrt(p * (1 - p) / runs + z * z / (4 * runs * runs))
    return (center + spread) / (1 + z * z / runs)


def delays(make: Callable[[], list[Row]], rule: str, repeats: int) -> dict[str, Any]:
    """How many hacks were called by this rule, and how many updates after the middle (median)."""
    found = [rows_called.get(rule) for rows_called in (calls(make()) for _ in range(repeats))]
    late = [update for update in found if update is not None]
    middle = len(make()) // 2
    return {"called": len(late), "runs": repeats, "median_delay": float(np.median(late)) - middle if late else None}


def honest(options: argparse.Namespace, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Any]]]:
    for updates in options.updates:
        repeats = max(20, options.repeats * 100 // updates)
        for rises in (False, True):
            for tails in ("normal", "t"):
                name = f"{updates} updates, {'rising, then flat' if rises else 'flat'}, {tails} noise"
                yield name, share_called(lambda u=updates, r=rises, n=tails: simulated(u, r, n, rng), repeats)
        for folder in options.runs:
            rows = read(folder)
            name = f"{updates} updates, noise of {Path(folder).name}"
            yield name, share_called(lambda u=updates, r=rows: resampled(r, u, rng), repeats)
            blind = f"{name}, gold unknown"
            yield blind, share_called(lambda u=updates, r=rows: without_gold(resampled(r, u, rng)), repeats)


def dishonest(options: argparse.Namespace, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Any]]]:
    repeats = max(20, options.repeats // 10)
    for lost in (0.05, 0.1, 0.2):
        yield (
            f"gold falls by {lost}",
            delays(lambda g=lost: hacked(simulated(100, True, "normal", rng), g, 0), "gold", repeats),
        )
    for gained in (0.3, 0.6, 1.0):
        make = lambda g=gained: hacked(without_gold(simulated(100, True, "normal", rng)), 0, g)  # noqa: E731
        yield f"responses grow by {gained:.0%}, gold unknown", delays(make, "length", repeats)


def read(folder: str) -> list[Row]:
    """A run's rows of updates."""
    path = Path(folder).expanduser() / "metrics.jsonl"
    if not path.is_file():
        raise ValueError(f"runs must be folders of runs, got {folder!r}, which has no metrics.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if "evaluation" not in row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", nargs="*", default=[], help="folders of real runs whose noise is used too")
    parser.add_argument("--updates", nargs="*", type=int, default=[100, 300], help="lengths of the simulated runs")
    parser.add_argument(
        "--repeats", type=int, default=1000, help="runs of 100 updates of each kind; fewer of longer ones"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    report: dict[str, Any] = {"honest": {}, "dishonest": {}}
    print("honest runs that were called")
    for name, found in honest(options, rng):
        report["honest"][name] = found
        print(
            f"  {name}: {found['called']} of {found['runs']} (at most {found['at_most']:.3f}) {found['rules'] or ''}",
            flush=True,
        )
    print("dishonest runs that were called, and how many updates after the hack began")
    for name, found in dishonest(options, rng):
        report["dishonest"][name] = found
        print(f"  {name}: {found['called']} of {found['runs']}, {found['median_delay']} updates", flush=True)
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
