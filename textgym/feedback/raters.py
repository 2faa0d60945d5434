"""Simulated raters: people's judgements of pairs with known faults, for teaching and for tests.

A rater sees a pair with the log-odds

    eta = skill * (gold_a - gold_b) / noise
        + length_bias * ln((1 + length_a) / (1 + length_b))
        + side_bias * (+1 if a stands on the left, else -1)

and, where differences that look smaller than `tie` are called ties (Rao & Kupper, 1967, JASA 62),

    P(a) = lapse / 2 + (1 - lapse) * sigmoid(eta - tie)
    P(b) = lapse / 2 + (1 - lapse) * sigmoid(-eta - tie)

so noise, skill, a taste for long answers, a habit of clicking left and carelessness are numbers,
and the best accuracy that any reward model can reach on such judgements is known
(`bayes_accuracy`). A rater may tire too: skill that drifts away with every judgement, or laziness,
which is not to read any more from some judgement on. Everything that comes from here is labelled as
simulated. Not here: telling good raters from bad ones, see `rater_model.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from textgym import checks
from textgym.feedback.preferences import Preference
from textgym.feedback.rater_model import LEFT, RIGHT, TIE, Comparisons
from textgym.types import Transcript

NEVER = 2**53  # judgements: more than anybody makes
MAX_MOMENTS = 64  # at which raters who tire are looked at, for an average


class GoldPairs(NamedTuple):
    """What simulated raters go by: n pairs of texts a and b."""

    gold_a: np.ndarray  # (n,) what the gold judge says of a
    gold_b: np.ndarray  # (n,)
    length_a: np.ndarray  # (n,) characters of a
    length_b: np.ndarray  # (n,)


class Judgements(NamedTuple):
    """m judgements of pairs by simulated raters, in the order in which they were made."""

    pair: np.ndarray  # (m,) int64, which pair
    rater: np.ndarray  # (m,) int64, which rater
    a_is_left: np.ndarray  # (m,) bool, the side on which a was shown
    prefers_a: np.ndarray  # (m,) bool, the verdict; False for a tie too
    probability: np.ndarray  # (m,) float64, of preferring a if either, before rater, side and moment are known
    is_tie: np.ndarray  # (m,) bool
    simulated: bool = True

    def comparisons(self) -> Comparisons:
        """The same for a rater model: the texts a and b of pair i are items 2 i and 2 i + 1."""
        a, b = 2 * self.pair, 2 * self.pair + 1
        verdict = np.where(self.is_tie, TIE, np.where(self.prefers_a == self.a_is_left, LEFT, RIGHT))
        return Comparisons(np.where(self.a_is_left, a, b), np.where(self.a_is_left, b, a), self.rater, verdict)


@dataclass(frozen=True)
class SimulatedRaters:
    """A population of raters.

    What may be a tuple is one number for all raters, or one a rater.
    """

    count: int = 8
    noise: float = 0.1  # gold difference that is worth one nat of log-odds to a rater of skill 1
    skill: float | tuple[float, ...] = 1.0  # 0: judges by the biases alone; below 0: backwards
    length_bias: float | tuple[float, ...] = 0.0  # nats of log-odds for an answer e times as long
    side_bias: float | tuple[float, ...] = 0.0  # nats of log-odds for what stands on the left
    lapse: float | tuple[float, ...] = 0.0  # share of judgements that are a coin's
    tie: float | tuple[float, ...] = 0.0  # nats of log-odds that are called a tie, either way
    drift: float | tuple[float, ...] = 0.0  # share of the skill that is lost in every 100 judgements of a rater
    lazy_after: int | tuple[int | None, ...] | None = None  # judgements, then the pairs are not read; None: never
    lazy_choice: Literal["longer", "left"] = "longer"  # what a lazy rater clicks; of equally long ones, the left

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")
        if not (math.isfinite(self.noise) and self.noise > 0):
            raise ValueError(f"noise must be a positive number, got {self.noise}")
        bounds = {"lapse": (0.0, 1.0), "tie": (0.0, math.inf), "drift": (0.0, 1.0)}
        for name in ("skill", "length_bias", "side_bias", "lapse", "tie", "drift"):
            least, most = bounds.get(name, (-math.inf, math.inf))
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim and values.shape != (self.count,):
                raise ValueError(f"{name} must be a number or one for each of {self.count} raters, got {values.shape}")
            if not np.isfinite(values).all() or not ((values >= least) & (values <= most)).all():
                allowed = f" and from {least:g} to {most:g}" * (name in bounds)
                raise ValueError(f"{name} must be finite{allowed}, got {values}")
            if values.ndim:
                object.__setattr__(self, name, tuple(float(v) for v in values))
        self._check_laziness()

    def probability(self, pairs: GoldPairs, rater: Any, a_is_left: Any, judged: Any = 0) -> np.ndarray:
        """P(a is preferred), float64; without ties, P(b) is the rest. Arguments as for `chances`."""
        return self.chances(pairs, rater, a_is_left, judged)[0]

    def chances(self, pairs: GoldPairs, rater: Any, a_is_left: Any, judged: Any = 0) -> tuple[np.ndarray, np.ndarray]:
        """P(a is preferred) and P(tie), float64, by raters who made `judged` judgements before.

        The pairs' columns, `rater`, `a_is_left` and `judged` broadcast against each other.
        """
        skill, length_bias, side_bias, lapse, tie, drift = (
            self._of(name, rater) for name in ("skill", "length_bias", "side_bias", "lapse", "tie", "drift")
        )
        log_odds = (
            skill * (1 - drift) ** (np.asarray(judged) / 100) * (pairs.gold_a - pairs.gold_b) / self.noise
            + length_bias * (np.log1p(pairs.length_a) - np.log1p(pairs.length_b))
            + side_bias * np.where(a_is_left, 1.0, -1.0)
        )
        above = _sigmoid(log_odds - tie)
        is_lazy = np.asarray(judged) >= self._lazy_after(rater)
        takes_a = self._lazily_a(pairs, a_is_left)
        p = np.where(is_lazy, takes_a, lapse / 2 + (1 - lapse) * above)
        return p, np.where(is_lazy, 0.0, (1 - lapse) * (_sigmoid(log_odds + tie) - above))

    def average_probability(self, pairs: GoldPairs, judgements_each: int = 1) -> np.ndarray:
        """(n,) P(a is preferred), if either is, by a rater, on a side and at a moment drawn at random.

        The moment is one of a rater's first `judgements_each` judgements; it matters only to those who drift or
        become lazy. Of more than 64 moments, 64 evenly spaced ones are taken.
        """
        p_a, p_b = self._average(_checked(pairs), judgements_each)
        return np.divide(p_a, p_a + p_b, out=np.full_like(p_a, 0.5), where=p_a + p_b > 0)

    def judge(self, pairs: GoldPairs, rng: np.random.Generator, raters_per_pair: int = 1) -> Judgements:
        """Each of n pairs judged by `raters_per_pair` different raters: (n * raters_per_pair,) judgements.

        A rater's drift and laziness count the judgements from the beginning of the call.
        """
        if not 1 <= raters_per_pair <= self.count:
            raise ValueError(f"raters_per_pair must be from 1 to the {self.count} raters, got {raters_per_pair}")
        columns = _checked(pairs)
        n = len(columns.gold_a)
        raters = rng.permuted(np.tile(np.arange(self.count), (n, 1)), axis=1)[:, :raters_per_pair].reshape(-1)
        pair = np.repeat(np.arange(n), raters_per_pair)
        a_is_left = rng.random(len(pair)) < 0.5
        p, p_tie = self.chances(GoldPairs(*(c[pair] for c in columns)), raters, a_is_left, _times_before(raters))
        drawn = rng.random(len(pair))
        return Judgements(
            pair=pair,
            rater=raters,
            a_is_left=a_is_left,
            prefers_a=drawn < p,
            probability=self.average_probability(columns, max(1, math.ceil(len(pair) / self.count)))[pair],
            is_tie=(drawn >= p) & (drawn < p + p_tie),
        )

    def bayes_accuracy(self, pairs: GoldPairs, judgements_each: int = 1) -> float:
        """The best accuracy on judgements of these pairs that is possible without knowing rater, side and moment.

        Of the judgements that are no ties: those have no preferred side that one could name. An
        expectation over the raters' noise: on a finite set of judgements a lucky model can lie above
        it by chance. `judgements_each` as in `average_probability`.
        """
        p_a, p_b = self._average(_checked(pairs), judgements_each)
        return float(np.maximum(p_a, p_b).sum() / (p_a + p_b).sum())

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
        is that of its verdict, so that the best possible accuracy travels with the data. A tie prefers
        nothing, so it is left out.
        """
        if not len(a) == len(b) == len(gold_a) == len(gold_b):
            raise ValueError(
                f"a, b, gold_a, gold_b must have one length, got {[len(x) for x in (a, b, gold_a, gold_b)]}"
            )
        lengths = (np.array([sum(map(len, t.responses)) for t in side]) for side in (a, b))
        judged = self.judge(GoldPairs(np.asarray(gold_a), np.asarray(gold_b), *lengths), rng, raters_per_pair)
        preferences = []
        columns = (judged.pair, judged.rater, judged.prefers_a, judged.probability, judged.a_is_left)
        for i, rater, prefers_a, p, a_is_left in zip(*(c[~judged.is_tie] for c in columns), strict=True):
            chosen, rejected = (a[i], b[i]) if prefers_a else (b[i], a[i])
            preferences.append(
                Preference.of(
                    chosen,
                    rejected,
                    raters=(f"simulated-{rater}",),
                    source=source,
                    simulated=True,
                    probability=float(p if prefers_a else 1 - p),
                    chosen_is_left=bool(prefers_a == a_is_left),
                )
            )
        return preferences

    def parameters(self) -> dict[str, Any]:
        """What a manifest or a model card says of these raters."""
        return {"simulated": True, **asdict(self)}

    def _average(self, pairs: GoldPairs, judgements_each: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) P(a) and (n,) P(b) over raters, sides and moments."""
        most = checks.whole("judgements_each", judgements_each, 1)
        tires = np.any(np.asarray(self.drift)) or np.any(self._lazy_after(np.arange(self.count)) < most)
        moments = np.linspace(0, most - 1, min(most, MAX_MOMENTS)).round() if tires else [0]
        columns = GoldPairs(*(c[:, None, None] for c in pairs))
        raters, sides = np.arange(self.count)[None, :, None], np.array([True, False])[None, None, :]
        p_a, p_b = np.zeros(len(pairs.gold_a)), np.zeros(len(pairs.gold_a))
        for judged in moments:
            p, p_tie = self.chances(columns, raters, sides, judged)
            p_a += p.mean(axis=(1, 2)) / len(moments)
            p_b += (1 - p - p_tie).mean(axis=(1, 2)) / len(moments)
        return p_a, p_b

    def _lazily_a(self, pairs: GoldPairs, a_is_left: Any) -> np.ndarray:
        """Whether a rater who does not read clicks a."""
        if self.lazy_choice == "left":
            return np.asarray(a_is_left)
        return np.where(pairs.length_a == pairs.length_b, a_is_left, pairs.length_a > pairs.length_b)

    def _lazy_after(self, rater: Any) -> np.ndarray:
        """Judgements after which each of these raters does not read."""
        each = self.lazy_after if isinstance(self.lazy_after, tuple) else (self.lazy_after,) * self.count
        return np.array([NEVER if n is None else n for n in each])[np.asarray(rater)]

    def _check_laziness(self) -> None:
        if self.lazy_choice not in ("longer", "left"):
            raise ValueError(f"lazy_choice must be 'longer' or 'left', got {self.lazy_choice!r}")
        if isinstance(self.lazy_after, list | tuple):
            object.__setattr__(self, "lazy_after", tuple(self.lazy_after))
            if len(self.lazy_after) != self.count:
                raise ValueError(
                    f"lazy_after must be a number or one for each of {self.count} raters, got {len(self.lazy_after)}"
                )
        for n in self.lazy_after if isinstance(self.lazy_after, tuple) else (self.lazy_after,):
            if n is not None:
                checks.whole("lazy_after", n, 0)

    def _of(self, name: str, rater: Any) -> np.ndarray:
        values = np.asarray(getattr(self, name), dtype=np.float64)
        return values[np.asarray(rater)] if values.ndim else values


def accuracy_ceiling(preferences: Sequence[Preference]) -> float | None:
    """The best accuracy possible on simulated judgements; None where one does not say its probability."""
    p = [x.probability for x in preferences]
    known = np.array([x for x in p if x is not None], dtype=np.float64)
    return float(np.maximum(known, 1 - known).mean()) if p and len(known) == len(p) else None


def _times_before(rater: np.ndarray) -> np.ndarray:
    """(m,) how often each rater stands before this place."""
    order = np.argsort(rater, kind="stable")
    starts = np.searchsorted(rater[order], rater[order])
    before = np.empty(len(rater), dtype=np.int64)
    before[order] = np.arange(len(rater)) - starts
    return before


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def _checked(pairs: GoldPairs) -> GoldPairs:
    """The columns as float64, of one length and finite."""
    columns = GoldPairs(*(np.asarray(c, dtype=np.float64) for c in pairs))
    n = columns.gold_a.shape
    for name, column in columns._asdict().items():
        if column.ndim != 1 or column.shape != n or not np.isfinite(column).all():
            raise ValueError(f"{name} must be finite numbers, one a pair, {n} like gold_a, got shape {column.shape}")
    return columns
