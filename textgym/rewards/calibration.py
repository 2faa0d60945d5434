"""How good a reward model's scores are on pairs: plain functions of score differences.

A difference d = score(chosen) - score(rejected) is read as the log-odds that `chosen` is preferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class ReliabilityBin(NamedTuple):
    """Pairs of about one confidence."""

    confidence: float  # mean of sigmoid(|d|)
    accuracy: float  # share ranked right
    pairs: int


def preference_loss(differences: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean of -log sigmoid(d), nats. (n,) -> a number; log 2 is a coin."""
    return float(np.average(np.logaddexp(0.0, -np.asarray(differences, dtype=np.float64)), weights=weights))


def accuracy(differences: np.ndarray) -> float:
    """Share of pairs ranked right; a tie counts half."""
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))


def accuracy_interval(differences: np.ndarray, groups: Sequence[int]) -> tuple[float, float]:
    """95% interval of the accuracy, normal approximation; pairs of one group (prompt) count as one draw."""
    right = (differences > 0) + 0.5 * (differences == 0)
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    total, size = np.bincount(index, right), np.bincount(index)
    center = right.mean()
    error = 1.96 * np.sqrt(np.square(total - center * size).sum()) / size.sum()
    return float(max(0.0, center - error)), float(min(1.0, center + error))


def expected_calibration_error(differences: np.ndarray, num_bins: int = 10) -> float:
    """Mean distance of confidence sigmoid(|d|) and accuracy, over bins of equal confidence width in [0.5, 1]."""
    bins = reliability_bins(differences, num_bins)
    return sum(b.pairs * abs(b.confidence - b.accuracy) for b in bins) / len(differences)


def reliability_bins(differences: np.ndarray, num_bins: int = 10) -> list[ReliabilityBin]:
    """What `expected_calibration_error` sums over: the bins that hold any pair, by confidence."""
    d = np.asarray(differences, dtype=np.float64)
    confidence = 0.5 * (1 + np.tanh(np.abs(d) / 2))
    right = (d > 0) + 0.5 * (d == 0)
    bins = np.minimum(((confidence - 0.5) * 2 * num_bins).astype(int), num_bins - 1)
    members = [bins == k for k in range(num_bins) if (bins == k).any()]
    return [ReliabilityBin(float(confidence[m].mean()), float(right[m].mean()), int(m.sum())) for m in members]


def brier_score(differences: np.ndarray) -> float:
    """Mean square of 1 - P(chosen wins) (Brier 1950, one of the two outcomes); 0.25 is a coin."""
    d = np.asarray(differences, dtype=np.float64)
    return float(np.mean((0.5 * (1 - np.tanh(d / 2))) ** 2))


def bootstrap_ratio(
    values: np.ndarray, groups: Sequence[int], seed: int = 0, replicates: int = 2000, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, drawing whole groups (Efron & Tibshirani 1993, ch. 13).

    Pairs of one prompt are judged and scored alike, so the prompt is what is drawn. (n,), n group ids -> (low, high).
    """
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    total, size = np.bincount(index, values), np.bincount(index)
    rng, k = np.random.default_rng(seed), len(size)
    at_once = max(1, 2_000_000 // k)
    means: list[np.ndarray] = []
    for start in range(0, replicates, at_once):
        drawn = rng.multinomial(k, np.full(k, 1 / k), size=min(at_once, replicates - start))
        means.append((drawn @ total) / (drawn @ size))
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def cross_fitted(
    differences: np.ndarray, groups: Sequence[int], weights: np.ndarray | None = None, seed: int = 0
) -> tuple[np.ndarray, tuple[float, float]]:
    """Differences times the scale that the *other* half of the prompts asks for, and the two scales.

    What is measured on the result is measured on pairs that the temperature has not seen. (n,) -> (n,).
    """
    d, ids = np.asarray(differences, dtype=np.float64), np.asarray(groups)
    unique = np.unique(ids)
    if len(unique) < 2:
        raise ValueError(
            f"a temperature needs pairs of at least 2 prompts to be fitted and measured, got {len(unique)}"
        )
    first = np.isin(ids, np.random.default_rng(seed).permutation(unique)[: len(unique) // 2])
    w = np.ones_like(d) if weights is None else np.asarray(weights, dtype=np.float64)
    scales = (fit_scale(d[first], w[first]), fit_scale(d[~first], w[~first]))
    return np.where(first, d * scales[1], d * scales[0]), scales


def fit_scale(differences: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The factor a (1 / temperature) that minimises the preference loss of a · d, from 0.01 to 100.

    The loss is convex in a, so its derivative has one sign change, found by bisection. One pair more is taken to have
    been lost, by the mean distance: few pairs are easily all ranked right, and no scale would be large enough for them.
    """
    d = np.asarray(differences, dtype=np.float64)
    w = np.ones_like(d) if weights is None else np.asarray(weights, dtype=np.float64)
    d, w = np.append(d, -np.abs(d).mean()), np.append(w, w.mean())
    low, high = np.log(0.01), np.log(100.0)
    for _ in range(60):
        middle = (low + high) / 2
        slope = (w * -d * 0.5 * (1 - np.tanh(np.exp(middle) * d / 2))).sum()
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp((low + high) / 2))


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's r; 0 where one of the two does not vary."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < 2 or x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def pair_metrics(
    chosen: np.ndarray,
    rejected: np.ndarray,
    lengths: tuple[np.ndarray, np.ndarray],
    prompts: Sequence[int],
) -> dict[str, float]:
    """Figures for n pairs.

    Args:
        chosen: (n,) scores; `rejected` likewise.
        lengths: characters of the chosen and of the rejected responses, (n,) each.
        prompts: an id of each pair's prompt.
    """
    d = np.asarray(chosen, dtype=np.float64) - rejected
    low, high = accuracy_interval(d, prompts)
    scores, sizes = np.concatenate([chosen, rejected]), np.concatenate(lengths)
    return {
        "pairs": float(len(d)),
        "accuracy": accuracy(d),
        "accuracy_low": low,
        "accuracy_high": high,
        "accuracy_of_longer": accuracy(np.asarray(lengths[0], dtype=np.float64) - lengths[1]),
        "loss": preference_loss(d),
        "brier": brier_score(d),
        "ece": expected_calibration_error(d),
        "score_mean": float(scores.mean()),
        "score_std": float(scores.std()),
        "score_length_correlation": correlation(scores, sizes),
    }


def describe(metrics: Mapping[str, float]) -> str:
    """Figures as a Markdown table."""
    rows = [f"| {name} | {value:.4g} |" for name, value in metrics.items()]
    return "\n".join(["| figure | value |", "| --- | --- |", *rows])
