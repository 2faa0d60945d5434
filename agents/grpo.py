"""Group relative policy optimisation (GRPO) on text, top to bottom.

Shao et al. 2024: PPO's clipped ratio with the other samples of the same prompt in the critic's place, and the KL to the
reference as a loss instead of a price in the reward:

    A_i = (r_i − mean r) / std r        loss = 1/G Σ_i 1/|y_i| Σ_t [ −min(ρ A_i, clip(ρ) A_i) + β k3(π, π_ref) ]

Two things in it are known to be biased, and options mend them. Dividing by the response's own length lets long wrong
answers off lightly; dividing by the standard deviation gives prompts that are nearly settled as much weight as any.
`loss_mean=constant scale_by_std=False` is Dr. GRPO (Liu et al. 2025); `loss_mean=token` is the mean of DAPO (Yu et al.
2025). k3's gradient is not that of the KL that RLOO and PPO pay (tests/test_ppo_traps.py), so its optimum is another.
Left out: rewards of steps inside a response, and DAPO's resampling of prompts whose samples are all alike.

    textgym train grpo --env textgym/Translate-v0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from textgym import checks

from .distributed import World
from .estimators import group_advantages, kl_k3, policy_loss
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
    run_update,
    set_learning_rate,
    take_steps,
    trained_weights,
)

LOSS_MEANS = ("response", "token", "constant")


@dataclass(frozen=True)
class GRPOConfig(OnlineConfig):
    """Everything a run depends on."""

    agent: ClassVar[str] = "grpo"

    kl_coef: float = 0.1  # weight of the KL in the loss, beside advantages of standard deviation 1
    epochs: int = 2  # passes over each batch
    clip_ratio: float = 0.2  # larger: faster, less stable
    scale_by_std: bool = True  # False: advantages in units of the reward (Dr. GRPO)
    loss_mean: str = "response"  # of each response's own mean; "token": over all; "constant": over max_new_tokens

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        require_group(self)
        checks.whole("epochs", self.epochs, least=1)
        checks.positive("clip_ratio", self.clip_ratio)
        if self.loss_mean not in LOSS_MEANS:
            raise ValueError(f"loss_mean must be one of {list(LOSS_MEANS)}, got {self.loss_mean!r}")


class Trainer:
    """One method for each step of the algorithm."""

    def __init__(self, config: GRPOConfig, world: World | None = None) -> None:
        self.config = config
        self.stage = Stage(config, world)
        self.trained = trained_weights(self.stage.model)
        self.optimizer = make_optimizer(self.trained, config.learning_rate)
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}

    def collect(self) -> Rollout:
        """Plays this update's batch: `samples_per_prompt` responses to each prompt."""
        return self.stage.collect(self.updates_done)

    def prepare(self, rollout: Rollout) -> Batch:
        """Each response's score among its siblings', the same for all its tokens; no KL in it."""
        batch = read_batch(self.stage, rollout, self.updates_done)
        groups = self.stage.returns(rollout).reshape(-1, self.config.samples_per_prompt)
        batch.advantages = group_advantages(groups, self.config.scale_by_std).reshape(-1, 1) * batch.mask
        return batch

    def update(self, batch: Batch) -> dict[str, float]:
        """Epochs of clipped steps with the KL in the loss."""
        set_learning_rate(self)

        def losses(packed: Packed, rows_of: Tensor) -> dict[str, Tensor]:
            return self._losses(batch, packed, rows_of)

        return take_steps(self, self.trained, batch, losses, self.config.epochs, self._divisor(batch))

    def _losses(self, batch: Batch, packed: Packed, rows_of: Tensor) -> dict[str, Tensor]:
        """Sums over the pack's policy tokens."""
        config, stage = self.config, self.stage
        with stage.autocast():
            logprobs, entropy = policy_statistics(stage.model, packed, stage.forbidden, config.temperature)
        where = (rows_of[packed.episode], packed.step)
        old = batch.logprobs[where]
        pg = policy_loss(logprobs, old, batch.advantages[where], config.clip_ratio)
        kl = kl_k3(logprobs, batch.ref_logprobs[where])
        lengths = batch.mask.sum(1)[where[0]] if config.loss_mean == "response" else 1
        log_ratio = (logprobs - old).detach()
        return {
            "loss": ((pg + config.kl_coef * kl) / lengths).sum(),
            "policy_loss": pg.sum(),
            "kl_loss": kl.sum(),
            "entropy": entropy.sum(),
            "approx_kl": (torch.expm1(log_ratio) - log_ratio).sum(),
            "clip_fraction": ((log_ratio.exp() - 1).abs() > config.clip_ratio).float().sum(),
        }

    def _divisor(self, batch: Batch) -> Callable[[int], float] | None:
        """What a minibatch's loss is divided by: its tokens, its responses, or these times a constant length."""
        if self.config.loss_mean == "token":
            return None
        episodes = count_episodes(self.stage, batch.members)
        length = self.stage.env.unwrapped.max_new_tokens if self.config.loss_mean == "constant" else 1
        return lambda m: episodes(m) * length

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


def train(config: GRPOConfig) -> Path:
    """Runs GRPO as `train_online` says; returns the run's folder."""
    return train_online(config, Trainer)
