"""Steps a second of envs behind HTTP, beside the same envs in this process.

The server is a process of its own on this machine, so a network's delay is not in the figures. Actions are random
tokens or short texts; the reward is gold; rows begin again in the same step.

    python benchmarks/remote_env.py --steps 2000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import gymnasium as gym
import numpy as np

import textgym  # noqa: F401  # registers the ids

ENV = "textgym/Summarize-v0"


def steps_per_second(env: Any, num_rows: int, action: str, steps: int) -> float:
    """Rows times steps a second; a single env is reset when it is over."""
    rng, is_vector = np.random.default_rng(0), num_rows > 0
    env.reset(seed=0)
    start = time.perf_counter()
    for _ in range(steps):
        if not is_vector:
            _, _, terminated, _, _ = env.step(int(rng.integers(1000)) if action == "token" else "A fire in Bonn.")
            if terminated:
                env.reset()
        else:
            env.step(rng.integers(1000, size=num_rows) if action == "token" else ("A fire in Bonn.",) * num_rows)
    return steps * max(1, num_rows) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    steps = parser.parse_args().steps
    command = [sys.executable, "-m", "textgym.cli", "serve", "--env", ENV, "--reward", "gold", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = next(word for word in server.stdout.readline().split() if word.startswith("http")).rstrip(",")
        for action in ("token", "response"):
            for num_rows in (0, 1, 16, 64):  # 0: a single env
                where: dict[str, Any] = {"action": action}
                if num_rows:
                    local: Any = gym.make_vec(ENV, num_envs=num_rows, reward="gold", **where)
                    remote: Any = gym.make_vec("textgym/Remote-v0", num_envs=num_rows, url=url, env=ENV, **where)
                else:
                    local = gym.make(ENV, reward="gold", disable_env_checker=True, **where)
                    remote = gym.make("textgym/Remote-v0", url=url, env=ENV, disable_env_checker=True, **where)
                found = {
                    name: round(steps_per_second(env, num_rows, action, steps))
                    for name, env in (("local", local), ("remote", remote))
                }
                print(json.dumps({"action": action, "rows": num_rows or "single", "steps_per_second": found}))
                remote.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
