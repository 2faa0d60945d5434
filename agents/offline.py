"""What the offline agents share: batches of records, packs of them, figures on held-out records, and the online loop.

A run on records is the run of an online agent without the playing: the same stage, folder, evaluations on held-out
prompts, checkpoints and Ctrl-C. A batch of update u is a stretch of an endless stream of shuffled passes over the
records, so it follows from (seed, u) and a resumed run reads the same ones.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from textgym.models.tokenizer import ChatTokenizer
from textgym.types import Message

from .conversations import Sizes
from .distributed import World
from .evaluate import Evaluation
from .failures import phase
from .folders import choose_folder
from .offline_config import OfflineConfig
from .online import train_online
from .packing import Packed
from .policy import reference_logprobs
from .stage import Stage, load_policy_tokenizer, make_env
from .updates import Agent

Figures = Mapping[str, tuple[np.ndarray, np.ndarray]]  # name -> (n,) values of records and their weights


class OfflineStage(Stage):
    """A stage whose evaluations also hold figures on held-out records, named held_out/….

    `held_out` is asked with True for the reference's figures, else for the policy's; None: there are no such records.
    """

    held_out: Callable[[bool], Figures] | None = None

    def __init__(self, config: OfflineConfig, world: World | None = None) -> None:
        size = 1 if world is None else world.size
        if config.batch_size % size:
            raise ValueError(
                f"batch_size must be a multiple of the number of processes, got {config.batch_size} records for {size}"
            )
        super().__init__(config.as_online(), world)

    def is_asked_any_of(self, prompts: frozenset[tuple[Message, ...]]) -> bool:
        """Whether an evaluation meets one of these prompts."""
        task, n = self.eval_env.unwrapped.task, self.config.eval_prompts
        return bool(prompts) and any(task[i].prompt in prompts for i in range(min(n, len(task))))

    def evaluate(
        self, num_prompts: int | None = None, temperature: float = 1.0, of_reference: bool = False
    ) -> Evaluation:
        found = super().evaluate(num_prompts, temperature, of_reference)
        if self.held_out is None:
            return found
        with phase("the pass over held-out records", "batch_tokens or row_tokens"):
            pairs = self.held_out(of_reference)
        figures = {f"held_out/{name}": weighted_mean(*pair) for name, pair in pairs.items()}
        means = found.means | {name: mean for name, (mean, _) in figures.items()}
        return dataclasses.replace(
            found, means=means, intervals=found.intervals | {name: half for name, (_, half) in figures.items()}
        )


def train_offline(config: OfflineConfig, make_trainer: Callable[[Any, World], Any]) -> Path:
    """Runs an offline agent as `train_online` runs an online one; returns the run's folder."""
    return train_online(config, make_trainer)


def require_free_folder(config: OfflineConfig) -> None:
    """Raises ValueError or TypeError for what can be told before the records are read."""
    config.check()
    choose_folder(config)


def look_at_env(config: OfflineConfig, split: str) -> tuple[ChatTokenizer, Any, Sizes]:
    """The policy's tokenizer, the task of a split and the sizes of the env, with no model loaded."""
    tokenizer = load_policy_tokenizer(config.policy, config.tokenizer, config.end_of_turn)
    online = dataclasses.replace(config.as_online(), reward="constant:0", device="cpu")
    core = make_env(online, tokenizer, split, 1).unwrapped
    turns = core.max_turns if callable(getattr(core.task, "reply", None)) else 1
    return tokenizer, core.task, Sizes(core.context_length, core.max_new_tokens, turns)


def draw_batch(seed: int, update: int, num_records: int, size: int) -> np.ndarray:
    """(size,) int64, the records of an update: pass after pass over all of them, each in an order of its own."""
    places = np.arange(update * size, (update + 1) * size)
    orders = {
        epoch: np.random.default_rng([seed, epoch, 10]).permutation(num_records)
        for epoch in np.unique(places // num_records).tolist()
    }
    return np.array([orders[p // num_records][p % num_records] for p in places.tolist()], dtype=np.int64)


class Learner(Agent, Protocol):
    """An agent that learns from records."""

    config: Any
    data: Any
    is_mid_update: bool
    in_hand: dict[str, Any]

    def update(self, records: list[Any], /) -> dict[str, float]:
        """One optimiser step on this process's share of a batch."""


def update_on_records(agent: Learner) -> dict[str, float]:
    """One update on the records that are due, and what there is to say about it."""
    start, config = time.perf_counter(), agent.config
    rows = draw_batch(config.seed, agent.updates_done, len(agent.data.training), config.batch_size)
    agent.in_hand = {"update": agent.updates_done + 1, "records": rows.tolist()}
    agent.is_mid_update = True
    with phase("the update", "batch_tokens or row_tokens"):
        metrics = agent.update([agent.data.training[row] for row in rows[agent.stage.share].tolist()])
    agent.updates_done += 1
    agent.is_mid_update = False
    return {"update": agent.updates_done, **metrics, "update_s": time.perf_counter() - start}


def episode_logprobs(model: Any, packed: Packed, forbidden: Tensor, num_episodes: int) -> Tensor:
    """(num_episodes,) float32 nats: the sum over an episode's policy tokens, and over nothing else."""
    said = reference_logprobs(model, packed, forbidden, temperature=1.0)
    return torch.zeros(num_episodes, device=said.device).index_add(0, packed.episode, said)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Σ w v / Σ w over n records, and the half-width of its 95% interval; nan for one record."""
    share = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    mean = float(share @ values)
    if len(values) < 2:
        return mean, math.nan
    return mean, 1.96 * float(np.linalg.norm(share * (values - mean)))
