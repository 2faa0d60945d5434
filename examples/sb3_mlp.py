"""Stable-Baselines3's PPO, A2C and DQN as they come, with `MlpPolicy`, on a token env.

    python examples/sb3_mlp.py --agent dqn --steps 8192

Token ids go into the MLP as plain numbers and it starts from nothing: this shows that the agents run, not how to write.
A language model as SB3's policy is in sb3_ppo.py.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback

import textgym  # noqa: F401  (registers the ids)
from textgym.sb3 import VecEnv

AGENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ppo": (PPO, {"n_steps": 128}),
    "a2c": (A2C, {}),
    "dqn": (DQN, {"buffer_size": 10_000, "learning_starts": 500}),  # of 256 token ids and more a row
}


class Golds(BaseCallback):
    """The judge's score of every episode."""

    def __init__(self) -> None:
        super().__init__()
        self.golds: list[float] = []

    def _on_step(self) -> bool:
        self.golds += [float(info["gold"]) for info in self.locals["infos"] if "gold" in info]
        return True


def train(agent: str, env_id: str, steps: int, num_envs: int = 8, seed: int = 0) -> list[float]:
    """Returns the gold scores of all episodes in the order they ended."""
    learner, settings = AGENTS[agent]
    env, golds = VecEnv(gym.make_vec(env_id, num_envs=num_envs)), Golds()
    learner("MlpPolicy", env, gamma=1.0, seed=seed, **settings).learn(steps, callback=golds)
    quarter = len(golds.golds) // 4
    if quarter:
        first, last = np.mean(golds.golds[:quarter]), np.mean(golds.golds[-quarter:])
        print(f"{agent}: gold {first:.3f} -> {last:.3f} (first and last {quarter} of {len(golds.golds)} episodes)")
    return golds.golds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", default="ppo", choices=list(AGENTS))
    parser.add_argument("--env-id", default="textgym/Translate-v0")
    parser.add_argument("--steps", type=int, default=8192)
    parser.add_argument("--seed", type=int, default=0)
    train(**vars(parser.parse_args()))
