"""The options of DPO, beside those of every offline agent (offline_config.py).

textgym train dpo --help
textgym train dpo --config my.yaml --seed 3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textgym import checks
from textgym.rewards.judged import BELIEVED, Believed

from .offline_config import OfflineConfig

LOSSES = ("sigmoid", "ipo")


@dataclass(frozen=True)
class DPOConfig(OfflineConfig):
    """Everything a run depends on; the defaults train the embedded policy in minutes on two cores."""

    agent: ClassVar[str] = "dpo"

    preferences: str = ""  # a file of judged pairs, of any kind that `textgym feedback import` reads
    raters: Believed = "each"  # how far a pair's raters are believed: posterior and soft weigh by a rater model
    holdout: float = 0.1  # share of the prompts kept from training, for the held-out figures
    beta: float = 0.1  # nats of preference a nat of KL to the reference costs; larger: stays closer to it
    loss_type: str = "sigmoid"  # or "ipo"
    label_smoothing: float = 0.0  # share of the labels that is taken to be wrong; sigmoid only

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        checks.text("preferences", self.preferences, "the name of a file of judged pairs")
        checks.number("holdout", self.holdout, least=0, most=0.5)
        checks.positive("beta", self.beta)
        for name, allowed in (("loss_type", LOSSES), ("raters", BELIEVED)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {list(allowed)}, got {getattr(self, name)!r}")
        if not 0 <= checks.number("label_smoothing", self.label_smoothing) < 0.5:
            raise ValueError(f"label_smoothing must be from 0 to below 0.5, got {self.label_smoothing}")
        if self.label_smoothing and self.loss_type != "sigmoid":
            raise ValueError(f"label_smoothing must be 0 with loss_type={self.loss_type!r}, got {self.label_smoothing}")
