"""sb3-contrib's MaskablePPO with a vocabulary mask: of thousands of tokens, the few that a reference finds likely.

    python examples/maskable_ppo.py --iterations 20

The policy is an MLP that starts from nothing; what it says reads like language because the mask lets
nothing else through. It chooses among `top-k` tokens a step instead of the whole vocabulary.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium as gym
import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback

import textgym  # noqa: F401  (registers the ids)
from textgym.sb3 import VecEnv
from textgym.wrappers import VectorVocabularyMask


class Gold(BaseCallback):
    """Prints the judge's mean score of each rollout."""

    def __init__(self) -> None:
        super().__init__()
        self.golds: list[float] = []
        self._now: list[float] = []

    def _on_step(self) -> bool:
        self._now += [info["gold"] for info in self.locals["infos"] if "gold" in info]
        return True

    def _on_rollout_end(self) -> None:
        if self._now:
            self.golds.append(float(np.mean(self._now)))
            print(f"{self.num_timesteps} steps: gold {self.golds[-1]:.3f} of {len(self._now)} episodes", flush=True)
        self._now = []


def train(env_id: str, iterations: int, top_k: int = 4, words: Any = None, seed: int = 0) -> list[float]:
    """Returns the mean gold score of each rollout."""
    num_envs, n_steps = 16, 64
    env = VecEnv(VectorVocabularyMask(gym.make_vec(env_id, num_envs=num_envs), words=words, top_k=top_k))
    agent = MaskablePPO(
        "MlpPolicy", env, n_steps=n_steps, batch_size=256, n_epochs=2, gamma=1.0, seed=seed, device="cpu"
    )
    gold = Gold()
    agent.learn(iterations * num_envs * n_steps, callback=gold)
    return gold.golds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env-id", default="textgym/Translate-v0")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--top-k", type=int, default=4)
    parser.add_argument("--words", help="a text file of allowed words, one a line")
    parser.add_argument("--seed", type=int, default=0)
    train(**vars(parser.parse_args()))
