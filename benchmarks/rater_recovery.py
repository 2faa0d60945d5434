"""Can rater models tell whom to believe? Planted raters, found again; spammers, and what they cost.

Four questions, each on simulated raters only, since with people nobody knows the truth:

1. Skills: 8 raters over 30 items in 1,000 comparisons, and in 4,000. The mean absolute error of skill on three
   scales: accuracy (0 to 1: naming the better of two items drawn at random), reliability (-1 to 1: the correlation of
   what a rater perceives with the difference in quality), nats (of log-odds per unit of quality); and the rank
   correlation of skills.
   Beside it the Cramer-Rao bound: the error of an unbiased estimator whose errors are normal with the least variance
   there is; also of one that is told every quality, side bias and habit of ties. Then the same for raters of another
   model, crowd-kit's NoisyBradleyTerry: with probability `share`, its "skill", a rater follows the qualities (of so
   large a standard deviation, in nats), else the side bias.
2. Gold items: how often a rater who is right on so many of them is flagged within 20, exactly and counted, by the
   site's sequential test and by `gold_rule`.
3. Pairs: the same raters, 3 of them a pair; `fit_pairs` beside `fit_raters`.
4. Spammers: 30% of the raters click at random. Pairs with features, whose quality is linear in them; a linear
   reward model is trained on clean labels, on majority votes and on the raters' posterior, and
   ranks held-out pairs. Which part of what the majority's vote loses does the posterior win back? For
   honest raters of several skills and for 3 or 5 votes a pair; "known raters" is the posterior of one who
   knows every rater's true skill, so what is lost beyond it is the honest raters' own noise.

    python benchmarks/rater_recovery.py
    python benchmarks/rater_recovery.py --seeds 20 --first-seed 1000 --json
    python benchmarks/rater_recovery.py --parts skills gold --seeds 40 --json
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from textgym.feedback.assignment import EVIDENCE, evidence_of_guessing
from textgym.feedback.pair_model import GRID, PairObjective, fit_pairs
from textgym.feedback.rater_model import Comparisons, Priors, davidson, fit_raters, gold_rule, pair_accuracy

SKILLS = (2.5, 2.0, 1.5, 1.0, 0.7, 0.3, 0.0, -1.0)
SHARES = (0.95, 0.85, 0.7, 0.6, 0.5, 0.35, 0.2, 0.05)  # of verdicts by quality, for raters of NoisyBradleyTerry
HONEST = ((1.0, 3.0), (2.0, 5.0), (4.0, 6.0))  # least and largest skill
FEATURES, TRAIN_PAIRS, TEST_PAIRS, RATERS = 40, 1500, 5000, 20
TIE = 0.3
GOLD_ITEMS, GOLD_RATERS = 20, 20_000
RIGHT_ON_GOLD = {
    "at random among three": 1 / 3,
    "at random": 0.5,
    "right on 80%": 0.8,
    "right on 90%": 0.9,
    "right on 95%": 0.95,
}
PARTS = ("skills", "gold", "pairs", "spammers")
MEAN_OF_NORMAL = math.sqrt(2 / math.pi)  # mean absolute value, standard deviation 1


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(x)), np.argsort(np.argsort(y)))[0, 1])


def reliability(skill: np.ndarray) -> np.ndarray:
    return skill / np.sqrt(skill**2 + np.pi**2 / 6)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + np.tanh(x / 2) / 2


def draw_verdicts(eta: np.ndarray, tie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(m,) 1 left, 0 tie, -1 right."""
    return (rng.random(len(eta))[:, None] > davidson(eta, tie).cumsum(axis=1)[:, :2]).sum(axis=1) - 1


SCALES = {"skill": lambda skill: skill, "reliability": reliability, "accuracy": pair_accuracy}


