"""Can rater models tell whom to believe? Planted raters, found again; spammers, and what they cost.

Three questions, each on simulated raters only, since with people nobody knows the truth:

1. Skills: 8 raters over 30 items in 1,000 comparisons. The mean absolute error of reliability (the correlation,
   -1 to 1, of what a rater perceives with the difference in quality), of skill (nats per unit of
   quality), and the rank correlation of skills.
2. Pairs: the same raters, 3 of them a pair; `fit_pairs` beside `fit_raters`.
3. Spammers: 30% of the raters click at random. Pairs with features, whose quality is linear in them; a linear
   reward model is trained on clean labels, on majority votes and on the raters' posterior, and
   ranks held-out pairs. Which part of what the majority's vote loses does the posterior win back? For
   honest raters of several skills and for 3 or 5 votes a pair; "known raters" is the posterior of one who
   knows every rater's true skill, so what is lost beyond it is the honest raters' own noise.

    python benchmarks/rater_recovery.py
    python benchmarks/rater_recovery.py --seeds 20 --first-seed 1000 --json
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from typing import Any

import numpy as np

from textgym.feedback.pair_model import GRID, PairObjective, fit_pairs
from textgym.feedback.rater_model import Comparisons, Priors, davidson, fit_raters

SKILLS = (2.5, 2.0, 1.5, 1.0, 0.7, 0.3, 0.0, -1.0)
HONEST = ((1.0, 3.0), (2.0, 5.0), (4.0, 6.0))  # least and largest skill
FEATURES, TRAIN_PAIRS, TEST_PAIRS, RATERS = 40, 1500, 5000, 20
TIE = 0.3


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(x)), np.argsort(np.argsort(y)))[0, 1])


def reliability(skill: np.ndarray) -> np.ndarray:
    return skill / np.sqrt(skill**2 + np.pi**2 / 6)


def draw_verdicts(eta: np.ndarray, tie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(m,) 1 left, 0 tie, -1 right."""
    return (rng.random(len(eta))[:, None] > davidson(eta, tie).cumsum(axis=1)[:, :2]).sum(axis=1) - 1


