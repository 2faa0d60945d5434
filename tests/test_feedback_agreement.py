"""Agreement: equal to the published implementations, right by hand, and defined where it is said to be."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from textgym.feedback.agreement import bootstrap_interval, cohen_kappa, fleiss_kappa, krippendorff_alpha

LEVELS = ("nominal", "ordinal", "interval")


def random_ratings(seed: int, values: int | None = None) -> np.ndarray:
    """(raters, items) with missing cells and rows, some agreement, and often an item rated once or never."""
    rng = np.random.default_rng(seed)
    raters, items = rng.integers(2, 9), rng.integers(2, 60)
    values = values or int(rng.integers(2, 9))
    truth = rng.integers(0, values, items)
    ratings = np.where(rng.random((raters, items)) < 0.5, truth, rng.integers(0, values, (raters, items))).astype(float)
    ratings = ratings * rng.choice([1.0, 0.25, 1000.0]) + rng.choice([0.0, -3.0, 1e4])
    ratings[rng.random(ratings.shape) < rng.choice([0.0, 0.2, 0.6])] = np.nan
    return ratings


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_equals_the_krippendorff_package(level):
    oracle = pytest.importorskip("krippendorff")
    compared = 0
    for seed in range(200):
        ratings = random_ratings(seed)
        ours = krippendorff_alpha(ratings, level)
        if math.isnan(ours):
            continue
        assert ours == pytest.approx(oracle.alpha(ratings, level_of_measurement=level), abs=1e-9), seed
        compared += 1
    assert compared > 150


def test_alpha_of_three_items_worked_out_by_hand():
    """Pairs 0-0, 0-1, 1-2: 2 of 3 differ, each by 1. Of 15 pairs among 0 0 0 1 1 2, 11 differ, squares sum to 20."""
    ratings = [[0, 0, 1], [0, 1, 2]]
    assert krippendorff_alpha(ratings, "nominal") == pytest.approx(1 - (2 / 3) / (11 / 15))
    assert krippendorff_alpha(ratings, "interval") == pytest.approx(1 - (2 / 3) / (20 / 15))


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_does_not_ask_who_rated_nor_about_items_rated_once(level):
    ratings = random_ratings(3, values=4)
    alpha = krippendorff_alpha(ratings, level)
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(ratings, axis=0)[:, rng.permutation(ratings.shape[1])]
    assert krippendorff_alpha(shuffled, level) == pytest.approx(alpha, abs=1e-12)
    once = np.full((len(ratings), 2), np.nan)
    once[0] = [7e5, -7e5]
    assert krippendorff_alpha(np.hstack([ratings, once]), level) == pytest.approx(alpha, abs=1e-12)


def test_ordinal_alpha_asks_for_order_only_and_interval_for_differences():
    ratings = random_ratings(5, values=5)
    stretched = np.exp(ratings / np.nanmax(np.abs(ratings)))
    assert krippendorff_alpha(stretched, "ordinal") == pytest.approx(krippendorff_alpha(ratings, "ordinal"))
    assert krippendorff_alpha(3 * ratings - 8, "interval") == pytest.approx(krippendorff_alpha(ratings, "interval"))
    assert abs(krippendorff_alpha(stretched, "interval") - krippendorff_alpha(ratings, "interval")) > 1e-6


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "ratings",
    [
        np.full((3, 4), 2.0),  # one value only
        [[1.0, 2.0, np.nan], [np.nan, np.nan, 3.0]],  # no item rated twice
        [[1.0, 1.0, 5.0], [1.0, 1.0, np.nan]],  # the other value stands where no one else rated
        np.full((2, 3), np.nan),
        np.zeros((0, 0)),
    ],
)
def test_alpha_is_nan_where_nothing_could_differ(ratings, level):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(krippendorff_alpha(ratings, level))
        assert all(map(math.isnan, bootstrap_interval(ratings, level, replicates=5)))


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_is_that_of_items_drawn_one_by_one(level):
    """Against a loop that draws columns: the same distribution, so bounds within the noise of 800 replicates."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 80)
    ratings = np.where(rng.random((4, 80)) < 0.6, truth, rng.integers(0, 3, (4, 80))).astype(float)
    ratings[rng.random(ratings.shape) < 0.2] = np.nan
    ratings = ratings[:, (~np.isnan(ratings)).sum(axis=0) >= 2]
    slow = [
        krippendorff_alpha(ratings[:, rng.integers(0, ratings.shape[1], ratings.shape[1])], level) for _ in range(2000)
    ]
    expected = np.quantile(slow, [0.05, 0.95])
    low, high = bootstrap_interval(ratings, level, confidence=0.9, replicates=2000, seed=1)
    width = expected[1] - expected[0]
    assert [low, high] == pytest.approx(list(expected), abs=0.15 * width)
    assert low < krippendorff_alpha(ratings, level) < high
    assert (low, high) == bootstrap_interval(ratings, level, confidence=0.9, replicates=2000, seed=1)
    wider = bootstrap_interval(ratings, level, confidence=0.99, replicates=2000, seed=1)
    assert wider[0] < low
    assert wider[1] > high


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_cohen_kappa_equals_statsmodels(weights):
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    for seed in range(50):
        rng = np.random.default_rng(seed)
        a = rng.integers(0, 5, 60)
        b = np.where(rng.random(60) < 0.4, a, rng.integers(0, 5, 60))
        table = np.zeros((5, 5))
        np.add.at(table, (a, b), 1)
        expected = inter_rater.cohens_kappa(table, wt=weights, return_results=False)
        assert cohen_kappa(a, b, weights) == pytest.approx(expected, abs=1e-12)


