"""Who can be believed: raters and items of pairwise judgements, fitted together.

A rater r who sees item l on the left and item k on the right is modelled with the log-odds

    eta = skill_r * (quality_l - quality_k) + side_bias_r

and the verdicts with Davidson's ties (1970, JASA 65, equation 2.3, written with log-odds)

    P(left) : P(tie) : P(right)  =  exp(eta / 2) : tie_r : exp(-eta / 2)

so that left against right is logistic in eta whatever the rater's habit of calling ties. Without
ties (tie = 0) this is Bradley & Terry (1952) with the raters of Chen et al. (2013) on the log-odds.
Quality times skill is all that shows, so the scale is a convention: the judged items' qualities have
mean 0, and the two items of a judgement differ by sqrt(2) in root mean square, as two drawn at random
do when the standard deviation of quality is 1. A skill is in nats of log-odds per such standard
deviation: 0 judges at random, below 0 backwards; `pair_accuracy` says it without a unit, from 0 to 1, as Chen's eta and
the skill of one-coin Dawid & Skene models do. Meant for items that are judged often; where each pair
got a few judgements only, `pair_model.py` is the one to take. A rater with known answers to compare with
needs no model: `gold_rule`. Not here: rankings of more than two, and how sure the fit is of each figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from textgym import checks
from textgym.feedback.descent import minimise

RIGHT, TIE, LEFT = -1, 0, 1


class Comparisons(NamedTuple):
    """m judgements of pairs."""

    left: np.ndarray  # (m,) int64, the item shown on the left
    right: np.ndarray  # (m,) int64
    rater: np.ndarray  # (m,) int64
    verdict: np.ndarray  # (m,) int64: 1 left, 0 tie, -1 right


@dataclass(frozen=True)
class Priors:
    """Weak beliefs that keep every figure finite; normal distributions, each by its standard deviation."""

    quality: float = 1.0  # of items around 0
    skill_mean: float = 1.0  # above 0: raters in the mean judge forwards, which says where up is
    skill: float = 1.5  # of skills around skill_mean
    side_bias: float = 1.0  # of side biases around 0
    common_tie: float = 2.0  # of the raters' common log(tie) around -1, which is a tie in 6 of even pairs
    tie: float = 1.0  # of one rater's log(tie) around the common one

    def __post_init__(self) -> None:
        for name in ("skill_mean", "quality", "skill", "side_bias", "common_tie", "tie"):
            checks.positive(name, getattr(self, name))


@dataclass(frozen=True, eq=False)
class RaterFit:
    """Raters (R) and items (I) as they were fitted."""

    skill: np.ndarray  # (R,) float64, nats per unit of quality
    side_bias: np.ndarray  # (R,) float64, nats for what stands on the left
    tie: np.ndarray  # (R,) float64, Davidson's nu: 0 never, 1 calls a tie in one of three even pairs
    quality: np.ndarray  # (I,) float64, scaled as above; 0 for an item that nobody judged
    log_likelihood: float  # nats, of the verdicts, without the priors
    num_judgements: np.ndarray  # (R,) int64
    converged: bool

    @property
    def reliability(self) -> np.ndarray:
        """(R,) correlation, -1 to 1, of the difference that a rater perceives and that of two items drawn at random.

        What is perceived is the difference plus logistic noise of variance pi^2 / (3 skill^2).
        """
        return self.skill / np.sqrt(self.skill**2 + np.pi**2 / 6)

    @property
    def accuracy(self) -> np.ndarray:
        """(R,) `pair_accuracy` of the skills, 0 to 1."""
        return pair_accuracy(self.skill)

    def probabilities(self, left: Any, right: Any, rater: Any) -> np.ndarray:
        """(m, 3) float64: P(right), P(tie), P(left) of m judgements."""
        eta = self.skill[rater] * (self.quality[left] - self.quality[right]) + self.side_bias[rater]
        return davidson(eta, self.tie[rater])

    def probability_left(self, left: Any, right: Any, rater: Any) -> np.ndarray:
        """(m,) float64: P(left) of m judgements."""
        return self.probabilities(left, right, rater)[:, 2]

    def weights(self, rater: Any) -> np.ndarray:
        """(m,) float64 in [0, 1]: the squared reliability of each judgement's rater; 0 for who judges backwards.

        The share of what such a rater perceives that is quality and no noise, so a judgement at random counts nothing.
        """
        return np.maximum(self.reliability, 0.0)[rater] ** 2


def pair_accuracy(skill: Any) -> np.ndarray:
    """Probability, 0 to 1, of naming the better of two items drawn at random: mean of sigma(skill |d|), d ~ N(0, 2).

    Of verdicts that are no ties, side biases told apart: 0.5 for skill 0 (judges at random), 0.83 for 2, 0.17 for -2.
    """
    d = np.arange(0.005, 8.5, 0.01)  # six standard deviations
    weight = np.exp(-(d**2) / 4)
    return 0.5 + np.tanh(np.multiply.outer(skill, d) / 2) @ weight / (2 * weight.sum())


def fit_raters(
    comparisons: Comparisons,
    num_raters: int | None = None,
    num_items: int | None = None,
    priors: Priors | None = None,
    max_iterations: int = 500,
    tolerance: float = 1e-6,
) -> RaterFit:
    """Fits raters and items by penalised maximum likelihood (L-BFGS; Nocedal & Wright, 2006, algorithm 7.4).

    Items need not be connected: pairs that share no item are tied together by the priors.

    Args:
        comparisons: m >= 1 judgements.
        num_raters: Number of raters; None: the largest index and one.
        num_items: Number of items; None: likewise. An item that nobody saw gets the quality of the prior.
        priors: Weak beliefs; None: the defaults.
        max_iterations: At most so many steps.
        tolerance: Converged when no derivative of the penalised log-likelihood exceeds it times m.

    Raises:
        ValueError: columns of different lengths, indices out of range, an item beside itself, another verdict.
    """
    data, raters, items = check_comparisons(comparisons, num_raters, num_items)
    objective = Objective(data, raters, items, priors or Priors())
    start = objective.start()
    point, converged = minimise(
        objective, start, objective.curvature(start), max_iterations, tolerance * len(data.left)
    )
    return objective.result(point, converged)


@dataclass(frozen=True)
class GoldRule:
    """Flags a rater at the wrong answer number `wrong_allowed + 1` among the first `num_items` gold items."""

    num_items: int
    wrong_allowed: int
    power: float  # probability that it flags a rater who is right with the probability `random`
    false_alarms: float  # probability that it flags one who is right with the probability `honest`

    def is_flagged(self, right: Sequence[bool]) -> bool:
        """Whether these answers to gold items, in their order, flag the rater; those after the first are ignored."""
        return sum(not r for r in right[: self.num_items]) > self.wrong_allowed


def gold_rule(
    num_items: int = 20, honest: float = 0.9, random: float = 0.5, most_false_alarms: float = 0.05
) -> GoldRule:
    """The strictest rule whose false alarms are rare enough, with its exact binomial power.

    A wrong answer counts at once, so a rater may be flagged before the last item; that changes neither
    probability. A tie is a wrong answer. A rater better than `honest` is flagged more rarely still.

    Args:
        num_items: Gold items that are looked at.
        honest: Least probability of being right of a rater who must not be flagged.
        random: Probability of being right of the rater who must be.
        most_false_alarms: Largest probability of flagging the honest one.

    Returns:
        The rule; by default 5 wrong of 20 flag: power 0.9941, false alarms 0.0432.

    Raises:
        ValueError: random is not below honest, or a number out of range.
    """
    n = checks.whole("num_items", num_items, 1)
    for name, value in (("honest", honest), ("random", random), ("most_false_alarms", most_false_alarms)):
        checks.number(name, value, 0, 1)
    if random >= honest:
        raise ValueError(f"random must be below honest, got {random} and {honest}")
    for allowed in range(n + 1):
        if (alarms := _more_wrong_than(allowed, n, 1 - honest)) <= most_false_alarms:
            break
    return GoldRule(n, allowed, _more_wrong_than(allowed, n, 1 - random), alarms)


def _more_wrong_than(allowed: int, n: int, wrong: float) -> float:
    """P(more than `allowed` wrong of n answers), each wrong with probability `wrong`."""
    return math.fsum(math.comb(n, k) * wrong**k * (1 - wrong) ** (n - k) for k in range(allowed + 1, n + 1))


class Objective:
    """Minus the penalised log-likelihood of `comparisons`, and its gradient.

    A point is one vector: I qualities, R skills, R side biases, R deviations of log(tie), one common log(tie).
    Where nobody calls a tie, tie is 0 and the last R + 1 numbers are idle.
    """

    def __init__(self, data: Comparisons, num_raters: int, num_items: int, priors: Priors) -> None:
        self.data, self.num_raters, self.num_items = data, num_raters, num_items
        self.has_ties = bool((data.verdict == TIE).any())
        spreads = [(num_items, priors.quality), (num_raters, priors.skill), (num_raters, priors.side_bias)]
        spreads += [(num_raters, priors.tie), (1, priors.common_tie)]
        self.precision = np.concatenate([np.full(n, 1 / spread**2) for n, spread in spreads])
        self.mean = np.zeros(len(self.precision))
        self.mean[num_items : num_items + num_raters] = priors.skill_mean
        self.mean[-1] = -1.0

    def start(self) -> np.ndarray:
        """The means of the priors: skills above 0, so the first step moves the qualities towards the verdicts."""
        return self.mean.copy()

    def split(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """quality (I,), skill (R,), side_bias (R,), tie (R,)."""
        quality, skill, side_bias, deviation, common = np.split(point, self.num_items + self.num_raters * np.arange(4))
        tie = np.exp(deviation + common) if self.has_ties else np.zeros(self.num_raters)
        return quality, skill, side_bias, tie

    def __call__(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """The value in nats, and the gradient, of the length of `point`."""
        (left, right, rater, verdict), n = self.data, self.num_items
        quality, skill, side_bias, tie = self.split(point)
        difference = quality[left] - quality[right]
        p = davidson(skill[rater] * difference + side_bias[rater], tie[rater])
        off = point - self.mean
        value = -_log_likelihood(p, verdict) + (self.precision * off**2).sum() / 2
        by_eta = (p[:, 2] - p[:, 0] - verdict) / 2
        by_quality = by_eta * skill[rater]
        by_tie = self._per_rater(p[:, 1] - (verdict == TIE)) * self.has_ties
        parts = [np.bincount(left, by_quality, n) - np.bincount(right, by_quality, n)]
        parts += [self._per_rater(by_eta * difference), self._per_rater(by_eta), by_tie, by_tie.sum(keepdims=True)]
        return value, np.concatenate(parts) + self.precision * off

    def curvature(self, point: np.ndarray) -> np.ndarray:
        """The diagonal of the Fisher information and the priors' precision: steps of about the right length."""
        (left, right, rater, _), n = self.data, self.num_items
        quality, skill, side_bias, tie = self.split(point)
        difference = quality[left] - quality[right]
        p = davidson(skill[rater] * difference + side_bias[rater], tie[rater])
        by_eta = (p[:, 2] + p[:, 0] - (p[:, 2] - p[:, 0]) ** 2) / 4
        by_quality = by_eta * skill[rater] ** 2
        by_tie = self._per_rater(p[:, 1] * (1 - p[:, 1]))
        parts = [np.bincount(left, by_quality, n) + np.bincount(right, by_quality, n)]
        parts += [self._per_rater(by_eta * difference**2), self._per_rater(by_eta), by_tie, by_tie.sum(keepdims=True)]
        return np.concatenate(parts) + self.precision

    def result(self, point: np.ndarray, converged: bool) -> RaterFit:
        """The point in the units of `RaterFit`."""
        left, right, rater, verdict = self.data
        quality, skill, side_bias, tie = self.split(point)
        seen = np.union1d(left, right)
        scale = np.sqrt(((quality[left] - quality[right]) ** 2).mean() / 2) or 1.0
        centred = np.zeros(self.num_items)
        centred[seen] = (quality[seen] - quality[seen].mean()) / scale
        p = davidson(skill[rater] * (quality[left] - quality[right]) + side_bias[rater], tie[rater])
        return RaterFit(
            skill=skill * scale,
            side_bias=side_bias,
            tie=tie,
            quality=centred,
            log_likelihood=_log_likelihood(p, verdict),
            num_judgements=np.bincount(rater, minlength=self.num_raters),
            converged=converged,
        )

    def _per_rater(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.data.rater, values, self.num_raters)


