"""What best-of-n is worth on held-out prompts, for n = 1, 2, 4, … from one set of samples.

The value of the best of n is the expectation over all subsets of n samples (lab_fits.py), so that a curve for every n
costs as much as its last point. Ctrl-C ends the sampling, and what was sampled until then is measured. The lab fits
curves to such samples and asks where gold turns; here is a result beside those of other agents.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgym.files import replacing
from textgym.seeding import derive_seeds

from .cpu import prepare_cpu
from .evaluate import CHUNK
from .failures import phase
from .folders import choose_folder, describe, require_same
from .lab_fits import best_of_n, kl_best_of_n
from .online_config import OnlineConfig
from .result import write_result
from .rollout import Rollout, play
from .stage import Stage, make_env


def measure(config: OnlineConfig) -> Path:
    """Samples, measures, writes the result's folder, which it returns; the policy is left as it is.

    With `resume` a whole measurement that lies there is kept.

    Raises:
        ValueError: a value that cannot work, or a folder that holds a run already, before anything is loaded.
        KeyboardInterrupt: Ctrl-C, after what was sampled has been written.
    """
    config.check()
    folder = choose_folder(config)
    if config.resume:
        require_same(describe(config), folder, config.agent)
    if config.resume and is_measured(folder):
        print(f"{folder}: measured already")
        return folder
    prepare_cpu()
    stage = Stage(config)
    rollouts, is_whole = sample(stage, config)
    if not rollouts:
        raise KeyboardInterrupt
    rows = figures_of(rollouts, config.samples_per_prompt)
    first = rollouts[0]
    best = [k * config.samples_per_prompt + int(np.argmax(s)) for k, s in enumerate(_table(first.scores, config))]
    shown = replace(first, messages=[first.messages[i] for i in best], gold=first.gold[best])
    prompts = sum(len(r.scores) for r in rollouts) // config.samples_per_prompt
    kind = "held-out prompts" if stage.is_held_out else "training prompts"
    chosen: dict[str, Any] = {
        "device": str(stage.device),
        "evaluated_on": kind,
        "prompts": prompts,
        "is_whole": is_whole,
    }
    agent = f"best of {config.samples_per_prompt}"
    write_result(folder, config.agent, describe(config), chosen, rows, shown)
    draw(rows, folder / "curve.png", f"{agent} on {config.env}, seed {config.seed}")
    show(rows, f"{folder}: {agent} on {prompts} {kind}")
    if not is_whole:
        raise KeyboardInterrupt
    return folder


def is_measured(folder: Path) -> bool:
    """Whether a whole measurement lies there; what Ctrl-C cut short is measured anew."""
    path = folder / "config.json"
    return path.is_file() and bool(json.loads(path.read_text(encoding="utf-8")).get("chosen", {}).get("is_whole"))


def sample(stage: Stage, config: OnlineConfig) -> tuple[list[Rollout], bool]:
    """n conversations on each of the first `eval_prompts` prompts of the split, some prompts at a time.

    The second value is False where Ctrl-C ended it early.
    """
    n = config.samples_per_prompt
    total, each = min(config.eval_prompts, len(stage.eval_env.unwrapped.task)), max(1, CHUNK // n)
    rollouts: list[Rollout] = []
    with _progress(total) as report, contextlib.suppress(KeyboardInterrupt):
        for start in range(0, total, each):
            size = min(each, total - start)
            generator = torch.Generator(stage.device).manual_seed(derive_seeds(config.seed, 1, start, 12)[0])
            with phase("sampling", "samples_per_prompt or max_new_tokens"):
                rollouts.append(
                    play(
                        make_env(config, stage.tokenizer, config.eval_split, size * n),
                        stage.model,
                        stage.tokenizer,
                        np.arange(start, start + size),
                        derive_seeds(config.seed, size * n, start, 13),
                        samples_per_prompt=n,
                        temperature=config.temperature,
                        forbidden=stage.forbidden,
                        generator=generator,
                    )
                )
            report(start + size)
    return rollouts, sum(len(r.scores) for r in rollouts) == total * n


def figures_of(rollouts: list[Rollout], n: int) -> list[dict[str, Any]]:
    """A line of metrics.jsonl for each power of two up to n, and for n.

    `update` counts them, so that what compares runs draws them as a curve whose start is the policy itself.
    """
    tables = {
        "score": np.concatenate([r.scores for r in rollouts]),
        "gold": np.concatenate([r.gold for r in rollouts]),
        "tokens": np.array([e.num_chosen for r in rollouts for e in r.episodes], dtype=np.float64),
        "cut": 1.0 - np.concatenate([r.last_turn_has_eot for r in rollouts]),
    }
    for name in rollouts[0].gold_components:
        tables[f"gold/{name}"] = np.concatenate([r.gold_components[name] for r in rollouts])
    sizes = sorted({*(2**k for k in range(n.bit_length()) if 2**k <= n), n})
    tables = {name: values.reshape(-1, n) for name, values in tables.items()}
    curves = {name: best_of_n(tables["score"], values, sizes) for name, values in tables.items()}
    rows = []
    for k, size in enumerate(sizes):
        figures: dict[str, float] = {"kl": float(kl_best_of_n(size))}  # at most; met where no two samples are alike
        for name, curve in curves.items():
            values = curve[:, k]
            half = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
            figures |= {name: float(values.mean()), f"{name}_ci95": half}
        rows.append({"update": k, "n": size, "evaluation": figures})
    return rows


def _table(values: np.ndarray, config: OnlineConfig) -> np.ndarray:
    return values.reshape(-1, config.samples_per_prompt)


def draw(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    """Score and gold over n, with 95% intervals over prompts; legible without colour."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        print("matplotlib is not installed: no curve drawn (pip install 'textgym[train]')")
        return
    names = [(n, label) for n, label in (("score", "learned score"), ("gold", "gold score")) if _is_known(rows, n)]
    figure = Figure(figsize=(4 * len(names), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    sizes = [row["n"] for row in rows]
    for axis, (name, label) in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        means, halves = ([row["evaluation"][key] for row in rows] for key in (name, f"{name}_ci95"))
        axis.errorbar(sizes, means, yerr=halves, fmt="s-", color="black", markersize=4, capsize=2)
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [str(n) for n in sizes])
        axis.set_xlabel("n")
        axis.set_title(label, fontsize=10)
        axis.grid(alpha=0.3)
        if name == "gold":
            axis.set_ylim(0, 1)
    figure.suptitle(title, fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def show(rows: list[dict[str, Any]], title: str) -> None:
    """A table in the terminal."""
    names = [name for name in ("score", "gold", "tokens") if _is_known(rows, name)]
    lines = [[str(row["n"]), f"{row['evaluation']['kl']:.2f}", *(_cell(row, name) for name in names)] for row in rows]
    header = ["n", "KL at most (nats)", *names]
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print("\n".join([title, *("  ".join(line) for line in [header, *lines])]))
        return
    table = Table(*header)
    for line in lines:
        table.add_row(*line)
    Console().print(title, table, sep="\n", soft_wrap=True, markup=False)


def _is_known(rows: list[dict[str, Any]], name: str) -> bool:
    return math.isfinite(rows[0]["evaluation"][name])


def _cell(row: dict[str, Any], name: str) -> str:
    return f"{row['evaluation'][name]:.3f} ± {row['evaluation'][f'{name}_ci95']:.3f}"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar over prompts; plain lines where rich is absent."""
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield lambda done: print(f"{done}/{total} prompts", flush=True)
        return
    with Progress(TextColumn("[bold]sampling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("sampling", total=total)
        yield lambda done: bar.update(task, completed=done)
