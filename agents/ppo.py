"""Token-level PPO for language models, top to bottom.

Schulman et al. 2017 on text as Stiennon et al. 2020 use it: the policy and its value function
share a trunk, every token pays its KL to the reference policy, the reward model's score is paid
over the response (where the reward model is dense) or on the last token the policy chose.

    rollout -> old log-probabilities, values, reference -> rewards -> GAE -> clipped updates

What is not here: the options (ppo_config.py), envs, models and batches (stage.py), the loop over updates
(online.py), optimiser steps (updates.py), the sampling loop (textgym.models.generate), the estimators
(estimators.py), the packing of shared prompts (packing.py). Left out on purpose: generating with other weights
than those being trained.

    textgym train ppo --env textgym/Summarize-v0
    python -m agents ppo --env textgym/Translate-v0 --seed 1
    torchrun --nproc-per-node 2 -m -- textgym.cli train ppo --env textgym/Summarize-v0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .distributed import World
from .estimators import AdaptiveKL, explained_variance, gae, kl_k1, policy_loss, value_loss, whiten
from .failures import loading, require_finite
from .online import train_online
from .packing import Members, Packed, Packs, walk
from .policy import ActorCritic, reference_logprobs
from .ppo_config import PPOConfig
from .rollout import Rollout
from .stage import Stage
from .updates import make_optimizer, run_update, set_learning_rate, take_steps, token_rewards, trained_weights


@dataclass
class Batch:
    """One update's experience: B episodes of at most T policy tokens."""

    rollout: Rollout
    packs: Packs
    members: Members
    logprobs: Tensor  # (B, T) nats, under the policy that sampled
    ref_logprobs: Tensor  # (B, T) nats
    values: Tensor  # (B, T)
    mask: Tensor  # (B, T) bool
    advantages: Tensor  # (B, T) whitened
    returns: Tensor  # (B, T)


class Trainer:
    """One method for each step of the algorithm."""

    def __init__(self, config: PPOConfig, world: World | None = None) -> None:
        self.config = config
        self.stage = Stage(config, world)
        with loading("the critic", "policy, or critic='shared'"):
            self.policy = ActorCritic(
                self.stage.model, self.stage.forbidden, config.temperature, has_own_trunk=config.critic == "separate"
            )
        self.optimizer = make_optimizer(self.trained, config.learning_rate)
        self.kl = AdaptiveKL(config.kl_coef, config.kl_target, config.kl_horizon)
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}

    @property
    def trained(self) -> list[torch.nn.Parameter]:
        """The weights that training moves."""
        return trained_weights(self.policy)

    def collect(self) -> Rollout:
        """Plays this update's batch."""
        return self.stage.collect(self.updates_done)

    @torch.no_grad()
    def prepare(self, rollout: Rollout) -> Batch:
        """Old log-probabilities, values and reference; then rewards, advantages and returns."""
        stage = self.stage
        packs, members = stage.make_packs(rollout, self.updates_done)
        shape = len(rollout.episodes), max(e.num_chosen for e in rollout.episodes)
        logprobs, values, ref, mask = (torch.zeros(shape, device=stage.device) for _ in range(4))
        mask = mask.bool()
        for packed, rows_of in walk(packs, members):
            with stage.autocast():
                statistics = self.policy(packed)
                with stage.reference_policy() as model:
                    said = reference_logprobs(model, packed, stage.forbidden, self.config.temperature)
            where = (rows_of[packed.episode], packed.step)
            logprobs[where], values[where], ref[where] = statistics.logprobs, statistics.values, said
            mask[where] = True
        scores = self.rewards(rollout, mask)
        named = {"rewards": scores, "logprobs": logprobs, "values": values, "reference logprobs": ref}
        require_finite(f"in update {self.updates_done + 1}", named, stage.world.sum)
        rewards = scores - self.kl.coef * kl_k1(logprobs, ref)
        advantages, returns = gae(rewards, values, mask, self.config.gamma, self.config.lam)
        white = whiten(advantages, mask, total=stage.world.sum)
        return Batch(rollout, packs, members, logprobs, ref, values, mask, white, returns)

    def rewards(self, rollout: Rollout, mask: torch.Tensor) -> torch.Tensor:
        """(B, T) the reward model's part, before the KL, in units of what the starting policy's scores spread."""
        scale, config = self.stage.find_scale(rollout), self.config
        return token_rewards(rollout, mask, scale, config.missing_eot_penalty, config.dense_reward)

    def update(self, batch: Batch) -> dict[str, float]:
        """Epochs of clipped updates; every loss is a mean over the policy tokens of an optimiser step."""
        set_learning_rate(self)
        is_warmup = self.updates_done < self.config.critic_warmup

        def losses(packed: Packed, rows_of: Tensor) -> dict[str, Tensor]:
            return self._losses(batch, packed, rows_of, is_warmup)

        return take_steps(self, self.trained, batch, losses, self.config.epochs)

    def _losses(self, batch: Batch, packed: Packed, rows_of: torch.Tensor, is_warmup: bool) -> dict[str, torch.Tensor]:
        """Sums over the pack's policy tokens."""
        config = self.config
        with self.stage.autocast():
            now = self.policy(packed, value_gradient=not is_warmup)
        where = (rows_of[packed.episode], packed.step)
        old, advantages = batch.logprobs[where], batch.advantages[where]
        pg = policy_loss(now.logprobs, old, advantages, config.clip_ratio).sum()
        vf = value_loss(now.values, batch.values[where], batch.returns[where], config.clip_value).sum()
        entropy = now.entropy.sum()
        policy_part = pg - config.entropy_coef * entropy
        log_ratio = (now.logprobs - old).detach()
        return {
            "loss": (policy_part * 0 if is_warmup else policy_part) + config.value_coef * vf,
            "policy_loss": pg,
            "value_loss": vf,
            "entropy": entropy,
            "approx_kl": (torch.expm1(log_ratio) - log_ratio).sum(),
            "clip_fraction": ((log_ratio.exp() - 1).abs() > config.clip_ratio).float().sum(),
        }

    def step(self) -> dict[str, float]:
        """One update, and what there is to say about it."""
        metrics = run_update(self)
        self.kl.update(metrics["kl"], self.config.batch_size)
        return metrics

    def metrics(self, batch: Batch) -> dict[str, Any]:
        """Means over the batches of all processes."""
        common = self.stage.metrics(batch.rollout, batch.logprobs, batch.ref_logprobs, batch.mask)
        explained = explained_variance(batch.values, batch.returns, batch.mask, self.stage.world.sum)
        return {"update": self.updates_done + 1} | common | {"kl_coef": self.kl.coef, "explained_variance": explained}

    def state(self) -> dict[str, Any]:
        return self.stage.state() | {
            "updates_done": self.updates_done,
            "kl_coef": self.kl.coef,
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.stage.load_state(state)
        self.updates_done, self.kl.coef = state["updates_done"], state["kl_coef"]
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])


def train(config: PPOConfig) -> Path:
    """Runs PPO as `train_online` says; returns the run's folder."""
    return train_online(config, Trainer)
