"""The options of PPO, beside those of every online agent (online_config.py).

textgym train ppo --help
textgym train ppo --config my.yaml --seed 3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textgym import checks

from .online_config import OnlineConfig

CRITICS = ("shared", "separate")


@dataclass(frozen=True)
class PPOConfig(OnlineConfig):
    """Everything a run depends on; the defaults train the embedded policy in minutes on two cores."""

    agent: ClassVar[str] = "ppo"

    critic: str = "shared"  # "separate": a trunk of its own, twice the work, and no gradient of it in the policy
    critic_warmup: int = 5  # first updates that train the value head alone
    epochs: int = 2  # passes over each batch
    clip_ratio: float = 0.2  # larger: faster, less stable
    clip_value: float = 0.2  # rewards that a value may move away from the old one in an update
    value_coef: float = 0.1  # the trunk is shared: the value's gradient moves the policy too
    entropy_coef: float = 0.0  # weight of the entropy, nats a token, in the loss
    kl_target: float | None = None  # nats an episode; None keeps kl_coef fixed
    kl_horizon: int = 2000  # episodes over which the adaptive coefficient moves
    gamma: float = 1.0  # discount a token
    lam: float = 0.95  # of GAE: 1 is the whole return, 0 one step
    dense_reward: bool = True  # pay a dense reward model's score token by token; False: all on the last

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        for name in ("epochs", "kl_horizon"):
            checks.whole(name, getattr(self, name), least=1)
        for name in ("critic_warmup", "value_coef", "entropy_coef"):
            checks.number(name, getattr(self, name), least=0)
        for name in ("clip_ratio", "clip_value"):
            checks.positive(name, getattr(self, name))
        if self.kl_target is not None:
            checks.positive("kl_target", self.kl_target)
        for name in ("gamma", "lam"):
            checks.number(name, getattr(self, name), least=0, most=1)
        if self.critic not in CRITICS:
            raise ValueError(f"critic must be one of {list(CRITICS)}, got {self.critic!r}")
