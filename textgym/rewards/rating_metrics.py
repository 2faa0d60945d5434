"""How good scores are on rated responses: rank correlations and errors, beside one rater and the mean of the rest.

The ceiling is what the pairs' is (ceiling.py): each named rater's rating of a response against the mean of the others';
the model is compared with the same single ratings. A little too low, because a few others stand for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textgym.rewards.calibration import correlation
from textgym.rewards.evaluation import score_readable
from textgym.rewards.ordinal import RatingNote
from textgym.rewards.rated import Rated, RatedResponses, gather, with_attributes
from textgym.types import RewardModel


def ranks(values: np.ndarray) -> np.ndarray:
    """(n,) -> (n,) ranks from 1, equal values sharing their mean rank."""
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[group]


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's r of the ranks; 0 where one of the two does not vary."""
    return correlation(ranks(np.asarray(x)), ranks(np.asarray(y)))


def kendall(x: np.ndarray, y: np.ndarray, at_once: int = 256) -> float:
    """Kendall's tau-b (1945): pairs in the same order minus pairs in opposite order, over those without ties."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    agreed = of_x = of_y = 0.0
    for start in range(0, len(x), at_once):
        part = slice(start, start + at_once)
        a, b = np.sign(x[part, None] - x), np.sign(y[part, None] - y)
        agreed, of_x, of_y = agreed + (a * b).sum(), of_x + np.abs(a).sum(), of_y + np.abs(b).sum()
    return float(agreed / np.sqrt(of_x * of_y)) if of_x and of_y else 0.0


def rmse(x: np.ndarray, y: np.ndarray) -> float:
    """Root of the mean squared difference."""
    return float(np.sqrt(np.mean(np.square(np.asarray(x, dtype=np.float64) - y))))


def rater_ceiling(responses: RatedResponses, weights: Sequence[float], scores: np.ndarray) -> dict[str, float] | None:
    """One named rater against the mean of the others, and the scores against the same ratings; None without any.

    A rating counts where its rater and another named one have said all attributes that count; it is their weighted sum.
    """
    w = np.asarray(weights, dtype=np.float64)
    alone, rest, of = [], [], []
    for i, said in enumerate(responses.said):
        by_rater: dict[str, dict[int, list[float]]] = {}
        for k, value, rater in said:
            if rater is not None and w[k]:
                by_rater.setdefault(rater, {}).setdefault(k, []).append(value)
        whole = [sum(w[k] * np.mean(v) for k, v in g.items()) for g in by_rater.values() if len(g) == (w != 0).sum()]
        for j in range(len(whole) if len(whole) > 1 else 0):
            alone.append(float(whole[j]))
            rest.append(float(np.mean(whole[:j] + whole[j + 1 :])))
            of.append(i)
    if not alone:
        return None
    one, others, model = np.array(alone), np.array(rest), np.asarray(scores)[of]
    found = {"judgements": float(len(one)), "spearman": spearman(others, one), "kendall": kendall(others, one)}
    found |= {"rmse": rmse(others, one), "model_spearman": spearman(model, one), "model_kendall": kendall(model, one)}
    return found


def interval(
    x: np.ndarray, y: np.ndarray, prompts: np.ndarray, seed: int, replicates: int = 300
) -> tuple[float, float]:
    """95% percentile bootstrap interval of Spearman's correlation, drawing prompts."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(prompts == p) for p in np.unique(prompts)]
    values = []
    for _ in range(replicates):
        drawn = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
        values.append(spearman(x[drawn], y[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def on_other_half(scores: np.ndarray, ratings: np.ndarray, prompts: np.ndarray, seed: int) -> np.ndarray | None:
    """(n,) ratings that a line through the scores of the *other* half of the prompts predicts; None for one prompt."""
    unique = np.unique(prompts)
    if len(unique) < 2:
        return None
    first = np.isin(prompts, np.random.default_rng(seed).permutation(unique)[: len(unique) // 2])
    predicted = np.zeros(len(scores))
    for half in (first, ~first):
        x, y = scores[~half], ratings[~half]
        slope = np.cov(x, y, bias=True)[0, 1] / x.var() if x.std() > 0 else 0.0
        predicted[half] = y.mean() + slope * (scores[half] - x.mean())
    return predicted


def measure_ratings(
    scores: np.ndarray,
    expected: np.ndarray | None,
    responses: RatedResponses,
    weights: Sequence[float],
    seed: int = 0,
) -> dict[str, Any]:
    """Figures of n responses that were rated.

    Args:
        scores: (n,) of a reward model.
        expected: (n,) the ratings that it predicts; None: it does not know the scale.
        responses: what raters said; those without all attributes that count are left out.
        weights: of the attributes.
        seed: of the bootstrap and of the halves between which the line goes.
    """
    ratings = responses.weighted(weights)
    kept = np.isfinite(ratings)
    if kept.sum() < 2:
        raise ValueError("ratings must be of at least 2 responses that have all attributes with a weight")
    numbers: dict[Any, int] = {}
    prompts = np.array([numbers.setdefault(t.prompt, len(numbers)) for t in responses.transcripts])[kept]
    x, y = np.asarray(scores, dtype=np.float64)[kept], ratings[kept]
    low, high = interval(x, y, prompts, seed)
    by_line = on_other_half(x, y, prompts, seed)
    lengths = np.array([sum(map(len, t.responses)) for t in responses.transcripts], dtype=np.float64)[kept]
    return {
        "responses": len(x),
        "prompts": len(numbers),
        "spearman": {"value": spearman(x, y), "low": low, "high": high},
        "kendall": kendall(x, y),
        "rmse": None if expected is None else rmse(np.asarray(expected)[kept], y),
        "rmse_by_line": None if by_line is None else rmse(by_line, y),
        "rating_std": float(y.std()),  # the error of whoever always says the mean
        "score_length_correlation": correlation(x, lengths),
        "ceiling": rater_ceiling(responses, weights, scores),
    }


def evaluate_ratings(
    reward: RewardModel, ratings: Sequence[Rated], note: RatingNote | None = None, seed: int = 0
) -> dict[str, Any]:
    """All figures of a reward model on rated responses, as nested dicts of numbers.

    Args:
        reward: anything with `score(transcripts)`.
        ratings: judgements.
        note: what the model says of its outputs: which attributes with which weights, and their scale. None: the
            overall rating.
        seed: see `measure_ratings`.
    """
    weights = {"rating": 1.0} if note is None else dict(note.attributes)
    responses = gather(with_attributes(ratings, list(weights)), list(weights))
    scores, is_read = score_readable(reward, responses.transcripts)
    if not is_read.any():
        reward.score(responses.transcripts[:1])  # which says why
    outputs = scores.values[:, None].astype(np.float64)
    if len(weights) > 1:
        outputs = np.stack([scores.components[name] for name in weights], axis=1).astype(np.float64)
    expected = None if note is None else note.expected(outputs)[is_read]
    unread = int((~is_read).sum())
    if unread:
        responses = RatedResponses(
            [t for t, read in zip(responses.transcripts, is_read, strict=True) if read],
            responses.means[is_read],
            responses.counts[is_read],
            [s for s, read in zip(responses.said, is_read, strict=True) if read],
        )
    found = measure_ratings(scores.values[is_read], expected, responses, list(weights.values()), seed)
    return {**found, "attributes": weights, "unread": unread, "simulated": sum(r.judged.simulated for r in ratings)}


def describe_ratings(found: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    rho = found["spearman"]
    of = ", ".join(f"{name} × {weight:g}" for name, weight in found["attributes"].items())
    simulated = f", {found['simulated']} ratings by simulated raters" if found["simulated"] else ""
    lines = [f"{found['responses']} rated responses of {found['prompts']} prompts ({of}){simulated}"]
    if found["unread"]:
        lines.append(f"{found['unread']} responses left out: longer than the model can read")
    lines.append(
        f"rank correlation with the mean rating: Spearman {rho['value']:.3f} ({rho['low']:.3f} to {rho['high']:.3f}), "
        f"Kendall {found['kendall']:.3f}"
    )
    ceiling = found["ceiling"]
    if ceiling is None:
        lines.append("ceiling unknown: no response has two named raters")
    else:
        lines.append(
            f"one rater as the mean of the others predicts them: Spearman {ceiling['spearman']:.3f}, Kendall "
            f"{ceiling['kendall']:.3f}, RMSE {ceiling['rmse']:.3f} ({ceiling['judgements']:.0f} ratings; the model on "
            f"the same ones {ceiling['model_spearman']:.3f}, {ceiling['model_kendall']:.3f})"
        )
    own = "" if found["rmse"] is None else f"RMSE {found['rmse']:.3f} on the ratings' scale, "
    line = "unknown" if found["rmse_by_line"] is None else f"{found['rmse_by_line']:.3f}"
    lines.append(f"{own}{line} by a line from the other half, {found['rating_std']:.3f} of always saying the mean")
    return lines
