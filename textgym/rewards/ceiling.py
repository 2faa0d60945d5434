"""What the best reward model could reach: how well one rater is predicted by the others.

A model that ranked every pair as all raters of the world together would still be told "wrong" by each rater who
disagrees. With simulated raters that bound is known (`feedback.raters.accuracy_ceiling`); with people it is
estimated here, a little too low, because the few others of a pair stand for all raters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from textgym.feedback.preferences import Preference
from textgym.rewards.calibration import bootstrap_ratio


class RaterCeiling(NamedTuple):
    """One rater against the rest."""

    accuracy: float  # share of judgements that the majority of the pair's other raters predicts; a draw counts half
    low: float  # 95% bootstrap interval, drawing prompts
    high: float
    judgements: np.ndarray  # (m,) int64, which preferences could be compared


def rater_ceiling(preferences: Sequence[Preference]) -> RaterCeiling | None:
    """Leave-one-rater-out accuracy over pairs that two named raters or more have decided; None without any.

    Ties have no side to predict; judgements that stand for several raters, or for nobody in particular, say
    nothing of one rater.
    """
    of_pair: dict[Any, list[int]] = {}
    for n, p in enumerate(preferences):
        if len(p.raters) == 1:
            of_pair.setdefault((p.prompt, *sorted((p.chosen, p.rejected))), []).append(n)
    judgements, predicted, prompts = [], [], []
    for key, members in of_pair.items():
        sides = {n: 1 if preferences[n].chosen == key[1] else -1 for n in members}
        raters = {n: preferences[n].raters[0] for n in members}
        for n in members:
            others = [sides[m] for m in members if raters[m] != raters[n]]
            if others:
                judgements.append(n)
                predicted.append(0.5 * (1 + np.sign(sum(others)) * sides[n]))
                prompts.append(key[0])
    if not judgements:
        return None
    numbers = {prompt: k for k, prompt in enumerate(dict.fromkeys(prompts))}
    low, high = bootstrap_ratio(np.array(predicted), [numbers[p] for p in prompts])
    return RaterCeiling(float(np.mean(predicted)), low, high, np.array(judgements, dtype=np.int64))
