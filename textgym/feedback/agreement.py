"""How far raters agree: Krippendorff's alpha with an interval, Cohen's kappa, Fleiss' kappa.

All three are 1 for full agreement and 0 for what chance would bring. Alpha takes any number of raters,
missing ratings and ordered or numeric values, so it is what the feedback pages show; the kappas are
here because papers report them. Whether one rater can be believed is in `rater_model.py`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from textgym import checks

Level = Literal["nominal", "ordinal", "interval"]
MAX_CELLS = 1_000_000  # of the arrays in a bootstrap; more are done in parts
LEVELS = ("nominal", "ordinal", "interval")


def krippendorff_alpha(ratings: Any, level: Level = "nominal") -> float:
    """Krippendorff's alpha = 1 - observed disagreement / disagreement expected by chance.

    Nominal values differ or do not; interval values differ by the square of their difference; ordinal
    values by the square of the number of ratings between them (Krippendorff, Content Analysis, 2004,
    chapter 11), which is the square of the difference of their mid-ranks. An item with fewer than two
    ratings says nothing of agreement and is left out, also from the expectation.

    Args:
        ratings: (raters, items) float64, nan where a rater has not judged an item.
        level: "nominal", "ordinal" or "interval".

    Returns:
        At most 1, negative where raters differ more than by chance. nan where it is not defined: no
        item has two ratings, or all that count are one and the same value, so that nothing could
        have differed.

    Raises:
        ValueError: ratings of another shape or infinite ones, an unknown level.
    """
    level = _known_level(level)
    patterns, times = _patterns(ratings)
    return float(_alpha(patterns, times[None], level)[0])


def bootstrap_interval(
    ratings: Any,
    level: Level = "nominal",
    confidence: float = 0.95,
    replicates: int = 1000,
    seed: int | np.random.Generator = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of `krippendorff_alpha` over items (Efron & Tibshirani, 1993, chapter 13).

    Draws as many items as have two ratings, with replacement. Items that were rated alike are drawn together, as one
    multinomial count, so a thousand replicates on three verdicts take milliseconds.

    Args:
        ratings: (raters, items) float64, nan = missing.
        level: As in `krippendorff_alpha`.
        confidence: Share of the replicates inside, above 0 and below 1.
        replicates: Number of resamples.
        seed: An integer or a generator.

    Returns:
        (low, high). Replicates in which alpha is not defined (one value only) are left out; (nan, nan) where all are.
    """
    level = _known_level(level)
    if not 0 < checks.number("confidence", confidence) < 1:
        raise ValueError(f"confidence must be above 0 and below 1, got {confidence!r}")
    replicates = checks.whole("replicates", replicates, 1)
    patterns, times = _patterns(ratings)
    num_items = int(times.sum())
    if num_items == 0:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).multinomial(num_items, times / num_items, size=replicates)
    at_once = max(1, MAX_CELLS // len(patterns.given))
    parts = [_alpha(patterns, drawn[k : k + at_once], level) for k in range(0, replicates, at_once)]
    alphas = np.concatenate(parts)
    alphas = alphas[np.isfinite(alphas)]
    if not alphas.size:
        return np.nan, np.nan
    low, high = np.quantile(alphas, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def cohen_kappa(a: Any, b: Any, weights: Literal["linear", "quadratic"] | None = None) -> float:
    """Cohen's kappa of two raters (Cohen, 1960), weighted (Cohen, 1968) if `weights` is given.

    The categories are the distinct values of both raters; with weights they stand in their order, one step apart.

    Args:
        a: (n,) the first rater's values, nan where there is none.
        b: (n,) the second rater's; items that one of them has not judged are left out.
        weights: None (categories differ or do not), "linear" or "quadratic" in the steps between them.

    Returns:
        At most 1; nan where both say one and the same value throughout, or have no item in common.
    """
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"weights must be None, 'linear' or 'quadratic', got {weights!r}")
    first, second = _values("a", a, 1), _values("b", b, 1)
    if first.shape != second.shape:
        raise ValueError(f"a and b must have one length, got {len(first)} and {len(second)}")
    both = ~np.isnan(first) & ~np.isnan(second)
    categories, codes = np.unique(np.stack([first[both], second[both]]), return_inverse=True)
    k = len(categories)
    if k < 2:
        return np.nan
    i, j = codes.reshape(2, -1)
    together = np.bincount(i * k + j, minlength=k * k).reshape(k, k) / len(i)
    steps = np.abs(np.arange(k)[:, None] - np.arange(k))
    disagreement = steps**2 if weights == "quadratic" else steps if weights == "linear" else steps > 0
    by_chance = together.sum(axis=1)[:, None] * together.sum(axis=0)
    return float(1 - (disagreement * together).sum() / (disagreement * by_chance).sum())


def fleiss_kappa(counts: Any) -> float:
    """Fleiss' kappa (1971) of n items that each got the same number of ratings.

    Args:
        counts: (items, categories) how many raters put an item into a category.

    Returns:
        At most 1; nan where all ratings are of one category.

    Raises:
        ValueError: no items, negative counts, or rows that do not have one sum of at least 2.
    """
    table = _values("counts", counts, 2)
    per_item = table.sum(axis=1)
    if not table.size or not (table >= 0).all() or not (per_item == per_item[0]).all() or per_item[0] < 2:
        raise ValueError(
            f"counts must be rows of numbers from 0 with one sum of at least 2, got sums {np.unique(per_item)!s:.60}"
        )
    m = per_item[0]
    observed = ((table**2).sum(axis=1) - m).mean() / (m * (m - 1))
    shares = table.sum(axis=0) / table.sum()
    expected = (shares**2).sum()
    return float((observed - expected) / (1 - expected)) if (shares > 0).sum() > 1 else np.nan


class _Patterns(NamedTuple):
    """P distinct ways in which items were rated, as E entries: value v was given n times in pattern p."""

    pattern: np.ndarray  # (E,) int64, rising
    value: np.ndarray  # (E,) int64, index into `values`
    given: np.ndarray  # (E,) float64, how often
    size: np.ndarray  # (P,) float64, ratings in the pattern, at least 2
    values: np.ndarray  # (V,) float64, sorted, centred; each is given somewhere


def _patterns(ratings: Any) -> tuple[_Patterns, np.ndarray]:
    """The patterns of items with two ratings or more, and (P,) int64 how many items have each."""
    table = _values("ratings", ratings, 2)
    rated = ~np.isnan(table)
    kept = rated.sum(axis=0) >= 2
    item, rater = np.nonzero(rated[:, kept].T)
    values, code = np.unique(table[:, kept][rater, item], return_inverse=True)
    order = np.lexsort((code, item))
    per_item = np.bincount(item, minlength=int(kept.sum()))
    starts = np.cumsum(per_item) - per_item
    rows = np.full((len(per_item), int(per_item.max(initial=0))), -1)
    rows[item, np.arange(len(item)) - starts[item]] = code[order]
    distinct, times = np.unique(rows, axis=0, return_counts=True)
    pattern, place = np.nonzero(distinct >= 0)
    entry, given = np.unique(pattern * len(values) + distinct[pattern, place], return_counts=True)
    size = (distinct >= 0).sum(axis=1).astype(np.float64)
    centred = values - values.mean() if len(values) else values
    v = max(len(values), 1)
    return _Patterns(entry // v, entry % v, given.astype(np.float64), size, centred), times


def _alpha(patterns: _Patterns, times: np.ndarray, level: Level) -> np.ndarray:
    """Alpha of R sets of items, in which each pattern occurs `times` (R, P) often. (R,) float64, nan = undefined."""
    pattern, value, given, size, values = patterns
    if len(values) < 2:
        return np.full(len(times), np.nan)
    by_value = np.argsort(value, kind="stable")
    pooled = _sums((given * times[:, pattern])[:, by_value], value[by_value])  # (R, V) ratings of each value
    n = pooled.sum(axis=1, keepdims=True)
    if level == "nominal":
        within = size**2 - _sums(given[None] ** 2, pattern)
        by_chance = n[:, 0] ** 2 - (pooled**2).sum(axis=1)
    else:
        scale = values[None] if level == "interval" else np.cumsum(pooled, axis=1) - pooled / 2
        x = scale[:, value]
        mean = _sums(given * x, pattern) / size
        within = 2 * size * _sums(given * (x - mean[:, pattern]) ** 2, pattern)
        by_chance = 2 * n[:, 0] * (pooled * (scale - (pooled * scale).sum(axis=1, keepdims=True) / n) ** 2).sum(axis=1)
    observed = (times * within / (size - 1)).sum(axis=1)
    varied = (pooled > 0).sum(axis=1) > 1
    return np.where(varied, 1 - (n[:, 0] - 1) * observed / np.where(varied, by_chance, 1), np.nan)


def _sums(terms: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Sums over runs of one group. (R, E) float64, (E,) rising -> (R, groups)."""
    return np.add.reduceat(terms, np.flatnonzero(np.diff(group, prepend=-1)), axis=1)


def _known_level(level: Any) -> Level:
    if level not in LEVELS:
        raise ValueError(f"level must be one of {list(LEVELS)}, got {level!r}")
    return level


def _values(name: str, values: Any, ndim: int) -> np.ndarray:
    """As float64 of that many dimensions; nan is a missing value, infinity is refused."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers in {ndim} dimension(s), nan = missing: {error}") from error
    if array.ndim != ndim or np.isinf(array).any():
        raise ValueError(f"{name} must be finite numbers or nan in {ndim} dimension(s), got shape {array.shape}")
    return array
