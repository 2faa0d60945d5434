"""Supervised tuning of a policy on demonstrations: the start of RLHF, and what every other agent is measured against.

    loss = mean over the assistant's tokens of -log π(token | what stood before it)

Demonstrations are the references of an env's task (your own records with `data`), or the chosen sides of a file of
preferences. Left out: a loss on prompts, several references of one prompt (the first counts, the best), and
training from scratch (supervised.py, which the embedded policy was made with).

    textgym train sft --env textgym/Translate-v0
    textgym train sft --env textgym/Summarize-v0 --data mine.jsonl --reward rougeL
    textgym train sft --preferences pairs.jsonl
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from textgym import checks
from textgym.rewards.judged import decided, read_pairs
from textgym.types import SPLITS, Message

from .conversations import UnfitError, demonstrations, encode, report_left_out
from .distributed import World
from .failures import require_finite
from .offline import (
    Figures,
    OfflineStage,
    episode_logprobs,
    look_at_env,
    require_free_folder,
    train_offline,
    update_on_records,
)
from .offline_config import OfflineConfig
from .packing import Episode, pack_groups
from .pairs import require_same_env, split_prompts
from .updates import load_policy_state, policy_state, set_learning_rate, trained_weights


@dataclass(frozen=True)
class SFTConfig(OfflineConfig):
    """Everything a run depends on; the defaults tune the embedded policy in minutes on two cores."""

    agent: ClassVar[str] = "sft"

    split: str = "train"  # train, validation or test: whose references are learnt
    num_examples: int = 4096  # the most demonstrations to learn from: the first ones of the split or the file
    preferences: str | None = None  # a file of judged pairs, whose chosen sides are learnt; None: the references
    holdout: float = 0.1  # share of the preferences' prompts kept from training; references have `eval_split`

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        checks.whole("num_examples", self.num_examples, least=1)
        checks.number("holdout", self.holdout, least=0, most=0.5)
        checks.choice("split", self.split, SPLITS)


class Demonstrations(NamedTuple):
    """What is learnt, and what is only measured."""

    training: list[Episode]
    held_out: list[Episode]
    prompts: frozenset[tuple[Message, ...]] = frozenset()  # of the training pairs, where they come from a file of them


class Trainer:
    """One method for each step of the algorithm."""

    def __init__(self, config: SFTConfig, world: World | None = None, data: Demonstrations | None = None) -> None:
        self.data = load(config) if data is None else data
        self.config = config.for_records(len(self.data.training))
        self.stage = OfflineStage(self.config, world)
        self.stage.held_out = self.held_out if self.data.held_out else None
        if config.preferences is not None:
            self.stage.is_held_out = not self.stage.is_asked_any_of(self.data.prompts)
        self.trained = trained_weights(self.stage.model)
        self.optimizer = torch.optim.AdamW(self.trained, lr=config.learning_rate, weight_decay=0.0, fused=True)
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}

    def update(self, episodes: list[Episode]) -> dict[str, float]:
        """One optimiser step on this process's share of a batch."""
        config, stage = self.config, self.stage
        rate = set_learning_rate(self, config.warmup_updates)
        tokens = stage.world.sum(torch.tensor(float(sum(e.num_chosen for e in episodes))))
        total = torch.zeros((), device=stage.device)
        for packed, rows in pack_groups([[e] for e in episodes], config.row_tokens, stage.batch_tokens):
            with stage.autocast():
                logprobs = episode_logprobs(stage.model, packed.to(stage.device), stage.forbidden, len(rows))
            loss = -logprobs.sum() / tokens.to(stage.device)
            loss.backward()
            total += loss.detach()
        require_finite(f"in update {self.updates_done + 1}", {"losses": total[None]}, stage.world.sum)
        norm = stage.descend(self.optimizer, self.trained, self.updates_done)
        return {
            "loss": float(stage.world.sum(total)),
            "tokens": float(tokens) / config.batch_size,
            "learning_rate": rate,
            "grad_norm": norm,
        }

    def step(self) -> dict[str, float]:
        """One update, and what there is to say about it."""
        return update_on_records(self)

    @torch.no_grad()
    def held_out(self, of_reference: bool) -> Figures:
        """The loss on held-out demonstrations: a mean over their tokens, as in training."""
        stage, episodes = self.stage, self.data.held_out
        said = np.zeros(len(episodes))
        with stage.reference_policy() if of_reference else contextlib.nullcontext(stage.model) as model:
            for packed, rows in pack_groups([[e] for e in episodes], self.config.row_tokens, stage.batch_tokens):
                with stage.autocast():
                    values = episode_logprobs(model, packed.to(stage.device), stage.forbidden, len(rows))
                said[rows] = values.cpu().numpy()
        tokens = np.array([e.num_chosen for e in episodes], dtype=np.float64)
        return {"loss": (-said / tokens, tokens)}

    def state(self) -> dict[str, Any]:
        return policy_state(self)

    def load_state(self, state: dict[str, Any]) -> None:
        load_policy_state(self, state)


def load(config: SFTConfig) -> Demonstrations:
    """The demonstrations that a config speaks of, as tokens.

    Raises:
        ValueError: none that fits; a file that cannot be read.
    """
    tokenizer, task, sizes = look_at_env(config, config.split)
    if config.preferences is not None:
        return _chosen_sides(config, tokenizer, sizes.context_length)
    _, held_out_task, _ = look_at_env(config, config.eval_split)
    left_out: Counter[str] = Counter()
    n = min(config.num_examples, len(task))
    training = demonstrations(task, range(n), tokenizer, sizes, config.seed, left_out)
    report_left_out("data", n, left_out, f"references that fit {sizes.context_length} tokens")
    few = range(min(config.eval_prompts, len(held_out_task)))
    return Demonstrations(training, demonstrations(held_out_task, few, tokenizer, sizes, config.seed, Counter()))


def _chosen_sides(config: SFTConfig, tokenizer: Any, limit: int) -> Demonstrations:
    """Every response once that was preferred to another, to the same prompt."""
    preferences = decided(read_pairs([str(config.preferences)]).with_ties)
    require_same_env(preferences, config)
    held_out, training = split_prompts(preferences, config.holdout, config.seed)
    left_out: Counter[str] = Counter()
    parts: list[list[Episode]] = []
    for part in (training, held_out):
        found = []
        for prompt, said in dict.fromkeys((p.prompt, p.chosen) for p in part):
            try:
                found.append(encode(tokenizer, prompt, said, limit))
            except UnfitError as reason:
                left_out[str(reason)] += 1
        parts.append(found[: config.num_examples])
    total = sum(map(len, parts)) + sum(left_out.values())
    report_left_out("preferences", total, left_out, f"responses that fit context_length={limit} tokens")
    if not parts[0]:
        raise ValueError(f"preferences leave none of {total} responses to learn from: {dict(left_out)}")
    return Demonstrations(parts[0], parts[1], frozenset(p.prompt for p in training))


def train(config: SFTConfig) -> Path:
    """Tunes the policy as `train_offline` says; returns the run's folder."""
    require_free_folder(config)
    data = load(config)
    return train_offline(config.for_records(len(data.training)), partial(Trainer, data=data))
