"""The arithmetic of the overoptimization lab: best-of-n without bias, the published curves, and where gold peaks.

With N samples of a prompt, the value of the best of n is not measured on one draw of n but as its expectation
over all subsets of size n, which has a closed form (Nakano et al. 2021, WebGPT, appendix I; Gao, Schulman & Hilton
2023, appendix). How far best-of-n is from the policy is

    KL = log n - (n - 1) / n        nats

an upper bound that is met where no two samples are alike (Beirami et al. 2024). With d = sqrt(KL) and R the gold
score's gain over the start, Gao et al. fit

    best-of-n   R(d) = d (α - β d)          peak at d = α / (2 β)
    RL          R(d) = d (α - β log d)      peak at d = exp(α / β - 1)

Both are linear in α and β, so least squares has one answer. Intervals are percentiles of a bootstrap over
prompts: all points of a best-of-n curve come from the same samples, so their residuals say nothing of its error.

Left out: weights on the points (the papers give none), and other forms; another form has its peak elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

Form = Literal["best-of-n", "rl"]
REPLICATES = 2000  # of a bootstrap
LEVELS = (0.025, 0.975)  # 95% intervals


class Estimate(NamedTuple):
    """A figure and its 95% interval; infinite where there is no such point."""

    value: float
    low: float
    high: float


class Fit(NamedTuple):
    """A published form with the data's α and β."""

    form: Form
    alpha: Estimate  # gold's gain for each √nat at the start
    beta: Estimate  # how fast that is lost
    peak_kl: Estimate  # nats; infinite: gold never turns, by this fit
    peak_gain: float  # R at the peak, gold above the start; nan where there is none


def best_of_n_weights(total: int, n: int) -> np.ndarray:
    """P(the i-th lowest of `total` samples is the best of a random subset of n): C(i - 1, n - 1) / C(total, n).

    (total,) float64, summing to 1. From the top down each weight is the one above it times (i - n) / (i - 1), so no
    binomial coefficient is ever formed and nothing overflows.
    """
    if not 1 <= n <= total:
        raise ValueError(f"n must be from 1 to the {total} samples of a prompt, got {n}")
    i = np.arange(total, 1, -1)
    ratios = np.maximum(i - n, 0) / np.maximum(i - 1, 1)
    return np.cumprod(np.concatenate([[n / total], ratios]))[::-1]


