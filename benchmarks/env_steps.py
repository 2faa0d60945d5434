"""How many token steps a second the envs take, on one core and with a constant reward.

Three figures for each id, native vector env against Gymnasium's `SyncVectorEnv` of the same envs:

- *inside turns*: steps in which no turn ends;
- *whole episodes*: everything included, the fresh example, its tokens, decoding, the gold judge
  and (in a dialogue) the simulated user; the policy says other examples' right answers, or
  (*full turns*) never stops by itself, as an untrained one;
- how many times faster the native one is.

    python benchmarks/env_steps.py
    python benchmarks/env_steps.py --env textgym/Dialogue-v0 --num-envs 64 --json

The rate of whole episodes depends on the length of the turns, so that is printed too. Learned
rewards are left out: their cost is the model's. Seconds are seconds of the process's own CPU time, so
that what else the machine does counts little.
"""

from __future__ import annotations

import argparse
import json
import os
from time import process_time
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one core means one core

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

import textgym
from textgym.envs.arguments import WORLDS
from textgym.models.tokenizer import ChatTokenizer
from textgym.types import Transcript

NUM_ANSWERS = 4096


def make_envs(env_id: str, n: int, kwargs: dict[str, Any]) -> dict[str, VectorEnv]:
    vector_kwargs = {"autoreset_mode": AutoresetMode.SAME_STEP}
    return {
        "native": gym.make_vec(env_id, num_envs=n, **kwargs),
        "sync": gym.make_vec(env_id, num_envs=n, vectorization_mode="sync", vector_kwargs=vector_kwargs, **kwargs),
    }


def answer_tokens(task: Any, tokenizer: ChatTokenizer, limit: int, n: int, steps: int) -> np.ndarray:
    """(steps, n) int64: each row says right answers one after the other, beginning anywhere in one.

    Thousands of different ones: what is remembered of whole texts must not help more than it does in training.
    """
    rng = np.random.default_rng(0)
    answers = []
    for index in range(NUM_ANSWERS):
        example = task[index]
        said = task.answer(Transcript(example.prompt, example.references, example.meta), rng)
        answers.append([*tokenizer.encode(said)[: limit - 1], tokenizer.end_of_turn])
    streams = []
    for _ in range(n):
        stream: list[int] = []
        while len(stream) < steps + limit:
            stream.extend(answers[int(rng.integers(len(answers)))])
        start = int(rng.integers(limit))
        streams.append(stream[start : start + steps])
    return np.array(streams).T.copy()


def time_inside_turns(env: VectorEnv, token: int, turn_length: int, seconds: float) -> float:
    """Conversation-steps a second while no turn ends: the median over turns."""
    n = env.num_envs
    actions = np.full(n, token)
    rates = []
    stop = process_time() + seconds
    while process_time() < stop or not rates:
        env.reset(seed=0)
        begin = process_time()
        for _ in range(turn_length - 1):
            env.step(actions)
        rates.append(n * (turn_length - 1) / (process_time() - begin))
    return float(np.median(rates))


def time_whole_episodes(env: VectorEnv, tokens: np.ndarray, seconds: float) -> dict[str, float]:
    """Conversation-steps a second, episodes a second and steps an episode, everything included."""
    env.reset(seed=1_000_000)  # not the episodes that `time_inside_turns` began
    steps = episodes = 0
    begin = process_time()
    while process_time() < begin + seconds:
        for actions in tokens[steps % len(tokens) :][:50]:
            _, _, terminations, _, _ = env.step(actions)
            episodes += int(terminations.sum())
            steps += 1
    spent = process_time() - begin
    done = steps * env.num_envs
    return {"steps": done / spent, "episodes": episodes / spent, "steps_per_episode": done / max(episodes, 1)}


def measure(env_id: str, n: int, seconds: float, kwargs: dict[str, Any]) -> dict[str, Any]:
    world = env_id.removeprefix("textgym/").split("-")[0].lower()
    turn_length = int(kwargs.get("max_new_tokens", WORLDS[world].max_new_tokens))
    envs = make_envs(env_id, n, {"reward": "constant:0.5", **kwargs})
    native: Any = envs["native"].unwrapped
    token = native.tokenizer.encode("a")[0]
    tokens = answer_tokens(native.task, native.tokenizer, turn_length, n, steps=2000)
    result: dict[str, Any] = {}
    for name, env in envs.items():
        inside = time_inside_turns(env, token, turn_length, seconds / 2)
        result[name] = {
            "inside_turns": inside,
            "whole_episodes": time_whole_episodes(env, tokens, seconds),
            "full_turns": time_whole_episodes(env, np.full((1, n), token), seconds),
        }
        env.close()
    result["times_faster_inside_turns"] = result["native"]["inside_turns"] / result["sync"]["inside_turns"]
    for kind in ("whole_episodes", "full_turns"):
        result[f"times_faster_{kind}"] = result["native"][kind]["steps"] / result["sync"][kind]["steps"]
    return result


def print_result(env_id: str, n: int, result: dict[str, Any]) -> None:
    print(f"{env_id}, {n} conversations, constant reward, one core")
    native, sync = result["native"], result["sync"]
    kinds = {"inside_turns": "inside turns", "whole_episodes": "whole episodes", "full_turns": "full turns"}
    for kind, title in kinds.items():
        if kind == "inside_turns":
            rates, note = (native[kind], sync[kind]), ""
        else:
            rates = (native[kind]["steps"], sync[kind]["steps"])
            note = f"   {native[kind]['episodes']:,.0f} episodes/s of {native[kind]['steps_per_episode']:.1f} steps"
        faster = result[f"times_faster_{kind}"]
        print(f"  {title:15} {rates[0]:>12,.0f} steps/s, SyncVectorEnv {rates[1]:>9,.0f}, {faster:5.1f} times{note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", action="append", choices=list(textgym.ENV_IDS), help="default: all")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure")
    parser.add_argument("--tokenizer", default="embedded", help="folder or hub name")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line")
    options = parser.parse_args()
    results = {}
    for env_id in options.env or textgym.ENV_IDS:
        results[env_id] = measure(env_id, options.num_envs, options.seconds, {"tokenizer": options.tokenizer})
        print_result(env_id, options.num_envs, results[env_id])
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
