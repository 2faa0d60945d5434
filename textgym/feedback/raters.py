"""Simulated raters: people's judgements of pairs with known faults, for teaching and for tests.

A rater prefers `a` to `b` with

    P(a) = lapse / 2 + (1 - lapse) * sigmoid(skill * (gold_a - gold_b) / noise
                                             + length_bias * ln((1 + length_a) / (1 + length_b))
                                             + side_bias * (+1 if a stands on the left, else -1))

so noise, skill, a taste for long answers, a habit of clicking left and carelessness are numbers,
and the best accuracy that any reward model can reach on such judgements is known
(`bayes_accuracy`). Everything that comes from here is labelled as simulated. Not here: ties,
drift, and telling good raters from bad ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from textgym.feedback.preferences import Preference
from textgym.types import Transcript


class GoldPairs(NamedTuple):
    """What simulated raters go by: n pairs of texts a and b."""

    gold_a: np.ndarray  # (n,) what the gold judge says of a
    gold_b: np.ndarray  # (n,)
    length_a: np.ndarray  # (n,) characters of a
    length_b: np.ndarray  # (n,)


class Judgements(NamedTuple):
    """m judgements of pairs by simulated raters."""

    pair: np.ndarray  # (m,) int64, which pair
    rater: np.ndarray  # (m,) int64, which rater
    a_is_left: np.ndarray  # (m,) bool, the side on which a was shown
    prefers_a: np.ndarray  # (m,) bool, the verdict
    probability: np.ndarray  # (m,) float64, of preferring a, before rater and side are known
    simulated: bool = True


@dataclass(frozen=True)
class SimulatedRaters:
    """A population of raters.

    `skill`, `length_bias`, `side_bias` and `lapse` are one number for all raters, or one a rater.
    """

    count: int = 8
    noise: float = 0.1  # gold difference that is worth one nat of log-odds to a rater of skill 1
    skill: float | tuple[float, ...] = 1.0  # 0: judges by the biases alone
    length_bias: float | tuple[float, ...] = 0.0  # nats of log-odds for an answer e times as long
    side_bias: float | tuple[float, ...] = 0.0  # nats of log-odds for what stands on the left
    lapse: float | tuple[float, ...] = 0.0  # share of judgements that are a coin's

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")
        if not (math.isfinite(self.noise) and self.noise > 0):
            raise ValueError(f"noise must be a positive number, got {self.noise}")
        for name in ("skill", "length_bias", "side_bias", "lapse"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim and values.shape != (self.count,):
                raise ValueError(f"{name} must be a number or one for each of {self.count} raters, got {values.shape}")
            if not np.isfinite(values).all() or (name == "lapse" and not ((values >= 0) & (values <= 1)).all()):
                raise ValueError(f"{name} must be finite{' and from 0 to 1' * (name == 'lapse')}, got {values}")
            if values.ndim:
                object.__setattr__(self, name, tuple(float(v) for v in values))

    def probability(self, pairs: GoldPairs, rater: Any, a_is_left: Any) -> np.ndarray:
        """P(a is preferred), float64; the pairs' columns, `rater` and `a_is_left` broadcast against each other."""
        skill, length_bias, side_bias, lapse = (
            self._of(name, rater) for name in ("skill", "length_bias", "side_bias", "lapse")
        )
        log_odds = (
            skill * (pairs.gold_a - pairs.gold_b) / self.noise
            + length_bias * (np.log1p(pairs.length_a) - np.log1p(pairs.length_b))
            + side_bias * np.where(a_is_left, 1.0, -1.0)
        )
        return lapse / 2 + (1 - lapse) * 0.5 * (1 + np.tanh(log_odds / 2))

    def average_probability(self, pairs: GoldPairs) -> np.ndarray:
        """(n,) P(a is preferred) by a rater drawn at random, on a side drawn at random."""
        columns = GoldPairs(*(c[:, None, None] for c in _checked(pairs)))
        raters, sides = np.arange(self.count)[None, :, None], np.array([True, False])[None, None, :]
        return self.probability(columns, raters, sides).mean(axis=(1, 2))

    def judge(self, pairs: GoldPairs, rng: np.random.Generator, raters_per_pair: int = 1) -> Judgements:
        """Each of n pairs judged by `raters_per_pair` different raters: (n · raters_per_pair,) judgements."""
        if not 1 <= raters_per_pair <= self.count:
            raise ValueError(f"raters_per_pair must be from 1 to the {self.count} raters, got {raters_per_pair}")
        columns = _checked(pairs)
        n = len(columns.gold_a)
        raters = rng.permuted(np.tile(np.arange(self.count), (n, 1)), axis=1)[:, :raters_per_pair].reshape(-1)
        pair = np.repeat(np.arange(n), raters_per_pair)
        a_is_left = rng.random(len(pair)) < 0.5
        p = self.probability(GoldPairs(*(c[pair] for c in columns)), raters, a_is_left)
        return Judgements(
            pair=pair,
            rater=raters,
            a_is_left=a_is_left,
            prefers_a=rng.random(len(pair)) < p,
            probability=self.average_probability(columns)[pair],
        )

    def bayes_accuracy(self, pairs: GoldPairs) -> float:
        """The best accuracy on judgements of these pairs that is possible without knowing rater and side.

        An expectation over the raters' noise: on a finite set of judgements a lucky model can
        lie above it by chance.
        """
        p = self.average_probability(pairs)
        return float(np.maximum(p, 1 - p).mean())

    def prefer(
        self,
        a: Sequence[Transcript],
        b: Sequence[Transcript],
        gold_a: Sequence[float],
        gold_b: Sequence[float],
        rng: np.random.Generator,
        raters_per_pair: int = 1,
        source: str = "",
    ) -> list[Preference]:
        """Judges n pairs of transcripts; every preference is labelled as simulated.

        Length is that of the policy's responses in characters. `probability` of each preference
        is that of its verdict, so that the best possible accuracy travels with the data.
        """
        if not len(a) == len(b) == len(gold_a) == len(gold_b):
            raise ValueError(
                f"a, b, gold_a, gold_b must have one length, got {[len(x) for x in (a, b, gold_a, gold_b)]}"
            )
        lengths = (np.array([sum(map(len, t.responses)) for t in side]) for side in (a, b))
        judged = self.judge(GoldPairs(np.asarray(gold_a), np.asarray(gold_b), *lengths), rng, raters_per_pair)
        preferences = []
        for i, rater, prefers_a, p in zip(judged.pair, judged.rater, judged.prefers_a, judged.probability, strict=True):
            chosen, rejected = (a[i], b[i]) if prefers_a else (b[i], a[i])
            preferences.append(
                Preference.of(
                    chosen,
                    rejected,
                    raters=(f"simulated-{rater}",),
                    source=source,
                    simulated=True,
                    probability=float(p if prefers_a else 1 - p),
                )
            )
        return preferences

    def parameters(self) -> dict[str, Any]:
        """What a manifest or a model card says of these raters."""
        return {"simulated": True, **asdict(self)}

    def _of(self, name: str, rater: Any) -> np.ndarray:
        values = np.asarray(getattr(self, name), dtype=np.float64)
        return values[np.asarray(rater)] if values.ndim else values


def accuracy_ceiling(preferences: Sequence[Preference]) -> float | None:
    """The best accuracy possible on simulated judgements; None where one does not say its probability."""
    p = [x.probability for x in preferences]
    known = np.array([x for x in p if x is not None], dtype=np.float64)
    return float(np.maximum(known, 1 - known).mean()) if p and len(known) == len(p) else None


def _checked(pairs: GoldPairs) -> GoldPairs:
    """The columns as float64, of one length and finite."""
    columns = GoldPairs(*(np.asarray(c, dtype=np.float64) for c in pairs))
    n = columns.gold_a.shape
    for name, column in columns._asdict().items():
        if column.ndim != 1 or column.shape != n or not np.isfinite(column).all():
            raise ValueError(f"{name} must be finite numbers, one a pair, {n} like gold_a, got shape {column.shape}")
    return columns
