"""What a run of any online agent depends on.

The dataclass is the command line, the YAML file and the record in the run's folder. An agent's own config
adds the options of its algorithm. The defaults train the embedded policy in minutes on two cores.

    textgym train ppo --help
    textgym train rloo --config my.yaml --seed 3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textgym import checks
from textgym.envs.registration import ENV_IDS
from textgym.types import SPLITS

from . import runs
from .trackers import TRACKERS, require_tracker


@dataclass(frozen=True)
class OnlineConfig:
    """Which policy plays where, for which reward, in batches of what size, and what is written down."""

    agent: ClassVar[str]  # its name on the command line

    env: str = "textgym/Summarize-v0"  # an id that `textgym list` shows
    policy: str = "embedded"  # a folder or hub name of a causal language model
    tokenizer: str | None = None  # a folder or hub name; None: the policy's own
    end_of_turn: str | None = None  # the token that ends a turn; None: what the tokenizer says
    lora_rank: int | None = None  # train low-rank adapters only (peft); None: all weights
    lora_alpha: float | None = None  # the adapters' part is multiplied by alpha / rank; None: twice the rank
    reward: str | None = None  # None: the env's own learned reward model
    data: str | None = None  # your own records (JSONL, CSV, Parquet, a dataset); None: the embedded world
    split: str = "train"
    data_seed: int = 0
    context_length: int | None = None  # tokens; None: the env's default
    max_new_tokens: int | None = None  # tokens a turn; None: the env's default

    seed: int = 0
    num_updates: int | None = None  # None: 100, or 60 of Dialogue, whose gold score falls after that
    prompts_per_update: int = 16
    samples_per_prompt: int = 8  # responses a prompt, which is computed once for all that fit into row_tokens with it
    minibatches: int = 2  # optimiser steps for each pass over a batch
    learning_rate: float = 5e-4  # decays linearly to a tenth
    max_grad_norm: float = 1.0
    kl_coef: float = 0.1  # rewards a nat of KL to the reference; larger: stays closer to it
    max_kl: float | None = None  # nats an episode; a run whose batch goes over it ends there, saved
    temperature: float = 1.0
    missing_eot_penalty: float = 0.0  # rewards, where the last turn was cut
    scale_reward: bool = True  # divide scores by their standard deviation in the first batch; False: as they come

    device: str = "auto"
    dtype: str = "auto"  # arithmetic of the training passes; "auto": bfloat16 where it is faster
    row_tokens: int = 512  # the most tokens in a packed row
    batch_tokens: int | None = (
        None  # in one forward pass, padding too; None: 4096 on a CPU, for its caches, 16384 on a GPU
    )

    run: str | None = None  # a new folder; None: runs/<env>-seed<seed>, or the first free of …-2, …-3
    eval_every: int = 25  # updates between evaluations on held-out prompts; 0: only at the ends
    eval_prompts: int = 128
    eval_split: str = "validation"
    checkpoint_every: int = 50
    log_to: str | None = None  # "tensorboard", "trackio" or "wandb", beside metrics.jsonl
    resume: bool = False  # go on from the last checkpoint of `run`, or of the newest run where it is None

    @property
    def batch_size(self) -> int:
        return self.prompts_per_update * self.samples_per_prompt

    @property
    def total_updates(self) -> int:
        """`num_updates`, or what the embedded policy needs."""
        if self.num_updates is not None:
            return self.num_updates
        return 60 if "Dialogue" in self.env else 100

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        runs.check_kinds(self)
        for known in ENV_IDS:
            if self.env in (known.removeprefix("textgym/"), known.removeprefix("textgym/").removesuffix("-v0")):
                raise ValueError(f"env must be a whole id, {known!r}, got {self.env!r}")
        if self.total_updates < 1:
            raise ValueError(f"num_updates must be None or at least 1, got {self.num_updates}")
        for name in ("prompts_per_update", "samples_per_prompt", "minibatches", "row_tokens", "eval_prompts"):
            checks.whole(name, getattr(self, name), least=1)
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise ValueError(f"batch_tokens must be None or at least 1, got {self.batch_tokens}")
        for name in ("seed", "eval_every", "checkpoint_every", "kl_coef", "missing_eot_penalty"):
            checks.number(name, getattr(self, name), least=0)
        if self.minibatches > self.prompts_per_update:
            raise ValueError(
                f"minibatches must be at most prompts_per_update={self.prompts_per_update}, got {self.minibatches}"
            )
        for name in ("learning_rate", "temperature", "max_grad_norm"):
            checks.positive(name, getattr(self, name))
        for name in ("max_kl", "lora_alpha"):
            if getattr(self, name) is not None:
                checks.positive(name, getattr(self, name))
        if self.lora_rank is not None:
            checks.whole("lora_rank", self.lora_rank, least=1)
        if self.lora_alpha is not None and self.lora_rank is None:
            raise ValueError(f"lora_alpha needs a lora_rank, got lora_alpha={self.lora_alpha} alone")
        if self.log_to is not None and self.log_to not in TRACKERS:
            raise ValueError(f"log_to must be None or one of {list(TRACKERS)}, got {self.log_to!r}")
        if self.log_to is not None:
            require_tracker(self.log_to)
        for name in ("split", "eval_split"):
            if getattr(self, name) not in SPLITS:
                raise ValueError(f"{name} must be one of {list(SPLITS)}, got {getattr(self, name)!r}")
        runs.choose_device(self.device)
        if self.dtype not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"dtype must be 'auto', 'float32' or 'bfloat16', got {self.dtype!r}")
