"""TorchRL's collector, GAE and clipped PPO loss on a token env, unchanged.

    pip install torchrl
    python examples/torchrl_ppo.py --updates 10

The network is a small MLP over the last tokens: this shows that TorchRL's parts fit, not how to write well.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.collectors import Collector
from torchrl.envs import GymEnv, TransformedEnv
from torchrl.envs.transforms import RewardSum
from torchrl.modules import ActorValueOperator, OneHotCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import textgym  # noqa: F401  (registers the ids)


class LastTokens(nn.Module):
    """(…, C) token ids -> (…, 64), from the last eight of them."""

    def __init__(self, vocab_size: int, last: int = 8) -> None:
        super().__init__()
        self.last = last
        self.embed = nn.Embedding(vocab_size + 1, 16)
        self.mix = nn.Sequential(nn.Flatten(-2), nn.Linear(16 * last, 64), nn.Tanh())

    def forward(self, observation: Tensor) -> Tensor:
        length = (observation >= 0).sum(-1, keepdim=True)
        places = (length - 1 - torch.arange(self.last)).clamp(min=0)
        return self.mix(self.embed(observation.gather(-1, places) + 1))


def train(env_id: str, updates: int, frames: int = 256, seed: int = 0, **kwargs: Any) -> list[float]:
    """Returns the mean reward of the episodes of each update."""
    torch.manual_seed(seed)
    env = TransformedEnv(GymEnv(env_id, **kwargs), RewardSum())
    env.set_seed(seed)
    vocab_size = env.action_spec.space.n
    common = TensorDictModule(LastTokens(vocab_size), ["observation"], ["hidden"])
    policy = TensorDictModule(nn.Linear(64, vocab_size), ["hidden"], ["logits"])
    actor = ProbabilisticActor(policy, ["logits"], distribution_class=OneHotCategorical, return_log_prob=True)
    agent = ActorValueOperator(common, actor, ValueOperator(nn.Linear(64, 1), ["hidden"]))
    actor, critic = agent.get_policy_operator(), agent.get_value_operator()
    advantage = GAE(gamma=1.0, lmbda=0.95, value_network=critic)
    loss_of = ClipPPOLoss(actor, critic, clip_epsilon=0.2, normalize_advantage=True)
    optimizer = torch.optim.Adam(loss_of.parameters(), lr=1e-3)
    collector = Collector(env, actor, frames_per_batch=frames, total_frames=frames * updates)
    rewards = []
    for batch in collector:
        for _ in range(4):
            advantage(batch)
            losses = loss_of(batch)
            loss = losses["loss_objective"] + losses["loss_critic"] + 0.01 * losses["loss_entropy"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        ended = batch["next", "done"].squeeze(-1)
        rewards.append(float(batch["next", "episode_reward"][ended].mean()))
        print(f"update {len(rewards)}: reward {rewards[-1]:.3f} of {int(ended.sum())} episodes", flush=True)
    collector.shutdown()
    return rewards


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env-id", default="textgym/Translate-v0")
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    train(**vars(parser.parse_args()))
