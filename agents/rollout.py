"""Playing whole turns in a native vector env with a language model.

A token agent could step the env token by token; one that samples whole turns anyway says them
through `respond`, and the env decides endings, users' replies and scores as it always does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textgym.models.generate import generate
from textgym.models.tokenizer import ChatTokenizer

from .packing import Episode


@dataclass(frozen=True)
class Rollout:
    """B finished conversations; the samples of a prompt stand next to each other."""

    episodes: list[Episode]
    scores: np.ndarray  # (B,) float32, the reward model's, no KL
    token_rewards: list[np.ndarray]  # B × (policy tokens,) float32, summing to the score
    gold: np.ndarray  # (B,) float32, nan where the task has no judge
    gold_components: dict[str, np.ndarray]  # name -> (B,) float32
    score_components: dict[str, np.ndarray]  # name -> (B,) float32, where the reward model has such
    endings: list[str]
    messages: list[list[dict[str, str]]]
    index: np.ndarray  # (B,) int64, which example
    last_turn_has_eot: np.ndarray  # (B,) bool
    prompt_tokens_cut: np.ndarray  # (B,) int64, tokens that the prompts lost to fit the context
    logprobs: list[list[float]] = field(default_factory=list)  # B × (policy tokens,), as sampled


def play(
    env: Any,
    model: Any,
    tokenizer: ChatTokenizer,
    index: Sequence[int] | np.ndarray,
    seeds: Sequence[int],
    *,
    samples_per_prompt: int = 1,
    temperature: float = 1.0,
    forbidden: Tensor | None = None,
    generator: torch.Generator | None = None,
    rows_of_all: tuple[int, int] | None = None,
) -> Rollout:
    """Plays each example `samples_per_prompt` times to its end.

    Args:
        env: a native vector env made with `autoreset_mode="Disabled"` and at least
            `len(index) · samples_per_prompt` rows.
        index: examples, one a prompt.
        seeds: one a row; they seed the simulated users.
        rows_of_all: (first, total) where these rows are a part of a larger batch that several processes play
            from the same generator: each says what one process would have said in its place.
    """
    core = env.unwrapped
    n = len(index) * samples_per_prompt
    if n != core.num_envs or len(seeds) != n:
        raise ValueError(f"need {n} rows and seeds, the env has {core.num_envs} and {len(seeds)} seeds were given")
    rows_index = np.repeat(np.asarray(index, dtype=np.int64), samples_per_prompt)
    obs, begun = env.reset(seed=list(seeds), options={"index": rows_index})
    prompts = [row[row >= 0].tolist() for row in obs]
    sampled: list[list[float]] = [[] for _ in range(n)]
    records: list[dict[str, Any]] = [{} for _ in range(n)]
    active, is_first = list(range(n)), True
    first, total = rows_of_all or (0, n)
    device = next(model.parameters()).device
    while active:
        draws = torch.rand((total, core.max_new_tokens), device=device, generator=generator)
        contexts = [row[row >= 0].tolist() for row in obs[active]]
        if is_first and samples_per_prompt > 1:
            contexts = contexts[::samples_per_prompt]
        said = generate(
            model,
            contexts,
            max_new_tokens=core.max_new_tokens,
            end_of_turn=tokenizer.end_of_turn,
            forbidden=forbidden,
            samples_per_prompt=samples_per_prompt if is_first else 1,
            temperature=temperature,
            uniforms=draws[[first + row for row in active]],
        )
        for row, logprobs in zip(active, said.logprobs, strict=True):
            sampled[row] += logprobs
        obs, _, terminated, _, infos = core.respond(dict(zip(active, said.tokens, strict=True)))
        for row in [r for r in active if terminated[r]]:
            records[row] = row_info(infos, row) | {"tokens": obs[row][obs[row] >= 0]}
        active, is_first = [r for r in active if not terminated[r]], False
    return collect_rollout(records, prompts, sampled, rows_index, begun["prompt_tokens_cut"], tokenizer)


def row_info(infos: dict[str, Any], row: int) -> dict[str, Any]:
    """One row's part of a vector env's infos."""
    found: dict[str, Any] = {}
    for key, value in infos.items():
        if key.startswith("_") or not np.any(infos.get(f"_{key}", True)):
            continue
        if isinstance(value, dict):
            found[key] = row_info(value, row)
        elif f"_{key}" not in infos or infos[f"_{key}"][row]:
            found[key] = value[row]
    return found


def collect_rollout(
    records: list[dict[str, Any]],
    prompts: list[list[int]],
    sampled: list[list[float]],
    index: np.ndarray,
    prompt_tokens_cut: np.ndarray,
    tokenizer: ChatTokenizer,
) -> Rollout:
    episodes, token_rewards, has_eot = [], [], []
    for record, prompt in zip(records, prompts, strict=True):
        tokens, chosen = record["tokens"], np.asarray(record["response_mask"])[: len(record["tokens"])]
        last = int(np.flatnonzero(chosen)[-1])  # what follows the last chosen token is no context of anything
        p = len(prompt)
        episodes.append(Episode(prompt, tokens[p : last + 1].tolist(), chosen[p : last + 1].tolist()))
        has_eot.append(int(tokens[last]) == tokenizer.end_of_turn)
        if "token_rewards" in record:
            dense = np.asarray(record["token_rewards"])[: len(tokens)][chosen]
        else:
            dense = np.zeros(int(chosen.sum()), dtype=np.float32)
            dense[-1] = record["score"]
        token_rewards.append(dense.astype(np.float32))

    def components(of: str) -> dict[str, np.ndarray]:
        names = records[0].get(of, {})
        return {name: np.array([r[of][name] for r in records], dtype=np.float32) for name in names}

    return Rollout(
        episodes=episodes,
        scores=np.array([r["score"] for r in records], dtype=np.float32),
        token_rewards=token_rewards,
        gold=np.array([r.get("gold", np.nan) for r in records], dtype=np.float32),
        gold_components=components("gold_components"),
        score_components=components("score_components"),
        endings=[r["ending"] for r in records],
        messages=[list(r["messages"]) for r in records],
        index=index,
        last_turn_has_eot=np.array(has_eot),
        prompt_tokens_cut=prompt_tokens_cut,
        logprobs=sampled,
    )
