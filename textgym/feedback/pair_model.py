"""Raters of pairs that few people judged: the same model, with what is not known integrated out.

When a pair of responses gets three judgements, fitting its qualities beside the raters flatters the
raters (Neyman & Scott, 1948): every unanimous pair looks like a large difference. So here a pair's
difference d is not fitted. It has the prior N(0, 2) of two items drawn at random, and the raters are fitted to
the likelihood with d summed over a grid (as Bock & Aitkin, 1981, do for tests). That gives each pair's
posterior too: how likely the one is better, and by how much. Pairs are taken as unrelated.

Last in the file, the two ways from judgements to the preferences that a reward model is trained on: the
majority's vote, and this model's posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from textgym.feedback.descent import minimise
from textgym.feedback.preferences import Preference
from textgym.feedback.rater_model import TIE, Comparisons, Priors, RaterFit, check_comparisons, davidson
from textgym.types import Transcript

GRID = np.linspace(-5.5, 5.5, 34)  # differences of quality, nearly 4 standard deviations each way; 0 is not among them
LOG_PRIOR = -(GRID**2) / 4 - np.log(np.exp(-(GRID**2) / 4).sum())

SIDES = np.array([-1.0, 1.0])[:, None]  # of the first item: on the right, on the left


@dataclass(frozen=True, eq=False)
class PairFit:
    """Raters, and what their judgements say of P pairs; `first` is the item with the lower index."""

    raters: RaterFit  # its qualities are half the mean difference for the better item, minus that for the other
    first: np.ndarray  # (P,) int64
    second: np.ndarray  # (P,) int64
    pair: np.ndarray  # (m,) int64, the pair of each judgement
    first_is_better: np.ndarray  # (P,) float64, posterior probability
    difference: np.ndarray  # (P,) float64, posterior mean of quality(first) - quality(second)


class PairObjective:
    """Minus the penalised marginal log-likelihood of the raters: R skills, R side biases, R + 1 for ties.

    A judgement is one of 6 R kinds: rater, whether the first item stands on the left, verdict.
    """

    def __init__(self, data: Comparisons, num_raters: int, priors: Priors) -> None:
        self.num_raters = num_raters
        self.has_ties = bool((data.verdict == TIE).any())
        ends = np.stack([np.minimum(data.left, data.right), np.maximum(data.left, data.right)])
        pairs, self.pair = np.unique(ends, axis=1, return_inverse=True)
        self.pair = self.pair.reshape(-1)  # numpy 2.0 gives it a second axis
        self.first, self.second = pairs
        self.kind = (data.rater * 2 + (data.left < data.right)) * 3 + data.verdict + 1
        self.by_pair = np.argsort(self.pair, kind="stable")
        self.starts = np.flatnonzero(np.diff(self.pair[self.by_pair], prepend=-1))
        self.by_kind = np.argsort(self.kind, kind="stable")
        self.kinds, self.kind_starts = np.unique(self.kind[self.by_kind], return_index=True)
        spreads = [priors.skill, priors.side_bias, priors.tie]
        self.precision = np.append(np.repeat([1 / spread**2 for spread in spreads], num_raters), priors.common_tie**-2)
        self.mean = np.zeros(3 * num_raters + 1)
        self.mean[:num_raters] = priors.skill_mean
        self.mean[-1] = -1.0

    def split(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """skill, side_bias, tie: (R,) each."""
        skill, side_bias, deviation, common = np.split(point, self.num_raters * np.arange(1, 4))
        return skill, side_bias, np.exp(deviation + common) if self.has_ties else np.zeros(self.num_raters)

    def posterior(self, point: np.ndarray) -> tuple[np.ndarray, float]:
        """(P, K) float64 posterior of each pair's difference on the grid, and the marginal log-likelihood in nats."""
        log_p = np.log(np.maximum(self._chances(point), np.finfo(np.float64).tiny))  # (R, 2, K, 3)
        of_kind = np.moveaxis(log_p, -1, 2).reshape(-1, len(GRID))
        log_joint = LOG_PRIOR + np.add.reduceat(of_kind[self.kind[self.by_pair]], self.starts)
        top = log_joint.max(axis=1, keepdims=True)
        joint = np.exp(log_joint - top)
        total = joint.sum(axis=1, keepdims=True)
        return joint / total, float((np.log(total) + top).sum())

    def __call__(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """The value in nats, and the gradient by Fisher's identity: that of the expected whole log-likelihood."""
        posterior, log_likelihood = self.posterior(point)
        expected = np.zeros((6 * self.num_raters, len(GRID)))
        expected[self.kinds] = np.add.reduceat(posterior[self.pair[self.by_kind]], self.kind_starts)
        right, tie, left = np.moveaxis(expected.reshape(-1, 2, 3, len(GRID)), 2, 0)  # (R, 2, K) judgements each
        p = self._chances(point)
        total = right + tie + left
        by_eta = ((p[..., 2] - p[..., 0]) * total - left + right) / 2
        by_tie = (p[..., 1] * total - tie).sum(axis=(1, 2)) * self.has_ties
        by_skill = (by_eta * SIDES * GRID).sum(axis=(1, 2))
        off = point - self.mean
        gradient = np.concatenate([by_skill, by_eta.sum(axis=(1, 2)), by_tie, by_tie.sum(keepdims=True)])
        return (self.precision * off**2).sum() / 2 - log_likelihood, gradient + self.precision * off

    def curvature(self) -> np.ndarray:
        """About the second derivatives at the start: a quarter of a judgement's information each."""
        judged = np.bincount(self.kind // 6, minlength=self.num_raters) / 4
        return np.concatenate([judged, judged, judged, judged.sum(keepdims=True)]) + self.precision

    def _chances(self, point: np.ndarray) -> np.ndarray:
        """(R, 2, K, 3) P(right), P(tie), P(left) by rater, whether the first is on the left, and difference."""
        skill, side_bias, tie = self.split(point)
        eta = skill[:, None, None] * SIDES * GRID + side_bias[:, None, None]
        return davidson(eta, np.broadcast_to(tie[:, None, None], eta.shape))


def fit_pairs(
    comparisons: Comparisons,
    num_raters: int | None = None,
    priors: Priors | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-6,
) -> PairFit:
    """Fits raters by penalised marginal likelihood, and gives what is then known of each pair.

    Arguments and errors are those of `fit_raters`; the prior of quality is the scale itself, N(0, 1) of an item.
    """
    data, num_raters, num_items = check_comparisons(comparisons, num_raters, None)
    objective = PairObjective(data, num_raters, priors or Priors())
    point, converged = minimise(
        objective, objective.mean.copy(), objective.curvature(), max_iterations, tolerance * len(data.left)
    )
    posterior, log_likelihood = objective.posterior(point)
    skill, side_bias, tie = objective.split(point)
    difference = posterior @ GRID
    half = np.bincount(objective.first, difference / 2, num_items)
    raters = RaterFit(
        skill=skill,
        side_bias=side_bias,
        tie=tie,
        quality=half - np.bincount(objective.second, difference / 2, num_items),
        log_likelihood=log_likelihood,
        num_judgements=np.bincount(data.rater, minlength=num_raters),
        converged=converged,
    )
    better = posterior[:, GRID > 0].sum(axis=1)
    return PairFit(raters, objective.first, objective.second, objective.pair, better, difference)


def majority_preferences(
    comparisons: Comparisons,
    transcripts: Sequence[Transcript],
    rater_names: Sequence[str],
    source: str = "",
    simulated: bool = False,
) -> list[Preference]:
    """What most raters of each pair preferred, all raters alike.

    `weight` is the share of votes by which the chosen one won, ties being votes for neither: 1 where all agree.
    `margin` is 0. A pair without a majority is left out.

    Args:
        comparisons: m judgements.
        transcripts: The items.
        rater_names: One a rater.
        source: Where the pairs come from.
        simulated: Whether the raters are programs; every preference says it.
    """
    data, _, _ = check_comparisons(comparisons, len(rater_names), len(transcripts))
    objective = PairObjective(data, len(rater_names), Priors())
    for_first = np.where(data.left < data.right, data.verdict, -data.verdict)
    lead = np.bincount(objective.pair, for_first) / np.bincount(objective.pair)
    names = _names_of_pairs(objective.pair, data.rater, rater_names)
    ends = zip(objective.first, objective.second, lead, names, strict=True)
    fields: dict[str, Any] = {"source": source, "simulated": simulated}
    return [_preference(transcripts, *end, 0.0, fields) for end in ends if end[2] != 0]


def posterior_preferences(
    comparisons: Comparisons,
    transcripts: Sequence[Transcript],
    rater_names: Sequence[str],
    source: str = "",
    simulated: bool = False,
    soft: bool = False,
    with_margin: bool = False,
    fit: PairFit | None = None,
) -> list[Preference]:
    """What the raters' judgements of each pair amount to, by how far each rater can be believed.

    `weight` is 2 P - 1, P being the posterior probability that the chosen one is better: what a judge right
    with probability P is worth (0 for a coin). With `soft`, a pair gives two preferences, one for either
    side, of the weights P and 1 - P: their loss is the cross-entropy with P, the better one to train with and
    useless for an accuracy. What has no weight is left out.

    Args:
        comparisons: m judgements.
        transcripts: The items.
        rater_names: One a rater.
        source: Where the pairs come from.
        simulated: Whether the raters are programs; every preference says it.
        soft: Two preferences a pair instead of one.
        with_margin: `margin` is the posterior mean of the difference times the mean skill, in nats: with which
            log-odds a middling rater prefers the chosen one. Otherwise 0. Not with `soft`.
        fit: Of these comparisons; None: it is made.
    """
    if soft and with_margin:
        raise ValueError("with_margin must be False where soft is True: P says already how sure the raters are")
    data, num_raters, _ = check_comparisons(comparisons, len(rater_names), len(transcripts))
    fit = fit or fit_pairs(data, num_raters)
    names = _names_of_pairs(fit.pair, data.rater, rater_names)
    margin = np.abs(fit.difference) * max(float(fit.raters.skill.mean()), 0.0) * with_margin
    better = fit.first_is_better
    leads = [better, better - 1] if soft else [2 * better - 1]
    ends = zip(fit.first, fit.second, zip(*leads, strict=True), names, margin, strict=True)
    fields: dict[str, Any] = {"source": source, "simulated": simulated}
    return [
        _preference(transcripts, a, b, lead, by, nats, fields)
        for a, b, of_pair, by, nats in ends
        for lead in of_pair
        if lead != 0
    ]


def _preference(
    transcripts: Sequence[Transcript],
    first: int,
    second: int,
    lead: float,
    raters: tuple[str, ...],
    margin: float,
    fields: dict[str, Any],
) -> Preference:
    chosen, rejected = (first, second) if lead > 0 else (second, first)
    given = {"weight": abs(float(lead)), "margin": float(margin), "raters": raters, **fields}
    return Preference.of(transcripts[chosen], transcripts[rejected], **given)


def _names_of_pairs(pair: np.ndarray, rater: np.ndarray, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Who judged each pair, each once, in the order of the raters."""
    found = np.unique(np.stack([pair, rater]), axis=1)
    of_pair: list[list[str]] = [[] for _ in range(int(pair.max()) + 1)]
    for p, r in found.T:
        of_pair[p].append(names[r])
    return [tuple(of) for of in of_pair]