def information(data: Comparisons, skill: Any, side_bias: Any, tie: Any, quality: Any) -> np.ndarray:
    """(P, P) Fisher information, at the truth, of all judgements: of qualities, skills, side biases, log(tie)s."""
    left, right, rater, _ = data
    items, raters = np.eye(len(quality)), np.eye(len(skill))[rater]
    apart = items[left] - items[right]
    difference = quality[left] - quality[right]
    of_eta = np.hstack([skill[rater, None] * apart, difference[:, None] * raters, raters, 0 * raters])
    of_tie = np.hstack([0 * apart, 0 * raters, 0 * raters, raters])
    p = davidson(skill[rater] * difference + side_bias[rater], tie[rater])
    total = np.zeros((of_eta.shape[1],) * 2)
    for verdict in (-1, 0, 1):  # the mean over verdicts of the score times itself
        by_eta = (verdict - p[:, 2] + p[:, 0]) / 2
        score = by_eta[:, None] * of_eta + ((verdict == 0) - p[:, 1])[:, None] * of_tie
        total += (p[:, verdict + 1, None] * score).T @ score
    return total


def bounds(data: Comparisons, skill: Any, side_bias: Any, tie: Any, quality: Any) -> dict[str, float]:
    """Mean absolute errors by Cramer & Rao. Qualities differ by sqrt(2) in root mean square, as `RaterFit` scales them.

    That the unit of a skill depends on the qualities is part of it: the delta method for skill times that size.
    """
    found = information(data, skill, side_bias, tie, quality)
    own = slice(len(quality), len(quality) + len(skill))
    difference = quality[data.left] - quality[data.right]
    ends = [np.bincount(end, difference, len(quality)) for end in (data.left, data.right)]
    change = np.zeros((len(skill), len(found)))
    change[:, : len(quality)] = np.outer(skill, ends[0] - ends[1]) / (difference**2).sum()
    change[:, own] = np.eye(len(skill))
    deviation = np.sqrt(np.diag(change @ np.linalg.pinv(found, rcond=1e-10, hermitian=True) @ change.T))
    told = 1 / np.sqrt(np.diag(found)[own])
    figures = {}
    for name, scale in SCALES.items():
        slope = (scale(skill + 1e-4) - scale(skill - 1e-4)) / 2e-4
        figures[f"bound, {name} error"] = float((MEAN_OF_NORMAL * deviation * slope).mean())
        figures[f"bound when told all else, {name} error"] = float((MEAN_OF_NORMAL * told * slope).mean())
    return figures


