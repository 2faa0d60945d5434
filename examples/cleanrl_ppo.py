"""PPO in one file, in the manner of CleanRL, on `gym.make_vec`: a language model learns from a learned reward.

What differs from PPO on CartPole, and nothing else:

- the agent is a causal language model with a value head; `CachedReader` spares it reading a conversation
  again for every token, `read_steps` reads a whole response once for all its steps;
- KL control: `VectorReferenceLogprob` pays β log π_ref, the agent takes β log π off, so rewards carry −β KL;
- a minibatch is some envs with all their steps in order, not steps from anywhere.

The vector env resets in the same step (SameStep): `obs` of a row that has ended is already the next prompt.
Its last observation is in `infos["final_obs"]`, and is what a *truncated* row is bootstrapped from; a
terminated row, which has been scored, is not bootstrapped at all.

    python examples/cleanrl_ppo.py --updates 40
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

import textgym  # noqa: F401  (registers the ids)
from textgym.envs.registration import require_playable
from textgym.models.language_model import forbidden_tokens, head, load_language_model
from textgym.seeding import derive_seeds
from textgym.wrappers import VectorReferenceLogprob
from textgym.wrappers.reader import CachedReader, read_rows, read_steps


@dataclass(frozen=True)
class Args:
    env_id: str = "textgym/Summarize-v0"
    num_envs: int = 32
    num_steps: int = 48  # of each env in an update
    updates: int = 40
    learning_rate: float = 3e-4
    gamma: float = 1.0
    lam: float = 0.95
    epochs: int = 2
    minibatches: int = 4
    clip_ratio: float = 0.2
    value_coef: float = 0.1
    beta: float = 0.05  # rewards for a nat of KL to the reference
    max_grad_norm: float = 1.0
    max_episode_steps: int | None = None  # a limit from outside: truncates
    seed: int = 0


class Agent(nn.Module):
    """A language model, its value head, and what it has read."""

    def __init__(self, model: Any, tokenizer: Any, context_length: int) -> None:
        super().__init__()
        self.model = model
        self.critic = nn.Linear(model.config.get_text_config().hidden_size, 1)
        nn.init.zeros_(self.critic.weight)
        nn.init.zeros_(self.critic.bias)
        self.forbidden = forbidden_tokens(model, tokenizer)  # control tokens are never sampled
        self.reader = CachedReader(model, context_length)

    def distribution(self, hidden: Tensor) -> torch.distributions.Categorical:
        logits = head(self.model, hidden).masked_fill(self.forbidden, torch.finfo(torch.float32).min)
        return torch.distributions.Categorical(logits=logits)

    @torch.no_grad()
    def act(self, obs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N, C) -> tokens, their log-probabilities and values, (N,) each."""
        hidden = self.reader.read(torch.from_numpy(obs))
        distribution = self.distribution(hidden)
        tokens = distribution.sample()
        return tokens.numpy(), distribution.log_prob(tokens).numpy(), self.critic(hidden).squeeze(1).numpy()

    @torch.no_grad()
    def value(self, obs: np.ndarray) -> np.ndarray:
        """(K, C) -> (K,) values of observations that no rollout goes on from."""
        return self.critic(read_rows(self.model, torch.from_numpy(obs))).squeeze(1).numpy()


@dataclass
class Rollout:
    """T steps of N envs, (N, T) but for the observations."""

    obs: np.ndarray  # (N, T, C)
    actions: np.ndarray
    logprobs: np.ndarray
    values: np.ndarray
    rewards: np.ndarray
    next_values: np.ndarray  # of the state a step led to: 0 where it terminated, V(final_obs) where it was truncated
    ends: np.ndarray  # bool, the episode was over, for either reason
    golds: list[float]  # of the episodes that terminated


