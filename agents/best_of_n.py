"""Best-of-n: ask n times, keep the answer that the reward model likes best. The yardstick of every RL agent.

Without training it is measured on held-out prompts for n = 1, 2, 4, … from the same samples, by the estimator that
has no bias (lab_fits.py). With `distill` the policy learns to give the best answer at the first try:

    a round: n samples of each prompt -> the best of each -> loss = mean of -log π(token) over the best ones

and the next round asks the policy that came out of it. One round is best-of-n distillation; several are expert
iteration (Anthony et al. 2017), which on language models is RAFT (Dong et al. 2023). With kl_coef the choice counts
the KL too, as in RAFT's section 3.3. Left out: keeping several of a prompt's answers, and answers of earlier rounds.

    textgym train best-of-n --env textgym/Translate-v0 --samples-per-prompt 64
    textgym train best-of-n --env textgym/Translate-v0 --distill
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from textgym import checks

from .best_of_n_measure import measure
from .distributed import World
from .online import train_online
from .online_config import OnlineConfig
from .packing import Episode, Members, Packed, Packs, pack_groups
from .policy import reference_logprobs
from .rollout import Rollout
from .stage import Stage
from .updates import (
    Batch,
    load_policy_state,
    make_optimizer,
    policy_state,
    read_batch,
    run_update,
    set_learning_rate,
    take_steps,
    trained_weights,
)


@dataclass(frozen=True)
class BestOfNConfig(OnlineConfig):
    """Everything a run depends on. Without `distill` the options of training change nothing."""

    agent: ClassVar[str] = "best-of-n"

    samples_per_prompt: int = 16  # n: answers of which the best is taken
    distill: bool = False  # tune the policy on the best answers, round after round; False: measure only
    epochs: int = 1  # passes over the best answers of a round; num_updates is the number of rounds
    kl_coef: float = 0.0  # rewards that a nat of KL to the reference costs an answer in the choice

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        checks.whole("epochs", self.epochs, least=1)
        if self.distill and self.samples_per_prompt < 2:
            raise ValueError(
                f"samples_per_prompt must be at least 2 with distill, got {self.samples_per_prompt}: the best of one "
                "is any"
            )


def choose_best(values: Tensor) -> Tensor:
    """The sample of each prompt with the highest value, the first of equals: (prompts, K) -> (prompts,) int64."""
    return values.argmax(dim=1)


class Trainer:
    """Distillation, one method for each step of a round."""

    def __init__(self, config: BestOfNConfig, world: World | None = None) -> None:
        self.config = config
        self.stage = Stage(config, world)
        self.trained = trained_weights(self.stage.model)
        self.optimizer = make_optimizer(self.trained, config.learning_rate)
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}

    def collect(self) -> Rollout:
        """n samples of this round's prompts."""
        return self.stage.collect(self.updates_done)

    def prepare(self, rollout: Rollout) -> tuple[Batch, Tensor]:
        """The batch, and which of its rows are the best of their prompt, (prompts,) int64."""
        batch, n = read_batch(self.stage, rollout, self.updates_done), self.config.samples_per_prompt
        kl = torch.where(batch.mask, batch.logprobs - batch.ref_logprobs, 0).sum(1)
        values = (self.stage.returns(rollout) - self.config.kl_coef * kl).view(-1, n)
        return batch, torch.arange(len(values), device=values.device) * n + choose_best(values)

    def update(self, prepared: tuple[Batch, Tensor]) -> dict[str, float]:
        """Supervised tuning on the best answers: every loss is a mean over the policy tokens of an optimiser step."""
        batch, best = prepared
        set_learning_rate(self)
        packs, members = self.pack_best([batch.rollout.episodes[row] for row in best.tolist()])
        return take_steps(
            self, self.trained, SimpleNamespace(packs=packs, members=members), self.loss, self.config.epochs
        )

    def pack_best(self, episodes: list[Episode]) -> tuple[Packs, Members]:
        """Packs for each minibatch; which prompts are in it does not depend on how many processes share the round."""
        config, share = self.config, self.stage.share
        order = np.random.default_rng([config.seed, self.updates_done, 4]).permutation(config.prompts_per_update)
        packs: Packs = []
        members: Members = []
        for chunk in np.array_split(order, config.minibatches):
            own = [g - share.start for g in chunk.tolist() if share.start <= g < share.stop]
            made = list(pack_groups([[episodes[g]] for g in own], config.row_tokens, self.stage.batch_tokens))
            packs.append([packed.to(self.stage.device) for packed, _ in made])
            members.append([torch.tensor([own[k] for k in rows], device=self.stage.device) for _, rows in made])
        return packs, members

    def loss(self, packed: Packed, rows_of: Tensor) -> dict[str, Tensor]:
        """The sum of -log π over the pack's policy tokens."""
        with self.stage.autocast():
            return {"loss": -reference_logprobs(self.stage.model, packed, self.stage.forbidden, 1.0).sum()}

    def step(self) -> dict[str, float]:
        """One round, and what there is to say about it."""
        return run_update(self)

    def metrics(self, prepared: tuple[Batch, Tensor]) -> dict[str, Any]:
        """Of all samples, what every agent says; and the scores of those that were chosen."""
        batch, best = prepared
        common = self.stage.metrics(batch.rollout, batch.logprobs, batch.ref_logprobs, batch.mask)
        rows, gather = best.cpu().numpy(), self.stage.world.gather
        chosen = {"score": batch.rollout.scores[rows], "gold": batch.rollout.gold[rows]}
        means = {f"best_{name}": float(np.concatenate(gather(values)).mean()) for name, values in chosen.items()}
        return {"update": self.updates_done + 1} | common | means

    def state(self) -> dict[str, Any]:
        return policy_state(self)

    def load_state(self, state: dict[str, Any]) -> None:
        load_policy_state(self, state)


def train(config: BestOfNConfig) -> Path:
    """Measures best-of-n, or distils it as `train_online` says; returns the run's folder."""
    return train_online(config, Trainer) if config.distill else measure(config)
