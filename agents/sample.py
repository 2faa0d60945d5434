"""What a policy says to an env's prompts, as items for raters: the start of `textgym feedback sample`.

A conversation is played to its end, and what is judged is all that followed the prompt. Nothing is scored on the way.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from textgym import checks
from textgym.envs.registration import require_playable
from textgym.feedback.items import MOST_RESPONSES, Item
from textgym.models.language_model import forbidden_tokens, load_language_model, require_fit
from textgym.progress import Report, no_report
from textgym.seeding import derive_seeds
from textgym.types import Message

from .devices import choose_device
from .failures import loading, phase
from .online_config import OnlineConfig
from .rollout import play
from .stage import load_policy_tokenizer, make_env

CHUNK = 64  # prompts played at once
TASKS = {"Summarize": "summarize", "Translate": "translate", "Dialogue": "dialogue"}  # ids' guideline pages


@dataclass(frozen=True)
class SampleConfig:
    """How a policy is asked."""

    env: str = "textgym/Summarize-v0"
    policy: str = "embedded"  # a folder or hub name of a causal language model, or "embedded"
    n: int = 100  # prompts, or all where there are fewer
    samples: int = 2  # responses a prompt: 1 to rate, 2 to compare, more to rank
    split: str = "train"
    temperature: float = 1.0  # 1 samples from the policy's own distribution
    seed: int = 0  # of the users and of what is sampled
    data: str | None = None
    data_seed: int = 0
    context_length: int | None = None  # tokens; None: the env's default
    max_new_tokens: int | None = None  # tokens a turn; None: the env's default

    def __post_init__(self) -> None:
        require_playable(self.env)
        checks.whole("n", self.n, 1)
        checks.whole("samples", self.samples, 1, MOST_RESPONSES)
        checks.positive("temperature", self.temperature)
        checks.whole("seed", self.seed)


def sample_items(config: SampleConfig, report: Report = no_report) -> tuple[list[Item], int]:
    """Items of the first `n` examples of a split, and how many prompts were left out because all
    responses were alike. Of several responses to rank, equal ones are there once. A warning counts the prompts
    that the policy was not shown whole. `report` hears how far it is."""
    names = ("env", "policy", "data", "data_seed", "context_length", "max_new_tokens")
    of_env = OnlineConfig(reward="constant:0", **{name: getattr(config, name) for name in names})
    tokenizer = load_policy_tokenizer(config.policy, None, None)
    with loading("the policy", "policy"):
        model = load_language_model(config.policy, choose_device(of_env.device))
    core = make_env(of_env, tokenizer, config.split, 1).unwrapped
    require_fit(model, tokenizer, core.context_length)
    forbidden, task = forbidden_tokens(model, tokenizer), core.task
    n, items, cut = min(config.n, len(task)), list[Item | None](), 0
    for start in range(0, n, CHUNK):
        size = min(CHUNK, n - start)
        rows = size * config.samples
        generator = torch.Generator(next(model.parameters()).device)
        generator.manual_seed(derive_seeds(config.seed, 1, start, 8)[0])
        report("sampling prompts", start, n)
        with phase("sampling", "samples or max_new_tokens"):
            rollout = play(
                make_env(of_env, tokenizer, config.split, rows),
                model,
                tokenizer,
                np.arange(start, start + size),
                derive_seeds(config.seed, rows, start, 9),
                samples_per_prompt=config.samples,
                temperature=config.temperature,
                forbidden=forbidden,
                generator=generator,
            )
        cut += int((rollout.prompt_tokens_cut[:: config.samples] > 0).sum())
        for k in range(size):
            said = rollout.messages[k * config.samples : (k + 1) * config.samples]
            items.append(_item(config, start + k, task[start + k].prompt, said))
    if cut:
        warnings.warn(
            f"{cut} of {n} prompts lost their ends before the policy saw them, because they do not fit "
            f"context_length - max_new_tokens = {core.context_length} - {core.max_new_tokens} tokens; "
            "raters see them whole",
            stacklevel=2,
        )
    return [item for item in items if item is not None], sum(item is None for item in items)


def _item(
    config: SampleConfig, index: int, prompt: tuple[Message, ...], said: list[list[dict[str, str]]]
) -> Item | None:
    """An item of the distinct things that were said; None where a choice would have nothing to choose from."""
    talks = [tuple(Message(m["role"], m["content"]) for m in messages)[len(prompt) :] for messages in said]
    distinct = tuple(dict.fromkeys(talks))
    if len(distinct) < min(2, config.samples):
        return None
    world = config.env.rpartition("/")[2].partition("-")[0]
    return Item(
        prompt=prompt,
        responses=distinct,
        kind={1: "rating", 2: "pair"}.get(len(distinct), "ranking"),
        key=f"{world}-{config.split}-{index}-seed{config.seed}",
        task=TASKS.get(world, "general"),
        sources=(config.policy,) * len(distinct),
        origin=f"{config.env} {config.split} {index}",
    )