def collect(envs: Any, agent: Any, obs: np.ndarray, num_steps: int, beta: float) -> tuple[Rollout, np.ndarray]:
    """Plays; returns the rollout and the observations to go on from."""
    n = len(obs)
    actions, ends = np.zeros((n, num_steps), np.int64), np.zeros((n, num_steps), bool)
    logprobs, values, rewards, next_values = (np.zeros((n, num_steps), np.float32) for _ in range(4))
    seen = np.zeros((n, num_steps, obs.shape[1]), np.int64)
    bootstrap = np.zeros((n, num_steps), np.float32)
    golds: list[float] = []
    for t in range(num_steps):
        seen[:, t] = obs
        actions[:, t], logprobs[:, t], values[:, t] = agent.act(obs)
        obs, reward, terminated, truncated, infos = envs.step(actions[:, t])
        rewards[:, t], ends[:, t] = reward - beta * logprobs[:, t], terminated | truncated
        cut = (truncated & ~terminated).nonzero()[0]
        if len(cut):
            bootstrap[cut, t] = agent.value(np.stack(infos["final_obs"][cut]))
        if terminated.any() and "gold" in infos["final_info"]:
            golds += infos["final_info"]["gold"][terminated].tolist()
    next_values[:, :-1] = values[:, 1:]
    next_values[:, -1] = agent.value(obs)
    next_values = np.where(ends, bootstrap, next_values)
    return Rollout(seen, actions, logprobs, values, rewards, next_values, ends, golds), obs


def gae(rollout: Rollout, gamma: float, lam: float) -> np.ndarray:
    """(N, T) advantages (Schulman et al. 2016, eq. 16); no credit flows across the end of an episode."""
    delta = rollout.rewards + gamma * rollout.next_values - rollout.values
    advantages, after = np.zeros_like(delta), np.zeros(len(delta), np.float32)
    for t in reversed(range(delta.shape[1])):
        after = delta[:, t] + gamma * lam * np.where(rollout.ends[:, t], 0, after)
        advantages[:, t] = after
    return advantages


def update(agent: Agent, optimizer: torch.optim.Optimizer, rollout: Rollout, args: Args, rng: Any) -> None:
    """Epochs of clipped steps (Schulman et al. 2017, eq. 7)."""
    advantages = gae(rollout, args.gamma, args.lam)
    returns = advantages + rollout.values
    normed = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    for _ in range(args.epochs):
        for rows in np.array_split(rng.permutation(len(advantages)), args.minibatches):
            of_rows = (rollout.obs, rollout.actions, rollout.logprobs, normed, returns)
            obs, actions, old, advantage, target = (torch.from_numpy(x[rows]).flatten(0, 1) for x in of_rows)
            hidden = read_steps(agent.model, obs, actions)
            ratio = (agent.distribution(hidden).log_prob(actions) - old).exp()
            clipped = ratio.clamp(1 - args.clip_ratio, 1 + args.clip_ratio)
            policy_loss = -torch.minimum(ratio * advantage, clipped * advantage).mean()
            value_loss = 0.5 * (agent.critic(hidden).squeeze(1) - target).square().mean()
            optimizer.zero_grad()
            (policy_loss + args.value_coef * value_loss).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), args.max_grad_norm)
            optimizer.step()


def train(args: Args) -> list[float]:
    """Returns each update's mean gold score, the judge's, which nobody optimises."""
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    inner: Any = gym.make_vec(args.env_id, num_envs=args.num_envs, max_episode_steps=args.max_episode_steps)
    core = inner.unwrapped
    agent = Agent(load_language_model("embedded"), core.tokenizer, core.context_length)
    envs = VectorReferenceLogprob(inner, args.beta)
    optimizer = torch.optim.AdamW(agent.parameters(), lr=args.learning_rate, eps=1e-5, weight_decay=0.0)
    obs, _ = envs.reset(seed=derive_seeds(args.seed, args.num_envs))
    golds, start = [], time.perf_counter()
    for k in range(args.updates):
        rollout, obs = collect(envs, agent, obs, args.num_steps, args.beta)
        update(agent, optimizer, rollout, args, rng)
        golds.append(float(np.mean(rollout.golds)) if rollout.golds else float("nan"))
        rate = (k + 1) * args.num_envs * args.num_steps / (time.perf_counter() - start)
        print(f"update {k + 1}: gold {golds[-1]:.3f} of {len(rollout.golds)} episodes, {rate:.0f} steps/s", flush=True)
    return golds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env-id", default=Args.env_id)
    parser.add_argument("--updates", type=int, default=Args.updates)
    parser.add_argument("--num-envs", type=int, default=Args.num_envs)
    parser.add_argument("--max-episode-steps", type=int)
    parser.add_argument("--seed", type=int, default=Args.seed)
    given = parser.parse_args()
    try:
        require_playable(given.env_id)
    except (gym.error.Error, ValueError) as error:
        parser.error(str(error))
    train(Args(**vars(given)))
