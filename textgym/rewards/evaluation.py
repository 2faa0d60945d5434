"""How good a reward model is on judged pairs: accuracy beside what could be reached, calibration, length.

    found = evaluate(reward, read_pairs(["test.jsonl"]).preferences)
    found["accuracy"], found["ceiling"], found["calibration"]["ece"]

Everything is plain numbers in dicts, so that JSON holds it. Intervals are 95% bootstrap intervals that draw prompts,
because pairs of one prompt are no independent draws. Not here: tricks that should not pay (probes.py),
RewardBench (reward_bench.py), the page with pictures (page.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from textgym.feedback.preferences import Preference
from textgym.feedback.raters import accuracy_ceiling
from textgym.progress import Report, no_report, told_parts
from textgym.rewards.base import as_scores
from textgym.rewards.calibration import (
    bootstrap_ratio,
    brier_score,
    correlation,
    cross_fitted,
    expected_calibration_error,
    preference_loss,
    reliability_bins,
)
from textgym.rewards.ceiling import rater_ceiling
from textgym.rewards.judged import decided
from textgym.types import RewardModel, Scores, Transcript

# Length of the chosen response over that of the rejected one, by characters: upper bounds and what they are called.
BUCKETS = (
    (1 / 1.5, "much shorter"),
    (1 / 1.1, "shorter"),
    (1.1, "about as long"),
    (1.5, "longer"),
    (np.inf, "much longer"),
)


class ScoredPairs(NamedTuple):
    """Pairs and what a reward model says of them."""

    preferences: Sequence[Preference]
    scores: np.ndarray  # (2, n) float64, of the chosen and of the rejected ones
    lengths: np.ndarray  # (2, n) float64, characters of the responses
    prompts: np.ndarray  # (n,) int64, a number for each prompt
    doubt: np.ndarray | None  # (2, n) float64, standard deviation over an ensemble's members
    num_unread: int = 0  # pairs left out because a side is longer than the model can read

    @property
    def differences(self) -> np.ndarray:
        """(n,) score of the chosen one minus that of the rejected one."""
        return self.scores[0] - self.scores[1]


def score_pairs(
    reward: RewardModel, preferences: Sequence[Preference], at_once: int = 512, tell: Report = no_report
) -> ScoredPairs:
    """Scores each text once, however often it was judged.

    Args:
        reward: an ensemble's component `std` is kept as its doubt.
        preferences: judged pairs, of which ties and soft labels have one direction (`judged.decided`).
        at_once: transcripts that the reward model is given in one call.
        tell: hears how far it is.
    """
    if not preferences:
        raise ValueError("preferences must hold at least one decided pair, got none")
    numbers: dict[tuple[Any, ...], int] = {}
    texts: list[Transcript] = []
    places = np.zeros((2, len(preferences)), dtype=np.int64)
    for n, preference in enumerate(preferences):
        for side, transcript in enumerate(preference.transcripts):
            key = (transcript.messages, transcript.num_prompt_messages)
            if numbers.setdefault(key, len(texts)) == len(texts):
                texts.append(transcript)
            places[side, n] = numbers[key]
    parts = [score_readable(reward, part) for part in told_parts(texts, at_once, tell)]
    is_read = np.concatenate([read for _, read in parts])
    if not is_read.any():
        reward.score(texts[:1])  # which says why
    kept = np.asarray(is_read[places].all(axis=0))
    values = np.concatenate([scores.values for scores, _ in parts]).astype(np.float64)
    doubts = [scores.components["std"] for scores, _ in parts if "std" in scores.components]
    places, left = places[:, kept], [p for p, keep in zip(preferences, kept.tolist(), strict=True) if keep]
    doubt = np.concatenate(doubts).astype(np.float64)[places] if len(doubts) == len(parts) else None
    lengths = np.array([sum(map(len, t.responses)) for t in texts], dtype=np.float64)
    prompts: dict[Any, int] = {}
    of_pair = np.array([prompts.setdefault(p.prompt, len(prompts)) for p in left], dtype=np.int64)
    return ScoredPairs(left, values[places], lengths[places], of_pair, doubt, int((~kept).sum()))


def score_readable(reward: RewardModel, transcripts: Sequence[Transcript]) -> tuple[Scores, np.ndarray]:
    """Scores, 0 where the model refuses a text (longer than it can read), and (n,) bool, where it did not.

    A batch that is refused is tried in halves.
    """
    n = len(transcripts)
    try:
        return as_scores(reward.score(transcripts), n), np.ones(n, dtype=bool)
    except ValueError:
        if n == 1:
            return Scores(np.zeros(1, dtype=np.float32)), np.zeros(1, dtype=bool)
    halves = [score_readable(reward, part) for part in (transcripts[: n // 2], transcripts[n // 2 :])]
    stds = [scores.components.get("std", np.zeros(len(read), dtype=np.float32)) for scores, read in halves]
    components = {"std": np.concatenate(stds)} if any("std" in scores.components for scores, _ in halves) else {}
    values = np.concatenate([scores.values for scores, _ in halves])
    return Scores(values, components), np.concatenate([read for _, read in halves])


def evaluate(reward: RewardModel, preferences: Sequence[Preference], seed: int = 0) -> dict[str, Any]:
    """All figures of a reward model on judged pairs, as nested dicts of numbers.

    Args:
        reward: anything with `score(transcripts)`; its differences are read as log-odds.
        preferences: judgements; the halves of soft labels and ties are put together first.
        seed: of the bootstrap and of the halves between which the temperature goes.
    """
    return measure(score_pairs(reward, decided(preferences)), seed)


def measure(scored: ScoredPairs, seed: int = 0) -> dict[str, Any]:
    """`evaluate` of pairs that are scored already."""
    d = scored.differences
    right = _right(d)
    longer = _right(scored.lengths[0] - scored.lengths[1])
    scores, lengths = scored.scores.ravel(), scored.lengths.ravel()
    return {
        "pairs": len(d),
        "prompts": len(np.unique(scored.prompts)),
        "unread": scored.num_unread,
        "simulated": sum(p.simulated for p in scored.preferences),
        "accuracy": _with_interval(right, scored.prompts, seed),
        "ceiling": _ceilings(scored, right),
        "longer_wins": float(longer.mean()),
        "shorter_wins": float(1 - longer.mean()),
        "lead_over_length": _lead(right, longer, scored.prompts, seed),
        "calibration": _calibration(d, scored.prompts, seed),
        "length_buckets": _by_length(scored, right, seed),
        "score_length_correlation": correlation(scores, lengths),
        "difference_length_correlation": _uncentred(d, scored.lengths[0] - scored.lengths[1]),
        "score_mean": float(scores.mean()),
        "score_std": float(scores.std()),
        "doubt": None if scored.doubt is None else float(scored.doubt.mean()),
    }


def separation(inside: np.ndarray, outside: np.ndarray) -> float:
    """How well a number tells two groups apart: P(outside > inside), a tie counting half (area under the ROC curve)."""
    both = np.concatenate([inside.ravel(), outside.ravel()])
    order = np.argsort(both, kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    _, group, count = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.bincount(group, ranks) / count)[group]  # equal numbers share their mean rank
    n, m = inside.size, outside.size
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))


def _right(differences: np.ndarray) -> np.ndarray:
    return (differences > 0) + 0.5 * (differences == 0)


def _with_interval(values: np.ndarray, prompts: np.ndarray, seed: int) -> dict[str, float]:
    low, high = bootstrap_ratio(values, prompts.tolist(), seed)
    return {"value": float(values.mean()), "low": low, "high": high}


def _lead(right: np.ndarray, longer: np.ndarray, prompts: np.ndarray, seed: int) -> dict[str, float]:
    """Accuracy beyond that of the better of two rules, "longer wins" and "shorter wins", on the same pairs."""
    rule = longer if longer.mean() >= 0.5 else 1 - longer
    return _with_interval(right - rule, prompts, seed)


def _ceilings(scored: ScoredPairs, right: np.ndarray) -> dict[str, Any]:
    """What could be reached: by the raters' own agreement, and by whoever knows the simulated raters."""
    found: dict[str, Any] = {"bayes": accuracy_ceiling(scored.preferences), "raters": None}
    if found["bayes"] is not None:
        p = np.array([x.probability for x in scored.preferences], dtype=np.float64)
        found["expected_accuracy"] = float((right * p + (1 - right) * (1 - p)).mean())  # without the raters' luck
        found["share_of_bayes"] = found["expected_accuracy"] / found["bayes"]
    among = rater_ceiling(scored.preferences)
    if among is not None:
        found["raters"] = {"value": among.accuracy, "low": among.low, "high": among.high}
        found["raters"] |= {"judgements": len(among.judgements), "model": float(right[among.judgements].mean())}
    return found


