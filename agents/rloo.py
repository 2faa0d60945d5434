"""REINFORCE with a leave-one-out baseline (RLOO) on text, top to bottom.

Ahmadian et al. 2024: a whole response is one action. Its return is the score less β times its KL to the reference;
the mean of the other samples of the same prompt is what it is compared with (Kool et al. 2019):

    R_i = r(x, y_i) − β log π(y_i)/π_ref(y_i)       A_i = R_i − mean of R_j, j ≠ i       ∇J = E[ A_i ∇ log π(y_i) ]

Simpler than PPO on purpose: on-policy, so no ratio and no clip; no critic, the siblings are the baseline. One batch is
one optimiser step, and a second one is refused: without a ratio it would follow the gradient of a policy that is gone.

    textgym train rloo --env textgym/Translate-v0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from .distributed import World
from .estimators import kl_k1, leave_one_out
from .online import train_online
from .online_config import OnlineConfig
from .packing import Packed
from .policy import policy_statistics
from .rollout import Rollout
from .stage import Stage
from .updates import (
    Batch,
    count_episodes,
    load_policy_state,
    make_optimizer,
    policy_state,
    read_batch,
    require_group,
    require_one_step,
    run_update,
    set_learning_rate,
    take_steps,
    trained_weights,
)


@dataclass(frozen=True)
class RLOOConfig(OnlineConfig):
    """Everything a run depends on."""

    agent: ClassVar[str] = "rloo"

    minibatches: int = 1  # no other number: a second step would be off-policy
    learning_rate: float = 1e-3  # decays linearly to a tenth

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        require_one_step(self)
        require_group(self)


class Trainer:
    """One method for each step of the algorithm."""

    def __init__(self, config: RLOOConfig, world: World | None = None) -> None:
        self.config = config
        self.stage = Stage(config, world)
        self.trained = trained_weights(self.stage.model)
        self.optimizer = make_optimizer(self.trained, config.learning_rate, beta2=0.9)
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}

    def collect(self) -> Rollout:
        """Plays this update's batch: `samples_per_prompt` responses to each prompt."""
        return self.stage.collect(self.updates_done)

    def prepare(self, rollout: Rollout) -> Batch:
        """Each response's return, the KL in it, over the mean of its siblings'; the same for all its tokens."""
        batch = read_batch(self.stage, rollout, self.updates_done)
        kl = (kl_k1(batch.logprobs, batch.ref_logprobs) * batch.mask).sum(1)
        returns = self.stage.returns(rollout) - self.config.kl_coef * kl
        advantages = leave_one_out(returns.reshape(-1, self.config.samples_per_prompt)).reshape(-1, 1)
        batch.advantages = advantages * batch.mask
        return batch

    def update(self, batch: Batch) -> dict[str, float]:
        """One step on −A_i log π(y_i), a mean over the responses."""
        set_learning_rate(self)

        def losses(packed: Packed, rows_of: Tensor) -> dict[str, Tensor]:
            with self.stage.autocast():
                logprobs, entropy = policy_statistics(
                    self.stage.model, packed, self.stage.forbidden, self.config.temperature
                )
            advantages = batch.advantages[rows_of[packed.episode], packed.step]
            return {"loss": -(advantages * logprobs).sum(), "entropy": entropy.sum()}

        return take_steps(self, self.trained, batch, losses, divisor=count_episodes(self.stage, batch.members))

    def step(self) -> dict[str, float]:
        """One update, and what there is to say about it."""
        return run_update(self)

    def metrics(self, batch: Batch) -> dict[str, Any]:
        """Means over the batches of all processes."""
        common = self.stage.metrics(batch.rollout, batch.logprobs, batch.ref_logprobs, batch.mask)
        return {"update": self.updates_done + 1} | common | {"kl_coef": self.config.kl_coef}

    def state(self) -> dict[str, Any]:
        return policy_state(self)

    def load_state(self, state: dict[str, Any]) -> None:
        load_policy_state(self, state)


def train(config: RLOOConfig) -> Path:
    """Runs RLOO as `train_online` says; returns the run's folder."""
    return train_online(config, Trainer)