def test_cohen_kappa_leaves_out_what_one_has_not_judged():
    a, b = [0, 1, 2, 1, np.nan, 2], [0, 1, 1, np.nan, 2, 2]
    assert cohen_kappa(a, b) == cohen_kappa([0, 1, 2, 2], [0, 1, 1, 2])
    assert cohen_kappa([0, 1, 2], [0, 1, 2]) == 1.0
    assert math.isnan(cohen_kappa([1, 1], [1, 1]))
    assert math.isnan(cohen_kappa([1, np.nan], [np.nan, 1]))


def test_fleiss_kappa_equals_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    for seed in range(50):
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(rng.integers(2, 9), rng.dirichlet(np.ones(4)), size=30)
        if (counts.sum(axis=0) > 0).sum() > 1:
            assert fleiss_kappa(counts) == pytest.approx(inter_rater.fleiss_kappa(counts), abs=1e-12)
    assert math.isnan(fleiss_kappa([[3, 0], [3, 0]]))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"level must be one of .*'ratio'"):
        krippendorff_alpha([[1, 2], [1, 2]], "ratio")
    with pytest.raises(ValueError, match=r"ratings must be finite numbers or nan in 2 dimension.*\(3,\)"):
        krippendorff_alpha([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="ratings must be finite"):
        krippendorff_alpha([[1.0, np.inf], [1.0, 2.0]])
    with pytest.raises(ValueError, match="ratings must be numbers"):
        krippendorff_alpha([["left", "right"]])
    with pytest.raises(ValueError, match="confidence must be above 0"):
        bootstrap_interval([[1, 2], [1, 2]], confidence=1)
    with pytest.raises(ValueError, match="replicates"):
        bootstrap_interval([[1, 2], [1, 2]], replicates=0)
    with pytest.raises(ValueError, match="a and b must have one length, got 2 and 3"):
        cohen_kappa([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="weights must be None"):
        cohen_kappa([1, 2], [1, 2], "cubic")
    with pytest.raises(ValueError, match=r"counts must be rows.*got sums \[2. 3.\]"):
        fleiss_kappa([[1, 1], [1, 2]])
