"""Rater models find what was planted, their gradients are right, and what comes out is weighted by it."""

from __future__ import annotations

import importlib
import itertools
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from textgym.feedback.descent import minimise
from textgym.feedback.pair_model import (
    GRID,
    PairObjective,
    fit_pairs,
    majority_preferences,
    posterior_preferences,
)
from textgym.feedback.rater_model import (
    Comparisons,
    Objective,
    Priors,
    davidson,
    fit_raters,
    gold_rule,
    pair_accuracy,
)
from textgym.types import Message, Transcript

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
rater_recovery: Any = importlib.import_module("rater_recovery")

SKILLS = (2.5, 2.0, 1.5, 1.0, 0.7, 0.3, 0.0, -1.0)


class Planted(NamedTuple):
    comparisons: Comparisons
    skill: np.ndarray  # in the units of the fit
    side_bias: np.ndarray
    tie: np.ndarray
    quality: np.ndarray


def plant(seed: int, num_items: int = 30, m: int = 1000, raters_per_pair: int | None = None) -> Planted:
    """m comparisons of items drawn at random, or pairs (0, 1), (2, 3) ... with so many judgements each."""
    rng = np.random.default_rng(seed)
    skill, num_raters = np.array(SKILLS), len(SKILLS)
    side_bias, tie = rng.normal(0, 0.5, num_raters), np.exp(rng.normal(-1, 0.5, num_raters))
    quality = rng.normal(0, 1, num_items)
    if raters_per_pair:
        a = 2 * np.repeat(np.arange(num_items // 2), raters_per_pair)
        b, swap = a + 1, rng.random(len(a)) < 0.5
        left, right = np.where(swap, b, a), np.where(swap, a, b)
        rater = np.argsort(rng.random((num_items // 2, num_raters)), axis=1)[:, :raters_per_pair].ravel()
    else:
        left = rng.integers(0, num_items, m)
        right = (left + rng.integers(1, num_items, m)) % num_items
        rater = rng.integers(0, num_raters, m)
    p = davidson(skill[rater] * (quality[left] - quality[right]) + side_bias[rater], tie[rater])
    verdict = (rng.random(len(p))[:, None] > p.cumsum(axis=1)[:, :2]).sum(axis=1) - 1
    scale = math.sqrt(((quality[left] - quality[right]) ** 2).mean() / 2)
    return Planted(Comparisons(left, right, rater, verdict), skill * scale, side_bias, tie, quality / scale)


def reliability(skill: np.ndarray) -> np.ndarray:
    return skill / np.sqrt(skill**2 + np.pi**2 / 6)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(x)), np.argsort(np.argsort(y)))[0, 1])


@pytest.mark.parametrize("with_ties", [True, False])
@pytest.mark.parametrize("kind", [Objective, PairObjective])
def test_the_gradient_is_that_of_finite_differences(kind, with_ties):
    data = plant(0, m=200).comparisons
    if not with_ties:
        data = data._replace(verdict=np.where(data.verdict == 0, 1, data.verdict))
    priors = Priors(skill=0.8, tie=0.6)
    objective = Objective(data, 8, 30, priors) if kind is Objective else PairObjective(data, 8, priors)
    point = objective.mean + np.random.default_rng(1).normal(0, 0.4, len(objective.mean))
    gradient = objective(point)[1]
    steps = 1e-5 * np.eye(len(point))
    numeric = np.array([(objective(point + e)[0] - objective(point - e)[0]) / 2e-5 for e in steps])
    assert np.abs(gradient).max() > 1
    assert np.abs(gradient - numeric).max() < 1e-4


def test_verdicts_are_davidsons():
    """Even without a bias: tie against left is nu to 1; left against right is logistic whatever nu."""
    p = davidson(np.array([0.0, 1.2, -1.2, 900.0]), np.array([0.5, 3.0, 0.0, 1.0]))
    assert p[0] == pytest.approx([0.4, 0.2, 0.4])
    assert math.log(p[1, 2] / p[1, 0]) == pytest.approx(1.2)
    assert p[1, 1] ** 2 == pytest.approx(9 * p[1, 0] * p[1, 2])
    assert p[2] == pytest.approx([1 / (1 + math.exp(-1.2)), 0, 1 / (1 + math.exp(1.2))])
    assert p[3] == pytest.approx([0, 0, 1])


def test_planted_raters_are_found_from_a_thousand_comparisons_of_thirty_items():
    errors, ranks = [], []
    for seed in range(100, 105):
        planted = plant(seed)
        fit = fit_raters(planted.comparisons)
        assert fit.converged
        errors.append(np.abs(fit.reliability - reliability(planted.skill)).mean())
        ranks.append(rank_correlation(fit.skill, planted.skill))
        assert np.abs(fit.side_bias - planted.side_bias).mean() < 0.35
        assert rank_correlation(fit.quality, planted.quality) > 0.85
    assert np.mean(errors) <= 0.10
    assert np.mean(ranks) >= 0.9


def test_planted_accuracies_are_found_on_every_seed():
    """The scale from 0 to 1, on which nobody needs to know the unit of quality."""
    errors = []
    for seed in range(300, 308):
        planted = plant(seed)
        fit = fit_raters(planted.comparisons)
        errors.append(np.abs(fit.accuracy - pair_accuracy(planted.skill)).mean())
        assert rank_correlation(fit.accuracy, planted.skill) >= 0.85
    assert max(errors) <= 0.10
    assert np.mean(errors) <= 0.05


def test_accuracies_of_raters_of_another_model_are_found_too():
    for spread in (1.0, 4.0):
        found = [rater_recovery.measure_shares(seed, spread) for seed in range(400, 405)]
        assert np.mean([f["fit_raters, accuracy error"] for f in found]) <= 0.06


def test_accuracy_is_the_share_of_right_verdicts_on_items_drawn_at_random():
    rng = np.random.default_rng(0)
    difference = rng.normal(0, 1, 200_000) - rng.normal(0, 1, 200_000)
    for skill in (-1.0, 0.3, 2.5):
        left = rng.random(len(difference)) < davidson(skill * difference, np.zeros(len(difference)))[:, 2]
        assert float(pair_accuracy(skill)) == pytest.approx((left == (difference > 0)).mean(), abs=0.005)
    skills = np.linspace(-6, 6, 25)
    assert pair_accuracy(0.0) == 0.5
    assert pair_accuracy(-skills) == pytest.approx(1 - pair_accuracy(skills))
    assert (np.diff(pair_accuracy(skills)) > 0).all()
    assert pair_accuracy(np.array([[1e6]])) == pytest.approx(1)
    assert pair_accuracy([]).shape == (0,)


def test_the_information_is_the_mean_curvature_of_the_log_likelihood():
    """By finite differences of the fit's own gradient, its priors taken off, over verdicts drawn at the truth."""
    planted = plant(1, num_items=4, m=60)
    data, tie = planted.comparisons, planted.tie
    point = np.concatenate([planted.quality, planted.skill, planted.side_bias, np.log(tie), [0.0]])
    expected, steps, rng = np.zeros((28, 28)), 1e-5 * np.eye(29)[:28], np.random.default_rng(2)
    eta = planted.skill[data.rater] * (planted.quality[data.left] - planted.quality[data.right])
    eta += planted.side_bias[data.rater]
    draws = 150
    for _ in range(draws):
        verdict = rater_recovery.draw_verdicts(eta, tie[data.rater], rng)
        objective = Objective(data._replace(verdict=verdict), 8, 4, Priors())
        objective.precision = np.zeros(29)
        expected += [(objective(point + e)[1] - objective(point - e)[1])[:28] / 2e-5 / draws for e in steps]
    found = rater_recovery.information(data, planted.skill, planted.side_bias, tie, planted.quality)
    assert np.abs(expected).max() > 2
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_skills_in_nats_are_found_nearly_as_well_as_can_be():
    """0.10 nats cannot be had: without ties and biases, and told the qualities, who judges at random is off by that."""
    errors, least, told = [], [], []
    for seed in range(500, 510):
        planted = plant(seed)
        bound = rater_recovery.bounds(planted.comparisons, *planted[1:])
        errors.append(np.abs(fit_raters(planted.comparisons).skill - planted.skill).mean())
        least.append(bound["bound, skill error"])
        told.append(bound["bound when told all else, skill error"])
    assert np.mean(errors) < 1.2 * np.mean(least)
    assert all(a < b for a, b in zip(told, least, strict=True))
    assert min(told) > 0.10
    data = plant(500).comparisons
    quality = np.random.default_rng(0).normal(0, 1, 30)
    quality /= math.sqrt(((quality[data.left] - quality[data.right]) ** 2).mean() / 2)
    none = np.zeros(8)
    found = rater_recovery.bounds(data, none, none, none, quality)["bound when told all else, skill error"]
    assert found == pytest.approx(math.sqrt(2 / math.pi) * math.sqrt(2 * 8 / 1000), rel=0.05)


def test_the_scale_is_the_one_that_is_promised():
    data = plant(3).comparisons
    fit = fit_raters(data, num_items=31)
    assert fit.quality[30] == 0, "nobody saw it"
    assert fit.quality[:30].mean() == pytest.approx(0, abs=1e-12)
    assert ((fit.quality[data.left] - fit.quality[data.right]) ** 2).mean() == pytest.approx(2)
    p = fit.probabilities(data.left, data.right, data.rater)
    assert np.log(p[np.arange(len(p)), data.verdict + 1]).sum() == pytest.approx(fit.log_likelihood)
    assert fit.num_judgements.sum() == 1000
    weights = fit.weights(data.rater)
    assert set(weights[data.rater == int(np.argmin(fit.skill))]) == {0.0}, "who judges backwards counts nothing"
    assert weights[data.rater == 0].min() > 0.5


def test_showing_every_pair_the_other_way_round_turns_the_side_biases_only():
    data = plant(4).comparisons
    turned = Comparisons(data.right, data.left, data.rater, -data.verdict)
    for fit in (lambda c: fit_raters(c), lambda c: fit_pairs(c).raters):
        one, other = fit(data), fit(turned)
        assert other.skill == pytest.approx(one.skill, abs=1e-3)
        assert other.side_bias == pytest.approx(-one.side_bias, abs=1e-3)
        assert other.quality == pytest.approx(one.quality, abs=1e-3)


def test_pairs_with_three_judgements_do_not_flatter_the_raters():
    """Fitting every pair's difference does (that is why the pair model exists); summing over it does not."""
    joint, summed = [], []
    for seed in range(200, 203):
        planted = plant(seed, num_items=1200, raters_per_pair=3)
        expected = reliability(planted.skill)
        joint.append(np.abs(fit_raters(planted.comparisons).reliability - expected).mean())
        fit = fit_pairs(planted.comparisons)
        assert fit.raters.converged
        summed.append(np.abs(fit.raters.reliability - expected).mean())
        is_better = planted.quality[fit.first] > planted.quality[fit.second]
        right = is_better == (fit.first_is_better > 0.5)
        assert right.mean() == pytest.approx(np.maximum(fit.first_is_better, 1 - fit.first_is_better).mean(), abs=0.06)
    assert np.mean(summed) < 0.12
    assert np.mean(joint) > np.mean(summed) + 0.05


def test_the_posterior_of_one_pair_is_bayes_rule():
    """Multiplied out for three pairs, judgement by judgement, with the raters that the fit found."""
    planted = plant(5, num_items=200, raters_per_pair=4)
    fit = fit_pairs(planted.comparisons)
    data = planted.comparisons
    for pair in range(3):
        rows = np.flatnonzero(fit.pair == pair)
        chance = np.exp(-(GRID**2) / 4)
        for k in rows:
            sign = 1.0 if data.left[k] == fit.first[pair] else -1.0
            r = data.rater[k]
            eta = fit.raters.skill[r] * sign * GRID + fit.raters.side_bias[r]
            chance = chance * davidson(eta, np.full_like(eta, fit.raters.tie[r]))[:, data.verdict[k] + 1]
        assert fit.first_is_better[pair] == pytest.approx(chance[GRID > 0].sum() / chance.sum())
        assert fit.difference[pair] == pytest.approx((chance * GRID).sum() / chance.sum())


def test_minimise_reaches_the_bottom_of_a_curved_valley():
    """Rosenbrock's function: its only minimum is at (1, 1)."""

    def valley(x: np.ndarray) -> tuple[float, np.ndarray]:
        bend = x[1] - x[0] ** 2
        return (1 - x[0]) ** 2 + 100 * bend**2, np.array([-2 * (1 - x[0]) - 400 * x[0] * bend, 200 * bend])

    point, converged = minimise(valley, np.array([-1.2, 1.0]), np.ones(2), 500, 1e-8)
    assert converged
    assert point == pytest.approx([1, 1], abs=1e-6)
    assert not minimise(valley, np.array([-1.2, 1.0]), np.ones(2), 3, 1e-8)[1]


def test_the_gold_rule_states_its_exact_power_and_false_alarms():
    rule = gold_rule()
    assert (rule.num_items, rule.wrong_allowed) == (20, 4)
    assert rule.power == pytest.approx(1 - sum(math.comb(20, k) for k in range(5)) / 2**20, abs=1e-12)
    assert rule.power >= 0.95
    assert rule.false_alarms <= 0.05
    right = np.random.default_rng(0).random((20_000, 20))
    for p, expected in ((0.5, rule.power), (0.9, rule.false_alarms)):
        flagged = np.mean([rule.is_flagged(list(row)) for row in right < p])
        assert abs(flagged - expected) < 5 * math.sqrt(expected * (1 - expected) / 20_000)
    assert rule.is_flagged([False] * 5), "at once, not after the twentieth"
    assert not rule.is_flagged([True] * 16 + [False] * 4 + [False] * 30), "what comes later does not count"


def test_gold_items_tell_guessers_from_honest_raters():
    """Of the site's test and of `gold_rule`: power and false alarms as computed, and as counted."""
    found = rater_recovery.measure_gold(0)
    for test in ("site", "gold_rule"):
        for name in ("at random", "at random among three", "right on 80%", "right on 90%", "right on 95%"):
            exact = found[f"{test}, {name}"]
            spread = math.sqrt(exact * (1 - exact) / rater_recovery.GOLD_RATERS)
            assert abs(found[f"{test}, {name}, counted"] - exact) <= 5 * spread + 1e-4
        assert found[f"{test}, at random"] >= 0.95
        assert found[f"{test}, right on 90%"] <= 0.05
    assert found["gold_rule, at random"] == pytest.approx(gold_rule().power)
    assert found["gold_rule, right on 90%"] == pytest.approx(gold_rule().false_alarms)


def test_the_gold_rule_is_the_strictest_one():
    for n, honest, limit in itertools.product((1, 5, 12, 20, 40), (0.8, 0.9, 0.95), (0.01, 0.05)):
        rule = gold_rule(n, honest, most_false_alarms=limit)
        wrong = [math.comb(n, k) * (1 - honest) ** k * honest ** (n - k) for k in range(n + 1)]
        assert sum(wrong[rule.wrong_allowed + 1 :]) == pytest.approx(rule.false_alarms)
        assert rule.false_alarms <= limit
        if rule.wrong_allowed:
            assert sum(wrong[rule.wrong_allowed :]) > limit


def transcripts(n: int) -> list[Transcript]:
    return [Transcript((Message("user", f"p{i // 2}"), Message("assistant", f"text {i}"))) for i in range(n)]


def test_a_majority_counts_heads():
    left, right = np.array([0, 1, 0, 2, 3, 2, 4, 5]), np.array([1, 0, 1, 3, 2, 3, 5, 4])
    verdict = np.array([1, -1, -1, 0, 1, 0, 1, 1])  # 0 wins 2 to 1; 3 wins 1 to 0 of three; 4 and 5 one each
    rater = np.array([0, 1, 2, 0, 1, 2, 1, 0])
    found = majority_preferences(
        Comparisons(left, right, rater, verdict), transcripts(6), ["x", "y", "z"], "test", simulated=True
    )
    assert [p.chosen[0].content for p in found] == ["text 0", "text 3"]
    assert [p.rejected[0].content for p in found] == ["text 1", "text 2"]
    assert [p.weight for p in found] == pytest.approx([1 / 3, 1 / 3])
    assert all(p.raters == ("x", "y", "z") and p.simulated and p.source == "test" and p.margin == 0 for p in found)


def test_the_posterior_believes_the_reliable_and_turns_the_backward_round():
    planted = plant(6, num_items=1600, raters_per_pair=4)
    data, names = planted.comparisons, [f"r{k}" for k in range(8)]
    texts = transcripts(1600)
    better = {texts[i].response for i in range(1600) if planted.quality[i] > planted.quality[i ^ 1]}

    def accuracy(preferences) -> float:
        return float(np.mean([p.chosen[0].content in better for p in preferences]))

    fit = fit_pairs(data, 8)
    posterior = posterior_preferences(data, texts, names, with_margin=True, fit=fit)
    majority = majority_preferences(data, texts, names)
    assert len(posterior) == 800
    kept = {p.prompt for p in majority}
    assert accuracy([p for p in posterior if p.prompt in kept]) > accuracy(majority)
    assert not any(p.simulated for p in posterior), "as it was told"
    weights = np.array([p.weight for p in posterior])
    assert weights == pytest.approx(np.abs(2 * fit.first_is_better - 1))
    sure = [p for p in posterior if p.weight > np.median(weights)]
    assert accuracy(sure) > accuracy(posterior) + 0.03
    assert [p.margin for p in posterior] == pytest.approx(np.abs(fit.difference) * fit.raters.skill.mean())
    assert all(p.margin == 0 for p in posterior_preferences(data, texts, names, fit=fit))
    assert [len(p.raters) for p in posterior] == [4] * 800
    soft = posterior_preferences(data, texts, names, soft=True, fit=fit)
    one, other = soft[::2], soft[1::2]
    assert [p.weight for p in one] == pytest.approx(fit.first_is_better)
    assert [p.weight + q.weight for p, q in zip(one, other, strict=True)] == pytest.approx([1.0] * 800)
    assert all(p.chosen == q.rejected and q.chosen == p.rejected for p, q in zip(one, other, strict=True))
    with pytest.raises(ValueError, match="with_margin must be False"):
        posterior_preferences(data, texts, names, soft=True, with_margin=True, fit=fit)


def test_no_ties_and_ties_only_are_fitted_too():
    data = plant(7, m=100).comparisons
    decided = data._replace(verdict=np.where(data.verdict == 0, -1, data.verdict))
    assert (fit_raters(decided).tie == 0).all()
    assert (fit_pairs(decided).raters.tie == 0).all()
    ties = data._replace(verdict=np.zeros(100, dtype=int))
    for fit in (fit_raters(ties), fit_pairs(ties).raters):
        assert fit.converged
        assert np.isfinite([*fit.skill, *fit.quality, *fit.tie]).all()
        assert fit.tie.min() > 1


def test_bad_arguments_are_named():
    good = Comparisons(np.array([0, 1]), np.array([1, 2]), np.array([0, 0]), np.array([1, -1]))
    with pytest.raises(ValueError, match=r"rater must be integers.*got shape \(1,\)"):
        fit_raters(good._replace(rater=np.array([0])))
    with pytest.raises(ValueError, match=r"verdict must be 1 .*got"):
        fit_raters(good._replace(verdict=np.array([1, 2])))
    with pytest.raises(ValueError, match="beside itself"):
        fit_pairs(good._replace(right=np.array([0, 2])))
    with pytest.raises(ValueError, match="left must be indices from 0, got -1"):
        fit_raters(good._replace(left=np.array([-1, 0])))
    with pytest.raises(ValueError, match="num_items must be an integer of at least 3, got 2"):
        fit_raters(good, num_items=2)
    with pytest.raises(ValueError, match="num_raters"):
        majority_preferences(good._replace(rater=np.array([0, 3])), transcripts(3), ["x", "y"])
    with pytest.raises(ValueError, match="left must be integers"):
        fit_raters(Comparisons(*(np.array([], dtype=int),) * 4))
    with pytest.raises(ValueError, match="skill_mean must be above 0"):
        Priors(skill_mean=0.0)
    with pytest.raises(ValueError, match="random must be below honest"):
        gold_rule(20, honest=0.5, random=0.5)