def best_of_n(proxy: np.ndarray, value: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """What the sample with the highest proxy among n is worth, expected over all subsets of size n.

    Of samples with the same proxy score each is as likely to be taken.

    Args:
        proxy: (P, N) what chooses, N samples of each of P prompts.
        value: (P, N) what is measured: gold, or the proxy itself.
        sizes: K values of n, from 1 to N.

    Returns:
        (P, K) float64.
    """
    proxy, value = np.asarray(proxy, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if proxy.ndim != 2 or proxy.shape != value.shape:
        raise ValueError(f"proxy and value must have one shape (P, N), got {proxy.shape} and {value.shape}")
    order = np.argsort(proxy, axis=1, kind="stable")
    ranked = np.take_along_axis(value, order, axis=1)
    scores = np.take_along_axis(proxy, order, axis=1)
    shared = np.stack([_mean_of_ties(s, v) for s, v in zip(scores, ranked, strict=True)])
    weights = np.stack([best_of_n_weights(proxy.shape[1], n) for n in sizes])  # (K, N)
    return shared @ weights.T


def _mean_of_ties(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N,) values, each replaced by the mean of those whose score is the same; scores in ascending order."""
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    return (np.bincount(group, values) / size)[group]


def kl_best_of_n(n: np.ndarray | int) -> np.ndarray:
    """log n - (n - 1) / n, nats: how far best-of-n is from the policy at most."""
    n = np.asarray(n, dtype=np.float64)
    return np.log(n) - (n - 1) / n


def sizes_up_to(most: int, points: int = 24) -> list[int]:
    """Values of n from 1 to `most`, evenly spaced in log n as far as whole numbers are."""
    return sorted({round(float(n)) for n in np.geomspace(1, most, points)})


def columns(kl: np.ndarray, form: Form) -> np.ndarray:
    """(…, K) nats -> (…, K, 2): what α and β are multiplied by in R(d)."""
    d = np.sqrt(np.maximum(kl, 0.0))  # an estimate of a small KL may lie below zero
    bent = d**2 if form == "best-of-n" else d * np.log(np.where(d > 0, d, 1.0))
    return np.stack([d, -bent], axis=-1)


def fit_curve(kl: np.ndarray, gain: np.ndarray, form: Form) -> np.ndarray:
    """(α, β) by least squares, (2,); from (B, K) the same for each row, (B, 2).

    Args:
        kl: (K,) or (B, K) nats.
        gain: (K,) or (B, K) gold above the start.
    """
    return np.einsum("...ck,...k->...c", np.linalg.pinv(columns(np.asarray(kl, dtype=np.float64), form)), gain)


def peak_kl(alpha: np.ndarray, beta: np.ndarray, form: Form) -> np.ndarray:
    """The KL, nats, at which the form is highest; infinite where β <= 0, because it never comes down."""
    alpha, beta = np.asarray(alpha, dtype=np.float64), np.asarray(beta, dtype=np.float64)
    turns = beta > 0
    ratio = np.divide(alpha, beta, out=np.zeros(np.broadcast(alpha, beta).shape), where=turns)
    with np.errstate(over="ignore"):
        found = (np.maximum(ratio, 0) / 2) ** 2 if form == "best-of-n" else np.exp(2 * (ratio - 1))
    return np.where(turns, found, np.inf)


def evaluate_form(kl: np.ndarray, alpha: float, beta: float, form: Form) -> np.ndarray:
    """R at these KLs, (K,) -> (K,)."""
    return columns(np.asarray(kl, dtype=np.float64), form) @ np.array([alpha, beta])


def draw_prompts(prompts: int, seed: int, replicates: int = REPLICATES) -> np.ndarray:
    """(B, P) how much each prompt counts in each replicate of a bootstrap; rows sum to 1."""
    rng = np.random.default_rng([seed, prompts])
    return rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=replicates) / prompts


def interval(replicates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95% percentile interval over the first axis; infinite replicates are larger than all others."""
    low = np.quantile(replicates, LEVELS[0], axis=0, method="lower")
    return low, np.quantile(replicates, LEVELS[1], axis=0, method="higher")


def fit_best_of_n(kl: np.ndarray, gold: np.ndarray, seed: int = 0, replicates: int = REPLICATES) -> Fit:
    """Fits the best-of-n form to curves of prompts.

    Args:
        kl: (K,) nats; the first point is n = 1, the start.
        gold: (P, K) of `best_of_n`, a curve a prompt.
    """
    gain = np.asarray(gold, dtype=np.float64) - gold[:, :1]
    draws = draw_prompts(len(gain), seed, replicates) @ gain
    return _fit("best-of-n", fit_curve(kl, gain.mean(axis=0), "best-of-n"), fit_curve(kl, draws, "best-of-n"))


def fit_updates(
    kl: np.ndarray, gold: np.ndarray, error: np.ndarray, num_start: int, seed: int = 0, replicates: int = REPLICATES
) -> Fit:
    """Fits the RL form to the batches of a run, each of other prompts.

    A batch's prompts are gone when it is over; what is left is the standard error of its mean over them. So each
    replicate draws the means anew, normal with that error. One run cannot say what another seed would do.

    Args:
        kl: (U,) nats of each update's batch.
        gold: (U,) mean of each batch.
        error: (U,) standard error of that mean over the batch's prompts.
        num_start: the first updates that still played the policy before training; their mean gold is the start's.
    """
    if not 1 <= num_start < len(gold) - 1:
        raise ValueError(f"num_start must be from 1 to {len(gold) - 2}, updates less two, got {num_start}")
    rng = np.random.default_rng([seed, len(gold)])
    drawn = np.concatenate([[gold], gold + rng.standard_normal((replicates, len(gold))) * error])
    gain = drawn - drawn[:, :num_start].mean(axis=1, keepdims=True)
    found = fit_curve(kl, gain, "rl")
    return _fit("rl", found[0], found[1:])


def _fit(form: Form, best: np.ndarray, replicates: np.ndarray) -> Fit:
    """(2,) and (B, 2) -> what is told of them."""
    peaks = peak_kl(replicates[:, 0], replicates[:, 1], form)
    peak = float(peak_kl(best[0], best[1], form))
    low, high = interval(np.column_stack([replicates, peaks]))
    alpha, beta, top = (Estimate(*map(float, each)) for each in zip((*best, peak), low, high, strict=True))
    gain = float(evaluate_form(np.array([peak]), best[0], best[1], form)[0]) if np.isfinite(peak) else np.nan
    return Fit(form, alpha, beta, top, gain)


def loss_after_peak(gold: np.ndarray, seed: int = 0, replicates: int = REPLICATES) -> Estimate:
    """How much lower the curve's last point is than its highest, (P, K) -> gold; the interval draws prompts.

    The highest of many noisy points is a little too high, so the loss of a curve that never falls is small, not 0.
    """
    gold = np.asarray(gold, dtype=np.float64)
    curves = np.concatenate([gold.mean(axis=0)[None], draw_prompts(len(gold), seed, replicates) @ gold])
    losses = curves.max(axis=1) - curves[:, -1]
    low, high = interval(losses[1:])
    return Estimate(float(losses[0]), float(low), float(high))
