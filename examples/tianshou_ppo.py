"""Tianshou's vector env, collector, replay buffer and PPO on a token env, unchanged.

    pip install tianshou
    python examples/tianshou_ppo.py --updates 10

The network is a small MLP over the last tokens: this shows that Tianshou's parts fit, not how to write well.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium as gym
import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.algorithm_base import policy_within_training_step
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.utils.net.common import ModuleWithVectorOutput
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from torch import Tensor, nn

import textgym  # noqa: F401  (registers the ids)


class LastTokens(ModuleWithVectorOutput):
    """(n, C) token ids -> (n, 64), from the last eight of them."""

    def __init__(self, vocab_size: int, last: int = 8) -> None:
        super().__init__(64)
        self.last = last
        self.embed = nn.Embedding(vocab_size + 1, 16)
        self.mix = nn.Sequential(nn.Flatten(-2), nn.Linear(16 * last, 64), nn.Tanh())

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> tuple[Tensor, Any]:
        tokens = torch.as_tensor(obs)
        length = (tokens >= 0).sum(-1, keepdim=True)
        places = (length - 1 - torch.arange(self.last)).clamp(min=0)
        return self.mix(self.embed(tokens.gather(-1, places) + 1)), state


def train(env_id: str, updates: int, frames: int = 256, num_envs: int = 4, seed: int = 0, **kwargs: Any) -> list[float]:
    """Returns the mean reward of the episodes of each update."""
    torch.manual_seed(seed)
    envs = DummyVectorEnv([lambda: gym.make(env_id, **kwargs) for _ in range(num_envs)])
    envs.seed(seed)
    space = envs.action_space[0]
    tokens = LastTokens(int(space.n))
    policy = ProbabilisticActorPolicy(
        actor=DiscreteActor(preprocess_net=tokens, action_shape=int(space.n), softmax_output=False),
        dist_fn=lambda logits: torch.distributions.Categorical(logits=logits),
        action_space=space,
        action_scaling=False,
        action_bound_method=None,
    )
    critic = DiscreteCritic(preprocess_net=tokens)
    agent = PPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(lr=1e-3), gamma=1.0)
    collector = Collector(agent, envs, VectorReplayBuffer(frames + num_envs, num_envs))
    collector.reset()
    rewards = []
    for update in range(updates):
        with policy_within_training_step(policy):
            collected = collector.collect(n_step=frames)
            agent.update(collector.buffer, batch_size=64, repeat=4)
        collector.reset_buffer(keep_statistics=True)  # it may have stopped in the middle of an episode
        rewards.append(float(collected.returns.mean()))
        print(f"update {update + 1}: reward {rewards[-1]:.3f} of {len(collected.returns)} episodes", flush=True)
    return rewards


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env-id", default="textgym/Translate-v0")
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    train(**vars(parser.parse_args()))
