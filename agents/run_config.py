"""What every run depends on, of whatever agent: the policy, where it is evaluated, the optimiser, the folder.

A config dataclass is the command line, the YAML file and the record in the run's folder at once. Agents that play add
to this one in online_config.py, those that learn from records in offline_config.py, and each agent its own options.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

import textgym  # noqa: F401  (registers the ids)
from textgym import checks
from textgym.envs.registration import require_playable
from textgym.models.arithmetic import require_compiling
from textgym.types import SPLITS

from .devices import choose_device
from .trackers import TRACKERS, require_tracker


@dataclass(frozen=True)
class RunConfig:
    """Which policy is trained and evaluated where, how it is optimised, and what is written down."""

    agent: ClassVar[str]  # its name on the command line

    env: str = "textgym/Summarize-v0"  # an id that `textgym list` shows
    policy: str = "embedded"  # a folder or hub name of a causal language model
    tokenizer: str | None = None  # a folder or hub name; None: the policy's own
    end_of_turn: str | None = None  # the token that ends a turn; None: what the tokenizer says
    lora_rank: int | None = None  # train low-rank adapters only (peft); None: all weights
    lora_alpha: float | None = None  # the adapters' part is multiplied by alpha / rank; None: twice the rank
    reward: str | None = None  # None: the env's own learned reward model
    data: str | None = None  # your own records (JSONL, CSV, Parquet, a dataset); None: the embedded world
    data_seed: int = 0  # which universe of embedded examples
    context_length: int | None = None  # tokens; None: the env's default
    max_new_tokens: int | None = None  # tokens a turn; None: the env's default

    seed: int = 0  # of everything that is drawn: prompts, users, what is sampled, orders
    num_updates: int | None = None  # each kind of agent says what None is
    learning_rate: float = 5e-4  # decays linearly to a tenth
    max_grad_norm: float = 1.0  # a gradient with a larger norm is shortened to it

    device: str = "auto"  # "auto": the GPU where there is one
    dtype: str = "auto"  # arithmetic of the training passes; "auto": bfloat16 where it is faster
    onednn: bool = False  # float32 linear layers on a CPU by oneDNN; where MKL is slow they take half the time
    # training passes through torch.compile: faster where they are long; about a minute to start; on a CPU it needs a
    # C++ compiler
    compile: bool = False
    row_tokens: int = 512  # the most tokens in a packed row
    batch_tokens: int | None = None  # in one forward pass, padding too; None: 4096 on a CPU, 16384 on a GPU

    run: str | None = None  # a new folder; None: runs/[<agent>-]<env>-seed<seed>, or the first free of …-2, …-3
    # updates between evaluations on held-out prompts, sampled at temperature 1 whatever training's is, of which the one
    # with the highest learned score is kept as best/; 0: only at the ends, and no best/
    eval_every: int = 25
    eval_prompts: int = 128  # the first ones of the split, or all where there are fewer
    eval_split: str = "validation"  # train, validation or test
    checkpoint_every: int = 50  # updates; 0: only at the end, at Ctrl-C and at an error
    log_to: str | None = None  # "tensorboard", "trackio" or "wandb", beside metrics.jsonl
    resume: bool = False  # go on from the last checkpoint of `run`, or of the newest run where it is None

    @property
    def total_updates(self) -> int:
        """`num_updates`, or what an agent has in its place."""
        if self.num_updates is None:
            raise ValueError("num_updates is not known yet")
        return self.num_updates

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early.

        And gymnasium.error.NameNotFound for an id that is not registered.
        """
        check_kinds(self)
        require_playable(self.env)
        for name in ("num_updates", "batch_tokens"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be None or at least 1, got {getattr(self, name)}")
        for name in ("row_tokens", "eval_prompts"):
            checks.whole(name, getattr(self, name), least=1)
        for name in ("seed", "eval_every", "checkpoint_every"):
            checks.number(name, getattr(self, name), least=0)
        for name in ("learning_rate", "max_grad_norm"):
            checks.positive(name, getattr(self, name))
        self._check_lora()
        if self.log_to is not None and self.log_to not in TRACKERS:
            raise ValueError(f"log_to must be None or one of {list(TRACKERS)}, got {self.log_to!r}")
        if self.log_to is not None:
            require_tracker(self.log_to)
        checks.choice("eval_split", self.eval_split, SPLITS)
        device = choose_device(self.device)
        if self.compile:
            self._check_compile(device)
        if self.dtype not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"dtype must be 'auto', 'float32' or 'bfloat16', got {self.dtype!r}")

    def _check_compile(self, device: torch.device) -> None:
        for name, why in (("shard", "weights in parts"), ("onednn", "layers in place of which others are generated")):
            if getattr(self, name, False):
                raise ValueError(f"compile must be False with {name}, got True: torch.compile knows no {why}")
        require_compiling(device)

    def _check_lora(self) -> None:
        if self.lora_alpha is not None:
            checks.positive("lora_alpha", self.lora_alpha)
        if self.lora_rank is not None:
            checks.whole("lora_rank", self.lora_rank, least=1)
        if self.lora_alpha is not None and self.lora_rank is None:
            raise ValueError(f"lora_alpha needs a lora_rank, got lora_alpha={self.lora_alpha} alone")


def check_kinds(config: Any) -> None:
    """Raises TypeError for a field of a config dataclass that is not of its declared kind."""
    for field in dataclasses.fields(config):
        value, kinds = getattr(config, field.name), str(field.type).split(" | ")
        if value is None:
            if "None" not in kinds:
                raise TypeError(f"{field.name} must be {kinds[0]}, got None")
        elif kinds[0] == "bool":
            checks.truth(field.name, value)
        elif kinds[0] == "int":
            checks.whole(field.name, value, least=-(2**63), most=2**63)
        elif kinds[0] == "float":
            checks.number(field.name, value)
        elif field.name not in ("reward", "data") and not isinstance(value, str | Path):  # those two may be objects
            raise TypeError(f"{field.name} must be a text, got {value!r:.80} of {type(value).__name__}")
