"""A language model behind an OpenAI-compatible endpoint as the policy: it plays whole turns of an env.

The messages of `info["messages"]` are what the endpoint is asked to go on with. Nothing is learned here; the figures
say how good a model is as it is, and what it cost.

    textgym serve --policy embedded &                                          # or vLLM, llama.cpp, Ollama, …
    python examples/openai_policy.py --url http://127.0.0.1:8000/v1 --model embedded --env textgym/Translate-v0
    python examples/openai_policy.py --url https://host/v1 --model NAME --key-env OPENAI_API_KEY
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

import textgym
from textgym.models.chat_endpoint import ChatEndpoint


def play(env: gym.Env[Any, Any], endpoint: ChatEndpoint, index: int) -> tuple[dict[str, Any], float, int]:
    """One conversation: the last info, the return, and the tokens that the endpoint counted."""
    _, info = env.reset(seed=index, options={"index": index})
    total, tokens, is_over = 0.0, 0, False
    while not is_over:
        said = endpoint.complete(info["messages"], seed=index)
        tokens += said.prompt_tokens + said.completion_tokens
        _, reward, terminated, truncated, info = env.step(said.text)
        total += float(reward)
        is_over = terminated or truncated
    return info, total, tokens


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the base address, as in https://host/v1")
    parser.add_argument("--model", required=True, help="what the endpoint calls the model")
    parser.add_argument("--key-env", help="the NAME of the environment variable that holds the key")
    parser.add_argument("--env", default="textgym/Summarize-v0", choices=list(textgym.ENV_IDS))
    parser.add_argument("--reward", help="what gym.make takes; left out, the env's learned reward model")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--n", type=int, default=8, help="conversations")
    given = parser.parse_args(arguments)
    endpoint = ChatEndpoint(given.url, given.model, given.key_env, given.temperature)
    env = gym.make(given.env, action="response", split="test", reward=given.reward)
    returns, golds, tokens = [], [], 0
    for index in range(given.n):
        info, total, cost = play(env, endpoint, index)
        returns.append(total)
        golds.append(info["gold"])
        tokens += cost
        said = next(m["content"] for m in reversed(info["messages"]) if m["role"] == "assistant")
        print(f"{index}: reward {total:+.3f}  gold {info['gold']:.3f}  {info['ending']}  {said!r:.70}")
    print(
        f"mean reward {np.mean(returns):+.3f}, mean gold {np.mean(golds):.3f}, {tokens} tokens, {given.n} conversations"
    )


if __name__ == "__main__":
    main()
