"""What runs say beside one another: read from their folders, summed up over seeds, as a table and a picture.

A run is read from its config.json and metrics.jsonl alone, so that every agent that writes these can be compared,
with runs of long ago too. Figures are those of the evaluations on held-out prompts. Seconds are those of training:
the sum of all figures of an update whose names end in _s, without evaluations and saving.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textgym.files import replacing

from .folders import MAY_DIFFER
from .runs import read_rows

FIGURES = ("score", "gold", "kl", "tokens", "seconds")
STYLES = (  # marker, line, colour; each pair is told apart in print without colour
    ("o", "-", "black"),
    ("s", "--", "tab:blue"),
    ("^", "-.", "tab:red"),
    ("D", ":", "tab:green"),
    ("v", (0, (5, 1)), "tab:purple"),
    ("P", (0, (3, 1, 1, 1)), "tab:brown"),
    ("X", (0, (1, 3)), "tab:gray"),
)


class Result(NamedTuple):
    """One run."""

    folder: str
    agent: str
    seed: int
    env: str
    settings: dict[str, Any]  # its config
    points: list[dict[str, float]]  # an evaluation each: "update" and FIGURES; NaN: not known


def read_result(folder: Path) -> Result:
    """A run from its folder.

    Raises:
        ValueError: it holds no run, or one that has not been evaluated yet.
    """
    for name in ("config.json", "metrics.jsonl"):
        if not (folder / name).is_file():
            raise ValueError(f"folders must hold runs, got {str(folder)!r}, where no {name} lies")
    try:
        written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        rows = read_rows(folder / "metrics.jsonl")
        config = written["config"]
    except (json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"folders must hold runs, got {str(folder)!r}, whose files are none of a run's") from error
    points = [_point(row, rows) for row in rows if "evaluation" in row]
    if not points:
        raise ValueError(f"folders has {str(folder)!r}, a run without an evaluation yet")
    return Result(
        str(folder), written.get("agent", "ppo"), config.get("seed", 0), config.get("env", ""), config, points
    )


def _point(row: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, float]:
    update, found = row["update"], row["evaluation"]
    before = [r for r in rows if "evaluation" not in r and r["update"] <= update]
    seconds = sum(value for r in before for name, value in r.items() if name.endswith("_s"))
    kl = found.get("kl", before[-1].get("kl", math.nan) if before else 0.0)  # older runs: of the batch before
    figures = {name: found.get(name, math.nan) for name in ("score", "gold", "tokens")}
    return {"update": update, **figures, "kl": kl, "seconds": seconds}


def group(results: list[Result]) -> dict[str, list[Result]]:
    """Runs that differ in nothing but the seed, under the agent's name and what sets them apart from its others."""
    free = {*MAY_DIFFER, "seed"} - {"num_updates"}
    groups: dict[str, list[Result]] = {}
    for result in results:
        others = [r.settings for r in results if r.agent == result.agent]
        own = [
            f"{name}={value}"
            for name, value in result.settings.items()
            if name not in free and any(other.get(name, value) != value for other in others)
        ]
        groups.setdefault(" ".join([result.agent, *own]), []).append(result)
    for label, runs in groups.items():
        seeds = [run.seed for run in runs]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"folders has several runs of {label} with the same seed: {[run.folder for run in runs]}")
    return groups


def curve(runs: list[Result]) -> dict[str, np.ndarray]:
    """Name -> (evaluations, runs) float64, of the updates at which all of these runs were evaluated."""
    updates = sorted(set.intersection(*({int(p["update"]) for p in run.points} for run in runs)))
    at = [{int(p["update"]): p for p in run.points} for run in runs]
    found = {name: np.array([[p[u][name] for p in at] for u in updates], dtype=np.float64) for name in FIGURES}
    return found | {"update": np.array(updates, dtype=np.float64)}


def spread(values: np.ndarray) -> np.ndarray:
    """(evaluations,) standard deviation over the runs, n − 1; NaN for a single run, which has none."""
    return values.std(axis=-1, ddof=1) if values.shape[-1] > 1 else np.full(values.shape[:-1], math.nan)


