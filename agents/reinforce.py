"""REINFORCE on text (Williams 1992), the policy gradient and nothing else.

Every token is paid its part of the score and its KL to the reference; what follows a token, less a baseline, is how
strongly it is made likelier:

    ∇J = E[ Σ_t (G_t − b_t) ∇ log π(token_t) ]        G_t = Σ_{u ≥ t} (r_u − β log π/π_ref)

b_t is the mean of the *other* episodes' G_t, whatever their prompt, so it does not depend on the episode itself and
the gradient stays unbiased (dense rewards must be of a model that reads from left to right: what is paid for a token
may not depend on later ones). Left out: a critic, a running mean (it lags behind a policy that learns), and a second
step on the same batch, which would be off-policy: one batch, one step. PPO and GRPO have the ratio that more need.

    textgym train reinforce --env textgym/Translate-v0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from .distributed import World
from .estimators import kl_k1, returns_to_go
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
    require_one_step,
    run_update,
    set_learning_rate,
    take_steps,
    token_rewards,
    trained_weights,
)

BASELINES = ("batch", "none")


@dataclass(frozen=True)
class REINFORCEConfig(OnlineConfig):
    """Everything a run depends on."""

    agent: ClassVar[str] = "reinforce"

    minibatches: int = 1  # no other number: a second step would be off-policy
    learning_rate: float = 1e-3  # decays linearly to a tenth
    baseline: str = "batch"  # the mean of the other episodes at the same token; "none": noisier, to be looked at
    dense_reward: bool = True  # pay a dense reward model's score token by token; False: all on the last

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        require_one_step(self)
        if self.baseline not in BASELINES:
            raise ValueError(f"baseline must be one of {list(BASELINES)}, got {self.baseline!r}")
        if self.baseline == "batch" and self.batch_size < 2:
            raise ValueError("baseline='batch' needs two episodes in a batch, got 1: raise prompts_per_update")


class Trainer:
    """One method for each step of the algorithm."""

    def __init__(self, config: REINFORCEConfig, world: World | None = None) -> None:
        self.config = config
        self.stage = Stage(config, world)
        self.trained = trained_weights(self.stage.model)
        self.optimizer = make_optimizer(self.trained, config.learning_rate, beta2=0.9)
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}

    def collect(self) -> Rollout:
        """Plays this update's batch."""
        return self.stage.collect(self.updates_done)

    def prepare(self, rollout: Rollout) -> Batch:
        """Rewards with the KL's price in them, returns from each token on, and how they compare with the others'."""
        config, scale = self.config, self.stage.find_scale(rollout)
        batch = read_batch(self.stage, rollout, self.updates_done)
        paid = token_rewards(rollout, batch.mask, scale, config.missing_eot_penalty, config.dense_reward)
        rewards = paid - config.kl_coef * kl_k1(batch.logprobs, batch.ref_logprobs)
        returns = returns_to_go(rewards, batch.mask)
        baseline = mean_of_others(returns, batch.mask, self.stage.world) if config.baseline == "batch" else 0
        batch.advantages = torch.where(batch.mask, returns - baseline, 0)
        return batch

    def update(self, batch: Batch) -> dict[str, float]:
        """One step on −Σ_t A_t log π(token_t), a mean over the episodes."""
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


def mean_of_others(returns: Tensor, mask: Tensor, world: World) -> Tensor:
    """(B, T) the mean return from token t on over the batch's other episodes that have a token t; 0 where none has.

    Args:
        returns: (B, T), of this process's part of the batch.
        mask: (B, T) bool, True where a token exists.
    """
    steps = max(world.gather(returns.shape[1]))
    own = torch.stack([torch.where(mask, returns, 0).sum(0), mask.sum(0).float()])
    sums, counts = world.sum(pad(own, (0, steps - own.shape[1])))[:, : own.shape[1]]
    others = counts - mask.float()
    return torch.where(others > 0, (sums - torch.where(mask, returns, 0)) / others.clamp(min=1), 0)


def train(config: REINFORCEConfig) -> Path:
    """Runs REINFORCE as `train_online` says; returns the run's folder."""
    return train_online(config, Trainer)
