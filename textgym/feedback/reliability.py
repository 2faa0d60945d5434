"""Each rater's reliability in the report: the rater model of pair_model.py, fitted to a store's pairs.

The fit takes tenths of a second at ten thousand judgements, so the live page does not wait for it: a thread makes
it, and the page shows the newest that is ready and says of how many judgements it is. `textgym feedback report` makes
the same fit on the spot, from the same start, so that at rest both say the same. Gold and quiz items stay out, and
so do ratings and rankings, which the model does not speak of.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from textgym.feedback.pair_model import fit_pairs
from textgym.feedback.rater_model import Comparisons

PATIENCE = 0.02  # seconds that the page waits for a fit: few judgements are fitted within it


class PairVerdicts(NamedTuple):
    """m judgements of pairs, in the order in which they were made; all (m,) int64."""

    item: np.ndarray
    rater: np.ndarray  # number in the store
    verdict: np.ndarray  # 1 for the first response, 0 tie, -1 for the second
    side: np.ndarray  # 1 where the first response stood on the left, -1 on the right, 0 unknown


class RaterFigures(NamedTuple):
    """One rater as fitted."""

    reliability: float  # -1 to 1, see `RaterFit.reliability`
    side_bias: float  # nats of log-odds for what stands on the left


class Reliability(NamedTuple):
    """The raters of so many judgements, by their numbers."""

    num_judgements: int
    raters: Mapping[int, RaterFigures]


def fit_reliability(verdicts: PairVerdicts) -> Reliability:
    """Fits the rater model; no raters where there are no pairs."""
    if not len(verdicts.item):
        return Reliability(0, {})
    numbers, rater = np.unique(verdicts.rater, return_inverse=True)
    fit = fit_pairs(to_comparisons(verdicts, rater), len(numbers)).raters
    figures = map(RaterFigures, fit.reliability.tolist(), fit.side_bias.tolist())
    return Reliability(len(verdicts.item), dict(zip(numbers.tolist(), figures, strict=True)))


def to_comparisons(verdicts: PairVerdicts, rater: np.ndarray) -> Comparisons:
    """The responses of item i are 2 i and 2 i + 1. A side that nobody knows is drawn, the same way every time."""
    item = np.unique(verdicts.item, return_inverse=True)[1]
    drawn = np.where(np.random.default_rng(0).random(len(item)) < 0.5, 1, -1)
    side = np.where(verdicts.side == 0, drawn, verdicts.side)
    first, second = 2 * item, 2 * item + 1
    is_left = side > 0
    return Comparisons(
        np.where(is_left, first, second), np.where(is_left, second, first), rater, verdicts.verdict * side
    )


class BackgroundFit:
    """The newest fit of a store that changes, made in a thread of its own, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: PairVerdicts | None = None  # what `_found` was made of
        self._found: Reliability | None = None
        self._thread: threading.Thread | None = None

    def latest(self, verdicts: PairVerdicts) -> Reliability | None:
        """The newest fit, of these judgements or of earlier ones; None before the first. Starts one where needed."""
        with self._lock:
            if self._is_of(verdicts):
                return self._found
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._fit, args=(verdicts,), daemon=True)
                self._thread.start()
            thread = self._thread
        thread.join(PATIENCE)
        return self._found

    def _is_of(self, verdicts: PairVerdicts) -> bool:
        return self._seen is not None and all(map(np.array_equal, self._seen, verdicts))

    def _fit(self, verdicts: PairVerdicts) -> None:
        found = fit_reliability(verdicts)
        with self._lock:
            self._seen, self._found = verdicts, found
