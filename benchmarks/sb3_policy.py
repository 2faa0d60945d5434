"""How fast is Stable-Baselines3's PPO with a language model, naively, with textgym.sb3, and our own PPO?

    python benchmarks/sb3_policy.py --json
    python benchmarks/sb3_policy.py --rows 64 --n-steps 48 --threads 2

Steps (tokens that the policy chose) a second of whole iterations, rollout and update, on Summarize-v0 with
the embedded policy in float32, two epochs of two minibatches each:

- naive: SB3's PPO whose policy re-reads the conversation for every token, on SB3's own buffer and its
  `DummyVecEnv` of single envs;
- cached: SB3's PPO with `textgym.sb3`'s VecEnv, LanguageModelPolicy and ResponseBuffer;
- own: `agents/ppo.py` at as many rows, with one response a prompt (what SB3 plays) and with eight (its default).
  It computes a reference's log-probabilities as well, which the others do not.

Each is run once unmeasured. The naive one gets fewer rows and steps, or it would take an hour; nearly all
its time is arithmetic on tokens, so its rate hardly depends on them. Ratios are of steps a second of CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

import textgym  # noqa: F401
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.agents.runs import versions
from textgym.sb3 import LanguageModelPolicy, ResponseBuffer, VecEnv

ENV = "textgym/Summarize-v0"


def sb3_rate(rows: int, n_steps: int, iterations: int, is_naive: bool) -> dict[str, float]:
    if is_naive:
        env: Any = DummyVecEnv([lambda: gym.make(ENV)] * rows)
    else:
        env = VecEnv(gym.make_vec(ENV, num_envs=rows))
    agent = PPO(
        LanguageModelPolicy,
        env,
        n_steps=n_steps,
        batch_size=rows * n_steps // 2,
        n_epochs=2,
        gamma=1.0,
        rollout_buffer_class=None if is_naive else ResponseBuffer,
        policy_kwargs={"keeps_cache": not is_naive},
        seed=0,
        device="cpu",
    )
    agent.learn(rows * n_steps)

    def run() -> float:
        agent.learn(rows * n_steps, reset_num_timesteps=False)
        return float(rows * n_steps)

    return _measured(run, iterations)


def own_rate(rows: int, samples_per_prompt: int, iterations: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = PPOConfig(
            env=ENV,
            prompts_per_update=rows // samples_per_prompt,
            samples_per_prompt=samples_per_prompt,
            dtype="float32",
            device="cpu",
            run=folder,
            num_updates=999,
            critic_warmup=0,
        )
        trainer = Trainer(config)
        trainer.step()
        return _measured(lambda: trainer.step()["tokens"] * rows, iterations)


def _measured(run: Callable[[], float], iterations: int) -> dict[str, float]:
    """`run` returns the steps that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    steps = sum(run() for _ in range(iterations))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rates = {"steps_per_second": steps / wall, "steps_per_cpu_second": steps / cpu}
    return {"steps": steps, "seconds": wall, "cpu_seconds": cpu, **rates}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64, help="envs of SB3, responses an update of ours")
    parser.add_argument("--n-steps", type=int, default=96, help="steps a row in one rollout of SB3")
    parser.add_argument("--naive-rows", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = arguments.rows
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "cached": lambda: sb3_rate(rows, arguments.n_steps, arguments.iterations, is_naive=False),
        "own, 1 a prompt": lambda: own_rate(rows, 1, arguments.iterations),
        "own, 8 a prompt": lambda: own_rate(rows, 8, arguments.iterations),
        "naive": lambda: sb3_rate(arguments.naive_rows, arguments.n_steps // 3, 1, is_naive=True),
    }
    found = {}
    for name, measure in ways.items():
        found[name] = measure()
        figures = found[name]
        rates = f"{figures['steps_per_second']:.1f} steps/s, {figures['steps_per_cpu_second']:.1f} a second of CPU"
        print(f"{name}: {rates} ({figures['steps']:.0f} steps)", flush=True)
    unit = "steps_per_cpu_second"  # fair on a machine that others use too
    ratios = {f"cached / {name}": found["cached"][unit] / figures[unit] for name, figures in found.items()}
    print({name: round(ratio, 2) for name, ratio in ratios.items()})
    if arguments.json:
        print(json.dumps({"figures": found, "ratios": ratios, "settings": vars(arguments), "versions": versions()}))


if __name__ == "__main__":
    main()