def summarise(groups: dict[str, list[Result]]) -> dict[str, Any]:
    """For each group: seeds, folders, its curve, and mean and spread over seeds at the last common evaluation."""
    found = {}
    for label, runs in groups.items():
        over = curve(runs)
        means = {name: over[name].mean(axis=1) for name in FIGURES}
        spreads = {name: spread(over[name]) for name in FIGURES}
        found[label] = {
            "seeds": [run.seed for run in runs],
            "folders": [run.folder for run in runs],
            "update": over["update"].tolist(),
            "curve": {name: means[name].tolist() for name in FIGURES},
            "curve_sd": {name: spreads[name].tolist() for name in FIGURES},
            "start": {name: float(means[name][0]) for name in FIGURES},
            "end": {name: float(means[name][-1]) for name in FIGURES},
            "end_sd": {name: float(spreads[name][-1]) for name in FIGURES},
        }
    return found


def show(figures: dict[str, Any]) -> None:
    """A table: each agent's last evaluation, mean ± standard deviation over its seeds."""
    titles = ("agent", "seeds", "update", "score", "gold", "KL", "tokens", "seconds")
    digits = {"score": 2, "gold": 3, "kl": 1, "tokens": 1, "seconds": 0}
    starts = [f["start"] for f in figures["agents"].values() if f["update"][0] == 0]
    rows = [["start", "", "0", *(_cell(starts[0][name], math.nan, digits[name]) for name in FIGURES)]] if starts else []
    for label, found in figures["agents"].items():
        spreads = found["end_sd"] | {"tokens": math.nan}  # so that a row is no wider than a terminal
        cells = [_cell(found["end"][name], spreads[name], digits[name]) for name in FIGURES]
        rows.append([label, str(len(found["seeds"])), f"{found['update'][-1]:.0f}", *cells])
    title = f"{figures['env']}, held-out prompts: mean ± standard deviation over seeds; KL in nats an episode"
    try:
        from rich.box import SIMPLE
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        print("\n".join([title, *("  ".join(cell.ljust(14) for cell in row) for row in (titles, *rows))]))
        return
    table = Table(box=SIMPLE, padding=(0, 0), pad_edge=False)
    table.add_column("agent", min_width=10, overflow="fold")
    for column in titles[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(Text(title), table, sep="\n", soft_wrap=True)


def _cell(mean: float, sd: float, digits: int) -> str:
    if math.isnan(mean):
        return "unknown"
    return f"{mean:.{digits}f}" + ("" if math.isnan(sd) else f" ± {sd:.{digits}f}")


def draw(groups: dict[str, list[Result]], path: Path, title: str) -> bool:
    """The picture of `plot` as a PNG; False where matplotlib is not installed, which is said."""
    try:
        figure = plot(groups, title)
    except ImportError:
        print("matplotlib is not installed: no picture (pip install 'textgym[train]')")
        return False
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
    return True


def plot(groups: dict[str, list[Result]], title: str) -> Any:
    """Learned score and gold score against KL and against seconds; marks are means, thin lines single seeds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = {label: curve(runs) for label, runs in groups.items()}
    shown = [("score", "learned score"), ("gold", "gold score")]
    shown = [s for s in shown if any(np.isfinite(c[s[0]]).any() for c in curves.values())]
    against = [("kl", "KL to the start (nats an episode)"), ("seconds", "seconds of training")]
    figure = Figure(figsize=(9, 3.4 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(shown), len(against), squeeze=False)
    for row, (name, label) in zip(axes, shown, strict=True):
        for axis, (x, x_label) in zip(row, against, strict=True):
            for k, (agent, over) in enumerate(curves.items()):
                _line(axis, over[x], over[name], agent, STYLES[k % len(STYLES)])
            axis.set_xlabel(x_label)
            axis.set_ylabel(label)
            axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=8, loc="lower right")
    seeds = sorted({run.seed for runs in groups.values() for run in runs})
    figure.suptitle(f"{title}, held-out prompts, seeds {', '.join(map(str, seeds))}", fontsize=10)
    return figure


def _line(axis: Any, x: np.ndarray, y: np.ndarray, label: str, style: tuple[str, Any, str]) -> None:
    """One agent; x and y are (evaluations, runs). Bars are one standard deviation over runs."""
    marker, line, colour = style
    if y.shape[1] > 1:
        axis.plot(x, y, linestyle=line, color=colour, linewidth=0.6, alpha=0.5)
    bars = None if y.shape[1] < 2 else spread(y)
    axis.errorbar(
        x.mean(axis=1),
        y.mean(axis=1),
        yerr=bars,
        marker=marker,
        linestyle=line,
        color=colour,
        markersize=5,
        markerfacecolor="white",
        linewidth=1.4,
        capsize=2,
        label=label,
    )