def measure_skills(seed: int, votes: int | None, m: int = 1000) -> dict[str, float]:
    """m comparisons of connected items (votes is None), or pairs of which each gets so many votes."""
    rng = np.random.default_rng(seed)
    skill, n = np.array(SKILLS), len(SKILLS)
    side_bias, tie = rng.normal(0, 0.5, n), np.exp(rng.normal(-1, 0.5, n))
    items = 30 if votes is None else 2000
    quality = rng.normal(0, 1, items)
    if votes is None:
        left = rng.integers(0, items, m)
        right, rater = (left + rng.integers(1, items, m)) % items, rng.integers(0, n, m)
    else:
        a = 2 * np.repeat(np.arange(items // 2), votes)
        left = a + (rng.random(len(a)) < 0.5)
        right, rater = 4 * (a // 2) + 1 - left, np.argsort(rng.random((items // 2, n)), axis=1)[:, :votes].ravel()
    eta = skill[rater] * (quality[left] - quality[right]) + side_bias[rater]
    data = Comparisons(left, right, rater, draw_verdicts(eta, tie[rater], rng))
    scale = math.sqrt(((quality[left] - quality[right]) ** 2).mean() / 2)
    truth = skill * scale
    figures = bounds(data, truth, side_bias, tie, quality / scale) if votes is None else {}
    for name, fit in (("fit_raters", fit_raters(data)), ("fit_pairs", fit_pairs(data).raters)):
        for of, to_scale in SCALES.items():
            figures[f"{name}, {of} error"] = float(np.abs(to_scale(fit.skill) - to_scale(truth)).mean())
        figures[f"{name}, rank correlation"] = rank_correlation(fit.skill, truth)
        figures[f"{name}, converged"] = float(fit.converged)
    return figures


def measure_shares(seed: int, spread: float, m: int = 1000) -> dict[str, float]:
    """Raters who follow the qualities with a probability each, found by `fit_raters`, which knows no such raters.

    Accuracies are those over all pairs of the items, side biases left out, as `pair_accuracy` means them.
    """
    rng, n, items = np.random.default_rng(seed), len(SHARES), 30
    share, side_bias, quality = np.array(SHARES), rng.normal(0, 0.5, n), rng.normal(0, spread, items)
    left = rng.integers(0, items, m)
    right, rater = (left + rng.integers(1, items, m)) % items, rng.integers(0, n, m)
    difference = quality[left] - quality[right]
    by_quality, by_side = sigmoid(difference), sigmoid(side_bias)[rater]
    p = share[rater] * by_quality + (1 - share[rater]) * by_side
    fit = fit_raters(Comparisons(left, right, rater, np.where(rng.random(m) < p, 1, -1)))
    all_pairs = np.abs(quality[:, None] - quality)[np.triu_indices(items, 1)]
    truth = 0.5 + share * (sigmoid(all_pairs).mean() - 0.5)
    apart, of_rater = np.eye(items)[left] - np.eye(items)[right], np.eye(n)[rater]
    of_quality = (share[rater] * by_quality * (1 - by_quality))[:, None] * apart
    of_share = (by_quality - by_side)[:, None] * of_rater
    of_side = ((1 - share[rater]) * by_side * (1 - by_side))[:, None] * of_rater
    score = np.hstack([of_quality, of_share, of_side])
    found = (score / (p * (1 - p))[:, None]).T @ score
    variance, own = np.linalg.pinv(found, rcond=1e-10, hermitian=True), slice(items, items + n)
    return {
        "fit_raters, accuracy error": float(np.abs(fit.accuracy - truth).mean()),
        "fit_raters, rank correlation": rank_correlation(fit.skill, share),
        "bound, share error": float(MEAN_OF_NORMAL * np.sqrt(np.diag(variance)[own]).mean()),
        "bound when told all else, share error": float((MEAN_OF_NORMAL / np.sqrt(np.diag(found)[own])).mean()),
    }


def measure_gold(seed: int, num_items: int = GOLD_ITEMS) -> dict[str, float]:
    """Share of raters that either test flags within so many gold items: exactly, and counted among simulated ones."""
    rule, rng, figures = gold_rule(num_items), np.random.default_rng(seed), {}
    flags = np.array(
        [[evidence_of_guessing(r, w) >= EVIDENCE for w in range(num_items + 1)] for r in range(num_items + 1)]
    )
    for name, p in RIGHT_ON_GOLD.items():
        going = {0: 1.0}  # probability by how many were wrong, of those not flagged yet
        for i in range(1, num_items + 1):
            shares = {w: going.get(w, 0.0) * p + going.get(w - 1, 0.0) * (1 - p) for w in range(i + 1)}
            going = {w: share for w, share in shares.items() if not flags[i - w, w]}
        right = rng.random((GOLD_RATERS, num_items)) < p
        wrong = (~right).cumsum(axis=1)
        figures[f"site, {name}"] = 1 - math.fsum(going.values())
        figures[f"site, {name}, counted"] = float(flags[right.cumsum(axis=1), wrong].any(axis=1).mean())
        few = (math.comb(num_items, w) * (1 - p) ** w * p ** (num_items - w) for w in range(rule.wrong_allowed + 1))
        figures[f"gold_rule, {name}"] = 1 - math.fsum(few)
        figures[f"gold_rule, {name}, counted"] = float((wrong[:, -1] > rule.wrong_allowed).mean())
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


def measure(seeds: range, spammers: float, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    figures: dict[str, Any] = {"seeds": [seeds.start, seeds.stop], "simulated": True}
    if "skills" in parts:
        for m in (1000, 4000):
            figures[f"30 items, {m} comparisons"] = summary([measure_skills(seed, None, m) for seed in seeds])
        for spread in (1, 2, 4):
            title = f"30 items of spread {spread}, 1000 comparisons by raters of NoisyBradleyTerry"
            figures[title] = summary([measure_shares(seed, spread) for seed in seeds])
    if "gold" in parts:
        figures[f"flagged within {GOLD_ITEMS} gold items"] = measure_gold(seeds.start)
    if "pairs" in parts:
        figures["1000 pairs, 3 votes each"] = summary([measure_skills(seed, 3) for seed in seeds])
    for honest, votes in itertools.product(HONEST, (3, 5)) if "spammers" in parts else ():
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
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(range(args.first_seed, args.first_seed + args.seeds), args.spammers, args.parts)
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
