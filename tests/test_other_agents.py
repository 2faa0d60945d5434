"""Other people's agents at toy size: a CleanRL-style loop, the SB3 examples, TorchRL, Tianshou, RLlib.

A framework that is not installed is skipped; `docs/agents.md` says which were run, and what came out.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tiny import Counted, CountTask, EchoTask, save_tiny_tokenizer, tiny_policy, tiny_tokenizer

import textgym
from textgym.envs.single import TextEnv
from textgym.envs.vector import TextVectorEnv

EXAMPLES = Path(__file__).parent.parent / "examples"
SIZES: dict[str, Any] = {"context_length": 160, "max_new_tokens": 6, "max_turns": 3}
TOKENIZER = tiny_tokenizer()
EOT, V = TOKENIZER.end_of_turn, TOKENIZER.vocab_size


def example(name: str) -> Any:
    """An example's file as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`gym.make` arguments of a tiny vocabulary and short answers."""
    folder = save_tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    return {"tokenizer": folder, "reward": "gold", "context_length": 512, "max_new_tokens": 6}


# -- the CleanRL-style loop ------------------------------------------------------------------------


class Counting:
    """An agent that says random tokens and values a state by its tokens."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def act(self, obs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(obs)
        return np.where(self.rng.random(n) < 0.2, EOT, self.rng.integers(V, size=n)), np.zeros(n), self.value(obs)

    def value(self, obs: np.ndarray) -> np.ndarray:
        return (obs >= 0).sum(axis=1) / 10


@pytest.mark.parametrize("task", [EchoTask, CountTask])
def test_cleanrl_bootstraps_truncations_and_not_endings(task: type[EchoTask]) -> None:
    """Against single envs stepped one by one, where the last observation cannot be mistaken for the next prompt."""
    cleanrl, n, steps, gamma, lam = example("cleanrl_ppo"), 4, 60, 0.9, 0.8
    limit = 5 if task is EchoTask else 11
    envs = TextVectorEnv(task(), Counted(), TOKENIZER, num_envs=n, max_episode_steps=limit, **SIZES)
    obs, _ = envs.reset(seed=0)
    rollout, _ = cleanrl.collect(envs, Counting(1), obs, steps, beta=0.0)
    advantages = cleanrl.gae(rollout, gamma, lam)
    value, seen = Counting(0).value, {"terminated": 0, "truncated": 0}
    for row in range(n):
        env: Any = gym.wrappers.TimeLimit(TextEnv(task(), Counted(), TOKENIZER, **SIZES), limit)
        state, _ = env.reset(seed=row)
        deltas, ends = [], []
        for t in range(steps):
            after, reward, terminated, truncated, _ = env.step(int(rollout.actions[row, t]))
            bootstrap = 0.0 if terminated else value(after[None])[0]
            deltas.append(reward + gamma * bootstrap - value(state[None])[0])
            ends.append(terminated or truncated)
            seen["terminated"] += terminated
            seen["truncated"] += truncated and not terminated
            state = env.reset()[0] if ends[-1] else after
        for t in range(steps):
            expected, weight = 0.0, 1.0
            for k in range(t, steps):
                expected += weight * deltas[k]
                weight *= gamma * lam
                if ends[k]:
                    break
            assert advantages[row, t] == pytest.approx(expected, abs=1e-5)
    assert min(seen.values()) > 5


def test_cleanrl_runs_and_is_short() -> None:
    cleanrl = example("cleanrl_ppo")
    assert len((EXAMPLES / "cleanrl_ppo.py").read_text().splitlines()) <= 200
    golds = cleanrl.train(cleanrl.Args(env_id="textgym/Translate-v0", num_envs=4, num_steps=24, updates=2))
    assert len(golds) == 2
    assert all(0 <= gold <= 1 for gold in golds if not np.isnan(gold))  # none where no episode ended in the batch
    assert not np.isnan(golds[-1])


def test_cleanrl_learns() -> None:
    """A random model, paid for small letters, writes them."""
    import torch

    cleanrl = example("cleanrl_ppo")

    def score(transcript: Any) -> float:
        return sum("a" <= c <= "z" for c in transcript.response) / max(1, len(transcript.response))

    torch.manual_seed(0)
    reward = Counted(score)
    envs = TextVectorEnv(EchoTask(), reward, TOKENIZER, num_envs=16, **SIZES)
    agent = cleanrl.Agent(tiny_policy(), TOKENIZER, SIZES["context_length"])
    optimizer = torch.optim.AdamW(agent.parameters(), lr=3e-3)
    args, rng = cleanrl.Args(minibatches=2), np.random.default_rng(0)
    obs, _ = envs.reset(seed=0)
    for _ in range(16):
        rollout, obs = cleanrl.collect(envs, agent, obs, 18, beta=0.0)
        cleanrl.update(agent, optimizer, rollout, args, rng)
    shares = [score(t) for t in reward.transcripts]
    assert np.mean(shares[:100]) < 0.4
    assert np.mean(shares[-100:]) > 0.8


# -- the SB3 examples ------------------------------------------------------------------------------


def test_sb3_example_runs() -> None:
    pytest.importorskip("stable_baselines3")
    golds, *held_out = example("sb3_ppo").train("textgym/Translate-v0", 1, num_envs=4, n_steps=48, held_out=4)
    assert len(golds) == 1
    assert all(0 <= gold <= 1 for gold in [*golds, *held_out])


def test_maskable_example_runs() -> None:
    pytest.importorskip("sb3_contrib")
    golds = example("maskable_ppo").train("textgym/Translate-v0", iterations=1, top_k=2)
    assert len(golds) == 1
    assert 0 <= golds[0] <= 1


# -- TorchRL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", textgym.ENV_IDS)
def test_torchrl_checks_the_specs(env_id: str, small: dict[str, Any]) -> None:
    pytest.importorskip("torchrl")
    from torchrl.envs import GymEnv
    from torchrl.envs.utils import check_env_specs

    check_env_specs(GymEnv(env_id, **small))


def test_torchrl_example_runs(small: dict[str, Any]) -> None:
    pytest.importorskip("torchrl")
    rewards = example("torchrl_ppo").train("textgym/Translate-v0", updates=2, frames=64, **small)
    assert len(rewards) == 2
    assert all(0 <= reward <= 1 for reward in rewards)


# -- Tianshou --------------------------------------------------------------------------------------


def test_tianshou_example_runs(small: dict[str, Any]) -> None:
    pytest.importorskip("tianshou")
    rewards = example("tianshou_ppo").train("textgym/Translate-v0", updates=2, frames=64, **small)
    assert len(rewards) == 2
    assert all(0 <= reward <= 1 for reward in rewards)


# -- RLlib -----------------------------------------------------------------------------------------


def test_rllib_trains(small: dict[str, Any]) -> None:
    """The adapter that docs/agents.md gives: its linear layers want floats, and the rest is as it comes."""
    pytest.importorskip("ray.rllib")
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.tune.registry import register_env

    def make(config: dict[str, Any]) -> gym.Env:
        return gym.wrappers.DtypeObservation(gym.make("textgym/Translate-v0", **config), np.float32)

    register_env("translate", make)
    config = (
        PPOConfig()
        .environment("translate", env_config=small)
        .env_runners(num_env_runners=0)
        .learners(num_learners=0)
        .training(train_batch_size_per_learner=64, minibatch_size=32, num_epochs=1, gamma=1.0)
        .rl_module(model_config={"fcnet_hiddens": [16]})
    )
    agent = config.build_algo()
    try:
        runners = agent.train()["env_runners"]
    finally:
        agent.stop()
    assert runners["num_episodes"] > 5
    assert 0 <= runners["episode_return_mean"] <= 1
