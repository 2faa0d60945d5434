"""What a run of any offline agent depends on: supervised tuning (sft.py) and DPO (dpo.py), which learn from a file.

Which policy, evaluated where, for which reward, and what is written down are the options of every online agent too
(online_config.py), and so are their defaults; the loop over updates and the run's folder are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from textgym import checks

from . import runs
from .online_config import OnlineConfig


@dataclass(frozen=True)
class OfflineConfig:
    """Which policy learns from records in batches of what size, and on what it is evaluated."""

    agent: ClassVar[str]  # its name on the command line
    max_kl: ClassVar[float | None] = None  # no episode is played, so no KL is measured that could go over it

    env: str = OnlineConfig.env  # an id that `textgym list` shows; evaluations are on its prompts
    policy: str = OnlineConfig.policy  # a folder or hub name of a causal language model
    tokenizer: str | None = None  # a folder or hub name; None: the policy's own
    end_of_turn: str | None = None  # the token that ends a turn; None: what the tokenizer says
    lora_rank: int | None = None  # train low-rank adapters only (peft); None: all weights
    lora_alpha: float | None = None  # the adapters' part is multiplied by alpha / rank; None: twice the rank
    reward: str | None = None  # of evaluations; None: the env's own learned reward model
    data: str | None = None  # your own records (JSONL, CSV, Parquet, a dataset); None: the embedded world
    data_seed: int = OnlineConfig.data_seed
    context_length: int | None = None  # tokens; None: the env's default
    max_new_tokens: int | None = None  # tokens a turn; None: the env's default

    seed: int = OnlineConfig.seed
    epochs: float = 1.0  # passes over the training records
    num_updates: int | None = None  # optimiser steps; None: as many as `epochs` needs
    batch_size: int = 32  # records an optimiser step
    learning_rate: float = 2e-4  # decays linearly to a tenth
    warmup_updates: int = 10  # over which the rate rises from near 0
    max_grad_norm: float = OnlineConfig.max_grad_norm

    device: str = OnlineConfig.device
    dtype: str = OnlineConfig.dtype  # arithmetic of the training passes; "auto": bfloat16 where it is faster
    row_tokens: int = OnlineConfig.row_tokens  # the most tokens in a packed row
    batch_tokens: int | None = None  # in one forward pass, padding too; None: 4096 on a CPU, 16384 on a GPU

    run: str | None = None  # a new folder; None: runs/<agent>-<env>-seed<seed>, or the first free of …-2, …-3
    eval_every: int = 50  # updates between evaluations; 0: only at the ends
    eval_prompts: int = OnlineConfig.eval_prompts
    eval_split: str = OnlineConfig.eval_split
    checkpoint_every: int = OnlineConfig.checkpoint_every
    log_to: str | None = None  # "tensorboard", "trackio" or "wandb", beside metrics.jsonl
    resume: bool = False  # go on from the last checkpoint of `run`, or of the newest run where it is None

    @property
    def total_updates(self) -> int:
        """`num_updates`, which `for_records` has filled in."""
        if self.num_updates is None:
            raise ValueError("num_updates is not known before the records are counted: see for_records")
        return self.num_updates

    def for_records(self, n: int) -> Self:
        """The config of a run on n training records, its number of updates settled."""
        if self.num_updates is not None:
            return self
        return replace(self, num_updates=max(1, math.ceil(self.epochs * n / self.batch_size)))

    def as_online(self) -> OnlineConfig:
        """The same settings for a `Stage`: one record is one prompt with one sample."""
        shared = {f.name for f in fields(OnlineConfig)} & {f.name for f in fields(self)}
        given: dict[str, Any] = {name: getattr(self, name) for name in shared}
        given |= {"prompts_per_update": self.batch_size, "samples_per_prompt": 1, "minibatches": 1}
        return OnlineConfig(**given, scale_reward=False)

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        runs.check_kinds(self)
        checks.whole("batch_size", self.batch_size, least=1)
        checks.whole("warmup_updates", self.warmup_updates, least=0)
        checks.positive("epochs", self.epochs)
        self.as_online().check()
