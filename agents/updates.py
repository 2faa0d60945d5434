"""What policy-gradient agents do alike: a batch as policy and reference see it, optimiser steps on it, the clock.

An agent keeps what is its own, how advantages come from scores and what is descended, and calls these in the order
in which its paper has them. Left out: a base class, and what only one agent needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from .failures import phase, require_finite
from .online_config import OnlineConfig
from .packing import Members, Packed, Packs, walk
from .policy import reference_logprobs
from .rollout import Rollout
from .run_config import RunConfig
from .shards import is_part, weights_of
from .stage import Stage


@dataclass
class Batch:
    """One update's experience: B episodes of at most T policy tokens."""

    rollout: Rollout
    packs: Packs
    members: Members
    logprobs: Tensor  # (B, T) nats, under the policy that sampled
    ref_logprobs: Tensor  # (B, T) nats
    mask: Tensor  # (B, T) bool
    advantages: Tensor  # (B, T) what the agent makes of the scores; zeros before that


class Agent(Protocol):
    """What trains a policy, from rollouts or from records."""

    updates_done: int

    @property
    def stage(self) -> Stage: ...

    @property
    def optimizer(self) -> torch.optim.Optimizer: ...


class PolicyGradient(Agent, Protocol):
    """An agent that plays, with one method for each step of its algorithm."""

    is_mid_update: bool
    in_hand: dict[str, Any]

    def collect(self) -> Rollout: ...

    def prepare(self, rollout: Rollout, /) -> Any:
        """Log-probabilities, rewards, advantages: a batch."""

    def update(self, batch: Any, /) -> dict[str, float]:
        """Optimiser steps on a batch."""

    def metrics(self, batch: Any, /) -> dict[str, Any]:
        """What there is to say of a batch."""


def run_update(agent: PolicyGradient) -> dict[str, float]:
    """One update: play, prepare, learn; returns its metrics. Those that end in _s are seconds."""
    start = time.perf_counter()
    agent.in_hand = {"update": agent.updates_done + 1}
    with phase("generation", "prompts_per_update, samples_per_prompt or max_new_tokens"):
        rollout = agent.collect()
    agent.in_hand |= {"episodes": [tuple(e.tokens) for e in rollout.episodes], "scores": rollout.scores.tolist()}
    collected = time.perf_counter()
    with phase("the passes of policy and reference", "batch_tokens or row_tokens"):
        batch = agent.prepare(rollout)
    agent.is_mid_update = True
    with phase("the update", "batch_tokens or row_tokens"):
        losses = agent.update(batch)
    metrics = agent.metrics(batch) | losses
    metrics |= {"rollout_s": collected - start, "update_s": time.perf_counter() - collected}
    agent.updates_done += 1
    agent.is_mid_update = False
    return metrics


@torch.no_grad()
def read_batch(stage: Stage, rollout: Rollout, update: int) -> Batch:
    """Log-probabilities of what was said, under the policy that said it and under the reference.

    Raises:
        FloatingPointError: one of them, or a score, is not finite.
    """
    packs, members = stage.make_packs(rollout, update)
    shape = len(rollout.episodes), max(e.num_chosen for e in rollout.episodes)
    logprobs, ref, mask, advantages = (torch.zeros(shape, device=stage.device) for _ in range(4))
    mask = mask.bool()
    for packed, rows_of in walk(packs, members):
        where = (rows_of[packed.episode], packed.step)
        with stage.autocast():
            logprobs[where] = reference_logprobs(stage.model, packed, stage.forbidden, stage.config.temperature)
            with stage.reference_policy() as model:
                ref[where] = reference_logprobs(model, packed, stage.forbidden, stage.config.temperature)
        mask[where] = True
    named = {"scores": torch.as_tensor(rollout.scores), "logprobs": logprobs, "reference logprobs": ref}
    require_finite(f"in update {update + 1}", named, stage.world.sum)
    return Batch(rollout, packs, members, logprobs, ref, mask, advantages)


def token_rewards(rollout: Rollout, mask: Tensor, scale: float, missing_eot_penalty: float, dense: bool) -> Tensor:
    """(B, T) the reward model's part, before the KL.

    Args:
        mask: (B, T) bool, True where a token exists.
        scale: what scores are multiplied by.
        missing_eot_penalty: taken off the last token, after scaling, where the last turn was cut.
        dense: token by token, where the reward model is; False: all on the last token.
    """
    rewards = torch.zeros(mask.shape, device=mask.device)
    for row, paid in enumerate(rollout.token_rewards):
        if dense:
            rewards[row, : len(paid)] = torch.as_tensor(paid)
        else:
            rewards[row, len(paid) - 1] = float(rollout.scores[row])
    rewards *= scale
    for row in np.flatnonzero(~rollout.last_turn_has_eot).tolist():
        rewards[row, len(rollout.token_rewards[row]) - 1] -= missing_eot_penalty
    return rewards


def take_steps(
    agent: PolicyGradient,
    trained: list[torch.nn.Parameter],
    batch: Any,
    losses: Callable[[Packed, Tensor], dict[str, Tensor]],
    epochs: int = 1,
    divisor: Callable[[int], float] | None = None,
) -> dict[str, float]:
    """Optimiser steps on every minibatch; returns the means of what `losses` names, and the gradient's norm.

    Args:
        trained: the weights that move.
        batch: its `packs` and `members` are walked through.
        losses: sums over the policy tokens of a pack and its (b,) episodes; "loss" is what is descended.
        epochs: passes over the batch.
        divisor: what the loss is divided by, of a minibatch by number; None: its policy tokens, as the other sums.
    """
    shards = agent.stage.shards
    if shards is None:
        return _take_steps(agent, trained, batch, losses, epochs, divisor)
    with shards.learning():
        return _take_steps(agent, weights_of(agent.optimizer), batch, losses, epochs, divisor)


