"""Rewards that need no model: a Python function, a constant, and the task's own gold judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from textgym.types import Scores, Transcript


class FunctionReward:
    """Scores with a function of one transcript."""

    def __init__(self, function: Callable[[Transcript], float]) -> None:
        if not callable(function):
            raise TypeError(f"function must be callable, got {type(function).__name__}")
        self.function = function

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray:
        """(n,) float32."""
        values = []
        for i, transcript in enumerate(transcripts):
            value = self.function(transcript)
            try:
                number = float(value)
            except (TypeError, ValueError) as error:
                raise TypeError(
                    f"the reward function must return a number, got {value!r} for transcript {i}"
                ) from error
            if not math.isfinite(number):
                raise ValueError(f"the reward function must return a finite number, got {number} for transcript {i}")
            values.append(number)
        return np.array(values, dtype=np.float32)


class ConstantReward:
    """The same score for everything: for timings, and to see what the KL alone does."""

    def __init__(self, value: float) -> None:
        if not math.isfinite(value):
            raise ValueError(f"value must be a finite number, got {value}")
        self.value = float(value)

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray:
        """(n,) float32."""
        return np.full(len(transcripts), self.value, dtype=np.float32)


class GoldReward:
    """What the task's own judge says, with its components. For comparison: the environments don't optimise it."""

    def __init__(self, task: Any) -> None:
        if not callable(getattr(task, "judge", None)):
            raise ValueError(
                f"reward 'gold' needs a task with a judge, and {getattr(task, 'name', task)!r} has none: "
                "only the embedded tasks know what their texts mean"
            )
        self.task = task

    def score(self, transcripts: Sequence[Transcript]) -> Scores:
        """Scores in [0, 1]."""
        judgements = [self.task.judge(transcript) for transcript in transcripts]
        names = list(judgements[0].components) if judgements else []
        return Scores(
            np.array([j.score for j in judgements], dtype=np.float32),
            {name: np.array([j.components[name] for j in judgements], dtype=np.float32) for name in names},
        )
