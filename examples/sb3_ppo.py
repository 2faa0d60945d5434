"""Stable-Baselines3's PPO with a language model as its policy: cached rollouts, whole responses trained at once.

    python examples/sb3_ppo.py --iterations 40

`MlpPolicy` runs on these envs too, and learns little: it starts from nothing and sees token ids as numbers.
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

import textgym  # noqa: F401  (registers the ids)
from textgym.sb3 import LanguageModelPolicy, ResponseBuffer, VecEnv
from textgym.wrappers import VectorReferenceLogprob


class Gold(BaseCallback):
    """Prints the judge's score, which nobody optimises, and the reward model's, for each rollout."""

    def __init__(self) -> None:
        super().__init__()
        self.golds: list[float] = []  # mean of each rollout
        self._now: list[tuple[float, float]] = []

    def _on_step(self) -> bool:
        self._now += [(info["gold"], info["score"]) for info in self.locals["infos"] if "gold" in info]
        return True

    def _on_rollout_end(self) -> None:
        if self._now:
            gold, score = np.mean(self._now, axis=0)
            self.golds.append(float(gold))
            print(f"{self.num_timesteps} steps: gold {gold:.3f}, score {score:.3f} of {len(self._now)}", flush=True)
        self._now = []


def train(
    env_id: str, iterations: int, num_envs: int = 32, n_steps: int = 48, beta: float = 0.05, seed: int = 0
) -> list[float]:
    """Returns the mean gold score of each rollout."""
    inner = gym.make_vec(env_id, num_envs=num_envs)
    env = VecEnv(VectorReferenceLogprob(inner, beta))  # KL control: the other half of it is ent_coef
    agent = PPO(
        LanguageModelPolicy,
        env,
        rollout_buffer_class=ResponseBuffer,
        n_steps=n_steps,
        batch_size=num_envs * n_steps // 4,
        n_epochs=2,
        learning_rate=3e-4,
        gamma=1.0,
        ent_coef=beta,
        vf_coef=0.1,
        max_grad_norm=1.0,
        seed=seed,
    )
    gold = Gold()
    agent.learn(iterations * num_envs * n_steps, callback=gold)
    return gold.golds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env-id", default="textgym/Summarize-v0")
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--num-envs", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    train(**vars(parser.parse_args()))