def measure_skills(seed: int, votes: int | None) -> dict[str, float]:
    """Connected items (votes is None), or pairs of which each gets so many votes."""
    rng = np.random.default_rng(seed)
    skill, n = np.array(SKILLS), len(SKILLS)
    side_bias, tie = rng.normal(0, 0.5, n), np.exp(rng.normal(-1, 0.5, n))
    items = 30 if votes is None else 2000
    quality = rng.normal(0, 1, items)
    if votes is None:
        left = rng.integers(0, items, 1000)
        right, rater = (left + rng.integers(1, items, 1000)) % items, rng.integers(0, n, 1000)
    else:
        a = 2 * np.repeat(np.arange(items // 2), votes)
        left = a + (rng.random(len(a)) < 0.5)
        right, rater = 4 * (a // 2) + 1 - left, np.argsort(rng.random((items // 2, n)), axis=1)[:, :votes].ravel()
    eta = skill[rater] * (quality[left] - quality[right]) + side_bias[rater]
    data = Comparisons(left, right, rater, draw_verdicts(eta, tie[rater], rng))
    truth = skill * math.sqrt(((quality[left] - quality[right]) ** 2).mean() / 2)
    figures = {}
    for name, fit in (("fit_raters", fit_raters(data)), ("fit_pairs", fit_pairs(data).raters)):
        figures[f"{name}, reliability error"] = float(np.abs(fit.reliability - reliability(truth)).mean())
        figures[f"{name}, skill error"] = float(np.abs(fit.skill - truth).mean())
        figures[f"{name}, rank correlation"] = rank_correlation(fit.skill, truth)
        figures[f"{name}, converged"] = float(fit.converged)
    return figures


def train_linear(x: np.ndarray, label: np.ndarray, weight: np.ndarray, decay: float = 1.0) -> np.ndarray:
    """Bradley-Terry on feature differences by Newton's method. (P, F), (P,) in [0, 1], (P,) -> (F,)."""
    w = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + decay * np.eye(len(w))
        w += np.linalg.solve(hessian, x.T @ (weight * (label - p)) - decay * w)
    return w


def measure_spammers(seed: int, spammers: float, honest: tuple[float, float], votes: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1 / math.sqrt(FEATURES), FEATURES)
    x, x_test = (rng.normal(0, 1, (n, 2, FEATURES)) for n in (TRAIN_PAIRS, TEST_PAIRS))
    quality = (x @ truth).ravel()
    difference, difference_test = x[:, 0] - x[:, 1], x_test[:, 0] - x_test[:, 1]
    is_spammer = np.arange(RATERS) < round(spammers * RATERS)
    skill = np.where(is_spammer, 0.0, rng.uniform(*honest, RATERS))
    side_bias = rng.normal(0, 0.3, RATERS)
    a = 2 * np.repeat(np.arange(TRAIN_PAIRS), votes)
    left = a + (rng.random(len(a)) < 0.5)
    right = 2 * a + 1 - left
    rater = np.argsort(rng.random((TRAIN_PAIRS, RATERS)), axis=1)[:, :votes].ravel()
    eta = skill[rater] * (quality[left] - quality[right]) + side_bias[rater]
    verdict = draw_verdicts(eta, np.full(len(eta), TIE), rng)

    lead = np.bincount(a // 2, np.where(left < right, verdict, -verdict))
    data = Comparisons(left, right, rater, verdict)
    posterior = fit_pairs(data, RATERS).first_is_better
    truths = np.concatenate([skill, side_bias, np.zeros(RATERS), [math.log(TIE)]])
    known = PairObjective(data, RATERS, Priors()).posterior(truths)[0][:, GRID > 0].sum(axis=1)
    ones = np.ones(TRAIN_PAIRS)
    labels = {
        "clean": ((quality[::2] > quality[1::2]).astype(float), ones),
        "majority": ((lead > 0).astype(float), (lead != 0).astype(float)),
        "majority by its lead": ((lead > 0).astype(float), np.abs(lead) / votes),
        "posterior, one a pair": ((posterior > 0.5).astype(float), np.abs(2 * posterior - 1)),
        "posterior, soft": (posterior, ones),
        "known raters, soft": (known, ones),
    }
    better = difference_test @ truth > 0
    correct = (verdict > 0) == (quality[left] > quality[right])
    figures = {"honest verdicts right, ties as wrong": float((correct & (verdict != 0))[~is_spammer[rater]].mean())}
    for name, (label, weight) in labels.items():
        says = difference_test @ train_linear(difference, label, weight) > 0
        figures[f"{name}, accuracy"] = float((says == better).mean())
    return figures


def recovered(rows: list[dict[str, float]]) -> dict[str, float]:
    """Share of the mean loss against clean labels that is won back, by labels and from which majority."""
    mean = {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}
    shares = {}
    for base in ("majority", "majority by its lead"):
        for name in ("posterior, one a pair", "posterior, soft", "known raters, soft"):
            loss = mean["clean, accuracy"] - mean[f"{base}, accuracy"]
            shares[f"{name}, from {base}"] = (mean[f"{name}, accuracy"] - mean[f"{base}, accuracy"]) / loss
    return shares


def summary(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    columns = {name: np.array([r[name] for r in rows]) for name in rows[0]}
    return {n: {"mean": float(c.mean()), "min": float(c.min()), "max": float(c.max())} for n, c in columns.items()}


def measure(seeds: range, spammers: float) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "seeds": [seeds.start, seeds.stop],
        "simulated": True,
        "30 items, 1000 comparisons": summary([measure_skills(seed, None) for seed in seeds]),
        "1000 pairs, 3 votes each": summary([measure_skills(seed, 3) for seed in seeds]),
    }
    for honest, votes in itertools.product(HONEST, (3, 5)):
        rows = [measure_spammers(seed, spammers, honest, votes) for seed in seeds]
        title = f"{spammers:.0%} spammers, honest skill {honest[0]:g} to {honest[1]:g}, {votes} votes a pair"
        figures[title] = summary(rows)
        figures[f"{title}: won back"] = recovered(rows)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--spammers", type=float, default=0.3, help="share of the raters who click at random")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(range(args.first_seed, args.first_seed + args.seeds), args.spammers)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for title, table in figures.items():
        print(title if isinstance(table, dict) else f"{title}: {table}")
        for name, f in table.items() if isinstance(table, dict) else ():
            shown = f"{f['mean']:.3f}  ({f['min']:.3f} to {f['max']:.3f})" if isinstance(f, dict) else f"{f:.3f}"
            print(f"  {name:<48}{shown}")


if __name__ == "__main__":
    main()
