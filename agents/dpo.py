"""Direct preference optimization (Rafailov et al. 2023): from judged pairs to a policy, with no reward model between.

The policy is its own reward model, r(x, y) = β log π(y|x) / π_ref(y|x) up to a function of x, and the loss is that of
a reward model on pairs. With h = log π/π_ref of the chosen response less that of the rejected one,

    sigmoid   -(1 - ε) log σ(β h) - ε log σ(-β h)      eq. 7 there; ε > 0: cDPO, a share ε of labels is wrong
    ipo       (h - 1 / (2 β))²                         Azar et al. 2024, eq. 17

Both sides of a pair go through one pass behind one copy of their prompt (packing.py). The reference is the policy
before training. What raters are worth comes in as weights of pairs, or as both directions of a pair with a weight each.
Left out: margins (DPO with an offset is another loss), pairs of different prompts, playing (no reward is asked but in
evaluations).

    textgym train dpo --preferences pairs.jsonl --env textgym/Summarize-v0
    textgym train dpo --preferences judged.jsonl --raters soft --beta 0.3
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .conversations import Pair
from .distributed import World
from .dpo_config import DPOConfig
from .failures import require_finite
from .offline import (
    Figures,
    OfflineStage,
    episode_logprobs,
    require_free_folder,
    train_offline,
    update_on_records,
)
from .packing import Packed, pack_groups
from .pairs import JudgedData, load
from .updates import load_policy_state, policy_state, set_learning_rate, trained_weights


def dpo_loss(log_ratio: Tensor, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """Rafailov et al. 2023, eq. 7; with smoothing the loss of Mitchell 2023. Same shape as the input.

    Args:
        log_ratio: h, nats: log π/π_ref of the chosen response less that of the rejected one.
    """
    right, wrong = F.logsigmoid(beta * log_ratio), F.logsigmoid(-beta * log_ratio)
    return -(1 - label_smoothing) * right - label_smoothing * wrong


def ipo_loss(log_ratio: Tensor, beta: float) -> Tensor:
    """Azar et al. 2024, eq. 17, with their τ as β. Same shape as the input, which is `dpo_loss`'s."""
    return (log_ratio - 1 / (2 * beta)) ** 2


class Scored(NamedTuple):
    """b pairs under the policy and the reference; all (b,) float32."""

    chosen: Tensor  # log π of the chosen responses, nats
    rejected: Tensor
    chosen_reward: Tensor  # β log π/π_ref
    rejected_reward: Tensor
    loss: Tensor


class Trainer:
    """One method for each step of the algorithm."""

    def __init__(self, config: DPOConfig, world: World | None = None, data: JudgedData | None = None) -> None:
        self.data = load(config) if data is None else data
        self.config = config.for_records(len(self.data.training))
        self.stage = OfflineStage(self.config, world)
        self.stage.held_out = self.held_out if self.data.held_out else None
        self.stage.is_held_out = not self.stage.is_asked_any_of(self.data.prompts)
        self.trained = trained_weights(self.stage.model)
        self.optimizer = torch.optim.AdamW(self.trained, lr=config.learning_rate, weight_decay=0.0, fused=True)
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}

    def score(self, packed: Packed, num_pairs: int, of_reference: bool = False) -> Scored:
        """Both sides of `num_pairs` pairs in one pass, chosen and rejected by turns; gradients go to the policy.

        `of_reference`: the reference in the policy's place, which prefers nothing.
        """
        stage, config = self.stage, self.config
        # Two contexts: autocast keeps the casts of weights, and those made without gradients would lose them.
        with torch.no_grad(), stage.autocast(), stage.reference_policy() as reference:
            now = before = episode_logprobs(reference, packed, stage.forbidden, 2 * num_pairs)
        if not of_reference:
            with stage.autocast():
                now = episode_logprobs(stage.model, packed, stage.forbidden, 2 * num_pairs)
        ratios = (now - before).view(num_pairs, 2)
        h = ratios[:, 0] - ratios[:, 1]
        is_ipo = config.loss_type == "ipo"
        loss = ipo_loss(h, config.beta) if is_ipo else dpo_loss(h, config.beta, config.label_smoothing)
        said, rewards = now.view(num_pairs, 2), config.beta * ratios
        return Scored(said[:, 0], said[:, 1], rewards[:, 0], rewards[:, 1], loss)

    def update(self, pairs: list[Pair]) -> dict[str, float]:
        """One optimiser step on this process's share of a batch: the loss is a weighted mean over pairs."""
        config, stage = self.config, self.stage
        rate = set_learning_rate(self, config.warmup_updates)
        weights = torch.tensor([p.weight for p in pairs], dtype=torch.float32, device=stage.device)
        weights = weights / stage.world.sum(weights.sum())
        sums: dict[str, Tensor] = {}
        for packed, rows in pack_groups([p[:2] for p in pairs], config.row_tokens, stage.batch_tokens):
            scored = self.score(packed.to(stage.device), len(rows))
            (scored.loss * weights[rows]).sum().backward()
            for name, values in figures_of(scored).items():
                sums[name] = sums.get(name, torch.zeros(())) + (values.detach() * weights[rows]).sum().cpu()
        found = stage.world.sum(torch.stack(list(sums.values())))
        require_finite(f"in update {self.updates_done + 1}", {"figures": found}, stage.world.sum)
        norm = stage.descend(self.optimizer, self.trained, self.updates_done)
        return dict(zip(sums, found.tolist(), strict=True)) | {"learning_rate": rate, "grad_norm": norm}

    def step(self) -> dict[str, float]:
        """One update, and what there is to say about it."""
        return update_on_records(self)

    @torch.no_grad()
    def held_out(self, of_reference: bool) -> Figures:
        """The same figures on held-out pairs."""
        pairs = self.data.held_out
        found: dict[str, np.ndarray] = {}
        for packed, rows in pack_groups([p[:2] for p in pairs], self.config.row_tokens, self.stage.batch_tokens):
            scored = self.score(packed.to(self.stage.device), len(rows), of_reference)
            for name, values in figures_of(scored).items():
                found.setdefault(name, np.zeros(len(pairs)))[rows] = values.cpu().numpy()
        weights = np.array([p.weight for p in pairs])
        return {name: (values, weights) for name, values in found.items()}

    def state(self) -> dict[str, Any]:
        return policy_state(self)

    def load_state(self, state: dict[str, Any]) -> None:
        load_policy_state(self, state)


def figures_of(scored: Scored) -> dict[str, Tensor]:
    """What is said of pairs, (b,) each: `accuracy` counts equal rewards as half right."""
    margin = scored.chosen_reward - scored.rejected_reward
    return {
        "loss": scored.loss,
        "accuracy": (margin > 0).float() + 0.5 * (margin == 0).float(),
        "margin": margin,
        "chosen_reward": scored.chosen_reward,
        "rejected_reward": scored.rejected_reward,
        "chosen_logprob": scored.chosen,
        "rejected_logprob": scored.rejected,
    }


def train(config: DPOConfig) -> Path:
    """Runs DPO as `train_offline` says; returns the run's folder."""
    require_free_folder(config)
    data = load(config)
    return train_offline(config.for_records(len(data.training)), partial(Trainer, data=data))
