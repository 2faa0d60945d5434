"""Stable-Baselines3's PPO with a language model as its policy: cached rollouts, shared prompts, KL control.

    python examples/sb3_ppo.py --iterations 60

Prints the gold score, which nobody optimises, of held-out prompts before and after. The KL to the reference is part
of the reward, as in RLHF: the wrapper brings β log π_ref, the callback takes β log π off, for SB3's agents know
no such thing. `MlpPolicy` runs on these envs too, and learns little: it starts from nothing and sees token ids
as numbers.
"""

from __future__ import annotations

import argparse
import time

import gymnasium as gym
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

import textgym  # noqa: F401  (registers the ids)
from textgym.sb3 import LanguageModelPolicy, ResponseBuffer, VecEnv
from textgym.wrappers import VectorReferenceLogprob


class KLControl(BaseCallback):
    """Takes β log π off the rewards, and prints the mean scores of each rollout."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta
        self.golds: list[float] = []  # mean of each rollout
        self._now: list[tuple[float, float]] = []

    def _on_step(self) -> bool:
        # SB3 has not stored this array yet, so what is changed in it here is what the agent learns from.
        self.locals["rewards"] -= self.beta * self.locals["log_probs"].cpu().numpy()
        self._now += [(info["gold"], info["score"]) for info in self.locals["infos"] if "gold" in info]
        return True

    def _on_rollout_end(self) -> None:
        if self._now:
            gold, score = np.mean(self._now, axis=0)
            self.golds.append(float(gold))
            cpu = time.process_time()
            print(
                f"{self.num_timesteps} steps, {cpu:.0f} s of CPU: gold {gold:.3f}, score {score:.3f} "
                f"of {len(self._now)} episodes",
                flush=True,
            )
        self._now = []


def held_out_gold(agent: PPO, env_id: str, prompts: int) -> float:
    """Mean gold score of one sampled response to each of the first prompts of the validation split."""
    envs = gym.make_vec(env_id, num_envs=prompts, split="validation")
    observations, _ = envs.reset(seed=0, options={"index": np.arange(prompts)})
    golds = np.full(prompts, np.nan)
    while np.isnan(golds).any():
        actions, _ = agent.predict(observations)
        observations, _, terminated, _, infos = envs.step(actions)
        for row in (terminated & np.isnan(golds)).nonzero()[0]:  # the first episode of each row
            golds[row] = infos["final_info"]["gold"][row]
    return float(golds.mean())


def train(
    env_id: str,
    iterations: int,
    num_envs: int = 64,
    n_steps: int = 96,
    beta: float = 0.02,
    learning_rate: float = 3e-4,
    held_out: int = 256,
    seed: int = 0,
) -> tuple[list[float], float, float]:
    """Returns the mean gold score of each rollout, and the held-out one before and after."""
    inner = gym.make_vec(env_id, num_envs=num_envs)
    env = VecEnv(VectorReferenceLogprob(inner, beta), samples_per_prompt=8)
    agent = PPO(
        LanguageModelPolicy,
        env,
        rollout_buffer_class=ResponseBuffer,
        n_steps=n_steps,
        batch_size=num_envs * n_steps // 4,
        n_epochs=2,
        learning_rate=learning_rate,
        gamma=1.0,
        vf_coef=0.1,
        max_grad_norm=1.0,
        seed=seed,
        device="cpu",
    )
    before = held_out_gold(agent, env_id, held_out)
    print(f"before: gold {before:.3f} on {held_out} held-out prompts", flush=True)
    control = KLControl(beta)
    agent.learn(iterations * num_envs * n_steps, callback=control)
    after = held_out_gold(agent, env_id, held_out)
    print(f"after: gold {after:.3f} on {held_out} held-out prompts", flush=True)
    return control.golds, before, after


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env-id", default="textgym/Summarize-v0")
    parser.add_argument("--iterations", type=int, default=60, help="rollouts of --num-envs × 96 steps")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--beta", type=float, default=0.02, help="reward for a nat of KL to the reference")
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    train(**vars(parser.parse_args()))