def _calibration(d: np.ndarray, prompts: np.ndarray, seed: int) -> dict[str, Any]:
    """Before and after a temperature that was fitted on the other half of the prompts."""
    found: dict[str, Any] = {"before": _calibrated(d), "after": None, "scales": None}
    if len(np.unique(prompts)) >= 2:
        scaled, scales = cross_fitted(d, prompts.tolist(), seed=seed)
        found |= {"after": _calibrated(scaled), "scales": list(scales)}
    return found


def _calibrated(d: np.ndarray) -> dict[str, Any]:
    bins = [b._asdict() for b in reliability_bins(d)]
    figures = {"ece": expected_calibration_error(d), "brier": brier_score(d), "loss": preference_loss(d)}
    return {**figures, "bins": bins}


def _by_length(scored: ScoredPairs, right: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Accuracy where the chosen response is shorter, about as long, longer than the rejected one."""
    ratio = (scored.lengths[0] + 1) / (scored.lengths[1] + 1)
    bucket = np.searchsorted([bound for bound, _ in BUCKETS[:-1]], ratio, side="right")
    rows = []
    for k, (_, name) in enumerate(BUCKETS):
        inside = bucket == k
        if inside.any():
            rows.append(
                {
                    "chosen_is": name,
                    "pairs": int(inside.sum()),
                    **_with_interval(right[inside], scored.prompts[inside], seed),
                }
            )
    return rows


def _uncentred(x: np.ndarray, y: np.ndarray) -> float:
    """Correlation of two differences whose sign says which side was chosen: about 0, not about their means."""
    norm = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / norm) if norm > 0 else 0.0
