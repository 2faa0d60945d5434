"""What a run shows a person: a learning curve, and the same prompts answered before and after."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from textgym.files import replacing, write_text

from .evaluate import Evaluation


def draw_curve(rows: list[dict[str, Any]], path: str | Path, title: str, prompts: str = "held-out prompts") -> None:
    """The picture of `plot_curve` as a PNG, where there is anything to show."""
    if not any("evaluation" not in row for row in rows):
        return
    try:
        figure = plot_curve(rows, title, prompts)
    except ImportError:
        print("matplotlib is not installed: no curve drawn (pip install 'textgym[train]')")
        return
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


PANELS = {
    "score": "learned score",
    "gold": "gold score",
    "kl": "KL to the start (nats)",
    "loss": "loss",
    "accuracy": "accuracy on pairs",
}


def plot_curve(rows: list[dict[str, Any]], title: str, prompts: str = "held-out prompts") -> Any:
    """Learned score, gold score and KL over updates; bands are one standard deviation over prompts.

    A run on records has its loss, and on pairs its accuracy, in place of the KL. Squares are evaluations with their
    95% intervals. Legible without colour.

    Args:
        rows: the lines of metrics.jsonl, null read as NaN; at least one of them of an update.
        prompts: what was evaluated on, for the legend.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training = [r for r in rows if "evaluation" not in r]
    evaluated = [r for r in rows if "evaluation" in r]
    is_played = "score" in training[0]
    names = ("score", "gold", "kl") if is_played else ("score", "gold", "loss", "accuracy")
    shown = training if is_played else rows
    panels = [(n, PANELS[n]) for n in names if _points(shown, n)]  # without gold where the task has no judge
    figure = Figure(figsize=(4 * len(panels), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (name, label) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        if points := _points(training, name):
            updates, mean, spread = zip(*points, strict=True)
            low, high = ([m + s * d for m, d in zip(mean, spread, strict=True)] for s in (-1, 1))
            if is_played:
                axis.fill_between(updates, low, high, color="0.85", label="± 1 sd over prompts")
            axis.plot(updates, mean, color="black", linewidth=1.4, label="training batch")
        if points := _points(evaluated, name):
            updates, mean, spread = zip(*points, strict=True)
            axis.errorbar(
                updates,
                mean,
                yerr=spread,
                fmt="s",
                color="tab:blue",
                markersize=4,
                capsize=2,
                label="held-out records" if name in ("loss", "accuracy") else prompts,
            )
        axis.set_xlabel("update")
        axis.set_title(label, fontsize=10)
        axis.grid(alpha=0.3)
        if name == "gold":
            axis.set_ylim(0, 1)
    for axis in figure.axes[:1] if is_played else figure.axes:
        axis.legend(fontsize=7, loc="best" if axis is not figure.axes[0] else "lower right")
    figure.suptitle(title, fontsize=10)
    return figure


def _points(rows: list[dict[str, Any]], name: str) -> list[tuple[int, float, float]]:
    """(update, mean, spread or half-width of the interval) of the rows that know the figure."""
    found = []
    for row in rows:
        figures, own = row.get("evaluation", row), name
        if "evaluation" in row and name not in figures:
            own = f"held_out/{name}"
        if (value := figures.get(own, math.nan)) == value:
            spread = figures.get(f"{own}_ci95" if "evaluation" in row else f"{own}_spread", 0.0)
            found.append((row["update"], value, spread))
    return found


def _pairs(before: Evaluation, after: Evaluation, n: int) -> list[tuple[str, str, str, float, float]]:
    """(prompt, conversation before, after, gold before, after) of the first n prompts."""
    a, b = before.rollouts[0], after.rollouts[0]
    found = []
    for i in range(min(n, len(a.messages))):
        first = next(k for k, m in enumerate(a.messages[i]) if m["role"] == "assistant")
        prompt = "\n".join(m["content"] for m in a.messages[i][:first])
        said = [
            "\n".join(
                m["content"] if len(r.messages[i]) <= first + 1 else f"{m['role']}: {m['content']}"
                for m in r.messages[i][first:]
            )
            for r in (a, b)
        ]
        found.append((prompt, said[0], said[1], float(a.gold[i]), float(b.gold[i])))
    return found


def write_samples(before: Evaluation, after: Evaluation, path: str | Path, n: int, prompts: str) -> None:
    lines = [f"# The same {prompts} before and after training", ""]
    for prompt, old, new, gold_old, gold_new in _pairs(before, after, n):
        lines += ["**Prompt**", "", _quote(prompt), ""]
        lines += [
            f"**Before**{_gold(gold_old)}",
            "",
            _quote(old),
            "",
            f"**After**{_gold(gold_new)}",
            "",
            _quote(new),
            "",
            "---",
            "",
        ]
    write_text(path, "\n".join(lines))


def show_samples(before: Evaluation, after: Evaluation, n: int, prompts: str) -> None:
    """A table in the terminal, and the means with their intervals."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        print("rich is not installed: no tables (pip install 'textgym[train]')")
        return
    console = Console()
    table = Table(title=f"The same {prompts} before and after", show_lines=True)
    for column in ("prompt", "before", "after"):
        table.add_column(column, ratio=1)
    for prompt, old, new, gold_old, gold_new in _pairs(before, after, n):
        table.add_row(Text(prompt), Text(f"{old}\n{_gold(gold_old)}"), Text(f"{new}\n{_gold(gold_new)}"))
    console.print(table)
    means = Table(title=f"Means over {after.num_prompts} {prompts} (± 95%)")
    for column in ("", "before", "after"):
        means.add_column(column, justify="left" if not column else "right")
    for name, value in after.means.items():
        if value == value:
            means.add_row(
                name,
                f"{before.means[name]:.3f} ± {before.intervals[name]:.3f}",
                f"{value:.3f} ± {after.intervals[name]:.3f}",
            )
    console.print(means)


def _gold(value: float) -> str:
    return "" if value != value else f" (gold {value:.2f})"


def _quote(text: str) -> str:
    return "\n".join("> " + line for line in text.splitlines() or [""])
