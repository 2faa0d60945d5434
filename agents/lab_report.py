"""What the lab tells: curves with intervals, fits and peaks as plain values, then as a table and a picture."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from textgym.files import replacing

from .lab_fits import (
    Estimate,
    Fit,
    best_of_n,
    draw_prompts,
    evaluate_form,
    fit_best_of_n,
    fit_updates,
    interval,
    kl_best_of_n,
    loss_after_peak,
    sizes_up_to,
)
from .lab_samples import Samples

STYLES = {"best_of_n": ("best-of-n", "o", "-"), "ppo": ("PPO", "x", "--")}


def of_best_of_n(samples: Samples, kind: str, k: float = 1.0, seed: int = 0) -> dict[str, Any]:
    """Curves over n for one way to choose; of "single" the mean over the reward models, each choosing alone.

    Gold is absolute; the proxy is its gain over the start in standard deviations of a sample's score, so that
    rewards of different units can stand side by side.
    """
    sizes = sizes_up_to(samples.gold.shape[1])
    proxies = samples.proxies(kind, k)
    gold = np.mean([best_of_n(p, samples.gold, sizes) for p in proxies], axis=0)  # (P, K)
    gains = []
    for p in proxies:
        curve = best_of_n(p, p, sizes).mean(axis=0)
        gains.append((curve - curve[0]) / (p.std() or 1.0))
    kl = kl_best_of_n(np.array(sizes))
    low, high = interval(draw_prompts(len(gold), seed) @ gold)
    return {
        "n": sizes,
        "kl": kl.tolist(),
        "gold": gold.mean(axis=0).tolist(),
        "gold_low": low.tolist(),
        "gold_high": high.tolist(),
        "proxy": np.mean(gains, axis=0).tolist(),
        "start": float(gold[:, 0].mean()),
        "best_possible": float(samples.gold.max(axis=1).mean()),
        "tokens": float(np.mean([best_of_n(p, samples.tokens, sizes)[:, -1] for p in proxies])),
        "loss_after_peak": loss_after_peak(gold, seed)._asdict(),
        "fit": fit_values(fit_best_of_n(kl, gold, seed)),
        "prompts": samples.num_prompts,
    }


def of_run(folder: Path, seed: int = 0) -> dict[str, Any]:
    """Curves over the updates of one PPO run, from its own batches."""
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))["config"]
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if "evaluation" not in row]
    kl, gold, score, spread = (np.array([row[name] for row in rows]) for name in ("kl", "gold", "score", "gold_spread"))
    num_start = min(settings["critic_warmup"] + 1, len(rows) - 2)  # batches of the policy before training
    error = spread / math.sqrt(settings["prompts_per_update"])
    start = float(gold[:num_start].mean())
    return {
        "update": [row["update"] for row in rows],
        "kl": kl.tolist(),
        "gold": gold.tolist(),
        "gold_low": (gold - 1.96 * error).tolist(),
        "gold_high": (gold + 1.96 * error).tolist(),
        "proxy": ((score - score[:num_start].mean()) * rows[0]["reward_scale"]).tolist(),
        "start": start,
        "tokens": rows[-1]["tokens"],
        "fit": fit_values(fit_updates(kl, gold, error, num_start, seed)),
        "seed": settings["seed"],
    }


def fit_values(fit: Fit) -> dict[str, Any]:
    """A fit as JSON has it."""
    named = {name: getattr(fit, name)._asdict() for name in ("alpha", "beta", "peak_kl")}
    return {"form": fit.form, **named, "peak_gain": fit.peak_gain}


def show(report: dict[str, Any], folder: Path) -> None:
    """A table in the terminal, and where the rest is."""
    heads = ("reward", "method", "KL", "start", "top", "end", "α", "β", "peak, nats (95%)")
    rows = [_row(method, kind, found) for method in STYLES for kind, found in report[method].items()]
    _print_table(heads, rows)
    if any("*" in row[-1] for row in rows):
        print("* by the fitted form, further than anything that was measured")
    for pick in report.get("worst_picks", [])[:1]:
        print(f"the first reward model's favourite, gold {pick['picked_gold']:.2f}: {_short(pick['picked'])}")
        print(f"the best by gold, {pick['best_gold']:.2f}, same prompt: {_short(pick['best'])}")
    print(f"{folder}: lab.json, lab.png, samples.jsonl")


def _row(method: str, kind: str, found: dict[str, Any]) -> tuple[str, ...]:
    """Of PPO, whose batches are noisy, top and end are means of ten updates."""
    label, gold, fit = STYLES[method][0], found["gold"], found["fit"]
    window = 1 if method == "best_of_n" else min(10, len(gold))
    smooth = np.convolve(gold, np.full(window, 1 / window), mode="valid")
    most = max(found["kl"])
    return (
        kind,
        f"best of {found['n'][-1]}" if method == "best_of_n" else f"{label}, {found['update'][-1]}",
        f"{most:.1f}",
        f"{found['start']:.3f}",
        f"{smooth.max():.3f}",
        f"{smooth[-1]:.3f}",
        f"{fit['alpha']['value']:.2f}",
        f"{fit['beta']['value']:.2f}",
        peak_in_words(Estimate(**fit["peak_kl"]), most),
    )


def peak_in_words(peak: Estimate, reached: float) -> str:
    """A peak with its interval; a star where it lies beyond what was measured."""
    value, low, high = (f"{v:.1f}" if v < 1000 else "none" for v in peak)
    return f"{value}{'*' * (reached < peak.value < 1000)} ({low} to {high})"


def _short(text: str, width: int = 100) -> str:
    line = " / ".join(text.splitlines())
    return line if len(line) <= width else line[: width - 1] + "…"


def _print_table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        print("\n".join("  ".join(row) for row in [heads, *rows]))
        return
    table = Table(
        title="Gold score while a policy is pushed away from its start (KL in nats)", box=None, pad_edge=False
    )
    for head in heads:
        table.add_column(head, justify="left" if head in heads[:2] else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def write_picture(report: dict[str, Any], path: Path) -> None:
    """lab.png, where matplotlib is installed."""
    try:
        figure = plot(report)
    except ImportError:
        print("matplotlib is not installed: no lab.png (pip install 'textgym[train]')")
        return
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def plot(report: dict[str, Any]) -> Any:
    """Gold above, proxy below, a column a reward; marks are measured, lines are fitted. Legible without colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys([*report["best_of_n"], *report["ppo"]]))
    figure = Figure(figsize=(max(4.6, 3.3 * len(kinds)), 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(kinds), sharex=True, sharey="row", squeeze=False)
    for column, kind in enumerate(kinds):
        for method in STYLES:
            if kind in report[method]:
                _draw(axes[0][column], axes[1][column], report[method][kind], method)
        axes[0][column].set_title(kind, fontsize=10)
        axes[1][column].set_xlabel("√KL to the start (√nats)")
        for axis in axes[:, column]:
            axis.grid(alpha=0.3)
            axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("gold score")
    axes[1][0].set_ylabel("learned score\n(sd above the start)")
    axes[0][0].legend(fontsize=7, loc="best")
    figure.suptitle(f"{report['config']['env']}, {report['config']['policy']} policy", fontsize=10)
    return figure


def _draw(above: Any, below: Any, found: dict[str, Any], method: str) -> None:
    label, mark, line = STYLES[method]
    d = np.sqrt(np.maximum(found["kl"], 0))
    grey, size = ("black", 4) if method == "best_of_n" else ("0.45", 3)
    if method == "best_of_n":
        above.fill_between(d, found["gold_low"], found["gold_high"], color="0.85", label="95%, over prompts")
    else:
        above.vlines(d, found["gold_low"], found["gold_high"], color="0.8", linewidth=0.7)
    above.plot(d, found["gold"], mark, color=grey, markersize=size, fillstyle="none", label=f"{label}, measured")
    fit = found["fit"]
    form, alpha, beta = fit["form"], fit["alpha"]["value"], fit["beta"]["value"]
    grid = np.linspace(0, d.max(), 200)
    fitted = found["start"] + evaluate_form(grid**2, alpha, beta, form)
    formula = "d(α − βd)" if form == "best-of-n" else "d(α − β log d)"
    above.plot(grid, fitted, line, color="black", linewidth=1.2, label=f"{label}, {formula}")
    peak = fit["peak_kl"]["value"]
    if 0 < peak <= float(np.max(found["kl"])):
        above.axvline(math.sqrt(peak), color="black", linewidth=0.8, linestyle=":")
        above.annotate(
            f"{label}: peak at {peak:.1f} nats",
            (math.sqrt(peak), found["start"] + fit["peak_gain"]),
            xytext=(0, 6),
            textcoords="offset points",
            fontsize=7,
            ha="center",
        )
    below.plot(d, found["proxy"], mark, color=grey, markersize=size, fillstyle="none")
