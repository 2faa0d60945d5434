"""What a run of any online agent depends on, beside what every run does (run_config.py): how batches are played.

An agent's own config adds the options of its algorithm. The defaults train the embedded policy in minutes on two cores.

    textgym train ppo --help
    textgym train rloo --config my.yaml --seed 3
"""

from __future__ import annotations

from dataclasses import dataclass

from textgym import checks
from textgym.types import SPLITS

from .run_config import RunConfig


@dataclass(frozen=True)
class OnlineConfig(RunConfig):
    """In batches of what size the policy plays, and what it is paid."""

    num_updates: int | None = None  # None: 100, or 36 of Dialogue, whose gold score falls after that

    split: str = "train"  # train, validation or test: whose prompts are played
    prompts_per_update: int = 16  # a multiple of the number of processes
    samples_per_prompt: int = 8  # responses a prompt, which is computed once for all that fit into row_tokens with it
    minibatches: int = 2  # optimiser steps for each pass over a batch
    kl_coef: float = 0.1  # rewards a nat of KL to the reference; larger: stays closer to it
    max_kl: float | None = None  # nats an episode; a run whose batch goes over it ends there, saved
    temperature: float = 1.0  # of training: what is sampled with it is trained with it
    missing_eot_penalty: float = 0.0  # rewards, where the last turn was cut
    scale_reward: bool = True  # divide scores by their standard deviation in the first batch; False: as they come
    shard: bool = False  # under torchrun: weights, gradients and optimizer state in parts, one a process (FSDP2)

    @property
    def batch_size(self) -> int:
        return self.prompts_per_update * self.samples_per_prompt

    @property
    def total_updates(self) -> int:
        """`num_updates`, or what the embedded policy needs."""
        if self.num_updates is not None:
            return self.num_updates
        return 36 if "Dialogue" in self.env else 100

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        for name in ("prompts_per_update", "samples_per_prompt", "minibatches"):
            checks.whole(name, getattr(self, name), least=1)
        for name in ("kl_coef", "missing_eot_penalty"):
            checks.number(name, getattr(self, name), least=0)
        if self.minibatches > self.prompts_per_update:
            raise ValueError(
                f"minibatches must be at most prompts_per_update={self.prompts_per_update}, got {self.minibatches}"
            )
        if self.shard and getattr(self, "critic", "shared") == "separate":
            raise ValueError("shard must be False with critic='separate', got True: only the policy is parted")
        checks.positive("temperature", self.temperature)
        if self.max_kl is not None:
            checks.positive("max_kl", self.max_kl)
        checks.choice("split", self.split, SPLITS)