def _take_steps(
    agent: PolicyGradient,
    trained: list[torch.nn.Parameter],
    batch: Any,
    losses: Callable[[Packed, Tensor], dict[str, Tensor]],
    epochs: int,
    divisor: Callable[[int], float] | None,
) -> dict[str, float]:
    stage, config = agent.stage, agent.stage.config
    order = np.random.default_rng([config.seed, agent.updates_done, 5])
    sums: dict[str, Any] = {}
    norms = []
    for _ in range(epochs):
        for m in order.permutation(config.minibatches):
            tokens = stage.tokens_in(batch.packs[m])
            over = tokens if divisor is None else divisor(m)
            idle = _idle_passes(stage, batch.packs[m])
            for packed, rows_of in zip(batch.packs[m], batch.members[m], strict=True):
                parts = _forward(stage, losses, packed, rows_of)
                (parts["loss"] / over).backward()
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + value.detach() / (over if name == "loss" else tokens)
            for _ in range(idle):
                packed, rows_of = next(walk(batch.packs, batch.members))
                (_forward(stage, losses, packed, rows_of)["loss"] * 0).backward()
            norms.append(stage.descend(agent.optimizer, trained, agent.updates_done))
    steps = epochs * config.minibatches
    summed = stage.world.sum(torch.stack([torch.as_tensor(v) for v in sums.values()])) / steps
    return dict(zip(sums, summed.tolist(), strict=True)) | {"grad_norm": sum(norms) / steps}


def _forward(stage: Stage, losses: Any, packed: Packed, rows_of: Tensor) -> dict[str, Tensor]:
    if stage.shards is None:
        return losses(packed, rows_of)  # type: ignore[no-any-return]
    return stage.shards.run(lambda: losses(packed, rows_of))  # type: ignore[no-any-return]


def _idle_passes(stage: Stage, packs: list[Packed]) -> int:
    """Where weights are in parts, passes that change nothing: as many as the process with the most packs has more."""
    return 0 if stage.shards is None else max(stage.world.gather(len(packs))) - len(packs)


def count_episodes(stage: Stage, members: Members) -> Callable[[int], float]:
    """The number of episodes in a minibatch of all processes, by the minibatch's number."""
    return lambda m: stage.world.sum(torch.tensor(float(sum(map(len, members[m]))))).item()


def trained_weights(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """All weights, or with LoRA the adapters'."""
    return [p for p in model.parameters() if p.requires_grad]


def make_optimizer(
    trained: list[torch.nn.Parameter], learning_rate: float, beta2: float = 0.999
) -> torch.optim.Optimizer:
    """Adam as the reference implementations of PPO on text set it: epsilon 1e-5, no weight decay.

    Args:
        beta2: where nothing clips the loss it must not be far above beta1, 0.9. A policy that has learned has small
            gradients; a rare bad response then has a large one, and with 0.999 a step of up to three times the
            rate in every weight, which has thrown a solved policy away (Dohare et al. 2023).
    """
    betas = (0.9, beta2)
    given: Any = trained
    if any(map(is_part, trained)):  # one kernel does not take both kinds
        given = [{"params": [p for p in trained if is_part(p) == kind]} for kind in (True, False)]
        given = [group for group in given if group["params"]]
    return torch.optim.AdamW(given, lr=learning_rate, betas=betas, eps=1e-5, weight_decay=0.0, fused=True)


def learning_rate(config: RunConfig, update: int, warmup_updates: int = 0) -> float:
    """The rate of an update: a linear rise to the config's own and, over the whole run, a linear decay to a tenth."""
    rise = min(1.0, (update + 1) / warmup_updates) if warmup_updates else 1.0
    return config.learning_rate * rise * (1 - 0.9 * min(1.0, update / config.total_updates))


def set_learning_rate(agent: Agent, warmup_updates: int = 0) -> float:
    """Gives the optimiser the rate of the update that is due, and returns it."""
    rate = learning_rate(agent.stage.config, agent.updates_done, warmup_updates)
    for group in agent.optimizer.param_groups:
        group["lr"] = rate
    return rate


def require_one_step(config: OnlineConfig) -> None:
    """Raises ValueError where an agent without a ratio would take a second step on the same batch."""
    if config.minibatches != 1:
        raise ValueError(
            f"minibatches must be 1 with {config.agent}, got {config.minibatches}: it is on-policy, and after one "
            "step the batch is another policy's (ppo and grpo take several)"
        )


def require_group(config: OnlineConfig) -> None:
    """Raises ValueError where a response has no siblings to be compared with."""
    if config.samples_per_prompt < 2:
        raise ValueError(
            f"samples_per_prompt must be at least 2 with {config.agent}, got {config.samples_per_prompt}: the other "
            "samples of a prompt are its baseline (ppo and reinforce do with one)"
        )


def policy_state(agent: Agent) -> dict[str, Any]:
    """What a checkpoint of an agent holds that trains the policy and nothing else."""
    return agent.stage.state() | {
        "updates_done": agent.updates_done,
        "policy": agent.stage.model.state_dict(),
        "optimizer": agent.optimizer.state_dict(),
    }


def load_policy_state(agent: Agent, state: dict[str, Any]) -> None:
    """The other way round."""
    agent.stage.load_state(state)
    agent.updates_done = state["updates_done"]
    agent.stage.model.load_state_dict(state["policy"])
    agent.optimizer.load_state_dict(state["optimizer"])