def davidson(eta: np.ndarray, tie: np.ndarray) -> np.ndarray:
    """P(right), P(tie), P(left) along a new last axis, float64; `eta` and `tie` of one shape."""
    size = np.abs(eta)  # taken out, so that nothing overflows
    parts = np.stack([np.exp(-(eta + size) / 2), tie * np.exp(-size / 2), np.exp((eta - size) / 2)], axis=-1)
    return parts / parts.sum(axis=-1, keepdims=True)


def _log_likelihood(p: np.ndarray, verdict: np.ndarray) -> float:
    """In nats. What underflows is taken as the least positive number, so that a search steps back from it."""
    return float(np.log(np.maximum(p[np.arange(len(p)), verdict + 1], np.finfo(np.float64).tiny)).sum())


def check_comparisons(
    comparisons: Comparisons, num_raters: int | None, num_items: int | None
) -> tuple[Comparisons, int, int]:
    """The columns as int64, checked, the number of raters and that of items; None: the largest index and one."""
    columns = Comparisons(*(np.asarray(c) for c in comparisons))
    for name, column in columns._asdict().items():
        if column.ndim != 1 or column.shape != columns.left.shape or not len(column) or column.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must be integers, one a judgement, {columns.left.shape} like left and at least one, "
                f"got shape {column.shape} of {column.dtype}"
            )
    for name in ("left", "right", "rater"):
        if (least := getattr(columns, name).min()) < 0:
            raise ValueError(f"{name} must be indices from 0, got {least}")
    if not np.isin(columns.verdict, (RIGHT, TIE, LEFT)).all():
        raise ValueError(f"verdict must be 1 (left), 0 (tie) or -1 (right), got {np.unique(columns.verdict)!s:.60}")
    if (same := columns.left == columns.right).any():
        raise ValueError(f"left and right must differ, got item {columns.left[same][0]} beside itself")
    most = [int(columns.rater.max()) + 1, int(max(columns.left.max(), columns.right.max())) + 1]
    raters = checks.whole("num_raters", most[0] if num_raters is None else num_raters, most[0])
    items = checks.whole("num_items", most[1] if num_items is None else num_items, most[1])
    return Comparisons(*(c.astype(np.int64) for c in columns)), raters, items
