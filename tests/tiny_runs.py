"""Tiny runs for the tests of agents: a random policy, a reader's own records, and what a run left in its folder."""

from __future__ import annotations

import importlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import save_tiny_tokenizer, tiny_policy, tiny_reward, tiny_tokenizer

from textgym.agents import commands
from textgym.agents.ppo import PPOConfig, Trainer

EOT = tiny_tokenizer().end_of_turn
USER_TURNS = ("And the next one?", "Once more, please.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random policy, reward models of both kinds, and own records for one turn and for several."""
    folder = tmp_path_factory.mktemp("ppo")
    tiny_policy().save_pretrained(folder / "policy")
    save_tiny_tokenizer(folder / "policy")
    for kind in ("token", "sequence"):
        tiny_reward(folder / kind, kind, initializer_range=0.3)
    news = [{"document": f"The mayor opened bridge {k} on Monday.", "summary": f"Bridge {k}."} for k in range(12)]
    chats = [
        {"messages": [message for turn in (f"Number {k}?", *USER_TURNS) for message in _exchange(turn, k)]}
        for k in range(12)
    ]
    for name, rows in (("news", news), ("chats", chats)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _exchange(said: str, k: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": said}, {"role": "assistant", "content": f"It is {k}."}]


@pytest.fixture
def config(folder: Path) -> PPOConfig:
    """One turn: a news item, a metric as the reward."""
    return PPOConfig(
        policy=str(folder / "policy"),
        data=str(folder / "news.jsonl"),
        reward="chrf",
        context_length=96,
        max_new_tokens=8,
        num_updates=2,
        prompts_per_update=4,
        samples_per_prompt=3,
        critic_warmup=0,
        learning_rate=3e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=4,
        eval_every=0,
        checkpoint_every=0,
    )


@pytest.fixture
def chat(config: PPOConfig, folder: Path) -> PPOConfig:
    """Several turns, with a recorded user who speaks again after each."""
    data = json.dumps({"path": str(folder / "chats.jsonl"), "user": "replay"})
    return replace(config, env="textgym/Dialogue-v0", data=data, context_length=192)


def make_trainer(config: PPOConfig, ends_often: bool = True) -> Trainer:
    """A trainer whose value head is not zero. With `ends_often` the policy says 40 tokens only, end-of-turn among
    them, so that turns of all lengths occur."""
    trainer = Trainer(config)
    torch.nn.init.normal_(trainer.policy.value_head.weight, generator=torch.Generator().manual_seed(1))
    if ends_often:
        trainer.stage.forbidden[:] = True
        trainer.stage.forbidden[[EOT, *range(60, 99)]] = False
        with torch.no_grad():
            trainer.policy.model.get_output_embeddings().weight[EOT] *= 4
            trainer.stage.reference.load_state_dict(trainer.policy.model.state_dict())
    return trainer


def with_reward(config: PPOConfig, reward: Any) -> PPOConfig:
    """A Python object as the reward: what a config on a command line cannot say, and Python can."""
    return replace(config, reward=reward)


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.policy.state_dict().items()}


def module_of(name: str) -> Any:
    """An agent's module, by its name on the command line."""
    return importlib.import_module(f"textgym.agents.{commands.COMMANDS[name].module}")


def config_of(name: str, like: Any, **more: Any) -> Any:
    """An agent's config with what a tiny PPO config says of env, sizes and rate."""
    shared = ("env", "policy", "data", "reward", "context_length", "max_new_tokens", "num_updates", "device", "dtype")
    shared += ("prompts_per_update", "samples_per_prompt", "learning_rate", "eval_prompts", "eval_every")
    kind = getattr(module_of(name), commands.COMMANDS[name].config)
    known = {field.name for field in fields(kind)}
    given = {field: getattr(like, field) for field in (*shared, "checkpoint_every") if field in known}
    return kind(**given | more)


def make(name: str, like: Any, **more: Any) -> Any:
    """An agent's trainer on such a config."""
    return module_of(name).Trainer(config_of(name, like, **more))


def arguments(config: PPOConfig, run: Path, **more: Any) -> list[str]:
    """The command line that says this config."""
    names = ("policy", "data", "reward", "context_length", "max_new_tokens", "num_updates", "prompts_per_update")
    names += ("samples_per_prompt", "critic_warmup", "learning_rate", "device", "dtype", "eval_prompts", "eval_every")
    given = {name: getattr(config, name) for name in names} | {"run": run, "checkpoint_every": 2} | more
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Every line, as strict JSON, which knows no NaN."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]


def read_checkpoint(run: Path) -> dict[str, Any]:
    (found,) = (run / "checkpoints").glob("update-*/state.pt")
    return torch.load(found, weights_only=True)


def assert_same(a: Any, b: Any) -> None:
    """Equal to the last bit, through dicts and lists."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b
