"""How fast is Stable-Baselines3's PPO with a language model, naively, with textgym.sb3, and our own PPO?

    python benchmarks/sb3_policy.py --json
    python benchmarks/sb3_policy.py --rows 32 --rounds 1

Steps (tokens that the policy chose) a second of CPU of whole iterations, rollout and update, on Summarize-v0 with
the embedded policy in float32, two epochs of two minibatches each:

- naive: SB3's PPO on its own `DummyVecEnv` and buffer, with a policy as anybody would write it, `ReadsAgain` below:
  the transformer is called on the observation, as wide as it comes and with its attention mask;
- naive, trimmed: the same with some care: the padding that no row needs is cut off, and the head is computed at
  the last token alone;
- cached: `textgym.sb3`'s VecEnv, LanguageModelPolicy and ResponseBuffer;
- cached, 8 a prompt: the same with `samples_per_prompt=8`;
- own: `agents/ppo.py` at as many rows, with one response a prompt and with eight (its default). It computes a
  reference's log-probabilities as well, which the others do not.

Each is run once unmeasured, then all in turn, `--rounds` times; figures are medians. The naive ones get fewer rows
and steps, or they would take an hour; nearly all their time is arithmetic on tokens, so their rate hardly depends
on them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

import textgym  # noqa: F401
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.agents.runs import versions
from textgym.sb3 import LanguageModelPolicy, ResponseBuffer, VecEnv

ENV = "textgym/Summarize-v0"
Measure = Callable[[], float]  # runs one iteration and returns the steps that it took


class ReadsAgain(LanguageModelPolicy):
    """Asks `transformers` for the logits of the whole observation, each time, and takes the last ones."""

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        chosen, values = self._ask(obs)
        actions = chosen.sample()
        return actions, values, chosen.log_prob(actions)

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        chosen, values = self._ask(obs)
        return values, chosen.log_prob(actions.long().flatten()), chosen.entropy()

    def predict_values(self, obs: Any) -> Tensor:
        return self._ask(obs)[1]

    def _ask(self, obs: Tensor) -> tuple[Any, Tensor]:
        is_token = obs >= 0
        asked = {"input_ids": obs.long().clamp(min=0), "attention_mask": is_token.long()}
        output = self.model(**asked, output_hidden_states=True)
        rows, last = torch.arange(len(obs)), is_token.sum(dim=1) - 1
        logits = output.logits[rows, last, : len(self.allowed)].masked_fill(~self.allowed, -1e9)
        return torch.distributions.Categorical(logits=logits), self.value_net(output.hidden_states[-1][rows, last])


def naive(rows: int, n_steps: int, policy: Any, **policy_kwargs: Any) -> Measure:
    env = DummyVecEnv([lambda: gym.make(ENV)] * rows)
    return sb3(env, rows, n_steps, policy, None, policy_kwargs)


def cached(rows: int, n_steps: int, samples_per_prompt: int) -> Measure:
    env = VecEnv(gym.make_vec(ENV, num_envs=rows), samples_per_prompt)
    return sb3(env, rows, n_steps, LanguageModelPolicy, ResponseBuffer, {})


def sb3(env: Any, rows: int, n_steps: int, policy: Any, buffer: Any, policy_kwargs: dict[str, Any]) -> Measure:
    options: dict[str, Any] = {"n_steps": n_steps, "batch_size": rows * n_steps // 2, "n_epochs": 2, "gamma": 1.0}
    options |= {"rollout_buffer_class": buffer, "policy_kwargs": policy_kwargs, "seed": 0, "device": "cpu"}
    agent = PPO(policy, env, **options)

    def run() -> float:
        agent.learn(rows * n_steps, reset_num_timesteps=agent.num_timesteps == 0)
        return float(rows * n_steps)

    return run


def own(rows: int, samples_per_prompt: int, folder: str) -> Measure:
    config = PPOConfig(
        env=ENV,
        prompts_per_update=rows // samples_per_prompt,
        samples_per_prompt=samples_per_prompt,
        dtype="float32",
        device="cpu",
        run=f"{folder}/{samples_per_prompt}",
        num_updates=999,
        critic_warmup=0,
    )
    trainer = Trainer(config)
    return lambda: trainer.step()["tokens"] * rows


def rate(run: Measure) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    steps = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"steps": steps, "steps_per_second": steps / wall, "steps_per_cpu_second": steps / cpu}


def measure(ways: dict[str, Measure], rounds: int) -> dict[str, dict[str, float]]:
    """Medians, each way in turn, so that what else the machine does meets all of them."""
    for run in ways.values():
        run()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            found[name].append(rate(run))
            print(f"{name}: {found[name][-1]['steps_per_cpu_second']:.1f} steps a second of CPU", flush=True)
    return {name: {key: median(f[key] for f in of_way) for key in of_way[0]} for name, of_way in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64, help="envs of SB3, responses an update of ours")
    parser.add_argument("--n-steps", type=int, default=96, help="steps a row in one rollout of SB3")
    parser.add_argument("--naive-rows", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows, steps, few, fewer = arguments.rows, arguments.n_steps, arguments.naive_rows, arguments.n_steps // 3
    with tempfile.TemporaryDirectory() as folder:
        ways = {
            "naive": naive(few, fewer, ReadsAgain),
            "naive, trimmed": naive(few, fewer, LanguageModelPolicy, keeps_cache=False),
            "cached": cached(rows, steps, 1),
            "cached, 8 a prompt": cached(rows, steps, 8),
            "own, 1 a prompt": own(rows, 1, folder),
            "own, 8 a prompt": own(rows, 8, folder),
        }
        figures = measure(ways, arguments.rounds)
    shared = figures["cached, 8 a prompt"]["steps_per_cpu_second"]
    ratios = {name: shared / f["steps_per_cpu_second"] for name, f in figures.items()}
    for name, f in figures.items():
        line = f"{name:20} {f['steps_per_cpu_second']:8.1f} steps a second of CPU"
        print(f"{line}; cached, 8 a prompt, is {ratios[name]:.2f} times as fast")
    if arguments.json:
        print(json.dumps({"figures": figures, "ratios": ratios, "settings": vars(arguments), "versions": versions()}))


if __name__ == "__main__":
    main()
