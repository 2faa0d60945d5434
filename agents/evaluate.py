"""How good is a policy on held-out prompts? Gold score, learned score, components, intervals.

python -m agents evaluate --policy runs/Summarize-v0-seed0/policy --env textgym/Summarize-v0 --json
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textgym.models.language_model import forbidden_tokens
from textgym.models.tokenizer import ChatTokenizer
from textgym.seeding import derive_seeds

from .rollout import Rollout, play

CHUNK = 128  # conversations played at once


@dataclass(frozen=True)
class Evaluation:
    """Means over held-out prompts, each with the half-width of its 95% interval."""

    num_prompts: int
    temperature: float
    means: dict[str, float]  # "score", "gold", "gold/<component>", "tokens", "cut"
    intervals: dict[str, float]  # the same names: 1.96 standard errors
    rollouts: list[Rollout]

    def figures(self) -> dict[str, float]:
        """Flat, for JSON: name and name_ci95."""
        return {**self.means, **{f"{name}_ci95": value for name, value in self.intervals.items()}}


def evaluate(
    model: Any,
    tokenizer: ChatTokenizer,
    make_env: Callable[[int], Any],
    *,
    num_prompts: int = 512,
    temperature: float = 1.0,
    seed: int = 0,
    forbidden: Tensor | None = None,
) -> Evaluation:
    """One response (or conversation) to each of the first `num_prompts` examples of the env's split.

    The examples, the users' seeds and the sampling seed depend on `seed` alone, so that two
    policies are compared on the same prompts under the same decoding.
    """
    forbidden = forbidden_tokens(model, tokenizer) if forbidden is None else forbidden
    env = make_env(min(CHUNK, num_prompts))
    num_prompts = min(num_prompts, len(env.unwrapped.task))
    rollouts = []
    for start in range(0, num_prompts, CHUNK):
        size = min(CHUNK, num_prompts - start)
        if size != env.unwrapped.num_envs:
            env = make_env(size)
        generator = torch.Generator(next(model.parameters()).device)
        generator.manual_seed(derive_seeds(seed, 1, start, 6)[0])
        rollouts.append(
            play(
                env,
                model,
                tokenizer,
                np.arange(start, start + size),
                derive_seeds(seed, size, start, 7),
                temperature=temperature,
                forbidden=forbidden,
                generator=generator,
            )
        )
    values = {
        "score": np.concatenate([r.scores for r in rollouts]),
        "gold": np.concatenate([r.gold for r in rollouts]),
        "tokens": np.array([e.num_chosen for r in rollouts for e in r.episodes], dtype=float),
        "cut": 1.0 - np.concatenate([r.last_turn_has_eot for r in rollouts]),
    }
    for name in rollouts[0].gold_components:
        values[f"gold/{name}"] = np.concatenate([r.gold_components[name] for r in rollouts])
    return Evaluation(
        num_prompts,
        temperature,
        {name: float(v.mean()) for name, v in values.items()},
        {
            name: 1.96 * float(v.std(ddof=1)) / math.sqrt(len(v)) if len(v) > 1 else math.nan
            for name, v in values.items()
        },
        rollouts,
    )
