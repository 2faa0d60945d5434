"""Does an ensemble that doubts lose less than a single reward model, when the labels were noisy?

The claim of issue 4: with a quarter of the labels turned round, the conservative ensemble loses after its peak at most
a quarter of what the single model loses after its own. Each seed is a lab of its own (`textgym lab overoptimize`): four
reward models trained on judgements of simulated raters, N samples of each prompt, best-of-n by each model alone, by
their mean, minimum, and mean less their standard deviation. A loss is the top of the gold curve less its end, at
n = N. The interval of a difference draws prompts, the same for both; models and seeds are shown, not drawn.

    python benchmarks/overoptimization.py --seeds 0 1 2 --json
    python benchmarks/overoptimization.py --read runs/lab-Summarize-v0-seed0      # a lab that lies there already
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from textgym.agents.lab import OveroptimizeConfig, overoptimize
from textgym.agents.lab_fits import best_of_n, draw_prompts, interval, kl_best_of_n, sizes_up_to
from textgym.agents.lab_samples import KINDS, Samples, read


def curves(samples: Samples, k: float) -> dict[str, np.ndarray]:
    """kind -> (P, K) gold of best-of-n; of "single" the mean over the models."""
    sizes = sizes_up_to(samples.gold.shape[1])
    return {
        kind: np.mean([best_of_n(p, samples.gold, sizes) for p in samples.proxies(kind, k)], axis=0) for kind in KINDS
    }


def lost(curve: np.ndarray) -> np.ndarray:
    """(…, K) mean curves -> (…) gold at the top less gold at the end."""
    return curve.max(axis=-1) - curve[..., -1]


def compare(samples: Samples, k: float = 1.0, seed: int = 0) -> dict[str, Any]:
    """What each way to choose ends at and loses, and by how much less than the single model, over prompts."""
    found = curves(samples, k)
    draws = draw_prompts(samples.num_prompts, seed)
    sizes = sizes_up_to(samples.gold.shape[1])
    single_lost = lost(found["single"].mean(axis=0))
    report: dict[str, Any] = {"prompts": samples.num_prompts, "n": sizes[-1], "kl": float(kl_best_of_n(sizes[-1]))}
    report["correlation"] = [float(np.corrcoef(m.ravel(), samples.gold.ravel())[0, 1]) for m in samples.scores]
    for kind, curve in found.items():
        mean, drawn = curve.mean(axis=0), draws @ curve
        low, high = interval(lost(drawn))
        less_low, less_high = interval(lost(draws @ found["single"]) - lost(drawn))
        report[kind] = {
            "start": float(mean[0]),
            "top": float(mean.max()),
            "top_at_n": sizes[int(mean.argmax())],
            "end": float(mean[-1]),
            "lost": float(lost(mean)),
            "lost_ci95": [float(low), float(high)],
            "less_than_single": float(single_lost - lost(mean)),
            "less_than_single_ci95": [float(less_low), float(less_high)],
            "share_of_single": float(lost(mean) / single_lost) if single_lost > 0 else None,
        }
    return report


def show(name: str, report: dict[str, Any]) -> None:
    marks = ", ".join(f"{r:.2f}" for r in report["correlation"])
    print(
        f"{name}: {report['prompts']} prompts, n ≤ {report['n']}, KL ≤ {report['kl']:.1f} nats; score and gold: {marks}"
    )
    for kind in KINDS:
        r = report[kind]
        share = "" if r["share_of_single"] is None or kind == "single" else f", {r['share_of_single']:.0%} of single's"
        lost_ci = f"{r['lost']:.4f} ({r['lost_ci95'][0]:.4f} to {r['lost_ci95'][1]:.4f})"
        print(
            f"  {kind:<9} {r['start']:.3f}, top {r['top']:.3f} at n = {r['top_at_n']:<4} end {r['end']:.3f}, "
            f"lost {lost_ci}{share}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--env", default="textgym/Summarize-v0")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--label-noise", type=float, default=0.25)
    parser.add_argument("--judged-prompts", type=int, default=150)
    parser.add_argument("--n", type=int, default=128)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--k", type=float, default=1.0, help="standard deviations that mean-std takes off")
    parser.add_argument("--out", default="runs/overoptimization", help="a folder; what lies there goes on")
    parser.add_argument("--read", nargs="*", default=[], help="folders of labs to compare instead of running any")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    folders = [Path(folder) for folder in options.read]
    if not folders:
        names = ("env", "members", "label_noise", "judged_prompts", "n", "prompts", "k")
        given = {name: getattr(options, name) for name in names}
        world = options.env.rpartition("/")[2]
        for seed in options.seeds:
            folders.append(Path(options.out) / f"{world}-seed{seed}")
            out = str(folders[-1])
            overoptimize(OveroptimizeConfig(methods="bon", reward=",".join(KINDS), seed=seed, out=out, **given))
    reports = {}
    for folder in folders:
        reports[folder.name] = compare(read(folder / "samples.jsonl", options.prompts), options.k)
        show(folder.name, reports[folder.name])
    if options.json:
        print(json.dumps(reports))


if __name__ == "__main__":
    main()
