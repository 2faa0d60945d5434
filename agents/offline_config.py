"""What a run of any offline agent depends on: supervised tuning (sft.py) and DPO (dpo.py), which learn from a file.

What every run has (run_config.py) comes first: a run on records has the same loop over updates and the same folder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from textgym import checks

from .online_config import OnlineConfig
from .run_config import RunConfig


@dataclass(frozen=True)
class OfflineConfig(RunConfig):
    """In batches of what size the policy learns from records, and for how long."""

    max_kl: ClassVar[float | None] = None  # no episode is played, so no KL is measured that could go over it

    reward: str | None = None  # of evaluations; None: the env's own learned reward model
    num_updates: int | None = None  # optimiser steps; None: as many as `epochs` needs
    learning_rate: float = 2e-4  # decays linearly to a tenth
    eval_every: int = 50  # updates between evaluations on held-out prompts; 0: only at the ends

    epochs: float = 1.0  # passes over the training records
    batch_size: int = 32  # records an optimiser step
    warmup_updates: int = 10  # over which the rate rises from near 0

    @property
    def total_updates(self) -> int:
        """`num_updates`, which `for_records` has filled in."""
        if self.num_updates is None:
            raise ValueError("num_updates is not known before the records are counted: see for_records")
        return self.num_updates

    def for_records(self, n: int) -> Self:
        """The config of a run on n training records, its number of updates settled."""
        if self.num_updates is not None:
            return self
        return replace(self, num_updates=max(1, math.ceil(self.epochs * n / self.batch_size)))

    def as_online(self) -> OnlineConfig:
        """The same settings for a `Stage`: one record is one prompt with one sample."""
        given: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(RunConfig)}
        given |= {"prompts_per_update": self.batch_size, "samples_per_prompt": 1, "minibatches": 1}
        return OnlineConfig(**given, scale_reward=False)

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        checks.whole("batch_size", self.batch_size, least=1)
        checks.whole("warmup_updates", self.warmup_updates, least=0)
        checks.positive("epochs", self.epochs)
